"""members of a project

Revision ID: a40a3206683c
Revises: 6c83b1c57f84
Create Date: 2025-05-21 10:01:00.222072
Author: Amina Haddad <amina@acme.example>
"""
from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = 'a40a3206683c'
down_revision = '6c83b1c57f84'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        'project_members',
        sa.Column('project_id', sa.UUID(), nullable=False),
        sa.Column('user_id', sa.UUID(), nullable=False),
        sa.Column('role', postgresql.ENUM(name='member_role', create_type=False), server_default='member',
                  nullable=False),
        sa.Column('added_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
        sa.ForeignKeyConstraint(['project_id'], ['projects.id'],
                                name=op.f('fk_project_members_project_id_projects'), ondelete='CASCADE'),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_project_members_user_id_users'),
                                ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('project_id', 'user_id', name=op.f('pk_project_members')),
    )
    op.create_index(op.f('ix_project_members_user_id'), 'project_members', ['user_id'])


def downgrade():
    op.drop_table('project_members')
