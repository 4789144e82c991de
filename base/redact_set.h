/* base/redact_set.h: what a stream of output is held against: values in all their shapes, as one
 * automaton (Aho and Corasick, 1975) that takes a byte at a time, whatever their number.
 *
 * Values are added to a set, then it is closed; a closed set is read by any number of streams
 * (base/redact_stream.h). Shapes are those of base/redact_forms.h. A shape of more than
 * REDACT_PATTERN_BYTES is looked for in pieces of that length, so what a stream holds back has that
 * ceiling, and a long value is hidden also where only a piece of it is put out.
 *
 * All of it lies in the slab of base/secret.h: REDACT_STATE_BYTES for a byte of a shape that no other
 * has begun with. A value of 30 bytes makes some 250 of them. */
#ifndef BASE_REDACT_SET_H
#define BASE_REDACT_SET_H

#include "base/secret.h"

enum {
    REDACT_PATTERN_BYTES = 1024,
    REDACT_VALUE_MAX_BYTES = 128 * 1024, /* an environment takes no longer ones (MAX_ARG_STRLEN) */
    REDACT_STATE_BYTES = 20,
    REDACT_STATES_MAX = 1024 * 1024,
};

struct redact_set;

/* NULL: ERR_RESOURCE. */
MUST_USE struct redact_set *redact_set_new(struct err *err);

/* Copied. One of less than REDACT_MIN_BYTES (base/redact.h) is left out: hiding it would ruin the
 * output and tell what it is. Errors: ERR_RESOURCE, a value or all of them are too long; then the set
 * is good for nothing but redact_set_free. */
MUST_USE int redact_set_add(struct redact_set *set, const struct secret *value, struct err *err);

/* No more are added. Errors: ERR_RESOURCE. */
MUST_USE int redact_set_close(struct redact_set *set, struct err *err);

void redact_set_free(struct redact_set *set); /* wiped; NULL is fine */

#endif
