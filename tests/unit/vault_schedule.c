/* When something is renewed and replaced; the clock is a number. */
#include "tests/lib/unit.h"

#include "base/attr.h"
#include "base/clock.h"
#include "vault/schedule.h"

enum {
    NOW = 1000000,
    HOUR = 3600 * 1000,
    MINUTE = 60 * 1000,
    SECOND = 1000,
    LAST_CHANCE = SCHEDULE_CHANCE - 1,
};

static void a_lease_is_renewed_at_two_thirds_or_a_little_earlier(void **state)
{
    struct schedule s;
    int64_t earliest = INT64_MAX;

    (void)state;
    schedule_start(&s, NOW, 30 * SECOND, true, 0);
    assert_int_equal(s.next_ms, NOW + 20 * SECOND);
    assert_int_equal(s.expires_ms, NOW + 30 * SECOND);
    assert_int_equal(schedule_due(&s, NOW + 20 * SECOND - 1), SCHEDULE_WAIT);
    assert_int_equal(schedule_due(&s, NOW + 20 * SECOND), SCHEDULE_RENEW);
    for (uint32_t chance = 0; chance < SCHEDULE_CHANCE; chance += 997) {
        schedule_start(&s, NOW, 30 * SECOND, true, chance);
        assert_true(s.next_ms <= NOW + 20 * SECOND && s.next_ms > NOW + 18 * SECOND);
        earliest = s.next_ms < earliest ? s.next_ms : earliest;
    }
    assert_true(earliest < NOW + 18 * SECOND + 100); /* the whole range is used */
}

static void what_cannot_be_renewed_is_replaced_at_the_same_time(void **state)
{
    struct schedule s;

    (void)state;
    schedule_start(&s, NOW, HOUR, false, 0);
    assert_int_equal(schedule_due(&s, NOW + 40 * MINUTE - 1), SCHEDULE_WAIT);
    assert_int_equal(schedule_due(&s, NOW + 40 * MINUTE), SCHEDULE_REPLACE);
}

static void what_does_not_end_is_never_due(void **state)
{
    struct schedule s;

    (void)state;
    schedule_start(&s, NOW, 0, true, 0);
    assert_int_equal(schedule_due(&s, INT64_MAX - 1), SCHEDULE_WAIT);
    assert_int_equal(s.expires_ms, CLOCK_NEVER);
    schedule_start(&s, NOW, INT64_MAX, true, 0); /* nor does a time that runs over */
    assert_int_equal(s.expires_ms, CLOCK_NEVER);
    assert_true(s.next_ms > NOW);
}

/* As measured on a lease of 20 s with a maximum: 20, 20, 20, 12, 4, gone. */
static void a_renewal_that_is_short_replaces_while_the_old_one_works(void **state)
{
    static const int64_t answers[] = {20, 20, 20, 12};
    struct schedule s;
    int64_t now = NOW;

    (void)state;
    schedule_start(&s, NOW, 20 * SECOND, true, 0);
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        bool last = i + 1 == ARRAY_LEN(answers);
        now = s.next_ms;
        assert_int_equal(schedule_due(&s, now), SCHEDULE_RENEW);
        assert_int_equal(schedule_renewed(&s, now, answers[i] * SECOND, true, 0), last);
    }
    assert_int_equal(schedule_due(&s, now), SCHEDULE_REPLACE);
    assert_true(s.expires_ms == now + 12 * SECOND); /* and so long it can still be used */
}

static void a_second_that_was_rounded_away_is_no_maximum(void **state)
{
    struct schedule s;

    (void)state;
    schedule_start(&s, NOW, HOUR, true, 0);
    assert_false(schedule_renewed(&s, s.next_ms, HOUR - SECOND, true, 0));
    schedule_start(&s, NOW, 20 * SECOND, true, 0);
    assert_true(schedule_renewed(&s, s.next_ms, 19 * SECOND, true, 0)); /* that much is one */
}

static void failures_are_tried_again_ever_later_and_several_times_before_the_end(void **state)
{
    struct schedule s;
    unsigned tries = 0;

    (void)state;
    schedule_start(&s, NOW, HOUR, true, 0);
    int64_t now = s.next_ms, last_delay = 0;
    while (now < s.expires_ms) {
        assert_int_equal(schedule_due(&s, now), SCHEDULE_RENEW);
        schedule_failed(&s, now, false, 0);
        if (tries < 6)
            assert_true(s.next_ms - now > last_delay);
        last_delay = s.next_ms - now;
        assert_true(last_delay >= SCHEDULE_RETRY_MIN_MS && last_delay <= SCHEDULE_RETRY_MAX_MS);
        now = s.next_ms;
        tries++;
    }
    assert_true(tries > 20 && tries < 80);
    assert_int_equal(schedule_due(&s, now), SCHEDULE_REPLACE); /* renewing it is over */
}

static void little_time_left_is_shared_among_tries_without_a_hot_loop(void **state)
{
    struct schedule s;
    unsigned tries = 0;

    (void)state;
    schedule_start(&s, NOW, 5 * SECOND, true, 0);
    for (int64_t now = s.next_ms; now < s.expires_ms; now = s.next_ms, tries++)
        schedule_failed(&s, now, false, LAST_CHANCE);
    assert_true(tries >= 4 && tries <= 40);
    for (unsigned i = 0; i < 100; i++) /* nor does a long outage overflow the delay */
        schedule_failed(&s, s.next_ms, false, 0);
    assert_int_equal(s.failures, 16);
}

static void a_success_forgets_the_failures(void **state)
{
    struct schedule s;

    (void)state;
    schedule_start(&s, NOW, HOUR, true, 0);
    schedule_failed(&s, s.next_ms, false, 0);
    schedule_failed(&s, s.next_ms, false, 0);
    assert_false(schedule_renewed(&s, s.next_ms, HOUR, true, 0));
    assert_int_equal(s.failures, 0);
}

/* Whatever fails: Vault ends each new lease at once, for an hour. */
static void a_storm_makes_no_more_than_one_new_lease_in_thirty_seconds(void **state)
{
    struct schedule s;
    unsigned made = 1;

    (void)state;
    schedule_start(&s, NOW, MINUTE, true, 0);
    for (int64_t now = NOW + 1; now < NOW + HOUR; now += 100) {
        schedule_ended(&s, now);
        if (schedule_due(&s, now) != SCHEDULE_REPLACE)
            continue;
        schedule_start(&s, now, MINUTE, true, LAST_CHANCE);
        made++;
    }
    assert_true(made <= HOUR / SCHEDULE_FLOOR_MS + 1);
    assert_true(made >= HOUR / SCHEDULE_FLOOR_MS - 2); /* and it does not give up either */
}

static void the_floor_is_half_of_a_maximum_that_is_known_to_be_short(void **state)
{
    struct schedule s;

    (void)state;
    schedule_start(&s, NOW, 10 * SECOND, false, 0); /* not renewable: ten seconds are all */
    schedule_ended(&s, NOW + 1);
    assert_int_equal(s.next_ms, NOW + 5 * SECOND);
    schedule_start(&s, NOW, HOUR, true, 0); /* renewable: nobody knows */
    schedule_ended(&s, NOW + 1);
    assert_int_equal(s.next_ms, NOW + SCHEDULE_FLOOR_MS);
    /* The same of one that lasts for seconds: whoever has it is not to wait for longer than it lasted. */
    schedule_start(&s, NOW, 10 * SECOND, true, 0);
    schedule_ended(&s, NOW + 1);
    assert_int_equal(s.next_ms, NOW + 5 * SECOND);
    schedule_start(&s, NOW, 2 * SECOND, true, 0);
    schedule_ended(&s, NOW + 1334);
    assert_int_equal(s.next_ms, NOW + 1334);
    schedule_start(&s, NOW, 10 * SECOND, true, 0); /* until a renewal was short: twelve in all */
    assert_true(schedule_renewed(&s, NOW + 6 * SECOND, 6 * SECOND, true, 0));
    assert_int_equal(s.next_ms, NOW + 6 * SECOND);
}

static void an_answer_that_was_lost_counts_as_a_new_lease(void **state)
{
    struct schedule s;

    (void)state;
    schedule_start(&s, NOW, HOUR, true, 0);
    schedule_ended(&s, NOW + 40 * MINUTE);
    assert_int_equal(schedule_due(&s, NOW + 40 * MINUTE), SCHEDULE_REPLACE);
    schedule_failed(&s, NOW + 40 * MINUTE, true, 0);
    assert_int_equal(s.next_ms, NOW + 40 * MINUTE + SCHEDULE_FLOOR_MS);
}

static void a_lease_ends_with_its_token_and_is_replaced_before(void **state)
{
    struct schedule s;

    (void)state;
    schedule_start(&s, NOW, HOUR, true, 0);
    schedule_bound(&s, NOW + 5 * MINUTE, NOW + 2 * HOUR, 0); /* later than itself: nothing */
    assert_int_equal(s.expires_ms, NOW + HOUR);
    schedule_bound(&s, NOW + 5 * MINUTE, NOW + 20 * MINUTE, 0);
    assert_int_equal(s.expires_ms, NOW + 20 * MINUTE);
    assert_int_equal(s.next_ms, NOW + 15 * MINUTE);
    assert_int_equal(schedule_due(&s, s.next_ms), SCHEDULE_REPLACE);
    schedule_start(&s, NOW, HOUR, true, 0); /* the token has ended already */
    schedule_bound(&s, NOW + 5 * MINUTE, NOW + 4 * MINUTE, 0);
    assert_int_equal(schedule_due(&s, NOW + 5 * MINUTE), SCHEDULE_REPLACE);
}

static void a_static_role_is_read_again_behind_its_rotation(void **state)
{
    struct schedule s;

    (void)state;
    for (uint32_t chance = 0; chance < SCHEDULE_CHANCE; chance += 9973) {
        schedule_start_static(&s, NOW, HOUR, chance);
        assert_int_equal(schedule_due(&s, NOW + HOUR), SCHEDULE_WAIT); /* the same password yet */
        assert_int_equal(schedule_due(&s, NOW + HOUR + 2 * SCHEDULE_STATIC_SLACK_MS),
                         SCHEDULE_REPLACE);
    }
    schedule_start_static(&s, NOW, 0, 0); /* it is being rotated right now */
    assert_true(s.next_ms > NOW);
}

static void what_is_looked_at_now_and_then_spreads_by_a_tenth(void **state)
{
    struct schedule s;

    (void)state;
    schedule_start_periodic(&s, NOW, 0, 0);
    assert_int_equal(s.next_ms, CLOCK_NEVER);
    schedule_start_periodic(&s, NOW, MINUTE, 0);
    assert_int_equal(s.next_ms, NOW + 54 * SECOND);
    schedule_start_periodic(&s, NOW, MINUTE, LAST_CHANCE);
    assert_true(s.next_ms > NOW + 65 * SECOND && s.next_ms <= NOW + 66 * SECOND);
    assert_int_equal(schedule_due(&s, s.next_ms), SCHEDULE_REPLACE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lease_is_renewed_at_two_thirds_or_a_little_earlier),
        cmocka_unit_test(what_cannot_be_renewed_is_replaced_at_the_same_time),
        cmocka_unit_test(what_does_not_end_is_never_due),
        cmocka_unit_test(a_renewal_that_is_short_replaces_while_the_old_one_works),
        cmocka_unit_test(a_second_that_was_rounded_away_is_no_maximum),
        cmocka_unit_test(failures_are_tried_again_ever_later_and_several_times_before_the_end),
        cmocka_unit_test(little_time_left_is_shared_among_tries_without_a_hot_loop),
        cmocka_unit_test(a_success_forgets_the_failures),
        cmocka_unit_test(a_storm_makes_no_more_than_one_new_lease_in_thirty_seconds),
        cmocka_unit_test(the_floor_is_half_of_a_maximum_that_is_known_to_be_short),
        cmocka_unit_test(an_answer_that_was_lost_counts_as_a_new_lease),
        cmocka_unit_test(a_lease_ends_with_its_token_and_is_replaced_before),
        cmocka_unit_test(a_static_role_is_read_again_behind_its_rotation),
        cmocka_unit_test(what_is_looked_at_now_and_then_spreads_by_a_tenth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
