"""move the lines of invoices from JSON into their table (data)

Revision ID: e7d16a08c42f
Revises: 3c58b2f9e014
Create Date: 2024-06-17 15:52:06.840933
"""
from __future__ import annotations

from alembic import op

revision: str = "e7d16a08c42f"
down_revision: str | None = "3c58b2f9e014"
branch_labels: str | tuple[str, ...] | None = None
depends_on: str | tuple[str, ...] | None = None


def upgrade() -> None:
    op.execute("""
        INSERT INTO invoice_lines (invoice_id, position, description, quantity, unit_cents)
        SELECT i.id, line.position, line.content ->> 'text',
               coalesce((line.content ->> 'quantity')::numeric, 1),
               (line.content ->> 'unit_cents')::bigint
          FROM invoices AS i,
               jsonb_array_elements(i.lines) WITH ORDINALITY AS line (content, position)
    """)
    op.execute("UPDATE invoices SET lines = '[]'::jsonb WHERE lines <> '[]'::jsonb")


def downgrade() -> None:
    op.execute("""
        UPDATE invoices AS i
           SET lines = l.lines
          FROM (SELECT invoice_id,
                       jsonb_agg(jsonb_build_object('text', description, 'quantity', quantity,
                                                    'unit_cents', unit_cents)
                                 ORDER BY position) AS lines
                  FROM invoice_lines
                 GROUP BY invoice_id) AS l
         WHERE l.invoice_id = i.id
    """)
    op.execute("DELETE FROM invoice_lines")
