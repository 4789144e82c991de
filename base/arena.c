/* base/arena.c: blocks in a list, the newest first; objects are cut off the newest block. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

enum { BLOCK_BYTES = 16 * 1024 };

struct arena_block {
    struct arena_block *older;
    size_t used, capacity;
    alignas(max_align_t) char bytes[];
};

static struct arena_block *block_new(size_t capacity)
{
    size_t size;
    if (__builtin_add_overflow(sizeof(struct arena_block), capacity, &size))
        return NULL;
    struct arena_block *block = calloc(1, size); /* every object is zeroed */
    if (block)
        block->capacity = capacity;
    return block;
}

/* An object that would fill a block gets its own, behind the newest, which keeps its room. */
static char *own_block(struct arena *a, size_t size)
{
    struct arena_block *block = block_new(size);
    if (!block)
        return NULL;
    block->used = size;
    struct arena_block **place = a->newest ? &a->newest->older : &a->newest;
    block->older = *place;
    *place = block;
    return block->bytes;
}

static char *cut_off(struct arena *a, size_t size, size_t alignment)
{
    if (size > BLOCK_BYTES / 4)
        return own_block(a, size);

    struct arena_block *block = a->newest;
    size_t at = block ? (block->used + alignment - 1) & ~(alignment - 1) : 0;
    if (!block || at > block->capacity || size > block->capacity - at) {
        block = block_new(BLOCK_BYTES);
        if (!block)
            return NULL;
        block->older = a->newest;
        a->newest = block;
        at = 0;
    }
    block->used = at + size;
    return block->bytes + at;
}

void *arena_new(struct arena *a, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    return cut_off(a, total, alignof(max_align_t));
}

char *arena_dup(struct arena *a, const char *text)
{
    return arena_dup_n(a, text, strlen(text));
}

char *arena_dup_n(struct arena *a, const char *bytes, size_t length)
{
    if (length == SIZE_MAX)
        return NULL;
    char *copy = cut_off(a, length + 1, 1);
    if (copy && length > 0)
        memcpy(copy, bytes, length);
    return copy; /* the NUL is there: blocks are zeroed */
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        return NULL;

    char *text = cut_off(a, (size_t)length + 1, 1);
    if (!text)
        return NULL;
    va_start(args, format);
    (void)vsnprintf(text, (size_t)length + 1, format, args); /* measured just now */
    va_end(args);
    return text;
}

void arena_release(struct arena *a)
{
    for (struct arena_block *block = a->newest; block;) {
        struct arena_block *older = block->older;
        free(block);
        block = older;
    }
    a->newest = NULL;
}
