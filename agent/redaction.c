#include "agent/redaction.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/redact.h"
#include "base/redact_stream.h"

enum {
    STREAMS = 2,
    READ_BYTES = 64 * 1024, /* a pipe's default capacity */
    PENDING_BYTES_MAX = READ_BYTES + 2 * REDACT_PATTERN_BYTES,
    KEEP_LESS = 4,
};

/* One of the two: from the application's pipe to our descriptor. */
struct channel {
    struct redaction *redaction;
    int pipe_end; /* the application's */
    int from;     /* -1: it is over */
    int to;
    bool is_own;  /* to: a pipe or a terminal, opened anew, so that it could be made non-blocking */
    bool is_file; /* to: always ready, and not to be watched */
    const char *name;
    struct redact_stream stream;
    struct buf pending; /* decided, not taken by our reader yet */
    size_t taken;       /* of it */
    size_t lost;        /* bytes that a file did not take, since it last took some */
    bool waits;         /* for our reader */
    uint64_t read;      /* bytes so far */
    uint64_t held_from; /* the first byte that the timer is set for */
    uint64_t ended_at;  /* the first byte that is not of who may have had what is to be forgotten */
    struct supervise_timer hold;
};

struct redaction {
    struct supervisor *supervisor;
    struct redact_set *set;
    struct channel channels[STREAMS];
    bool ends; /* nobody but us looks at the descriptors any more */
    /* ages of base/redact.h's */
    uint64_t current;       /* whatever is older is former */
    uint64_t delivered;     /* the same when the next start's values were made */
    uint64_t forget_before; /* when all that was written by then has been read; 0: nothing */
    bool said_too_many;
};

/* ---- out ---------------------------------------------------------------------------------------- */

/* A full disk, or a file that may not grow: that may pass, and is no reason to end an application, which
 * SIGPIPE would. */
static void lose(struct channel *c, int reason)
{
    if (c->lost == 0)
        log_line(LOG_WARN, "the application's output can't be written, and is lost until it can",
                 "descriptor", c->name, "reason", strerrorname_np(reason), NULL);
    c->lost += c->pending.len - c->taken;
    c->taken = c->pending.len;
}

static void say_lost(struct channel *c)
{
    if (c->lost > 0)
        log_msg(LOG_WARN, "%zu bytes of the application's %s were lost", c->lost, c->name);
    c->lost = 0;
}

/* Write what our reader takes without waiting. A descriptor that is shared with others is not ours to make
 * non-blocking: what poll calls ready takes PIPE_BUF bytes. -1: the reader is gone. */
static int put(struct channel *c)
{
    while (c->taken < c->pending.len) {
        struct pollfd sink = {.fd = c->to, .events = POLLOUT};
        size_t length = c->pending.len - c->taken;
        if (!c->is_file && !c->is_own) {
            if (poll(&sink, 1, 0) <= 0)
                return 0;
            length = length < PIPE_BUF ? length : PIPE_BUF;
        }
        ssize_t n = write(c->to, c->pending.data + c->taken, length);
        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n < 0 && errno != EINTR && !c->is_file)
            return -1;
        if (n < 0 && errno != EINTR) {
            lose(c, errno);
        } else if (n > 0) {
            c->taken += (size_t)n;
            say_lost(c);
        }
    }
    buf_clear(&c->pending);
    c->taken = 0;
    return 0;
}

static void stop_reading(struct channel *c)
{
    struct supervisor *s = c->redaction->supervisor;

    if (c->from < 0)
        return;
    if (!c->redaction->ends) {
        supervise_unwatch(s, c->from);
        if (c->waits)
            supervise_unwatch(s, c->to);
        supervise_timer(s, &c->hold, CLOCK_NEVER);
    }
    (void)close(TAKE_FD(c->from)); /* a pipe's reading end has nothing to lose */
    c->waits = false;
}

/* No memory, or no reader. Whoever writes into the pipe now gets SIGPIPE, as without us. */
static void give_up(struct channel *c, const char *reason)
{
    log_line(LOG_WARN, "the application's output is not passed on any more", "descriptor", c->name,
             "reason", reason, NULL);
    stop_reading(c);
}

static void on_ready(void *owner, int fd, uint32_t events);

/* Have our reader, or else the application, be what the loop waits for. */
static void wait_for_reader(struct channel *c, bool on)
{
    struct supervisor *s = c->redaction->supervisor;
    struct err err = ERR_INIT;

    if (c->redaction->ends || c->waits == on || c->from < 0)
        return;
    if (!on)
        supervise_unwatch(s, c->to);
    else if (supervise_watch(s, c->to, EPOLLOUT, on_ready, c, &err) != 0) {
        give_up(c, err.text);
        return;
    }
    c->waits = on;
    supervise_watch_for(s, c->from, on ? 0 : EPOLLIN);
}

static void pass_on(struct channel *c)
{
    if (c->pending.no_memory || c->pending.too_long)
        give_up(c, "no memory is left");
    else if (put(c) != 0)
        give_up(c, strerrorname_np(errno));
    else
        wait_for_reader(c, c->pending.len > 0);
}

/* ---- in ----------------------------------------------------------------------------------------- */

static void on_hold_over(void *owner)
{
    struct channel *c = owner;

    redact_stream_flush(&c->stream, &c->pending);
    pass_on(c);
}

/* What is held is held from the time on at which its first byte came. */
static void set_hold(struct channel *c, uint64_t read_before)
{
    struct supervisor *s = c->redaction->supervisor;

    if (c->redaction->ends)
        return;
    if (!redact_stream_is_holding(&c->stream))
        supervise_timer(s, &c->hold, CLOCK_NEVER);
    else if (!c->hold.is_set || c->held_from >= read_before)
        supervise_timer(s, &c->hold, clock_in_ms(REDACTION_HOLD_MS));
}

static void forget_former(struct redaction *r);

/* Read once. False: there is nothing now, or never will be. */
static bool take(struct channel *c)
{
    size_t room;
    uint64_t before = c->read;
    char *to = redact_stream_room(&c->stream, &room);
    ssize_t n = read(c->from, to, room < READ_BYTES ? room : READ_BYTES);

    if (n < 0)
        return errno == EINTR;
    if (n == 0) {
        redact_stream_flush(&c->stream, &c->pending);
        pass_on(c);
        if (c->pending.len == 0)
            stop_reading(c);
        return false;
    }
    c->read += (uint64_t)n;
    redact_stream_take(&c->stream, (size_t)n, &c->pending);
    c->held_from = c->read - c->stream.held;
    set_hold(c, before);
    pass_on(c);
    forget_former(c->redaction);
    return c->from >= 0;
}

static void on_ready(void *owner, int fd, uint32_t events)
{
    struct channel *c = owner;

    (void)events;
    if (fd == c->to)
        pass_on(c);
    else if (!c->waits)
        (void)take(c);
}

/* ---- the whole ---------------------------------------------------------------------------------- */

static struct redact_set *known_set(struct err *err)
{
    struct redact_set *set = redact_set_new(err);

    if (set && (redact_add_known(set, err) != 0 || redact_set_close(set, err) != 0)) {
        redact_set_free(set);
        return NULL;
    }
    return set;
}

/* Where FD leads to. A pipe or a terminal is opened once more, which gives it flags of our own; where that
 * is not allowed, and for all else, it is FD itself. */
static void open_sink(struct channel *c, int fd)
{
    struct stat st = {0};

    bool known = fstat(fd, &st) == 0;
    c->is_file = known && !S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode) && isatty(fd) != 1;
    int own = file_open_unshared(fd);
    c->is_own = own >= 0;
    c->to = own >= 0 ? own : fd;
}

static int open_channel(struct redaction *r, struct channel *c, int to, struct err *err)
{
    int ends[2];

    c->redaction = r;
    c->name = to == STDOUT_FILENO ? "stdout" : "stderr";
    c->pending = BUF_INIT(PENDING_BYTES_MAX);
    c->hold = (struct supervise_timer){.callback = on_hold_over, .owner = c};
    open_sink(c, to);
    if (redact_stream_init(&c->stream, r->set, READ_BYTES, err) != 0)
        return -1;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(err, ERR_RESOURCE, "make a pipe for the application's output");
    c->from = ends[0];
    c->pipe_end = ends[1];
    /* Our end alone: the application's is as it expects it. */
    if (fcntl(c->from, F_SETFL, O_NONBLOCK) != 0)
        return err_errno(err, ERR_RESOURCE, "set up a pipe for the application's output");
    return supervise_watch(r->supervisor, c->from, EPOLLIN, on_ready, c, err);
}

int redaction_open(struct supervisor *s, struct redaction **out, struct err *err)
{
    struct redaction *r = mem_new(1, sizeof *r);

    if (!r)
        return err_nomem(err);
    r->supervisor = s;
    for (size_t i = 0; i < STREAMS; i++)
        r->channels[i].from = r->channels[i].pipe_end = -1;
    r->set = known_set(err);
    for (size_t i = 0; r->set && i < STREAMS; i++) {
        if (open_channel(r, &r->channels[i], STDOUT_FILENO + (int)i, err) != 0) {
            redaction_free(r);
            return err_wrap(err, "--redact");
        }
    }
    if (!r->set) {
        redaction_free(r);
        return err_wrap(err, "--redact");
    }
    if (redact_short_count() > 0)
        log_msg(LOG_WARN, "values of less than %d bytes are not hidden in the output",
                REDACT_MIN_BYTES);
    *out = r;
    return 0;
}

void redaction_fds(const struct redaction *r, int fds[static 3])
{
    for (size_t i = 0; i < STREAMS; i++)
        fds[STDOUT_FILENO + (int)i] = r->channels[i].pipe_end;
}

/* ---- what is hidden, over years --------------------------------------------------------------- */

static int use_known(struct redaction *r, struct err *err)
{
    struct redact_set *set = known_set(err);

    if (!set)
        return err_wrap(err, "--redact");
    for (size_t i = 0; i < STREAMS; i++) {
        struct channel *c = &r->channels[i];
        redact_stream_use(&c->stream, set, &c->pending);
        if (c->from >= 0)
            pass_on(c);
    }
    redact_set_free(r->set);
    r->set = set;
    return 0;
}

/* Of what was replaced behind the back of an application that runs on: all but the KEEP youngest. */
static int forget_oldest(struct redaction *r, size_t keep, struct err *err)
{
    size_t forgotten;

    if (redact_forget(r->delivered, keep, &forgotten, err) != 0)
        return -1;
    if (forgotten > 0 && !r->said_too_many)
        log_msg(LOG_WARN,
                "more than %zu values were replaced while the application runs: those that were "
                "replaced first are not hidden in its output any more",
                keep);
    r->said_too_many = r->said_too_many || forgotten > 0;
    return 0;
}

int redaction_renew(struct redaction *r, bool is_whole, struct err *err)
{
    /* Where the shapes of all together are too long, former ones make room. */
    for (size_t keep = REDACTION_FORMER_MAX;; keep /= KEEP_LESS) {
        if (forget_oldest(r, keep, err) != 0)
            return -1;
        if (use_known(r, err) == 0)
            break;
        if (keep == 0)
            return -1;
        err_clear(err);
    }
    if (is_whole)
        r->current = redact_age();
    return 0;
}

void redaction_delivered(struct redaction *r)
{
    if (r)
        r->delivered = r->current;
}

/* Where that fails it is hidden still, and tried behind the next restart. */
static void forget_former(struct redaction *r)
{
    uint64_t before = r->forget_before;
    struct err err = ERR_INIT;
    size_t forgotten;

    for (size_t i = 0; i < STREAMS; i++)
        if (r->channels[i].from >= 0 && r->channels[i].read < r->channels[i].ended_at)
            return;
    r->forget_before = 0;
    if (before > 0 && (redact_forget(before, 0, &forgotten, &err) != 0 ||
                       (forgotten > 0 && use_known(r, &err) != 0)))
        log_line(LOG_DEBUG, "former values stay hidden", "reason", err.text, NULL);
}

void redaction_application_restarts(struct redaction *r)
{
    for (size_t i = 0; r && i < STREAMS; i++) {
        struct channel *c = &r->channels[i];
        int unread = 0;
        if (c->from >= 0 && ioctl(c->from, FIONREAD, &unread) == 0)
            c->ended_at = c->read + (uint64_t)unread;
    }
    if (!r)
        return;
    r->forget_before = r->delivered;
    r->said_too_many = false;
    forget_former(r);
}

/* Wait until there is something to do for C, at most until the deadline. */
static bool wait_for(const struct channel *c, int64_t deadline)
{
    bool writes = c->pending.len > 0;
    struct pollfd one = {.fd = writes ? c->to : c->from, .events = writes ? POLLOUT : POLLIN};
    int ready = poll(&one, 1, (int)clock_left_ms(deadline));

    return ready > 0 || (ready < 0 && errno == EINTR && !clock_passed(deadline));
}

static void drain(struct channel *c, int64_t deadline)
{
    while (c->from >= 0 && wait_for(c, deadline)) {
        if (c->pending.len == 0)
            (void)take(c);
        else
            pass_on(c);
        if (clock_passed(deadline))
            break;
    }
    if (c->from >= 0) {
        redact_stream_flush(&c->stream, &c->pending);
        pass_on(c);
    }
    say_lost(c);
    if (c->from < 0)
        return;
    if (c->pending.len > 0)
        log_msg(LOG_WARN, "%zu bytes of the application's %s were not taken",
                c->pending.len - c->taken, c->name);
    stop_reading(c);
}

void redaction_finish(struct redaction *r)
{
    int64_t deadline = clock_in_ms(REDACTION_END_MS);

    if (!r)
        return;
    for (size_t i = 0; i < STREAMS; i++) {
        struct channel *c = &r->channels[i];
        auto_close(&c->pipe_end);
        c->pipe_end = -1;
        supervise_timer(r->supervisor, &c->hold, CLOCK_NEVER);
        if (c->from >= 0)
            supervise_unwatch(r->supervisor, c->from);
        if (c->waits)
            supervise_unwatch(r->supervisor, c->to);
    }
    r->ends = true;
    for (size_t i = 0; i < STREAMS; i++)
        drain(&r->channels[i], deadline);
}

void redaction_free(struct redaction *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < STREAMS; i++) {
        struct channel *c = &r->channels[i];
        stop_reading(c);
        auto_close(&c->pipe_end);
        if (c->is_own)
            (void)close(c->to); /* what was written is in it */
        redact_stream_release(&c->stream);
        buf_release(&c->pending);
    }
    redact_set_free(r->set);
    free(r);
}
