/* agent/status.c: the server of run.status. */
#include "agent/status.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum { BACKLOG = 128, PAUSE_MS = 1000 };

struct client {
    struct status *status;
    int fd; /* -1: free */
    int64_t until_ms;
    char request[STATUS_REQUEST_BYTES];
    size_t length;
    struct buf answer; /* empty: the request is not whole yet */
    size_t sent;
};

struct status {
    struct supervisor *supervisor;
    const struct status_facts *facts;
    struct endpoint where;
    int fd;
    struct client clients[STATUS_CLIENTS];
    int64_t pause_ms;             /* until when nobody is accepted; CLOCK_NEVER: it is no pause */
    struct supervise_timer timer; /* of the client whose time is over first, or of the pause */
};

/* ---- clients ------------------------------------------------------------------------------------ */

static void set_timer(struct status *s)
{
    int64_t due = s->pause_ms;

    for (size_t i = 0; i < STATUS_CLIENTS; i++)
        if (s->clients[i].fd >= 0)
            due = clock_earlier(due, s->clients[i].until_ms);
    supervise_timer(s->supervisor, &s->timer, due);
}

static void drop(struct client *c)
{
    if (c->fd < 0)
        return;
    supervise_unwatch(c->status->supervisor, c->fd);
    (void)close(TAKE_FD(c->fd)); /* what it was sent, it has or not */
    buf_release(&c->answer);
    *c = (struct client){.status = c->status, .fd = -1};
}

static void on_time(void *owner)
{
    struct status *s = owner;

    for (size_t i = 0; i < STATUS_CLIENTS; i++)
        if (s->clients[i].fd >= 0 && clock_passed(s->clients[i].until_ms))
            drop(&s->clients[i]);
    if (clock_passed(s->pause_ms)) {
        s->pause_ms = CLOCK_NEVER;
        supervise_watch_for(s->supervisor, s->fd, EPOLLIN);
    }
    set_timer(s);
}

static struct status_view view_of(const struct status *s)
{
    enum supervise_state state = supervise_state(s->supervisor);

    return (struct status_view){
        .runs = state == SUPERVISE_RUNNING || state == SUPERVISE_DELAYED,
        .state = supervise_state_word(state),
        .restarts = supervise_restarts(s->supervisor),
        .log_dropped = log_dropped(),
    };
}

/* The answer goes out as far as it is taken. False: it is over with this client. */
static bool send_answer(struct client *c)
{
    while (c->sent < c->answer.len) {
        ssize_t n = send(c->fd, c->answer.data + c->sent, c->answer.len - c->sent,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        c->sent += (size_t)n;
    }
    /* What it still sends is read before the end: with bytes unread, close would take the answer back. */
    (void)shutdown(c->fd, SHUT_WR);
    return true;
}

static void answer(struct client *c, const char *request, size_t length)
{
    struct status_view view = view_of(c->status);

    c->answer = BUF_INIT(STATUS_ANSWER_BYTES);
    status_answer(request, length, c->status->facts, &view, &c->answer);
}

/* Read what came. False: it is over with this client. */
static bool take_request(struct client *c)
{
    char ignored[STATUS_REQUEST_BYTES];
    bool answered = c->answer.len > 0;
    char *to = answered ? ignored : c->request + c->length;
    size_t room = answered ? sizeof ignored : sizeof c->request - c->length;
    ssize_t n = recv(c->fd, to, room, MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0)
        return false;
    if (answered)
        return true;
    c->length += (size_t)n;
    if (memmem(c->request, c->length, "\r\n\r\n", 4))
        answer(c, c->request, c->length);
    else if (c->length == sizeof c->request)
        answer(c, "", 0); /* 400: too long for one of ours */
    return true;
}

static void on_client(void *owner, int fd, uint32_t events)
{
    struct client *c = owner;
    bool goes_on = c->fd == fd;

    if (goes_on && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        goes_on = take_request(c);
    if (goes_on && c->answer.len > 0 && c->sent < c->answer.len) {
        goes_on = send_answer(c) && !c->answer.no_memory;
        if (goes_on)
            supervise_watch_for(c->status->supervisor, c->fd,
                                c->sent < c->answer.len ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
    if (!goes_on) {
        drop(c);
        set_timer(c->status);
    }
}

/* A free place; where there is none, that of the one that came first. */
static struct client *find_place(struct status *s)
{
    struct client *first = &s->clients[0];

    for (size_t i = 0; i < STATUS_CLIENTS; i++) {
        if (s->clients[i].fd < 0)
            return &s->clients[i];
        if (s->clients[i].until_ms < first->until_ms)
            first = &s->clients[i];
    }
    drop(first);
    return first;
}

static void on_connection(void *owner, int fd, uint32_t events)
{
    struct status *s = owner;
    struct err err = ERR_INIT;

    (void)events;
    int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (accepted < 0) {
        /* It may be gone again. Out of descriptors, the loop would turn hot over one that waits. */
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            supervise_watch_for(s->supervisor, fd, 0);
            s->pause_ms = clock_in_ms(PAUSE_MS);
            set_timer(s);
        }
        return;
    }
    struct client *c = find_place(s);
    if (supervise_watch(s->supervisor, accepted, EPOLLIN, on_client, c, &err) != 0) {
        (void)close(accepted); /* nobody was answered yet */
        return;
    }
    c->fd = accepted;
    c->until_ms = clock_in_ms(STATUS_CLIENT_MS);
    set_timer(s);
}

/* ---- listening ---------------------------------------------------------------------------------- */

/* Whether the socket in the file system is what somebody left behind who is gone. */
static bool is_left_behind(const struct endpoint *where)
{
    struct stat st;
    AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd >= 0 && lstat(endpoint_path(where), &st) == 0 && S_ISSOCK(st.st_mode) &&
           connect(fd, (const struct sockaddr *)&where->address, where->length) != 0 &&
           errno == ECONNREFUSED;
}

static int bind_to(int fd, const struct endpoint *where)
{
    const struct sockaddr *address = (const struct sockaddr *)&where->address;

    if (bind(fd, address, where->length) == 0)
        return 0;
    if (errno != EADDRINUSE || !where->is_unix || !is_left_behind(where)) {
        if (where->is_unix && errno != EACCES && access(endpoint_path(where), F_OK) == 0)
            errno = EADDRINUSE;
        return -1;
    }
    return unlink(endpoint_path(where)) != 0 ? -1 : bind(fd, address, where->length);
}

static int listen_at(const struct endpoint *where, const char *text, struct err *err)
{
    int on = 1;
    AUTO_FD fd = socket(where->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return err_errno(err, ERR_RESOURCE, "run.status: make a socket");
    /* Connections of a former run that linger are no reason to refuse. */
    if (!where->is_unix && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
        return err_errno(err, ERR_RESOURCE, "run.status: set a socket up");
    if (bind_to(fd, where) != 0 || listen(fd, BACKLOG) != 0) {
        bool taken = errno == EADDRINUSE;
        (void)err_errno(err, ERR_FILE, "run.status: listen at '%s'", text);
        return taken
                   ? err_hint(err, "Somebody else listens there, or something else has that name.")
                   : -1;
    }
    return TAKE_FD(fd);
}

int status_open(struct supervisor *supervisor, const struct endpoint *where, const char *text,
                const struct status_facts *facts, struct status **out, struct err *err)
{
    struct status *s = mem_new(1, sizeof *s);

    if (!s)
        return err_nomem(err);
    *s = (struct status){
        .supervisor = supervisor, .facts = facts, .where = *where, .pause_ms = CLOCK_NEVER};
    s->timer = (struct supervise_timer){.callback = on_time, .owner = s};
    for (size_t i = 0; i < STATUS_CLIENTS; i++)
        s->clients[i] = (struct client){.status = s, .fd = -1};
    s->fd = listen_at(where, text, err);
    if (s->fd < 0) {
        free(s);
        return -1;
    }
    if (supervise_watch(supervisor, s->fd, EPOLLIN, on_connection, s, err) != 0) {
        status_close(s);
        return -1;
    }
    *out = s;
    return 0;
}

void status_close(struct status *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < STATUS_CLIENTS; i++)
        drop(&s->clients[i]);
    supervise_timer(s->supervisor, &s->timer, CLOCK_NEVER);
    supervise_unwatch(s->supervisor, s->fd);
    (void)close(s->fd); /* nobody is answered any more */
    if (s->where.is_unix)
        (void)unlink(endpoint_path(&s->where)); /* another takes it away who finds it left behind */
    free(s);
}
