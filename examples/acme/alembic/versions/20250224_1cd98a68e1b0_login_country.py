"""country of a login

Revision ID: 1cd98a68e1b0
Revises: 58b103a97886
Create Date: 2025-02-24 09:50:08.579573
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "1cd98a68e1b0"
down_revision: "str | Sequence[str] | None" = "58b103a97886"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.add_column("login_events", sa.Column("country", sa.String(length=2), nullable=True))


def downgrade() -> None:
    op.drop_column("login_events", "country")
