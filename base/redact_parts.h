/* base/redact_parts.h: what of a secret is a secret by itself, and may be put out alone. */
#ifndef BASE_REDACT_PARTS_H
#define BASE_REDACT_PARTS_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/redact_forms.h"

enum {
    REDACT_PARTS_MAX = 64,       /* of one value; more are left out */
    REDACT_PARTS_MAX_DEPTH = 32, /* of JSON; what lies deeper is left out */
};

/* Call SINK for each part of VALUE that is a secret by itself, some of them more than once:
 *   a URL's password, and what its query has under a name of a secret ("token=..."), as they are written
 *   and decoded
 *   of a JSON text (an object or an array, whether or not it is right to its end) each string that lies
 *   beneath the name of a secret, and the same of each string that is a URL
 * Names of secrets have password, secret, token, key and their like in them, and do not end in what says
 * that it is none (url, id, type, ...). What is beside them, users, hosts, names, is left alone: hiding it
 * would ruin every message. VALUE itself is not among the parts. -1: what SINK said, or memory is gone. */
MUST_USE int redact_each_part(const char *value, size_t length, redact_form_sink sink, void *owner,
                              struct err *err);

#endif
