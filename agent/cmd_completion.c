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

/* What of the file system an option's value names. */
enum names_path { NO_PATH, A_FILE, A_FOLDER };

static enum names_path names_path(const struct opt *o)
{
    if (!o->argument)
        return NO_PATH;
    if (str_eq(o->argument, "DIR"))
        return A_FOLDER;
    return str_eq(o->argument, "FILE") || str_eq(o->argument, "PATH") ? A_FILE : NO_PATH;
}

/* What may stand behind an option: its choices, or a file or folder (the letter is compgen's). */
static void bash_choices(const struct opt *table, const char *command, struct buf *out)
{
    for (const struct opt *o = table; o && o->name; o++) {
        enum names_path path = names_path(o);
        if (o->kind != OPT_CHOICE && path == NO_PATH)
            continue;
        buf_addf(out, "        %s:%s", command, o->name);
        if (o->letter)
            buf_addf(out, "|%s:-%c", command, o->letter);
        if (path != NO_PATH) {
            buf_addf(out, ") files=%c ;;\n", path == A_FOLDER ? 'd' : 'f');
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

/* What the first word behind the command may be, each with a blank before it. */
static void add_first_words(const struct command *command, struct buf *out)
{
    if (command->first_words)
        buf_addc(out, ' ');
    add_choices(command->first_words, out);
    if (command == &command_help)
        add_command_names(out);
}

static bool has_first_words(const struct command *command)
{
    return command->first_words || command == &command_help;
}

/* Every option that takes a value: what stands behind one is no command. */
static void add_all_with_values(struct buf *out)
{
    for (const struct command *const *c = commands; *c; c++)
        add_names_with_values((*c)->options, out);
    add_names_with_values(common_options_table, out);
}

/* The head: find the command among the words. bash cuts --name=value into three words. */
static void bash_head(struct buf *out)
{
    buf_adds(out, "# bash completion for agent: source <(agent completion bash)\n"
                  "_agent() {\n"
                  "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
                  "    local command='' words='' files='' value='' i each\n"
                  "    local with_value='");
    add_all_with_values(out);
    buf_adds(out,
             " '\n"
             "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
             "        each=${COMP_WORDS[i]}\n"
             "        if [[ -n $value ]]; then\n"
             "            [[ $each == = ]] || value=''\n"
             "        elif [[ $each == -- ]]; then\n"
             "            compopt -o default; COMPREPLY=()\n"
             "            ((i == COMP_CWORD - 1)) && [[ $command == run && $word != */* ]] &&\n"
             "                mapfile -t COMPREPLY < <(compgen -c -- \"$word\")\n"
             "            return\n"
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
        add_first_words(*c, out);
        add_option_words((*c)->options, out);
        add_option_words(common_options_table, out);
        buf_adds(out, "' ;;\n");
    }
    buf_adds(out, "        *) words='");
    add_command_names(out);
    add_option_words(common_options_table, out);
    buf_adds(out, "' ;;\n    esac\n"
                  "    [[ $command == graph && $word != -* ]] && files=f\n"
                  "    [[ -n $value ]] && words='' files=''\n"
                  "    [[ -n $value ]] && case $command:$before in\n");
    for (const struct command *const *c = commands; *c; c++)
        bash_choices((*c)->options, (*c)->name, out);
    bash_choices(common_options_table, "*", out);
    buf_adds(out, "    esac\n"
                  "    if [[ -n $files ]]; then\n"
                  "        compopt -o filenames 2>/dev/null\n"
                  "        mapfile -t COMPREPLY < <(compgen -\"$files\" -- \"$word\")\n"
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
        static const char *const actions[] = {[NO_PATH] = " ", "_files", "_files -/"};
        buf_addf(out, ":%s:%s", o->argument, actions[names_path(o)]);
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

/* What stands behind one command. Its own words are those from the command on. */
static void zsh_command(const struct command *command, struct buf *out)
{
    buf_addf(out, "        %s) _arguments -S", command->name);
    zsh_options(command->options, out);
    zsh_options(common_options_table, out);
    if (command == &command_run)
        buf_adds(out, " \\\n            '*::command:_normal'");
    if (command == &command_graph)
        buf_adds(out, " \\\n            '1:path:_files'");
    if (has_first_words(command)) {
        buf_adds(out, " \\\n            '1:word:(");
        add_first_words(command, out);
        buf_adds(out, ")'");
    }
    buf_adds(out, " ;;\n");
}

/* Options may stand before the command. In a file of $fpath this is the function itself. */
static void write_zsh(struct buf *out)
{
    buf_adds(out, "#compdef agent\n"
                  "# zsh completion for agent: source <(agent completion zsh) behind compinit, or\n"
                  "# agent completion zsh > \"${fpath[1]}/_agent\"\n"
                  "_agent() {\n"
                  "    local curcontext=$curcontext state line ret=1\n"
                  "    local -a names\n"
                  "    names=(");
    for (const struct command *const *c = commands; *c; c++) {
        buf_addf(out, "\n        '%s:", (*c)->name);
        add_zsh_text((*c)->summary, out);
        buf_addc(out, '\'');
    }
    buf_adds(out, ")\n    _arguments -C");
    zsh_options(common_options_table, out);
    buf_adds(out, " \\\n            '(-): :->command' '(-)*:: :->behind' && ret=0\n"
                  "    if [[ $state == command ]]; then _describe command names && ret=0; fi\n"
                  "    if [[ $state != behind ]]; then return ret; fi\n"
                  "    case $words[1] in\n");
    for (const struct command *const *c = commands; *c; c++)
        zsh_command(*c, out);
    buf_adds(out,
             "    esac\n"
             "}\n"
             "if [[ $funcstack[1] == _agent ]]; then _agent \"$@\"; else compdef _agent agent; "
             "fi\n");
}

/* The functions by which fish knows what stands in the line already. */
static void fish_head(struct buf *out)
{
    buf_adds(out, "# fish completion for agent: agent completion fish | source\n"
                  "function __agent_command\n"
                  "    set -l words (commandline -opc)\n"
                  "    set -l value\n"
                  "    set -e words[1]\n"
                  "    for each in $words\n"
                  "        if test -n \"$value\"\n"
                  "            set value\n"
                  "        else if test \"$each\" = --\n"
                  "            return 1\n"
                  "        else if contains -- \"$each\"");
    add_all_with_values(out);
    buf_adds(out,
             "\n"
             "            set value 1\n"
             "        else if not string match -q -- '-*' \"$each\"\n"
             "            echo $each\n"
             "            return 0\n"
             "        end\n"
             "    end\n"
             "    return 1\n"
             "end\n"
             "function __agent_no_command\n"
             "    not __agent_command >/dev/null; and not contains -- -- (commandline -opc)\n"
             "end\n"
             "function __agent_command_is\n"
             "    set -l command (__agent_command)\n"
             "    test \"$command\" = $argv[1]\n"
             "end\n"
             "function __agent_program\n"
             "    set -l words (commandline -opc)\n"
             "    set -l at (contains -i -- -- $words); or return\n"
             "    set -e words[1..$at]\n"
             "    complete -C (string join -- ' ' (string escape -- $words) (commandline -ct))\n"
             "end\n"
             "complete -c agent -f\n");
}

static void fish_options(const struct opt *table, const char *command, struct buf *out)
{
    for (const struct opt *o = table; o && o->name; o++) {
        buf_adds(out, "complete -c agent");
        if (command)
            buf_addf(out, " -n '__agent_command_is %s'", command);
        buf_addf(out, " -l %s", o->name + 2);
        if (o->letter)
            buf_addf(out, " -s %c", o->letter);
        static const char *const values[] = {
            [NO_PATH] = " -x", " -r -F", " -x -a '(__fish_complete_directories)'"};
        if (o->argument)
            buf_adds(out, values[names_path(o)]);
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
    fish_head(out);
    for (const struct command *const *c = commands; *c; c++) {
        buf_addf(out, "complete -c agent -n __agent_no_command -a %s -d ", (*c)->name);
        str_add_shell(out, (*c)->summary, strlen((*c)->summary));
        buf_addc(out, '\n');
        fish_options((*c)->options, (*c)->name, out);
        if (has_first_words(*c)) {
            buf_addf(out, "complete -c agent -n '__agent_command_is %s' -a '", (*c)->name);
            add_first_words(*c, out);
            buf_adds(out, "'\n");
        }
    }
    fish_options(common_options_table, NULL, out);
    buf_adds(out, "complete -c agent -n '__agent_command_is graph' -F\n"
                  "complete -c agent -n '__agent_command_is run' -a '(__agent_program)'\n");
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
