"""documents are Markdown, all of them

Revision ID: dcd3d650a7ba
Revises: b5e4a56e9d30
Create Date: 2025-08-22 13:13:45.167450
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "dcd3d650a7ba"
down_revision: "str | Sequence[str] | None" = "b5e4a56e9d30"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.drop_column("documents", "format")


def downgrade() -> None:
    op.add_column("documents",
                  sa.Column("format", sa.String(length=20), server_default="markdown", nullable=False))
