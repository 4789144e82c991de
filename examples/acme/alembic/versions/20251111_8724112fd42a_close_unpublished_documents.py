"""row security of documents: what is not published is for the project

Revision ID: 8724112fd42a
Revises: 2150dc2a2e67
Create Date: 2025-11-11 09:50:27.643661
"""
from collections.abc import Sequence

from alembic import op

revision: str = "8724112fd42a"
down_revision: "str | Sequence[str] | None" = "2150dc2a2e67"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.execute("ALTER TABLE documents ENABLE ROW LEVEL SECURITY")
    op.execute("""
        CREATE POLICY documents_readers ON documents FOR SELECT
            USING (published_at IS NOT NULL
                   OR created_by = nullif(current_setting('acme.user_id', true), '')::uuid)
    """)
    op.execute("""
        CREATE POLICY documents_writers ON documents
            USING (created_by = nullif(current_setting('acme.user_id', true), '')::uuid)
    """)


def downgrade() -> None:
    op.execute("DROP POLICY documents_writers ON documents")
    op.execute("DROP POLICY documents_readers ON documents")
    op.execute("ALTER TABLE documents DISABLE ROW LEVEL SECURITY")
