/* tests/unit/base_proc.c: real commands: what they are given, what comes back, how they end. */
#include "tests/lib/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/proc.h"
#include "base/secret.h"

enum {
    OUT_BYTES = 4 * 1024 * 1024,
    PATIENCE_MS = 60 * 1000, /* far more than any of these needs */
};

static const char *const plain_environment[] = {"PATH=/usr/bin:/bin", NULL};

static struct proc_request request_for(const char *const *argv, struct buf *output)
{
    return (struct proc_request){
        .argv = argv,
        .environment = plain_environment,
        .output = output,
        .deadline_ms = clock_in_ms(PATIENCE_MS),
        .what = "create.emit",
    };
}

static struct proc_result run_request(const struct proc_request *request)
{
    struct proc_result result = {0};
    struct err err = ERR_INIT;
    if (proc_run(request, ERR_DB_COMMAND, &result, &err) != 0)
        fail_msg("%s", err.text);
    return result;
}

/* `sh -c SCRIPT`, its stdout into OUT. */
static struct proc_result run_script(const char *script, struct buf *out)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    struct proc_request request = request_for(argv, out);
    return run_request(&request);
}

/* ---- how it ends ---------------------------------------------------------------------------- */

static void every_exit_code_comes_back(void **state)
{
    (void)state;
    static const int codes[] = {0, 1, 2, 77, 125, 126, 127, 128, 255};
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        char script[32];
        (void)snprintf(script, sizeof(script), "exit %d", codes[i]);
        struct proc_result result = run_script(script, NULL);
        assert_int_equal(result.exit_code, codes[i]);
        assert_int_equal(result.signal, 0);
        assert_false(result.timed_out);
    }
}

static void a_signal_that_ended_it_comes_back(void **state)
{
    (void)state;
    static const int signals[] = {SIGKILL, SIGTERM, SIGSEGV, SIGPIPE, SIGUSR1};
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        char script[32];
        (void)snprintf(script, sizeof(script), "ulimit -c 0; kill -%d $$", signals[i]);
        struct proc_result result = run_script(script, NULL);
        assert_int_equal(result.signal, signals[i]);
        assert_int_equal(result.exit_code, 128 + signals[i]);
    }
}

static void an_end_is_described_in_words(void **state)
{
    (void)state;
    static const struct {
        struct proc_result result;
        const char *text;
    } rows[] = {
        {{.exit_code = 3}, "exited with 3"},
        {{.exit_code = 137, .signal = SIGKILL}, "was killed by SIGKILL"},
        {{.exit_code = 168, .signal = 40}, "was killed by signal 40"},
        {{.exit_code = 137, .signal = SIGKILL, .timed_out = true}, "ran out of time"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO_BUF out = BUF_INIT(64);
        proc_describe(&rows[i].result, &out);
        assert_string_equal(buf_text(&out), rows[i].text);
    }
}

/* ---- stdin, stdout, stderr ------------------------------------------------------------------ */

static void a_megabyte_through_cat_comes_back_whole(void **state)
{
    (void)state;
    enum { SIZE = 1024 * 1024 };
    static char input[SIZE];
    for (size_t i = 0; i < SIZE; i++)
        input[i] = (char)(i * 7 + i / 1000);
    const char *const argv[] = {"cat", NULL};
    AUTO_BUF out = BUF_INIT(SIZE); /* exactly the ceiling */
    struct proc_request request = request_for(argv, &out);
    request.input = input;
    request.input_length = SIZE;
    assert_int_equal(run_request(&request).exit_code, 0);
    assert_int_equal(out.len, SIZE);
    assert_memory_equal(out.data, input, SIZE);
}

static void a_command_that_does_not_read_its_input_is_no_error(void **state)
{
    (void)state;
    static char input[1024 * 1024];
    const char *const argv[] = {"true", NULL};
    struct proc_request request = request_for(argv, NULL);
    request.input = input;
    request.input_length = sizeof(input);
    assert_int_equal(run_request(&request).exit_code, 0);
}

static void without_input_its_stdin_is_empty(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    assert_int_equal(run_script("wc -c", &out).exit_code, 0);
    assert_string_equal(buf_text(&out), "0\n");
}

static void too_much_output_is_an_error_and_the_end_of_the_command(void **state)
{
    (void)state;
    const char *const argv[] = {"yes", NULL};
    AUTO_BUF out = BUF_INIT(1000);
    struct proc_request request = request_for(argv, &out);
    struct proc_result result = {0};
    struct err err = ERR_INIT;
    buf_adds(&out, "old");
    assert_int_equal(proc_run(&request, ERR_DB_COMMAND, &result, &err), -1);
    assert_string_equal(err.text, "create.emit: 'yes' put out more than 1000 bytes");
    assert_string_equal(buf_text(&out), "old");
}

static void the_last_bytes_of_stderr_are_kept(void **state)
{
    (void)state;
    const char *const argv[] = {"sh", "-c", "seq 1 20000 >&2; printf end >&2; exit 4", NULL};
    AUTO_BUF tail = BUF_INIT(17);
    struct proc_request request = request_for(argv, NULL);
    request.error_output = &tail;
    assert_int_equal(run_request(&request).exit_code, 4);
    assert_string_equal(buf_text(&tail), "8\n19999\n20000\nend");
}

static void stderr_is_logged_line_by_line_without_control_bytes(void **state)
{
    (void)state;
    const char *const argv[] = {"sh", "-c", "printf 'one\\n\\033[2Jtwo\\n\\nlast' >&2; echo out",
                                NULL};
    struct proc_request request = request_for(argv, NULL); /* its stdout goes the same way */
    request.show_stderr = true;
    AUTO_FD kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    AUTO_FD file = memfd_create("stderr", MFD_CLOEXEC);
    assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
    struct proc_result result = run_request(&request);
    assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
    assert_int_equal(result.exit_code, 0);
    char text[1024] = "";
    assert_true(pread(file, text, sizeof(text) - 1, 0) > 0);
    assert_string_equal(text, "info one from=create.emit\n"
                              "info \\x1b[2Jtwo from=create.emit\n"
                              "info lastout from=create.emit\n");
}

/* ---- what it is given ----------------------------------------------------------------------- */

static void its_environment_is_exactly_what_was_asked(void **state)
{
    (void)state;
    const char *const argv[] = {"env", NULL};
    const char *const environment[] = {"PATH=/usr/bin", "A=1", "B=two words", NULL};
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    struct proc_request request = request_for(argv, &out);
    request.environment = environment;
    assert_int_equal(run_request(&request).exit_code, 0);
    assert_string_equal(buf_text(&out), "PATH=/usr/bin\nA=1\nB=two words\n");
}

static void an_environment_that_lies_in_the_slab_arrives(void **state)
{
    (void)state;
    AUTO_SECRET entry = SECRET_INIT;
    struct err err = ERR_INIT;
    assert_int_equal(secret_set(&entry, "TOKEN=canary-env", 16, &err), 0);
    const char *const argv[] = {"sh", "-c", "echo $TOKEN", NULL};
    const char *const environment[] = {"PATH=/usr/bin:/bin", secret_reveal(&entry), NULL};
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    struct proc_request request = request_for(argv, &out);
    request.environment = environment;
    assert_int_equal(run_request(&request).exit_code, 0);
    assert_string_equal(buf_text(&out), "canary-env\n");
}

static void it_has_descriptors_0_1_and_2_alone(void **state)
{
    (void)state;
    AUTO_FD inheritable = open("/dev/null", O_RDONLY); /* as one from who started us: not CLOEXEC */
    AUTO_FD far = fcntl(inheritable, F_DUPFD, 500);
    assert_true(inheritable > 2 && far >= 500);
    char script[256];
    (void)snprintf(script, sizeof(script),
                   "for n in %d %d; do test -e /proc/$$/fd/$n && echo $n; done; "
                   "for n in 0 1 2; do test -e /proc/$$/fd/$n || echo no $n; done; true",
                   inheritable, far);
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    assert_int_equal(run_script(script, &out).exit_code, 0);
    assert_string_equal(buf_text(&out), "");
}

static void no_descriptor_of_ours_is_left_behind(void **state)
{
    (void)state;
    int before = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(close(before), 0);
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    AUTO_BUF tail = BUF_INIT(100);
    const char *const good[] = {"true", NULL};
    const char *const bad[] = {"/nonexistent/command", NULL};
    struct proc_request request = request_for(good, &out);
    struct proc_result result;
    struct err err = ERR_INIT;
    request.error_output = &tail;
    request.input = "x";
    request.input_length = 1;
    (void)run_request(&request);
    request.argv = bad;
    assert_int_equal(proc_run(&request, ERR_DB_COMMAND, &result, &err), -1);
    AUTO_FD after = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(after, before);
}

static void it_runs_in_its_folder(void **state)
{
    (void)state;
    const char *const argv[] = {"pwd", NULL};
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    struct proc_request request = request_for(argv, &out);
    request.folder = "/usr";
    assert_int_equal(run_request(&request).exit_code, 0);
    assert_string_equal(buf_text(&out), "/usr\n");
}

static void it_leads_a_process_group_of_its_own(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    assert_int_equal(run_script("exec cat /proc/self/stat", &out).exit_code, 0);
    int pid, parent, group;
    assert_int_equal(sscanf(buf_text(&out), "%d (cat) %*c %d %d", &pid, &parent, &group), 3);
    assert_int_equal(group, pid);
    assert_int_equal(parent, getpid());
}

static void its_signal_mask_and_dispositions_are_ours_from_before(void **state)
{
    (void)state;
    sigset_t blocked, before;
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGUSR2);
    assert_int_equal(sigprocmask(SIG_BLOCK, &blocked, &before), 0);
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    (void)run_script("exec grep -E 'SigBlk|SigIgn' /proc/self/status", &out);
    sigset_t after;
    assert_int_equal(sigprocmask(SIG_SETMASK, &before, &after), 0);
    assert_int_equal(sigismember(&after, SIGUSR2), 1);
    assert_int_equal(sigismember(&after, SIGUSR1), 0);
    char expected[256];
    (void)snprintf(expected, sizeof(expected), "SigBlk:\t0000000000000800\n%s", ignored_signals());
    assert_string_equal(buf_text(&out), expected);
    struct sigaction pipe_action;
    assert_int_equal(sigaction(SIGPIPE, NULL, &pipe_action), 0);
    assert_true(pipe_action.sa_handler == SIG_DFL);
}

/* ---- time and what is left of the group ------------------------------------------------------ */

/* Gone, or a zombie that waits for its new parent. */
static bool is_dead(long pid)
{
    char path[64], stat_text[256] = "";
    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, stat_text, sizeof(stat_text) - 1) <= 0)
        return true;
    const char *behind_name = strrchr(stat_text, ')');
    return behind_name && (behind_name[2] == 'Z' || behind_name[2] == 'X');
}

static void assert_dies(const char *pid_text)
{
    char *end;
    long pid = strtol(pid_text, &end, 10);
    assert_true(pid > 1);
    for (int64_t deadline = clock_in_ms(PATIENCE_MS); !is_dead(pid); clock_sleep_ms(5))
        if (clock_passed(deadline))
            fail_msg("process %ld lives on", pid);
}

static void out_of_time_the_whole_group_is_killed(void **state)
{
    (void)state;
    const char *const argv[] = {"sh", "-c", "sleep 1000 & echo $! >&2; wait", NULL};
    AUTO_BUF tail = BUF_INIT(100);
    struct proc_request request = request_for(argv, NULL);
    struct proc_result result = {0};
    struct err err = ERR_INIT;
    request.error_output = &tail;
    request.deadline_ms = clock_in_ms(300);
    assert_int_equal(proc_run(&request, ERR_DB_COMMAND, &result, &err), -1);
    assert_true(result.timed_out);
    assert_int_equal(result.signal, SIGKILL);
    assert_int_equal(err.kind, ERR_DB_COMMAND);
    assert_text_has(err.text, "create.emit: 'sh' ran out of time after ");
    assert_dies(buf_text(&tail));
}

static void a_deadline_that_has_passed_still_ends_it(void **state)
{
    (void)state;
    const char *const argv[] = {"sleep", "1000", NULL};
    struct proc_request request = request_for(argv, NULL);
    struct proc_result result = {0};
    struct err err = ERR_INIT;
    request.deadline_ms = clock_now_ms() - 1;
    assert_int_equal(proc_run(&request, ERR_DB_COMMAND, &result, &err), -1);
    assert_true(result.timed_out);
}

/* Holding stdout open for 1000 s must not hold us. */
static void what_it_left_in_the_background_is_killed_when_it_ends(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    struct proc_result result = run_script("sleep 1000 & echo $!; exit 5", &out);
    assert_int_equal(result.exit_code, 5);
    assert_dies(buf_text(&out));
}

static void what_escaped_from_the_group_does_not_hold_us(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    assert_int_equal(
        run_script("setsid sh -c 'echo $$; exec sleep 1000' & sleep 0.2", &out).exit_code, 0);
    char *end;
    long pid = strtol(buf_text(&out), &end, 10);
    assert_true(pid > 1);
    assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
}

static void a_command_dies_with_us(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    AUTO_FD from = ends[0];
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const char *const argv[] = {"sh", "-c", "echo $$; exec sleep 1000", NULL};
        struct proc_request request = request_for(argv, NULL);
        struct proc_result result = {0};
        struct err err = ERR_INIT;
        (void)dup2(ends[1], STDERR_FILENO); /* where its stdout goes too */
        _exit(proc_run(&request, ERR_DB_COMMAND, &result, &err) == 0);
    }
    assert_int_equal(close(ends[1]), 0);
    char text[32] = "";
    assert_true(read(from, text, sizeof(text) - 1) > 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_dies(text);
}

static void a_storm_of_signals_changes_nothing(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    void (*before)(int) = signal(SIGWINCH, SIG_DFL); /* interrupts nothing, but is delivered */
    char script[128];
    (void)snprintf(script, sizeof(script),
                   "for i in 1 2 3 4 5 6 7 8 9; do kill -WINCH %d; echo $i; done", getpid());
    assert_int_equal(run_script(script, &out).exit_code, 0);
    assert_string_equal(buf_text(&out), "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    (void)signal(SIGWINCH, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_exit_code_comes_back),
        cmocka_unit_test(a_signal_that_ended_it_comes_back),
        cmocka_unit_test(an_end_is_described_in_words),
        cmocka_unit_test(a_megabyte_through_cat_comes_back_whole),
        cmocka_unit_test(a_command_that_does_not_read_its_input_is_no_error),
        cmocka_unit_test(without_input_its_stdin_is_empty),
        cmocka_unit_test(too_much_output_is_an_error_and_the_end_of_the_command),
        cmocka_unit_test(the_last_bytes_of_stderr_are_kept),
        cmocka_unit_test(stderr_is_logged_line_by_line_without_control_bytes),
        cmocka_unit_test(its_environment_is_exactly_what_was_asked),
        cmocka_unit_test(an_environment_that_lies_in_the_slab_arrives),
        cmocka_unit_test(it_has_descriptors_0_1_and_2_alone),
        cmocka_unit_test(no_descriptor_of_ours_is_left_behind),
        cmocka_unit_test(it_runs_in_its_folder),
        cmocka_unit_test(it_leads_a_process_group_of_its_own),
        cmocka_unit_test(its_signal_mask_and_dispositions_are_ours_from_before),
        cmocka_unit_test(out_of_time_the_whole_group_is_killed),
        cmocka_unit_test(a_deadline_that_has_passed_still_ends_it),
        cmocka_unit_test(what_it_left_in_the_background_is_killed_when_it_ends),
        cmocka_unit_test(what_escaped_from_the_group_does_not_hold_us),
        cmocka_unit_test(a_command_dies_with_us),
        cmocka_unit_test(a_storm_of_signals_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
