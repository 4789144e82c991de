"""usage per month, for invoices

Revision ID: 0f4aa96b6cbe
Revises: 482dee4242a4
Create Date: 2025-11-05 14:27:37.430512
"""
from collections.abc import Sequence

from alembic import op

revision: str = "0f4aa96b6cbe"
down_revision: "str | Sequence[str] | None" = "482dee4242a4"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.execute("""
        CREATE MATERIALIZED VIEW usage_by_month AS
        SELECT org_id, metric, date_trunc('month', day)::date AS month, sum(quantity) AS quantity
          FROM usage_records
         GROUP BY org_id, metric, date_trunc('month', day)::date
    """)
    op.execute("CREATE UNIQUE INDEX uq_usage_by_month ON usage_by_month (org_id, metric, month)")


def downgrade() -> None:
    op.execute("DROP MATERIALIZED VIEW usage_by_month")
