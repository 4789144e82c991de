"""merge billing and collaboration

Revision ID: 6b0de1f9743a
Revises: 18ea6d72f09c, 82c5043bfe9d
Create Date: 2024-07-08 10:00:14.663027
"""
from typing import Sequence, Union

# revision identifiers, used by Alembic.
revision: str = '6b0de1f9743a'
down_revision: Union[str, Sequence[str], None] = (
    '18ea6d72f09c',  # billing
    '82c5043bfe9d',  # collaboration
)
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Nothing to do: the two lines touch different tables."""


def downgrade() -> None:
    """Nothing to undo."""
