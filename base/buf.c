/* base/buf.c: a growable byte buffer with a hard ceiling. */
#include "base/buf.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"

enum { FIRST_BYTES = 64 };

/* At least NEEDED bytes of capacity, the NUL included. */
static size_t next_capacity(const struct buf *b, size_t needed)
{
    size_t capacity = b->capacity > SIZE_MAX / 2 ? SIZE_MAX : b->capacity * 2;
    if (capacity < FIRST_BYTES)
        capacity = FIRST_BYTES;
    if (b->max < SIZE_MAX && capacity > b->max + 1)
        capacity = b->max + 1;
    return capacity < needed ? needed : capacity;
}

static void wipe_and_free(char *data, size_t capacity)
{
    if (!data)
        return;
    mem_wipe(data, capacity); /* behind len too: reserved room may have been written */
    free(data);
}

char *buf_reserve(struct buf *b, size_t length)
{
    if (b->no_memory || b->too_long)
        return NULL;
    if (length > b->max - b->len || length >= SIZE_MAX - b->len) {
        b->too_long = true;
        return NULL;
    }

    size_t needed = b->len + length + 1;
    if (needed > b->capacity) {
        size_t capacity = next_capacity(b, needed);
        char *grown = malloc(capacity); /* not realloc: it leaves the old bytes in the heap */
        if (!grown) {
            b->no_memory = true;
            return NULL;
        }
        if (b->len > 0)
            memcpy(grown, b->data, b->len);
        grown[b->len] = '\0';
        wipe_and_free(b->data, b->capacity);
        b->data = grown;
        b->capacity = capacity;
    }
    return b->data + b->len;
}

void buf_commit(struct buf *b, size_t length)
{
    if (length >= b->capacity - b->len) { /* more than was reserved: a defect of the caller */
        b->too_long = b->too_long || length > 0;
        return;
    }
    b->len += length;
    b->data[b->len] = '\0';
}

void buf_add(struct buf *b, const void *bytes, size_t length)
{
    if (length == 0)
        return;
    char *room = buf_reserve(b, length);
    if (!room)
        return;
    memcpy(room, bytes, length);
    buf_commit(b, length);
}

void buf_adds(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_addc(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_addf(struct buf *b, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    buf_addv(b, format, args);
    va_end(args);
}

void buf_addv(struct buf *b, const char *format, va_list args)
{
    va_list again;

    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    if (length < 0) {
        if (errno == EOVERFLOW)
            b->too_long = true;
        else
            b->no_memory = true;
    } else if (length > 0) {
        char *room = buf_reserve(b, (size_t)length);
        if (room) {
            (void)vsnprintf(room, (size_t)length + 1, format, again); /* measured just now */
            buf_commit(b, (size_t)length);
        }
    }
    va_end(again);
}

int buf_check(const struct buf *b, enum err_kind kind, const char *what, struct err *err)
{
    if (b->no_memory) {
        (void)err_nomem(err);
        return err_wrap(err, "%s", what);
    }
    if (b->too_long)
        return err_set(err, kind, "%s is longer than %zu bytes", what, b->max);
    return 0;
}

const char *buf_text(const struct buf *b)
{
    return b->data ? b->data : "";
}

void buf_move(struct buf *to, struct buf *from)
{
    if (to == from)
        return;

    buf_release(to);
    to->no_memory = from->no_memory;
    to->too_long = from->too_long || from->len > to->max;
    if (from->len <= to->max) {
        to->data = TAKE_POINTER(from->data);
        to->len = from->len;
        to->capacity = from->capacity;
        from->len = from->capacity = 0;
    }
    buf_release(from);
}

char *buf_take(struct buf *b)
{
    if (b->no_memory || b->too_long || !buf_reserve(b, 0))
        return NULL;

    char *text = TAKE_POINTER(b->data);
    b->len = b->capacity = 0;
    return text;
}

void buf_clear(struct buf *b)
{
    if (b->data)
        mem_wipe(b->data, b->capacity);
    b->len = 0;
    b->no_memory = b->too_long = false;
}

void buf_release(struct buf *b)
{
    wipe_and_free(b->data, b->capacity);
    *b = BUF_INIT(b->max);
}
