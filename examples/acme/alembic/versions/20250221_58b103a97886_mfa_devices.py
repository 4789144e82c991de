"""second factors

Revision ID: 58b103a97886
Revises: 37483a74f523
Create Date: 2025-02-21 16:58:01.624606
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "58b103a97886"
down_revision: "str | Sequence[str] | None" = "37483a74f523"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.create_table(
        "mfa_devices",
        sa.Column("id", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("label", sa.String(length=60), nullable=False),
        sa.Column("secret_ref", sa.Text(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_mfa_devices_user_id_users"),
                                ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mfa_devices")),
        sa.UniqueConstraint("user_id", "label", name=op.f("uq_mfa_devices_user_id_label")),
    )


def downgrade() -> None:
    op.drop_table("mfa_devices")
