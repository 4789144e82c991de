"""orgs and memberships

Revision ID: 8b3e57d10fa4
Revises: 4d1f0a6c92be
Create Date: 2024-01-08 15:40:02.118356
"""
from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = '8b3e57d10fa4'
down_revision = '4d1f0a6c92be'
branch_labels = None
depends_on = None

org_plan = postgresql.ENUM('free', 'team', 'business', name='org_plan', create_type=False)
member_role = postgresql.ENUM('owner', 'admin', 'member', 'viewer', name='member_role', create_type=False)


def upgrade():
    op.execute("CREATE TYPE org_plan AS ENUM ('free', 'team', 'business')")
    op.execute("CREATE TYPE member_role AS ENUM ('owner', 'admin', 'member', 'viewer')")
    op.create_table(
        'orgs',
        sa.Column('id', postgresql.UUID(), server_default=sa.text('gen_random_uuid()'), nullable=False),
        sa.Column('slug', sa.String(63), nullable=False),
        sa.Column('name', sa.String(200), nullable=False),
        sa.Column('plan', org_plan, server_default='free', nullable=False),
        sa.Column('billing_email', sa.String(320), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_orgs')),
        sa.UniqueConstraint('slug', name=op.f('uq_orgs_slug')),
        sa.CheckConstraint("slug ~ '^[a-z0-9][a-z0-9-]*$'", name=op.f('ck_orgs_slug_format')),
    )
    op.create_table(
        'memberships',
        sa.Column('org_id', postgresql.UUID(), nullable=False),
        sa.Column('user_id', postgresql.UUID(), nullable=False),
        sa.Column('role', member_role, server_default='member', nullable=False),
        sa.Column('invited_by', postgresql.UUID(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
        sa.PrimaryKeyConstraint('org_id', 'user_id', name=op.f('pk_memberships')),
        sa.ForeignKeyConstraint(['org_id'], ['orgs.id'], ondelete='CASCADE',
                                name=op.f('fk_memberships_org_id_orgs')),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], ondelete='CASCADE',
                                name=op.f('fk_memberships_user_id_users')),
        sa.ForeignKeyConstraint(['invited_by'], ['users.id'], ondelete='SET NULL',
                                name=op.f('fk_memberships_invited_by_users')),
    )
    op.create_index(op.f('ix_memberships_user_id'), 'memberships', ['user_id'])
    op.create_index('uq_memberships_owner', 'memberships', ['org_id'], unique=True,
                    postgresql_where=sa.text("role = 'owner'"))


def downgrade():
    op.drop_table('memberships')
    op.drop_table('orgs')
    op.execute('DROP TYPE member_role')
    op.execute('DROP TYPE org_plan')
