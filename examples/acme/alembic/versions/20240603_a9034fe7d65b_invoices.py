"""invoices (the billing team's line begins)

Revision ID: a9034fe7d65b
Revises: 27ce8460ab9f
Create Date: 2024-06-03 09:08:47.151692
"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

# revision identifiers, used by Alembic.
revision: str = 'a9034fe7d65b'
down_revision: Union[str, Sequence[str], None] = '27ce8460ab9f'
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table(
        'invoices',
        sa.Column('id', postgresql.UUID(), server_default=sa.text('gen_random_uuid()'), nullable=False),
        sa.Column('org_id', postgresql.UUID(), nullable=False),
        sa.Column('number', sa.String(20), nullable=False),
        sa.Column('status', postgresql.ENUM('draft', 'open', 'paid', 'void', name='invoice_status'),
                  server_default='draft', nullable=False),
        sa.Column('currency', sa.String(3), server_default='EUR', nullable=False),
        sa.Column('total_cents', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
        sa.Column('issued_at', sa.Date(), nullable=False),
        sa.Column('due_at', sa.Date(), nullable=False),
        sa.Column('paid_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('lines', postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_invoices')),
        sa.UniqueConstraint('org_id', 'number', name=op.f('uq_invoices_org_id_number')),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f('ck_invoices_currency_format')),
        sa.CheckConstraint('due_at >= issued_at', name=op.f('ck_invoices_due_after_issued')),
        sa.ForeignKeyConstraint(['org_id'], ['orgs.id'], ondelete='RESTRICT',
                                name=op.f('fk_invoices_org_id_orgs')),
    )
    op.execute("""
        CREATE TRIGGER invoices_touch BEFORE UPDATE ON invoices
            FOR EACH ROW EXECUTE FUNCTION touch_updated_at()
    """)


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table('invoices')
    op.execute('DROP TYPE invoice_status')
