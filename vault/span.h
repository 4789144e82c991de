/* vault/span.h: parts of a JSON text as they were written. It never leaves the folder.
 *
 * A number keeps its spelling, a string its escapes. The text was parsed by vault_json_parse
 * before: here is looked for ends, not for mistakes. */
#ifndef VAULT_SPAN_H
#define VAULT_SPAN_H

#include "vault/internal.h"

struct span {
    const char *start;
    size_t length;
};

/* One member of an object. */
struct span_member {
    struct span name; /* with its quotes */
    struct span value;
};

/* The member at *AT of OBJECT (0: the first), which moves behind it. False: there is no more. */
bool span_next(struct span object, size_t *at, struct span_member *out);

/* The text of NAME. Errors: ERR_RESOURCE, ERR_SOURCE_DATA. */
MUST_USE int span_name(struct span name, struct buf *out, struct err *err);

/* The value of the member of OBJECT whose name is NAME, written without escapes. */
bool span_find(struct span object, const char *name, struct span *out);

#endif
