"""find attachments with the same bytes

Revision ID: 57b698bdd1a8
Revises: 6b706ff9cfd0
Create Date: 2025-10-24 12:52:42.739842
"""
from collections.abc import Sequence

from alembic import op

revision: str = "57b698bdd1a8"
down_revision: "str | Sequence[str] | None" = "6b706ff9cfd0"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.create_index("ix_attachments_checksum", "attachments", ["checksum"])


def downgrade() -> None:
    op.drop_index("ix_attachments_checksum", table_name="attachments")
