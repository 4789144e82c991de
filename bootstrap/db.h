/* bootstrap/db.h: one PostgreSQL connection; libpq is called by db.c, db_connect.c, db_beside.c,
 * db_result.c and db_password.c alone.
 *
 * Connections are made by keyword arrays (a URL's parse errors quote pieces of it), with every
 * address part explicit, so that no PG* variable, service file or pgpass decides where we go; the
 * environment may add TLS files and tuning. Errors are never blank: the first of the server's text,
 * SQLSTATE with its condition's name, the connection's state, phase and errno, "the server gave no
 * text"; always with host, port, database, user and the step that failed. Notices are logged. */
#ifndef BOOTSTRAP_DB_H
#define BOOTSTRAP_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"

enum {
    DB_QUERY_MAX_ROWS = 1000000, /* of one result; more is an error */
    DB_COPY_CHUNK_BYTES = 64 * 1024,
    /* libpq holds a message whole, and more than once while its buffer grows. Longer texts are cut
     * by the caller at the end of a statement, so that memory stays near to the text's own size. */
    DB_MESSAGE_BYTES = 8 * 1024 * 1024,
};

/* Where to go: from a postgres-url; strings are the target's own. */
struct db_target {
    char *host, *port, *user, *database; /* decoded; host may be a socket folder or a list */
    struct secret password;
    char *query; /* the URL's query, for sslmode and its like; still encoded */
    char *application_name;
};

/* URL is a postgres-url (`postgres`, `postgresql`, `postgresql+DRIVER`). Errors: ERR_CONTRACT,
 * value-free, naming VARIABLE. */
MUST_USE int db_target_parse(const struct secret *url, const char *variable, struct db_target *out,
                             struct err *err);
void db_target_release(struct db_target *target);
/* "host:port database 'app' user 'app_rw'" for messages */
void db_target_describe(const struct db_target *target, struct buf *out);

struct db;

/* err->step on failure is where it stopped: "resolve", "connect", "tls", "auth", "database",
 * "privilege", "query". DEADLINE bounds the whole. Kinds: ERR_DB_DOWN (not reached, starting up,
 * full, shutting down, read-only), ERR_DB_REFUSED. */
MUST_USE int db_connect(const struct db_target *target, int64_t deadline_ms, struct db **out,
                        struct err *err);
void db_close(struct db *db); /* NULL is fine */
#define AUTO_DB CLEANUP(auto_db_close) struct db *
void auto_db_close(struct db **db);

bool db_should_wait(const struct err *err); /* refused, 57P03, 53300, reset: the server may come */

struct db_info {
    int server_version; /* 150020 */
    const char *server_version_text, *host, *port, *database, *user;
    bool tls;
    const char *tls_version; /* or NULL */
    bool pooled;     /* PQbackendPID and pg_backend_pid() differ; known after db_note_backend_pid */
    int backend_pid; /* PQbackendPID */
};
void db_info(const struct db *db, struct db_info *out);
void db_note_backend_pid(struct db *db, int pid); /* what pg_backend_pid() said */
bool db_is_lost(const struct db *db);             /* nothing more can be asked on it */

/* ---- statements --------------------------------------------------------------------------------- */

/* One result of a simple query message: rows of texts. */
struct db_rows {
    size_t row_count, column_count;
    char **cells; /* row-major; NULL: SQL NULL */
    char **names; /* of columns */
    char tag[64]; /* command tag: "COMMIT", "INSERT 0 1" */
};

/* Send SQL (one or more statements, one message, one round trip) and collect every result in order.
 * *out is the caller's: db_results_free. On an error of statement k, results 0..k-1 are lost, and
 * err says SQLSTATE, message, detail, hint, context; *failed (may be NULL) tells which and where. */
struct db_results {
    struct db_rows *list;
    size_t count;
};

/* Every statement that fails: kinds by SQLSTATE (ERR_DB_DOWN, ERR_DB_LOCK, ERR_DB_REFUSED, else
 * ERR_DB_SQL), step "query" ("privilege" for 42501). When DEADLINE passes, the statement is cancelled
 * and the error (ERR_DB_DOWN, sys_errno ETIMEDOUT) says so. */
struct db_failure {
    size_t statement; /* how many statements of the message were completed before */
    size_t position;  /* of the error in the message, in characters from 1; 0: not known */
    bool connection_lost;
};
MUST_USE int db_query(struct db *db, const char *sql, int64_t deadline_ms, struct db_results *out,
                      struct db_failure *failed, struct err *err);

/* As db_query for statements whose rows nobody needs: nothing is collected; *completed (may be NULL)
 * counts, also on failure. SQL[LENGTH] must be readable; where it is not NUL the text is copied. */
MUST_USE int db_execute(struct db *db, const char *sql, size_t length, int64_t deadline_ms,
                        size_t *completed, struct db_failure *failed, struct err *err);

/* As db_execute for a text that has COPY ... FROM stdin in it, also several, anywhere between other
 * statements: COPIES are their data in order. One round trip, and one more for each COPY. */
struct db_copy_data {
    const char *data; /* lines as COPY's text format has them, without the closing \. */
    size_t length;
};
MUST_USE int db_execute_copies(struct db *db, const char *sql, size_t length,
                               const struct db_copy_data *copies, size_t copy_count,
                               int64_t deadline_ms, size_t *completed, struct db_failure *failed,
                               struct err *err);

/* As db_execute_copies, where the statements behind the others are ours: *out has the results of the
 * LAST ones (of fewer, where there were no more); the caller's, db_results_free. */
MUST_USE int db_execute_last(struct db *db, const char *sql, size_t length,
                             const struct db_copy_data *copies, size_t copy_count, size_t last,
                             int64_t deadline_ms, struct db_results *out, struct db_failure *failed,
                             struct err *err);

/* One COPY ... FROM stdin with its data. */
MUST_USE int db_copy(struct db *db, const char *sql, const char *data, size_t length,
                     int64_t deadline_ms, struct db_failure *failed, struct err *err);

/* The last command's tag after COMMIT must be COMMIT: 0; else -1. *in_doubt: the connection broke
 * after the message was sent and before the answer came. */
MUST_USE int db_commit(struct db *db, int64_t deadline_ms, bool *in_doubt, struct err *err);

/* A second connection, to the address that DB reached, which is made while DB waits for answers; when
 * it is up, SQL is sent on it, and its answers are waited for by db_beside_collect alone. Begun when DB
 * is waited for the next time, so that what DB is sent before goes first. Whatever happens to it, DB is
 * not touched. It ends with DB, where it was not collected. TARGET must live as long. */
MUST_USE int db_beside_begin(struct db *db, const struct db_target *target, const char *sql,
                             int64_t deadline_ms, struct err *err);
bool db_has_beside(const struct db *db);
/* *out (the caller's, db_close) is the connection, *results are SQL's answers. On failure nothing of
 * it is left; kinds as those of db_connect and db_query. */
MUST_USE int db_beside_collect(struct db *db, int64_t deadline_ms, struct db **out,
                               struct db_results *results, struct err *err);
void db_beside_end(struct db *db); /* fine where there is none */

/* One statement alone (the extended protocol: nothing can follow it in SQL), at most MAX_ROWS rows.
 * *more: there were more, and the connection can only be closed now. */
MUST_USE int db_query_one(struct db *db, const char *sql, size_t max_rows, int64_t deadline_ms,
                          struct db_rows *out, bool *more, struct err *err);
void db_rows_free(struct db_rows *rows);

void db_results_free(struct db_results *results);
const char *db_cell(const struct db_rows *rows, size_t row, size_t column); /* "" for NULL */

/* Quoted for SQL: "name", and 'text' or E'text', right whatever standard_conforming_strings is. */
void db_add_identifier(struct buf *out, const char *name);
void db_add_literal(struct buf *out, const char *text);
void db_add_literal_n(struct buf *out, const char *text, size_t length);

/* ---- passwords ---------------------------------------------------------------------------------- */

/* What ALTER ROLE ... PASSWORD takes in place of PASSWORD: its SCRAM-SHA-256 verifier, made here with
 * a salt of its own, without a round trip. *out is the caller's. Errors: ERR_RESOURCE. */
MUST_USE int db_password_verifier(struct db *db, const char *user, const struct secret *password,
                                  struct secret *out, struct err *err);

/* From now on TEXT (copied; the last four such) is *** in errors and notices of this connection: a
 * server or its triggers may repeat a statement that it was in. */
MUST_USE int db_hide(struct db *db, const struct secret *text, struct err *err);

/* The condition's name of a SQLSTATE ("too_many_connections"), or NULL. */
const char *db_condition(const char *sqlstate);

/* Append which libpq is here, and which is the oldest that will do. Opens it. Errors: ERR_RESOURCE, it
 * is not here, or too old. */
MUST_USE int db_library_version(struct buf *out, struct err *err);

/* Round trips so far on this connection, for tests and -vv. */
unsigned db_round_trips(const struct db *db);

#endif
