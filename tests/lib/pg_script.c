/* tests/lib/pg_script.c: a server that plays a scripted part of PostgreSQL's protocol, wrongly. */
#include "tests/lib/pg_script.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MESSAGE_BYTES = 4096,
    STARTUP_BYTES = 10000, /* the server's own limit */
    QUERY_BYTES = 1024 * 1024,
    SSL_REQUEST = 80877103,
    GSS_REQUEST = 80877104,
    CANCEL_REQUEST = 80877102,
};

/* One message to the client: type, room for the length, body. */
struct message {
    char bytes[MESSAGE_BYTES];
    size_t length;
};

static void put_bytes(struct message *m, const void *bytes, size_t length)
{
    if (m->length + length > sizeof(m->bytes))
        _exit(2);
    memcpy(m->bytes + m->length, bytes, length);
    m->length += length;
}

static void put_int32(struct message *m, uint32_t number)
{
    uint32_t big = htonl(number);
    put_bytes(m, &big, sizeof(big));
}

static struct message message_of(char type)
{
    struct message m = {.length = 0};
    put_bytes(&m, &type, 1);
    put_int32(&m, 0);
    return m;
}

static bool send_all(int fd, const void *bytes, size_t length)
{
    const char *at = bytes;
    while (length > 0) {
        ssize_t n = send(fd, at, length, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        length -= (size_t)n;
    }
    return true;
}

static bool send_message(int fd, struct message *m)
{
    uint32_t big = htonl((uint32_t)m->length - 1);
    memcpy(m->bytes + 1, &big, sizeof(big));
    return send_all(fd, m->bytes, m->length);
}

static bool receive(int fd, void *bytes, size_t length)
{
    char *at = bytes;
    while (length > 0) {
        ssize_t n = recv(fd, at, length, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        length -= (size_t)n;
    }
    return true;
}

static bool receive_body(int fd, char *body, size_t room, size_t *length)
{
    uint32_t big;
    if (!receive(fd, &big, sizeof(big)))
        return false;
    *length = ntohl(big);
    if (*length < 4 || *length - 4 >= room)
        return false;
    *length -= 4;
    return receive(fd, body, *length);
}

/* The startup packet, TLS and GSS refused. False: the client is gone, or asked to cancel. */
static bool receive_startup(int fd)
{
    char body[STARTUP_BYTES];
    size_t length;
    for (;;) {
        uint32_t code = 0;
        if (!receive_body(fd, body, sizeof(body), &length) || length < sizeof(code))
            return false;
        memcpy(&code, body, sizeof(code));
        code = ntohl(code);
        if (code == CANCEL_REQUEST)
            return false;
        if (code != SSL_REQUEST && code != GSS_REQUEST)
            return true;
        if (!send_all(fd, "N", 1))
            return false;
    }
}

/* 'E' or 'N' with severity, and SQLSTATE and message where they are not NULL. */
static bool send_report(int fd, char type, const char *severity, const char *sqlstate,
                        const char *words)
{
    struct message m = message_of(type);
    if (severity) {
        put_bytes(&m, "S", 1);
        put_bytes(&m, severity, strlen(severity) + 1);
        put_bytes(&m, "V", 1);
        put_bytes(&m, severity, strlen(severity) + 1);
    }
    if (sqlstate) {
        put_bytes(&m, "C", 1);
        put_bytes(&m, sqlstate, strlen(sqlstate) + 1);
    }
    if (words) {
        put_bytes(&m, "M", 1);
        put_bytes(&m, words, strlen(words) + 1);
    }
    put_bytes(&m, "", 1);
    return send_message(fd, &m);
}

static bool send_parameter(int fd, const char *name, const char *value)
{
    struct message m = message_of('S');
    put_bytes(&m, name, strlen(name) + 1);
    put_bytes(&m, value, strlen(value) + 1);
    return send_message(fd, &m);
}

static bool send_ready(int fd)
{
    struct message m = message_of('Z');
    put_bytes(&m, "I", 1);
    return send_message(fd, &m);
}

static bool let_in(int fd)
{
    struct message ok = message_of('R');
    put_int32(&ok, 0);
    struct message key = message_of('K');
    put_int32(&key, 4711);
    put_int32(&key, 42);
    return send_message(fd, &ok) && send_parameter(fd, "client_encoding", "UTF8") &&
           send_parameter(fd, "server_version", "15.0") &&
           send_parameter(fd, "standard_conforming_strings", "on") && send_message(fd, &key) &&
           send_ready(fd);
}

static void wait_for_the_end(int fd)
{
    char ignored[256];
    while (recv(fd, ignored, sizeof(ignored), 0) > 0)
        ;
}

static void answer_query(int fd, const struct pg_script *script)
{
    if (script->part == PG_PART_TAG) {
        struct message done = message_of('C');
        put_bytes(&done, script->message, strlen(script->message) + 1);
        (void)(send_message(fd, &done) && send_ready(fd));
    } else if (script->part == PG_PART_ECHO_ON_QUERY) {
        (void)(send_report(fd, 'E', "ERROR", script->sqlstate, script->message) && send_ready(fd));
    } else if (script->part == PG_PART_NOTICES) {
        while (send_report(fd, 'N', "NOTICE", "00000", "once more"))
            ;
    } else if (script->part == PG_PART_HANG_ON_QUERY) {
        wait_for_the_end(fd);
    }
}

static void play_inside(int fd, const struct pg_script *script)
{
    static char body[QUERY_BYTES];
    char type;
    size_t length;
    if (!let_in(fd))
        return;
    while (receive(fd, &type, 1) && receive_body(fd, body, sizeof(body), &length)) {
        if (type != 'Q' || script->part == PG_PART_CLOSE_ON_QUERY)
            return;
        answer_query(fd, script);
    }
}

static void play(int fd, const struct pg_script *script)
{
    static const char http[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    if (script->part == PG_PART_CLOSE_AT_ONCE)
        return;
    if (script->part == PG_PART_HANG) {
        wait_for_the_end(fd);
        return;
    }
    if (script->part == PG_PART_HTTP) {
        char first;
        if (receive(fd, &first, 1) && send_all(fd, http, sizeof(http) - 1)) {
            (void)shutdown(fd, SHUT_WR);
            wait_for_the_end(fd);
        }
        return;
    }
    if (!receive_startup(fd) || script->part == PG_PART_CLOSE_AFTER_STARTUP)
        return;
    if (script->part == PG_PART_EMPTY_ERROR)
        (void)send_report(fd, 'E', NULL, NULL, NULL);
    else if (script->part == PG_PART_BLANK_ERROR)
        (void)send_report(fd, 'E', "FATAL", NULL, "");
    else if (script->part == PG_PART_ERROR)
        (void)send_report(fd, 'E', "FATAL", script->sqlstate, script->message);
    else if (script->part == PG_PART_WRONG_LENGTH)
        (void)send_all(fd, "R\0\0\0\1\0\0\0\0", 9);
    else
        play_inside(fd, script);
}

static void serve(int listener, const struct pg_script *script)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            _exit(1);
        /* A child each: a cancel request comes while its statement hangs. */
        pid_t child = fork();
        if (child == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            play(fd, script);
            _exit(0);
        }
        (void)close(fd);
    }
}

void pg_script_start(struct pg_script *script)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) != 0 ||
        listen(listener, 16) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0) {
        perror("scripted PostgreSQL");
        exit(2);
    }
    script->port = ntohs(address.sin_port);
    script->pid = fork();
    if (script->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)signal(SIGCHLD, SIG_IGN); /* its children need no reaping */
        serve(listener, script);
    }
    (void)close(listener);
}

void pg_script_stop(struct pg_script *script)
{
    if (script->pid <= 0)
        return;
    (void)kill(script->pid, SIGKILL);
    while (waitpid(script->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    script->pid = 0;
}
