"""events of integrations

Revision ID: f9c16609ed94
Revises: c98b981f65e7
Create Date: 2025-09-17 14:21:45.339117
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision: str = "f9c16609ed94"
down_revision: "str | Sequence[str] | None" = "c98b981f65e7"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.create_table(
        "integration_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("integration_id", sa.UUID(), nullable=False),
        sa.Column("external_id", sa.String(length=100), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["integration_id"], ["integrations.id"],
                                name=op.f("fk_integration_events_integration_id_integrations"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_integration_events")),
        sa.UniqueConstraint("integration_id", "external_id",
                            name=op.f("uq_integration_events_integration_id_external_id")),
    )
    op.create_index("ix_integration_events_waiting", "integration_events", ["received_at"],
                    postgresql_where=sa.text("handled_at IS NULL"))


def downgrade() -> None:
    op.drop_table("integration_events")
