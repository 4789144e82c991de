/* agent/refresh.h: sources asked again while the application runs: run.refresh.
 *
 * The work is done by a child that ends with it: the loop never waits for a source, and what a library keeps
 * goes with the process. It has the token and what is leased, which is not asked for again; values come
 * back through a pipe, into the slab. A source that can't be reached changes nothing: it is said, and
 * asked again at the next turn. */
#ifndef AGENT_REFRESH_H
#define AGENT_REFRESH_H

#include "agent/change.h"

enum {
    REFRESH_MS = 60 * 1000,      /* for all sources together */
    REFRESH_KILL_MS = 70 * 1000, /* where the child does not end by itself */
};

struct refresh {
    struct change *change;
    struct supervise_timer timer; /* the next turn; or, while the child works, its end */
    pid_t child;                  /* 0: none */
    int pipe;                     /* -1: none */
    char *bytes;                  /* what came; in the slab */
    size_t length, capacity;
};

/* Have them asked every run.refresh; nothing where that is off. */
void refresh_start(struct refresh *r, struct change *change);
void refresh_stop(struct refresh *r); /* the child is killed */

#endif
