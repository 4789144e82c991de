/* tests/unit/agent_github.c: what the file of $GITHUB_ENV has afterwards, whatever it was before. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/github.h"
#include "base/file.h"

enum { TEXT_BYTES = 64 * 1024 };

static char path[] = "/tmp/agent-github-XXXXXX";

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 || close(fd) != 0 || setenv("GITHUB_ENV", path, 1) != 0 ? -1 : 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void put(const char *content)
{
    struct err err = ERR_INIT;
    assert_int_equal(file_replace(path, content, strlen(content), 0600, &err), 0);
}

static void assert_has(const char *content)
{
    AUTO_BUF text = BUF_INIT(TEXT_BYTES);
    struct err err = ERR_INIT;
    assert_int_equal(file_read_all(path, &text, &err), 0);
    assert_string_equal(buf_text(&text), content);
}

static int append(const char *text, struct err *err)
{
    AUTO_BUF masks = BUF_INIT(TEXT_BYTES), values = BUF_INIT(TEXT_BYTES);
    buf_adds(&values, text);
    return github_env_append(&masks, &values, err);
}

static void what_was_there_stays_before_it(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    put("");
    assert_int_equal(append("A<<x\n1\nx\n", &err), 0);
    assert_has("A<<x\n1\nx\n");
    assert_int_equal(append("B<<x\n2\nx\n", &err), 0);
    assert_has("A<<x\n1\nx\nB<<x\n2\nx\n");
}

static void a_last_line_without_an_end_gets_one(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    put("OLD=1");
    assert_int_equal(append("A<<x\n1\nx\n", &err), 0);
    assert_has("OLD=1\nA<<x\n1\nx\n");
}

static void a_write_that_fails_half_way_is_taken_back(void **state)
{
    (void)state;
    struct rlimit before, small = {8, RLIM_INFINITY};
    struct err err = ERR_INIT;
    put("OLD=1");
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int result = append("A<<x\n1\nx\n", &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(result, -1);
    assert_text_has(err.text, path);
    assert_has("OLD=1");
}

static void where_no_runner_is_the_error_says_so(void **state)
{
    (void)state;
    static const char *const none[] = {NULL, ""};
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        struct err err = ERR_INIT;
        assert_int_equal(none[i] ? setenv("GITHUB_ENV", none[i], 1) : unsetenv("GITHUB_ENV"), 0);
        assert_int_equal(github_env_check(&err), -1);
        assert_int_equal(err.kind, ERR_USAGE);
        assert_text_has(err.text, "GITHUB_ENV");
        assert_int_equal(append("A<<x\n1\nx\n", &err), -1);
    }
    assert_int_equal(setenv("GITHUB_ENV", path, 1), 0);
}

static void what_is_no_file_is_named(void **state)
{
    (void)state;
    static const char *const places[] = {"/no/such/file", "/dev/null", "/tmp"};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        struct err err = ERR_INIT;
        assert_int_equal(setenv("GITHUB_ENV", places[i], 1), 0);
        assert_int_equal(github_env_check(&err), -1);
        assert_int_equal(err.kind, ERR_FILE);
        assert_text_has(err.text, places[i]);
    }
    assert_int_equal(setenv("GITHUB_ENV", path, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_there_stays_before_it),
        cmocka_unit_test(a_last_line_without_an_end_gets_one),
        cmocka_unit_test(a_write_that_fails_half_way_is_taken_back),
        cmocka_unit_test(where_no_runner_is_the_error_says_so),
        cmocka_unit_test(what_is_no_file_is_named),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
