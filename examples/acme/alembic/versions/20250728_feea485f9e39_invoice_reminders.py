"""dunning_steps is called invoice_reminders now

Revision ID: feea485f9e39
Revises: 6cb599017845
Create Date: 2025-07-28 15:46:43.142129
Author: Jonas Weber <jonas@acme.example>
"""
from __future__ import annotations

from alembic import op

revision: str = "feea485f9e39"
down_revision: str | None = "6cb599017845"
branch_labels: str | tuple[str, ...] | None = None
depends_on: str | tuple[str, ...] | None = None

RENAMED = [
    ("pk_dunning_steps", "pk_invoice_reminders"),
    ("ck_dunning_steps_step_range", "ck_invoice_reminders_step_range"),
    ("fk_dunning_steps_invoice_id_invoices", "fk_invoice_reminders_invoice_id_invoices"),
]


def upgrade() -> None:
    op.rename_table("dunning_steps", "invoice_reminders")
    for old, new in RENAMED:
        op.execute(f"ALTER TABLE invoice_reminders RENAME CONSTRAINT {old} TO {new}")


def downgrade() -> None:
    for old, new in RENAMED:
        op.execute(f"ALTER TABLE invoice_reminders RENAME CONSTRAINT {new} TO {old}")
    op.rename_table("invoice_reminders", "dunning_steps")
