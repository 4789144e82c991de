"""keep what a document was

Revision ID: c82d12ec7122
Revises: fa03bbfce700
Create Date: 2025-07-25 13:54:35.435289
Author: Amina Haddad <amina@acme.example>
"""
from alembic import op
import sqlalchemy as sa

revision = 'c82d12ec7122'
down_revision = 'fa03bbfce700'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        'document_versions',
        sa.Column('document_id', sa.UUID(), nullable=False),
        sa.Column('version', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('body', sa.Text(), nullable=False),
        sa.Column('edited_by', sa.UUID(), nullable=True),
        sa.Column('edited_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
        sa.ForeignKeyConstraint(['document_id'], ['documents.id'],
                                name=op.f('fk_document_versions_document_id_documents'), ondelete='CASCADE'),
        sa.ForeignKeyConstraint(['edited_by'], ['users.id'], name=op.f('fk_document_versions_edited_by_users'),
                                ondelete='SET NULL'),
        sa.PrimaryKeyConstraint('document_id', 'version', name=op.f('pk_document_versions')),
    )


def downgrade():
    op.drop_table('document_versions')
