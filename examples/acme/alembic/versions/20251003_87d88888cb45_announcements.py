"""announcements

Revision ID: 87d88888cb45
Revises: 7f6aa6164fbf
Create Date: 2025-10-03 14:07:15.581985
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "87d88888cb45"
down_revision: "str | Sequence[str] | None" = "7f6aa6164fbf"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.create_table(
        "announcements",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("severity", sa.String(length=10), server_default="info", nullable=False),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_announcements_ends_later")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_announcements")),
    )


def downgrade() -> None:
    op.drop_table("announcements")
