"""switch a feature for one org

Revision ID: e84d49c3c09e
Revises: ed390ded2a71
Create Date: 2025-09-25 14:40:01.220395
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "e84d49c3c09e"
down_revision: "str | Sequence[str] | None" = "ed390ded2a71"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.create_table(
        "feature_flag_overrides",
        sa.Column("flag_key", sa.String(length=64), nullable=False),
        sa.Column("org_id", sa.UUID(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["flag_key"], ["feature_flags.key"],
                                name=op.f("fk_feature_flag_overrides_flag_key_feature_flags"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_feature_flag_overrides_org_id_orgs"),
                                ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("flag_key", "org_id", name=op.f("pk_feature_flag_overrides")),
    )
    op.create_index(op.f("ix_feature_flag_overrides_org_id"), "feature_flag_overrides", ["org_id"])


def downgrade() -> None:
    op.drop_table("feature_flag_overrides")
