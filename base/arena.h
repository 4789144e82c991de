/* base/arena.h: memory for parsed trees, released together. Not for secrets: nothing is wiped. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/attr.h"

struct arena {
    struct arena_block *newest;
};

#define ARENA_INIT ((struct arena){0})
#define AUTO_ARENA CLEANUP(arena_release) struct arena

MUST_USE void *arena_new(struct arena *a, size_t count, size_t size); /* zeroed; NULL: no memory */
MUST_USE char *arena_dup(struct arena *a, const char *text);
MUST_USE char *arena_dup_n(struct arena *a, const char *bytes, size_t length);
MUST_USE char *arena_printf(struct arena *a, const char *format, ...) PRINTF(2, 3);
void arena_release(struct arena *a);

#endif
