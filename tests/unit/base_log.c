/* tests/unit/base_log.c: what arrives at stderr, and what happens when it does not take it. */
#include "tests/lib/unit.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/redact.h"
#include "tests/lib/heap.h"

enum { TEXT_BYTES = 256 * 1024, PATIENCE_MS = 60 * 1000 };

static int kept_stderr;
static int captured = -1;
static char text[TEXT_BYTES];

static void capture(void)
{
    captured = memfd_create("stderr", MFD_CLOEXEC);
    assert_true(captured >= 0);
    assert_int_equal(dup2(captured, STDERR_FILENO), STDERR_FILENO);
}

/* What came since capture(). Stderr is the old one again. */
static const char *logged(void)
{
    assert_int_equal(dup2(kept_stderr, STDERR_FILENO), STDERR_FILENO);
    ssize_t n = pread(captured, text, sizeof(text) - 1, 0);
    assert_true(n >= 0);
    text[n] = '\0';
    assert_int_equal(close(captured), 0);
    return text;
}

static int begin(void **state)
{
    (void)state;
    kept_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    log_setup(LOG_TEXT, LOG_INFO, false);
    return kept_stderr >= 0 ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    (void)dup2(kept_stderr, STDERR_FILENO); /* a failed test may have left the capture in place */
    return close(kept_stderr);
}

static void a_line_is_level_message_and_pairs(void **state)
{
    (void)state;
    capture();
    log_line(LOG_WARN, "waiting for the lock", "pid", "17", "left_out", NULL, "for", "5s", NULL);
    assert_string_equal(logged(), "warn waiting for the lock pid=17 for=5s\n");
}

static void values_with_blanks_and_quotes_are_quoted(void **state)
{
    (void)state;
    capture();
    log_line(LOG_INFO, "m", "a", "two words", "b", "say \"x\"", "c", "", "d", "k=v", NULL);
    assert_string_equal(logged(), "info m a=\"two words\" b=\"say \\\"x\\\"\" c=\"\" d=\"k=v\"\n");
}

static void lines_below_the_level_are_left_out(void **state)
{
    (void)state;
    capture();
    log_line(LOG_DEBUG, "detail", NULL);
    log_setup(LOG_TEXT, LOG_DEBUG, false);
    log_line(LOG_DEBUG, "wanted", NULL);
    log_setup(LOG_TEXT, LOG_ERROR, false);
    log_msg(LOG_WARN, "not %s", "wanted");
    assert_true(log_enabled(LOG_ERROR));
    assert_false(log_enabled(LOG_WARN));
    assert_string_equal(logged(), "debug wanted\n");
}

static void foreign_bytes_make_no_line_and_no_escape_sequence(void **state)
{
    (void)state;
    capture();
    log_line(LOG_INFO, "evil\nerror forged\x1b[2J", "k", "\r\xff\x7f", NULL);
    const char *out = logged();
    assert_string_equal(strchr(out, '\n'), "\n");
    assert_text_has(out, "\\x0aerror forged\\x1b[2J");
    assert_text_has(out, "\\x0d\\xff\\x7f");
}

static void json_is_an_object_per_line(void **state)
{
    (void)state;
    log_setup(LOG_JSON, LOG_INFO, true);
    capture();
    log_line(LOG_INFO, "a \"b\"", "k", "v\n", "left_out", NULL, NULL);
    const char *out = logged();
    assert_text_has(out, "{\"ts\":\"2");
    assert_text_has(out, "Z\",\"level\":\"info\",\"msg\":\"a \\\"b\\\"\",\"k\":\"v\\\\x0a\"}\n");
}

static void color_is_for_the_level_alone_and_only_when_asked_for(void **state)
{
    (void)state;
    log_setup(LOG_TEXT, LOG_INFO, true);
    capture();
    log_line(LOG_ERROR, "m", NULL);
    assert_string_equal(logged(), "\033[31merror\033[0m m\n");
}

static void an_error_has_its_place_and_its_hint_on_a_line_of_its_own(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    (void)err_set(&err, ERR_CONTRACT, "unknown type 'intt'");
    (void)err_at(&err, "contract.json", 12, 5);
    (void)err_hint(&err, "Did you mean 'int'?");
    capture();
    log_err(&err, 2);
    assert_string_equal(
        logged(), "error contract.json:12:5: unknown type 'intt'\nhint Did you mean 'int'?\n");
}

static void an_error_in_json_has_code_kind_and_where(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    (void)err_set(&err, ERR_DB_SQL, "syntax");
    (void)err_at(&err, "schema.sql", 3, 0);
    (void)err_sqlstate(&err, "42601");
    log_setup(LOG_JSON, LOG_INFO, false);
    capture();
    log_err(&err, 6);
    const char *out = logged();
    assert_text_has(out, "\"level\":\"error\",\"msg\":\"syntax\",\"code\":6,\"kind\":\"sql\","
                         "\"sqlstate\":\"42601\",\"file\":\"schema.sql\",\"line\":3}\n");
    assert_text_lacks(out, "hint");
    assert_text_lacks(out, "column");
}

static void an_error_is_never_blank_whatever_memory_is_left(void **state)
{
    (void)state;
    NEEDS_HEAP();
    struct err err = ERR_INIT;
    (void)err_set(&err, ERR_DB_SQL, "the text of the error");
    (void)err_hint(&err, "A hint.");
    static const enum log_format formats[] = {LOG_TEXT, LOG_JSON};
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        log_setup(formats[i], LOG_INFO, false);
        long left = -1;
        for (long k = 0; left < 0; k++) { /* one allocation fails: the line is put together again */
            capture();
            heap_fail_after(k);
            log_err(&err, 6);
            left = heap_successes;
            heap_fail_after(-1);
            assert_text_has(logged(), "the text of the error");
        }
    }
}

static void without_memory_the_kind_of_an_error_is_said(void **state)
{
    (void)state;
    NEEDS_HEAP();
    struct err err = ERR_INIT;
    (void)err_set(&err, ERR_DB_SQL, "canary");
    log_setup(LOG_TEXT, LOG_INFO, false);
    capture();
    heap_fail_from(0);
    log_err(&err, 6);
    heap_fail_after(-1);
    assert_string_equal(logged(),
                        "error the database answered a statement with an error; no memory "
                        "is left to say more (exit code 6, sql)\n");
    log_setup(LOG_JSON, LOG_INFO, false);
    capture();
    heap_fail_from(0);
    log_err(&err, 6);
    heap_fail_after(-1);
    assert_string_equal(logged(),
                        "{\"level\":\"error\",\"msg\":\"the database answered a statement "
                        "with an error; no memory is left to say more\",\"code\":6,"
                        "\"kind\":\"sql\"}\n");
}

static void secrets_are_taken_out_even_where_escapes_take_them_apart(void **state)
{
    (void)state;
    static const char value[] = "canary\"log\nline two";
    struct secret secret = secret_borrow(value, strlen(value));
    struct err err = ERR_INIT;
    assert_int_equal(redact_register(&secret, &err), 0);
    static const enum log_format formats[] = {LOG_TEXT, LOG_JSON};
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        log_setup(formats[i], LOG_INFO, false);
        capture();
        log_line(LOG_INFO, value, "k", value, NULL);
        log_msg(LOG_WARN, "<%s>", value);
        (void)err_set(&err, ERR_DEFECT, "origin said %s", value);
        log_err(&err, 9);
        const char *out = logged();
        assert_text_has(out, "origin said ***");
        assert_text_lacks(out, "canary");
        assert_text_lacks(out, "line two");
    }
}

static void a_long_value_is_cut_but_no_secret_with_it(void **state)
{
    (void)state;
    static char value[8000];
    memset(value, 'x', sizeof(value) - 1);
    static const char secret_text[] = "canary-at-the-cut";
    memcpy(value + 4090, secret_text, strlen(secret_text));
    struct secret secret = secret_borrow(secret_text, strlen(secret_text));
    struct err err = ERR_INIT;
    assert_int_equal(redact_register(&secret, &err), 0);
    capture();
    log_line(LOG_INFO, value, NULL);
    const char *out = logged();
    assert_true(strlen(out) < 4200);
    assert_text_has(out, "xxx...\n");
    assert_text_lacks(out, "canary");
}

static void a_full_pipe_drops_lines_and_says_how_many(void **state)
{
    (void)state;
    int ends[2];
    static char filling[64 * 1024];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0); /* a blocking one, as stderr is */
    AUTO_FD from = ends[0];
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    assert_int_equal(close(ends[1]), 0);
    int size = fcntl(from, F_GETPIPE_SZ);
    for (int i = 0; i < size; i += (int)sizeof(filling))
        assert_true(write(STDERR_FILENO, filling, sizeof(filling)) > 0);
    for (int i = 0; i < 3; i++)
        log_line(LOG_INFO, "lost", NULL);
    for (int i = 0; i < size; i += (int)sizeof(filling))
        assert_true(read(from, filling, sizeof(filling)) > 0);
    log_line(LOG_INFO, "back", NULL);
    assert_int_equal(dup2(kept_stderr, STDERR_FILENO), STDERR_FILENO);
    ssize_t n = read(from, text, sizeof(text) - 1);
    assert_true(n > 0);
    text[n] = '\0';
    assert_string_equal(
        text, "warn log lines were dropped, stderr did not take them count=3\ninfo back\n");
}

/* Stderr is a blocking descriptor: a write of more than there is room for would wait for ever. */
static void a_long_line_into_a_nearly_full_pipe_does_not_block(void **state)
{
    (void)state;
    int ends[2];
    static char value[4000], filling[PIPE_BUF];
    memset(value, 'v', sizeof(value) - 1);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    AUTO_FD from = ends[0];
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    assert_int_equal(close(ends[1]), 0);
    int pages = fcntl(from, F_GETPIPE_SZ) / PIPE_BUF;
    for (int i = 1; i < pages; i++)
        assert_int_equal(write(STDERR_FILENO, filling, sizeof(filling)), sizeof(filling));
    log_line(LOG_INFO, "long", "a", value, "b", value, NULL);
    for (int i = 1; i < pages; i++)
        assert_int_equal(read(from, filling, sizeof(filling)), sizeof(filling));
    log_line(LOG_INFO, "back", NULL);
    assert_int_equal(dup2(kept_stderr, STDERR_FILENO), STDERR_FILENO);
    ssize_t n = read(from, text, sizeof(text) - 1);
    assert_true(n > PIPE_BUF);
    text[n] = '\0';
    assert_text_has(text, "info long a=vvv"); /* torn, and what follows starts a line */
    assert_text_has(text, "vvv\nwarn log lines were dropped");
    assert_text_has(text, "count=1\ninfo back\n");
}

/* A terminal is a blocking descriptor too, and poll calls it ready with room for a byte: somebody holds
 * its output, or the connection behind it hangs. */
static void a_line_into_a_nearly_full_terminal_does_not_block(void **state)
{
    (void)state;
    static char value[4000], some[64];
    memset(value, 'v', sizeof(value) - 1);
    AUTO_FD terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0)
        skip();
    AUTO_FD line = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    AUTO_FD filler = open(ptsname(terminal), O_WRONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    assert_true(line >= 0 && filler >= 0);
    assert_int_equal(dup2(line, STDERR_FILENO), STDERR_FILENO);
    while (write(filler, "x", 1) == 1)
        ;
    struct pollfd room = {.fd = filler, .events = POLLOUT};
    while (poll(&room, 1, 0) == 0) /* what is read makes room a little later */
        (void)!read(terminal, some, sizeof(some));
    (void)alarm(PATIENCE_MS / 1000);
    log_line(LOG_INFO, "long", "a", value, "b", value, NULL);
    (void)alarm(0);
    assert_int_equal(dup2(kept_stderr, STDERR_FILENO), STDERR_FILENO);
    assert_int_equal(log_dropped() > 0, true);
    capture();
    log_line(LOG_INFO, "back", NULL);
    assert_text_has(logged(), "count=1\ninfo back\n");
}

static void a_reader_that_has_gone_is_no_end_of_ours(void **state)
{
    (void)state;
    int ends[2];
    void (*before)(int) = signal(SIGPIPE, SIG_IGN); /* proc_harden does it */
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    assert_int_equal(close(ends[1]), 0);
    log_line(LOG_INFO, "to nobody", NULL);
    capture();
    log_line(LOG_INFO, "back", NULL);
    assert_text_has(logged(), "count=1\ninfo back\n");
    (void)signal(SIGPIPE, before);
}

static void progress_is_quiet_for_two_seconds_and_then_for_ten(void **state)
{
    (void)state;
    struct log_progress p = {0};
    capture();
    assert_int_equal(log_progress_due_ms(&p), CLOCK_NEVER);
    log_progress(&p, "waiting for %s", "vault");
    assert_int_equal(log_progress_due_ms(&p), p.started_ms + 2000);
    p.started_ms -= 1900;
    log_progress(&p, "too early");
    p.started_ms -= 100;
    log_progress(&p, "waiting for %s", "vault");
    log_progress(&p, "too early again");
    assert_int_equal(log_progress_due_ms(&p), p.said_ms + 10000);
    p.said_ms -= 10000;
    log_progress(&p, "still waiting");
    log_progress_end(&p);
    assert_string_equal(logged(), "info waiting for vault\ninfo still waiting\n");
    assert_int_equal(p.started_ms, 0);
    log_progress(&p, "waiting");
    log_setup(LOG_TEXT, LOG_ERROR, false);
    assert_int_equal(log_progress_due_ms(&p),
                     CLOCK_NEVER); /* a line that is not shown is not due */
}

static void progress_on_a_terminal_is_one_line_that_is_rewritten(void **state)
{
    (void)state;
    AUTO_FD terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0)
        skip();
    AUTO_FD line = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(line >= 0);
    assert_int_equal(dup2(line, STDERR_FILENO), STDERR_FILENO);
    struct log_progress p = {.started_ms = clock_now_ms() - 3000};
    log_progress(&p, "3 of 10");
    log_line(LOG_INFO, "between", NULL);
    p.said_ms -= 1000;
    log_progress(&p, "9 of 10");
    log_progress_end(&p);
    assert_int_equal(dup2(kept_stderr, STDERR_FILENO), STDERR_FILENO);
    static const char expected[] = "\r\033[K3 of 10\r\033[Kinfo between\r\n\r\033[K9 of 10\r\033[K";
    size_t length = 0; /* a terminal hands over when it likes */
    struct pollfd ready = {.fd = terminal, .events = POLLIN};
    while (length < strlen(expected) && poll(&ready, 1, PATIENCE_MS) == 1) {
        ssize_t n = read(terminal, text + length, sizeof(text) - 1 - length);
        assert_true(n > 0);
        length += (size_t)n;
    }
    text[length] = '\0';
    assert_string_equal(text, expected);
}

#define CAPTURED(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CAPTURED(a_line_is_level_message_and_pairs),
        CAPTURED(values_with_blanks_and_quotes_are_quoted),
        CAPTURED(lines_below_the_level_are_left_out),
        CAPTURED(foreign_bytes_make_no_line_and_no_escape_sequence),
        CAPTURED(json_is_an_object_per_line),
        CAPTURED(color_is_for_the_level_alone_and_only_when_asked_for),
        CAPTURED(an_error_has_its_place_and_its_hint_on_a_line_of_its_own),
        CAPTURED(an_error_in_json_has_code_kind_and_where),
        CAPTURED(an_error_is_never_blank_whatever_memory_is_left),
        CAPTURED(without_memory_the_kind_of_an_error_is_said),
        CAPTURED(secrets_are_taken_out_even_where_escapes_take_them_apart),
        CAPTURED(a_long_value_is_cut_but_no_secret_with_it),
        CAPTURED(a_full_pipe_drops_lines_and_says_how_many),
        CAPTURED(a_long_line_into_a_nearly_full_pipe_does_not_block),
        CAPTURED(a_line_into_a_nearly_full_terminal_does_not_block),
        CAPTURED(a_reader_that_has_gone_is_no_end_of_ours),
        CAPTURED(progress_is_quiet_for_two_seconds_and_then_for_ten),
        CAPTURED(progress_on_a_terminal_is_one_line_that_is_rewritten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
