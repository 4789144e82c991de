/* bootstrap/internal.h: what bootstrap's own files share; it never leaves the folder.
 *
 * A look is one SQL statement that reads catalogs (and the version table's rows) with one snapshot
 * and gives one result. It can be sent alone or as a part of a bigger message:
 *     state_look_sql(settings, &sql); db_query(...); state_look_read(...); state_classify(...);
 * It needs no transaction, changes no setting and does not depend on search_path. */
#ifndef BOOTSTRAP_INTERNAL_H
#define BOOTSTRAP_INTERNAL_H

#include "bootstrap/bootstrap.h"
#include "bootstrap/db.h"

enum {
    LOOK_RESULTS = 1,            /* how many results the text of state_look_sql gives */
    LOOK_NEXT_REVISIONS = 5,     /* named when behind */
    LOOK_TEXT_BYTES = 64 * 1024, /* of a why or a hint */
    LOOK_SQL_BYTES = 1024 * 1024,
    LOOK_FIRST_OBJECTS = 5, /* objects named in a report; all are counted */
    LOOK_MAX_ROWS = 200,    /* rows of the version table: one for each head; more is an error */
    VERSION_WIDTH = 32,     /* VARCHAR(32): what Alembic makes, and what we make */
};

/* What is done about a table of the version table's name that is another's. */
#define HINT_NO_VERSION_TABLE "Rename it, or name another one: database.stamp.table."

/* A growing NULL-terminated list of strings, its own copies. */
struct names {
    char **list; /* NULL while empty */
    size_t count, capacity;
};
MUST_USE int names_add(struct names *names, const char *text, struct err *err);
/* The list moves out, never NULL (an empty list has its terminator); NULL when memory is gone. */
char **names_take(struct names *names);
void names_release(struct names *names);
void names_free_list(char **list); /* NULL is fine */

struct look_counts { /* the user's objects in the managed schemas, without the version table */
    size_t tables, views, sequences, types, functions;
};

/* What the catalogs said. Strings are the look's own. */
struct look {
    char *server_version, *user;
    char *user_ends; /* VALID UNTIL of the login, "2026-01-31T12:00:00Z"; NULL: never */
    int backend_pid;
    bool in_recovery, read_only;       /* read_only: transaction_read_only or in recovery */
    bool superuser, may_create_schema; /* CREATE on the database */

    /* the version table's schema */
    bool schema_exists, schema_usage, schema_create;
    /* settings->owner; all false when the contract has none. owner_settable: SET ROLE is allowed, for which
     * PostgreSQL 16 and later want more than membership: its SET option. */
    bool owner_exists, owner_member, owner_settable, owner_schema_create, owner_may_create_schema;

    /* the version table where the contract says it is */
    bool version_exists;
    bool
        version_is_alembics; /* its definition: what Alembic makes, of any width, with or without key */
    bool version_readable; /* USAGE and SELECT, and no row security in the way */
    size_t version_width;  /* 0: no limit */
    char *version_owner;
    struct names rows;         /* of version_num */
    struct names elsewhere;    /* "schema.table" of version tables in other schemas */
    bool elsewhere_is_managed; /* one of them lies in a managed schema */

    bool is_empty;    /* nothing of the user's is there, not even a version table */
    bool is_doubtful; /* a short look saw what only a whole one can tell */
    struct look_counts counts;
    struct names objects;         /* the first ones: "table public.users" */
    struct names missing;         /* of settings->expect, as written there */
    struct names hidden;          /* schemas with objects and without USAGE for us */
    struct names invalid_indexes; /* "public.ix_users_email" (the first ones) */
};
#define LOOK_INIT ((struct look){0})
#define AUTO_LOOK CLEANUP(look_release) struct look
void look_release(struct look *look);
size_t look_objects(const struct look *look); /* the sum of the counts */

/* Shared by the texts of looks. The fact of the session, but for its last column, f. */
#define LOOK_SESSION                                                                            \
    "SELECT 'session' AS fact, pg_catalog.current_setting('server_version') AS a,\n"            \
    " current_user::pg_catalog.text AS b, pg_catalog.pg_backend_pid()::pg_catalog.text AS c,\n" \
    " pg_catalog.pg_is_in_recovery()::pg_catalog.text AS d,\n"                                  \
    " pg_catalog.current_setting('transaction_read_only') AS e,\n"

/* The user's schemas, n; and, over a table's columns a that are not
 * dropped, whether they are what Alembic makes. */
#define LOOK_USERS_SCHEMAS "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
#define LOOK_ALEMBICS                                                                  \
    "pg_catalog.count(*) = 1 AND pg_catalog.bool_and(a.attname = 'version_num'\n"      \
    "    AND a.attnotnull AND a.atttypid IN ('pg_catalog.text'::pg_catalog.regtype,\n" \
    "     'pg_catalog.varchar'::pg_catalog.regtype, 'pg_catalog.bpchar'::pg_catalog.regtype))"

/* Whether a schema n is of settings->schemas, as an expression. */
void look_add_managed(const struct database_settings *settings, struct buf *out);
/* An entry of settings->expect taken apart: "schema.table", or a table in public. Into EXPECTED. */
struct expected_table {
    const char *schema;
    size_t schema_length;
    const char *name;
};
struct expected_table look_expected_table(const char *expected);
/* A part of a look: the expected tables, e (n, schema, name, label), for which CONDITION holds. */
void look_add_missing(const struct database_settings *settings, const char *condition,
                      struct buf *out);

/* Append the look's statement with its semicolon; check OUT with buf_check as usual. */
void state_look_sql(const struct database_settings *settings, struct buf *out);

/* Read RESULTS->list[FIRST]. Errors: ERR_RESOURCE; ERR_DEFECT for a result of another shape. *out is
 * untouched on failure. */
MUST_USE int state_look_read(const struct db_results *results, size_t first, struct look *out,
                             struct err *err);

/* Look → the state, why, hint, and every field of the report that a look can fill (what an earlier
 * look filled is replaced; the bootstrap part is left alone). Errors: ERR_RESOURCE. */
MUST_USE int state_classify(const struct database_settings *settings, const struct look *look,
                            struct database_report *report, struct err *err);

/* ---- explain.c: why a database is in a state, and what to do -------------------------------------- */

/* What the version table's rows are, held against the revisions. */
struct stamp_facts {
    const char *redundant, *newer; /* a row, and the row that it is an ancestor (or a copy) of */
    const char *unknown;           /* the first row that no script has */
    size_t behind; /* revisions that an upgrade would run; 0 where rows are unknown */
    const char *next[LOOK_NEXT_REVISIONS];
    size_t next_count;
};
void explain_why(const struct database_settings *settings, const struct look *look,
                 const struct stamp_facts *stamp, enum database_state state, struct buf *out);
void explain_hint(const struct database_settings *settings, const struct look *look,
                  const struct stamp_facts *stamp, enum database_state state, struct buf *out);
/* A line for each right that matters here, for verify. */
MUST_USE int explain_rights(const struct database_settings *settings, const struct look *look,
                            struct names *out, struct err *err);

/* state_look_sql, db_query, state_look_read and state_classify: one round trip. LOOK may be NULL. */
MUST_USE int state_look(struct db *db, const struct database_settings *settings,
                        int64_t deadline_ms, struct database_report *report, struct look *look,
                        struct err *err);

/* Host, port, database, user, TLS of the connection into the report. */
MUST_USE int report_set_connection(struct database_report *report, const struct db *db,
                                   struct err *err);
/* *field is freed and replaced by a formatted text. */
MUST_USE int report_set(char **field, struct err *err, const char *format, ...) PRINTF(3, 4);

/* settings->migrate as a line for a shell, for hints; "" when there is none. */
void settings_add_migrate_line(const struct database_settings *settings, struct buf *out);
/* "public"."alembic_version" for SQL; public.alembic_version for messages. */
void settings_add_version_table(const struct database_settings *settings, struct buf *out);
void settings_describe_version_table(const struct database_settings *settings, struct buf *out);
/* The earlier of settings->deadline_ms and MS from now. */
int64_t settings_deadline(const struct database_settings *settings, int64_t ms);
/* Of one statement that is sent now. A timeout of 0 is none, as PostgreSQL has it. */
int64_t settings_statement_deadline(const struct database_settings *settings);

#endif
