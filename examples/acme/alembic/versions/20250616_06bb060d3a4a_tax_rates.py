"""tax rates by country

Revision ID: 06bb060d3a4a
Revises: 6ce5d61f7fba
Create Date: 2025-06-16 17:49:53.973459
Author: Jonas Weber <jonas@acme.example>
"""
from __future__ import annotations

from alembic import op
import sqlalchemy as sa

revision: str = "06bb060d3a4a"
down_revision: str | None = "6ce5d61f7fba"
branch_labels: str | tuple[str, ...] | None = None
depends_on: str | tuple[str, ...] | None = None


def upgrade() -> None:
    op.create_table(
        "tax_rates",
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("percent", sa.Numeric(precision=5, scale=2), nullable=False),
        sa.CheckConstraint("percent BETWEEN 0 AND 100", name=op.f("ck_tax_rates_percent_range")),
        sa.PrimaryKeyConstraint("country", "valid_from", name=op.f("pk_tax_rates")),
    )


def downgrade() -> None:
    op.drop_table("tax_rates")
