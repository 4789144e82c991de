"""a comment can be taken back

Revision ID: b5e4a56e9d30
Revises: f8e4959def82
Create Date: 2025-08-20 15:04:17.300319
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "b5e4a56e9d30"
down_revision: "str | Sequence[str] | None" = "f8e4959def82"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.add_column("comments", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("comments", "deleted_at")
