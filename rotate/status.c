/* status.c: how old secrets are, what is due, what is open. */
#include "rotate/status.h"
#include "base/clock.h"
#include "base/mem.h"
#include "rotate/internal.h"

enum {
    MS = 1000,
    CLOCK_TOLERANCE_S = 300, /* between this clock and those of others */
};

static const char *const words[] = {
    [ROTATE_STATE_OK] = "ok",           [ROTATE_STATE_DUE] = "due",
    [ROTATE_STATE_OVERDUE] = "overdue", [ROTATE_STATE_OPEN] = "open",
    [ROTATE_STATE_SOAKING] = "soaking", [ROTATE_STATE_UNKNOWN] = "unknown",
};

const char *rotate_state_word(enum rotate_state state)
{
    return words[state];
}

/* What is late by a quarter of PERIOD is overdue. */
static enum rotate_state lateness(int64_t due, int64_t period, int64_t now)
{
    if (now <= due)
        return ROTATE_STATE_OK;
    return now > due + period / 4 ? ROTATE_STATE_OVERDUE : ROTATE_STATE_DUE;
}

/* A soaking one waits for the end of its grace; then it is retire that is due. */
static void judge_soaking(struct rotate_status *status, const struct rotate_spec *spec, int64_t now)
{
    enum rotate_state late = lateness(status->soak_until, spec->grace_ms / MS, now);

    status->due = status->soak_until;
    if (late != ROTATE_STATE_OK)
        status->state = late;
}

void status_judge(struct rotate_status *status, const struct rotate_spec *spec, int64_t now)
{
    int64_t period = spec->every_ms / MS;

    if (status->state == ROTATE_STATE_SOAKING) {
        judge_soaking(status, spec, now);
        return;
    }
    if (status->last_rotated > 0 && period > 0)
        status->due = status->last_rotated + period;
    if (status->state == ROTATE_STATE_OPEN)
        return;
    if (status->err.kind != ERR_NONE || status->last_rotated == 0) {
        status->state = ROTATE_STATE_UNKNOWN;
    } else if (status->last_rotated > now + CLOCK_TOLERANCE_S) {
        char last[CLOCK_RFC3339_BYTES], here[CLOCK_RFC3339_BYTES];
        clock_rfc3339(status->last_rotated, last);
        clock_rfc3339(now, here);
        status->state = ROTATE_STATE_UNKNOWN;
        (void)err_set(&status->err, ERR_ROTATION,
                      "'%s' was rotated at %s, and here it is %s: one of two clocks is wrong",
                      spec->variable, last, here);
        (void)err_hint(&status->err, "Nothing is due by such a clock. Set it right, or name the "
                                     "secret to rotate it now.");
    } else {
        status->state = period > 0 ? lateness(status->due, period, now) : ROTATE_STATE_OK;
    }
}

/* The secrets of one store, as pointers into all of them. */
static int look_in(const struct store *store, const struct rotate_spec *specs, size_t count,
                   const struct rotate_context *context, struct rotate_status *out, struct err *err)
{
    AUTO_FREE const struct rotate_spec **these = mem_new(count + 1, sizeof(void *));
    AUTO_FREE struct rotate_status **status = mem_new(count + 1, sizeof(void *));
    size_t found = 0;

    if (!these || !status)
        return err_nomem(err);
    for (size_t i = 0; i < count; i++) {
        if (store_of(&specs[i]) != store)
            continue;
        these[found] = &specs[i];
        status[found++] = &out[i];
    }
    return store->look(these, status, found, context, err);
}

int rotate_look(const struct rotate_spec *specs, size_t count, const struct rotate_context *context,
                struct rotate_status *out, struct err *err)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (struct rotate_status){.state = ROTATE_STATE_UNKNOWN};
    if (look_in(&store_kv, specs, count, context, out, err) != 0 ||
        look_in(&store_sealed, specs, count, context, out, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        status_judge(&out[i], &specs[i], clock_unix_seconds());
    return 0;
}
