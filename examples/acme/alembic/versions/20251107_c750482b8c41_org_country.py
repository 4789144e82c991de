"""country of an org

Revision ID: c750482b8c41
Revises: 0f4aa96b6cbe
Create Date: 2025-11-07 08:06:48.835295
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "c750482b8c41"
down_revision: "str | Sequence[str] | None" = "0f4aa96b6cbe"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.add_column("orgs", sa.Column("country", sa.String(length=2), nullable=True))
    op.create_check_constraint(op.f("ck_orgs_country_format"), "orgs", "country ~ '^[A-Z]{2}$'")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_orgs_country_format"), "orgs", type_="check")
    op.drop_column("orgs", "country")
