/* tests/lib/heap.h: a heap that fails on demand and looks at what is given back to it.
 *
 * For one test program: it defines malloc and its kin in front of libc's. AddressSanitizer and
 * valgrind bring a heap of their own; the tests that need this one are skipped there (NEEDS_HEAP). */
#ifndef TESTS_LIB_HEAP_H
#define TESTS_LIB_HEAP_H

#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* How many allocations succeed before one fails; negative: all do. After the failure: all do. */
static long heap_successes = -1;

/* Whether those behind a failure fail, too. */
static bool heap_stays_empty;

/* Blocks given back with heap_canary in them. */
static const char *heap_canary;
static unsigned heap_leaks;

static inline void heap_fail_after(long successes)
{
    heap_successes = successes;
    heap_stays_empty = false;
}

/* As heap_fail_after, and from there on all fail, until heap_fail_after(-1). */
static inline void heap_fail_from(long successes)
{
    heap_successes = successes;
    heap_stays_empty = true;
}

static inline void heap_watch(const char *canary)
{
    heap_canary = canary;
    heap_leaks = 0;
}

#ifdef __SANITIZE_ADDRESS__

/* A size that no heap has is an answer of NULL, as everywhere else, and not the end. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

#else

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);

static inline bool heap_fails(void)
{
    if (heap_successes < 0 || heap_successes-- > 0)
        return false;
    if (heap_stays_empty)
        heap_successes = 0;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return heap_fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return heap_fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
    return heap_fails() ? NULL : __libc_realloc(block, size);
}

void *reallocarray(void *block, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(block, total);
}

void free(void *block)
{
    if (block && heap_canary &&
        memmem(block, malloc_usable_size(block), heap_canary, strlen(heap_canary)))
        heap_leaks++;
    __libc_free(block);
}

#endif

static inline bool heap_is_this_one(void)
{
    heap_fail_after(0);
    void *volatile block = malloc(1);
    heap_fail_after(-1);
    free(block);
    return !block;
}

#define NEEDS_HEAP()             \
    do {                         \
        if (!heap_is_this_one()) \
            skip();              \
    } while (0)

#endif
