/* agent/notify.h: the service manager told, by the protocol of sd_notify(3), without its library.
 *
 * While agent stays as the parent it is the unit's main process, so it speaks: READY=1 when the
 * application's program runs, RELOADING=1 when a restart begins and READY=1 when the program runs again, both
 * for a HUP that was handed on (Type=notify-reload), STOPPING=1 when the end begins, STATUS= with a sentence,
 * WATCHDOG=1 where the unit asks for it. The application does not get NOTIFY_SOCKET
 * then: by the unit's default, NotifyAccess=main, what it says would be thrown away. Where agent becomes the
 * application all of these variables are the application's.
 *
 * Source: sd_notify(3), sd_watchdog_enabled(3). Nobody there, or nobody listening: nothing happens. */
#ifndef AGENT_NOTIFY_H
#define AGENT_NOTIFY_H

#include <sys/socket.h>
#include <sys/un.h>

#include "agent/supervise.h"

enum { NOTIFY_STATUS_BYTES = 256 };

struct notify {
    int fd; /* -1: there is no manager */
    struct sockaddr_un address;
    socklen_t length;
    int64_t watchdog_ms; /* how often it wants a sign of life; 0: never */
    struct supervisor *supervisor;
    struct supervise_timer timer;
};
#define NOTIFY_INIT ((struct notify){.fd = -1})

/* SOCKET, WATCHDOG_USEC, WATCHDOG_PID are the variables' values, each may be NULL. A socket that can't be
 * is warned of, and then there is none. */
void notify_open(struct notify *n, struct supervisor *s, const char *socket,
                 const char *watchdog_usec, const char *watchdog_pid);

/* Each with a sentence for STATUS=, which is sanitised, or NULL. */
void notify_ready(struct notify *n, const char *status);
void notify_reloading(struct notify *n, const char *status);
void notify_stopping(struct notify *n, const char *status);
void notify_status(struct notify *n, const char *status);

void notify_close(struct notify *n);

#endif
