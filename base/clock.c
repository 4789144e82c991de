/* clock.c: see base/clock.h. */
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "base/attr.h"
#include "base/stop.h"

enum {
    MS_PER_S = 1000,
    NS_PER_MS = 1000000,
    NS_PER_S = 1000000000,
};

int64_t clock_now_ms(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_BOOTTIME,
                        &now); /* cannot fail: the clock exists since Linux 2.6.39 */
    return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / NS_PER_MS;
}

int64_t clock_in_ms(int64_t from_now_ms)
{
    int64_t now = clock_now_ms();

    if (from_now_ms <= 0)
        return now;
    return from_now_ms > CLOCK_NEVER - now ? CLOCK_NEVER : now + from_now_ms;
}

int64_t clock_left_ms(int64_t deadline_ms)
{
    if (deadline_ms == CLOCK_NEVER)
        return CLOCK_NEVER;
    int64_t now = clock_now_ms();
    return deadline_ms > now ? deadline_ms - now : 0;
}

bool clock_passed(int64_t deadline_ms)
{
    return clock_left_ms(deadline_ms) == 0;
}

int64_t clock_earlier(int64_t a_ms, int64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

void clock_sleep_ms(int64_t ms)
{
    if (ms <= 0)
        return;
    struct timespec until = {0};
    (void)clock_gettime(CLOCK_BOOTTIME, &until);
    until.tv_sec += ms / MS_PER_S;
    until.tv_nsec += (ms % MS_PER_S) * NS_PER_MS;
    if (until.tv_nsec >= NS_PER_S) {
        until.tv_sec++;
        until.tv_nsec -= NS_PER_S;
    }
    /* An absolute time, so that a storm of signals does not make the sleep longer. */
    while (clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}

void clock_rfc3339(int64_t unix_seconds, char *out)
{
    time_t seconds = (time_t)unix_seconds;
    struct tm utc;

    if (!gmtime_r(&seconds, &utc) ||
        strftime(out, CLOCK_RFC3339_BYTES, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        (void)snprintf(out, CLOCK_RFC3339_BYTES, "second %lld", (long long)unix_seconds);
}

int64_t clock_unix_seconds(void)
{
    return (int64_t)time(NULL);
}

int64_t backoff_next_ms(struct backoff *b)
{
    int64_t whole = b->base_ms;

    for (unsigned i = 0; i < b->attempt && whole < b->cap_ms; i++)
        whole = whole > b->cap_ms / 2 ? b->cap_ms : whole * 2;
    whole = clock_earlier(whole, b->cap_ms);
    if (b->attempt < UINT32_MAX)
        b->attempt++;
    int64_t half = whole / 2;
    int64_t extra = whole - half;
    /* From half to whole, both included; delays beyond 49 days lose their jitter, not their length. */
    if (extra >= UINT32_MAX)
        return whole;
    return half + clock_random((uint32_t)extra + 1);
}

bool backoff_wait(struct backoff *b, int64_t at_least_ms, int64_t deadline_ms)
{
    int64_t delay = backoff_next_ms(b);

    if (delay < at_least_ms)
        delay = at_least_ms;
    if (clock_left_ms(deadline_ms) <= delay || stop_requested())
        return false;
    clock_sleep_ms(delay);
    return !stop_requested();
}

static uint32_t random_bits(void)
{
    uint32_t bits = 0;

    if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) == (ssize_t)sizeof(bits))
        return bits;
    /* Early at boot, or forbidden by a sandbox: spread over time is all that jitter needs. */
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)now.tv_nsec * 2654435761U;
}

uint32_t clock_random(uint32_t bound)
{
    if (bound < 2)
        return 0;
    /* The high half of a 32 x 32 bit product: the bias is below bound / 2^32, good for jitter. */
    return (uint32_t)(((uint64_t)random_bits() * bound) >> 32);
}
