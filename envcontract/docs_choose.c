/* envcontract/docs_choose.c: which variables an example file sets, and to what.
 *
 * It begins with what is required anyway and what has a default, and adds what conditions and groups
 * then ask for, until nothing is asked for any more. What a rule compares with a secret cannot be
 * known here: secrets are empty until somebody fills them in. */
#include <string.h>

#include "base/str.h"
#include "envcontract/check.h"
#include "envcontract/docs.h"

enum { MAX_ROUNDS = 16 }; /* of conditions that hang on one another */

/* The value that conditions see. A secret has one, and nobody knows which. */
static void use(struct docs_look *look, struct docs_example *e, size_t i)
{
    const char *text = e->choices[i].text;

    e->choices[i].used = true;
    if (!text || !*text)
        text = look->contract->variables[i].secret ? "a secret" : "";
    e->values[i] = (struct contract_value){
        .bytes = secret_borrow(text, strlen(text)), .origin = VALUE_ENVIRONMENT, .resolved = true};
}

static void leave_out(struct docs_example *e, size_t i)
{
    e->choices[i].used = false;
    e->values[i] = (struct contract_value){.resolved = true};
}

static void choose_text(struct docs_look *look, size_t i, const struct layers *layers,
                        struct docs_choice *choice)
{
    const struct contract *contract = look->contract;
    const struct contract_variable *variable = &contract->variables[i];
    const char *example = node_scalar(layers->at[VARIABLE_EXAMPLE]);

    if (variable->secret) {
        choice->text = "";
    } else if (contract->profile && str_eq(variable->name, contract->profile_variable)) {
        choice->text = contract->profile;
    } else if (variable->rules->default_value) {
        choice->text = variable->rules->default_value;
        choice->is_default = true;
    } else if (example && docs_value_fits(look, variable, example)) {
        choice->text = example;
    } else {
        choice->text = docs_made_up(look, variable, layers);
        choice->made_up = !(variable->rules->values && variable->rules->values[0] &&
                            !variable->rules->values[1]);
    }
}

/* ---- what is asked for -------------------------------------------------------------------------- */

static bool holds(const struct docs_look *look, const struct docs_example *e,
                  const struct contract_condition *condition)
{
    return condition && condition_holds(condition, look->contract, e->values) == TRUTH_YES;
}

/* `forbidden`: true, or a condition that holds. */
static bool is_forbidden(struct docs_look *look, const struct docs_example *e, size_t i)
{
    struct layers layers;

    layers_merge(look->d, i, look->contract->profile, &layers);
    const struct node *forbidden = layers.at[VARIABLE_FORBIDDEN];
    return node_truth(forbidden, false) ||
           (forbidden && forbidden->kind == NODE_OBJECT && holds(look, e, forbidden->built));
}

static bool add_required(struct docs_look *look, struct docs_example *e)
{
    const struct contract *contract = look->contract;
    bool changed = false;

    for (size_t i = 0; i < contract->variable_count; i++) {
        const struct contract_rules *rules = contract->variables[i].rules;
        if (e->choices[i].used || !rules->required_when || !e->values[i].resolved ||
            !holds(look, e, rules->required_when) || is_forbidden(look, e, i))
            continue;
        use(look, e, i);
        changed = true;
    }
    return changed;
}

/* The members of a group that the application gets. */
struct members {
    size_t list[CONTRACT_MAX_LIST];
    size_t count, used;
};

static void find_members(const struct docs_look *look, const struct docs_example *e,
                         const struct node *names, struct members *out)
{
    *out = (struct members){.count = 0};
    for (const struct node *name = names->first; name && out->count < CONTRACT_MAX_LIST;
         name = name->next) {
        long index = node_text(name) ? document_find(look->d, name->text) : -1;
        if (index < 0 || !e->values[index].resolved)
            continue;
        out->list[out->count++] = (size_t)index;
        out->used += e->choices[index].used ? 1 : 0;
    }
}

static bool satisfy_group(struct docs_look *look, struct docs_example *e, const struct node *group)
{
    static const char *const one[] = {"exactly_one", "at_least_one"};
    const struct node *when = node_member(group, "when");
    const struct node *all = node_member(group, "all_or_none");
    struct members members;
    bool changed = false;

    if (when && when->kind == NODE_OBJECT && !holds(look, e, when->built))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(one); i++) {
        const struct node *names = node_member(group, one[i]);
        if (!names || names->kind != NODE_ARRAY)
            continue;
        find_members(look, e, names, &members);
        if (members.used > 0 || members.count == 0 || members.count < names->count)
            continue; /* one is agent's own: it may be that one which is set */
        use(look, e, members.list[0]);
        changed = true;
    }
    if (!all || all->kind != NODE_ARRAY)
        return changed;
    find_members(look, e, all, &members);
    for (size_t i = 0; i < members.count && members.used > 0; i++) {
        if (e->choices[members.list[i]].used)
            continue;
        use(look, e, members.list[i]);
        changed = true;
    }
    return changed;
}

static bool satisfy_groups(struct docs_look *look, struct docs_example *e)
{
    const struct node *section;
    size_t file = 0;
    bool changed = false;

    while ((section = docs_next_section(look, "groups", &file)))
        for (const struct node *group = section->kind == NODE_ARRAY ? section->first : NULL; group;
             group = group->next)
            changed = satisfy_group(look, e, group) || changed;
    return changed;
}

/* ---- what belongs to another profile ------------------------------------------------------------ */

/* A value that a fence keeps to another profile: one that is made up, or none, in its place. Defaults
 * stay: with them the application would not start either. */
static void choose_again(struct docs_look *look, struct docs_example *e, size_t i)
{
    struct docs_choice *choice = &e->choices[i];
    struct layers layers;

    if (look->contract->variables[i].secret || choice->is_default)
        return;
    layers_merge(look->d, i, look->contract->profile, &layers);
    choice->text = choice->made_up ? NULL
                                   : docs_made_up(look, &look->contract->variables[i], &layers);
    choice->made_up = true;
    use(look, e, i);
}

static void keep_off_fences(struct docs_look *look, struct docs_example *e)
{
    enum { TRIES = 2 }; /* the example, then what is made up */

    for (size_t tries = 0; tries < TRIES && look->contract->relations; tries++) {
        AUTO_FINDINGS findings = FINDINGS_INIT;
        struct check check = {.contract = look->contract,
                              .values = e->values,
                              .findings = &findings,
                              .steps_left = CHECK_MAX_STEPS};
        check_fences(&check);
        if (findings.no_memory)
            look->d->no_memory = true;
        for (size_t k = 0; k < findings.count; k++) {
            const char *name = findings.list[k].variable;
            long index = name ? document_find(look->d, name) : -1;
            if (index >= 0)
                choose_again(look, e, (size_t)index);
        }
        if (findings.count == 0)
            return;
    }
}

/* ---- all of it ---------------------------------------------------------------------------------- */

struct collection {
    struct docs_look *look;
    struct docs_example *e;
};

static void take_membership(const struct node *group, const struct node *names, void *context)
{
    const struct collection *c = context;

    for (const struct node *name = names->first; name; name = name->next) {
        long index = node_text(name) ? document_find(c->look->d, name->text) : -1;
        if (index < 0)
            continue;
        struct docs_membership *one = arena_new(&c->look->arena, 1, sizeof *one);
        if (!one) {
            c->look->d->no_memory = true;
            return;
        }
        *one = (struct docs_membership){.group = group, .next = c->e->groups[index]};
        c->e->groups[index] = one;
    }
}

static void take_memberships(struct docs_look *look, struct docs_example *e)
{
    struct collection collection = {.look = look, .e = e};
    const struct node *section;
    size_t file = 0;

    while ((section = docs_next_section(look, "groups", &file)))
        for (const struct node *group = section->kind == NODE_ARRAY ? section->first : NULL; group;
             group = group->next)
            docs_group_names(group, take_membership, &collection);
}

/* What needs nothing else to be asked for. */
static void begin(struct docs_look *look, struct docs_example *e)
{
    const struct contract *contract = look->contract;

    for (size_t i = 0; i < contract->variable_count; i++) {
        const struct contract_variable *variable = &contract->variables[i];
        struct layers layers;
        if (variable->for_agent_only)
            continue; /* not resolved: conditions on it say nothing */
        layers_merge(look->d, i, contract->profile, &layers);
        choose_text(look, i, &layers, &e->choices[i]);
        leave_out(e, i);
        bool leaving = layers.at[VARIABLE_DEPRECATED] && !variable->rules->required;
        if ((variable->rules->default_value && !leaving) ||
            (variable->rules->required && !variable->rules->required_when))
            use(look, e, i);
    }
    for (size_t i = 0; i < contract->variable_count; i++)
        if (e->choices[i].used && is_forbidden(look, e, i))
            leave_out(e, i);
}

void docs_choose(struct docs_look *look, struct docs_example *out)
{
    size_t room = look->contract->variable_count + 1;
    struct docs_example e = {
        .choices = arena_new(&look->arena, room, sizeof *e.choices),
        .values = arena_new(&look->arena, room, sizeof *e.values),
        .groups = arena_new(&look->arena, room, sizeof(void *)),
    };

    *out = e;
    if (!e.choices || !e.values || !e.groups) {
        look->d->no_memory = true;
        return;
    }
    take_memberships(look, &e);
    begin(look, &e);
    for (size_t round = 0; round < MAX_ROUNDS; round++) {
        bool required = add_required(look, &e);
        if (!satisfy_groups(look, &e) && !required)
            break;
    }
    keep_off_fences(look, &e);
}
