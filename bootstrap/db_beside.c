/* bootstrap/db_beside.c: a second connection, made and asked while the first one is at work.
 *
 * Nothing waits for it: whoever waits for the first one's answers looks after it meanwhile. What goes
 * wrong is kept until it is asked for. See db_internal.h for why libpq is called by five files. */
#include <errno.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bootstrap/db_internal.h"
#include "bootstrap/db_params.h"

struct db_beside {
    struct db *db; /* NULL until somebody waits: what the first one is to do is sent before that */
    const struct db_target *target;
    char *host, *port, *address, *sql;
    int64_t deadline_ms; /* for the connection */
    PostgresPollingStatusType wanted;
    bool is_up, is_sent, has_failed;
    struct err err; /* why it failed */
};

static void beside_free(struct db_beside *b)
{
    if (!b)
        return;
    db_close(b->db);
    free(b->host);
    free(b->port);
    free(b->address);
    free(b->sql);
    free(b);
}

static void auto_beside_free(struct db_beside **b)
{
    beside_free(*b);
}

void db_beside_end(struct db *db)
{
    beside_free(TAKE_POINTER(db->beside));
}

bool db_has_beside(const struct db *db)
{
    return db->beside != NULL;
}

int db_beside_begin(struct db *db, const struct db_target *target, const char *sql,
                    int64_t deadline_ms, struct err *err)
{
    CLEANUP(auto_beside_free) struct db_beside *b = mem_new(1, sizeof(*b));
    db_beside_end(db);
    if (!b)
        return err_nomem(err);
    b->host = mem_dup(db->host);
    b->port = mem_dup(db->port);
    b->address = mem_dup(db->address);
    b->sql = mem_dup(sql);
    b->target = target;
    b->deadline_ms = deadline_ms;
    b->wanted = PGRES_POLLING_WRITING;
    if (!b->host || !b->port || !b->address || !b->sql)
        return err_nomem(err);
    db->beside = TAKE_POINTER(b);
    return 0;
}

/* ---- its steps ------------------------------------------------------------------------------------- */

static void start(struct db_beside *b)
{
    AUTO_DB_PARAMS params = DB_PARAMS_INIT;
    b->has_failed = db_params_build(b->target, b->host, b->port, b->address, &params, &b->err) !=
                        0 ||
                    db_new(b->target, &b->db, &b->err) != 0 ||
                    db_start(b->db, &params, &b->err) != 0;
}

static void fail_with_text(struct db_beside *b)
{
    struct db_said said;
    db_said_from_text(&said, pq.PQerrorMessage(b->db->conn));
    db_said_hide(&said, &b->db->password);
    db_error(&b->err, said.sqlstate[0] ? db_kind(said.sqlstate) : ERR_DB_DOWN, b->host,
             "a second connection", &said);
    b->has_failed = true;
}

static void step(struct db_beside *b)
{
    if (!b->is_up) {
        if (db_poll(b->db, &b->wanted, &b->err) != 0)
            b->has_failed = true;
        else if (b->wanted == PGRES_POLLING_FAILED)
            fail_with_text(b);
        if (b->has_failed || b->wanted != PGRES_POLLING_OK)
            return;
        b->is_up = true;
        if (db_connected(b->db, b->host, b->port, b->address, &b->err) != 0 ||
            db_send(b->db, b->sql, &b->err) != 0) {
            b->has_failed = true;
            return;
        }
    } else if (!pq.PQconsumeInput(b->db->conn)) {
        fail_with_text(b);
        return;
    }
    int pending = pq.PQflush(b->db->conn);
    b->is_sent = pending == 0;
    if (pending < 0)
        fail_with_text(b);
}

/* Begins it where that is still to be done. What was sent is answered in its own time. */
static bool is_at_work(struct db_beside *b)
{
    if (b && !b->db && !b->has_failed)
        start(b);
    return b && !b->has_failed && !b->is_sent;
}

static bool wants_to_write(const struct db_beside *b)
{
    return b->is_up || b->wanted == PGRES_POLLING_WRITING;
}

int db_wait_beside(struct db *db, bool writing, int64_t deadline_ms)
{
    int fd = pq.PQsocket(db->conn);
    while (is_at_work(db->beside)) {
        struct db_beside *b = db->beside;
        int ready = db_wait_two(fd, writing, pq.PQsocket(b->db->conn), wants_to_write(b),
                                deadline_ms);
        if (ready > 0 && (ready & DB_OTHER_READY))
            step(b);
        if (ready <= 0 || (ready & DB_READY))
            return ready <= 0 ? ready : 1;
    }
    return db_wait(fd, writing, deadline_ms);
}

/* ---- its answers ----------------------------------------------------------------------------------- */

static int finish(struct db_beside *b, int64_t deadline_ms, struct err *err)
{
    int64_t until = clock_earlier(deadline_ms, b->deadline_ms);
    while (is_at_work(b)) {
        int ready = db_wait(pq.PQsocket(b->db->conn), wants_to_write(b), until);
        if (ready < 0)
            return err_errno(err, ERR_RESOURCE, "%s: poll", b->host);
        if (ready == 0) {
            err_set(err, ERR_DB_DOWN, "%s: a second connection: no answer in time", b->host);
            err->sys_errno = ETIMEDOUT;
            return -1;
        }
        step(b);
    }
    if (b->has_failed)
        *err = b->err;
    return b->has_failed ? -1 : 0;
}

int db_beside_collect(struct db *db, int64_t deadline_ms, struct db **out,
                      struct db_results *results, struct err *err)
{
    CLEANUP(auto_beside_free) struct db_beside *b = TAKE_POINTER(db->beside);
    if (!b)
        return err_set(err, ERR_DEFECT, "there is no second connection");
    if (finish(b, deadline_ms, err) != 0 || db_collect(b->db, deadline_ms, results, err) != 0)
        return -1;
    *out = TAKE_POINTER(b->db);
    return 0;
}
