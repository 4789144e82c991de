"""when a subscription renews, and why it ended

Revision ID: 35eca4d5c0f1
Revises: be8b384c8d71
Create Date: 2025-06-20 15:31:59.537734
Author: Jonas Weber <jonas@acme.example>
"""
from __future__ import annotations

from alembic import op
import sqlalchemy as sa

revision: str = "35eca4d5c0f1"
down_revision: str | None = "be8b384c8d71"
branch_labels: str | tuple[str, ...] | None = None
depends_on: str | tuple[str, ...] | None = None


def upgrade() -> None:
    op.add_column("subscriptions", sa.Column("renews_on", sa.Date(), nullable=True))
    op.add_column("subscriptions", sa.Column("cancel_reason", sa.String(length=200), nullable=True))
    op.create_index("ix_subscriptions_renewal", "subscriptions", ["renews_on"],
                    postgresql_where=sa.text("ended_at IS NULL"))


def downgrade() -> None:
    op.drop_index("ix_subscriptions_renewal", table_name="subscriptions")
    op.drop_column("subscriptions", "cancel_reason")
    op.drop_column("subscriptions", "renews_on")
