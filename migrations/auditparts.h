/* migrations/auditparts.h: the parts that audit.c is made of; of this folder alone.
 *
 *   auditlocks.c  the tables: kinds of operations, locks, rules
 *   auditops.c    a statement's parse tree → operations: indexes, drops, renames, rights
 *   auditalter.c  the same for ALTER TABLE and what CREATE TABLE holds
 *   auditdata.c   the same for rows, queries and code that is run
 *   auditmore.c   the same for views, types, functions
 *   audittext.c   the tree's names and the statement's clauses as text
 *   auditknown.c  what the chain has made so far: tables and the types of their columns
 *   auditpy.c     what a revision file says besides its links: header, downgrade(), connections
 *   auditlive.c   what a live run of each revision did, beside what was asked for
 *   auditwrite.c  CSV and summary; auditindex.c: the inventory */
#ifndef MIGRATIONS_AUDITPARTS_H
#define MIGRATIONS_AUDITPARTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "migrations/audit.h"
#include "migrations/sql.h"

enum {
    AUDIT_DETAIL_BYTES = 240, /* of a definition in `detail`; longer ones are cut, with "..." */
    AUDIT_MAX_RULES = 4,      /* of one operation */
};

/* ---- auditlocks.c ---------------------------------------------------------------------------- */

/* In PostgreSQL's order of strength, but for the first and the last. */
#define AUDIT_LOCKS(X)                                                                         \
    X(LOCK_NONE, "", "nothing")                                                                \
    X(LOCK_ACCESS_SHARE, "ACCESS SHARE", "nothing but what needs the table for itself")        \
    X(LOCK_ROW_SHARE, "ROW SHARE", "nothing but what needs the table for itself")              \
    X(LOCK_ROW_EXCLUSIVE, "ROW EXCLUSIVE", "changes to the same rows, and schema changes")     \
    X(LOCK_SHARE_UPDATE_EXCLUSIVE, "SHARE UPDATE EXCLUSIVE",                                   \
      "schema changes, VACUUM and ANALYZE; neither reads nor writes")                          \
    X(LOCK_SHARE, "SHARE", "writes; not reads")                                                \
    X(LOCK_SHARE_ROW_EXCLUSIVE, "SHARE ROW EXCLUSIVE", "writes and schema changes; not reads") \
    X(LOCK_EXCLUSIVE, "EXCLUSIVE", "everything but plain reads")                               \
    X(LOCK_ACCESS_EXCLUSIVE, "ACCESS EXCLUSIVE", "reads and writes: everybody waits")          \
    X(LOCK_UNKNOWN, "unknown", "what the code that it runs locks, which only running it tells")

enum audit_lock {
#define X(name, word, blocks) name,
    AUDIT_LOCKS(X)
#undef X
};
const char *audit_lock_word(enum audit_lock lock);   /* "" where none is taken */
const char *audit_lock_blocks(enum audit_lock lock); /* what waits: "writes; not reads" */

enum audit_answer { ANSWER_NO, ANSWER_MAYBE, ANSWER_YES };
const char *audit_answer_word(enum audit_answer answer); /* "no", "maybe", "yes" */

enum audit_kind {
    KIND_CREATE_TABLE,
    KIND_CREATE_TABLE_AS,
    KIND_DROP_TABLE,
    KIND_RENAME_TABLE,
    KIND_ADD_COLUMN,
    KIND_DROP_COLUMN,
    KIND_RENAME_COLUMN,
    KIND_CHANGE_TYPE,
    KIND_SET_DEFAULT,
    KIND_DROP_DEFAULT,
    KIND_SET_NOT_NULL,
    KIND_DROP_NOT_NULL,
    KIND_CHANGE_IDENTITY,
    KIND_DROP_EXPRESSION,
    KIND_TUNE_COLUMN,
    KIND_STORE_COLUMN,
    KIND_ADD_PRIMARY_KEY,
    KIND_ADD_UNIQUE,
    KIND_ADD_CHECK,
    KIND_ADD_FOREIGN_KEY,
    KIND_ADD_EXCLUSION,
    KIND_VALIDATE_CONSTRAINT,
    KIND_ALTER_CONSTRAINT,
    KIND_RENAME_CONSTRAINT,
    KIND_DROP_CONSTRAINT,
    KIND_CREATE_INDEX,
    KIND_CREATE_INDEX_CONCURRENTLY,
    KIND_ALTER_INDEX,
    KIND_RENAME_INDEX,
    KIND_REINDEX,
    KIND_REINDEX_CONCURRENTLY,
    KIND_DROP_INDEX,
    KIND_DROP_INDEX_CONCURRENTLY,
    KIND_TUNE_TABLE,
    KIND_MOVE_TABLE,
    KIND_CHANGE_PERSISTENCE,
    KIND_CHANGE_SCHEMA,
    KIND_CHANGE_OWNER,
    KIND_SWITCH_TRIGGER,
    KIND_ROW_SECURITY,
    KIND_ATTACH_PARTITION,
    KIND_DETACH_PARTITION,
    KIND_DETACH_PARTITION_CONCURRENTLY,
    KIND_ALTER_TABLE,
    KIND_CREATE_VIEW,
    KIND_REPLACE_VIEW,
    KIND_RENAME_VIEW,
    KIND_ALTER_VIEW,
    KIND_DROP_VIEW,
    KIND_CREATE_MATERIALIZED_VIEW,
    KIND_REFRESH,
    KIND_REFRESH_CONCURRENTLY,
    KIND_DROP_MATERIALIZED_VIEW,
    KIND_CREATE_SEQUENCE,
    KIND_ALTER_SEQUENCE,
    KIND_DROP_SEQUENCE,
    KIND_CREATE_TYPE,
    KIND_ADD_ENUM_VALUE,
    KIND_RENAME_ENUM_VALUE,
    KIND_ALTER_TYPE,
    KIND_DROP_TYPE,
    KIND_CREATE_DOMAIN,
    KIND_ALTER_DOMAIN,
    KIND_DROP_DOMAIN,
    KIND_CREATE_FUNCTION,
    KIND_REPLACE_FUNCTION,
    KIND_ALTER_FUNCTION,
    KIND_DROP_FUNCTION,
    KIND_CREATE_TRIGGER,
    KIND_REPLACE_TRIGGER,
    KIND_DROP_TRIGGER,
    KIND_CREATE_POLICY,
    KIND_ALTER_POLICY,
    KIND_DROP_POLICY,
    KIND_CREATE_RULE,
    KIND_DROP_RULE,
    KIND_CREATE_STATISTICS,
    KIND_DROP_STATISTICS,
    KIND_CREATE_SCHEMA,
    KIND_DROP_SCHEMA,
    KIND_CREATE_EXTENSION,
    KIND_ALTER_EXTENSION,
    KIND_DROP_EXTENSION,
    KIND_COMMENT,
    KIND_GRANT,
    KIND_REVOKE,
    KIND_INSERT,
    KIND_UPDATE,
    KIND_DELETE,
    KIND_MERGE,
    KIND_TRUNCATE,
    KIND_COPY,
    KIND_SELECT,
    KIND_DO,
    KIND_LOCK,
    KIND_SET,
    KIND_VACUUM,
    KIND_ANALYZE,
    KIND_CLUSTER,
    KIND_DROP_DATABASE,
    KIND_RENAME,
    KIND_DROP,
    KIND_OTHER,
    KIND_UNPARSED,
    KIND_COUNT
};

/* What holds of every operation of a kind, until the statement says more. */
struct audit_kind_row {
    const char *word;        /* "create_index", in the CSV */
    const char *object_type; /* "index" */
    const char *verb, *noun; /* for the sentence: "creates" "index"; the noun may be "rows of" */
    enum audit_lock lock;
    enum audit_answer rewrites, destructive;
    const char *rule;   /* that it breaks on a table which is in use, or NULL */
    const char *source; /* of lock and rewrite: the section of PostgreSQL's manual */
};
extern const struct audit_kind_row audit_kinds[KIND_COUNT];

/* A rule of squawk, by the name that people know. */
struct audit_rule {
    const char *name;
    const char *why, *instead; /* sentences */
};
const struct audit_rule *audit_rule_find(const char *name); /* NULL: there is none */

/* ---- operations ------------------------------------------------------------------------------ */

struct audit_op {
    enum audit_kind kind;
    const char *object_type, *schema, *object, *column, *detail; /* never NULL */
    const char *new_name;                                        /* of what is renamed; "" else */
    const char *table_schema, *table; /* that the lock is on; "" where it is on none */
    enum audit_lock lock;
    enum audit_answer rewrites, destructive, reversible;
    bool on_new; /* the table was made by the same revision: nobody waits for it */
    const char *rules[AUDIT_MAX_RULES];
    size_t rule_count;
    unsigned line;    /* in the revision's part of the SQL, whose `-- Running` line is 1 */
    size_t statement; /* which of the script's it belongs to: its offset */
};

struct audit_ops {
    struct audit_op *list;
    size_t count, capacity;
};

/* Note the rule; once, and the first AUDIT_MAX_RULES. */
void audit_op_rule(struct audit_op *op, const char *rule);

/* ---- auditpy.c ------------------------------------------------------------------------------- */

enum audit_downgrade { DOWNGRADE_ABSENT, DOWNGRADE_EMPTY, DOWNGRADE_RAISES, DOWNGRADE_REAL };

struct audit_source {
    const char *date;   /* of "Create Date:", as written; "" without */
    const char *author; /* of "Author:" and its like; "" without */
    enum audit_downgrade downgrade;
    unsigned downgrade_line;
    const char *asks; /* what asks the database as the revision runs: "op.get_bind()"; or NULL */
    unsigned asks_line;
    bool tells_offline;    /* it looks whether it runs offline, and may then do another thing */
    bool autocommit_block; /* commits what came before */
};

/* Read a revision's FILE. Strings are the arena's. */
MUST_USE int audit_read_source(struct arena *a, const char *file, struct audit_source *out,
                               struct err *err);

/* ---- auditknown.c ---------------------------------------------------------------------------- */

struct audit_known;

struct audit_known *audit_known_new(struct arena *a); /* the arena's; NULL: no memory */

/* What follows was made by this revision (a number of its own), until the next call. */
void audit_known_begin(struct audit_known *k, size_t revision);

/* Names as written: an unqualified one is another than a qualified one. -1: no memory. */
MUST_USE int audit_known_table(struct audit_known *k, const char *schema, const char *table);
MUST_USE int audit_known_column(struct audit_known *k, const char *schema, const char *table,
                                const char *column, const char *type);
MUST_USE int audit_known_rename(struct audit_known *k, const char *schema, const char *table,
                                const char *column, const char *name); /* column NULL: the table */
void audit_known_drop(struct audit_known *k, const char *schema, const char *table,
                      const char *column);
bool audit_known_is_there(const struct audit_known *k, const char *schema, const char *table);
bool audit_known_is_new(const struct audit_known *k, const char *schema, const char *table);
bool audit_known_column_is_new(const struct audit_known *k, const char *schema, const char *table,
                               const char *column);
const char *audit_known_type(const struct audit_known *k, const char *schema, const char *table,
                             const char *column); /* NULL: not known */

/* Whether a column of type OLD becomes NEW without a new copy of the table ("ALTER TABLE", Notes),
 * and whether values can be lost. OLD may be NULL. */
void audit_type_change(const char *old, const char *new, enum audit_answer *rewrites,
                       enum audit_answer *destructive);

/* ---- auditops.c, auditalter.c ---------------------------------------------------------------- */

/* One statement on its way to its operations. */
struct audit_work {
    struct arena *arena;
    struct audit_known *known;
    struct audit_ops *ops;
    const char *text; /* the statement, NUL-terminated: locations of the tree are offsets into it */
    const char *body; /* the node's members */
    unsigned line;
    size_t statement; /* as in struct audit_op */
    bool in_transaction;
    bool no_memory; /* a text could not be had: what was made of it does not count */
    struct err *err;
};

/* The operations of the statement whose `{"stmt": ...}` object is NODE. */
MUST_USE int audit_take_statement(struct audit_work *w, const char *node);

/* A new operation of this kind, with what its row says; NULL: no memory. */
struct audit_op *audit_add(struct audit_work *w, enum audit_kind kind);

/* "" for what is no string. */
const char *audit_word(struct audit_work *w, const char *value);

/* schema and name of a RangeVar, or of a list of String nodes. */
void audit_relation(struct audit_work *w, const char *range, const char **schema,
                    const char **name);
void audit_names(struct audit_work *w, const char *list, const char **schema, const char **name);

/* Whether the statement is a CREATE IF NOT EXISTS of an object that an earlier statement of the chain
 * has made; the operation then says so. */
bool audit_makes_nothing(struct audit_work *w, struct audit_op *op);

/* The operation's object is a table; or something of its own that belongs to a table. */
void audit_on_table(struct audit_work *w, struct audit_op *op, const char *range);
void audit_of_table(struct audit_work *w, struct audit_op *op, const char *range, const char *name,
                    const char *more);

/* The part of the statement from the byte at LOCATION (a number of the tree) to the end of its
 * clause: white space folded, cut at AUDIT_DETAIL_BYTES. */
const char *audit_clause(struct audit_work *w, const char *location);
const char *audit_type_text(struct audit_work *w, const char *type); /* of a TypeName */
const char *audit_list_text(struct audit_work *w, const char *list); /* "a, b" of String nodes */
const char *audit_printf(struct audit_work *w, const char *format, ...) PRINTF(2, 3);

/* Of ALTER TABLE, which views, indexes and sequences are altered by too: what OP's object is. */
void audit_name_object(struct audit_work *w, struct audit_op *op, const char *objtype);

int audit_on_alter_table(struct audit_work *w);
int audit_on_create_table(struct audit_work *w);

/* auditdata.c: rows, queries, code; auditmore.c: what else has a statement of its own. */
int audit_take_data(struct audit_work *w, const char *statement);
int audit_take_object(struct audit_work *w, const char *statement);
void audit_lock_table(struct audit_work *w, struct audit_op *op, const char *schema,
                      const char *table);

/* ---- auditwrite.c, auditindex.c -------------------------------------------------------------- */

/* An object that is another one after a live run. */
struct audit_change {
    const char *change; /* "added", "removed", "changed" */
    const char *kind, *object;
};

struct audit_live {
    struct audit_change *list;
    size_t count;
    bool recorded; /* a live run is known of */
};

struct audit_revision {
    const struct revision *revision;
    size_t number; /* in upgrade order, from 1 */
    struct audit_source source;
    struct audit_ops ops;
    struct audit_live live;
    const char *base_name; /* "007_93d0f8b42e6c" */
    bool seen;             /* the SQL has a part of it */
    unsigned seen_line;
};

/* ---- auditlive.c ----------------------------------------------------------------------------- */

/* The revision's record in the folder of `guard --each`; NUMBER is its own in upgrade order. */
MUST_USE int audit_read_live(struct arena *a, const char *folder, size_t number, const char *id,
                             struct audit_live *out, struct err *err);
bool audit_live_differs(const struct audit_revision *r); /* from what was asked for */
void audit_write_live(const struct audit_revision *r, struct buf *out);

/* What the operations come to. */
struct audit_sum {
    const struct audit_op *heaviest; /* by lock, on a table that was there before; NULL: none */
    const struct audit_op *rewriting, *losing; /* the first that does, or may; NULL: none */
    enum audit_answer rewrites, loses, reversible;
    bool is_unknown;     /* not all that it does is in the offline SQL */
    const char *why_not; /* for reversible: a clause */
    const char *rules[16];
    size_t rule_count;
};
void audit_sum_up(const struct audit_revision *r, struct audit_sum *out);

/* What the revision does in a sentence. */
void audit_write_sentence(const struct audit_revision *r, struct buf *out);
void audit_write_csv(const struct audit_revision *r, struct buf *out);
void audit_write_summary(const struct graph *graph, const struct audit_revision *all,
                         const struct audit_revision *r, struct buf *out);
void audit_write_inventory(const struct graph *graph, const struct audit_revision *all,
                           struct buf *out);

/* TEXT inside a cell of a Markdown table; inside `...` of one. */
void audit_add_markdown(struct buf *out, const char *text);
void audit_add_code(struct buf *out, const char *text);

#endif
