/* agent/supervise.h: the parent of the application: signals as events in one loop, reap, forward,
 * stop, start anew, and end as the application ended.
 *
 * One thread, no signal handler: from supervise_init on every signal that can be caught is blocked
 * and read from a descriptor, also one that comes before there is an application. Nothing happens
 * without an event, and nothing is polled: with nothing due the loop sleeps without a timeout.
 *
 *   supervise_init    signals are kept from here on
 *   supervise_watch   a descriptor of somebody else's: a socket, a pipe
 *   supervise_timer   a time of somebody else's: a renewal
 *   supervise_run     start the application, and return when it has ended for good
 *
 * What is done in which state is one table (agent/supervise_table.h). Callbacks run in the loop and
 * may call everything here but supervise_run; one that blocks holds up the signals of the
 * application. Nothing of it allocates, but for the start of a program and for lines of the log.
 *
 * A signal never goes to a number that belongs to somebody else by now: only we reap the
 * application, and until then its number (and its group's) is not given away. */
#ifndef AGENT_SUPERVISE_H
#define AGENT_SUPERVISE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/supervise_table.h"
#include "base/err.h"
#include "base/proc.h"
#include "envcontract/contract.h"

enum {
    SUPERVISE_WATCHES_MAX = 64, /* descriptors of others at one time */
    SUPERVISE_CHILDREN_MAX = 8, /* programs of ours beside the application */
};

struct supervisor;

/* ---- what others bring ------------------------------------------------------------------------ */

/* EVENTS are epoll's: EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR. It may unwatch any descriptor. */
typedef void supervise_on_fd(void *owner, int fd, uint32_t events);
typedef void supervise_on_time(void *owner);
typedef void supervise_on_end(void *owner, const struct proc_result *result);

/* The caller's, zeroed at first; it must live as long as it is set. */
struct supervise_timer {
    int64_t due_ms; /* base/clock.h's; read only */
    supervise_on_time *callback;
    void *owner;
    struct supervise_timer *next; /* ours */
    bool is_set;                  /* read only */
};

/* Level-triggered. FD stays the caller's, who unwatches it before closing it. Errors: ERR_RESOURCE;
 * ERR_DEFECT beyond SUPERVISE_WATCHES_MAX. */
MUST_USE int supervise_watch(struct supervisor *s, int fd, uint32_t events,
                             supervise_on_fd *callback, void *owner, struct err *err);
/* Look for other EVENTS; 0: for none, though EPOLLHUP and EPOLLERR come all the same. */
void supervise_watch_for(struct supervisor *s, int fd, uint32_t events);
void supervise_unwatch(struct supervisor *s, int fd); /* nothing where it is not watched */

/* Once, at DUE_MS (absolute) or as soon after it as can be; time that the machine slept counts. Set
 * again it moves. CLOCK_NEVER takes it away. */
void supervise_timer(struct supervisor *s, struct supervise_timer *timer, int64_t due_ms);

/* PID, a child that the caller started, is not the application's: it is neither signalled nor waited
 * for at the end, and CALLBACK gets how it ended, once; it is reaped by then, so nobody else may wait
 * for it. Errors: ERR_DEFECT beyond SUPERVISE_CHILDREN_MAX. */
MUST_USE int supervise_child(struct supervisor *s, pid_t pid, supervise_on_end *callback,
                             void *owner, struct err *err);

/* ---- what others ask for ---------------------------------------------------------------------- */

/* Stop the application and start it anew with supervise_environment's. Several that come close
 * together are one. After a run that was short it waits, longer each time, while the application
 * goes on; a restart that comes while it is stopped for another is that other. It waits no longer than
 * until BY_MS, when what the application holds is of no use to it any more, but for the least time
 * between two starts; CLOCK_NEVER: there is no such end. REASON is for the log, a text that lives on.
 * Before the first start: nothing. */
void supervise_restart(struct supervisor *s, const char *reason, int64_t by_ms);

/* Send NUMBER to the application's group, as it is. False: there is none now. */
bool supervise_signal(struct supervisor *s, int number);

/* End as if TERM had come. */
void supervise_stop(struct supervisor *s);

/* What its next start gets: "NAME=value", NULL-terminated. Borrowed until the next call; its strings
 * may lie in the slab of secrets. */
void supervise_environment(struct supervisor *s, const char *const *environment);

/* ---- the whole -------------------------------------------------------------------------------- */

struct supervise_settings {
    char **argv; /* NULL-terminated */
    const char *const *environment;
    const struct contract_run *run; /* the contract's, or contract_run_default */
    int fds[3];                     /* what it gets as 0, 1, 2: -1 is ours */
    /* Each may be NULL. STARTED: its program runs. FORWARDED: NUMBER came, and the application has what
     * is sent for it. ENDING: it is asked to end just now, or ended by itself; not FOR_A_RESTART where
     * that is for good, which a restart may become that a signal for the end overtakes. ENDED: it has
     * ended and, where it was stopped, so has all that it left behind. */
    void (*started)(void *owner, pid_t pid);
    void (*forwarded)(void *owner, int number);
    void (*ending)(void *owner, bool for_a_restart);
    void (*ended)(void *owner, bool for_a_restart);
    void *owner;
};
#define SUPERVISE_SETTINGS_INIT ((struct supervise_settings){.fds = {-1, -1, -1}})

/* From here on signals are kept for the application. One at a time in a process. Errors:
 * ERR_RESOURCE. */
MUST_USE int supervise_init(struct supervisor **out, struct err *err);

/* This process becomes the application: what was kept for it waits for this process again. */
void supervise_give_back(struct supervisor *s);

/* Where nothing was started, give the signals back their meaning; what was kept has its effect on us
 * then. NULL: nothing. */
void supervise_free(struct supervisor *s);
void supervise_auto_free(struct supervisor **s);
#define AUTO_SUPERVISOR CLEANUP(supervise_auto_free) struct supervisor *

/* Before supervise_run: have what was watched seen to until a callback has set *DONE: 0. Signals wait
 * for the application, but TERM, INT, HUP and QUIT, which end it: -1, ERR_STOPPED. */
MUST_USE int supervise_meanwhile(struct supervisor *s, const bool *done, struct err *err);

/* Start it and stay until it has ended: 0, and *exit_code is as it ended (its code, or 128 and the
 * signal; run.exit_codes maps that). -1: it could not be started, which may be at a restart too;
 * *exit_code is 126, 127 or 125. SETTINGS lives on until then. */
MUST_USE int supervise_run(struct supervisor *s, const struct supervise_settings *settings,
                           int *exit_code, struct err *err);

/* The signal that ended it before there was an application; 0: none did. */
int supervise_stop_signal(const struct supervisor *s);

enum supervise_state supervise_state(const struct supervisor *s);
unsigned supervise_restarts(const struct supervisor *s); /* how many there were */
pid_t supervise_pid(const struct supervisor *s);         /* of the application; 0: none now */

#endif
