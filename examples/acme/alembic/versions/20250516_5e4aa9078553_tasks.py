"""tasks

Revision ID: 5e4aa9078553
Revises: 09a26ca44e2b
Create Date: 2025-05-16 11:44:31.754222
Author: Amina Haddad <amina@acme.example>
"""
from alembic import op
import sqlalchemy as sa

revision = '5e4aa9078553'
down_revision = '09a26ca44e2b'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        'tasks',
        sa.Column('id', sa.UUID(), server_default=sa.text('gen_random_uuid()'), nullable=False),
        sa.Column('project_id', sa.UUID(), nullable=False),
        sa.Column('number', sa.Integer(), nullable=False),
        sa.Column('title', sa.String(length=300), nullable=False),
        sa.Column('body', sa.Text(), server_default='', nullable=False),
        sa.Column('status', sa.Enum('todo', 'wip', 'review', 'done', 'cancelled', name='task_status'),
                  server_default='todo', nullable=False),
        sa.Column('priority', sa.SmallInteger(), server_default=sa.text('2'), nullable=False),
        sa.Column('assignee_id', sa.UUID(), nullable=True),
        sa.Column('created_by', sa.UUID(), nullable=True),
        sa.Column('due_on', sa.Date(), nullable=True),
        sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
        sa.CheckConstraint("(status IN ('done', 'cancelled')) = (closed_at IS NOT NULL)",
                           name=op.f('ck_tasks_closed_at')),
        sa.CheckConstraint('priority BETWEEN 0 AND 4', name=op.f('ck_tasks_priority_range')),
        sa.ForeignKeyConstraint(['assignee_id'], ['users.id'], name=op.f('fk_tasks_assignee_id_users'),
                                ondelete='SET NULL'),
        sa.ForeignKeyConstraint(['created_by'], ['users.id'], name=op.f('fk_tasks_created_by_users'),
                                ondelete='SET NULL'),
        sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_tasks_project_id_projects'),
                                ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_tasks')),
        sa.UniqueConstraint('project_id', 'number', name=op.f('uq_tasks_project_id_number')),
    )
    op.create_index('ix_tasks_assignee_open', 'tasks', ['assignee_id', 'due_on'],
                    postgresql_where=sa.text('closed_at IS NULL'))
    op.execute("""
        CREATE TRIGGER tasks_touch BEFORE UPDATE ON tasks
            FOR EACH ROW EXECUTE FUNCTION touch_updated_at()
    """)


def downgrade():
    op.drop_table('tasks')
    op.execute('DROP TYPE task_status')
