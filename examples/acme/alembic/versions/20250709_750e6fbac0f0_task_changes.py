"""history of a task

Revision ID: 750e6fbac0f0
Revises: 00f4989cfb97
Create Date: 2025-07-09 11:27:10.248660
Author: Amina Haddad <amina@acme.example>
"""
from alembic import op
import sqlalchemy as sa

revision = '750e6fbac0f0'
down_revision = '00f4989cfb97'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        'task_changes',
        sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column('task_id', sa.UUID(), nullable=False),
        sa.Column('field', sa.String(length=40), nullable=False),
        sa.Column('old_value', sa.Text(), nullable=True),
        sa.Column('new_value', sa.Text(), nullable=True),
        sa.Column('changed_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
        sa.ForeignKeyConstraint(['task_id'], ['tasks.id'], name=op.f('fk_task_changes_task_id_tasks'),
                                ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_task_changes')),
    )
    op.create_index('ix_task_changes_task', 'task_changes', ['task_id', 'changed_at'])


def downgrade():
    op.drop_table('task_changes')
