/* The machine's table by itself: what must never follow from what. */
#include "tests/lib/unit.h"

#include "base/mem.h"
#include "rotate/internal.h"

static void every_path_ends(void **state)
{
    (void)state;
    for (int from = 0; from < ROTATE_STEP_COUNT; from++) {
        enum rotate_step step = (enum rotate_step)from;
        struct machine_move move = {.action = ACT_STEP, .next = step};
        for (int steps = 0; move.action == ACT_STEP; steps++) {
            assert_true(steps < ROTATE_STEP_COUNT);
            move = machine_move(move.next, move.next == ROTATE_IDLE ? EVENT_BEGIN : EVENT_DONE);
        }
    }
}

static void every_step_that_stays_recorded_can_be_resumed(void **state)
{
    (void)state;
    for (int step = ROTATE_SET; step < ROTATE_STEP_COUNT; step++)
        assert_int_equal(machine_move((enum rotate_step)step, EVENT_RESUME).action, ACT_STEP);
}

static bool is_behind_promote(enum rotate_step step)
{
    return step == ROTATE_PROPAGATE || step == ROTATE_SOAK || step == ROTATE_RETIRE ||
           step == ROTATE_DONE;
}

static void nothing_takes_the_new_secret_away_once_it_is_current(void **state)
{
    (void)state;
    for (int from = 0; from < ROTATE_STEP_COUNT; from++)
        for (int event = 0; event < EVENT_COUNT; event++) {
            struct machine_move move = machine_move((enum rotate_step)from,
                                                    (enum rotate_event)event);
            if (is_behind_promote((enum rotate_step)from))
                assert_false(move.action == ACT_STEP && move.next == ROTATE_RESTORE);
        }
}

static void retire_comes_from_soak_alone(void **state)
{
    (void)state;
    for (int from = 0; from < ROTATE_STEP_COUNT; from++)
        for (int event = 0; event < EVENT_COUNT; event++) {
            struct machine_move move = machine_move((enum rotate_step)from,
                                                    (enum rotate_event)event);
            if (move.action == ACT_STEP && move.next == ROTATE_RETIRE)
                assert_true(from == ROTATE_SOAK || from == ROTATE_RETIRE);
        }
}

static void promote_comes_from_a_test_alone(void **state)
{
    (void)state;
    for (int from = 0; from < ROTATE_STEP_COUNT; from++)
        for (int event = 0; event < EVENT_COUNT; event++) {
            struct machine_move move = machine_move((enum rotate_step)from,
                                                    (enum rotate_event)event);
            if (move.action == ACT_STEP && move.next == ROTATE_PROMOTE)
                assert_true(from == ROTATE_TEST || from == ROTATE_PROMOTE);
        }
}

static void what_fails_or_is_in_doubt_never_counts_as_done(void **state)
{
    static const enum rotate_event bad[] = {EVENT_FAILED, EVENT_LATER, EVENT_CONFLICT};

    (void)state;
    for (int from = ROTATE_STAGE; from < ROTATE_STEP_COUNT; from++)
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
            struct machine_move move = machine_move((enum rotate_step)from, bad[i]);
            assert_int_not_equal(move.ending, ROTATE_ENDED_DONE);
            assert_int_not_equal(move.ending, ROTATE_ENDED_NOTHING);
        }
}

static void a_cell_that_is_none_changes_nothing(void **state)
{
    (void)state;
    struct machine_move move = machine_move(ROTATE_IDLE, EVENT_WAITING);
    assert_int_equal(move.action, ACT_REFUSE);
    assert_int_equal(move.next, ROTATE_IDLE);
}

static void the_table_is_printed_from_the_table(void **state)
{
    AUTO_BUF text = BUF_INIT(64 * 1024);

    (void)state;
    rotate_machine_write(&text);
    assert_text_has(buf_text(&text), "  soak       waiting   ends at soak (the former works until");
    assert_text_has(buf_text(&text), "  set        done      -> test\n");
    assert_text_has(buf_text(&text), "  none       rollback  refused");
}

static void words_are_found_again(void **state)
{
    (void)state;
    for (int i = 0; i < ROTATE_STRATEGY_COUNT; i++)
        assert_int_equal(rotate_strategy_find(rotate_strategy_word((enum rotate_strategy)i)), i);
    assert_int_equal(rotate_strategy_find("none"), ROTATE_STRATEGY_COUNT);
    assert_int_equal(rotate_strategy_find(NULL), ROTATE_STRATEGY_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_path_ends),
        cmocka_unit_test(every_step_that_stays_recorded_can_be_resumed),
        cmocka_unit_test(nothing_takes_the_new_secret_away_once_it_is_current),
        cmocka_unit_test(retire_comes_from_soak_alone),
        cmocka_unit_test(promote_comes_from_a_test_alone),
        cmocka_unit_test(what_fails_or_is_in_doubt_never_counts_as_done),
        cmocka_unit_test(a_cell_that_is_none_changes_nothing),
        cmocka_unit_test(the_table_is_printed_from_the_table),
        cmocka_unit_test(words_are_found_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
