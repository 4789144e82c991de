"""locale of a user, taken from the settings of the org that they joined first

Revision ID: b5f719d3082e
Revises: 6e2a40c9f7d3
Create Date: 2024-05-06 17:21:33.418260
"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa

revision: str = "b5f719d3082e"
down_revision: Union[str, None] = "6e2a40c9f7d3"
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    op.add_column("users", sa.Column("locale", sa.String(10), nullable=True))
    op.execute("""
        UPDATE users AS u
           SET locale = coalesce(
               (SELECT o.settings ->> 'locale'
                  FROM memberships AS m JOIN orgs AS o ON o.id = m.org_id
                 WHERE m.user_id = u.id
                 ORDER BY m.created_at
                 LIMIT 1), 'en')
    """)
    op.alter_column("users", "locale", existing_type=sa.String(10), nullable=False, server_default="en")


def downgrade() -> None:
    op.drop_column("users", "locale")
