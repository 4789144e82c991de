/* base/mem.h: checked allocation, and allocators that wipe, for libraries that hold secrets. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

#include "base/attr.h"

/* COUNT zeroed elements of SIZE bytes; NULL when memory is gone or the product overflows. */
MUST_USE void *mem_new(size_t count, size_t size);

/* An array with room for COUNT + 1 elements: *array is replaced when it is full (doubling; never
 * for secrets). Returns 0, or -1 with *array as it was. */
MUST_USE int mem_grow(void *array, size_t count, size_t *capacity, size_t size);

MUST_USE char *mem_dup(const char *text);                   /* strdup */
MUST_USE char *mem_dup_n(const char *bytes, size_t length); /* NUL-terminated copy */

/* Allocators with malloc's shapes that overwrite a block before it goes back to the heap. They are
 * given to jansson and libcurl, whose trees and buffers hold what Vault answered. A resized block
 * is moved and the old one wiped. */
void *mem_wipe_malloc(size_t size);
void *mem_wipe_calloc(size_t count, size_t size);
void *mem_wipe_realloc(void *block, size_t size);
void mem_wipe_free(void *block);
char *mem_wipe_strdup(const char *text);

/* Overwrite, in a way that the compiler keeps. */
void mem_wipe(void *bytes, size_t length);

#endif
