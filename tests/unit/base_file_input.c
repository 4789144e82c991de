/* tests/unit/base_file_input.c: what the call names is read to its end, be it no file. */
#include "tests/lib/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

enum { OUT_BYTES = 128 * 1024, PATH_BYTES = 64, SOON_MS = 30 * 1000, SHORT_MS = 50 };

static char folder[] = "/tmp/agent-input-XXXXXX", fifo[PATH_BYTES];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(fifo, sizeof fifo, "%s/fifo", folder);
    return mkfifo(fifo, 0600);
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(fifo) == 0 && rmdir(folder) == 0 ? 0 : -1;
}

/* A pipe's end that LENGTH bytes come out of, and then its end. The pipe has room for them. */
static int filled_pipe(size_t length)
{
    char block[4096];
    int ends[2];
    memset(block, 'x', sizeof block);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    for (size_t left = length, n; left > 0; left -= n) {
        n = left < sizeof block ? left : sizeof block;
        assert_int_equal(write(ends[1], block, n), (ssize_t)n);
    }
    assert_int_equal(close(ends[1]), 0);
    return ends[0];
}

static struct err refused(const char *path, int64_t deadline_ms, size_t most)
{
    AUTO_BUF out = BUF_INIT(most);
    struct err err = ERR_INIT;
    buf_adds(&out, "as before");
    assert_int_equal(file_read_input(path, deadline_ms, &out, &err), -1);
    assert_string_equal(buf_text(&out), "as before");
    assert_int_equal(err.kind, ERR_FILE);
    assert_string_equal(err.file, path);
    return err;
}

static void a_pipe_is_read_to_its_end(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    struct err err = ERR_INIT;
    char path[PATH_BYTES];
    AUTO_FD fd = filled_pipe(60000);
    (void)snprintf(path, sizeof path, "/dev/fd/%d", fd);
    if (file_read_input(path, clock_in_ms(SOON_MS), &out, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(out.len, 60000);
}

static void a_hyphen_is_standard_input(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    struct err err = ERR_INIT;
    AUTO_FD before = dup(STDIN_FILENO), fd = filled_pipe(3);
    assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    int result = file_read_input("-", CLOCK_NEVER, &out, &err);
    assert_int_equal(dup2(before, STDIN_FILENO), STDIN_FILENO);
    assert_int_equal(result, 0);
    assert_string_equal(buf_text(&out), "xxx");
}

/* Opening a FIFO to write waits for who reads: the child comes when we are there. */
static void the_writer_of_a_fifo_is_waited_for(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    struct err err = ERR_INIT;
    pid_t child = fork();
    if (child == 0) {
        int fd = open(fifo, O_WRONLY | O_CLOEXEC);
        _exit(fd >= 0 && write(fd, "A=1\n", 4) == 4 ? 0 : 1);
    }
    if (file_read_input(fifo, clock_in_ms(SOON_MS), &out, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(buf_text(&out), "A=1\n");
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void a_pipe_that_does_not_end_is_waited_for_until_the_deadline(void **state)
{
    (void)state;
    struct err err = refused(fifo, clock_in_ms(SHORT_MS), OUT_BYTES);
    assert_text_has(err.text, "its end did not come in time");
    assert_text_has(err.hint, "--timeout");
    AUTO_FD reader = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    AUTO_FD writer = open(fifo, O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(writer, "A=", 2), 2);
    err = refused(fifo, clock_in_ms(SHORT_MS), OUT_BYTES);
    assert_text_has(err.text, "its end did not come in time");
}

static void more_than_there_may_be_is_refused(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    AUTO_FD fd = filled_pipe(11);
    (void)snprintf(path, sizeof path, "/dev/fd/%d", fd);
    assert_text_has(refused(path, clock_in_ms(SOON_MS), 10).text, "longer than 10 bytes");
}

static void a_fifo_that_others_may_write_to_is_refused(void **state)
{
    (void)state;
    assert_int_equal(chmod(fifo, 0622), 0);
    struct err err = refused(fifo, clock_in_ms(SOON_MS), OUT_BYTES);
    assert_int_equal(chmod(fifo, 0600), 0);
    assert_text_has(err.text, "can be written to by others (mode 0622)");
    assert_text_has(err.hint, "chmod go-w");
}

static void devices_and_folders_are_refused(void **state)
{
    (void)state;
    assert_text_has(refused("/dev/null", CLOCK_NEVER, OUT_BYTES).text,
                    "is a device, not a file or a pipe");
    assert_text_has(refused(folder, CLOCK_NEVER, OUT_BYTES).text, "is a folder");
}

static void what_is_no_file_is_in_the_working_folder(void **state)
{
    static const char *const streams[] = {"-", "/dev/stdin", "/dev/fd/63", "/proc/self/fd/0", fifo};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
        AUTO_FREE char *made = file_input_folder(streams[i]);
        assert_string_equal(made, ".");
    }
    AUTO_FREE char *memory = file_input_folder("/dev/shm/contract.json");
    assert_string_equal(memory, "/dev/shm");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pipe_is_read_to_its_end),
        cmocka_unit_test(a_hyphen_is_standard_input),
        cmocka_unit_test(the_writer_of_a_fifo_is_waited_for),
        cmocka_unit_test(a_pipe_that_does_not_end_is_waited_for_until_the_deadline),
        cmocka_unit_test(more_than_there_may_be_is_refused),
        cmocka_unit_test(a_fifo_that_others_may_write_to_is_refused),
        cmocka_unit_test(devices_and_folders_are_refused),
        cmocka_unit_test(what_is_no_file_is_in_the_working_folder),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
