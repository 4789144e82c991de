"""how a user wants to be told

Revision ID: e519346a5d5c
Revises: e261a4ba8633
Create Date: 2025-04-09 17:35:51.617725
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "e519346a5d5c"
down_revision: "str | Sequence[str] | None" = "e261a4ba8633"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.create_table(
        "notification_settings",
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.CheckConstraint("channel IN ('app', 'mail', 'push')",
                           name=op.f("ck_notification_settings_channel_known")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_notification_settings_user_id_users"),
                                ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "kind", "channel", name=op.f("pk_notification_settings")),
    )


def downgrade() -> None:
    op.drop_table("notification_settings")
