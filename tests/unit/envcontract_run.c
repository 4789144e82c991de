/* The section `run`: signals, exit codes and what a change does. */
#include "tests/unit/envcontract_load.h"

#include <signal.h>

#define RUN(keys) "{'contract': 1, 'vars': {}, 'run': {" keys "}}" /* they begin at column 37 */

static void what_is_not_said_has_its_default(void **state)
{
    (void)state;
    struct loaded t = load_text("{'contract': 1, 'vars': {}}");
    assert_clean(&t);
    const struct contract_run *run = &t.contract->run;
    assert_int_equal(run->on_change, CONTRACT_CHANGE_RESTART);
    assert_int_equal(run->stop_signal, SIGTERM);
    assert_int_equal(run->stop_timeout_ms, 30000);
    assert_int_equal(run->rewrite_count, 0);
    assert_int_equal(run->exit_code_count, 0);
    unload(&t);
}

static void signals_and_codes_are_read(void **state)
{
    (void)state;
    struct loaded t = load_text(
        RUN("'stop_signal': 'SIGQUIT', 'stop_timeout': '90s', 'on_change': 'signal:HUP', "
            "'rewrite': {'TERM': 'INT', 'SIGRTMIN+3': 'KILL'}, "
            "'exit_codes': {'143': 0, '0': 255}"));
    assert_clean(&t);
    const struct contract_run *run = &t.contract->run;
    assert_int_equal(run->stop_signal, SIGQUIT);
    assert_int_equal(run->stop_timeout_ms, 90000);
    assert_int_equal(run->on_change, CONTRACT_CHANGE_SIGNAL);
    assert_int_equal(run->change_signal, SIGHUP);
    assert_int_equal(run->rewrite_count, 2);
    assert_int_equal(run->rewrite[0].from, SIGTERM);
    assert_int_equal(run->rewrite[0].to, SIGINT);
    assert_int_equal(run->rewrite[1].from, SIGRTMIN + 3);
    assert_int_equal(run->rewrite[1].to, SIGKILL);
    assert_int_equal(run->exit_code_count, 2);
    assert_int_equal(run->exit_codes[0].from, 143);
    assert_int_equal(run->exit_codes[0].to, 0);
    assert_int_equal(run->exit_codes[1].from, 0);
    assert_int_equal(run->exit_codes[1].to, 255);
    unload(&t);
}

static void a_change_does_nothing_or_runs_a_command(void **state)
{
    (void)state;
    struct loaded t = load_text(RUN("'on_change': 'none'"));
    assert_clean(&t);
    assert_int_equal(t.contract->run.on_change, CONTRACT_CHANGE_NONE);
    unload(&t);
    t = load_text(RUN("'on_change': ['/bin/reload', '--now']"));
    assert_clean(&t);
    assert_int_equal(t.contract->run.on_change, CONTRACT_CHANGE_HOOK);
    assert_string_equal(t.contract->run.change_hook[0], "/bin/reload");
    assert_string_equal(t.contract->run.change_hook[1], "--now");
    assert_null(t.contract->run.change_hook[2]);
    unload(&t);
}

static void what_is_no_signal_is_said_at_its_place(void **state)
{
    static const struct wrong list[] = {
        {RUN("'stop_signal': 'term'"), 1, 52, "/run/stop_signal", "'term' is no signal", "USR1"},
        {RUN("'stop_signal': 15"), 1, 52, "/run/stop_signal",
         "'stop_signal' takes a signal such as \"TERM\", not a number", NULL},
        {RUN("'rewrite': ['TERM']"), 1, 48, "/run/rewrite",
         "'rewrite' takes an object of signals, not a list", NULL},
        {RUN("'rewrite': {'TREM': 'INT'}"), 1, 49, "/run/rewrite/TREM", "'TREM' is no signal",
         NULL},
        {RUN("'rewrite': {'TERM': 'NONE'}"), 1, 57, "/run/rewrite/TERM", "'NONE' is no signal",
         NULL},
        {RUN("'rewrite': {'KILL': 'TERM'}"), 1, 49, "/run/rewrite/KILL", "nobody sees KILL come",
         NULL},
        {RUN("'rewrite': {'SIGCHLD': 'TERM'}"), 1, 49, "/run/rewrite/SIGCHLD", "is not sent on",
         NULL},
        {RUN("'rewrite': {'TERM': 'INT', 'SIGTERM': 'HUP'}"), 1, 64, "/run/rewrite/SIGTERM",
         "'SIGTERM' stands here as 'TERM' too", NULL},
        {RUN("'on_change': 'signal:FOO'"), 1, 50, "/run/on_change", "'FOO' is no signal", NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void codes_and_changes_that_are_none_are_said(void **state)
{
    static const struct wrong list[] = {
        {RUN("'exit_codes': {'256': 0}"), 1, 52, "/run/exit_codes/256", "'256' is no exit code",
         "143"},
        {RUN("'exit_codes': {'01': 0}"), 1, 52, "/run/exit_codes/01", "'01' is no exit code", NULL},
        {RUN("'exit_codes': {'1': 256}"), 1, 57, "/run/exit_codes/1", "a number from 0 to 255",
         NULL},
        {RUN("'exit_codes': {'1': '2'}"), 1, 57, "/run/exit_codes/1", "a number from 0 to 255",
         NULL},
        {RUN("'exit_codes': 143"), 1, 51, "/run/exit_codes",
         "'exit_codes' takes an object of exit codes, not a number", NULL},
        {RUN("'on_change': 'reload'"), 1, 50, "/run/on_change",
         "'reload' is not known as on_change", "It is restart"},
        {RUN("'on_change': []"), 1, 50, "/run/on_change", "'on_change' is an empty list", NULL},
        {RUN("'on_change': true"), 1, 50, "/run/on_change",
         "'on_change' takes a string or a command's list", NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_said_has_its_default),
        cmocka_unit_test(signals_and_codes_are_read),
        cmocka_unit_test(a_change_does_nothing_or_runs_a_command),
        cmocka_unit_test(what_is_no_signal_is_said_at_its_place),
        cmocka_unit_test(codes_and_changes_that_are_none_are_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
