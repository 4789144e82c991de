/* envcontract/select.c: the contract as it is in one profile. */
#include "envcontract/keys.h"

#include <string.h>

#include "base/str.h"

/* What to do where no profile could be chosen. */
static int hint_profiles(const struct contract *contract, struct err *err)
{
    AUTO_BUF names = BUF_INIT(ERR_HINT_BYTES);

    for (const char *const *name = contract->profile_values; name && *name; name++)
        buf_addf(&names, "%s%s", names.len > 0 ? ", " : "", *name);
    return err_hint(err, "Profiles are: %s.", buf_text(&names));
}

static int unknown_profile(const struct contract *contract, const char *from, const char *name,
                           struct err *err)
{
    const char *nearest = str_nearest(name, contract->profile_values);

    (void)err_set(err, ERR_USAGE, "%s: '%.*s' is no profile of %s", from, SHOWN(name),
                  contract->path);
    if (nearest)
        return err_hint(err, "Did you mean '%s'?", nearest);
    return hint_profiles(contract, err);
}

/* *OUT is one of profile_values, or NULL where the contract has no profiles. */
static int choose_profile(const struct contract *contract, const char *wanted,
                          const char *from_environment, const char **out, struct err *err)
{
    const char *variable = contract->profile_variable;
    const char *set = from_environment && from_environment[0] ? from_environment : NULL;

    if (!variable || !contract->profile_values) {
        if (wanted)
            return err_set(err, ERR_USAGE, "--profile '%.*s': %s has no profiles", SHOWN(wanted),
                           contract->path);
        *out = NULL;
        return 0;
    }
    if (wanted && set && !str_eq(wanted, set)) {
        (void)err_set(err, ERR_USAGE, "--profile is '%.*s', but %s in the environment is '%.*s'",
                      SHOWN(wanted), variable, SHOWN(set));
        return err_hint(err, "Take one of them away, or make them the same.");
    }
    const char *name = wanted ? wanted : set ? set : contract->profile_default;
    if (!name) {
        (void)err_set(err, ERR_USAGE, "no profile: %s is not set in the environment", variable);
        (void)err_hint(err, "Set %s, or give --profile.", variable);
        return hint_profiles(contract, err);
    }
    for (const char *const *known = contract->profile_values; *known; known++) {
        if (str_eq(*known, name)) {
            *out = *known;
            return 0;
        }
    }
    return unknown_profile(contract,
                           wanted ? "--profile"
                           : set  ? variable
                                  : "profile.default",
                           name, err);
}

static void select_variables(struct contract *contract, const char *profile)
{
    struct contract_document *d = contract->document;
    struct contract_variable *variables = arena_new(&d->selected, d->variable_count + 1,
                                                    sizeof *variables);

    if (!variables) {
        d->no_memory = true;
        return;
    }
    for (size_t i = 0; i < d->variable_count && !d->no_memory; i++) {
        struct layers layers;
        layers_merge(d, i, profile, &layers);
        rules_build(d, &d->selected, i, &layers, profile, &variables[i]);
        if (contract->profile_is_strict)
            variables[i].overridable = false;
    }
    contract->variables = variables;
    contract->variable_count = d->variable_count;
}

/* Whether memory held out, in the document and in the findings. */
static int finish(struct contract_document *d, struct err *err)
{
    struct findings *findings = d->findings;

    d->findings = NULL;
    findings_sort(findings);
    return d->no_memory ? err_nomem(err) : findings_check(findings, err);
}

int contract_select(struct contract *contract, const char *wanted, const char *from_environment,
                    struct findings *findings, struct err *err)
{
    struct contract_document *d = contract->document;
    const char *profile = NULL;

    if (choose_profile(contract, wanted, from_environment, &profile, err) != 0)
        return -1;
    contract->variables = NULL; /* what was selected before goes away with its arena */
    contract->variable_count = 0;
    arena_release(&d->selected);
    memset(d->made, 0, sizeof d->made);
    d->findings = findings;
    d->source_bytes_left = CONTRACT_MAX_SOURCE_BYTES;
    d->condition_steps_left = CONDITION_MAX_STEPS;
    contract->profile = profile;
    contract->profile_is_strict = false;
    for (const char *const *strict = d->strict_profiles; profile && strict && *strict; strict++)
        contract->profile_is_strict = contract->profile_is_strict || str_eq(*strict, profile);
    select_variables(contract, profile);
    sections_select(contract, profile);
    return finish(d, err);
}

/* ---- lint ----------------------------------------------------------------------------------- */

/* Every secret says how it is replaced, if only that nobody replaces it. */
static void lint_rotate(struct contract_document *d, size_t index)
{
    struct layers layers;

    layers_merge(d, index, NULL, &layers);
    if (node_truth(layers.at[VARIABLE_SECRET], false) && !layers.at[VARIABLE_ROTATE])
        problem_warning(d, d->variables[index], AT_KEY,
                        "Add \"rotate\"; {\"strategy\": \"none\", \"why\": \"…\"} is one.",
                        "a secret without 'rotate'");
}

int contract_lint(struct contract *contract, struct findings *findings, struct err *err)
{
    struct contract_document *d = contract->document;

    d->findings = findings;
    d->looks_left = CONTRACT_MAX_LOOKS;
    d->source_bytes_left = CONTRACT_MAX_SOURCE_BYTES;
    for (size_t i = 0; i < d->variable_count && !d->no_memory && !problems_full(d); i++) {
        lint_rotate(d, i);
    }
    return finish(d, err);
}
