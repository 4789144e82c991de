/* tests/lib/proxy.c */
#include "tests/lib/unit.h"

#include "tests/lib/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TEXT_BYTES = 128, CHUNK_BYTES = 64 * 1024, BACKLOG = 512, LINGER_MS = 300000 };

struct shared { /* between the test and the proxy's processes */
    atomic_uint queries, connections, delay_ms, times, refuse, skip, held;
    enum proxy_action action;
    char text[TEXT_BYTES];
};

struct proxy {
    pid_t pid;
    unsigned port;
    struct shared *shared;
};

/* One connection: what came from the client and is not forwarded yet. */
struct link {
    struct shared *shared;
    int client, server;
    char *pending;
    size_t length, capacity;
    bool started; /* the startup packet, which has no type, is through */
};

static void sleep_ms(unsigned ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&time, &time) != 0 && errno == EINTR)
        ;
}

static bool send_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        length -= (size_t)n;
    }
    return true;
}

static int connect_server(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    _exit(0);
}

/* The length of the first message in pending, 0 when it is not whole yet. */
static size_t message_length(const struct link *l)
{
    size_t head = l->started ? 1 : 0;
    if (l->length < head + 4)
        return 0;
    uint32_t length;
    memcpy(&length, l->pending + head, 4);
    size_t whole = head + ntohl(length);
    return l->length >= whole ? whole : 0;
}

/* A text behind '=' is the whole query, none is any query, any other a part of the message. */
static bool has_text(const struct link *l, size_t length)
{
    const char *text = l->shared->text;
    if (*text == '\0')
        return l->pending[0] == 'Q';
    if (*text != '=')
        return memmem(l->pending, length, text, strlen(text)) != NULL;
    return length > 5 && strncmp(l->pending + 5, text + 1, length - 5) == 0;
}

static bool rule_applies(struct link *l, size_t length)
{
    if (atomic_load(&l->shared->times) == 0 || !has_text(l, length))
        return false;
    if (atomic_load(&l->shared->skip) > 0) {
        atomic_fetch_sub(&l->shared->skip, 1);
        return false;
    }
    atomic_fetch_sub(&l->shared->times, 1);
    return true;
}

static void wait_for_end(int fd)
{
    char swallowed[64];
    while (read(fd, swallowed, sizeof(swallowed)) > 0)
        ;
}

static void cut(struct link *l, size_t length)
{
    char swallowed[CHUNK_BYTES];
    enum proxy_action action = l->shared->action;
    if ((action == PROXY_CUT_AFTER || action == PROXY_HOLD_AFTER) &&
        send_all(l->server, l->pending, length))
        (void)!read(l->server, swallowed, sizeof(swallowed)); /* the answer: it was done */
    if (action == PROXY_HOLD_BEFORE || action == PROXY_HOLD_AFTER) {
        atomic_store(&l->shared->held, 1);
        wait_for_end(l->client);
    }
    (void)close(l->client);
    if (action == PROXY_HALF_OPEN)
        sleep_ms(LINGER_MS);
    _exit(0);
}

static void forward_messages(struct link *l)
{
    size_t length;
    while ((length = message_length(l)) > 0) {
        if (l->started && l->pending[0] == 'Q')
            atomic_fetch_add(&l->shared->queries, 1);
        if (l->started && rule_applies(l, length))
            cut(l, length);
        if (!l->started && length > 8) /* not an SSL or GSS request */
            l->started = true;
        sleep_ms(atomic_load(&l->shared->delay_ms));
        if (!send_all(l->server, l->pending, length))
            _exit(0);
        memmove(l->pending, l->pending + length, l->length - length);
        l->length -= length;
    }
}

static void read_client(struct link *l)
{
    if (l->capacity - l->length < CHUNK_BYTES) {
        l->capacity = 2 * l->capacity + CHUNK_BYTES;
        l->pending = realloc(l->pending, l->capacity);
        if (!l->pending)
            _exit(1);
    }
    ssize_t n = read(l->client, l->pending + l->length, CHUNK_BYTES);
    if (n <= 0)
        _exit(0);
    l->length += (size_t)n;
    forward_messages(l);
}

static void serve(struct shared *shared, int client, const char *path)
{
    struct link l = {.shared = shared, .client = client, .server = connect_server(path)};
    char bytes[CHUNK_BYTES];
    for (;;) {
        struct pollfd fds[2] = {{.fd = l.client, .events = POLLIN},
                                {.fd = l.server, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            _exit(0);
        if (fds[1].revents) {
            ssize_t n = read(l.server, bytes, sizeof(bytes));
            if (n <= 0 || !send_all(l.client, bytes, (size_t)n))
                _exit(0);
        }
        if (fds[0].revents)
            read_client(&l);
    }
}

static void accept_loop(struct shared *shared, int listener, const char *path)
{
    (void)signal(SIGCHLD, SIG_IGN); /* nobody waits for the links */
    for (;;) {
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0)
            continue;
        atomic_fetch_add(&shared->connections, 1);
        if (!atomic_load(&shared->refuse) && fork() == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            (void)close(listener);
            serve(shared, client, path);
        }
        (void)close(client);
    }
}

struct proxy *proxy_start(const char *socket_path)
{
    struct proxy *p = calloc(1, sizeof(*p));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_non_null(p);
    p->shared = mmap(NULL, sizeof(*p->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                     -1, 0);
    assert_true(p->shared != MAP_FAILED);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(listener, BACKLOG), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    p->port = ntohs(address.sin_port);
    p->pid = fork();
    if (p->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        accept_loop(p->shared, listener, socket_path);
    }
    (void)close(listener);
    assert_true(p->pid > 0);
    return p;
}

void proxy_stop(struct proxy *proxy)
{
    assert_int_equal(kill(proxy->pid, SIGKILL), 0); /* its links die with it */
    assert_int_equal(waitpid(proxy->pid, NULL, 0), proxy->pid);
    (void)munmap(proxy->shared, sizeof(*proxy->shared));
    free(proxy);
}

char *proxy_url(const struct proxy *proxy, const char *user, const char *database)
{
    char *url = NULL;
    assert_true(asprintf(&url, "postgresql://%s@127.0.0.1:%u/%s?sslmode=disable", user, proxy->port,
                         database) > 0);
    return url;
}

void proxy_rule(struct proxy *proxy, enum proxy_action action, const char *text, unsigned times)
{
    atomic_store(&proxy->shared->times, 0);
    proxy->shared->action = action;
    (void)snprintf(proxy->shared->text, sizeof(proxy->shared->text), "%s", text);
    atomic_store(&proxy->shared->times, times);
}

void proxy_skip(struct proxy *proxy, unsigned matches)
{
    atomic_store(&proxy->shared->skip, matches);
}

bool proxy_holds(const struct proxy *proxy)
{
    return atomic_load(&proxy->shared->held) != 0;
}

void proxy_delay(struct proxy *proxy, unsigned ms)
{
    atomic_store(&proxy->shared->delay_ms, ms);
}

void proxy_refuse(struct proxy *proxy, bool refuse)
{
    atomic_store(&proxy->shared->refuse, refuse);
}

unsigned proxy_queries(const struct proxy *proxy)
{
    return atomic_load(&proxy->shared->queries);
}

unsigned proxy_connections(const struct proxy *proxy)
{
    return atomic_load(&proxy->shared->connections);
}

void proxy_reset(struct proxy *proxy)
{
    proxy_rule(proxy, PROXY_PASS, "", 0);
    proxy_delay(proxy, 0);
    proxy_skip(proxy, 0);
    atomic_store(&proxy->shared->held, 0);
    proxy_refuse(proxy, false);
    atomic_store(&proxy->shared->queries, 0);
    atomic_store(&proxy->shared->connections, 0);
}
