/* envcontract/rules.c: the keys of one variable → its rules. */
#include "envcontract/keys.h"

#include <string.h>

#include "base/str.h"

static void *new_in(struct contract_document *d, struct arena *a, size_t count, size_t size)
{
    void *made = arena_new(a, count, size);

    if (!made)
        d->no_memory = true;
    return made;
}

/* ---- url and path: made once, where they stand ---------------------------------------------- */

static enum contract_demand demand_of(const struct node *value)
{
    if (value && str_eq(node_text(value), "required"))
        return DEMAND_PRESENT;
    if (value && str_eq(node_text(value), "forbidden"))
        return DEMAND_ABSENT;
    return DEMAND_NOTHING;
}

static void build_ports(struct contract_document *d, const struct node *value,
                        struct contract_url_rules *rules)
{
    bool list = value && value->kind == NODE_ARRAY;
    size_t count = list ? value->count : 1;
    uint16_t *ports = value ? new_in(d, &d->arena, count, sizeof *ports) : NULL;

    if (!ports)
        return;
    rules->ports = ports;
    for (const struct node *item = list ? value->first : value; item;
         item = list ? item->next : NULL) {
        int64_t port = node_integer(item, 0);
        if (port > 0 && port <= UINT16_MAX)
            ports[rules->port_count++] = (uint16_t)port;
    }
}

static void build_query(struct contract_document *d, const struct node *value,
                        struct contract_url_rules *rules)
{
    if (!value || value->kind != NODE_OBJECT)
        return;
    struct contract_query_rule *query = new_in(d, &d->arena, value->count, sizeof *query);
    if (!query)
        return;
    rules->query = query;
    for (const struct node *member = value->first; member; member = member->next) {
        query->name = member->key;
        query->values = member->kind == NODE_BOOL ? NULL : node_list(member);
        query->demand = node_truth(member, true) ? DEMAND_PRESENT : DEMAND_ABSENT;
        query++;
        rules->query_count++;
    }
}

void rules_build_url(struct contract_document *d, struct node *value)
{
    const struct node *at[URL_KEY_COUNT] = {NULL};
    struct contract_url_rules *rules = new_in(d, &d->arena, 1, sizeof *rules);

    if (!rules)
        return;
    keys_merge(value, at, URL_KEY_COUNT);
    rules->scheme = node_list(at[URL_SCHEME]);
    rules->host = node_list(at[URL_HOST]);
    rules->deny_host = node_list(at[URL_DENY_HOST]);
    rules->user_patterns = node_list(at[URL_USER]);
    rules->user = rules->user_patterns ? DEMAND_PRESENT : demand_of(at[URL_USER]);
    rules->password = demand_of(at[URL_PASSWORD]);
    build_ports(d, at[URL_PORT], rules);
    build_query(d, at[URL_QUERY], rules);
    value->built = rules;
}

void rules_build_path(struct contract_document *d, struct node *value)
{
    const struct node *at[PATH_KEY_COUNT] = {NULL};
    struct contract_path_rules *rules = new_in(d, &d->arena, 1, sizeof *rules);

    if (!rules)
        return;
    keys_merge(value, at, PATH_KEY_COUNT);
    rules->must_exist = node_truth(at[PATH_MUST_EXIST], false);
    rules->readable = node_truth(at[PATH_READABLE], false);
    if (at[PATH_DIR])
        rules->kind = node_truth(at[PATH_DIR], false) ? PATH_OF_FOLDER : PATH_OF_NO_FOLDER;
    value->built = rules;
}

/* ---- layers --------------------------------------------------------------------------------- */

static const struct node *of_kind(const struct node *value, enum node_kind kind)
{
    return value && value->kind == kind ? value : NULL;
}

/* OBJECT and, over it, its own profile. */
static void merge_with_profile(const struct node *object, const char *profile,
                               const struct node **merged)
{
    keys_merge(object, merged, VARIABLE_KEY_COUNT);
    if (!profile)
        return;
    const struct node *profiles = of_kind(merged[VARIABLE_PROFILES], NODE_OBJECT);
    const struct node *over = node_member(profiles, profile);
    keys_merge(over, merged, VARIABLE_KEY_COUNT);
}

void layers_merge(const struct contract_document *d, size_t index, const char *profile,
                  struct layers *out)
{
    *out = (struct layers){0};
    merge_with_profile(d->base, profile, out->at);
    memcpy(out->under, out->at, sizeof out->under);
    out->at[VARIABLE_PROFILES] = NULL; /* base's are used up; the variable's own come now */
    merge_with_profile(d->variables[index], profile, out->at);
}

/* ---- rules ---------------------------------------------------------------------------------- */

/* Keys that make a difference to struct contract_rules. */
static const enum variable_key rule_keys[] = {
    VARIABLE_TYPE,     VARIABLE_VALUES,         VARIABLE_MIN,      VARIABLE_MAX,
    VARIABLE_LENGTH,   VARIABLE_MIN_BYTES,      VARIABLE_PATTERN,  VARIABLE_PREFIX,
    VARIABLE_URL,      VARIABLE_PATH,           VARIABLE_REQUIRED, VARIABLE_EMPTY,
    VARIABLE_DEFAULT,  VARIABLE_PLACEHOLDER_OK, VARIABLE_COMPOSE,  VARIABLE_FORBIDDEN,
    VARIABLE_DISTINCT, VARIABLE_DEPRECATED,     VARIABLE_ITEM,     VARIABLE_SEPARATOR,
};

static bool is_plain(const struct layers *layers)
{
    for (size_t i = 0; i < ARRAY_LEN(rule_keys); i++) {
        if (layers->at[rule_keys[i]])
            return false;
    }
    return true;
}

enum contract_type rules_type(const struct node *value)
{
    const char *name = node_text(value);

    for (int type = 0; name && type < CONTRACT_TYPE_COUNT; type++) {
        if (str_eq(name, contract_type_name((enum contract_type)type)))
            return (enum contract_type)type;
    }
    return TYPE_STRING;
}

static void build_bound(const struct node *value, enum contract_type type,
                        struct contract_bound *out)
{
    const char *text = node_scalar(value);

    if (text && (contract_type_constraints(type) & HAS_MIN_MAX) &&
        types_parse_bound(type, text, out) != 0)
        *out = (struct contract_bound){0}; /* said by lint */
}

static void build_length(const struct node *value, struct contract_rules *rules)
{
    const struct node *min = of_kind(value, NODE_ARRAY) ? value->first : NULL;
    const struct node *max = min ? min->next : NULL;
    int64_t from = node_integer(min, -1), to = node_integer(max, -1);

    if (!max || from < 0 || (to < 0 && max->kind != NODE_NULL))
        return;
    rules->has_length = true;
    rules->length_min = (size_t)from;
    rules->length_max = max->kind == NODE_NULL ? SIZE_MAX : (size_t)to;
}

void rules_build_constraints(const struct node *const at[static VARIABLE_KEY_COUNT],
                             struct contract_rules *rules)
{
    rules->type = rules_type(at[VARIABLE_TYPE]);
    unsigned constraints = contract_type_constraints(rules->type);

    rules->values = node_list(at[VARIABLE_VALUES]);
    build_bound(at[VARIABLE_MIN], rules->type, &rules->min);
    build_bound(at[VARIABLE_MAX], rules->type, &rules->max);
    build_length(at[VARIABLE_LENGTH], rules);
    if ((constraints & HAS_MIN_BYTES) && node_integer(at[VARIABLE_MIN_BYTES], 0) > 0)
        rules->min_bytes = (size_t)node_integer(at[VARIABLE_MIN_BYTES], 0);
    rules->pattern = node_text(at[VARIABLE_PATTERN]);
    rules->prefix = node_text(at[VARIABLE_PREFIX]);
    if ((constraints & HAS_URL) && of_kind(at[VARIABLE_URL], NODE_OBJECT))
        rules->url = at[VARIABLE_URL]->built;
    if ((constraints & HAS_PATH) && of_kind(at[VARIABLE_PATH], NODE_OBJECT))
        rules->path = at[VARIABLE_PATH]->built;
    if ((constraints & HAS_ITEM) && of_kind(at[VARIABLE_ITEM], NODE_OBJECT))
        rules->item = at[VARIABLE_ITEM]->built;
    if (constraints & HAS_ITEM)
        rules->separator = node_text(at[VARIABLE_SEPARATOR]);
}

static void build_forbidden(const struct node *forbidden, struct contract_rules *rules)
{
    rules->forbidden = node_truth(forbidden, false);
    if (of_kind(forbidden, NODE_OBJECT)) {
        rules->forbidden = forbidden->built != NULL;
        rules->forbidden_when = forbidden->built;
    }
}

static void build_rules(const struct layers *layers, struct contract_rules *rules)
{
    const struct node *const *at = layers->at;
    const struct node *required = at[VARIABLE_REQUIRED];

    rules->placeholder_ok = node_truth(at[VARIABLE_PLACEHOLDER_OK], false);
    rules->empty_ok = str_eq(node_text(at[VARIABLE_EMPTY]), "ok");
    rules->default_value = node_scalar(at[VARIABLE_DEFAULT]);
    rules->required = node_truth(required, rules->default_value == NULL);
    if (of_kind(required, NODE_OBJECT)) {
        rules->required = required->built != NULL;
        rules->required_when = required->built;
    }
    build_forbidden(at[VARIABLE_FORBIDDEN], rules);
    rules->distinct = node_truth(at[VARIABLE_DISTINCT], false);
    if (at[VARIABLE_DEPRECATED])
        rules->required = false; /* nobody has to set what is going away */
    if (node_text(at[VARIABLE_COMPOSE]))
        rules->compose = at[VARIABLE_COMPOSE]->built;
    rules_build_constraints(at, rules);
}

/* FNV-1a, a word at a time. */
static size_t hash(const struct contract_rules *rules)
{
    uint64_t words[sizeof *rules / sizeof(uint64_t)], sum = 14695981039346656037ULL;

    memcpy(words, rules, sizeof words);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        sum = (sum ^ words[i]) * 1099511628211ULL;
    return (size_t)(sum >> 32);
}

/* Most of a large contract's variables are of a few kinds: what is equal to its bytes is kept once.
 * Two that are equal and differ in padding are kept twice, and that is all. */
static struct contract_rules *keep_rules(struct contract_document *d, struct arena *a,
                                         const struct contract_rules *rules)
{
    struct contract_rules **made = NULL, *kept;

    if (a == &d->selected) {
        made = &d->made[hash(rules) & (CONTRACT_MADE_RULES - 1)];
        if (*made && memcmp(*made, rules, sizeof *rules) == 0)
            return *made;
    }
    if (!(kept = new_in(d, a, 1, sizeof *kept)))
        return NULL;
    memcpy(kept, rules, sizeof *kept);
    if (made)
        *made = kept;
    return kept;
}

void rules_build(struct contract_document *d, struct arena *a, size_t index,
                 const struct layers *layers, const char *profile, struct contract_variable *out)
{
    const struct node *const *at = layers->at;
    struct contract_rules *rules = &d->plain_rules, made;

    if (!is_plain(layers)) {
        memset(&made, 0, sizeof made); /* its padding, too */
        build_rules(layers, &made);
        if (!(rules = keep_rules(d, a, &made)))
            return;
    }
    *out = (struct contract_variable){
        .name = d->variables[index]->key,
        .position = node_position(d, a, d->variables[index], AT_KEY),
        .secret = node_truth(at[VARIABLE_SECRET], false),
        .for_agent_only = str_eq(node_text(at[VARIABLE_EXPOSE]), "agent"),
        .overridable = node_truth(at[VARIABLE_OVERRIDE], false),
        .doc = node_text(at[VARIABLE_DOC]),
        .stale_ok_ms = node_duration_ms(at[VARIABLE_STALE_OK], 0),
        .rules = rules,
        .life = life_build(d, a, at),
    };
    out->aliases = life_alias_names(d, a, out->life);
    source_build(d, a, at[VARIABLE_SOURCE], profile, out);
}
