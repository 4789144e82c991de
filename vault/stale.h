/* vault/stale.h: the last values that a source gave, kept encrypted for a start at which it can't
 * be reached (`stale_ok`, `run.stale`).
 *
 * One file for each variable, mode 0600, in a folder of our own, 0700. What a copy is of (project,
 * profile, variable, where its value comes from) is authenticated with it, and so is when it was
 * fetched: a copy under another name, of another profile, or of what the contract said before does
 * not open. A lease's end is kept too: no copy outlives it. The key is 32 random bytes in a file
 * that is made on first use.
 *
 * What it does not give: who can write the folder can put an older copy back, within its age. */
#ifndef VAULT_STALE_H
#define VAULT_STALE_H

#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"

enum {
    STALE_CLOCK_SLACK_S = 5 * 60, /* a copy may be from so far in the future: clocks are set */
};

/* What a copy is of. Strings are borrowed; NULL is "". */
struct stale_subject {
    const char *project, *profile;
    const char *variable; /* a name; begins the file's */
    const char *origin;   /* its references, as they are written */
};

struct stale;

/* The copies in DIRECTORY. MAKE: both are made where they are not there. Errors: ERR_FILE (not
 * there; others can read or write it, with what to run; no key), ERR_RESOURCE. */
MUST_USE int stale_open(const char *directory, const char *key_file, bool make, struct stale **out,
                        struct err *err);
void stale_free(struct stale *s); /* NULL is fine */

/* Keep VALUE as fetched at NOW_S (Unix time); EXPIRES_S: not to be used from then on, 0: no end. */
MUST_USE int stale_keep(const struct stale *s, const struct stale_subject *subject,
                        const struct secret *value, int64_t now_s, int64_t expires_s,
                        struct err *err);

/* The copy, when it is at most MAX_AGE_S old. Errors: ERR_SOURCE_MISSING (there is none, it is too
 * old, its lease has ended), ERR_SOURCE_DATA (it does not open), ERR_FILE. */
MUST_USE int stale_get(const struct stale *s, const struct stale_subject *subject, int64_t now_s,
                       int64_t max_age_s, struct secret *out, int64_t *age_s, struct err *err);

#endif
