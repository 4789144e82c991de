"""where the PDF of an invoice is kept

Revision ID: 1e2406fcf4f3
Revises: e371bd901f0f
Create Date: 2025-07-08 17:02:07.927902
Author: Jonas Weber <jonas@acme.example>
"""
from __future__ import annotations

from alembic import op
import sqlalchemy as sa

revision: str = "1e2406fcf4f3"
down_revision: str | None = "e371bd901f0f"
branch_labels: str | tuple[str, ...] | None = None
depends_on: str | tuple[str, ...] | None = None


def upgrade() -> None:
    op.add_column("invoices", sa.Column("pdf_key", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("invoices", "pdf_key")
