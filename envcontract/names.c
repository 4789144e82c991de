/* envcontract/names.c: the process's environment as a list of names: those that nobody declared, and
 * old ones in place of their variables. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "envcontract/check.h"

enum {
    UNKNOWN_SHOWN = 1000,                /* more are counted */
    UNKNOWN_NEAREST_BUDGET = 200 * 1000, /* names compared for proposals */
    GLOB_STEPS = 4,                      /* each, beside a match's own */
};

/* Steps of names over globs, a quarter of a second of them. */
#define UNKNOWN_MAX_STEPS (50ULL * 1000 * 1000)

/* A name that the contract knows beside those of its variables. */
struct known {
    const char *name;
    size_t variable;                    /* index */
    const struct contract_alias *alias; /* NULL: the source of a variable */
};

struct names {
    const struct contract *contract;
    const struct contract_value *values;
    struct findings *findings;
    const char *const *entries; /* NAME=value, or NULL */
    size_t entry_count;
    struct known *known; /* sorted by name */
    size_t known_count;
    const char **own; /* each variable's value under its own name or its source's; NULL: none */
    size_t nearest_left, unknown_left, unknown_more;
    uint64_t steps_left;
};

static void names_release(struct names *n)
{
    free(n->known);
    free(n->own);
}

/* ---- what is known -------------------------------------------------------------------------- */

/* An environment name that a source reads: env:NAME. */
static bool is_other_name(const struct contract_variable *variable, const struct ref *ref)
{
    return ref->kind == REF_ENV && ref->path && !str_eq(ref->path, variable->name);
}

/* Fill LIST (NULL: count only). */
static size_t collect_known(const struct contract *contract, struct known *list)
{
    size_t count = 0;

    for (size_t i = 0; i < contract->variable_count; i++) {
        const struct contract_variable *variable = &contract->variables[i];
        const struct contract_life *life = variable->life;
        for (size_t k = 0; life && k < life->alias_count; k++, count++)
            if (list)
                list[count] = (struct known){life->aliases[k].name, i, &life->aliases[k]};
        for (size_t k = 0; k < variable->part_count; k++) {
            if (!is_other_name(variable, &variable->parts[k].ref))
                continue;
            if (list)
                list[count] = (struct known){variable->parts[k].ref.path, i, NULL};
            count++;
        }
    }
    return count;
}

static int compare_known(const void *left, const void *right)
{
    const struct known *a = left, *b = right;

    return strcmp(a->name, b->name);
}

static int find_name(const void *name, const void *known)
{
    return strcmp(name, ((const struct known *)known)->name);
}

static const struct known *find_known(const struct names *n, const char *name)
{
    if (n->known_count == 0)
        return NULL;
    return bsearch(name, n->known, n->known_count, sizeof *n->known, find_name);
}

static int prepare(struct names *n, struct err *err)
{
    n->known_count = collect_known(n->contract, NULL);
    n->known = mem_new(n->known_count + 1, sizeof *n->known);
    n->own = mem_new(n->contract->variable_count + 1, sizeof *n->own);
    if (!n->known || !n->own)
        return err_nomem(err);
    (void)collect_known(n->contract, n->known); /* as many as before */
    qsort(n->known, n->known_count, sizeof *n->known, compare_known);
    return 0;
}

/* ---- unknown names -------------------------------------------------------------------------- */

static bool matches_any(struct names *n, const char *const *globs, const char *name)
{
    size_t length = strlen(name);

    for (; globs && *globs && steps_take(&n->steps_left, GLOB_STEPS); globs++)
        if (str_glob_within(*globs, name, length, &n->steps_left))
            return true;
    return false;
}

static bool is_listed(struct names *n, const char *const *list, const char *name)
{
    for (; list && *list && steps_take(&n->steps_left, 1); list++)
        if (str_eq(*list, name))
            return true;
    return false;
}

/* Whether another part of the contract names it: it is handed to a command, or held back. */
static bool is_named_elsewhere(struct names *n, const char *name)
{
    return is_listed(n, n->contract->run_unset, name) ||
           is_listed(n, n->contract->database.env, name) ||
           is_listed(n, n->contract->guard.env, name);
}

/* Where `unknown` stands, for each finding of it. */
static void add_finding(struct names *n, const char *name, const char *hint, const char *message)
{
    const struct contract_unknown *unknown = &n->contract->relations->unknown;
    AUTO_ARENA arena = ARENA_INIT;
    struct contract_position position = relation_position(n->contract, &arena, unknown->node);

    if (!position.pointer)
        n->findings->no_memory = true;
    findings_addf(n->findings, unknown->severity, name, "unknown", &position, hint, "%s", message);
}

static void add_unknown(struct names *n, const char *name)
{
    struct message hint = {0};
    const char *nearest = NULL;

    if (n->unknown_left == 0) {
        n->unknown_more++;
        return;
    }
    n->unknown_left--;
    if (n->nearest_left >= n->contract->variable_count) {
        n->nearest_left -= n->contract->variable_count;
        nearest = contract_nearest_name(n->contract, name);
    }
    if (nearest)
        message_addf(&hint, "Did you mean '%s'?", nearest);
    add_finding(n, name, hint.text, "set in the environment, and the contract does not know it");
}

static void say_more_unknown(struct names *n)
{
    struct message message = {0};

    if (n->unknown_more == 0)
        return;
    message_addf(&message, "%zu more names that the contract does not know", n->unknown_more);
    add_finding(n, NULL, NULL, message.text);
}

/* Names that were not looked at must not pass for known ones. */
static void say_exhausted(struct names *n)
{
    if (n->steps_left == 0)
        findings_addf(
            n->findings, FINDING_ERROR, NULL, "contract", NULL,
            "Give 'unknown' fewer and shorter globs.",
            "holding names to 'unknown' takes more than %llu steps: what is beyond them was "
            "not looked at",
            UNKNOWN_MAX_STEPS);
}

/* ---- aliases -------------------------------------------------------------------------------- */

bool contract_is_value(const struct contract_variable *variable, const char *text)
{
    return text && (*text || variable->rules->empty_ok);
}

/* The alias is what the variable's value was read from. */
static void add_used(struct names *n, const struct contract_variable *variable,
                     const struct contract_alias *alias)
{
    bool removed = alias->remove.text && date_today() >= alias->remove.day;
    struct message message = {0}, hint = {0};

    message_addf(&message, "set as %s, an old name of it", alias->name);
    if (alias->remove.text)
        message_addf(&message, removed ? " that was taken away on %s" : " that goes away on %s",
                     alias->remove.text);
    message_addf(&hint, "Set %s in its place.", variable->name);
    findings_addf(n->findings, removed ? FINDING_ERROR : FINDING_WARNING, variable->name,
                  removed ? "removed" : "alias", &variable->position, hint.text, "%s",
                  message.text);
}

static void check_alias(struct names *n, const struct known *known, const char *text)
{
    const struct contract_variable *variable = &n->contract->variables[known->variable];
    const struct contract_value *value = &n->values[known->variable];
    const char *own = n->own[known->variable];
    struct message message = {0};

    if (!value->resolved || !contract_is_value(variable, text))
        return;
    if (!contract_is_value(variable, own)) {
        if (value->origin == VALUE_ENVIRONMENT) /* else the source won: `shadowed` says it */
            add_used(n, variable, known->alias);
        return;
    }
    if (str_eq(own, text))
        return; /* set under both names, while readers move from one to the other */
    message_addf(&message, "%s, an old name of it, has another value, which is not used",
                 known->alias->name);
    findings_addf(n->findings, FINDING_WARNING, variable->name, "alias", &variable->position,
                  "Unset the old name.", "%s", message.text);
}

/* ---- the walk ------------------------------------------------------------------------------- */

typedef void (*visit_entry)(struct names *n, const char *name, const char *text);

/* Call VISIT for each entry with its name taken off. */
static int each_entry(struct names *n, visit_entry visit, struct err *err)
{
    AUTO_BUF name = BUF_INIT(SECRET_MAX_BYTES);

    for (size_t i = 0; i < n->entry_count; i++) {
        const char *equals = n->entries[i] ? strchr(n->entries[i], '=') : NULL;
        if (!equals)
            continue;
        buf_clear(&name);
        buf_add(&name, n->entries[i], (size_t)(equals - n->entries[i]));
        if (buf_check(&name, ERR_VIOLATION, "a name in the environment", err) != 0)
            return -1;
        visit(n, buf_text(&name), equals + 1);
    }
    return 0;
}

static void note_own(struct names *n, const char *name, const char *text)
{
    const struct contract_variable *variable = contract_find(n->contract, name);
    const struct known *known = find_known(n, name);

    if (variable)
        n->own[variable - n->contract->variables] = text;
    else if (known && !known->alias && n->contract->variables[known->variable].part_count == 1)
        n->own[known->variable] = text;
}

static void look_at(struct names *n, const char *name, const char *text)
{
    const struct contract_unknown *unknown = &n->contract->relations->unknown;
    const struct known *known = find_known(n, name);

    if (known && known->alias)
        check_alias(n, known, text);
    if (known || !matches_any(n, unknown->prefixes, name) ||
        matches_any(n, unknown->ignore, name) || contract_find(n->contract, name) ||
        is_named_elsewhere(n, name))
        return;
    if (n->steps_left > 0) /* else it may be one of those to ignore */
        add_unknown(n, name);
}

int contract_check_environment(const struct contract *contract, const struct contract_value *values,
                               const char *const *entries, size_t count, struct findings *findings,
                               struct err *err)
{
    CLEANUP(names_release)
    struct names n = {.contract = contract,
                      .values = values,
                      .findings = findings,
                      .entries = entries,
                      .entry_count = count,
                      .nearest_left = UNKNOWN_NEAREST_BUDGET,
                      .unknown_left = UNKNOWN_SHOWN,
                      .steps_left = UNKNOWN_MAX_STEPS};

    if (!contract->relations || prepare(&n, err) != 0)
        return contract->relations ? -1 : 0;
    if (n.known_count == 0 && !contract->relations->unknown.prefixes)
        return 0;
    if (each_entry(&n, note_own, err) != 0 || each_entry(&n, look_at, err) != 0)
        return -1;
    say_more_unknown(&n);
    say_exhausted(&n);
    findings_sort(findings);
    return findings_check(findings, err);
}
