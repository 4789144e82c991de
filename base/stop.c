/* stop.c: see base/stop.h. */
#include "base/stop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static struct {
    unsigned depth; /* of begin */
    int fd;
    int signal; /* that came; 0: none */
    unsigned shields;
    bool hurry;
    sigset_t before;
} stop = {.fd = -1};

static const int watched[] = {SIGINT, SIGTERM, SIGHUP};

int stop_begin(struct err *err)
{
    sigset_t set;

    if (stop.depth++ > 0)
        return 0;
    (void)sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(watched); i++) {
        struct sigaction action;
        /* what the caller had us ignore (nohup) stays ignored */
        if (sigaction(watched[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            (void)sigaddset(&set, watched[i]);
    }
    (void)sigprocmask(SIG_BLOCK, &set, &stop.before);
    stop.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (stop.fd >= 0)
        return 0;
    int reason = errno;
    (void)sigprocmask(SIG_SETMASK, &stop.before, NULL);
    stop.depth = 0;
    errno = reason;
    return err_errno(err, ERR_RESOURCE, "make a descriptor for signals");
}

void stop_end(void)
{
    if (stop.depth == 0 || --stop.depth > 0)
        return;
    (void)close(stop.fd);
    stop.fd = -1;
    (void)sigprocmask(SIG_SETMASK, &stop.before, NULL);
}

bool stop_requested(void)
{
    struct signalfd_siginfo seen;

    if (stop.depth == 0 || stop.shields > 0)
        return false;
    if (stop.signal == 0 && read(stop.fd, &seen, sizeof(seen)) == (ssize_t)sizeof(seen))
        stop.signal = (int)seen.ssi_signo;
    return stop.signal != 0;
}

int stop_fd(void)
{
    return stop.shields > 0 || stop.signal != 0 ? -1 : stop.fd;
}

int stop_signal(void)
{
    return stop.signal;
}

int stop_error(struct err *err)
{
    const char *name = sigabbrev_np(stop.signal);

    return err_set(err, ERR_STOPPED, "stopped by SIG%s", name ? name : "?");
}

void stop_hurry(bool on)
{
    stop.hurry = on;
}

bool stop_hurried(void)
{
    return stop.hurry && stop_requested();
}

int stop_hurried_fd(void)
{
    return stop.hurry ? stop_fd() : -1;
}

void stop_shield(bool on)
{
    if (on)
        stop.shields++;
    else if (stop.shields > 0)
        stop.shields--;
}
