"""reactions and mentions

Revision ID: f8e4959def82
Revises: 01233757886a
Create Date: 2025-08-11 15:06:27.818006
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "f8e4959def82"
down_revision: "str | Sequence[str] | None" = "01233757886a"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.create_table(
        "reactions",
        sa.Column("comment_id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("emoji", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["comment_id"], ["comments.id"], name=op.f("fk_reactions_comment_id_comments"),
                                ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_reactions_user_id_users"),
                                ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("comment_id", "user_id", "emoji", name=op.f("pk_reactions")),
    )
    op.create_table(
        "mentions",
        sa.Column("comment_id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["comment_id"], ["comments.id"], name=op.f("fk_mentions_comment_id_comments"),
                                ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_mentions_user_id_users"),
                                ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("comment_id", "user_id", name=op.f("pk_mentions")),
    )
    op.create_index("ix_mentions_unseen", "mentions", ["user_id"], postgresql_where=sa.text("seen_at IS NULL"))


def downgrade() -> None:
    op.drop_table("mentions")
    op.drop_table("reactions")
