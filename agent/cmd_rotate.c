/* agent/cmd_rotate.c: `agent rotate`: secrets are replaced while the application goes on. */
#include <string.h>

#include "agent/leave.h"
#include "agent/rotate.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"

static struct rotate_options o;

static const struct opt rotate_options_table[] = {
    {"--due", 0, OPT_FLAG, NULL, NULL, "rotate what is due, in order, past failures", &o.due},
    {"--status", 0, OPT_FLAG, NULL, NULL, "show age, period and state of each; changes nothing",
     &o.status},
    {"--history", 0, OPT_FLAG, NULL, NULL, "show the receipts of NAME", &o.history},
    {"--init", 0, OPT_FLAG, NULL, NULL, "make what NAME's strategy needs the first time", &o.init},
    {"--resume", 0, OPT_FLAG, NULL, NULL, "go on with what is open: NAME, or all", &o.resume},
    {"--abort", 0, OPT_FLAG, NULL, NULL, "before promote: back to what was", &o.abort},
    {"--rollback", 0, OPT_FLAG, NULL, NULL, "behind promote: the former is current again",
     &o.rollback},
    {"--dry-run", 0, OPT_FLAG, NULL, NULL, "show the plan; changes nothing", &o.dry_run},
    {"--wait", 0, OPT_FLAG, NULL, NULL, "stay until grace is over", &o.wait},
    {"--no-grace", 0, OPT_FLAG, NULL, NULL, "the former ends at once: for what has leaked",
     &o.no_grace},
    {"--terminate", 0, OPT_FLAG, NULL, NULL, "end database sessions that outlive their login",
     &o.terminate},
    {"--revoke-others", 0, OPT_FLAG, NULL, NULL, "vault-dynamic: end all other leases of the role",
     &o.revoke_others},
    {"--reason", 0, OPT_STRING, "TEXT", NULL, "why, for the receipt", &o.reason},
    {"--value-stdin", 0, OPT_FLAG, NULL, NULL, "manual: the new value is what standard input has",
     &o.value_stdin},
    {"--metrics", 0, OPT_STRING, "FILE", NULL,
     "write what is known then for Prometheus' textfile collector", &o.metrics},
    {0},
};

/* ---- the call -------------------------------------------------------------------------------------- */

static size_t modes(void)
{
    return (size_t)o.due + o.status + o.history + o.init + o.resume + o.abort + o.rollback;
}

static int check_call(const struct invocation *call, struct err *err)
{
    bool needs_one = o.history || o.init || o.abort || o.rollback;

    if (call->rest)
        return err_set(err, ERR_USAGE, "'agent rotate' takes nothing behind '--'");
    if (modes() > 1)
        return err_set(err, ERR_USAGE,
                       "--due, --status, --history, --init, --resume, --abort and --rollback "
                       "exclude each other");
    if (o.dry_run && modes() > 0 && !o.due)
        return err_set(err, ERR_USAGE, "--dry-run goes with names, or with --due");
    if (needs_one && call->word_count != 1) {
        err_set(err, ERR_USAGE, "%s takes one name",
                o.history ? "--history"
                : o.init  ? "--init"
                : o.abort ? "--abort"
                          : "--rollback");
        return err_hint(err, "'agent rotate --status' lists what the contract rotates.");
    }
    if (o.no_grace && o.wait)
        return err_set(err, ERR_USAGE, "--no-grace and --wait exclude each other");
    if (o.no_grace && call->word_count == 0)
        return err_set(err, ERR_USAGE, "--no-grace takes names: it is for what has leaked");
    if (o.value_stdin && call->word_count != 1)
        return err_set(err, ERR_USAGE, "--value-stdin is for one name: there is one value");
    if (o.reason && strlen(o.reason) >= sizeof(((struct rotate_receipt *)NULL)->reason))
        return err_set(err, ERR_USAGE, "--reason has more than %zu bytes",
                       sizeof(((struct rotate_receipt *)NULL)->reason) - 1);
    if (call->word_count > 0 || o.due || o.status || o.resume)
        return 0;
    err_set(err, ERR_USAGE, "'agent rotate' needs the name of a variable");
    return err_hint(err, "--due rotates what is due; --status lists what there is.");
}

/* ---- one after another ----------------------------------------------------------------------------- */

/* What is done of a call with several secrets. */
struct run {
    struct rotate_job *r;
    struct rotate_result *results;
    size_t count;
    int code;         /* the worst one */
    struct err first; /* of the failures */
};

static void run_release(struct run *run)
{
    for (size_t i = 0; i < run->count; i++)
        rotate_result_release(&run->results[i]);
    free(run->results);
}

static int code_of(const struct err *err)
{
    return err->kind == ERR_STOPPED ? STOP_EXIT_BASE + stop_signal() : err_exit_code(err->kind);
}

static void note_failure(struct run *run, const struct err *err)
{
    int code = code_of(err);

    if (run->first.kind == ERR_NONE)
        run->first = *err;
    run->code = code > run->code ? code : run->code;
}

/* The one that SPEC comes after and that failed in this run; NULL: none. */
static const char *failed_before(const struct run *run, const struct rotate_spec *spec)
{
    for (const char *const *name = spec->depends_on; name && *name; name++)
        for (size_t i = 0; i < run->count; i++)
            if (str_eq(run->results[i].variable, *name) && run->results[i].err.kind != ERR_NONE)
                return *name;
    return NULL;
}

static enum rotate_how how_wanted(void)
{
    return o.init       ? ROTATE_HOW_INIT
           : o.resume   ? ROTATE_HOW_RESUME
           : o.abort    ? ROTATE_HOW_ABORT
           : o.rollback ? ROTATE_HOW_ROLLBACK
                        : ROTATE_HOW_BEGIN;
}

static void not_begun(const struct rotate_spec *spec, const struct err *err,
                      struct rotate_result *out)
{
    *out = (struct rotate_result){
        .variable = spec->variable, .ending = ROTATE_ENDED_UNDONE, .gap_ms = -1, .err = *err};
}

/* Rotate SPEC. False: nothing further is to be done. */
static bool rotate_one(struct run *run, const struct rotate_spec *spec)
{
    struct rotate_result *result = &run->results[run->count];
    const char *before = failed_before(run, spec);
    struct err err = ERR_INIT;

    if (before) {
        (void)err_set(&err, ERR_VIOLATION, "'%s' was left: '%s' comes before it, and failed",
                      spec->variable, before);
        not_begun(spec, &err, result);
    } else if (rotate_lend_environment(run->r, spec, &err) != 0) {
        not_begun(spec, &err, result);
    } else {
        rotate_lend_ahead(run->r, spec);
        if (rotate_do(spec, &run->r->context, how_wanted(), result, &err) != 0)
            result->err = err;
    }
    run->count++;
    if (result->err.kind == ERR_NONE)
        return true;
    note_failure(run, &result->err);
    return (o.due || o.resume) && result->err.kind != ERR_STOPPED;
}

/* Whether SPEC is to be looked at, as its STATUS stands. */
static bool is_wanted(const struct rotate_status *status)
{
    bool is_over = status->state == ROTATE_STATE_SOAKING && status->soak_until > 0 &&
                   status->soak_until <= clock_unix_seconds();
    bool is_open = status->state == ROTATE_STATE_OPEN || status->state == ROTATE_STATE_SOAKING ||
                   status->step != ROTATE_IDLE;

    /* One that is due and stuck is refused, with who has it: passed over, it would never be rotated again. */
    bool is_stuck = status->state == ROTATE_STATE_OPEN && status->due > 0 &&
                    status->due < clock_unix_seconds();

    return o.resume ? is_open
                    : is_over || is_stuck || status->state == ROTATE_STATE_DUE ||
                          status->state == ROTATE_STATE_OVERDUE;
}

/* What can't be known is said, and is no success. */
static void note_unknown(struct run *run, const struct rotate_spec *spec,
                         const struct rotate_status *status)
{
    struct err err = status->err;

    if (err.kind == ERR_NONE || status->state != ROTATE_STATE_UNKNOWN)
        return;
    (void)err_wrap(&err, "'%s'", spec->variable);
    not_begun(spec, &err, &run->results[run->count++]);
    note_failure(run, &err);
}

/* With names the others are none of the call's business. */
static void look_beside(struct rotate_job *r)
{
    if (r->job->call->word_count == 0)
        rotate_look_for_strays(r);
}

/* --due, and --resume without a name: those whose status asks for it. */
static int rotate_wanted(struct run *run, struct err *err)
{
    struct rotate_job *r = run->r;
    AUTO_FREE struct rotate_status *status = mem_new(r->count + 1, sizeof(*status));

    if (!status)
        return err_nomem(err);
    if (rotate_look(r->specs, r->count, &r->context, status, err) != 0)
        return -1;
    look_beside(r);
    for (size_t i = 0; i < r->count; i++) {
        if (is_wanted(&status[i])) {
            if (!rotate_one(run, &r->specs[i]))
                break;
        } else {
            note_unknown(run, &r->specs[i], &status[i]);
        }
    }
    return 0;
}

static int rotate_named(struct run *run)
{
    for (size_t i = 0; i < run->r->count; i++)
        if (!rotate_one(run, &run->r->specs[i]))
            break;
    return 0;
}

/* What is found out, and written where --metrics says. */
static int look(struct rotate_job *r, struct rotate_status *status, struct err *err)
{
    if (rotate_look(r->specs, r->count, &r->context, status, err) != 0)
        return -1;
    return o.metrics ? rotate_write_metrics(r, status, err) : 0;
}

/* After whatever was done the file has what is true now; a failure of it alone is one of the call. */
static void write_metrics(struct run *run)
{
    struct rotate_job *r = run->r;
    AUTO_FREE struct rotate_status *status = mem_new(r->count + 1, sizeof(*status));
    struct err err = ERR_INIT;

    if (!o.metrics || (status && look(r, status, &err) == 0))
        return;
    if (!status)
        (void)err_nomem(&err);
    (void)err_wrap(&err, "--metrics '%s'", o.metrics);
    note_failure(run, &err);
    command_say_error(&err);
}

static int rotate_all(struct rotate_job *r)
{
    CLEANUP(run_release)
    struct run run = {
        .r = r, .results = mem_new(r->count + 1, sizeof(*run.results)), .first = ERR_INIT};
    struct err err = ERR_INIT;

    if (!run.results) {
        (void)err_nomem(&err);
        return job_failed(r->job, &err);
    }
    if (rotate_find_out_who(r, &err) != 0 || stop_begin(&err) != 0)
        return job_failed(r->job, &err);
    bool by_status = o.due || (o.resume && r->job->call->word_count == 0);
    int result = by_status ? rotate_wanted(&run, &err) : rotate_named(&run);
    stop_end();
    if (result != 0)
        return job_failed(r->job, &err);
    write_metrics(&run);
    return rotate_show_results(r, run.results, run.count, &run.first, run.code);
}

/* ---- looking --------------------------------------------------------------------------------------- */

/* What nobody could look at is no good news: a monitor is not to read it as such. */
static bool was_not_asked(const struct rotate_status *status)
{
    return status->state == ROTATE_STATE_UNKNOWN &&
           (status->err.kind == ERR_SOURCE_DOWN || status->err.kind == ERR_SOURCE_DENIED);
}

static int show_status(struct rotate_job *r)
{
    AUTO_FREE struct rotate_status *status = mem_new(r->count + 1, sizeof(*status));
    struct err err = ERR_INIT, first = ERR_INIT;

    if (!status) {
        (void)err_nomem(&err);
        return job_failed(r->job, &err);
    }
    if (look(r, status, &err) != 0)
        return job_failed(r->job, &err);
    look_beside(r);
    for (size_t i = 0; i < r->count; i++) {
        if (was_not_asked(&status[i]) && first.kind == ERR_NONE)
            first = status[i].err;
        if (status[i].state != ROTATE_STATE_OVERDUE && status[i].state != ROTATE_STATE_OPEN)
            continue;
        if (first.kind == ERR_NONE)
            (void)err_set(&first, ERR_VIOLATION, "'%s' is %s", r->specs[i].variable,
                          rotate_state_word(status[i].state));
    }
    return rotate_show_status(r, status, &first,
                              first.kind == ERR_NONE ? 0 : err_exit_code(first.kind));
}

static int show_history(struct rotate_job *r)
{
    AUTO_FREE struct rotate_receipt *receipts = NULL;
    struct err err = ERR_INIT;
    size_t count = 0;

    if (rotate_history(&r->specs[0], &r->context, SIZE_MAX, &receipts, &count, &err) != 0)
        return job_failed(r->job, &err);
    return rotate_show_history(r, receipts, count);
}

/* Whether SPEC, which was looked at, would be rotated. */
static int plan_one(struct rotate_job *r, const struct rotate_spec *spec, struct buf *out,
                    bool *ready, struct err *err)
{
    bool this_one = true;

    if (rotate_lend_environment(r, spec, err) != 0 ||
        rotate_plan(spec, &r->context, out, &this_one, err) != 0)
        return -1;
    *ready = *ready && this_one;
    return 0;
}

static int show_plan(struct rotate_job *r)
{
    AUTO_FREE struct rotate_status *status = mem_new(r->count + 1, sizeof(*status));
    AUTO_BUF text = BUF_INIT(OUTPUT_MAX_BYTES);
    struct err err = ERR_INIT;
    bool ready = true;

    if (!status) {
        (void)err_nomem(&err);
        return job_failed(r->job, &err);
    }
    if (o.due && rotate_look(r->specs, r->count, &r->context, status, &err) != 0)
        return job_failed(r->job, &err);
    for (size_t i = 0; i < r->count; i++)
        if ((!o.due || is_wanted(&status[i])) &&
            plan_one(r, &r->specs[i], &text, &ready, &err) != 0)
            return job_failed(r->job, &err);
    if (text.len == 0)
        buf_adds(&text, "nothing is due\n");
    return rotate_show_plan(r, &text, ready);
}

static int dispatch(struct rotate_job *r)
{
    return o.status    ? show_status(r)
           : o.history ? show_history(r)
           : o.dry_run ? show_plan(r)
                       : rotate_all(r);
}

static int rotate_command(const struct invocation *call)
{
    AUTO_JOB job = JOB_INIT(call);
    AUTO_ROTATE_JOB r = ROTATE_JOB_INIT(&job, &o);
    struct err err = ERR_INIT;

    if (check_call(call, &err) != 0 || job_load(&job, &err) != 0 ||
        rotate_specs(&r, call->words, call->word_count, &err) != 0 || rotate_lend(&r, &err) != 0)
        return job_failed(&job, &err);
    int code = dispatch(&r);
    leave_vault_ended(&job);
    return code;
}

const struct command command_rotate = {
    .name = "rotate",
    .arguments = "NAME... | --due | --status | --resume [NAME] | --history NAME | ...",
    .summary = "replace secrets while the application goes on",
    .details =
        "The contract's 'rotate' says how. The next secret is recorded before anything else\n"
        "changes, so that whatever dies half-way is gone on with, by --resume, from anywhere.\n"
        "Exit 7: one is open, or somebody else holds it. 'agent help rotation' has the steps.",
    .options = rotate_options_table,
    .run = rotate_command,
};
