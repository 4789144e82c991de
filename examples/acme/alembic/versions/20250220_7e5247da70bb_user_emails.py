"""further e-mail addresses of a user

Revision ID: 7e5247da70bb
Revises: d6457a84ab4c
Create Date: 2025-02-20 14:58:29.371689
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "7e5247da70bb"
down_revision: "str | Sequence[str] | None" = "d6457a84ab4c"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.create_table(
        "user_emails",
        sa.Column("id", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_user_emails_user_id_users"),
                                ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_emails")),
    )
    op.create_index(op.f("ix_user_emails_user_id"), "user_emails", ["user_id"])
    op.create_index("uq_user_emails_address_lower", "user_emails", [sa.literal_column("lower(address)")],
                    unique=True)


def downgrade() -> None:
    op.drop_table("user_emails")
