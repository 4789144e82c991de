/* bootstrap/db_resolve.c: names to addresses within a deadline, and the child that makes it so.
 *
 * getaddrinfo() blocks for as long as the resolver likes (5 s a server and try by default, and other
 * NSS modules have rules of their own); a thread could not be ended. So a name is resolved in a forked
 * child that is killed when time has run out. Addresses written as such need no child. We resolve by
 * ourselves, and give libpq hostaddr, so that a name that is not there, a port where nobody listens
 * and a dead first address of three are told apart. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/stop.h"
#include "base/str.h"
#include "bootstrap/db_internal.h"

enum { CHILD_OUTPUT_BYTES = 4096, POLL_SLICE_MS = 60 * 1000 };

int db_wait(int fd, bool writing, int64_t deadline_ms)
{
    return db_wait_two(fd, writing, -1, false, deadline_ms);
}

int db_wait_two(int fd, bool writing, int other, bool other_writing, int64_t deadline_ms)
{
    for (;;) {
        int64_t left = clock_left_ms(deadline_ms);
        if (left == 0) /* also where there is always something to read: notices without end */
            return 0;
        if (stop_requested()) {
            errno = ECANCELED;
            return -1;
        }
        struct pollfd watched[] = {
            {.fd = fd, .events = (short)(POLLIN | (writing ? POLLOUT : 0))},
            {.fd = other, .events = (short)(POLLIN | (other_writing ? POLLOUT : 0))},
            {.fd = stop_fd(), .events = POLLIN},
        };
        int ready = poll(watched, ARRAY_LEN(watched),
                         left > POLL_SLICE_MS ? POLL_SLICE_MS : (int)left);
        int which = (watched[0].revents ? DB_READY : 0) | (watched[1].revents ? DB_OTHER_READY : 0);
        if (ready > 0 && which != 0)
            return which;
        if (ready < 0 && errno != EINTR)
            return -1;
    }
}

/* 0 at the end of the child's output, 1 when time has run out. */
static int read_to_end(int fd, int64_t deadline_ms, struct buf *out, struct err *err)
{
    for (;;) {
        int ready = db_wait(fd, false, deadline_ms);
        if (ready < 0)
            return err_errno(err, ERR_RESOURCE, "poll a helper's pipe");
        if (ready == 0)
            return 1;
        char bytes[512];
        ssize_t n = read(fd, bytes, sizeof(bytes));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, ERR_RESOURCE, "read a helper's pipe");
        if (n == 0)
            return 0;
        buf_add(out, bytes, (size_t)n);
    }
}

int db_in_child(void (*work)(void *argument, int fd), void *argument, int64_t deadline_ms,
                struct buf *out, struct err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(err, ERR_RESOURCE, "make a pipe");
    AUTO_FD reading = ends[0];
    AUTO_FD writing = ends[1];
    pid_t child = fork();
    if (child < 0)
        return err_errno(err, ERR_RESOURCE, "fork");
    if (child == 0) {
        work(argument, writing);
        _exit(0);
    }
    (void)close(TAKE_FD(writing)); /* ours; the child's is what ends the reading */
    int result = read_to_end(reading, deadline_ms, out, err);
    if (result != 0)
        (void)kill(child, SIGKILL); /* it is ours and not reaped yet: the id is still its own */
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    return result;
}

static void write_line(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, text, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* nobody reads any more: there is nobody to tell either */
        text += n;
        length -= (size_t)n;
    }
}

struct wanted {
    const char *host;
};

/* In the child: an address a line, or "!CODE ERRNO". */
static void look_up(void *argument, int fd)
{
    const struct wanted *name = argument;
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
    struct addrinfo *found = NULL;
    char line[NI_MAXHOST + 2];
    int code = getaddrinfo(name->host, NULL, &wanted, &found);
    if (code != 0) {
        int n = snprintf(line, sizeof(line), "!%d %d\n", code, errno);
        write_line(fd, line, (size_t)n);
        return;
    }
    size_t count = 0;
    for (const struct addrinfo *a = found; a && count < DB_MAX_ADDRESSES; a = a->ai_next) {
        char text[DB_ADDRESS_BYTES];
        if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) !=
            0)
            continue;
        int n = snprintf(line, sizeof(line), "%s\n", text);
        write_line(fd, line, (size_t)n);
        count++;
    }
    freeaddrinfo(found);
}

static void address_add(struct db_addresses *to, const char *text, size_t length)
{
    if (to->count >= DB_MAX_ADDRESSES || length == 0 || length >= DB_ADDRESS_BYTES)
        return;
    memcpy(to->list[to->count], text, length);
    to->list[to->count++][length] = '\0';
}

static int unresolved(const char *host, const char *place, int code, int system_errno,
                      struct err *err)
{
    const char *words = code == EAI_SYSTEM ? strerror(system_errno) : gai_strerror(code);
    err_set(err, ERR_DB_DOWN, "%s: name resolution: '%s': %s", place, host, words);
    err->step = "resolve";
    err->sys_errno = code == EAI_AGAIN ? EAGAIN : system_errno;
    return err_hint(err, code == EAI_AGAIN
                             ? "The name server did not answer: is there a network yet?"
                             : "Is the host's name right, and known where this runs?");
}

/* The child's lines into OUT. */
static int read_addresses(const char *host, const char *place, const char *lines,
                          struct db_addresses *out, struct err *err)
{
    struct db_addresses found = {0};
    if (lines[0] == '!') {
        int64_t code = 0, system_errno = 0;
        const char *blank = strchr(lines, ' ');
        size_t end = strcspn(lines, "\n");
        if (blank && str_to_int64(lines + 1, (size_t)(blank - lines) - 1, &code) == 0 &&
            str_to_int64(blank + 1, end - (size_t)(blank + 1 - lines), &system_errno) == 0)
            return unresolved(host, place, (int)code, (int)system_errno, err);
        return unresolved(host, place, EAI_FAIL, 0, err);
    }
    for (const char *line = lines; *line;) {
        size_t length = strcspn(line, "\n");
        address_add(&found, line, length);
        line += line[length] ? length + 1 : length;
    }
    if (found.count == 0)
        return unresolved(host, place, EAI_NODATA, 0, err);
    *out = found;
    return 0;
}

int db_resolve(const char *host, const char *place, int64_t deadline_ms, struct db_addresses *out,
               struct err *err)
{
    struct db_addresses found = {0};
    struct in6_addr binary;
    if (host[0] == '/' || host[0] == '@' || host[0] == '\0') {
        *out = found;
        return 0;
    }
    if (inet_pton(AF_INET, host, &binary) == 1 || strchr(host, ':')) {
        address_add(&found, host, strlen(host));
        *out = found;
        return 0;
    }
    AUTO_BUF lines = BUF_INIT(CHILD_OUTPUT_BYTES);
    int64_t started = clock_now_ms();
    int result = db_in_child(look_up, &(struct wanted){host}, deadline_ms, &lines, err);
    if (result < 0)
        return err_wrap(err, "%s: name resolution", place);
    if (result > 0) {
        err_set(err, ERR_DB_DOWN, "%s: name resolution: no answer for '%s' within %lld ms", place,
                host, (long long)(clock_now_ms() - started));
        err->step = "resolve";
        err->sys_errno = ETIMEDOUT;
        return err_hint(err, "The name server does not answer: look at /etc/resolv.conf.");
    }
    if (buf_check(&lines, ERR_DB_DOWN, "the list of addresses", err) != 0)
        return err_wrap(err, "%s: name resolution", place);
    return read_addresses(host, place, buf_text(&lines), out, err);
}
