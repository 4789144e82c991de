"""view: what everybody has to do

Revision ID: 6b706ff9cfd0
Revises: 2cb1071648c1
Create Date: 2025-10-23 14:42:16.572746
"""
from collections.abc import Sequence

from alembic import op

revision: str = "6b706ff9cfd0"
down_revision: "str | Sequence[str] | None" = "2cb1071648c1"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.execute("""
        CREATE VIEW open_tasks AS
        SELECT t.assignee_id, p.org_id, t.project_id, t.id, t.number, t.title, t.priority, t.due_on
          FROM tasks t JOIN projects p ON p.id = t.project_id
         WHERE t.closed_at IS NULL AND t.assignee_id IS NOT NULL
    """)


def downgrade() -> None:
    op.execute("DROP VIEW open_tasks")
