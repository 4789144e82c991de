/* agent/mask.h: what a secret variable's value must not show, whole or in part. */
#ifndef AGENT_MASK_H
#define AGENT_MASK_H

#include <stddef.h>

#include "base/err.h"
#include "base/secret.h"

/* Register VALUE for redaction, and what of it is a secret by itself (base/redact_parts.h), and of a value
 * that is composed each of its PARTS (entries may be NULL). A URL's user, hosts and port, and a
 * database's name, are no secrets: hiding them would ruin every message about it. Copies are kept.
 * -1: no memory. */
MUST_USE int mask_value(const struct secret *value, const struct secret *const *parts,
                        size_t part_count, struct err *err);

#endif
