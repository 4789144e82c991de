/* agent/worker.h: work with curl, TLS and libpq, done by a child that lives as long as it lasts.
 *
 * The parent stays small: it loads none of those libraries, keeps none of their copies, and holds the
 * values in its slab of secrets alone. The child inherits the parent's memory but for the slab, which
 * it finds wiped (base/secret.h): what it needs of it comes through a pipe into a slab of its own. Its
 * answer comes back through another one, with the error that it ended with; findings and lines of the
 * log it writes itself.
 *
 * A child that dies, hangs, floods or is killed for its memory is the error of that attempt. One works
 * at a time. It dies with its parent. */
#ifndef AGENT_WORKER_H
#define AGENT_WORKER_H

#include "agent/supervise.h"
#include "agent/worker_wire.h"

enum {
    WORKER_SLACK_MS = 10000, /* behind its deadline it is killed: it cleans up first */
    WORKER_STOP_MS = 5000,   /* after TERM: it revokes what it made */
};

/* In the child. What it hands back is in ANSWER, also where it fails. */
typedef int worker_work(void *context, struct buf *answer, struct err *err);

/* In the parent's loop, once: ANSWER is borrowed. ERR is NULL when the work was done; else it says
 * what the child said, or how that ended, and ANSWER may be empty. */
typedef void worker_on_answer(void *owner, struct wire *answer, const struct err *err);

struct worker_task {
    worker_work *work;
    void *context;    /* the parent's memory as it was at the start */
    const char *what; /* for messages: "renew" */
    /* Secrets that the child needs: each is, in its memory, a copy again by when WORK is called. Entries
     * point into CONTEXT; those that are not set are left alone. */
    struct secret *const *secrets;
    size_t secret_count;
    int64_t deadline_ms; /* it is killed WORKER_SLACK_MS later; CLOCK_NEVER: never */
    worker_on_answer *done;
    void *owner;
};

/* The caller's, WORKER_INIT at first; it stays where it is while a child works. */
struct worker {
    struct supervisor *supervisor;
    worker_on_answer *done;
    void *owner;
    const char *what;
    pid_t pid; /* 0: nobody works */
    int input, output;
    char *sent; /* of the slab, on its way to the child */
    size_t sent_length, sent_so_far;
    char *answer; /* of the slab */
    uint64_t answer_length;
    size_t header_so_far, answer_so_far;
    struct supervise_timer deadline;
    struct err trouble; /* what broke the answer */
    bool ran_out_of_time;
};
#define WORKER_INIT ((struct worker){.input = -1, .output = -1})

static inline bool worker_works(const struct worker *w)
{
    return w->pid != 0;
}

/* Start it in S's loop. Errors: ERR_RESOURCE; then DONE is not called. */
MUST_USE int worker_start(struct worker *w, struct supervisor *s, const struct worker_task *task,
                          struct err *err);

/* Outside of the loop: have it done, and wait for its end; DONE is not called. Errors as DONE gets
 * them. */
MUST_USE int worker_do(const struct worker_task *task, struct err *err);

/* Outside of the loop: ask the child to end (TERM), wait for WORKER_STOP_MS, kill it. DONE is called where
 * the work was done all the same, so that what it made is known. NULL pid: nothing. */
void worker_stop(struct worker *w);

#endif
