"""tax rates have up to three decimals

Revision ID: 19552c38367d
Revises: 27186d5d0c2c
Create Date: 2025-07-11 13:57:57.492426
Author: Jonas Weber <jonas@acme.example>
"""
from __future__ import annotations

from alembic import op
import sqlalchemy as sa

revision: str = "19552c38367d"
down_revision: str | None = "27186d5d0c2c"
branch_labels: str | tuple[str, ...] | None = None
depends_on: str | tuple[str, ...] | None = None


def upgrade() -> None:
    op.alter_column("tax_rates", "percent", existing_type=sa.Numeric(precision=5, scale=2),
                    type_=sa.Numeric(precision=6, scale=3), existing_nullable=False)


def downgrade() -> None:
    op.alter_column("tax_rates", "percent", existing_type=sa.Numeric(precision=6, scale=3),
                    type_=sa.Numeric(precision=5, scale=2), existing_nullable=False)
