"""find the audit entries of an object

Revision ID: 4316432a6b4a
Revises: 48904240464f
Create Date: 2025-03-21 11:34:33.628792
"""
from collections.abc import Sequence

from alembic import op

revision: str = "4316432a6b4a"
down_revision: "str | Sequence[str] | None" = "48904240464f"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.create_index("ix_audit_log_object", "audit_log", ["object_type", "object_id"])


def downgrade() -> None:
    op.drop_index("ix_audit_log_object", table_name="audit_log")
