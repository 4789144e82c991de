/* bootstrap/bootstrap.h: what a database is, making it in one transaction, and the second look.
 *
 * bootstrap_run never says made on what was not read back from a new connection, and never says
 * failed on a database that was made. See design "Bootstrap: one transaction". */
#ifndef BOOTSTRAP_BOOTSTRAP_H
#define BOOTSTRAP_BOOTSTRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/secret.h"
#include "migrations/graph.h"

/* in the order of the specification's table; words are exact */
#define DATABASE_STATES(X)                        \
    X(STATE_FRESH, "fresh")                       \
    X(STATE_CURRENT, "current")                   \
    X(STATE_BEHIND, "behind")                     \
    X(STATE_UNKNOWN_REVISION, "unknown-revision") \
    X(STATE_LOST_STAMP, "lost-stamp")             \
    X(STATE_UNSTAMPED, "unstamped")               \
    X(STATE_REDUNDANT, "redundant")               \
    X(STATE_STAMP_ONLY, "stamp-only")             \
    X(STATE_INCOMPLETE, "incomplete")             \
    X(STATE_INVISIBLE, "invisible")               \
    X(STATE_IN_DOUBT, "in-doubt")

enum database_state {
#define X(state, word) state,
    DATABASE_STATES(X)
#undef X
        STATE_COUNT
};
const char *state_word(enum database_state state);
MUST_USE int state_parse(const char *word, enum database_state *out); /* -1: no such state */

enum create_form { CREATE_NONE, CREATE_SQL, CREATE_EMIT, CREATE_COMMAND };

/* Borrowed strings; lists are NULL-terminated, NULL where unsaid. */
struct database_settings {
    const struct secret *url; /* the value of database.url */
    const char *url_variable; /* its name, for messages */
    const char *owner;
    enum create_form create;
    const char *const *create_list;         /* files (joined to the folder) or argv */
    const char *folder;                     /* where commands run and files start: database.cwd */
    const char *const *command_environment; /* NAME=value for emit, command, migrate, heads */
    const char *table, *schema;             /* of the version table */
    bool plain_stamp; /* stamp.style plain: one text column, no key; else Alembic's table */
    const struct graph *graph; /* heads and ancestry; NULL: no stamp is known */
    const char *const *migrate;
    const char *const *expect;
    const char *const *schemas;
    int64_t wait_ms, lock_timeout_ms, lock_wait_ms, statement_timeout_ms, connect_timeout_ms;
    int64_t deadline_ms;       /* of the whole command; CLOCK_NEVER where none */
    const struct buf *emitted; /* what create.emit has printed already; NULL: it is run */
    struct buf
        *transcript; /* what the commands write to stdout and stderr goes here, masked, and not
                             * to the log; NULL: to the log */
};

struct database_report {
    enum database_state state;
    bool state_known; /* false: no look succeeded */
    char *why;        /* a sentence for people: first objects and how many; never NULL when known */
    char *hint;       /* what to do next, or NULL */
    char *server_version, *host, *port, *database, *user;
    bool tls, read_only;
    bool in_recovery;        /* read_only, since it is a standby */
    char *tls_version;       /* or NULL */
    size_t table_count;      /* without the version table */
    char **missing;          /* expected tables that are not there; NULL-terminated */
    char **heads, **stamped; /* NULL-terminated */
    size_t behind;
    char **next;   /* revisions that come next when behind */
    char **rights; /* lines about what the role may do; verify's text only */
    char *lacks,
        *lacks_hint; /* of a fresh one: the right without which it can't be made, and who grants
                               * it how; NULL: none is known to be missing */
    /* bootstrap */
    bool created, verified;
    bool by_command; /* created by create.command, in no transaction of ours; one statement */
    enum database_state state_before;
    size_t statements;
    int64_t waited_ms, duration_ms;
};
#define REPORT_INIT ((struct database_report){0})
#define AUTO_REPORT CLEANUP(database_report_release) struct database_report
void database_report_release(struct database_report *report);

/* Look only: one connection, one round trip. 0 when the state could be read, whatever it is; else
 * err->step says how far it came. */
MUST_USE int verify_run(const struct database_settings *settings, struct database_report *report,
                        struct err *err);

/* Make it when fresh, nothing when current, else refuse (ERR_DB_STATE). With MIGRATE a `behind`
 * database runs settings->migrate and is looked at again. */
MUST_USE int bootstrap_run(const struct database_settings *settings, bool migrate,
                           struct database_report *report, struct err *err);

/* The plan and the SQL, nothing changed (--dry-run). */
MUST_USE int bootstrap_plan(const struct database_settings *settings, struct buf *out,
                            struct err *err);

/* Run one query in a read-only transaction and print a table into TEXT, and into JSON, a begun object,
 * "columns", "rows" and "more"; either may be NULL. At most VERIFY_QUERY_MAX_ROWS rows: that there were
 * more is said. Errors: ERR_USAGE when SQL is not one query; else as db.h's. */
enum { VERIFY_QUERY_MAX_ROWS = 10000 };
MUST_USE int verify_query(const struct database_settings *settings, const char *sql,
                          struct buf *text, struct json *json, struct err *err);

/* Lines for people; for JSON, members of a begun object. Names that came from the server are
 * sanitised. */
void verify_write_text(const struct database_report *report, struct buf *out);
void verify_write_json(const struct database_report *report, struct json *json);
void bootstrap_write_text(const struct database_report *report, struct buf *out);
void bootstrap_write_json(const struct database_report *report, struct json *json);

#endif
