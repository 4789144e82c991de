#include "agent/inline.h"

#include <unistd.h>

#include "agent/mask.h"
#include "base/mem.h"
#include "base/str.h"

void inline_values_release(struct inline_values *values)
{
    for (size_t i = 0; i < values->count; i++)
        secret_release(&values->requests[i].value);
    free(values->requests);
    *values = INLINE_VALUES_INIT;
}

int inline_allowed(const struct invocation *call, const char *option, struct err *err)
{
    if (!option && call->common.profile)
        option = "--profile";
    if (!option)
        return 0;
    err_set(err, ERR_USAGE, "%s needs a contract, and there is no '%s'", option,
            job_contract_path(call));
    return err_hint(err, "Name it with --contract FILE or AGENT_CONTRACT.");
}

int inline_check_name(const char *name, struct err *err)
{
    if (!str_starts(name, "LD_"))
        return 0;
    err_set(err, ERR_CONTRACT, "a reference would decide what code is loaded");
    return err_hint(err, "The dynamic loader's variables are written out in the environment.");
}

/* Ask for what VALUE of the variable NAME (in the arena) refers to, or take it as it is. A reference that
 * is broken has FAILED: handed on as it is, it would be a password that nobody has. */
static int add_request(struct job *job, const char *name, const char *value,
                       struct inline_values *out, struct err *err)
{
    struct source_request *request = &out->requests[out->count];

    request->variable = name;
    request->ref = (struct ref){.kind = REF_ENV, .path = name};
    if ((ref_is_inline(value) || ref_is_broken(value)) &&
        (inline_check_name(name, &request->err) != 0 ||
         ref_parse(&job->arena, value, &request->ref, &request->err) != 0)) {
        if (request->err.kind == ERR_RESOURCE)
            return err_nomem(err);
        request->state = SOURCE_FAILED;
    }
    out->count++;
    return 0;
}

static int no_such_variable(const struct environment *e, const char *name, struct err *err)
{
    AUTO_ARENA arena = ARENA_INIT;
    const char **names = arena_new(&arena, e->count + 1, sizeof(*names));
    size_t count = 0;

    if (!names)
        return err_nomem(err);
    for (size_t i = 0; i < e->count; i++) {
        const char *equals = e->entries[i] ? strchr(e->entries[i], '=') : NULL;
        if (!equals)
            continue;
        names[count] = arena_dup_n(&arena, e->entries[i], (size_t)(equals - e->entries[i]));
        if (!names[count++])
            return err_nomem(err);
    }
    err_set(err, ERR_USAGE, "the environment has no variable '%s', and there is no contract", name);
    const char *nearest = str_nearest(name, names);
    return nearest ? err_hint(err, "Did you mean '%s'?", nearest)
                   : err_hint(err, "Name a contract with --contract FILE or AGENT_CONTRACT.");
}

static bool is_asked_already(const struct inline_values *values, const char *name)
{
    for (size_t i = 0; i < values->count; i++)
        if (str_eq(values->requests[i].variable, name))
            return true;
    return false;
}

static int collect_named(struct job *job, const char *const *names, struct inline_values *out,
                         struct err *err)
{
    size_t count = 0;

    while (names[count])
        count++;
    out->requests = mem_new(count + 1, sizeof(*out->requests));
    if (!out->requests)
        return err_nomem(err);
    for (; *names; names++) {
        const char *value = environment_get(&job->environment, *names);
        if (!value)
            return no_such_variable(&job->environment, *names, err);
        if (!is_asked_already(out, *names) && add_request(job, *names, value, out, err) != 0)
            return -1;
    }
    return 0;
}

static int collect_references(struct job *job, struct inline_values *out, struct err *err)
{
    const struct environment *e = &job->environment;

    out->requests = mem_new(e->count + 1, sizeof(*out->requests));
    if (!out->requests)
        return err_nomem(err);
    for (size_t i = 0; i < e->count; i++) {
        const char *equals = e->entries[i] ? strchr(e->entries[i], '=') : NULL;
        if (!equals || (!ref_is_inline(equals + 1) && !ref_is_broken(equals + 1)))
            continue;
        const char *name = arena_dup_n(&job->arena, e->entries[i],
                                       (size_t)(equals - e->entries[i]));
        if (!name)
            return err_nomem(err);
        if (add_request(job, name, equals + 1, out, err) != 0)
            return -1;
    }
    return 0;
}

/* A reference was resolved because somebody means it to be secret. */
static int mask_all(const struct inline_values *values, struct err *err)
{
    for (size_t i = 0; i < values->count; i++) {
        const struct source_request *request = &values->requests[i];
        if (request->state == SOURCE_SET && request->ref.kind != REF_ENV &&
            mask_value(&request->value, NULL, 0, err) != 0)
            return -1;
    }
    return 0;
}

/* ASKED: before that, whatever is absent only was not asked for yet. */
static bool is_problem(const struct source_request *request, bool asked)
{
    return request->state == SOURCE_FAILED || (asked && request->state == SOURCE_ABSENT);
}

static void add_finding(struct job *job, const struct source_request *request)
{
    findings_add(&job->findings,
                 &(struct finding){
                     .severity = FINDING_ERROR,
                     .variable = request->variable,
                     .rule = request->state == SOURCE_FAILED ? "source" : "required",
                     .message = request->err.text,
                     .hint = *request->err.hint ? request->err.hint : NULL,
                 });
}

/* One problem is the error; of several, each is a finding besides. The first that failed decides the
 * code, and where none did the first that is absent. */
static int refuse_problems(struct job *job, const struct inline_values *values, bool asked,
                           struct err *err)
{
    const struct source_request *worst = NULL;
    size_t count = 0;

    for (size_t i = 0; i < values->count; i++) {
        const struct source_request *request = &values->requests[i];
        if (!is_problem(request, asked))
            continue;
        if (!worst || (worst->state == SOURCE_ABSENT && request->state == SOURCE_FAILED))
            worst = request;
        count++;
    }
    if (!worst)
        return 0;
    for (size_t i = 0; i < values->count && count > 1; i++)
        if (is_problem(&values->requests[i], asked))
            add_finding(job, &values->requests[i]);
    *err = worst->err;
    return err_wrap(err, "environment variable '%s'", worst->variable);
}

int inline_resolve(struct job *job, const char *const *names, struct inline_values *out,
                   struct err *err)
{
    if (environment_index(&job->environment, (const char *const *)environ, err) != 0)
        return -1;
    if (names ? collect_named(job, names, out, err) != 0 : collect_references(job, out, err) != 0)
        return -1;
    if (out->count == 0)
        return 0;
    if (refuse_problems(job, out, false, err) != 0 || job_sources(job, err) != 0)
        return -1;
    int resolved = source_resolve(job->sources, out->requests, out->count, job->call->deadline_ms,
                                  err);
    if (refuse_problems(job, out, true, err) != 0 || resolved != 0)
        return -1;
    return mask_all(out, err);
}

int inline_nothing(const struct invocation *call, struct err *err)
{
    err_set(err, ERR_USAGE, "there is no '%s', and no value of the environment is a reference",
            job_contract_path(call));
    return err_hint(err, "Name a contract with --contract FILE or AGENT_CONTRACT, or say what to "
                         "fetch as NAME=vault:PATH#FIELD in the environment.");
}
