"""amount of a line, computed by the server

Revision ID: 18ea6d72f09c
Revises: 7f40c9b5d3a8
Create Date: 2024-07-01 13:59:42.725084
"""
from __future__ import annotations

from alembic import op
import sqlalchemy as sa

revision: str = "18ea6d72f09c"
down_revision: str | None = "7f40c9b5d3a8"
branch_labels: str | tuple[str, ...] | None = None
depends_on: str | tuple[str, ...] | None = None


def upgrade() -> None:
    op.add_column(
        "invoice_lines",
        sa.Column("amount_cents", sa.BigInteger(),
                  sa.Computed("round(quantity * unit_cents)", persisted=True), nullable=False),
    )
    op.create_check_constraint(op.f("ck_invoice_lines_quantity_positive"), "invoice_lines", "quantity > 0")
    op.create_index("ix_invoices_open_due", "invoices", ["due_at"], postgresql_where=sa.text("status = 'open'"))


def downgrade() -> None:
    op.drop_index("ix_invoices_open_due", table_name="invoices")
    op.drop_constraint(op.f("ck_invoice_lines_quantity_positive"), "invoice_lines", type_="check")
    op.drop_column("invoice_lines", "amount_cents")
