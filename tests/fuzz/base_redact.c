/* A stream of output, cut anywhere: it comes out as when it is not cut, and no value is left in it.
 *
 * Input: the number of values (1 to 4), then for each its length (0 to 31) and its bytes, then a byte
 * for the pieces' size, then the stream. */
#include <string.h>

#include "base/redact.h"
#include "base/redact_stream.h"
#include "tests/fuzz/fuzz.h"

enum { VALUES_MAX = 4, VALUE_BYTES = 32, ROOM_BYTES = 8192, OUT_BYTES = 1024 * 1024 };

struct input {
    char bytes[VALUES_MAX][VALUE_BYTES];
    struct secret values[VALUES_MAX];
    size_t count, piece, length;
    const char *stream;
};

static void read_input(const uint8_t *data, size_t size, struct input *in)
{
    size_t at = 0, count = size > 0 ? 1 + data[at++] % VALUES_MAX : 0;

    for (; in->count < count && at < size; in->count++) {
        size_t length = data[at++] % VALUE_BYTES;
        length = length < size - at ? length : size - at;
        memcpy(in->bytes[in->count], data + at, length);
        in->values[in->count] = secret_borrow(in->bytes[in->count], length);
        at += length;
    }
    in->piece = at < size ? 1 + (size_t)data[at++] : 1;
    in->stream = (const char *)data + at;
    in->length = size - at;
}

static void pass(const struct redact_set *set, const struct input *in, size_t piece,
                 struct buf *out)
{
    struct redact_stream s;
    struct err err = ERR_INIT;

    PROMISE(redact_stream_init(&s, set, ROOM_BYTES, &err) == 0);
    for (size_t at = 0; at < in->length;) {
        size_t room, length = in->length - at < piece ? in->length - at : piece;
        char *to = redact_stream_room(&s, &room);
        PROMISE(room >= ROOM_BYTES);
        length = length < room ? length : room;
        memcpy(to, in->stream + at, length);
        redact_stream_take(&s, length, out);
        at += length;
    }
    redact_stream_flush(&s, out);
    PROMISE(!redact_stream_is_holding(&s));
    redact_stream_release(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {0};
    struct err err = ERR_INIT;
    AUTO_BUF whole = BUF_INIT(OUT_BYTES);
    AUTO_BUF cut = BUF_INIT(OUT_BYTES);

    read_input(data, size, &in);
    struct redact_set *set = redact_set_new(&err);
    PROMISE(set);
    for (size_t i = 0; i < in.count; i++)
        PROMISE(redact_set_add(set, &in.values[i], &err) == 0);
    PROMISE(redact_set_close(set, &err) == 0);
    pass(set, &in, ROOM_BYTES, &whole);
    pass(set, &in, in.piece, &cut);
    PROMISE(whole.len == cut.len && memcmp(buf_text(&whole), buf_text(&cut), whole.len) == 0);
    for (size_t i = 0; i < in.count; i++) {
        const char *value = in.bytes[i];
        size_t length = secret_length(&in.values[i]);
        /* *** put in may make what looks like a value with stars in it */
        if (length >= REDACT_MIN_BYTES && !memchr(value, '*', length) && whole.len > 0)
            PROMISE(!memmem(whole.data, whole.len, value, length));
    }
    redact_set_free(set);
    return 0;
}
