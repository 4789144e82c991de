/* bootstrap/guard.h: two migration paths, one schema: the CI gate, and adopting what it proves equal.
 *
 * A catalog is a database's schema as canonical, sorted text, read in one query; two catalogs are
 * compared object by object; a guard makes both paths in scratch databases and compares what came out.
 * The database that the contract names is never connected to by guard_run; adopt_run only reads it
 * until the proof is there. Nothing is left behind after success, failure, SIGINT or SIGTERM. */
#ifndef BOOTSTRAP_GUARD_H
#define BOOTSTRAP_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/secret.h"
#include "bootstrap/bootstrap.h"

/* ---- the difference ---------------------------------------------------------------------------- */

enum difference_class {
    DIFFERENCE_SEMANTIC, /* the schemas do not mean the same: fails the gate */
    DIFFERENCE_TEXTUAL, /* the same meaning, deparsed in another way because of a column's history */
    DIFFERENCE_COSMETIC, /* names of automatic constraints, comments */
};

struct difference {
    enum difference_class class_;
    const char *kind;     /* the catalog's word: table, column, index, constraint, sequence, ... */
    const char *object;   /* "public.users.email" */
    const char *a, *b;    /* canonical definition on each side; NULL: not there */
    const char *revision; /* that touched the object last, or NULL where it can't be told */
    bool ignored;         /* by guard.ignore, not expired */
};

struct differences {
    struct difference *list; /* sorted: class, kind, object */
    size_t count;
    size_t semantic, textual, cosmetic, ignored; /* the first three without ignored ones */
    const char *compared;                        /* the closing line: what was compared */
    const char *not_compared;                    /* and what exists but was not; "" when nothing */
    struct arena *arena;                         /* opaque: owns the texts */
};
void differences_release(struct differences *d);
void differences_write_text(const struct differences *d, bool color, struct buf *out);
void differences_write_json(const struct differences *d, struct json *json); /* the member */

/* One entry of guard.ignore; expired ones count again and are said. */
struct guard_ignore {
    const char *kind, *object; /* globs */
    const char *until;         /* "2027-01-31" */
    const char *why;
};

/* ---- the guard ----------------------------------------------------------------------------------- */

struct guard_settings {
    const struct database_settings *database; /* create, migrate, stamp, owner, expect, schemas */
    const struct secret *server_url;          /* of --server; NULL: ephemeral */
    const char *server_variable;
    bool ephemeral;
    const char *ephemeral_user; /* when we are root; NULL: postgres */
    const char *scheme; /* how the application's URL begins ("postgresql+psycopg"), for that of an
                         * ephemeral server; NULL: postgresql */
    const char *const *stamp_command;   /* the project's own: default alembic stamp heads */
    const char *const *offline_command; /* alembic upgrade heads --sql, or NULL */
    bool offline_is_guess; /* nobody asked for it: that it fails is said, and no failure */
    const char *const *command_environment; /* NAME=value, without the database's URL */
    const struct guard_ignore *ignore;
    size_t ignore_count;
    bool strict, strict_order, stairway;
    const char *each_folder; /* what each revision really does is recorded there; NULL: it is not */
    int jobs;                /* 1 or 2 */
    int64_t timeout_ms;
};

struct guard_path {
    bool ran, ok;
    int64_t duration_ms;
    char *error;                       /* or NULL */
    char *output;                      /* what its commands printed, masked; shown on failure */
    char **stamp;                      /* rows read from a new connection; NULL-terminated */
    bool idempotent_known, idempotent; /* migrate again changed nothing */
};

/* What else was replayed: "offline SQL", "emitted DDL", "project's stamp", each against path A. */
struct guard_extra {
    const char *name;
    bool ok;
    char *error; /* or NULL */
};

struct guard_report {
    struct guard_path a, b;
    struct differences differences;
    struct guard_extra *extras;
    size_t extra_count;
    char **leftovers; /* scratch databases or folders of an earlier run that was killed */
    bool strict;      /* textual and cosmetic differences count too */
    bool equal;       /* the verdict: exit 0 */
    struct guard_memory *memory; /* opaque: the catalogs that the differences point into */
};
#define GUARD_REPORT_INIT ((struct guard_report){0})
#define AUTO_GUARD_REPORT CLEANUP(guard_report_release) struct guard_report
void guard_report_release(struct guard_report *report);

/* 0 when both paths could be tried, whatever came out (report->equal); -1 when not: no right to create
 * databases (the hint has the two ways out), initdb is missing, the server is away, ... */
MUST_USE int guard_run(const struct guard_settings *settings, struct guard_report *report,
                       struct err *err);

/* Plant a difference of each kind into a scratch copy and prove that each is found. The text lists
 * them; -1 (ERR_VIOLATION) names those that were not. */
MUST_USE int guard_selftest(const struct guard_settings *settings, struct buf *text,
                            struct err *err);

void guard_write_text(const struct guard_report *report, bool color, struct buf *out);
void guard_write_json(const struct guard_report *report, struct json *json); /* members */
/* GRAPH (or NULL) has the revisions' files, where findings are shown. */
void guard_write_sarif(const struct guard_report *report, const struct graph *graph,
                       struct buf *out);
void guard_write_github(const struct guard_report *report, const struct graph *graph,
                        struct buf *out);
void guard_write_html(const struct guard_report *report,
                      struct buf *out); /* one self-contained page */

/* ---- with the same means --------------------------------------------------------------------------- */

/* `unstamped` and `lost-stamp`: the expected schema is made in a scratch database, compared, and when
 * equal stamped in one transaction; otherwise guard->differences (A: the database, B: the schema that
 * is expected) says why not, and -1 (ERR_VIOLATION). With TRUST nothing is compared: the expected
 * tables are enough. `current` is 0 and nothing is done. */
MUST_USE int adopt_run(const struct guard_settings *settings, bool trust,
                       struct database_report *report, struct guard_report *guard, struct err *err);

/* The catalog of the contract's database as text (`agent verify --schema`). */
MUST_USE int verify_schema(const struct database_settings *settings, struct buf *out,
                           struct err *err);

#endif
