/* bootstrap/confirm.c: the second look, short.
 *
 * Before COMMIT the whole look found what the transaction would leave, and it was `current`. One
 * transaction is seen whole or not at all, so that another session needs few questions to know that
 * it is there: the rows of the version table, the tables that the contract expects, and what the
 * session is. They name no catalog: in a new session, whose caches are empty, and behind a thousand
 * statements of DDL, reading catalogs costs ten times as much. The facts have the shape of look.c's. */
#include <string.h>

#include "base/mem.h"
#include "bootstrap/apply.h"

/* 'table', or 'schema.table' as to_regclass takes it. */
static void add_expected(const char *expected, struct buf *out)
{
    AUTO_BUF name = BUF_INIT(OWN_SQL_MAX_BYTES);
    const char *dot = strchr(expected, '.');
    AUTO_BUF schema = BUF_INIT(OWN_SQL_MAX_BYTES);
    if (dot)
        buf_add(&schema, expected, (size_t)(dot - expected));
    else
        buf_adds(&schema, "public");
    db_add_identifier(&name, buf_text(&schema));
    buf_addc(&name, '.');
    db_add_identifier(&name, dot ? dot + 1 : expected);
    db_add_literal(out, buf_text(&name));
}

void confirm_add_sql(const struct database_settings *settings, struct buf *out)
{
    buf_adds(
        out,
        "SELECT 'session' AS fact, pg_catalog.current_setting('server_version') AS a,\n"
        " current_user::pg_catalog.text AS b, pg_catalog.pg_backend_pid()::pg_catalog.text AS c,\n"
        " pg_catalog.pg_is_in_recovery()::pg_catalog.text AS d,\n"
        " pg_catalog.current_setting('transaction_read_only') AS e, NULL AS f\n"
        "UNION ALL SELECT 'version', NULL, NULL, NULL, NULL,\n"
        " (SELECT pg_catalog.string_agg(pg_catalog.concat('<h>', pg_catalog.encode(\n"
        "   pg_catalog.convert_to(v.id, 'UTF8'), 'hex')), '')\n"
        "  FROM (SELECT version_num::pg_catalog.text AS id FROM ");
    settings_add_version_table(settings, out);
    buf_addf(out, " LIMIT %d) v), NULL\n", LOOK_MAX_ROWS + 1);
    for (size_t i = 0; settings->expect && settings->expect[i]; i++) {
        buf_adds(out, "UNION ALL SELECT 'missing', ");
        db_add_literal(out, settings->expect[i]);
        buf_adds(out, ", NULL, NULL, NULL, NULL, NULL WHERE pg_catalog.to_regclass(");
        add_expected(settings->expect[i], out);
        buf_adds(out, ") IS NULL\n");
    }
    buf_adds(out, ";\n");
}

int confirm_read(const struct db_results *results, size_t at, struct look *made, struct err *err)
{
    AUTO_LOOK seen = LOOK_INIT;
    if (state_look_read(results, at, &seen, err) != 0)
        return -1;
    names_release(&made->rows);
    names_release(&made->missing);
    free(made->server_version);
    free(made->user);
    made->rows = seen.rows;
    made->missing = seen.missing;
    made->server_version = TAKE_POINTER(seen.server_version);
    made->user = TAKE_POINTER(seen.user);
    seen.rows = seen.missing = (struct names){0}; /* moved, as the texts */
    made->backend_pid = seen.backend_pid;
    made->in_recovery = seen.in_recovery;
    made->read_only = seen.read_only;
    return 0;
}
