"""milestones of a project

Revision ID: 09a26ca44e2b
Revises: 658188169d41
Create Date: 2025-05-12 13:09:38.762998
Author: Amina Haddad <amina@acme.example>
"""
from alembic import op
import sqlalchemy as sa

revision = '09a26ca44e2b'
down_revision = '658188169d41'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        'milestones',
        sa.Column('id', sa.UUID(), server_default=sa.text('gen_random_uuid()'), nullable=False),
        sa.Column('project_id', sa.UUID(), nullable=False),
        sa.Column('name', sa.String(length=200), nullable=False),
        sa.Column('due_on', sa.Date(), nullable=True),
        sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
        sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_milestones_project_id_projects'),
                                ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_milestones')),
    )
    op.create_index('ix_milestones_open', 'milestones', ['project_id', 'due_on'],
                    postgresql_where=sa.text('closed_at IS NULL'))


def downgrade():
    op.drop_table('milestones')
