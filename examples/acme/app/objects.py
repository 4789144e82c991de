"""What the ORM does not make: functions, triggers and the view, as SQL, in the order they need."""
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

TOUCHED_TABLES = ["users", "orgs", "projects", "invoices", "feature_flags"]

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


def touch_trigger(table: str) -> str:
    """The trigger that keeps `updated_at`."""
    return (f"CREATE TRIGGER {table}_touch BEFORE UPDATE ON {table}\n"
            "    FOR EACH ROW EXECUTE FUNCTION touch_updated_at()")


def statements() -> List[str]:
    """All of it; each is one statement without its semicolon."""
    made = [TOUCH_FUNCTION] + [touch_trigger(table) for table in TOUCHED_TABLES]
    made += [INVOICE_FUNCTION, INVOICE_TRIGGER, OVERVIEW_VIEW]
    return [statement.strip() for statement in made]
