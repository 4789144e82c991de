/* vault/schedule.h: when a token or a lease is renewed, and when new ones are made. No clock and no
 * server in here: the time and the chance are arguments, so that a test can say both.
 *
 * Every *_ms is a moment on base/clock.h's clock unless its comment says a duration. CHANCE is a
 * number from 0 to SCHEDULE_CHANCE - 1 (clock_random), which spreads what many processes would
 * otherwise do in the same moment.
 *
 * The rules: renew at two thirds of the time, a little earlier by chance; when a renewal gives less
 * than was asked for, its maximum is near, and a new one is made while this one still works; what can't
 * be renewed is replaced at the same two thirds; a failure is tried again ever later, but several
 * times before the end; and whatever fails, a new one is not made before SCHEDULE_FLOOR_MS have
 * passed since the last one, or half of its maximum where that is known to be shorter, or half of
 * its span where it ended before its maximum was known. */
#ifndef VAULT_SCHEDULE_H
#define VAULT_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SCHEDULE_CHANCE = 1 << 16,
    SCHEDULE_FLOOR_MS = 30 * 1000,     /* between two new ones */
    SCHEDULE_RETRY_MS = 1000,          /* behind the first failure */
    SCHEDULE_RETRY_MAX_MS = 30 * 1000, /* behind later ones: so soon is Vault's return seen */
    SCHEDULE_RETRY_MIN_MS = 100,       /* whatever little time is left */
    SCHEDULE_STATIC_SLACK_MS = 1000,   /* behind the rotation of a static role */
};

enum schedule_action {
    SCHEDULE_WAIT,    /* until next_ms */
    SCHEDULE_RENEW,   /* then schedule_renewed, schedule_failed or schedule_ended */
    SCHEDULE_REPLACE, /* make or read a new one; then schedule_start, or schedule_failed */
};

/* One token, one lease or one thing that is read again now and then. */
struct schedule {
    int64_t made_ms;    /* when it was made: before it was asked for */
    int64_t expires_ms; /* CLOCK_NEVER: it does not end */
    int64_t next_ms;    /* when there is something to do; CLOCK_NEVER: never */
    int64_t span_ms;    /* a duration: what each renewal asks for */
    int64_t maximum_ms; /* a duration: how long it can live at all; 0: not known */
    bool renewable;
    bool must_replace; /* a renewal was short, or it has ended */
    unsigned failures; /* since the last success */
};

/* It was made at MADE_MS and lasts SPAN_MS (a duration; 0: for ever). */
void schedule_start(struct schedule *s, int64_t made_ms, int64_t span_ms, bool renewable,
                    uint32_t chance);

/* A static role's password lasts for TTL_MS (a duration) from READ_MS on; after that, read again. */
void schedule_start_static(struct schedule *s, int64_t read_ms, int64_t ttl_ms, uint32_t chance);

/* Something is looked at every PERIOD_MS (a duration; 0: never), a tenth more or less by chance. */
void schedule_start_periodic(struct schedule *s, int64_t now_ms, int64_t period_ms,
                             uint32_t chance);

enum schedule_action schedule_due(const struct schedule *s, int64_t now_ms);

/* A renewal that was asked for at ASKED_AT_MS gave GOT_MS (a duration). True: it was short, replace it
 * now. */
bool schedule_renewed(struct schedule *s, int64_t asked_at_ms, int64_t got_ms, bool renewable,
                      uint32_t chance);

/* What was due failed in a way that may pass: later. MAYBE_MADE: a new one was asked for and the answer
 * was lost, so that there may be one now: the floor counts from here. */
void schedule_failed(struct schedule *s, int64_t now_ms, bool maybe_made, uint32_t chance);

/* Vault does not know it any more, or won't renew it: replace it, now or at the floor. */
void schedule_ended(struct schedule *s, int64_t now_ms);

/* It ends at UNTIL_MS with what it hangs on (a lease with its token), which can't be renewed. */
void schedule_bound(struct schedule *s, int64_t now_ms, int64_t until_ms, uint32_t chance);

/* When a new one may be made at the earliest, whatever fails. */
int64_t schedule_floor_ms(const struct schedule *s);

#endif
