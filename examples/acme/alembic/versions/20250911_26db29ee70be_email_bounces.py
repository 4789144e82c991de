"""bounces

Revision ID: 26db29ee70be
Revises: e2df5c92877f
Create Date: 2025-09-11 17:54:33.642782
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "26db29ee70be"
down_revision: "str | Sequence[str] | None" = "e2df5c92877f"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.create_table(
        "email_bounces",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("recipient", sa.String(length=320), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind IN ('hard', 'soft', 'complaint')", name=op.f("ck_email_bounces_kind_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_bounces")),
    )


def downgrade() -> None:
    op.drop_table("email_bounces")
