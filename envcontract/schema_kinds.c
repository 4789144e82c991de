/* envcontract/schema_kinds.c: the kinds of keys.h in JSON Schema's words.
 *
 * Most keywords look at one JSON type alone, so "type" may list several and each has its keywords
 * beside it: no anyOf, and a validator's message names what is wrong. Patterns are written in what
 * ECMA-262 and others have in common. */
#include "envcontract/schema.h"

#include <stdint.h>
#include <stdio.h>

#include "base/signals.h"
#include "base/str.h"

/* JSON types, or-ed. */
enum json_type {
    JSON_STRING = 1 << 0,
    JSON_NUMBER = 1 << 1,
    JSON_INTEGER = 1 << 2,
    JSON_BOOLEAN = 1 << 3,
    JSON_ARRAY = 1 << 4,
    JSON_OBJECT = 1 << 5,
    JSON_NULL = 1 << 6,
    JSON_SCALAR = JSON_STRING | JSON_NUMBER | JSON_BOOLEAN,
};

static const char *const type_names[] = {"string", "number", "integer", "boolean",
                                         "array",  "object", "null"};

/* ---- patterns ------------------------------------------------------------------------------- */

#define CONTROL  "\\u0000-\\u001f\\u007f"
#define UNKNOWN  "(?!.*\\{(?!(profile|name|lower_name)\\})[A-Za-z0-9_]+\\})" /* placeholder */
#define NAME     "[^ =" CONTROL "]+"
#define FILEPATH "[^ " CONTROL "]([^" CONTROL "]*[^ " CONTROL "])?"
#define SEGMENT  "(?!\\.{1,2}[/#])[^/#" CONTROL "]+"
#define FIELD    "[^#" CONTROL "]*[^# " CONTROL "]"

#define PATTERN_REFERENCE "^" UNKNOWN "(env|(env|sealed):" NAME "|file:" FILEPATH ")$"
#define PATTERN_SOURCE                                                                    \
    "^" UNKNOWN "(env|none|(env|sealed):" NAME "|file:" FILEPATH "|vault:(?! )/?" SEGMENT \
    "(/" SEGMENT ")+#" FIELD ")$"
#define DURATION         "([0-9]+(ms|[smhdw]))+"
#define LONGER_THAN_ZERO "(?=.*[1-9])" DURATION
#define PATTERN_DURATION "^" DURATION "$"
#define PATTERN_SPAN     "^" LONGER_THAN_ZERO "$"
#define PATTERN_PERIOD   "^(off|" LONGER_THAN_ZERO ")$"
#define PATTERN_MODE     "^0?[0-7][0145][0145]$"
#define PATTERN_LISTEN \
    "^(unix:.*[^/]|([0-9]{1,3}\\.){3}[0-9]{1,3}:[0-9]{1,5}|\\[[0-9A-Fa-f:.]+\\]:[0-9]{1,5})$"
#define PATTERN_DEMAND "^(required|forbidden)$"

/* A day of a month that has it; which years have a 29th of February is not said. */
#define PATTERN_DATE                                                            \
    "^(?!0000)[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-" \
    "(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-9]))$"

#define SIGNAL_WORD(name) #name "|"
#define OFFSET            "([0-9]|[12][0-9]|30)"
#define SIGNAL_PATTERN \
    "(SIG)?(" SIGNAL_NAMES(SIGNAL_WORD) "RTMIN(\\+" OFFSET ")?|RTMAX(-" OFFSET ")?)"
#define PATTERN_SIGNAL    "^" SIGNAL_PATTERN "$"
#define PATTERN_REWRITTEN "^(?!(SIG)?(KILL|STOP|CHLD)$)" SIGNAL_PATTERN "$"
#define PATTERN_CODE      "^([0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])$"
#define PATTERN_CHANGE    "^(restart|none|signal:" SIGNAL_PATTERN ")$"

/* ---- pieces --------------------------------------------------------------------------------- */

static void add_type(struct json *json, unsigned types, bool nullable)
{
    types |= nullable ? JSON_NULL : 0;
    bool several = (types & (types - 1)) != 0;

    if (several)
        json_begin_array(json, "type");
    for (size_t i = 0; i < ARRAY_LEN(type_names); i++) {
        if (types & (1U << i))
            json_add_string(json, several ? NULL : "type", type_names[i]);
    }
    if (several)
        json_end_array(json);
}

/* A list of LEAST entries at least, each of TYPES; strings have SHORTEST characters at least. */
static void add_list(struct json *json, unsigned types, int least, int shortest)
{
    json_begin_object(json, "items");
    add_type(json, types, false);
    if (shortest > 0)
        json_add_int(json, "minLength", shortest);
    json_end_object(json);
    if (least > 0)
        json_add_int(json, "minItems", least);
    json_add_int(json, "maxItems", CONTRACT_MAX_LIST);
}

static void add_words(struct json *json, const char *const *words, bool nullable)
{
    json_begin_array(json, "enum");
    for (; *words; words++)
        json_add_string(json, NULL, *words);
    if (nullable)
        json_add_string(json, NULL, NULL);
    json_end_array(json);
}

static void add_reference_to(struct json *json, const char *definition)
{
    char reference[CONTRACT_MAX_KEY_BYTES];

    (void)snprintf(reference, sizeof reference, "#/$defs/%s", definition);
    json_add_string(json, "$ref", reference);
}

static void add_text(struct json *json, const char *pattern, bool nullable)
{
    add_type(json, JSON_STRING, nullable);
    if (pattern)
        json_add_string(json, "pattern", pattern);
    else
        json_add_int(json, "minLength", 1);
}

/* ---- the kinds that have several forms ------------------------------------------------------ */

static void add_integers(struct json *json, int64_t least, int64_t most)
{
    json_add_int(json, "minimum", least);
    json_add_int(json, "maximum", most);
}

static void add_ports(struct json *json, const struct key *key, bool nullable)
{
    (void)key;
    add_type(json, JSON_INTEGER | JSON_ARRAY, nullable);
    add_integers(json, 1, KEY_PORT_MAX);
    json_begin_object(json, "items");
    add_type(json, JSON_INTEGER, false);
    add_integers(json, 1, KEY_PORT_MAX);
    json_end_object(json);
    json_add_int(json, "minItems", 1);
    json_add_int(json, "maxItems", CONTRACT_MAX_LIST);
}

static void add_query(struct json *json, const struct key *key, bool nullable)
{
    (void)key;
    add_type(json, JSON_OBJECT, nullable);
    json_begin_object(json, "additionalProperties");
    add_type(json, JSON_BOOLEAN | JSON_STRING | JSON_ARRAY, false);
    json_add_int(json, "minLength", 1);
    add_list(json, JSON_STRING, 1, 1);
    json_end_object(json);
    json_add_int(json, "maxProperties", CONTRACT_MAX_LIST);
}

/* LISTS: a list is one of them. */
static void add_types(struct json *json, const struct key *key, bool nullable)
{
    json_begin_array(json, "enum");
    for (int type = 0; type < CONTRACT_TYPE_COUNT; type++)
        if (key->kind == KIND_TYPE || type != TYPE_LIST)
            json_add_string(json, NULL, contract_type_name((enum contract_type)type));
    if (nullable)
        json_add_string(json, NULL, NULL);
    json_end_array(json);
}

/* An object, a map or a list of the section's. */
static void add_sections(struct json *json, const struct key *key, bool nullable)
{
    bool list = key->kind == KIND_SECTION_LIST, map = key->kind == KIND_SECTION_MAP;

    add_type(json, list ? JSON_ARRAY : JSON_OBJECT, nullable);
    if (list || map) {
        json_begin_object(json, list ? "items" : "additionalProperties");
        add_type(json, JSON_OBJECT, false);
    }
    add_reference_to(json, key->section->name);
    if (list || map)
        json_end_object(json);
}

static void add_source(struct json *json, const struct key *key, bool nullable)
{
    (void)key;
    add_type(json, JSON_STRING | JSON_OBJECT, nullable);
    add_reference_to(json, "source");
}

static void add_length(struct json *json, const struct key *key, bool nullable)
{
    (void)key;
    add_type(json, JSON_ARRAY, nullable);
    schema_add_members(json, "'prefixItems': [{'type': 'integer', 'minimum': 0}, "
                             "{'type': ['integer', 'null'], 'minimum': 0}], "
                             "'items': false, 'minItems': 2");
}

static void add_mounts(struct json *json, const struct key *key, bool nullable)
{
    (void)key;
    add_type(json, JSON_OBJECT, nullable);
    schema_add_members(json, "'additionalProperties': {'enum': [1, 2]}");
}

static void add_demand_or_texts(struct json *json, const struct key *key, bool nullable)
{
    (void)key;
    add_type(json, JSON_STRING | JSON_ARRAY, nullable);
    json_add_string(json, "pattern", PATTERN_DEMAND);
    add_list(json, JSON_STRING, 1, 1);
}

/* An object with names that are not known here: of lists, or of patterns. */
static void add_members_kind(struct json *json, const struct key *key, bool nullable)
{
    add_type(json, JSON_OBJECT, nullable);
    json_begin_object(json, "additionalProperties");
    if (key->kind == KIND_MATCH) {
        add_text(json, NULL, false);
    } else {
        add_type(json, JSON_ARRAY, false);
        add_list(json, JSON_STRING, 0, 1);
    }
    json_end_object(json);
}

static void add_names(struct json *json, const char *pattern)
{
    json_begin_object(json, "propertyNames");
    json_add_string(json, "pattern", pattern);
    json_end_object(json);
}

static void add_signals(struct json *json, const struct key *key, bool nullable)
{
    (void)key;
    add_type(json, JSON_OBJECT, nullable);
    add_names(json, PATTERN_REWRITTEN);
    json_begin_object(json, "additionalProperties");
    add_text(json, PATTERN_SIGNAL, false);
    json_end_object(json);
}

static void add_exit_codes(struct json *json, const struct key *key, bool nullable)
{
    (void)key;
    add_type(json, JSON_OBJECT, nullable);
    add_names(json, PATTERN_CODE);
    json_begin_object(json, "additionalProperties");
    add_type(json, JSON_INTEGER, false);
    add_integers(json, 0, KEY_EXIT_CODE_MAX);
    json_end_object(json);
}

static void add_on_change(struct json *json, const struct key *key, bool nullable)
{
    (void)key;
    add_type(json, JSON_STRING | JSON_ARRAY, nullable);
    json_add_string(json, "pattern", PATTERN_CHANGE);
    add_list(json, JSON_STRING, 1, 1);
}

/* ---- all of them ---------------------------------------------------------------------------- */

/* Kinds that stand for a list. */
static void add_list_kind(struct json *json, const struct key *key, bool nullable)
{
    bool or_text = key->kind == KIND_TEXT_OR_TEXTS;
    bool scalars = key->kind == KIND_SCALARS, may_be_empty = key->kind == KIND_TEXTS;

    add_type(json, or_text ? JSON_ARRAY | JSON_STRING : JSON_ARRAY, nullable);
    if (or_text)
        json_add_int(json, "minLength", 1);
    add_list(json, scalars ? JSON_SCALAR : JSON_STRING, !may_be_empty, !scalars);
}

static void add_text_kind(struct json *json, const struct key *key, bool nullable)
{
    const char *pattern = key->kind == KIND_DURATION
                              ? key->no_zero ? PATTERN_SPAN : PATTERN_DURATION
                          : key->kind == KIND_REFERENCE ? PATTERN_REFERENCE
                          : key->kind == KIND_DEMAND    ? PATTERN_DEMAND
                          : key->kind == KIND_DATE      ? PATTERN_DATE
                          : key->kind == KIND_SIGNAL    ? PATTERN_SIGNAL
                          : key->kind == KIND_MODE      ? PATTERN_MODE
                          : key->kind == KIND_LISTEN    ? PATTERN_LISTEN
                          : key->kind == KIND_PERIOD    ? PATTERN_PERIOD
                                                        : NULL;

    if (key->kind == KIND_FREE_TEXT)
        add_type(json, JSON_STRING, nullable);
    else
        add_text(json, pattern, nullable);
}

static void add_plain_kind(struct json *json, const struct key *key, bool nullable)
{
    unsigned types = key->kind == KIND_BOOL     ? JSON_BOOLEAN
                     : key->kind == KIND_COUNT  ? JSON_INTEGER
                     : key->kind == KIND_SCALAR ? JSON_SCALAR
                                                : JSON_NUMBER | JSON_STRING;

    add_type(json, types, nullable);
    if (key->kind == KIND_COUNT)
        add_integers(json, 0, INT32_MAX);
}

static void add_word_kind(struct json *json, const struct key *key, bool nullable)
{
    if (key->kind == KIND_WORD) {
        add_words(json, key->words, nullable);
        return;
    }
    add_type(json, JSON_ARRAY, nullable);
    json_begin_object(json, "items");
    add_words(json, key->words, false);
    json_end_object(json);
    json_add_int(json, "maxItems", CONTRACT_MAX_LIST);
}

static void add_condition(struct json *json, const struct key *key, bool nullable)
{
    (void)key;
    add_type(json, JSON_BOOLEAN | JSON_OBJECT, nullable);
    add_reference_to(json, "condition");
}

static void add_version(struct json *json, const struct key *key, bool nullable)
{
    (void)key, (void)nullable;
    json_add_int(json, "const", KEY_VERSION);
}

typedef void (*kind_writer)(struct json *json, const struct key *key, bool nullable);

/* NULL: anything goes. */
static kind_writer writer_of(enum key_kind kind)
{
    switch (kind) { /* no default: a new kind has to say what it is here */
    case KIND_COUNT_OF_KINDS:
    case KIND_ANY:
        break;
    case KIND_TEXT:
    case KIND_FREE_TEXT:
    case KIND_PATTERN:
    case KIND_TEMPLATE:
    case KIND_DURATION:
    case KIND_REFERENCE:
    case KIND_DEMAND:
    case KIND_DATE:
    case KIND_SIGNAL:
    case KIND_MODE:
    case KIND_LISTEN:
    case KIND_PERIOD:
        return add_text_kind;
    case KIND_BOOL:
    case KIND_COUNT:
    case KIND_SCALAR:
    case KIND_BOUND:
        return add_plain_kind;
    case KIND_WORD:
    case KIND_WORDS:
        return add_word_kind;
    case KIND_TEXTS:
    case KIND_ARGV:
    case KIND_TEXT_OR_TEXTS:
    case KIND_SCALARS:
        return add_list_kind;
    case KIND_SECTION:
    case KIND_SECTION_MAP:
    case KIND_SECTION_LIST:
    case KIND_URL_RULES:
    case KIND_PATH_RULES:
    case KIND_ITEM_RULES:
        return add_sections;
    case KIND_SOURCE:
        return add_source;
    case KIND_CONDITION:
        return add_condition;
    case KIND_LENGTH:
        return add_length;
    case KIND_DEMAND_OR_TEXTS:
        return add_demand_or_texts;
    case KIND_PORTS:
        return add_ports;
    case KIND_QUERY:
        return add_query;
    case KIND_MOUNTS:
        return add_mounts;
    case KIND_TYPE:
    case KIND_ITEM_TYPE:
        return add_types;
    case KIND_TEXTS_MAP:
    case KIND_MATCH:
        return add_members_kind;
    case KIND_VERSION:
        return add_version;
    case KIND_SIGNALS:
        return add_signals;
    case KIND_EXIT_CODES:
        return add_exit_codes;
    case KIND_ON_CHANGE:
        return add_on_change;
    }
    return NULL;
}

void schema_add_kind(struct json *json, const struct key *key, bool nullable)
{
    kind_writer write = writer_of(key->kind);

    if (write)
        write(json, key, nullable);
}

/* ---- definitions ---------------------------------------------------------------------------- */

static void add_argv(struct json *json)
{
    json_begin_object(json, "command");
    add_type(json, JSON_ARRAY, false);
    json_begin_object(json, "items");
    add_type(json, JSON_STRING, false);
    json_add_int(json, "minLength", 1);
    json_add_int(json, "maxLength", KEY_SOURCE_MAX_BYTES);
    json_end_object(json);
    json_add_int(json, "minItems", 1);
    json_add_int(json, "maxItems", CONTRACT_MAX_LIST);
    json_end_object(json);
}

/* A reference or a command; SEVERAL: or an object of named ones. */
static void add_source_definition(struct json *json, const char *name, bool several)
{
    json_begin_object(json, name);
    json_add_string(json, "pattern", PATTERN_SOURCE);
    json_add_int(json, "maxLength", KEY_SOURCE_MAX_BYTES);
    if (several) {
        schema_add_members(json, "'if': {'properties': {'command': {'type': 'array'}}, "
                                 "'required': ['command'], 'maxProperties': 1}");
        json_begin_object(json, "then");
    } else {
        schema_add_members(json, "'required': ['command'], 'additionalProperties': false");
    }
    json_begin_object(json, "properties");
    add_argv(json);
    json_end_object(json);
    if (several) {
        json_end_object(json);
        json_begin_object(json, "else");
        json_add_int(json, "minProperties", 1);
        json_add_int(json, "maxProperties", CONTRACT_MAX_PARTS);
        schema_add_members(json, "'propertyNames': {'pattern': '^[A-Za-z_][A-Za-z0-9_]*$'}, "
                                 "'additionalProperties': {'type': ['string', 'object'], "
                                 "'$ref': '#/$defs/part'}");
        json_end_object(json);
    }
    json_end_object(json);
}

/* The value of a condition's member; PROFILE: of "@profile", which is always set. */
static void add_test(struct json *json, const char *key, bool profile)
{
    json_begin_object(json, key);
    add_type(json, JSON_ARRAY | JSON_STRING | JSON_NUMBER | (profile ? 0 : JSON_BOOLEAN), false);
    add_list(json, JSON_SCALAR, 1, 0);
    json_end_object(json);
}

static void add_condition_definition(struct json *json)
{
    json_begin_object(json, "condition");
    json_add_int(json, "minProperties", 1);
    json_begin_object(json, "properties");
    schema_add_members(json, "'any': {'$ref': '#/$defs/conditions'}, "
                             "'all': {'$ref': '#/$defs/conditions'}, "
                             "'not': {'type': 'object', '$ref': '#/$defs/condition'}");
    add_test(json, "@profile", true);
    json_end_object(json);
    schema_add_members(json, "'propertyNames': {'pattern': '^([^@]|@profile$)'}");
    add_test(json, "additionalProperties", false);
    json_end_object(json);
    schema_add_members(json, "'conditions': {'type': 'array', 'items': {'type': 'object', "
                             "'$ref': '#/$defs/condition'}, 'minItems': 1}");
}

void schema_add_kind_definitions(struct json *json)
{
    add_source_definition(json, "source", true);
    add_source_definition(json, "part", false);
    add_condition_definition(json);
}
