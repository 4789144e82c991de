"""tasks belong to a milestone

Revision ID: 50f046a19119
Revises: a40a3206683c
Create Date: 2025-05-26 17:20:55.180518
Author: Amina Haddad <amina@acme.example>
"""
from alembic import op
import sqlalchemy as sa

revision = '50f046a19119'
down_revision = 'a40a3206683c'
branch_labels = None
depends_on = None


def upgrade():
    op.add_column('tasks', sa.Column('milestone_id', sa.UUID(), nullable=True))
    op.create_foreign_key(op.f('fk_tasks_milestone_id_milestones'), 'tasks', 'milestones', ['milestone_id'],
                          ['id'], ondelete='SET NULL')
    op.create_index(op.f('ix_tasks_milestone_id'), 'tasks', ['milestone_id'])


def downgrade():
    op.drop_index(op.f('ix_tasks_milestone_id'), table_name='tasks')
    op.drop_constraint(op.f('fk_tasks_milestone_id_milestones'), 'tasks', type_='foreignkey')
    op.drop_column('tasks', 'milestone_id')
