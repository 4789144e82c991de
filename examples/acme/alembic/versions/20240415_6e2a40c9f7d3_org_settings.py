"""settings of an org

Revision ID: 6e2a40c9f7d3
Revises: d81f3a906b57
Create Date: 2024-04-15 10:33:12.556804
"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "6e2a40c9f7d3"
down_revision: Union[str, None] = "d81f3a906b57"
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    op.add_column("orgs", sa.Column("settings", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False))
    op.create_index("ix_orgs_settings", "orgs", ["settings"], postgresql_using="gin",
                    postgresql_ops={"settings": "jsonb_path_ops"})


def downgrade() -> None:
    op.drop_index("ix_orgs_settings", table_name="orgs")
    op.drop_column("orgs", "settings")
