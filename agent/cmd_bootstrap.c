/* agent/cmd_bootstrap.c: `agent bootstrap`: make a fresh database and stamp it, in one transaction. */
#include "agent/cmd.h"
#include "agent/guard.h"
#include "agent/leave.h"
#include "base/stop.h"

static bool dry_run, migrate, adopt, trust;
static struct guard_options place;

static const struct opt bootstrap_options[] = {
    {"--dry-run", 0, OPT_FLAG, NULL, NULL, "print the plan and the SQL, change nothing", &dry_run},
    {"--migrate", 0, OPT_FLAG, NULL, NULL, "run database.migrate where the state is behind",
     &migrate},
    {"--adopt", 0, OPT_FLAG, NULL, NULL,
     "stamp a database whose schema is proved to be the expected", &adopt},
    {"--trust", 0, OPT_FLAG, NULL, NULL, "with --adopt: the expected tables are proof enough",
     &trust},
    {"--server", 0, OPT_STRING, "NAME", NULL,
     "with --adopt: the variable with the URL of a server for the proof", &place.server},
    {"--ephemeral", 0, OPT_FLAG, NULL, NULL, "with --adopt: a throwaway server for the proof",
     &place.ephemeral},
    {"--ephemeral-user", 0, OPT_STRING, "USER", NULL,
     "as whom that runs when agent is root (postgres)", &place.ephemeral_user},
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

/* ---- --adopt ------------------------------------------------------------------------------------ */

/* Not the expected schema: what differs is the result. A is the database, B what was expected. */
static int show_differences(const struct job *job, const struct database_report *report,
                            const struct guard_report *guard, const struct err *err)
{
    int code = err_exit_code(err->kind);
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);

    job_say_findings(job);
    command_say_error(err);
    if (!job->call->common.json) {
        buf_adds(&out, "A is the database, B the expected schema\n");
        differences_write_text(&guard->differences, stdout_wants_color(job->call), &out);
        return text_print(&out, code);
    }
    struct json json = JSON_INIT(&out);
    document_begin(&json, "bootstrap", false);
    bootstrap_write_json(report, &json);
    differences_write_json(&guard->differences, &json);
    json_add_error(&json, err, code);
    return document_print(&json, code);
}

static int adopt_command(struct job *job)
{
    AUTO_GUARD_JOB database = GUARD_JOB_INIT;
    AUTO_REPORT report = REPORT_INIT;
    AUTO_GUARD_REPORT guard = GUARD_REPORT_INIT;
    struct err err = ERR_INIT;

    if (job_adopt(job, &place, trust, &database, &err) != 0)
        return job_failed(job, &err);
    if (adopt_run(&database.settings, trust, &report, &guard, &err) == 0)
        return show(job, &report);
    if (err.kind == ERR_STOPPED) {
        job_say_findings(job);
        return command_failed_with(job->call, &err, STOP_EXIT_BASE + stop_signal());
    }
    if (guard.differences.count > 0 && err.kind == ERR_VIOLATION)
        return show_differences(job, &report, &guard, &err);
    return refused(job, &report, &err);
}

static int check_call(const struct invocation *call, struct err *err)
{
    if (command_words_at_most(call, 0, err) != 0)
        return -1;
    if (adopt && (migrate || dry_run))
        return err_set(err, ERR_USAGE, "--adopt excludes --migrate and --dry-run");
    if (!adopt && (trust || place.server || place.ephemeral || place.ephemeral_user))
        return err_set(err, ERR_USAGE,
                       "--trust, --server, --ephemeral and --ephemeral-user belong to --adopt");
    return 0;
}

static int bootstrap_command(const struct invocation *call)
{
    AUTO_JOB job = JOB_INIT(call);
    AUTO_DATABASE_JOB database = DATABASE_JOB_INIT;
    AUTO_REPORT report = REPORT_INIT;
    struct err err = ERR_INIT;
    int code;

    bool sound = check_call(call, &err) == 0 && job_load(&job, &err) == 0;
    if (sound && adopt) {
        code = adopt_command(&job);
        leave_vault_unused(&job); /* a stamp belongs to the owner, or to who made the tables */
        return code;
    }
    if (!sound || job_database(&job, &database, &err) != 0)
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
