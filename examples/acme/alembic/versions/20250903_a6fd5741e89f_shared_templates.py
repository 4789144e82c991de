"""templates without an org are for everybody

Revision ID: a6fd5741e89f
Revises: 0f087493c55e
Create Date: 2025-09-03 12:00:51.515088
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "a6fd5741e89f"
down_revision: "str | Sequence[str] | None" = "0f087493c55e"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.alter_column("project_templates", "org_id", existing_type=sa.UUID(), nullable=True)


def downgrade() -> None:
    op.execute("DELETE FROM project_templates WHERE org_id IS NULL")
    op.alter_column("project_templates", "org_id", existing_type=sa.UUID(), nullable=False)
