"""mail domains of an org

Revision ID: e43ccbd12923
Revises: 1cd98a68e1b0
Create Date: 2025-02-25 13:05:37.482992
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "e43ccbd12923"
down_revision: "str | Sequence[str] | None" = "1cd98a68e1b0"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.create_table(
        "org_domains",
        sa.Column("id", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("org_id", sa.UUID(), nullable=False),
        sa.Column("domain", sa.String(length=253), nullable=False),
        sa.Column("challenge", sa.String(length=64), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("domain = lower(domain)", name=op.f("ck_org_domains_domain_lower")),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_org_domains_org_id_orgs"),
                                ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_org_domains")),
        sa.UniqueConstraint("domain", name=op.f("uq_org_domains_domain")),
    )
    op.create_index(op.f("ix_org_domains_org_id"), "org_domains", ["org_id"])


def downgrade() -> None:
    op.drop_table("org_domains")
