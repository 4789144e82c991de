"""billing addresses

Revision ID: c51e5cd05131
Revises: fd877c8c6df1
Create Date: 2025-05-20 12:26:35.606827
Author: Jonas Weber <jonas@acme.example>
"""
from __future__ import annotations

from alembic import op
import sqlalchemy as sa

revision: str = "c51e5cd05131"
down_revision: str | None = "fd877c8c6df1"
branch_labels: str | tuple[str, ...] | None = None
depends_on: str | tuple[str, ...] | None = None


def upgrade() -> None:
    op.create_table(
        "billing_addresses",
        sa.Column("org_id", sa.UUID(), nullable=False),
        sa.Column("company", sa.String(length=200), nullable=False),
        sa.Column("street", sa.String(length=200), nullable=False),
        sa.Column("postal_code", sa.String(length=20), nullable=False),
        sa.Column("city", sa.String(length=100), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("vat_id", sa.String(length=20), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("country ~ '^[A-Z]{2}$'", name=op.f("ck_billing_addresses_country_format")),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_billing_addresses_org_id_orgs"),
                                ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("org_id", name=op.f("pk_billing_addresses")),
    )
    op.execute("""
        CREATE TRIGGER billing_addresses_touch BEFORE UPDATE ON billing_addresses
            FOR EACH ROW EXECUTE FUNCTION touch_updated_at()
    """)


def downgrade() -> None:
    op.drop_table("billing_addresses")
