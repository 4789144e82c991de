"""how long data is kept

Revision ID: 776583b44b7e
Revises: afe0dc2f33d0
Create Date: 2025-10-17 14:42:53.784474
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "776583b44b7e"
down_revision: "str | Sequence[str] | None" = "afe0dc2f33d0"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.create_table(
        "retention_rules",
        sa.Column("org_id", sa.UUID(), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.CheckConstraint("days BETWEEN 1 AND 3650", name=op.f("ck_retention_rules_days_range")),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_retention_rules_org_id_orgs"),
                                ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("org_id", "subject", name=op.f("pk_retention_rules")),
    )


def downgrade() -> None:
    op.drop_table("retention_rules")
