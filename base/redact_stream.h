/* base/redact_stream.h: a stream of output with what is secret in it replaced by ***.
 *
 * The caller reads into the stream's own room, and says how much it was; what can be put out comes
 * back at once. Held back is only an ending that may be the beginning of something secret, at most
 * REDACT_PATTERN_BYTES: for how long is the caller's matter, who ends it by redact_stream_flush. When
 * the rest comes after that, the rest alone is hidden.
 *
 * Occurrences that overlap become one ***, those that only touch become one each. Any bytes pass
 * through. */
#ifndef BASE_REDACT_STREAM_H
#define BASE_REDACT_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/redact_set.h"

enum { REDACT_SPANS = 256 }; /* more than REDACT_PATTERN_BYTES / REDACT_MIN_BYTES */

/* Places in the stream, counted from its first byte. */
struct redact_span {
    uint64_t start, end;
};

struct redact_stream {
    const struct redact_set *set;
    char *bytes; /* held ones, then room; in the slab */
    size_t held, capacity;
    uint64_t offset;       /* of bytes[0] */
    uint64_t hidden_until; /* the end of the last *** that went out */
    uint32_t state;
    size_t first_span, last_span; /* [first, last): found, not put out yet; ascending, apart */
    struct redact_span spans[REDACT_SPANS];
};

/* A stream with room for READ_BYTES at a time, held against SET (closed; it outlives the stream, or is
 * replaced by redact_stream_use). Errors: ERR_RESOURCE. */
MUST_USE int redact_stream_init(struct redact_stream *s, const struct redact_set *set,
                                size_t read_bytes, struct err *err);

/* Where to read to, and how much. */
char *redact_stream_room(const struct redact_stream *s, size_t *room);

/* LENGTH bytes were read to there: append to OUT what is decided. OUT's failure sticks (base/buf.h). */
void redact_stream_take(struct redact_stream *s, size_t length, struct buf *out);

/* Append what is held back: nothing more came in time, or ever will. */
void redact_stream_flush(struct redact_stream *s, struct buf *out);
bool redact_stream_is_holding(const struct redact_stream *s);

/* From here on hold it against SET; what is held back already too. */
void redact_stream_use(struct redact_stream *s, const struct redact_set *set, struct buf *out);

void redact_stream_release(struct redact_stream *s); /* wiped; a zeroed one is fine */

#endif
