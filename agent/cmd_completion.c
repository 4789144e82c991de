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

static void add_choices(const struct opt *o, struct buf *out)
{
    for (const char *c = o->choices; c && *c; c++)
        buf_addc(out, *c == '|' ? ' ' : *c);
}

static void bash_choices(const struct opt *table, const char *command, struct buf *out)
{
    for (const struct opt *o = table; o && o->name; o++) {
        if (o->kind == OPT_CHOICE) {
            buf_addf(out, "        %s:%s) words='", command, o->name);
            add_choices(o, out);
            buf_adds(out, "' ;;\n");
        } else if (o->kind == OPT_STRING && str_eq(o->argument, "FILE")) {
            buf_addf(
                out,
                "        %s:%s) mapfile -t COMPREPLY < <(compgen -f -- \"$word\"); return ;;\n",
                command, o->name);
        }
    }
}

static void write_bash(struct buf *out)
{
    buf_adds(
        out,
        "# bash completion for agent: source <(agent completion bash)\n"
        "_agent() {\n"
        "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
        "    local command='' words='' i\n"
        "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "        [[ ${COMP_WORDS[i]} == -- ]] && { compopt -o default; COMPREPLY=(); return; }\n"
        "        [[ -z $command && ${COMP_WORDS[i]} != -* ]] && command=${COMP_WORDS[i]}\n"
        "    done\n"
        "    case $command in\n");
    for (const struct command *const *c = commands; *c; c++) {
        buf_addf(out, "        %s) words='", (*c)->name);
        add_option_words((*c)->options, out);
        add_option_words(common_options_table, out);
        buf_adds(out, "' ;;\n");
    }
    buf_adds(out, "        *) words='");
    for (const struct command *const *c = commands; *c; c++)
        buf_addf(out, " %s", (*c)->name);
    buf_adds(out, "' ;;\n    esac\n    case $command:$before in\n");
    for (const struct command *const *c = commands; *c; c++)
        bash_choices((*c)->options, (*c)->name, out);
    bash_choices(common_options_table, "*", out);
    buf_adds(out, "        completion:completion) words='bash zsh fish' ;;\n"
                  "    esac\n"
                  "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
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

static void zsh_options(const struct opt *table, struct buf *out)
{
    for (const struct opt *o = table; o && o->name; o++) {
        buf_addf(out, " \\\n            '%s[", o->name);
        add_zsh_text(o->help, out);
        buf_addc(out, ']');
        if (o->kind == OPT_CHOICE) {
            buf_addf(out, ":%s:(", o->argument);
            add_choices(o, out);
            buf_addc(out, ')');
        } else if (o->argument) {
            buf_addf(out, ":%s:%s", o->argument, str_eq(o->argument, "FILE") ? "_files" : "");
        }
        buf_addc(out, '\'');
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
        if (str_eq((*c)->name, "run"))
            buf_adds(out, " \\\n            '*::command:_normal'");
        if (str_eq((*c)->name, "completion"))
            buf_adds(out, " \\\n            '1:shell:(bash zsh fish)'");
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
            add_choices(o, out);
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
    }
    fish_options(common_options_table, NULL, out);
    buf_adds(out,
             "complete -c agent -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'\n");
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
    return text_print(&out, 0);
}

static const struct opt no_options[] = {{0}};

const struct command command_completion = {
    .name = "completion",
    .arguments = "bash|zsh|fish",
    .summary = "completion for a shell, to be sourced",
    .options = no_options,
    .run = completion_run,
};
