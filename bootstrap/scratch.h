/* bootstrap/scratch.h: databases to try something in, and the server that they are on; of this folder
 * alone.
 *
 *   ephemeral.c  a PostgreSQL of our own: temporary folder, unix socket, gone at the end
 *   scratch.c    databases on a server, ours or one that was named: made, found again, dropped
 *
 * A scratch database is called agent_guard_<run>_<what>, <run> being eight hexadecimal digits that
 * this process drew, and has a comment that says so. While the run is alive its session holds an
 * advisory lock on that number: that is how another run tells what somebody is using from what one
 * that was killed has left. What is left is reported, never touched. */
#ifndef BOOTSTRAP_SCRATCH_H
#define BOOTSTRAP_SCRATCH_H

#include <stdint.h>

#include "base/proc.h"
#include "bootstrap/guard.h"
#include "bootstrap/internal.h"

enum {
    SCRATCH_NAME_BYTES = 64, /* PostgreSQL's own limit, with the NUL */
    SCRATCH_COMMENT_BYTES = 256,
    SCRATCH_CLEAN_MS = 30 * 1000, /* for dropping all */
    SCRATCH_CONNECT_MS = 10 * 1000,
    SCRATCH_STATEMENT_MS = 120 * 1000, /* CREATE DATABASE waits for a checkpoint on older servers */
    SCRATCH_LOCK_CLASS = 0x61676773,   /* "aggs", the first of the two numbers of the lock */
};

struct ephemeral {
    const char *parent; /* where its folder is */
    char *folder;       /* of its own, mode 0700; NULL: there is none */
    char *data, *initdb, *postgres;
    int lock; /* of the folder, held while we live */
    struct proc_child server;
    struct proc_user user;
    bool as_user; /* the server runs as that */
};

struct scratch {
    const struct guard_settings *settings;
    const char *variable; /* that has the server's URL, for messages */
    struct ephemeral ephemeral;
    struct secret url;       /* of the server, what scratch_url starts from */
    struct db_target target; /* the same */
    struct db *admin;
    uint32_t number;                     /* of this run */
    char comment[SCRATCH_COMMENT_BYTES]; /* that marks its databases */
    struct names databases;              /* that may be there */
    struct names leftovers;              /* of other runs, "database 'x'", "folder '/tmp/y'" */
};

/* Connect to settings->server_url, or start a server of our own, and look for leftovers. Of several
 * hosts the one that is reached is scratch->url from then on. Until DEADLINE. Errors: ERR_USAGE (no
 * initdb here, not root), ERR_FILE, ERR_DB_*. On failure nothing is left; otherwise scratch_close
 * follows in any case. */
MUST_USE int scratch_open(const struct guard_settings *settings, int64_t deadline_ms,
                          struct scratch *out, struct err *err);

/* Drop every database, stop the server, remove its folder. Tries all, says the first failure and what
 * is left behind. Waits are shielded from signals. */
MUST_USE int scratch_close(struct scratch *scratch, struct err *err);

/* Reserve the name for a database called WHAT ("a", "copy"): it is dropped by scratch_close, whoever
 * makes it. Lives as long as SCRATCH. */
MUST_USE int scratch_reserve(struct scratch *scratch, const char *what, const char **name,
                             struct err *err);
/* Make the reserved database NAME, as a copy of TEMPLATE (a scratch database to which nobody is
 * connected) or NULL: empty. */
MUST_USE int scratch_create(struct scratch *scratch, const char *name, const char *template,
                            int64_t deadline_ms, struct err *err);

/* The URL FROM with HOST (a name, an address, a folder of sockets) and PORT in place of its own, of which
 * there may be several. The caller releases. */
MUST_USE int scratch_url_at(const struct secret *from, const char *host, const char *port,
                            struct secret *out, struct err *err);

/* The URL of database NAME. The caller releases. */
MUST_USE int scratch_url(const struct scratch *scratch, const char *name, struct secret *out,
                         struct err *err);
/* What a command gets that is to work in database NAME: BASE ("NAME=value", NULL-terminated) and the
 * URL, as VARIABLE and as DATABASE_URL. */
struct scratch_environment {
    const char **list;
    struct secret url, entries[2];
};
MUST_USE int scratch_environment(const struct scratch *scratch, const char *name,
                                 const char *variable, const char *const *base,
                                 struct scratch_environment *out, struct err *err);
void scratch_environment_release(struct scratch_environment *environment);

/* A new connection to database NAME. */
MUST_USE int scratch_connect(const struct scratch *scratch, const char *name, int64_t deadline_ms,
                             struct db **out, struct err *err);

/* In a forked worker: a connection of its own in place of the parent's. */
MUST_USE int scratch_adopt_fork(struct scratch *scratch, int64_t deadline_ms, struct err *err);

/* ---- ephemeral.c -------------------------------------------------------------------------------- */

/* Make the cluster and start the server; *url is its URL. On failure nothing is left. */
MUST_USE int ephemeral_start(const struct guard_settings *settings, int64_t deadline_ms,
                             struct ephemeral *out, struct secret *url, struct err *err);
/* After a connection failed: why the server ended, from its log; 0 while it is running. */
MUST_USE int ephemeral_check(const struct ephemeral *e, struct err *err);
MUST_USE int ephemeral_stop(struct ephemeral *e, struct err *err);
/* Folders that earlier runs left, into NAMES. */
MUST_USE int ephemeral_find_leftovers(struct names *names, struct err *err);

#endif
