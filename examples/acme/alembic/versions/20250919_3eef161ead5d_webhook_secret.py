"""each web hook has its own signing secret

Revision ID: 3eef161ead5d
Revises: f9c16609ed94
Create Date: 2025-09-19 14:26:26.015688
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "3eef161ead5d"
down_revision: "str | Sequence[str] | None" = "f9c16609ed94"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.add_column("webhooks", sa.Column("secret_ref", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("webhooks", "secret_ref")
