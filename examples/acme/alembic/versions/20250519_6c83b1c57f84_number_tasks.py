"""tasks count within their project

Revision ID: 6c83b1c57f84
Revises: 5e4aa9078553
Create Date: 2025-05-19 12:15:04.897949
Author: Amina Haddad <amina@acme.example>
"""
from alembic import op

revision = '6c83b1c57f84'
down_revision = '5e4aa9078553'
branch_labels = None
depends_on = None

NUMBER_TASK = """
CREATE FUNCTION number_task() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM 1 FROM projects WHERE id = NEW.project_id FOR UPDATE;
    SELECT coalesce(max(number), 0) + 1 INTO NEW.number
      FROM tasks WHERE project_id = NEW.project_id;
    RETURN NEW;
END;
$$
"""


def upgrade():
    op.execute(NUMBER_TASK)
    op.execute("""
        CREATE TRIGGER tasks_number BEFORE INSERT ON tasks
            FOR EACH ROW WHEN (NEW.number IS NULL) EXECUTE FUNCTION number_task()
    """)


def downgrade():
    op.execute("DROP TRIGGER tasks_number ON tasks")
    op.execute("DROP FUNCTION number_task()")
