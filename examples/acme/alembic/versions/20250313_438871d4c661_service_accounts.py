"""service accounts

Revision ID: 438871d4c661
Revises: 780fff5673d8
Create Date: 2025-03-13 17:27:41.937397
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "438871d4c661"
down_revision: "str | Sequence[str] | None" = "780fff5673d8"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.create_table(
        "service_accounts",
        sa.Column("id", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("org_id", sa.UUID(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("role_id", sa.UUID(), nullable=True),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_service_accounts_org_id_orgs"),
                                ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["role_id"], ["custom_roles.id"],
                                name=op.f("fk_service_accounts_role_id_custom_roles"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_accounts")),
        sa.UniqueConstraint("org_id", "name", name=op.f("uq_service_accounts_org_id_name")),
    )


def downgrade() -> None:
    op.drop_table("service_accounts")
