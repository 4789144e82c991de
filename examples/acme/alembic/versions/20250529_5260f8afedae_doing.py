"""the board says "doing", not "wip"

Revision ID: 5260f8afedae
Revises: cea708d5011b
Create Date: 2025-05-29 08:40:06.754116
Author: Amina Haddad <amina@acme.example>
"""
from alembic import op

revision = '5260f8afedae'
down_revision = 'cea708d5011b'
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TYPE task_status RENAME VALUE 'wip' TO 'doing'")


def downgrade():
    op.execute("ALTER TYPE task_status RENAME VALUE 'doing' TO 'wip'")
