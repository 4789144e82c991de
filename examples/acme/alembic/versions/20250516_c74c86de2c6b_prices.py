"""prices of plans, from a day on

Revision ID: c74c86de2c6b
Revises: 658188169d41
Create Date: 2025-05-16 14:43:21.544227
Author: Jonas Weber <jonas@acme.example>
"""
from __future__ import annotations

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision: str = "c74c86de2c6b"
down_revision: str | None = "658188169d41"
branch_labels: str | tuple[str, ...] | None = None
depends_on: str | tuple[str, ...] | None = None


def upgrade() -> None:
    op.create_table(
        "prices",
        sa.Column("plan", postgresql.ENUM(name="org_plan", create_type=False), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("monthly_cents", sa.BigInteger(), nullable=False),
        sa.Column("yearly_cents", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("monthly_cents >= 0 AND yearly_cents >= 0", name=op.f("ck_prices_not_negative")),
        sa.PrimaryKeyConstraint("plan", "currency", "valid_from", name=op.f("pk_prices")),
    )


def downgrade() -> None:
    op.drop_table("prices")
