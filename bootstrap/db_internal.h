/* bootstrap/db_internal.h: what the files of db.h share.
 *
 * libpq is called by five files: db_connect.c, db.c (statements), db_beside.c (a second connection),
 * db_result.c (what is in a PGresult) and db_password.c (verifiers); one file of all would be far
 * beyond 500 lines. They share the table of functions below.
 * db_target.c, db_params.c, db_resolve.c and db_error.c never call it. */
#ifndef BOOTSTRAP_DB_INTERNAL_H
#define BOOTSTRAP_DB_INTERNAL_H

#include <libpq-fe.h>

#include "base/secret.h"
#include "bootstrap/db.h"

/* Every function of libpq that is used; prototypes are libpq-fe.h's. */
#define PQ_FUNCTIONS(X)     \
    X(PQlibVersion)         \
    X(PQconnectStartParams) \
    X(PQconnectPoll)        \
    X(PQfinish)             \
    X(PQstatus)             \
    X(PQhost)               \
    X(PQsocket)             \
    X(PQerrorMessage)       \
    X(PQsetErrorVerbosity)  \
    X(PQsetNoticeReceiver)  \
    X(PQsetnonblocking)     \
    X(PQparameterStatus)    \
    X(PQserverVersion)      \
    X(PQbackendPID)         \
    X(PQdb)                 \
    X(PQuser)               \
    X(PQsslInUse)           \
    X(PQsslAttribute)       \
    X(PQgetCancel)          \
    X(PQcancel)             \
    X(PQfreeCancel)         \
    X(PQsendQuery)          \
    X(PQsendQueryParams)    \
    X(PQsetSingleRowMode)   \
    X(PQflush)              \
    X(PQconsumeInput)       \
    X(PQisBusy)             \
    X(PQgetResult)          \
    X(PQclear)              \
    X(PQresultStatus)       \
    X(PQresultErrorMessage) \
    X(PQresultErrorField)   \
    X(PQntuples)            \
    X(PQnfields)            \
    X(PQfname)              \
    X(PQgetvalue)           \
    X(PQgetlength)          \
    X(PQgetisnull)          \
    X(PQcmdStatus)          \
    X(PQputCopyData)        \
    X(PQputCopyEnd)         \
    X(PQgetCopyData)        \
    X(PQfreemem)            \
    X(PQencryptPasswordConn)

struct pq_library {
#define X(function) __typeof__(function) *function;
    PQ_FUNCTIONS(X)
#undef X
};
extern struct pq_library pq; /* filled by db_library_open (db_connect.c) */

enum {
    DB_SAID_BYTES = 1024,  /* one part of a server's message; longer ones are cut */
    DB_MAX_HOSTS = 16,     /* in a URL */
    DB_MAX_ADDRESSES = 16, /* of one host */
    DB_ADDRESS_BYTES = 64,
    DB_MAX_NOTICES = 100,      /* logged for one connection; what follows is dropped, once said */
    DB_CANCEL_MS = 2000,       /* for a cancel request, and for its effect to arrive */
    DB_LEAST_ATTEMPT_MS = 250, /* for one address while others are left */
    DB_LIBPQ_LEAST = 130000,   /* channel_binding came with 13 */
    DB_GATHER_BYTES = 64 * 1024 * 1024, /* of one result of db_query_one */
    DB_REDACT_LEAST = 4,                /* shorter passwords would take words apart */
    DB_HIDDEN = 4,                      /* texts of db_hide, the last ones */
};

struct db {
    PGconn *conn;
    struct secret password;          /* a copy, so that a server that echoes it is not believed */
    struct secret hidden[DB_HIDDEN]; /* db_hide: a ring */
    size_t hidden_next;
    char *host, *port, *place; /* place: db_target_describe of the host that we reached */
    char *address;             /* of that host, as hostaddr; "" for a socket */
    struct db_beside *beside;  /* a second connection in the making, or NULL */
    unsigned round_trips, notices;
    int server_pid; /* pg_backend_pid(), 0 while not known */
    bool lost;      /* nothing more can be asked */
};

/* ---- what a server or libpq said (db_error.c) -------------------------------------------------- */

/* Raw texts, cut to size, not sanitised (err_set does that). "" where there is none. */
struct db_said {
    char sqlstate[6];
    char primary[DB_SAID_BYTES], detail[DB_SAID_BYTES], hint[DB_SAID_BYTES], context[DB_SAID_BYTES];
};

void db_said_part(char *part, const char *text, size_t length); /* copies into one of the parts */

/* Take apart an error text of libpq in verbose form: without "connection to server at ... failed:",
 * "LINE 1:" and "LOCATION:". */
void db_said_from_text(struct db_said *said, const char *text);

/* Replace PASSWORD by *** in every part. */
void db_said_hide(struct db_said *said, const struct secret *password);

/* The same for the connection's password and what db_hide was told (db_password.c). */
void db_said_hide_all(struct db_said *said, const struct db *db);
void db_hide_release(struct db *db);

/* errno behind a text of libpq ("Connection refused"), or 0. libpq keeps no errno. */
int db_said_errno(const struct db_said *said);

enum err_kind db_kind(const char *sqlstate);

/* Did PgBouncer refuse the credentials? Its code is 08P01, protocol_violation, whatever is wrong, so
 * that its words tell. */
bool db_said_of_pooler(const struct db_said *said);

/* Did libpq let the server go because target_session_attrs wants another one? What that one would be,
 * as a hint; or NULL. */
const char *db_said_of_session(const struct db_said *said);
/* Did libpq refuse a parameter of the URL before it went anywhere? */
bool db_said_of_parameter(const struct db_said *said);
/* What to do about it, where the words tell more than how far the connection came; or NULL. */
const char *db_said_hint(const struct db_said *said);

/* Set *err: "PLACE: PHASE: primary (SQLSTATE condition); detail; context", with the server's hint.
 * Never blank: without a text it says what is known, and that the server gave none. PHASE is what was
 * being done: "authentication". Returns -1. */
int db_error(struct err *err, enum err_kind kind, const char *place, const char *phase,
             const struct db_said *said);

/* ---- work that may block for longer than we have (db_resolve.c) --------------------------------- */

/* Run WORK in a forked child, which may write to the descriptor that it gets; what it wrote goes to
 * OUT. 0 when it ended in time, 1 when it did not (it is killed), -1 with *err. WORK must only use
 * what is safe in a child: it runs on copies, and the slab of secrets is empty there. */
MUST_USE int db_in_child(void (*work)(void *argument, int fd), void *argument, int64_t deadline_ms,
                         struct buf *out, struct err *err);

struct db_addresses {
    char list[DB_MAX_ADDRESSES][DB_ADDRESS_BYTES];
    size_t count; /* 0 for a socket folder: there is nothing to resolve */
};
/* Errors: ERR_DB_DOWN, step "resolve", with the resolver's words. PLACE is for the message. */
MUST_USE int db_resolve(const char *host, const char *place, int64_t deadline_ms,
                        struct db_addresses *out, struct err *err);

/* ---- targets (db_target.c) ---------------------------------------------------------------------- */

bool db_host_is_local(const char *host); /* a socket folder, localhost, 127/8, ::1 */
/* "host:port database 'app' user 'app_rw'" */
void db_describe(const char *host, const char *port, const char *database, const char *user,
                 struct buf *out);
/* Item INDEX of a comma-separated list into OUT (cleared first); false behind the last one. */
bool db_list_item(const char *list, size_t index, struct buf *out);

/* ---- results (db_result.c) ----------------------------------------------------------------------- */

void db_said_from_result(struct db_said *said, const PGresult *result);
MUST_USE int db_rows_from_result(PGresult *result, struct db_rows *out, struct err *err);
MUST_USE int db_rows_append(struct db_results *results, const struct db_rows *rows,
                            size_t *capacity, struct err *err);

/* Rows that come one by one: bytes in one buffer, so that the end is one copy. */
struct db_gather {
    struct buf bytes; /* cells, each with its NUL */
    size_t *offsets;  /* row-major; SIZE_MAX: NULL */
    size_t count, capacity, row_count, column_count;
    char **names;
    bool more; /* rows that were not taken */
};
#define DB_GATHER_INIT ((struct db_gather){.bytes = BUF_INIT(DB_GATHER_BYTES)})
#define AUTO_DB_GATHER CLEANUP(db_gather_release) struct db_gather
void db_gather_release(struct db_gather *gather);
MUST_USE int db_gather_add(struct db_gather *gather, PGresult *result, struct err *err);
MUST_USE int db_gather_finish(struct db_gather *gather, struct db_rows *out, struct err *err);

MUST_USE int db_library_open(struct err *err);
/* Ready for reading (or writing): 1, the deadline: 0, -1: errno, ECANCELED after a signal
 * (base/stop.h). */
int db_wait(int fd, bool writing, int64_t deadline_ms);
/* The same for two descriptors: DB_READY and DB_OTHER_READY. OTHER may be -1. */
enum { DB_READY = 1, DB_OTHER_READY = 2 };
int db_wait_two(int fd, bool writing, int other, bool other_writing, int64_t deadline_ms);
/* As db_wait for DB's socket; meanwhile what stands beside it goes on (db_beside.c). */
int db_wait_beside(struct db *db, bool writing, int64_t deadline_ms);

/* ---- a connection, step by step (db_connect.c) --------------------------------------------------- */

struct db_params;
MUST_USE int db_new(const struct db_target *target, struct db **out, struct err *err);
MUST_USE int db_start(struct db *db, const struct db_params *params, struct err *err);
MUST_USE int db_poll(struct db *db, PostgresPollingStatusType *wanted, struct err *err);
/* db->host and what belongs to it, and that the session is what we need. */
MUST_USE int db_connected(struct db *db, const char *host, const char *port, const char *address,
                          struct err *err);

/* ---- a message in two halves (db.c) -------------------------------------------------------------- */

MUST_USE int db_send(struct db *db, const char *sql, struct err *err);
MUST_USE int db_collect(struct db *db, int64_t deadline_ms, struct db_results *out,
                        struct err *err);
void db_notice(void *db, const PGresult *notice); /* PQnoticeReceiver */

#endif
