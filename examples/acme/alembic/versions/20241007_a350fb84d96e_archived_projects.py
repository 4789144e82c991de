"""an archived project says since when

Revision ID: a350fb84d96e
Revises: 79d2c0a5be13
Create Date: 2024-10-07 10:55:30.198472
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "a350fb84d96e"
down_revision: "str | Sequence[str] | None" = "79d2c0a5be13"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.execute("""
        UPDATE projects
           SET archived_at = CASE WHEN status = 'archived' THEN updated_at END
         WHERE (status = 'archived') <> (archived_at IS NOT NULL)
    """)
    op.create_check_constraint(op.f("ck_projects_archived_at"), "projects",
                               "(status = 'archived') = (archived_at IS NOT NULL)")
    op.create_index("ix_projects_open", "projects", ["org_id", "status"],
                    postgresql_where=sa.text("archived_at IS NULL"))


def downgrade() -> None:
    op.drop_index("ix_projects_open", table_name="projects")
    op.drop_constraint(op.f("ck_projects_archived_at"), "projects", type_="check")
