/* rotate/generate.h: the secret that the contract's bytes, as, length and alphabet ask for. */
#ifndef ROTATE_GENERATE_H
#define ROTATE_GENERATE_H

#include "rotate/internal.h"

enum {
    GENERATE_MIN_BITS = 128,
    GENERATE_MIN_BYTES = GENERATE_MIN_BITS / 8,
    GENERATE_BYTES = 32, /* where nothing is said */
    GENERATE_MAX_BYTES = 64 * 1024,
};

/* By spec->bytes and its encoding, or spec->length and its alphabet; nothing said: GENERATE_BYTES.
 * Errors: ERR_CONTRACT (not random enough: how much it would take; an alphabet that is none). */
MUST_USE int generate_value(const struct rotate_spec *spec, struct secret *out, struct err *err);

#endif
