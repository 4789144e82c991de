"""publish a document

Revision ID: 98d6fbfd4e97
Revises: dcd3d650a7ba
Create Date: 2025-08-22 17:57:05.587391
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "98d6fbfd4e97"
down_revision: "str | Sequence[str] | None" = "dcd3d650a7ba"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.add_column("documents", sa.Column("published_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("documents", "published_at")
