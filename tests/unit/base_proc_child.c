/* tests/unit/base_proc_child.c: programs that go on beside us, and workers that keep secrets. */
#include "tests/lib/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/proc.h"
#include "base/secret.h"

enum { TEST_MS = 60 * 1000 };

static const char *const environment[] = {"PATH=/usr/bin:/bin", NULL};

static struct proc_child started(const char *script, int output, const struct proc_user *as)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    struct proc_request request = {
        .argv = argv, .environment = environment, .what = "a server", .as = as};
    struct proc_child child = PROC_CHILD_INIT;
    struct err err = ERR_INIT;
    if (proc_spawn(&request, output, output, ERR_RESOURCE, &child, &err) != 0)
        fail_msg("%s", err.text);
    return child;
}

/* What it wrote to a file without a name. */
static void read_back(int fd, char *text, size_t size)
{
    ssize_t n = pread(fd, text, size - 1, 0);
    assert_true(n >= 0);
    text[n] = '\0';
}

static int scratch_file(void)
{
    char path[] = "/tmp/agent-child-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    return fd;
}

static void a_program_is_stopped_by_its_signal(void **state)
{
    int output = scratch_file();
    /* a shell can't trap what was ignored when it started, as in a job in the background */
    (void)signal(SIGQUIT, SIG_DFL);
    struct proc_child child = started(
        "trap 'echo bye; exit 3' QUIT; echo up; while :; do sleep 0.01; "
        "done",
        output, NULL);
    struct proc_result result;
    char text[64] = "";

    (void)state;
    while (!strstr(text, "up"))
        read_back(output, text, sizeof(text));
    assert_false(proc_has_ended(&child));
    proc_stop(&child, SIGQUIT, clock_in_ms(TEST_MS), &result);
    assert_int_equal(result.exit_code, 3);
    assert_false(result.timed_out);
    assert_int_equal(child.pid, 0);
    assert_true(proc_has_ended(&child));
    read_back(output, text, sizeof(text));
    assert_string_equal(text, "up\nbye\n");
    (void)close(output);
}

static void one_that_does_not_listen_is_killed_with_its_group(void **state)
{
    int output = scratch_file();
    struct proc_child child = started("trap '' QUIT; sleep 1000 & echo $!; wait", output, NULL);
    struct proc_result result;
    char text[64] = "";

    (void)state;
    while (!strchr(text, '\n'))
        read_back(output, text, sizeof(text));
    proc_stop(&child, SIGQUIT, clock_in_ms(50), &result);
    assert_int_equal(result.signal, SIGKILL);
    assert_true(result.timed_out);
    pid_t grandchild = (pid_t)strtol(text, NULL, 10);
    while (kill(grandchild, 0) == 0) { /* gone, or a zombie that somebody else has to reap */
        char path[64], line[256] = "";
        (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)grandchild);
        AUTO_FILE file = fopen(path, "re");
        if (!file || !fgets(line, sizeof(line), file) || strstr(line, ") Z "))
            break;
        clock_sleep_ms(5);
    }
    (void)close(output);
}

static void root_may_start_one_as_somebody_else(void **state)
{
    const struct proc_user nobody = {.user = 65534, .group = 65534};
    char text[64];

    (void)state;
    if (geteuid() != 0)
        skip();
    int output = scratch_file();
    struct proc_child child = started("id -u; id -g; id -G", output, &nobody);
    proc_stop(&child, 0, clock_in_ms(TEST_MS), NULL);
    read_back(output, text, sizeof(text));
    assert_string_equal(text, "65534\n65534\n65534\n");
    (void)close(output);
}

static void a_missing_program_is_named(void **state)
{
    static const char *const argv[] = {"no-such-program", NULL};
    struct proc_request request = {.argv = argv, .environment = environment, .what = "a server"};
    struct proc_child child = PROC_CHILD_INIT;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(proc_spawn(&request, STDERR_FILENO, STDERR_FILENO, ERR_FILE, &child, &err),
                     -1);
    assert_int_equal(err.kind, ERR_FILE);
    assert_text_has(err.text, "no-such-program");
    proc_stop(&child, SIGTERM, clock_in_ms(TEST_MS), NULL); /* nothing to do */
}

static void a_worker_keeps_the_secrets_that_a_fork_loses(void **state)
{
    AUTO_SECRET value = SECRET_INIT;
    struct err err = ERR_INIT;
    int status = 0;

    (void)state;
    assert_int_equal(secret_set(&value, "canary-4711", strlen("canary-4711"), &err), 0);
    pid_t worker = secret_fork();
    if (worker == 0) {
        AUTO_SECRET own = SECRET_INIT; /* its slab still works, too */
        bool kept = strcmp(secret_reveal(&value), "canary-4711") == 0 &&
                    secret_set(&own, "another", strlen("another"), &err) == 0;
        _exit(kept ? 0 : 1);
    }
    assert_int_equal(waitpid(worker, &status, 0), worker);
    assert_int_equal(status, 0);
    pid_t plain = fork();
    if (plain == 0)
        _exit(secret_reveal(&value)[0] == '\0' ? 0 : 1);
    assert_int_equal(waitpid(plain, &status, 0), plain);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_is_stopped_by_its_signal),
        cmocka_unit_test(one_that_does_not_listen_is_killed_with_its_group),
        cmocka_unit_test(root_may_start_one_as_somebody_else),
        cmocka_unit_test(a_missing_program_is_named),
        cmocka_unit_test(a_worker_keeps_the_secrets_that_a_fork_loses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
