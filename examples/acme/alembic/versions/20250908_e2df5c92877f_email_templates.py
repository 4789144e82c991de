"""mail templates in the database

Revision ID: e2df5c92877f
Revises: a6fd5741e89f
Create Date: 2025-09-08 09:42:15.543088
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "e2df5c92877f"
down_revision: "str | Sequence[str] | None" = "a6fd5741e89f"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.create_table(
        "email_templates",
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("locale", sa.String(length=10), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("key", "locale", name=op.f("pk_email_templates")),
    )
    op.execute("""
        CREATE TRIGGER email_templates_touch BEFORE UPDATE ON email_templates
            FOR EACH ROW EXECUTE FUNCTION touch_updated_at()
    """)


def downgrade() -> None:
    op.drop_table("email_templates")
