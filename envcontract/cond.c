/* envcontract/cond.c: conditions: built, described, and held against values. */
#include "envcontract/keys.h"

#include <string.h>

#include "base/str.h"

/* What looking costs, in steps; a match of globs takes its own. */
enum {
    CONDITION_STEPS = 4,       /* each */
    CONDITION_VALUE_STEPS = 80 /* of finding a variable */
};

enum condition_kind {
    CONDITION_ALL, /* of its children */
    CONDITION_ANY,
    CONDITION_NONE, /* `not`: the child does not hold */
    CONDITION_SET,
    CONDITION_UNSET,
    CONDITION_MATCHES, /* the variable's value, one of the globs */
    CONDITION_PROFILE, /* the profile, one of the globs */
};

struct contract_condition {
    enum condition_kind kind;
    const char *name;                        /* of the variable */
    const struct node *node;                 /* where it stands */
    const char *const *globs;                /* NULL-terminated */
    struct contract_condition *first, *next; /* children; the next of its parent's */
};

static struct contract_condition *build_object(struct contract_document *d, struct node *value);

static struct contract_condition *new_condition(struct contract_document *d,
                                                enum condition_kind kind, const struct node *node)
{
    struct contract_condition *condition = arena_new(&d->arena, 1, sizeof *condition);

    if (!condition) {
        d->no_memory = true;
        return NULL;
    }
    condition->kind = kind;
    condition->node = node;
    return condition;
}

/* `any` and `all`: a list of conditions. */
static struct contract_condition *build_list(struct contract_document *d, struct node *value,
                                             enum condition_kind kind)
{
    if (value->kind != NODE_ARRAY || value->count == 0) {
        problem(d, value, AT_VALUE, NULL, "'%s' takes a list of conditions", value->key);
        return NULL;
    }
    struct contract_condition *condition = new_condition(d, kind, value);
    struct contract_condition **link = condition ? &condition->first : NULL;
    for (struct node *item = value->first; item && link; item = item->next) {
        *link = build_object(d, item);
        if (*link)
            link = &(*link)->next;
    }
    return condition;
}

static struct contract_condition *build_not(struct contract_document *d, struct node *value)
{
    struct contract_condition *condition = new_condition(d, CONDITION_NONE, value);

    if (condition)
        condition->first = build_object(d, value);
    return condition && condition->first ? condition : NULL;
}

/* The globs of `"NAME": "x"` or `"NAME": ["x", "y"]`; NULL: said why. */
static const char *const *build_globs(struct contract_document *d, struct node *value)
{
    static const struct key globs = {.name = "a condition", .kind = KIND_SCALARS};

    if (value->kind == NODE_ARRAY) {
        kind_check(d, &globs, value);
        return value->count > 0 ? node_list(value) : NULL;
    }
    const char **one = arena_new(&d->arena, 2, sizeof *one);
    if (!one) {
        d->no_memory = true;
        return NULL;
    }
    one[0] = node_scalar(value);
    if (one[0])
        return one;
    problem(d, value, AT_VALUE, NULL,
            "a condition takes a glob, a list of them, true (set) or false (unset), not %s",
            node_kind_words(value));
    return NULL;
}

static struct contract_condition *build_test(struct contract_document *d, struct node *value)
{
    bool profile = str_eq(value->key, "@profile");
    bool truth = value->kind == NODE_BOOL && !profile;
    enum condition_kind kind = CONDITION_MATCHES;

    if (value->key[0] == '@' && !profile) {
        problem(d, value, AT_KEY, "Did you mean '@profile'?", "'%.*s' is not known",
                SHOWN(value->key));
        return NULL;
    }
    if (truth)
        kind = value->truth ? CONDITION_SET : CONDITION_UNSET;
    else if (profile)
        kind = CONDITION_PROFILE;
    if (profile && !d->has_profiles)
        problem(d, value, AT_KEY, NULL, "'@profile' in a contract without 'profile'");
    if (profile && value->kind == NODE_BOOL) {
        problem(d, value, AT_VALUE, NULL, "'@profile' takes a profile or a list of them");
        return NULL;
    }
    struct contract_condition *condition = new_condition(d, kind, value);
    if (!condition)
        return NULL;
    condition->name = profile ? NULL : value->key;
    if (!truth && !(condition->globs = build_globs(d, value)))
        return NULL;
    return condition;
}

static struct contract_condition *build_member(struct contract_document *d, struct node *value)
{
    if (str_eq(value->key, "any"))
        return build_list(d, value, CONDITION_ANY);
    if (str_eq(value->key, "all"))
        return build_list(d, value, CONDITION_ALL);
    if (str_eq(value->key, "not"))
        return build_not(d, value);
    return build_test(d, value);
}

#define CONDITION_EXAMPLE "For example {\"EMAIL_MODE\": \"resend\"}."

static struct contract_condition *build_object(struct contract_document *d, struct node *value)
{
    if (value->kind != NODE_OBJECT || value->count == 0) {
        problem(d, value, AT_VALUE, CONDITION_EXAMPLE,
                value->kind == NODE_OBJECT ? "an empty condition" : "a condition is an object");
        return NULL;
    }
    if (value->count == 1)
        return build_member(d, value->first);
    struct contract_condition *condition = new_condition(d, CONDITION_ALL, value);
    struct contract_condition **link = condition ? &condition->first : NULL;
    for (struct node *member = value->first; member && link; member = member->next) {
        *link = build_member(d, member);
        if (*link)
            link = &(*link)->next;
    }
    return condition;
}

void condition_build(struct contract_document *d, struct node *value)
{
    if (value->kind == NODE_OBJECT)
        value->built = build_object(d, value);
    else if (value->kind != NODE_BOOL)
        problem(d, value, AT_VALUE, CONDITION_EXAMPLE,
                "'%s' takes true, false or a condition, not %s", value->key,
                node_kind_words(value));
}

void condition_check_names(struct contract_document *d, const struct contract_condition *condition)
{
    char hint[NEAREST_HINT_BYTES];

    for (const struct contract_condition *child = condition->first; child; child = child->next)
        condition_check_names(d, child);
    if (condition->name && document_find(d, condition->name) < 0 && !problems_full(d))
        problem(d, condition->node, AT_KEY,
                nearest_hint(d, condition->name, d->names, d->variable_count, hint),
                "a condition on '%.*s', which is no variable of the contract",
                SHOWN(condition->name));
    if (condition->kind != CONDITION_PROFILE || !d->profiles)
        return;
    for (const char *const *glob = condition->globs; *glob; glob++) {
        bool one = false;
        for (size_t i = 0; i < d->profile_count; i++)
            one = one || str_glob(*glob, d->profiles[i], strlen(d->profiles[i]));
        if (!one && !problems_full(d))
            problem(d, condition->node, AT_VALUE,
                    nearest_hint(d, *glob, d->profiles, d->profile_count, hint),
                    "'%.*s' is no profile of the contract", SHOWN(*glob));
    }
}

/* ---- held against values -------------------------------------------------------------------- */

static enum truth truth_of(bool holds)
{
    return holds ? TRUTH_YES : TRUTH_NO;
}

/* NULL: there is no end, in a model that was put together by hand. */
static uint64_t *steps_of(const struct contract *contract)
{
    return contract->document ? &contract->document->condition_steps_left : NULL;
}

static bool is_exhausted(const struct contract *contract)
{
    return contract->document && contract->document->condition_steps_left == 0;
}

static enum truth matches(const struct contract *contract, const char *const *globs,
                          const char *text, size_t length)
{
    uint64_t enough = UINT64_MAX, *left = steps_of(contract), *steps_left = left ? left : &enough;

    for (; *globs; globs++) {
        if (str_glob_within(*globs, text, length, steps_left))
            return TRUTH_YES;
    }
    return *steps_left > 0 ? TRUTH_NO : TRUTH_UNKNOWN;
}

enum truth value_is_there(const struct contract_variable *variable,
                          const struct contract_value *value)
{
    if (!value->resolved)
        return TRUTH_UNKNOWN;
    return truth_of(secret_is_set(&value->bytes) &&
                    (secret_length(&value->bytes) > 0 || variable->rules->empty_ok));
}

enum truth when_holds(const struct contract_when *when, const struct contract *contract,
                      const struct contract_value *values)
{
    if (when->never)
        return TRUTH_NO;
    return when->condition ? condition_holds(when->condition, contract, values) : TRUTH_YES;
}

/* Set means: there is a value. */
static enum truth test_value(const struct contract_condition *condition,
                             const struct contract *contract, const struct contract_value *values)
{
    if (!steps_take(steps_of(contract), CONDITION_VALUE_STEPS))
        return TRUTH_UNKNOWN;
    const struct contract_variable *variable = contract_find(contract, condition->name);
    if (!variable)
        return TRUTH_UNKNOWN;

    const struct contract_value *value = &values[variable - contract->variables];
    if (!value->resolved)
        return TRUTH_UNKNOWN;
    bool set = value_is_there(variable, value) == TRUTH_YES;
    if (condition->kind == CONDITION_SET)
        return truth_of(set);
    if (condition->kind == CONDITION_UNSET)
        return truth_of(!set);
    return set ? matches(contract, condition->globs, secret_reveal(&value->bytes),
                         secret_length(&value->bytes))
               : TRUTH_NO;
}

/* ALL is no when one is, yes when all are; ANY the other way round. */
static enum truth fold(const struct contract_condition *condition, enum truth decides,
                       const struct contract *contract, const struct contract_value *values)
{
    enum truth result = decides == TRUTH_NO ? TRUTH_YES : TRUTH_NO;

    for (const struct contract_condition *child = condition->first; child; child = child->next) {
        enum truth one = condition_holds(child, contract, values);
        if (one == decides)
            return decides;
        if (one == TRUTH_UNKNOWN)
            result = TRUTH_UNKNOWN;
        if (is_exhausted(contract))
            return TRUTH_UNKNOWN; /* the others cannot be looked at */
    }
    return result;
}

enum truth condition_holds(const struct contract_condition *condition,
                           const struct contract *contract, const struct contract_value *values)
{
    enum truth inner;

    if (!steps_take(steps_of(contract), CONDITION_STEPS))
        return TRUTH_UNKNOWN;
    switch (condition->kind) {
    case CONDITION_ALL:
        return fold(condition, TRUTH_NO, contract, values);
    case CONDITION_ANY:
        return fold(condition, TRUTH_YES, contract, values);
    case CONDITION_NONE:
        inner = condition_holds(condition->first, contract, values);
        if (inner == TRUTH_UNKNOWN)
            return TRUTH_UNKNOWN;
        return truth_of(inner == TRUTH_NO);
    case CONDITION_PROFILE:
        return contract->profile ? matches(contract, condition->globs, contract->profile,
                                           strlen(contract->profile))
                                 : TRUTH_NO;
    case CONDITION_SET:
    case CONDITION_UNSET:
    case CONDITION_MATCHES:
        break;
    }
    return test_value(condition, contract, values);
}

/* ---- in words ------------------------------------------------------------------------------- */

static void describe_children(const struct contract_condition *condition, const char *word,
                              struct buf *out)
{
    bool several = condition->first && condition->first->next;

    if (several)
        buf_addc(out, '(');
    for (const struct contract_condition *child = condition->first; child && !out->too_long;
         child = child->next) {
        if (child != condition->first)
            buf_addf(out, " %s ", word);
        condition_describe(child, out);
    }
    if (several)
        buf_addc(out, ')');
}

static void describe_globs(const struct contract_condition *condition, struct buf *out)
{
    for (const char *const *glob = condition->globs; *glob && !out->too_long; glob++)
        buf_addf(out, "%s'%.*s'", glob == condition->globs ? "" : " or ", SHOWN(*glob));
}

void condition_describe(const struct contract_condition *condition, struct buf *out)
{
    switch (condition->kind) {
    case CONDITION_ALL:
        describe_children(condition, "and", out);
        return;
    case CONDITION_ANY:
        describe_children(condition, "or", out);
        return;
    case CONDITION_NONE:
        buf_adds(out, "not ");
        condition_describe(condition->first, out);
        return;
    case CONDITION_SET:
        buf_addf(out, "%s is set", condition->name);
        return;
    case CONDITION_UNSET:
        buf_addf(out, "%s is not set", condition->name);
        return;
    case CONDITION_MATCHES:
        buf_addf(out, "%s is ", condition->name);
        describe_globs(condition, out);
        return;
    case CONDITION_PROFILE:
        buf_adds(out, "the profile is ");
        describe_globs(condition, out);
        return;
    }
}
