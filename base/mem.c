/* base/mem.c: checked allocation, and allocators that wipe. */
#include "base/mem.h"

#include <malloc.h>
#include <stdint.h>
#include <string.h>

enum { FIRST_CAPACITY = 8 };

void *mem_new(size_t count, size_t size)
{
    /* calloc may answer NULL for nothing, which here means that memory is gone. */
    return count == 0 || size == 0 ? calloc(1, 1) : calloc(count, size);
}

int mem_grow(void *array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return 0;

    size_t wanted = count < FIRST_CAPACITY ? FIRST_CAPACITY : count;
    if (count >= FIRST_CAPACITY && __builtin_mul_overflow(count, (size_t)2, &wanted))
        return -1;

    void *old;
    memcpy(&old, array, sizeof old); /* ARRAY is the address of a pointer to any type */
    char *grown = reallocarray(old, wanted, size);
    if (!grown)
        return -1;
    memset(grown + count * size, 0, (wanted - count) * size);
    memcpy(array, &grown, sizeof grown);
    *capacity = wanted;
    return 0; // cppcheck-suppress memleak ; *ARRAY owns it
}

char *mem_dup(const char *text)
{
    return mem_dup_n(text, strlen(text));
}

char *mem_dup_n(const char *bytes, size_t length)
{
    if (length == SIZE_MAX)
        return NULL;
    char *copy = malloc(length + 1);
    if (!copy)
        return NULL;
    if (length > 0) /* BYTES may be NULL then */
        memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}

void *mem_wipe_malloc(size_t size)
{
    return malloc(size ? size : 1);
}

void *mem_wipe_calloc(size_t count, size_t size)
{
    return mem_new(count, size);
}

/* The size is asked of the heap, not kept before the block: a block that a library hands out may
 * then be given to free() by mistake, which leaks bytes and not the process. */
void *mem_wipe_realloc(void *block, size_t size)
{
    if (!block)
        return mem_wipe_malloc(size);

    void *moved = mem_wipe_malloc(size);
    if (!moved)
        return NULL;
    size_t old_size = malloc_usable_size(block);
    memcpy(moved, block, old_size < size ? old_size : size);
    mem_wipe_free(block);
    return moved;
}

void mem_wipe_free(void *block)
{
    if (!block)
        return;
    mem_wipe(block, malloc_usable_size(block));
    free(block);
}

char *mem_wipe_strdup(const char *text)
{
    return mem_dup(text); /* from the same heap: mem_wipe_free finds its size */
}

void mem_wipe(void *bytes, size_t length)
{
    if (length > 0)
        explicit_bzero(bytes, length);
}
