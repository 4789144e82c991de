/* What of a secret is a secret by itself: whatever the value is, the parts are few, none is empty, and none is
 * longer than the value. */
#include <string.h>

#include "base/redact_parts.h"
#include "tests/fuzz/fuzz.h"

struct seen {
    size_t parts, most_bytes;
};

static int look(void *owner, const char *part, size_t length, struct err *err)
{
    struct seen *seen = owner;

    (void)err;
    PROMISE(part && length > 0);
    seen->parts++;
    seen->most_bytes = length > seen->most_bytes ? length : seen->most_bytes;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen seen = {0};
    struct err err = ERR_INIT;

    PROMISE(redact_each_part((const char *)data, size, look, &seen, &err) == 0);
    PROMISE(err.kind == ERR_NONE);
    PROMISE(seen.parts <= REDACT_PARTS_MAX && seen.most_bytes <= size);
    return 0;
}
