/* A secret typed at a terminal: a child has one of its own, and the test sits at it. */
#include "tests/lib/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/terminal.h"

enum { SHOWN_BYTES = 4096, WAIT_MS = 30 * 1000 };

/* What the child ended with: what terminal_ask gave, or the kind of its error. */
enum { TYPED = 100, SOMETHING_ELSE = 101, NO_TERMINAL = 102 };

struct seat {
    int fd; /* the terminal's other end */
    pid_t pid;
    char shown[SHOWN_BYTES];
    size_t length;
};

static int ask(bool twice, int64_t deadline_ms, const char *expected)
{
    struct secret typed = SECRET_INIT;
    struct err err = ERR_INIT;

    if (terminal_ask("the word", twice, deadline_ms, &typed, &err) != 0)
        return (int)err.kind;
    return expected && strcmp(secret_reveal(&typed), expected) == 0 ? TYPED : SOMETHING_ELSE;
}

static struct seat sit_down(bool twice, int64_t deadline_ms, const char *expected)
{
    struct seat seat = {.fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};

    assert_true(seat.fd >= 0);
    assert_int_equal(grantpt(seat.fd), 0);
    assert_int_equal(unlockpt(seat.fd), 0);
    seat.pid = fork();
    assert_true(seat.pid >= 0);
    if (seat.pid > 0)
        return seat;
    /* the first terminal that a new session opens becomes its own */
    if (setsid() < 0 || open(ptsname(seat.fd), O_RDWR | O_CLOEXEC) < 0)
        _exit(NO_TERMINAL);
    _exit(ask(twice, deadline_ms, expected));
}

static void read_until(struct seat *seat, const char *words)
{
    while (!strstr(seat->shown, words)) {
        ssize_t n = read(seat->fd, seat->shown + seat->length, SHOWN_BYTES - 1 - seat->length);
        if (n < 0)
            fail_msg("the terminal ended; it shows: %s", seat->shown);
        seat->length += (size_t)n;
        seat->shown[seat->length] = '\0';
    }
}

static void type(const struct seat *seat, const char *text)
{
    assert_int_equal(write(seat->fd, text, strlen(text)), (ssize_t)strlen(text));
}

static int stand_up(struct seat *seat)
{
    int status;

    assert_int_equal(waitpid(seat->pid, &status, 0), seat->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(close(seat->fd), 0);
    return WEXITSTATUS(status);
}

static void a_line_is_taken_and_not_shown(void **state)
{
    struct seat seat = sit_down(false, clock_in_ms(WAIT_MS), "canary word");
    struct termios now;

    (void)state;
    read_until(&seat, "the word: ");
    assert_int_equal(tcgetattr(seat.fd, &now), 0);
    assert_int_equal(now.c_lflag & ECHO, 0);
    type(&seat, "canary word\n");
    read_until(&seat, "\n");
    assert_int_equal(stand_up(&seat), TYPED);
    assert_text_lacks(seat.shown, "canary");
}

static void what_is_new_is_asked_for_twice(void **state)
{
    (void)state;
    struct seat seat = sit_down(true, clock_in_ms(WAIT_MS), "one");
    read_until(&seat, "the word: ");
    type(&seat, "one\n");
    read_until(&seat, "the word, again: ");
    type(&seat, "one\n");
    assert_int_equal(stand_up(&seat), TYPED);

    seat = sit_down(true, clock_in_ms(WAIT_MS), "one");
    read_until(&seat, "the word: ");
    type(&seat, "one\n");
    read_until(&seat, "the word, again: ");
    type(&seat, "two\n");
    assert_int_equal(stand_up(&seat), ERR_USAGE);
}

static void nothing_typed_a_time_that_is_over_and_ctrl_c_are_errors(void **state)
{
    (void)state;
    struct seat seat = sit_down(false, clock_in_ms(WAIT_MS), NULL);
    read_until(&seat, "the word: ");
    type(&seat, "\n");
    assert_int_equal(stand_up(&seat), ERR_USAGE);

    seat = sit_down(false, clock_in_ms(1), NULL);
    assert_int_equal(stand_up(&seat), ERR_USAGE);

    seat = sit_down(false, clock_in_ms(WAIT_MS), NULL);
    read_until(&seat, "the word: ");
    type(&seat, "\x03");
    assert_int_equal(stand_up(&seat), ERR_STOPPED);
}

static void without_a_terminal_nobody_is_asked(void **state)
{
    int status;
    pid_t pid = fork();

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(setsid() < 0 ? NO_TERMINAL : ask(false, CLOCK_NEVER, NULL));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_taken_and_not_shown),
        cmocka_unit_test(what_is_new_is_asked_for_twice),
        cmocka_unit_test(nothing_typed_a_time_that_is_over_and_ctrl_c_are_errors),
        cmocka_unit_test(without_a_terminal_nobody_is_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
