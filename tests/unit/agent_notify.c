/* tests/unit/agent_notify.c: what the service manager hears. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "agent/notify.h"

/* A manager that listens; NAME is what NOTIFY_SOCKET has. */
struct manager {
    int fd;
    char name[64];
};

static void listen_as(struct manager *m, bool abstract)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(m->name, sizeof m->name, "%sagent-notify-%d", abstract ? "@" : "/tmp/",
                   (int)getpid());
    size_t length = strlen(m->name);
    memcpy(address.sun_path, m->name, length);
    if (abstract)
        address.sun_path[0] = '\0';
    m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(m->fd >= 0);
    (void)unlink(m->name); /* of a run that was killed */
    assert_int_equal(bind(m->fd, (const struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
                     0);
}

static void done(struct manager *m)
{
    (void)close(m->fd);
    (void)unlink(m->name);
}

/* The next message, "" where there is none; valid until the next call. */
static const char *heard(const struct manager *m)
{
    static char message[4096];
    ssize_t n = recv(m->fd, message, sizeof message - 1, 0);
    message[n > 0 ? n : 0] = '\0';
    return message;
}

static void a_path_and_an_abstract_name_are_told(void **state)
{
    (void)state;
    for (int abstract = 0; abstract < 2; abstract++) {
        struct manager m;
        struct notify n;
        listen_as(&m, abstract);
        notify_open(&n, NULL, m.name, NULL, NULL);
        notify_ready(&n, "It runs.");
        assert_string_equal(heard(&m), "READY=1\nSTATUS=It runs.\n");
        notify_stopping(&n, NULL);
        assert_string_equal(heard(&m), "STOPPING=1\n");
        notify_status(&n, "a\nb\x1b");
        assert_string_equal(heard(&m), "STATUS=a\\x0ab\\x1b\n");
        notify_close(&n);
        done(&m);
    }
}

static void a_reload_has_its_time(void **state)
{
    (void)state;
    struct manager m;
    struct notify n;
    struct timespec before, after;
    long long usec;
    listen_as(&m, true);
    notify_open(&n, NULL, m.name, NULL, NULL);
    (void)clock_gettime(CLOCK_MONOTONIC, &before);
    notify_reloading(&n, NULL);
    (void)clock_gettime(CLOCK_MONOTONIC, &after);
    assert_int_equal(sscanf(heard(&m), "RELOADING=1\nMONOTONIC_USEC=%lld\n", &usec), 1);
    assert_true(usec >= before.tv_sec * 1000000LL + before.tv_nsec / 1000);
    assert_true(usec <= after.tv_sec * 1000000LL + after.tv_nsec / 1000);
    notify_close(&n);
    done(&m);
}

static void without_a_manager_nothing_happens(void **state)
{
    (void)state;
    static const char *const names[] = {NULL, "", "relative", "/", "@"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct notify n;
        notify_open(&n, NULL, names[i], NULL, NULL);
        assert_int_equal(n.fd, -1);
        notify_ready(&n, "It runs.");
        notify_close(&n);
    }
    struct notify n; /* nobody listens any more */
    notify_open(&n, NULL, "/tmp/agent-no-such-socket", NULL, NULL);
    notify_ready(&n, NULL);
    notify_close(&n);
}

static void a_watchdog_gets_a_sign_at_once_and_at_half_its_time(void **state)
{
    (void)state;
    struct supervisor *s;
    struct manager m;
    struct notify n;
    struct err err = ERR_INIT;
    char pid[16];
    assert_int_equal(supervise_init(&s, &err), 0);
    listen_as(&m, true);
    (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
    notify_open(&n, s, m.name, "60000000", pid);
    assert_string_equal(heard(&m), "WATCHDOG=1\n");
    assert_true(n.timer.is_set);
    assert_int_equal(n.watchdog_ms, 30000);
    notify_close(&n);
    assert_false(n.timer.is_set);
    notify_open(&n, s, m.name, "60000000", "1"); /* another's */
    assert_string_equal(heard(&m), "");
    assert_false(n.timer.is_set);
    notify_close(&n);
    done(&m);
    supervise_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_and_an_abstract_name_are_told),
        cmocka_unit_test(a_reload_has_its_time),
        cmocka_unit_test(without_a_manager_nothing_happens),
        cmocka_unit_test(a_watchdog_gets_a_sign_at_once_and_at_half_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
