/* envcontract/drift_yaml.c: the names in Compose files, Kubernetes manifests, GitHub workflows.
 *
 *   Compose (a top-level `services`): `environment`, as list and as map; ${X} in any value
 *   Kubernetes (`apiVersion` and `kind`): the `name`s of `env`; `envFrom` is said to be unknown
 *   a workflow (`jobs` and `on`, or below .github/workflows): the keys of `env`
 *
 * Line by line, by indentation: block style, and flow style on one line. Lines of a template that
 * steer ({{- if …}}, {{- end}}) are passed over. What an anchor or a template brings is not followed,
 * and that is said. Other YAML files are not looked into. */
#include "envcontract/drift_read.h"

#include <string.h>

#include "base/str.h"
#include "envcontract/drift_lex.h"
#include "envcontract/drift_shell.h"

enum yaml_kind { YAML_OTHER, YAML_COMPOSE, YAML_KUBERNETES, YAML_WORKFLOW };

/* One line, taken apart. */
struct line {
    size_t start, end; /* of its text, without indentation, comment and white space behind */
    size_t indent;     /* of the text; of the dash, where there is one */
    size_t item;       /* of what stands behind the dash; else indent */
    bool has_dash;
    size_t key, key_length; /* 0: no key */
    size_t value;           /* behind the key's colon or the dash; may be end */
};

struct yaml {
    struct drift *d;
    enum yaml_kind kind;
    enum drift_use use;
    bool in_block;       /* below `environment:` or `env:` */
    size_t block_indent; /* of that key */
    size_t entry_indent; /* of its entries; SIZE_MAX: none was met yet */
    bool in_text;        /* below a | or > */
    size_t text_indent;
};

/* ---- lines ---------------------------------------------------------------------------------- */

/* Where a comment begins in the line from START to END, or END. */
static size_t comment_start(const struct drift *d, size_t start, size_t end)
{
    char quote = '\0';

    for (size_t i = start; i < end; i++) {
        char c = d->text[i];
        bool opens = i == start || strchr(" \t[{,:=-", d->text[i - 1]);
        if (quote != '\0') {
            if (c == '\\' && quote == '"')
                i++;
            else if (c == quote)
                quote = '\0';
        } else if ((c == '"' || c == '\'') && opens) {
            quote = c;
        } else if (c == '#' && (i == start || d->text[i - 1] == ' ' || d->text[i - 1] == '\t')) {
            return i;
        }
    }
    return end;
}

/* The key at AT: *length of its bytes, without quotes, and where its value begins. False: none. */
static bool find_key(const struct drift *d, size_t at, size_t end, size_t *start, size_t *length,
                     size_t *value)
{
    char quote = at < end ? d->text[at] : '\0';
    bool is_quoted = quote == '"' || quote == '\'';
    size_t colon = at + is_quoted;

    while (colon < end && d->text[colon] != (is_quoted ? quote : ':') && d->text[colon] != '{' &&
           d->text[colon] != '[')
        colon++;
    *start = at + is_quoted;
    *length = colon - *start;
    colon += is_quoted;
    if (colon >= end || d->text[colon] != ':' || *length == 0 ||
        (colon + 1 < end && d->text[colon + 1] != ' ' && d->text[colon + 1] != '\t'))
        return false;
    *value = colon + 1;
    while (*value < end && (d->text[*value] == ' ' || d->text[*value] == '\t'))
        ++*value;
    return true;
}

static struct line take_apart(const struct drift *d, size_t at, size_t end)
{
    struct line line = {.indent = 0};
    size_t text = at;

    while (text < end && d->text[text] == ' ')
        text++;
    line.indent = line.item = text - at;
    line.end = comment_start(d, text, end);
    while (line.end > text && strchr(" \t\r", d->text[line.end - 1]))
        line.end--;
    while (text < line.end && d->text[text] == '-' &&
           (text + 1 == line.end || d->text[text + 1] == ' ')) {
        line.has_dash = true;
        for (text++; text < line.end && d->text[text] == ' ';)
            text++;
        line.item = text - at;
    }
    line.start = line.value = text;
    if (!find_key(d, text, line.end, &line.key, &line.key_length, &line.value))
        line.key_length = 0;
    return line;
}

static bool has_key(const struct yaml *y, const struct line *line, const char *key)
{
    return strlen(key) == line->key_length &&
           memcmp(y->d->text + line->key, key, line->key_length) == 0;
}

/* ---- what is a name ------------------------------------------------------------------------- */

/* The name between START and END, with or without quotes, up to `=`. */
static void add_name(struct yaml *y, size_t start, size_t end)
{
    struct drift *d = y->d;

    while (start < end && strchr(" \t\"'", d->text[start]))
        start++;
    while (end > start && strchr(" \t\"'", d->text[end - 1]))
        end--;
    size_t length = shell_name_length(d, start);
    if (length > 0 && (start + length == end || d->text[start + length] == '='))
        drift_add(d, y->use, d->text + start, length, start);
    else if (start < end && memmem(d->text + start, end - start, "{{", 2))
        drift_add_computed(d, start);
    else if (start < end && (d->text[start] == '*' || d->text[start] == '<'))
        drift_add_unseen(d, "what a YAML anchor brings", start);
}

/* {A: 1, B: 2} or [A=1, B] from START on; of Kubernetes {name: A, value: 1}, which is DEPTH brackets
 * deep in it. */
static void read_flow(struct yaml *y, size_t start, size_t end, size_t entry_depth)
{
    const struct drift *d = y->d;
    bool is_list = d->text[start] == '[', is_kubernetes = y->kind == YAML_KUBERNETES;
    size_t depth = 0;

    for (size_t i = start; i < end; i++) {
        char c = d->text[i];
        bool opens = c == '[' || c == '{';
        depth += opens;
        if ((c == ']' || c == '}') && --depth == 0)
            return;
        if (!(opens || c == ',') || depth != entry_depth)
            continue;
        size_t from = i + 1 + strspn(d->text + i + 1, " "), key, length, value;
        size_t stop = from + strcspn(d->text + from, ",]}\n");
        stop = stop > end ? end : stop;
        bool has_key = find_key(d, from, stop, &key, &length, &value);
        bool is_name = has_key && length == 4 && memcmp(d->text + key, "name", 4) == 0;
        if (is_kubernetes && is_name)
            add_name(y, value, stop);
        else if (!is_kubernetes && is_list)
            add_name(y, from, stop);
        else if (!is_kubernetes && has_key)
            add_name(y, key, key + length);
    }
    drift_add_unseen(y->d, "a flow of several lines", start);
}

/* ---- blocks --------------------------------------------------------------------------------- */

/* A line below `environment:` or `env:`. False: it is not below it any more. */
static bool read_entry(struct yaml *y, const struct line *line)
{
    if (line->indent < y->block_indent || (line->indent == y->block_indent && !line->has_dash))
        return false;
    if (y->entry_indent == SIZE_MAX)
        y->entry_indent = y->kind == YAML_KUBERNETES ? line->item : line->indent;
    if (y->kind == YAML_KUBERNETES) {
        bool is_flow = line->start < line->end && y->d->text[line->start] == '{';
        if (line->item != y->entry_indent)
            return true;
        if (has_key(y, line, "name"))
            add_name(y, line->value, line->end);
        else if (line->has_dash && is_flow)
            read_flow(y, line->start, line->end, 1);
        else if (line->has_dash && line->key_length == 0)
            add_name(y, line->start, line->end);
    } else if (line->indent == y->entry_indent) {
        if (line->key_length > 0 && !line->has_dash)
            add_name(y, line->key, line->key + line->key_length);
        else
            add_name(y, line->start, line->end);
    }
    return true;
}

/* A name alone, with or without quotes. */
static bool is_name(const struct drift *d, size_t start, size_t end)
{
    bool is_quoted = start < end && strchr("\"'", d->text[start]);
    size_t length = shell_name_length(d, start + is_quoted);

    return length > 0 && start + length + 2 * (size_t)is_quoted == end;
}

/* `environment: NAME` of a secret or a config: Compose itself reads it. */
static void add_secret(struct yaml *y, const struct line *line)
{
    enum drift_use use = y->use;

    y->use = DRIFT_READ;
    add_name(y, line->value, line->end);
    y->use = use;
}

/* Whether the line's flow has WORD as a key of another one: {a: {WORD: [...]}}. A label is none. */
static bool has_flow_below(const struct drift *d, const struct line *line, const char *word)
{
    const char *at = d->text + line->value, *end = d->text + line->end;
    size_t length = strlen(word);

    if (at == end || !strchr("{[", *at))
        return false;
    while ((at = memmem(at, (size_t)(end - at), word, length))) {
        bool begins = strchr("{[, \"'", at[-1]);
        for (at += length; begins && at < end && strchr("\"': ", *at) && *at; at++)
            ;
        if (begins && at < end && *at && strchr("{[", *at))
            return true;
    }
    return false;
}

/* A key that has an environment below it, or beside it. */
static void read_key(struct yaml *y, const struct line *line)
{
    struct drift *d = y->d;

    if (y->kind == YAML_KUBERNETES && has_key(y, line, "envFrom"))
        drift_add_unseen(d, "envFrom", line->key);
    const char *word = y->kind == YAML_COMPOSE ? "environment" : "env";
    char first = line->value < line->end ? d->text[line->value] : '\0';
    if (!has_key(y, line, word)) {
        if (has_flow_below(d, line, word))
            drift_add_unseen(d, "an environment within a flow", line->value);
        return;
    }
    if (first == '{' || first == '[')
        read_flow(y, line->value, line->end, y->kind == YAML_KUBERNETES ? 2 : 1);
    else if (first == '*')
        drift_add_unseen(d, "what a YAML anchor brings", line->value);
    else if (y->kind == YAML_COMPOSE && is_name(d, line->value, line->end))
        add_secret(y, line);
    else if (first == '$' || (first != '\0' && first != '&' && first != '!'))
        drift_add_computed(d, line->value);
    else {
        y->in_block = true;
        y->block_indent = line->item;
        y->entry_indent = SIZE_MAX;
    }
}

/* Whether LINE is nothing but a template's {{…}} or {%…%}, which no indentation says anything of. What
 * it puts in among the names of an environment may be names. */
static bool read_template(const struct yaml *y, const struct line *line)
{
    static const char *const steering[] = {"if",   "else",   "end",   "range",
                                           "with", "define", "block", "/*"};
    const struct drift *d = y->d;
    size_t at = line->start;

    if (line->has_dash || d->text[at] != '{' || !d->text[at + 1] || !strchr("{%", d->text[at + 1]))
        return false;
    bool is_statement = d->text[at + 1] == '%';
    at += 2;
    at += strspn(d->text + at, "- \t");
    bool steers = is_statement || d->text[at] == '$';
    for (size_t i = 0; i < ARRAY_LEN(steering) && !steers; i++)
        steers = str_starts(d->text + at, steering[i]);
    if (!steers && y->in_block)
        drift_add_computed(y->d, line->start);
    return true;
}

/* Whether the line's value is a | or >: what lies deeper is its text. */
static bool begins_text(const struct drift *d, const struct line *line)
{
    size_t at = line->value;

    if (line->value == line->start && !line->has_dash)
        return false;
    while (at < line->end && (d->text[at] == '&' || d->text[at] == '!')) { /* an anchor, a tag */
        at += strcspn(d->text + at, " \n");
        at += strspn(d->text + at, " ");
    }
    return at < line->end && (d->text[at] == '|' || d->text[at] == '>') && line->end - at <= 3;
}

static void read_line(struct yaml *y, size_t at, size_t end)
{
    struct drift *d = y->d;
    struct line line = take_apart(d, at, end);

    if (line.start == line.end && !line.has_dash)
        return;
    if (y->kind == YAML_COMPOSE)
        drift_read_interpolated(d, line.start, line.end - line.start);
    if (y->in_text && line.indent > y->text_indent)
        return;
    if (read_template(y, &line))
        return;
    y->in_text = begins_text(d, &line);
    y->text_indent = line.key_length > 0 ? line.item : line.indent;
    if (y->in_block && read_entry(y, &line))
        return;
    y->in_block = false;
    if (line.key_length > 0)
        read_key(y, &line);
}

/* ---- the file ------------------------------------------------------------------------------- */

static bool top_key(const struct drift *d, size_t at, const char *key)
{
    char quote = d->text[at];
    size_t length = strlen(key), behind;

    at += quote == '"' || quote == '\'';
    behind = at + length;
    if (strncmp(d->text + at, key, length) != 0)
        return false;
    return d->text[behind] == ':' || (d->text[behind] == quote && d->text[behind + 1] == ':');
}

/* By the keys that begin a line. */
static enum yaml_kind kind_of(const struct drift *d)
{
    bool services = false, version = false, kind = false, jobs = false, on = false;

    for (size_t at = 0; at < d->length; at = lex_line_end(d, at) + 1) {
        services = services || top_key(d, at, "services");
        version = version || top_key(d, at, "apiVersion");
        kind = kind || top_key(d, at, "kind");
        jobs = jobs || top_key(d, at, "jobs");
        on = on || top_key(d, at, "on");
    }
    if (version && kind)
        return YAML_KUBERNETES;
    if (jobs && (on || strstr(d->file, ".github/workflows/")))
        return YAML_WORKFLOW;
    return services ? YAML_COMPOSE : YAML_OTHER;
}

void drift_read_yaml(struct drift *d)
{
    struct yaml y = {.d = d, .kind = kind_of(d)};

    if (y.kind == YAML_OTHER)
        return;
    y.use = y.kind == YAML_WORKFLOW ? DRIFT_WORKFLOW : DRIFT_GIVEN;
    for (size_t at = 0; at < d->length;) {
        size_t end = lex_line_end(d, at);
        read_line(&y, at, end);
        at = end + 1;
    }
}
