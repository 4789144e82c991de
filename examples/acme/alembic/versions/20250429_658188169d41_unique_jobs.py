"""a job that is waiting already is not queued again

Revision ID: 658188169d41
Revises: 12b97ee975e7
Create Date: 2025-04-29 17:01:32.941744
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "658188169d41"
down_revision: "str | Sequence[str] | None" = "12b97ee975e7"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("unique_key", sa.String(length=200), nullable=True))
    op.create_index("uq_jobs_unique_key", "jobs", ["unique_key"], unique=True,
                    postgresql_where=sa.text("finished_at IS NULL"))


def downgrade() -> None:
    op.drop_index("uq_jobs_unique_key", table_name="jobs")
    op.drop_column("jobs", "unique_key")
