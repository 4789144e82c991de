#include "agent/cmd.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/str.h"

const struct command *const commands[] = {
    &command_run,        &command_fetch, &command_check,   &command_bootstrap,
    &command_verify,     &command_guard, &command_graph,   &command_audit,
    &command_rotate,     &command_docs,  &command_seal,    &command_doctor,
    &command_completion, &command_help,  &command_version, NULL,
};

static struct common_options common;

const struct opt common_options_table[] = {
    {"--contract", 0, OPT_STRING, "FILE", NULL,
     "the contract, - for standard input ($AGENT_CONTRACT, else contract.json here)",
     &common.contract},
    {"--profile", 0, OPT_STRING, "NAME", NULL, "the profile to use", &common.profile},
    {"--token-file", 0, OPT_STRING, "FILE", NULL, "Vault's token, before all others",
     &common.token_file},
    {"--json", 0, OPT_FLAG, NULL, NULL, "the result as one JSON document", &common.json},
    {"--log", 0, OPT_CHOICE, "FORMAT", "text|json", "lines on stderr: text or json",
     &common.log_format},
    {"--verbose", 'v', OPT_COUNT, NULL, NULL, "say more on stderr", &common.verbose},
    {"--quiet", 'q', OPT_FLAG, NULL, NULL, "say errors only", &common.quiet},
    {"--color", 0, OPT_CHOICE, "WHEN", "auto|always|never", "colour (NO_COLOR is honoured)",
     &common.color},
    {"--timeout", 0, OPT_DURATION, "DURATION", NULL, "for the whole command: 30s, 5m",
     &common.timeout_ms},
    {"--help", 'h', OPT_FLAG, NULL, NULL, "this help", &common.help},
    {0},
};

const struct command *command_find(const char *name)
{
    for (const struct command *const *c = commands; *c; c++)
        if (str_eq((*c)->name, name))
            return *c;
    return NULL;
}

int command_unknown(const char *name, struct err *err)
{
    const char *names[ARRAY_LEN(commands)] = {0};

    for (size_t i = 0; commands[i]; i++)
        names[i] = commands[i]->name;
    err_set(err, ERR_USAGE, "there is no command '%s'", name);
    const char *nearest = str_nearest(name, names);
    if (nearest)
        return err_hint(err, "Did you mean 'agent %s'?", nearest);
    return err_hint(err, "'agent help' lists the commands.");
}

static bool wants_color(const char *when, int fd)
{
    const char *no_color = getenv("NO_COLOR");

    if (str_eq(when, "always"))
        return true;
    if (str_eq(when, "never") || (no_color && *no_color))
        return false;
    return isatty(fd) == 1 && !str_eq(getenv("TERM"), "dumb");
}

bool stdout_wants_color(const struct invocation *call)
{
    return wants_color(call->common.color, STDOUT_FILENO);
}

bool stderr_wants_color(const struct invocation *call)
{
    return wants_color(call->common.color, STDERR_FILENO);
}

static void set_up_log(const struct invocation *call)
{
    enum log_level least = call->common.quiet         ? LOG_ERROR
                           : call->common.verbose > 0 ? LOG_DEBUG
                                                      : LOG_INFO;

    log_setup(str_eq(call->common.log_format, "json") ? LOG_JSON : LOG_TEXT, least,
              stderr_wants_color(call));
}

/* Whether a call that could not be parsed asked for JSON. */
static bool asks_for_json(char **argv)
{
    for (char **word = argv; *word && !str_eq(*word, "--"); word++)
        if (str_eq(*word, "--json"))
            return true;
    return false;
}

static int parse_failed(struct invocation *call, char **argv, struct err *err)
{
    call->common.json = asks_for_json(argv);
    set_up_log(call);
    return call->command == &command_run ? run_not_started(call, err) : command_failed(call, err);
}

static int show_help(const struct invocation *call)
{
    AUTO_BUF text = BUF_INIT(OUTPUT_MAX_BYTES);

    if (call->command)
        help_write_command(call->command, &text);
    else
        help_write(&text);
    return text_result(call, &text);
}

/* The command is the first word that is no option: `agent -v run` and `agent run -v` are one. So
 * the words are parsed with the common options first, to find it, then with its own too. */
static const char *first_word(char **argv)
{
    for (char **word = argv + 1; *word && !str_eq(*word, "--"); word++) {
        if ((*word)[0] != '-' || !(*word)[1])
            return *word;
        for (const struct opt *o = common_options_table; o->name; o++)
            if (str_eq(o->name, *word) && o->kind != OPT_FLAG && o->kind != OPT_COUNT && word[1])
                word++;
    }
    return NULL;
}

/* Other programs have it as an option. */
static void hint_at_version(char **argv, struct err *err)
{
    if (!argv[1] || (!str_eq(argv[1], "--version") && !str_eq(argv[1], "-V")))
        return;
    err->hint[0] = '\0';
    (void)err_hint(err, "Did you mean 'agent version'?");
}

int command_main(char **argv)
{
    struct invocation call = {.deadline_ms = CLOCK_NEVER};
    struct opt_result parsed = {0};
    struct err err = ERR_INIT;
    const char *name = first_word(argv);

    if (!name) {
        const struct opt *const tables[] = {common_options_table, NULL};
        if (opt_parse(argv + 1, tables, &parsed, &err) != 0) {
            hint_at_version(argv, &err);
            return parse_failed(&call, argv, &err);
        }
        free(parsed.words);
        call.common = common;
        if (common.help)
            return show_help(&call);
        err_set(&err, ERR_USAGE, "a command is missing");
        err_hint(&err, "'agent help' lists the commands.");
        return parse_failed(&call, argv, &err);
    }
    call.command = command_find(name);
    if (!call.command) {
        command_unknown(name, &err);
        return parse_failed(&call, argv, &err);
    }
    const struct opt *const tables[] = {common_options_table, call.command->options, NULL};
    if (opt_parse(argv + 1, tables, &parsed, &err) != 0)
        return parse_failed(&call, argv, &err);

    call.common = common;
    call.words = parsed.words + 1; /* behind the command's name */
    call.word_count = parsed.word_count - 1;
    call.rest = parsed.rest;
    if (common.timeout_ms > 0)
        call.deadline_ms = clock_in_ms(common.timeout_ms);
    set_up_log(&call);
    int code = common.help ? show_help(&call) : call.command->run(&call);
    free(parsed.words);
    return code;
}

/* ---- results ---------------------------------------------------------------------------------- */

void document_begin(struct json *json, const char *command, bool ok)
{
    json_begin_object(json, NULL);
    json_add_string(json, "command", command);
    json_add_bool(json, "ok", ok);
    json_add_int(json, "version", 1);
}

int document_print(struct json *json, int exit_code)
{
    json_end_object(json);
    buf_addc(json->out, '\n');
    return text_print(json->out, exit_code);
}

int text_print(const struct buf *text, int exit_code)
{
    struct err err = ERR_INIT;

    if (buf_check(text, ERR_RESOURCE, "the result", &err) == 0 &&
        file_write_all(STDOUT_FILENO, "standard output", buf_text(text), text->len, &err) == 0)
        return exit_code;
    command_say_error(&err);
    return err_exit_code(err.kind);
}

int command_check_output(bool reveal, const char *hint, struct err *err)
{
    if (proc_output_was_shut())
        err_set(err, ERR_USAGE, "standard output is shut: what is written there would be lost");
    else if (!reveal && isatty(STDOUT_FILENO) == 1)
        err_set(err, ERR_USAGE, "secrets are not written to a terminal");
    else
        return 0;
    return err_hint(err, "%s", hint);
}

const char *command_output_file(const char *file)
{
    return file && str_eq(file, "-") ? NULL : file;
}

int text_result(const struct invocation *call, const struct buf *text)
{
    if (!call->common.json)
        return text_print(text, 0);
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct json json = JSON_INIT(&out);
    document_begin(&json, call->command ? call->command->name : command_help.name, true);
    json_add_string(&json, "text", buf_text(text));
    return document_print(&json, 0);
}

void command_say_error(const struct err *err)
{
    log_err(err, err_exit_code(err->kind));
}

int command_failed_with(const struct invocation *call, const struct err *err, int exit_code)
{
    log_err(err, exit_code);
    if (!call->common.json)
        return exit_code;
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct json json = JSON_INIT(&out);
    document_begin(&json, call->command ? call->command->name : NULL, false);
    json_add_error(&json, err, exit_code);
    return document_print(&json, exit_code);
}

int command_failed(const struct invocation *call, const struct err *err)
{
    return command_failed_with(call, err, err_exit_code(err->kind));
}

int command_words_at_most(const struct invocation *call, size_t most, struct err *err)
{
    if (call->word_count <= most && !call->rest)
        return 0;
    if (call->word_count > most)
        err_set(err, ERR_USAGE, "'agent %s' does not take '%s'", call->command->name,
                call->words[most]);
    else
        err_set(err, ERR_USAGE, "'agent %s' takes nothing behind '--'", call->command->name);
    return err_hint(err, "See 'agent help %s'.", call->command->name);
}
