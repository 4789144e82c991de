/* base/secret.h: bytes that must not be seen, in one locked slab.
 *
 * What it gives: the bytes lie in pages that are locked (not swapped), left out of core files
 * (MADV_DONTDUMP), not inherited by a forked child (MADV_WIPEONFORK) and wiped on release.
 * What it does not: root, a debugger allowed to attach, the copies that libcurl, OpenSSL or libpq
 * make while they work, and the environment that the application is started with, see them.
 *
 * secret_reveal() is the only way to the bytes; `make lint` holds the list of files that may call
 * it. A struct secret is a value: copy the struct to share, release the one owner. A borrowed one
 * points at bytes that belong to somebody else (the process's environment) and releases nothing. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

enum {
    SECRET_MAX_BYTES = 1024 * 1024,       /* one value */
    SECRET_SLAB_BYTES = 64 * 1024 * 1024, /* address space; pages are locked as they are used */
    SECRET_TABLE_MAX_BYTES = 32 * 1024 * 1024,
};

struct secret {
    const char *private_bytes; /* NUL-terminated; secret_reveal() */
    size_t private_length;
    bool private_owned;
};

#define SECRET_INIT ((struct secret){0})
#define AUTO_SECRET CLEANUP(secret_release) struct secret

/* Copy LENGTH bytes into the slab. Errors: ERR_RESOURCE. *out is untouched on failure. */
MUST_USE int secret_set(struct secret *out, const char *bytes, size_t length, struct err *err);
struct secret secret_borrow(const char *bytes, size_t length); /* bytes[length] must be NUL */
bool secret_is_set(const struct secret *s); /* an empty value is set, SECRET_INIT is not */
size_t secret_length(const struct secret *s);
const char *secret_reveal(const struct secret *s); /* NUL-terminated, NULL when not set */
/* Constant time for one length. Not set equals not set only. */
bool secret_equal(const struct secret *a, const struct secret *b);
void secret_release(struct secret *s); /* wiped; SECRET_INIT afterwards */

/* BYTES zeroed bytes of the slab, to be written to: for what is made of secrets, and for what they pass
 * through. Aligned for any type. NULL: ERR_RESOURCE. It is given back, wiped, with its size; NULL is fine. */
MUST_USE void *secret_table_new(size_t bytes, struct err *err);
void secret_table_free(void *table, size_t bytes);

/* fork() for a worker that goes on with this process's secrets: in the child the slab is as it was, and
 * locked again. -1: errno. An ordinary fork() finds it wiped. */
MUST_USE pid_t secret_fork(void);

/* Whether every page so far could be locked; the first failure is logged once as a warning. */
bool secret_slab_is_locked(void);

#endif
