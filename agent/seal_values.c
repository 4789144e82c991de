/* agent/seal_values.c: `agent seal set`, `get`, `rm`, `export`: what is in the sealed store. */
#include <unistd.h>

#include "agent/github.h"
#include "agent/job.h"
#include "agent/seal.h"
#include "agent/writing.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "base/terminal.h"

enum { EXPORT_FILE_MODE = 0600 };

/* ---- set ------------------------------------------------------------------------------------- */

static int ask_value(const struct seal *s, const char *name, struct secret *out, struct err *err)
{
    AUTO_BUF what = BUF_INIT(SEALED_NAME_BYTES + 32);

    buf_addf(&what, "the value of %s", name);
    if (buf_check(&what, ERR_USAGE, "the name", err) != 0)
        return -1;
    return terminal_ask(buf_text(&what), true, s->call->deadline_ms, out, err);
}

static int read_value(const struct seal *s, const char *name, struct secret *out, struct err *err)
{
    const char *file = s->options->value_file;
    AUTO_BUF text = BUF_INIT(SEALED_VALUE_MAX_BYTES + 1); /* the newline that goes */

    if (!file && isatty(STDIN_FILENO) == 1)
        return ask_value(s, name, out, err);
    if (file ? file_read_all(file, &text, err) != 0
             : file_read_fd(STDIN_FILENO, "standard input", &text, err) != 0)
        return -1;
    size_t length = text.len;
    if (!s->options->keep_newline && length > 0 && text.data[length - 1] == '\n')
        length--;
    return secret_set(out, buf_text(&text), length, err);
}

/* VALUE as the contract's variable INDEX: what it would be at a start. */
static int check_variable(struct job *job, size_t index, const struct secret *value,
                          struct err *err)
{
    job->values[index] = (struct contract_value){
        .bytes = secret_borrow(secret_reveal(value), secret_length(value)),
        .origin = VALUE_SOURCE,
        .resolved = true};
    job->has_unchecked = true;
    return job_check(job, err);
}

/* Whether the contract, where there is one that declares NAME, takes the value. Findings are
 * said. */
static int check_by_contract(const struct seal *s, const char *name, const struct secret *value,
                             struct err *err)
{
    AUTO_JOB job = JOB_INIT(s->call);

    if (s->options->force || !job_has_contract(s->call))
        return 0;
    int result = job_load(&job, err);
    if (result == 0) {
        const struct contract_variable *variable = contract_find(job.contract, name);
        if (!variable)
            return 0;
        result = check_variable(&job, (size_t)(variable - job.contract->variables), value, err);
    }
    job_say_findings(&job);
    return result == 0 ? 0 : err_hint(err, "Nothing was changed. --force sets it all the same.");
}

static int show_set(const struct seal *s, const char *name, bool changed)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct json json = JSON_INIT(&out);

    log_line(LOG_INFO, changed ? "sealed" : "it has this value already", "name", name, "store",
             s->path, NULL);
    if (!s->call->common.json)
        return 0;
    document_begin(&json, "seal", true);
    json_add_string(&json, "store", s->path);
    json_add_string(&json, "name", name);
    json_add_bool(&json, "changed", changed);
    return document_print(&json, 0);
}

int seal_set(struct seal *s, struct err *err)
{
    const char *name = seal_word(s, 0);
    AUTO_SECRET value = SECRET_INIT;
    bool changed = false;

    if (sealed_check_name(name, err) != 0 || read_value(s, name, &value, err) != 0 ||
        check_by_contract(s, name, &value, err) != 0 || seal_open(s, true, err) != 0 ||
        sealed_set(s->store, name, &value, s->options->anew, &changed, err) != 0)
        return -1;
    if (changed && sealed_save(s->store, err) != 0)
        return -1;
    return show_set(s, name, changed);
}

/* ---- get ------------------------------------------------------------------------------------- */

static int refuse_in_json(const char *name, const struct secret *value, struct err *err)
{
    const char *bytes = secret_reveal(value);
    size_t length = secret_length(value);

    for (size_t at = 0; at < length;) {
        size_t step = str_utf8(bytes + at, length - at);
        if (step == 0) {
            err_set(err, ERR_VIOLATION, "the value of '%s' is not UTF-8: JSON can't carry it",
                    name);
            return err_hint(err, "Without --json it is written as it is.");
        }
        at += step;
    }
    return 0;
}

static int show_value(const struct seal *s, const char *name, const struct secret *value,
                      struct err *err)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct json json = JSON_INIT(&out);

    if (s->call->common.json) {
        if (refuse_in_json(name, value, err) != 0)
            return -1;
        document_begin(&json, "seal", true);
        json_add_string(&json, "name", name);
        json_add_string_n(&json, "value", secret_reveal(value), secret_length(value));
        return document_print(&json, 0);
    }
    buf_add(&out, secret_reveal(value), secret_length(value));
    if (isatty(STDOUT_FILENO) == 1)
        buf_addc(&out, '\n');
    return text_print(&out, 0);
}

int seal_get(struct seal *s, struct err *err)
{
    const char *name = seal_word(s, 0);
    AUTO_SECRET value = SECRET_INIT;

    if (sealed_check_name(name, err) != 0 || seal_check_terminal(s, err) != 0 ||
        seal_open(s, false, err) != 0 || sealed_get(s->store, name, &value, err) != 0)
        return -1;
    return show_value(s, name, &value, err);
}

/* ---- rm -------------------------------------------------------------------------------------- */

static int show_removed(const struct seal *s)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct json json = JSON_INIT(&out);

    if (!s->call->common.json)
        return 0;
    document_begin(&json, "seal", true);
    json_add_string(&json, "store", s->path);
    json_begin_array(&json, "removed");
    for (size_t i = 0; i < seal_word_count(s); i++)
        json_add_string(&json, NULL, seal_word(s, i));
    json_end_array(&json);
    return document_print(&json, 0);
}

/* Needs no key: whoever can write the file can take a line out. */
int seal_rm(struct seal *s, struct err *err)
{
    for (size_t i = 0; i < seal_word_count(s); i++)
        if (!sealed_is_record(seal_word(s, i)) && sealed_check_name(seal_word(s, i), err) != 0)
            return -1;
    if (sealed_lock(s->path, s->call->deadline_ms, &s->lock, err) != 0 ||
        sealed_load(s->path, &s->store, err) != 0)
        return -1;
    for (size_t i = 0; i < seal_word_count(s); i++)
        if (sealed_remove(s->store, seal_word(s, i), err) != 0)
            return -1;
    return sealed_save(s->store, err) != 0 ? -1 : show_removed(s);
}

/* ---- export ---------------------------------------------------------------------------------- */

static int write_all(const struct seal *s, struct value_writer *writer, struct err *err)
{
    AUTO_FINDINGS findings = FINDINGS_INIT;
    const struct writing writing = {s->call, writer, &findings};

    if (values_begin(writer, err) != 0)
        return -1;
    for (size_t i = 0; i < sealed_count(s->store); i++) {
        AUTO_SECRET value = SECRET_INIT;
        const char *name = sealed_name(s->store, i);
        if (sealed_is_record(name))
            continue;
        if (sealed_get(s->store, name, &value, err) != 0 ||
            writing_add(&writing, name, NULL, &value, true, err) != 0)
            return -1;
    }
    int result = writing_end(&writing, err);
    problems_say(s->call, &findings);
    return result;
}

static int check_export(const struct seal *s, enum value_format format, struct err *err)
{
    const struct seal_options *o = s->options;

    if (s->call->common.json && o->format && format != FORMAT_JSON)
        return err_set(err, ERR_USAGE, "--json and another --format exclude each other");
    if (format != FORMAT_KUBERNETES && (o->object_name || o->name_space))
        return err_set(err, ERR_USAGE, "--name and --namespace belong to --format kubernetes");
    if (format != FORMAT_GITHUB)
        return seal_check_terminal(s, err);
    if (o->output)
        return err_set(err, ERR_USAGE,
                       "-o does not go with --format github: the runner reads the "
                       "file of $GITHUB_ENV alone");
    return github_env_check(err) != 0 ? -1 : seal_check_terminal(s, err);
}

int seal_export(struct seal *s, struct err *err)
{
    const struct seal_options *o = s->options;
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES), masks = BUF_INIT(OUTPUT_MAX_BYTES);
    struct value_writer writer = {
        .format = s->call->common.json && !o->format ? FORMAT_JSON : value_format_of(o->format),
        .out = &out,
        .masks = &masks,
        .object = o->object_name,
        .name_space = o->name_space};

    if (check_export(s, writer.format, err) != 0 || seal_open(s, false, err) != 0 ||
        write_all(s, &writer, err) != 0)
        return -1;
    if (writer.format == FORMAT_GITHUB)
        return github_env_append(&masks, &out, err);
    if (o->output)
        return file_replace(o->output, buf_text(&out), out.len, EXPORT_FILE_MODE, err);
    return text_print(&out, 0);
}
