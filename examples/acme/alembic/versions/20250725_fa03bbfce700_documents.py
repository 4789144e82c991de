"""documents of a project

Revision ID: fa03bbfce700
Revises: 5128cea1f920
Create Date: 2025-07-25 08:19:17.067011
Author: Amina Haddad <amina@acme.example>
"""
from alembic import op
import sqlalchemy as sa

revision = 'fa03bbfce700'
down_revision = '5128cea1f920'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        'documents',
        sa.Column('id', sa.UUID(), server_default=sa.text('gen_random_uuid()'), nullable=False),
        sa.Column('project_id', sa.UUID(), nullable=False),
        sa.Column('title', sa.String(length=300), nullable=False),
        sa.Column('body', sa.Text(), server_default='', nullable=False),
        sa.Column('format', sa.String(length=20), server_default='markdown', nullable=False),
        sa.Column('version', sa.Integer(), server_default=sa.text('1'), nullable=False),
        sa.Column('created_by', sa.UUID(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
        sa.CheckConstraint('version > 0', name=op.f('ck_documents_version_positive')),
        sa.ForeignKeyConstraint(['created_by'], ['users.id'], name=op.f('fk_documents_created_by_users'),
                                ondelete='SET NULL'),
        sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_documents_project_id_projects'),
                                ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_documents')),
    )
    op.create_index('ix_documents_project_title', 'documents', ['project_id', 'title'])
    op.execute("""
        CREATE TRIGGER documents_touch BEFORE UPDATE ON documents
            FOR EACH ROW EXECUTE FUNCTION touch_updated_at()
    """)


def downgrade():
    op.drop_table('documents')
