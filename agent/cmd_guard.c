/* agent/cmd_guard.c: `agent guard`: two migration paths, one schema? */
#include "agent/cmd.h"
#include "agent/guard.h"
#include "agent/leave.h"
#include "base/file.h"
#include "base/log.h"
#include "base/stop.h"
#include "base/str.h"

static struct guard_options options;
static const char *format, *output_path;
static bool selftest;

static const struct opt guard_options_table[] = {
    {"--server", 0, OPT_STRING, "NAME", NULL,
     "the variable with the URL of a server for scratch databases", &options.server},
    {"--ephemeral", 0, OPT_FLAG, NULL, NULL, "start a throwaway server for them",
     &options.ephemeral},
    {"--ephemeral-user", 0, OPT_STRING, "USER", NULL,
     "as whom it runs when agent is root (postgres)", &options.ephemeral_user},
    {"--jobs", 0, OPT_CHOICE, "N", "1|2", "paths at the same time (2)", &options.jobs},
    {"--strict", 0, OPT_FLAG, NULL, NULL, "textual and cosmetic differences fail too",
     &options.strict},
    {"--strict-order", 0, OPT_FLAG, NULL, NULL, "compare the order of columns too",
     &options.strict_order},
    {"--stairway", 0, OPT_FLAG, NULL, NULL, "each revision up, down and up again",
     &options.stairway},
    {"--each", 0, OPT_STRING, "DIR", NULL, "record there what each revision really does",
     &options.each},
    {"--selftest", 0, OPT_FLAG, NULL, NULL, "plant differences and prove that each is found",
     &selftest},
    {"--format", 0, OPT_CHOICE, "FORMAT", "text|json|sarif|github|html", "how to say the result",
     &format},
    {"--output", 'o', OPT_STRING, "FILE", NULL, "write the result there, not to stdout",
     &output_path},
    {0},
};

enum { REPORT_MODE = 0644 };

/* The result goes to stdout or to --output; returns CODE, or that of the failure to write it. */
static int put(const struct invocation *call, const struct buf *text, int code)
{
    struct err err = ERR_INIT;

    if (!output_path)
        return text_print(text, code);
    if (buf_check(text, ERR_RESOURCE, "the result", &err) == 0 &&
        file_replace(output_path, buf_text(text), text->len, REPORT_MODE, &err) == 0)
        return code;
    return command_failed(call, &err);
}

static bool wants_json(const struct invocation *call)
{
    return call->common.json || str_eq(format, "json");
}

/* Where the report goes to a file, the log of a job says in a line why it is red. */
static void say_verdict(const struct guard_report *report)
{
    const struct differences *d = &report->differences;

    if (report->equal)
        log_line(LOG_INFO, "both paths give one schema", "report", output_path, NULL);
    else if (!report->a.ok || !report->b.ok)
        log_line(LOG_ERROR, "not proven equal: a path failed", "path",
                 report->a.ok   ? "b"
                 : report->b.ok ? "a"
                                : "a and b",
                 "report", output_path, NULL);
    else
        log_msg(LOG_ERROR,
                "not equal: %zu semantic, %zu textual, %zu cosmetic differences; see '%s'",
                d->semantic, d->textual, d->cosmetic, output_path);
}

static int show(const struct job *job, const struct graph *graph, const struct guard_report *report)
{
    const struct invocation *call = job->call;
    int code = report->equal ? 0 : err_exit_code(ERR_VIOLATION);
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);

    job_say_findings(job);
    if (wants_json(call)) {
        struct json json = JSON_INIT(&out);
        document_begin(&json, "guard", report->equal);
        guard_write_json(report, &json);
        json_end_object(&json);
        buf_addc(&out, '\n');
    } else if (str_eq(format, "sarif")) {
        guard_write_sarif(report, graph, &out);
    } else if (str_eq(format, "github")) {
        guard_write_github(report, graph, &out);
    } else if (str_eq(format, "html")) {
        guard_write_html(report, &out);
    } else {
        guard_write_text(report, !output_path && stdout_wants_color(call), &out);
    }
    if (output_path)
        say_verdict(report);
    return put(call, &out, code);
}

/* A signal ended it: 128 and its number, as shells say it. */
static int failed(const struct job *job, const struct err *err)
{
    job_say_findings(job);
    if (err->kind == ERR_STOPPED)
        return command_failed_with(job->call, err, STOP_EXIT_BASE + stop_signal());
    return command_failed(job->call, err);
}

static int test_itself(const struct job *job, const struct guard_settings *settings)
{
    AUTO_BUF text = BUF_INIT(OUTPUT_MAX_BYTES);
    struct err err = ERR_INIT;

    int result = guard_selftest(settings, &text, &err);
    if (result != 0 && err.kind != ERR_VIOLATION)
        return failed(job, &err);
    if (!wants_json(job->call)) {
        if (result != 0)
            command_say_error(&err);
        return put(job->call, &text, result == 0 ? 0 : err_exit_code(err.kind));
    }
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct json json = JSON_INIT(&out);
    document_begin(&json, "guard", result == 0);
    json_add_string(&json, "selftest", buf_text(&text));
    if (result != 0)
        json_add_error(&json, &err, err_exit_code(err.kind));
    json_end_object(&json);
    buf_addc(&out, '\n');
    return put(job->call, &out, result == 0 ? 0 : err_exit_code(err.kind));
}

static int compare(const struct job *job, const struct guard_settings *settings)
{
    AUTO_GUARD_REPORT report = GUARD_REPORT_INIT;
    struct err err = ERR_INIT;

    if (guard_run(settings, &report, &err) != 0)
        return failed(job, &err);
    return show(job, settings->database->graph, &report);
}

static int guard_command(const struct invocation *call)
{
    AUTO_JOB job = JOB_INIT(call);
    AUTO_GUARD_JOB guard = GUARD_JOB_INIT;
    struct err err = ERR_INIT;
    int code;

    output_path = command_output_file(output_path);
    if (command_words_at_most(call, 0, &err) != 0 || job_load(&job, &err) != 0 ||
        job_guard(&job, &options, &guard, &err) != 0)
        code = job_failed(&job, &err);
    else if (selftest)
        code = test_itself(&job, &guard.settings);
    else
        code = compare(&job, &guard.settings);
    leave_vault(&job); /* what was made with a lease is gone already */
    return code;
}

const struct command command_guard = {
    .name = "guard",
    .arguments = "",
    .summary = "two migration paths, one schema?",
    .details =
        "Path A is database.migrate on an empty database, path B is database.create and the\n"
        "stamp. Both are run in scratch databases, and their catalogs compared. The database\n"
        "that the contract names is not touched. Exit 1 when they differ, or a path failed.",
    .options = guard_options_table,
    .run = guard_command,
};
