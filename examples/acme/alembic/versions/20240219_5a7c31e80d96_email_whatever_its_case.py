"""e-mail is unique whatever its case, among users who are not gone

Revision ID: 5a7c31e80d96
Revises: f2608c4da71b
Create Date: 2024-02-19 11:05:38.771245
"""
from alembic import op
import sqlalchemy as sa

revision = "5a7c31e80d96"
down_revision = "f2608c4da71b"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("users", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
    # Two accounts whose addresses differ in case only: the newer one gives way.
    op.execute("""
        UPDATE users AS newer SET deleted_at = now()
         WHERE EXISTS (SELECT FROM users AS older
                        WHERE lower(older.email) = lower(newer.email)
                          AND (older.created_at, older.id) < (newer.created_at, newer.id))
    """)
    op.drop_constraint("uq_users_email", "users", type_="unique")
    op.create_index("uq_users_email_lower", "users", [sa.text("lower(email)")], unique=True,
                    postgresql_where=sa.text("deleted_at IS NULL"))
    op.create_check_constraint(op.f("ck_users_email_has_at"), "users", "position('@' in email) > 1")


def downgrade():
    op.drop_constraint(op.f("ck_users_email_has_at"), "users", type_="check")
    op.drop_index("uq_users_email_lower", table_name="users")
    op.create_unique_constraint("uq_users_email", "users", ["email"])
    op.drop_column("users", "deleted_at")
