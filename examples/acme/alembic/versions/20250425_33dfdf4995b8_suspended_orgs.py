"""an org can be suspended

Revision ID: 33dfdf4995b8
Revises: f396561d1494
Create Date: 2025-04-25 13:32:15.321866
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "33dfdf4995b8"
down_revision: "str | Sequence[str] | None" = "f396561d1494"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.add_column("orgs", sa.Column("suspended_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_orgs_suspended", "orgs", ["suspended_at"],
                    postgresql_where=sa.text("suspended_at IS NOT NULL"))


def downgrade() -> None:
    op.drop_index("ix_orgs_suspended", table_name="orgs")
    op.drop_column("orgs", "suspended_at")
