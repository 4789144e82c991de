/* manual.c: what only a dashboard can make. Its steps are shown, the new value is read without echo, held
 * against the contract and tested, and promoted. What agent can't do it says: nobody but a person ends the
 * former value. */
#include "rotate/place.h"
#include "rotate/program.h"

static int refuse_same(const struct rotation *r, struct err *err)
{
    (void)err_set(err, ERR_VIOLATION, "what was given for '%s' is its present value",
                  r->spec->variable);
    return err_hint(err, "Make a new one first; the steps say how.");
}

/* Before there is a record nothing has to be kept for a person who goes away to look for the value. */
static int manual_stage(struct rotation *r, struct err *err)
{
    const char *name = place_field(r->spec);
    AUTO_SECRET value = SECRET_INIT;

    if (!name)
        return err_set(err, ERR_CONTRACT, "'%s' has no field that a rotation could write",
                       r->spec->variable);
    if (r->context->ask_value(r->context->owner, r->spec, &value, err) != 0)
        return -1;
    if (secret_length(&value) == 0)
        return err_set(err, ERR_USAGE, "no value was given for '%s'", r->spec->variable);
    const struct secret *present = place_current(r, name);
    if (present && secret_equal(present, &value))
        return refuse_same(r, err);
    return place_stage(r, name, &value, err);
}

/* It is left until the contract's test refuses it. Without one there is no proof. */
static int manual_retire(struct rotation *r, struct err *err)
{
    const char *const *steps = r->spec->steps;
    size_t count = 0;

    while (steps && steps[count])
        count++;
    if (r->spec->test_command) {
        if (program_former_is_refused(r, err) == 0)
            return 0;
        return err_hint(err, "End it where it was made%s%s; then agent rotate --resume %s.",
                        count > 0 ? ": " : "", count > 0 ? steps[count - 1] : "",
                        r->spec->variable);
    }
    engine_say(
        r,
        "the former value is ended where it was made, by hand: agent can't, and has no proof "
        "of it%s%s",
        count > 0 ? ". The last step: " : "", count > 0 ? steps[count - 1] : "");
    return 0;
}

/* The person who made it decides whether the former still works. */
static int manual_rollback(struct rotation *r, struct err *err)
{
    (void)err;
    engine_say(r, "that the former value still works is not known here: nobody ended it for agent");
    return 0;
}

static int manual_plan(struct rotation *r, struct buf *out, bool *ready, struct err *err)
{
    (void)ready;
    (void)err;
    buf_adds(out, "  by hand:\n");
    for (const char *const *step = r->spec->steps; step && *step; step++)
        buf_addf(out, "    %s\n", *step);
    buf_adds(out, "    then the new value is asked for (or read from --value-stdin)\n");
    return 0;
}

const struct strategy strategy_manual = {
    .kind = ROTATE_MANUAL,
    .overlap = "as long as nobody ends the former where it was made",
    .reads_current = true,
    .promotes = true,
    .stage = manual_stage,
    .retire = manual_retire,
    .rollback = manual_rollback,
    .plan = manual_plan,
};
