/* tests/lib/script_server.c: an HTTP server that answers what a test says, and counts. */
#include "tests/lib/script_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST_BYTES = 256 * 1024, BACKLOG = 128, URL_BYTES = 64, WAIT_NS = 1000000 };

struct script_server {
    pid_t pid;
    unsigned port;
    char url[URL_BYTES];
    struct script_counts *counts;
};

/* What a connection's process works with. */
struct service {
    script_handler *handler;
    void *context;
    const char *canary;
    struct script_counts *counts;
};

static void must(bool fine, const char *what)
{
    if (fine)
        return;
    (void)fprintf(stderr, "script_server: %s: %s\n", what, strerror(errno));
    _exit(99);
}

bool script_send(struct script_turn *turn, const void *bytes, size_t length)
{
    const char *from = bytes;

    while (length > 0) {
        ssize_t n = send(turn->fd, from, length, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false; /* the client has gone away, which is its right */
        from += n;
        length -= (size_t)n;
    }
    return true;
}

bool script_answer(struct script_turn *turn, int status, const char *headers, const char *body)
{
    char head[8 * 1024];
    int length = snprintf(head, sizeof head,
                          "HTTP/1.1 %d Scripted\r\nContent-Length: %zu\r\n%s\r\n", status,
                          strlen(body), headers);

    must(length > 0 && (size_t)length < sizeof head, "headers of an answer");
    return script_send(turn, head, (size_t)length) && script_send(turn, body, strlen(body));
}

void script_wait_for(struct script_turn *turn, int count)
{
    const struct timespec pause = {.tv_nsec = WAIT_NS};

    atomic_fetch_add(&turn->counts->waiting, 1);
    while (atomic_load(&turn->counts->waiting) < count)
        (void)nanosleep(&pause, NULL);
}

/* ---- one connection ------------------------------------------------------------------------- */

/* Where the head that starts at TEXT ends, behind its blank line, or NULL. */
static char *end_of_head(char *text)
{
    char *end = strstr(text, "\r\n\r\n");
    return end ? end + 4 : NULL;
}

static size_t body_length(const char *head)
{
    const char *line = strcasestr(head, "\r\ncontent-length:");
    return line ? (size_t)strtoul(line + strlen("\r\ncontent-length:"), NULL, 10) : 0;
}

/* Answer the request at TEXT, HEAD_BYTES and BODY_BYTES long. */
static bool take_request(const struct service *service, int fd, const char *text, size_t head_bytes,
                         size_t body_bytes)
{
    char method[16] = "", path[SCRIPT_PATH_BYTES] = "";
    char *head = strndup(text, head_bytes), *body = strndup(text + head_bytes, body_bytes);

    must(head && body, "memory for a request");
    (void)sscanf(head, "%15s %1023s", method, path);
    struct script_turn turn = {method, path, head, body, 0, fd, service->counts, service->context};
    turn.number = atomic_fetch_add(&service->counts->requests, 1) + 1;
    if (service->canary && (strstr(head, service->canary) || strstr(body, service->canary)))
        atomic_fetch_add(&service->counts->canaries, 1);
    bool go_on = service->handler(&turn);
    free(head);
    free(body);
    return go_on;
}

static void serve(const struct service *service, int fd)
{
    static char text[REQUEST_BYTES];
    size_t have = 0;

    for (;;) {
        ssize_t n = recv(fd, text + have, sizeof text - 1 - have, 0);
        if (n <= 0)
            return;
        have += (size_t)n;
        text[have] = '\0';
        for (char *end; (end = end_of_head(text)) != NULL;) {
            size_t head_bytes = (size_t)(end - text), body_bytes = body_length(text);
            if (have < head_bytes + body_bytes)
                break;
            if (!take_request(service, fd, text, head_bytes, body_bytes))
                return;
            have -= head_bytes + body_bytes;
            memmove(text, end + body_bytes, have + 1);
        }
    }
}

/* ---- the server ----------------------------------------------------------------------------- */

static void listen_for_ever(const struct service *service, int listener)
{
    (void)signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            continue;
        atomic_fetch_add(&service->counts->connections, 1);
        pid_t pid = fork();
        must(pid >= 0, "fork for a connection");
        if (pid == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            (void)close(listener);
            serve(service, fd);
            atomic_fetch_add(&service->counts->ended, 1);
            (void)shutdown(fd, SHUT_WR);
            _exit(0);
        }
        (void)close(fd);
    }
}

/* Connections are accepted in turn: when ours has ended, all that came before it are counted. */
void script_settle(const struct script_server *server)
{
    const struct timespec pause = {.tv_nsec = WAIT_NS};
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((in_port_t)server->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char end;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    must(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "connect");
    must(shutdown(fd, SHUT_WR) == 0 && recv(fd, &end, 1, 0) == 0, "settle");
    (void)close(fd);
    while (atomic_load(&server->counts->ended) < atomic_load(&server->counts->connections))
        (void)nanosleep(&pause, NULL);
}

static int listen_somewhere(unsigned *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    must(fd >= 0 && bind(fd, (struct sockaddr *)&address, length) == 0, "bind");
    must(listen(fd, BACKLOG) == 0, "listen");
    must(getsockname(fd, (struct sockaddr *)&address, &length) == 0, "getsockname");
    *port = ntohs(address.sin_port);
    return fd;
}

struct script_server *script_start(script_handler *handler, void *context, const char *canary)
{
    struct script_server *server = calloc(1, sizeof *server);

    must(server != NULL, "memory");
    int listener = listen_somewhere(&server->port);
    server->counts = mmap(NULL, sizeof *server->counts, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(server->counts != MAP_FAILED, "mmap");
    (void)snprintf(server->url, sizeof server->url, "http://127.0.0.1:%u", server->port);
    const struct service service = {handler, context, canary, server->counts};
    server->pid = fork();
    must(server->pid >= 0, "fork");
    if (server->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)setpgid(0, 0);
        listen_for_ever(&service, listener);
    }
    (void)setpgid(server->pid,
                  server->pid); /* whoever is first: the group is there when we return */
    (void)close(listener);
    return server;
}

void script_stop(struct script_server *server)
{
    if (!server)
        return;
    (void)kill(-server->pid, SIGKILL);
    (void)waitpid(server->pid, NULL, 0);
    (void)munmap(server->counts, sizeof *server->counts);
    free(server);
}

const char *script_url(const struct script_server *server)
{
    return server->url;
}

struct script_counts *script_counts_of(struct script_server *server)
{
    return server->counts;
}
