"""links between tasks, watchers

Revision ID: cea708d5011b
Revises: 50f046a19119
Create Date: 2025-05-28 14:47:11.046155
Author: Amina Haddad <amina@acme.example>
"""
from alembic import op
import sqlalchemy as sa

revision = 'cea708d5011b'
down_revision = '50f046a19119'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        'task_links',
        sa.Column('from_id', sa.UUID(), nullable=False),
        sa.Column('to_id', sa.UUID(), nullable=False),
        sa.Column('kind', sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('blocks', 'duplicates', 'relates')", name=op.f('ck_task_links_kind_known')),
        sa.CheckConstraint('from_id <> to_id', name=op.f('ck_task_links_not_to_itself')),
        sa.ForeignKeyConstraint(['from_id'], ['tasks.id'], name=op.f('fk_task_links_from_id_tasks'),
                                ondelete='CASCADE'),
        sa.ForeignKeyConstraint(['to_id'], ['tasks.id'], name=op.f('fk_task_links_to_id_tasks'),
                                ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('from_id', 'to_id', 'kind', name=op.f('pk_task_links')),
    )
    op.create_index(op.f('ix_task_links_to_id'), 'task_links', ['to_id'])
    op.create_table(
        'task_watchers',
        sa.Column('task_id', sa.UUID(), nullable=False),
        sa.Column('user_id', sa.UUID(), nullable=False),
        sa.Column('since', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
        sa.ForeignKeyConstraint(['task_id'], ['tasks.id'], name=op.f('fk_task_watchers_task_id_tasks'),
                                ondelete='CASCADE'),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_task_watchers_user_id_users'),
                                ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('task_id', 'user_id', name=op.f('pk_task_watchers')),
    )
    op.create_index(op.f('ix_task_watchers_user_id'), 'task_watchers', ['user_id'])


def downgrade():
    op.drop_table('task_watchers')
    op.drop_table('task_links')
