/* agent/cmd_fetch.c: `agent fetch`: variables from their sources, written out. */
#include <unistd.h>

#include "agent/cmd.h"
#include "agent/job.h"
#include "agent/leave.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

enum { FETCH_FILE_MODE = 0600 };

static const char *fetch_format, *output_file;
static bool reveal;

static const struct opt fetch_options[] = {
    {"--format", 0, OPT_CHOICE, "FORMAT", "env|json|dotenv|shell", "how to write them (env)",
     &fetch_format},
    {"--output", 'o', OPT_STRING, "FILE", NULL, "write to FILE, mode 0600, in one step",
     &output_file},
    {"--reveal", 0, OPT_FLAG, NULL, NULL, "secrets may go to a terminal", &reveal},
    {0},
};

static int check_call(const struct invocation *call, struct err *err)
{
    if (call->rest)
        return err_set(err, ERR_USAGE, "'agent fetch' takes nothing behind '--'");
    if (output_file || reveal || isatty(STDOUT_FILENO) != 1)
        return 0;
    err_set(err, ERR_USAGE, "secrets are not written to a terminal");
    return err_hint(err, "Say --reveal, or -o FILE, or send the output on.");
}

static int names_of(const struct invocation *call, const char ***out, struct err *err)
{
    const char **names = mem_new(call->word_count + 1, sizeof(*names));

    if (!names)
        return err_nomem(err);
    for (size_t i = 0; i < call->word_count; i++)
        names[i] = call->words[i];
    *out = names;
    return 0;
}

static enum value_format format_of(const struct invocation *call)
{
    if (call->common.json || str_eq(fetch_format, "json"))
        return FORMAT_JSON;
    if (str_eq(fetch_format, "dotenv"))
        return FORMAT_DOTENV;
    if (str_eq(fetch_format, "shell"))
        return FORMAT_SHELL;
    return FORMAT_ENV;
}

static int write_values(const struct job *job, enum value_format format, struct buf *out,
                        struct err *err)
{
    bool first = true;

    if (format == FORMAT_JSON)
        buf_addc(out, '{');
    for (size_t i = 0; i < job->contract->variable_count; i++) {
        const struct contract_value *value = &job->values[i];
        if (!value->resolved || !secret_is_set(&value->bytes))
            continue;
        if (value_write(format, job->contract->variables[i].name, &value->bytes, first, out, err) !=
            0)
            return -1;
        first = false;
    }
    if (format == FORMAT_JSON)
        buf_adds(out, "}\n");
    return buf_check(out, ERR_RESOURCE, "what was fetched", err);
}

static int fetch(struct job *job, struct buf *out, struct err *err)
{
    AUTO_FREE const char **names = NULL;

    if (job_load(job, err) != 0 || names_of(job->call, &names, err) != 0)
        return -1;
    if (job_resolve(job, job->call->word_count > 0 ? names : NULL, err) != 0 ||
        job_check(job, err) != 0 || write_values(job, format_of(job->call), out, err) != 0)
        return -1;
    if (output_file)
        return file_replace(output_file, buf_text(out), out->len, FETCH_FILE_MODE, err);
    return 0;
}

static int fetch_command(const struct invocation *call)
{
    AUTO_JOB job = JOB_INIT(call);
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct err err = ERR_INIT;

    if (check_call(call, &err) != 0 || fetch(&job, &out, &err) != 0) {
        leave_vault_unused(&job);
        return job_failed(&job, &err);
    }
    job_say_findings(&job);
    leave_vault(&job);
    return output_file ? 0 : text_print(&out, 0);
}

const struct command command_fetch = {
    .name = "fetch",
    .arguments = "[NAME...]",
    .summary = "resolve variables from their sources and write them out",
    .details =
        "Without names, every variable that the application gets; one that only agent uses is\n"
        "fetched when it is named. Values are checked first: nothing is written on a problem.",
    .options = fetch_options,
    .run = fetch_command,
};
