/* migrations/sqlparts.h: the parts that sql.c is made of; of this folder alone.
 *
 *   sql.c       the parser itself, and the entries of a script
 *   sqlsplit.c  text → pieces (one statement each), by PostgreSQL's lexical rules
 *   sqltree.c   a look into the parse tree that libpg_query writes as JSON
 *   sqlclass.c  piece and tree → class, rewriting
 *   sqlversion.c  the same for statements about the version table: revisions, widths */
#ifndef MIGRATIONS_SQLPARTS_H
#define MIGRATIONS_SQLPARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "migrations/sql.h"

/* ---- words --------------------------------------------------------------------------------------
 * The words on which a statement's class can depend. A statement in whose tokens none of them
 * occurs is plain whatever its grammar, and needs no parser. */
/* A list, not code: */
/* clang-format off */
#define SQL_WORDS(X)                                                                               \
    X(ABORT) X(ALTER) X(ATOMIC) X(BEGIN) X(CASE) X(CLUSTER) X(COMMENT) X(COMMIT) X(CONCURRENTLY)   \
    X(COPY) X(CREATE) X(DATABASE) X(DISCARD) X(DROP) X(END) X(EXTENSION) X(FROM) X(FUNCTION)       \
    X(OWNER) X(PREPARE) X(PROCEDURE) X(REINDEX) X(RELEASE) X(RESET) X(ROLLBACK) X(SAVEPOINT)       \
    X(SET) X(SET_CONFIG) X(START) X(STDIN) X(SUBSCRIPTION) X(SYSTEM) X(TABLESPACE) X(VACUUM)
/* clang-format on */

enum sql_word {
    WORD_OTHER,
#define X(word) WORD_##word,
    SQL_WORDS(X)
#undef X
        WORD_VERSION_TABLE, /* the version table's name, quoted or not */
    WORD_NONE,              /* the statement does not start with a word */
};
#define WORD_BIT(word) (UINT64_C(1) << (word))

/* ---- sqlsplit.c ------------------------------------------------------------------------------ */
struct sql_cutter {
    const char *name, *text;
    size_t length;
    const char *version_table; /* or NULL */
    size_t at;                 /* where the next piece is looked for */
    size_t counted_to;         /* lines are counted up to here, */
    unsigned line;             /* which is on this line */
};

struct sql_piece {
    size_t offset, length; /* first to last token, without the semicolon */
    unsigned line;
    uint64_t words; /* WORD_BIT of what occurs in it */
    enum sql_word first;
    bool copy_from_stdin;
    bool after_meta; /* a `\restrict` line lies between it and the piece before */
};

struct sql_cutter sql_cutter_of(const char *name, const char *text, size_t length,
                                const char *version_table);

/* The next piece; *found is false at the end. Errors: ERR_FILE with the position. */
MUST_USE int sql_cut(struct sql_cutter *c, struct sql_piece *out, bool *found, struct err *err);

/* The data lines behind a COPY ... FROM stdin that was just cut, without their `\.` line. */
MUST_USE int sql_cut_copy_data(struct sql_cutter *c, const struct sql_piece *copy, size_t *offset,
                               size_t *length, struct err *err);

/* Set ERR_FILE at byte OFFSET of the text. */
int sql_error_at(const struct sql_cutter *c, struct err *err, size_t offset, const char *format,
                 ...) PRINTF(4, 5);

/* Where the first token of a SQL text is, behind white space and comments, and the first word. */
size_t sql_skip_blank(const char *text, size_t at, size_t length);

/* ---- sqltree.c ----------------------------------------------------------------------------------
 * A value is a pointer at its first byte in the JSON text; NULL is "not there" and is passed
 * through by all of these. The text is libpg_query's own and well-formed. */
const char *sql_tree_member(const char *object, const char *name);
const char *sql_tree_path(const char *object, const char *path); /* "stmt.CreateStmt.relation" */
const char *sql_tree_first(const char *array);
const char *sql_tree_next(const char *element);
bool sql_tree_is(const char *value, const char *text); /* a string with exactly this text */
bool sql_tree_true(const char *value);
size_t sql_tree_number(const char *value); /* 0 when not there: protobuf's default is left out */
char *sql_tree_text(struct arena *memory,
                    const char *value); /* decoded; NULL: no string, no memory */
const char *sql_tree_last(const char *array);
const char *sql_tree_behind(const char *value); /* the place behind it; VALUE is there */

/* ---- sql.c -------------------------------------------------------------------------------------
 * Parse the one statement of TEXT and hand its `{"stmt": ...}` object to TAKE, or, where the grammar
 * does not know it, NULL and what the parser said. Both live as long as the call. Returns what TAKE
 * returns; -1 too where there is no parser or no memory. */
typedef int (*sql_take_tree)(void *context, const char *node, const char *trouble, struct err *err);
MUST_USE int sql_with_tree(const char *text, sql_take_tree take, void *context, struct err *err);

/* ---- sqlclass.c ------------------------------------------------------------------------------ */
bool sql_needs_parser(const struct sql_piece *piece);

struct sql_context {
    const struct sql_settings *settings;
    const struct sql_cutter *cutter;
    struct arena *memory;
};

/* One statement on its way to its class. Handlers set it with sql_set_class; 0, or -1. */
struct sql_work {
    const struct sql_context *context;
    const char *body; /* the node's members */
    struct sql_statement *out;
    const char ***more; /* second and later rows of an INSERT */
    bool no_memory;     /* a text could not be had: what was made of it does not count */
    struct err *err;
};

/* Classify the statement whose `{"stmt": ...}` object is NODE. Fills class, rewriting, reason and
 * revisions of *out, whose span is set. MORE_REVISIONS (NULL-terminated, or NULL) gets the second
 * and later rows of one INSERT into the version table. */
MUST_USE int sql_classify(const struct sql_context *context, const char *node,
                          struct sql_statement *out, const char ***more_revisions, struct err *err);

/* ---- sqlversion.c ---------------------------------------------------------------------------- */
int sql_set_class(struct sql_work *w, enum sql_class class_, const char *reason); /* 0 */
bool sql_is_version_table(struct sql_work *w, const char *relation);
/* As sql_tree_text, in the context's memory; NULL for no string, and with w->no_memory. */
char *sql_work_text(struct sql_work *w, const char *value);
const char *sql_constant_text(struct sql_work *w,
                              const char *node); /* of a string constant, or NULL */

int sql_version_on_create(struct sql_work *w);
int sql_version_on_alter(struct sql_work *w); /* the relation is the version table */
int sql_version_on_insert(struct sql_work *w);
int sql_version_on_update(struct sql_work *w);
int sql_version_on_delete(struct sql_work *w);
int sql_version_on_truncate(struct sql_work *w);
int sql_version_on_copy(struct sql_work *w);

#endif
