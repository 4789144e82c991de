/* base/ref.h: the grammar of a source reference, shared by the contract and by the sources.
 *
 *   env | env:NAME | vault:PATH#FIELD | sealed:NAME | file:PATH | none
 *
 * PATH in vault: is mount and path, with or without data/ for KV v2. It lies in base because the
 * contract checks references with positions and vault/ resolves them, and neither sees the other. */
#ifndef BASE_REF_H
#define BASE_REF_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum ref_kind { REF_ENV, REF_VAULT, REF_SEALED, REF_FILE, REF_COMMAND, REF_NONE };

struct ref {
    enum ref_kind kind;
    const char *path;        /* vault: without leading slash; file: the path; env, sealed: the name;
                              NULL for a bare env: the variable's own name */
    const char *field;       /* vault only */
    const char *const *argv; /* command only, NULL-terminated */
    const char *folder;      /* command, file: where relative paths start */
};

/* Parse TEXT; strings live in the arena. Errors: ERR_CONTRACT, value-free (the text of a reference
 * is no secret, but what looked like one may be: only its kind and the defect are named). */
MUST_USE int ref_parse(struct arena *a, const char *text, struct ref *out, struct err *err);

/* Where TEXT begins as a reference of KIND does ("env:", of REF_ENV): what stands behind the colon, unread;
 * else NULL. */
const char *ref_behind(const char *text, enum ref_kind kind);

/* Whether an environment value is an inline reference: starts with vault:, sealed: or file: and
 * parses as one. */
bool ref_is_inline(const char *value);

/* Whether VALUE was meant as an inline reference and is none: it begins like one, and ref_parse says what
 * is wrong. Not what only begins alike: a sentence ("vault: a note"), a host named vault with its port
 * ("vault:8200/v1"), and the ciphertext of Vault's transit engine ("vault:v1:..."), which the
 * application itself knows about. */
bool ref_is_broken(const char *value);

/* As it was written, "vault:secret/acme/db#user"; of a command only the first word. */
void ref_describe(const struct ref *ref, struct buf *out);

#endif
