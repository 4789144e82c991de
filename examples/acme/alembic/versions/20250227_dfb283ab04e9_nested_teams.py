"""a team can be part of another

Revision ID: dfb283ab04e9
Revises: e43ccbd12923
Create Date: 2025-02-27 12:28:52.985557
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "dfb283ab04e9"
down_revision: "str | Sequence[str] | None" = "e43ccbd12923"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.add_column("teams", sa.Column("parent_id", sa.UUID(), nullable=True))
    op.create_foreign_key(op.f("fk_teams_parent_id_teams"), "teams", "teams", ["parent_id"], ["id"],
                          ondelete="SET NULL")
    op.create_index(op.f("ix_teams_parent_id"), "teams", ["parent_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_teams_parent_id"), table_name="teams")
    op.drop_constraint(op.f("fk_teams_parent_id_teams"), "teams", type_="foreignkey")
    op.drop_column("teams", "parent_id")
