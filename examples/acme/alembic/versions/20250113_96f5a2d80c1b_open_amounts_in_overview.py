"""open amounts in the overview

Revision ID: 96f5a2d80c1b
Revises: bc61e04f3a97
Create Date: 2025-01-13 09:34:02.771964
"""
from collections.abc import Sequence

from alembic import op

revision: str = "96f5a2d80c1b"
down_revision: "str | Sequence[str] | None" = "bc61e04f3a97"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None

BEFORE = """
    CREATE VIEW org_overview AS
    SELECT o.id, o.slug, o.plan,
           (SELECT count(*) FROM memberships m WHERE m.org_id = o.id) AS members,
           (SELECT count(*) FROM projects p
             WHERE p.org_id = o.id AND p.archived_at IS NULL) AS open_projects
      FROM orgs o
"""
AFTER = """
    CREATE VIEW org_overview AS
    SELECT o.id, o.slug, o.plan,
           (SELECT count(*) FROM memberships m WHERE m.org_id = o.id) AS members,
           (SELECT count(*) FROM projects p
             WHERE p.org_id = o.id AND p.archived_at IS NULL) AS open_projects,
           (SELECT coalesce(sum(i.total_cents), 0) FROM invoices i
             WHERE i.org_id = o.id AND i.status = 'open') AS open_cents
      FROM orgs o
"""


def replace(definition: str) -> None:
    op.execute("DROP VIEW org_overview")
    op.execute(definition)


def upgrade() -> None:
    replace(AFTER)


def downgrade() -> None:
    replace(BEFORE)
