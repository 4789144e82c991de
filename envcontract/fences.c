/* envcontract/fences.c: what belongs to another profile, and whose host the database may have. */
#include <string.h>

#include "base/str.h"
#include "envcontract/check.h"
#include "envcontract/types.h"

/* ---- globs ---------------------------------------------------------------------------------- */

enum {
    GLOB_STEPS = 8,  /* of a glob that is told at once */
    HOST_STEPS = 20, /* of finding a host in a URL */
};

/* Almost every glob is a text, or a star with a begin, an end or both: those are told at once, and
 * what neither begins nor ends like the glob is none of its. The rest costs steps. */
static bool glob_matches(struct check *c, const char *glob, const char *text, size_t length)
{
    const char *star = strchr(glob, '*'), *last = strrchr(glob, '*');
    size_t size = strlen(glob), begin = star ? (size_t)(star - glob) : size;
    size_t end = star ? strlen(last + 1) : 0;

    if (!check_spend(c, GLOB_STEPS))
        return false;
    if (!strpbrk(glob, "?[\\")) {
        if (length < begin + end || memcmp(glob, text, begin) != 0 ||
            memcmp(glob + size - end, text + length - end, end) != 0)
            return false;
        if (star == last)
            return star || length == begin;
    }
    return check_spend(c, (uint64_t)size * (length + 1)) && str_glob(glob, text, length);
}

/* Hosts have no case, and HOST is in lower case: so is the glob that it is held against. */
static bool host_glob_matches(struct check *c, const char *glob, const char *host, size_t length)
{
    char folded[CONTRACT_MAX_GLOB_BYTES + 1];
    size_t size = strlen(glob);

    if (size >= sizeof folded)
        return false; /* no host has as many bytes; refused in a fence */
    for (size_t i = 0; i <= size; i++)
        folded[i] = (char)(glob[i] >= 'A' && glob[i] <= 'Z' ? glob[i] + ('a' - 'A') : glob[i]);
    return glob_matches(c, folded, host, length);
}

/* ---- fences --------------------------------------------------------------------------------- */

/* One value on its way along the fences of other profiles. */
struct inspection {
    struct check *c;
    const struct contract_variable *variable;
    const struct contract_fence *fence;
    bool found; /* one thing of a fence is enough */
};

static void report(struct inspection *in, const char *what, const char *glob)
{
    struct message message = {0};

    message_addf(&message, "%s of the profile '%s' (`%s`), and this is '%s'", what,
                 in->fence->profile, glob, in->c->contract->profile);
    in->found = true;
    if (check_may_show(in->c, FINDING_ERROR))
        findings_addf(in->c->findings, FINDING_ERROR, in->variable->name, "fence",
                      &in->variable->position, NULL, "%s", message.text);
}

static bool inspect_host(const char *host, size_t length, void *context)
{
    struct inspection *in = context;

    if (!check_spend(in->c, HOST_STEPS))
        return false;
    for (const char *const *glob = in->fence->hosts; *glob; glob++) {
        if (host_glob_matches(in->c, *glob, host, length)) {
            report(in, "a host", *glob);
            return false;
        }
    }
    return true;
}

/* One value, or one item of a list. */
static void inspect_text(struct inspection *in, enum contract_type type, const char *bytes,
                         size_t length)
{
    const char *const *glob = in->fence->values;

    for (; glob && *glob; glob++) {
        if (glob_matches(in->c, *glob, bytes, length)) {
            report(in, "a value", *glob);
            return;
        }
    }
    if (in->fence->hosts && !hosts_each(type, bytes, length, inspect_host, in))
        in->c->findings->no_memory = true;
}

static void inspect(struct inspection *in, const char *bytes, size_t length)
{
    const struct contract_rules *rules = in->variable->rules;
    const char *item;
    size_t at = 0, item_length;

    if (rules->type != TYPE_LIST) {
        inspect_text(in, rules->type, bytes, length);
        return;
    }
    while (!in->found && types_next_item(rules, bytes, length, &at, &item, &item_length))
        inspect_text(in, rules->item ? rules->item->type : TYPE_STRING, item, item_length);
}

void check_fences(struct check *c)
{
    const struct contract_relations *r = c->contract->relations;

    for (size_t i = 0; i < r->fence_count; i++) {
        if (str_eq(r->fences[i].profile, c->contract->profile))
            continue;
        for (size_t k = 0; k < c->contract->variable_count; k++) {
            const struct contract_value *value = &c->values[k];
            struct inspection in = {
                .c = c, .variable = &c->contract->variables[k], .fence = &r->fences[i]};
            if (value->resolved && secret_length(&value->bytes) > 0)
                inspect(&in, secret_reveal(&value->bytes), secret_length(&value->bytes));
        }
    }
}

/* ---- the database's authority --------------------------------------------------------------- */

struct assigned {
    struct check *c;
    const char *const *globs;
    bool other; /* a host that none of them matches */
};

static bool is_assigned(const char *host, size_t length, void *context)
{
    struct assigned *assigned = context;

    if (!check_spend(assigned->c, HOST_STEPS))
        return false;
    for (const char *const *glob = assigned->globs; *glob; glob++)
        if (host_glob_matches(assigned->c, *glob, host, length))
            return true;
    assigned->other = true;
    return false;
}

/* The hosts that the authority's value allows, or NULL: it is none that the contract knows. */
static const char *const *allowed_hosts(const struct contract_authority *authority,
                                        const struct secret *value)
{
    const char *bytes = secret_reveal(value);
    size_t length = secret_length(value);

    for (size_t i = 0; authority->values[i]; i++)
        if (strlen(authority->values[i]) == length &&
            memcmp(authority->values[i], bytes, length) == 0)
            return authority->hosts[i];
    return NULL;
}

static void add_allowed(struct message *out, const char *const *globs)
{
    for (size_t i = 0; globs[i]; i++)
        message_addf(out, "%s`%s`", i == 0 ? "" : globs[i + 1] ? ", " : " or ", globs[i]);
}

void check_authority(struct check *c)
{
    const struct contract_authority *authority = &c->contract->relations->authority;
    const struct contract_variable *variables = c->contract->variables;

    if (!authority->node || !authority->values)
        return;
    const struct contract_variable *variable = &variables[authority->variable];
    const struct secret *value = &c->values[authority->variable].bytes;
    const struct secret *url = &c->values[authority->url].bytes;
    if (value_is_there(variable, &c->values[authority->variable]) != TRUTH_YES ||
        value_is_there(&variables[authority->url], &c->values[authority->url]) != TRUTH_YES)
        return; /* unknown, or `required` says it */
    struct message message = {0};
    struct assigned assigned = {.c = c, .globs = allowed_hosts(authority, value)};
    if (!assigned.globs) {
        message_addf(&message, "%s has a value for which no hosts are named", variable->name);
        check_add_at(c, FINDING_ERROR, variable->name, "authority", authority->node, message.text);
        return;
    }
    if (!hosts_each(TYPE_POSTGRES_URL, secret_reveal(url), secret_length(url), is_assigned,
                    &assigned))
        c->findings->no_memory = true;
    if (!assigned.other || c->steps_left == 0) /* then nothing is known */
        return;
    message_addf(&message, "another host than %s, the database's authority, allows: expected ",
                 variable->name);
    add_allowed(&message, assigned.globs);
    check_add_at(c, FINDING_ERROR, variables[authority->url].name, "authority", authority->node,
                 message.text);
}
