"""preferences of a user

Revision ID: d6457a84ab4c
Revises: d166664e4803
Create Date: 2025-02-18 11:50:50.669725
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "d6457a84ab4c"
down_revision: "str | Sequence[str] | None" = "d166664e4803"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.create_table(
        "user_preferences",
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("theme", sa.Text(), server_default="system", nullable=False),
        sa.Column("timezone", sa.String(length=64), server_default="UTC", nullable=False),
        sa.Column("week_starts_on", sa.SmallInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("theme IN ('system', 'light', 'dark')", name=op.f("ck_user_preferences_theme_known")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_user_preferences_user_id_users"),
                                ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_user_preferences")),
    )
    op.execute("""
        CREATE TRIGGER user_preferences_touch BEFORE UPDATE ON user_preferences
            FOR EACH ROW EXECUTE FUNCTION touch_updated_at()
    """)


def downgrade() -> None:
    op.drop_table("user_preferences")
