/* agent/renew_revoke.c: what is not used any more, former leases and tokens, is revoked behind each restart,
 * and all of it at the end.
 *
 * A Vault that is away then is asked again, ever later, until each has been revoked or has ended by itself.
 * What Vault refuses is left to expire. */
#include <string.h>

#include "agent/renew_parts.h"
#include "base/log.h"

enum { COUNT_BYTES = 24 };

/* What became of one. */
enum fate {
    FATE_LEFT,  /* it was not free when the work began */
    FATE_ENDED, /* or refused: there is nothing more to be done */
    FATE_FAILED,
};

struct fates {
    enum fate retired[RENEW_RETIRED_MAX], former[RENEW_FORMER_MAX];
};

/* ---- the child's work ---------------------------------------------------------------------------- */

/* The first failure stays in FIRST: the parent says it. */
static void note(struct err *first, const struct err *own)
{
    if (first->kind == ERR_NONE)
        *first = *own;
}

static void say_left(const char *id, const struct err *why)
{
    log_line(LOG_INFO, "a lease is left to expire", "lease", id, "why", why->text, NULL);
}

/* Where Vault is away, the next one is not tried: that would take as long again. At the end nobody tries it
 * once more, so each that is left is named. */
static enum fate end_lease(struct renew *r, struct vault *vault, const char *id, struct err *first)
{
    struct err own = ERR_INIT;

    if (!err_try_again(first->kind) && vault_lease_end(vault, id, r->plan.deadline_ms, &own) == 0)
        return FATE_ENDED;
    if (own.kind == ERR_NONE)
        own = *first;
    bool may_pass = err_try_again(own.kind);
    if (may_pass)
        note(first, &own);
    if (r->is_over || !may_pass)
        say_left(id, &own);
    return may_pass ? FATE_FAILED : FATE_ENDED;
}

static enum fate end_token(struct renew *r, const struct vault_session *session, struct err *first)
{
    struct err own = ERR_INIT;
    struct vault *vault;

    if (err_try_again(first->kind))
        return FATE_FAILED;
    if (source_open_vault(r->job->sources, &vault, &own) == 0 &&
        vault_session_use(vault, session, &own) == 0 && vault_revoke_own_token(vault, &own) == 0)
        return FATE_ENDED;
    note(first, &own);
    return err_try_again(own.kind) ? FATE_FAILED : FATE_ENDED;
}

/* At the end: what is held. With its token goes what hangs on it; one that we were given stays, and a batch
 * token. */
static void end_held(struct renew *r, struct vault *vault, struct err *first)
{
    bool stays = !r->held.session.logged_in || r->held.session.is_batch;

    for (size_t i = 0; i < r->held.read_count && stays; i++)
        if (renew_is_lease(&r->held.reads[i].read))
            (void)end_lease(r, vault, r->held.reads[i].read.lease.id, first); /* the last attempt */
}

int renew_work_revoke(void *context, struct buf *answer, struct err *err)
{
    struct renew *r = context;
    struct fates fates = {0};
    struct err first = ERR_INIT;
    struct vault *vault;

    renew_begin_work(r);
    if (renew_open_vault(r, &vault, err) != 0)
        return -1;
    for (size_t i = 0; vault && i < r->retired_count; i++)
        if (r->is_over || r->retired[i].is_free)
            fates.retired[i] = end_lease(r, vault, r->retired[i].id, &first);
    if (vault && r->is_over)
        end_held(r, vault, &first);
    for (size_t i = 0; i < r->former_count; i++)
        if (r->is_over || r->former[i].is_free)
            fates.former[i] = end_token(r, &r->former[i].session, &first);
    if (r->is_over && r->held.session.logged_in)
        (void)end_token(r, &r->held.session, &first); /* the last attempt */
    source_set_free(r->job->sources);
    wire_put_struct(answer, &fates, sizeof fates);
    if (first.kind == ERR_NONE)
        return 0;
    *err = first;
    return -1;
}

/* ---- the parent ---------------------------------------------------------------------------------- */

/* Take out what has ended: by itself, or as FATES (or NULL) say. */
static void forget(struct renew *r, const struct fates *fates)
{
    size_t kept = 0;

    for (size_t i = 0; i < r->retired_count; i++) {
        if (clock_passed(r->retired[i].expires_ms) || (fates && fates->retired[i] == FATE_ENDED))
            free(r->retired[i].id);
        else
            r->retired[kept++] = r->retired[i];
    }
    r->retired_count = kept;
    kept = 0;
    for (size_t i = 0; i < r->former_count; i++) {
        if (clock_passed(r->former[i].session.expires_ms) ||
            (fates && fates->former[i] == FATE_ENDED))
            vault_session_release(&r->former[i].session);
        else
            r->former[kept++] = r->former[i];
    }
    r->former_count = kept;
}

void renew_forget_ended(struct renew *r)
{
    forget(r, NULL);
}

static size_t free_count(const struct renew *r)
{
    size_t count = 0;

    for (size_t i = 0; i < r->retired_count; i++)
        count += r->retired[i].is_free;
    for (size_t i = 0; i < r->former_count; i++)
        count += r->former[i].is_free;
    return count;
}

static void start_anew(struct renew *r)
{
    r->revoke_ms = CLOCK_NEVER;
    r->revoke_failures = 0;
    r->revoke_backoff = (struct backoff){.base_ms = SCHEDULE_RETRY_MS,
                                         .cap_ms = SCHEDULE_RETRY_MAX_MS};
}

static void say_expired(void)
{
    log_line(LOG_INFO, "what could not be revoked has ended by itself", NULL);
}

bool renew_may_revoke(struct renew *r)
{
    if (!clock_passed(r->revoke_ms))
        return false;
    renew_forget_ended(r);
    if (free_count(r) > 0) {
        r->revoke_ms = CLOCK_NEVER;
        return true;
    }
    if (r->revoke_failures > 0)
        say_expired();
    start_anew(r);
    return false;
}

void renew_application_restarts(struct renew *r)
{
    /* A change that is still to be brought to it is not what it starts with. */
    if (change_is_pending(r->change))
        return;
    for (size_t i = 0; i < r->retired_count; i++)
        r->retired[i].is_free = true;
    for (size_t i = 0; i < r->former_count; i++)
        r->former[i].is_free = true;
    if (free_count(r) == 0)
        return;
    if (r->revoke_failures == 0)
        start_anew(r);
    r->revoke_ms = clock_now_ms();
    renew_arm(r);
}

static void say_failure(const struct renew *r, size_t left, const struct err *err)
{
    char count[COUNT_BYTES];

    (void)snprintf(count, sizeof count, "%zu", left);
    log_line(r->revoke_failures == 0 ? LOG_WARN : LOG_DEBUG,
             "what is not used any more could not be revoked; it is tried again until it has ended",
             "left", count, "reason", err ? err->text : NULL, "hint",
             err && *err->hint ? err->hint : NULL, NULL);
}

void renew_on_revoked(void *owner, struct wire *answer, const struct err *err)
{
    struct renew *r = owner;
    struct fates fates = {0}; /* of a child that could say nothing: all are left */

    if (answer->left > 0)
        wire_struct(answer, &fates, sizeof fates); /* zeroed where it is cut */
    forget(r, &fates);
    size_t left = err ? free_count(r) : 0;
    if (left > 0) {
        say_failure(r, left, err);
        r->revoke_failures++;
        r->revoke_ms = clock_earlier(r->revoke_ms,
                                     clock_in_ms(backoff_next_ms(&r->revoke_backoff)));
    } else if (err && err_try_again(err->kind)) {
        say_expired(); /* while it was tried */
    } else if (err) {
        log_line(LOG_WARN, "what is not used any more could not be revoked; it ends by itself",
                 "reason", err->text, NULL);
    } else if (r->revoke_failures > 0) {
        log_line(LOG_INFO, "what could not be revoked before is revoked now", NULL);
    }
    if (left == 0) { /* unless the application was started anew meanwhile */
        int64_t again = r->revoke_ms;
        start_anew(r);
        r->revoke_ms = again;
    }
    renew_arm(r);
}
