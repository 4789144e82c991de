"""export all data of an org

Revision ID: 9259c2923f03
Revises: 87d88888cb45
Create Date: 2025-10-10 11:13:27.871231
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "9259c2923f03"
down_revision: "str | Sequence[str] | None" = "87d88888cb45"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.create_table(
        "data_exports",
        sa.Column("id", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("org_id", sa.UUID(), nullable=False),
        sa.Column("requested_by", sa.UUID(), nullable=True),
        sa.Column("status", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("storage_key", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("status IN ('waiting', 'running', 'ready', 'failed', 'expired')",
                           name=op.f("ck_data_exports_status_known")),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_data_exports_org_id_orgs"),
                                ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["requested_by"], ["users.id"], name=op.f("fk_data_exports_requested_by_users"),
                                ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_exports")),
    )
    op.create_index(op.f("ix_data_exports_org_id"), "data_exports", ["org_id"])


def downgrade() -> None:
    op.drop_table("data_exports")
