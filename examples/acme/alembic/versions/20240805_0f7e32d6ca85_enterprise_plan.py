"""the plan 'enterprise'

Revision ID: 0f7e32d6ca85
Revises: c91a58e40bd7
Create Date: 2024-08-05 15:03:21.430196

A label can be added inside of a transaction, but not used before its commit: no row and no default
may have it here.
"""
from typing import Sequence, Union

from alembic import op

revision: str = '0f7e32d6ca85'
down_revision: Union[str, Sequence[str], None] = 'c91a58e40bd7'
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    op.execute("ALTER TYPE org_plan ADD VALUE 'enterprise' AFTER 'business'")


def downgrade() -> None:
    # PostgreSQL cannot take a label away: a type without it takes the place of this one. An
    # organisation that has the plan stops it here, which is right: somebody has to decide first.
    op.execute("DROP VIEW org_overview")
    op.execute("ALTER TYPE org_plan RENAME TO org_plan_with_enterprise")
    op.execute("CREATE TYPE org_plan AS ENUM ('free', 'team', 'business')")
    op.execute("ALTER TABLE orgs ALTER plan DROP DEFAULT, "
               "ALTER plan TYPE org_plan USING plan::text::org_plan, "
               "ALTER plan SET DEFAULT 'free'")
    op.execute("DROP TYPE org_plan_with_enterprise")
    op.execute("""
        CREATE VIEW org_overview AS
        SELECT o.id, o.slug, o.plan,
               (SELECT count(*) FROM memberships m WHERE m.org_id = o.id) AS members,
               (SELECT count(*) FROM projects p
                 WHERE p.org_id = o.id AND p.archived_at IS NULL) AS open_projects
          FROM orgs o
    """)
