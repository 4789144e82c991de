/* plan.c: what a rotation would do (--dry-run). Nothing is changed. */
#include "base/str.h"
#include "rotate/internal.h"

/* Whether STEP would have something to do; soak hangs on the contract alone as long as nothing is open. */
static bool has_step(const struct rotation *r, enum rotate_step step)
{
    if (step == ROTATE_SOAK)
        return r->spec->grace_ms > 0 && !r->context->no_grace;
    if (step == ROTATE_RETIRE)
        return r->strategy->retire != NULL;
    return !step_is_empty(r, step);
}

static void add_steps(const struct rotation *r, struct buf *out)
{
    const char *separator = "";

    buf_adds(out, "  steps: ");
    for (int i = ROTATE_STAGE; i <= ROTATE_DONE; i++) {
        enum rotate_step step = (enum rotate_step)i;
        if (step == ROTATE_RESTORE || step == ROTATE_ROLLBACK || !has_step(r, step))
            continue;
        buf_addf(out, "%s%s", separator, rotate_step_word(step));
        if (step == ROTATE_SOAK) {
            buf_addc(out, ' ');
            str_add_duration(out, r->spec->grace_ms);
        }
        separator = ", ";
    }
    buf_addc(out, '\n');
}

static void add_names(const char *title, const char *const *names, struct buf *out)
{
    if (!names || !names[0])
        return;
    buf_adds(out, title);
    for (; *names; names++)
        buf_addf(out, " %s%s", *names, names[1] ? "," : "");
    buf_addc(out, '\n');
}

static void add_after(const struct rotate_spec *spec, struct buf *out)
{
    for (size_t i = 0; i < spec->after_count; i++) {
        const struct rotate_after *after = &spec->after[i];
        if (after->command)
            buf_addf(out, "  then: '%s'\n", after->command[0]);
        else
            buf_addf(out, "  then: signal %d to the process of '%s'\n", after->signal,
                     after->pidfile ? after->pidfile : "");
    }
}

static void add_overlap(const struct rotation *r, struct buf *out)
{
    if (r->strategy->overlap)
        buf_addf(out, "  overlap: %s\n", r->strategy->overlap);
    if (r->strategy->promotes && r->strategy->set && !r->strategy->gap && r->spec->grace_ms <= 0)
        buf_adds(out, "  no grace: the former ends right behind 'promote'; whoever read it just "
                      "before may be refused (rotate.grace gives them time)\n");
    if (r->strategy->gap)
        buf_adds(out, "  gap: the former stops working at 'set'; from there to 'promote' new users "
                      "of it fail (the time is measured and shown)\n");
}

/* What is open already decides what a rotation could do at all. */
static int add_open(struct rotation *r, struct buf *out, bool *ready, struct err *err)
{
    if (r->store->read_record(r, err) != 0)
        return -1;
    if (!r->record.open)
        return 0;
    buf_addf(out, "  one is open at the step '%s' (id %s): --resume goes on with it\n",
             rotate_step_word(record_step(&r->record)), record_id(&r->record));
    *ready = *ready && record_step(&r->record) == ROTATE_SOAK;
    return 0;
}

static int add_all(struct rotation *r, struct buf *out, bool *ready, struct err *err)
{
    buf_addf(out, "%s (%s)\n", r->spec->variable, rotate_strategy_word(r->spec->strategy));
    add_steps(r, out);
    add_names("  behind:", r->spec->depends_on, out);
    add_overlap(r, out);
    add_names("  mirrors:", r->spec->mirrors, out);
    add_after(r->spec, out);
    if (r->store->plan(r, out, ready, err) != 0 || add_open(r, out, ready, err) != 0)
        return -1;
    if (r->strategy->reads_current &&
        r->store->read_current(r, &r->current, &r->current_version, err) != 0)
        return -1;
    return r->strategy->plan ? r->strategy->plan(r, out, ready, err) : 0;
}

int rotate_plan(const struct rotate_spec *spec, const struct rotate_context *context,
                struct buf *out, bool *ready, struct err *err)
{
    struct rotate_result result = {.variable = spec->variable,
                                   .warnings = BUF_INIT(ROTATE_OUTPUT_MAX_BYTES)};
    struct rotation r = {.spec = spec,
                         .context = context,
                         .store = store_of(spec),
                         .strategy = strategy_of(spec->strategy),
                         .result = &result};

    *ready = true;
    int code = add_all(&r, out, ready, err);
    if (r.strategy->release)
        r.strategy->release(&r);
    if (r.store->release)
        r.store->release(&r);
    rotation_admin_end(&r);
    document_release(&r.current);
    record_release(&r.record);
    buf_add(out, buf_text(&result.warnings), result.warnings.len);
    rotate_result_release(&result);
    return code == 0 ? 0 : err_wrap(err, "the plan of '%s'", spec->variable);
}
