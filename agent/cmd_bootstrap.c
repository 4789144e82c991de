/* agent/cmd_bootstrap.c: `agent bootstrap`: make a fresh database and stamp it, in one transaction. */
#include "agent/cmd.h"
#include "agent/job.h"
#include "agent/leave.h"

static bool dry_run, migrate;

static const struct opt bootstrap_options[] = {
    {"--dry-run", 0, OPT_FLAG, NULL, NULL, "print the plan and the SQL, change nothing", &dry_run},
    {"--migrate", 0, OPT_FLAG, NULL, NULL, "run database.migrate where the state is behind",
     &migrate},
    {0},
};

static int print_plan(const struct job *job, const struct database_settings *settings,
                      struct err *err)
{
    AUTO_BUF plan = BUF_INIT(OUTPUT_MAX_BYTES);

    if (bootstrap_plan(settings, &plan, err) != 0)
        return job_failed(job, err);
    if (!job->call->common.json)
        return text_print(&plan, 0);
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct json json = JSON_INIT(&out);
    document_begin(&json, "bootstrap", true);
    json_add_string(&json, "plan", buf_text(&plan));
    return document_print(&json, 0);
}

/* What is known of the database belongs to the document of a refusal too. */
static int refused(const struct job *job, const struct database_report *report,
                   const struct err *err)
{
    if (!job->call->common.json || !report->state_known)
        return job_failed(job, err);
    int code = err_exit_code(err->kind);
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct json json = JSON_INIT(&out);
    job_say_findings(job);
    command_say_error(err);
    document_begin(&json, "bootstrap", false);
    bootstrap_write_json(report, &json);
    json_add_error(&json, err, code);
    return document_print(&json, code);
}

/* Without an owner, what was made belongs to the login: it could not be dropped with its lease. */
static void leave(const struct job *job, const struct database_settings *settings,
                  const struct database_report *report)
{
    if (report->created && !settings->owner)
        leave_vault(job);
    else
        leave_vault_unused(job);
}

static int show(const struct job *job, const struct database_report *report)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);

    job_say_findings(job);
    if (job->call->common.json) {
        struct json json = JSON_INIT(&out);
        document_begin(&json, "bootstrap", true);
        bootstrap_write_json(report, &json);
        return document_print(&json, 0);
    }
    bootstrap_write_text(report, &out);
    return text_print(&out, 0);
}

static int bootstrap_command(const struct invocation *call)
{
    AUTO_JOB job = JOB_INIT(call);
    AUTO_DATABASE_JOB database = DATABASE_JOB_INIT;
    AUTO_REPORT report = REPORT_INIT;
    struct err err = ERR_INIT;
    int code;

    if (command_words_at_most(call, 0, &err) != 0 || job_load(&job, &err) != 0 ||
        job_database(&job, &database, &err) != 0)
        code = job_failed(&job, &err);
    else if (dry_run)
        code = print_plan(&job, &database.settings, &err);
    else if (bootstrap_run(&database.settings, migrate, &report, &err) != 0)
        code = refused(&job, &report, &err);
    else
        code = show(&job, &report);
    leave(&job, &database.settings, &report);
    return code;
}

const struct command command_bootstrap = {
    .name = "bootstrap",
    .arguments = "",
    .summary = "make a fresh database and stamp it, in one transaction",
    .details =
        "Nothing happens to a database that is current; one in any other state than fresh is\n"
        "refused (exit 6) and told apart. What was made is read back from a new connection.",
    .options = bootstrap_options,
    .run = bootstrap_command,
};
