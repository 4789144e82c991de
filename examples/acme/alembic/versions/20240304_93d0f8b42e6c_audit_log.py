"""audit log

Revision ID: 93d0f8b42e6c
Revises: 5a7c31e80d96
Create Date: 2024-03-04 16:48:09.310557
"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision: str = "93d0f8b42e6c"
down_revision: Union[str, None] = "5a7c31e80d96"
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("org_id", postgresql.UUID(), nullable=True),
        sa.Column("actor_id", postgresql.UUID(), nullable=True),
        sa.Column("action", sa.String(100), nullable=False),
        sa.Column("object_type", sa.String(50), nullable=False),
        sa.Column("object_id", sa.String(64), nullable=False),
        sa.Column("detail", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("ip", postgresql.INET(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], ondelete="SET NULL",
                                name=op.f("fk_audit_log_org_id_orgs")),
        sa.ForeignKeyConstraint(["actor_id"], ["users.id"], ondelete="SET NULL",
                                name=op.f("fk_audit_log_actor_id_users")),
    )
    op.create_index("ix_audit_log_created_at", "audit_log", ["created_at"], postgresql_using="brin")
    op.create_index("ix_audit_log_org_recent", "audit_log", ["org_id", sa.text("created_at DESC")])


def downgrade() -> None:
    op.drop_table("audit_log")
