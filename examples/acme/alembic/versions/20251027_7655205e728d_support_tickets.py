"""support tickets

Revision ID: 7655205e728d
Revises: 57b698bdd1a8
Create Date: 2025-10-27 12:48:13.661953
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "7655205e728d"
down_revision: "str | Sequence[str] | None" = "57b698bdd1a8"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.create_table(
        "support_tickets",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("org_id", sa.UUID(), nullable=True),
        sa.Column("opened_by", sa.UUID(), nullable=True),
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("status", sa.Text(), server_default="open", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rating", sa.SmallInteger(), nullable=True),
        sa.CheckConstraint("status IN ('open', 'waiting', 'closed')",
                           name=op.f("ck_support_tickets_status_known")),
        sa.ForeignKeyConstraint(["opened_by"], ["users.id"], name=op.f("fk_support_tickets_opened_by_users"),
                                ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_support_tickets_org_id_orgs"),
                                ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_support_tickets")),
    )
    op.create_index("ix_support_tickets_open", "support_tickets", ["created_at"],
                    postgresql_where=sa.text("status <> 'closed'"))
    op.create_index(op.f("ix_support_tickets_org_id"), "support_tickets", ["org_id"])


def downgrade() -> None:
    op.drop_table("support_tickets")
