/* base/attr.h: the compiler attributes that the tree uses, and release at the end of a scope.
 *
 * AUTO_* variables are released on every way out of their scope; the destructors take NULL and
 * half-built objects. An undo that can fail (ROLLBACK, revoking a lease) is never an AUTO_*: it is
 * written out where it happens and its error is reported. */
#ifndef BASE_ATTR_H
#define BASE_ATTR_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MUST_USE          __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN          __attribute__((noreturn))
#define SENTINEL          __attribute__((sentinel))
#define CLEANUP(fn)       __attribute__((cleanup(fn)))
#define FALLTHROUGH       __attribute__((fallthrough))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static inline void auto_close(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* a read-only or already fsynced descriptor has nothing left to lose */
}

static inline void auto_free(void *pointer)
{
    free(*(void **)pointer);
}

static inline void auto_fclose(FILE **file)
{
    if (*file)
        (void)fclose(*file);
}

#define AUTO_FD   CLEANUP(auto_close) int
#define AUTO_FREE CLEANUP(auto_free)
#define AUTO_FILE CLEANUP(auto_fclose) FILE *

/* Give up ownership: the value moves out, the AUTO_* variable is left empty. */
#define TAKE_POINTER(p)             \
    __extension__({                 \
        __typeof__(p) taken_ = (p); \
        (p) = NULL;                 \
        taken_;                     \
    })

#define TAKE_FD(fd)        \
    __extension__({        \
        int taken_ = (fd); \
        (fd) = -1;         \
        taken_;            \
    })

#include "base/banned.h"

#endif
