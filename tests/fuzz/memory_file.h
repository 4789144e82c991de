/* tests/fuzz/memory_file.h: an input as a file, for what takes a path: a file of memory. */
#ifndef TESTS_FUZZ_MEMORY_FILE_H
#define TESTS_FUZZ_MEMORY_FILE_H

#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/fuzz/fuzz.h"

struct memory_file {
    int fd;
    char path[64];
};

static inline struct memory_file memory_file_of(const uint8_t *data, size_t size)
{
    struct memory_file file = {.fd = memfd_create("input", MFD_CLOEXEC)};
    struct err err = ERR_INIT;

    PROMISE(file.fd >= 0);
    PROMISE(file_write_all(file.fd, "input", data, size, &err) == 0);
    (void)snprintf(file.path, sizeof file.path, "/proc/self/fd/%d", file.fd);
    return file;
}

static inline void memory_file_close(const struct memory_file *file)
{
    PROMISE(close(file->fd) == 0);
}

#endif
