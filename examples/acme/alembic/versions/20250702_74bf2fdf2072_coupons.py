"""coupons

Revision ID: 74bf2fdf2072
Revises: f2439598c924
Create Date: 2025-07-02 12:15:33.008527
Author: Jonas Weber <jonas@acme.example>
"""
from __future__ import annotations

from alembic import op
import sqlalchemy as sa

revision: str = "74bf2fdf2072"
down_revision: str | None = "f2439598c924"
branch_labels: str | tuple[str, ...] | None = None
depends_on: str | tuple[str, ...] | None = None


def upgrade() -> None:
    op.create_table(
        "coupons",
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("percent_off", sa.SmallInteger(), nullable=True),
        sa.Column("cents_off", sa.BigInteger(), nullable=True),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("max_uses", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("num_nonnulls(percent_off, cents_off) = 1", name=op.f("ck_coupons_one_kind")),
        sa.CheckConstraint("percent_off BETWEEN 1 AND 100", name=op.f("ck_coupons_percent_range")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_coupons")),
    )
    op.create_table(
        "coupon_uses",
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("org_id", sa.UUID(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["code"], ["coupons.code"], name=op.f("fk_coupon_uses_code_coupons"),
                                ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_coupon_uses_org_id_orgs"),
                                ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("code", "org_id", name=op.f("pk_coupon_uses")),
    )
    op.create_index(op.f("ix_coupon_uses_org_id"), "coupon_uses", ["org_id"])


def downgrade() -> None:
    op.drop_table("coupon_uses")
    op.drop_table("coupons")
