/* envcontract/lint.c: what a schema cannot say about variables.
 *
 * A variable is looked at once for all profiles in which nothing lies over it, and once for each in
 * which something does; what was said of a key once is not said again. */
#include "envcontract/lint.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

enum {
    MAX_DEFAULT_STEPS = 50 * 1000 *
                        1000, /* of holding defaults to their rules: a quarter of a second */
    MAX_DEFAULT_BYTES = 16 * 1024 * 1024, /* of all defaults, base's counted each time */
    SUBJECT_BYTES = 128,
};

/* What is left for the whole document. */
struct budget {
    uint64_t default_steps;
    size_t default_bytes;
    bool steps_said, bytes_said;
    struct pattern_cache patterns; /* base's is every variable's */
};

bool lint_said_before(struct said *said, const void *what, const char *text)
{
    for (size_t i = 0; i < said->count; i++) {
        if (said->what[i] == what && said->text[i] == text)
            return true;
    }
    if (said->count < LINT_MAX_SAID) {
        said->what[said->count] = what;
        said->text[said->count++] = text;
    }
    return false;
}

void lint_say(const struct look *look, struct said *said, const struct node *node,
              enum problem_at at, const char *hint, const char *text)
{
    if (lint_said_before(said, node, text))
        return;
    problem(look->d, node, at, hint, "%s%s%s%s", text, look->one_profile ? " (in profile '" : "",
            look->one_profile ? look->profile : "", look->one_profile ? "')" : "");
}

static const struct node *own(const struct look *look, enum variable_key key)
{
    const struct node *node = look->layers.at[key];

    return node == look->layers.under[key] ? NULL : node;
}

/* ---- types and bounds ----------------------------------------------------------------------- */

/* A constraint that the type does not have would be accepted and not enforced. `base` may have them
 * for the types that do. */
static void look_at_constraints(const struct look *look, struct said *said)
{
    static const struct {
        enum variable_key key;
        enum contract_constraint constraint;
        const char *text;
    } constraints[] = {
        {VARIABLE_MIN, HAS_MIN_MAX, "this type has no 'min'"},
        {VARIABLE_MAX, HAS_MIN_MAX, "this type has no 'max'"},
        {VARIABLE_MIN_BYTES, HAS_MIN_BYTES, "this type has no 'min_bytes'"},
        {VARIABLE_URL, HAS_URL, "this type has no 'url'"},
        {VARIABLE_PATH, HAS_PATH, "this type has no 'path'"},
        {VARIABLE_ITEM, HAS_ITEM, "this type has no 'item'"},
        {VARIABLE_SEPARATOR, HAS_ITEM, "this type has no 'separator'"},
    };
    unsigned has = contract_type_constraints(look->variable.rules->type);

    for (size_t i = 0; i < ARRAY_LEN(constraints); i++) {
        const struct node *node = own(look, constraints[i].key);
        struct message hint = {0};
        if (!node || (has & constraints[i].constraint))
            continue;
        contract_types_with(constraints[i].constraint, &hint);
        lint_say(look, said, node, AT_KEY, hint.text, constraints[i].text);
    }
    const struct node *type = look->layers.at[VARIABLE_TYPE];
    if ((has & NEEDS_VALUES) && !look->layers.at[VARIABLE_VALUES] && type)
        lint_say(look, said, type, AT_VALUE, "Add \"values\": [\"…\"].",
                 "an enum without 'values'");
}

static bool bound_is_wrong(const struct node *node, const struct contract_bound *bound)
{
    return node && node_scalar(node) && node->kind != NODE_BOOL && !bound->text;
}

static void look_at_bounds(const struct look *look, struct said *said)
{
    const struct contract_rules *rules = look->variable.rules;
    const struct node *min = look->layers.at[VARIABLE_MIN], *max = look->layers.at[VARIABLE_MAX];

    if (!(contract_type_constraints(rules->type) & HAS_MIN_MAX))
        return;
    struct message hint = {0};
    message_addf(&hint, "It is to be %s.", contract_type_expects(rules->type));
    if (bound_is_wrong(min, &rules->min))
        lint_say(look, said, min, AT_VALUE, hint.text, "'min' is no value of its type");
    if (bound_is_wrong(max, &rules->max))
        lint_say(look, said, max, AT_VALUE, hint.text, "'max' is no value of its type");
    if (!rules->min.text || !rules->max.text)
        return;
    if (types_compare_bounds(rules->type, &rules->max, &rules->min) < 0)
        lint_say(look, said, max, AT_VALUE, NULL, "'max' is below 'min'");
}

/* ---- sources -------------------------------------------------------------------------------- */

static bool has_only(const struct contract_variable *variable, enum ref_kind kind)
{
    for (size_t i = 0; i < variable->part_count; i++) {
        if (variable->parts[i].ref.kind != kind)
            return false;
    }
    return true;
}

/* The admin's password that Vault's database engine keeps to itself: it has no source on purpose. */
static bool is_nobodys(const struct node *const *at)
{
    return at[VARIABLE_SOURCE] &&
           str_eq(node_text(node_member(at[VARIABLE_ROTATE], "strategy")), "vault-root");
}

static void look_at_secret(const struct look *look, struct said *said)
{
    const struct node *const *at = look->layers.at;
    const struct contract_variable *variable = &look->variable;

    if (!variable->secret)
        return;
    if (at[VARIABLE_DEFAULT])
        lint_say(look, said, at[VARIABLE_DEFAULT], AT_KEY,
                 "Take it away, and replace it where it is used.",
                 "a secret with a default in the contract");
    if (at[VARIABLE_EXAMPLE])
        lint_say(look, said, at[VARIABLE_EXAMPLE], AT_KEY, "Say in 'doc' what it looks like.",
                 "a secret with an example in the contract");
    bool has_source = at[VARIABLE_SOURCE] && !has_only(variable, REF_NONE);
    if (!has_source && !is_nobodys(at))
        lint_say(look, said, look->d->variables[look->index], AT_KEY,
                 "Add \"source\"; \"env\" is one, where the platform sets it.",
                 "a secret without a source");
}

/* A secret store does not decide what code is loaded. */
static void look_at_loader(const struct look *look, struct said *said)
{
    const struct node *source = look->layers.at[VARIABLE_SOURCE];

    if (source && str_starts(look->variable.name, "LD_") && !has_only(&look->variable, REF_ENV))
        lint_say(look, said, source, AT_VALUE, "The dynamic loader's variables come from env only.",
                 "a source other than env decides what code is loaded");
}

static bool has_part(const struct contract_variable *variable, const char *name)
{
    for (size_t i = 0; i < variable->part_count; i++) {
        if (str_eq(variable->parts[i].name, name))
            return true;
    }
    return false;
}

static bool is_used(const struct template *compose, const char *name)
{
    for (size_t i = 0; i < compose->count; i++) {
        if (str_eq(compose->pieces[i].name, name))
            return true;
    }
    return false;
}

static void look_at_names(const struct look *look, struct said *said, const struct node *node,
                          const struct template *compose)
{
    const struct contract_variable *variable = &look->variable;

    for (size_t i = 0; i < compose->count; i++) {
        const char *name = compose->pieces[i].name;
        if (name && !has_part(variable, name) && !lint_said_before(said, node, name))
            problem(look->d, node, AT_VALUE, "The names are the keys of 'source'.",
                    "'{%.*s}' in 'compose' is no part of the source", SHOWN(name));
    }
    for (size_t i = 0; i < variable->part_count; i++) {
        const char *name = variable->parts[i].name;
        if (name && !is_used(compose, name) && !lint_said_before(said, node, name))
            problem(look->d, node, AT_VALUE, NULL,
                    "the part '%.*s' of the source is not in 'compose'", SHOWN(name));
    }
}

static void look_at_compose(const struct look *look, struct said *said)
{
    const struct node *compose = look->layers.at[VARIABLE_COMPOSE];
    const struct node *source = look->layers.at[VARIABLE_SOURCE];
    bool several = look->variable.part_count > 0 && look->variable.parts[0].name;

    if (several && !compose)
        lint_say(look, said, source, AT_KEY, "Add \"compose\": \"…{name}…\".",
                 "a source of several parts without 'compose'");
    else if (compose && !several)
        lint_say(look, said, compose, AT_KEY,
                 "Make 'source' an object of named parts, or take it away.",
                 "'compose' without a source of several parts");
    else if (compose && look->variable.rules->compose)
        look_at_names(look, said, compose, look->variable.rules->compose);
}

/* ---- defaults ------------------------------------------------------------------------------- */

/* Whether all defaults up to this one are few enough to be kept: base's is one of every variable. */
static bool may_have(const struct look *look, struct budget *budget, const struct node *node,
                     size_t length)
{
    if (length > SECRET_MAX_BYTES) {
        problem(look->d, node, AT_VALUE, "Put it into a file.", "a value has at most %d bytes",
                SECRET_MAX_BYTES);
        return false;
    }
    if (budget->default_bytes > length) {
        budget->default_bytes -= length + 1;
        return true;
    }
    if (!budget->bytes_said)
        problem(look->d, node, AT_VALUE, "Split the contract.",
                "the defaults of all variables have more than %d bytes together",
                MAX_DEFAULT_BYTES);
    budget->bytes_said = true;
    budget->default_bytes = 0;
    return false;
}

/* A contract in which they cost more is still used: what a value must be is looked at then, too. */
static void say_exceeded(const struct look *look, struct budget *budget, const struct node *node)
{
    if (budget->default_steps > 0 || budget->steps_said)
        return;
    budget->steps_said = true;
    problem_warning(
        look->d, node, AT_VALUE, "Give them shorter lists and simpler patterns.",
        "holding the defaults to their types takes more than %d steps: from here on they "
        "are checked when they are used",
        MAX_DEFAULT_STEPS);
}

static void look_at_default(const struct look *look, struct said *said)
{
    const struct contract_rules *rules = look->variable.rules;
    const struct node *node = look->layers.at[VARIABLE_DEFAULT];
    char subject[SUBJECT_BYTES] = "the default: ";

    if (!rules->default_value || look->variable.secret)
        return;
    size_t length = node->kind == NODE_BOOL ? strlen(rules->default_value) : node->count;
    if (length == 0) {
        if (!rules->empty_ok)
            lint_say(look, said, node, AT_VALUE, "Add \"empty\": \"ok\", or take it away.",
                     "an empty default counts as missing");
        return;
    }
    if (problems_full(look->d) || !may_have(look, said->budget, node, length))
        return;
    if (look->one_profile)
        (void)snprintf(subject, sizeof subject,
                       "the default, in profile '%.*s': ", SHOWN(look->profile));

    struct contract_position position = node_position(look->d, &look->d->scratch, node, AT_VALUE);
    size_t before = look->d->findings->count;
    struct validation validation = {
        .variable = &look->variable,
        .position = &position,
        .subject = subject,
        .findings = look->d->findings,
        .patterns = &said->budget->patterns,
        .steps_left = &said->budget->default_steps,
    };
    types_validate(&validation, rules, rules->default_value, length);
    say_exceeded(look, said->budget, node);
    look->d->problems += look->d->findings->count - before;
}

/* A copy that lies nowhere would be missed when it is too late. */
static void look_at_stale(const struct look *look, struct said *said)
{
    const struct node *stale_ok = look->layers.at[VARIABLE_STALE_OK];
    const struct node *run = node_member(look->d->files[0].root, "run");

    if (stale_ok && !node_member(run, "stale"))
        lint_say(look, said, stale_ok, AT_KEY,
                 "Add \"run\": {\"stale\": {\"dir\": …, \"key_file\": …}}, on a volume that "
                 "stays.",
                 "'stale_ok' in a contract without 'run.stale'");
}

/* ---- each variable -------------------------------------------------------------------------- */

static void look_at_variable(struct look *look, struct said *said)
{
    struct contract_document *d = look->d;

    layers_merge(d, look->index, look->profile, &look->layers);
    rules_build(d, &d->scratch, look->index, &look->layers, look->profile, &look->variable);
    if (d->no_memory || d->source_bytes_left == 0)
        return; /* of what was not built nothing can be said */
    look_at_constraints(look, said);
    look_at_bounds(look, said);
    look_at_secret(look, said);
    look_at_loader(look, said);
    look_at_compose(look, said);
    look_at_default(look, said);
    look_at_stale(look, said);
    lint_rotation(look, said);
}

static void look_once(struct look look, struct said *said)
{
    if (look.d->looks_left == 0)
        return;
    look.d->looks_left--;
    look_at_variable(&look, said);
}

/* The profiles in which something lies over the variable, a bit each. */
static uint32_t profiles_over(const struct contract_document *d, size_t index)
{
    const struct node *base = node_member(d->base, "profiles");
    const struct node *own_profiles = node_member(d->variables[index], "profiles");
    uint32_t over = 0;

    for (size_t i = 0; (base || own_profiles) && i < d->profile_count; i++)
        if (node_member(base, d->profiles[i]) || node_member(own_profiles, d->profiles[i]))
            over |= UINT32_C(1) << i;
    return over;
}

/* In each profile in which something lies over the variable, and once for all others: the look's profile is
 * then the first of them, or NULL where there are none. */
static void look_in_each_profile(struct contract_document *d, size_t index, struct said *said)
{
    uint32_t over = profiles_over(d, index);
    uint32_t others = (uint32_t)((UINT64_C(1) << d->profile_count) - 1) & ~over;
    bool rest = false;

    if (d->profile_count == 0)
        look_once((struct look){.d = d, .index = index, .profiles = 1}, said);
    for (size_t i = 0; i < d->profile_count; i++) {
        uint32_t bit = UINT32_C(1) << i;
        struct look look = {.d = d, .index = index, .profile = d->profiles[i]};
        look.one_profile = over & bit;
        look.profiles = look.one_profile ? bit : others;
        if (look.one_profile || !rest)
            look_once(look, said);
        rest = rest || !look.one_profile;
    }
}

static void check_condition(struct contract_document *d, const struct node *condition)
{
    if (condition && condition->kind == NODE_OBJECT && condition->built)
        condition_check_names(d, condition->built);
}

/* What one object of a variable's keys says for itself, wherever it lies. PROFILE: over the rest. */
static void check_object(struct contract_document *d, const struct node *object,
                         const char *profile)
{
    bool strict = false;

    for (const char *const *name = d->strict_profiles; profile && name && *name; name++)
        strict = strict || str_eq(*name, profile);
    check_condition(d, node_member(object, "required"));
    check_condition(d, node_member(object, "forbidden"));
    lint_rotation_names(d, object);
    lint_life(d, object, strict);
}

static void check_all_objects(struct contract_document *d, const struct node *object)
{
    const struct node *profiles = node_member(object, "profiles");

    check_object(d, object, NULL);
    sections_check_profiles(d, profiles);
    if (!profiles || profiles->kind != NODE_OBJECT)
        return;
    for (const struct node *profile = profiles->first; profile; profile = profile->next)
        check_object(d, profile, profile->key);
}

/* A profile is the value that its variable gets: one that it cannot have is a typing mistake. */
static void look_at_profiles(struct contract_document *d)
{
    const struct node *section = node_member(d->files[0].root, "profile");
    const char *name = node_text(node_member(section, "var"));
    long variable = name ? document_find(d, name) : -1;

    for (size_t i = 0; variable >= 0 && i < d->profile_count && !problems_full(d); i++) {
        struct layers layers;
        layers_merge(d, (size_t)variable, d->profiles[i], &layers);
        const char *const *allowed = node_list(layers.at[VARIABLE_VALUES]);
        bool may_be = !allowed;
        for (; allowed && *allowed && !may_be; allowed++)
            may_be = str_eq(*allowed, d->profiles[i]);
        if (!may_be)
            problem(d, node_member(section, "values"), AT_VALUE,
                    "Add it to the variable's 'values', or take it away here.",
                    "the profile '%.*s' is no value that '%s' may have", SHOWN(d->profiles[i]),
                    name);
    }
}

static void budget_release(struct budget *budget)
{
    pattern_cache_release(&budget->patterns);
}

void lint_variables(struct contract_document *d)
{
    CLEANUP(budget_release)
    struct budget budget = {.default_steps = MAX_DEFAULT_STEPS, .default_bytes = MAX_DEFAULT_BYTES};
    CLEANUP(login_uses_release) struct login_uses logins = {0};
    CLEANUP(place_uses_release) struct place_uses places = place_uses_new();

    budget.patterns.steps_left = &budget.default_steps;
    d->looks_left = CONTRACT_MAX_LOOKS;
    d->source_bytes_left = CONTRACT_MAX_SOURCE_BYTES;
    look_at_profiles(d);
    check_all_objects(d, d->base);
    for (size_t i = 0; i < d->variable_count && !problems_full(d) && !d->no_memory; i++) {
        struct said said = {.budget = &budget, .logins = &logins, .places = &places};
        check_all_objects(d, d->variables[i]);
        d->looking_at = d->names[i];
        look_in_each_profile(d, i, &said);
        d->looking_at = NULL;
        if (i % LINT_SCRATCH_VARIABLES == 0)
            arena_release(&d->scratch);
    }
    lint_aliases(d);
    lint_logins(d, &logins);
    lint_places(d, &places);
    lint_rotation_cycles(d);
    if (d->looks_left == 0)
        problem(d, NULL, AT_KEY, "Split the contract.",
                "more than %d variables, each counted for every profile in which it differs",
                CONTRACT_MAX_LOOKS - 1);
}
