"""restrict from where members come in

Revision ID: 48904240464f
Revises: 3af9c019406b
Create Date: 2025-03-18 17:53:15.360987
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision: str = "48904240464f"
down_revision: "str | Sequence[str] | None" = "3af9c019406b"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.create_table(
        "ip_allow_rules",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("org_id", sa.UUID(), nullable=False),
        sa.Column("network", postgresql.CIDR(), nullable=False),
        sa.Column("note", sa.String(length=200), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_ip_allow_rules_org_id_orgs"),
                                ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ip_allow_rules")),
        sa.UniqueConstraint("org_id", "network", name=op.f("uq_ip_allow_rules_org_id_network")),
    )


def downgrade() -> None:
    op.drop_table("ip_allow_rules")
