/* migrations/audit.h: the record of what each migration does: a CSV and a summary for each, an
 * inventory, and the graph's pictures.
 *
 * What a migration does is what its offline SQL says, statement by statement, as PostgreSQL's
 * parser reads it; whether it can be undone is read from its downgrade(). Nothing is run and no
 * server is asked, so what depends on data is said to be unknown, and is not guessed. The same
 * input gives the same bytes on every machine: no clock, no locale, no path of this machine goes
 * into it. */
#ifndef MIGRATIONS_AUDIT_H
#define MIGRATIONS_AUDIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "migrations/graph.h"

enum {
    AUDIT_SQL_MAX_BYTES = 256 * 1024 * 1024, /* of the whole chain */
    AUDIT_FILE_MAX_BYTES = 64 * 1024 * 1024, /* of one file that is written */
    AUDIT_NUMBER_DIGITS = 3,                 /* of NNN in a file's name; more from 1000 on */
};

struct audit_settings {
    const struct graph *graph; /* sound (graph_require_sound), from files */
    const char *sql;           /* what `alembic upgrade heads --sql` prints */
    size_t sql_length;
    const char *sql_name; /* for messages: "database.offline" */
    const char *version_schema, *version_table;
    const char *each_folder; /* where `guard --each` recorded a live run; NULL: there was none */
};

struct audit_file {
    const char *name, *text; /* name: without a folder */
    size_t length;
};

struct audit {
    struct audit_file *files; /* two for each revision in upgrade order, then those of the whole */
    size_t file_count, revision_count;
    struct audit_memory *memory; /* opaque */
};

/* Borrows the settings for the call alone. Errors: ERR_DB_COMMAND where the SQL is not that of
 * these revisions (one is missing, is unknown or comes twice; it can't be cut into statements);
 * ERR_FILE where a revision's file can't be read; ERR_RESOURCE. */
MUST_USE int audit_make(const struct audit_settings *settings, struct audit **out, struct err *err);
void audit_free(struct audit *audit);

/* What an operation is about, by the names that hold then, as they are written. Nothing is NULL. */
struct audit_touch {
    const char *revision;
    const char *type;   /* "table", "column", "index", "constraint", ... */
    const char *schema; /* "" where it is not said */
    const char *object, *column, *table;
    const char *label; /* what PostgreSQL ends the name of such a constraint in: "fkey"; "" else */
    const char *new_name; /* of what is renamed; "" else */
    bool is_definition;   /* CREATE TABLE: its columns are told by it alone */
    bool is_grant;        /* GRANT, REVOKE: about rights on the object */
    bool is_opaque;       /* code that is run, or what can't be read: it may be about anything */
};

/* All operations, in the order of an upgrade. */
struct audit_trace {
    struct audit_touch *list;
    size_t count;
    struct audit *audit; /* opaque: owns the texts */
};

/* The same reading without a record. Borrows the settings for the call alone, the graph for as long
 * as *out lives. Errors: audit_make's. */
MUST_USE int audit_trace_make(const struct audit_settings *settings, struct audit_trace *out,
                              struct err *err);
void audit_trace_release(struct audit_trace *trace);

/* Whether NAME is one that audit_make gives to the file of a revision: so that files of revisions
 * that are no more can be told from what others keep in the same folder. */
bool audit_is_revision_file(const char *name);

#endif
