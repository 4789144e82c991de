"""time tracking

Revision ID: 9e3365858b21
Revises: 5260f8afedae
Create Date: 2025-06-05 17:29:02.245585
Author: Amina Haddad <amina@acme.example>
"""
from alembic import op
import sqlalchemy as sa

revision = '9e3365858b21'
down_revision = '5260f8afedae'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        'time_entries',
        sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column('task_id', sa.UUID(), nullable=False),
        sa.Column('user_id', sa.UUID(), nullable=False),
        sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('note', sa.String(length=500), server_default='', nullable=False),
        sa.CheckConstraint('ended_at > started_at', name=op.f('ck_time_entries_ends_later')),
        sa.ForeignKeyConstraint(['task_id'], ['tasks.id'], name=op.f('fk_time_entries_task_id_tasks'),
                                ondelete='CASCADE'),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_time_entries_user_id_users'),
                                ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_time_entries')),
    )
    op.create_index(op.f('ix_time_entries_task_id'), 'time_entries', ['task_id'])
    op.create_index('uq_time_entries_running', 'time_entries', ['user_id'], unique=True,
                    postgresql_where=sa.text('ended_at IS NULL'))


def downgrade():
    op.drop_table('time_entries')
