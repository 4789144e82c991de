"""count requests per key (rate limits)

Revision ID: 6fde3cae43b5
Revises: ebd154361a94
Create Date: 2025-04-04 12:34:17.591372
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "6fde3cae43b5"
down_revision: "str | Sequence[str] | None" = "ebd154361a94"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.create_table(
        "rate_limit_hits",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hits", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("key", "window_start", name=op.f("pk_rate_limit_hits")),
    )


def downgrade() -> None:
    op.drop_table("rate_limit_hits")
