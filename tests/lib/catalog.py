"""A database's catalog as sorted lines of text, for comparing two databases object by object.

Column order is left out: what a migration adds comes last, what a model says comes where it stands.
The version table is left out too: it is looked at by itself.
"""
from __future__ import annotations

from typing import List

from tests.lib.postgres import Database

OURS = "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
NOT_VERSION = "c.relname <> 'alembic_version' AND c.relname <> 'alembic_version_pkc'"

QUERIES = {
    "relation": f"""
        SELECT c.oid::regclass::text, c.relkind, c.relpersistence, c.reloptions::text
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE {OURS} AND {NOT_VERSION}""",
    "column": f"""
        SELECT c.oid::regclass::text, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
               a.attidentity, a.attgenerated, pg_get_expr(d.adbin, d.adrelid)
          FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
          JOIN pg_namespace n ON n.oid = c.relnamespace
          LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         WHERE {OURS} AND {NOT_VERSION} AND a.attnum > 0 AND NOT a.attisdropped
           AND c.relkind IN ('r', 'p', 'v')""",
    "constraint": f"""
        SELECT c.oid::regclass::text, o.conname, pg_get_constraintdef(o.oid), o.convalidated
          FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid
          JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {OURS} AND {NOT_VERSION}""",
    "index": f"""
        SELECT pg_get_indexdef(i.indexrelid), i.indisvalid
          FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
          JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {OURS} AND {NOT_VERSION}""",
    "view": f"""
        SELECT c.oid::regclass::text, pg_get_viewdef(c.oid)
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE {OURS} AND c.relkind IN ('v', 'm')""",
    "function": f"""
        SELECT pg_get_functiondef(p.oid) FROM pg_proc p
          JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {OURS}""",
    "trigger": """
        SELECT pg_get_triggerdef(t.oid), t.tgenabled FROM pg_trigger t WHERE NOT t.tgisinternal""",
    "enum": f"""
        SELECT t.typname, string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder)
          FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid
          JOIN pg_namespace n ON n.oid = t.typnamespace WHERE {OURS} GROUP BY 1""",
}


def catalog(database: Database) -> List[str]:
    """All of it; each line begins with the kind of the object."""
    each = [f"SELECT '{kind}', q.* FROM ({query}) AS q" for kind, query in QUERIES.items()]
    rows = database.sql("SET search_path = ''; " + ";".join(each))
    return sorted(row[0] + ": " + " | ".join(row[1:]) for row in rows)


def owners(database: Database) -> List[str]:
    """Who owns the user's relations, types and functions: each name once."""
    return [row[0] for row in database.sql("""
        SELECT DISTINCT pg_get_userbyid(owner) FROM (
            SELECT relowner AS owner, relnamespace AS schema FROM pg_class
            UNION ALL SELECT typowner, typnamespace FROM pg_type
            UNION ALL SELECT proowner, pronamespace FROM pg_proc) AS everything
          JOIN pg_namespace n ON n.oid = schema
         WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1""")]


def differences(left: List[str], right: List[str]) -> str:
    """What only one of them has, for a failing test to show; empty when they are equal."""
    only_left = [f"- {line}" for line in left if line not in right]
    only_right = [f"+ {line}" for line in right if line not in left]
    return "\n".join(only_left + only_right)
