/* tests/unit/base_stop.c: signals that waits can see. */
#include "tests/lib/unit.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/proc.h"
#include "base/stop.h"
#include "tests/lib/child.h"

static int is_seen(void)
{
    struct err err = ERR_INIT;
    CHECK(stop_begin(&err) == 0);
    CHECK(!stop_requested() && stop_fd() >= 0 && stop_signal() == 0);
    CHECK(raise(SIGTERM) == 0);
    struct pollfd fd = {.fd = stop_fd(), .events = POLLIN};
    CHECK(poll(&fd, 1, 0) == 1);
    CHECK(stop_requested() && stop_signal() == SIGTERM && stop_fd() == -1);
    CHECK(stop_error(&err) == -1 && err.kind == ERR_STOPPED);
    CHECK(strcmp(err.text, "stopped by SIGTERM") == 0);
    stop_end();
    CHECK(!stop_requested() && stop_signal() == SIGTERM);
    return 0;
}

static int is_not_seen_in_a_shield(void)
{
    struct err err = ERR_INIT;
    CHECK(stop_begin(&err) == 0);
    CHECK(raise(SIGINT) == 0);
    stop_shield(true);
    CHECK(!stop_requested() && stop_fd() == -1);
    stop_shield(false);
    CHECK(stop_requested() && stop_signal() == SIGINT);
    return 0;
}

static int ends_the_process_when_nobody_looked(void)
{
    struct err err = ERR_INIT;
    CHECK(stop_begin(&err) == 0);
    CHECK(raise(SIGTERM) == 0);
    stop_end();
    return 0;
}

static int stays_ignored(void)
{
    struct err err = ERR_INIT;
    CHECK(signal(SIGHUP, SIG_IGN) != SIG_ERR);
    CHECK(stop_begin(&err) == 0);
    CHECK(raise(SIGHUP) == 0);
    CHECK(!stop_requested());
    return 0;
}

static int ends_a_command(void)
{
    static const char *const argv[] = {"sh", "-c", "kill -TERM $PPID; sleep 1000 & sleep 1000",
                                       NULL};
    static const char *const environment[] = {"PATH=/usr/bin:/bin", NULL};
    struct err err = ERR_INIT;
    struct proc_result result;
    struct proc_request request = {.argv = argv,
                                   .environment = environment,
                                   .deadline_ms = clock_in_ms(60 * 1000),
                                   .what = "a command"};
    CHECK(stop_begin(&err) == 0);
    CHECK(proc_run(&request, ERR_DB_COMMAND, &result, &err) == -1);
    CHECK(err.kind == ERR_STOPPED && strstr(err.text, "stopped by SIGTERM"));
    CHECK(proc_run(&request, ERR_DB_COMMAND, &result, &err) == -1); /* no other one is started */
    CHECK(err.kind == ERR_STOPPED);
    return 0;
}

static int ends_a_backoff(void)
{
    struct backoff backoff = {.base_ms = 1000 * 1000, .cap_ms = 1000 * 1000};
    struct err err = ERR_INIT;
    CHECK(stop_begin(&err) == 0);
    CHECK(raise(SIGTERM) == 0);
    CHECK(!backoff_wait(&backoff, 0, CLOCK_NEVER));
    return 0;
}

static int hurries(void)
{
    struct err err = ERR_INIT;
    CHECK(stop_begin(&err) == 0);
    CHECK(stop_hurried_fd() == -1);
    stop_hurry(true);
    CHECK(stop_hurried_fd() == stop_fd() && !stop_hurried());
    CHECK(raise(SIGTERM) == 0);
    CHECK(stop_hurried());
    stop_hurry(false);
    CHECK(!stop_hurried() && stop_requested());
    return 0;
}

static int nests(void)
{
    struct err err = ERR_INIT;
    CHECK(stop_begin(&err) == 0 && stop_begin(&err) == 0);
    stop_end();
    CHECK(raise(SIGTERM) == 0);
    CHECK(stop_requested());
    stop_end();
    CHECK(stop_fd() == -1);
    return 0;
}

static void what_only_reads_may_hurry(void **state)
{
    (void)state;
    assert_int_equal(in_child(hurries), 0);
}

static void a_signal_is_seen_and_named(void **state)
{
    (void)state;
    assert_int_equal(in_child(is_seen), 0);
}

static void a_shield_hides_a_signal_until_it_ends(void **state)
{
    (void)state;
    assert_int_equal(in_child(is_not_seen_in_a_shield), 0);
}

static void a_signal_that_nobody_saw_ends_the_process_afterwards(void **state)
{
    (void)state;
    assert_int_equal(in_child(ends_the_process_when_nobody_looked), 128 + SIGTERM);
}

static void what_the_caller_has_us_ignore_stays_ignored(void **state)
{
    (void)state;
    assert_int_equal(in_child(stays_ignored), 0);
}

static void a_signal_ends_a_command_and_no_other_is_started(void **state)
{
    (void)state;
    assert_int_equal(in_child(ends_a_command), 0);
}

static void a_signal_ends_a_backoff(void **state)
{
    (void)state;
    assert_int_equal(in_child(ends_a_backoff), 0);
}

static void begin_and_end_nest(void **state)
{
    (void)state;
    assert_int_equal(in_child(nests), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_is_seen_and_named),
        cmocka_unit_test(what_only_reads_may_hurry),
        cmocka_unit_test(a_shield_hides_a_signal_until_it_ends),
        cmocka_unit_test(a_signal_that_nobody_saw_ends_the_process_afterwards),
        cmocka_unit_test(what_the_caller_has_us_ignore_stays_ignored),
        cmocka_unit_test(a_signal_ends_a_command_and_no_other_is_started),
        cmocka_unit_test(a_signal_ends_a_backoff),
        cmocka_unit_test(begin_and_end_nest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
