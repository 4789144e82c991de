/* agent/cmd_check.c: `agent check`: is the environment complete and right? */
#include "agent/cmd.h"
#include "agent/job.h"
#include "agent/leave.h"
#include "base/str.h"

static bool lint, env_only;
static const char *env_file, *check_format;

static const struct opt check_options[] = {
    {"--lint", 0, OPT_FLAG, NULL, NULL, "check the contract file alone; nothing is run", &lint},
    {"--env-only", 0, OPT_FLAG, NULL, NULL, "check the environment alone; nothing is contacted",
     &env_only},
    {"--env-file", 0, OPT_STRING, "FILE", NULL, "check a file in place of the environment",
     &env_file},
    {"--format", 0, OPT_CHOICE, "FORMAT", "text|json", "how to show it", &check_format},
    {0},
};

static int check_call(const struct invocation *call, struct err *err)
{
    if (command_words_at_most(call, 0, err) != 0)
        return -1;
    if ((lint ? 1 : 0) + (env_only ? 1 : 0) + (env_file ? 1 : 0) <= 1)
        return 0;
    return err_set(err, ERR_USAGE, "--lint, --env-only and --env-file exclude each other");
}

/* The values that are to be checked, from where the options say. */
static int take_values(struct job *job, struct err *err)
{
    if (env_file &&
        (envfile_read(env_file, &job->arena, &job->given_environment, &job->findings, err) != 0 ||
         job_refuse_problems(job, ERR_FILE, env_file, err) != 0))
        return -1;
    if (job_load(job, err) != 0)
        return -1;
    if (env_file || env_only)
        return job_take_environment(job, err);
    if (job_resolve(job, NULL, err) == 0)
        return 0;
    struct err violations = ERR_INIT; /* said too; what could not be fetched decides the code */
    if (job_check(job, &violations) != 0 && violations.kind != ERR_VIOLATION &&
        violations.kind != ERR_SOURCE_MISSING)
        *err = violations;
    return -1;
}

static int look(struct job *job, size_t *checked, struct err *err)
{
    if (lint)
        return job_open(job, err) != 0 ? -1 : job_lint(job, err);
    if (take_values(job, err) != 0)
        return -1;
    for (size_t i = 0; i < job->contract->variable_count; i++)
        *checked += job->values[i].resolved ? 1 : 0;
    return job_check(job, err);
}

/* One document, with the problems in it and, where it is more than violations, the error. */
static int show_json(const struct job *job, size_t checked, const struct err *err)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct json json = JSON_INIT(&out);
    int code = err_exit_code(err->kind);

    if (code != 0)
        command_say_error(err);
    document_begin(&json, "check", code == 0);
    findings_write_json(&job->findings, job->contract ? job->contract->profile : NULL, checked,
                        &json);
    if (code != 0)
        json_add_error(&json, err, code);
    return document_print(&json, code);
}

static int show_text(const struct job *job, size_t checked, const struct err *err)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    int code = err_exit_code(err->kind);

    if (job->findings.count > 0)
        findings_write_text(&job->findings, stdout_wants_color(job->call), &out);
    if (code == 0 && lint)
        buf_addf(&out, "%s: the contract is sound\n", job_contract_path(job->call));
    else if (code == 0)
        buf_addf(&out, "%s: %zu variable%s checked%s%s\n", job_contract_path(job->call), checked,
                 checked == 1 ? "" : "s", job->contract->profile ? ", profile " : "",
                 job->contract->profile ? job->contract->profile : "");
    code = text_print(&out, code);
    if (code != 0 && err->kind != ERR_VIOLATION)
        command_say_error(err);
    return code;
}

static int check_command(const struct invocation *call)
{
    AUTO_JOB job = JOB_INIT(call);
    struct err err = ERR_INIT;
    size_t checked = 0;

    if (check_call(call, &err) != 0)
        return command_failed(call, &err);
    if (look(&job, &checked, &err) == 0)
        err_clear(&err);
    leave_vault_unused(&job);
    if (call->common.json || str_eq(check_format, "json"))
        return show_json(&job, checked, &err);
    return show_text(&job, checked, &err);
}

const struct command command_check = {
    .name = "check",
    .arguments = "",
    .summary = "is the environment complete and right?",
    .details = "Resolves every source and checks the result: would the application start here?\n"
               "All problems are said at once, in the order of the contract, without values.\n"
               "Exit 1 on violations, 2 when the contract itself is wrong.",
    .options = check_options,
    .run = check_command,
};
