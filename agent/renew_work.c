/* agent/renew_work.c: the children's work on what is held. Each runs in a process of its own, with the
 * parent's memory as it was when it began. */
#include <string.h>

#include "agent/leave.h"
#include "agent/renew_parts.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
#include "base/str.h"

/* ---- the first one ------------------------------------------------------------------------------ */

int renew_heed_signals(struct err *err)
{
    if (stop_begin(err) != 0)
        return -1;
    stop_hurry(true);
    return 0;
}

int renew_heed_no_more(int result, struct err *err)
{
    if (stop_requested())
        result = stop_error(err); /* whatever it broke off first */
    stop_hurry(false);
    stop_shield(true);
    return result;
}

/* Whether the token is needed behind the start. */
static bool needs_vault_later(const struct job *job)
{
    return job->sources && source_vault(job->sources) &&
           (source_leases(job->sources, NULL, 0) > 0 ||
            (job->contract && job->contract->run.refresh_ms > 0));
}

int renew_work_prepare(void *context, struct buf *answer, struct err *err)
{
    struct renew *r = context;

    if (renew_heed_signals(err) != 0)
        return -1;
    int result = renew_heed_no_more(r->prepare(r->job, err), err);
    job_say_findings(r->job);
    if (result == 0 && !needs_vault_later(r->job)) {
        leave_vault(r->job);
        source_set_free(TAKE_POINTER(r->job->sources)); /* nothing of it is kept */
    }
    if (result == 0)
        result = renew_hand_put(r, answer, err);
    if (result != 0)
        leave_vault_unused(r->job);
    return result;
}

/* ---- later ones ----------------------------------------------------------------------------------- */

void renew_begin_work(struct renew *r)
{
    static struct invocation call;
    bool json = str_eq(r->job->call->common.log_format, "json");

    /* What there is of it in this memory points at what is wiped here. */
    r->job->sources = NULL;
    call = *r->job->call;
    call.deadline_ms = r->plan.deadline_ms;
    r->job->call = &call;
    /* What is tried again and again would be said again and again: the parent says what counts. The end
     * comes once. */
    if (!r->is_over && !log_enabled(LOG_DEBUG))
        log_setup(json ? LOG_JSON : LOG_TEXT, LOG_ERROR, stderr_wants_color(&call));
}

int renew_open_vault(struct renew *r, struct vault **out, struct err *err)
{
    struct vault *vault;

    if (!r->held.has_session) { /* nothing was asked of Vault so far */
        *out = NULL;
        return 0;
    }
    if (job_sources(r->job, err) != 0 || source_open_vault(r->job->sources, &vault, err) != 0)
        return -1;
    /* One that was given is read again where it lies: it may be another by now. */
    if (r->held.session.logged_in && vault_session_use(vault, &r->held.session, err) != 0)
        return -1;
    *out = vault;
    return 0;
}

/* Vault says no: to this, or to our token? */
static void ask_about_token(struct renew *r, struct vault *vault, const struct err *refusal)
{
    if (refusal->kind == ERR_SOURCE_DENIED && r->token_err.kind == ERR_NONE &&
        vault_token_term(vault, r->plan.deadline_ms, &r->token_term, &r->token_err) == 0)
        err_clear(&r->token_err);
}

static void work_on_token(struct renew *r, struct vault *vault)
{
    int result = 0;

    if (r->plan.renew_token)
        result = vault_token_renew_self(vault, r->token.span_ms, r->plan.deadline_ms,
                                        &r->token_term, &r->token_err);
    else if (r->plan.look_at_token)
        result = vault_token_term(vault, r->plan.deadline_ms, &r->token_term, &r->token_err);
    if (result == 0)
        err_clear(&r->token_err);
}

int renew_work_renew(void *context, struct buf *answer, struct err *err)
{
    struct renew *r = context;
    struct vault *vault;

    renew_begin_work(r);
    if (renew_open_vault(r, &vault, err) != 0)
        return -1;
    if (!vault)
        return err_set(err, ERR_DEFECT, "there is nothing of Vault's to renew");
    work_on_token(r, vault);
    for (size_t i = 0; i < r->held.read_count; i++) {
        struct renew_read *read = &r->held.reads[i];
        if (!read->renew)
            continue;
        if (vault_lease_renew(vault, read->read.lease.id, read->schedule.span_ms,
                              r->plan.deadline_ms, &read->term, &read->err) == 0)
            err_clear(&read->err);
        else
            ask_about_token(r, vault, &read->err);
    }
    wire_put_struct(answer, &r->token_term, sizeof r->token_term);
    wire_put_struct(answer, &r->token_err, sizeof r->token_err);
    for (size_t i = 0; i < r->held.read_count; i++) {
        wire_put_struct(answer, &r->held.reads[i].term, sizeof r->held.reads[i].term);
        wire_put_struct(answer, &r->held.reads[i].err, sizeof r->held.reads[i].err);
    }
    source_set_free(r->job->sources);
    return 0;
}
