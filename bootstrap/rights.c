/* bootstrap/rights.c: what the role may do, looked at before the DDL, and whose the objects are. */
#include <string.h>

#include "base/str.h"
#include "bootstrap/apply.h"

/* Append `GRANT x TO y;` with quoted names to the hint; OPTION is " WITH ..." or "". */
static void add_grant(struct buf *hint, const char *what, const char *object, const char *role,
                      const char *option)
{
    buf_adds(hint, hint->len ? " " : "Run as an administrator: ");
    buf_adds(hint, what);
    if (object)
        db_add_identifier(hint, object);
    buf_adds(hint, " TO ");
    db_add_identifier(hint, role);
    buf_addf(hint, "%s;", option);
}

static int refuse(struct err *err, const struct buf *hint, const char *format, ...) PRINTF(3, 4);
static int refuse(struct err *err, const struct buf *hint, const char *format, ...)
{
    AUTO_BUF text = BUF_INIT(ERR_TEXT_BYTES);
    va_list args;
    va_start(args, format);
    buf_addv(&text, format, args);
    va_end(args);
    err_set(err, ERR_DB_REFUSED, "%s", buf_text(&text));
    err_sqlstate(err, "42501");
    err->step = "privilege";
    return hint->len ? err_hint(err, "%s", buf_text(hint)) : -1;
}

static int check_owner(const struct run *run, const struct look *look, struct err *err)
{
    const char *owner = run->settings->owner, *schema = run->settings->schema;
    AUTO_BUF hint = BUF_INIT(ERR_HINT_BYTES);
    if (!look->owner_exists) {
        buf_adds(&hint, "Run as an administrator: CREATE ROLE ");
        db_add_identifier(&hint, owner);
        buf_adds(&hint, " NOLOGIN;");
        add_grant(&hint, "GRANT ", owner, look->user, "");
        add_grant(&hint, "GRANT USAGE, CREATE ON SCHEMA ", schema, owner, "");
        return refuse(err, &hint, "%s: the owner's role '%s' does not exist", run->place, owner);
    }
    bool no_create = look->schema_exists && !look->owner_schema_create;
    /* A role that a CREATEROLE login has made is its own to grant on, and not to become: since
     * PostgreSQL 16 the membership that it got with it has neither option, and a plain GRANT adds none. */
    if (!look->owner_settable)
        add_grant(&hint, "GRANT ", owner, look->user,
                  look->owner_member ? " WITH INHERIT TRUE, SET TRUE" : "");
    if (no_create)
        add_grant(&hint, "GRANT USAGE, CREATE ON SCHEMA ", schema, owner, "");
    if (hint.len == 0)
        return 0;
    if (no_create)
        return refuse(err, &hint, "%s: the owner '%s' may not create in the schema '%s'",
                      run->place, owner, schema);
    if (look->owner_member)
        return refuse(err, &hint,
                      "%s: the login '%s' is a member of the owner '%s' and may not SET ROLE to it",
                      run->place, look->user, owner);
    return refuse(err, &hint, "%s: the login '%s' is not a member of the owner '%s'", run->place,
                  look->user, owner);
}

int rights_check(const struct run *run, const struct look *look, struct err *err)
{
    if (run->settings->owner)
        return check_owner(run, look, err);
    if (!look->schema_exists || look->schema_create || look->version_exists)
        return 0;
    AUTO_BUF hint = BUF_INIT(ERR_HINT_BYTES);
    add_grant(&hint, "GRANT USAGE, CREATE ON SCHEMA ", run->settings->schema, look->user, "");
    return refuse(err, &hint, "%s: the login '%s' may not create in the schema '%s'", run->place,
                  look->user, run->settings->schema);
}

/* ---- extensions ------------------------------------------------------------------------------ */

/* A row for each wanted extension: name, available, installed, trusted. */
static void add_extension_query(const struct plan *plan, int server_version, struct buf *out)
{
    /* trusted extensions came with 13 */
    const char *trusted = server_version >= 130000 ? "v.trusted OR NOT v.superuser"
                                                   : "NOT v.superuser";
    buf_adds(out,
             "SELECT w.name, (count(v.name) > 0)::int, coalesce(pg_catalog.bool_or(v.installed),"
             " false)::int, coalesce(pg_catalog.bool_or(");
    buf_adds(out, trusted);
    buf_adds(out, "), false)::int FROM (VALUES ");
    for (size_t i = 0; i < plan->extensions.count; i++) {
        buf_adds(out, i ? ", (" : "(");
        db_add_literal(out, plan->extensions.list[i]);
        buf_adds(out, ")");
    }
    buf_adds(out, ") w(name) LEFT JOIN pg_catalog.pg_available_extension_versions v ON v.name = "
                  "w.name GROUP BY w.name ORDER BY w.name;");
}

static int check_extension(const struct run *run, const struct look *look,
                           const struct db_rows *rows, size_t row, struct err *err)
{
    const char *name = db_cell(rows, row, 0);
    bool available = *db_cell(rows, row, 1) == '1', installed = *db_cell(rows, row, 2) == '1';
    bool trusted = *db_cell(rows, row, 3) == '1';
    AUTO_BUF hint = BUF_INIT(ERR_HINT_BYTES);
    if (installed)
        return 0;
    if (!available) {
        buf_addf(&hint, "Install the package that brings '%s' where the server runs.", name);
        return refuse(err, &hint, "%s: the server has no extension '%s'", run->place, name);
    }
    if (look->superuser || (trusted && look->may_create_schema))
        return 0;
    if (trusted) {
        add_grant(&hint, "GRANT CREATE ON DATABASE ", run->target.database, look->user, "");
        return refuse(err, &hint, "%s: the login '%s' may not create the extension '%s'",
                      run->place, look->user, name);
    }
    buf_adds(&hint, "Run as a superuser in this database: CREATE EXTENSION ");
    db_add_identifier(&hint, name);
    buf_adds(&hint, ";");
    return refuse(err, &hint, "%s: the extension '%s' is not a trusted one, '%s' may not create it",
                  run->place, name, look->user);
}

static int check_extensions(const struct run *run, const struct look *look,
                            const struct db_rows *rows, struct err *err)
{
    for (size_t i = 0; i < rows->row_count; i++) {
        if (check_extension(run, look, rows, i, err) != 0)
            return -1;
    }
    return 0;
}

/* A round trip, where the script makes extensions. */
int rights_check_extensions(struct run *run, struct db *db, const struct look *look,
                            struct err *err)
{
    if (run->plan.extensions.count == 0)
        return 0;
    AUTO_BUF sql = BUF_INIT(OWN_SQL_MAX_BYTES);
    struct db_info info;
    db_info(db, &info);
    add_extension_query(&run->plan, info.server_version, &sql);
    if (buf_check(&sql, ERR_FILE, "the extensions' names", err) != 0)
        return -1;
    struct db_results results;
    if (db_query(db, buf_text(&sql), run_deadline(run, 1), &results, NULL, err) != 0)
        return -1;
    int rc = results.count == 1 ? check_extensions(run, look, &results.list[0], err)
                                : err_set(err, ERR_DEFECT, "the look at extensions gave no result");
    db_results_free(&results);
    return rc;
}

/* ---- owners ---------------------------------------------------------------------------------- */

/* Every object of the user's whose owner is not the contract's: a row of kind, name, owner. What an
 * extension brought belongs to who made the extension. */
void rights_add_owner_query(const struct database_settings *settings, struct buf *out)
{
    static const char *const kinds[] = {
        "SELECT 'pg_catalog.pg_class'::regclass AS class, c.oid, CASE c.relkind WHEN 'v' THEN "
        "'view' "
        "WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table' "
        "ELSE 'table' END AS kind, c.relname AS name, c.relnamespace AS schema, c.relowner AS "
        "owner "
        "FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')",
        "SELECT 'pg_catalog.pg_proc'::regclass, p.oid, 'function', p.proname, p.pronamespace, "
        "p.proowner FROM pg_catalog.pg_proc p",
        "SELECT 'pg_catalog.pg_type'::regclass, t.oid, 'type', t.typname, t.typnamespace, "
        "t.typowner "
        "FROM pg_catalog.pg_type t WHERE t.typtype <> 'm' AND t.typelem = 0 AND (t.typrelid = 0 OR "
        "(SELECT c.relkind = 'c' FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid))",
    };
    buf_adds(out, "SELECT o.kind, n.nspname, o.name, r.rolname FROM (");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        buf_addf(out, "%s%s", i ? " UNION ALL " : "", kinds[i]);
    buf_adds(out,
             ") o JOIN pg_catalog.pg_namespace n ON n.oid = o.schema JOIN pg_catalog.pg_roles r "
             "ON r.oid = o.owner WHERE r.rolname <> ");
    db_add_literal(out, settings->owner ? settings->owner : "");
    buf_adds(out, " AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'");
    for (size_t i = 0; settings->schemas && settings->schemas[i]; i++) {
        buf_adds(out, i ? ", " : " AND n.nspname IN (");
        db_add_literal(out, settings->schemas[i]);
    }
    if (settings->schemas && settings->schemas[0])
        buf_adds(out, ")");
    buf_adds(out,
             " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = o.class AND "
             "d.objid = o.oid AND d.deptype = 'e') ORDER BY 1, 2, 3;\n");
}

int rights_check_owners(const struct run *run, const struct db_rows *rows, struct err *err)
{
    if (rows->row_count == 0)
        return 0;
    AUTO_BUF hint = BUF_INIT(ERR_HINT_BYTES);
    AUTO_BUF names = BUF_INIT(ERR_TEXT_BYTES);
    for (size_t i = 0; i < rows->row_count && i < LOOK_FIRST_OBJECTS; i++)
        buf_addf(&names, "%s%s %s.%s (%s)", i ? ", " : "", db_cell(rows, i, 0), db_cell(rows, i, 1),
                 db_cell(rows, i, 2), db_cell(rows, i, 3));
    if (rows->row_count > LOOK_FIRST_OBJECTS)
        buf_adds(&names, ", ...");
    buf_addf(&hint,
             "Everything is made as '%s'; what makes objects of another owner is a SET ROLE, an "
             "AUTHORIZATION or a function with rights of its own, or they were there before.",
             run->settings->owner);
    return refuse(err, &hint, "%s: %zu objects do not belong to the owner '%s': %s", run->place,
                  rows->row_count, run->settings->owner, buf_text(&names));
}
