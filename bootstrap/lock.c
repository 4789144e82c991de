/* bootstrap/lock.c: whose turn it is.
 *
 * The lock is an advisory one of the transaction, so that it works through a pooler and dies with
 * the connection. It is tried for, never waited for in the server: who does not get it gives the
 * connection back and sleeps, so that a thousand waiters fit a server of fifty connections.
 * Settings, lock and look are one message; each statement has a snapshot of its own, so that the
 * look sees what the last holder committed. */
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "bootstrap/apply.h"

/* FNV-1a over "schema.table": advisory locks belong to one database already. */
int32_t lock_object(const struct database_settings *settings)
{
    const char *const parts[] = {settings->schema ? settings->schema : "public", ".",
                                 settings->table ? settings->table : "alembic_version"};
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        for (const char *p = parts[i]; *p; p++)
            hash = (hash ^ (unsigned char)*p) * 16777619U;
    }
    int32_t object;
    memcpy(&object, &hash, sizeof(object));
    return object;
}

/* One row: had, and who has it otherwise. pg_locks is only read when the lock was not had. */
static void add_try(const struct database_settings *settings, const char *function, struct buf *out)
{
    int32_t object = lock_object(settings);
    buf_addf(out,
             "SELECT l.had::int, h.pid, h.name, h.since FROM (SELECT pg_catalog.%s(%d, %" PRId32
             ") AS had OFFSET 0) l LEFT JOIN LATERAL (SELECT k.pid, pg_catalog.concat_ws(' on ', "
             "nullif(a.application_name, ''), a.client_addr::text) AS name, "
             "pg_catalog.to_char(coalesce(a.xact_start, a.backend_start) AT TIME ZONE 'UTC', "
             "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS since FROM pg_catalog.pg_locks k LEFT JOIN "
             "pg_catalog.pg_stat_activity a ON a.pid = k.pid WHERE NOT l.had AND k.locktype = "
             "'advisory' AND k.granted AND k.database = (SELECT oid FROM pg_catalog.pg_database "
             "WHERE datname = pg_catalog.current_database()) AND k.classid::bigint = %d AND "
             "k.objid::bigint = %" PRIu32 " AND k.objsubid = 2 LIMIT 1) h ON true;\n",
             function, LOCK_CLASS, object, LOCK_CLASS, (uint32_t)object);
}

static void read_turn(const struct db_rows *rows, struct turn *turn)
{
    *turn = (struct turn){.had = strcmp(db_cell(rows, 0, 0), "1") == 0};
    const char *pid = db_cell(rows, 0, 1), *name = db_cell(rows, 0, 2),
               *since = db_cell(rows, 0, 3);
    if (*pid == '\0') /* it ended between the two looks, or a pooler's other database */
        (void)snprintf(turn->holder, sizeof(turn->holder), "somebody who is not to be seen");
    else
        (void)snprintf(turn->holder, sizeof(turn->holder), "pid %s%s%.150s%s since %s", pid,
                       *name ? " (" : "", name, *name ? ")" : "", *since ? since : "unknown");
}

/* A line `SET LOCAL name = value;` */
static void add_setting(struct buf *out, const char *name, int64_t value, size_t *statements)
{
    buf_addf(out, "SET LOCAL %s = %" PRId64 ";\n", name, value < INT32_MAX ? value : INT32_MAX);
    ++*statements;
}

void lock_add_begin(const struct run *run, int server_version, struct buf *out, size_t *statements)
{
    const struct database_settings *s = run->settings;
    buf_adds(out, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;\n");
    ++*statements;
    add_setting(out, "lock_timeout", s->lock_timeout_ms, statements);
    add_setting(out, "statement_timeout", s->statement_timeout_ms, statements);
    /* a half-open connection ends by itself; an emit command has the time of a statement */
    add_setting(out, "idle_in_transaction_session_timeout",
                s->statement_timeout_ms ? s->statement_timeout_ms + 60000 : 0, statements);
    if (server_version >= TRANSACTION_TIMEOUT_LEAST)
        add_setting(out, "transaction_timeout", 0, statements);
    if (server_version >= CLIENT_CHECK_LEAST && !run->no_check_interval)
        add_setting(out, "client_connection_check_interval", CHECK_INTERVAL_MS, statements);
    buf_adds(out, "SET LOCAL standard_conforming_strings = on;\n"
                  "SELECT pg_catalog.set_config('synchronous_commit', 'on', true) WHERE "
                  "pg_catalog.current_setting('synchronous_commit') = 'off';\n");
    *statements += 2;
}

/* What the login makes belongs to it: say when it will not live for long. */
static void add_expiry(struct buf *out)
{
    buf_adds(out, "SELECT rolname, pg_catalog.to_char(rolvaliduntil AT TIME ZONE 'UTC', "
                  "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM pg_catalog.pg_roles WHERE rolname = "
                  "current_user AND rolvaliduntil < 'infinity';\n");
}

static void warn_expiry(const struct run *run, const struct db_rows *rows)
{
    if (run->settings->owner || rows->row_count == 0 || *db_cell(rows, 0, 1) == '\0')
        return;
    log_msg(LOG_WARN,
            "what is made now belongs to the login '%s', which ends at %s; nobody can alter it "
            "later: set database.owner",
            db_cell(rows, 0, 0), db_cell(rows, 0, 1));
}

static int read_look(struct run *run, struct db *db, const struct db_results *results, size_t first,
                     struct look *look, struct err *err)
{
    struct look fresh = LOOK_INIT;
    if (state_look_read(results, first, &fresh, err) != 0)
        return -1;
    look_release(look);
    *look = fresh;
    db_note_backend_pid(db, look->backend_pid);
    return state_classify(run->settings, look, run->report, err);
}

/* The message of lock_begin; *try_at is the place of the first result that is read. */
static int add_message(struct run *run, const struct db *db, struct buf *sql, size_t *try_at,
                       struct err *err)
{
    struct db_info info;
    db_info(db, &info);
    *try_at = run->extensions_at = 0;
    lock_add_begin(run, info.server_version, sql, try_at);
    add_try(run->settings, "pg_try_advisory_xact_lock", sql);
    add_expiry(sql);
    state_look_sql(run->settings, sql);
    if (run->plan.extensions.count > 0) {
        rights_add_extension_query(&run->plan, info.server_version, sql);
        run->extensions_at = *try_at + 2 + LOOK_RESULTS;
    }
    return buf_check(sql, ERR_CONTRACT, "the names in the contract", err);
}

static int send_begin(struct run *run, struct db *db, struct turn *turn, struct look *look,
                      struct err *err)
{
    AUTO_BUF sql = BUF_INIT(OWN_SQL_MAX_BYTES);
    size_t at;
    struct db_results results;
    if (add_message(run, db, &sql, &at, err) != 0)
        return -1;
    size_t expected = at + 2 + LOOK_RESULTS + (run->extensions_at > 0);
    if (db_query(db, buf_text(&sql), run_deadline(run, expected), &results, NULL, err) != 0)
        return -1;
    db_results_free(&run->begun);
    run->begun = results;
    if (results.count != expected)
        return err_set(err, ERR_DEFECT, "the look under the lock gave %zu results", results.count);
    read_turn(&results.list[at], turn);
    if (read_look(run, db, &results, at + 2, look, err) != 0)
        return -1;
    if (turn->had && run->report->state == STATE_FRESH)
        warn_expiry(run, &results.list[at + 1]);
    return 0;
}

/* A server on a platform that can't watch its sockets refuses client_connection_check_interval. */
static bool refused_check_interval(const struct run *run, const struct err *err)
{
    return !run->no_check_interval && strcmp(err->sqlstate, "22023") == 0 &&
           strstr(err->text, "client_connection_check_interval");
}

int lock_begin(struct run *run, struct db *db, struct turn *turn, struct look *look,
               struct err *err)
{
    if (send_begin(run, db, turn, look, err) == 0)
        return 0;
    if (!refused_check_interval(run, err))
        return -1;
    run->no_check_interval = true;
    return lock_rollback(run, db, err) == 0 ? send_begin(run, db, turn, look, err) : -1;
}

int lock_session(struct run *run, struct db *db, struct turn *turn, struct look *look,
                 struct err *err)
{
    AUTO_BUF sql = BUF_INIT(OWN_SQL_MAX_BYTES);
    add_try(run->settings, "pg_try_advisory_lock", &sql);
    state_look_sql(run->settings, &sql);
    if (buf_check(&sql, ERR_CONTRACT, "the names in the contract", err) != 0)
        return -1;
    struct db_results results;
    if (db_query(db, buf_text(&sql), run_deadline(run, 2), &results, NULL, err) != 0)
        return -1;
    int rc = 0;
    if (results.count != 1 + LOOK_RESULTS)
        rc = err_set(err, ERR_DEFECT, "the look under the lock gave %zu results", results.count);
    else {
        read_turn(&results.list[0], turn);
        rc = read_look(run, db, &results, 1, look, err);
    }
    db_results_free(&results);
    return rc;
}

/* Got and given back with the statement. Two that ask at the same time may each find the other:
 * both ask again. */
int lock_probe(struct run *run, struct db *db, bool *held, struct err *err)
{
    char sql[96];
    struct db_results results;
    (void)snprintf(sql, sizeof(sql),
                   "SELECT pg_catalog.pg_try_advisory_xact_lock(%d, %" PRId32 ")::int", LOCK_CLASS,
                   lock_object(run->settings));
    if (db_query(db, sql, run_deadline(run, 1), &results, NULL, err) != 0)
        return -1;
    *held = results.count != 1 || *db_cell(&results.list[0], 0, 0) != '1';
    db_results_free(&results);
    return 0;
}

void lock_say_busy(struct run *run, const struct turn *turn)
{
    memcpy(run->holder, turn->holder, sizeof(run->holder));
    log_progress(&run->progress, "waiting for our turn: the lock is held by %s", turn->holder);
}

int lock_rollback(struct run *run, struct db *db, struct err *err)
{
    struct db_results results;
    if (db_query(db, "ROLLBACK", run_deadline(run, 1), &results, NULL, err) != 0)
        return err_wrap(err, "roll back");
    bool answered = results.count == 1 && strcmp(results.list[0].tag, "ROLLBACK") == 0;
    db_results_free(&results);
    return answered
               ? 0
               : err_set(err, ERR_DB_DOWN, "%s: ROLLBACK was not answered as such", run->place);
}
