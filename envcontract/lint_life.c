/* envcontract/lint_life.c: what a schema cannot say about aliases, deprecation and overriding. */
#include "envcontract/lint.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static bool is_name(const char *name)
{
    size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");

    return length > 0 && !name[length] && !(*name >= '0' && *name <= '9');
}

static void look_at_aliases(struct contract_document *d, const struct node *list)
{
    if (!list || list->kind != NODE_ARRAY)
        return;
    for (const struct node *item = list->first; item; item = item->next) {
        const struct node *name = node_member(item, "name");
        if (item->kind != NODE_OBJECT)
            continue; /* said */
        if (!name)
            problem(d, item, AT_VALUE, NULL, "an alias without 'name'");
        else if (node_text(name) && name->count > 0 && !is_name(name->text))
            problem(d, name, AT_VALUE, "Letters, digits and underscores; no digit at the begin.",
                    "'%.*s' cannot be the name of a variable", SHOWN(name->text));
    }
}

static void look_at_deprecation(struct contract_document *d, const struct node *section)
{
    const struct node *since = node_member(section, "since"), *use = node_member(section, "use");
    const struct node *remove = node_member(section, "remove");
    int64_t from, to;

    if (node_text(since) && node_text(remove) && date_parse(since->text, since->count, &from) &&
        date_parse(remove->text, remove->count, &to) && to < from)
        problem(d, remove, AT_VALUE, NULL, "'remove' is before 'since'");
    if (node_text(use) && use->count > 0)
        (void)relation_variable(d, use, AT_VALUE, use->text);
}

void lint_life(struct contract_document *d, const struct node *object, bool strict)
{
    const struct node *override = node_member(object, "override");

    look_at_aliases(d, node_member(object, "aliases"));
    look_at_deprecation(d, node_member(object, "deprecated"));
    if (strict && node_truth(override, false))
        problem(d, override, AT_KEY, "Take it away, or take the profile off 'strict_profiles'.",
                "'override' in a strict profile, where the environment never wins");
}

/* ---- one name, one variable ----------------------------------------------------------------- */

struct alias {
    const struct node *name;
    size_t variable; /* index; base's aliases are every variable's */
};

struct aliases {
    struct alias *list; /* NULL: count only */
    size_t count;
};

static void collect_from(struct aliases *a, const struct node *object, size_t variable)
{
    const struct node *list = node_member(object, "aliases");

    if (!list || list->kind != NODE_ARRAY)
        return;
    for (const struct node *item = list->first; item; item = item->next) {
        const struct node *name = node_member(item, "name");
        if (!node_text(name) || name->count == 0)
            continue;
        if (a->list)
            a->list[a->count] = (struct alias){name, variable};
        a->count++;
    }
}

static void collect(const struct contract_document *d, struct aliases *a)
{
    a->count = 0;
    for (size_t i = 0; i < d->variable_count; i++) {
        const struct node *profiles = node_member(d->variables[i], "profiles");
        collect_from(a, d->variables[i], i);
        if (!profiles || profiles->kind != NODE_OBJECT)
            continue;
        for (const struct node *over = profiles->first; over; over = over->next)
            collect_from(a, over, i);
    }
}

static int compare_aliases(const void *left, const void *right)
{
    const struct alias *a = left, *b = right;
    int order = strcmp(a->name->text, b->name->text);

    return order != 0 ? order : (a->variable > b->variable) - (a->variable < b->variable);
}

void lint_aliases(struct contract_document *d)
{
    struct aliases a = {0};

    if (node_member(d->base, "aliases"))
        problem(d, node_member(d->base, "aliases"), AT_KEY, "Give it to the one that had the name.",
                "'aliases' in 'base' would be those of every variable");
    collect(d, &a);
    if (a.count == 0)
        return;
    AUTO_FREE struct alias *list = mem_new(a.count, sizeof *list);
    if (!list) {
        d->no_memory = true;
        return;
    }
    a.list = list;
    collect(d, &a);
    qsort(list, a.count, sizeof *list, compare_aliases);
    for (size_t i = 0; i < a.count && !problems_full(d); i++) {
        const struct node *name = list[i].name;
        if (document_find(d, name->text) >= 0)
            problem(d, name, AT_VALUE, NULL, "the alias '%.*s' is a variable of the contract",
                    SHOWN(name->text));
        if (i > 0 && str_eq(name->text, list[i - 1].name->text) &&
            list[i].variable != list[i - 1].variable)
            problem(d, name, AT_VALUE, NULL, "'%.*s' is an alias of '%.*s', too", SHOWN(name->text),
                    SHOWN(d->names[list[i - 1].variable]));
    }
}
