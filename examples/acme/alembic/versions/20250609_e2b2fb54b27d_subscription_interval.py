"""every subscription has an interval

Revision ID: e2b2fb54b27d
Revises: 9ca94d5d97fa
Create Date: 2025-06-09 08:32:25.102227
Author: Jonas Weber <jonas@acme.example>
"""
from __future__ import annotations

from alembic import op
import sqlalchemy as sa

revision: str = "e2b2fb54b27d"
down_revision: str | None = "9ca94d5d97fa"
branch_labels: str | tuple[str, ...] | None = None
depends_on: str | tuple[str, ...] | None = None


def upgrade() -> None:
    op.execute("UPDATE subscriptions SET interval = 'month' WHERE interval IS NULL")
    op.alter_column("subscriptions", "interval", existing_type=sa.Text(), nullable=False,
                    server_default="month")
    op.create_check_constraint(op.f("ck_subscriptions_interval_known"), "subscriptions",
                               "interval IN ('month', 'year')")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_subscriptions_interval_known"), "subscriptions", type_="check")
    op.alter_column("subscriptions", "interval", existing_type=sa.Text(), nullable=True,
                    server_default=None)
