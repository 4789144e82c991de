"""the plan 'enterprise'

Revision ID: 0f7e32d6ca85
Revises: c91a58e40bd7
Create Date: 2024-08-05 15:03:21.430196

A label can be added inside of a transaction, but not used before its commit: no row and no default
may have it here.
"""
from typing import Sequence, Union

from alembic import op

revision: str = '0f7e32d6ca85'
down_revision: Union[str, Sequence[str], None] = 'c91a58e40bd7'
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    op.execute("ALTER TYPE org_plan ADD VALUE 'enterprise' AFTER 'business'")


def downgrade() -> None:
    # PostgreSQL cannot take a label away. It stays, and nothing uses it.
    pass
