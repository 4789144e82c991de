/* pg_owned.c: what belongs to a login that should be the owner's; see rotate/pg_roles.h.
 *
 * A login that owns a table locks the other one out of it after the flip, and what was granted to a
 * login alone is gone with it. pg_shdepend, which all databases share, says from anywhere which roles
 * something belongs to in which database: others than the one at hand are visited only where it names
 * grants, to see whether the owner has the same. */
#include "rotate/pg_roles.h"

#include <string.h>

#include "base/str.h"

enum { STATEMENTS_MAX = 200, HINT_BYTES = 1500 };

void pg_obstacles_release(struct pg_obstacles *obstacles)
{
    buf_release(&obstacles->said);
    buf_release(&obstacles->plan);
}

static void add_login_names(const struct pg_look *look, struct buf *sql)
{
    for (size_t i = 0; i < look->count; i++) {
        buf_adds(sql, i ? ", " : "(");
        db_add_literal(sql, look->names[i]);
    }
    buf_adds(sql, ")");
}

/* ---- the queries ------------------------------------------------------------------------------------ */

static void add_dependencies(const struct pg_look *look, struct buf *sql)
{
    buf_adds(sql,
             "SELECT db.datname, r.rolname, x.what, count(*), min(x.description), "
             "current_database(), db.datname = current_database() FROM (SELECT d.dbid, d.refobjid, "
             "CASE WHEN d.classid = 'pg_default_acl'::regclass THEN 'defaults' "
             "WHEN d.deptype = 'o' THEN 'owns' ELSE 'granted' END AS what, "
             "CASE WHEN d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = "
             "current_database())) THEN pg_describe_object(d.classid, d.objid, d.objsubid) END AS "
             "description FROM pg_shdepend d WHERE d.refclassid = 'pg_authid'::regclass AND "
             "d.deptype IN ('o', 'a') AND d.classid <> 'pg_auth_members'::regclass) x "
             "JOIN pg_roles r ON r.oid = x.refobjid LEFT JOIN pg_database db ON db.oid = x.dbid "
             "WHERE r.rolname IN ");
    add_login_names(look, sql);
    buf_adds(sql, " GROUP BY 1, 2, 3 ORDER BY 1 NULLS FIRST, 2, 3; ");
}

/* Of every kind of object: what it is called in GRANT, whose it is, and its grants. */
static void add_acls(bool with_shared, struct buf *sql)
{
    buf_adds(sql,
             "a(kind, name, cols, holder, acl) AS (SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' "
             "ELSE 'TABLE' END, c.oid::regclass::text, '', c.relowner, c.relacl FROM pg_class c "
             "UNION ALL SELECT 'TABLE', c.oid::regclass::text, ' (' || quote_ident(t.attname) || "
             "')', c.relowner, t.attacl FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid "
             "UNION ALL SELECT 'SCHEMA', quote_ident(nspname), '', nspowner, nspacl FROM "
             "pg_namespace "
             "UNION ALL SELECT 'ROUTINE', oid::regprocedure::text, '', proowner, proacl FROM "
             "pg_proc "
             "UNION ALL SELECT 'TYPE', format_type(oid, NULL), '', typowner, typacl FROM pg_type "
             "UNION ALL SELECT 'LANGUAGE', quote_ident(lanname), '', lanowner, lanacl FROM "
             "pg_language "
             "UNION ALL SELECT 'FOREIGN DATA WRAPPER', quote_ident(fdwname), '', fdwowner, fdwacl "
             "FROM pg_foreign_data_wrapper "
             "UNION ALL SELECT 'FOREIGN SERVER', quote_ident(srvname), '', srvowner, srvacl FROM "
             "pg_foreign_server "
             "UNION ALL SELECT 'LARGE OBJECT', oid::text, '', lomowner, lomacl FROM "
             "pg_largeobject_metadata");
    if (with_shared)
        buf_adds(sql, " UNION ALL SELECT 'DATABASE', quote_ident(datname), '', datdba, datacl FROM "
                      "pg_database UNION ALL SELECT 'TABLESPACE', quote_ident(spcname), '', "
                      "spcowner, spcacl FROM pg_tablespace");
    buf_adds(sql, ") ");
}

static void add_default_privileges(struct buf *sql)
{
    buf_adds(sql,
             "UNION SELECT 'ALTER DEFAULT PRIVILEGES FOR ROLE ' || quote_ident(o.rolname) || "
             "coalesce(' IN SCHEMA ' || quote_ident(n.nspname), '') || ' GRANT ' || "
             "e.privilege_type || ' ON ' || CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' "
             "THEN 'SEQUENCES' WHEN 'f' THEN 'ROUTINES' WHEN 'T' THEN 'TYPES' WHEN 'n' THEN "
             "'SCHEMAS' ELSE 'LARGE OBJECTS' END || ' TO ' || CASE e.grantee WHEN 0 THEN 'PUBLIC' "
             "ELSE quote_ident(pg_get_userbyid(e.grantee)) END || ';' FROM pg_default_acl d JOIN l "
             "ON l.oid = d.defaclrole LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace CROSS "
             "JOIN o CROSS JOIN LATERAL aclexplode(d.defaclacl) e WHERE e.grantee NOT IN (SELECT "
             "oid FROM l) AND e.grantee <> o.oid AND NOT EXISTS (SELECT FROM pg_default_acl p "
             "CROSS JOIN LATERAL aclexplode(p.defaclacl) x WHERE p.defaclrole = o.oid AND "
             "p.defaclnamespace = d.defaclnamespace AND p.defaclobjtype = d.defaclobjtype AND "
             "x.grantee = e.grantee AND x.privilege_type = e.privilege_type) ");
}

/* The statements that give the owner what only a login has, in the database at hand. */
static void add_grants(const struct pg_look *look, bool with_shared, struct buf *sql)
{
    buf_adds(sql, "WITH l AS (SELECT oid, rolname FROM pg_roles WHERE rolname IN ");
    add_login_names(look, sql);
    buf_adds(sql, "), o AS (SELECT oid, rolname FROM pg_roles WHERE rolname = ");
    db_add_literal(sql, look->owner);
    buf_adds(sql, "), ");
    add_acls(with_shared, sql);
    buf_adds(sql,
             "SELECT 'GRANT ' || e.privilege_type || a.cols || ' ON ' || a.kind || ' ' || a.name "
             "|| ' TO ' || quote_ident(o.rolname) || ';' FROM a CROSS JOIN o CROSS JOIN LATERAL "
             "aclexplode(a.acl) e JOIN l ON l.oid = e.grantee WHERE a.acl IS NOT NULL AND NOT "
             "pg_has_role(o.oid, a.holder, 'USAGE') AND a.holder NOT IN (SELECT oid FROM l) AND "
             "NOT EXISTS (SELECT FROM aclexplode(a.acl) x WHERE x.privilege_type = "
             "e.privilege_type AND (x.grantee = 0 OR pg_has_role(o.oid, x.grantee, 'USAGE'))) ");
    if (with_shared)
        buf_adds(sql, "UNION SELECT 'GRANT ' || quote_ident(g.rolname) || ' TO ' || "
                      "quote_ident(o.rolname) || ';' FROM pg_auth_members m JOIN l ON l.oid = "
                      "m.member JOIN pg_roles g ON g.oid = m.roleid CROSS JOIN o WHERE m.roleid "
                      "<> o.oid AND NOT pg_has_role(o.oid, m.roleid, 'USAGE') ");
    add_default_privileges(sql);
    buf_addf(sql, "ORDER BY 1 LIMIT %d; ", STATEMENTS_MAX);
}

/* What ALTER ROLE ... SET gave the model (m) and the other one (o), and their connection limits: the
 * statements that make the other one as the model. What is a list of names stays as it is written. A
 * setting with a dot is an application's own, and may be a secret: its value is not told. */
static void add_settings(const struct pg_look *look, struct buf *sql)
{
    buf_adds(sql, "WITH m AS (SELECT * FROM pg_roles WHERE rolname = ");
    db_add_literal(sql, look->model);
    buf_adds(sql, "), o AS (SELECT * FROM pg_roles WHERE rolname <> ");
    db_add_literal(sql, look->model);
    buf_adds(sql, " AND rolname IN ");
    add_login_names(look, sql);
    buf_adds(sql,
             "), s AS (SELECT t.setrole, t.setdatabase, d.datname, split_part(v, '=', 1) AS name, "
             "substr(v, strpos(v, '=') + 1) AS value FROM pg_db_role_setting t CROSS JOIN LATERAL "
             "unnest(t.setconfig) v LEFT JOIN pg_database d ON d.oid = t.setdatabase WHERE v NOT "
             "LIKE 'role=%'), h AS (SELECT a.*, 'ALTER ROLE ' || quote_ident(o.rolname) || "
             "coalesce(' IN DATABASE ' || quote_ident(a.datname), '') AS head, m.oid AS model, "
             "o.oid AS other FROM m CROSS JOIN o JOIN s a ON a.setrole IN (m.oid, o.oid)) "
             "SELECT CASE WHEN name LIKE '%.%' THEN '/* ' || head || ' SET ' || name || ' TO what "
             "the other login has; */' ELSE head || ' SET ' || name || ' TO ' || CASE WHEN name "
             "IN ('search_path', 'temp_tablespaces', 'session_preload_libraries', "
             "'local_preload_libraries') THEN value ELSE quote_literal(value) END || ';' END FROM "
             "h WHERE setrole = model AND NOT "
             "EXISTS (SELECT FROM s WHERE s.setrole = other AND s.setdatabase = h.setdatabase AND "
             "s.name = h.name AND s.value = h.value) "
             "UNION SELECT head || ' RESET ' || name || ';' FROM h WHERE setrole = other AND NOT "
             "EXISTS (SELECT FROM s WHERE s.setrole = model AND s.setdatabase = h.setdatabase AND "
             "s.name = h.name) "
             "UNION SELECT 'ALTER ROLE ' || quote_ident(o.rolname) || ' CONNECTION LIMIT ' || "
             "m.rolconnlimit || ';' FROM m CROSS JOIN o WHERE m.rolconnlimit <> o.rolconnlimit "
             "ORDER BY 1; ");
}

void pg_owned_sql(const struct pg_look *look, struct buf *sql)
{
    add_dependencies(look, sql);
    add_grants(look, true, sql);
    if (look->model)
        add_settings(look, sql);
}

/* ---- what they say ---------------------------------------------------------------------------------- */

/* The rows of add_dependencies. */
enum { DATABASE, ROLE, WHAT, COUNT, EXAMPLE, AT_HAND, IS_AT_HAND };

struct reading {
    struct rotation *r;
    const struct pg_look *look;
    struct pg_obstacles *out;
    struct err *err;
};

static void say_next(struct buf *said)
{
    if (said->len > 0)
        buf_adds(said, "; ");
}

void pg_plan_connect(const char *database, struct buf *plan)
{
    buf_adds(plan, "\\connect "); /* psql takes a quoted name as SQL does */
    db_add_identifier(plan, database);
    buf_addc(plan, '\n');
}

static void connect_line(const struct reading *reading, const char *database, bool *connected)
{
    if (!*connected)
        pg_plan_connect(database, &reading->out->plan);
    *connected = true;
}

/* What is owned is reassigned, by one who is a member of both. */
static void read_owned(const struct reading *reading, const struct db_rows *rows, size_t row)
{
    struct buf *plan = &reading->out->plan;
    const char *role = db_cell(rows, row, ROLE), *example = db_cell(rows, row, EXAMPLE);
    const char *database = db_cell(rows, row, DATABASE);
    say_next(&reading->out->said);
    buf_addf(&reading->out->said, "'%s' owns %s object%s", role, db_cell(rows, row, COUNT),
             str_eq(db_cell(rows, row, COUNT), "1") ? "" : "s");
    if (*database)
        buf_addf(&reading->out->said, " in database '%s'", database);
    if (*example)
        buf_addf(&reading->out->said, " (%s)", example);
    if (!reading->look->admin_superuser) {
        buf_adds(plan, "GRANT ");
        db_add_identifier(plan, role);
        buf_adds(plan, ", ");
        db_add_identifier(plan, reading->look->owner);
        buf_adds(plan, " TO CURRENT_USER;\n");
    }
    buf_adds(plan, "REASSIGN OWNED BY ");
    db_add_identifier(plan, role);
    buf_adds(plan, " TO ");
    db_add_identifier(plan, reading->look->owner);
    buf_adds(plan, ";\n");
}

static void read_grants(const struct reading *reading, const char *database,
                        const struct db_rows *grants, bool *connected)
{
    if (grants->row_count == 0)
        return;
    say_next(&reading->out->said);
    buf_addf(&reading->out->said, "in database '%s' a login has %zu privilege%s that '%s' has not",
             database, grants->row_count, grants->row_count == 1 ? "" : "s", reading->look->owner);
    connect_line(reading, database, connected);
    for (size_t i = 0; i < grants->row_count; i++)
        buf_addf(&reading->out->plan, "%s\n", db_cell(grants, i, 0));
}

static void read_settings(const struct reading *reading, const struct db_rows *settings)
{
    if (settings->row_count == 0)
        return;
    say_next(&reading->out->said);
    buf_addf(&reading->out->said, "%zu setting%s of '%s' %s not the other login's",
             settings->row_count, settings->row_count == 1 ? "" : "s", reading->look->model,
             settings->row_count == 1 ? "is" : "are");
    for (size_t i = 0; i < settings->row_count; i++)
        buf_addf(&reading->out->plan, "%s\n", db_cell(settings, i, 0));
}

static int ask_there(const struct reading *reading, const char *database,
                     struct db_results *results, struct err *err)
{
    AUTO_DB db = NULL;
    AUTO_BUF sql = BUF_INIT(PG_SQL_BYTES);
    if (login_admin_of_database(reading->r, database, &db, err) != 0)
        return -1;
    pg_message_begin(&sql);
    add_grants(reading->look, false, &sql);
    if (buf_check(&sql, ERR_CONTRACT, "the statements for the roles", err) != 0)
        return -1;
    return db_query(db, buf_text(&sql), login_deadline(reading->r, LOGIN_STATEMENT_MS), results,
                    NULL, err);
}

/* Grants in another database. That it can't be looked at is said, and is no obstacle: nothing there
 * is known to be wrong. */
static int visit(const struct reading *reading, const char *database, bool *connected)
{
    struct db_results results = {0};
    struct err err = ERR_INIT;
    if (ask_there(reading, database, &results, &err) != 0) {
        if (err.kind == ERR_RESOURCE || err.kind == ERR_STOPPED) {
            *reading->err = err;
            return -1;
        }
        engine_say(reading->r,
                   "database '%s' has grants to these logins, and was not looked at: %s", database,
                   err.text);
        return 0;
    }
    read_grants(reading, database, &results.list[results.count - 1], connected);
    db_results_free(&results);
    return 0;
}

/* One database's rows, from FIRST on; *next is behind them. */
static int read_database(const struct reading *reading, const struct db_rows *rows, size_t first,
                         unsigned *visits, size_t *next)
{
    const char *database = db_cell(rows, first, DATABASE);
    bool is_here = str_eq(db_cell(rows, first, IS_AT_HAND), "t"), connected = false;
    bool wants_visit = false;
    size_t row = first;
    for (; row < rows->row_count && str_eq(db_cell(rows, row, DATABASE), database); row++) {
        bool owns = str_eq(db_cell(rows, row, WHAT), "owns");
        /* What all databases share is reassigned from any of them. */
        if (owns) {
            connect_line(reading, *database ? database : db_cell(rows, row, AT_HAND), &connected);
            read_owned(reading, rows, row);
        }
        wants_visit = wants_visit || !owns;
    }
    *next = row;
    if (!wants_visit || is_here || !*database)
        return 0;
    if ((*visits)++ >= PG_DATABASES_MAX) {
        engine_say(reading->r,
                   "more than %d databases have grants to these logins: '%s' was not "
                   "looked at",
                   PG_DATABASES_MAX, database);
        return 0;
    }
    return visit(reading, database, &connected);
}

int pg_owned_read(struct rotation *r, const struct pg_look *look, const struct db_results *results,
                  size_t first, struct pg_obstacles *out, struct err *err)
{
    if (results->count < first + 2 + (look->model != NULL))
        return err_set(err, ERR_DEFECT, "the queries for owned objects gave %zu results",
                       results->count);
    struct reading reading = {.r = r, .look = look, .out = out, .err = err};
    const struct db_rows *rows = &results->list[first], *grants = &results->list[first + 1];
    unsigned visits = 0;
    bool connected = false;
    struct db_info info;
    for (size_t row = 0; row < rows->row_count;)
        if (read_database(&reading, rows, row, &visits, &row) != 0)
            return -1;
    db_info(r->admin, &info);
    read_grants(&reading, info.database ? info.database : "", grants, &connected);
    if (look->model)
        read_settings(&reading, &results->list[first + 2]);
    if (buf_check(&out->said, ERR_DB_STATE, "what is in the way", err) != 0)
        return -1;
    return buf_check(&out->plan, ERR_DB_STATE, "the plan", err);
}

int pg_obstacles_error(const struct rotation *r, const struct pg_obstacles *obstacles,
                       struct err *err)
{
    AUTO_BUF plan = BUF_INIT(PG_SQL_BYTES);
    err_set(err, ERR_DB_STATE,
            "the logins must have nothing of their own, so that each can do what the other can: %s",
            buf_text(&obstacles->said));
    buf_adds(&plan, buf_text(&obstacles->plan));
    for (size_t i = 0; i < plan.len; i++)
        if (plan.data[i] == '\n')
            plan.data[i] = ' ';
    if (plan.len <= HINT_BYTES)
        return err_hint(err, "As an administrator: %s", buf_text(&plan));
    return err_hint(err, "agent rotate --dry-run %s prints the SQL that gives it to '%s'.",
                    r->spec->variable, r->spec->owner);
}
