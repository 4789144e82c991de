"""time that can be billed

Revision ID: 00f4989cfb97
Revises: 921e365ac4e9
Create Date: 2025-06-27 11:10:29.500282
Author: Amina Haddad <amina@acme.example>
"""
from alembic import op
import sqlalchemy as sa

revision = '00f4989cfb97'
down_revision = '921e365ac4e9'
branch_labels = None
depends_on = None


def upgrade():
    op.add_column('time_entries',
                  sa.Column('billable', sa.Boolean(), server_default=sa.text('true'), nullable=False))
    op.create_index('ix_time_entries_billable', 'time_entries', ['task_id', 'started_at'],
                    postgresql_where=sa.text('billable'))


def downgrade():
    op.drop_index('ix_time_entries_billable', table_name='time_entries')
    op.drop_column('time_entries', 'billable')
