"""What the ORM does not make: functions, triggers, views and policies, as SQL, in the order they need."""
from __future__ import annotations

from typing import List

TOUCH_FUNCTION = """
CREATE FUNCTION touch_updated_at() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END;
$$
"""

TOUCHED_TABLES = [
    "users", "orgs", "projects", "invoices", "feature_flags", "user_preferences", "sso_connections",
    "tasks", "documents", "subscriptions", "billing_addresses", "email_templates", "integrations",
]

INVOICE_FUNCTION = """
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
"""

INVOICE_TRIGGER = """
CREATE TRIGGER invoices_log_status AFTER UPDATE OF status ON invoices
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION log_invoice_status()
"""

OVERVIEW_VIEW = """
CREATE VIEW org_overview AS
SELECT o.id,
       o.slug,
       o.plan,
       (SELECT count(*) FROM memberships m WHERE m.org_id = o.id) AS members,
       (SELECT count(*) FROM projects p
         WHERE p.org_id = o.id AND p.archived_at IS NULL) AS open_projects,
       (SELECT coalesce(sum(i.total_cents), 0) FROM invoices i
         WHERE i.org_id = o.id AND i.status = 'open') AS open_cents
  FROM orgs o
"""

TASK_NUMBER_FUNCTION = """
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

TASK_NUMBER_TRIGGER = """
CREATE TRIGGER tasks_number BEFORE INSERT ON tasks
    FOR EACH ROW WHEN (NEW.number IS NULL) EXECUTE FUNCTION number_task()
"""

TASK_CHANGE_FUNCTION = """
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

TASK_CHANGE_TRIGGER = """
CREATE TRIGGER tasks_log_change AFTER UPDATE OF status, assignee_id ON tasks
    FOR EACH ROW EXECUTE FUNCTION log_task_change()
"""

OPEN_TASKS_VIEW = """
CREATE VIEW open_tasks AS
SELECT t.assignee_id, p.org_id, t.project_id, t.id, t.number, t.title, t.priority, t.due_on
  FROM tasks t JOIN projects p ON p.id = t.project_id
 WHERE t.closed_at IS NULL AND t.assignee_id IS NOT NULL
"""

USAGE_VIEW = """
CREATE MATERIALIZED VIEW usage_by_month AS
SELECT org_id, metric, date_trunc('month', day)::date AS month, sum(quantity) AS quantity
  FROM usage_records
 GROUP BY org_id, metric, date_trunc('month', day)::date
"""

USAGE_INDEX = "CREATE UNIQUE INDEX uq_usage_by_month ON usage_by_month (org_id, metric, month)"

DOCUMENT_POLICIES = [
    "ALTER TABLE documents ENABLE ROW LEVEL SECURITY",
    """
CREATE POLICY documents_readers ON documents FOR SELECT
    USING (published_at IS NOT NULL
           OR created_by = nullif(current_setting('acme.user_id', true), '')::uuid)
""",
    """
CREATE POLICY documents_writers ON documents
    USING (created_by = nullif(current_setting('acme.user_id', true), '')::uuid)
""",
]


def touch_trigger(table: str) -> str:
    """The trigger that keeps `updated_at`."""
    return (f"CREATE TRIGGER {table}_touch BEFORE UPDATE ON {table}\n"
            "    FOR EACH ROW EXECUTE FUNCTION touch_updated_at()")


def statements() -> List[str]:
    """All of it; each is one statement without its semicolon."""
    made = [TOUCH_FUNCTION] + [touch_trigger(table) for table in TOUCHED_TABLES]
    made += [INVOICE_FUNCTION, INVOICE_TRIGGER, OVERVIEW_VIEW]
    made += [TASK_NUMBER_FUNCTION, TASK_NUMBER_TRIGGER, TASK_CHANGE_FUNCTION, TASK_CHANGE_TRIGGER]
    made += [OPEN_TASKS_VIEW, USAGE_VIEW, USAGE_INDEX] + DOCUMENT_POLICIES
    return [statement.strip() for statement in made]
