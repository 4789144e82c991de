/* agent/cmd_verify.c: `agent verify`: what state is the database in? */
#include "agent/cmd.h"
#include "agent/job.h"
#include "agent/leave.h"
#include "bootstrap/guard.h"

static const char *query;
static bool schema;

static const struct opt verify_options[] = {
    {"--query", 0, OPT_STRING, "SQL", NULL, "run one read-only query and print what it gives",
     &query},
    {"--schema", 0, OPT_FLAG, NULL, NULL, "print the catalog: every object as text", &schema},
    {0},
};

static int run_query(struct job *job, const struct database_settings *settings, struct err *err)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct json json = JSON_INIT(&out);

    if (!job->call->common.json) {
        if (verify_query(settings, query, &out, NULL, err) != 0)
            return job_failed(job, err);
        return text_print(&out, 0);
    }
    document_begin(&json, "verify", true);
    if (verify_query(settings, query, NULL, &json, err) != 0)
        return job_failed(job, err);
    return document_print(&json, 0);
}

static int print_schema(struct job *job, const struct database_settings *settings, struct err *err)
{
    AUTO_BUF text = BUF_INIT(OUTPUT_MAX_BYTES);
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct json json = JSON_INIT(&out);

    if (verify_schema(settings, &text, err) != 0)
        return job_failed(job, err);
    if (!job->call->common.json)
        return text_print(&text, 0);
    document_begin(&json, "verify", true);
    json_add_string_n(&json, "schema", buf_text(&text), text.len);
    return document_print(&json, 0);
}

static int check_options(const struct job *job, struct err *err)
{
    if (query && schema)
        return err_set(err, ERR_USAGE, "--query and --schema are two answers: ask for one");
    return command_words_at_most(job->call, 0, err);
}

static int look(struct job *job, struct err *err)
{
    AUTO_DATABASE_JOB database = DATABASE_JOB_INIT;
    AUTO_REPORT report = REPORT_INIT;
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);

    if (check_options(job, err) != 0 || job_load(job, err) != 0 ||
        job_database(job, &database, err) != 0)
        return job_failed(job, err);
    if (query)
        return run_query(job, &database.settings, err);
    if (schema)
        return print_schema(job, &database.settings, err);
    if (verify_run(&database.settings, &report, err) != 0)
        return job_failed(job, err);
    int code = report.state == STATE_CURRENT ? 0 : 1;
    job_say_findings(job);
    if (job->call->common.json) {
        struct json json = JSON_INIT(&out);
        document_begin(&json, "verify", code == 0);
        verify_write_json(&report, &json);
        return document_print(&json, code);
    }
    verify_write_text(&report, &out);
    return text_print(&out, code);
}

static int verify_command(const struct invocation *call)
{
    AUTO_JOB job = JOB_INIT(call);
    struct err err = ERR_INIT;
    int code = look(&job, &err);

    leave_vault_unused(&job);
    return code;
}

const struct command command_verify = {
    .name = "verify",
    .arguments = "",
    .summary = "what state is the database in? --query SQL looks at it, --schema prints it",
    .details =
        "Exit 0 when it is current, 1 in every other state. A connection that fails is taken\n"
        "apart: name, TCP, TLS, authentication, database, privilege, query. It needs no psql.",
    .options = verify_options,
    .run = verify_command,
};
