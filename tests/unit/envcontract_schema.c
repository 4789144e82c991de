/* The contract's JSON Schema: whole, in step with the tables, the same each time. Whether it says what
 * agent says is for tests/integration/test_schema.py, with a validator. */
#include "tests/lib/heap.h"
#include "tests/lib/unit.h"

#include <jansson.h>

#include "envcontract/schema.h"

enum { SCHEMA_BYTES = 1024 * 1024 };

static json_t *schema(void)
{
    AUTO_BUF out = BUF_INIT(SCHEMA_BYTES);
    struct err err = ERR_INIT;
    json_error_t where;

    if (contract_schema_write(&out, &err) != 0)
        fail_msg("%s", err.text);
    json_t *root = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES, &where);
    if (!root)
        fail_msg("line %d: %s", where.line, where.text);
    return root;
}

static void it_is_json_without_a_key_twice_and_the_same_each_time(void **state)
{
    (void)state;
    AUTO_BUF one = BUF_INIT(SCHEMA_BYTES), other = BUF_INIT(SCHEMA_BYTES);
    struct err err = ERR_INIT;
    json_decref(schema());
    assert_int_equal(contract_schema_write(&one, &err), 0);
    assert_int_equal(contract_schema_write(&other, &err), 0);
    assert_string_equal(buf_text(&one), buf_text(&other));
    assert_int_equal(one.data[one.len - 1], '\n');
}

/* ---- in step with the tables ------------------------------------------------------------------ */

struct walk {
    const json_t *definitions;
    const struct section *seen[64];
    size_t count;
    size_t keys;
};

static void look_at_key(struct walk *w, const struct section *section, const struct key *key,
                        const json_t *properties);

static bool met_before(struct walk *w, const struct section *section)
{
    for (size_t i = 0; i < w->count; i++) {
        if (w->seen[i] == section)
            return true;
    }
    assert_true(w->count < ARRAY_LEN(w->seen));
    w->seen[w->count++] = section;
    return false;
}

static void look_at_section(struct walk *w, const struct section *section, const json_t *definition)
{
    if (met_before(w, section))
        return;
    if (!definition)
        fail_msg("no definition of '%s'", section->name);
    const json_t *properties = json_object_get(definition, "properties");
    assert_true(json_is_false(json_object_get(definition, "additionalProperties")));
    size_t built = 0;
    for (size_t i = 0; i < section->count; i++) {
        if (schema_has_key(section, &section->keys[i])) {
            built++;
            look_at_key(w, section, &section->keys[i], properties);
        } else if (json_object_get(properties, section->keys[i].name)) {
            fail_msg("'%s' of '%s' cannot stand there", section->keys[i].name, section->name);
        }
    }
    assert_int_equal(json_object_size(properties), built);
}

static void look_at_key(struct walk *w, const struct section *section, const struct key *key,
                        const json_t *properties)
{
    const json_t *value = json_object_get(properties, key->name);
    if (!value)
        fail_msg("'%s' of '%s' is not there", key->name, section->name);
    const char *text = json_string_value(json_object_get(value, "description"));
    if (!text || text[strlen(text) - 1] != '.')
        fail_msg("'%s' of '%s' has no sentence in schema_text.c", key->name, section->name);
    w->keys++;
    if (key->section)
        look_at_section(w, key->section, json_object_get(w->definitions, key->section->name));
}

static void every_key_that_is_built_is_there_with_a_sentence_and_no_other(void **state)
{
    (void)state;
    json_t *root = schema();
    struct walk w = {.definitions = json_object_get(root, "$defs")};
    look_at_section(&w, &section_top, root);
    look_at_section(&w, &section_included, json_object_get(w.definitions, "included"));
    assert_true(w.keys > 150);
    json_decref(root);
}

static void every_type_and_no_other_is_a_type(void **state)
{
    (void)state;
    json_t *root = schema();
    const json_t *type = json_object_get(
        json_object_get(json_object_get(json_object_get(root, "$defs"), "variable"), "properties"),
        "type");
    const json_t *words = json_object_get(type, "enum");
    assert_int_equal(json_array_size(words), CONTRACT_TYPE_COUNT + 1); /* null takes it away */
    for (int i = 0; i < CONTRACT_TYPE_COUNT; i++)
        assert_string_equal(json_string_value(json_array_get(words, (size_t)i)),
                            contract_type_name((enum contract_type)i));
    json_decref(root);
}

/* ---- whole ------------------------------------------------------------------------------------ */

/* Note in USED each definition that VALUE refers to; all are there. */
static void follow(json_t *value, const json_t *definitions, json_t *used)
{
    static const char prefix[] = "#/$defs/";
    const char *key;
    json_t *member;
    size_t index;

    json_object_foreach(value, key, member)
    {
        const char *target = json_string_value(member);
        if (strcmp(key, "$ref") == 0 && target) {
            assert_int_equal(strncmp(target, prefix, sizeof prefix - 1), 0);
            if (!json_object_get(definitions, target + sizeof prefix - 1))
                fail_msg("nothing is at %s", target);
            (void)json_object_set_new(used, target + sizeof prefix - 1, json_true());
        }
        follow(member, definitions, used);
    }
    json_array_foreach(value, index, member) follow(member, definitions, used);
}

static void every_reference_has_a_definition_and_the_reverse(void **state)
{
    (void)state;
    json_t *root = schema(), *used = json_object(), *definition;
    json_t *definitions = json_object_get(root, "$defs");
    const char *name;
    follow(root, definitions, used);
    json_object_foreach(definitions, name, definition)
    {
        if (!json_object_get(used, name) && strcmp(name, "included") != 0)
            fail_msg("nothing refers to '%s'", name);
    }
    json_decref(used);
    json_decref(root);
}

static void what_is_short_stays_in_a_line(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(SCHEMA_BYTES);
    struct err err = ERR_INIT;
    assert_int_equal(contract_schema_write(&out, &err), 0);
    assert_text_has(buf_text(&out), "\n    \"project\": {\"description\": \"A name for people.\", "
                                    "\"type\": \"string\", \"minLength\": 1},\n");
    assert_text_has(buf_text(&out),
                    "\n      \"items\": {\"type\": \"string\", \"minLength\": 1},\n");
    assert_text_has(buf_text(&out), "\n  \"required\": [\"contract\", \"vars\"],\n");
}

static void what_does_not_fit_is_an_error(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(1000);
    struct err err = ERR_INIT;
    assert_int_equal(contract_schema_write(&out, &err), -1);
    assert_int_equal(err.kind, ERR_DEFECT);
    assert_text_has(err.text, "the JSON Schema is longer than 1000 bytes");
}

static void no_memory_is_never_half_a_schema(void **state)
{
    (void)state;
    NEEDS_HEAP();
    long allocations = 0;
    for (bool whole = false; !whole; allocations++) {
        AUTO_BUF out = BUF_INIT(SCHEMA_BYTES);
        struct err err = ERR_INIT;
        heap_fail_after(allocations);
        int result = contract_schema_write(&out, &err);
        whole = heap_successes >= 0;
        heap_fail_after(-1);
        assert_int_equal(result, whole ? 0 : -1);
        assert_int_equal(err.kind, whole ? ERR_NONE : ERR_RESOURCE);
    }
    assert_true(allocations > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_json_without_a_key_twice_and_the_same_each_time),
        cmocka_unit_test(every_key_that_is_built_is_there_with_a_sentence_and_no_other),
        cmocka_unit_test(every_type_and_no_other_is_a_type),
        cmocka_unit_test(every_reference_has_a_definition_and_the_reverse),
        cmocka_unit_test(what_is_short_stays_in_a_line),
        cmocka_unit_test(what_does_not_fit_is_an_error),
        cmocka_unit_test(no_memory_is_never_half_a_schema),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
