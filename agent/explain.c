#include "agent/explain.h"

#include "agent/explain_show.h"
#include "agent/inline.h"
#include "agent/leave.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

enum { EXPLAIN_FILE_MODE = 0600 };

#define KEY_VARIABLE "AGENT_FINGERPRINT_KEY_FILE"

struct explanation {
    struct job *job;
    struct secret key;
    bool has_key;
    struct explained *list; /* room for all */
    size_t count;
};

static void explanation_release(struct explanation *e)
{
    secret_release(&e->key);
    free(e->list);
}

/* ---- what resolving leaves behind ------------------------------------------------------------ */

int explain_begin(struct job *job, struct err *err)
{
    job->traces = arena_new(&job->arena, job->contract->variable_count + 1, sizeof(*job->traces));
    return job->traces ? 0 : err_nomem(err);
}

static struct trace_part part_of(const struct source_request *request)
{
    return (struct trace_part){
        .ref = request->ref,
        .state = request->state,
        .version = request->version,
        .lease = request->lease,
    };
}

int explain_record(struct job *job, size_t index, const struct source_request *requests,
                   struct err *err)
{
    const struct contract_variable *variable = &job->contract->variables[index];

    if (!job->traces)
        return 0;
    struct trace_part *parts = arena_new(&job->arena, variable->part_count + 1, sizeof(*parts));
    if (!parts)
        return err_nomem(err);
    for (size_t i = 0; i < variable->part_count; i++) {
        const struct contract_part *part = &variable->parts[i];
        parts[i] = part_of(&requests[i]);
        parts[i].name = part->name;
        if (part->ref.kind != REF_ENV)
            continue;
        const char *name = part->ref.path ? part->ref.path : variable->name;
        if (requests[i].ref.kind == REF_NONE) /* taken from there: nothing was asked */
            parts[i].ref = (struct ref){.kind = REF_ENV, .path = name};
        else
            parts[i].environment = name;
    }
    job->traces[index] = (struct trace){parts, variable->part_count};
    return 0;
}

/* ---- one variable --------------------------------------------------------------------------- */

static bool is_by_reference(const struct trace *trace)
{
    return trace->part_count == 1 && trace->parts[0].environment;
}

static const char *origin_of(const struct job *job, size_t index)
{
    const struct contract_variable *variable = &job->contract->variables[index];
    const struct contract_value *value = &job->values[index];

    if (!value->resolved)
        return variable->for_agent_only && job->traces[index].part_count == 0 ? "not resolved"
                                                                              : "failed";
    if (job_is_profile_variable(job, variable))
        return "profile";
    if (value->stale)
        return "stale copy";
    if (!secret_is_set(&value->bytes))
        return "nothing";
    switch (value->origin) {
    case VALUE_DEFAULT:
        return "default";
    case VALUE_ENVIRONMENT:
        return is_by_reference(&job->traces[index]) ? "source" : "environment";
    case VALUE_SOURCE:
    case VALUE_NONE:
        break;
    }
    return "source";
}

/* Findings that say which of several values it is. */
static void note_findings(const struct findings *findings, struct explained *one)
{
    static const char *const rules[] = {"shadowed", "alias", "deprecated", NULL};
    size_t count = one->notes[0] ? 1 : 0;

    for (const char *const *rule = rules; *rule; rule++)
        for (size_t i = 0; i < findings->count; i++)
            if (str_eq(findings->list[i].variable, one->name) &&
                str_eq(findings->list[i].rule, *rule)) {
                one->notes[count++] = *rule;
                break;
            }
}

static int add_fingerprint(const struct explanation *e, const struct secret *value,
                           struct explained *one, struct err *err)
{
    return e->has_key && secret_is_set(value)
               ? fingerprint_of(&e->key, one->name, value, one->fingerprint, err)
               : 0;
}

static int add_variable(struct explanation *e, size_t index, struct err *err)
{
    struct job *job = e->job;
    const struct contract_variable *variable = &job->contract->variables[index];
    const struct contract_value *value = &job->values[index];
    struct explained *one = &e->list[e->count++];

    *one = (struct explained){.name = variable->name,
                              .origin = origin_of(job, index),
                              .secret = variable->secret,
                              .stale = value->stale,
                              .stale_age_s = value->stale_age_s,
                              .trace = &job->traces[index]};
    if (variable->overridable && value->resolved && value->origin == VALUE_ENVIRONMENT)
        one->notes[0] = "override";
    note_findings(&job->findings, one);
    if (!value->resolved)
        one->because = str_eq(one->origin, "failed") ? NULL : "used by agent only";
    else if (!secret_is_set(&value->bytes))
        one->because = value->absent_because;
    return add_fingerprint(e, &value->bytes, one, err);
}

static bool is_wanted(const struct job *job, const char *name)
{
    for (size_t i = 0; i < job->call->word_count; i++)
        if (str_eq(job->call->words[i], name))
            return true;
    return job->call->word_count == 0;
}

/* ---- with and without a contract -------------------------------------------------------------- */

static void resolve_and_check(struct job *job, struct err *err)
{
    const char *const *names = job->call->word_count > 0 ? job->call->words : NULL;

    if (job_resolve(job, names, err) != 0)
        (void)job_check_besides(job, err);
    else if (job_check(job, err) == 0)
        err_clear(err);
}

/* -1: there is nothing to show. Else *verdict is how it went. */
static int explain_contract(struct explanation *e, struct err *verdict, struct err *err)
{
    struct job *job = e->job;

    if (job_load(job, err) != 0 || explain_begin(job, err) != 0)
        return -1;
    resolve_and_check(job, verdict);
    if (verdict->kind != ERR_NONE && job->findings.errors == 0) { /* said nowhere in the table */
        *err = *verdict;
        return -1;
    }
    e->list = mem_new(job->contract->variable_count + 1, sizeof(*e->list));
    if (!e->list)
        return err_nomem(err);
    for (size_t i = 0; i < job->contract->variable_count; i++)
        if (is_wanted(job, job->contract->variables[i].name) && add_variable(e, i, err) != 0)
            return -1;
    return 0;
}

static int add_inline(struct explanation *e, const struct source_request *request, struct err *err)
{
    struct explained *one = &e->list[e->count++];
    struct trace_part *part = arena_new(&e->job->arena, 1, sizeof(*part));
    struct trace *trace = arena_new(&e->job->arena, 1, sizeof(*trace));

    if (!part || !trace)
        return err_nomem(err);
    *part = part_of(request);
    if (request->ref.kind != REF_ENV)
        part->environment = request->variable;
    *trace = (struct trace){part, 1};
    *one = (struct explained){.name = request->variable,
                              .origin = request->ref.kind == REF_ENV      ? "environment"
                                        : request->state == SOURCE_SET    ? "source"
                                        : request->state == SOURCE_FAILED ? "failed"
                                                                          : "nothing",
                              .secret = request->ref.kind != REF_ENV,
                              .trace = trace};
    if (request->state == SOURCE_ABSENT && *request->err.text) {
        one->because = arena_dup(&e->job->arena, request->err.text);
        if (!one->because)
            return err_nomem(err);
    }
    return add_fingerprint(e, &request->value, one, err);
}

static int explain_inline(struct explanation *e, struct err *verdict, struct err *err)
{
    AUTO_INLINE_VALUES values = INLINE_VALUES_INIT;
    const struct invocation *call = e->job->call;

    if (inline_allowed(call, NULL, err) != 0)
        return -1;
    if (inline_resolve(e->job, call->word_count > 0 ? call->words : NULL, &values, verdict) == 0)
        err_clear(verdict);
    if (verdict->kind != ERR_NONE && !e->job->sources) { /* nothing was asked */
        *err = *verdict;
        return -1;
    }
    if (values.count == 0)
        return inline_nothing(call, err);
    e->list = mem_new(values.count + 1, sizeof(*e->list));
    if (!e->list)
        return err_nomem(err);
    for (size_t i = 0; i < values.count; i++)
        if (add_inline(e, &values.requests[i], err) != 0)
            return -1;
    return 0;
}

/* ---- showing -------------------------------------------------------------------------------- */

static int read_key(struct explanation *e, const char *key_file, struct err *err)
{
    const char *path = key_file ? key_file : getenv(KEY_VARIABLE);

    if (!path || !*path)
        return 0;
    if (fingerprint_key_read(path, &e->key, err) != 0)
        return -1;
    e->has_key = true;
    return 0;
}

static void write_document(const struct explanation *e, const struct err *verdict, struct buf *out)
{
    struct json json = JSON_INIT(out);
    int code = err_exit_code(verdict->kind);

    if (!e->job->call->common.json) {
        explain_write_text(e->list, e->count, out);
        return;
    }
    document_begin(&json, "fetch", code == 0);
    explain_write_json(e->list, e->count, &json);
    if (code != 0)
        json_add_error(&json, verdict, code);
    json_end_object(&json);
    buf_addc(out, '\n');
}

static int show(const struct explanation *e, const struct err *verdict, const char *output_file)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct err err = ERR_INIT;
    int code = err_exit_code(verdict->kind);

    write_document(e, verdict, &out);
    if (!e->has_key)
        log_line(LOG_INFO, "no fingerprints without a key", "hint",
                 "Make one with (umask 077; openssl rand -hex 32 >FILE), have the same on each "
                 "host, and name it with --fingerprint-key-file FILE or $" KEY_VARIABLE ".",
                 NULL);
    job_say_findings(e->job);
    if (code != 0)
        command_say_error(verdict);
    if (!output_file)
        return text_print(&out, code);
    if (buf_check(&out, ERR_RESOURCE, "the explanation", &err) == 0 &&
        file_replace(output_file, buf_text(&out), out.len, EXPLAIN_FILE_MODE, &err) == 0)
        return code;
    return command_failed(e->job->call, &err);
}

int explain_values(const struct invocation *call, const char *key_file, const char *output_file)
{
    AUTO_JOB job = JOB_INIT(call);
    CLEANUP(explanation_release) struct explanation e = {.job = &job};
    struct err err = ERR_INIT, verdict = ERR_INIT;
    int result = read_key(&e, key_file, &err);

    if (result == 0)
        result = job_has_contract(call) ? explain_contract(&e, &verdict, &err)
                                        : explain_inline(&e, &verdict, &err);
    leave_vault_unused(&job); /* nobody got a value */
    return result == 0 ? show(&e, &verdict, output_file) : job_failed(&job, &err);
}
