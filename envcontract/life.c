/* envcontract/life.c: aliases, deprecation and expiry of one variable: its keys → struct
 * contract_life. */
#include "envcontract/keys.h"

static void *new_in(struct contract_document *d, struct arena *a, size_t count, size_t size)
{
    void *made = arena_new(a, count, size);

    if (!made)
        d->no_memory = true;
    return made;
}

/* What is no day was said by keys_check. */
static struct contract_day day_of(const struct node *node)
{
    struct contract_day day = {0};

    if (node_text(node) && date_parse(node->text, node->count, &day.day))
        day.text = node->text;
    return day;
}

static void build_aliases(struct contract_document *d, struct arena *a, const struct node *list,
                          struct contract_life *life)
{
    if (!list || list->kind != NODE_ARRAY || list->count == 0)
        return;
    struct contract_alias *aliases = new_in(d, a, list->count, sizeof *aliases);
    if (!aliases)
        return;
    for (const struct node *item = list->first; item; item = item->next) {
        const struct node *at[ALIAS_KEY_COUNT] = {NULL};
        keys_merge(item, at, ALIAS_KEY_COUNT);
        if (node_text(at[ALIAS_NAME]))
            aliases[life->alias_count++] = (struct contract_alias){
                .name = at[ALIAS_NAME]->text, .remove = day_of(at[ALIAS_REMOVE])};
    }
    life->aliases = aliases;
}

const struct contract_life *life_build(struct contract_document *d, struct arena *a,
                                       const struct node *const at[static VARIABLE_KEY_COUNT])
{
    const struct node *deprecated[DEPRECATED_KEY_COUNT] = {NULL};

    if (!at[VARIABLE_ALIASES] && !at[VARIABLE_DEPRECATED] && !at[VARIABLE_EXPIRES])
        return NULL;
    struct contract_life *life = new_in(d, a, 1, sizeof *life);
    if (!life)
        return NULL;
    keys_merge(at[VARIABLE_DEPRECATED], deprecated, DEPRECATED_KEY_COUNT);
    life->deprecated = at[VARIABLE_DEPRECATED] != NULL;
    life->since = day_of(deprecated[DEPRECATED_SINCE]);
    life->remove = day_of(deprecated[DEPRECATED_REMOVE]);
    life->use = node_text(deprecated[DEPRECATED_USE]);
    life->expires = day_of(at[VARIABLE_EXPIRES]);
    build_aliases(d, a, at[VARIABLE_ALIASES], life);
    return life;
}

const char *const *life_alias_names(struct contract_document *d, struct arena *a,
                                    const struct contract_life *life)
{
    if (!life || life->alias_count == 0)
        return NULL;
    const char **names = new_in(d, a, life->alias_count + 1, sizeof *names);
    for (size_t i = 0; names && i < life->alias_count; i++)
        names[i] = life->aliases[i].name;
    return names;
}

struct contract_about contract_about(const struct contract *contract,
                                     const struct contract_variable *variable)
{
    struct layers layers;

    layers_merge(contract->document, (size_t)(variable - contract->variables), contract->profile,
                 &layers);
    return (struct contract_about){
        .owner = node_text(layers.at[VARIABLE_OWNER]),
        .link = node_text(layers.at[VARIABLE_LINK]),
        .example = node_scalar(layers.at[VARIABLE_EXAMPLE]),
    };
}
