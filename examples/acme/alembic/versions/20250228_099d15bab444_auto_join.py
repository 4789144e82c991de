"""join by the domain of the mail address

Revision ID: 099d15bab444
Revises: 3b883f0a9810
Create Date: 2025-02-28 17:11:52.764931
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "099d15bab444"
down_revision: "str | Sequence[str] | None" = "3b883f0a9810"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.add_column("org_domains",
                  sa.Column("auto_join", sa.Boolean(), server_default=sa.text("false"), nullable=False))


def downgrade() -> None:
    op.drop_column("org_domains", "auto_join")
