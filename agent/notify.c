#include "agent/notify.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

enum {
    MESSAGE_BYTES = 1024,
    US_PER_MS = 1000,
    US_PER_S = 1000 * 1000,
    NS_PER_US = 1000,
    SIGNS_PER_LIMIT = 2, /* half of the time, as sd_watchdog_enabled(3) advises */
};

/* A datagram that is not taken is not waited for: the manager is slow, or gone. */
static void say(struct notify *n, const struct buf *message)
{
    if (n->fd < 0 || message->no_memory || message->too_long)
        return;
    ssize_t sent = sendto(n->fd, message->data, message->len, MSG_DONTWAIT | MSG_NOSIGNAL,
                          (const struct sockaddr *)&n->address, n->length);
    if (sent < 0)
        log_line(LOG_DEBUG, "the service manager was not told", "reason", strerrorname_np(errno),
                 NULL);
}

static void tell(struct notify *n, const char *state, const char *status)
{
    AUTO_BUF message = BUF_INIT(MESSAGE_BYTES);
    size_t length = status ? strnlen(status, NOTIFY_STATUS_BYTES) : 0;

    buf_adds(&message, state);
    if (status) {
        buf_adds(&message, "STATUS=");
        str_add_sanitised(&message, status, length);
        buf_addc(&message, '\n');
    }
    say(n, &message);
}

static void give_sign(void *owner)
{
    struct notify *n = owner;

    tell(n, "WATCHDOG=1\n", NULL);
    supervise_timer(n->supervisor, &n->timer, clock_in_ms(n->watchdog_ms));
}

/* The manager's limit is another process's where it names one. */
static int64_t watchdog_of(const char *usec, const char *pid)
{
    int64_t limit_us, whose;

    if (!usec || str_to_int64(usec, strlen(usec), &limit_us) != 0 || limit_us <= 0)
        return 0;
    if (pid && (str_to_int64(pid, strlen(pid), &whose) != 0 || whose != getpid()))
        return 0;
    int64_t half_ms = limit_us / US_PER_MS / SIGNS_PER_LIMIT;
    return half_ms > 0 ? half_ms : 1;
}

/* A path, or with '@' a name in the abstract namespace. */
static bool set_address(struct notify *n, const char *name)
{
    size_t length = strlen(name);

    if ((name[0] != '/' && name[0] != '@') || length < 2 || length >= sizeof n->address.sun_path)
        return false;
    n->address.sun_family = AF_UNIX;
    memcpy(n->address.sun_path, name, length + 1);
    n->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    if (name[0] == '@')
        n->address.sun_path[0] = '\0';
    else
        n->length++; /* a path's NUL */
    return true;
}

void notify_open(struct notify *n, struct supervisor *s, const char *name,
                 const char *watchdog_usec, const char *watchdog_pid)
{
    *n = NOTIFY_INIT;
    n->supervisor = s;
    n->timer = (struct supervise_timer){.callback = give_sign, .owner = n};
    if (!name || !*name)
        return;
    if (!set_address(n, name)) {
        log_line(LOG_WARN, "the service manager can't be told: this is no socket's name",
                 "NOTIFY_SOCKET", name, NULL);
        return;
    }
    n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (n->fd < 0) {
        log_line(LOG_WARN, "the service manager can't be told", "reason", strerrorname_np(errno),
                 NULL);
        return;
    }
    n->watchdog_ms = watchdog_of(watchdog_usec, watchdog_pid);
    if (n->watchdog_ms > 0)
        give_sign(n);
}

void notify_ready(struct notify *n, const char *status)
{
    tell(n, "READY=1\n", status);
}

void notify_reloading(struct notify *n, const char *status)
{
    char state[sizeof "RELOADING=1\nMONOTONIC_USEC=-9223372036854775808\n"];
    struct timespec now = {0};

    /* Type=notify-reload tells by the time which of its own requests this answers. */
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* it is always there */
    (void)snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%lld\n",
                   (long long)now.tv_sec * US_PER_S + now.tv_nsec / NS_PER_US);
    tell(n, state, status);
}

void notify_stopping(struct notify *n, const char *status)
{
    tell(n, "STOPPING=1\n", status);
}

void notify_status(struct notify *n, const char *status)
{
    tell(n, "", status);
}

void notify_close(struct notify *n)
{
    if (n->fd < 0)
        return;
    if (n->watchdog_ms > 0)
        supervise_timer(n->supervisor, &n->timer, CLOCK_NEVER);
    (void)close(TAKE_FD(n->fd)); /* a datagram is sent or is not */
}
