"""push messages

Revision ID: 222ddd06ccfe
Revises: 5c7f0d37f7c5
Create Date: 2025-09-12 16:02:28.555517
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "222ddd06ccfe"
down_revision: "str | Sequence[str] | None" = "5c7f0d37f7c5"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.create_table(
        "push_devices",
        sa.Column("id", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("platform", sa.String(length=20), nullable=False),
        sa.Column("token_ref", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_push_devices_user_id_users"),
                                ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push_devices")),
        sa.UniqueConstraint("token_ref", name=op.f("uq_push_devices_token_ref")),
    )
    op.create_index(op.f("ix_push_devices_user_id"), "push_devices", ["user_id"])


def downgrade() -> None:
    op.drop_table("push_devices")
