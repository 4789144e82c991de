/* bootstrap/db.c: statements on a connection, under a deadline, with errors that say what happened.
 *
 * Nothing here blocks in libpq: texts are sent and answers awaited in a poll loop of ours. libpq wipes
 * an error's text with the next success, so each is read at once. See db_internal.h for why libpq is
 * called by five files. Over 500 lines: an exchange is one story from its first byte to the last
 * answer, COPY and cancelling included, and its parts know one another. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "bootstrap/db_internal.h"

/* One message on its way. */
struct exchange {
    struct db *db;
    int64_t started_ms, deadline_ms;
    const char *phase; /* "query", "COPY", "COMMIT" for messages */
    size_t completed;  /* statements */
    const struct db_copy_data *copies;
    size_t copy_count, copies_done;
    struct db_results *results; /* NULL: rows are dropped */
    size_t capacity, last;      /* LAST > 0: no more results than that are kept, the last ones */
    struct db_gather *gather;   /* rows one by one, at most gather_max */
    size_t gather_max;
    struct db_failure *failed;
    bool has_failed;
    struct err *err;
};

enum awaited { AWAIT_READY, AWAIT_TIMEOUT, AWAIT_LOST, AWAIT_NO_POLL };

void db_note_backend_pid(struct db *db, int pid)
{
    db->server_pid = pid;
}

bool db_is_lost(const struct db *db)
{
    return db->lost || pq.PQstatus(db->conn) == CONNECTION_BAD;
}

unsigned db_round_trips(const struct db *db)
{
    return db->round_trips;
}

/* ---- waiting --------------------------------------------------------------------------------------- */

/* Until everything is sent and a result (or COPY's turn) is there. */
static enum awaited await(const struct exchange *x)
{
    PGconn *conn = x->db->conn;
    for (bool can_write = true;;) {
        int pending = can_write ? pq.PQflush(conn) : 0;
        if (pending < 0)
            can_write = false; /* broken: but the server's last words may be there to read */
        if (pending <= 0 && !pq.PQisBusy(conn))
            return AWAIT_READY;
        if (pq.PQsocket(conn) < 0)
            return AWAIT_LOST;
        int ready = db_wait_beside(x->db, pending > 0, x->deadline_ms);
        if (ready == 0)
            return AWAIT_TIMEOUT;
        if (ready < 0)
            return AWAIT_NO_POLL;
        if (!pq.PQconsumeInput(conn))
            return AWAIT_LOST;
    }
}

static void send_cancel(void *argument, int fd)
{
    char ignored[256];
    (void)fd; /* nothing to tell: whether it helped shows in what the connection says next */
    (void)pq.PQcancel(argument, ignored, sizeof(ignored));
}

/* PQcancel connects and blocks, so a child does it. Whether it can be sent or not, the statement is
 * given up: what follows is only about leaving the server clean and the connection usable. */
static void cancel_statement(struct exchange *x)
{
    AUTO_BUF nothing = BUF_INIT(1);
    struct err ignored = ERR_INIT;
    PGcancel *cancel = pq.PQgetCancel(x->db->conn);
    if (!cancel)
        return;
    int sent = db_in_child(send_cancel, cancel, clock_in_ms(DB_CANCEL_MS), &nothing, &ignored);
    pq.PQfreeCancel(cancel);
    log_line(LOG_DEBUG,
             sent == 0 ? "asked the server to cancel the statement"
                       : "the request to cancel the statement could not be sent",
             "why", ignored.kind == ERR_NONE ? NULL : ignored.text, NULL);
}

static void drain_after_cancel(struct exchange *x)
{
    struct exchange rest = *x;
    rest.deadline_ms = clock_in_ms(DB_CANCEL_MS);
    while (await(&rest) == AWAIT_READY) {
        PGresult *result = pq.PQgetResult(x->db->conn);
        if (!result)
            return;
        ExecStatusType status = pq.PQresultStatus(result);
        pq.PQclear(result);
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH)
            break;
    }
    x->db->lost = true;
}

static void fail_note(struct exchange *x, size_t position)
{
    if (x->failed)
        *x->failed = (struct db_failure){
            .statement = x->completed, .position = position, .connection_lost = db_is_lost(x->db)};
    x->has_failed = true;
}

static int timed_out(struct exchange *x)
{
    long long waited = (long long)(clock_now_ms() - x->started_ms);
    cancel_statement(x);
    drain_after_cancel(x);
    err_set(x->err, ERR_DB_DOWN, "%s: %s: no answer within %lld ms; %s", x->db->place, x->phase,
            waited, x->db->lost ? "the connection was given up" : "the statement was cancelled");
    x->err->step = "query";
    x->err->sys_errno = ETIMEDOUT;
    err_hint(x->err, "The server is busy, the statement waits for a lock, or the network is gone.");
    fail_note(x, 0);
    return -1;
}

static int no_poll(struct exchange *x)
{
    x->db->lost = true;
    err_errno(x->err, ERR_RESOURCE, "%s: %s: poll", x->db->place, x->phase);
    fail_note(x, 0);
    return -1;
}

/* SAID → x->err, unless an earlier statement of the message failed already: the first is the cause. */
static int fail_said(struct exchange *x, struct db_said *said, size_t position)
{
    if (x->has_failed)
        return -1;
    db_said_hide_all(said, x->db);
    bool lost = db_is_lost(x->db);
    enum err_kind kind = lost                ? ERR_DB_DOWN
                         : said->sqlstate[0] ? db_kind(said->sqlstate)
                                             : ERR_DB_SQL;
    if (lost && !said->primary[0] && !said->sqlstate[0])
        db_said_part(said->primary, "the connection broke", strlen("the connection broke"));
    db_error(x->err, kind, x->db->place, x->phase, said);
    x->err->step = str_eq(said->sqlstate, "42501") ? "privilege" : "query";
    if (lost)
        x->err->sys_errno = ECONNRESET;
    if (str_eq(said->sqlstate, "25006"))
        err_hint(x->err, "The server is a standby, or the session is read-only: the URL must name "
                         "the primary.");
    if (str_eq(said->sqlstate, "57014"))
        err_hint(x->err,
                 "Somebody, or statement_timeout, has ended it: the contract's, or that of ALTER "
                 "ROLE or DATABASE ... SET.");
    if (str_eq(said->sqlstate, "55P03"))
        err_hint(x->err, "Somebody else holds a lock on it: try again.");
    fail_note(x, position);
    return -1;
}

static int fail_text(struct exchange *x, const char *text)
{
    struct db_said said;
    db_said_from_text(&said, text);
    return fail_said(x, &said, 0);
}

static int fail_result(struct exchange *x, const PGresult *result)
{
    struct db_said said;
    int64_t position = 0;
    const char *text = pq.PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
    db_said_from_result(&said, result);
    if (!text || str_to_int64(text, strlen(text), &position) != 0 || position < 0)
        position = 0;
    return fail_said(x, &said, (size_t)position);
}

/* ---- results --------------------------------------------------------------------------------------- */

static void drop_first(struct db_results *results)
{
    db_rows_free(&results->list[0]);
    results->count--;
    memmove(results->list, results->list + 1, results->count * sizeof(*results->list));
}

static int keep_rows(struct exchange *x, PGresult *result)
{
    struct db_rows rows;
    if (x->last > 0 && x->results->count == x->last)
        drop_first(x->results);
    if (pq.PQntuples(result) > DB_QUERY_MAX_ROWS)
        err_set(x->err, ERR_DB_SQL, "%s: %s: more than %d rows", x->db->place, x->phase,
                DB_QUERY_MAX_ROWS);
    else if (db_rows_from_result(result, &rows, x->err) == 0) {
        if (db_rows_append(x->results, &rows, &x->capacity, x->err) == 0)
            return 0;
        db_rows_free(&rows);
    }
    fail_note(x, 0);
    return -1;
}

/* ---- COPY ------------------------------------------------------------------------------------------- */

/* 0 sent; 1 the deadline; -1 lost. */
static int flush_all(const struct exchange *x)
{
    PGconn *conn = x->db->conn;
    for (;;) {
        int pending = pq.PQflush(conn);
        if (pending <= 0)
            return pending;
        int ready = db_wait(pq.PQsocket(conn), true, x->deadline_ms);
        if (ready == 0)
            return 1;
        /* Reading, too: a server that talks (notices) and is not heard would not read on. */
        if (ready < 0 || !pq.PQconsumeInput(conn))
            return -1;
    }
}

static int feed_copy(struct exchange *x)
{
    PGconn *conn = x->db->conn;
    if (x->copies_done >= x->copy_count) {
        /* The server's error names the statement; this text is what it quotes. */
        return pq.PQputCopyEnd(conn, "there is no data for this COPY") < 0 ? -1 : flush_all(x);
    }
    const struct db_copy_data *copy = &x->copies[x->copies_done++];
    x->db->round_trips++;
    int refusals = 0;
    for (size_t sent = 0; sent < copy->length;) {
        size_t chunk = copy->length - sent;
        if (chunk > DB_COPY_CHUNK_BYTES)
            chunk = DB_COPY_CHUNK_BYTES;
        int queued = pq.PQputCopyData(conn, copy->data + sent, (int)chunk);
        if (queued < 0 || (queued == 0 && refusals++ > 0))
            return -1; /* refused with nothing left to send: libpq has no memory for it */
        int flushed = flush_all(x);
        if (flushed != 0)
            return flushed;
        if (queued > 0) {
            sent += chunk;
            refusals = 0;
        }
    }
    return pq.PQputCopyEnd(conn, NULL) < 0 ? -1 : flush_all(x);
}

/* COPY ... TO stdout has no place to go to: its rows are read and dropped, and it is an error. */
static int drop_copy(struct exchange *x)
{
    for (;;) {
        char *line = NULL;
        int length = pq.PQgetCopyData(x->db->conn, &line, 1);
        if (line)
            pq.PQfreemem(line);
        if (length < 0)
            break;
        if (length == 0) {
            int ready = db_wait(pq.PQsocket(x->db->conn), false, x->deadline_ms);
            if (ready <= 0)
                return ready == 0 ? 1 : -1;
            if (!pq.PQconsumeInput(x->db->conn))
                return -1;
        }
    }
    fail_text(x, "COPY ... TO stdout can't be used here");
    return 0;
}

/* ---- the exchange ------------------------------------------------------------------------------------ */

static void gather_row(struct exchange *x, PGresult *result)
{
    if (x->has_failed || x->gather->more)
        return;
    if (x->gather->row_count >= x->gather_max && pq.PQntuples(result) > 0) {
        x->gather->more = true;
        x->db->lost = true; /* what is still to come is not read */
    } else if (db_gather_add(x->gather, result, x->err) != 0) {
        fail_note(x, 0);
    }
}

/* 0: go on; 1: the deadline; -1: the connection is lost. Failures of statements are noted in x. */
static int take_result(struct exchange *x, PGresult *result)
{
    ExecStatusType status = pq.PQresultStatus(result);
    if (x->gather && (status == PGRES_SINGLE_TUPLE || status == PGRES_TUPLES_OK)) {
        gather_row(x, result);
        return 0;
    }
    if (status == PGRES_COPY_IN)
        return feed_copy(x);
    if (status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH)
        return drop_copy(x);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY) {
        (void)fail_result(x, result); /* noted in x: the results behind it are still read */
        return 0;
    }
    if (!x->results || x->has_failed || keep_rows(x, result) == 0)
        x->completed++;
    return 0;
}

/* Every result of the message that was sent. */
static int collect(struct exchange *x)
{
    for (;;) {
        enum awaited awaited = await(x);
        if (awaited == AWAIT_TIMEOUT)
            return timed_out(x);
        if (awaited == AWAIT_NO_POLL)
            return no_poll(x);
        PGresult *result = pq.PQgetResult(x->db->conn); /* does not block: there, or lost */
        if (!result)
            break;
        int taken = take_result(x, result);
        pq.PQclear(result);
        if (x->gather && x->gather->more)
            return 0;
        if (taken == 1)
            return timed_out(x);
        if (awaited == AWAIT_LOST || taken < 0) {
            x->db->lost = true;
            if (!x->has_failed)
                fail_text(x, pq.PQerrorMessage(x->db->conn));
        }
    }
    if (!x->has_failed && db_is_lost(x->db))
        fail_text(x, pq.PQerrorMessage(x->db->conn));
    if (x->has_failed && x->failed)
        x->failed->connection_lost = db_is_lost(x->db);
    return x->has_failed ? -1 : 0;
}

static int begin_exchange(struct exchange *x)
{
    x->started_ms = clock_now_ms();
    if (x->failed)
        *x->failed = (struct db_failure){0};
    if (db_is_lost(x->db))
        return fail_text(x, "the connection was lost before");
    x->db->round_trips++;
    return 0;
}

static int exchange_run(struct exchange *x, const char *sql)
{
    if (begin_exchange(x) != 0)
        return -1;
    if (!pq.PQsendQuery(x->db->conn, sql))
        return fail_text(x, pq.PQerrorMessage(x->db->conn));
    return collect(x);
}

int db_send(struct db *db, const char *sql, struct err *err)
{
    struct exchange x = {.db = db, .phase = "query", .err = err};
    if (begin_exchange(&x) != 0)
        return -1;
    return pq.PQsendQuery(db->conn, sql) ? 0 : fail_text(&x, pq.PQerrorMessage(db->conn));
}

int db_collect(struct db *db, int64_t deadline_ms, struct db_results *out, struct err *err)
{
    struct db_results results = {0};
    struct exchange x = {.db = db,
                         .started_ms = clock_now_ms(),
                         .deadline_ms = deadline_ms,
                         .phase = "query",
                         .results = &results,
                         .err = err};
    if (collect(&x) != 0) {
        db_results_free(&results);
        return -1;
    }
    *out = results;
    return 0;
}

int db_query(struct db *db, const char *sql, int64_t deadline_ms, struct db_results *out,
             struct db_failure *failed, struct err *err)
{
    struct db_results results = {0};
    struct exchange x = {.db = db,
                         .deadline_ms = deadline_ms,
                         .phase = "query",
                         .results = &results,
                         .failed = failed,
                         .err = err};
    if (exchange_run(&x, sql) != 0) {
        db_results_free(&results);
        return -1;
    }
    *out = results;
    return 0;
}

int db_query_one(struct db *db, const char *sql, size_t max_rows, int64_t deadline_ms,
                 struct db_rows *out, bool *more, struct err *err)
{
    AUTO_DB_GATHER gather = DB_GATHER_INIT;
    struct exchange x = {.db = db,
                         .deadline_ms = deadline_ms,
                         .phase = "query",
                         .gather = &gather,
                         .gather_max = max_rows,
                         .err = err};
    if (begin_exchange(&x) != 0)
        return -1;
    if (!pq.PQsendQueryParams(db->conn, sql, 0, NULL, NULL, NULL, NULL, 0))
        return fail_text(&x, pq.PQerrorMessage(db->conn));
    (void)pq.PQsetSingleRowMode(db->conn); /* fails only when nothing was sent */
    if (collect(&x) != 0 || db_gather_finish(&gather, out, err) != 0)
        return -1;
    *more = gather.more;
    return 0;
}

/* SQL is copied where no NUL is behind it. */
static int run_copies(struct exchange *x, const char *sql, size_t length)
{
    AUTO_FREE char *copy = NULL;
    if (sql[length] != '\0') {
        copy = mem_dup_n(sql, length);
        if (!copy)
            return err_nomem(x->err);
        sql = copy;
    }
    if (exchange_run(x, sql) != 0)
        return -1;
    if (x->copies_done == x->copy_count)
        return 0;
    return err_set(x->err, ERR_DEFECT, "%zu of %zu COPY data blocks were asked for", x->copies_done,
                   x->copy_count);
}

int db_execute_copies(struct db *db, const char *sql, size_t length,
                      const struct db_copy_data *copies, size_t copy_count, int64_t deadline_ms,
                      size_t *completed, struct db_failure *failed, struct err *err)
{
    struct exchange x = {.db = db,
                         .deadline_ms = deadline_ms,
                         .phase = "query",
                         .copies = copies,
                         .copy_count = copy_count,
                         .failed = failed,
                         .err = err};
    int result = run_copies(&x, sql, length);
    if (completed)
        *completed = x.completed;
    return result;
}

int db_execute_last(struct db *db, const char *sql, size_t length,
                    const struct db_copy_data *copies, size_t copy_count, size_t last,
                    int64_t deadline_ms, struct db_results *out, struct db_failure *failed,
                    struct err *err)
{
    struct db_results results = {0};
    struct exchange x = {.db = db,
                         .deadline_ms = deadline_ms,
                         .phase = "query",
                         .copies = copies,
                         .copy_count = copy_count,
                         .results = &results,
                         .last = last,
                         .failed = failed,
                         .err = err};
    if (run_copies(&x, sql, length) != 0) {
        db_results_free(&results);
        return -1;
    }
    *out = results;
    return 0;
}

int db_execute(struct db *db, const char *sql, size_t length, int64_t deadline_ms,
               size_t *completed, struct db_failure *failed, struct err *err)
{
    return db_execute_copies(db, sql, length, NULL, 0, deadline_ms, completed, failed, err);
}

int db_copy(struct db *db, const char *sql, const char *data, size_t length, int64_t deadline_ms,
            struct db_failure *failed, struct err *err)
{
    const struct db_copy_data copy = {.data = data, .length = length};
    return db_execute_copies(db, sql, strlen(sql), &copy, 1, deadline_ms, NULL, failed, err);
}

int db_commit(struct db *db, int64_t deadline_ms, bool *in_doubt, struct err *err)
{
    struct db_results results = {0};
    struct db_failure failed = {0};
    struct exchange x = {.db = db,
                         .deadline_ms = deadline_ms,
                         .phase = "COMMIT",
                         .results = &results,
                         .failed = &failed,
                         .err = err};
    *in_doubt = false;
    bool was_lost = db_is_lost(db);
    if (exchange_run(&x, "COMMIT") != 0) {
        /* Only the server's own error settles it; the connection's end, or silence, leaves it open. */
        *in_doubt = !was_lost && (failed.connection_lost || err->sys_errno == ETIMEDOUT);
        db_results_free(&results);
        return -1;
    }
    bool committed = results.count > 0 && str_eq(results.list[results.count - 1].tag, "COMMIT");
    if (!committed) /* an aborted transaction answers ROLLBACK, and no error */
        err_set(err, ERR_DB_SQL, "%s: COMMIT: the server answered '%s': nothing was committed",
                db->place, results.count > 0 ? results.list[results.count - 1].tag : "");
    db_results_free(&results);
    return committed ? 0 : -1;
}
