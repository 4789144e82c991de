/* envcontract/relations.h: what the contract says of several variables together, as a model, and of
 * one variable's life: groups, rules, fences, unknown names, the database's authority; aliases,
 * deprecation, expiry.
 *
 * Built once when the contract is loaded, from the contract and what it includes, in the order of
 * the files; the profile decides when values are held against it. Variables are indices into
 * contract->variables. All strings live as long as the contract. */
#ifndef ENVCONTRACT_RELATIONS_H
#define ENVCONTRACT_RELATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "envcontract/contract.h"

struct node;
struct contract_condition;

enum {
    CONTRACT_MAX_FENCE_GLOBS = 256, /* of all fences: each value is held against those of others */
    CONTRACT_MAX_GLOB_BYTES = 256,  /* of one of them */
};

/* `when`: neither: always. */
struct contract_when {
    bool never;
    const struct contract_condition *condition; /* or NULL */
};

enum contract_group_form { EXACTLY_ONE, AT_LEAST_ONE, AT_MOST_ONE, ALL_OR_NONE, GROUP_FORMS };

struct contract_group {
    enum contract_group_form form;
    const unsigned *members;
    size_t count;
    struct contract_when when;
    const char *doc; /* or NULL */
    const struct node *node;
};
const char *contract_group_form_name(enum contract_group_form form); /* "exactly_one" */

/* VAR or VAR#part. */
enum contract_url_part {
    PART_WHOLE,
    PART_SCHEME,
    PART_USER,
    PART_HOST,
    PART_PORT,
    PART_DATABASE,
    PART_QUERY,
};

struct contract_reference {
    const char *text; /* as it is written */
    unsigned variable;
    enum contract_url_part part;
    const char *parameter; /* of query.NAME */
};

struct contract_references {
    const struct contract_reference *list;
    size_t count;
};

struct contract_rule {
    const char *id;
    struct contract_when when;
    struct contract_references match; /* each held against the pattern at its place */
    const char *const *patterns;
    struct contract_references equal, differ;
    enum finding_severity severity;
    const char *say; /* or NULL */
    const struct node *node;
};

/* What belongs to one profile; a profile may have several, one for each file. One list at least. */
struct contract_fence {
    const char *profile;
    const char *const *hosts, *const *values; /* globs, NULL-terminated; or NULL */
};

struct contract_unknown {
    const char *const *prefixes; /* globs for the whole name; NULL: the contract has no `unknown` */
    const char *const *ignore;   /* globs; or NULL */
    enum finding_severity severity;
    const struct node *node;
};

/* Which hosts the database may have, by the value of one variable. */
struct contract_authority {
    const struct node *node; /* NULL: the contract says nothing */
    unsigned variable, url;
    const char *const *values;       /* NULL-terminated */
    const char *const *const *hosts; /* globs, parallel to values */
};

struct contract_relations {
    const struct contract_group *groups;
    size_t group_count;
    const struct contract_rule *rules;
    size_t rule_count;
    const struct contract_fence *fences;
    size_t fence_count;
    struct contract_unknown unknown;
    struct contract_authority authority;
};

/* Where NODE stands; the pointer is in ARENA. */
struct contract_position relation_position(const struct contract *contract, struct arena *arena,
                                           const struct node *node);

/* ---- the life of one variable --------------------------------------------------------------- */

/* A day, or none: text is NULL then. */
struct contract_day {
    const char *text;
    int64_t day; /* since 1970-01-01 */
};

struct contract_alias {
    const char *name;
    struct contract_day remove;
};

struct contract_life {
    const struct contract_alias *aliases;
    size_t alias_count;
    bool deprecated;
    struct contract_day since, remove; /* of the deprecation */
    const char *use;                   /* what to use in its place, or NULL */
    struct contract_day expires;
};

#endif
