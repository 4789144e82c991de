/* tests/unit/agent_supervise_table.c: what the supervisor does in which state, over all cells. */
#include "tests/lib/unit.h"

#include <stdbool.h>
#include <string.h>

#include "agent/supervise_table.h"
#include "base/attr.h"

/* States in which there is a process to send signals to. */
static bool has_application(enum supervise_state state)
{
    return state == SUPERVISE_RUNNING || state == SUPERVISE_DELAYED ||
           state == SUPERVISE_RESTARTING || state == SUPERVISE_STOPPING;
}

static void fail_at(enum supervise_state state, enum supervise_event event, const char *why)
{
    struct supervise_step step = supervise_step(state, event);

    fail_msg("%s, and %s: %s, then %s: %s", supervise_state_meaning(state),
             supervise_event_meaning(event), supervise_action_meaning(step.action),
             supervise_state_word(step.next), why);
}

static void the_end_is_the_end(void **state)
{
    (void)state;
    for (enum supervise_state s = 0; s < SUPERVISE_STATE_COUNT; s++) {
        for (enum supervise_event e = 0; e < SUPERVISE_EVENT_COUNT; e++) {
            struct supervise_step step = supervise_step(s, e);
            bool ends = step.next == SUPERVISE_ENDED && s != SUPERVISE_ENDED;
            if (s == SUPERVISE_ENDED && step.next != SUPERVISE_ENDED)
                fail_at(s, e, "it goes on");
            if (s == SUPERVISE_ENDED && step.action != SUPERVISE_NOTHING)
                fail_at(s, e, "something is done");
            if (ends != (step.action == SUPERVISE_FINISH))
                fail_at(s, e, "the loop is left at the end, and only then");
        }
    }
}

static void what_needs_an_application_is_done_where_there_is_one(void **state)
{
    (void)state;
    for (enum supervise_state s = 0; s < SUPERVISE_STATE_COUNT; s++) {
        for (enum supervise_event e = 0; e < SUPERVISE_EVENT_COUNT; e++) {
            struct supervise_step step = supervise_step(s, e);
            enum supervise_action a = step.action;
            if ((a == SUPERVISE_FORWARD || a == SUPERVISE_END_IT || a == SUPERVISE_SUSPEND ||
                 a == SUPERVISE_RESUME) &&
                !has_application(s))
                fail_at(s, e, "nobody is there");
            if ((a == SUPERVISE_START || a == SUPERVISE_HOLD) && has_application(s))
                fail_at(s, e, "one runs already");
            if (a == SUPERVISE_CLEAR && e != SUPERVISE_EXITED)
                fail_at(s, e, "it runs still");
            if (a == SUPERVISE_KILL && e != SUPERVISE_DEADLINE)
                fail_at(s, e, "it had its time not yet");
            if (has_application(step.next) && !has_application(s) && a != SUPERVISE_START)
                fail_at(s, e, "nobody started it");
            if (has_application(s) && !has_application(step.next) && e != SUPERVISE_EXITED &&
                e != SUPERVISE_FAILED)
                fail_at(s, e, "it did not end");
        }
    }
}

static void no_signal_is_dropped_but_when_all_that_is_left_is_to_end(void **state)
{
    (void)state;
    for (enum supervise_state s = 0; s < SUPERVISE_STATE_COUNT; s++) {
        enum supervise_action action = supervise_step(s, SUPERVISE_SIGNAL).action;
        enum supervise_action wanted = s == SUPERVISE_SWEEPING || s == SUPERVISE_ENDED
                                           ? SUPERVISE_NOTHING
                                       : has_application(s) ? SUPERVISE_FORWARD
                                                            : SUPERVISE_HOLD;
        if (action != wanted)
            fail_at(s, SUPERVISE_SIGNAL, "another was expected");
        if (supervise_step(s, SUPERVISE_SIGNAL).next != s)
            fail_at(s, SUPERVISE_SIGNAL, "a signal alone changes no state");
    }
}

static void whoever_asks_for_the_end_gets_it_from_every_state(void **state)
{
    static const enum supervise_event way[] = {SUPERVISE_STOP, SUPERVISE_DEADLINE, SUPERVISE_EXITED,
                                               SUPERVISE_ALONE};

    (void)state;
    for (enum supervise_state s = 0; s < SUPERVISE_STATE_COUNT; s++) {
        enum supervise_state at = s;
        for (size_t i = 0; i < ARRAY_LEN(way); i++)
            at = supervise_step(at, way[i]).next;
        if (at != SUPERVISE_ENDED)
            fail_msg("from %s it goes to %s", supervise_state_word(s), supervise_state_word(at));
    }
}

static void after_that_nothing_is_started(void **state)
{
    bool seen[SUPERVISE_STATE_COUNT] = {false}, grew = true;

    (void)state;
    for (enum supervise_state s = 0; s < SUPERVISE_STATE_COUNT; s++) {
        seen[supervise_step(s, SUPERVISE_STOP).next] = true;
    }
    while (grew) {
        grew = false;
        for (enum supervise_state s = 0; s < SUPERVISE_STATE_COUNT; s++) {
            for (enum supervise_event e = 0; e < SUPERVISE_EVENT_COUNT; e++) {
                struct supervise_step step = supervise_step(s, e);
                if (seen[s] && step.action == SUPERVISE_START)
                    fail_at(s, e, "the end was asked for");
                grew = grew || (seen[s] && !seen[step.next]);
                seen[step.next] = seen[step.next] || seen[s];
            }
        }
    }
    assert_false(seen[SUPERVISE_RUNNING]);
}

/* All sequences of events that a world can bring, as states of table and world together: whether the
 * application lives, whether something of it is left, and whether it was asked to end. */
static void a_new_one_starts_only_when_all_of_the_old_one_is_gone(void **state)
{
    bool seen[SUPERVISE_STATE_COUNT][2][2] = {{{false}}}, grew = true;

    (void)state;
    seen[SUPERVISE_PREPARING][0][0] = true;
    while (grew) {
        grew = false;
        for (int at = 0; at < SUPERVISE_STATE_COUNT * 4; at++) {
            enum supervise_state s = (enum supervise_state)(at / 4);
            bool lives = (at & 2) != 0, left = (at & 1) != 0;
            if (!seen[s][lives][left])
                continue;
            for (enum supervise_event e = 0; e < SUPERVISE_EVENT_COUNT; e++) {
                struct supervise_step step = supervise_step(s, e);
                if ((e == SUPERVISE_EXITED && !lives) || (e == SUPERVISE_ALONE && lives))
                    continue; /* no such thing happens */
                bool lives_then = e != SUPERVISE_EXITED && lives;
                bool left_then = e != SUPERVISE_ALONE && left;
                if (step.action == SUPERVISE_START) {
                    if (lives_then || left_then)
                        fail_at(s, e, "two of them");
                    lives_then = left_then = true;
                }
                grew = grew || !seen[step.next][lives_then][left_then];
                seen[step.next][lives_then][left_then] = true;
            }
        }
    }
    assert_true(seen[SUPERVISE_CLEARING][0][1] && seen[SUPERVISE_ENDED][0][1]);
}

static void a_restart_waits_while_the_application_goes_on(void **state)
{
    (void)state;
    struct supervise_step later = supervise_step(SUPERVISE_RUNNING, SUPERVISE_RESTART_LATER);
    assert_int_equal(later.next, SUPERVISE_DELAYED);
    assert_int_equal(later.action, SUPERVISE_DELAY);
    assert_int_equal(supervise_step(SUPERVISE_DELAYED, SUPERVISE_SIGNAL).action, SUPERVISE_FORWARD);
    assert_int_equal(supervise_step(SUPERVISE_DELAYED, SUPERVISE_RESTART_LATER).action,
                     SUPERVISE_NOTHING);
    assert_int_equal(supervise_step(SUPERVISE_DELAYED, SUPERVISE_RESTART_DUE).action,
                     SUPERVISE_END_IT);
}

static void what_ends_by_itself_ends_all(void **state)
{
    (void)state;
    for (enum supervise_state s = 0; s < SUPERVISE_STATE_COUNT; s++) {
        bool asked = s == SUPERVISE_RESTARTING || s == SUPERVISE_STOPPING;
        enum supervise_state next = supervise_step(s, SUPERVISE_EXITED).next;
        if (has_application(s) && !asked)
            assert_int_equal(next, SUPERVISE_ENDED);
        if (asked) /* what it left behind goes first */
            assert_true(next == SUPERVISE_CLEARING || next == SUPERVISE_SWEEPING);
    }
}

static void every_state_event_and_action_has_words_of_its_own(void **state)
{
    (void)state;
    for (enum supervise_state s = 0; s < SUPERVISE_STATE_COUNT; s++) {
        assert_true(strlen(supervise_state_word(s)) > 0);
        assert_true(strlen(supervise_state_meaning(s)) > 0);
        for (enum supervise_state other = 0; other < s; other++)
            assert_string_not_equal(supervise_state_word(s), supervise_state_word(other));
    }
    for (enum supervise_event e = 0; e < SUPERVISE_EVENT_COUNT; e++) {
        assert_true(strlen(supervise_event_meaning(e)) > 0);
    }
    for (enum supervise_action a = 0; a < SUPERVISE_ACTION_COUNT; a++)
        assert_true(strlen(supervise_action_meaning(a)) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_is_the_end),
        cmocka_unit_test(what_needs_an_application_is_done_where_there_is_one),
        cmocka_unit_test(no_signal_is_dropped_but_when_all_that_is_left_is_to_end),
        cmocka_unit_test(whoever_asks_for_the_end_gets_it_from_every_state),
        cmocka_unit_test(after_that_nothing_is_started),
        cmocka_unit_test(a_new_one_starts_only_when_all_of_the_old_one_is_gone),
        cmocka_unit_test(a_restart_waits_while_the_application_goes_on),
        cmocka_unit_test(what_ends_by_itself_ends_all),
        cmocka_unit_test(every_state_event_and_action_has_words_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
