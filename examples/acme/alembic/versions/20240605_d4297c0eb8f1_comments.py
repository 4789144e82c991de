"""comments

Revision ID: d4297c0eb8f1
Revises: 27ce8460ab9f
Create Date: 2024-06-05 10:11:31.904418
"""
from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision, down_revision = "d4297c0eb8f1", "27ce8460ab9f"
branch_labels = depends_on = None


def upgrade():
    op.create_table(
        "comments",
        sa.Column("id", postgresql.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("project_id", postgresql.UUID(), nullable=False),
        sa.Column("author_id", postgresql.UUID(), nullable=True),
        sa.Column("parent_id", postgresql.UUID(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comments")),
        sa.CheckConstraint("length(body) > 0", name=op.f("ck_comments_body_not_empty")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], ondelete="CASCADE",
                                name=op.f("fk_comments_project_id_projects")),
        sa.ForeignKeyConstraint(["author_id"], ["users.id"], ondelete="SET NULL",
                                name=op.f("fk_comments_author_id_users")),
        sa.ForeignKeyConstraint(["parent_id"], ["comments.id"], ondelete="CASCADE",
                                name=op.f("fk_comments_parent_id_comments")),
    )
    op.create_index("ix_comments_thread", "comments", ["project_id", "created_at"])


def downgrade():
    op.drop_table("comments")
