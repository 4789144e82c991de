/* agent/renew_answer.c: what is done with a child's answer: terms, new values, and failures that pass. */
#include <string.h>
#include <unistd.h>

#include "agent/renew_parts.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/redact.h"
#include "base/str.h"

enum { SECONDS_BYTES = 24, MS_PER_S = 1000 };

static uint32_t chance(void)
{
    return clock_random(SCHEDULE_CHANCE);
}

/* ---- what is said ------------------------------------------------------------------------------------ */

/* The first end of what the application holds; CLOCK_NEVER: there is none. */
static int64_t first_end_ms(const struct renew *r)
{
    int64_t ends = r->held.session.logged_in && renew_has_leases(r) ? r->token.expires_ms
                                                                    : CLOCK_NEVER;

    for (size_t i = 0; i < r->held.read_count; i++)
        if (renew_is_lease(&r->held.reads[i].read))
            ends = clock_earlier(ends, r->held.reads[i].schedule.expires_ms);
    return ends;
}

/* At most once every RENEW_SAY_MS, however often it happens. */
static bool may_say(struct renew *r)
{
    if (r->said_ms != 0 && clock_now_ms() - r->said_ms < RENEW_SAY_MS)
        return false;
    r->said_ms = clock_now_ms();
    return true;
}

static void say_not_refreshed(struct renew *r, const struct err *err)
{
    r->facts->refresh_failures++;
    if (may_say(r))
        log_line(LOG_WARN, "sources could not be asked again; what there is stays", "reason",
                 err->text, "hint", *err->hint ? err->hint : NULL, NULL);
}

static void say_trouble(struct renew *r, const struct err *err)
{
    int64_t ends = first_end_ms(r), left_s = clock_left_ms(ends) / MS_PER_S;
    char when[CLOCK_RFC3339_BYTES], seconds[SECONDS_BYTES];
    bool has_end = ends != CLOCK_NEVER;

    r->facts->renewal_failures++;
    if (!may_say(r))
        return;
    (void)snprintf(seconds, sizeof seconds, "%lld", (long long)left_s);
    clock_rfc3339(clock_unix_seconds() + (has_end ? left_s : 0), when);
    log_line(LOG_WARN,
             has_end && left_s == 0
                 ? "what Vault lent to the application has ended; new ones are asked for again"
                 : "what Vault lent to the application goes on; it is asked again later",
             "reason", err->text, "hint", *err->hint ? err->hint : NULL, "valid_until",
             has_end ? when : NULL, "seconds_left", has_end ? seconds : NULL, NULL);
}

static void say_all_is_well(struct renew *r)
{
    r->facts->last_success_s = clock_unix_seconds();
    if (r->said_ms != 0)
        log_line(LOG_INFO, "Vault answers again", NULL);
    r->said_ms = 0;
}

/* ---- the first one ------------------------------------------------------------------------------------- */

static int hide(const struct renew_hand *hand, struct err *err)
{
    for (size_t i = 0; i < hand->hidden_count; i++)
        if (redact_register(&hand->hidden[i], err) != 0)
            return -1;
    return 0;
}

static int set_inlines(struct job *job, const struct renew_hand *hand, struct err *err)
{
    if (job->contract)
        return 0;
    if (environment_index(&job->environment, (const char *const *)environ, err) != 0)
        return -1;
    for (size_t i = 0; i < hand->inline_count; i++)
        if (environment_set(&job->environment, hand->inlines[i].name, &hand->inlines[i].value,
                            err) != 0)
            return -1;
    return 0;
}

/* The rest of HAND becomes what is held. */
static void hold(struct renew *r, struct renew_hand *hand)
{
    renew_hand_release(&r->held);
    r->held.reads = TAKE_POINTER(hand->reads);
    r->held.read_count = hand->read_count;
    r->held.session = hand->session;
    r->held.has_session = hand->has_session;
    hand->read_count = 0;
    hand->session = (struct vault_session){0};
}

static int take_first(struct renew *r, struct wire *answer, struct err *err)
{
    AUTO_RENEW_HAND hand = {0};
    struct job *job = r->job;

    if (renew_hand_take(job, answer, &hand, err) != 0 || hide(&hand, err) != 0 ||
        set_inlines(job, &hand, err) != 0)
        return -1;
    for (size_t i = 0; i < hand.value_count; i++) {
        job->values[i] = hand.values[i];
        hand.values[i].bytes = SECRET_INIT;
    }
    hold(r, &hand);
    return 0;
}

void renew_on_prepared(void *owner, struct wire *answer, const struct err *err)
{
    struct renew *r = owner;

    r->done = true;
    findings_release(&r->job->findings); /* the child has said them */
    r->job->findings = FINDINGS_INIT;
    if (err)
        r->result = *err;
    else if (take_first(r, answer, &r->result) == 0)
        err_clear(&r->result);
}

/* ---- renewals ------------------------------------------------------------------------------------------- */

/* It can't be renewed, and works: a new one, as soon as one may be made. */
static void replace_soon(struct schedule *s)
{
    int64_t now = clock_now_ms(), floor = schedule_floor_ms(s);

    s->renewable = false;
    s->next_ms = now < floor ? floor : now;
}

static void settle_token(struct renew *r)
{
    const struct vault_term *term = &r->token_term;
    const struct err *err = &r->token_err;
    int64_t now = clock_now_ms();

    if (err->kind == ERR_SOURCE_DENIED || err->kind == ERR_SOURCE_MISSING) {
        /* One that was given and may not look at itself lasts as long as it lasts. */
        bool may_not_look = r->plan.look_at_token;
        r->token_unknown = false;
        if (may_not_look)
            schedule_start(&r->token, now, 0, false, 0);
        else
            schedule_ended(&r->token, now);
        if (!may_not_look)
            say_trouble(r, err);
    } else if (err->kind != ERR_NONE) {
        schedule_failed(&r->token, now, false, chance());
        say_trouble(r, err);
    } else if (r->plan.look_at_token) {
        r->token_unknown = false;
        schedule_start(&r->token, term->asked_at_ms, term->duration_ms, term->renewable, chance());
    } else if (term->duration_ms == 0) { /* it does not end any more */
        schedule_start(&r->token, term->asked_at_ms, 0, term->renewable, chance());
    } else {
        (void)schedule_renewed(&r->token, term->asked_at_ms, term->duration_ms, term->renewable,
                               chance());
        r->facts->renewals++;
    }
}

static void settle_read(struct renew *r, struct renew_read *read)
{
    int64_t now = clock_now_ms();

    if (read->err.kind == ERR_NONE) {
        (void)schedule_renewed(&read->schedule, read->term.asked_at_ms, read->term.duration_ms,
                               read->term.renewable, chance());
        read->read.lease.expires_ms = read->term.expires_ms;
        read->read.lease.duration_ms = read->term.duration_ms;
        r->facts->renewals++;
        return;
    }
    if (read->err.kind == ERR_SOURCE_MISSING)
        schedule_ended(&read->schedule, now);
    else if (read->err.kind == ERR_SOURCE_DENIED && r->token_err.kind == ERR_NONE)
        replace_soon(&read->schedule); /* the token lives: its policy is against it */
    else
        schedule_failed(&read->schedule, now, false, chance());
    say_trouble(r, &read->err);
}

static void all_renewals_failed(struct renew *r, const struct err *err)
{
    int64_t now = clock_now_ms();

    if (r->plan.renew_token || r->plan.look_at_token)
        schedule_failed(&r->token, now, false, chance());
    for (size_t i = 0; i < r->held.read_count; i++)
        if (r->held.reads[i].renew)
            schedule_failed(&r->held.reads[i].schedule, now, false, chance());
    say_trouble(r, err);
}

static int take_terms(struct renew *r, struct wire *answer, struct err *err)
{
    wire_struct(answer, &r->token_term, sizeof r->token_term);
    wire_struct(answer, &r->token_err, sizeof r->token_err);
    for (size_t i = 0; i < r->held.read_count; i++) {
        wire_struct(answer, &r->held.reads[i].term, sizeof r->held.reads[i].term);
        wire_struct(answer, &r->held.reads[i].err, sizeof r->held.reads[i].err);
    }
    return wire_check(answer, err);
}

void renew_on_renewed(void *owner, struct wire *answer, const struct err *err)
{
    struct renew *r = owner;
    struct err cut = ERR_INIT;
    bool all_well = true;

    if (err || take_terms(r, answer, &cut) != 0) {
        all_renewals_failed(r, err ? err : &cut);
        renew_arm(r);
        return;
    }
    if (r->plan.renew_token || r->plan.look_at_token || r->token_err.kind != ERR_NONE)
        settle_token(r);
    for (size_t i = 0; i < r->held.read_count; i++) {
        if (!r->held.reads[i].renew)
            continue;
        settle_read(r, &r->held.reads[i]);
        all_well = all_well && r->held.reads[i].err.kind == ERR_NONE;
    }
    if (all_well && r->token_err.kind == ERR_NONE)
        say_all_is_well(r);
    renew_arm(r);
}

/* ---- changes -------------------------------------------------------------------------------------------- */

static void change_failed(struct renew *r, bool made, const struct err *err)
{
    int64_t now = clock_now_ms();
    bool replaces = r->plan.replace_token;

    if (r->plan.replace_token)
        schedule_failed(&r->token, now, made, chance());
    if (r->plan.ask_again)
        schedule_failed(&r->refresh, now, false, chance());
    for (size_t i = 0; i < r->held.read_count; i++) {
        if (!r->held.reads[i].replace)
            continue;
        schedule_failed(&r->held.reads[i].schedule, now, made, chance());
        replaces = true;
    }
    if (replaces)
        say_trouble(r, err);
    else
        say_not_refreshed(r, err);
}

/* The application may hold it until it ends. Without room for it, it is left to expire. */
static void retire(struct renew *r, struct renew_read *read)
{
    if (!renew_is_lease(&read->read) || r->retired_count == RENEW_RETIRED_MAX)
        return;
    struct renew_retired *retired = &r->retired[r->retired_count++];
    *retired = (struct renew_retired){.expires_ms = read->schedule.expires_ms};
    retired->id = TAKE_POINTER(read->read.lease.id);
}

static void retire_session(struct renew *r, const struct renew_hand *hand)
{
    bool is_same = secret_equal(&hand->session.token, &r->held.session.token);

    if (is_same || !r->held.session.logged_in || r->former_count == RENEW_FORMER_MAX)
        return;
    r->held.session.expires_ms = r->token.expires_ms; /* it was renewed since it was made */
    r->former[r->former_count++] = (struct renew_former){.session = r->held.session};
    r->held.session = (struct vault_session){0};
}

static struct renew_read *find_same(struct renew *r, const struct vault_read *read)
{
    for (size_t i = 0; i < r->held.read_count; i++) {
        struct renew_read *own = &r->held.reads[i];
        if (str_eq(own->read.path, read->path) && renew_is_lease(read) && own->read.lease.id &&
            str_eq(own->read.lease.id, read->lease.id))
            return own;
        if (str_eq(own->read.path, read->path) && renew_is_static(read) &&
            own->read.lease.expires_ms == read->lease.expires_ms)
            return own;
    }
    return NULL;
}

/* What stayed keeps its schedule; what was replaced is retired; what is new gets its own. */
static void hold_changed(struct renew *r, struct renew_hand *hand)
{
    bool has_new_token = !secret_equal(&hand->session.token, &r->held.session.token);
    struct schedule former_token = r->token;

    renew_forget_ended(r); /* that makes room */
    for (size_t i = 0; i < hand->read_count; i++) {
        struct renew_read *own = find_same(r, &hand->reads[i].read);
        hand->reads[i].schedule.made_ms = -1; /* it is new */
        if (!own)
            continue;
        hand->reads[i].schedule = own->schedule;
        own->replace = false;
        free(TAKE_POINTER(own->read.lease.id));
    }
    for (size_t i = 0; i < r->held.read_count; i++)
        retire(r, &r->held.reads[i]);
    retire_session(r, hand);
    hold(r, hand);
    if (has_new_token)
        renew_schedule_token(r);
    else
        r->token = former_token;
    for (size_t i = 0; i < r->held.read_count; i++)
        if (r->held.reads[i].schedule.made_ms == -1)
            renew_schedule_read(r, &r->held.reads[i]);
}

static void ask_again_later(struct renew *r)
{
    if (r->plan.ask_again)
        schedule_start_periodic(&r->refresh, clock_now_ms(), r->job->contract->run.refresh_ms,
                                chance());
}

/* Half of the time that is left to what is replaced: the application needs some of it to start anew. With a
 * token ends what hangs on it. */
static int64_t deliver_by_ms(const struct renew *r)
{
    bool by_token = r->plan.replace_token && r->held.session.logged_in && renew_has_leases(r);
    int64_t ends = by_token ? r->token.expires_ms : CLOCK_NEVER;

    for (size_t i = 0; i < r->held.read_count; i++) {
        const struct renew_read *read = &r->held.reads[i];
        if (renew_is_static(&read->read) && read->replace)
            return clock_now_ms(); /* it was rotated: what the application has is over */
        if (renew_is_lease(&read->read) && (read->replace || r->plan.replace_token))
            ends = clock_earlier(ends, read->schedule.expires_ms);
    }
    return ends == CLOCK_NEVER ? ends : clock_in_ms(clock_left_ms(ends) / 2);
}

/* What was refused is looked at in full the next time, and not by its version. */
static void ask_what_was_refused(struct renew *r)
{
    for (size_t i = 0; r->change->refused_ms != 0 && i < r->held.read_count; i++)
        r->held.reads[i].read.version = 0;
}

static int take_change(struct renew *r, struct wire *answer, struct err *err)
{
    AUTO_RENEW_HAND hand = {0};

    if (renew_hand_take(r->job, answer, &hand, err) != 0)
        return -1;
    redact_next_age();
    if (hide(&hand, err) != 0)
        return -1;
    change_begin(r->change, deliver_by_ms(r), renew_hands_over_all(r));
    hold_changed(r, &hand);
    if (r->job->contract) {
        change_take(r->change, hand.values);
        ask_what_was_refused(r);
    } else {
        change_take_environment(r->change, hand.inlines, hand.inline_count);
    }
    return 0;
}

/* The end came meanwhile: nobody uses it, and with what is held it is ended. */
static void take_to_end(struct renew *r, struct wire *answer)
{
    AUTO_RENEW_HAND hand = {0};
    struct err cut = ERR_INIT;

    if (renew_hand_take(r->job, answer, &hand, &cut) == 0)
        hold_changed(r, &hand);
    else
        log_line(LOG_WARN, "what Vault lent last could not be taken; it ends by itself", "reason",
                 cut.text, NULL);
}

void renew_on_changed(void *owner, struct wire *answer, const struct err *err)
{
    struct renew *r = owner;
    struct renew_change_head head = {.made = true}; /* a child that died may have made some */
    struct err cut = ERR_INIT;

    r->facts->refreshes += r->plan.ask_again;
    if (answer->left > 0)
        wire_struct(answer, &head, sizeof head);
    if (r->is_over) {
        if (!err && !head.is_same)
            take_to_end(r, answer);
        return;
    }
    if (err || (!head.is_same && take_change(r, answer, &cut) != 0)) {
        change_failed(r, head.made || !err, err ? err : &cut);
    } else {
        ask_again_later(r);
        say_all_is_well(r);
    }
    renew_arm(r);
}
