"""web hooks

Revision ID: 50b9ef61a7d2
Revises: d4297c0eb8f1
Create Date: 2024-06-12 16:07:03.388129
"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, UUID

revision: str = "50b9ef61a7d2"
down_revision: Union[str, Sequence[str], None] = (
    "d4297c0eb8f1"
)
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("org_id", UUID(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
        sa.CheckConstraint("url ~ '^https://'", name=op.f("ck_webhooks_url_https")),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], ondelete="CASCADE",
                                name=op.f("fk_webhooks_org_id_orgs")),
    )
    op.create_index(op.f("ix_webhooks_org_id"), "webhooks", ["org_id"])


def downgrade() -> None:
    op.drop_table("webhooks")
