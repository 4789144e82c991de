/* tests/fault/failmalloc.c: preloaded into the agent by tests, it makes allocations fail.
 *
 *   FAULT_MALLOC=K    the K-th allocation of the process fails, from 1; K+ : from the K-th on all do
 *   FAULT_COUNT=FILE  at the end of the process the number of allocations is written there
 * Only the process whose executable is called `agent` is meant: what it starts runs without faults.
 * What the loader and the libraries allocate counts too: that is what happens on a real machine. So is
 * this: who looks whether there is room, and gives it back, has it. OpenSSL, which may wait for itself for
 * ever where it starts without memory, gets what was looked for on its behalf (base/library.c): a block
 * of ROOM_BYTES that was freed is granted to it again, in parts of whatever size. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

enum { ROOM_BYTES = 256 * 1024 };

static atomic_ulong allocations;
static unsigned long first_failure; /* 0: none */
static bool all_behind;
static pid_t counted_process;
static _Atomic(void *) room;      /* a block of ROOM_BYTES that is held */
static atomic_size_t openssl_has; /* bytes of one that was freed */

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

static void write_count(void)
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

/* How the agent ends (agent/main.c). */
void _exit(int code)
{
    write_count();
    (void)syscall(SYS_exit_group, code);
    __builtin_unreachable();
}

/* Takes SIZE bytes of what was looked for, when it is OpenSSL that asks. */
static bool has_room(size_t size, const void *caller)
{
    size_t left = atomic_load(&openssl_has);
    Dl_info info;

    if (left < size || dladdr(caller, &info) == 0 || !strstr(info.dli_fname, "/libcrypto.so"))
        return false;
    while (left >= size)
        if (atomic_compare_exchange_weak(&openssl_has, &left, left - size))
            return true;
    return false;
}

static bool fails(size_t size, const void *caller)
{
    unsigned long number = atomic_fetch_add(&allocations, 1) + 1;

    if (first_failure == 0 || number < first_failure || (number > first_failure && !all_behind))
        return false;
    if (has_room(size, caller))
        return false;
    errno = ENOMEM;
    return true;
}

#define FAILS(size) fails(size, __builtin_return_address(0))

void *malloc(size_t size)
{
    return FAILS(size) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    void *block = FAILS(count * size) ? NULL : __libc_calloc(count, size);

    if (block && count * size == ROOM_BYTES)
        atomic_store(&room, block);
    return block;
}

void *realloc(void *block, size_t size)
{
    return FAILS(size) ? NULL : __libc_realloc(block, size);
}

void free(void *block)
{
    void *held = block;

    if (block && atomic_compare_exchange_strong(&room, &held, NULL))
        atomic_store(&openssl_has, ROOM_BYTES);
    __libc_free(block);
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
    return FAILS(size) ? NULL : __libc_memalign(alignment, size);
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
