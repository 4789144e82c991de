/* base/library.h: a shared library opened on demand, through one table of functions.
 *
 * The one file that calls a library lists its functions in an X-macro and opens them here; a
 * library that is missing at run time is ERR_RESOURCE with the package's name in the hint. The ELF
 * note (https://systemd.io/ELF_DLOPEN_METADATA/) tells packagers of it. */
#ifndef BASE_LIBRARY_H
#define BASE_LIBRARY_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct library_symbol {
    const char *name;
    void **slot;
};

/* Open the first of SONAMES (NULL-terminated) that is there, and fill every slot. The library stays
 * open to the end of the process. */
MUST_USE int library_open(const char *const *sonames, const char *debian_package,
                          const struct library_symbol *symbols, size_t count, struct err *err);

/* Start OpenSSL 3 while there is memory for it, where a library that was opened has brought it; before
 * that library's first use. Errors: ERR_RESOURCE. */
MUST_USE int library_start_openssl(struct err *err);

/* An ELF .note.dlopen entry. JSON is a string literal: an array with one object (feature,
 * description, priority, soname). */
#define LIBRARY_DLOPEN_NOTE(variable, json)                                          \
    __attribute__((used, section(".note.dlopen"))) _Alignas(4) static const struct { \
        struct {                                                                     \
            unsigned name_size, desc_size, type;                                     \
        } header;                                                                    \
        char name[4];                                                                \
        _Alignas(4) char desc[sizeof(json)];                                         \
    } variable = {{4, sizeof(json), 0x407c0c0aU}, "FDO", json}

#endif
