"""urgent jobs first

Revision ID: 12b97ee975e7
Revises: 33dfdf4995b8
Create Date: 2025-04-25 16:58:24.865738
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "12b97ee975e7"
down_revision: "str | Sequence[str] | None" = "33dfdf4995b8"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("priority", sa.SmallInteger(), server_default=sa.text("100"), nullable=False))
    op.drop_index("ix_jobs_ready", table_name="jobs")
    op.create_index("ix_jobs_ready", "jobs", ["queue", "priority", "run_after"],
                    postgresql_where=sa.text("finished_at IS NULL"))


def downgrade() -> None:
    op.drop_index("ix_jobs_ready", table_name="jobs")
    op.create_index("ix_jobs_ready", "jobs", ["queue", "run_after"],
                    postgresql_where=sa.text("finished_at IS NULL"))
    op.drop_column("jobs", "priority")
