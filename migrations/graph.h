/* migrations/graph.h: the revision graph, read from the files without Python.
 *
 * Alembic is the judge: heads, bases, order and errors are what Alembic says of the same files, but
 * for a duplicate id, of which it only warns, and for a cycle that it overlooks (one that a path
 * from a base to a head goes through): errors here. Files are read, never executed: an id that is computed at run time
 * is an error of kind `computed`, and a file whose imports fail is read all the same. Where one
 * revision has several dependencies that count, Alembic's own order changes from run to run, and
 * ours is one of those. */
#ifndef MIGRATIONS_GRAPH_H
#define MIGRATIONS_GRAPH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

enum {
    GRAPH_FILE_MAX_BYTES = 16 * 1024 * 1024, /* one revision file */
};

enum graph_error_kind {
    GRAPH_MISSING_PARENT,
    GRAPH_CYCLE,
    GRAPH_DUPLICATE,
    GRAPH_UNREADABLE,
    GRAPH_COMPUTED
};

struct graph_error {
    enum graph_error_kind kind;
    const char *message, *file; /* file may be NULL */
    unsigned line;              /* 0: not known */
};

struct revision {
    const char *id, *message, *file; /* message: the docstring's first line, or "" */
    const char *const *down;         /* ids of parents; NULL-terminated, empty for a base */
    const char *const *depends_on;   /* as written: ids or branch labels; NULL-terminated */
    const char *const *branch_labels;
    unsigned line;   /* of `revision = ...` */
    size_t *parents; /* indexes of down and resolved depends_on; down_count of down first */
    size_t parent_count, down_count;
    bool is_head, is_effective_head, is_base;
};

struct graph {
    struct revision *revisions; /* sorted by id */
    size_t count;
    const char **heads, **effective_heads, **bases; /* NULL-terminated; sorted by id */
    size_t head_count, effective_head_count, base_count;
    size_t *order; /* indexes, as `alembic upgrade heads` runs them; from a cycle on, by id */
    struct graph_error *errors;
    size_t error_count;
    struct graph_memory *memory; /* opaque */
};

/* What to read: PATH is alembic.ini, pyproject.toml or a script folder; VERSIONS, or NULL, overrides
 * where the revision files are (contract: stamp.dir); WORKING_FOLDER is what Alembic's CWD would
 * be, for bare relative script_location. */
struct graph_settings {
    const char *path, *versions, *working_folder;
};

/* 0 with *out even when the graph has errors (they are in it); -1 when nothing could be read: no
 * such file, no script_location, `package:dir` (the hint says what to do). */
MUST_USE int graph_load(const struct graph_settings *settings, struct graph **out, struct err *err);

/* The first of the graph's errors as an err (ERR_FILE, with file, line), 0 when there is none. */
MUST_USE int graph_require_sound(const struct graph *graph, struct err *err);

/* A graph without files, from the output of `alembic heads` (contract: stamp.heads): heads only. No
 * head at all is an error. Errors: ERR_DB_COMMAND, with the line that is none of Alembic's. */
MUST_USE int graph_from_heads_output(const char *text, size_t length, struct graph **out,
                                     struct err *err);

/* A graph of one revision without files (contract: stamp.style plain). */
MUST_USE int graph_from_revision(const char *revision, struct graph **out, struct err *err);

/* Questions use the graph's own work space: one at a time. Ids are compared byte by byte. */
const struct revision *graph_find(const struct graph *graph, const char *id);

/* Whether NEWER comes after OLDER, by parents or dependencies; nothing comes after itself. */
bool graph_is_ancestor(const struct graph *graph, const char *older, const char *newer);
const char *graph_nearest(const struct graph *graph, const char *id); /* or NULL */

/* How many revisions an upgrade from ROWS to the heads would run, and the ids that come next (the
 * first ROOM of them in upgrade order). ROWS that are no ids are left out. */
size_t graph_behind(const struct graph *graph, const char *const *rows, size_t row_count,
                    const char **next, size_t room, size_t *next_count);

void graph_free(struct graph *graph);

/* ---- pictures ---------------------------------------------------------------------------------- */
void graph_write_text(const struct graph *g, struct buf *out);
void graph_write_json(const struct graph *g, struct json *json); /* members of a begun object */
void graph_write_dot(const struct graph *g, struct buf *out);
void graph_write_mermaid(const struct graph *g, struct buf *out);
MUST_USE int graph_write_svg(const struct graph *g, struct buf *out, struct err *err);

#endif
