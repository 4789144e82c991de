"""avatars, and when a user was last seen

Revision ID: 3a3008299a40
Revises: 6fde3cae43b5
Create Date: 2025-04-04 16:09:42.868728
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "3a3008299a40"
down_revision: "str | Sequence[str] | None" = "6fde3cae43b5"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.add_column("users", sa.Column("avatar_key", sa.Text(), nullable=True))
    op.add_column("users", sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("users", "last_seen_at")
    op.drop_column("users", "avatar_key")
