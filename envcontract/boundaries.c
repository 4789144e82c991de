/* envcontract/boundaries.c: fences, unknown names and the database's authority, read off the trees;
 * what is wrong in them is said on the way. */
#include <string.h>

#include "base/str.h"
#include "envcontract/keys.h"

/* ---- fences --------------------------------------------------------------------------------- */

/* The globs are few and short, because every value is held against all of them. */
static void check_globs(struct contract_document *d, const struct node *list, size_t *left)
{
    if (!list || list->kind != NODE_ARRAY)
        return;
    for (const struct node *item = list->first; item; item = item->next) {
        if (item->kind == NODE_STRING && item->count > CONTRACT_MAX_GLOB_BYTES)
            problem(d, item, AT_VALUE, NULL, "a glob of a fence has at most %d bytes",
                    CONTRACT_MAX_GLOB_BYTES);
        if (*left > 0 && --*left == 0)
            problem(d, item, AT_VALUE, NULL, "all fences together have at most %d globs",
                    CONTRACT_MAX_FENCE_GLOBS);
    }
}

static bool has_globs(const struct node *list)
{
    return node_list(list) && node_list(list)[0];
}

struct fences {
    struct contract_fence *list;
    size_t count, globs_left;
};

static void build_fence(struct contract_document *d, const struct node *entry, void *context)
{
    const struct node *at[FENCE_KEY_COUNT] = {NULL};
    struct fences *fences = context;

    keys_merge(entry, at, FENCE_KEY_COUNT);
    check_globs(d, at[FENCE_HOSTS], &fences->globs_left);
    check_globs(d, at[FENCE_VALUES], &fences->globs_left);
    if (!has_globs(at[FENCE_HOSTS]) && !has_globs(at[FENCE_VALUES]))
        return;
    fences->list[fences->count++] = (struct contract_fence){
        .profile = entry->key,
        .hosts = node_list(at[FENCE_HOSTS]),
        .values = node_list(at[FENCE_VALUES]),
    };
}

static void build_fences(struct contract_document *d, struct contract_relations *r)
{
    size_t count = relation_count(d, "fences");
    struct fences fences = {.list = relation_list(d, count, sizeof(struct contract_fence)),
                            .globs_left = CONTRACT_MAX_FENCE_GLOBS + 1};

    for (size_t i = 0; i < d->file_count; i++)
        sections_check_profiles(d, node_member(d->files[i].root, "fences"));
    if (!fences.list)
        return;
    relation_each(d, "fences", NODE_OBJECT, build_fence, &fences);
    r->fences = fences.list;
    r->fence_count = fences.count;
}

/* ---- unknown names -------------------------------------------------------------------------- */

/* A prefix is a glob for how a name begins. */
static const char *const *build_prefixes(struct contract_document *d, const struct node *list)
{
    const char *const *written = node_list(list);
    size_t count = 0;

    while (written && written[count])
        count++;
    const char **globs = relation_list(d, count + 1, sizeof *globs);
    for (size_t i = 0; globs && i < count; i++) {
        globs[i] = arena_printf(&d->arena, "%s*", written[i]);
        if (!globs[i])
            d->no_memory = true;
    }
    return globs;
}

static void build_unknown(struct contract_document *d, struct contract_unknown *out)
{
    const struct node *at[UNKNOWN_KEY_COUNT] = {NULL};
    const struct node *section = node_member(d->files[0].root, "unknown");

    if (!section || section->kind != NODE_OBJECT)
        return;
    keys_merge(section, at, UNKNOWN_KEY_COUNT);
    if (!at[UNKNOWN_PREFIX])
        problem(d, section, AT_KEY, "Add \"prefix\": [\"ACME_\"], how the names begin.",
                "'unknown' has no 'prefix'");
    *out = (struct contract_unknown){
        .prefixes = build_prefixes(d, at[UNKNOWN_PREFIX]),
        .ignore = node_list(at[UNKNOWN_IGNORE]),
        .severity = relation_severity(at[UNKNOWN_LEVEL]),
        .node = section,
    };
}

/* ---- the database's authority --------------------------------------------------------------- */

/* A value that the variable cannot have is a typing mistake. */
static void check_value(struct contract_document *d, const struct node *member,
                        const struct layers *layers)
{
    const char *const *values = node_list(layers->at[VARIABLE_VALUES]);
    char hint[NEAREST_HINT_BYTES];
    size_t count = 0;

    for (; values && values[count]; count++)
        if (str_eq(values[count], member->key))
            return;
    if (values)
        problem(d, member, AT_KEY, nearest_hint(d, member->key, values, count, hint),
                "'%.*s' is no value of the authority's variable", SHOWN(member->key));
}

static void build_hosts(struct contract_document *d, const struct node *hosts,
                        const struct layers *layers, struct contract_authority *out)
{
    const char **values = relation_list(d, (size_t)hosts->count + 1, sizeof *values);
    const char *const **globs = relation_list(d, (size_t)hosts->count + 1, sizeof *globs);
    size_t count = 0;

    if (!values || !globs)
        return;
    for (const struct node *member = hosts->first; member; member = member->next) {
        check_value(d, member, layers);
        if (!node_list(member))
            continue;
        values[count] = member->key;
        globs[count++] = node_list(member);
    }
    out->values = values;
    out->hosts = globs;
}

static void build_authority(struct contract_document *d, struct contract_authority *out)
{
    const struct node *at[AUTHORITY_KEY_COUNT] = {NULL};
    const struct node *database = node_member(d->files[0].root, "database");
    const struct node *section = node_member(database, "authority");
    const char *url = node_text(node_member(database, "url"));
    struct layers layers = {0};

    if (!section || section->kind != NODE_OBJECT)
        return;
    keys_merge(section, at, AUTHORITY_KEY_COUNT);
    if (!at[AUTHORITY_VAR] || !at[AUTHORITY_HOSTS])
        problem(d, section, AT_KEY, NULL, "'authority' has no '%s'",
                at[AUTHORITY_VAR] ? "hosts" : "var");
    const char *name = node_text(at[AUTHORITY_VAR]);
    long variable = name && name[0] ? relation_variable(d, at[AUTHORITY_VAR], AT_VALUE, name) : -1;
    long of = url ? document_find(d, url) : -1; /* said by sections_check */
    if (variable < 0 || of < 0 || !at[AUTHORITY_HOSTS] || at[AUTHORITY_HOSTS]->kind != NODE_OBJECT)
        return;
    layers_merge(d, (size_t)variable, NULL, &layers);
    out->variable = (unsigned)variable;
    out->url = (unsigned)of;
    out->node = section;
    build_hosts(d, at[AUTHORITY_HOSTS], &layers, out);
}

/* ---- all of them ---------------------------------------------------------------------------- */

void boundaries_read(struct contract_document *d, struct contract_relations *out)
{
    build_fences(d, out);
    build_unknown(d, &out->unknown);
    build_authority(d, &out->authority);
}
