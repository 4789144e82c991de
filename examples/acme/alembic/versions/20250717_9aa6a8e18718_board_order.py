"""order of tasks on the board

Revision ID: 9aa6a8e18718
Revises: 38bc48367a0c
Create Date: 2025-07-17 09:51:16.942647
Author: Amina Haddad <amina@acme.example>
"""
from alembic import op
import sqlalchemy as sa

revision = '9aa6a8e18718'
down_revision = '38bc48367a0c'
branch_labels = None
depends_on = None


def upgrade():
    op.add_column('tasks', sa.Column('position', sa.Numeric(), server_default=sa.text('0'), nullable=False))
    op.create_index('ix_tasks_board', 'tasks', ['project_id', 'status', 'position'])


def downgrade():
    op.drop_index('ix_tasks_board', table_name='tasks')
    op.drop_column('tasks', 'position')
