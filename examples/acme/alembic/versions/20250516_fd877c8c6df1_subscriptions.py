"""subscriptions

Revision ID: fd877c8c6df1
Revises: c74c86de2c6b
Create Date: 2025-05-16 17:36:52.118912
Author: Jonas Weber <jonas@acme.example>
"""
from __future__ import annotations

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision: str = "fd877c8c6df1"
down_revision: str | None = "c74c86de2c6b"
branch_labels: str | tuple[str, ...] | None = None
depends_on: str | tuple[str, ...] | None = None


def upgrade() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("org_id", sa.UUID(), nullable=False),
        sa.Column("plan", postgresql.ENUM(name="org_plan", create_type=False), nullable=False),
        sa.Column("status", sa.Enum("trialing", "active", "past_due", "cancelled", name="subscription_status"),
                  server_default="trialing", nullable=False),
        sa.Column("interval", sa.Text(), nullable=True),
        sa.Column("seats", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("provider_ref", sa.String(length=100), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("seats > 0", name=op.f("ck_subscriptions_seats_positive")),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_subscriptions_org_id_orgs"),
                                ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriptions")),
        sa.UniqueConstraint("provider_ref", name=op.f("uq_subscriptions_provider_ref")),
    )
    op.create_index("uq_subscriptions_current", "subscriptions", ["org_id"], unique=True,
                    postgresql_where=sa.text("ended_at IS NULL"))
    op.execute("""
        CREATE TRIGGER subscriptions_touch BEFORE UPDATE ON subscriptions
            FOR EACH ROW EXECUTE FUNCTION touch_updated_at()
    """)


def downgrade() -> None:
    op.drop_table("subscriptions")
    op.execute("DROP TYPE subscription_status")
