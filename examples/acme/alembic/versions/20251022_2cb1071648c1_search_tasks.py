"""full-text search over tasks

Revision ID: 2cb1071648c1
Revises: 776583b44b7e
Create Date: 2025-10-22 16:56:50.464614
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision: str = "2cb1071648c1"
down_revision: "str | Sequence[str] | None" = "776583b44b7e"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.add_column("tasks",
                  sa.Column("search", postgresql.TSVECTOR(),
                            sa.Computed("to_tsvector('simple'::regconfig, title || ' ' || body)",
                                        persisted=True), nullable=False))
    op.create_index("ix_tasks_search", "tasks", ["search"], postgresql_using="gin")


def downgrade() -> None:
    op.drop_index("ix_tasks_search", table_name="tasks")
    op.drop_column("tasks", "search")
