/* terminal.c: see base/terminal.h. */
#include "base/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/stop.h"

#define TERMINAL "/dev/tty"

enum { PROMPT_BYTES = 512 };

/* -1: for ever, or until a signal. */
static int poll_ms(int64_t deadline_ms)
{
    int64_t left = clock_left_ms(deadline_ms);

    return deadline_ms == CLOCK_NEVER ? -1 : left > INT_MAX ? INT_MAX : (int)left;
}

static int wait_for_line(int fd, int64_t deadline_ms, struct err *err)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = stop_fd(), .events = POLLIN}};
        int ready = poll(fds, ARRAY_LEN(fds), poll_ms(deadline_ms));
        if (stop_requested())
            return stop_error(err);
        if (ready < 0 && errno != EINTR)
            return err_errno(err, ERR_RESOURCE, "wait for the terminal");
        if (ready > 0)
            return 0;
        if (ready == 0 && clock_passed(deadline_ms))
            return err_set(err, ERR_USAGE, "nothing was typed in the time of --timeout");
    }
}

/* One line, without its newline. */
static int read_line(int fd, int64_t deadline_ms, struct buf *line, struct err *err)
{
    for (;;) {
        if (wait_for_line(fd, deadline_ms, err) != 0)
            return -1;
        char *room = buf_reserve(line, TERMINAL_LINE_BYTES + 1 - line->len);
        if (!room)
            return err_nomem(err);
        ssize_t n = read(fd, room, TERMINAL_LINE_BYTES + 1 - line->len);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return err_errno(err, ERR_RESOURCE, "read from the terminal");
        buf_commit(line, (size_t)n);
        bool ended = n == 0 || line->data[line->len - 1] == '\n';
        if (!ended && line->len <= TERMINAL_LINE_BYTES)
            continue;
        if (line->len > 0 && line->data[line->len - 1] == '\n')
            line->len--;
        if (line->len == 0)
            return err_set(err, ERR_USAGE, "nothing was typed");
        if (line->len < TERMINAL_LINE_BYTES)
            return 0;
        err_set(err, ERR_USAGE, "a typed line has less than %d bytes", TERMINAL_LINE_BYTES);
        return err_hint(err, "Give it as a file.");
    }
}

static int ask_once(int fd, const char *what, const char *again, int64_t deadline_ms,
                    struct secret *out, struct err *err)
{
    AUTO_BUF line = BUF_INIT(TERMINAL_LINE_BYTES + 1), prompt = BUF_INIT(PROMPT_BYTES);

    buf_addf(&prompt, "%s%s: ", what, again);
    if (buf_check(&prompt, ERR_USAGE, "the question", err) != 0 ||
        file_write_all(fd, TERMINAL, prompt.data, prompt.len, err) != 0)
        return -1;
    int result = read_line(fd, deadline_ms, &line, err);
    struct err unseen = ERR_INIT; /* the newline that was typed had no echo: looks only */
    if (file_write_all(fd, TERMINAL, "\n", 1, &unseen) != 0)
        err_clear(&unseen);
    return result != 0 ? -1 : secret_set(out, buf_text(&line), line.len, err);
}

static int ask_on(int fd, const char *what, bool twice, int64_t deadline_ms, struct secret *out,
                  struct err *err)
{
    AUTO_SECRET first = SECRET_INIT, second = SECRET_INIT;

    if (ask_once(fd, what, "", deadline_ms, &first, err) != 0 ||
        (twice && ask_once(fd, what, ", again", deadline_ms, &second, err) != 0))
        return -1;
    if (twice && !secret_equal(&first, &second))
        return err_set(err, ERR_USAGE, "what was typed the second time is not the same");
    *out = first;
    first = SECRET_INIT;
    return 0;
}

/* Without echo, and without the keys that would stop the process in the middle (their signals are
 * not among those that wait). */
static int ask_silently(int fd, const char *what, bool twice, int64_t deadline_ms,
                        struct secret *out, struct err *err)
{
    struct termios before, silent;

    if (tcgetattr(fd, &before) != 0)
        return err_errno(err, ERR_USAGE, "look at the terminal");
    silent = before;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    silent.c_lflag |= ICANON | ISIG;
    silent.c_cc[VSUSP] = silent.c_cc[VQUIT] = _POSIX_VDISABLE;
    if (tcsetattr(fd, TCSAFLUSH, &silent) != 0)
        return err_errno(err, ERR_USAGE, "turn the terminal's echo off");
    int result = ask_on(fd, what, twice, deadline_ms, out, err);
    if (tcsetattr(fd, TCSAFLUSH, &before) != 0 && result == 0) {
        secret_release(out);
        return err_errno(err, ERR_USAGE, "turn the terminal's echo on again: run 'stty sane'");
    }
    return result;
}

int terminal_ask(const char *what, bool twice, int64_t deadline_ms, struct secret *out,
                 struct err *err)
{
    AUTO_FD fd = open(TERMINAL, O_RDWR | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return err_errno(err, ERR_USAGE, "ask for %s: open '" TERMINAL "'", what);
    if (stop_begin(err) != 0)
        return -1;
    int result = ask_silently(fd, what, twice, deadline_ms, out, err);
    stop_end();
    return result != 0 && err->kind != ERR_STOPPED ? err_wrap(err, "ask for %s", what) : result;
}
