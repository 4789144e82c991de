/* base/err.h: the error value that every failing function fills in.
 *
 * A function that can fail returns 0 or -1 and takes `struct err *err` last (never NULL). The error
 * is set where it happens, with what was tried, on what, and what came back, and is wrapped on the
 * way up with the caller's own object, so that it reads
 *     rotate 'DATABASE_URL': write 'secret/acme/prod/db': vault answered 403: permission denied
 * Text and hint live inside the value: an error can be reported when memory is gone. Only agent/
 * prints errors and turns their kind into an exit code.
 *
 * Every err_*() that returns int returns -1, so that `return err_set(...)` is the idiom. A text is
 * never blank: err_set() with an empty text says that the origin gave none. No secret is ever put
 * into an error; foreign text (a server's, a library's) is sanitised by these functions: control
 * bytes, invalid UTF-8 and bidirectional controls appear as \xHH. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

enum {
    ERR_TEXT_BYTES = 2048, /* longer texts are cut, with "..." */
    ERR_HINT_BYTES = 2048,
    ERR_FILE_BYTES = 512,
};

/* kind, word in --json, exit code, worth trying again, what it means (documentation) */
#define ERR_KINDS(X)                                                                               \
    X(ERR_NONE, "none", 0, false, "no error")                                                      \
    X(ERR_VIOLATION, "violation", 1, false, "the thing looked at is not as it should be")          \
    X(ERR_USAGE, "usage", 2, false, "the call is wrong")                                           \
    X(ERR_CONTRACT, "contract", 2, false, "the contract is wrong")                                 \
    X(ERR_FILE, "file", 2, false, "a file that the call or the contract names is wrong")           \
    X(ERR_SOURCE_DOWN, "source-down", 3, true,                                                     \
      "a source could not be reached, is sealed or "                                               \
      "overloaded; retries are used up")                                                           \
    X(ERR_SOURCE_DENIED, "source-denied", 4, false, "a source refused: not authenticated, denied") \
    X(ERR_SOURCE_MISSING, "source-missing", 4, false, "a source has no such path or field")        \
    X(ERR_SOURCE_DATA, "source-data", 4, false, "a source answered what cannot be used")           \
    X(ERR_DB_DOWN, "database-down", 5, true,                                                       \
      "the database could not be reached, is starting, "                                           \
      "full or read-only")                                                                         \
    X(ERR_DB_LOCK, "database-lock", 5, true, "a lock was not had in time")                         \
    X(ERR_DB_IN_DOUBT, "in-doubt", 5, true, "it is not known whether a commit arrived")            \
    X(ERR_DB_REFUSED, "database-refused", 6, false,                                                \
      "the database refused: password, no such "                                                   \
      "database, permission, a pooler")                                                            \
    X(ERR_DB_SQL, "sql", 6, false, "the database answered a statement with an error")              \
    X(ERR_DB_STATE, "state", 6, false,                                                             \
      "the database is in a state that this command leaves alone")                                 \
    X(ERR_DB_COMMAND, "command", 6, false, "a command that makes the database failed")             \
    X(ERR_ROTATION, "rotation", 7, true, "a rotation is unfinished")                               \
    X(ERR_RESOURCE, "resource", 9, true, "this machine had no memory, descriptors or disk left")   \
    X(ERR_STOPPED, "stopped", 130, true, "a signal ended the command (128 and its number)")        \
    X(ERR_DEFECT, "defect", 9, false, "a defect in agent")

enum err_kind {
#define X(kind, word, code, again, meaning) kind,
    ERR_KINDS(X)
#undef X
        ERR_KIND_COUNT
};

struct err {
    enum err_kind kind;
    int sys_errno;             /* errno, or 0 */
    int http_status;           /* of the answer, or 0 */
    char sqlstate[6];          /* "" or five characters */
    const char *step;          /* verify's connection step ("tls"), a static string, or NULL */
    char file[ERR_FILE_BYTES]; /* the user's file that is wrong, or "" */
    unsigned line, column;     /* from 1; 0 where not known */
    char text[ERR_TEXT_BYTES];
    char hint[ERR_HINT_BYTES]; /* what to do next, or "" */
};

#define ERR_INIT ((struct err){.kind = ERR_NONE})

/* Set kind and text; everything else is cleared. */
int err_set(struct err *err, enum err_kind kind, const char *format, ...) PRINTF(3, 4);

/* As err_set, with ": " and the text of errno behind it. */
int err_errno(struct err *err, enum err_kind kind, const char *format, ...) PRINTF(3, 4);

/* No memory: ERR_RESOURCE; needs none itself. */
int err_nomem(struct err *err);

/* Put "<text>: " before what the error says already. Keeps kind, position, hint and codes. */
int err_wrap(struct err *err, const char *format, ...) PRINTF(2, 3);

/* Add to the hint (a sentence; several are joined with a blank). */
int err_hint(struct err *err, const char *format, ...) PRINTF(2, 3);

/* Where in the user's file it is; line and column from 1, 0 where not known. */
int err_at(struct err *err, const char *file, unsigned line, unsigned column);

int err_sqlstate(struct err *err, const char *sqlstate); /* copies up to five characters */
void err_clear(struct err *err);

const char *err_word(enum err_kind kind);    /* "source-down" */
int err_exit_code(enum err_kind kind);       /* 3 */
bool err_try_again(enum err_kind kind);      /* whether the same call may work later */
const char *err_meaning(enum err_kind kind); /* a clause for documentation */

#endif
