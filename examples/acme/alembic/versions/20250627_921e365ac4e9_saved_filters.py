"""filters that are kept

Revision ID: 921e365ac4e9
Revises: e6d3a6d92b7b
Create Date: 2025-06-27 10:32:08.555506
Author: Amina Haddad <amina@acme.example>
"""
from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = '921e365ac4e9'
down_revision = 'e6d3a6d92b7b'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        'saved_filters',
        sa.Column('id', sa.UUID(), server_default=sa.text('gen_random_uuid()'), nullable=False),
        sa.Column('user_id', sa.UUID(), nullable=False),
        sa.Column('org_id', sa.UUID(), nullable=False),
        sa.Column('name', sa.String(length=100), nullable=False),
        sa.Column('query', postgresql.JSONB(), nullable=False),
        sa.Column('is_shared', sa.Boolean(), server_default=sa.text('false'), nullable=False),
        sa.ForeignKeyConstraint(['org_id'], ['orgs.id'], name=op.f('fk_saved_filters_org_id_orgs'),
                                ondelete='CASCADE'),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_saved_filters_user_id_users'),
                                ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_saved_filters')),
        sa.UniqueConstraint('user_id', 'name', name=op.f('uq_saved_filters_user_id_name')),
    )
    op.create_index(op.f('ix_saved_filters_org_id'), 'saved_filters', ['org_id'])


def downgrade():
    op.drop_table('saved_filters')
