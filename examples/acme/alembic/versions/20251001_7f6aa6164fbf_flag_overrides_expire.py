"""an override ends by itself

Revision ID: 7f6aa6164fbf
Revises: e84d49c3c09e
Create Date: 2025-10-01 08:38:23.316095
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "7f6aa6164fbf"
down_revision: "str | Sequence[str] | None" = "e84d49c3c09e"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.add_column("feature_flag_overrides", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("feature_flag_overrides", "expires_at")
