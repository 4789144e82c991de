/* rotate/program.h: what program_run's callers share. */
#ifndef ROTATE_PROGRAM_H
#define ROTATE_PROGRAM_H

#include "rotate/internal.h"

enum { PROGRAM_TIMEOUT_MS = 60 * 1000 }; /* of one call, where the contract says nothing */

/* Whether PROGRAM could be run: it is there, executable, and nobody else may write it. ERR_FILE. */
MUST_USE int program_check(const struct rotation *r, const struct program *program,
                           struct err *err);

/* From now on nothing of this rotation is shown: what the record and its place hold, and VALUE (may be
 * NULL). User names are no secret. */
MUST_USE int program_hide(const struct rotation *r, const struct secret *value, struct err *err);

/* Have the contract's test look at the former value as if it were pending. 0 also where there is no test, or
 * no former. ERR_VIOLATION: it still works. */
MUST_USE int program_former_is_refused(struct rotation *r, struct err *err);

#endif
