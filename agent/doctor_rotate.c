/* doctor_rotate.c: what a rotation needs; and what it keeps, which the application must not read. */
#include "agent/doctor.h"

#include <string.h>

#include "agent/rotate.h"
#include "vault/write.h"

enum { PATH_BYTES = 4096, PLAN_BYTES = 1024 * 1024 };

/* As `agent rotate --dry-run` sees it, for the token that rotates. */
static void look_at_plan(struct doctor *d, struct rotate_job *r, const struct rotate_spec *spec)
{
    AUTO_BUF plan = BUF_INIT(PLAN_BYTES), subject = BUF_INIT(PATH_BYTES),
             shown = BUF_INIT(DOCTOR_TEXT_BYTES - 1);
    struct err err = ERR_INIT;
    bool ready = false;

    buf_addf(&subject, "rotation of %s", spec->variable);
    if (rotate_plan(spec, &r->context, &plan, &ready, &err) != 0) {
        doctor_say_err(d, DOCTOR_ERROR, buf_text(&subject), &err);
        return;
    }
    buf_add(&shown, buf_text(&plan), plan.len < shown.max ? plan.len : shown.max);
    if (ready)
        doctor_say(d, DOCTOR_OK, buf_text(&subject), NULL, "nothing stands in its way (%s)",
                   rotate_strategy_word(spec->strategy));
    else
        doctor_say(d, DOCTOR_ERROR, buf_text(&subject), buf_text(&shown),
                   "something stands in its way; the plan says what");
}

/* The record has the next secret before anybody else may know it, and the former one. */
static void look_at_record(struct doctor *d, const struct rotate_spec *spec)
{
    const char *base = spec->place.kind == ROTATE_IN_KV ? spec->place.path : spec->records;
    AUTO_BUF path = BUF_INIT(PATH_BYTES), subject = BUF_INIT(PATH_BYTES);
    struct err err = ERR_INIT;

    if (spec->place.kind == ROTATE_IN_SEALED || !base)
        return;
    buf_addf(&path, "%s.pending/%s", base, spec->variable);
    buf_addf(&subject, "rotation of %s", spec->variable);
    struct vault_need need = {
        .path = buf_text(&path), .kind = VAULT_NEED_DATA, .wanted = VAULT_CAN_READ};
    if (vault_capabilities(d->vault, &need, 1, d->bounded.deadline_ms, &err) != 0) {
        doctor_say_err(d, DOCTOR_WARNING, buf_text(&subject), &err);
        return;
    }
    if (need.had & VAULT_CAN_READ)
        doctor_say(
            d, DOCTOR_WARNING, buf_text(&subject),
            "Give the application a policy for its own paths alone, without a glob that takes "
            "`.pending` in. For the token that rotates say --rotate.",
            "the application's token may read '%s', where the next secret lies before it is "
            "anybody's",
            buf_text(&path));
    else
        doctor_say(d, DOCTOR_OK, buf_text(&subject), NULL,
                   "the application can't read its record, '%s'", buf_text(&path));
}

/* Of variables that were renamed, say. */
static void look_at_strays(struct doctor *d, const struct rotate_job *r)
{
    CLEANUP(rotate_strays_release) struct rotate_strays strays = {0};
    const char *subject = "open rotations";
    struct err err = ERR_INIT;

    if (rotate_find_strays(r->specs, r->count, &r->context, &strays, &err) != 0) {
        doctor_say_err(d, DOCTOR_WARNING, subject, &err);
        return;
    }
    for (size_t i = 0; i < strays.count; i++) {
        AUTO_BUF message = BUF_INIT(DOCTOR_TEXT_BYTES - 1), hint = BUF_INIT(DOCTOR_TEXT_BYTES - 1);
        rotate_describe_stray(r, &strays.list[i], &message, &hint);
        doctor_say(d, DOCTOR_WARNING, subject, buf_text(&hint), "%s", buf_text(&message));
    }
    if (strays.more > 0)
        doctor_say(d, DOCTOR_WARNING, subject, NULL, "%zu more belong to no variable", strays.more);
    if (strays.denied.kind != ERR_NONE)
        doctor_say(d, DOCTOR_OK, subject, *strays.denied.hint ? strays.denied.hint : NULL,
                   "whether one belongs to no variable, as one of a renamed variable does, is not "
                   "known everywhere: %s",
                   strays.denied.text);
    else if (strays.count == 0)
        doctor_say(d, DOCTOR_OK, subject, NULL, "none belongs to no variable");
}

void doctor_look_at_rotation(struct doctor *d)
{
    const struct rotate_options options = {.dry_run = true};
    AUTO_ROTATE_JOB r = ROTATE_JOB_INIT(&d->job, &options);
    struct err err = ERR_INIT;

    if (!d->loaded)
        return;
    if (rotate_specs(&r, NULL, 0, &err) != 0 || rotate_lend(&r, &err) != 0) {
        doctor_say_err(d, d->rotates ? DOCTOR_ERROR : DOCTOR_WARNING, "rotation", &err);
        return;
    }
    for (size_t i = 0; i < r.count; i++) {
        bool asks_vault = r.specs[i].place.kind != ROTATE_IN_SEALED;
        if (asks_vault && d->vault_is != DOCTOR_VAULT_OPEN)
            continue; /* what is wrong with Vault was said */
        if (d->rotates)
            look_at_plan(d, &r, &r.specs[i]);
        else if (!d->is_root)
            look_at_record(d, &r.specs[i]);
    }
    if (d->rotates && r.count > 0 && d->vault_is != DOCTOR_VAULT_CLOSED)
        look_at_strays(d, &r);
}
