/* agent/cmd_seal.c: `agent seal`: the sealed store. */
#include <limits.h>
#include <unistd.h>

#include "agent/job.h"
#include "agent/seal.h"
#include "base/file.h"
#include "base/str.h"

/* ---- options --------------------------------------------------------------------------------- */

static struct seal_options o;

static const struct opt seal_options[] = {
    {"--label", 0, OPT_STRING, "LABEL", NULL,
     "init, rekey --add: the recipient's name in the store", &o.label},
    {"--key-only", 0, OPT_FLAG, NULL, NULL, "init: make the key file alone, print its public key",
     &o.key_only},
    {"--add", 0, OPT_STRING, "KEY", NULL,
     "rekey: a public key that can open it too, or the word passphrase", &o.add},
    {"--remove", 0, OPT_STRING, "LABEL", NULL, "rekey: who can't open it any more", &o.remove},
    {"--passphrase", 0, OPT_FLAG, NULL, NULL,
     "open with a passphrase, asked for at the terminal; init: seal for one", &o.passphrase},
    {"--passphrase-file", 0, OPT_STRING, "FILE", NULL, "the same, from FILE", &o.passphrase_file},
    {"--passphrase-fd", 0, OPT_STRING, "N", NULL, "the same, from the descriptor N",
     &o.passphrase_fd},
    {"--new-passphrase-file", 0, OPT_STRING, "FILE", NULL,
     "rekey --add passphrase: from FILE, not the terminal", &o.new_passphrase_file},
    {"--file", 0, OPT_STRING, "FILE", NULL, "set: the value is FILE's content, not what stdin has",
     &o.value_file},
    {"--keep-newline", 0, OPT_FLAG, NULL, NULL, "set: keep one newline at the value's end",
     &o.keep_newline},
    {"--anew", 0, OPT_FLAG, NULL, NULL, "set: seal again what is the same already", &o.anew},
    {"--force", 0, OPT_FLAG, NULL, NULL,
     "set: though the contract refuses it; rekey: though we can't open it then", &o.force},
    {"--format", 0, OPT_CHOICE, "FORMAT", VALUE_FORMATS, "export: how to write them (env)",
     &o.format},
    {"--output", 'o', OPT_STRING, "FILE", NULL, "export: write to FILE, mode 0600, in one step",
     &o.output},
    {"--name", 0, OPT_STRING, "NAME", NULL, "export: the name of kubernetes' Secret",
     &o.object_name},
    {"--namespace", 0, OPT_STRING, "NAME", NULL, "export: its namespace", &o.name_space},
    {"--reveal", 0, OPT_FLAG, NULL, NULL, "get, export: secrets may go to a terminal", &o.reveal},
    {0},
};

/* ---- operations ------------------------------------------------------------------------------ */

enum { ANY_NUMBER = 1000 };

static const struct operation {
    const char *name, *arguments;
    const char *options[12]; /* that it takes, NULL-terminated */
    size_t least_words, most_words;
    int (*run)(struct seal *s, struct err *err);
} operations[] = {
    {"init",
     "",
     {"--label", "--key-only", "--passphrase", "--passphrase-file", "--passphrase-fd"},
     0,
     0,
     seal_init},
    {"set",
     "NAME",
     {"--file", "--keep-newline", "--anew", "--force", "--passphrase", "--passphrase-file",
      "--passphrase-fd"},
     1,
     1,
     seal_set},
    {"get",
     "NAME",
     {"--reveal", "--passphrase", "--passphrase-file", "--passphrase-fd"},
     1,
     1,
     seal_get},
    {"list", "", {NULL}, 0, 0, seal_list},
    {"rm", "NAME...", {NULL}, 1, ANY_NUMBER, seal_rm},
    {"rekey",
     "",
     {"--add", "--label", "--remove", "--force", "--new-passphrase-file", "--passphrase",
      "--passphrase-file", "--passphrase-fd"},
     0,
     0,
     seal_rekey},
    {"export",
     "",
     {"--format", "--output", "--name", "--namespace", "--reveal", "--passphrase",
      "--passphrase-file", "--passphrase-fd"},
     0,
     0,
     seal_export},
};

static int unknown_operation(const char *name, struct err *err)
{
    const char *names[ARRAY_LEN(operations) + 1] = {NULL};

    for (size_t i = 0; i < ARRAY_LEN(operations); i++)
        names[i] = operations[i].name;
    err_set(err, ERR_USAGE, "'agent seal' has no operation '%s'", name);
    const char *nearest = str_nearest(name, names);
    return nearest ? err_hint(err, "Did you mean 'agent seal %s'?", nearest)
                   : err_hint(err, "It has init, set, get, list, rm, rekey and export.");
}

static int find_operation(const struct invocation *call, const struct operation **out,
                          struct err *err)
{
    if (call->word_count == 0) {
        err_set(err, ERR_USAGE, "'agent seal' needs an operation");
        return err_hint(err, "It has init, set, get, list, rm, rekey and export.");
    }
    for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
        if (str_eq(operations[i].name, call->words[0])) {
            *out = &operations[i];
            return 0;
        }
    }
    return unknown_operation(call->words[0], err);
}

static bool is_given(const struct opt *option)
{
    return option->kind == OPT_FLAG ? *(const bool *)option->target
                                    : *(const char *const *)option->target != NULL;
}

static bool takes(const struct operation *operation, const char *option)
{
    for (size_t i = 0; i < ARRAY_LEN(operation->options) && operation->options[i]; i++)
        if (str_eq(operation->options[i], option))
            return true;
    return false;
}

/* Words are never shown: somebody may have put a value there. */
static int check_call(const struct invocation *call, const struct operation *operation,
                      struct err *err)
{
    size_t words = call->word_count - 1;

    for (const struct opt *option = seal_options; option->name; option++)
        if (is_given(option) && !takes(operation, option->name))
            return err_set(err, ERR_USAGE, "'agent seal %s' does not take %s", operation->name,
                           option->name);
    if ((o.passphrase ? 1 : 0) + (o.passphrase_file ? 1 : 0) + (o.passphrase_fd ? 1 : 0) > 1)
        return err_set(err, ERR_USAGE,
                       "--passphrase, --passphrase-file and --passphrase-fd exclude "
                       "each other");
    if (!call->rest && words >= operation->least_words && words <= operation->most_words)
        return 0;
    err_set(err, ERR_USAGE, "'agent seal %s' has too %s words", operation->name,
            words < operation->least_words ? "few" : "many");
    if (str_eq(operation->name, "set") && words > 1)
        return err_hint(err, "A value is never an argument, where others can see it (and this one "
                             "was): it comes from standard input, or --file.");
    return err_hint(err, "The call is: agent seal %s %s", operation->name, operation->arguments);
}

/* ---- what they share ------------------------------------------------------------------------- */

void seal_release(struct seal *s)
{
    sealed_free(s->store);
    if (s->lock >= 0)
        (void)close(s->lock); /* gives the lock up; nothing was written through it */
    free(s->path);
}

size_t seal_word_count(const struct seal *s)
{
    return s->call->word_count - 1;
}

const char *seal_word(const struct seal *s, size_t index)
{
    return s->call->words[index + 1];
}

/* The store is beside the contract, which need not be there, nor be right. */
static int find_store(struct seal *s, struct err *err)
{
    AUTO_FREE char *folder = file_input_folder(job_contract_path(s->call));

    return folder ? sealed_path(folder, &s->path, err) : err_nomem(err);
}

static int read_access(struct seal *s, struct err *err)
{
    int64_t fd;

    s->access = (struct sealed_access){.passphrase_file = o.passphrase_file,
                                       .ask_passphrase = o.passphrase,
                                       .deadline_ms = s->call->deadline_ms};
    if (!o.passphrase_fd)
        return 0;
    if (str_to_int64(o.passphrase_fd, strlen(o.passphrase_fd), &fd) != 0 || fd < 0 || fd > INT_MAX)
        return err_set(err, ERR_USAGE, "--passphrase-fd takes the number of a descriptor");
    (void)snprintf(s->passphrase_path, sizeof s->passphrase_path, "/dev/fd/%d", (int)fd);
    s->access.passphrase_file = s->passphrase_path;
    return 0;
}

int seal_open(struct seal *s, bool change, struct err *err)
{
    if (change && sealed_lock(s->path, s->call->deadline_ms, &s->lock, err) != 0)
        return -1;
    if (sealed_load(s->path, &s->store, err) != 0)
        return -1;
    return sealed_unlock(s->store, &s->access, err);
}

int seal_check_terminal(const struct seal *s, struct err *err)
{
    if (s->options->output)
        return 0;
    return command_check_output(s->options->reveal, "Say --reveal, or send the output on.", err);
}

static int seal_command(const struct invocation *call)
{
    AUTO_SEAL s = {.call = call, .options = &o, .lock = -1};
    const struct operation *operation = NULL;
    struct err err = ERR_INIT;

    if (find_operation(call, &operation, &err) != 0 || check_call(call, operation, &err) != 0 ||
        find_store(&s, &err) != 0 || read_access(&s, &err) != 0)
        return command_failed(call, &err);
    o.output = command_output_file(o.output);
    int code = operation->run(&s, &err);
    return code >= 0 ? code : command_failed(call, &err);
}

const struct command command_seal = {
    .name = "seal",
    .first_words = "init|set|get|list|rm|rekey|export",
    .arguments = "init | set NAME | get NAME | list | rm NAME... | rekey | export",
    .summary = "the sealed store: secrets in a file that can be committed",
    .details =
        "sealed.json beside the contract (or $AGENT_SEALED) has each value sealed by itself;\n"
        "names are in the clear. The key is a file outside of the repository\n"
        "($AGENT_SEALED_KEY_FILE, else agent/sealed.key under ~/.config), or a passphrase.\n"
        "Values come from standard input and are used as the source sealed:NAME.\n"
        "Other keys are let in with 'agent seal rekey --add PUBLICKEY --label NAME'.",
    .options = seal_options,
    .run = seal_command,
};
