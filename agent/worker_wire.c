#include "agent/worker_wire.h"

#include <string.h>

#include "base/mem.h"

#define ABSENT UINT64_MAX /* in place of a length */

void wire_put_struct(struct buf *out, const void *bytes, size_t length)
{
    buf_add(out, bytes, length);
}

void wire_put_number(struct buf *out, int64_t number)
{
    wire_put_struct(out, &number, sizeof number);
}

static void put_bytes(struct buf *out, const char *bytes, size_t length)
{
    uint64_t written = bytes ? length : ABSENT;

    wire_put_struct(out, &written, sizeof written);
    if (bytes)
        buf_add(out, bytes, length);
}

void wire_put_text(struct buf *out, const char *text)
{
    put_bytes(out, text, text ? strlen(text) : 0);
}

void wire_put_secret(struct buf *out, const struct secret *secret)
{
    put_bytes(out, secret_reveal(secret), secret_length(secret));
}

size_t wire_secret_bytes(const struct secret *secret)
{
    return sizeof(uint64_t) + secret_length(secret);
}

char *wire_write_secret(char *to, const struct secret *secret)
{
    uint64_t written = secret_is_set(secret) ? secret_length(secret) : ABSENT;

    memcpy(to, &written, sizeof written);
    if (secret_length(secret) > 0)
        memcpy(to + sizeof written, secret_reveal(secret), secret_length(secret));
    return to + wire_secret_bytes(secret);
}

void wire_struct(struct wire *w, void *bytes, size_t length)
{
    w->failed = w->failed || length > w->left;
    if (w->failed) {
        memset(bytes, 0, length);
        return;
    }
    memcpy(bytes, w->at, length);
    w->at += length;
    w->left -= length;
}

int64_t wire_number(struct wire *w)
{
    int64_t number;

    wire_struct(w, &number, sizeof number);
    return number;
}

size_t wire_count(struct wire *w, size_t least_bytes)
{
    int64_t count = wire_number(w);

    if (count >= 0 && (uint64_t)count <= w->left / least_bytes)
        return (size_t)count;
    w->failed = true;
    return 0;
}

/* NULL: none, or failed. */
static const char *take_bytes(struct wire *w, size_t *length)
{
    uint64_t written;

    wire_struct(w, &written, sizeof written);
    if (w->failed || written == ABSENT)
        return NULL;
    if (written > w->left) {
        w->failed = true;
        return NULL;
    }
    const char *bytes = w->at;
    *length = (size_t)written;
    w->at += written;
    w->left -= (size_t)written;
    return bytes;
}

char *wire_text(struct wire *w)
{
    size_t length;
    const char *bytes = take_bytes(w, &length);
    char *text = bytes ? mem_dup_n(bytes, length) : NULL;

    w->failed = w->failed || (bytes && !text);
    return text;
}

void wire_secret(struct wire *w, struct secret *out)
{
    struct err full = ERR_INIT;
    size_t length;
    const char *bytes = take_bytes(w, &length);

    *out = SECRET_INIT;
    if (bytes && secret_set(out, bytes, length, &full) != 0)
        w->failed = true;
}

int wire_check(const struct wire *w, struct err *err)
{
    if (!w->failed && w->left == 0)
        return 0;
    err_set(err, ERR_RESOURCE, "what a worker handed back could not be taken: %s",
            w->failed ? "it was cut, or memory is gone" : "there is more than was expected");
    return -1;
}
