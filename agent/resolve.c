/* agent/resolve.c: job_resolve: every wanted variable from its source, in one go. */
#include "agent/explain.h"
#include "agent/job.h"
#include "agent/mask.h"
#include "base/log.h"
#include "base/mem.h"

/* One variable on its way: its requests are a run of the common array. */
struct wanted {
    size_t variable; /* index */
    size_t first;    /* of its requests, one for each part that has to be asked */
};

struct resolution {
    struct job *job;
    struct wanted *wanted;
    size_t wanted_count;
    struct source_request *requests;
    size_t request_count;
};

static void resolution_release(struct resolution *r)
{
    for (size_t i = 0; i < r->request_count; i++)
        secret_release(&r->requests[i].value);
    free(r->wanted);
    free(r->requests);
}

/* The environment's own value, or the profile, is enough: nothing needs to be asked. */
static bool needs_no_source(const struct job *job, const struct contract_variable *variable)
{
    return job_is_profile_variable(job, variable) ||
           (variable->overridable && job_environment(job, variable, variable->name));
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
        return nearest ? err_hint(err, "Did you mean '%s'?", nearest) : -1;
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
        if (ref_parse(&r->job->arena, text, &out->ref, err) != 0)
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

static int collect_requests(struct resolution *r, struct err *err)
{
    size_t count = 0;

    for (size_t i = 0; i < r->wanted_count; i++)
        count += r->job->contract->variables[r->wanted[i].variable].part_count;
    r->requests = mem_new(count + 1, sizeof(*r->requests));
    if (!r->requests)
        return err_nomem(err);
    for (size_t i = 0; i < r->wanted_count; i++) {
        const struct contract_variable *variable =
            &r->job->contract->variables[r->wanted[i].variable];
        r->wanted[i].first = r->request_count;
        if (needs_no_source(r->job, variable))
            continue;
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

static void report_failure(struct job *job, const struct contract_variable *variable,
                           const struct source_request *request)
{
    struct finding finding = {
        .severity = FINDING_ERROR,
        .variable = variable->name,
        .rule = "source",
        .message = request->err.text,
        .hint = *request->err.hint ? request->err.hint : NULL,
        .file = variable->position.file,
        .pointer = variable->position.pointer,
        .line = variable->position.line,
        .column = variable->position.column,
    };

    findings_add(&job->findings, &finding);
}

/* Fill PARTS, and say why one is absent (for `required`), or NULL. False: one failed, and is said. */
static bool look_at_parts(struct job *job, const struct contract_variable *variable,
                          const struct source_request *requests, const struct secret **parts,
                          const char **absent_because)
{
    bool failed = false;

    for (size_t i = 0; i < variable->part_count; i++) {
        parts[i] = requests[i].state == SOURCE_SET ? &requests[i].value : NULL;
        if (requests[i].state == SOURCE_FAILED) {
            report_failure(job, variable, &requests[i]);
            failed = true;
        } else if (requests[i].state == SOURCE_ABSENT && *requests[i].err.text) {
            *absent_because = arena_dup(&job->arena, requests[i].err.text);
        }
    }
    return !failed;
}

/* What the environment has beside the source. An alias of a variable whose source is the environment
 * is the source, and nothing beside it. */
static const char *own_environment(const struct job *job, const struct contract_variable *variable)
{
    bool is_source = variable->part_count == 1 && variable->parts[0].ref.kind == REF_ENV;

    return is_source ? environment_get(&job->environment, variable->name)
                     : job_environment(job, variable, variable->name);
}

static int assemble(struct resolution *r, const struct wanted *wanted, struct err *err)
{
    struct job *job = r->job;
    const struct contract_variable *variable = &job->contract->variables[wanted->variable];
    struct contract_value *value = &job->values[wanted->variable];
    struct contract_input input = {.environment = own_environment(job, variable)};
    const struct secret **parts = mem_new(variable->part_count + 1, sizeof(*parts));
    int result = 0;

    if (!parts)
        return err_nomem(err);
    input.parts = parts;
    if (!needs_no_source(job, variable) &&
        explain_record(job, wanted->variable, &r->requests[wanted->first], err) != 0) {
        free(parts);
        return -1;
    }
    if (!needs_no_source(job, variable) &&
        !look_at_parts(job, variable, &r->requests[wanted->first], parts, &input.absent_because)) {
        free(parts);
        return 0; /* said; not checked for what it would have been */
    }
    if (job_is_profile_variable(job, variable))
        *value = job_profile_value(job);
    else
        result = contract_assemble(job->contract, variable, &input, value, &job->findings, err);
    value->resolved = result == 0;
    job->has_unchecked = true;
    if (result == 0 && variable->secret && secret_is_set(&value->bytes))
        result = mask_value(&value->bytes, parts, variable->part_count, err);
    free(parts);
    return result;
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
    if (result != 0)
        *err = asked;
    return result;
}
