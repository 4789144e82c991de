/* agent/renew_parts.h: what the files of agent/renew.h share, and nobody else.
 *
 *   renew.c         what is held, and when something is due
 *   renew_answer.c  what is done with a child's answer
 *   renew_hand.c    what a child hands over, written and read
 *   renew_work.c    the child's work: prepare, renew, replace, revoke
 *   renew_change.c  the child's work on a change: what is asked again, checked and tried
 *   renew_revoke.c  what is not used any more is revoked, and tried again where that fails */
#ifndef AGENT_RENEW_PARTS_H
#define AGENT_RENEW_PARTS_H

#include "agent/renew.h"
#include "agent/worker.h"
#include "base/clock.h"
#include "vault/renew.h"
#include "vault/schedule.h"

enum {
    RENEW_RETIRED_MAX = 64, /* former leases that wait for the end of who holds them */
    RENEW_FORMER_MAX = 4,   /* former tokens that do */
};

/* One path of Vault's that was read. */
struct renew_read {
    struct vault_read read;   /* its path is ours too */
    struct schedule schedule; /* of its lease, or of its static role; else never due */
    /* of the work at hand */
    bool renew, replace;
    struct vault_term term; /* a renewal's answer */
    struct err err;         /* ERR_NONE: it was renewed */
};

/* What a child hands over. */
struct renew_hand {
    struct contract_value *values; /* parallel to the contract's variables; NULL: there is none */
    size_t value_count;
    struct change_entry *inlines; /* without a contract */
    size_t inline_count;
    struct renew_read *reads;
    size_t read_count;
    struct secret *hidden; /* what has to be hidden in output */
    size_t hidden_count;
    struct vault_session session;
    bool has_session;
};
#define AUTO_RENEW_HAND CLEANUP(renew_hand_release) struct renew_hand

/* What the work at hand is to do besides the flags of the reads. */
struct renew_plan {
    bool look_at_token, renew_token, replace_token;
    bool ask_again; /* run.refresh: whatever can be asked without making something new */
    int64_t deadline_ms;
};

/* A lease that the application may still hold, or held before it was started anew: then it is free. */
struct renew_retired {
    char *id;
    int64_t expires_ms;
    bool is_free;
};

/* The same of a token. */
struct renew_former {
    struct vault_session session;
    bool is_free;
};

struct renew {
    struct job *job;
    struct supervisor *supervisor;
    bool hides; /* what is secret has to be known here, for output */
    renew_prepare_function *prepare;
    struct change *change;      /* NULL before renew_begin */
    struct status_facts *facts; /* the same */

    struct renew_hand
        held; /* its values, inlines and hidden ones are empty: they went to the job */
    struct schedule token, refresh;
    bool token_unknown; /* how long it lasts */

    struct worker worker;
    struct supervise_timer timer;
    struct renew_plan plan; /* of the work at hand, with the flags of the reads */
    struct vault_term token_term;
    struct err token_err;
    char **lease_ids; /* parallel to held.reads, as they were when a change began; borrowed */

    bool done;         /* with the preparation */
    struct err result; /* of it */
    struct renew_retired retired[RENEW_RETIRED_MAX];
    size_t retired_count;
    struct renew_former former[RENEW_FORMER_MAX];
    size_t former_count;
    int64_t revoke_ms; /* when what is free is revoked; CLOCK_NEVER: nothing is */
    struct backoff revoke_backoff;
    unsigned revoke_failures; /* one after another */
    int64_t said_ms;          /* when it was last said that Vault can't be asked; 0: it can */
    bool is_over;
};

/* ---- renew_revoke.c ---------------------------------------------------------------------------- */

/* Forget what has ended by itself. */
void renew_forget_ended(struct renew *r);

/* Whether there is something to revoke now, of what has not ended by itself. */
bool renew_may_revoke(struct renew *r);

/* ---- renew_hand.c ------------------------------------------------------------------------------ */

/* In the child: what the job has come to. */
MUST_USE int renew_hand_put(const struct renew *r, struct buf *out, struct err *err);
/* In the parent: *out is the caller's, untouched on failure. */
MUST_USE int renew_hand_take(const struct job *job, struct wire *wire, struct renew_hand *out,
                             struct err *err);
void renew_hand_release(struct renew_hand *hand);

bool renew_is_lease(const struct vault_read *read);  /* one that can be renewed and revoked */
bool renew_is_static(const struct vault_read *read); /* the password of a static role */

/* ---- renew_work.c, renew_change.c, renew_revoke.c: worker_work ---------------------------------------------------- */

int renew_work_prepare(void *context, struct buf *answer, struct err *err);
int renew_work_renew(void *context, struct buf *answer, struct err *err);
int renew_work_change(void *context, struct buf *answer, struct err *err);
int renew_work_revoke(void *context, struct buf *answer, struct err *err);

/* ---- renew_answer.c, renew_revoke.c: worker_on_answer ---------------------------------------------------------------- */

void renew_on_prepared(void *owner, struct wire *answer, const struct err *err);
void renew_on_renewed(void *owner, struct wire *answer, const struct err *err);
void renew_on_changed(void *owner, struct wire *answer, const struct err *err);
void renew_on_revoked(void *owner, struct wire *answer, const struct err *err);

/* ---- renew.c ------------------------------------------------------------------------------------------ */

/* When what is held is due, from how long it lasts. */
void renew_schedule_token(struct renew *r);
void renew_schedule_read(struct renew *r, struct renew_read *read);
void renew_arm(struct renew *r); /* set the timer for what is due next */

/* Vault, as who we are; NULL where it was not needed so far. */
MUST_USE int renew_open_vault(struct renew *r, struct vault **out, struct err *err);

/* In the child, around what makes something new: TERM, INT or HUP cut it short, and then RESULT is -1. What
 * comes behind it, undoing or handing over what was made, is done whole whatever comes (the parent asks with
 * TERM, and a terminal's ^C came before). */
MUST_USE int renew_heed_signals(struct err *err);
MUST_USE int renew_heed_no_more(int result, struct err *err);

/* The child's job, as it was at the start, with a deadline of its own and only errors in the log. */
void renew_begin_work(struct renew *r);

/* In the parent: whether the change that was planned registers every secret that is current anew, but for those
 * that are as they were at the start. */
bool renew_hands_over_all(const struct renew *r);

/* What renew_work_change begins its answer with, whether or not it worked. */
struct renew_change_head {
    bool made;    /* there may be leases that were not there before */
    bool is_same; /* nothing was asked anew: versions say that nothing has changed */
};

#endif
