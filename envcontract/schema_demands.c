/* envcontract/schema_demands.c: what one key of the contract asks of another, as far as JSON Schema
 * can say it.
 *
 * A variable is what `base`, its own keys and its profile's make together, so a key is said to be
 * wrong only where nothing that lies over it can make it right: the schema never refuses what agent
 * takes. */
#include "envcontract/schema.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/str.h"

enum { FRAGMENT_MAX_BYTES = 4096 };

#define NAME "^[A-Za-z_][A-Za-z0-9_]*"

/* VAR or VAR#part. */
#define REFERENCE "{'pattern': '" NAME "(#(scheme|user|host|port|database|query\\\\..+))?$'}"

/* A variable's name, what its keys ask of one another, and what the dynamic loader's may not have. */
#define VARIABLES                                                               \
    "'propertyNames': {'pattern': '" NAME "$'},"                                \
    "'allOf': [{'additionalProperties': {'$ref': '#/$defs/variable_demands'}}," \
    "{'patternProperties': {'^LD_': {'$ref': '#/$defs/loader_variable'}}}]"

/* ---- what sections and keys ask for, whole -------------------------------------------------- */

/* Of a section, or of one key of it. */
static const struct demand {
    const char *section, *key;
    const char *members; /* ' for " */
} demands[] = {
    {"top", NULL, "'required': ['contract', 'vars']"},
    {"top", "vars", VARIABLES},
    {"included", NULL, "'required': ['contract']"},
    {"included", "vars", VARIABLES},
    {"profile", NULL, "'required': ['var', 'values']"},
    {"profile", "values", "'minItems': 1, 'uniqueItems': true"},
    {"top", "base", "'not': {'required': ['aliases']}"},
    {"unknown", NULL, "'required': ['prefix']"},
    {"group", NULL,
     "'oneOf': [{'required': ['exactly_one']}, {'required': ['at_least_one']},"
     " {'required': ['at_most_one']}, {'required': ['all_or_none']}]"},
    {"group", "exactly_one", "'uniqueItems': true"},
    {"group", "at_least_one", "'uniqueItems': true"},
    {"group", "at_most_one", "'uniqueItems': true"},
    {"group", "all_or_none", "'uniqueItems': true"},
    {"rule", NULL,
     "'required': ['id'],"
     "'anyOf': [{'required': ['match']}, {'required': ['equal']}, {'required': ['differ']}]"},
    {"rule", "match", "'minProperties': 1, 'propertyNames': " REFERENCE},
    {"rule", "equal", "'allOf': [{'minItems': 2, 'items': " REFERENCE "}]"},
    {"rule", "differ", "'allOf': [{'minItems': 2, 'items': " REFERENCE "}]"},
    {"alias", NULL, "'required': ['name']"},
    {"alias", "name", "'pattern': '" NAME "$'"},
    {"authority", NULL, "'required': ['var', 'hosts']"},
    {"doc", "sections", "'minItems': 1, 'uniqueItems': true"},
    {"auth", NULL,
     "'required': ['method'],"
     "'if': {'properties': {'method': {'const': 'userpass'}}},"
     "'then': {'required': ['username', 'password']}"},
    {"database", NULL,
     "'required': ['url'],"
     "'if': {'properties': {'create': {'required': ['command']}}, 'required': ['create']},"
     "'then': {'properties': {'expect': {'minItems': 1}}, 'required': ['expect']}"},
    {"top", "records", "'pattern': '^vault:[^#]+$'"},
    {"after", NULL,
     "'oneOf': [{'required': ['command'], 'properties': {'signal': false, 'pidfile': false}},"
     " {'required': ['signal', 'pidfile'], 'properties': {'command': false}}]"},
    {"test", NULL, "'required': ['command']"},
    {"rotate", "mirrors",
     "'allOf': [{'items': {'pattern': '^(vault:[^#]+#[^#]+|sealed:[A-Za-z_{][A-Za-z0-9_{}]*)$'}}]"},
    {"create", NULL, "'minProperties': 1, 'maxProperties': 1"},
    {"stamp", NULL,
     "'if': {'properties': {'style': {'const': 'plain'}}, 'required': ['style']},"
     "'then': {'required': ['revision'],"
     " 'properties': {'alembic': false, 'dir': false, 'heads': false}},"
     "'else': {'properties': {'revision': {'const': 'heads'}}}"},
    {"guard", NULL,
     "'if': {'required': ['server']}, 'then': {'properties': {'ephemeral': {'const': false}}}"},
    {"guard", "jobs", "'enum': [1, 2]"},
    {"stale", NULL, "'required': ['dir', 'key_file']"},
    {"file", NULL,
     "'required': ['path'], 'oneOf': [{'required': ['var']}, {'required': ['template']}]"},

    {"guard_ignore", NULL, "'required': ['kind', 'object', 'until', 'why']"},
};

static void add_whole(struct json *json, const struct section *section, const char *key)
{
    for (size_t i = 0; i < ARRAY_LEN(demands); i++) {
        bool same = key ? str_eq(demands[i].key, key) : !demands[i].key;
        if (same && schema_is_section(section, demands[i].section))
            schema_add_members(json, demands[i].members);
    }
}

void schema_add_key_demands(struct json *json, const struct section *section, const struct key *key)
{
    add_whole(json, section, key->name);
}

/* ---- what the keys of one variable ask of one another ---------------------------------------- */

/* Where `by` is as the definition CONDITION says, `key` must not be there, or must be. */
struct relation {
    const char *by, *condition, *key;
    bool by_absence; /* holds too where `by` is not said at all, in no layer */
};

/* Constraints that not every type has; a variable without a type is a string, which has none. */
static const struct {
    enum contract_constraint constraint;
    struct relation relation;
} constraints[] = {
    {HAS_MIN_MAX, {"type", "has_no_min", "min", true}},
    {HAS_MIN_MAX, {"type", "has_no_min", "max", true}},
    {HAS_MIN_BYTES, {"type", "has_no_min_bytes", "min_bytes", true}},
    {HAS_URL, {"type", "has_no_url", "url", true}},
    {HAS_PATH, {"type", "has_no_path", "path", true}},
    {HAS_ITEM, {"type", "has_no_item", "item", true}},
    {HAS_ITEM, {"type", "has_no_item", "separator", true}},
};

static const struct relation exclusions[] = {
    {"secret", "is_secret", "default", false},
    {"secret", "is_secret", "example", false},
    {"source", "has_one_source", "compose", true},
};

/* What must be there may stand in `base` too: one for each `by`. */
static const struct relation needs[] = {
    {"type", "needs_values", "values", false},
    {"secret", "is_secret", "source", false},
    {"source", "has_several_sources", "compose", false},
    {"default", "has_empty_default", "empty", false},
};

PRINTF(2, 3)
static void add_members(struct json *json, const char *format, ...)
{
    AUTO_BUF text = BUF_INIT(FRAGMENT_MAX_BYTES);
    va_list args;

    va_start(args, format);
    buf_addv(&text, format, args);
    va_end(args);
    json->out->no_memory |= text.no_memory;
    json->out->too_long |= text.too_long;
    schema_add_members(json, buf_text(&text));
}

/* One more entry of an open "allOf". */
#define add_entry(json, ...)            \
    do {                                \
        json_begin_object(json, NULL);  \
        add_members(json, __VA_ARGS__); \
        json_end_object(json);          \
    } while (0)

/* Every profile that lies over the variable says BY or KEY anew; whether there are other profiles
 * is not known here. */
#define ALL_PROFILES_SAY                                                                         \
    "{'properties': {'profiles': {'type': 'object', 'minProperties': 1, 'additionalProperties':" \
    "{'anyOf': [{'required': ['%s']}, {'required': ['%s']}]}}}, 'required': ['profiles']}"

#define IN_PROFILES(schema) "'properties': {'profiles': {'additionalProperties': {" schema "}}}"
#define ABSENT(key)         "'properties': {'" key "': {'type': 'null'}}"
#define PRESENT(key)        "'required': ['" key "'], 'properties': {'" key "': {'not': {'type': 'null'}}}"

/* The definition "no_KEY", for where the variable's own `by` rules its key out. */
static void add_exclusion_definition(struct json *json, const struct relation *r)
{
    add_members(json,
                "'no_%s': {" IN_PROFILES("'if': {'not': {'required': ['%s']}}, 'then': {" ABSENT(
                    "%s") "}") ", 'if': {'not': " ALL_PROFILES_SAY "}, 'then': {" ABSENT("%s") "}}",
                r->key, r->by, r->key, r->by, r->key, r->key);
}

static void add_exclusion(struct json *json, const struct relation *r)
{
    add_entry(json, "'if': {'$ref': '#/$defs/%s'}, 'then': {'$ref': '#/$defs/no_%s'}", r->condition,
              r->key);
    add_entry(json, IN_PROFILES("'if': {'$ref': '#/$defs/%s'}, 'then': {" ABSENT("%s") "}"),
              r->condition, r->key);
    add_entry(json,
              "'if': {" PRESENT("%s") "}, 'then': {" IN_PROFILES(
                  "'if': {'$ref': '#/$defs/%s'}, 'then': {'required': ['%s']}") "}",
              r->key, r->key, r->condition, r->key);
}

static void add_need(struct json *json, const struct relation *r)
{
    add_entry(json,
              "'if': {'$ref': '#/$defs/%s', 'not': " ALL_PROFILES_SAY
              "}, 'then': {" PRESENT("%s") "}",
              r->condition, r->by, r->key, r->key, r->key);
    add_entry(json,
              IN_PROFILES(
                  "'if': {'$ref': '#/$defs/%s', 'required': ['%s']}, 'then': {" PRESENT("%s") "}"),
              r->condition, r->key, r->key, r->key);
    add_entry(json,
              "'if': {'not': {'required': ['%s']}}, 'then': {" IN_PROFILES(
                  "'if': {'$ref': '#/$defs/%s'}, 'then': {'required': ['%s']}") "}",
              r->key, r->condition, r->key);
}

/* Where `by` is not said, in no layer. */
static void add_absence(struct json *json, const struct relation *r, const char *by)
{
    if (r->by_absence && str_eq(r->by, by))
        add_entry(json, "'if': {'not': {'required': ['%s']}}, 'then': {'$ref': '#/$defs/no_%s'}",
                  r->by, r->key);
}

/* What holds for every variable where `base` says nothing of the two keys. */
static void add_need_in_contract(struct json *json, const struct relation *r)
{
    add_entry(json,
              "'if': {'properties': {'base': {'not': {'anyOf': [{'required': ['%s']},"
              " {'required': ['%s']}, {'required': ['profiles']}, {'required': ['rotate']}]}}}}, "
              "'then': {'properties':"
              " {'vars': {'additionalProperties': {'$ref': '#/$defs/%s_alone'}}}}",
              r->by, r->key, r->by);
}

static bool has_key(const struct section *section, const char *name)
{
    for (size_t i = 0; i < section->count; i++) {
        if (str_eq(section->keys[i].name, name))
            return schema_has_key(section, &section->keys[i]);
    }
    return false;
}

/* A list's item: its keys lie in one place, so one of them decides on another at once. */
static void add_item_demands(struct json *json, const struct section *section)
{
    for (size_t i = 0; i < ARRAY_LEN(constraints); i++) {
        const struct relation *r = &constraints[i].relation;
        if (has_key(section, r->key))
            add_entry(json,
                      "'if': {'anyOf': [{'$ref': '#/$defs/%s'}, {'not': {'required': ['type']}}]},"
                      " 'then': {'properties': {'%s': false}}",
                      r->condition, r->key);
    }
    add_entry(json, "'if': {'$ref': '#/$defs/needs_values'}, 'then': {'required': ['values']}");
}

void schema_add_demands(struct json *json, const struct section *section)
{
    bool item = schema_is_section(section, "item");

    add_whole(json, section, NULL);
    if (section != &section_top && !item)
        return;
    json_begin_array(json, "allOf");
    for (size_t i = 0; !item && i < ARRAY_LEN(needs); i++)
        add_need_in_contract(json, &needs[i]);
    if (item)
        add_item_demands(json, section);
    else
        add_entry(json, "'if': {'not': {'properties': {'run': {'required': ['stale']}},"
                        " 'required': ['run']}}, 'then': {'properties': {'vars':"
                        " {'additionalProperties': {'$ref': '#/$defs/never_stale'}}}}");
    json_end_array(json);
}

/* ---- definitions ---------------------------------------------------------------------------- */

/* "type" names one of the types that have (or have not) one of CONSTRAINTS. Where it is taken away,
 * "string" is left. */
static void add_types(struct json *json, const char *definition, unsigned of, bool have)
{
    json_begin_object(json, definition);
    schema_add_members(json, "'required': ['type']");
    json_begin_object(json, "properties");
    json_begin_object(json, "type");
    json_begin_array(json, "enum");
    for (int type = 0; type < CONTRACT_TYPE_COUNT; type++) {
        if (((contract_type_constraints((enum contract_type)type) & of) != 0) == have)
            json_add_string(json, NULL, contract_type_name((enum contract_type)type));
    }
    if (!have)
        json_add_string(json, NULL, NULL);
    json_end_array(json);
    json_end_object(json);
    json_end_object(json);
    json_end_object(json);
}

static void add_conditions(struct json *json)
{
    for (size_t i = 0; i < ARRAY_LEN(constraints); i++) {
        const char *condition = constraints[i].relation.condition;
        if (i == 0 || !str_eq(condition, constraints[i - 1].relation.condition))
            add_types(json, condition, constraints[i].constraint, false);
    }
    add_types(json, "needs_values", NEEDS_VALUES, true);
    schema_add_members(
        json, "'is_secret': {'properties': {'secret': {'const': true}}, 'required': ['secret']},"
              "'is_command': {'type': 'object', 'properties': {'command': {'type': 'array'}},"
              " 'required': ['command'], 'maxProperties': 1},"
              "'has_one_source': {'properties': {'source': {'anyOf': [{'type': ['string', 'null']},"
              " {'$ref': '#/$defs/is_command'}]}}, 'required': ['source']},"
              "'has_several_sources': {'properties': {'source': {'type': 'object',"
              " 'not': {'$ref': '#/$defs/is_command'}}}, 'required': ['source']},"
              "'has_empty_default': {'properties': {'default': {'const': ''}},"
              " 'required': ['default']}");
}

/* A secret that is to come from nowhere (one that only Vault's engine knows does), a source that decides what code is loaded, and copies for
 * which there is no place. */
static void add_source_definitions(struct json *json)
{
#define OWN_STRATEGY "'properties': {'strategy': {'const': 'vault-root'}}, 'required': ['strategy']"
#define FROM_ENV     "{'$ref': '#/$defs/environment_source'}"
    add_members(json,
                "'secret_from_nowhere': {'if': {'$ref': '#/$defs/is_secret', 'not': {'anyOf': "
                "[" ALL_PROFILES_SAY ", {'$ref': '#/$defs/may_be_nobodys'}]}}, "
                "'then': {'properties': {'source': {'not': {'const': 'none'}}}}}",
                "secret", "source");
    schema_add_members(
        json,
        "'may_be_nobodys': {'anyOf': [{'properties': {'rotate': {" OWN_STRATEGY "}}, "
        "'required': ['rotate']}, {'not': {" IN_PROFILES("'not': {'required': ['rotate']}") "}}]}");
    schema_add_members(json, "'environment_source': {'type': ['string', 'object', 'null'], "
                             "'pattern': '^env(:|$)', 'additionalProperties': "
                             "{'type': 'string', 'pattern': '^env(:|$)'}}");
    add_members(json,
                "'loader_variable': {" IN_PROFILES(
                    "'properties': {'source': " FROM_ENV
                    "}") ", "
                         "'if': {'not': " ALL_PROFILES_SAY
                         "}, 'then': {'properties': {'source': " FROM_ENV "}}}",
                "source", "source");
    add_members(
        json,
        "'never_stale': {" IN_PROFILES(ABSENT("stale_ok")) ", "
                                                           "'if': {'not': " ALL_PROFILES_SAY
                                                           "}, 'then': {" ABSENT("stale_ok") "}}",
        "stale_ok", "stale_ok");
}

/* "BY_alone": what hangs on one key of a variable where `base` does not come into it. */
static void add_alone(struct json *json, const struct relation *need)
{
    char name[CONTRACT_MAX_KEY_BYTES];

    (void)snprintf(name, sizeof name, "%s_alone", need->by);
    json_begin_object(json, name);
    json_begin_array(json, "allOf");
    add_need(json, need);
    if (str_eq(need->by, "secret"))
        add_entry(json, "'$ref': '#/$defs/secret_from_nowhere'");
    for (size_t i = 0; i < ARRAY_LEN(constraints); i++)
        add_absence(json, &constraints[i].relation, need->by);
    for (size_t i = 0; i < ARRAY_LEN(exclusions); i++)
        add_absence(json, &exclusions[i], need->by);
    json_end_array(json);
    json_end_object(json);
}

static void add_keys_of_strategy(struct json *json, const struct section *rotate,
                                 const char *strategy)
{
    json_begin_object(json, "properties");
    for (int key = 0; key < ROTATE_KEY_COUNT; key++) {
        if (!rotation_has_key(strategy, (enum rotate_key)key))
            json_add_bool(json, rotate->keys[key].name, false);
        else if (key == ROTATE_LOGINS)
            schema_add_members(json,
                               "'logins': {'minItems': 2, 'maxItems': 2, 'uniqueItems': true}");
    }
    json_end_object(json);
    json_begin_array(json, "required");
    for (int key = 0; key < ROTATE_KEY_COUNT; key++)
        if (rotation_needs_key(strategy, (enum rotate_key)key))
            json_add_string(json, NULL, rotate->keys[key].name);
    json_end_array(json);
}

/* Every strategy with the keys that it does not have, and those that it needs. A variable's `rotate` is replaced whole. */
static void add_rotation_definitions(struct json *json, const struct section *rotate)
{
    const char *const *strategies = rotate->keys[ROTATE_STRATEGY].words;

    json_begin_object(json, "rotation");
    schema_add_members(json, "'required': ['strategy']");
    json_begin_array(json, "allOf");
    for (; *strategies; strategies++) {
        json_begin_object(json, NULL);
        add_members(json, "'if': {'properties': {'strategy': {'const': '%s'}}}", *strategies);
        json_begin_object(json, "then");
        add_keys_of_strategy(json, rotate, *strategies);
        json_end_object(json);
        json_end_object(json);
    }
    json_end_array(json);
    json_end_object(json);
    add_members(
        json,
        "'rotated': {" IN_PROFILES(
            "'properties': {'rotate': {'$ref': '#/$defs/rotation'}}") ", 'if': "
                                                                      "{'not': " ALL_PROFILES_SAY
                                                                      "}, 'then': {'properties': "
                                                                      "{'rotate': {'$ref':"
                                                                      " '#/$defs/rotation'}}}}",
        "rotate", "rotate");
}

void schema_add_demand_definitions(struct json *json)
{
    add_conditions(json);
    add_source_definitions(json);
    add_rotation_definitions(json,
                             section_top.keys[TOP_BASE].section->keys[VARIABLE_ROTATE].section);
    for (size_t i = 0; i < ARRAY_LEN(constraints); i++)
        add_exclusion_definition(json, &constraints[i].relation);
    for (size_t i = 0; i < ARRAY_LEN(exclusions); i++)
        add_exclusion_definition(json, &exclusions[i]);

    json_begin_object(json, "variable_demands");
    json_begin_array(json, "allOf");
    add_entry(json, "'$ref': '#/$defs/rotated'");
    for (size_t i = 0; i < ARRAY_LEN(constraints); i++)
        add_exclusion(json, &constraints[i].relation);
    for (size_t i = 0; i < ARRAY_LEN(exclusions); i++)
        add_exclusion(json, &exclusions[i]);
    json_end_array(json);
    json_end_object(json);
    for (size_t i = 0; i < ARRAY_LEN(needs); i++)
        add_alone(json, &needs[i]);
}
