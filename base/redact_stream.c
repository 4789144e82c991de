/* redact_stream.c: see base/redact_stream.h.
 *
 * Where the automaton stands at depth d, whatever it may still find begins in the last d bytes: all
 * before them is decided. */
#include "base/redact_stream.h"

#include <string.h>

#include "base/mem.h"
#include "base/redact_automaton.h"

#define REDACTED "***"

enum { LOOKS = 4 };

_Static_assert(REDACT_SPANS > REDACT_PATTERN_BYTES / REDACT_MIN_BYTES + 1,
               "spans that begin in the held bytes have room");

int redact_stream_init(struct redact_stream *s, const struct redact_set *set, size_t read_bytes,
                       struct err *err)
{
    size_t capacity = REDACT_PATTERN_BYTES + read_bytes;
    char *bytes = secret_table_new(capacity, err);

    if (!bytes)
        return -1;
    *s = (struct redact_stream){.set = set, .bytes = bytes, .capacity = capacity};
    return 0;
}

void redact_stream_release(struct redact_stream *s)
{
    secret_table_free(s->bytes, s->capacity);
    *s = (struct redact_stream){0};
}

char *redact_stream_room(const struct redact_stream *s, size_t *room)
{
    *room = s->capacity - s->held;
    return s->bytes + s->held;
}

bool redact_stream_is_holding(const struct redact_stream *s)
{
    return s->held > 0;
}

/* What is put out on the way through the bytes at hand. */
struct progress {
    struct buf *out;
    uint64_t put; /* everything before it went out, or is hidden */
};

static void put_plain(const struct redact_stream *s, struct progress *p, uint64_t until)
{
    if (until <= p->put)
        return;
    buf_add(p->out, s->bytes + (p->put - s->offset), (size_t)(until - p->put));
    p->put = until;
}

/* Nothing that begins before DECIDED will be found any more. */
static void settle(struct redact_stream *s, struct progress *p, uint64_t decided)
{
    while (s->first_span < s->last_span && s->spans[s->first_span].start < decided) {
        const struct redact_span *span = &s->spans[s->first_span++];
        put_plain(s, p, span->start);
        buf_adds(p->out, REDACTED);
        p->put = s->hidden_until = span->end;
    }
    put_plain(s, p, decided);
    if (s->first_span == s->last_span)
        s->first_span = s->last_span = 0;
}

static void push(struct redact_stream *s, struct redact_span span)
{
    if (s->last_span == REDACT_SPANS) {
        memmove(s->spans, s->spans + s->first_span,
                (s->last_span - s->first_span) * sizeof s->spans[0]);
        s->last_span -= s->first_span;
        s->first_span = 0;
    }
    s->spans[s->last_span++] = span;
}

/* LENGTH bytes that end at END are secret. Whatever is settled lies before them, or is one with them. */
static void found(struct redact_stream *s, struct progress *p, uint64_t end, size_t length)
{
    struct redact_span span = {end - length, end};

    while (s->last_span > s->first_span && s->spans[s->last_span - 1].end > span.start) {
        s->last_span--;
        if (s->spans[s->last_span].start < span.start)
            span.start = s->spans[s->last_span].start;
    }
    if (span.start < s->hidden_until) { /* its *** is out already */
        p->put = s->hidden_until = end;
        return;
    }
    if (span.start < p->put) /* a flush put its beginning out */
        span.start = p->put;
    if (span.start < span.end)
        push(s, span);
}

/* How far the next place is, from AT on, at which something may begin. */
static inline unsigned distance(const struct redact_set *set, const unsigned char *at)
{
    return set->skip[redact_gram(at + REDACT_SKIP_MAX - 1)] & ~(unsigned)REDACT_BEGINS;
}

/* Four looks that do not wait for each other find nothing: that is most of most outputs. */
static inline bool nothing_near(const struct redact_set *set, const unsigned char *at)
{
    unsigned least = REDACT_SKIP_MAX;

    for (unsigned i = 0; i < LOOKS; i++) {
        unsigned found = distance(set, at + i * REDACT_SKIP_MAX);
        least = found < least ? found : least;
    }
    return least == REDACT_SKIP_MAX;
}

/* The first of the bytes [AT, END) with which something may begin; END where nothing does. The last few
 * are all such. */
static size_t skip(const struct redact_set *set, const unsigned char *bytes, size_t at, size_t end)
{
    while (end - at >= REDACT_MIN_BYTES) {
        if (end - at >= LOOKS * REDACT_SKIP_MAX + REDACT_MIN_BYTES &&
            nothing_near(set, bytes + at)) {
            at += LOOKS * REDACT_SKIP_MAX;
            continue;
        }
        unsigned found = distance(set, bytes + at);
        if (found == 0 && (set->skip[redact_gram(bytes + at)] & REDACT_BEGINS))
            break;
        at += found ? found : 1;
    }
    return at;
}

/* Run over bytes[FROM..END). */
static void scan(struct redact_stream *s, struct progress *p, size_t from, size_t end)
{
    const struct redact_set *set = s->set;
    const unsigned char *bytes = (const unsigned char *)s->bytes;
    uint32_t state = s->state;

    for (size_t at = from; at < end;) {
        if (state == REDACT_ROOT)
            at = skip(set, bytes, at, end);
        if (at >= end)
            break;
        state = redact_step(set, state, bytes[at++]);
        if (state == REDACT_ROOT || set->states[state].match == 0)
            continue;
        settle(s, p, s->offset + at - set->states[state].depth);
        found(s, p, s->offset + at, set->states[state].match);
    }
    s->state = state;
    size_t depth = state == REDACT_ROOT ? 0 : set->states[state].depth;
    settle(s, p, s->offset + end - (depth < end ? depth : end));
}

/* What is put out makes room. */
static void keep_rest(struct redact_stream *s, const struct progress *p, size_t end)
{
    size_t gone = (size_t)(p->put - s->offset);

    memmove(s->bytes, s->bytes + gone, end - gone);
    s->held = end - gone;
    s->offset = p->put;
    mem_wipe(s->bytes + s->held, gone);
}

void redact_stream_take(struct redact_stream *s, size_t length, struct buf *out)
{
    struct progress p = {out, s->offset};
    size_t end = s->held + length;

    scan(s, &p, s->held, end);
    keep_rest(s, &p, end);
}

void redact_stream_flush(struct redact_stream *s, struct buf *out)
{
    struct progress p = {out, s->offset};

    settle(s, &p, s->offset + s->held);
    keep_rest(s, &p, s->held);
}

void redact_stream_use(struct redact_stream *s, const struct redact_set *set, struct buf *out)
{
    struct progress p = {out, s->offset};

    if (s->first_span < s->last_span) /* what was found stays hidden, whatever the new set has */
        settle(s, &p, s->spans[s->last_span - 1].end);
    keep_rest(s, &p, s->held);
    s->set = set;
    s->state = REDACT_ROOT;
    scan(s, &p, 0, s->held);
    keep_rest(s, &p, s->held);
}
