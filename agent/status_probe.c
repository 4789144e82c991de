/* agent/status_probe.c: run.status, asked from outside: `run --probe`. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/status.h"
#include "base/clock.h"
#include "base/str.h"

enum { PIECE_BYTES = 4096, CODE_DIGITS = 3, QUEUE_WAIT_MS = 20 };

#define VERSION "HTTP/1.1 "

static int fail(struct err *err, const char *tried)
{
    return err_errno(err, ERR_FILE, "%s", tried);
}

/* Wait for EVENTS. -1: errno, ETIMEDOUT when the deadline passed. */
static int wait_for(int fd, short events, int64_t deadline_ms)
{
    struct pollfd one = {.fd = fd, .events = events};

    for (;;) {
        int64_t left = clock_left_ms(deadline_ms);
        int ready = poll(&one, 1, left > INT32_MAX ? -1 : (int)left);
        if (ready > 0)
            return 0;
        if (ready == 0)
            errno = ETIMEDOUT;
        if (ready == 0 || errno != EINTR)
            return -1;
    }
}

static int connect_to(int fd, const struct endpoint *where, int64_t deadline_ms, struct err *err)
{
    int reason = 0;
    socklen_t length = sizeof reason;

    const struct sockaddr *address = (const struct sockaddr *)&where->address;
    int result = connect(fd, address, where->length);
    /* A unix socket whose queue is full says so, where TCP's waits. */
    while (result != 0 && errno == EAGAIN && !clock_passed(deadline_ms)) {
        clock_sleep_ms(QUEUE_WAIT_MS);
        result = connect(fd, address, where->length);
    }
    if (result == 0)
        return 0;
    if (errno != EINPROGRESS)
        return fail(err, "connect");
    if (wait_for(fd, POLLOUT, deadline_ms) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &length) != 0)
        return fail(err, "connect");
    errno = reason;
    return reason == 0 ? 0 : fail(err, "connect");
}

static int ask(int fd, const char *path, int64_t deadline_ms, struct err *err)
{
    AUTO_BUF request = BUF_INIT(PIECE_BYTES);

    buf_addf(&request, "GET %s HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n", path);
    if (buf_check(&request, ERR_USAGE, "the request", err) != 0)
        return -1;
    for (size_t sent = 0; sent < request.len;) {
        ssize_t n = send(fd, request.data + sent, request.len - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN && wait_for(fd, POLLOUT, deadline_ms) == 0)
            continue;
        if (n < 0 && errno != EINTR)
            return fail(err, "send");
        sent += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int read_answer(int fd, int64_t deadline_ms, struct buf *answer, struct err *err)
{
    for (;;) {
        char piece[PIECE_BYTES];
        ssize_t n = recv(fd, piece, sizeof piece, 0);
        if (n == 0)
            return buf_check(answer, ERR_FILE, "the answer", err);
        if (n > 0)
            buf_add(answer, piece, (size_t)n);
        else if (errno == EAGAIN && wait_for(fd, POLLIN, deadline_ms) != 0)
            return fail(err, "wait for the answer");
        else if (errno != EAGAIN && errno != EINTR)
            return fail(err, "read the answer");
        if (answer->too_long || answer->no_memory)
            return buf_check(answer, ERR_FILE, "the answer", err);
    }
}

/* The status of ANSWER, whose body is put into OUT. */
static int read_status(const struct buf *answer, struct buf *out, struct err *err)
{
    const char *text = buf_text(answer);
    const char *body = memmem(text, answer->len, "\r\n\r\n", 4);
    int64_t code;

    if (!body || !str_starts(text, VERSION) ||
        str_to_int64(text + strlen(VERSION), CODE_DIGITS, &code) != 0)
        return err_set(err, ERR_FILE, "what answered is no HTTP server");
    body += strlen("\r\n\r\n");
    buf_add(out, body, answer->len - (size_t)(body - text));
    return (int)code;
}

int status_probe(const struct endpoint *where, const char *path, int64_t deadline_ms,
                 struct buf *out, struct err *err)
{
    AUTO_BUF answer = BUF_INIT(STATUS_ANSWER_BYTES);
    AUTO_FD fd = socket(where->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return err_errno(err, ERR_RESOURCE, "make a socket");
    if (connect_to(fd, where, deadline_ms, err) != 0 || ask(fd, path, deadline_ms, err) != 0 ||
        read_answer(fd, deadline_ms, &answer, err) != 0)
        return -1;
    return read_status(&answer, out, err);
}
