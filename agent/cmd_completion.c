/* agent/cmd_completion.c: `agent completion SHELL`: made from the tables, so it can't be stale. */
#include "agent/cmd.h"
#include "base/str.h"

static void add_option_words(const struct opt *table, struct buf *out)
{
    for (const struct opt *o = table; o && o->name; o++) {
        buf_addf(out, " %s", o->name);
        if (o->letter)
            buf_addf(out, " -%c", o->letter);
    }
}

/* "a|b|c" as words. */
static void add_choices(const char *choices, struct buf *out)
{
    for (const char *c = choices; c && *c; c++)
        buf_addc(out, *c == '|' ? ' ' : *c);
}

static bool takes_value(const struct opt *o)
{
    return o->kind != OPT_FLAG && o->kind != OPT_COUNT;
}

static void add_names_with_values(const struct opt *table, struct buf *out)
{
    for (const struct opt *o = table; o && o->name; o++) {
        if (takes_value(o))
            buf_addf(out, " %s", o->name);
        if (takes_value(o) && o->letter)
            buf_addf(out, " -%c", o->letter);
    }
}

/* What may stand behind an option: its choices, or a file. */
static void bash_choices(const struct opt *table, const char *command, struct buf *out)
{
    for (const struct opt *o = table; o && o->name; o++) {
        bool is_file = o->kind == OPT_STRING && str_eq(o->argument, "FILE");
        if (o->kind != OPT_CHOICE && !is_file)
            continue;
        buf_addf(out, "        %s:%s", command, o->name);
        if (o->letter)
            buf_addf(out, "|%s:-%c", command, o->letter);
        if (is_file) {
            buf_adds(out, ") files=1 ;;\n");
            continue;
        }
        buf_adds(out, ") words='");
        add_choices(o->choices, out);
        buf_adds(out, "' ;;\n");
    }
}

static void add_command_names(struct buf *out)
{
    for (const struct command *const *c = commands; *c; c++)
        buf_addf(out, " %s", (*c)->name);
}

/* The head: find the command among the words. bash cuts --name=value into three words. */
static void bash_head(struct buf *out)
{
    buf_adds(out, "# bash completion for agent: source <(agent completion bash)\n"
                  "_agent() {\n"
                  "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
                  "    local command='' words='' files='' value='' i each\n"
                  "    local with_value='");
    for (const struct command *const *c = commands; *c; c++)
        add_names_with_values((*c)->options, out);
    add_names_with_values(common_options_table, out);
    buf_adds(out, " '\n"
                  "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                  "        each=${COMP_WORDS[i]}\n"
                  "        if [[ -n $value ]]; then\n"
                  "            [[ $each == = ]] || value=''\n"
                  "        elif [[ $each == -- ]]; then\n"
                  "            compopt -o default; COMPREPLY=(); return\n"
                  "        elif [[ $with_value == *\" $each \"* ]]; then\n"
                  "            value=1\n"
                  "        elif [[ -z $command && $each != -* ]]; then\n"
                  "            command=$each\n"
                  "        fi\n"
                  "    done\n"
                  "    [[ $word == = ]] && word=''\n"
                  "    [[ $before == = ]] && before=${COMP_WORDS[COMP_CWORD-2]}\n");
}

static void write_bash(struct buf *out)
{
    bash_head(out);
    buf_adds(out, "    case $command in\n");
    for (const struct command *const *c = commands; *c; c++) {
        buf_addf(out, "        %s) words='", (*c)->name);
        if (*c == &command_help)
            add_command_names(out);
        add_choices((*c)->first_words, out);
        add_option_words((*c)->options, out);
        add_option_words(common_options_table, out);
        buf_adds(out, "' ;;\n");
    }
    buf_adds(out, "        *) words='");
    add_command_names(out);
    add_option_words(common_options_table, out);
    buf_adds(out, "' ;;\n    esac\n"
                  "    [[ $command == graph && $word != -* ]] && files=1\n"
                  "    [[ -n $value ]] && words='' files=''\n"
                  "    [[ -n $value ]] && case $command:$before in\n");
    for (const struct command *const *c = commands; *c; c++)
        bash_choices((*c)->options, (*c)->name, out);
    bash_choices(common_options_table, "*", out);
    buf_adds(out, "    esac\n"
                  "    if [[ -n $files ]]; then\n"
                  "        compopt -o filenames 2>/dev/null\n"
                  "        mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
                  "    else\n"
                  "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
                  "    fi\n"
                  "}\n"
                  "complete -F _agent agent\n");
}

/* A help clause inside zsh's '...[clause]...': quotes, brackets and colons are its own. */
static void add_zsh_text(const char *text, struct buf *out)
{
    for (; *text; text++) {
        if (*text == '\'')
            buf_adds(out, "'\\''");
        else if (strchr("[]:\\", *text))
            buf_addf(out, "\\%c", *text);
        else
            buf_addc(out, *text);
    }
}

/* '--format=[how to write them]:FORMAT:(env json)' or '-q[say errors only]' */
static void zsh_option(const struct opt *o, const char *name, const char *joint, struct buf *out)
{
    buf_addf(out, " \\\n            '%s%s[", name, takes_value(o) ? joint : "");
    add_zsh_text(o->help, out);
    buf_addc(out, ']');
    if (o->kind == OPT_CHOICE) {
        buf_addf(out, ":%s:(", o->argument);
        add_choices(o->choices, out);
        buf_addc(out, ')');
    } else if (o->argument) {
        buf_addf(out, ":%s:%s", o->argument, str_eq(o->argument, "FILE") ? "_files" : " ");
    }
    buf_addc(out, '\'');
}

static void zsh_options(const struct opt *table, struct buf *out)
{
    for (const struct opt *o = table; o && o->name; o++) {
        const char letter[] = {'-', o->letter, '\0'};
        zsh_option(o, o->name, "=", out);
        if (o->letter)
            zsh_option(o, letter, "+", out);
    }
}

static void write_zsh(struct buf *out)
{
    buf_adds(out, "#compdef agent\n"
                  "# zsh completion for agent: agent completion zsh > \"${fpath[1]}/_agent\"\n"
                  "_agent() {\n"
                  "    local -a names\n"
                  "    names=(");
    for (const struct command *const *c = commands; *c; c++) {
        buf_addf(out, "\n        '%s:", (*c)->name);
        add_zsh_text((*c)->summary, out);
        buf_addc(out, '\'');
    }
    buf_adds(out, ")\n"
                  "    if ((CURRENT == 2)); then _describe command names; return; fi\n"
                  "    local name=$words[2]\n"
                  "    shift words; ((CURRENT--))\n"
                  "    case $name in\n");
    for (const struct command *const *c = commands; *c; c++) {
        buf_addf(out, "        %s) _arguments", (*c)->name);
        zsh_options((*c)->options, out);
        zsh_options(common_options_table, out);
        if (*c == &command_run)
            buf_adds(out, " \\\n            '*::command:_normal'");
        if (*c == &command_graph)
            buf_adds(out, " \\\n            '1:path:_files'");
        if ((*c)->first_words) {
            buf_adds(out, " \\\n            '1:word:(");
            add_choices((*c)->first_words, out);
            buf_adds(out, ")'");
        }
        if (*c == &command_help) {
            buf_adds(out, " \\\n            '1:command:(");
            add_command_names(out);
            buf_adds(out, ")'");
        }
        buf_adds(out, " ;;\n");
    }
    buf_adds(out, "    esac\n}\n_agent \"$@\"\n");
}

static void fish_options(const struct opt *table, const char *command, struct buf *out)
{
    for (const struct opt *o = table; o && o->name; o++) {
        buf_adds(out, "complete -c agent");
        if (command)
            buf_addf(out, " -n '__fish_seen_subcommand_from %s'", command);
        buf_addf(out, " -l %s", o->name + 2);
        if (o->letter)
            buf_addf(out, " -s %c", o->letter);
        if (o->argument)
            buf_adds(out, str_eq(o->argument, "FILE") ? " -r -F" : " -x");
        if (o->kind == OPT_CHOICE) {
            buf_adds(out, " -a '");
            add_choices(o->choices, out);
            buf_addc(out, '\'');
        }
        buf_adds(out, " -d ");
        str_add_shell(out, o->help, strlen(o->help));
        buf_addc(out, '\n');
    }
}

static void write_fish(struct buf *out)
{
    buf_adds(out, "# fish completion for agent: agent completion fish | source\n"
                  "complete -c agent -f\n");
    for (const struct command *const *c = commands; *c; c++) {
        buf_addf(out, "complete -c agent -n __fish_use_subcommand -a %s -d ", (*c)->name);
        str_add_shell(out, (*c)->summary, strlen((*c)->summary));
        buf_addc(out, '\n');
        fish_options((*c)->options, (*c)->name, out);
        if ((*c)->first_words) {
            buf_addf(out, "complete -c agent -n '__fish_seen_subcommand_from %s' -a '", (*c)->name);
            add_choices((*c)->first_words, out);
            buf_adds(out, "'\n");
        }
    }
    fish_options(common_options_table, NULL, out);
    buf_adds(out, "complete -c agent -n '__fish_seen_subcommand_from graph' -F\n"
                  "complete -c agent -n '__fish_seen_subcommand_from run' -a "
                  "'(__fish_complete_subcommand)'\n"
                  "complete -c agent -n '__fish_seen_subcommand_from help' -a '");
    add_command_names(out);
    buf_adds(out, "'\n");
}

static int completion_run(const struct invocation *call)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct err err = ERR_INIT;

    if (command_words_at_most(call, 1, &err) != 0)
        return command_failed(call, &err);
    const char *shell = call->word_count == 1 ? call->words[0] : "";
    if (str_eq(shell, "bash")) {
        write_bash(&out);
    } else if (str_eq(shell, "zsh")) {
        write_zsh(&out);
    } else if (str_eq(shell, "fish")) {
        write_fish(&out);
    } else {
        err_set(&err, ERR_USAGE, "say which shell: bash, zsh or fish%s%s%s",
                *shell ? ", not '" : "", shell, *shell ? "'" : "");
        return command_failed(call, &err);
    }
    return text_result(call, &out);
}

static const struct opt no_options[] = {{0}};

const struct command command_completion = {
    .name = "completion",
    .arguments = "bash|zsh|fish",
    .first_words = "bash|zsh|fish",
    .summary = "completion for a shell, to be sourced",
    .options = no_options,
    .run = completion_run,
};
