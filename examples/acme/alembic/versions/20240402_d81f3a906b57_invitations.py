"""invitations

Revision ID: d81f3a906b57
Revises: 0cb6e5147fa2
Create Date: 2024-04-02 14:14:50.089471
"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ENUM, UUID

revision: str = "d81f3a906b57"
down_revision: Union[str, None] = "0cb6e5147fa2"
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    op.create_table(
        "invitations",
        sa.Column("id", UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("org_id", UUID(), nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("role", ENUM(name="member_role", create_type=False), server_default="member", nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("invited_by", UUID(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitations_token_hash")),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], ondelete="CASCADE",
                                name=op.f("fk_invitations_org_id_orgs")),
        sa.ForeignKeyConstraint(["invited_by"], ["users.id"], ondelete="SET NULL",
                                name=op.f("fk_invitations_invited_by_users")),
    )
    op.create_index("uq_invitations_open", "invitations", ["org_id", sa.text("lower(email)")], unique=True,
                    postgresql_where=sa.text("accepted_at IS NULL"))


def downgrade() -> None:
    op.drop_table("invitations")
