"""exchange rates of the ECB

Revision ID: 6cb599017845
Revises: 19552c38367d
Create Date: 2025-07-25 15:02:50.367891
Author: Jonas Weber <jonas@acme.example>
"""
from __future__ import annotations

from alembic import op
import sqlalchemy as sa

revision: str = "6cb599017845"
down_revision: str | None = "19552c38367d"
branch_labels: str | tuple[str, ...] | None = None
depends_on: str | tuple[str, ...] | None = None


def upgrade() -> None:
    op.create_table(
        "exchange_rates",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("rate", sa.Numeric(precision=18, scale=8), nullable=False),
        sa.PrimaryKeyConstraint("day", "currency", name=op.f("pk_exchange_rates")),
    )


def downgrade() -> None:
    op.drop_table("exchange_rates")
