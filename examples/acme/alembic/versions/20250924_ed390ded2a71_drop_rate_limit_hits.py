"""rate limits live in Redis

Revision ID: ed390ded2a71
Revises: fd27f640e0c6
Create Date: 2025-09-24 12:11:36.490721
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "ed390ded2a71"
down_revision: "str | Sequence[str] | None" = "fd27f640e0c6"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.drop_table("rate_limit_hits")


def downgrade() -> None:
    op.create_table(
        "rate_limit_hits",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hits", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("key", "window_start", name=op.f("pk_rate_limit_hits")),
    )
