/* pg_init.c: --init of pg-two-login: the owner, its two logins, and what they need of each other; see
 * rotate/pg_roles.h.
 *
 * What is there is kept, what is missing is made, in one transaction. A login that is in use keeps
 * working throughout: being a member of the owner only adds to what it may; that its sessions begin as the
 * owner comes last, and only when nothing is its own any more. So the order for a database that had one
 * login is: --init (makes the roles, prints the plan), the plan (REASSIGN), --init again (publishes).
 *
 * Exchanges: the admin's connection, 2; where the user so far is none of the two logins, 1 more, and a
 * connection and 1 more where it is a superuser; a connection with the current credential. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "rotate/pg_roles.h"

struct making {
    struct rotation *r;
    struct pg_look look;
    const char *user; /* in the place now, or NULL */
    bool is_foreign;  /* it is none of the logins */
    struct buf sql;
    struct err *err;
};

/* "app_rw", "app_a", "app_b" */
static void add_names(const struct making *m, struct buf *out)
{
    db_add_identifier(out, m->look.owner);
    for (size_t i = 0; i < m->look.count; i++) {
        buf_adds(out, ", ");
        db_add_identifier(out, m->look.names[i]);
    }
}

static int send_failed(struct making *m, const char *what)
{
    AUTO_BUF names = BUF_INIT(ERR_HINT_BYTES);
    err_wrap(m->err, "%s", what);
    if (!str_eq(m->err->sqlstate, "42501"))
        return -1;
    add_names(m, &names);
    return err_hint(
        m->err,
        "The admin '%s' needs CREATEROLE, and with PostgreSQL 16 and later ADMIN OPTION "
        "on the roles that it has not made: GRANT %s TO \"%s\" WITH ADMIN OPTION;",
        m->look.admin, buf_text(&names), m->look.admin);
}

static int send(struct making *m, struct db_results *out, const char *what)
{
    struct db_results results = {0};
    if (pg_ask(m->r, &m->sql, &results, m->err) != 0)
        return send_failed(m, what);
    if (out)
        *out = results;
    else
        db_results_free(&results);
    return 0;
}

static void begin_message(struct making *m)
{
    buf_clear(&m->sql);
    pg_message_begin(&m->sql);
}

/* ---- what is there ---------------------------------------------------------------------------------- */

static int look(struct making *m, struct pg_obstacles *obstacles, bool with_owned)
{
    struct db *admin = NULL;
    struct db_info info;
    struct db_results results = {0};
    if (rotation_admin(m->r, &admin, m->err) != 0)
        return -1;
    db_info(admin, &info);
    begin_message(m);
    pg_look_sql(&m->look, NULL, info.server_version, &m->sql);
    if (with_owned)
        pg_owned_sql(&m->look, &m->sql);
    if (send(m, &results, "look at the roles") != 0)
        return -1;
    int result = pg_look_read(&m->look, &results.list[PG_BEGIN_RESULTS], m->err);
    if (result == 0 && with_owned)
        result = pg_owned_read(m->r, &m->look, &results, PG_BEGIN_RESULTS + 1, obstacles, m->err);
    db_results_free(&results);
    return result;
}

/* ---- what is made ----------------------------------------------------------------------------------- */

static void add_role(struct making *m, const char *name)
{
    buf_adds(&m->sql, "CREATE ROLE ");
    db_add_identifier(&m->sql, name);
    buf_adds(&m->sql, " NOLOGIN; "); /* LOGIN comes with its first password */
    engine_say(m->r, "role '%s' is made", name);
}

static void add_membership(struct making *m, const char *name)
{
    buf_adds(&m->sql, "GRANT ");
    db_add_identifier(&m->sql, m->look.owner);
    buf_adds(&m->sql, " TO ");
    db_add_identifier(&m->sql, name);
    buf_adds(&m->sql, "; ");
    engine_say(m->r, "'%s' becomes a member of '%s'", name, m->look.owner);
}

/* Everything that takes nothing away. */
static int make_roles(struct making *m)
{
    begin_message(m);
    size_t before = m->sql.len;
    if (!m->look.owner_there)
        add_role(m, m->look.owner);
    for (size_t i = 0; i < m->look.count; i++) {
        if (!m->look.logins[i].there)
            add_role(m, m->look.names[i]);
        if (!m->look.logins[i].is_member)
            add_membership(m, m->look.names[i]);
    }
    return m->sql.len > before ? send(m, NULL, "make the roles") : 0;
}

/* The owner's way into the database, where PUBLIC has none; then how sessions begin. */
static int set_roles(struct making *m, const char *database)
{
    size_t setting = 0;
    begin_message(m);
    /* The server would say that the admin may not become the owner, which it needs not. */
    buf_adds(&m->sql, "SET LOCAL client_min_messages = warning; ");
    for (size_t i = 0; i < m->look.count; i++) {
        if (m->look.logins[i].sets_owner)
            continue;
        buf_adds(&m->sql, "ALTER ROLE ");
        db_add_identifier(&m->sql, m->look.names[i]);
        buf_adds(&m->sql, " SET role = ");
        db_add_identifier(&m->sql, m->look.owner);
        buf_adds(&m->sql, "; ");
        setting++;
    }
    if (setting == 0)
        return 0;
    buf_adds(&m->sql, "SELECT has_database_privilege(r.oid, d.oid, 'CONNECT') FROM pg_roles r, "
                      "pg_database d WHERE r.rolname = ");
    db_add_literal(&m->sql, m->look.owner);
    buf_adds(&m->sql, " AND d.datname = ");
    db_add_literal(&m->sql, database);
    struct db_results results = {0};
    if (send(m, &results, "let the logins begin as their owner") != 0)
        return -1;
    bool may_connect = str_eq(db_cell(&results.list[results.count - 1], 0, 0), "t");
    db_results_free(&results);
    engine_say(m->r, "sessions of the logins begin as '%s'", m->look.owner);
    if (may_connect)
        return 0;
    begin_message(m);
    buf_adds(&m->sql, "GRANT CONNECT ON DATABASE ");
    db_add_identifier(&m->sql, database);
    buf_adds(&m->sql, " TO ");
    db_add_identifier(&m->sql, m->look.owner);
    return send(m, NULL, "let the owner into the database");
}

/* ---- the user so far --------------------------------------------------------------------------------- */

/* A superuser's objects are in no catalog of dependencies, and REASSIGN OWNED is refused for the first
 * one: what it has in the application's database is given away piece by piece. */
static int superusers_objects(struct making *m, const char *database, struct pg_obstacles *out)
{
    AUTO_DB db = NULL;
    struct db_results results = {0};
    if (login_admin_of_database(m->r, database, &db, m->err) != 0)
        return -1;
    begin_message(m);
    buf_adds(&m->sql,
             "SELECT 'ALTER ' || CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED "
             "VIEW' WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END || ' ' "
             "|| c.oid::regclass || ' OWNER TO ' || quote_ident(");
    db_add_literal(&m->sql, m->look.owner);
    buf_adds(&m->sql, ") || ';' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN "
                      "pg_roles r ON r.oid = c.relowner WHERE r.rolname = ");
    db_add_literal(&m->sql, m->user);
    buf_adds(&m->sql, " AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND "
                      "c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND NOT EXISTS (SELECT FROM "
                      "pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('a', 'i', 'e') AND "
                      "d.classid = 'pg_class'::regclass AND (c.relkind = 'S' OR d.deptype = 'e')) "
                      "ORDER BY c.oid LIMIT 200");
    if (buf_check(&m->sql, ERR_CONTRACT, "a statement", m->err) != 0 ||
        db_query(db, buf_text(&m->sql), login_deadline(m->r, LOGIN_STATEMENT_MS), &results, NULL,
                 m->err) != 0)
        return -1;
    const struct db_rows *rows = &results.list[results.count - 1];
    if (rows->row_count > 0) {
        buf_addf(&out->said, "'%s' owns %zu relations in database '%s'", m->user, rows->row_count,
                 database);
        pg_plan_connect(database, &out->plan);
    }
    for (size_t i = 0; i < rows->row_count; i++)
        buf_addf(&out->plan, "%s\n", db_cell(rows, i, 0));
    db_results_free(&results);
    return 0;
}

/* Its objects have to be the owner's before somebody else is published. It keeps them within reach: it
 * becomes a member of the owner first. */
static int check_foreign_user(struct making *m, const char *database)
{
    AUTO_PG_OBSTACLES obstacles = PG_OBSTACLES_INIT;
    struct pg_look logins = m->look;
    m->look = (struct pg_look){
        .names = {m->user}, .count = 1, .owner = logins.owner, .database = database};
    int result = look(m, &obstacles, true);
    struct pg_login user = m->look.logins[0];
    if (result == 0 && user.there && user.superuser) {
        pg_obstacles_release(&obstacles);
        obstacles = PG_OBSTACLES_INIT;
        result = superusers_objects(m, database, &obstacles);
    } else if (result == 0 && obstacles.plan.len > 0 && !user.is_member) {
        begin_message(m);
        add_membership(m, m->user);
        result = send(m, NULL, "let the user so far reach what becomes the owner's");
    }
    m->look = logins;
    if (result != 0 || obstacles.plan.len == 0)
        return result;
    pg_obstacles_error(m->r, &obstacles, m->err);
    return err_hint(m->err, "Then agent rotate --init %s again.", m->r->spec->variable);
}

/* ---- all of it --------------------------------------------------------------------------------------- */

/* What is missing is not for a lease's role to make: it would take with it who may change it. */
static int check_admin(const struct making *m)
{
    AUTO_BUF plan = BUF_INIT(ERR_HINT_BYTES);
    if (!m->look.admin_must_not_make)
        return 0;
    for (size_t i = 0; i <= m->look.count; i++) {
        bool there = i < m->look.count ? m->look.logins[i].there : m->look.owner_there;
        if (there)
            continue;
        buf_adds(&plan, "CREATE ROLE ");
        db_add_identifier(&plan, i < m->look.count ? m->look.names[i] : m->look.owner);
        buf_adds(&plan, " NOLOGIN; ");
    }
    if (plan.len == 0)
        return 0;
    buf_adds(&plan, "GRANT ");
    add_names(m, &plan);
    err_set(
        m->err, ERR_DB_STATE,
        "the admin '%s' is valid for a time only: with PostgreSQL 16 and later nobody behind it "
        "could change the roles that it makes",
        m->look.admin);
    return err_hint(m->err,
                    "As somebody who stays: %s TO a role that each such admin is a member of WITH "
                    "ADMIN OPTION; then agent rotate --init %s again.",
                    buf_text(&plan), m->r->spec->variable);
}

static int check_there(struct making *m)
{
    for (size_t i = 0; i < m->look.count; i++)
        if (m->look.logins[i].there && m->look.logins[i].superuser)
            return err_set(m->err, ERR_DB_STATE, "'%s' is a superuser: no application's login is",
                           m->look.names[i]);
    if (m->look.owner_there && (m->look.owner_can_login || m->look.owner_superuser))
        return err_set(m->err, ERR_DB_STATE, "the owner '%s' %s", m->look.owner,
                       m->look.owner_superuser ? "is a superuser" : "can log in itself");
    return 0;
}

static int make(struct making *m, const char *database)
{
    AUTO_PG_OBSTACLES obstacles = PG_OBSTACLES_INIT;
    if (look(m, NULL, false) != 0 || check_there(m) != 0 || check_admin(m) != 0 ||
        make_roles(m) != 0 || look(m, &obstacles, true) != 0)
        return -1;
    if (obstacles.plan.len > 0) {
        pg_obstacles_error(m->r, &obstacles, m->err);
        return err_hint(m->err, "Then agent rotate --init %s again.", m->r->spec->variable);
    }
    if (m->is_foreign && m->user && check_foreign_user(m, database) != 0)
        return -1;
    return set_roles(m, database);
}

/* Whether what is in the place logs in, if that can be told. */
static int current_works(struct rotation *r, const char *user, bool *works, struct err *err)
{
    *works = false;
    if (r->current.count == 0 || !user)
        return 0;
    return pg_probe(r, NULL, user, works, err);
}

int pg_two_login_init(struct rotation *r, struct err *err)
{
    AUTO_FREE char *user = NULL;
    AUTO_FREE char *database = NULL;
    bool works = false;
    if (pg_two_login_check(r->spec, err) != 0)
        return -1;
    document_release(&r->current);
    if (r->store->read_current(r, &r->current, &r->current_version, err) != 0 ||
        pg_place_user(r, &user, err) != 0 || pg_place_database(r, &database, err) != 0)
        return -1;
    struct making m = {
        .r = r,
        .look = {.names = {r->spec->logins[0], r->spec->logins[1]},
                 .count = PG_LOGINS,
                 .owner = r->spec->owner,
                 .database = database},
        .user = user,
        .is_foreign = !user ||
                      (!str_eq(user, r->spec->logins[0]) && !str_eq(user, r->spec->logins[1])),
        .sql = BUF_INIT(PG_SQL_BYTES),
        .err = err,
    };
    int result = make(&m, database);
    buf_release(&m.sql);
    if (result == 0)
        result = current_works(r, user, &works, err);
    document_release(&r->current); /* who goes on reads it anew */
    r->wants_first = m.is_foreign || !works;
    return result;
}
