/* bootstrap/lock.c: whose turn it is.
 *
 * The lock is an advisory one of the transaction, so that it works through a pooler and dies with
 * the connection. It is tried for, never waited for in the server: who does not get it gives the
 * connection back and sleeps, so that a thousand waiters fit a server of fifty connections.
 * BEGIN, settings, lock and look are one message; each statement has a snapshot of its own, so that
 * the look sees what the last holder committed. */
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

/* One row: 1 had, 0 not. */
static void add_try(const struct database_settings *settings, const char *function, struct buf *out)
{
    buf_addf(out, "SELECT pg_catalog.%s(%d, %" PRId32 ")::int", function, LOCK_CLASS,
             lock_object(settings));
}

/* The same where there is no version table; where there is one NULL, and the lock is not touched:
 * starts on a database that is current do not contend for it. */
static void add_try_unless_made(const struct database_settings *settings, struct buf *out)
{
    buf_adds(out, "SELECT CASE WHEN NOT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN "
                  "pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = ");
    db_add_literal(out, settings->table);
    buf_adds(out, " AND n.nspname = ");
    db_add_literal(out, settings->schema);
    buf_adds(out, ") THEN (");
    add_try(settings, "pg_try_advisory_xact_lock", out);
    buf_adds(out, ") END");
}

static void read_turn(const struct db_rows *rows, struct turn *turn)
{
    const char *answer = db_cell(rows, 0, 0);
    *turn = (struct turn){.tried = *answer != '\0', .had = *answer == '1'};
}

/* A line `SET LOCAL name = value;` */
static void add_setting(struct buf *out, const char *name, int64_t value, size_t *statements)
{
    buf_addf(out, "SET LOCAL %s = %" PRId64 ";\n", name, value < INT32_MAX ? value : INT32_MAX);
    ++*statements;
}

static void add_settings(const struct run *run, int server_version, struct buf *out,
                         size_t *statements)
{
    const struct database_settings *s = run->settings;
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

/* Not READ WRITE: the look is to see what the session would be by itself, and who goes on has seen
 * that it may write. */
void lock_add_begin(const struct run *run, int server_version, struct buf *out, size_t *statements)
{
    buf_adds(out, "BEGIN ISOLATION LEVEL READ COMMITTED;\n");
    ++*statements;
    add_settings(run, server_version, out, statements);
}

void lock_add_wait(const struct run *run, int server_version, struct buf *out, size_t *statements)
{
    /* not READ ONLY: the look would take the session for one */
    buf_adds(out, "BEGIN ISOLATION LEVEL READ COMMITTED;\n");
    add_setting(out, "lock_timeout", 0, statements);
    add_setting(out, "statement_timeout", 0, statements);
    if (server_version >= CLIENT_CHECK_LEAST && !run->no_check_interval)
        add_setting(out, "client_connection_check_interval", CHECK_INTERVAL_MS, statements);
    buf_addf(out, "SELECT pg_catalog.pg_advisory_xact_lock_shared(%d, %" PRId32 ");\n", LOCK_CLASS,
             lock_object(run->settings));
    *statements += 2;
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

/* SQL is a try for the lock, result AT, and a look. */
static int send_try(struct run *run, struct db *db, const struct buf *sql, size_t at,
                    struct turn *turn, struct look *look, struct err *err)
{
    size_t expected = at + 1 + LOOK_RESULTS;
    struct db_results results;
    if (buf_check(sql, ERR_CONTRACT, "the names in the contract", err) != 0 ||
        db_query(db, buf_text(sql), run_deadline(run, expected), &results, NULL, err) != 0)
        return -1;
    int rc = 0;
    if (results.count != expected) {
        rc = err_set(err, ERR_DEFECT, "the look under the lock gave %zu results", results.count);
    } else {
        read_turn(&results.list[at], turn);
        rc = read_look(run, db, &results, at + 1, look, err);
    }
    db_results_free(&results);
    return rc;
}

static int send_begin(struct run *run, struct db *db, struct turn *turn, struct look *look,
                      struct err *err)
{
    AUTO_BUF sql = BUF_INIT(OWN_SQL_MAX_BYTES);
    struct db_info info;
    size_t at = 0;
    db_info(db, &info);
    lock_add_begin(run, info.server_version, &sql, &at);
    add_try_unless_made(run->settings, &sql);
    buf_adds(&sql, ";\n");
    state_look_sql(run->settings, &sql);
    return send_try(run, db, &sql, at, turn, look, err);
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

static int try_and_look(struct run *run, struct db *db, const char *function, struct turn *turn,
                        struct look *look, struct err *err)
{
    AUTO_BUF sql = BUF_INIT(OWN_SQL_MAX_BYTES);
    add_try(run->settings, function, &sql);
    buf_adds(&sql, ";\n");
    state_look_sql(run->settings, &sql);
    return send_try(run, db, &sql, 0, turn, look, err);
}

int lock_try(struct run *run, struct db *db, struct turn *turn, struct look *look, struct err *err)
{
    return try_and_look(run, db, "pg_try_advisory_xact_lock", turn, look, err);
}

/* ---- who has it ------------------------------------------------------------------------------ */

static const char nobody_seen[] = "somebody who is not to be seen";

static void add_holder_query(const struct database_settings *settings, struct buf *out)
{
    buf_addf(out,
             "SELECT k.pid, pg_catalog.concat_ws(' on ', nullif(a.application_name, ''), "
             "a.client_addr::text), pg_catalog.to_char(coalesce(a.xact_start, a.backend_start) AT "
             "TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM pg_catalog.pg_locks k LEFT "
             "JOIN pg_catalog.pg_stat_activity a ON a.pid = k.pid WHERE k.locktype = 'advisory' "
             "AND k.granted AND k.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname "
             "= pg_catalog.current_database()) AND k.classid::bigint = %d AND k.objid::bigint = "
             "%" PRIu32 " AND k.objsubid = 2 LIMIT 1",
             LOCK_CLASS, (uint32_t)lock_object(settings));
}

static int ask_for_holder(struct run *run, struct db *db, char holder[static HOLDER_BYTES],
                          struct err *err)
{
    AUTO_BUF sql = BUF_INIT(OWN_SQL_MAX_BYTES);
    struct db_results results;
    add_holder_query(run->settings, &sql);
    if (db_query(db, buf_text(&sql), run_deadline(run, 1), &results, NULL, err) != 0)
        return -1;
    const struct db_rows *rows = results.count == 1 ? &results.list[0] : NULL;
    const char *pid = rows ? db_cell(rows, 0, 0) : "", *name = rows ? db_cell(rows, 0, 1) : "",
               *since = rows ? db_cell(rows, 0, 2) : "";
    if (*pid == '\0') /* it ended between the two looks, or a pooler's other database */
        (void)snprintf(holder, HOLDER_BYTES, "%s", nobody_seen);
    else
        (void)snprintf(holder, HOLDER_BYTES, "pid %s%s%.150s%s%s%s", pid, *name ? " (" : "", name,
                       *name ? ")" : "", *since ? " since " : "", since);
    db_results_free(&results);
    return 0;
}

int lock_session(struct run *run, struct db *db, struct turn *turn, struct look *look,
                 struct err *err)
{
    if (try_and_look(run, db, "pg_try_advisory_lock", turn, look, err) != 0)
        return -1;
    return turn->had ? 0 : ask_for_holder(run, db, turn->holder, err);
}

int lock_learn_holder(struct run *run, struct db *db, struct err *err)
{
    int64_t now = clock_now_ms(), since = run->busy_since_ms ? run->busy_since_ms : now;
    bool may_be_the_last_try = run->lock_deadline_ms - now < HOLDER_ASKED_MS;
    if (!may_be_the_last_try && (now - since < HOLDER_ASKED_MS || now < run->ask_holder_ms))
        return 0;
    run->ask_holder_ms = now + HOLDER_AGAIN_MS;
    return ask_for_holder(run, db, run->holder, err);
}

/* Got and given back with the statement. Two that ask at the same time may each find the other:
 * both ask again. What the holder makes shows at once, so that a version table where there was none
 * is worth a look, whoever has the lock by now. */
int lock_probe(struct run *run, struct db *db, bool *held, struct err *err)
{
    AUTO_BUF sql = BUF_INIT(OWN_SQL_MAX_BYTES);
    struct db_results results;
    struct turn turn = {0};
    if (run->report->state == STATE_FRESH)
        add_try_unless_made(run->settings, &sql);
    else
        add_try(run->settings, "pg_try_advisory_xact_lock", &sql);
    if (buf_check(&sql, ERR_CONTRACT, "the version table's name", err) != 0 ||
        db_query(db, buf_text(&sql), run_deadline(run, 1), &results, NULL, err) != 0)
        return -1;
    if (results.count == 1)
        read_turn(&results.list[0], &turn);
    db_results_free(&results);
    *held = turn.tried && !turn.had;
    return *held ? lock_learn_holder(run, db, err) : 0;
}

void lock_say_busy(struct run *run, const struct turn *turn)
{
    if (run->busy_since_ms == 0)
        run->busy_since_ms = clock_now_ms();
    if (*turn->holder)
        memcpy(run->holder, turn->holder, sizeof(run->holder));
    else if (!*run->holder)
        (void)snprintf(run->holder, sizeof(run->holder), "%s", nobody_seen);
    log_progress(&run->progress, "waiting for our turn: the lock is held by %s", run->holder);
}

/* ---- the end of a transaction that changed nothing ------------------------------------------- */

void lock_leave(struct run *run, struct db *db)
{
    struct err err = ERR_INIT;
    struct db_info info;
    db_info(db, &info);
    if (info.pooled && !db_is_lost(db) && lock_rollback(run, db, &err) != 0)
        log_line(LOG_DEBUG, "the transaction ends with the connection", "why", err.text, NULL);
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
