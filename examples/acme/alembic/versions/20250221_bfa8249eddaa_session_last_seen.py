"""when a session was last seen

Revision ID: bfa8249eddaa
Revises: 7e5247da70bb
Create Date: 2025-02-21 09:15:38.033959
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "bfa8249eddaa"
down_revision: "str | Sequence[str] | None" = "7e5247da70bb"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("sessions", "last_seen_at")
