"""log who comes in

Revision ID: 37483a74f523
Revises: bfa8249eddaa
Create Date: 2025-02-21 09:34:12.218289
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision: str = "37483a74f523"
down_revision: "str | Sequence[str] | None" = "bfa8249eddaa"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.create_table(
        "login_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=True),
        sa.Column("succeeded", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=60), nullable=True),
        sa.Column("ip", postgresql.INET(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_login_events_user_id_users"),
                                ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_events")),
    )
    op.create_index("ix_login_events_occurred_at", "login_events", ["occurred_at"], postgresql_using="brin")
    op.create_index("ix_login_events_user_recent", "login_events",
                    ["user_id", sa.literal_column("occurred_at DESC")])


def downgrade() -> None:
    op.drop_table("login_events")
