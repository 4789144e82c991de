"""attachments of comments

Revision ID: bc61e04f3a97
Revises: 2d8c97e1f04b
Create Date: 2024-11-18 12:09:44.335708
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

revision: str = "bc61e04f3a97"
down_revision: "str | Sequence[str] | None" = "2d8c97e1f04b"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.create_table(
        "attachments",
        sa.Column("id", UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("comment_id", UUID(), nullable=False),
        sa.Column("filename", sa.String(255), nullable=False),
        sa.Column("media_type", sa.String(127), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("checksum", sa.LargeBinary(), nullable=False),
        sa.Column("storage_key", sa.Text(), nullable=False),
        sa.Column("uploaded_by", UUID(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachments")),
        sa.UniqueConstraint("storage_key", name=op.f("uq_attachments_storage_key")),
        sa.CheckConstraint("size_bytes BETWEEN 1 AND 104857600", name=op.f("ck_attachments_size_range")),
        sa.ForeignKeyConstraint(["comment_id"], ["comments.id"], ondelete="CASCADE",
                                name=op.f("fk_attachments_comment_id_comments")),
        sa.ForeignKeyConstraint(["uploaded_by"], ["users.id"], ondelete="SET NULL",
                                name=op.f("fk_attachments_uploaded_by_users")),
    )
    op.create_index(op.f("ix_attachments_comment_id"), "attachments", ["comment_id"])


def downgrade() -> None:
    op.drop_table("attachments")
