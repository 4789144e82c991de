"""spell out "last4"

Revision ID: 624313a03053
Revises: e2b2fb54b27d
Create Date: 2025-06-13 08:25:45.341229
Author: Jonas Weber <jonas@acme.example>
"""
from __future__ import annotations

from alembic import op

revision: str = "624313a03053"
down_revision: str | None = "e2b2fb54b27d"
branch_labels: str | tuple[str, ...] | None = None
depends_on: str | tuple[str, ...] | None = None


def upgrade() -> None:
    op.alter_column("payment_methods", "last4", new_column_name="last_four")


def downgrade() -> None:
    op.alter_column("payment_methods", "last_four", new_column_name="last4")
