/* tests/unit/base_clock.c: deadlines, backoff, times for people. */
#include "tests/lib/unit.h"

#include <signal.h>
#include <string.h>
#include <sys/time.h>

#include "base/attr.h"
#include "base/clock.h"

static void a_deadline_is_left_then_passed(void **state)
{
    (void)state;
    int64_t deadline = clock_in_ms(60 * 1000);
    assert_true(clock_left_ms(deadline) > 0);
    assert_true(clock_left_ms(deadline) <= 60 * 1000);
    assert_false(clock_passed(deadline));
    assert_int_equal(clock_left_ms(clock_now_ms() - 5), 0);
    assert_true(clock_passed(clock_now_ms()));
    assert_true(clock_passed(clock_in_ms(-1000)));
}

static void never_stays_never(void **state)
{
    (void)state;
    assert_true(clock_in_ms(CLOCK_NEVER) == CLOCK_NEVER);
    assert_true(clock_in_ms(CLOCK_NEVER - 1) == CLOCK_NEVER);
    assert_true(clock_left_ms(CLOCK_NEVER) == CLOCK_NEVER);
    assert_false(clock_passed(CLOCK_NEVER));
    assert_true(clock_earlier(CLOCK_NEVER, 7) == 7);
    assert_true(clock_earlier(3, 7) == 3);
}

static void times_are_rfc_3339_in_utc(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00Z"},
        {951782400, "2000-02-29T00:00:00Z"},
        {-1, "1969-12-31T23:59:59Z"},
        {253402300799, "9999-12-31T23:59:59Z"},
        {INT64_MAX, "second 9223372036854775807"},
    };
    char out[CLOCK_RFC3339_BYTES];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        clock_rfc3339(rows[i].seconds, out);
        assert_string_equal(out, rows[i].text);
    }
}

static void delays_lie_between_half_and_the_whole_and_grow_to_the_cap(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct backoff b = {.base_ms = 100, .cap_ms = 1000};
        static const int64_t whole[] = {100, 200, 400, 800, 1000, 1000, 1000};
        for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
            int64_t delay = backoff_next_ms(&b);
            assert_true(delay >= whole[i] / 2);
            assert_true(delay <= whole[i]);
        }
    }
}

static void many_attempts_do_not_overflow(void **state)
{
    (void)state;
    struct backoff b = {.base_ms = 1, .cap_ms = INT64_MAX, .attempt = UINT32_MAX};
    assert_true(backoff_next_ms(&b) == INT64_MAX);
    assert_true(b.attempt == UINT32_MAX);
}

static void delays_are_spread(void **state)
{
    (void)state;
    bool low = false, high = false;
    for (int i = 0; i < 1000; i++) {
        struct backoff b = {.base_ms = 1000, .cap_ms = 1000};
        int64_t delay = backoff_next_ms(&b);
        low = low || delay < 600;
        high = high || delay > 900;
    }
    assert_true(low && high);
}

/* An hour's sleep would be noticed. */
static void no_sleep_where_the_deadline_would_pass(void **state)
{
    (void)state;
    struct backoff long_one = {.base_ms = 3600 * 1000, .cap_ms = 3600 * 1000};
    assert_false(backoff_wait(&long_one, 0, clock_in_ms(1000)));
    struct backoff short_one = {.base_ms = 1, .cap_ms = 1};
    assert_false(backoff_wait(&short_one, 3600 * 1000, clock_in_ms(1000)));
    assert_true(backoff_wait(&short_one, 0, CLOCK_NEVER));
}

static void on_alarm(int number)
{
    (void)number;
}

static void a_sleep_goes_on_through_signals(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = on_alarm}, before;
    struct itimerval storm = {.it_interval.tv_usec = 1000, .it_value.tv_usec = 1000};
    struct itimerval silence = {0};
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &storm, NULL), 0);
    int64_t wake_ms = clock_in_ms(50);
    clock_sleep_ms(50);
    int64_t woke_ms = clock_now_ms();
    assert_int_equal(setitimer(ITIMER_REAL, &silence, NULL), 0);
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
    assert_true(woke_ms >= wake_ms);
}

static void random_numbers_stay_below_the_bound_and_reach_all_of_it(void **state)
{
    (void)state;
    bool seen[3] = {0};
    for (int i = 0; i < 1000; i++) {
        uint32_t n = clock_random(3);
        assert_true(n < 3);
        seen[n] = true;
    }
    assert_true(seen[0] && seen[1] && seen[2]);
    assert_int_equal(clock_random(0), 0);
    assert_int_equal(clock_random(1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deadline_is_left_then_passed),
        cmocka_unit_test(never_stays_never),
        cmocka_unit_test(times_are_rfc_3339_in_utc),
        cmocka_unit_test(delays_lie_between_half_and_the_whole_and_grow_to_the_cap),
        cmocka_unit_test(many_attempts_do_not_overflow),
        cmocka_unit_test(delays_are_spread),
        cmocka_unit_test(no_sleep_where_the_deadline_would_pass),
        cmocka_unit_test(a_sleep_goes_on_through_signals),
        cmocka_unit_test(random_numbers_stay_below_the_bound_and_reach_all_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
