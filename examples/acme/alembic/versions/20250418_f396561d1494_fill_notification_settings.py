"""everybody gets mail about mentions until they say otherwise (data)

Revision ID: f396561d1494
Revises: e519346a5d5c
Create Date: 2025-04-18 16:35:36.161247
"""
from collections.abc import Sequence

from alembic import op

revision: str = "f396561d1494"
down_revision: "str | Sequence[str] | None" = "e519346a5d5c"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.execute("""
        INSERT INTO notification_settings (user_id, kind, channel)
        SELECT id, 'comment.mention', 'mail' FROM users WHERE deleted_at IS NULL
            ON CONFLICT DO NOTHING
    """)


def downgrade() -> None:
    op.execute("DELETE FROM notification_settings WHERE kind = 'comment.mention' AND channel = 'mail'")
