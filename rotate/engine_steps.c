/* engine_steps.c: what each step does that is the same for every strategy, around what is its own. */
#include <stdio.h>

#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "rotate/internal.h"

enum {
    PROMOTE_TRIES = 64, /* others that write other fields of the same secret come between */
    PROMOTE_BACKOFF_MS = 10,
    PROMOTE_BACKOFF_MAX_MS = 200,
    SOAK_PIECE_MS = 60 * 1000,
    SECOND_MS = 1000,
};

enum rotate_event step_event(const struct err *err)
{
    if (err->kind == ERR_ROTATION)
        return EVENT_CONFLICT;
    return err_try_again(err->kind) ? EVENT_LATER : EVENT_FAILED;
}

/* Whether anything was there before: the first value has no former. */
static bool has_former(const struct rotation *r)
{
    for (size_t i = 0; i < r->record.data.count; i++)
        if (str_eq(r->record.data.list[i].group, "former"))
            return true;
    return false;
}

bool step_is_empty(const struct rotation *r, enum rotate_step step)
{
    switch (step) {
    case ROTATE_SET:
        return !r->strategy->set;
    case ROTATE_PROMOTE:
        return !r->strategy->promotes;
    case ROTATE_PROPAGATE:
        return propagate_is_done(r);
    case ROTATE_SOAK:
        return r->context->no_grace || record_state_number(&r->record, "soak_until") == 0;
    case ROTATE_RETIRE:
        return !r->strategy->retire || (r->strategy->promotes && !has_former(r));
    case ROTATE_IDLE:
    case ROTATE_STAGE:
    case ROTATE_TEST:
    case ROTATE_RESTORE:
    case ROTATE_ROLLBACK:
    case ROTATE_DONE:
    case ROTATE_STEP_COUNT:
        break;
    }
    return false;
}

/* ---- stage ----------------------------------------------------------------------------------- */

static int read_current(struct rotation *r, struct err *err)
{
    document_release(&r->current);
    return r->store->read_current(r, &r->current, &r->current_version, err);
}

static int need_current(struct rotation *r, struct err *err)
{
    if (!r->strategy->promotes || r->current.count > 0 || r->is_init)
        return 0;
    err_set(err, ERR_SOURCE_MISSING, "there is no value yet");
    return err_hint(err, "agent rotate --init %s makes the first one.", r->spec->variable);
}

/* The record says what is to be done before anything outside of it changes. */
static int stage(struct rotation *r, struct err *err)
{
    const struct strategy *s = r->strategy;

    r->begun_ms = clock_now_ms();
    record_release(&r->record);
    if ((s->reads_current || s->promotes) &&
        (read_current(r, err) != 0 || need_current(r, err) != 0))
        return -1;
    if (record_begin(r->spec, r->context, &r->record, err) != 0 ||
        document_set_number(&r->record.data, NULL, "base_version", r->current_version, err) != 0 ||
        (s->stage && s->stage(r, err) != 0) ||
        record_set_step(&r->record, engine_step_behind(r, ROTATE_STAGE), err) != 0)
        return -1;
    return engine_keep_record(r, err);
}

/* ---- set, test ------------------------------------------------------------------------------- */

static int set(struct rotation *r, struct err *err)
{
    if (r->strategy->set(r, err) != 0)
        return -1;
    r->set_ms = clock_now_ms();
    if (!r->strategy->gap)
        return 0;
    return record_state_set_number(&r->record, "set_at", clock_unix_seconds(), err);
}

/* The contract's own check: what the command says decides. */
static int test_command(struct rotation *r, struct err *err)
{
    struct program program = {.argv = r->spec->test_command,
                              .environment = r->spec->environment,
                              .what = "the command of 'test'"};
    AUTO_SECRET input = SECRET_INIT;
    int exit_code = 0;

    if (program_input(r, "test", false, true, &input, err) != 0)
        return -1;
    program.input = &input;
    if (program_run(r, &program, &exit_code, NULL, err) != 0)
        return -1;
    if (exit_code == 0)
        return 0;
    return err_set(err, ERR_VIOLATION, "the command of 'test' ('%s') ended with %d",
                   program.argv[0], exit_code);
}

static int test(struct rotation *r, struct err *err)
{
    if (r->strategy->promotes) {
        AUTO_SECRET value = SECRET_INIT;
        if (rotation_value(r, "fields", &value, err) != 0)
            return -1;
    }
    if (r->strategy->test && r->strategy->test(r, err) != 0)
        return -1;
    return r->spec->test_command ? test_command(r, err) : 0;
}

/* ---- promote --------------------------------------------------------------------------------- */

/* Whether each field of GROUP is as it stands in r->current, and none that it names is missing. */
static bool is_current(const struct rotation *r, const char *group)
{
    size_t compared = 0;

    for (size_t i = 0; i < r->record.data.count; i++) {
        const struct document_entry *e = &r->record.data.list[i];
        if (!str_eq(e->group, group))
            continue;
        const struct secret *there = document_get(&r->current, NULL, e->name);
        if (!there || !secret_equal(there, &e->value))
            return false;
        compared++;
    }
    return compared > 0;
}

/* Whether a field of FIELDS stands there that is not as OTHER (the record's group) has it: somebody
 * changed it. */
static bool is_changed(const struct rotation *r, const char *fields, const char *other)
{
    for (size_t i = 0; i < r->record.data.count; i++) {
        const struct document_entry *e = &r->record.data.list[i];
        if (!str_eq(e->group, fields))
            continue;
        const struct secret *there = document_get(&r->current, NULL, e->name);
        const struct secret *known = document_get(&r->record.data, other, e->name);
        if (there ? !known || !secret_equal(there, known) : known != NULL)
            return true;
    }
    return false;
}

int step_is_promoted(struct rotation *r, bool *promoted, struct err *err)
{
    if (read_current(r, err) != 0)
        return -1;
    *promoted = is_current(r, "fields");
    return 0;
}

static int group_fields(const struct rotation *r, const char *group, struct document *out,
                        struct err *err)
{
    for (size_t i = 0; i < r->record.data.count; i++) {
        const struct document_entry *e = &r->record.data.list[i];
        if (str_eq(e->group, group) && document_set(out, NULL, e->name, &e->value, err) != 0)
            return -1;
    }
    return 0;
}

/* GROUP becomes current where what is there is OTHER's. Other fields of the same secret may change at
 * any time: then it is read again. */
static int make_current(struct rotation *r, const char *group, const char *other, struct err *err)
{
    struct backoff backoff = {.base_ms = PROMOTE_BACKOFF_MS, .cap_ms = PROMOTE_BACKOFF_MAX_MS};
    AUTO_DOCUMENT fields = DOCUMENT_INIT;

    if (group_fields(r, group, &fields, err) != 0)
        return -1;
    for (int tries = 1;; tries++) {
        enum store_written outcome = STORE_IN_DOUBT;
        struct err doubt = ERR_INIT;
        if (read_current(r, err) != 0)
            return -1;
        if (is_current(r, group))
            return 0;
        if (is_changed(r, group, other)) {
            err_set(err, ERR_ROTATION, "it was changed by somebody else since the rotation began");
            return err_hint(
                err,
                "Nothing was overwritten; the record has both values. Find out who wrote "
                "it; agent rotate --abort %s takes ours away.",
                r->spec->variable);
        }
        if (r->store->promote(r, &fields, r->current_version, &outcome, &doubt) != 0) {
            *err = doubt;
            return -1;
        }
        if (outcome == STORE_WRITTEN)
            return 0;
        if (tries < PROMOTE_TRIES && backoff_wait(&backoff, 0, r->context->deadline_ms))
            continue;
        if (outcome == STORE_IN_DOUBT)
            *err = doubt;
        else
            err_set(err, ERR_SOURCE_DOWN, "others wrote the same secret %d times meanwhile", tries);
        return -1;
    }
}

static int64_t gap_ms(const struct rotation *r)
{
    int64_t set_at = record_state_number(&r->record, "set_at");

    if (r->set_ms > 0)
        return clock_now_ms() - r->set_ms;
    return set_at > 0 ? (clock_unix_seconds() - set_at) * SECOND_MS : -1;
}

static int promote(struct rotation *r, struct err *err)
{
    int64_t now = clock_unix_seconds();

    if (make_current(r, "fields", "former", err) != 0)
        return -1;
    if (r->strategy->gap)
        r->result->gap_ms = gap_ms(r);
    if (r->spec->grace_ms <= 0 || !has_former(r))
        return 0;
    if (record_state_set_number(&r->record, "promoted_at", now, err) != 0)
        return -1;
    return record_state_set_number(&r->record, "soak_until",
                                   now + (r->spec->grace_ms + SECOND_MS - 1) / SECOND_MS, err);
}

/* ---- soak ------------------------------------------------------------------------------------ */

static enum rotate_event soak(struct rotation *r, struct err *err)
{
    int64_t until = record_state_number(&r->record, "soak_until");

    if (clock_unix_seconds() < record_state_number(&r->record, "promoted_at"))
        engine_say(r,
                   "this machine's clock is before the time of promote: grace ends by this clock "
                   "all the same");
    while (clock_unix_seconds() < until) {
        int64_t left_ms = (until - clock_unix_seconds()) * SECOND_MS;
        struct backoff piece = {.base_ms = 1, .cap_ms = 1};
        if (!r->context->wait)
            return EVENT_WAITING;
        /* The wall clock decides, and may be set: so it is looked at again. */
        int64_t wait_ms = left_ms < SOAK_PIECE_MS ? left_ms : SOAK_PIECE_MS;
        if (!backoff_wait(&piece, wait_ms, r->context->deadline_ms)) {
            if (stop_requested()) {
                stop_error(err);
                return EVENT_LATER;
            }
            return EVENT_WAITING;
        }
    }
    return EVENT_DONE;
}

/* ---- the ends -------------------------------------------------------------------------------- */

static void write_receipt(const struct rotation *r, const char *result, struct rotate_receipt *out)
{
    const char *reason = document_text(&r->record.data, NULL, "reason");
    int64_t started = record_started(&r->record), now = clock_unix_seconds();

    *out = (struct rotate_receipt){0};
    (void)snprintf(out->id, sizeof(out->id), "%s", record_id(&r->record));
    (void)snprintf(out->by, sizeof(out->by), "%s", document_text(&r->record.data, NULL, "by"));
    (void)snprintf(out->strategy, sizeof(out->strategy), "%s",
                   rotate_strategy_word(r->spec->strategy));
    (void)snprintf(out->result, sizeof(out->result), "%s", result);
    (void)snprintf(out->reason, sizeof(out->reason), "%s", reason ? reason : "");
    clock_rfc3339(now, out->at);
    if (r->begun_ms > 0)
        out->duration_ms = clock_now_ms() - r->begun_ms;
    else if (started > 0 && now > started)
        out->duration_ms = (now - started) * SECOND_MS;
}

/* Notes that a policy forbids are missed, not waited for. */
static int take_notes(struct rotation *r, const char *result, struct err *err)
{
    struct rotate_receipt receipt;

    write_receipt(r, result, &receipt);
    if (r->store->note_done(r, &receipt, err) == 0)
        return 0;
    if (step_event(err) != EVENT_FAILED)
        return -1;
    engine_warn(r, "who, when and why could not be kept: %s%s%s", err->text, *err->hint ? ". " : "",
                err->hint);
    err_clear(err);
    return 0;
}

static int finish(struct rotation *r, const char *result, struct err *err)
{
    (void)snprintf(r->result->id, sizeof(r->result->id), "%s", record_id(&r->record));
    if (take_notes(r, result, err) != 0 || r->store->erase_record(r, err) != 0)
        return -1;
    record_release(&r->record);
    return 0;
}

static int restore(struct rotation *r, struct err *err)
{
    const char *result = record_state_number(&r->record, "rolled_back") > 0 ? "rolled back"
                         : r->failure.kind != ERR_NONE                      ? "failed"
                                                                            : "aborted";

    if (r->strategy->restore && r->strategy->restore(r, err) != 0)
        return -1;
    return finish(r, result, err);
}

/* The strategy may have given the former back already, or others have been told of it: going on from soak
 * would end it, and what is left undone could not be done later. */
static int stays_behind(struct err *err)
{
    if (step_event(err) == EVENT_FAILED)
        err->kind = ERR_ROTATION;
    return -1;
}

static int roll_back(struct rotation *r, struct err *err)
{
    if (!r->strategy->promotes || !r->strategy->rollback || !has_former(r)) {
        err_set(err, ERR_VIOLATION, "this strategy can't go back behind promote");
        return err_hint(err, "agent rotate --resume %s finishes it; rotate again after that.",
                        r->spec->variable);
    }
    if (r->strategy->rollback(r, err) != 0)
        return -1;
    if (make_current(r, "former", "fields", err) != 0)
        return stays_behind(err);
    if (record_state_number(&r->record, "rolled_back") == 0) {
        document_remove_group(&r->record.data, "marks"); /* each is told of the former, too */
        if (record_state_set_number(&r->record, "rolled_back", 1, err) != 0 ||
            engine_keep_record(r, err) != 0)
            return -1;
    }
    return propagate_all(r, "former", err) == 0 ? 0 : stays_behind(err);
}

/* ---- the table of them ----------------------------------------------------------------------- */

/* Who reads a mirror, or waits for a roll-out that failed, has the former still: it is tried once more, and
 * else left. What has leaked ends all the same. */
static int retire(struct rotation *r, struct err *err)
{
    bool waits = r->strategy->ends_former && !r->context->no_grace;

    if (!waits || propagate_is_done(r) || propagate_all(r, "fields", err) == 0)
        return r->strategy->retire(r, err);
    (void)err_wrap(err, "the former is left, since not everybody was told of the new one");
    return err_hint(err, "agent rotate --resume %s tells them again, and then ends it.",
                    r->spec->variable);
}

static int propagate(struct rotation *r, struct err *err)
{
    return propagate_all(r, "fields", err);
}

static int done(struct rotation *r, struct err *err)
{
    return finish(r, "done", err);
}

static int (*const steps[ROTATE_STEP_COUNT])(struct rotation *r, struct err *err) = {
    [ROTATE_STAGE] = stage,         [ROTATE_SET] = set,
    [ROTATE_TEST] = test,           [ROTATE_PROMOTE] = promote,
    [ROTATE_PROPAGATE] = propagate, [ROTATE_RETIRE] = retire,
    [ROTATE_RESTORE] = restore,     [ROTATE_ROLLBACK] = roll_back,
    [ROTATE_DONE] = done,
};

enum rotate_event step_do(struct rotation *r, enum rotate_step step, struct err *err)
{
    err_clear(err);
    if (stop_requested()) {
        stop_error(err);
        return EVENT_LATER;
    }
    if (step == ROTATE_SOAK)
        return soak(r, err);
    return steps[step](r, err) == 0 ? EVENT_DONE : step_event(err);
}
