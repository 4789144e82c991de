"""dunning

Revision ID: e371bd901f0f
Revises: 74bf2fdf2072
Create Date: 2025-07-04 08:29:53.780169
Author: Jonas Weber <jonas@acme.example>
"""
from __future__ import annotations

from alembic import op
import sqlalchemy as sa

revision: str = "e371bd901f0f"
down_revision: str | None = "74bf2fdf2072"
branch_labels: str | tuple[str, ...] | None = None
depends_on: str | tuple[str, ...] | None = None


def upgrade() -> None:
    op.create_table(
        "dunning_steps",
        sa.Column("invoice_id", sa.UUID(), nullable=False),
        sa.Column("step", sa.SmallInteger(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("step BETWEEN 1 AND 4", name=op.f("ck_dunning_steps_step_range")),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], ondelete="CASCADE",
                                name=op.f("fk_dunning_steps_invoice_id_invoices")),
        sa.PrimaryKeyConstraint("invoice_id", "step", name=op.f("pk_dunning_steps")),
    )


def downgrade() -> None:
    op.drop_table("dunning_steps")
