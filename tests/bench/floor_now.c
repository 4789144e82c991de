/* tests/bench/floor_now.c: says when it began: nanoseconds of the clock that only goes forward. */
#include <stdio.h>
#include <time.h>

int main(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return printf("%lld\n", (long long)now.tv_sec * 1000000000LL + now.tv_nsec) < 0;
}
