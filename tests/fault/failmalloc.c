/* tests/fault/failmalloc.c: preloaded into the agent by tests, it makes allocations fail.
 *
 *   FAULT_MALLOC=K    the K-th allocation of the process fails, from 1; K+ : from the K-th on all do
 *   FAULT_COUNT=FILE  at the end of the process the number of allocations is written there
 * Only the process whose executable is called `agent` is meant: what it starts runs without faults.
 * What the loader and the libraries allocate counts too: that is what happens on a real machine. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static atomic_ulong allocations;
static unsigned long first_failure; /* 0: none */
static bool all_behind;
static pid_t counted_process;

__attribute__((constructor)) static void read_settings(void)
{
    const char *text = getenv("FAULT_MALLOC");
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    const char *name = length > 0 ? memrchr(path, '/', (size_t)length) : NULL;

    if (length <= 0 || !name || path + length - name != 6 || memcmp(name, "/agent", 6) != 0)
        return;
    counted_process = getpid();
    atomic_store(&allocations, 0);
    if (!text)
        return;
    char *end;
    first_failure = strtoul(text, &end, 10);
    all_behind = *end == '+';
}

__attribute__((destructor)) static void write_count(void)
{
    const char *path = getenv("FAULT_COUNT");
    char text[32];

    if (!path || counted_process != getpid())
        return;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int length = snprintf(text, sizeof text, "%lu\n", atomic_load(&allocations));
    if (fd < 0 || write(fd, text, (size_t)length) != length)
        abort();
    (void)close(fd);
}

static bool fails(void)
{
    unsigned long number = atomic_fetch_add(&allocations, 1) + 1;

    if (first_failure == 0 || number < first_failure || (number > first_failure && !all_behind))
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
    return fails() ? NULL : __libc_realloc(block, size);
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

void *memalign(size_t alignment, size_t size)
{
    return fails() ? NULL : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    void *block = memalign(alignment, size);

    if (!block)
        return ENOMEM;
    *out = block;
    return 0;
}
