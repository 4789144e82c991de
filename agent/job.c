#include "agent/job.h"

#include <unistd.h>

#include "agent/stale.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/redact.h"
#include "base/str.h"

#define DEFAULT_CONTRACT "contract.json"

void job_release(struct job *job)
{
    for (size_t i = 0; job->values && i < job->contract->variable_count; i++)
        secret_release(&job->values[i].bytes);
    free(job->values);
    stale_copies_free(job->copies);
    source_set_free(job->sources);
    free(job->kv_mounts);
    contract_free(job->contract);
    findings_release(&job->findings);
    environment_release(&job->environment);
    arena_release(&job->arena);
}

static const char *named_contract(const struct invocation *call)
{
    const char *path = call->common.contract ? call->common.contract : getenv("AGENT_CONTRACT");

    return path && *path ? path : NULL;
}

const char *job_contract_path(const struct invocation *call)
{
    const char *path = named_contract(call);

    return path ? path : DEFAULT_CONTRACT;
}

bool job_has_contract(const struct invocation *call)
{
    return named_contract(call) || access(DEFAULT_CONTRACT, F_OK) == 0;
}

static const struct finding *first_error(const struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++)
        if (findings->list[i].severity == FINDING_ERROR)
            return &findings->list[i];
    return NULL;
}

int problems_refuse(const struct invocation *call, const struct findings *findings,
                    enum err_kind kind, const char *what, struct err *err)
{
    if (findings->no_memory)
        return err_nomem(err);
    const struct finding *first = first_error(findings);
    if (!first)
        return 0;
    bool named = first->variable && *first->variable; /* a contract may say "" */
    err_set(err, kind, "%s: %zu problem%s%s: %s%s%s", what, findings->errors,
            findings->errors == 1 ? "" : "s", findings->errors == 1 ? "" : ", the first",
            named ? first->variable : "", named ? ": " : "", first->message);
    if (!call->common.json)
        return -1; /* people see place and hint of each in the table above */
    if (first->file)
        err_at(err, first->file, first->line, first->column);
    return first->hint ? err_hint(err, "%s", first->hint) : -1;
}

int job_refuse_problems(const struct job *job, enum err_kind kind, const char *what,
                        struct err *err)
{
    return problems_refuse(job->call, &job->findings, kind, what, err);
}

static int select_profile(struct job *job, struct err *err)
{
    struct contract *contract = job->contract;
    const char *given = contract->profile_variable
                            ? environment_get(&job->environment, contract->profile_variable)
                            : NULL;

    if (contract_select(contract, job->call->common.profile, given, &job->findings, err) != 0)
        return -1;
    job->values = mem_new(contract->variable_count + 1, sizeof(*job->values));
    return job->values ? 0 : err_nomem(err);
}

int job_open(struct job *job, struct err *err)
{
    const char *path = job_contract_path(job->call);
    const char *const *own = job->given_environment ? job->given_environment
                                                    : (const char *const *)environ;

    if (environment_index(&job->environment, own, err) != 0)
        return -1;
    if (contract_load(path, job->call->deadline_ms, &job->contract, &job->findings, err) != 0) {
        if (!named_contract(job->call))
            err_hint(err, "Name it with --contract FILE or AGENT_CONTRACT.");
        return -1;
    }
    return job_refuse_problems(job, ERR_CONTRACT, path, err);
}

int job_load(struct job *job, struct err *err)
{
    if (job_open(job, err) != 0 || select_profile(job, err) != 0)
        return -1;
    return job_refuse_problems(job, ERR_CONTRACT, job_contract_path(job->call), err);
}

static enum vault_auth_method auth_method(const char *word)
{
    enum vault_auth_method method = VAULT_AUTH_DEFAULT;

    (void)vault_auth_method_of(word, &method); /* the contract was checked, or says none */
    return method;
}

static int vault_settings_of(struct job *job, struct err *err)
{
    const struct contract_vault *from = &job->contract->vault;

    job->kv_mounts = mem_new(from->kv_mount_count + 1, sizeof(*job->kv_mounts));
    if (!job->kv_mounts)
        return err_nomem(err);
    for (size_t i = 0; i < from->kv_mount_count; i++)
        job->kv_mounts[i] = (struct vault_kv_mount){from->kv_mounts[i], from->kv_versions[i]};
    job->vault = (struct vault_settings){
        .address = from->address,
        .addresses = from->addresses,
        .name_space = from->name_space,
        .method = auth_method(from->auth_method),
        .auth_mount = from->auth_mount,
        .role = from->role,
        .role_id = from->role_id,
        .secret_id_wrapped = from->secret_id_wrapped,
        .secret_id = from->secret_id,
        .username = from->username,
        .password = from->password,
        .jwt = from->jwt,
        .token = from->token,
        .cert = from->cert,
        .key = from->key,
        .ca_cert = from->ca_cert,
        .ca_path = from->ca_path,
        .tls_server_name = from->tls_server_name,
        .redirect_hosts = from->redirect_hosts,
        .kv_mounts = job->kv_mounts,
        .kv_mount_count = from->kv_mount_count,
        .allow_http = from->allow_http,
        .strict_profile = job->contract->profile_is_strict,
        .timeout_ms = from->timeout_ms,
        .deadline_ms = from->deadline_ms,
        .retries = from->retries,
        .no_retries = from->no_retries,
        .folder = job->contract->folder,
    };
    return 0;
}

int job_sources(struct job *job, struct err *err)
{
    if (job->sources)
        return 0;
    if (job->contract && vault_settings_of(job, err) != 0)
        return -1;
    job->vault.token_file = job->call->common.token_file;
    return source_set_new(&job->vault, (const char *const *)environ, &job->sources, err);
}

bool job_is_profile_variable(const struct job *job, const struct contract_variable *variable)
{
    return job->contract->profile && job->contract->profile_variable &&
           str_eq(variable->name, job->contract->profile_variable);
}

struct contract_value job_profile_value(const struct job *job)
{
    const char *profile = job->contract->profile;

    return (struct contract_value){
        .bytes = secret_borrow(profile, strlen(profile)), .origin = VALUE_SOURCE, .resolved = true};
}

const char *job_environment(const struct job *job, const struct contract_variable *variable,
                            const char *name)
{
    const char *own = environment_get(&job->environment, name);
    const char *const *alias = variable->aliases;

    if (contract_is_value(variable, own))
        return own;
    for (; alias && *alias; alias++) {
        const char *text = environment_get(&job->environment, *alias);
        if (contract_is_value(variable, text))
            return text;
    }
    return own;
}

/* The name under which the environment itself is to have the value. */
static const char *name_in_environment(const struct contract_variable *variable)
{
    const struct contract_part *part = variable->parts;
    bool other = variable->part_count == 1 && part->ref.kind == REF_ENV && part->ref.path;

    return other ? part->ref.path : variable->name;
}

/* NOTHING: as many absent parts as any variable has. */
static int take_variable(struct job *job, const struct contract_variable *variable,
                         const struct contract_input *nothing, struct contract_value *value,
                         struct err *err)
{
    const char *name = name_in_environment(variable);
    const char *text = job_environment(job, variable, name);
    bool empty = text && !contract_is_value(variable, text);
    struct contract_value there = {.bytes = secret_borrow(text, text ? strlen(text) : 0),
                                   .origin = VALUE_ENVIRONMENT};

    if (!text && variable->for_agent_only)
        return 0; /* whoever needs it asks its source: nobody did */
    if (text && !empty)
        *value = there;
    else if (job_is_profile_variable(job, variable))
        *value = job_profile_value(job);
    else if (contract_assemble(job->contract, variable, nothing, value, &job->findings, err) != 0)
        return -1;
    if (empty && !secret_is_set(&value->bytes)) /* nor is there a default */
        *value = there;
    value->resolved = true;
    value->looked_in = job->given_by ? job->given_by : "the environment";
    if (!str_eq(name, variable->name))
        value->looked_in = arena_printf(&job->arena, "%s (as %s)", value->looked_in, name);
    if (!value->looked_in)
        return err_nomem(err);
    value->absent_because = value->absent_hint = NULL; /* no source was asked */
    return 0;
}

int job_take_environment(struct job *job, struct err *err)
{
    const struct contract *contract = job->contract;
    size_t most_parts = 0;

    for (size_t i = 0; i < contract->variable_count; i++)
        if (contract->variables[i].part_count > most_parts)
            most_parts = contract->variables[i].part_count;
    AUTO_FREE const struct secret **absent = mem_new(most_parts + 1, sizeof(*absent));
    if (!absent)
        return err_nomem(err);
    const struct contract_input nothing = {.parts = absent};
    job->has_unchecked = job->names_unchecked = true;
    for (size_t i = 0; i < contract->variable_count; i++)
        if (take_variable(job, &contract->variables[i], &nothing, &job->values[i], err) != 0)
            return -1;
    return 0;
}

/* Whether a source said that what is required is not there: that is its refusal (exit 4), not a
 * value that breaks the contract. */
static bool source_lacks_something(const struct job *job)
{
    for (size_t i = 0; i < job->findings.count; i++) {
        const struct finding *finding = &job->findings.list[i];
        if (finding->severity != FINDING_ERROR || !finding->variable ||
            !str_eq(finding->rule, "required"))
            continue;
        const struct contract_variable *variable = contract_find(job->contract, finding->variable);
        if (variable && job->values[variable - job->contract->variables].absent_because)
            return true;
    }
    return false;
}

int job_check(struct job *job, struct err *err)
{
    if (job->has_unchecked && contract_check(job->contract, job->values, &job->findings, err) != 0)
        return -1;
    job->has_unchecked = false;
    if (job->names_unchecked &&
        contract_check_environment(job->contract, job->values, job->environment.entries,
                                   job->environment.count, &job->findings, err) != 0)
        return -1;
    job->names_unchecked = false;
    return job_refuse_problems(job,
                               source_lacks_something(job) ? ERR_SOURCE_MISSING : ERR_VIOLATION,
                               "the environment breaks the contract", err);
}

int job_check_besides(struct job *job, struct err *err)
{
    struct err violations = ERR_INIT;

    if (job_check(job, &violations) != 0 && violations.kind != ERR_VIOLATION &&
        violations.kind != ERR_SOURCE_MISSING)
        *err = violations;
    return -1;
}

int job_lint(struct job *job, struct err *err)
{
    if (contract_lint(job->contract, &job->findings, err) != 0)
        return -1;
    return job_refuse_problems(job, ERR_CONTRACT, job_contract_path(job->call), err);
}

/* --log json has an object for each line, so each finding is one. */
static void log_findings(const struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->list[i];
        AUTO_BUF place = BUF_INIT(OUTPUT_MAX_BYTES);
        if (finding->file)
            buf_addf(&place, "%s:%u:%u", finding->file, finding->line, finding->column);
        log_line(finding->severity == FINDING_ERROR ? LOG_ERROR : LOG_WARN, finding->message,
                 "variable", finding->variable, "rule", finding->rule, "hint", finding->hint, "at",
                 finding->file ? buf_text(&place) : NULL, NULL);
    }
}

void problems_say(const struct invocation *call, const struct findings *findings)
{
    AUTO_BUF text = BUF_INIT(OUTPUT_MAX_BYTES);
    struct err err = ERR_INIT;

    if (findings->count == 0 || (findings->errors == 0 && !log_enabled(LOG_WARN)))
        return;
    if (str_eq(call->common.log_format, "json")) {
        log_findings(findings);
        return;
    }
    findings_write_text(findings, stderr_wants_color(call), &text);
    if (buf_check(&text, ERR_RESOURCE, "the report", &err) != 0 ||
        file_write_all(STDERR_FILENO, "standard error", buf_text(&text), text.len, &err) != 0)
        log_err(&err, err_exit_code(err.kind));
}

void job_say_findings(const struct job *job)
{
    problems_say(job->call, &job->findings);
}

int job_failed(const struct job *job, const struct err *err)
{
    job_say_findings(job);
    return command_failed(job->call, err);
}
