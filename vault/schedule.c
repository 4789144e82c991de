/* schedule.c: when a token or a lease is renewed, and when new ones are made. */
#include "vault/schedule.h"

#include "base/clock.h"

enum {
    RENEW_NUMERATOR = 2, /* at two thirds of the time, */
    RENEW_DENOMINATOR = 3,
    EARLIER_PARTS = 15, /* or up to this part of it earlier */
    PERIOD_PARTS = 10,
    ROUNDING_PARTS = 60, /* a renewal that is this part shorter was rounded, not cut, */
    ROUNDING_MAX_MS = 1000,
    RETRY_PARTS = 4, /* of the time that is left, at most, pass until the next try */
    FAILURES_MAX = 16,
};

static int64_t later(int64_t from_ms, int64_t by_ms)
{
    return by_ms > CLOCK_NEVER - from_ms ? CLOCK_NEVER : from_ms + by_ms;
}

/* A part of RANGE_MS, from 0 to all but the whole of it. */
static int64_t part_of(int64_t range_ms, uint32_t chance)
{
    int64_t whole = range_ms / SCHEDULE_CHANCE, rest = range_ms % SCHEDULE_CHANCE;

    chance %= SCHEDULE_CHANCE;
    return whole * chance + rest * chance / SCHEDULE_CHANCE;
}

/* Two thirds of SPAN_MS behind FROM_MS, a little earlier by chance. */
static int64_t two_thirds(int64_t from_ms, int64_t span_ms, uint32_t chance)
{
    int64_t most = span_ms / RENEW_DENOMINATOR * RENEW_NUMERATOR;

    return later(from_ms, most - part_of(span_ms / EARLIER_PARTS, chance));
}

void schedule_start(struct schedule *s, int64_t made_ms, int64_t span_ms, bool renewable,
                    uint32_t chance)
{
    *s = (struct schedule){.made_ms = made_ms,
                           .expires_ms = CLOCK_NEVER,
                           .next_ms = CLOCK_NEVER,
                           .renewable = renewable};
    if (span_ms <= 0)
        return;
    s->span_ms = span_ms;
    s->maximum_ms = renewable ? 0 : span_ms;
    s->expires_ms = later(made_ms, span_ms);
    s->next_ms = two_thirds(made_ms, span_ms, chance);
}

void schedule_start_static(struct schedule *s, int64_t read_ms, int64_t ttl_ms, uint32_t chance)
{
    *s = (struct schedule){.made_ms = read_ms, .span_ms = ttl_ms};
    s->expires_ms = later(read_ms, ttl_ms);
    /* Before, it would be the same password. Nobody makes anything by reading it: no floor. */
    s->next_ms = later(s->expires_ms,
                       SCHEDULE_STATIC_SLACK_MS + part_of(SCHEDULE_STATIC_SLACK_MS, chance));
    s->maximum_ms = 1;
}

void schedule_start_periodic(struct schedule *s, int64_t now_ms, int64_t period_ms, uint32_t chance)
{
    *s = (struct schedule){
        .made_ms = now_ms, .expires_ms = CLOCK_NEVER, .next_ms = CLOCK_NEVER, .maximum_ms = 1};
    if (period_ms <= 0)
        return;
    int64_t range = period_ms / PERIOD_PARTS;
    s->span_ms = period_ms;
    s->next_ms = later(now_ms, period_ms - range + part_of(2 * range, chance));
}

int64_t schedule_floor_ms(const struct schedule *s)
{
    int64_t half = s->maximum_ms / 2;

    return later(s->made_ms,
                 s->maximum_ms > 0 && half < SCHEDULE_FLOOR_MS ? half : SCHEDULE_FLOOR_MS);
}

enum schedule_action schedule_due(const struct schedule *s, int64_t now_ms)
{
    if (now_ms < s->next_ms)
        return SCHEDULE_WAIT;
    return s->renewable && !s->must_replace && now_ms < s->expires_ms ? SCHEDULE_RENEW
                                                                      : SCHEDULE_REPLACE;
}

/* Replace it at AT_MS, or when the floor allows it. */
static void replace_at(struct schedule *s, int64_t at_ms)
{
    int64_t floor = schedule_floor_ms(s);

    s->must_replace = true;
    s->next_ms = at_ms < floor ? floor : at_ms;
}

bool schedule_renewed(struct schedule *s, int64_t asked_at_ms, int64_t got_ms, bool renewable,
                      uint32_t chance)
{
    int64_t rounding = s->span_ms / ROUNDING_PARTS;

    if (rounding > ROUNDING_MAX_MS)
        rounding = ROUNDING_MAX_MS;
    s->failures = 0;
    s->expires_ms = later(asked_at_ms, got_ms);
    s->renewable = renewable;
    if (got_ms + rounding < s->span_ms || !renewable) {
        s->maximum_ms = s->expires_ms - s->made_ms;
        replace_at(s, asked_at_ms);
        return true;
    }
    s->next_ms = two_thirds(asked_at_ms, got_ms, chance);
    return false;
}

void schedule_failed(struct schedule *s, int64_t now_ms, bool maybe_made, uint32_t chance)
{
    int64_t delay = (int64_t)SCHEDULE_RETRY_MS << s->failures, left = s->expires_ms - now_ms;

    if (s->failures < FAILURES_MAX)
        s->failures++;
    if (delay > SCHEDULE_RETRY_MAX_MS)
        delay = SCHEDULE_RETRY_MAX_MS;
    /* Several tries before the end; behind it, the same delays as if there were none. */
    if (left > 0 && s->expires_ms != CLOCK_NEVER && delay > left / RETRY_PARTS)
        delay = left / RETRY_PARTS;
    if (delay < SCHEDULE_RETRY_MIN_MS)
        delay = SCHEDULE_RETRY_MIN_MS;
    s->next_ms = later(now_ms, delay - part_of(delay / 2, chance));
    if (!maybe_made)
        return;
    s->made_ms = now_ms;
    if (s->next_ms < schedule_floor_ms(s))
        s->next_ms = schedule_floor_ms(s);
}

void schedule_ended(struct schedule *s, int64_t now_ms)
{
    s->expires_ms = now_ms;
    if (s->maximum_ms == 0) /* not known; what is made now and not renewed lasts that long again */
        s->maximum_ms = s->span_ms;
    replace_at(s, now_ms);
}

void schedule_bound(struct schedule *s, int64_t now_ms, int64_t until_ms, uint32_t chance)
{
    if (until_ms >= s->expires_ms)
        return;
    int64_t left = until_ms > now_ms ? until_ms - now_ms : 0;
    int64_t at = two_thirds(now_ms, left, chance);

    s->expires_ms = until_ms;
    s->maximum_ms = until_ms > s->made_ms ? until_ms - s->made_ms : 1;
    replace_at(s, at < s->next_ms ? at : s->next_ms);
}
