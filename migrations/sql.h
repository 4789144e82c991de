/* migrations/sql.h: SQL text as statements, classified by PostgreSQL's own parser.
 *
 * Text is cut by PostgreSQL's lexical rules (quotes, dollar quotes, nested comments, BEGIN ATOMIC
 * bodies), so that a file with psql's COPY data and `\restrict` lines can be read too. A statement
 * on whose class its grammar can have a say is then parsed by libpg_query; one that has none of the
 * words that make a difference (an INSERT, a GRANT, a plain CREATE TABLE) is SQL_PLAIN without, so
 * that data of many megabytes costs no parse. What the parser's grammar does not know (a newer
 * server) is SQL_UNPARSED and left to the server. The text is borrowed: spans point into it. */
#ifndef MIGRATIONS_SQL_H
#define MIGRATIONS_SQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    SQL_FILE_MAX_BYTES = 256 * 1024 * 1024,
    SQL_RUN_MAX_BYTES = 64 * 1024, /* of plain statements that are folded into one entry */
};

enum sql_class {
    SQL_PLAIN,         /* may run in our transaction as it is */
    SQL_UNPARSED,      /* the parser does not know it: the server decides */
    SQL_BEGIN,         /* BEGIN, START TRANSACTION */
    SQL_COMMIT,        /* COMMIT, END */
    SQL_ROLLBACK,      /* ROLLBACK, ABORT, PREPARE TRANSACTION, two-phase; see `reason` */
    SQL_SAVEPOINT,     /* SAVEPOINT, RELEASE, ROLLBACK TO: fine inside */
    SQL_CANNOT,        /* can't run in a transaction: `reason` says what it is */
    SQL_CONCURRENTLY,  /* CREATE, DROP, REINDEX INDEX CONCURRENTLY, DETACH PARTITION CONCURRENTLY:
                         * text without the word is in `rewritten`, the name of it in `reason` */
    SQL_SET,           /* session SET or set_config(..., false): the LOCAL form is in `rewritten` */
    SQL_SET_DROPPED,   /* SET, RESET of a *_timeout, role or session_authorization; RESET ALL; SET
                         * TRANSACTION, SESSION CHARACTERISTICS: our transaction has its own */
    SQL_OWNER_TO,      /* ALTER ... OWNER TO and nothing else */
    SQL_EXTENSION,     /* CREATE, ALTER, DROP or COMMENT ON EXTENSION: the login's business;
                         * `reason` is the name of one that is created */
    SQL_COPY_DATA,     /* COPY ... FROM stdin, with its data lines in data/data_length */
    SQL_VERSION_TABLE, /* CREATE TABLE of the version table (`reason`: NULL), or its primary key
                         * added by ALTER TABLE (`reason` says so) */
    SQL_VERSION_INSERT, /* `new_revision`; an INSERT or COPY of several rows is several entries */
    SQL_VERSION_UPDATE, /* `old_revision` → `new_revision` */
    SQL_VERSION_DELETE, /* `old_revision` */
    SQL_VERSION_OTHER,  /* another statement with the version table in it; `reason` when it changes
                         * rows in a way that is not Alembic's */
};

/* Open the parser, which reading SQL does by itself. Errors: ERR_RESOURCE, it is not here. */
MUST_USE int sql_parser_open(struct err *err);

enum {
    SQL_WIDTH_UNSAID = -1,
    SQL_WIDTH_UNBOUNDED = 0, /* text, or varchar without a length */
};

/* What the session reads from the next message on, where a statement (an SQL_SET) says it. */
enum sql_encoding { SQL_ENCODING_UNSAID, SQL_ENCODING_UTF8, SQL_ENCODING_OTHER };

struct sql_statement {
    enum sql_class class_;
    size_t offset, length; /* in the text, without the semicolon */
    size_t repeat;         /* how many statements this entry is: 1, a run of plain ones, or 0 for
                            * a further row of the statement before it */
    unsigned line;         /* of its first token, from 1 */
    int version_width;     /* of the version column where the statement sets it, in characters */
    const char *rewritten; /* NULL: as it stands */
    const char *reason;    /* SQL_CANNOT: "CREATE DATABASE" */
    enum sql_encoding encoding;
    const char *old_revision, *new_revision;
    size_t data_offset, data_length; /* COPY's data, without the `\.` line */
};

struct sql_script {
    const char *name, *text; /* borrowed */
    size_t length;
    struct sql_statement *statements;
    size_t count;              /* of entries */
    size_t total;              /* of statements, runs counted in full */
    struct sql_memory *memory; /* opaque */
};

struct sql_settings {
    const char *version_schema, *version_table; /* what makes a statement a version statement */
    bool fold_plain; /* runs of plain statements as one entry: two million INSERTs in 800 entries */
};

/* Cut and classify. -1 (ERR_FILE with file, line, column): psql meta-commands other than \restrict,
 * \unrestrict and the `\.` of COPY; an unterminated quote, comment or COPY; NUL bytes; a setting
 * under which the server would cut the text in another way (standard_conforming_strings off, a
 * client_encoding whose characters hold ASCII bytes). */
MUST_USE int sql_read(const char *name, const char *text, size_t length,
                      const struct sql_settings *settings, struct sql_script *out, struct err *err);
void sql_release(struct sql_script *script);

/* What the version statements of scripts leave in the version table: plays INSERT, UPDATE and
 * DELETE in order. The ids are the scripts'. */
struct sql_rows {
    const char **ids;
    size_t count, capacity;
    bool touched; /* there was a statement about rows at all */
};
#define SQL_ROWS_INIT ((struct sql_rows){0})
void sql_rows_release(struct sql_rows *rows);

/* Errors: ERR_FILE with the position: an UPDATE or DELETE of a row that is not there, one row
 * twice, or a statement that changes rows in another way than Alembic's. */
MUST_USE int sql_rows_play(struct sql_rows *rows, const struct sql_script *script, struct err *err);

/* The statement of a run (`repeat` > 1) that byte OFFSET of the text lies in, or, with OFFSET
 * SQL_NO_OFFSET, the one with INDEX from 0. */
#define SQL_NO_OFFSET SIZE_MAX
struct sql_statement sql_within_run(const struct sql_script *script,
                                    const struct sql_statement *run, size_t index, size_t offset);

/* The statement's first line, at most 120 bytes, for messages. */
void sql_first_line(const struct sql_script *script, const struct sql_statement *statement,
                    struct buf *out);

/* Column (from 1, in characters) and line of byte OFFSET of the text. */
void sql_position(const struct sql_script *script, size_t offset, unsigned *line, unsigned *column);

/* One statement that reads: SELECT, VALUES, TABLE, SHOW, EXPLAIN of these (verify --query). 0, or
 * -1 with ERR_USAGE saying what it is instead. */
MUST_USE int sql_require_one_query(const char *text, struct err *err);

#endif
