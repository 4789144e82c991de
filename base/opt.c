/* base/opt.c: one table of options → parsing and help. */
#include "base/opt.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum { HELP_COLUMNS = 80, HELP_LEFT_MOST = 30 };

struct parser {
    char **argv; /* the rest of the arguments, the present one first */
    const struct opt *const *tables;
    struct err *err;
};

static bool takes_value(const struct opt *option)
{
    return option->kind != OPT_FLAG && option->kind != OPT_COUNT;
}

static const struct opt *find_name(const struct parser *p, const char *name, size_t length)
{
    for (const struct opt *const *table = p->tables; *table; table++) {
        for (const struct opt *option = *table; option->name; option++) {
            if (strlen(option->name) == length && memcmp(option->name, name, length) == 0)
                return option;
        }
    }
    return NULL;
}

static const struct opt *find_letter(const struct parser *p, char letter)
{
    for (const struct opt *const *table = p->tables; *table; table++) {
        for (const struct opt *option = *table; option->name; option++) {
            if (option->letter == letter)
                return option;
        }
    }
    return NULL;
}

static int unknown_name(const struct parser *p, const char *name, size_t length)
{
    size_t count = 0;
    for (const struct opt *const *table = p->tables; *table; table++) {
        for (const struct opt *option = *table; option->name; option++)
            count++;
    }
    AUTO_FREE const char **names = mem_new(count + 1, sizeof *names);
    AUTO_FREE char *typed = mem_dup_n(name, length);
    if (!names || !typed)
        return err_nomem(p->err);

    count = 0;
    for (const struct opt *const *table = p->tables; *table; table++) {
        for (const struct opt *option = *table; option->name; option++)
            names[count++] = option->name;
    }
    const char *nearest = str_nearest(typed, names);
    (void)err_set(p->err, ERR_USAGE, "there is no option '%s'", typed);
    if (nearest)
        return err_hint(p->err, "Did you mean '%s'?", nearest);
    return err_hint(p->err, "'--help' lists the options.");
}

static int unknown_letter(const struct parser *p, const char *letter)
{
    size_t length = str_utf8(letter, strlen(letter));
    (void)err_set(p->err, ERR_USAGE, "there is no option '-%.*s'", (int)(length ? length : 1),
                  letter);
    return err_hint(p->err, "'--help' lists the options.");
}

static int set_duration(const struct opt *option, const char *value, struct err *err)
{
    if (str_to_duration(value, strlen(value), option->target) == 0)
        return 0;
    (void)err_set(err, ERR_USAGE, "option '%s': '%s' is not a duration", option->name, value);
    return err_hint(err, "Durations are written as 500ms, 30s, 5m, 2h or 30d.");
}

static int set_choice(const struct opt *option, const char *value, struct err *err)
{
    size_t length = strlen(value);

    for (const char *at = option->choices; *at;) {
        size_t choice_length = strcspn(at, "|");
        if (choice_length == length && memcmp(at, value, length) == 0) {
            *(const char **)option->target = value;
            return 0;
        }
        at += choice_length + (at[choice_length] == '|');
    }
    (void)err_set(err, ERR_USAGE, "option '%s': '%s' is none of %s", option->name, value,
                  option->choices);
    return err_hint(err, "Choose one of %s.", option->choices);
}

static void set_given(const struct opt *option)
{
    if (option->kind == OPT_COUNT)
        ++*(int *)option->target;
    else
        *(bool *)option->target = true;
}

static int add_string(const struct opt *option, const char *value, struct err *err)
{
    struct opt_strings *strings = option->target;

    if (strings->count == OPT_MAX_STRINGS)
        return err_set(err, ERR_USAGE, "option '%s' is given more than %d times", option->name,
                       OPT_MAX_STRINGS);
    strings->list[strings->count++] = value;
    return 0;
}

static int set_value(const struct opt *option, const char *value, struct err *err)
{
    if (option->kind == OPT_DURATION)
        return set_duration(option, value, err);
    if (option->kind == OPT_CHOICE)
        return set_choice(option, value, err);
    if (option->kind == OPT_STRINGS)
        return add_string(option, value, err);
    *(const char **)option->target = value;
    return 0;
}

/* The argument behind an option is its value, unless there is none or it is an option itself: then
 * the value was forgotten, which is NULL (what looks like one can be given with '='). */
static const char *value_behind(struct parser *p, const struct opt *option)
{
    const char *next = p->argv[1];
    const char *what = option->argument ? option->argument : option->choices;
    bool is_option = next && (str_eq(next, "--") || find_name(p, next, strcspn(next, "=")));

    if (!next || is_option) {
        (void)err_set(p->err, ERR_USAGE, "option '%s' needs a value", option->name);
        (void)err_hint(p->err, "Write '%s=%s'.", option->name, what ? what : "VALUE");
        return NULL;
    }
    p->argv++;
    return next;
}

/* "--name", "--name=value", "--name value" at the present argument. */
static int parse_name(struct parser *p)
{
    const char *text = p->argv[0];
    size_t length = strcspn(text, "=");
    const char *value = text[length] == '=' ? text + length + 1 : NULL;
    const struct opt *option = find_name(p, text, length);

    if (!option)
        return unknown_name(p, text, length);
    if (!takes_value(option)) {
        if (value)
            return err_set(p->err, ERR_USAGE, "option '%s' takes no value", option->name);
        set_given(option);
        return 0;
    }
    if (!value)
        value = value_behind(p, option);
    return value ? set_value(option, value, p->err) : -1;
}

/* "-v", "-vq", "-ofile", "-o file" at the present argument. */
static int parse_letters(struct parser *p)
{
    for (const char *letter = p->argv[0] + 1; *letter; letter++) {
        const struct opt *option = find_letter(p, *letter);
        if (!option)
            return unknown_letter(p, letter);
        if (!takes_value(option)) {
            set_given(option);
            continue;
        }
        const char *value = letter[1] ? letter + 1 : value_behind(p, option);
        return value ? set_value(option, value, p->err) : -1;
    }
    return 0;
}

int opt_parse(char **argv, const struct opt *const *tables, struct opt_result *result,
              struct err *err)
{
    size_t count = 0;
    while (argv[count])
        count++;
    AUTO_FREE const char **words = mem_new(count + 1, sizeof *words);
    if (!words)
        return err_nomem(err);

    struct parser p = {.argv = argv, .tables = tables, .err = err};
    struct opt_result found = {0};
    for (; *p.argv && !found.rest; p.argv++) {
        const char *text = *p.argv;
        int failed = 0;
        if (str_eq(text, "--"))
            found.rest = p.argv + 1;
        else if (str_starts(text, "--"))
            failed = parse_name(&p);
        else if (text[0] == '-' && text[1])
            failed = parse_letters(&p);
        else
            words[found.word_count++] = text;
        if (failed)
            return -1;
    }
    found.words = TAKE_POINTER(words);
    *result = found;
    return 0;
}

/* "  -o, --output FILE" */
static void add_left(struct buf *out, const struct opt *option)
{
    if (option->letter)
        buf_addf(out, "  -%c, %s", option->letter, option->name);
    else
        buf_addf(out, "      %s", option->name);
    if (takes_value(option))
        buf_addf(out, " %s", option->argument ? option->argument : option->choices);
}

static void add_padding(struct buf *out, size_t width)
{
    buf_addf(out, "%*s", (int)width, "");
}

/* The words of TEXT behind *COLUMN, wrapped at HELP_COLUMNS and going on at INDENT. */
static void add_wrapped(struct buf *out, const char *text, size_t indent, size_t *column)
{
    while (*text) {
        size_t length = strcspn(text, " ");
        if (*column > indent && *column + 1 + length > HELP_COLUMNS) {
            buf_addc(out, '\n');
            add_padding(out, indent);
            *column = indent;
        }
        if (*column > indent) {
            buf_addc(out, ' ');
            ++*column;
        }
        buf_add(out, text, length);
        *column += length;
        text += length;
        text += strspn(text, " ");
    }
}

/* The choices of an option whose left side shows a word for them. */
static void add_choices(struct buf *out, const char *choices, size_t indent, size_t *column)
{
    for (const char *at = choices; *at;) {
        char word[HELP_COLUMNS];
        size_t length = strcspn(at, "|");
        bool is_last = at[length] == '\0';
        (void)snprintf(word, sizeof word, "%s%.*s%s", at == choices ? "(" : "", (int)length, at,
                       is_last ? ")" : ",");
        add_wrapped(out, word, indent, column);
        at += length + !is_last;
    }
}

void opt_help(struct buf *out, const struct opt *table)
{
    size_t widest = 0;
    for (const struct opt *option = table; option->name; option++) {
        AUTO_BUF left = BUF_INIT(HELP_COLUMNS);
        add_left(&left, option);
        out->no_memory = out->no_memory || left.no_memory; /* the column would be another one */
        if (left.len <= HELP_LEFT_MOST && left.len > widest)
            widest = left.len;
    }

    size_t indent = widest + 2;
    for (const struct opt *option = table; option->name; option++) {
        size_t begin = out->len;
        add_left(out, option);
        size_t width = out->len - begin;
        if (width > widest) { /* too wide for the column: the help goes below */
            buf_addc(out, '\n');
            width = 0;
        }
        add_padding(out, indent - width);
        size_t column = indent;
        add_wrapped(out, option->help, indent, &column);
        if (option->kind == OPT_CHOICE && option->argument)
            add_choices(out, option->choices, indent, &column);
        buf_addc(out, '\n');
    }
}
