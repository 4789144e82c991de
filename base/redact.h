/* base/redact.h: known secret values taken out of text before it is shown.
 *
 * Values shorter than REDACT_MIN_BYTES are not registered: replacing them ruins texts without
 * hiding anything. Registered are a value, its percent-encoded, base64 (with or without padding) and
 * JSON-escaped forms, and what the sanitiser and the errors make of it. */
#ifndef BASE_REDACT_H
#define BASE_REDACT_H

#include "base/buf.h"
#include "base/secret.h"

enum { REDACT_MIN_BYTES = 6 };

/* Remember VALUE, of which a copy is kept. -1: no memory. */
MUST_USE int redact_register(const struct secret *value, struct err *err);

/* It is a secret no more: forget it, when that was said as often as it was registered. What was never
 * registered is nothing to forget. -1: no memory, and it is hidden still. */
MUST_USE int redact_forget(const struct secret *value, struct err *err);

/* Add every value that was registered to SET, which hides them in a stream. */
struct redact_set; /* base/redact_set.h */
MUST_USE int redact_add_known(struct redact_set *set, struct err *err);
/* Call VISIT for each value that was registered, by itself, until it returns other than 0, which is
 * returned: for whoever hands them to another process. */
int redact_each(int (*visit)(void *context, const struct secret *value), void *context);
size_t redact_short_count(void); /* how many were too short to be registered */

/* Append BYTES to OUT with every registered value replaced by ***. */
void redact_add(struct buf *out, const char *bytes, size_t length);

#endif
