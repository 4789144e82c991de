/* agent/renew.c: see agent/renew.h. What is held, and when something of it is due. */
#include "agent/renew.h"

#include "agent/renew_parts.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

enum {
    ATTEMPT_MIN_MS = 2000, /* however little time is left */
    ATTEMPT_PARTS = 2,     /* of the time that is left, for one attempt */
    TOKEN_SECRETS = 2,     /* the token, and a secret id that was unwrapped */
};

static uint32_t chance(void)
{
    return clock_random(SCHEDULE_CHANCE);
}

/* ---- the whole ------------------------------------------------------------------------------------ */

static void on_time(void *owner);

int renew_new(struct job *job, struct supervisor *s, bool hides, struct renew **out,
              struct err *err)
{
    struct renew *r = mem_new(1, sizeof *r);

    if (!r)
        return err_nomem(err);
    *r = (struct renew){.job = job,
                        .supervisor = s,
                        .hides = hides,
                        .worker = WORKER_INIT,
                        .revoke_ms = CLOCK_NEVER};
    r->timer = (struct supervise_timer){.callback = on_time, .owner = r};
    schedule_start(&r->token, 0, 0, false, 0); /* never due */
    schedule_start_periodic(&r->refresh, 0, 0, 0);
    *out = r;
    return 0;
}

void renew_free(struct renew *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->retired_count; i++)
        free(r->retired[i].id);
    for (size_t i = 0; i < r->former_count; i++)
        vault_session_release(&r->former[i].session);
    renew_hand_release(&r->held);
    free(r->lease_ids);
    free(r);
}

void renew_auto_free(struct renew **r)
{
    renew_free(*r);
}

int renew_prepare(struct renew *r, renew_prepare_function *prepare, struct err *err)
{
    const struct worker_task task = {.work = renew_work_prepare,
                                     .context = r,
                                     .what = "prepare the start",
                                     .deadline_ms = CLOCK_NEVER, /* the command's own ends it */
                                     .done = renew_on_prepared,
                                     .owner = r};

    r->prepare = prepare;
    if (worker_start(&r->worker, r->supervisor, &task, err) != 0)
        return -1;
    if (supervise_meanwhile(r->supervisor, &r->done, err) != 0) {
        worker_stop(&r->worker);
        return -1;
    }
    if (r->result.kind == ERR_NONE)
        return 0;
    *err = r->result;
    return -1;
}

bool renew_has_leases(const struct renew *r)
{
    for (size_t i = 0; i < r->held.read_count; i++)
        if (renew_is_lease(&r->held.reads[i].read) || renew_is_static(&r->held.reads[i].read))
            return true;
    return false;
}

/* ---- schedules ------------------------------------------------------------------------------------ */

void renew_schedule_read(struct renew *r, struct renew_read *read)
{
    const struct vault_lease *lease = &read->read.lease;
    int64_t made_ms = lease->expires_ms - lease->duration_ms;

    if (renew_is_static(&read->read))
        schedule_start_static(&read->schedule, made_ms, lease->duration_ms, chance());
    else if (renew_is_lease(&read->read) && lease->duration_ms > 0)
        schedule_start(&read->schedule, made_ms, lease->duration_ms, lease->renewable, chance());
    else
        schedule_start(&read->schedule, clock_now_ms(), 0, false, 0);
    if (renew_is_lease(&read->read) && !r->token.renewable && r->token.expires_ms != CLOCK_NEVER)
        schedule_bound(&read->schedule, clock_now_ms(), r->token.expires_ms, chance());
}

void renew_schedule_token(struct renew *r)
{
    const struct vault_session *session = &r->held.session;

    r->token_unknown = r->held.has_session && !session->logged_in &&
                       secret_is_set(&session->token) && renew_has_leases(r);
    if (session->logged_in && session->duration_ms > 0)
        schedule_start(&r->token, session->expires_ms - session->duration_ms, session->duration_ms,
                       session->renewable, chance());
    else
        schedule_start(&r->token, clock_now_ms(), 0, false, 0);
    if (r->token_unknown)
        r->token.next_ms = clock_in_ms(RENEW_LOOK_MS);
}

static void tell_status(struct renew *r)
{
    struct status_facts *facts = r->facts;

    facts->lease_count = 0;
    for (size_t i = 0; i < r->held.read_count && facts->lease_count < STATUS_LEASES; i++) {
        const struct vault_read *read = &r->held.reads[i].read;
        if (!renew_is_lease(read) && !renew_is_static(read))
            continue;
        facts->leases[facts->lease_count].path = read->path;
        facts->leases[facts->lease_count++].expires_ms = r->held.reads[i].schedule.expires_ms;
    }
    facts->token_expires_ms = r->token.expires_ms;
}

/* When the next of what is held is due. */
static int64_t next_ms(const struct renew *r)
{
    int64_t due = clock_earlier(r->token.next_ms, r->refresh.next_ms);

    for (size_t i = 0; i < r->held.read_count; i++)
        due = clock_earlier(due, r->held.reads[i].schedule.next_ms);
    return due;
}

void renew_arm(struct renew *r)
{
    int64_t due = clock_earlier(r->revoke_ms, next_ms(r));

    if (!r->facts || r->is_over)
        return;
    tell_status(r);
    supervise_timer(r->supervisor, &r->timer, worker_works(&r->worker) ? CLOCK_NEVER : due);
}

void renew_begin(struct renew *r, struct change *change, struct status_facts *facts)
{
    const struct contract *contract = r->job->contract;

    r->change = change;
    r->facts = facts;
    renew_schedule_token(r);
    for (size_t i = 0; i < r->held.read_count; i++)
        renew_schedule_read(r, &r->held.reads[i]);
    schedule_start_periodic(&r->refresh, clock_now_ms(), contract ? contract->run.refresh_ms : 0,
                            chance());
    renew_arm(r);
}

/* ---- what is due ----------------------------------------------------------------------------------- */

/* What is to be done now, as a plan. True: something is renewed; what is replaced waits for that. */
static bool plan(struct renew *r, bool *changes)
{
    int64_t now = clock_now_ms();
    enum schedule_action token = schedule_due(&r->token, now);
    bool renews = token == SCHEDULE_RENEW || (r->token_unknown && token != SCHEDULE_WAIT);

    r->plan = (struct renew_plan){.look_at_token = r->token_unknown && token != SCHEDULE_WAIT,
                                  .renew_token = token == SCHEDULE_RENEW,
                                  .replace_token = !r->token_unknown && token == SCHEDULE_REPLACE,
                                  .ask_again = schedule_due(&r->refresh, now) != SCHEDULE_WAIT};
    *changes = r->plan.replace_token || r->plan.ask_again;
    for (size_t i = 0; i < r->held.read_count; i++) {
        struct renew_read *read = &r->held.reads[i];
        enum schedule_action action = schedule_due(&read->schedule, now);
        read->renew = action == SCHEDULE_RENEW;
        read->replace = action == SCHEDULE_REPLACE;
        err_clear(&read->err);
        read->term = (struct vault_term){0};
        renews = renews || read->renew;
        *changes = *changes || read->replace;
    }
    err_clear(&r->token_err);
    r->token_term = (struct vault_term){0};
    return renews;
}

/* Half of the time that is left to what is renewed, so that there can be another attempt. */
static int64_t attempt_ms(const struct renew *r)
{
    int64_t ends = r->plan.renew_token ? r->token.expires_ms : CLOCK_NEVER;

    for (size_t i = 0; i < r->held.read_count; i++)
        if (r->held.reads[i].renew)
            ends = clock_earlier(ends, r->held.reads[i].schedule.expires_ms);
    int64_t left = clock_left_ms(ends) / ATTEMPT_PARTS;
    if (left == 0 || left > RENEW_WORK_MS) /* nothing left to lose, or time enough */
        return RENEW_WORK_MS;
    return left < ATTEMPT_MIN_MS ? ATTEMPT_MIN_MS : left;
}

/* ---- the work ---------------------------------------------------------------------------------------- */

struct secrets {
    struct secret **list;
    size_t count;
};

static void add(struct secrets *s, struct secret *secret)
{
    if (secret_is_set(secret))
        s->list[s->count++] = secret; /* there is room for all */
}

/* What the work at hand needs: our token; for a change what stays, and the values to compare with. */
static int gather(struct renew *r, bool for_a_change, bool for_the_end, struct secrets *out,
                  struct err *err)
{
    struct job *job = r->job;
    size_t values = job->contract ? job->contract->variable_count : 0;
    size_t room = TOKEN_SECRETS + RENEW_FORMER_MAX + values;

    for (size_t i = 0; i < r->held.read_count; i++)
        room += r->held.reads[i].read.field_count;
    *out = (struct secrets){.list = mem_new(room, sizeof(*out->list))};
    if (!out->list)
        return err_nomem(err);
    add(out, &r->held.session.token);
    add(out, &r->held.session.secret_id);
    for (size_t i = 0; for_the_end && i < r->former_count; i++)
        add(out, &r->former[i].session.token);
    for (size_t i = 0; for_a_change && i < values; i++)
        add(out, &job->values[i].bytes);
    for (size_t i = 0; for_a_change && i < r->held.read_count; i++)
        for (size_t k = 0; k < r->held.reads[i].read.field_count; k++)
            add(out, &r->held.reads[i].read.fields[k].value);
    return 0;
}

static int remember_lease_ids(struct renew *r, struct err *err)
{
    free(r->lease_ids);
    r->lease_ids = mem_new(r->held.read_count, sizeof(*r->lease_ids));
    if (!r->lease_ids)
        return err_nomem(err);
    for (size_t i = 0; i < r->held.read_count; i++)
        r->lease_ids[i] = r->held.reads[i].read.lease.id;
    return 0;
}

static void start(struct renew *r, worker_work *work, worker_on_answer *done, const char *what)
{
    bool for_a_change = work == renew_work_change, revokes = work == renew_work_revoke;
    struct secrets secrets = {0};
    struct err err = ERR_INIT;
    struct worker_task task = {.work = work,
                               .context = r,
                               .what = what,
                               .deadline_ms = r->plan.deadline_ms,
                               .done = done,
                               .owner = r};
    struct wire nothing = {0};

    int result = remember_lease_ids(r, &err);
    if (result == 0)
        result = gather(r, for_a_change, revokes, &secrets, &err);
    task.secrets = secrets.list;
    task.secret_count = secrets.count;
    if (result == 0)
        result = worker_start(&r->worker, r->supervisor, &task, &err);
    free(secrets.list);
    if (result != 0)
        done(r, &nothing, &err);
    else
        renew_arm(r);
}

static void on_time(void *owner)
{
    struct renew *r = owner;
    bool changes;

    if (worker_works(&r->worker))
        return; /* its end arms the timer */
    if (plan(r, &changes)) {
        r->plan.deadline_ms = clock_in_ms(attempt_ms(r));
        start(r, renew_work_renew, renew_on_renewed, "renew what Vault lent");
    } else if (changes) {
        r->plan.deadline_ms = clock_in_ms(RENEW_CHANGE_MS); /* the floor counts all the same */
        start(r, renew_work_change, renew_on_changed, "fetch new values");
    } else if (renew_may_revoke(r)) {
        /* What is used goes first, and is not kept waiting by what is not. */
        r->plan = (struct renew_plan){
            .deadline_ms = clock_earlier(clock_in_ms(RENEW_WORK_MS), next_ms(r))};
        start(r, renew_work_revoke, renew_on_revoked, "revoke what is not used any more");
    } else {
        renew_arm(r);
    }
}

/* ---- the end ----------------------------------------------------------------------------------------- */

void renew_end(struct renew *r, bool keep)
{
    struct secrets secrets = {0};
    struct err err = ERR_INIT;

    supervise_timer(r->supervisor, &r->timer, CLOCK_NEVER);
    r->is_over = true;
    worker_stop(&r->worker); /* what it made is held, and ended with the rest */
    bool ours = r->held.session.logged_in || r->former_count > 0 || r->retired_count > 0;
    if (keep || (!ours && !renew_has_leases(r)))
        return;
    r->plan = (struct renew_plan){.deadline_ms = clock_in_ms(VAULT_REVOKE_MS)};
    int result = gather(r, false, true, &secrets, &err);
    const struct worker_task task = {.work = renew_work_revoke,
                                     .context = r,
                                     .what = "revoke what Vault lent",
                                     .secrets = secrets.list,
                                     .secret_count = secrets.count,
                                     .deadline_ms = r->plan.deadline_ms};
    if (result == 0)
        result = worker_do(&task, &err);
    free(secrets.list);
    if (result != 0)
        log_line(LOG_WARN, "what Vault lent could not be revoked; it ends by itself", "reason",
                 err.text, NULL);
}
