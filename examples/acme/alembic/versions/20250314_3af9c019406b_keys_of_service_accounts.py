"""an API key can belong to a service account

Revision ID: 3af9c019406b
Revises: 438871d4c661
Create Date: 2025-03-14 17:01:48.347355
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa

revision: str = "3af9c019406b"
down_revision: "str | Sequence[str] | None" = "438871d4c661"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("service_account_id", sa.UUID(), nullable=True))
    op.create_foreign_key(op.f("fk_api_keys_service_account_id_service_accounts"), "api_keys",
                          "service_accounts", ["service_account_id"], ["id"], ondelete="CASCADE")
    op.create_index(op.f("ix_api_keys_service_account_id"), "api_keys", ["service_account_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_api_keys_service_account_id"), table_name="api_keys")
    op.drop_constraint(op.f("fk_api_keys_service_account_id_service_accounts"), "api_keys", type_="foreignkey")
    op.drop_column("api_keys", "service_account_id")
