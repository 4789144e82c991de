"""payment methods

Revision ID: aa15969af983
Revises: c51e5cd05131
Create Date: 2025-05-22 13:11:23.889375
Author: Jonas Weber <jonas@acme.example>
"""
from __future__ import annotations

from alembic import op
import sqlalchemy as sa

revision: str = "aa15969af983"
down_revision: str | None = "c51e5cd05131"
branch_labels: str | tuple[str, ...] | None = None
depends_on: str | tuple[str, ...] | None = None


def upgrade() -> None:
    op.create_table(
        "payment_methods",
        sa.Column("id", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("org_id", sa.UUID(), nullable=False),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("provider_ref", sa.String(length=100), nullable=False),
        sa.Column("brand", sa.String(length=20), nullable=True),
        sa.Column("last4", sa.String(length=4), nullable=True),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("is_default", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_payment_methods_org_id_orgs"),
                                ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_methods")),
        sa.UniqueConstraint("provider", "provider_ref", name=op.f("uq_payment_methods_provider_provider_ref")),
    )
    op.create_index(op.f("ix_payment_methods_org_id"), "payment_methods", ["org_id"])
    op.create_index("uq_payment_methods_default", "payment_methods", ["org_id"], unique=True,
                    postgresql_where=sa.text("is_default"))


def downgrade() -> None:
    op.drop_table("payment_methods")
