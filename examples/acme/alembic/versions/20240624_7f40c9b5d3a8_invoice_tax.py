"""tax of an invoice; its lines as JSON go

Revision ID: 7f40c9b5d3a8
Revises: e7d16a08c42f
Create Date: 2024-06-24 08:25:19.137760
"""
from __future__ import annotations

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "7f40c9b5d3a8"
down_revision: str | None = "e7d16a08c42f"
branch_labels: str | tuple[str, ...] | None = None
depends_on: str | tuple[str, ...] | None = None


def upgrade() -> None:
    op.drop_column("invoices", "lines")
    op.add_column("invoices", sa.Column("tax_cents", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.create_check_constraint(op.f("ck_invoices_amounts"), "invoices", "total_cents >= 0 AND tax_cents >= 0")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_invoices_amounts"), "invoices", type_="check")
    op.drop_column("invoices", "tax_cents")
    op.add_column("invoices", sa.Column("lines", JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False))
