/* bootstrap/confirm.c: short looks, where a whole one came before.
 *
 * A session whose caches are empty takes longest to plan the whole look, so that what is known by then
 * is not asked again.
 *   Before COMMIT, where the first look found nothing at all: enough to say that it is `current`.
 * What is not, or is open to doubt, is for a whole look to say, in the same transaction.
 *   Behind COMMIT, from another session: one transaction is seen whole or not at all, so that few
 * questions tell that it is there; they name no catalog, which behind a thousand statements of DDL
 * would cost ten times as much.
 * The facts have the shape of look.c's. */
#include <string.h>

#include "base/mem.h"
#include "bootstrap/apply.h"

/* Fails where there is no version table. */
static void add_version(const struct database_settings *settings, const char *is_alembics,
                        struct buf *out)
{
    buf_addf(out, "UNION ALL SELECT 'version', %s, 'true', NULL, NULL,\n", is_alembics);
    buf_adds(out, " (SELECT pg_catalog.string_agg(pg_catalog.concat('<h>', pg_catalog.encode(\n"
                  "   pg_catalog.convert_to(v.id, 'UTF8'), 'hex')), '')\n"
                  "  FROM (SELECT pg_catalog.concat(version_num) AS id FROM ");
    settings_add_version_table(settings, out);
    buf_addf(out, " LIMIT %d) v), NULL\n", LOOK_MAX_ROWS + 1);
}

/* ---- before COMMIT -------------------------------------------------------------------------------- */

/* As look_sql.c counts them, of tables alone. */
static void add_tables(const struct database_settings *settings, struct buf *out)
{
    buf_adds(out,
             "WITH tables AS MATERIALIZED (\n"
             " SELECT n.nspname::pg_catalog.text AS schema, c.relname::pg_catalog.text AS name, ");
    look_add_managed(settings, out);
    buf_adds(
        out,
        " AS managed\n"
        " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
        " WHERE " LOOK_USERS_SCHEMAS " AND c.oid >= 16384\n"
        "  AND c.relkind IN ('r','p','f')\n"
        "  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d\n"
        "   WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass\n"
        "    AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype IN ('e','i')))\n");
}

static void add_shape(const struct database_settings *settings, struct buf *out)
{
    AUTO_BUF name = BUF_INIT(OWN_SQL_MAX_BYTES);
    settings_add_version_table(settings, &name);
    buf_adds(out,
             "(SELECT " LOOK_ALEMBICS "\n  FROM pg_catalog.pg_attribute a WHERE a.attrelid = ");
    db_add_literal(out, buf_text(&name));
    buf_adds(out, "::pg_catalog.regclass\n"
                  "   AND a.attnum > 0 AND NOT a.attisdropped)::pg_catalog.text");
}

/* An index that is not valid, or a schema that we may not use: neither is said to matter, only that
 * it is not known here whether it does. */
static const char doubt_sql[] =
    "UNION ALL SELECT 'doubt', NULL, NULL, NULL, NULL, NULL, NULL WHERE\n"
    " EXISTS (SELECT FROM pg_catalog.pg_index i WHERE NOT i.indisvalid)\n"
    " OR EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE " LOOK_USERS_SCHEMAS "\n"
    "  AND NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE'))\n";

void confirm_add_inside_sql(const struct database_settings *settings, struct buf *out)
{
    AUTO_BUF shape = BUF_INIT(OWN_SQL_MAX_BYTES);
    add_shape(settings, &shape);
    add_tables(settings, out);
    buf_adds(out, LOOK_SESSION " NULL AS f\n");
    add_version(settings, buf_text(&shape), out);
    buf_adds(out, "UNION ALL SELECT 'count', 'r', pg_catalog.count(*)::pg_catalog.text,\n"
                  " NULL, NULL, NULL, NULL FROM tables t WHERE t.managed AND NOT (t.schema = ");
    db_add_literal(out, settings->schema);
    buf_adds(out, " AND t.name = ");
    db_add_literal(out, settings->table);
    buf_adds(out, ")\n");
    look_add_missing(
        settings, "NOT EXISTS (SELECT FROM tables t WHERE t.schema = e.schema AND t.name = e.name)",
        out);
    buf_adds(out, doubt_sql);
    buf_adds(out, ";\n");
}

/* ---- behind COMMIT --------------------------------------------------------------------------------- */

/* A literal, as to_regclass takes it. */
static void add_expected(const char *expected, struct buf *out)
{
    const struct expected_table table = look_expected_table(expected);
    AUTO_BUF schema = BUF_INIT(OWN_SQL_MAX_BYTES), name = BUF_INIT(OWN_SQL_MAX_BYTES);
    buf_add(&schema, table.schema, table.schema_length);
    db_add_identifier(&name, buf_text(&schema));
    buf_addc(&name, '.');
    db_add_identifier(&name, table.name);
    db_add_literal(out, buf_text(&name));
}

void confirm_add_sql(const struct database_settings *settings, struct buf *out)
{
    buf_adds(out, LOOK_SESSION " NULL AS f\n");
    add_version(settings, "NULL", out);
    for (size_t i = 0; settings->expect && settings->expect[i]; i++) {
        buf_adds(out, "UNION ALL SELECT 'missing', ");
        db_add_literal(out, settings->expect[i]);
        buf_adds(out, ", NULL, NULL, NULL, NULL, NULL WHERE pg_catalog.to_regclass(");
        add_expected(settings->expect[i], out);
        buf_adds(out, ") IS NULL\n");
    }
    buf_adds(out, ";\n");
}

/* ---- their answers --------------------------------------------------------------------------------- */

/* What every short look asks, from SEEN over MADE. */
static void put_over(struct look *made, struct look *seen)
{
    names_release(&made->rows);
    names_release(&made->missing);
    free(made->server_version);
    free(made->user);
    made->rows = seen->rows;
    made->missing = seen->missing;
    made->server_version = TAKE_POINTER(seen->server_version);
    made->user = TAKE_POINTER(seen->user);
    seen->rows = seen->missing = (struct names){0}; /* moved, as the texts */
    made->backend_pid = seen->backend_pid;
    made->in_recovery = seen->in_recovery;
    made->read_only = seen->read_only;
}

int confirm_read_inside(const struct db_results *results, size_t at, struct look *made,
                        struct err *err)
{
    AUTO_LOOK seen = LOOK_INIT;
    if (state_look_read(results, at, &seen, err) != 0)
        return -1;
    put_over(made, &seen);
    made->version_exists = seen.version_exists;
    made->version_is_alembics = seen.version_is_alembics;
    made->version_readable = seen.version_readable;
    made->counts = seen.counts;
    made->is_empty = false;
    made->is_doubtful = seen.is_doubtful;
    return 0;
}

int confirm_read(const struct db_results *results, size_t at, struct look *made, struct err *err)
{
    AUTO_LOOK seen = LOOK_INIT;
    if (state_look_read(results, at, &seen, err) != 0)
        return -1;
    put_over(made, &seen);
    return 0;
}
