/* pg_roles.c: what roles are, a password set, a login taken away; see rotate/pg_roles.h. */
#include "rotate/pg_roles.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

enum {
    MARK_RANDOM = 1000 * 1000 * 1000,
    SQL_PG_16 = 160000, /* a CREATEROLE role needs ADMIN OPTION, membership has a SET option */
    END_WAIT_MS = 30 * 1000,
    END_LOOK_MS = 50,
    END_LOOK_MAX_MS = 500,
};

void pg_message_begin(struct buf *sql)
{
    buf_adds(sql, "SET LOCAL search_path = pg_catalog; SET LOCAL lock_timeout = '5s'; "
                  "SET LOCAL statement_timeout = '30s'; ");
}

int pg_ask(struct rotation *r, const struct buf *sql, struct db_results *out, struct err *err)
{
    struct db *admin = NULL;
    struct db_results all = {0};
    if (buf_check(sql, ERR_CONTRACT, "the statements for the roles", err) != 0 ||
        rotation_admin(r, &admin, err) != 0)
        return -1;
    if (db_query(admin, buf_text(sql), login_deadline(r, LOGIN_STATEMENT_MS), &all, NULL, err) != 0)
        return -1;
    *out = all;
    return 0;
}

bool pg_is_in_doubt(const struct err *err)
{
    return err->kind == ERR_DB_DOWN &&
           (err->sys_errno == ETIMEDOUT || err->sys_errno == ECONNRESET || !*err->sqlstate ||
            str_starts(err->sqlstate, "57P") || str_starts(err->sqlstate, "08"));
}

/* ---- the same server? ------------------------------------------------------------------------------ */

void pg_proof_release(struct pg_proof *proof)
{
    db_close(proof->db);
    *proof = PG_PROOF_INIT;
}

static void make_mark(const struct rotation *r, struct pg_proof *proof)
{
    const char *id = record_id(&r->record);
    if (id && *id)
        (void)snprintf(proof->mark, sizeof(proof->mark), "agent %s", id);
    else
        (void)snprintf(proof->mark, sizeof(proof->mark), "agent plan %d-%u", (int)getpid(),
                       clock_random(MARK_RANDOM));
}

static int current_is_refused(const struct rotation *r, const char *user, struct err *err)
{
    err_wrap(err, "log in with the current credential of '%s' (user '%s')", r->spec->variable,
             user);
    if (!login_was_refused(err))
        return -1;
    return err_hint(err, "Nothing was changed. What is stored is not what the server has: find out "
                         "who changed either, and put it right by hand before it is rotated.");
}

int pg_proof_begin(struct rotation *r, const char *user, struct pg_proof *out, struct err *err)
{
    struct pg_proof proof = PG_PROOF_INIT;
    struct db_results results = {0};
    AUTO_BUF sql = BUF_INIT(PG_SQL_BYTES);
    if (login_with(r, NULL, user, &proof.db, err) != 0)
        return current_is_refused(r, user, err);
    make_mark(r, &proof);
    buf_adds(&sql, "SET application_name = ");
    db_add_literal(&sql, proof.mark);
    buf_adds(&sql, "; SELECT pg_catalog.pg_backend_pid(), session_user");
    int result = buf_check(&sql, ERR_CONTRACT, "a statement", err);
    if (result == 0)
        result = db_query(proof.db, buf_text(&sql), login_deadline(r, LOGIN_STATEMENT_MS), &results,
                          NULL, err);
    if (result == 0) {
        const struct db_rows *rows = &results.list[results.count - 1];
        (void)snprintf(proof.pid, sizeof(proof.pid), "%s", db_cell(rows, 0, 0));
        (void)snprintf(proof.session_user, sizeof(proof.session_user), "%s", db_cell(rows, 0, 1));
        if (!str_eq(proof.session_user, user))
            result = err_set(err, ERR_DB_STATE,
                             "the current credential of '%s' logs in as '%s', not as '%s'",
                             r->spec->variable, proof.session_user, user);
    }
    db_results_free(&results);
    if (result != 0) {
        pg_proof_release(&proof);
        return -1;
    }
    *out = proof;
    return 0;
}

/* ---- what the roles are ----------------------------------------------------------------------------- */

static void add_names(const struct pg_look *look, struct buf *sql)
{
    buf_adds(sql, "(VALUES ");
    for (size_t i = 0; i < look->count; i++) {
        buf_addf(sql, "%s(%zu, ", i ? ", " : "", i);
        db_add_literal(sql, look->names[i]);
        buf_adds(sql, "::name)");
    }
    buf_adds(sql, ") w(place, name)");
}

static void add_setting(const struct pg_look *look, struct buf *sql)
{
    /* What is set for the database wins over what is set for all. */
    buf_adds(sql, "coalesce((SELECT v FROM pg_db_role_setting s, unnest(s.setconfig) v "
                  "WHERE s.setrole = r.oid AND v LIKE 'role=%' AND (s.setdatabase = 0 OR "
                  "s.setdatabase = (SELECT oid FROM pg_database WHERE datname = ");
    db_add_literal(sql, look->database ? look->database : "");
    buf_adds(sql, ")) ORDER BY s.setdatabase = 0 LIMIT 1) = 'role=' || o.rolname, false), ");
}

static void add_session(const struct pg_proof *proof, struct buf *sql)
{
    if (!proof || !proof->db) {
        buf_adds(sql, "true ");
        return;
    }
    buf_adds(sql, "EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid::text = ");
    db_add_literal(sql, proof->pid);
    buf_adds(sql, " AND a.usename = ");
    db_add_literal(sql, proof->session_user);
    buf_adds(sql, " AND a.application_name = ");
    db_add_literal(sql, proof->mark);
    buf_adds(sql, ") ");
}

static void add_sessions(const char *role_oid, struct buf *sql)
{
    /* What another's session is called is told to some only; parallel workers are theirs to count. */
    buf_addf(sql,
             "(SELECT count(*) FROM pg_stat_activity a WHERE a.usesysid = %s "
             "AND coalesce(a.backend_type, 'client backend') = 'client backend'",
             role_oid);
}

void pg_look_sql(const struct pg_look *look, const struct pg_proof *proof, int server_version,
                 struct buf *sql)
{
    bool is_16 = server_version >= SQL_PG_16;
    buf_adds(sql, "SELECT r.oid IS NOT NULL, r.rolcanlogin, r.rolsuper, "
                  "coalesce(r.rolvaliduntil < now(), false), o.oid IS NOT NULL, o.rolcanlogin, "
                  "o.rolsuper, ");
    buf_addf(sql, "coalesce(pg_has_role(r.oid, o.oid, '%s'), false), ", is_16 ? "SET" : "MEMBER");
    add_setting(look, sql);
    buf_addf(sql, "coalesce(me.rolsuper OR (me.rolcreaterole AND NOT r.rolsuper%s), false), ",
             is_16 ? " AND pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION')" : "");
    buf_adds(sql, "coalesce(me.rolsuper OR (NOT r.rolsuper AND (pg_has_role(r.oid, 'USAGE') OR "
                  "pg_has_role('pg_signal_backend', 'USAGE'))), false), ");
    add_sessions("r.oid", sql);
    buf_adds(sql, "), me.rolsuper, me.rolname, ");
    buf_adds(sql, is_16 ? "coalesce(me.rolvaliduntil < 'infinity', false) AND NOT me.rolsuper, "
                        : "false, ");
    add_session(proof, sql);
    buf_adds(sql, "FROM ");
    add_names(look, sql);
    buf_adds(sql, " LEFT JOIN pg_roles r ON r.rolname = w.name LEFT JOIN pg_roles o ON "
                  "o.rolname = ");
    db_add_literal(sql, look->owner ? look->owner : "");
    buf_adds(sql, " JOIN pg_roles me ON me.rolname = current_user ORDER BY w.place; ");
}

static bool is_true(const struct db_rows *rows, size_t row, size_t column)
{
    return str_eq(db_cell(rows, row, column), "t");
}

static unsigned count_in(const struct db_rows *rows, size_t row, size_t column)
{
    int64_t number = 0;
    const char *text = db_cell(rows, row, column);
    return str_to_int64(text, strlen(text), &number) == 0 && number > 0 ? (unsigned)number : 0;
}

int pg_look_read(struct pg_look *look, const struct db_rows *rows, struct err *err)
{
    enum {
        THERE,
        CAN_LOGIN,
        SUPERUSER,
        EXPIRED,
        OWNER_THERE,
        OWNER_CAN_LOGIN,
        OWNER_SUPERUSER,
        MEMBER,
        SETS_OWNER,
        WE_MAY,
        WE_MAY_END,
        SESSIONS,
        ADMIN_SUPERUSER,
        ADMIN,
        ADMIN_MUST_NOT_MAKE,
        SEES,
        COLUMNS
    };
    if (rows->row_count != look->count || rows->column_count != COLUMNS)
        return err_set(err, ERR_DEFECT, "the query for roles gave %zu rows of %zu columns",
                       rows->row_count, rows->column_count);
    for (size_t i = 0; i < look->count; i++)
        look->logins[i] = (struct pg_login){
            .there = is_true(rows, i, THERE),
            .can_login = is_true(rows, i, CAN_LOGIN),
            .superuser = is_true(rows, i, SUPERUSER),
            .expired = is_true(rows, i, EXPIRED),
            .is_member = is_true(rows, i, MEMBER),
            .sets_owner = is_true(rows, i, SETS_OWNER),
            .we_may = is_true(rows, i, WE_MAY),
            .we_may_end = is_true(rows, i, WE_MAY_END),
            .sessions = count_in(rows, i, SESSIONS),
        };
    look->owner_there = is_true(rows, 0, OWNER_THERE);
    look->owner_can_login = is_true(rows, 0, OWNER_CAN_LOGIN);
    look->owner_superuser = is_true(rows, 0, OWNER_SUPERUSER);
    look->admin_superuser = is_true(rows, 0, ADMIN_SUPERUSER);
    (void)snprintf(look->admin, sizeof(look->admin), "%s", db_cell(rows, 0, ADMIN));
    look->admin_must_not_make = is_true(rows, 0, ADMIN_MUST_NOT_MAKE);
    look->sees_session = is_true(rows, 0, SEES);
    return 0;
}

/* ---- a password ------------------------------------------------------------------------------------- */

/* What ALTER ROLE gets; the connection's texts are shown without it. */
static int password_for_server(const struct rotation *r, struct db *admin, const char *name,
                               const struct secret *password, struct secret *out, struct err *err)
{
    struct secret text = SECRET_INIT;
    int made = r->spec->plain
                   ? secret_set(&text, secret_reveal(password), secret_length(password), err)
                   : db_password_verifier(admin, name, password, &text, err);
    if (made != 0)
        return -1;
    if (db_hide(admin, password, err) != 0 || db_hide(admin, &text, err) != 0) {
        secret_release(&text);
        return -1;
    }
    *out = text;
    return 0;
}

/* Hosts that manage passwords themselves (Neon among them) say so at COMMIT. */
static int set_failed(const struct rotation *r, const char *name, struct err *err)
{
    bool wants_plain = !r->spec->plain && strcasestr(err->text, "plaintext password");
    err_wrap(err, "set the password of '%s'", name);
    if (wants_plain)
        return err_hint(err, "This host takes no SCRAM verifiers. \"password\": \"plain\" in "
                             "'rotate' sends the password as it is; the server's log may have it "
                             "then.");
    if (err->kind == ERR_DB_REFUSED && str_eq(err->sqlstate, "42501"))
        return err_hint(err,
                        "The admin of '%s' needs CREATEROLE, and with PostgreSQL 16 and later "
                        "ADMIN OPTION on '%s'.",
                        r->spec->admin, name);
    return -1;
}

int pg_set_password(struct rotation *r, const char *name, const struct secret *password,
                    struct err *err)
{
    struct db *admin = NULL;
    struct db_results results = {0};
    AUTO_SECRET text = SECRET_INIT;
    AUTO_BUF sql = BUF_INIT(PG_SQL_BYTES);
    if (rotation_admin(r, &admin, err) != 0 ||
        password_for_server(r, admin, name, password, &text, err) != 0)
        return -1;
    pg_message_begin(&sql);
    buf_adds(&sql, "ALTER ROLE ");
    db_add_identifier(&sql, name);
    buf_adds(&sql, " LOGIN PASSWORD ");
    db_add_literal(&sql, secret_reveal(&text));
    if (pg_ask(r, &sql, &results, err) != 0)
        return set_failed(r, name, err);
    db_results_free(&results);
    return 0;
}

int pg_take_login(struct rotation *r, const char *name, struct err *err)
{
    struct db_results results = {0};
    AUTO_BUF sql = BUF_INIT(PG_SQL_BYTES);
    pg_message_begin(&sql);
    buf_adds(&sql, "ALTER ROLE ");
    db_add_identifier(&sql, name);
    /* Hosts that want passwords plain keep them elsewhere: there NOLOGIN has to do. */
    buf_adds(&sql, r->spec->plain ? " NOLOGIN" : " NOLOGIN PASSWORD NULL");
    if (pg_ask(r, &sql, &results, err) != 0)
        return err_wrap(err, "take the login from '%s'", name);
    db_results_free(&results);
    return 0;
}

/* ---- refused, and what lives on -------------------------------------------------------------------- */

static void add_before(const struct pg_refusal *refusal, struct buf *sql)
{
    if (refusal->before_us > 0)
        buf_addf(sql, " AND coalesce(a.backend_start < to_timestamp(%lld / 1e6), true)",
                 (long long)refusal->before_us);
}

static void add_role_oid(const char *name, struct buf *sql)
{
    buf_adds(sql, "(SELECT oid FROM pg_roles WHERE rolname = ");
    db_add_literal(sql, name);
    buf_adds(sql, ")");
}

/* Whether the role can log in, and how many of its sessions live. */
static int look_at_refused(struct rotation *r, const struct pg_refusal *refusal, bool end_them,
                           bool *can_login, unsigned *sessions, struct err *err)
{
    struct db_results results = {0};
    AUTO_BUF sql = BUF_INIT(PG_SQL_BYTES);
    AUTO_BUF oid = BUF_INIT(PG_SQL_BYTES);
    add_role_oid(refusal->name, &oid);
    pg_message_begin(&sql);
    if (end_them) {
        buf_addf(&sql,
                 "SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a WHERE "
                 "a.usesysid = %s",
                 buf_text(&oid));
        add_before(refusal, &sql);
        buf_adds(&sql, "; ");
    }
    buf_adds(&sql, "SELECT coalesce((SELECT rolcanlogin FROM pg_roles WHERE rolname = ");
    db_add_literal(&sql, refusal->name);
    buf_adds(&sql, "), false), ");
    add_sessions(buf_text(&oid), &sql);
    add_before(refusal, &sql);
    buf_adds(&sql, ")");
    if (pg_ask(r, &sql, &results, err) != 0)
        return err_wrap(err, "%s the sessions of '%s'", end_them ? "end" : "count", refusal->name);
    const struct db_rows *rows = &results.list[results.count - 1];
    *can_login = is_true(rows, 0, 0);
    *sessions = count_in(rows, 0, 1);
    db_results_free(&results);
    return 0;
}

/* Until they are gone: the server ends a session when it looks next for signals. */
static int end_sessions(struct rotation *r, const struct pg_refusal *refusal, unsigned *sessions,
                        struct err *err)
{
    struct backoff backoff = {.base_ms = END_LOOK_MS, .cap_ms = END_LOOK_MAX_MS};
    int64_t deadline_ms = login_deadline(r, END_WAIT_MS);
    unsigned before = *sessions;
    bool can_login = false;
    for (bool first = true; *sessions > 0; first = false) {
        if (!first && !backoff_wait(&backoff, 0, deadline_ms))
            return err_set(err, ERR_VIOLATION, "%u session%s of '%s', told to end, live on",
                           *sessions, *sessions == 1 ? "" : "s", refusal->name);
        if (look_at_refused(r, refusal, first, &can_login, sessions, err) != 0)
            return str_eq(err->sqlstate, "42501")
                       ? err_hint(err, "GRANT pg_signal_backend TO the admin lets it end them.")
                       : -1;
    }
    engine_say(r, "ended %u session%s of '%s'", before, before == 1 ? "" : "s", refusal->name);
    return 0;
}

static int still_accepted(const struct rotation *r, const struct pg_refusal *refusal,
                          struct err *err)
{
    err_set(err, ERR_VIOLATION, "the former credential of '%s' (user '%s') still logs in",
            r->spec->variable, refusal->name);
    return err_hint(err, "A pg_hba.conf that asks for no password, or a pooler that checks them "
                         "itself, lets it in: it has to be told.");
}

/* The negative test: a new connection. */
static int try_refused(struct rotation *r, const struct pg_refusal *refusal, struct err *err)
{
    AUTO_DB db = NULL;
    struct err answer = ERR_INIT;
    if (login_with(r, refusal->group, refusal->name, &db, &answer) == 0)
        return still_accepted(r, refusal, err);
    /* 28000 may come from pg_hba.conf, too, before any password was looked at. */
    bool proven = login_was_refused(&answer) &&
                  (refusal->expect_nologin || !str_eq(answer.sqlstate, "28000"));
    if (proven)
        return 0;
    *err = answer;
    if (err->kind == ERR_DB_REFUSED)
        err->kind = ERR_VIOLATION;
    return err_wrap(err, "prove that the former credential of '%s' is refused", refusal->name);
}

int pg_prove_refused(struct rotation *r, const struct pg_refusal *refusal, struct err *err)
{
    bool can_login = false;
    unsigned sessions = 0;
    if (try_refused(r, refusal, err) != 0 ||
        look_at_refused(r, refusal, false, &can_login, &sessions, err) != 0)
        return -1;
    if (refusal->expect_nologin && can_login)
        return err_set(err, ERR_VIOLATION, "somebody lets '%s' log in again (LOGIN)",
                       refusal->name);
    if (sessions > 0 && r->context->terminate && end_sessions(r, refusal, &sessions, err) != 0) {
        r->result->sessions = sessions;
        return -1;
    }
    r->result->sessions = sessions;
    if (sessions > 0)
        engine_say(r, "left as they are: %u session%s of '%s' from before; --terminate ends them",
                   sessions, sessions == 1 ? "" : "s", refusal->name);
    return 0;
}
