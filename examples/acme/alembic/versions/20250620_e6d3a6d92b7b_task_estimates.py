"""estimates

Revision ID: e6d3a6d92b7b
Revises: 1290868f8b11
Create Date: 2025-06-20 11:00:38.923808
Author: Amina Haddad <amina@acme.example>
"""
from alembic import op
import sqlalchemy as sa

revision = 'e6d3a6d92b7b'
down_revision = '1290868f8b11'
branch_labels = None
depends_on = None


def upgrade():
    op.add_column('tasks', sa.Column('estimate_minutes', sa.Integer(), nullable=True))
    op.create_check_constraint(op.f('ck_tasks_estimate_positive'), 'tasks', "estimate_minutes > 0")


def downgrade():
    op.drop_constraint(op.f('ck_tasks_estimate_positive'), 'tasks', type_='check')
    op.drop_column('tasks', 'estimate_minutes')
