/* tests/fault/oddclock.c: preloaded into the agent by tests, it makes the wall clock jump.
 *
 *   FAULT_CLOCK=SECONDS   the wall clock is so far off, this way and that way in turn: a jump between
 *                         any two looks at it. The monotonic clocks go on as they do.
 *   FAULT_CLOCK=+SECONDS  it is always so far ahead.
 * Children that the agent forks inherit it; what they execute, too, while LD_PRELOAD stands. */
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static atomic_uint looks;

static long offset(void)
{
    const char *text = getenv("FAULT_CLOCK");
    long seconds = text ? strtol(text, NULL, 10) : 0;

    if (text && *text == '+')
        return seconds;
    return atomic_fetch_add(&looks, 1) % 2 ? -seconds : seconds;
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    long result = syscall(SYS_clock_gettime, clock, out);

    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        out->tv_sec += offset();
    return (int)result;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out)
{
    struct timespec now;

    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return (time_t)-1;
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}
