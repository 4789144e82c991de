/* agent/supervise_restart.c: when the application is started anew, and how soon behind the last start. */
#include <stdio.h>

#include "agent/supervise_parts.h"
#include "base/clock.h"
#include "base/log.h"

enum {
    STEADY_MS = 5 * 60 * 1000,  /* a run of this length was no short one */
    RESTART_GAP_MS = 1000,      /* from one start to the next, doubled each time */
    RESTART_GAP_MAX_MS = 60000, /* at most */
    DOUBLINGS_MAX = 6,
    MS_PER_S = 1000,
    SECONDS_BYTES = 24, /* a number as text */
};

/* When the next restart may be, where BY_MS asks for it however short the last runs were. */
static int64_t next_restart_ms(const struct supervisor *s, int64_t by_ms)
{
    int64_t least_ms = s->started_ms + RESTART_GAP_MS;

    if (s->short_runs == 0)
        return s->started_ms;
    unsigned doublings = s->short_runs - 1 < DOUBLINGS_MAX ? s->short_runs - 1 : DOUBLINGS_MAX;
    int64_t gap = (int64_t)RESTART_GAP_MS << doublings;
    int64_t usual_ms = s->started_ms + (gap < RESTART_GAP_MAX_MS ? gap : RESTART_GAP_MAX_MS);
    return clock_earlier(usual_ms, by_ms > least_ms ? by_ms : least_ms);
}

/* A start is a while behind the last one where that was short-lived, and what waits says so. */
void supervise_delay_restart(struct supervisor *s)
{
    int64_t wait_ms = clock_left_ms(s->restart_at_ms);
    char seconds[SECONDS_BYTES];

    supervise_timer(s, &s->restart, s->restart_at_ms);
    if (wait_ms < MS_PER_S)
        return;
    (void)snprintf(seconds, sizeof seconds, "%lld", (long long)(wait_ms / MS_PER_S));
    log_line(LOG_INFO, "the application was started only just now: it is started anew later",
             "reason", s->reason, "seconds", seconds, NULL);
}

static void note_restart(struct supervisor *s)
{
    bool short_run = clock_now_ms() - s->started_ms < STEADY_MS;

    s->short_runs = short_run ? s->short_runs + 1 : 0;
    s->outgoing = s->run->stop_signal;
    log_line(LOG_INFO, "the application is stopped and started anew", "reason", s->reason, NULL);
}

static void on_restart_due(void *owner)
{
    struct supervisor *s = owner;

    note_restart(s);
    supervise_raise(s, SUPERVISE_RESTART_DUE);
}

void supervise_restart(struct supervisor *s, const char *reason, int64_t by_ms)
{
    int64_t at_ms = next_restart_ms(s, by_ms);

    if (s->state == SUPERVISE_DELAYED && at_ms < s->restart.due_ms)
        supervise_timer(s, &s->restart, at_ms); /* that one was in no such hurry */
    if (s->state != SUPERVISE_RUNNING)
        return; /* none runs yet, one is under way or has its time, or all is over */
    s->reason = reason;
    s->restart_at_ms = at_ms;
    if (clock_passed(at_ms)) {
        note_restart(s);
        supervise_raise(s, SUPERVISE_RESTART);
    } else {
        supervise_raise(s, SUPERVISE_RESTART_LATER);
    }
}

void supervise_restart_init(struct supervisor *s)
{
    s->restart = (struct supervise_timer){.callback = on_restart_due, .owner = s};
}
