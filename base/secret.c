/* secret.c: see base/secret.h.
 *
 * The slab is one reservation of address space between two guard pages:
 *
 *     guard | head | block block block ... free | not yet readable ... | guard
 *           ^ slab                       ^ top  ^ usable
 *
 * Pages become readable and locked when the first block needs them. The allocator's own state lies
 * in the head, inside the slab: a forked child finds it wiped with everything else, sees that, and
 * starts a slab of its own. Pointers that it inherited then point at zeros outside of its slab, and
 * releasing them does nothing. */
#include "base/secret.h"

#include <errno.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"

enum {
    ALIGNMENT = 16,
    /* What is left of a free block has to be worth keeping. */
    SMALLEST_REST = 64,
};

#define LIVE_BLOCK UINT64_C(0x5ec7e75ec7e7b10c)
#define FREE_BLOCK UINT64_C(0xf7eef7eef7eef7ee)

/* In front of each block's bytes. The size counts this header too. */
struct block {
    size_t size;
    uint64_t mark;
    struct block *next; /* free ones: the next by address */
    size_t length;      /* live ones: what was asked for */
};

struct slab {
    bool ready; /* false: never used, or wiped by a fork */
    size_t top, usable;
    struct block *free_blocks;
};

static struct slab *slab;
static size_t page_bytes;
static bool lock_failed;

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

/* Once: without a lock the values may reach the swap device, and everything else still works. */
static void warn_of_lock(int reason)
{
    if (lock_failed)
        return;
    lock_failed = true;
    char limit_text[32] = "unlimited";
    struct rlimit limit;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        (void)snprintf(limit_text, sizeof(limit_text), "%llu", (unsigned long long)limit.rlim_cur);
    log_line(LOG_WARN, "memory for secrets could not be locked and may be swapped out", "reason",
             strerrorname_np(reason), "RLIMIT_MEMLOCK", limit_text, NULL);
}

/* Make the first BYTES of the slab readable, and lock what is new. */
static int slab_extend(size_t usable, size_t bytes, struct err *err)
{
    size_t wanted = round_up(bytes, page_bytes);

    if (wanted > SECRET_SLAB_BYTES)
        return err_set(err, ERR_RESOURCE, "the memory for secrets is full (%d bytes)",
                       SECRET_SLAB_BYTES);
    if (wanted <= usable)
        return 0;
    char *from = (char *)slab + usable;
    size_t added = wanted - usable;
    if (mprotect(from, added, PROT_READ | PROT_WRITE) != 0)
        return err_errno(err, ERR_RESOURCE, "get %zu bytes of memory for secrets", added);
    if (mlock(from, added) != 0)
        warn_of_lock(errno);
    slab->usable = wanted; /* the head lies in the first page, readable by now */
    return 0;
}

static int slab_open(struct err *err)
{
    if (slab && slab->ready)
        return 0;
    page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = SECRET_SLAB_BYTES + 2 * page_bytes;
    char *base = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return err_errno(err, ERR_RESOURCE, "reserve %zu bytes of address space for secrets", size);
    /* Kernels before 4.14 do not know the second; core files are switched off besides. */
    (void)madvise(base + page_bytes, SECRET_SLAB_BYTES, MADV_DONTDUMP);
    (void)madvise(base + page_bytes, SECRET_SLAB_BYTES, MADV_WIPEONFORK);
    struct slab *before = slab;
    slab = (void *)(base + page_bytes);
    if (slab_extend(0, sizeof(struct slab), err) != 0) {
        slab = before;
        (void)munmap(base, size);
        return -1;
    }
    slab->top = round_up(sizeof(struct slab), ALIGNMENT);
    slab->ready = true;
    return 0;
}

/* Cut SIZE bytes out of the first free block that is large enough, or NULL. */
static struct block *take_free(size_t size)
{
    for (struct block **link = &slab->free_blocks; *link; link = &(*link)->next) {
        struct block *block = *link;
        if (block->size < size)
            continue;
        if (block->size - size < SMALLEST_REST) {
            *link = block->next;
            return block;
        }
        struct block *rest = (void *)((char *)block + size);
        *rest = (struct block){block->size - size, FREE_BLOCK, block->next, 0};
        *link = rest;
        block->size = size;
        return block;
    }
    return NULL;
}

static struct block *take_top(size_t size, struct err *err)
{
    if (slab_extend(slab->usable, slab->top + size, err) != 0)
        return NULL;
    struct block *block = (void *)((char *)slab + slab->top);
    slab->top += size;
    block->size = size;
    return block;
}

static bool touches(const struct block *a, const struct block *b)
{
    return (const char *)a + a->size == (const char *)b;
}

/* Put BLOCK (wiped) among the free ones, joined with its neighbours. */
static void give_back(struct block *block)
{
    struct block *previous = NULL, *next = slab->free_blocks;

    while (next && next < block) {
        previous = next;
        next = next->next;
    }
    block->mark = FREE_BLOCK;
    block->next = next;
    if (next && touches(block, next)) {
        block->size += next->size;
        block->next = next->next;
        sodium_memzero(next, sizeof(*next));
    }
    if (!previous) {
        slab->free_blocks = block;
    } else if (touches(previous, block)) {
        previous->size += block->size;
        previous->next = block->next;
        sodium_memzero(block, sizeof(*block));
    } else {
        previous->next = block;
    }
}

/* A live block for LENGTH bytes; what stands in it is anything. NULL: see err. */
static struct block *take(size_t length, struct err *err)
{
    if (slab_open(err) != 0)
        return NULL;
    size_t size = round_up(sizeof(struct block) + length, ALIGNMENT);
    struct block *block = take_free(size);
    if (!block)
        block = take_top(size, err);
    if (!block)
        return NULL;
    block->mark = LIVE_BLOCK;
    block->next = NULL;
    block->length = length;
    return block;
}

int secret_set(struct secret *out, const char *bytes, size_t length, struct err *err)
{
    if (length > SECRET_MAX_BYTES)
        return err_set(err, ERR_RESOURCE, "a secret of %zu bytes is longer than %d bytes", length,
                       SECRET_MAX_BYTES);
    struct block *block = take(length + 1, err);
    if (!block)
        return -1;
    char *to = (char *)(block + 1);
    if (length > 0)
        memcpy(to, bytes, length);
    to[length] = '\0';
    *out = (struct secret){to, length, true};
    return 0;
}

void *secret_table_new(size_t bytes, struct err *err)
{
    if (bytes > SECRET_TABLE_MAX_BYTES) {
        (void)err_set(err, ERR_RESOURCE, "a table of %zu bytes for secrets is longer than %d bytes",
                      bytes, SECRET_TABLE_MAX_BYTES);
        return NULL;
    }
    struct block *block = take(bytes, err);
    return block ? memset(block + 1, 0, bytes) : NULL;
}

struct secret secret_borrow(const char *bytes, size_t length)
{
    return (struct secret){bytes, length, false};
}

bool secret_is_set(const struct secret *s)
{
    return s->private_bytes != NULL;
}

size_t secret_length(const struct secret *s)
{
    return s->private_length;
}

const char *secret_reveal(const struct secret *s)
{
    return s->private_bytes;
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
    if (!secret_is_set(a) || !secret_is_set(b))
        return secret_is_set(a) == secret_is_set(b);
    return a->private_length == b->private_length &&
           sodium_memcmp(a->private_bytes, b->private_bytes, a->private_length) == 0;
}

static bool is_in_slab(const char *bytes)
{
    uintptr_t start = (uintptr_t)slab, at = (uintptr_t)bytes;

    return slab && slab->ready && at > start && at < start + slab->top;
}

/* BYTES are what take() gave for LENGTH. */
static void release(const void *bytes, size_t length)
{
    uintptr_t at = (uintptr_t)bytes - sizeof(struct block);
    struct block *block = (void *)at;
    if (block->mark != LIVE_BLOCK || block->length != length) {
        /* Going on would hand one secret's bytes to another's owner. */
        (void)fprintf(stderr, "error a secret was released twice (a defect in agent)\n");
        abort();
    }
    sodium_memzero(block + 1, block->size - sizeof(*block));
    block->length = 0;
    give_back(block);
}

void secret_release(struct secret *s)
{
    if (s->private_owned && is_in_slab(s->private_bytes))
        release(s->private_bytes, s->private_length + 1);
    *s = SECRET_INIT;
}

void secret_table_free(void *table, size_t bytes)
{
    if (table && is_in_slab(table))
        release(table, bytes);
}

bool secret_slab_is_locked(void)
{
    return !lock_failed;
}

pid_t secret_fork(void)
{
    bool kept = slab && slab->ready;

    if (kept && madvise(slab, SECRET_SLAB_BYTES, MADV_KEEPONFORK) != 0)
        return -1;
    pid_t pid = fork();
    int reason = errno;
    if (kept)
        (void)madvise(slab, SECRET_SLAB_BYTES, MADV_WIPEONFORK); /* as in slab_open */
    /* locks are not inherited */
    if (kept && pid == 0 && mlock(slab, slab->usable) != 0)
        warn_of_lock(errno);
    errno = reason;
    return pid;
}
