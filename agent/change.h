/* agent/change.h: values that have changed while the application runs, brought to it.
 *
 * Only what differs in its bytes is a change. It is held against the contract as at the start: where it breaks
 * it, the application keeps what it has, and log and metrics say so. Else, after a random part of run.splay,
 * the files are written anew, the environment of the next start is made, and run.on_change is done: once for
 * all that came meanwhile. What can't be delivered is tried again, first soon and then ever later. */
#ifndef AGENT_CHANGE_H
#define AGENT_CHANGE_H

#include "agent/beside.h"
#include "agent/job.h"
#include "base/clock.h"

enum {
    CHANGE_RETRY_MS = 1000, /* after the first failure to deliver it */
    CHANGE_RETRY_MAX_MS = 60 * 1000,
    CHANGE_SAY_UNDELIVERED_MS = 60 * 1000, /* however often it fails */
    CHANGE_SAY_AGAIN_MS = 10 * 60 * 1000,  /* of a change that is refused at each look */
};

/* What the environment gets without a contract, where a reference stood. */
struct change_entry {
    char *name;
    struct secret value;
};

struct change {
    struct job *job;
    struct supervisor *supervisor;
    struct beside *beside;
    struct supervise_timer timer; /* until it is delivered */
    struct backoff retry;         /* between attempts to deliver it */
    int64_t undelivered_ms; /* when it was said last that it could not be delivered; 0: it could */
    const char **environment; /* of the next start; NULL: as at the first */
    int64_t refused_ms;       /* when that was said last; 0: not since a look that found no fault */
    int64_t
        by_ms; /* what it has ends soon behind that: no splay and no wait goes beyond; CLOCK_NEVER */
    bool is_whole; /* of what is taken next: see redaction_renew */
    bool hook_runs, hook_again;
    struct change_entry *entries; /* without a contract: of the next start */
    size_t entry_count;
};

void change_init(struct change *c, struct job *job, struct supervisor *s, struct beside *beside);

/* FRESH is parallel to the contract's variables; what is not resolved in it stays as it is. Its values are
 * moved out of it, or released. Failures are said. */
void change_take(struct change *c, struct contract_value *fresh);

/* What is taken next has to be with the application by then, whatever run.splay says and however soon that is
 * behind the last restart: what it has ends. CLOCK_NEVER: there is no hurry. IS_WHOLE: with it all that is
 * secret was registered anew (agent/redaction.h). */
void change_begin(struct change *c, int64_t by_ms, bool is_whole);

/* Whether something was taken that has not been brought to the application yet. */
bool change_is_pending(const struct change *c);

/* The same without a contract: ENTRIES are moved out, or released. */
void change_take_environment(struct change *c, struct change_entry *entries, size_t count);

void change_release(struct change *c); /* when the supervisor has ended */

#endif
