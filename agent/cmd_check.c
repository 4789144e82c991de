/* agent/cmd_check.c: `agent check`: is the environment complete and right? */
#include "agent/cmd.h"
#include "agent/drift.h"
#include "agent/job.h"
#include "agent/leave.h"
#include "agent/stale.h"
#include "base/str.h"

static bool lint, env_only;
static const char *env_file, *check_format;
static struct opt_strings drift;
static struct envfile_lines env_lines; /* of env_file; count 0: none was read */

static const struct opt check_options[] = {
    {"--lint", 0, OPT_FLAG, NULL, NULL, "check the contract file alone; nothing is run", &lint},
    {"--env-only", 0, OPT_FLAG, NULL, NULL, "check the environment alone; nothing is contacted",
     &env_only},
    {"--env-file", 0, OPT_STRING, "FILE", NULL,
     "check a file, or - for standard input, in place of the environment", &env_file},
    {"--drift", 0, OPT_STRINGS, "DIR", NULL,
     "hold the code and files in DIR, and what Vault has, against the contract (repeatable)",
     &drift},
    {"--format", 0, OPT_CHOICE, "FORMAT", "text|json|sarif|github", "how to show it",
     &check_format},
    {0},
};

static int check_call(const struct invocation *call, struct err *err)
{
    if (command_words_at_most(call, 0, err) != 0)
        return -1;
    if (env_file && str_eq(env_file, job_contract_path(call)))
        return err_set(err, ERR_USAGE, "--env-file and the contract are both '%s'", env_file);
    if (drift.count > 0 && (lint || env_file))
        return err_set(err, ERR_USAGE, "--drift excludes --lint and --env-file");
    if ((lint ? 1 : 0) + (env_only ? 1 : 0) + (env_file ? 1 : 0) <= 1)
        return 0;
    return err_set(err, ERR_USAGE, "--lint, --env-only and --env-file exclude each other");
}

/* The values that are to be checked, from where the options say. */
static int take_values(struct job *job, struct err *err)
{
    job->given_by = env_file;
    if (env_file &&
        (envfile_read_lines(env_file, job->call->deadline_ms, &job->arena, &job->given_environment,
                            &env_lines, &job->findings, err) != 0 ||
         job_refuse_problems(job, ERR_FILE, env_file, err) != 0))
        return -1;
    if (job_load(job, err) != 0)
        return -1;
    if (env_file || env_only)
        return job_take_environment(job, err);
    return job_resolve(job, NULL, err) == 0 ? 0 : job_check_besides(job, err);
}

/* What was looked at, for the last line. */
struct looked {
    size_t variables, files;
};

static int look_for_drift(struct job *job, struct looked *looked, struct err *err)
{
    struct drift_counts counts = {0};
    int result = drift_check(job, drift.list, !env_only, &counts, err);

    *looked = (struct looked){.variables = counts.declared, .files = counts.files};
    return result;
}

static int look(struct job *job, struct looked *looked, struct err *err)
{
    if (drift.count > 0)
        return look_for_drift(job, looked, err);
    if (lint)
        return job_open(job, err) != 0 ? -1 : job_lint(job, err);
    if (take_values(job, err) != 0)
        return -1;
    for (size_t i = 0; i < job->contract->variable_count; i++)
        looked->variables += job->values[i].resolved ? 1 : 0;
    return job_check(job, err);
}

/* One document, with the problems in it and, where it is more than violations, the error. */
static int show_json(const struct job *job, const struct looked *looked, const struct err *err)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct json json = JSON_INIT(&out);
    int code = err_exit_code(err->kind);

    if (code != 0)
        command_say_error(err);
    document_begin(&json, "check", code == 0);
    findings_write_json(&job->findings, job->contract ? job->contract->profile : NULL,
                        looked->variables, &json);
    if (code != 0)
        json_add_error(&json, err, code);
    return document_print(&json, code);
}

/* The error that ended it, where the report has not said it. (The code may be that of an output that
 * could not be written, which was said there.) */
static void say_unless_shown(const struct err *err)
{
    if (err->kind != ERR_NONE && err->kind != ERR_VIOLATION)
        command_say_error(err);
}

static void add_last_line(const struct job *job, const struct looked *looked, struct buf *out)
{
    const char *profile = job->contract->profile;

    buf_addf(out, "%s: ", job_contract_path(job->call));
    if (lint) {
        buf_adds(out, "the contract is sound\n");
        return;
    }
    buf_addf(out, "%zu variable%s %s", looked->variables, looked->variables == 1 ? "" : "s",
             drift.count > 0 ? "declared" : "checked");
    if (drift.count > 0)
        buf_addf(out, ", %zu file%s read", looked->files, looked->files == 1 ? "" : "s");
    buf_addf(out, "%s%s\n", profile ? ", profile " : "", profile ? profile : "");
}

static int show_text(const struct job *job, const struct looked *looked, const struct err *err)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    int code = err_exit_code(err->kind);

    if (job->findings.count > 0)
        findings_write_text(&job->findings, stdout_wants_color(job->call), &out);
    if (code == 0)
        add_last_line(job, looked, &out);
    code = text_print(&out, code);
    say_unless_shown(err);
    return code;
}

/* Where nothing that was found says why the command fails, its error is what was found. */
static void add_error(struct job *job, const struct err *err)
{
    if (err->kind == ERR_NONE || job->findings.errors > 0)
        return;
    findings_add(&job->findings, &(struct finding){
                                     .severity = FINDING_ERROR,
                                     .rule = err_word(err->kind),
                                     .message = err->text,
                                     .hint = err->hint[0] ? err->hint : NULL,
                                     .file = err->file[0] ? err->file : NULL,
                                     .line = err->line,
                                     .column = err->column,
                                 });
}

/* For CI: SARIF or annotations, each finding at its line. */
static int show_for_ci(struct job *job, const struct err *err)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    int code = err_exit_code(err->kind);
    bool looked = code == 0 || err->kind == ERR_VIOLATION || job->findings.errors > 0;

    add_error(job, err);
    if (str_eq(check_format, "sarif"))
        findings_write_sarif(&job->findings, looked, &out);
    else
        findings_write_github(&job->findings, &out);
    code = text_print(&out, code);
    say_unless_shown(err);
    return code;
}

/* What the file has wrong is said at its lines, by the error's place too: -1 with ERR_VIOLATION where
 * that was the error. */
static int place_in_env_file(struct job *job, struct err *err)
{
    enum err_kind kind = err->kind;

    if (env_lines.count == 0 || (kind != ERR_NONE && kind != ERR_VIOLATION))
        return 0;
    err_clear(err);
    if (envfile_place(&env_lines, &job->findings, err) != 0)
        return -1;
    return kind == ERR_VIOLATION ? job_refuse_problems(job, kind, env_file, err) : 0;
}

static int check_command(const struct invocation *call)
{
    AUTO_JOB job = JOB_INIT(call);
    struct err err = ERR_INIT;
    struct looked looked = {0};

    if (check_call(call, &err) != 0)
        return command_failed(call, &err);
    if (look(&job, &looked, &err) == 0) {
        stale_refresh(&job, false);
        err_clear(&err);
    }
    leave_vault_unused(&job);
    if (place_in_env_file(&job, &err) != 0 && err.kind != ERR_VIOLATION)
        return command_failed(call, &err);
    if (call->common.json || str_eq(check_format, "json"))
        return show_json(&job, &looked, &err);
    if (str_eq(check_format, "sarif") || str_eq(check_format, "github"))
        return show_for_ci(&job, &err);
    return show_text(&job, &looked, &err);
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
