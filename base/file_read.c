/* file_read.c: files read whole; see base/file.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/internal.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"

#define STANDARD_INPUT "-"

enum {
    READ_CHUNK_BYTES = 64 * 1024,
    SAY_MS = 2000, /* what is waited for longer is said */
    LEAST_FD = 3,
};

struct reading {
    int fd;
    const char *name;
    bool in_time; /* each read is waited for, until deadline_ms and no longer */
    int64_t deadline_ms;
    bool said;
};

static int poll_ms(int64_t deadline_ms)
{
    int64_t left = clock_left_ms(deadline_ms);

    return deadline_ms == CLOCK_NEVER ? -1 : left > INT_MAX ? INT_MAX : (int)left;
}

/* Until there is something to read, be it the end. */
static int wait_in_time(struct reading *r, struct err *err)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = r->fd, .events = POLLIN},
                               {.fd = stop_fd(), .events = POLLIN}};
        int64_t until = r->said ? r->deadline_ms
                                : clock_earlier(r->deadline_ms, clock_in_ms(SAY_MS));
        int ready = poll(fds, ARRAY_LEN(fds), poll_ms(until));
        if (stop_requested())
            return stop_error(err);
        if (ready < 0 && errno != EINTR)
            return file_fail(err, "wait for", r->name);
        if (ready > 0)
            return 0;
        if (clock_passed(r->deadline_ms)) {
            (void)err_set(err, ERR_FILE, "'%s': its end did not come in time", r->name);
            (void)err_hint(err, "What writes to it has to end; --timeout says how long that may "
                                "take.");
            return err_at(err, r->name, 0, 0);
        }
        if (ready == 0 && !r->said) {
            log_line(LOG_INFO, "waiting for the end of a pipe", "path", r->name, NULL);
            r->said = true;
        }
    }
}

static int wait_for_bytes(struct reading *r, struct err *err)
{
    struct pollfd one = {.fd = r->fd, .events = POLLIN};

    if (r->in_time)
        return wait_in_time(r, err);
    return poll(&one, 1, -1) < 0 && errno != EINTR ? file_fail(err, "read", r->name) : 0;
}

/* Up to LENGTH bytes, through EINTR and descriptors that somebody made non-blocking; -1: *err is set. */
static ssize_t read_some(struct reading *r, char *to, size_t length, struct err *err)
{
    if (r->in_time && wait_in_time(r, err) != 0)
        return -1;
    for (;;) {
        ssize_t n = read(r->fd, to, length);
        if (n >= 0)
            return n;
        if (errno == EAGAIN && wait_for_bytes(r, err) != 0)
            return -1;
        if (errno != EAGAIN && errno != EINTR)
            return file_fail(err, "read", r->name);
    }
}

/* One more chunk. 1: there may be more; 0: at its end; -1: error. */
static int read_chunk(struct reading *r, struct buf *into, struct err *err)
{
    size_t room = into->max - into->len;
    char beyond;

    if (room == 0) { /* full: is that all? */
        ssize_t n = read_some(r, &beyond, 1, err);
        if (n <= 0)
            return (int)n;
        (void)err_set(err, ERR_FILE, "'%s' is longer than %zu bytes", r->name, into->max);
        return err_at(err, r->name, 0, 0);
    }
    size_t wanted = room < READ_CHUNK_BYTES ? room : READ_CHUNK_BYTES;
    char *to = buf_reserve(into, wanted);
    if (!to)
        return err_nomem(err);
    ssize_t n = read_some(r, to, wanted, err);
    if (n < 0)
        return -1;
    buf_commit(into, (size_t)n);
    return n > 0;
}

/* Room for what FD holds, where it says so, and for the read that finds its end: a buffer that grows
 * step by step needs twice as much. */
static void reserve_size(int fd, struct buf *into)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
        (uintmax_t)st.st_size + READ_CHUNK_BYTES > into->max)
        return;
    (void)buf_reserve(into, (size_t)st.st_size + READ_CHUNK_BYTES); /* failure sticks */
}

static int read_whole(struct reading *r, struct buf *out, struct err *err)
{
    AUTO_BUF whole = BUF_INIT(out->max);
    int more;

    reserve_size(r->fd, &whole);
    while ((more = read_chunk(r, &whole, err)) == 1)
        ;
    if (more < 0)
        return -1;
    buf_move(out, &whole);
    return 0;
}

int file_read_fd(int fd, const char *name, struct buf *out, struct err *err)
{
    return read_whole(&(struct reading){.fd = fd, .name = name}, out, err);
}

/* O_NONBLOCK: opening a pipe that nobody writes to must not wait for ever. */
static int open_to_read(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

static int refuse_kind(const char *path, mode_t mode, const char *wanted, struct err *err)
{
    (void)err_set(err, ERR_FILE, "'%s' is %s, not %s", path, file_kind(mode), wanted);
    return err_at(err, path, 0, 0);
}

int file_read_all(const char *path, struct buf *out, struct err *err)
{
    AUTO_FD fd = open_to_read(path);
    if (fd < 0)
        return file_fail(err, "open", path);
    struct stat st;
    if (fstat(fd, &st) != 0)
        return file_fail(err, "look at", path);
    if (!S_ISREG(st.st_mode))
        return refuse_kind(path, st.st_mode, "a file", err);
    return file_read_fd(fd, path, out, err);
}

/* ---- what the call names --------------------------------------------------------------------- */

/* A pipe that was handed to us has one end, as its maker wanted. One in a folder is anybody's who may
 * write to it, and a contract has commands in it. */
static int check_pipe(int fd, const char *path, const struct stat *st, struct err *err)
{
    if (!file_others_may_write(fd, path, st))
        return 0;
    (void)err_set(err, ERR_FILE, "'%s' is a pipe that can be written to by others (mode %04o)",
                  path, st->st_mode & 07777U);
    (void)err_hint(err, "Run 'chmod go-w %s'.", path);
    return err_at(err, path, 0, 0);
}

int file_read_input(const char *path, int64_t deadline_ms, struct buf *out, struct err *err)
{
    bool given = str_eq(path, STANDARD_INPUT);
    AUTO_FD fd = given ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, LEAST_FD) : open_to_read(path);
    if (fd < 0)
        return file_fail(err, "open", path);
    struct stat st;
    if (fstat(fd, &st) != 0)
        return file_fail(err, "look at", path);
    if (S_ISREG(st.st_mode))
        return file_read_fd(fd, path, out, err);
    if (!S_ISFIFO(st.st_mode) && !(given && S_ISSOCK(st.st_mode)))
        return refuse_kind(path, st.st_mode, "a file or a pipe", err);
    if (!given && check_pipe(fd, path, &st, err) != 0)
        return -1;
    struct reading reading = {
        .fd = fd,
        .name = path,
        .in_time = true,
        .deadline_ms = deadline_ms == CLOCK_NEVER ? clock_in_ms(FILE_INPUT_MS) : deadline_ms,
    };
    return read_whole(&reading, out, err);
}

char *file_input_folder(const char *path)
{
    struct stat st;
    bool is_stream = str_eq(path, STANDARD_INPUT) || str_eq(path, "/dev/stdin") ||
                     str_starts(path, "/dev/fd/") || str_starts(path, "/proc/self/fd/") ||
                     (stat(path, &st) == 0 && S_ISFIFO(st.st_mode));

    return is_stream ? mem_dup(".") : file_folder(path);
}
