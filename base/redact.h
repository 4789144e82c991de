/* base/redact.h: known secret values taken out of text before it is shown.
 *
 * Values shorter than REDACT_MIN_BYTES are not registered: replacing them ruins texts without
 * hiding anything. Registered are a value, its percent-encoded, base64 (with or without padding) and
 * JSON-escaped forms, and what the sanitiser and the errors make of it. */
#ifndef BASE_REDACT_H
#define BASE_REDACT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/secret.h"

enum { REDACT_MIN_BYTES = 6 };

/* Remember VALUE, of which a copy is kept. -1: no memory. */
MUST_USE int redact_register(const struct secret *value, struct err *err);

/* The same, and what of VALUE is a secret by itself (base/redact_parts.h). */
MUST_USE int redact_register_value(const struct secret *value, struct err *err);

/* For a process that lives for years while its values come and go: a value has the age in which it was
 * registered last, and ages are counted. In age 0 all begin, and what is never registered again after it
 * stays for good. */
uint64_t redact_age(void);
void redact_next_age(void);

/* Forget the values whose age is less than BEFORE, but for those of age 0 and the KEEP youngest of them;
 * *forgotten is how many that were. -1: no memory, and all are hidden still. */
MUST_USE int redact_forget(uint64_t before, size_t keep, size_t *forgotten, struct err *err);

/* Add every value that was registered to SET, which hides them in a stream. */
struct redact_set; /* base/redact_set.h */
MUST_USE int redact_add_known(struct redact_set *set, struct err *err);
/* In a child, which has found them wiped (base/secret.h): none is known. */
void redact_inherit_nothing(void);
/* Call VISIT for each value that was registered, by itself, until it returns other than 0, which is
 * returned: for whoever hands them to another process. */
int redact_each(int (*visit)(void *context, const struct secret *value), void *context);
size_t redact_short_count(void); /* how many were too short to be registered */

/* Append BYTES to OUT with every registered value replaced by ***. */
void redact_add(struct buf *out, const char *bytes, size_t length);

#endif
