/* vault/document.h: a JSON object of texts, with at most one level of objects (groups) in it.
 *
 * What is kept in KV beside a secret, what a hook puts out, and the fields of a secret itself
 * have this shape. Any value may be a secret, so each one lies in the slab; the text between is
 * wiped.
 *
 * Names are unique within their group. Values are strings without NUL, whole numbers up to 2^53,
 * and booleans; each is written as the type that it was read as. */
#ifndef VAULT_DOCUMENT_H
#define VAULT_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"

enum {
    DOCUMENT_MAX_BYTES = 4 * 1024 * 1024, /* that are read; SECRET_MAX_BYTES are written at most */
    DOCUMENT_MAX_ENTRIES = 64 * 1024,
};

enum document_type { DOCUMENT_STRING, DOCUMENT_NUMBER, DOCUMENT_BOOL };

struct document_entry {
    const char *group; /* the document's; NULL: at the top */
    char *name;
    enum document_type type;
    struct secret value; /* "17", "true" for what is no string */
};

struct document {
    struct document_entry *list; /* in the order of the text, or of setting */
    size_t count, capacity;
    char **groups; /* with those that hold nothing */
    size_t group_count, group_capacity;
    bool is_partial; /* read with document_parse_known: something was left out */
};

#define DOCUMENT_INIT ((struct document){0})
#define AUTO_DOCUMENT CLEANUP(document_release) struct document

/* Read LENGTH bytes. WHAT is for messages ("the record 'secret/x.pending/Y'"), KIND their kind.
 * null is the same as not there. Refused, by the member's name and its type, and never with its
 * value: arrays, objects inside of groups, numbers that are not whole or beyond 2^53, a NUL byte,
 * a name twice, more than DOCUMENT_MAX_BYTES. */
MUST_USE int document_parse(const char *bytes, size_t length, const char *what, enum err_kind kind,
                            struct document *out, struct err *err);

/* As document_parse, but what would be refused for its type is left out, and is_partial says so:
 * for a secret that others fill too, of which some fields are wanted. It is not written back
 * whole. */
MUST_USE int document_parse_known(const char *bytes, size_t length, const char *what,
                                  enum err_kind kind, struct document *out, struct err *err);

/* The JSON text: first what is at the top, then each group. Errors: ERR_RESOURCE; ERR_DEFECT for
 * one that is partial; ERR_USAGE: longer than SECRET_MAX_BYTES. */
MUST_USE int document_write(const struct document *doc, struct secret *out, struct err *err);

/* The value as the document's own; NULL: there is none. GROUP NULL: at the top. */
const struct secret *document_get(const struct document *doc, const char *group, const char *name);

/* The same as a text, for what is no secret (an id, a step, a time). NULL: there is none. */
const char *document_text(const struct document *doc, const char *group, const char *name);

/* Whether there is a whole number, and which. */
bool document_number(const struct document *doc, const char *group, const char *name, int64_t *out);

/* Whether there is such a group, if empty. */
bool document_has_group(const struct document *doc, const char *group);

/* Set, in place of what has the name. Values are copied; a group that is not there is made. On
 * failure the document is as it was. Errors: ERR_RESOURCE. */
MUST_USE int document_set(struct document *doc, const char *group, const char *name,
                          const struct secret *value, struct err *err);
MUST_USE int document_set_text(struct document *doc, const char *group, const char *name,
                               const char *text, struct err *err);
MUST_USE int document_set_number(struct document *doc, const char *group, const char *name,
                                 int64_t number, struct err *err);
MUST_USE int document_add_group(struct document *doc, const char *group, struct err *err);

/* Nothing happens where there is none. */
void document_remove(struct document *doc, const char *group, const char *name);
void document_remove_group(struct document *doc, const char *group);

/* *TO becomes the same as FROM; its old content is released. On failure it is as it was. */
MUST_USE int document_copy(struct document *to, const struct document *from, struct err *err);

void document_release(struct document *doc); /* DOCUMENT_INIT afterwards */

#endif
