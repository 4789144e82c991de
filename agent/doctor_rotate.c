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
}
