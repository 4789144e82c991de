"""usage per day

Revision ID: 27186d5d0c2c
Revises: 1e2406fcf4f3
Create Date: 2025-07-11 11:04:34.271747
Author: Jonas Weber <jonas@acme.example>
"""
from __future__ import annotations

from alembic import op
import sqlalchemy as sa

revision: str = "27186d5d0c2c"
down_revision: str | None = "1e2406fcf4f3"
branch_labels: str | tuple[str, ...] | None = None
depends_on: str | tuple[str, ...] | None = None


def upgrade() -> None:
    op.create_table(
        "usage_records",
        sa.Column("org_id", sa.UUID(), nullable=False),
        sa.Column("metric", sa.String(length=40), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_usage_records_not_negative")),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_usage_records_org_id_orgs"),
                                ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("org_id", "metric", "day", name=op.f("pk_usage_records")),
    )
    op.create_index("ix_usage_records_day", "usage_records", ["day"], postgresql_using="brin")


def downgrade() -> None:
    op.drop_table("usage_records")
