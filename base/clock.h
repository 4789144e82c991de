/* base/clock.h: deadlines on a clock that nobody sets, and backoff with jitter.
 *
 * Every *_ms here is on CLOCK_BOOTTIME (it counts suspended time too) unless it says otherwise; no
 * deadline uses the wall clock. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLOCK_RFC3339_BYTES = 32 };
#define CLOCK_NEVER INT64_MAX

int64_t clock_now_ms(void);
int64_t clock_in_ms(int64_t from_now_ms);   /* now + from_now_ms; CLOCK_NEVER stays */
int64_t clock_left_ms(int64_t deadline_ms); /* never below 0 */
bool clock_passed(int64_t deadline_ms);
int64_t clock_earlier(int64_t a_ms, int64_t b_ms);
void clock_sleep_ms(int64_t ms); /* through EINTR */

/* Wall time for people: "2026-11-25T18:20:05Z". OUT has CLOCK_RFC3339_BYTES. */
void clock_rfc3339(int64_t unix_seconds, char *out);
int64_t clock_unix_seconds(void);

/* Delays that grow: full jitter between half and the whole of base * 2^attempt, at most the cap. */
struct backoff {
    int64_t base_ms, cap_ms;
    unsigned attempt;
};
int64_t backoff_next_ms(struct backoff *b);

/* Sleep for the next delay, at least AT_LEAST_MS, but not beyond the deadline. False (at once, no
 * sleep) when that would pass it, and when a signal has come (base/stop.h). */
bool backoff_wait(struct backoff *b, int64_t at_least_ms, int64_t deadline_ms);

/* Uniform in 0 .. bound - 1; not for secrets. */
uint32_t clock_random(uint32_t bound);

#endif
