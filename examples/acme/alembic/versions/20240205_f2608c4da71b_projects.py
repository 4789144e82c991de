"""projects

Revision ID: f2608c4da71b
Revises: 1e94bd37ca08
Create Date: 2024-02-05 13:20:44.002913
"""
from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = "f2608c4da71b"
down_revision = "1e94bd37ca08"
branch_labels = None
depends_on = None


def upgrade():
    status = postgresql.ENUM("draft", "active", "archived", name="project_status")
    op.create_table(
        "projects",
        sa.Column("id", postgresql.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("org_id", postgresql.UUID(), nullable=False),
        sa.Column("key", sa.String(10), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("status", status, server_default="draft", nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
        sa.UniqueConstraint("org_id", "key", name=op.f("uq_projects_org_id_key")),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], ondelete="CASCADE",
                                name=op.f("fk_projects_org_id_orgs")),
    )
    op.execute("""
        CREATE TRIGGER projects_touch BEFORE UPDATE ON projects
            FOR EACH ROW EXECUTE FUNCTION touch_updated_at()
    """)


def downgrade():
    op.drop_table("projects")
    op.execute("DROP TYPE project_status")
