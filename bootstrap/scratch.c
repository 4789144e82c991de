/* bootstrap/scratch.c: databases to try something in; see scratch.h. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/redact.h"
#include "base/stop.h"
#include "base/str.h"
#include "base/url.h"
#include "bootstrap/catalog.h"
#include "bootstrap/scratch.h"

#define NAME_PREFIX "agent_guard_"

enum {
    SQL_BYTES = 4096,
    URL_BYTES = 64 * 1024,
    RUN_DIGITS = 8,
    FORCE_LEAST = 130000,    /* DROP DATABASE ... WITH (FORCE) */
    STRATEGY_LEAST = 150000, /* CREATE DATABASE ... STRATEGY */
    COPY_ATTEMPTS = 20,      /* while a session that has just ended is still on its way out */
    COPY_BASE_MS = 20,
    COPY_CAP_MS = 200,
    HOST_BYTES = 128,
};

/* ---- connections ------------------------------------------------------------------------------------ */

static int64_t within(int64_t deadline_ms, int64_t ms)
{
    return clock_earlier(deadline_ms, clock_in_ms(ms));
}

static int connect_target(const struct scratch *scratch, const struct db_target *target,
                          int64_t deadline_ms, struct db **out, struct err *err)
{
    if (db_connect(target, within(deadline_ms, SCRATCH_CONNECT_MS), out, err) == 0)
        return 0;
    struct err ended = ERR_INIT;
    if (ephemeral_check(&scratch->ephemeral, &ended) != 0)
        *err = ended;
    return -1;
}

static int connect_to(const struct scratch *scratch, const struct secret *url, int64_t deadline_ms,
                      struct db **out, struct err *err)
{
    struct db_target target = {0};
    if (db_target_parse(url, scratch->variable, &target, err) != 0)
        return -1;
    int result = connect_target(scratch, &target, deadline_ms, out, err);
    db_target_release(&target);
    return result;
}

static int execute(struct db *db, const struct buf *sql, int64_t deadline_ms, struct err *err)
{
    if (buf_check(sql, ERR_CONTRACT, "a statement about a scratch database", err) != 0)
        return -1;
    return db_execute(db, buf_text(sql), sql->len, within(deadline_ms, SCRATCH_STATEMENT_MS), NULL,
                      NULL, err);
}

/* The server's password, as it is and as the URL has it, for as long as the process writes anything:
 * the registry borrows, so these copies are never released. */
static int register_password(const struct scratch *scratch, struct err *err)
{
    const char *text = secret_reveal(&scratch->url);
    struct secret copy = SECRET_INIT, encoded = SECRET_INIT;
    struct url url;
    if (!secret_is_set(&scratch->target.password))
        return 0;
    if (secret_set(&copy, secret_reveal(&scratch->target.password),
                   secret_length(&scratch->target.password), err) != 0 ||
        redact_register(&copy, err) != 0)
        return -1;
    if (url_parse(text, secret_length(&scratch->url), &url, ERR_CONTRACT, err) != 0)
        return -1;
    if (!url.password.start)
        return 0;
    if (secret_set(&encoded, url.password.start, url.password.length, err) != 0)
        return -1;
    return redact_register(&encoded, err);
}

/* What tells others that this run is alive. */
static int take_lock(struct scratch *scratch, int64_t deadline_ms, struct err *err)
{
    AUTO_BUF sql = BUF_INIT(SQL_BYTES);
    buf_addf(&sql,
             "SET client_min_messages = warning; " /* "does not exist, skipping" is no news */
             "SELECT pg_catalog.pg_advisory_lock_shared(%d, %" PRId32 ")",
             SCRATCH_LOCK_CLASS, (int32_t)scratch->number);
    return execute(scratch->admin, &sql, deadline_ms, err);
}

/* Nothing can be made there, and so nothing is left there either. */
static int refuse_read_only(const struct scratch *scratch, const struct db_rows *rows,
                            struct err *err)
{
    bool is_standby = db_cell(rows, 0, 2)[0] == '1';
    if (strcmp(db_cell(rows, 0, 1), "on") != 0)
        return 0;
    err_set(err, ERR_DB_DOWN, "%s: %s, and takes no scratch databases", scratch->variable,
            is_standby ? "the server is a standby" : "the session is read-only");
    return err_hint(err, "%s Or use a server of agent's own: --ephemeral.",
                    is_standby ? "Name a variable with its primary's address."
                               : "See default_transaction_read_only.");
}

/* The lock is a session's, and a pooler has a list of the databases that it leads to. */
static int refuse_unfit(const struct scratch *scratch, int64_t deadline_ms, struct err *err)
{
    static const char sql[] = "SELECT pg_catalog.pg_backend_pid(), "
                              "pg_catalog.current_setting('transaction_read_only'), "
                              "pg_catalog.pg_is_in_recovery()::int";
    struct db_results results;
    struct db_info info;
    int64_t pid = 0;
    int result = 0;
    if (db_query(scratch->admin, sql, within(deadline_ms, SCRATCH_STATEMENT_MS), &results, NULL,
                 err) != 0)
        return -1;
    const char *cell = results.count > 0 && results.list[0].row_count > 0
                           ? db_cell(&results.list[0], 0, 0)
                           : "";
    if (str_to_int64(cell, strlen(cell), &pid) == 0)
        db_note_backend_pid(scratch->admin, (int)pid);
    if (results.count > 0 && results.list[0].row_count > 0)
        result = refuse_read_only(scratch, &results.list[0], err);
    db_results_free(&results);
    db_info(scratch->admin, &info);
    if (result != 0 || !info.pooled)
        return result;
    err_set(err, ERR_DB_REFUSED,
            "%s: a pooler is in between, and scratch databases need sessions of the server's own",
            scratch->variable);
    return err_hint(err, "Name a variable with the server's direct address, or --ephemeral.");
}

/* Of a list that says nothing of it, the server is meant that databases can be made on. */
static int ask_for_writes(struct db_target *target, struct err *err)
{
    struct url url = {.query = {.start = target->query, .length = strlen(target->query)}};
    struct url_span attrs = url_query(&url, "target_session_attrs");
    AUTO_BUF query = BUF_INIT(URL_BYTES);
    if (attrs.start && !url_span_is(&attrs, "any"))
        return 0;
    buf_addf(&query, "%s%starget_session_attrs=read-write", target->query,
             target->query[0] ? "&" : "");
    char *asked = buf_take(&query);
    if (!asked)
        return err_nomem(err);
    mem_wipe(target->query, strlen(target->query));
    free(target->query);
    target->query = asked;
    return 0;
}

/* Everybody has to come to the same server, and what a command makes of a list of hosts is not known
 * (SQLAlchemy can't read one in the place of the host). */
static int settle_on_one(struct scratch *scratch, int64_t deadline_ms, struct err *err)
{
    AUTO_SECRET url = SECRET_INIT;
    AUTO_DB db = NULL;
    struct db_info info;
    if (!strchr(scratch->target.host, ','))
        return 0;
    if (ask_for_writes(&scratch->target, err) != 0)
        return -1;
    if (connect_target(scratch, &scratch->target, deadline_ms, &db, err) != 0) {
        if (err->kind == ERR_DB_DOWN)
            err_hint(err, "Or use a server of agent's own: --ephemeral.");
        return err_wrap(err, "%s", scratch->variable);
    }
    db_info(db, &info);
    if (scratch_url_at(&scratch->url, info.host, info.port, &url, err) != 0)
        return -1;
    db_target_release(&scratch->target);
    secret_release(&scratch->url);
    scratch->url = url;
    url = SECRET_INIT; /* moved */
    return db_target_parse(&scratch->url, scratch->variable, &scratch->target, err);
}

static int open_admin(struct scratch *scratch, int64_t deadline_ms, struct err *err)
{
    if (connect_to(scratch, &scratch->url, deadline_ms, &scratch->admin, err) != 0)
        return -1;
    if (take_lock(scratch, deadline_ms, err) == 0)
        return 0;
    db_close(scratch->admin);
    scratch->admin = NULL;
    return -1;
}

int scratch_adopt_fork(struct scratch *scratch, int64_t deadline_ms, struct err *err)
{
    scratch->admin = NULL; /* the parent's: closing it here would end it there */
    return open_admin(scratch, deadline_ms, err);
}

int scratch_connect(const struct scratch *scratch, const char *name, int64_t deadline_ms,
                    struct db **out, struct err *err)
{
    AUTO_SECRET url = SECRET_INIT;
    if (scratch_url(scratch, name, &url, err) != 0)
        return -1;
    return connect_to(scratch, &url, deadline_ms, out, err);
}

/* ---- what earlier runs left -------------------------------------------------------------------------- */

/* Scratch databases whose run nobody holds the lock of. The number is in the name. One that was being
 * made when its run was killed has no comment yet. */
static const char leftovers_sql[] =
    "SELECT d.datname FROM pg_catalog.pg_database d\n"
    "WHERE d.datname ~ '^" NAME_PREFIX "[0-9a-f]{8}_[a-z]+$'\n"
    " AND COALESCE(pg_catalog.shobj_description(d.oid, 'pg_database'),\n"
    "  '" SCRATCH_COMMENT_PREFIX "') LIKE '" SCRATCH_COMMENT_PREFIX "%%'\n"
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.locktype = 'advisory'\n"
    "  AND l.classid = %d AND l.objid::pg_catalog.int8 =\n"
    "   ('x' || pg_catalog.substr(d.datname, 13, 8))::pg_catalog.bit(32)::pg_catalog.int8)\n"
    "ORDER BY d.datname";

static int find_leftovers(struct scratch *scratch, int64_t deadline_ms, struct err *err)
{
    AUTO_BUF sql = BUF_INIT(SQL_BYTES);
    struct db_results results;
    buf_addf(&sql, leftovers_sql, SCRATCH_LOCK_CLASS);
    if (db_query(scratch->admin, buf_text(&sql), within(deadline_ms, SCRATCH_STATEMENT_MS),
                 &results, NULL, err) != 0)
        return err_wrap(err, "look for what earlier runs left");
    int result = 0;
    for (size_t i = 0; result == 0 && results.count > 0 && i < results.list[0].row_count; i++) {
        AUTO_BUF text = BUF_INIT(SQL_BYTES);
        buf_addf(&text, "database '%s'", db_cell(&results.list[0], i, 0));
        result = names_add(&scratch->leftovers, buf_text(&text), err);
    }
    db_results_free(&results);
    return result;
}

/* ---- making ------------------------------------------------------------------------------------------ */

int scratch_reserve(struct scratch *scratch, const char *what, const char **name, struct err *err)
{
    char text[SCRATCH_NAME_BYTES];
    (void)snprintf(text, sizeof(text), NAME_PREFIX "%08" PRIx32 "_%s", scratch->number, what);
    if (names_add(&scratch->databases, text, err) != 0)
        return -1;
    *name = scratch->databases.list[scratch->databases.count - 1];
    return 0;
}

static int explain_create(const struct scratch *scratch, const char *name, const char *template,
                          struct err *err)
{
    const char *owner = scratch->settings->database->owner;
    err_wrap(err, "make scratch database '%s'", name);
    if (strcmp(err->sqlstate, "42501") == 0)
        return err_hint(err,
                        "Let the login make databases: ALTER ROLE \"%s\" CREATEDB%s%s%s; or use a "
                        "server of agent's own: --ephemeral.",
                        scratch->target.user, owner ? "; and GRANT \"" : "", owner ? owner : "",
                        owner ? "\" TO it" : "");
    if (strcmp(err->sqlstate, "42704") == 0 && owner)
        return err_hint(err, "database.owner is '%s', which that server does not have.", owner);
    if (strcmp(err->sqlstate, "55006") == 0)
        return err_hint(err, "A process that a command left behind is still connected to '%s'.",
                        template ? template : "template0");
    return -1;
}

/* One text for all databases of a run, so that it is no difference between them. */
static void set_comment(struct scratch *scratch)
{
    char now[CLOCK_RFC3339_BYTES], host[HOST_BYTES] = "";
    clock_rfc3339(clock_unix_seconds(), now);
    (void)gethostname(host, sizeof(host) - 1);
    (void)snprintf(scratch->comment, sizeof(scratch->comment),
                   SCRATCH_COMMENT_PREFIX "a scratch database, made at %s by process %ld on %s",
                   now, (long)getpid(), host);
}

static void add_comment(const struct scratch *scratch, const char *name, struct buf *sql)
{
    buf_adds(sql, "COMMENT ON DATABASE ");
    db_add_identifier(sql, name);
    buf_adds(sql, " IS ");
    db_add_literal(sql, scratch->comment);
    buf_adds(sql, ";\n");
}

int scratch_create(struct scratch *scratch, const char *name, const char *template,
                   int64_t deadline_ms, struct err *err)
{
    struct backoff backoff = {.base_ms = COPY_BASE_MS, .cap_ms = COPY_CAP_MS};
    const char *owner = scratch->settings->database->owner;
    AUTO_BUF create = BUF_INIT(SQL_BYTES);
    AUTO_BUF mark = BUF_INIT(SQL_BYTES);
    struct db_info info;
    db_info(scratch->admin, &info);
    buf_adds(&create, "CREATE DATABASE ");
    db_add_identifier(&create, name);
    if (owner) { /* so that it may make things there, as it may in the real one */
        buf_adds(&create, " OWNER ");
        db_add_identifier(&create, owner);
    }
    buf_adds(&create, " TEMPLATE ");
    db_add_identifier(&create, template ? template : "template0");
    /* A copy of files wants checkpoints, which on somebody's server are dear and on ours cost nothing:
     * half of the time of a copy through the log. */
    if (scratch->ephemeral.folder && info.server_version >= STRATEGY_LEAST)
        buf_adds(&create, " STRATEGY file_copy");
    for (int attempt = 1; execute(scratch->admin, &create, deadline_ms, err) != 0; attempt++)
        if (strcmp(err->sqlstate, "55006") != 0 || attempt == COPY_ATTEMPTS ||
            !backoff_wait(&backoff, 0, deadline_ms))
            return explain_create(scratch, name, template, err);
    add_comment(scratch, name, &mark);
    if (owner) { /* as a login does that Vault makes: its sessions start as the owner */
        buf_adds(&mark, "ALTER DATABASE ");
        db_add_identifier(&mark, name);
        buf_adds(&mark, " SET role = ");
        db_add_literal(&mark, owner);
    }
    if (execute(scratch->admin, &mark, deadline_ms, err) != 0)
        return err_wrap(err, "mark scratch database '%s'", name);
    return 0;
}

/* ---- opening ----------------------------------------------------------------------------------------- */

static int make_owner(struct scratch *scratch, int64_t deadline_ms, struct err *err)
{
    AUTO_BUF sql = BUF_INIT(SQL_BYTES);
    const char *owner = scratch->settings->database->owner;
    if (!scratch->ephemeral.folder || !owner)
        return 0;
    buf_adds(&sql, "CREATE ROLE ");
    db_add_identifier(&sql, owner);
    return execute(scratch->admin, &sql, deadline_ms, err);
}

static int open_server(struct scratch *scratch, int64_t deadline_ms, struct err *err)
{
    const struct guard_settings *settings = scratch->settings;
    if (ephemeral_find_leftovers(&scratch->leftovers, err) != 0)
        return -1;
    if (settings->ephemeral)
        return ephemeral_start(settings, deadline_ms, &scratch->ephemeral, &scratch->url, err);
    const struct secret *url = settings->server_url;
    return secret_set(&scratch->url, secret_reveal(url), secret_length(url), err);
}

int scratch_open(const struct guard_settings *settings, int64_t deadline_ms, struct scratch *out,
                 struct err *err)
{
    *out = (struct scratch){.settings = settings,
                            .variable = settings->ephemeral ? "the ephemeral server"
                                                            : settings->server_variable,
                            .ephemeral = {.lock = -1, .server = PROC_CHILD_INIT}};
    struct err second = ERR_INIT;
    int result = 0;
    set_comment(out);
    if (getrandom(&out->number, sizeof(out->number), 0) != (ssize_t)sizeof(out->number))
        result = err_errno(err, ERR_RESOURCE, "draw a random number");
    if (result == 0)
        result = open_server(out, deadline_ms, err);
    if (result == 0)
        result = db_target_parse(&out->url, out->variable, &out->target, err);
    if (result == 0)
        result = register_password(out, err);
    if (result == 0)
        result = settle_on_one(out, deadline_ms, err);
    if (result == 0)
        result = open_admin(out, deadline_ms, err);
    if (result == 0)
        result = refuse_unfit(out, deadline_ms, err);
    if (result == 0)
        result = make_owner(out, deadline_ms, err);
    if (result == 0)
        result = find_leftovers(out, deadline_ms, err);
    if (result != 0 && scratch_close(out, &second) != 0)
        log_msg(LOG_WARN, "%s", second.text);
    return result;
}

/* ---- closing ----------------------------------------------------------------------------------------- */

/* Before PostgreSQL 13 sessions have to be ended first. */
static int end_sessions(struct scratch *scratch, const char *name, int64_t deadline_ms,
                        struct err *err)
{
    AUTO_BUF sql = BUF_INIT(SQL_BYTES);
    buf_adds(&sql, "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity "
                   "WHERE datname = ");
    db_add_literal(&sql, name);
    return execute(scratch->admin, &sql, deadline_ms, err);
}

static int drop(struct scratch *scratch, const char *name, int64_t deadline_ms, struct err *err)
{
    struct backoff backoff = {.base_ms = COPY_BASE_MS, .cap_ms = COPY_CAP_MS};
    AUTO_BUF sql = BUF_INIT(SQL_BYTES);
    struct db_info info;
    db_info(scratch->admin, &info);
    buf_adds(&sql, "DROP DATABASE IF EXISTS ");
    db_add_identifier(&sql, name);
    if (info.server_version >= FORCE_LEAST)
        buf_adds(&sql, " WITH (FORCE)");
    for (int attempt = 1;; attempt++) {
        if (info.server_version < FORCE_LEAST && end_sessions(scratch, name, deadline_ms, err) != 0)
            return -1;
        if (execute(scratch->admin, &sql, deadline_ms, err) == 0)
            return 0;
        if (strcmp(err->sqlstate, "55006") != 0 || attempt == COPY_ATTEMPTS ||
            !backoff_wait(&backoff, 0, deadline_ms))
            return err_wrap(err, "drop scratch database '%s'", name);
    }
}

/* The connection may be gone: with the network, or with the path that broke it. */
static int require_admin(struct scratch *scratch, int64_t deadline_ms, struct err *err)
{
    if (scratch->admin && !db_is_lost(scratch->admin))
        return 0;
    db_close(scratch->admin);
    scratch->admin = NULL;
    return connect_to(scratch, &scratch->url, deadline_ms, &scratch->admin, err);
}

/* A worker that was stopped in the middle has closed its connection, which a server that is copying a
 * database does not see: the database would appear after it was dropped. Every session of this run
 * shares its lock, so once we have it for ourselves all others are gone. */
static int end_workers(struct scratch *scratch, int64_t deadline_ms, struct err *err)
{
    AUTO_BUF sql = BUF_INIT(SQL_BYTES);
    buf_addf(&sql,
             "SELECT pg_catalog.pg_terminate_backend(l.pid) FROM pg_catalog.pg_locks l\n"
             "WHERE l.locktype = 'advisory' AND l.classid = %d AND l.objid::pg_catalog.int8 = "
             "%" PRIu32 " AND l.pid <> pg_catalog.pg_backend_pid();\n"
             "SELECT pg_catalog.pg_advisory_lock(%d, %" PRId32 ")",
             SCRATCH_LOCK_CLASS, scratch->number, SCRATCH_LOCK_CLASS, (int32_t)scratch->number);
    if (require_admin(scratch, deadline_ms, err) != 0 ||
        execute(scratch->admin, &sql, deadline_ms, err) != 0)
        return err_wrap(err, "end what is still at work in scratch databases");
    return 0;
}

static int drop_all(struct scratch *scratch, struct err *err)
{
    int64_t deadline_ms = clock_in_ms(SCRATCH_CLEAN_MS);
    AUTO_BUF left = BUF_INIT(ERR_TEXT_BYTES);
    struct err first = ERR_INIT;
    if (scratch->databases.count > 0)
        (void)end_workers(scratch, deadline_ms, &first); /* what can be dropped is, all the same */
    for (size_t i = 0; i < scratch->databases.count; i++) {
        const char *name = scratch->databases.list[i];
        struct err one = ERR_INIT;
        if (require_admin(scratch, deadline_ms, &one) == 0 &&
            drop(scratch, name, deadline_ms, &one) == 0)
            continue;
        if (first.kind == ERR_NONE)
            first = one;
        buf_addf(&left, "%s'%s'", left.len ? ", " : "", name);
    }
    if (first.kind == ERR_NONE)
        return 0;
    *err = first;
    if (left.len == 0)
        return -1;
    return err_hint(err, "Left behind on the server, drop by hand: %s.", buf_text(&left));
}

int scratch_close(struct scratch *scratch, struct err *err)
{
    struct err second = ERR_INIT;
    stop_shield(true);
    /* what is on a server of our own goes with it */
    int result = scratch->ephemeral.folder ? 0 : drop_all(scratch, err);
    db_close(scratch->admin);
    scratch->admin = NULL;
    if (ephemeral_stop(&scratch->ephemeral, &second) != 0 && result == 0) {
        *err = second;
        result = err_wrap(err, "remove the ephemeral server");
    }
    stop_shield(false);
    db_target_release(&scratch->target);
    secret_release(&scratch->url);
    names_release(&scratch->databases);
    names_release(&scratch->leftovers);
    return result;
}
