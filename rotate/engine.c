/* engine.c: do a step, record where we are, again.
 *
 * The record is written before a step is done and says which; that a step was done is said by the next
 * one's being recorded. A write whose reply was lost is read back: it is ours when it has our mark. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "rotate/internal.h"
#include "rotate/place.h"

enum {
    WRITE_TRIES = 4,
    STEP_TRIES = 5, /* of what may work later */
    STEP_BACKOFF_MS = 300,
    STEP_BACKOFF_MAX_MS = 5000,
    LINE_MAX_BYTES = 4 * 1024,
};

/* ---- words for people ------------------------------------------------------------------------ */

PRINTF(3, 0)
static void say_line(struct rotation *r, bool is_warning, const char *format, va_list args)
{
    AUTO_BUF line = BUF_INIT(LINE_MAX_BYTES);

    buf_addv(&line, format, args);
    if (r->context->say)
        r->context->say(r->context->owner, r->spec, buf_text(&line));
    if (!is_warning)
        return;
    buf_addc(&line, '\n');
    buf_add(&r->result->warnings, buf_text(&line), line.len);
}

void engine_warn(struct rotation *r, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say_line(r, true, format, args);
    va_end(args);
}

void engine_say(struct rotation *r, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say_line(r, false, format, args);
    va_end(args);
}

/* ---- the record ------------------------------------------------------------------------------ */

static void note_holder(struct rotation *r, const struct document *data)
{
    const char *by = document_text(data, NULL, "by"), *id = document_text(data, NULL, "id");
    const char *started = document_text(data, NULL, "started");

    (void)snprintf(r->result->by, sizeof(r->result->by), "%s", by ? by : "");
    (void)snprintf(r->result->id, sizeof(r->result->id), "%s", id ? id : "");
    (void)snprintf(r->result->started, sizeof(r->result->started), "%s", started ? started : "");
}

static int held_by_another(struct rotation *r, const struct document *data, struct err *err)
{
    const char *step = document_text(data, NULL, "step");

    note_holder(r, data);
    err_set(err, ERR_ROTATION, "'%s' holds it since %s, at the step '%s' (id %s)",
            *r->result->by ? r->result->by : "somebody", r->result->started, step ? step : "?",
            r->result->id);
    return err_hint(err,
                    "Wait for that one. If its runner is dead: agent rotate --resume %s goes on "
                    "with it.",
                    r->spec->variable);
}

enum reading_back { OURS, LOST, ANOTHERS };

/* What stands there after a write that was refused, or whose reply was lost. *r->record stays ours. */
static int read_back(struct rotation *r, enum reading_back *found, struct err *err)
{
    struct record mine = r->record;
    bool was_open = mine.open;

    r->record = RECORD_INIT;
    int result = r->store->read_record(r, err);
    struct record there = r->record;
    r->record = mine;
    if (result != 0)
        return -1;
    if (there.open && record_same_write(&there.data, &mine.data)) {
        *found = OURS;
        r->record.open = true;
        r->record.version = there.version;
    } else if (was_open ? there.open && there.version == mine.version : !there.open) {
        *found = LOST;
        r->record.version = there.version;
    } else {
        *found = ANOTHERS;
        if (there.open)
            held_by_another(r, &there.data, err);
        else
            err_set(err, ERR_ROTATION, "its record was taken away by somebody else meanwhile");
    }
    record_release(&there);
    return 0;
}

/* Write it by WRITE, until it is known what became of it. */
static int write_surely(struct rotation *r,
                        int (*write)(struct rotation *, enum store_written *, struct err *),
                        struct err *err)
{
    struct backoff backoff = {.base_ms = STEP_BACKOFF_MS, .cap_ms = STEP_BACKOFF_MAX_MS};

    if (record_next_write(&r->record, err) != 0)
        return -1;
    for (int tries = 1;; tries++) {
        enum store_written outcome = STORE_IN_DOUBT;
        enum reading_back found = LOST;
        struct err doubt = ERR_INIT;
        if (write(r, &outcome, &doubt) != 0) {
            *err = doubt;
            return -1;
        }
        if (outcome == STORE_WRITTEN)
            return 0;
        if (read_back(r, &found, err) != 0)
            return -1;
        if (found == OURS)
            return 0;
        if (found == ANOTHERS)
            return -1;
        if (tries < WRITE_TRIES && backoff_wait(&backoff, 0, r->context->deadline_ms))
            continue;
        if (outcome == STORE_IN_DOUBT)
            *err = doubt;
        else
            err_set(err, ERR_ROTATION, "its record could not be written: refused %d times", tries);
        return -1;
    }
}

int engine_keep_record(struct rotation *r, struct err *err)
{
    bool is_new = !r->record.open;

    if (write_surely(r, is_new ? r->store->create_record : r->store->write_record, err) != 0) {
        AUTO_BUF place = BUF_INIT(LINE_MAX_BYTES);
        r->store->describe_record(r, &place);
        return err_wrap(err, "write the record %s", buf_text(&place));
    }
    r->record.open = true;
    r->ours = true;
    return 0;
}

/* ---- the loop -------------------------------------------------------------------------------- */

enum rotate_step engine_step_behind(const struct rotation *r, enum rotate_step step)
{
    do
        step = machine_move(step, EVENT_DONE).next;
    while (step_is_empty(r, step));
    return step;
}

static struct machine_move next_move(const struct rotation *r, enum rotate_step state,
                                     enum rotate_event event)
{
    struct machine_move move = machine_move(state, event);

    while (move.action == ACT_STEP && step_is_empty(r, move.next))
        move = machine_move(move.next, EVENT_DONE);
    return move;
}

/* Record that STEP comes, under our mark. That one soaks is looked at, not taken over. */
static enum rotate_event enter(struct rotation *r, enum rotate_step step, struct err *err)
{
    bool is_there = record_step(&r->record) == step;

    if (step == ROTATE_STAGE || (is_there && (r->ours || step == ROTATE_SOAK)))
        return EVENT_DONE;
    if ((!r->ours && record_take_over(&r->record, r->context, err) != 0) ||
        record_set_step(&r->record, step, err) != 0 || engine_keep_record(r, err) != 0)
        return err->kind == ERR_ROTATION ? EVENT_CONFLICT : EVENT_LATER;
    return EVENT_DONE;
}

/* Do STEP, again where that may help. */
static enum rotate_event perform(struct rotation *r, enum rotate_step step, struct err *err)
{
    struct backoff backoff = {.base_ms = STEP_BACKOFF_MS, .cap_ms = STEP_BACKOFF_MAX_MS};

    for (r->attempt = 1;; r->attempt++) {
        enum rotate_event event = step_do(r, step, err);
        bool again = event == EVENT_LATER || (event == EVENT_FAILED && step == ROTATE_PROPAGATE);
        if (!again || r->attempt >= STEP_TRIES || err->kind == ERR_STOPPED)
            return event;
        log_line(LOG_WARN, err->text, "variable", r->spec->variable, "step", rotate_step_word(step),
                 "then", "again", NULL);
        if (!backoff_wait(&backoff, 0, r->context->deadline_ms))
            return event;
        r->resumed = true; /* it may have been done, and the answer lost */
    }
}

/* What goes back or on in spite of ERR is remembered; the first one counts. */
static void remember_failure(struct rotation *r, enum rotate_event event, const struct err *err)
{
    if (event != EVENT_DONE && event != EVENT_WAITING && r->failure.kind == ERR_NONE)
        r->failure = *err;
}

/* From STATE by EVENT until it ends. */
static struct machine_move run(struct rotation *r, enum rotate_step state, enum rotate_event event,
                               struct err *err)
{
    for (;;) {
        struct machine_move move = next_move(r, state, event);
        if (move.action != ACT_STEP)
            return move;
        if (event == EVENT_FAILED || event == EVENT_LATER) {
            remember_failure(r, event, err);
            engine_warn(r, "%s: %s", rotate_step_word(state), err->text);
        }
        state = move.next;
        err_clear(err);
        event = enter(r, state, err);
        if (event == EVENT_DONE)
            event = perform(r, state, err);
        /* Only the step that was found open may have been done by somebody before us. */
        r->resumed = false;
        log_line(LOG_DEBUG, "rotation", "variable", r->spec->variable, "step",
                 rotate_step_word(state), "error", err->kind == ERR_NONE ? NULL : err->text, NULL);
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

/* What stays recorded is where the next runner begins. */
static void leave_at(struct rotation *r, enum rotate_step step)
{
    struct err err = ERR_INIT;

    if (!r->record.open || !r->ours || step == ROTATE_IDLE || record_step(&r->record) == step)
        return;
    if (record_set_step(&r->record, step, &err) != 0 || engine_keep_record(r, &err) != 0)
        engine_warn(r, "that it stands at '%s' could not be recorded: %s", rotate_step_word(step),
                    err.text);
}

static void hint_at_open(struct rotation *r, const struct machine_move *move, struct err *err)
{
    const char *name = r->spec->variable;
    bool is_behind_set = move->next > ROTATE_SET && r->strategy->gap;

    if (strstr(err->hint, "--resume"))
        return; /* whoever holds it was named, with what to do */
    if (move->next > ROTATE_PROMOTE)
        err_hint(err, "agent rotate --resume %s goes on.", name);
    else
        err_hint(err, "%s agent rotate --resume %s goes on; agent rotate --abort %s goes back.",
                 is_behind_set ? "What is current may have stopped working: the next one is in the "
                                 "record."
                               : "What is current works as before.",
                 name, name);
}

/* The ending, and what is returned for it. */
static int conclude(struct rotation *r, const struct machine_move *move, bool undo_was_asked,
                    struct err *err)
{
    struct rotate_result *result = r->result;

    result->ending = move->ending;
    result->step = move->next;
    leave_at(r, move->next);
    if (move->action == ACT_REFUSE && err->kind == ERR_NONE) {
        err_set(err, move->ending == ROTATE_ENDED_NOTHING ? ERR_VIOLATION : ERR_ROTATION, "%s",
                move->why);
        if (r->record.open && !r->ours)
            note_holder(r, &r->record.data);
        if (*result->by)
            err_wrap(err, "held by '%s' since %s, at the step '%s' (id %s)", result->by,
                     result->started, rotate_step_word(move->next), result->id);
    }
    if (move->ending == ROTATE_ENDED_UNDONE && err->kind == ERR_NONE && !undo_was_asked)
        *err = r->failure;
    if (err->kind == ERR_NONE && result->warnings.len > 0 && !undo_was_asked) {
        result->ending = ROTATE_ENDED_WITH_WARNINGS;
        *err = r->failure;
        if (err->kind == ERR_NONE)
            err_set(err, ERR_VIOLATION, "it was done, and something is left: see the warnings");
        err->kind = ERR_VIOLATION;
    }
    if (result->ending == ROTATE_ENDED_OPEN) {
        if (err->kind != ERR_STOPPED)
            err->kind = ERR_ROTATION;
        hint_at_open(r, move, err);
    } else if (result->ending == ROTATE_ENDED_WITH_WARNINGS) {
        err->kind = ERR_VIOLATION;
    }
    if (err->kind == ERR_NONE)
        return 0;
    if (move->next != ROTATE_IDLE)
        err_wrap(err, "step '%s'", rotate_step_word(move->next));
    err_wrap(err, "rotate '%s'", r->spec->variable);
    return -1;
}

/* ---- doing it -------------------------------------------------------------------------------- */

static const enum rotate_event events[] = {
    [ROTATE_HOW_BEGIN] = EVENT_BEGIN, [ROTATE_HOW_RESUME] = EVENT_RESUME,
    [ROTATE_HOW_ABORT] = EVENT_ABORT, [ROTATE_HOW_ROLLBACK] = EVENT_ROLLBACK,
    [ROTATE_HOW_INIT] = EVENT_BEGIN,
};

/* The state that is recorded; behind promote when that was done and only its reply was lost. */
static int find_state(struct rotation *r, enum rotate_how how, enum rotate_step *state,
                      struct err *err)
{
    bool promoted = false;

    if (r->store->read_record(r, err) != 0)
        return -1;
    *state = record_step(&r->record);
    r->resumed = r->record.open;
    if (*state != ROTATE_PROMOTE || (how != ROTATE_HOW_ABORT && how != ROTATE_HOW_ROLLBACK))
        return 0;
    if (step_is_promoted(r, &promoted, err) != 0)
        return -1;
    if (promoted)
        *state = ROTATE_PROPAGATE;
    return 0;
}

/* --init: what the strategy needs, then the first value where there is none. */
static int initialise(struct rotation *r, bool *wants_value, struct err *err)
{
    r->is_init = true;
    *wants_value = false;
    if (r->strategy->init && r->strategy->init(r, err) != 0)
        return -1;
    if (!r->strategy->promotes)
        return 0;
    if (r->store->read_current(r, &r->current, &r->current_version, err) != 0)
        return -1;
    const char *field = place_field(r->spec); /* others of the same secret say nothing of it */
    *wants_value = r->wants_first || !field || !document_get(&r->current, NULL, field);
    return 0;
}

static int begin(struct rotation *r, enum rotate_how how, struct err *err)
{
    enum rotate_step state = ROTATE_IDLE;
    bool wants_value = true;

    if (find_state(r, how, &state, err) != 0 ||
        (how == ROTATE_HOW_INIT && state == ROTATE_IDLE && initialise(r, &wants_value, err) != 0)) {
        r->result->ending = r->record.open ? ROTATE_ENDED_OPEN : ROTATE_ENDED_UNDONE;
        r->result->step = state;
        return err_wrap(err, "rotate '%s'", r->spec->variable);
    }
    if (!wants_value) {
        r->result->ending = ROTATE_ENDED_DONE;
        return 0;
    }
    struct machine_move move = run(r, state, events[how], err);
    return conclude(r, &move, how == ROTATE_HOW_ABORT || how == ROTATE_HOW_ROLLBACK, err);
}

int rotate_do(const struct rotate_spec *spec, const struct rotate_context *context,
              enum rotate_how how, struct rotate_result *result, struct err *err)
{
    struct rotation r = {.spec = spec,
                         .context = context,
                         .store = store_of(spec),
                         .strategy = strategy_of(spec->strategy),
                         .result = result,
                         .failure = ERR_INIT};
    int64_t begun_ms = clock_now_ms();

    *result = (struct rotate_result){
        .variable = spec->variable, .gap_ms = -1, .warnings = BUF_INIT(ROTATE_OUTPUT_MAX_BYTES)};
    int code = begin(&r, how, err);
    if (code != 0)
        result->err = *err;
    if (!*result->id)
        (void)snprintf(result->id, sizeof(result->id), "%s", record_id(&r.record));
    if (result->step == ROTATE_SOAK)
        result->soak_until = record_state_number(&r.record, "soak_until");
    result->duration_ms = clock_now_ms() - begun_ms;
    if (r.strategy->release)
        r.strategy->release(&r);
    if (r.store->release)
        r.store->release(&r);
    rotation_admin_end(&r);
    document_release(&r.current);
    record_release(&r.record);
    return code;
}

void rotate_result_release(struct rotate_result *result)
{
    buf_release(&result->warnings);
}
