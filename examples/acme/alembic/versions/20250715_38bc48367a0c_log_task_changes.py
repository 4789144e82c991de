"""log who takes a task and where it stands

Revision ID: 38bc48367a0c
Revises: 750e6fbac0f0
Create Date: 2025-07-15 15:23:10.204428
Author: Amina Haddad <amina@acme.example>
"""
from alembic import op

revision = '38bc48367a0c'
down_revision = '750e6fbac0f0'
branch_labels = None
depends_on = None

LOG_TASK_CHANGE = """
CREATE FUNCTION log_task_change() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    IF NEW.status IS DISTINCT FROM OLD.status THEN
        INSERT INTO task_changes (task_id, field, old_value, new_value)
        VALUES (NEW.id, 'status', OLD.status::text, NEW.status::text);
    END IF;
    IF NEW.assignee_id IS DISTINCT FROM OLD.assignee_id THEN
        INSERT INTO task_changes (task_id, field, old_value, new_value)
        VALUES (NEW.id, 'assignee', OLD.assignee_id::text, NEW.assignee_id::text);
    END IF;
    RETURN NULL;
END;
$$
"""


def upgrade():
    op.execute(LOG_TASK_CHANGE)
    op.execute("""
        CREATE TRIGGER tasks_log_change AFTER UPDATE OF status, assignee_id ON tasks
            FOR EACH ROW EXECUTE FUNCTION log_task_change()
    """)


def downgrade():
    op.execute("DROP TRIGGER tasks_log_change ON tasks")
    op.execute("DROP FUNCTION log_task_change()")
