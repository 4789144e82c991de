/* References of every kind → values. Those of Vault are in vault_wire and vault_live. */
#include "tests/lib/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "vault/source.h"

static char folder[] = "/tmp/agent-test-source.XXXXXX";

static const char *const environment[] = {
    "PATH=/usr/bin:/bin", "HOME=/nowhere",      "NAME=value", "EMPTY=",
    "NAME=second",        "VAULT_TOKEN=canary", NULL};

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void write_file(const char *name, const char *bytes, size_t length, mode_t mode)
{
    AUTO_FREE char *path = file_join(folder, name);
    AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(write(fd, bytes, length), (ssize_t)length);
}

static void remove_file(const char *name)
{
    AUTO_FREE char *path = file_join(folder, name);

    (void)unlink(path);
}

/* Resolve one reference; the request stays valid after the set is gone but for its lease. */
static int resolve(struct source_request *request, struct err *err)
{
    struct source_set *set = NULL;
    struct err ignored = ERR_INIT;

    assert_int_equal(source_set_new(NULL, environment, &set, &ignored), 0);
    int result = source_resolve(set, request, 1, clock_in_ms(30000), err);
    assert_null(source_vault(set)); /* nothing here needs one */
    source_set_free(set);
    return result;
}

static void assert_set(struct source_request request, const char *expected)
{
    struct err err = ERR_INIT;

    if (resolve(&request, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(request.state, SOURCE_SET);
    assert_string_equal(secret_reveal(&request.value), expected);
    assert_int_equal(request.err.kind, ERR_NONE);
    secret_release(&request.value);
}

static struct err not_set(struct source_request request, enum source_state state)
{
    struct err err = ERR_INIT;

    assert_int_equal(resolve(&request, &err), state == SOURCE_FAILED ? -1 : 0);
    assert_int_equal(request.state, state);
    assert_false(secret_is_set(&request.value));
    assert_true(strlen(request.err.text) > 0);
    assert_text_lacks(request.err.text, "canary");
    if (state == SOURCE_FAILED)
        assert_text_has(err.text, "VARIABLE: ");
    return request.err;
}

static struct source_request env(const char *name)
{
    return (struct source_request){.ref = {.kind = REF_ENV, .path = name}, .variable = "VARIABLE"};
}

static struct source_request file(const char *path)
{
    return (struct source_request){.ref = {.kind = REF_FILE, .path = path, .folder = folder},
                                   .variable = "VARIABLE"};
}

static struct source_request command(const char *const *argv)
{
    return (struct source_request){.ref = {.kind = REF_COMMAND, .argv = argv, .folder = folder},
                                   .variable = "VARIABLE"};
}

static void a_variable_is_taken_as_it_is_the_first_of_its_name(void **state)
{
    (void)state;
    assert_set(env("NAME"), "value");
    assert_set(env("EMPTY"), "");
    assert_text_has(not_set(env("ABSENT"), SOURCE_ABSENT).text, "ABSENT");
    assert_text_has(not_set(env("NAM"), SOURCE_ABSENT).text, "NAM");
    struct source_request own = {.ref = {.kind = REF_ENV}, .variable = "NAME"};
    assert_set(own, "value");
}

static void a_file_loses_one_newline_at_its_end(void **state)
{
    (void)state;
    write_file("f", "a\nb\n\n", 5, 0600);
    assert_set(file("f"), "a\nb\n");
    write_file("f", "a", 1, 0600);
    assert_set(file("f"), "a");
    write_file("f", "\n", 1, 0600);
    assert_set(file("f"), "");
    write_file("f", "", 0, 0600);
    assert_set(file("f"), "");
    remove_file("f");
}

static void a_file_that_is_not_there_is_absent_and_one_that_cannot_be_used_has_failed(void **state)
{
    static char large[SOURCE_FILE_MAX_BYTES + 1];

    (void)state;
    assert_int_equal(not_set(file("absent"), SOURCE_ABSENT).kind, ERR_SOURCE_MISSING);
    assert_text_has(not_set(file("/"), SOURCE_FAILED).text, "neither a file nor a pipe");
    assert_text_has(not_set(file("/dev/null"), SOURCE_FAILED).text, "neither a file nor a pipe");
    write_file("f", "can\0ary", 7, 0600);
    assert_text_has(not_set(file("f"), SOURCE_FAILED).text, "NUL");
    memset(large, 'a', sizeof large);
    write_file("f", large, sizeof large, 0600);
    assert_text_has(not_set(file("f"), SOURCE_FAILED).text, "longer than");
    remove_file("f");
}

static void a_pipe_is_read_to_its_end(void **state)
{
    AUTO_FREE char *path = file_join(folder, "pipe");

    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    AUTO_FD fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(write(fd, "piped\n", 6), 6);
    int writer = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(writer >= 0);
    (void)close(TAKE_FD(fd)); /* its bytes stay while the writer is there */
    pid_t pid = fork();
    if (pid == 0) { /* the last writer, which goes away a little later */
        (void)usleep(1000);
        _exit(0);
    }
    (void)close(writer);
    assert_set(file("pipe"), "piped");
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(unlink(path), 0);
}

static void a_command_gives_what_it_puts_out(void **state)
{
    static const char *const hello[] = {"printf", "two\nlines\n", NULL};
    static const char *const where[] = {"pwd", NULL};

    (void)state;
    assert_set(command(hello), "two\nlines");
    assert_set(command(where), folder);
}

static void a_command_sees_nothing_of_vaults_credentials(void **state)
{
    static const char *const argv[] = {"env", NULL};

    (void)state;
    assert_set(command(argv), "PATH=/usr/bin:/bin\nHOME=/nowhere");
}

static void a_command_that_fails_is_told_with_its_last_words(void **state)
{
    static const char script[] =
        "#!/bin/sh\necho canary\necho first >&2\necho 'the vault is shut' >&2\n"
        "exit 3\n";
    static const char *const argv[] = {"./hook", NULL}, *const absent[] = {"no-such-command", NULL};
    static const char *const nul[] = {"printf", "a\\0b", NULL};

    (void)state;
    write_file("hook", script, sizeof script - 1, 0700);
    struct err err = not_set(command(argv), SOURCE_FAILED);
    assert_text_has(err.text, "./hook");
    assert_text_has(err.text, "exited with 3");
    assert_text_has(err.text, "the vault is shut");
    assert_text_lacks(err.text, "first");
    assert_int_equal(err.kind, ERR_SOURCE_DATA);
    write_file("hook", script, sizeof script - 1, 0722);
    assert_int_equal(not_set(command(argv), SOURCE_FAILED).kind, ERR_FILE);
    remove_file("hook");
    assert_text_has(not_set(command(absent), SOURCE_FAILED).text, "no-such-command");
    assert_text_has(not_set(command(nul), SOURCE_FAILED).text, "NUL");
}

static void a_command_has_a_ceiling_and_a_deadline(void **state)
{
    static const char *const endless[] = {"yes", NULL}, *const slow[] = {"sleep", "60", NULL};
    struct source_request request = command(slow);
    struct source_set *set = NULL;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(not_set(command(endless), SOURCE_FAILED).kind, ERR_SOURCE_DATA);
    assert_int_equal(source_set_new(NULL, environment, &set, &err), 0);
    assert_int_equal(source_resolve(set, &request, 1, clock_in_ms(50), &err), -1);
    assert_int_equal(err.kind, ERR_SOURCE_DOWN);
    assert_text_has(err.text, "VARIABLE: the source's command: 'sleep' ran out of time");
    source_set_free(set);
}

static void none_is_absent_and_so_is_a_name_without_a_sealed_store(void **state)
{
    const struct source_request none = {.ref = {.kind = REF_NONE}, .variable = "VARIABLE"};
    const struct source_request sealed = {.ref = {.kind = REF_SEALED, .path = "X"},
                                          .variable = "VARIABLE"};
    (void)state;
    (void)not_set(none, SOURCE_ABSENT);
    assert_int_equal(setenv("AGENT_SEALED", "/no/such/store", 1), 0);
    struct err err = not_set(sealed, SOURCE_ABSENT);
    assert_text_has(err.text, "/no/such/store");
    assert_text_has(err.hint, "agent seal init");
    assert_int_equal(unsetenv("AGENT_SEALED"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_variable_is_taken_as_it_is_the_first_of_its_name),
        cmocka_unit_test(a_file_loses_one_newline_at_its_end),
        cmocka_unit_test(a_file_that_is_not_there_is_absent_and_one_that_cannot_be_used_has_failed),
        cmocka_unit_test(a_pipe_is_read_to_its_end),
        cmocka_unit_test(a_command_gives_what_it_puts_out),
        cmocka_unit_test(a_command_sees_nothing_of_vaults_credentials),
        cmocka_unit_test(a_command_that_fails_is_told_with_its_last_words),
        cmocka_unit_test(a_command_has_a_ceiling_and_a_deadline),
        cmocka_unit_test(none_is_absent_and_so_is_a_name_without_a_sealed_store),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
