"""tags

Revision ID: 27ce8460ab9f
Revises: b5f719d3082e
Create Date: 2024-05-21 12:44:20.973315
"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

revision: str = "27ce8460ab9f"
down_revision: Union[str, None] = "b5f719d3082e"
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    op.create_table(
        "tags",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("org_id", UUID(), nullable=False),
        sa.Column("name", sa.String(50), nullable=False),
        sa.Column("color", sa.String(7), server_default="#888888", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tags")),
        sa.CheckConstraint("color ~ '^#[0-9a-f]{6}$'", name=op.f("ck_tags_color_format")),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], ondelete="CASCADE", name=op.f("fk_tags_org_id_orgs")),
    )
    op.create_index("uq_tags_org_name", "tags", ["org_id", sa.text("lower(name)")], unique=True)
    op.create_table(
        "project_tags",
        sa.Column("project_id", UUID(), nullable=False),
        sa.Column("tag_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "tag_id", name=op.f("pk_project_tags")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], ondelete="CASCADE",
                                name=op.f("fk_project_tags_project_id_projects")),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.id"], ondelete="CASCADE",
                                name=op.f("fk_project_tags_tag_id_tags")),
    )
    op.create_index(op.f("ix_project_tags_tag_id"), "project_tags", ["tag_id"])


def downgrade() -> None:
    op.drop_table("project_tags")
    op.drop_table("tags")
