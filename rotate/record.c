/* record.c: what is known of an open rotation, as a document with known members.
 *
 * Each write is numbered and signed with its runner, so that a write whose reply was lost is told from one
 * of somebody else by reading back. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/crypt.h"
#include "base/mem.h"
#include "base/str.h"
#include "rotate/internal.h"

enum {
    RANDOM_BYTES = 16, /* of an id, of a runner's mark */
};

void record_release(struct record *record)
{
    document_release(&record->data);
    *record = RECORD_INIT;
}

/* ---- making one ------------------------------------------------------------------------------ */

static int random_hex(char out[static 2 * RANDOM_BYTES + 1], struct err *err)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[RANDOM_BYTES];

    if (crypt_random(bytes, sizeof(bytes), err) != 0)
        return -1;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * sizeof(bytes)] = '\0';
    return 0;
}

static int set_text(struct record *record, const char *name, const char *text, struct err *err)
{
    return document_set_text(&record->data, NULL, name, text, err);
}

/* A runner's mark: whose writes are whose. */
static int set_runner(struct record *record, const char *by, struct err *err)
{
    char runner[2 * RANDOM_BYTES + 1];

    if (random_hex(runner, err) != 0 || set_text(record, "runner", runner, err) != 0 ||
        set_text(record, "by", by ? by : "unknown", err) != 0)
        return -1;
    return document_set_number(&record->data, NULL, "sequence", 0, err);
}

int record_begin(const struct rotate_spec *spec, const struct rotate_context *context,
                 struct record *out, struct err *err)
{
    struct record record = RECORD_INIT;
    char id[2 * RANDOM_BYTES + 1], started[CLOCK_RFC3339_BYTES];

    clock_rfc3339(clock_unix_seconds(), started);
    if (random_hex(id, err) != 0 ||
        document_set_number(&record.data, NULL, "format", ROTATE_RECORD_FORMAT, err) != 0 ||
        set_text(&record, "id", id, err) != 0 ||
        set_text(&record, "variable", spec->variable, err) != 0 ||
        set_text(&record, "strategy", rotate_strategy_word(spec->strategy), err) != 0 ||
        set_text(&record, "step", rotate_step_word(ROTATE_STAGE), err) != 0 ||
        set_text(&record, "started", started, err) != 0 ||
        set_text(&record, "reason", context->reason ? context->reason : "", err) != 0 ||
        document_set_number(&record.data, NULL, "base_version", 0, err) != 0 ||
        document_add_group(&record.data, "fields", err) != 0 ||
        document_add_group(&record.data, "former", err) != 0 ||
        set_runner(&record, context->by, err) != 0) {
        record_release(&record);
        return -1;
    }
    *out = record;
    return 0;
}

int record_take_over(struct record *record, const struct rotate_context *context, struct err *err)
{
    return set_runner(record, context->by, err);
}

int record_next_write(struct record *record, struct err *err)
{
    int64_t sequence = 0;

    (void)document_number(&record->data, NULL, "sequence", &sequence); /* 0 where there is none */
    return document_set_number(&record->data, NULL, "sequence", sequence + 1, err);
}

bool record_same_write(const struct document *a, const struct document *b)
{
    const char *runner_a = document_text(a, NULL, "runner");
    const char *runner_b = document_text(b, NULL, "runner");
    int64_t sequence_a = 0, sequence_b = 0;

    return runner_a && str_eq(runner_a, runner_b) &&
           document_number(a, NULL, "sequence", &sequence_a) &&
           document_number(b, NULL, "sequence", &sequence_b) && sequence_a == sequence_b;
}

/* ---- what the store has ---------------------------------------------------------------------- */

static int refuse(const char *place, struct err *err)
{
    err_wrap(err, "the record %s", place);
    return err_hint(
        err, "Nothing was changed. Look at what it says; once it is certain that no rotation "
             "is on its way there, delete it.");
}

static enum rotate_step step_of(const char *word)
{
    for (int step = ROTATE_SET; word && step < ROTATE_STEP_COUNT; step++)
        if (str_eq(word, rotate_step_word((enum rotate_step)step)))
            return (enum rotate_step)step;
    return ROTATE_IDLE;
}

int record_check(const struct rotate_spec *spec, const char *place, const struct document *data,
                 struct err *err)
{
    static const char *const members[] = {"id", "variable", "strategy", "step", "started", "by"};
    int64_t format = 0;

    if (data->is_partial || !document_number(data, NULL, "format", &format) || format < 1) {
        err_set(err, ERR_ROTATION, "is none of agent's");
        return refuse(place, err);
    }
    if (format > ROTATE_RECORD_FORMAT) {
        err_set(err, ERR_ROTATION,
                "was written by a later version of agent (format %lld, known is %d)",
                (long long)format, ROTATE_RECORD_FORMAT);
        err_wrap(err, "the record %s", place);
        return err_hint(
            err, "Nothing was changed. Go on with the version that began it, or a later one.");
    }
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const char *text = document_text(data, NULL, members[i]);
        if (!text || !*text) {
            err_set(err, ERR_ROTATION, "has no '%s'", members[i]);
            return refuse(place, err);
        }
    }
    if (!str_eq(document_text(data, NULL, "variable"), spec->variable))
        err_set(err, ERR_ROTATION, "is one of '%s'", document_text(data, NULL, "variable"));
    else if (!str_eq(document_text(data, NULL, "strategy"), rotate_strategy_word(spec->strategy)))
        err_set(err, ERR_ROTATION, "is one by the strategy '%s', and the contract says '%s' now",
                document_text(data, NULL, "strategy"), rotate_strategy_word(spec->strategy));
    else if (step_of(document_text(data, NULL, "step")) == ROTATE_IDLE)
        err_set(err, ERR_ROTATION, "stands at '%s', which is no step",
                document_text(data, NULL, "step"));
    else if (strlen(document_text(data, NULL, "id")) >= ROTATE_ID_BYTES)
        err_set(err, ERR_ROTATION, "has an id of %zu bytes",
                strlen(document_text(data, NULL, "id")));
    else
        return 0;
    return refuse(place, err);
}

/* ---- members --------------------------------------------------------------------------------- */

const char *record_id(const struct record *record)
{
    const char *id = document_text(&record->data, NULL, "id");

    return id ? id : "";
}

int64_t record_started(const struct record *record)
{
    const char *text = document_text(&record->data, NULL, "started");
    struct tm tm = {0};
    const char *end = text ? strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm) : NULL;

    return end && !*end ? timegm(&tm) : 0;
}

enum rotate_step record_step(const struct record *record)
{
    return record->open ? step_of(document_text(&record->data, NULL, "step")) : ROTATE_IDLE;
}

int record_set_step(struct record *record, enum rotate_step step, struct err *err)
{
    return set_text(record, "step", rotate_step_word(step), err);
}

const char *record_state(const struct record *record, const char *name)
{
    return document_text(&record->data, "state", name);
}

int64_t record_state_number(const struct record *record, const char *name)
{
    int64_t number = 0;

    return document_number(&record->data, "state", name, &number) ? number : 0;
}

int record_state_set(struct record *record, const char *name, const char *text, struct err *err)
{
    return document_set_text(&record->data, "state", name, text, err);
}

int record_state_set_number(struct record *record, const char *name, int64_t number,
                            struct err *err)
{
    return document_set_number(&record->data, "state", name, number, err);
}

const struct secret *record_field(const struct record *record, const char *name)
{
    return document_get(&record->data, "fields", name);
}

const struct secret *record_former(const struct record *record, const char *name)
{
    return document_get(&record->data, "former", name);
}
