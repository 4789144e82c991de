/* tests/unit/base_proc_harden.c: the start of the process. Each test hardens a forked child. */
#include "tests/lib/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/proc.h"
#include "tests/lib/child.h"

enum { OUT_BYTES = 4096, PATIENCE_MS = 60 * 1000 };

static int without_arguments(void)
{
    struct err err = ERR_INIT;
    CHECK(proc_harden(0, &err) == -1);
    CHECK(err.kind == ERR_USAGE);
    CHECK(strstr(err.text, "argc is 0"));
    return 0;
}

static void a_start_without_a_name_is_refused(void **state)
{
    (void)state;
    assert_int_equal(in_child(without_arguments), 0);
}

static int with_shut_fds(void)
{
    struct err err = ERR_INIT;
    CHECK(close(0) == 0 && close(1) == 0 && close(2) == 0);
    CHECK(proc_harden(1, &err) == 0);
    int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK(next > 2);
    struct stat null, st;
    CHECK(fstat(next, &null) == 0);
    for (int fd = 0; fd <= 2; fd++) {
        CHECK(fstat(fd, &st) == 0 && st.st_rdev == null.st_rdev);
        CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0);
    }
    return 0;
}

static void descriptors_that_are_shut_become_dev_null(void **state)
{
    (void)state;
    assert_int_equal(in_child(with_shut_fds), 0);
}

static int limits(void)
{
    struct err err = ERR_INIT;
    struct rlimit limit = {.rlim_cur = 0};
    struct sigaction action;
    CHECK(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    CHECK(proc_harden(1, &err) == 0);
    CHECK(umask(0) == 077);
    CHECK(prctl(PR_GET_DUMPABLE) == 0);
    CHECK(getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur == 0);
    CHECK(sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_IGN);
    CHECK(sigaction(SIGCHLD, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
    return 0;
}

static void umask_cores_dumpable_and_signals_are_set(void **state)
{
    (void)state;
    assert_int_equal(in_child(limits), 0);
}

static char kept_first[] = "A=1", key_log[] = "SSLKEYLOGFILE=/tmp/keys", kept_last[] = "Z=2";
static char key_log_again[] = "SSLKEYLOGFILE=/tmp/other", resolver[] = "RES_OPTIONS=debug";
static char alike[] = "OPENSSL_CONF_NOT=1", configuration[] = "OPENSSL_CONF=/tmp/evil";

static int environment(void)
{
    struct err err = ERR_INIT;
    char *entries[] = {kept_first, key_log,       alike,     key_log_again,
                       resolver,   configuration, kept_last, NULL};
    environ = entries;
    CHECK(proc_harden(1, &err) == 0);
    CHECK(!getenv("SSLKEYLOGFILE") && !getenv("RES_OPTIONS") && !getenv("OPENSSL_CONF"));
    CHECK(environ[0] == kept_first && environ[1] == alike && environ[2] == kept_last);
    CHECK(!environ[3]);
    const char *const *withheld = proc_withheld_environment();
    CHECK(withheld[0] == key_log && withheld[1] == resolver && withheld[2] == configuration);
    CHECK(!withheld[3]);
    return 0;
}

static void variables_that_steer_libraries_are_set_aside(void **state)
{
    (void)state;
    assert_int_equal(in_child(environment), 0);
}

static int child_of_a_hardened_process(void)
{
    static const char script[] =
        "umask; ulimit -Sc; exec grep -E 'SigBlk|SigIgn' /proc/self/status";
    static const char *const argv[] = {"sh", "-c", script, NULL};
    static const char *const path[] = {"PATH=/usr/bin:/bin", NULL};
    struct err err = ERR_INIT;
    struct proc_result result = {0};
    struct rlimit limit = {.rlim_cur = 512 * 1000, .rlim_max = 512 * 1000};
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    const struct proc_request request = {.argv = argv,
                                         .environment = path,
                                         .output = &out,
                                         .deadline_ms = clock_in_ms(PATIENCE_MS),
                                         .what = "hook"};
    char expected[256];
    (void)snprintf(expected, sizeof(expected), "0027\n1000\nSigBlk:\t0000000000000000\n%s",
                   ignored_signals());
    (void)umask(027);
    CHECK(setrlimit(RLIMIT_CORE, &limit) == 0);
    CHECK(proc_harden(1, &err) == 0);
    sigset_t all; /* as a supervisor does, which takes its signals from a descriptor */
    CHECK(sigfillset(&all) == 0 && sigprocmask(SIG_BLOCK, &all, NULL) == 0);
    CHECK(proc_run(&request, ERR_USAGE, &result, &err) == 0 && result.exit_code == 0);
    CHECK(strcmp(buf_text(&out), expected) == 0);
    CHECK(umask(0) == 077); /* ours is as it was */
    return 0;
}

static void a_command_gets_back_what_was_there_at_the_start(void **state)
{
    (void)state;
    assert_int_equal(in_child(child_of_a_hardened_process), 0);
}

static int status_with_ignored_children(void)
{
    static const char *const argv[] = {"sh", "-c", "exit 9", NULL};
    static const char *const path[] = {"PATH=/usr/bin:/bin", NULL};
    struct err err = ERR_INIT;
    struct proc_result result = {0};
    const struct proc_request request = {
        .argv = argv, .environment = path, .deadline_ms = clock_in_ms(PATIENCE_MS), .what = "hook"};
    CHECK(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    CHECK(proc_harden(1, &err) == 0);
    CHECK(proc_run(&request, ERR_USAGE, &result, &err) == 0);
    CHECK(result.exit_code == 9);
    return 0;
}

static void statuses_arrive_even_if_who_started_us_ignored_them(void **state)
{
    (void)state;
    assert_int_equal(in_child(status_with_ignored_children), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_without_a_name_is_refused),
        cmocka_unit_test(descriptors_that_are_shut_become_dev_null),
        cmocka_unit_test(umask_cores_dumpable_and_signals_are_set),
        cmocka_unit_test(variables_that_steer_libraries_are_set_aside),
        cmocka_unit_test(a_command_gets_back_what_was_there_at_the_start),
        cmocka_unit_test(statuses_arrive_even_if_who_started_us_ignored_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
