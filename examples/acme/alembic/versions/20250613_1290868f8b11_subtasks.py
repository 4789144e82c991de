"""subtasks

Revision ID: 1290868f8b11
Revises: 9e3365858b21
Create Date: 2025-06-13 12:32:52.127581
Author: Amina Haddad <amina@acme.example>
"""
from alembic import op
import sqlalchemy as sa

revision = '1290868f8b11'
down_revision = '9e3365858b21'
branch_labels = None
depends_on = None


def upgrade():
    op.add_column('tasks', sa.Column('parent_id', sa.UUID(), nullable=True))
    op.create_foreign_key(op.f('fk_tasks_parent_id_tasks'), 'tasks', 'tasks', ['parent_id'], ['id'],
                          ondelete='CASCADE')
    op.create_index(op.f('ix_tasks_parent_id'), 'tasks', ['parent_id'])


def downgrade():
    op.drop_index(op.f('ix_tasks_parent_id'), table_name='tasks')
    op.drop_constraint(op.f('fk_tasks_parent_id_tasks'), 'tasks', type_='foreignkey')
    op.drop_column('tasks', 'parent_id')
