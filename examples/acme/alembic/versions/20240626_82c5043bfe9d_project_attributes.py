"""attributes of a project

Revision ID: 82c5043bfe9d
Revises: fa83d70c1e46
Create Date: 2024-06-26 14:30:55.276591
"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "82c5043bfe9d"
down_revision: Union[str, Sequence[str], None] = "fa83d70c1e46"
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    op.add_column(
        "projects",
        sa.Column("attributes", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("projects", "attributes")
