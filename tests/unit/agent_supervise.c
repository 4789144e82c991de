/* tests/unit/agent_supervise.c: restarts, times, descriptors and programs beside the application, on
 * real processes. What nothing but the API can ask for is here; the rest is in the integration tests. */
#include "tests/lib/unit.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/supervise_parts.h"
#include "base/clock.h"
#include "tests/lib/child.h"

static const char *const plain_environment[] = {"PATH=/usr/bin:/bin", "X=first", NULL};
static const char *const other_environment[] = {"PATH=/usr/bin:/bin", "X=second", NULL};

/* One run, and what was seen of it. */
struct world {
    struct supervisor *s;
    struct supervise_settings settings;
    struct contract_run run;
    struct err err;
    int result, exit_code;
    unsigned starts;
    /* S: started. r: it ends for a restart, E: it has. e: it ends for good, F: it has. H, T: sent on. */
    char story[64];
    int pipe[2];
    char text[64]; /* what the application wrote into the pipe */
};

static void tell(struct world *w, char what)
{
    size_t length = strlen(w->story);

    if (length + 1 < sizeof w->story)
        w->story[length] = what;
}

static void on_end(void *owner, bool for_a_restart)
{
    tell(owner, for_a_restart ? 'E' : 'F');
}

static void on_ending(void *owner, bool for_a_restart)
{
    tell(owner, for_a_restart ? 'r' : 'e');
}

static void on_forwarded(void *owner, int number)
{
    tell(owner, number == SIGHUP ? 'H' : number == SIGTERM ? 'T' : '?');
}

static bool set_up(struct world *w, const char *const *argv,
                   void (*started)(void *owner, pid_t pid))
{
    *w = (struct world){.settings = SUPERVISE_SETTINGS_INIT, .run = contract_run_default};
    w->settings.argv = (char **)(uintptr_t)argv; /* as main has them; they are not written to */
    w->settings.environment = plain_environment;
    w->settings.run = &w->run;
    w->settings.started = started;
    w->settings.ended = on_end;
    w->settings.ending = on_ending;
    w->settings.forwarded = on_forwarded;
    w->settings.owner = w;
    return pipe2(w->pipe, O_CLOEXEC) == 0 && supervise_init(&w->s, &w->err) == 0;
}

static void run(struct world *w)
{
    w->result = supervise_run(w->s, &w->settings, &w->exit_code, &w->err);
}

/* ---- restarts --------------------------------------------------------------------------------- */

static void restart_once(void *owner, pid_t pid)
{
    struct world *w = owner;

    (void)pid;
    tell(w, 'S');
    if (++w->starts > 1) {
        supervise_stop(w->s);
        return;
    }
    supervise_restart(w->s, "a test", CLOCK_NEVER);
    supervise_restart(w->s, "another", CLOCK_NEVER); /* it is the same one */
}

static int restarts(void)
{
    static const char *const argv[] = {"sleep", "1000", NULL};
    struct world w;
    CHECK(set_up(&w, argv, restart_once));
    CHECK(!supervise_signal(w.s, SIGHUP));
    run(&w);
    CHECK(w.result == 0 && w.exit_code == 128 + SIGTERM);
    CHECK(strcmp(w.story, "SrESeF") == 0);
    CHECK(supervise_restarts(w.s) == 1 && supervise_pid(w.s) == 0);
    CHECK(supervise_state(w.s) == SUPERVISE_ENDED);
    return 0;
}

static void restart_twice(void *owner, pid_t pid)
{
    struct world *w = owner;

    (void)pid;
    tell(w, 'S');
    supervise_restart(w->s, "a test", CLOCK_NEVER);
    if (++w->starts < 2)
        return;
    tell(w, supervise_state(w->s) == SUPERVISE_DELAYED && supervise_pid(w->s) > 0 ? 'D' : '?');
    supervise_stop(w->s);
}

static int a_second_one_waits(void)
{
    static const char *const argv[] = {"sleep", "1000", NULL};
    struct world w;
    CHECK(set_up(&w, argv, restart_twice));
    run(&w);
    CHECK(w.result == 0 && strcmp(w.story, "SrESDeF") == 0);
    return 0;
}

/* How far behind its start the restart is that waits; -1: none does. */
static int64_t waits_ms(const struct world *w)
{
    bool waits = supervise_state(w->s) == SUPERVISE_DELAYED && w->s->restart.is_set;

    return waits ? w->s->restart.due_ms - w->s->started_ms : -1;
}

static void restart_by_an_end(void *owner, pid_t pid)
{
    struct world *w = owner;
    int64_t start_ms = w->s->started_ms;

    (void)pid;
    w->s->short_runs = 5; /* many restarts came close together */
    supervise_restart(w->s, "a test", CLOCK_NEVER);
    tell(w, waits_ms(w) == 16000 ? '1' : '?');
    supervise_restart(w->s, "what it has ends", start_ms + 5000);
    tell(w, waits_ms(w) == 5000 ? '2' : '?');
    supervise_restart(w->s, "another ends later", start_ms + 9000);
    tell(w, waits_ms(w) == 5000 ? '3' : '?');
    supervise_restart(w->s, "what it has has ended", start_ms);
    tell(w, waits_ms(w) == 1000 ? '4' : '?');
    supervise_stop(w->s);
}

static int a_wait_ends_with_what_it_holds(void)
{
    static const char *const argv[] = {"sleep", "1000", NULL};
    struct world w;
    CHECK(set_up(&w, argv, restart_by_an_end));
    run(&w);
    CHECK(w.result == 0 && strcmp(w.story, "1234eF") == 0);
    return 0;
}

static int clears_before_it_starts(void)
{
    /* What it leaves behind holds a lock, and does not listen to TERM. */
    static const char script[] = "exec 9>\"$LOCK\"; flock -n 9 || exit 42; "
                                 "(trap '' TERM; sleep 1000) & trap 'exit 0' TERM; "
                                 "while :; do sleep 0.01; done";
    static const char *const argv[] = {"sh", "-c", script, NULL};
    static char lock[64];
    const char *environment[] = {"PATH=/usr/bin:/bin", lock, NULL};
    char path[] = "/tmp/agent-supervise-XXXXXX";
    struct world w;
    CHECK(set_up(&w, argv, restart_once));
    CHECK(close(mkstemp(path)) == 0);
    (void)snprintf(lock, sizeof lock, "LOCK=%s", path);
    w.run.stop_timeout_ms = 50;
    w.settings.environment = environment;
    run(&w);
    CHECK(unlink(path) == 0);
    CHECK(w.result == 0 && w.exit_code != 42 && strcmp(w.story, "SrESeF") == 0);
    return 0;
}

/* TERM while it is stopped for a restart: that is told too, and the restart is off. */
static void stop_during_a_restart(void *owner, pid_t pid)
{
    struct world *w = owner;

    (void)pid;
    tell(w, 'S');
    supervise_restart(w->s, "a test", CLOCK_NEVER);
    supervise_stop(w->s);
    supervise_stop(w->s);
}

static int a_stop_overtakes_a_restart(void)
{
    static const char *const argv[] = {"sleep", "1000", NULL};
    struct world w;
    CHECK(set_up(&w, argv, stop_during_a_restart));
    run(&w);
    CHECK(w.result == 0 && w.exit_code == 128 + SIGTERM && supervise_restarts(w.s) == 0);
    CHECK(strcmp(w.story, "SreTTF") == 0);
    return 0;
}

static int it_ends_by_itself(void)
{
    static const char script[] = "trap 'exit 7' HUP; kill -HUP $PPID; while :; do sleep 0.01; done";
    static const char *const argv[] = {"sh", "-c", script, NULL};
    struct world w;
    CHECK(set_up(&w, argv, NULL));
    run(&w);
    CHECK(w.result == 0 && w.exit_code == 7 && strcmp(w.story, "HeF") == 0);
    return 0;
}

static char vanishing[] = "/tmp/agent-supervise-XXXXXX";

static void vanish(void *owner, pid_t pid)
{
    (void)unlink(vanishing);
    restart_once(owner, pid);
}

static int what_can_not_be_started_again_ends_us(void)
{
    static const char script[] = "#!/bin/sh\nexec sleep 1000\n";
    static const char *const argv[] = {vanishing, NULL};
    struct world w;
    CHECK(set_up(&w, argv, vanish));
    int fd = mkstemp(vanishing);
    CHECK(write(fd, script, sizeof script - 1) > 0 && fchmod(fd, 0755) == 0 && close(fd) == 0);
    run(&w);
    CHECK(w.result == -1 && w.exit_code == 127 && strstr(w.err.text, vanishing));
    CHECK(strcmp(w.story, "SrEeF") == 0);
    return 0;
}

/* ---- descriptors ------------------------------------------------------------------------------ */

static void on_text(void *owner, int fd, uint32_t events)
{
    struct world *w = owner;
    size_t length = strlen(w->text);
    ssize_t n = read(fd, w->text + length, sizeof w->text - 1 - length);

    if (n <= 0 || !(events & EPOLLIN))
        supervise_unwatch(w->s, fd);
    if (strcmp(w->text, "first ") == 0) {
        supervise_environment(w->s, other_environment);
        supervise_restart(w->s, "a test", CLOCK_NEVER);
    } else if (strcmp(w->text, "first second ") == 0) {
        supervise_stop(w->s);
    }
}

static int watches_and_changes_the_environment(void)
{
    static const char *const argv[] = {"sh", "-c", "printf '%s ' $X; exec sleep 1000", NULL};
    struct world w;
    CHECK(set_up(&w, argv, NULL));
    w.settings.fds[1] = w.pipe[1];
    CHECK(supervise_watch(w.s, w.pipe[0], EPOLLIN, on_text, &w, &w.err) == 0);
    run(&w);
    CHECK(w.result == 0 && w.exit_code == 128 + SIGTERM);
    CHECK(strcmp(w.text, "first second ") == 0);
    return 0;
}

static int has_a_limit_of_watches(void)
{
    struct world w;
    CHECK(set_up(&w, NULL, NULL));
    for (int i = 0; i < SUPERVISE_WATCHES_MAX; i++)
        CHECK(supervise_watch(w.s, dup(w.pipe[0]), EPOLLIN, on_text, &w, &w.err) == 0);
    CHECK(supervise_watch(w.s, w.pipe[0], EPOLLIN, on_text, &w, &w.err) == -1);
    CHECK(w.err.kind == ERR_DEFECT);
    supervise_free(w.s);
    return 0;
}

/* ---- times ------------------------------------------------------------------------------------ */

struct ticks {
    struct world *w;
    struct supervise_timer early, late, never;
};

static void on_early(void *owner)
{
    struct ticks *t = owner;

    tell(t->w, 'e');
    if (strlen(t->w->story) < 3)
        supervise_timer(t->w->s, &t->early, 0); /* long due */
    supervise_timer(t->w->s, &t->never, CLOCK_NEVER);
}

static void on_late(void *owner)
{
    struct ticks *t = owner;

    tell(t->w, t->never.is_set || t->early.is_set ? '?' : 'l');
    supervise_stop(t->w->s);
}

static void on_never(void *owner)
{
    tell(((struct ticks *)owner)->w, '?');
}

static int keeps_the_time(void)
{
    static const char *const argv[] = {"sleep", "1000", NULL};
    struct world w;
    struct ticks t = {.w = &w};
    CHECK(set_up(&w, argv, NULL));
    t.early = (struct supervise_timer){.callback = on_early, .owner = &t};
    t.late = (struct supervise_timer){.callback = on_late, .owner = &t};
    t.never = (struct supervise_timer){.callback = on_never, .owner = &t};
    supervise_timer(w.s, &t.late, clock_in_ms(30));
    supervise_timer(w.s, &t.never, clock_in_ms(20));
    supervise_timer(w.s, &t.early, clock_in_ms(1000 * 1000));
    supervise_timer(w.s, &t.early, clock_in_ms(0)); /* moved */
    run(&w);
    CHECK(strcmp(w.story, "eeeleF") == 0);
    return 0;
}

/* ---- programs beside -------------------------------------------------------------------------- */

static void on_other_end(void *owner, const struct proc_result *result)
{
    struct world *w = owner;

    tell(w, result->exit_code == 9 && result->signal == 0 ? '9' : '?');
    supervise_stop(w->s);
}

static int a_program_beside_is_told_of_and_left_alone(void)
{
    static const char *const argv[] = {"sleep", "1000", NULL};
    struct world w;
    CHECK(set_up(&w, argv, NULL));
    pid_t pid = fork();
    if (pid == 0)
        _exit(9);
    pid_t stays = fork();
    if (stays == 0)
        for (;;)
            (void)pause();
    CHECK(supervise_child(w.s, pid, on_other_end, &w, &w.err) == 0);
    CHECK(supervise_child(w.s, stays, on_other_end, &w, &w.err) == 0);
    run(&w);
    CHECK(w.result == 0 && strcmp(w.story, "9eF") == 0);
    CHECK(kill(stays, 0) == 0 && waitpid(stays, NULL, WNOHANG) == 0);
    CHECK(kill(stays, SIGKILL) == 0 && waitpid(stays, NULL, 0) == stays);
    return 0;
}

/* ---- before there is an application ----------------------------------------------------------- */

static void on_done(void *owner)
{
    *(bool *)owner = true;
}

static int waits_for_what_comes_before(void)
{
    struct world w;
    bool done = false;
    struct supervise_timer timer = {.callback = on_done, .owner = &done};
    CHECK(set_up(&w, NULL, NULL));
    supervise_timer(w.s, &timer, clock_in_ms(1));
    CHECK(supervise_meanwhile(w.s, &done, &w.err) == 0 && done);
    done = false;
    supervise_stop(w.s);
    CHECK(supervise_meanwhile(w.s, &done, &w.err) == -1);
    CHECK(w.err.kind == ERR_STOPPED && strstr(w.err.text, "SIGTERM"));
    return 0;
}

static int gives_signals_back(void)
{
    struct world w;
    CHECK(set_up(&w, NULL, NULL));
    CHECK(raise(SIGUSR1) == 0); /* kept */
    supervise_free(w.s);
    return 0;
}

static void restarts_that_come_together_are_one_and_wait_for_the_end(void **state)
{
    (void)state;
    assert_int_equal(in_child(restarts), 0);
}

static void a_stop_that_overtakes_a_restart_is_told_and_ends_it(void **state)
{
    (void)state;
    assert_int_equal(in_child(a_stop_overtakes_a_restart), 0);
}

static void what_is_sent_on_and_an_end_of_its_own_are_told(void **state)
{
    (void)state;
    assert_int_equal(in_child(it_ends_by_itself), 0);
}

static void a_restart_behind_a_short_run_waits_while_the_application_goes_on(void **state)
{
    (void)state;
    assert_int_equal(in_child(a_second_one_waits), 0);
}

static void a_restart_waits_no_longer_than_what_the_application_holds_lasts(void **state)
{
    (void)state;
    assert_int_equal(in_child(a_wait_ends_with_what_it_holds), 0);
}

static void the_old_one_and_all_it_left_is_gone_before_the_new_one_starts(void **state)
{
    (void)state;
    assert_int_equal(in_child(clears_before_it_starts), 0);
}

static void a_restart_that_can_not_start_it_ends_with_its_reason(void **state)
{
    (void)state;
    assert_int_equal(in_child(what_can_not_be_started_again_ends_us), 0);
}

static void a_descriptor_is_watched_and_the_next_start_has_the_next_environment(void **state)
{
    (void)state;
    assert_int_equal(in_child(watches_and_changes_the_environment), 0);
}

static void there_is_a_limit_to_what_is_watched(void **state)
{
    (void)state;
    assert_int_equal(in_child(has_a_limit_of_watches), 0);
}

static void times_come_in_their_order_and_can_be_moved_and_taken_away(void **state)
{
    (void)state;
    assert_int_equal(in_child(keeps_the_time), 0);
}

static void a_program_beside_is_told_of_and_not_stopped_with_the_application(void **state)
{
    (void)state;
    assert_int_equal(in_child(a_program_beside_is_told_of_and_left_alone), 0);
}

static void what_comes_before_the_start_can_be_waited_for_and_broken_off(void **state)
{
    (void)state;
    assert_int_equal(in_child(waits_for_what_comes_before), 0);
}

static void signals_that_were_kept_have_their_effect_when_nothing_is_started(void **state)
{
    (void)state;
    assert_int_equal(in_child(gives_signals_back), 128 + SIGUSR1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(restarts_that_come_together_are_one_and_wait_for_the_end),
        cmocka_unit_test(a_stop_that_overtakes_a_restart_is_told_and_ends_it),
        cmocka_unit_test(what_is_sent_on_and_an_end_of_its_own_are_told),
        cmocka_unit_test(a_restart_behind_a_short_run_waits_while_the_application_goes_on),
        cmocka_unit_test(a_restart_waits_no_longer_than_what_the_application_holds_lasts),
        cmocka_unit_test(the_old_one_and_all_it_left_is_gone_before_the_new_one_starts),
        cmocka_unit_test(a_restart_that_can_not_start_it_ends_with_its_reason),
        cmocka_unit_test(a_descriptor_is_watched_and_the_next_start_has_the_next_environment),
        cmocka_unit_test(there_is_a_limit_to_what_is_watched),
        cmocka_unit_test(times_come_in_their_order_and_can_be_moved_and_taken_away),
        cmocka_unit_test(a_program_beside_is_told_of_and_not_stopped_with_the_application),
        cmocka_unit_test(what_comes_before_the_start_can_be_waited_for_and_broken_off),
        cmocka_unit_test(signals_that_were_kept_have_their_effect_when_nothing_is_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
