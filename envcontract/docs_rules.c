/* envcontract/docs_rules.c: groups, rules, fences, unknown names, aliases and deprecations in words. */
#include <string.h>

#include "base/str.h"
#include "envcontract/docs.h"

static bool is_list(const struct node *node)
{
    return node && node->kind == NODE_ARRAY;
}

static bool is_object(const struct node *node)
{
    return node && node->kind == NODE_OBJECT;
}

/* A list of names, or the one text that stands for it. */
static void add_names(struct docs_words *w, const struct node *value, const char *word)
{
    bool list = is_list(value);

    for (const struct node *item = list ? value->first : value; item;
         item = list ? item->next : NULL) {
        if (list && item != value->first) {
            docs_say(w, item->next ? ", " : " ");
            docs_say(w, item->next ? "" : word);
            docs_say(w, item->next ? "" : " ");
        }
        docs_code(w, node_scalar(item) ? node_scalar(item) : "");
    }
}

/* ---- groups ----------------------------------------------------------------------------------- */

static const struct {
    const char *key, *words, *join;
} group_kinds[] = {
    {"exactly_one", "Exactly one of ", "and"},
    {"at_least_one", "At least one of ", "and"},
    {"at_most_one", "At most one of ", "and"},
    {"all_or_none", "All or none of ", "and"},
};

void docs_group(struct docs_words *w, const struct node *group)
{
    for (size_t i = 0; i < ARRAY_LEN(group_kinds); i++) {
        const struct node *names = node_member(group, group_kinds[i].key);
        if (!is_list(names))
            continue;
        docs_say(w, group_kinds[i].words);
        add_names(w, names, group_kinds[i].join);
    }
    if (is_object(node_member(group, "when"))) {
        docs_say(w, ", when ");
        docs_condition(w, node_member(group, "when"));
    }
}

void docs_group_names(const struct node *group,
                      void (*visit)(const struct node *group, const struct node *names,
                                    void *context),
                      void *context)
{
    for (size_t i = 0; i < ARRAY_LEN(group_kinds); i++) {
        const struct node *names = node_member(group, group_kinds[i].key);
        if (is_list(names))
            visit(group, names, context);
    }
}

static void write_group(struct docs_look *look, const struct node *group)
{
    struct docs_words w = {.out = look->out, .style = DOCS_PROSE};

    docs_say(&w, "- ");
    docs_group(&w, group);
    if (node_text(node_member(group, "doc"))) {
        docs_say(&w, ": ");
        docs_text(&w, node_text(node_member(group, "doc")));
    }
    docs_say(&w, "\n");
}

void docs_write_groups(struct docs_look *look)
{
    const struct node *section;
    size_t file = 0, count = 0;

    while ((section = docs_next_section(look, "groups", &file)))
        for (const struct node *group = is_list(section) ? section->first : NULL; group;
             group = group->next, count++)
            write_group(look, group);
    if (count == 0)
        buf_adds(look->out, "No variables hang together in a group.\n");
}

/* ---- rules ------------------------------------------------------------------------------------ */

/* What must hold, each on its own line of the cell. */
static void add_demands(struct docs_words *w, const struct node *rule)
{
    const struct node *match = node_member(rule, "match");
    size_t count = 0;

    for (const struct node *m = is_object(match) ? match->first : NULL; m; m = m->next) {
        docs_say(w, count++ > 0 ? "<br>" : "");
        docs_code(w, m->key);
        docs_say(w, " matches ");
        add_names(w, m, "or");
    }
    if (is_list(node_member(rule, "equal"))) {
        docs_say(w, count++ > 0 ? "<br>" : "");
        add_names(w, node_member(rule, "equal"), "and");
        docs_say(w, " are the same");
    }
    if (is_list(node_member(rule, "differ"))) {
        docs_say(w, count > 0 ? "<br>" : "");
        add_names(w, node_member(rule, "differ"), "and");
        docs_say(w, " differ");
    }
}

static void write_rule(struct docs_look *look, const struct node *rule)
{
    struct docs_words w = {.out = look->out, .style = DOCS_CELL};
    const char *id = node_text(node_member(rule, "id"));
    const char *level = node_text(node_member(rule, "level"));
    const char *say = node_text(node_member(rule, "say"));

    docs_say(&w, "| ");
    docs_text(&w, id ? id : "");
    docs_say(&w, " | ");
    if (is_object(node_member(rule, "when")))
        docs_condition(&w, node_member(rule, "when"));
    else
        docs_say(&w, "always");
    docs_say(&w, " | ");
    add_demands(&w, rule);
    docs_say(&w, " | ");
    docs_text(&w, level ? level : "error");
    docs_say(&w, " | ");
    docs_text(&w, say ? say : "");
    docs_say(&w, " |\n");
}

void docs_write_rules(struct docs_look *look)
{
    const struct node *section;
    size_t file = 0, count = 0;

    while ((section = docs_next_section(look, "rules", &file)))
        for (const struct node *rule = is_list(section) ? section->first : NULL; rule;
             rule = rule->next) {
            if (count++ == 0)
                buf_adds(look->out, "| rule | when | what must hold | level | what it says |\n"
                                    "|---|---|---|---|---|\n");
            write_rule(look, rule);
        }
    if (count == 0)
        buf_adds(look->out, "No rules beyond those of each variable.\n");
}

/* ---- fences and names ------------------------------------------------------------------------- */

static void write_unknown(struct docs_look *look)
{
    const struct node *unknown = node_member(look->d->files[0].root, "unknown");
    struct docs_words w = {.out = look->out, .style = DOCS_PROSE};
    const char *level = node_text(node_member(unknown, "level"));

    if (!is_list(node_member(unknown, "prefix")))
        return;
    docs_say(&w, "\nA name beginning with ");
    add_names(&w, node_member(unknown, "prefix"), "or");
    docs_say(&w, " that is not declared here is ");
    docs_say(&w, str_eq(level, "warning") ? "a warning" : "an error");
    if (is_list(node_member(unknown, "ignore")) && node_member(unknown, "ignore")->count > 0) {
        docs_say(&w, ", but for ");
        add_names(&w, node_member(unknown, "ignore"), "and");
    }
    docs_say(&w, ".\n");
}

void docs_write_fences(struct docs_look *look)
{
    struct docs_words w = {.out = look->out, .style = DOCS_CELL};
    const struct node *section;
    size_t file = 0, count = 0;

    while ((section = docs_next_section(look, "fences", &file)))
        for (const struct node *fence = is_object(section) ? section->first : NULL; fence;
             fence = fence->next) {
            if (count++ == 0)
                docs_say(&w, "What belongs to one profile is an error in every other.\n\n"
                             "| only in | hosts | values |\n|---|---|---|\n");
            docs_say(&w, "| ");
            docs_text(&w, fence->key);
            docs_say(&w, " | ");
            if (node_member(fence, "hosts"))
                add_names(&w, node_member(fence, "hosts"), "and");
            docs_say(&w, " | ");
            if (node_member(fence, "values"))
                add_names(&w, node_member(fence, "values"), "and");
            docs_say(&w, " |\n");
        }
    if (count == 0)
        docs_say(&w, "No host and no value is kept to one profile.\n");
    write_unknown(look);
}

/* ---- aliases and deprecations ----------------------------------------------------------------- */

static void begin_row(struct docs_look *look, size_t *count)
{
    if ((*count)++ == 0)
        buf_adds(look->out, "| name | since | gone on | in its place |\n|---|---|---|---|\n");
}

static void add_date(struct docs_words *w, const struct node *date)
{
    docs_text(w, node_text(date) ? node_text(date) : "");
    docs_say(w, " | ");
}

static void write_aliases(struct docs_look *look, const char *variable, const struct node *aliases,
                          size_t *count)
{
    struct docs_words w = {.out = look->out, .style = DOCS_CELL};

    for (const struct node *alias = is_list(aliases) ? aliases->first : NULL; alias;
         alias = alias->next) {
        const char *name = node_text(alias->kind == NODE_OBJECT ? node_member(alias, "name")
                                                                : alias);
        begin_row(look, count);
        docs_say(&w, "| ");
        docs_code(&w, name ? name : "");
        docs_say(&w, " |  | ");
        add_date(&w, node_member(alias, "remove"));
        docs_code(&w, variable);
        docs_say(&w, " |\n");
    }
}

void docs_write_deprecated(struct docs_look *look)
{
    struct docs_words w = {.out = look->out, .style = DOCS_CELL};
    size_t count = 0;

    for (size_t i = 0; i < look->d->variable_count; i++) {
        const char *name = look->d->variables[i]->key;
        struct layers layers;
        layers_merge(look->d, i, NULL, &layers);
        write_aliases(look, name, layers.at[VARIABLE_ALIASES], &count);
        const struct node *deprecated = layers.at[VARIABLE_DEPRECATED];
        if (!is_object(deprecated))
            continue;
        begin_row(look, &count);
        docs_say(&w, "| ");
        docs_code(&w, name);
        docs_say(&w, " | ");
        add_date(&w, node_member(deprecated, "since"));
        add_date(&w, node_member(deprecated, "remove"));
        if (node_text(node_member(deprecated, "use")))
            docs_code(&w, node_text(node_member(deprecated, "use")));
        else
            docs_say(&w, "nothing");
        docs_say(&w, " |\n");
    }
    if (count == 0)
        docs_say(&w, "No name is on its way out.\n");
}
