/* What an age means: ok, due, overdue, and what can't be told. */
#include "tests/lib/unit.h"

#include "rotate/internal.h"
#include "rotate/status.h"

enum { NOW = 2000000000, HOUR = 3600 };

static struct rotate_status judge(struct rotate_status status, int64_t every_s, int64_t grace_s)
{
    const struct rotate_spec spec = {
        .variable = "KEY", .every_ms = every_s * 1000, .grace_ms = grace_s * 1000};

    status_judge(&status, &spec, NOW);
    return status;
}

static enum rotate_state at_age(int64_t age_s)
{
    return judge((struct rotate_status){.state = ROTATE_STATE_UNKNOWN, .last_rotated = NOW - age_s},
                 HOUR, 0)
        .state;
}

static void due_is_over_the_period_and_overdue_a_quarter_more(void **state)
{
    (void)state;
    assert_int_equal(at_age(0), ROTATE_STATE_OK);
    assert_int_equal(at_age(HOUR), ROTATE_STATE_OK);
    assert_int_equal(at_age(HOUR + 1), ROTATE_STATE_DUE);
    assert_int_equal(at_age(HOUR + HOUR / 4), ROTATE_STATE_DUE);
    assert_int_equal(at_age(HOUR + HOUR / 4 + 1), ROTATE_STATE_OVERDUE);
}

static void without_a_period_nothing_is_due(void **state)
{
    struct rotate_status status = judge(
        (struct rotate_status){.state = ROTATE_STATE_UNKNOWN, .last_rotated = 1}, 0, 0);

    (void)state;
    assert_int_equal(status.state, ROTATE_STATE_OK);
    assert_int_equal(status.due, 0);
}

static void without_an_age_it_is_unknown(void **state)
{
    (void)state;
    struct rotate_status never = judge((struct rotate_status){.state = ROTATE_STATE_UNKNOWN}, HOUR,
                                       0);
    assert_int_equal(never.state, ROTATE_STATE_UNKNOWN);
    assert_int_equal(never.err.kind, ERR_NONE);

    struct rotate_status refused = {.state = ROTATE_STATE_UNKNOWN, .last_rotated = NOW - 2 * HOUR};
    (void)err_set(&refused.err, ERR_SOURCE_DENIED, "no");
    assert_int_equal(judge(refused, HOUR, 0).state, ROTATE_STATE_UNKNOWN);
}

static void a_rotation_that_lies_ahead_is_said_and_makes_nothing_due(void **state)
{
    struct rotate_status status = judge(
        (struct rotate_status){.state = ROTATE_STATE_UNKNOWN, .last_rotated = NOW + 301}, HOUR, 0);

    (void)state;
    assert_int_equal(status.state, ROTATE_STATE_UNKNOWN);
    assert_int_equal(status.err.kind, ERR_ROTATION);
    assert_non_null(strstr(status.err.text, "clock"));
    assert_int_equal(at_age(-300), ROTATE_STATE_OK);
}

static void an_open_one_stays_open_whatever_its_age(void **state)
{
    struct rotate_status status = judge((struct rotate_status){.state = ROTATE_STATE_OPEN,
                                                               .step = ROTATE_SET,
                                                               .last_rotated = NOW - 9 * HOUR},
                                        HOUR, 0);

    (void)state;
    assert_int_equal(status.state, ROTATE_STATE_OPEN);
    assert_int_equal(status.due, NOW - 8 * HOUR);
}

static void a_soaking_one_is_due_when_its_grace_is_over(void **state)
{
    static const struct {
        int64_t left_s;
        enum rotate_state state;
    } cases[] = {{1, ROTATE_STATE_SOAKING},
                 {-1, ROTATE_STATE_DUE},
                 {-HOUR / 4, ROTATE_STATE_DUE},
                 {-HOUR / 4 - 1, ROTATE_STATE_OVERDUE}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rotate_status status = judge(
            (struct rotate_status){.state = ROTATE_STATE_SOAKING,
                                   .step = ROTATE_SOAK,
                                   .soak_until = NOW + cases[i].left_s,
                                   .last_rotated = NOW - 9 * HOUR},
            HOUR, HOUR);
        assert_int_equal(status.state, cases[i].state);
        assert_int_equal(status.due, status.soak_until);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(due_is_over_the_period_and_overdue_a_quarter_more),
        cmocka_unit_test(without_a_period_nothing_is_due),
        cmocka_unit_test(without_an_age_it_is_unknown),
        cmocka_unit_test(a_rotation_that_lies_ahead_is_said_and_makes_nothing_due),
        cmocka_unit_test(an_open_one_stays_open_whatever_its_age),
        cmocka_unit_test(a_soaking_one_is_due_when_its_grace_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
