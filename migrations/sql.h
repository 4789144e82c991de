/* migrations/sql.h: SQL text as statements, classified by PostgreSQL's own parser.
 *
 * Text is cut by PostgreSQL's lexical rules (quotes, dollar quotes, nested comments, BEGIN ATOMIC
 * bodies), so that a file with psql's COPY data and `\restrict` lines can be read too; each
 * statement is then parsed by libpg_query. What the parser's grammar does not know (a newer server)
 * is SQL_UNPARSED and left to the server. The text is borrowed: spans point into it. */
#ifndef MIGRATIONS_SQL_H
#define MIGRATIONS_SQL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    SQL_FILE_MAX_BYTES = 256 * 1024 * 1024,
};

enum sql_class {
    SQL_PLAIN,          /* may run in our transaction as it is */
    SQL_UNPARSED,       /* the parser does not know it: the server decides */
    SQL_BEGIN,          /* BEGIN, START TRANSACTION */
    SQL_COMMIT,         /* COMMIT, END */
    SQL_ROLLBACK,       /* ROLLBACK, ABORT, PREPARE TRANSACTION, two-phase */
    SQL_SAVEPOINT,      /* SAVEPOINT, RELEASE, ROLLBACK TO: fine inside */
    SQL_CANNOT,         /* can't run in a transaction: `reason` says what it is */
    SQL_CONCURRENTLY,   /* CREATE INDEX CONCURRENTLY: text without the word is in `rewritten` */
    SQL_SET,            /* session SET or set_config(..., false): the LOCAL form is in `rewritten` */
    SQL_SET_DROPPED,    /* SET of a *_timeout, role or session_authorization */
    SQL_OWNER_TO,       /* ALTER ... OWNER TO */
    SQL_CREATE_EXTENSION,
    SQL_COPY_DATA,      /* COPY ... FROM stdin, with its data lines in data/data_length */
    SQL_VERSION_TABLE,  /* CREATE TABLE of the version table */
    SQL_VERSION_INSERT, /* `new_revision` */
    SQL_VERSION_UPDATE, /* `old_revision` → `new_revision` */
    SQL_VERSION_DELETE, /* `old_revision` */
    SQL_VERSION_OTHER,  /* touches the version table in a way that is not Alembic's */
};

struct sql_statement {
    enum sql_class class_;
    size_t offset, length; /* in the text, without the semicolon */
    unsigned line;         /* of its first token, from 1 */
    const char *rewritten; /* NULL: as it stands */
    const char *reason;    /* SQL_CANNOT: "CREATE DATABASE" */
    const char *old_revision, *new_revision;
    size_t data_offset, data_length; /* COPY's data, without the `\.` line */
};

struct sql_script {
    const char *name, *text; /* borrowed */
    size_t length;
    struct sql_statement *statements;
    size_t count;
    struct sql_memory *memory; /* opaque */
};

struct sql_settings {
    const char *version_schema, *version_table; /* what makes a statement a version statement */
};

/* Cut and classify. -1 (ERR_FILE with file, line, column): psql meta-commands other than \restrict,
 * \unrestrict and the `\.` of COPY; an unterminated quote, comment or COPY; NUL bytes. */
MUST_USE int sql_read(const char *name, const char *text, size_t length,
                      const struct sql_settings *settings, struct sql_script *out, struct err *err);
void sql_release(struct sql_script *script);

/* Whether the version statements of an `alembic upgrade --sql` text leave exactly these rows:
 * plays INSERT, UPDATE, DELETE and fills rows (NULL-terminated, the script's). */
MUST_USE int sql_version_rows(const struct sql_script *script, const char *const **rows,
                              size_t *count, struct err *err);

/* The statement's first line, at most 120 bytes, for messages. */
void sql_first_line(const struct sql_script *script, const struct sql_statement *statement,
                    struct buf *out);

/* Column (from 1, in characters) and line of byte OFFSET of the text. */
void sql_position(const struct sql_script *script, size_t offset, unsigned *line, unsigned *column);

/* One statement that reads: SELECT, VALUES, TABLE, SHOW, EXPLAIN of these (verify --query). 0, or
 * -1 with ERR_USAGE saying what it is instead. */
MUST_USE int sql_require_one_query(const char *text, struct err *err);

#endif
