/* bootstrap/look_sql.c: the question of a look: what the catalogs say, in one statement with one result.
 *
 * The rows are facts: a word, and up to six texts. For PostgreSQL 12 and newer. All names are qualified
 * and all comparisons are between equal types, so that no search_path and no operator of somebody
 * else's changes what is read. What initdb made (oid below FirstNormalObjectId, 16384), extensions'
 * members (deptype e), parts of other objects (deptype i: row types, identity sequences, multiranges)
 * and temporary relations are not the user's.
 *
 * It has two parts. What the session and its role are is always asked. What is in the database is a
 * statement of its own, handed to query_to_xml as a text where there is anything at all: a new session,
 * whose caches are empty, takes three times as long to plan it as to find out that there is nothing.
 * Its facts come as the rows of an XML text. The version table's rows come in the same way, because a
 * statement that named the table would fail where it is not there; the ids travel in hexadecimal.
 * Both read with the snapshot of the statement around them. A server built without libxml (no package
 * is) answers 0A000 where there is anything, which is then the error. */
#include <string.h>

#include "bootstrap/internal.h"

static const char objects_sql[] =
    "everything AS MATERIALIZED (\n"
    " SELECT o.rank, o.class, o.oid, o.kind, o.name, ns.name AS schema, ns.managed, ns.usage\n"
    " FROM (\n"
    "  SELECT CASE WHEN c.relkind IN ('r','p','f') THEN 1 ELSE 2 END AS rank,\n"
    "   'pg_catalog.pg_class'::pg_catalog.regclass AS class, c.oid, c.relkind AS kind,\n"
    "   c.relname::pg_catalog.text AS name, c.relnamespace AS namespace\n"
    "  FROM pg_catalog.pg_class c WHERE c.oid >= 16384\n"
    "   AND c.relkind IN ('r','p','f','v','m','S') AND c.relpersistence <> 't'\n"
    "  UNION ALL SELECT 3, 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, 'T',\n"
    "   t.typname::pg_catalog.text, t.typnamespace\n"
    "  FROM pg_catalog.pg_type t WHERE t.oid >= 16384\n"
    "   AND (t.typcategory <> 'A' OR t.typtype = 'd')\n"
    "  UNION ALL SELECT 4, 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, 'F',\n"
    "   p.proname::pg_catalog.text, p.pronamespace\n"
    "  FROM pg_catalog.pg_proc p WHERE p.oid >= 16384) o\n"
    " JOIN ns ON ns.oid = o.namespace\n"
    " WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = o.class\n"
    "  AND d.objid = o.oid AND d.objsubid = 0 AND d.deptype IN ('e','i'))),\n";

/* Whether anything was made since initdb, be it an extension's. */
static const char there_sql[] =
    "WITH there AS MATERIALIZED (SELECT EXISTS (SELECT FROM pg_catalog.pg_class o WHERE o.oid >= "
    "16384)\n"
    " OR EXISTS (SELECT FROM pg_catalog.pg_type o WHERE o.oid >= 16384)\n"
    " OR EXISTS (SELECT FROM pg_catalog.pg_proc o WHERE o.oid >= 16384) AS anything)\n";

static const char session_sql[] = LOOK_SESSION
    " pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')"
    "::pg_catalog.text AS f\n"
    "UNION ALL SELECT 'role', r.rolsuper::pg_catalog.text, CASE WHEN r.rolvaliduntil < 'infinity'\n"
    "  THEN pg_catalog.to_char(r.rolvaliduntil AT TIME ZONE 'UTC', "
    "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')\n"
    "  END, NULL, NULL, NULL, NULL\n"
    " FROM pg_catalog.pg_roles r WHERE r.rolname = current_user\n"
    "UNION ALL SELECT 'schema', pg_catalog.has_schema_privilege(n.oid, 'USAGE')::pg_catalog.text,\n"
    " pg_catalog.has_schema_privilege(n.oid, 'CREATE')::pg_catalog.text, NULL, NULL, NULL, NULL\n"
    " FROM pg_catalog.pg_namespace n WHERE " LOOK_USERS_SCHEMAS " AND n.nspname = ";

/* concat() gives an id as a client reads it: a cast to text takes blanks off a char(n). */
static const char version_sql[] =
    "SELECT 'version' AS fact, v.alembics::pg_catalog.text AS a, v.readable::pg_catalog.text AS "
    "b,\n"
    " v.width::pg_catalog.text AS c, pg_catalog.pg_get_userbyid(v.relowner)::pg_catalog.text AS "
    "d,\n"
    " CASE WHEN v.alembics AND v.readable THEN pg_catalog.query_to_xml(pg_catalog.format(\n"
    "  'SELECT pg_catalog.encode(pg_catalog.convert_to(pg_catalog.concat(version_num), ''UTF8''),"
    " ''hex'') AS h FROM %I.%I ORDER BY 1 LIMIT %s', v.schema, v.name, ";

static const char facts_sql[] =
    "UNION ALL (SELECT 'elsewhere', o.schema, o.name, o.managed::pg_catalog.text, NULL, NULL, "
    "NULL\n"
    " FROM object o JOIN ns ON ns.name = o.schema\n"
    " WHERE o.is_version AND NOT ns.here ORDER BY 2)\n"
    "UNION ALL SELECT 'count', o.kind::pg_catalog.text, pg_catalog.count(*)::pg_catalog.text,\n"
    " NULL, NULL, NULL, NULL FROM counted o GROUP BY o.kind\n"
    "UNION ALL (SELECT 'object', o.kind::pg_catalog.text, o.schema, o.name, NULL, NULL, NULL\n"
    " FROM counted o ORDER BY o.rank, o.schema, o.name LIMIT %d)\n"
    "UNION ALL SELECT DISTINCT 'hidden', o.schema, NULL, NULL, NULL, NULL, NULL\n"
    " FROM object o JOIN ns ON ns.name = o.schema WHERE (o.managed OR ns.here) AND NOT o.usage\n"
    "UNION ALL (SELECT 'index', ns.name, c.relname::pg_catalog.text, NULL, NULL, NULL, NULL\n"
    " FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid\n"
    " JOIN ns ON ns.oid = c.relnamespace\n"
    " WHERE NOT i.indisvalid AND ns.managed AND c.relpersistence <> 't' ORDER BY 2, 3 LIMIT %d)\n";

void look_add_managed(const struct database_settings *settings, struct buf *out)
{
    const char *const *schemas = settings->schemas;
    if (!schemas || !schemas[0])
        buf_adds(out, "true");
    for (size_t i = 0; schemas && schemas[i]; i++) {
        buf_adds(out, i ? ", " : "n.nspname IN (");
        db_add_literal(out, schemas[i]);
        if (!schemas[i + 1])
            buf_addc(out, ')');
    }
}

/* ns: the schemas that can hold what is the user's. */
static void add_schemas(const struct database_settings *s, struct buf *out)
{
    buf_adds(out, "WITH ns AS MATERIALIZED (\n"
                  " SELECT n.oid, n.nspname::pg_catalog.text AS name, n.nspname = ");
    db_add_literal(out, s->schema);
    buf_adds(out, " AS here,\n"
                  " pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS usage, ");
    look_add_managed(s, out);
    buf_adds(out,
             " AS managed\n FROM pg_catalog.pg_namespace n\n WHERE " LOOK_USERS_SCHEMAS "),\n");
}

/* object: all of the user's; counted: without the version table, in managed schemas; version: it. */
static void add_objects(const struct database_settings *s, struct buf *out)
{
    buf_adds(out, objects_sql);
    buf_adds(out, "object AS (SELECT o.*, (o.kind IN ('r','p','f','v','m') AND o.name = ");
    db_add_literal(out, s->table);
    buf_adds(out, ") AS is_version FROM everything o),\n"
                  "counted AS (SELECT o.* FROM object o WHERE o.managed AND NOT (o.is_version AND "
                  "o.schema = ");
    db_add_literal(out, s->schema);
    buf_adds(out,
             ")),\n"
             "version AS (SELECT o.schema, o.name, c.relowner,\n"
             " c.relkind = 'r' AND (SELECT " LOOK_ALEMBICS "\n"
             "  FROM pg_catalog.pg_attribute a\n"
             "  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS alembics,\n"
             " o.usage AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT')\n"
             "  AND NOT pg_catalog.row_security_active(c.oid) AS readable,\n"
             " (SELECT pg_catalog.max(a.atttypmod) FROM pg_catalog.pg_attribute a\n"
             "  WHERE a.attrelid = c.oid AND a.attname = 'version_num') AS width\n"
             " FROM object o JOIN pg_catalog.pg_class c ON c.oid = o.oid\n"
             " WHERE o.is_version AND o.schema = ");
    db_add_literal(out, s->schema);
    buf_adds(out, ")\n");
}

static void add_owner(const struct database_settings *s, struct buf *out)
{
    if (!s->owner)
        return;
    buf_adds(out,
             "UNION ALL SELECT 'owner', pg_catalog.pg_has_role(r.oid, 'MEMBER')::pg_catalog.text,\n"
             " pg_catalog.has_database_privilege(r.oid, pg_catalog.current_database(), "
             "'CREATE')::pg_catalog.text,\n"
             " (SELECT pg_catalog.has_schema_privilege(r.oid, n.oid, 'CREATE')\n"
             "  FROM pg_catalog.pg_namespace n WHERE " LOOK_USERS_SCHEMAS " AND n.nspname = ");
    db_add_literal(out, s->schema);
    buf_adds(out, ")::pg_catalog.text,\n"
                  " pg_catalog.pg_has_role(r.oid, CASE WHEN "
                  "pg_catalog.current_setting('server_version_num')::pg_catalog.int4 >= 160000\n"
                  "  THEN 'SET' ELSE 'MEMBER' END)::pg_catalog.text,\n"
                  " NULL, NULL FROM pg_catalog.pg_roles r WHERE r.rolname = ");
    db_add_literal(out, s->owner);
    buf_addc(out, '\n');
}

struct expected_table look_expected_table(const char *expected)
{
    static const char usual[] = "public";
    const char *dot = strchr(expected, '.');
    if (!dot)
        return (struct expected_table){usual, strlen(usual), expected};
    return (struct expected_table){expected, (size_t)(dot - expected), dot + 1};
}

static void add_expected(const struct database_settings *s, struct buf *out)
{
    for (size_t i = 0; s->expect[i]; i++) {
        const struct expected_table table = look_expected_table(s->expect[i]);
        buf_addf(out, i ? ", (%zu, " : "(VALUES (%zu, ", i);
        db_add_literal_n(out, table.schema, table.schema_length);
        buf_adds(out, ", ");
        db_add_literal(out, table.name);
        buf_adds(out, ", ");
        db_add_literal(out, s->expect[i]);
        buf_addc(out, ')');
    }
    buf_adds(out, ") e (n, schema, name, label)");
}

void look_add_missing(const struct database_settings *settings, const char *condition,
                      struct buf *out)
{
    if (!settings->expect || !settings->expect[0])
        return;
    buf_adds(out, "UNION ALL (SELECT 'missing', e.label, NULL, NULL, NULL, NULL, NULL\n FROM ");
    add_expected(settings, out);
    buf_addf(out, "\n WHERE %s ORDER BY e.n)\n", condition);
}

/* The statement about what is there. */
static void add_contents(const struct database_settings *s, struct buf *out)
{
    add_schemas(s, out);
    add_objects(s, out);
    buf_adds(out, version_sql);
    buf_addf(out, "'%d'), false, true, '')::pg_catalog.text END AS e, NULL AS f FROM version v\n",
             LOOK_MAX_ROWS + 1);
    buf_addf(out, facts_sql, LOOK_FIRST_OBJECTS, LOOK_FIRST_OBJECTS);
    look_add_missing(s,
                     "NOT EXISTS (SELECT FROM object o WHERE o.kind IN ('r','p','f')\n"
                     "  AND o.schema = e.schema AND o.name = e.name)",
                     out);
}

void state_look_sql(const struct database_settings *settings, struct buf *out)
{
    AUTO_BUF contents = BUF_INIT(LOOK_SQL_BYTES);
    add_contents(settings, &contents);
    out->no_memory |= contents.no_memory; /* the caller's buf_check says it */
    out->too_long |= contents.too_long;
    buf_adds(out, there_sql);
    buf_adds(out, session_sql);
    db_add_literal(out, settings->schema);
    buf_addc(out, '\n');
    add_owner(settings, out);
    look_add_missing(settings, "NOT (SELECT t.anything FROM there t)", out);
    buf_adds(out,
             "UNION ALL SELECT 'contents', CASE WHEN t.anything THEN pg_catalog.query_to_xml(");
    db_add_literal(out, buf_text(&contents));
    buf_adds(out, ", false, true, '')::pg_catalog.text END,\n"
                  " NULL, NULL, NULL, NULL, NULL FROM there t;\n");
}
