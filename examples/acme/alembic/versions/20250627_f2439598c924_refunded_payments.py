"""payments can be refunded

Revision ID: f2439598c924
Revises: 35eca4d5c0f1
Create Date: 2025-06-27 11:55:02.574679
Author: Jonas Weber <jonas@acme.example>
"""
from __future__ import annotations

from alembic import op

revision: str = "f2439598c924"
down_revision: str | None = "35eca4d5c0f1"
branch_labels: str | tuple[str, ...] | None = None
depends_on: str | tuple[str, ...] | None = None


def upgrade() -> None:
    op.drop_constraint(op.f("ck_payments_status_known"), "payments", type_="check")
    op.create_check_constraint(op.f("ck_payments_status_known"), "payments",
                               "status IN ('pending', 'succeeded', 'failed', 'refunded')")


def downgrade() -> None:
    op.execute("UPDATE payments SET status = 'succeeded' WHERE status = 'refunded'")
    op.drop_constraint(op.f("ck_payments_status_known"), "payments", type_="check")
    op.create_check_constraint(op.f("ck_payments_status_known"), "payments",
                               "status IN ('pending', 'succeeded', 'failed')")
