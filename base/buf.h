/* base/buf.h: a growable byte buffer with a hard ceiling.
 *
 * Invariants: data is NULL or NUL-terminated behind len; len <= max. Failure sticks: once memory or
 * the ceiling has run out, additions do nothing, and buf_check() says which it was. So a text is
 * put together without looking at each step, and checked once. The bytes are wiped when the buffer
 * grows, is cleared or released: it may hold a secret on its way to the slab. What is added does not
 * lie in the buffer itself. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct buf {
    char *data;
    size_t len, capacity, max;
    bool no_memory, too_long;
};

#define BUF_INIT(ceiling) ((struct buf){.max = (ceiling)})
#define AUTO_BUF          CLEANUP(buf_release) struct buf

void buf_add(struct buf *b, const void *bytes, size_t length);
void buf_adds(struct buf *b, const char *text);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *format, ...) PRINTF(2, 3);
void buf_addv(struct buf *b, const char *format, va_list args) PRINTF(2, 0);

/* Room for LENGTH more bytes; a place to write them to, or NULL. Follow with buf_commit. */
char *buf_reserve(struct buf *b, size_t length);
void buf_commit(struct buf *b, size_t length);

/* 0, or -1: ERR_RESOURCE (memory) or KIND with "WHAT is longer than N bytes". */
MUST_USE int buf_check(const struct buf *b, enum err_kind kind, const char *what, struct err *err);

const char *buf_text(const struct buf *b); /* "" when empty; valid until the next change */

/* FROM's bytes and failure become TO's, whose old bytes are wiped and whose ceiling stays (more
 * bytes than it allows: TO is empty and failed). FROM is left empty. */
void buf_move(struct buf *to, struct buf *from);

char *buf_take(struct buf *b); /* the caller frees; NULL when failed; "" when empty */
void buf_clear(struct buf *b); /* wiped, kept, failure forgotten */
void buf_release(struct buf *b);

#endif
