/* agent/cmd_fetch.c: `agent fetch`: variables from their sources, written out. */
#include <unistd.h>

#include "agent/cmd.h"
#include "agent/explain.h"
#include "agent/github.h"
#include "agent/inline.h"
#include "agent/leave.h"
#include "agent/stale.h"
#include "agent/writing.h"
#include "base/file.h"
#include "base/str.h"

enum { FETCH_FILE_MODE = 0600 };

static const char *fetch_format, *output_file, *object_name, *name_space, *key_file;
static bool reveal, explain;

static const struct opt fetch_options[] = {
    {"--format", 0, OPT_CHOICE, "FORMAT", VALUE_FORMATS, "how to write them (env)", &fetch_format},
    {"--output", 'o', OPT_STRING, "FILE", NULL, "write to FILE, mode 0600, in one step (-: stdout)",
     &output_file},
    {"--reveal", 0, OPT_FLAG, NULL, NULL, "secrets may go to a terminal", &reveal},
    {"--name", 0, OPT_STRING, "NAME", NULL, "kubernetes: the Secret's name (the project's)",
     &object_name},
    {"--namespace", 0, OPT_STRING, "NAME", NULL, "kubernetes: the Secret's namespace", &name_space},
    {"--explain", 0, OPT_FLAG, NULL, NULL, "show where each value came from, and no value",
     &explain},
    {"--fingerprint-key-file", 0, OPT_STRING, "FILE", NULL,
     "key of --explain's fingerprints ($AGENT_FINGERPRINT_KEY_FILE)", &key_file},
    {0},
};

static enum value_format format_of(const struct invocation *call)
{
    return call->common.json ? FORMAT_JSON : value_format_of(fetch_format);
}

/* ---- the call ------------------------------------------------------------------------------- */

static int refuse(struct err *err, const char *hint, const char *text)
{
    err_set(err, ERR_USAGE, "%s", text);
    return hint ? err_hint(err, "%s", hint) : -1;
}

static int check_explain(struct err *err)
{
    if (fetch_format)
        return refuse(err, "Without it, or with --json.", "--explain has no --format");
    return 0;
}

static int check_format(const struct invocation *call, struct err *err)
{
    enum value_format format = format_of(call);

    if (call->common.json && fetch_format && !str_eq(fetch_format, "json"))
        return refuse(err, NULL, "--json and another --format exclude each other");
    if (format == FORMAT_GITHUB && output_file)
        return refuse(err, "Without -o; the file is the one that the runner names.",
                      "-o does not go with --format github: the runner reads the file of "
                      "$GITHUB_ENV alone, and the masks on standard output");
    if (format != FORMAT_KUBERNETES && (object_name || name_space))
        return refuse(err, NULL, "--name and --namespace belong to --format kubernetes");
    if (key_file)
        return refuse(err, NULL, "--fingerprint-key-file belongs to --explain");
    return 0;
}

static int check_call(const struct invocation *call, struct err *err)
{
    if (call->rest)
        return refuse(err, NULL, "'agent fetch' takes nothing behind '--'");
    if (explain)
        return check_explain(err);
    if (check_format(call, err) != 0)
        return -1;
    if (output_file)
        return 0;
    return command_check_output(reveal, "Say --reveal, or -o FILE, or send the output on.", err);
}

/* ---- writing -------------------------------------------------------------------------------- */

static int write_values(struct job *job, struct value_writer *writer, struct err *err)
{
    const struct contract *contract = job->contract;
    const struct writing writing = {job->call, writer, &job->findings};

    if (!writer->object)
        writer->object = contract->project;
    if (values_begin(writer, err) != 0)
        return -1;
    for (size_t i = 0; i < contract->variable_count; i++) {
        const struct contract_variable *variable = &contract->variables[i];
        const struct contract_value *value = &job->values[i];
        if (value->resolved && secret_is_set(&value->bytes) &&
            writing_add(&writing, variable->name, &variable->position, &value->bytes,
                        variable->secret, err) != 0)
            return -1;
    }
    return writing_end(&writing, err);
}

static int fetch_by_contract(struct job *job, struct value_writer *writer, struct err *err)
{
    const char *const *names = job->call->word_count > 0 ? job->call->words : NULL;

    if (job_load(job, err) != 0)
        return -1;
    if (job_resolve(job, names, err) != 0)
        return job_check_besides(job, err);
    return job_check(job, err) == 0 ? write_values(job, writer, err) : -1;
}

static int fetch_inline(struct job *job, struct value_writer *writer, struct err *err)
{
    AUTO_INLINE_VALUES values = INLINE_VALUES_INIT;
    const char *const *names = job->call->word_count > 0 ? job->call->words : NULL;
    const struct writing writing = {job->call, writer, &job->findings};

    if (inline_allowed(job->call, NULL, err) != 0 || inline_resolve(job, names, &values, err) != 0)
        return -1;
    if (values.count == 0)
        return inline_nothing(job->call, err);
    if (values_begin(writer, err) != 0)
        return -1;
    for (size_t i = 0; i < values.count; i++) {
        const struct source_request *request = &values.requests[i];
        if (writing_add(&writing, request->variable, NULL, &request->value,
                        request->ref.kind != REF_ENV, err) != 0)
            return -1;
    }
    return writing_end(&writing, err);
}

/* What the format needs is looked at before anything is asked for. */
static int fetch(struct job *job, struct value_writer *writer, struct err *err)
{
    if (writer->format == FORMAT_GITHUB && github_env_check(err) != 0)
        return -1;
    return job_has_contract(job->call) ? fetch_by_contract(job, writer, err)
                                       : fetch_inline(job, writer, err);
}

static int put(const struct value_writer *writer, struct err *err)
{
    const char *text = buf_text(writer->out);

    if (writer->format == FORMAT_GITHUB)
        return github_env_append(writer->masks, writer->out, err);
    if (output_file)
        return file_replace(output_file, text, writer->out->len, FETCH_FILE_MODE, err);
    return file_write_all(STDOUT_FILENO, "standard output", text, writer->out->len, err);
}

static int fetch_command(const struct invocation *call)
{
    AUTO_JOB job = JOB_INIT(call);
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    AUTO_BUF masks = BUF_INIT(OUTPUT_MAX_BYTES);
    struct value_writer writer = {.format = format_of(call),
                                  .out = &out,
                                  .masks = &masks,
                                  .object = object_name,
                                  .name_space = name_space};
    struct err err = ERR_INIT;

    output_file = command_output_file(output_file);
    if (check_call(call, &err) != 0)
        return command_failed(call, &err);
    if (explain)
        return explain_values(call, key_file, output_file);
    if (fetch(&job, &writer, &err) != 0 || put(&writer, &err) != 0) {
        leave_vault_unused(&job);
        return job_failed(&job, &err);
    }
    job_say_findings(&job);
    stale_refresh(&job, true);
    leave_vault(&job);
    return 0;
}

const struct command command_fetch = {
    .name = "fetch",
    .arguments = "[NAME...]",
    .summary = "resolve variables from their sources and write them out",
    .details =
        "Without names, every variable that the application gets; one that only agent uses is\n"
        "fetched when it is named. Values are checked first: nothing is written on a problem.\n"
        "Without a contract, values of the environment that are references (vault:PATH#FIELD,\n"
        "file:PATH) are resolved, or those that are named. The format github appends to the\n"
        "file of $GITHUB_ENV and prints the commands that mask each secret.",
    .options = fetch_options,
    .run = fetch_command,
};
