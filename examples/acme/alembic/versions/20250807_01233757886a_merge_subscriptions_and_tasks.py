"""merge subscriptions and tasks

Revision ID: 01233757886a
Revises: feea485f9e39, c82d12ec7122
Create Date: 2025-08-07 09:30:12.440218
"""
from collections.abc import Sequence


revision: str = "01233757886a"
down_revision: "str | Sequence[str] | None" = ("feea485f9e39", "c82d12ec7122")
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    """Nothing to do: the two lines touch different tables."""


def downgrade() -> None:
    """Nothing to undo."""
