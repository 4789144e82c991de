"""say what a usage record is

Revision ID: 2150dc2a2e67
Revises: c750482b8c41
Create Date: 2025-11-07 14:05:17.758024
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "2150dc2a2e67"
down_revision: "str | Sequence[str] | None" = "c750482b8c41"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.create_table_comment("usage_records",
                            "One row per organisation, metric and day; billing adds them up.")
    op.alter_column("usage_records", "quantity", existing_type=sa.BigInteger(), existing_nullable=False,
                    existing_server_default=sa.text("0"), comment="In the metric's own unit")


def downgrade() -> None:
    op.alter_column("usage_records", "quantity", existing_type=sa.BigInteger(), existing_nullable=False,
                    existing_server_default=sa.text("0"), existing_comment="In the metric's own unit",
                    comment=None)
    op.drop_table_comment("usage_records")
