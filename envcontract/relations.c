/* envcontract/relations.c: groups and rules, read off the trees; what is wrong in them is said on the
 * way. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "envcontract/keys.h"

void relation_each(struct contract_document *d, const char *section, enum node_kind kind,
                   relation_visit visit, void *context)
{
    for (size_t i = 0; i < d->file_count && !d->no_memory; i++) {
        const struct node *list = node_member(d->files[i].root, section);
        if (!list || list->kind != kind)
            continue;
        for (const struct node *entry = list->first; entry && !d->no_memory; entry = entry->next)
            if (entry->kind == NODE_OBJECT)
                visit(d, entry, context);
    }
}

size_t relation_count(const struct contract_document *d, const char *section)
{
    size_t count = 0;

    for (size_t i = 0; i < d->file_count; i++) {
        const struct node *list = node_member(d->files[i].root, section);
        if (list && (list->kind == NODE_ARRAY || list->kind == NODE_OBJECT))
            count += list->count;
    }
    return count;
}

void *relation_list(struct contract_document *d, size_t count, size_t size)
{
    void *list = count > 0 ? arena_new(&d->arena, count, size) : NULL;

    if (count > 0 && !list)
        d->no_memory = true;
    return list;
}

long relation_variable(struct contract_document *d, const struct node *node, enum problem_at at,
                       const char *name)
{
    char hint[NEAREST_HINT_BYTES];
    long index = document_find(d, name);

    if (index < 0 && !problems_full(d))
        problem(d, node, at, nearest_hint(d, name, d->names, d->variable_count, hint),
                "'%.*s' is no variable of the contract", SHOWN(name));
    return index;
}

static struct contract_when build_when(struct contract_document *d, const struct node *node)
{
    struct contract_when when = {0};

    if (node && node->kind == NODE_BOOL)
        when.never = !node->truth;
    else if (node)
        when.condition = node->built;
    if (when.condition)
        condition_check_names(d, when.condition);
    return when;
}

enum finding_severity relation_severity(const struct node *level)
{
    return str_eq(node_text(level), "warning") ? FINDING_WARNING : FINDING_ERROR;
}

/* ---- groups --------------------------------------------------------------------------------- */

static const enum group_key form_keys[GROUP_FORMS] = {
    [EXACTLY_ONE] = GROUP_EXACTLY_ONE,
    [AT_LEAST_ONE] = GROUP_AT_LEAST_ONE,
    [AT_MOST_ONE] = GROUP_AT_MOST_ONE,
    [ALL_OR_NONE] = GROUP_ALL_OR_NONE,
};

const char *contract_group_form_name(enum contract_group_form form)
{
    static const char *const names[GROUP_FORMS] = {"exactly_one", "at_least_one", "at_most_one",
                                                   "all_or_none"};

    return names[form];
}

static int compare_index(const void *left, const void *right)
{
    unsigned a = *(const unsigned *)left, b = *(const unsigned *)right;

    return (a > b) - (a < b);
}

/* A name that a group has twice could never be exactly one. */
static void check_repeated(struct contract_document *d, const struct node *list,
                           const unsigned *members, size_t count)
{
    AUTO_FREE unsigned *sorted = mem_new(count + 1, sizeof *sorted);

    if (!sorted) {
        d->no_memory = true;
        return;
    }
    for (size_t i = 0; i < count; i++)
        sorted[i] = members[i];
    qsort(sorted, count, sizeof *sorted, compare_index);
    for (size_t i = 1; i < count; i++)
        if (sorted[i] == sorted[i - 1])
            problem(d, list, AT_VALUE, NULL, "the group names '%.*s' twice",
                    SHOWN(d->names[sorted[i]]));
}

static void build_members(struct contract_document *d, const struct node *list,
                          struct contract_group *group)
{
    unsigned *members = list->kind == NODE_ARRAY ? relation_list(d, list->count, sizeof *members)
                                                 : NULL;

    if (!members || !node_list(list))
        return;
    for (const struct node *item = list->first; item; item = item->next) {
        const char *name = node_text(item);
        long index = name && name[0] ? relation_variable(d, item, AT_VALUE, name) : -1;
        if (index >= 0)
            members[group->count++] = (unsigned)index;
    }
    group->members = members;
    check_repeated(d, list, members, group->count);
}

struct groups {
    struct contract_group *list;
    size_t count;
};

static void build_group(struct contract_document *d, const struct node *entry, void *context)
{
    const struct node *at[GROUP_KEY_COUNT] = {NULL};
    struct groups *groups = context;
    struct contract_group group = {.node = entry};
    size_t forms = 0;

    keys_merge(entry, at, GROUP_KEY_COUNT);
    for (size_t form = 0; form < GROUP_FORMS; form++) {
        if (!at[form_keys[form]])
            continue;
        group.form = (enum contract_group_form)form;
        if (forms++ == 0)
            build_members(d, at[form_keys[form]], &group);
    }
    if (forms != 1)
        problem(d, entry, AT_VALUE,
                "Exactly one of exactly_one, at_least_one, at_most_one and all_or_none.",
                forms == 0 ? "a group says nothing" : "a group says it in several ways");
    group.when = build_when(d, at[GROUP_WHEN]);
    group.doc = node_text(at[GROUP_DOC]);
    groups->list[groups->count++] = group;
}

/* ---- references ----------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum contract_url_part part;
} url_parts[] = {
    {"scheme", PART_SCHEME}, {"user", PART_USER},         {"host", PART_HOST},
    {"port", PART_PORT},     {"database", PART_DATABASE},
};
static const char *const part_names[] = {"scheme",   "user",       "host", "port",
                                         "database", "query.NAME", NULL};
#define QUERY_PART "query."

/* Whether the variable is a URL, if only in one profile. */
static bool may_be_url(const struct contract_document *d, long index)
{
    struct layers layers;

    layers_merge(d, (size_t)index, NULL, &layers);
    if (contract_type_constraints(rules_type(layers.at[VARIABLE_TYPE])) & HAS_URL)
        return true;
    const struct node *profiles = node_member(d->variables[index], "profiles");
    const struct node *over = profiles && profiles->kind == NODE_OBJECT ? profiles->first : NULL;
    for (; over; over = over->next)
        if (contract_type_constraints(rules_type(node_member(over, "type"))) & HAS_URL)
            return true;
    return false;
}

static bool parse_part(struct contract_document *d, const struct node *node, enum problem_at at,
                       const char *part, struct contract_reference *out)
{
    char hint[NEAREST_HINT_BYTES];

    for (size_t i = 0; i < ARRAY_LEN(url_parts); i++) {
        if (str_eq(part, url_parts[i].name)) {
            out->part = url_parts[i].part;
            return true;
        }
    }
    if (str_starts(part, QUERY_PART) && part[strlen(QUERY_PART)]) {
        out->part = PART_QUERY;
        out->parameter = part + strlen(QUERY_PART);
        return true;
    }
    (void)nearest_hint(d, part, part_names, ARRAY_LEN(part_names) - 1, hint);
    problem(d, node, at,
            hint[0] ? hint : "Parts are scheme, user, host, port, database and query.NAME.",
            "'%.*s' is no part of a URL", SHOWN(part));
    return false;
}

/* TEXT, which stands at NODE, as VAR or VAR#part. False: said why. */
static bool parse_reference(struct contract_document *d, const struct node *node,
                            enum problem_at at, const char *text, struct contract_reference *out)
{
    char name[CONTRACT_MAX_KEY_BYTES + 1];
    size_t length = strcspn(text, "#");

    *out = (struct contract_reference){.text = text};
    if (length > CONTRACT_MAX_KEY_BYTES)
        length = CONTRACT_MAX_KEY_BYTES; /* no variable has such a name */
    memcpy(name, text, length);
    name[length] = '\0';
    long index = relation_variable(d, node, at, name);
    if (index < 0)
        return false;
    out->variable = (unsigned)index;
    if (!text[length])
        return true;
    if (!parse_part(d, node, at, text + length + 1, out))
        return false;
    if (!may_be_url(d, index)) {
        problem(d, node, at, "Only types url, postgres-url and redis-url have parts.",
                "a part of '%s', which is no URL", name);
        return false;
    }
    return true;
}

/* ---- rules ---------------------------------------------------------------------------------- */

static void build_match(struct contract_document *d, const struct node *object,
                        struct contract_rule *rule)
{
    if (!object || object->kind != NODE_OBJECT)
        return;
    struct contract_reference *list = relation_list(d, object->count, sizeof *list);
    const char **patterns = relation_list(d, object->count, sizeof *patterns);
    size_t count = 0;
    if (!list || !patterns) {
        if (!d->no_memory)
            problem(d, object, AT_VALUE, NULL, "'match' says nothing");
        return;
    }
    for (const struct node *member = object->first; member; member = member->next) {
        const char *pattern = node_text(member);
        if (!parse_reference(d, member, AT_KEY, member->key, &list[count]) || !pattern)
            continue;
        patterns[count++] = pattern;
    }
    rule->match = (struct contract_references){list, count};
    rule->patterns = patterns;
}

/* WORD is "equal" or "differ": of one there is nothing to compare. */
static struct contract_references build_references(struct contract_document *d,
                                                   const struct node *array, const char *word)
{
    if (!array || array->kind != NODE_ARRAY || !node_list(array))
        return (struct contract_references){0};
    struct contract_reference *list = relation_list(d, array->count, sizeof *list);
    size_t count = 0;
    for (const struct node *item = array->first; list && item; item = item->next) {
        const char *text = node_text(item);
        if (text && text[0] && parse_reference(d, item, AT_VALUE, text, &list[count]))
            count++;
    }
    if (array->count == 1)
        problem(d, array, AT_VALUE, NULL, "'%s' takes two at least", word);
    return (struct contract_references){list, count};
}

struct rules {
    struct contract_rule *list;
    size_t count;
};

static void build_rule(struct contract_document *d, const struct node *entry, void *context)
{
    const struct node *at[RULE_KEY_COUNT] = {NULL};
    struct rules *rules = context;
    struct contract_rule rule = {.node = entry};

    keys_merge(entry, at, RULE_KEY_COUNT);
    rule.id = node_text(at[RULE_ID]);
    rule.say = node_text(at[RULE_SAY]);
    rule.severity = relation_severity(at[RULE_LEVEL]);
    rule.when = build_when(d, at[RULE_WHEN]);
    build_match(d, at[RULE_MATCH], &rule);
    rule.equal = build_references(d, at[RULE_EQUAL], "equal");
    rule.differ = build_references(d, at[RULE_DIFFER], "differ");
    if (!at[RULE_ID])
        problem(d, entry, AT_VALUE, "It names the rule in what is reported.",
                "a rule without 'id'");
    if (!at[RULE_MATCH] && !at[RULE_EQUAL] && !at[RULE_DIFFER])
        problem(d, entry, AT_VALUE, "Add match, equal or differ.", "a rule that asks for nothing");
    rules->list[rules->count++] = rule;
}

static int compare_ids(const void *left, const void *right)
{
    const struct contract_rule *const *a = left, *const *b = right;
    int order = strcmp((*a)->id, (*b)->id);

    return order != 0 ? order : (*a > *b) - (*a < *b);
}

static void check_ids(struct contract_document *d, const struct contract_relations *r)
{
    AUTO_FREE const struct contract_rule **sorted = mem_new(r->rule_count + 1, sizeof(void *));
    size_t count = 0;

    if (!sorted) {
        d->no_memory = true;
        return;
    }
    for (size_t i = 0; i < r->rule_count; i++)
        if (r->rules[i].id)
            sorted[count++] = &r->rules[i];
    qsort(sorted, count, sizeof(void *), compare_ids);
    const struct node *first = NULL;
    for (size_t i = 1; i < count; i++) {
        if (!str_eq(sorted[i]->id, sorted[i - 1]->id)) {
            first = NULL;
            continue;
        }
        first = first ? first : node_member(sorted[i - 1]->node, "id");
        problem(d, node_member(sorted[i]->node, "id"), AT_VALUE, "Give each its own.",
                "two rules have the id '%.*s'; the first is in %s, line %u, column %u",
                SHOWN(sorted[i]->id), d->files[first->file].path, first->line, first->column);
    }
}

struct contract_position relation_position(const struct contract *contract, struct arena *arena,
                                           const struct node *node)
{
    return node_position(contract->document, arena, node, AT_KEY);
}

/* ---- all of them ---------------------------------------------------------------------------- */

void relations_read(struct contract *contract)
{
    struct contract_document *d = contract->document;
    struct contract_relations *r = relation_list(d, 1, sizeof *r);
    struct groups groups = {relation_list(d, relation_count(d, "groups"), sizeof *groups.list), 0};
    struct rules rules = {relation_list(d, relation_count(d, "rules"), sizeof *rules.list), 0};

    if (!r)
        return;
    if (groups.list)
        relation_each(d, "groups", NODE_ARRAY, build_group, &groups);
    if (rules.list)
        relation_each(d, "rules", NODE_ARRAY, build_rule, &rules);
    r->groups = groups.list;
    r->group_count = groups.count;
    r->rules = rules.list;
    r->rule_count = rules.count;
    check_ids(d, r);
    boundaries_read(d, r);
    contract->relations = r;
}
