"""a subscription can be paused

Revision ID: be8b384c8d71
Revises: 06bb060d3a4a
Create Date: 2025-06-20 14:41:27.635898
Author: Jonas Weber <jonas@acme.example>
"""
from __future__ import annotations

from alembic import op

revision: str = "be8b384c8d71"
down_revision: str | None = "06bb060d3a4a"
branch_labels: str | tuple[str, ...] | None = None
depends_on: str | tuple[str, ...] | None = None


def upgrade() -> None:
    op.execute("ALTER TYPE subscription_status ADD VALUE 'paused' BEFORE 'cancelled'")


def downgrade() -> None:
    # PostgreSQL cannot take a label away: a type without it takes the place of this one. A paused
    # subscription stops it here.
    op.execute("ALTER TYPE subscription_status RENAME TO subscription_status_with_paused")
    op.execute("CREATE TYPE subscription_status AS ENUM ('trialing', 'active', 'past_due', 'cancelled')")
    op.execute("ALTER TABLE subscriptions ALTER status DROP DEFAULT, "
               "ALTER status TYPE subscription_status USING status::text::subscription_status, "
               "ALTER status SET DEFAULT 'trialing'")
    op.execute("DROP TYPE subscription_status_with_paused")
