/* agent/resolve.c: job_resolve: every wanted variable from its source, in one go. */
#include "agent/explain.h"
#include "agent/inline.h"
#include "agent/job.h"
#include "agent/mask.h"
#include "agent/stale.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

/* One variable on its way: its requests are a run of the common array. */
struct wanted {
    size_t variable; /* index */
    size_t first;    /* of its requests, one for each part that has to be asked */
    bool refers;     /* the environment overrides its source with a reference: one request, that */
};

struct resolution {
    struct job *job;
    struct wanted *wanted;
    size_t wanted_count;
    struct source_request *requests;
    size_t request_count;
    bool failed;      /* a source failed, and nothing stood in for it */
    bool stood_in;    /* for one that failed the last known value was used */
    struct err first; /* of the failures that stand */
};

static void resolution_release(struct resolution *r)
{
    for (size_t i = 0; i < r->request_count; i++)
        secret_release(&r->requests[i].value);
    free(r->wanted);
    free(r->requests);
}

/* Whether the environment's own value is the source, and nothing that could win over it. */
static bool is_own_source(const struct contract_variable *variable)
{
    const struct contract_part *part = variable->parts;

    return variable->part_count == 1 && !part->name && part->ref.kind == REF_ENV &&
           (!part->ref.path || str_eq(part->ref.path, variable->name));
}

/* The environment's own value, or the profile, is enough: nothing needs to be asked. (A variable that
 * is there and empty has no value, and wins over none.) */
static bool needs_no_source(const struct job *job, const struct contract_variable *variable)
{
    return job_is_profile_variable(job, variable) ||
           (variable->overridable && !is_own_source(variable) &&
            contract_is_value(variable, job_environment(job, variable, variable->name)));
}

static void want(struct resolution *r, size_t index)
{
    r->wanted[r->wanted_count++].variable = index; /* there is room for all */
}

static int want_by_name(struct resolution *r, const char *name, struct err *err)
{
    const struct contract *contract = r->job->contract;
    const struct contract_variable *variable = contract_find(contract, name);

    if (!variable) {
        err_set(err, ERR_USAGE, "there is no variable '%s' in '%s'", name, contract->path);
        const char *nearest = contract_nearest_name(contract, name);
        return nearest ? err_hint(err, "Did you mean '%s'?", nearest)
                       : err_hint(err, "Its variables are in 'vars', and in the files that it "
                                       "includes.");
    }
    size_t index = (size_t)(variable - contract->variables);
    for (size_t i = 0; i < r->wanted_count; i++)
        if (r->wanted[i].variable == index)
            return 0;
    if (!r->job->values[index].resolved)
        want(r, index);
    return 0;
}

static int choose(struct resolution *r, const char *const *names, struct err *err)
{
    const struct contract *contract = r->job->contract;

    r->wanted = mem_new(contract->variable_count + 1, sizeof(*r->wanted));
    if (!r->wanted)
        return err_nomem(err);
    r->job->names_unchecked = r->job->names_unchecked || !names;
    if (names) {
        for (; *names; names++)
            if (want_by_name(r, *names, err) != 0)
                return -1;
        return 0;
    }
    for (size_t i = 0; i < contract->variable_count; i++)
        if (!contract->variables[i].for_agent_only && !r->job->values[i].resolved)
            want(r, i);
    return 0;
}

/* What a part asks for: its reference, or for the environment what the value there refers to. */
static int request_for(struct resolution *r, const struct contract_variable *variable,
                       const struct contract_part *part, struct source_request *out,
                       struct err *err)
{
    *out = (struct source_request){.ref = part->ref, .variable = variable->name};
    if (part->ref.kind != REF_ENV)
        return 0;
    const char *name = part->ref.path ? part->ref.path : variable->name;
    const char *text = part->name ? environment_get(&r->job->environment, name)
                                  : job_environment(r->job, variable, name);
    if (text && ref_is_inline(text)) {
        if (inline_check_name(variable->name, err) != 0 ||
            ref_parse(&r->job->arena, text, &out->ref, err) != 0)
            return err_wrap(err, "environment variable '%s'", name);
        return 0;
    }
    out->ref.kind = REF_NONE;
    if (text) {
        out->state = SOURCE_SET;
        out->value = secret_borrow(text, strlen(text));
    }
    return 0;
}

/* What wins over VARIABLE's source is asked for where it is a reference itself. */
static int request_override(struct resolution *r, const struct contract_variable *variable,
                            struct wanted *wanted, struct err *err)
{
    const struct contract_part part = {.ref = {.kind = REF_ENV, .path = variable->name}};
    const char *text = job_is_profile_variable(r->job, variable)
                           ? NULL
                           : job_environment(r->job, variable, variable->name);

    if (!text || !ref_is_inline(text))
        return 0;
    wanted->refers = true;
    return request_for(r, variable, &part, &r->requests[r->request_count++], err);
}

static int collect_requests(struct resolution *r, struct err *err)
{
    size_t count = 0;

    for (size_t i = 0; i < r->wanted_count; i++)
        count += 1 + r->job->contract->variables[r->wanted[i].variable].part_count;
    r->requests = mem_new(count + 1, sizeof(*r->requests));
    if (!r->requests)
        return err_nomem(err);
    for (size_t i = 0; i < r->wanted_count; i++) {
        const struct contract_variable *variable =
            &r->job->contract->variables[r->wanted[i].variable];
        r->wanted[i].first = r->request_count;
        if (needs_no_source(r->job, variable)) {
            if (request_override(r, variable, &r->wanted[i], err) != 0)
                return -1;
            continue;
        }
        for (size_t part = 0; part < variable->part_count; part++)
            if (request_for(r, variable, &variable->parts[part], &r->requests[r->request_count++],
                            err) != 0)
                return -1;
    }
    return 0;
}

/* Ask for what the environment did not answer. -1 only when nothing could be asked at all; a
 * request that failed says so itself. */
static int ask(struct resolution *r, struct err *err)
{
    struct source_request *asked = mem_new(r->request_count + 1, sizeof(*asked));
    size_t *from = mem_new(r->request_count + 1, sizeof(*from));
    size_t count = 0;
    int result = 0;

    if (!asked || !from) {
        free(asked);
        free(from);
        return err_nomem(err);
    }
    for (size_t i = 0; i < r->request_count; i++) {
        if (r->requests[i].ref.kind == REF_NONE)
            continue;
        from[count] = i;
        asked[count++] = r->requests[i];
    }
    if (count > 0) {
        result = job_sources(r->job, err);
        if (result == 0)
            result = source_resolve(r->job->sources, asked, count, r->job->call->deadline_ms, err);
        for (size_t i = 0; i < count; i++)
            r->requests[from[i]] = asked[i];
    }
    free(asked);
    free(from);
    return result;
}

/* NO_COPY: why its last known value was not used, or NULL. */
static void report_failure(struct resolution *r, const struct contract_variable *variable,
                           const struct source_request *request, const char *no_copy)
{
    struct err err = request->err;

    if (no_copy)
        err_hint(&err, "Nor is there a last known value: %s.", no_copy);
    struct finding finding = {
        .severity = FINDING_ERROR,
        .variable = variable->name,
        .rule = "source",
        .message = err.text,
        .hint = *err.hint ? err.hint : NULL,
        .file = variable->position.file,
        .pointer = variable->position.pointer,
        .line = variable->position.line,
        .column = variable->position.column,
    };

    findings_add(&r->job->findings, &finding);
    if (!r->failed) {
        r->first = err;
        err_wrap(&r->first, "%s", variable->name);
    }
    r->failed = true;
}

/* Fill PARTS, and say why one is absent (for `required`), or NULL. False: one failed, and is
 * said. */
static bool look_at_parts(struct resolution *r, const struct contract_variable *variable,
                          const struct source_request *requests, const char *no_copy,
                          const struct secret **parts, struct contract_input *input)
{
    struct job *job = r->job;
    bool failed = false;

    for (size_t i = 0; i < variable->part_count; i++) {
        parts[i] = requests[i].state == SOURCE_SET ? &requests[i].value : NULL;
        if (requests[i].state == SOURCE_FAILED) {
            report_failure(r, variable, &requests[i], no_copy);
            failed = true;
        } else if (requests[i].state == SOURCE_ABSENT && *requests[i].err.text) {
            input->absent_because = arena_dup(&job->arena, requests[i].err.text);
            input->absent_hint = *requests[i].err.hint
                                     ? arena_dup(&job->arena, requests[i].err.hint)
                                     : NULL;
        }
    }
    return !failed;
}

/* What the environment has beside the source. An alias of a variable whose source is the
 * environment is the source, and nothing beside it. */
static const char *own_environment(const struct job *job, const struct contract_variable *variable)
{
    bool is_source = variable->part_count == 1 && variable->parts[0].ref.kind == REF_ENV;

    return is_source ? environment_get(&job->environment, variable->name)
                     : job_environment(job, variable, variable->name);
}

/* The variable's value from INPUT; hidden from now on in all that is said. */
static int compose(struct job *job, const struct wanted *wanted, const struct contract_input *input,
                   struct err *err)
{
    const struct contract_variable *variable = &job->contract->variables[wanted->variable];
    struct contract_value *value = &job->values[wanted->variable];

    job->has_unchecked = true;
    if (job_is_profile_variable(job, variable))
        *value = job_profile_value(job);
    else if (contract_assemble(job->contract, variable, input, value, &job->findings, err) != 0)
        return -1;
    value->resolved = true;
    if (!variable->secret || !secret_is_set(&value->bytes))
        return 0;
    return mask_value(&value->bytes, input->parts, variable->part_count, err);
}

/* A value that overrides the source and was referred to. */
static int take_override(struct resolution *r, const struct wanted *wanted,
                         struct contract_input *input, struct err *err)
{
    const struct contract_variable *variable = &r->job->contract->variables[wanted->variable];
    const struct source_request *request = &r->requests[wanted->first];

    input->environment = NULL;
    if (request->state == SOURCE_FAILED) {
        report_failure(r, variable, request, NULL);
        return 0;
    }
    if (request->state == SOURCE_SET)
        input->environment = secret_reveal(&request->value);
    else if (!(input->absent_because = arena_dup(&r->job->arena, request->err.text)))
        return err_nomem(err);
    return compose(r->job, wanted, input, err);
}

/* What its requests came to: their values in PARTS and *input, or its last known value. 1: there is
 * a value to be composed; 0: there is one, or none can be, which is said. */
static int take_answers(struct resolution *r, const struct wanted *wanted,
                        const struct secret **parts, struct contract_input *input, struct err *err)
{
    const struct contract_variable *variable = &r->job->contract->variables[wanted->variable];
    const struct source_request *requests = &r->requests[wanted->first];
    const char *no_copy = NULL;

    if (explain_record(r->job, wanted->variable, requests, err) != 0)
        return -1;
    int used = stale_use(r->job, wanted->variable, requests, &no_copy, err);
    r->stood_in = r->stood_in || used > 0;
    if (used != 0)
        return used > 0 ? 0 : -1;
    return look_at_parts(r, variable, requests, no_copy, parts, input) ? 1 : 0;
}

static int assemble(struct resolution *r, const struct wanted *wanted, struct err *err)
{
    struct job *job = r->job;
    const struct contract_variable *variable = &job->contract->variables[wanted->variable];
    struct contract_input input = {.environment = own_environment(job, variable)};
    AUTO_FREE const struct secret **parts = mem_new(variable->part_count + 1, sizeof(*parts));

    if (!parts)
        return err_nomem(err);
    input.parts = parts;
    if (wanted->refers)
        return take_override(r, wanted, &input, err);
    if (needs_no_source(job, variable))
        return compose(job, wanted, &input, err);
    int answers = take_answers(r, wanted, parts, &input, err);
    if (answers <= 0)
        return answers;
    if (compose(job, wanted, &input, err) != 0)
        return -1;
    return stale_note(job, wanted->variable, &r->requests[wanted->first], err);
}

int job_resolve(struct job *job, const char *const *names, struct err *err)
{
    CLEANUP(resolution_release) struct resolution r = {.job = job};
    struct err asked = ERR_INIT;

    if (choose(&r, names, err) != 0 || collect_requests(&r, err) != 0)
        return -1;
    int result = ask(&r, &asked);
    if (result != 0 && !r.job->sources)
        return err_wrap(memcpy(err, &asked, sizeof(*err)), "open the sources");
    for (size_t i = 0; i < r.wanted_count; i++)
        if (assemble(&r, &r.wanted[i], err) != 0)
            return -1;
    if (r.failed)
        asked = r.first;
    else if (r.stood_in)
        return 0;
    if (result != 0)
        *err = asked;
    return result;
}
