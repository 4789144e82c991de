""""microsoft-teams-channel" did not fit

Revision ID: fd27f640e0c6
Revises: 3eef161ead5d
Create Date: 2025-09-23 09:35:10.392802
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "fd27f640e0c6"
down_revision: "str | Sequence[str] | None" = "3eef161ead5d"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.alter_column("integrations", "kind", existing_type=sa.String(length=20),
                    type_=sa.String(length=40), existing_nullable=False)


def downgrade() -> None:
    op.alter_column("integrations", "kind", existing_type=sa.String(length=40),
                    type_=sa.String(length=20), existing_nullable=False)
