/* bootstrap/paths.h: the ways to a schema that the guard tries, each in a process of its own; of this
 * folder alone.
 *
 *   paths.c    what is done on a way, and what must have come of it
 *   workers.c  several at once, and the end of all when a signal comes or time is up
 *
 * A way is a chain of commands and statements that wait for one another, so a worker is forked for
 * each, and writes what came of it into memory that it shares with us. */
#ifndef BOOTSTRAP_PATHS_H
#define BOOTSTRAP_PATHS_H

#include "bootstrap/catalog.h"
#include "bootstrap/scratch.h"
#include "migrations/sql.h"

/* What the differences of a report point into. */
struct guard_memory {
    struct catalog a, b;
};

enum {
    PATH_OUTPUT_BYTES = 64 * 1024, /* the end of what its commands wrote */
    EMISSION_SAID_BYTES = 1024 * 1024,
    PATH_CATALOG_BYTES = 256 * 1024 * 1024,
    PATH_ROW_BYTES = 256, /* of a revision's id in the version table; longer ones are cut */
};

enum path_kind {
    PATH_MIGRATE, /* A: database.migrate on an empty database */
    PATH_CREATE,  /* B: database.create, the stamp, and the project's own stamp in a copy */
    PATH_OFFLINE, /* the offline SQL of the migrations, replayed */
    PATH_STAIRS,  /* each revision up, down and up again */
    PATH_EACH,    /* each revision by itself, and what it does recorded */
};

/* What came of it. Shared with a forked worker: no pointers but to static texts. */
struct path_outcome {
    bool ended; /* the worker came to its end */
    bool ran, ok;
    bool idempotent_known, idempotent;
    bool stamp_known, stamp_ok; /* the project's own stamp command */
    int64_t duration_ms;        /* of the way itself, without what was proved afterwards */
    struct err err;             /* masked; also why it is not idempotent */
    struct err stamp_err;
    size_t output_length;
    char output[PATH_OUTPUT_BYTES]; /* masked */
    size_t row_count;
    char rows[LOOK_MAX_ROWS][PATH_ROW_BYTES]; /* of the version table, from a new connection */
};

/* A file without a name that grows to MAX_BYTES at most, for what another process is to leave to us;
 * -1: *err. */
MUST_USE int memory_file_make(const char *name, off_t max_bytes, struct err *err);
/* What a process that has FD too, by fork or as its stdout, has written so far; NAME for messages. */
MUST_USE int memory_file_read(int fd, const char *name, struct buf *out, struct err *err);

/* A command whose SQL is wanted later: printing needs no database, so it runs while the server is made. */
struct emission {
    const char *const *argv;
    struct proc_child child;
    struct scratch_environment environment;
    int output, complaint; /* files without a name; -1: none was started */
    struct buf text;       /* once it has ended well; else empty */
    struct buf said;       /* the end of what it wrote to stderr, then */
};
#define EMISSION_INIT                                        \
    ((struct emission){.child = PROC_CHILD_INIT,             \
                       .output = -1,                         \
                       .complaint = -1,                      \
                       .text = BUF_INIT(SQL_FILE_MAX_BYTES), \
                       .said = BUF_INIT(EMISSION_SAID_BYTES)})
/* Start ARGV, which WHAT of the contract names. That it cannot be is no error: it is run again when
 * its turn has come, with a database's URL, and says what is wrong then. */
void emission_start(const struct guard_settings *settings, const char *const *argv,
                    const char *what, struct emission *emission);
/* Wait for its end, a moment at most: one that tries for long to reach a database is ended. The text
 * is there afterwards, or is not. Once is enough. */
void emission_finish(struct emission *emission, int64_t deadline_ms);
void emission_release(struct emission *emission);

struct path {
    enum path_kind kind;
    const char *name;     /* "path A", for messages */
    const char *database; /* its scratch database, reserved */
    const char *copy;     /* for the project's stamp, reserved; NULL: none */
    bool only_make;       /* nothing is proved afterwards */
    int catalog; /* a file without a name for the catalog that the way comes to; -1: none */
    struct emission *emission; /* of its command, finished before it starts; or NULL */
    const struct guard_settings *guard;
    struct scratch *scratch;
    int64_t deadline_ms;
    struct path_outcome *outcome;
};

/* For COUNT ways, in memory that is shared with what is forked from now on; NULL: *err. */
MUST_USE struct path_outcome *outcomes_new(size_t count, struct err *err);
void outcomes_free(struct path_outcome *outcomes, size_t count); /* NULL is fine */

/* In the worker. */
void path_run(struct path *path);

/* Run them, at most JOBS at once. 0 when all have ended, whatever came of them; -1: ERR_STOPPED,
 * ERR_RESOURCE. None is left running. */
MUST_USE int workers_run(struct path *paths, size_t count, int jobs, int64_t deadline_ms,
                         struct err *err);

/* Database NAME with the settings of the contract, for as long as the environment lives. */
struct scene {
    const struct scratch *scratch;
    const char *database;
    struct scratch_environment environment;
    struct database_settings settings;
};
#define AUTO_SCENE CLEANUP(scene_release) struct scene
void scene_release(struct scene *scene);
MUST_USE int scene_open(const struct path *path, const char *database, struct buf *transcript,
                        struct scene *out, struct err *err);
/* From a new connection. REPORT and LOOK may be NULL. */
MUST_USE int scene_look(const struct scene *scene, struct database_report *report,
                        struct look *look, struct err *err);
MUST_USE int scene_catalog(const struct scene *scene, struct catalog *out, struct err *err);
/* Of a way that is gone: what its worker has left, else read in a time of its own. */
MUST_USE int path_catalog(const struct path *path, struct catalog *out, struct err *err);
/* 0 when nothing at all differs; -1, ERR_VIOLATION, with what does, after WHAT. Without STRICT_ORDER
 * the order of columns does not count: what a downgrade adds again stands last. */
MUST_USE int scene_compare(const struct catalog *a, const struct catalog *b, bool strict_order,
                           const char *what, struct err *err);

/* ---- stairs.c ------------------------------------------------------------------------------------ */
MUST_USE int stairs_run(const struct scene *scene, struct err *err);
MUST_USE int each_run(const struct scene *scene, const char *folder, struct err *err);

#endif
