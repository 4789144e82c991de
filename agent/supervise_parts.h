/* agent/supervise_parts.h: what the supervisor's files share, and nobody else.
 *
 *   supervise.c           events and actions
 *   supervise_loop.c      descriptors, times, and the one wait
 *   supervise_restart.c   when it is started anew
 *   supervise_program.c   the application's process: start, signal, sweep
 *   supervise_memory.c    being small meanwhile
 *   supervise_terminal.c  who has the terminal, and ^Z
 *   supervise_tell.c      what others are told of the application */
#ifndef AGENT_SUPERVISE_PARTS_H
#define AGENT_SUPERVISE_PARTS_H

#include "agent/supervise.h"

enum {
    /* Programs of ours, and children that this process had before it became agent. */
    SUPERVISE_OTHERS_MAX = SUPERVISE_CHILDREN_MAX + 56,
};

struct supervise_watch {
    int fd; /* -1: free */
    unsigned generation;
    supervise_on_fd *callback;
    void *owner;
};

struct supervise_other {
    pid_t pid; /* 0: free */
    supervise_on_end *callback;
    void *owner;
};

struct supervisor {
    enum supervise_state state;
    const struct supervise_settings *settings; /* NULL before supervise_run */
    const struct contract_run *run;            /* the settings', from then on */
    const char *const *environment;

    /* Made at the start, so that a process that is out of descriptors still sees and reaps. */
    int epoll, signals, clock;
    int children; /* /proc's list of ours; -1: there is none */
    int terminal; /* the one that controls us; -1: none */

    struct supervise_watch watches[SUPERVISE_WATCHES_MAX];
    struct supervise_other others[SUPERVISE_OTHERS_MAX];
    struct supervise_timer *timers; /* the earliest first */
    int64_t armed_ms;               /* what the clock is set to; CLOCK_NEVER: nothing */
    struct supervise_timer deadline, restart;

    pid_t own, pid; /* ours; the application's, 0: there is none */
    pid_t group;    /* of the application that was started last; 0: none yet */
    sigset_t before;
    unsigned held[NSIG]; /* how many of each wait for a start; of those without a queue, one */
    int came, outgoing;  /* the signal at hand, and what is sent for it */
    bool sent_stop;      /* TSTP was sent on, and no CONT since */
    bool reap_more;      /* there may be more to reap */
    unsigned kills;      /* since it was asked to end */
    int64_t started_ms;
    unsigned short_runs, restarts;
    const char *reason;    /* of the restart */
    int64_t restart_at_ms; /* when it may be */

    int exit_code;
    bool failed; /* it could not be started: error says why */
    struct err error;
};

/* ---- supervise.c ------------------------------------------------------------------------------ */

void supervise_raise(struct supervisor *s, enum supervise_event event);
void supervise_read_signals(struct supervisor *s);
void supervise_reap(struct supervisor *s);

/* ---- supervise_loop.c ------------------------------------------------------------------------- */

MUST_USE int supervise_loop_init(struct supervisor *s, struct err *err);
void supervise_loop_release(struct supervisor *s);
/* Sleep until something happens, and have it seen to. Errors: ERR_DEFECT. */
MUST_USE int supervise_wait(struct supervisor *s, struct err *err);

/* ---- supervise_restart.c ---------------------------------------------------------------------- */

void supervise_restart_init(struct supervisor *s);
/* Have the restart that was asked for come in its time. */
void supervise_delay_restart(struct supervisor *s);

/* ---- supervise_program.c ---------------------------------------------------------------------- */

void supervise_program_init(struct supervisor *s);
/* Start it. *exit_code is what `run` ends with where that fails. */
MUST_USE int supervise_program_start(struct supervisor *s, int *exit_code, struct err *err);
/* NUMBER to the application's group. False: it does not run. */
bool supervise_program_signal(const struct supervisor *s, int number);

/* NUMBER (0: none) to what the application left behind: our children but for the application and for
 * what is not its own; those in its group only where IN_GROUP_TOO. How many there are; -1: that can't
 * be known here. */
int supervise_program_sweep(const struct supervisor *s, int number, bool in_group_too);

/* The place of PID among the others; NULL: it is the application's. 0 finds a free one. */
struct supervise_other *supervise_program_other(struct supervisor *s, pid_t pid);

/* ---- supervise_memory.c ----------------------------------------------------------------------- */

/* Give memory back that nothing needs while the application runs. */
void supervise_shed_memory(void);

/* ---- supervise_terminal.c --------------------------------------------------------------------- */

void supervise_terminal_init(struct supervisor *s);
/* Whether the application has to get the terminal when it starts, as ours is the foreground. */
bool supervise_terminal_is_ours(const struct supervisor *s);
/* Give it to the application, or take it back from GROUP, where it is that one's to give. */
void supervise_terminal_give(const struct supervisor *s);
void supervise_terminal_take(const struct supervisor *s, pid_t group);
/* The application was stopped by NUMBER: stop with it and continue it after, or have it go on where
 * nobody would ever continue us. */
void supervise_terminal_suspend(struct supervisor *s, int number);

/* ---- supervise_tell.c ------------------------------------------------------------------------- */

/* The state was BEFORE: where that changes what becomes of the application, it is told. */
void supervise_tell_way(const struct supervisor *s, enum supervise_state before);
/* The signal at hand was sent on. */
void supervise_tell_forwarded(const struct supervisor *s);

#endif
