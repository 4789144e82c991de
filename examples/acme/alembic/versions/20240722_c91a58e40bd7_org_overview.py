"""overview of orgs

Revision ID: c91a58e40bd7
Revises: 6b0de1f9743a
Create Date: 2024-07-22 11:18:36.047582
"""
from typing import Sequence, Union

from alembic import op

revision: str = 'c91a58e40bd7'
down_revision: Union[str, Sequence[str], None] = '6b0de1f9743a'
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    op.execute("""
        CREATE VIEW org_overview AS
        SELECT o.id, o.slug, o.plan,
               (SELECT count(*) FROM memberships m WHERE m.org_id = o.id) AS members,
               (SELECT count(*) FROM projects p
                 WHERE p.org_id = o.id AND p.archived_at IS NULL) AS open_projects
          FROM orgs o
    """)


def downgrade() -> None:
    op.execute('DROP VIEW org_overview')
