/* envcontract/types_item.c: the section `item` of a list → the rules of each item.
 *
 * It stands in one place and nothing lies over it (what lies over a list's keys replaces `item`
 * whole), so it is built and looked at where it is read, as `url` and `path` are. */
#include "base/str.h"
#include "envcontract/keys.h"

/* The key of a variable that means the same. */
static const enum variable_key variable_keys[ITEM_KEY_COUNT] = {
    [ITEM_TYPE] = VARIABLE_TYPE,       [ITEM_VALUES] = VARIABLE_VALUES,
    [ITEM_MIN] = VARIABLE_MIN,         [ITEM_MAX] = VARIABLE_MAX,
    [ITEM_LENGTH] = VARIABLE_LENGTH,   [ITEM_MIN_BYTES] = VARIABLE_MIN_BYTES,
    [ITEM_PATTERN] = VARIABLE_PATTERN, [ITEM_PREFIX] = VARIABLE_PREFIX,
    [ITEM_URL] = VARIABLE_URL,         [ITEM_PATH] = VARIABLE_PATH,
};

/* A constraint that the type does not have would be accepted and not enforced. */
static void look_at_constraints(struct contract_document *d, const struct node *const *item,
                                enum contract_type type)
{
    static const struct {
        enum item_key key;
        enum contract_constraint constraint;
    } constraints[] = {{ITEM_MIN, HAS_MIN_MAX},
                       {ITEM_MAX, HAS_MIN_MAX},
                       {ITEM_MIN_BYTES, HAS_MIN_BYTES},
                       {ITEM_URL, HAS_URL},
                       {ITEM_PATH, HAS_PATH}};
    unsigned has = contract_type_constraints(type);

    for (size_t i = 0; i < ARRAY_LEN(constraints); i++) {
        const struct node *node = item[constraints[i].key];
        struct message hint = {0};
        if (!node || (has & constraints[i].constraint))
            continue;
        contract_types_with(constraints[i].constraint, &hint);
        problem(d, node, AT_KEY, hint.text, "this type has no '%s'", node->key);
    }
    if ((has & NEEDS_VALUES) && !item[ITEM_VALUES])
        problem(d, item[ITEM_TYPE], AT_VALUE, "Add \"values\": [\"…\"].",
                "an enum without 'values'");
}

static void look_at_bound(struct contract_document *d, const struct node *node,
                          enum contract_type type, const struct contract_bound *bound)
{
    struct message hint = {0};

    if (!node || !node_scalar(node) || node->kind == NODE_BOOL || bound->text)
        return;
    message_addf(&hint, "It is to be %s.", contract_type_expects(type));
    problem(d, node, AT_VALUE, hint.text, "'%s' is no value of its type", node->key);
}

static void look_at_bounds(struct contract_document *d, const struct node *const *item,
                           const struct contract_rules *rules)
{
    if (!(contract_type_constraints(rules->type) & HAS_MIN_MAX))
        return;
    look_at_bound(d, item[ITEM_MIN], rules->type, &rules->min);
    look_at_bound(d, item[ITEM_MAX], rules->type, &rules->max);
    if (rules->min.text && rules->max.text &&
        types_compare_bounds(rules->type, &rules->max, &rules->min) < 0)
        problem(d, item[ITEM_MAX], AT_VALUE, NULL, "'max' is below 'min'");
}

void item_build(struct contract_document *d, struct node *value)
{
    const struct node *item[ITEM_KEY_COUNT] = {NULL}, *at[VARIABLE_KEY_COUNT] = {NULL};
    struct contract_rules *rules = arena_new(&d->arena, 1, sizeof *rules);

    if (!rules) {
        d->no_memory = true;
        return;
    }
    keys_merge(value, item, ITEM_KEY_COUNT);
    for (size_t i = 0; i < ITEM_KEY_COUNT; i++)
        at[variable_keys[i]] = item[i];
    rules_build_constraints(at, rules);
    look_at_constraints(d, item, rules->type);
    look_at_bounds(d, item, rules);
    value->built = rules;
}
