'''log each change of an invoice's status

Revision ID: 79d2c0a5be13
Revises: e4b86f1209dc
Create Date: 2024-09-16 13:41:09.504837
'''
from collections.abc import Sequence

from alembic import op

revision: str = '''79d2c0a5be13'''
down_revision: "str | Sequence[str] | None" = '''e4b86f1209dc'''
branch_labels: "str | Sequence[str] | None" = None
depends_on: "str | Sequence[str] | None" = None


LOG_STATUS = '''
CREATE FUNCTION log_invoice_status() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO audit_log (org_id, action, object_type, object_id, detail)
    VALUES (NEW.org_id, 'invoice.' || NEW.status, 'invoice', NEW.id::text,
            jsonb_build_object('from', OLD.status, 'to', NEW.status));
    RETURN NULL;
END;
$$
'''


def upgrade() -> None:
    op.execute(LOG_STATUS)
    op.execute('''
        CREATE TRIGGER invoices_log_status AFTER UPDATE OF status ON invoices
            FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
            EXECUTE FUNCTION log_invoice_status()
    ''')


def downgrade() -> None:
    op.execute('DROP TRIGGER invoices_log_status ON invoices')
    op.execute('DROP FUNCTION log_invoice_status()')
