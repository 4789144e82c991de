"""find live sessions; scopes of API keys

Revision ID: 41e7bd09c6f8
Revises: 96f5a2d80c1b
Create Date: 2025-02-10 14:17:53.046281
"""
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

revision: str = "41e7bd09c6f8"
down_revision: "str | Sequence[str] | None" = "96f5a2d80c1b"
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


def upgrade() -> None:
    op.execute("DELETE FROM sessions WHERE octet_length(token_hash) <> 32")
    op.create_check_constraint(op.f("ck_sessions_token_hash_length"), "sessions", "octet_length(token_hash) = 32")
    op.create_index("ix_sessions_live", "sessions", ["user_id", "expires_at"],
                    postgresql_where=sa.text("revoked_at IS NULL"))
    op.add_column(
        "api_keys",
        sa.Column("scopes", ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("api_keys", "scopes")
    op.drop_index("ix_sessions_live", table_name="sessions")
    op.drop_constraint(op.f("ck_sessions_token_hash_length"), "sessions", type_="check")
