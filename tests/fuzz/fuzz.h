/* tests/fuzz/fuzz.h: what the fuzz targets share.
 *
 * A target is one file tests/fuzz/<folder>_<what>.c with libFuzzer's entry point and links what its
 * folder may see. `make fuzz` builds it with clang and runs it; replay.c makes a plain program of it
 * that runs the corpus, which is what `make test` does. A broken promise ends the program: both
 * ways keep the input that broke it. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Abort, naming the promise, unless it holds. */
#define PROMISE(condition)                                                                        \
    do {                                                                                          \
        if (!(condition)) {                                                                       \
            (void)fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                              \
        }                                                                                         \
    } while (0)

/* An error is of the kind that the header promises (or this machine has run out), and never blank. */
static inline void fuzz_check_error(const struct err *err, enum err_kind kind)
{
    PROMISE(err->kind == kind || err->kind == ERR_RESOURCE);
    PROMISE(err->text[0] != '\0');
    for (const char *c = err->text; *c; c++)
        PROMISE((unsigned char)*c >= 0x20 && *c != 0x7f);
}

#endif
