"""look up bounces by address

Revision ID: 5c7f0d37f7c5
Revises: 26db29ee70be
Create Date: 2025-09-12 13:08:02.330853
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "5c7f0d37f7c5"
down_revision: "str | Sequence[str] | None" = "26db29ee70be"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.create_index("ix_email_bounces_recipient", "email_bounces", [sa.literal_column("lower(recipient)")])


def downgrade() -> None:
    op.drop_index("ix_email_bounces_recipient", table_name="email_bounces")
