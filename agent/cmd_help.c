/* agent/cmd_help.c: `agent help` and `agent version`, made from the tables. */
#include "agent/cmd.h"
#include "base/str.h"
#include "rotate/rotate.h"

/* What `agent help` knows besides commands. */
static const struct topic {
    const char *name, *summary;
    void (*write)(struct buf *out);
} topics[] = {
    {"rotation", "the steps of a rotation, and what follows from what", rotate_machine_write},
};

static const struct topic *topic_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(topics); i++)
        if (str_eq(topics[i].name, name))
            return &topics[i];
    return NULL;
}

void help_write(struct buf *out)
{
    buf_adds(out, "agent: between a container's start and the application in it.\n\nCommands\n");
    for (const struct command *const *c = commands; *c; c++)
        buf_addf(out, "  %-11s %s\n", (*c)->name, (*c)->summary);
    buf_adds(out, "\nTopics\n");
    for (size_t i = 0; i < ARRAY_LEN(topics); i++)
        buf_addf(out, "  %-11s %s\n", topics[i].name, topics[i].summary);
    buf_adds(out, "\nOptions for every command\n");
    opt_help(out, common_options_table);
    buf_adds(out, "\nExit codes\n");
    static const struct {
        const char *code, *meaning;
    } exit_codes[] = {
        {"0", "done, and verified"},
        {"1", "the thing looked at is not as it should be"},
        {"2", "the call, the contract or a file that it names is wrong"},
        {"3", "a source could not be reached, is sealed or overloaded; try again"},
        {"4", "a source refused: not authenticated, denied, not there"},
        {"5", "the database could not be reached, or a lock was not had; try again"},
        {"6", "the database refused, or what makes it failed; nothing was changed"},
        {"7", "a rotation is unfinished"},
        {"9", "a defect in agent, or this machine ran out of something"},
        {"130", "SIGINT ended guard or bootstrap --adopt; what it had made is gone"},
        {"143", "SIGTERM did"},
        {"125-127", "run: agent failed, not executable, not found"},
    };
    for (size_t i = 0; i < ARRAY_LEN(exit_codes); i++)
        buf_addf(out, "  %-8s %s\n", exit_codes[i].code, exit_codes[i].meaning);
    buf_adds(out, "\n'agent help COMMAND' says more of one; 'man agent' says all.\n");
}

void help_write_command(const struct command *command, struct buf *out)
{
    buf_addf(out, "agent %s%s%s\n\n%s\n", command->name, *command->arguments ? " " : "",
             command->arguments, command->summary);
    if (command->details)
        buf_addf(out, "\n%s\n", command->details);
    if (command->options && command->options->name) {
        buf_adds(out, "\nOptions\n");
        opt_help(out, command->options);
    }
    buf_adds(out, "\nOptions for every command\n");
    opt_help(out, common_options_table);
}

static int help_run(const struct invocation *call)
{
    AUTO_BUF text = BUF_INIT(OUTPUT_MAX_BYTES);
    struct err err = ERR_INIT;

    if (command_words_at_most(call, 1, &err) != 0)
        return command_failed(call, &err);
    if (call->word_count == 0) {
        help_write(&text);
        return text_result(call, &text);
    }
    const struct topic *topic = topic_find(call->words[0]);
    if (topic) {
        topic->write(&text);
        return text_result(call, &text);
    }
    const struct command *command = command_find(call->words[0]);
    if (!command) {
        command_unknown(call->words[0], &err);
        return command_failed(call, &err);
    }
    help_write_command(command, &text);
    return text_result(call, &text);
}

static int version_run(const struct invocation *call)
{
    AUTO_BUF text = BUF_INIT(OUTPUT_MAX_BYTES);
    struct err err = ERR_INIT;

    if (command_words_at_most(call, 0, &err) != 0)
        return command_failed(call, &err);
    if (call->common.json) {
        struct json json = JSON_INIT(&text);
        document_begin(&json, "version", true);
        json_add_string(&json, "agent", AGENT_VERSION);
        return document_print(&json, 0);
    }
    buf_adds(&text, "agent " AGENT_VERSION "\n");
    return text_print(&text, 0);
}

static const struct opt no_options[] = {{0}};

const struct command command_help = {
    .name = "help",
    .arguments = "[COMMAND|TOPIC]",
    .first_words = "rotation",
    .summary = "what there is, or more of one command",
    .options = no_options,
    .run = help_run,
};

const struct command command_version = {
    .name = "version",
    .arguments = "",
    .summary = "which agent this is",
    .options = no_options,
    .run = version_run,
};
