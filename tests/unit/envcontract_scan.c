/* The text: what is no JSON is said at its place; comments, marks, escapes and ceilings. */
#include "tests/unit/envcontract_load.h"

#include <jansson.h>

#include "base/clock.h"
#include "envcontract/document.h"

static void text_that_is_no_json_is_said_at_its_place(void **state)
{
    static const struct wrong list[] = {
        {"", 1, 1, NULL, "the file is empty", "contract"},
        {"  \n // nothing\n", 3, 1, NULL, "the file is empty", NULL},
        {"{'contract': 1,}", 1, 15, NULL, "a comma behind the last one", "Take the comma away"},
        {"{'include': ['a',\n]}", 1, 17, NULL, "a comma behind the last one", NULL},
        {"{'a' 1}", 1, 6, NULL, "a colon behind the key should be here, not '1'", NULL},
        {"{a: 1}", 1, 2, NULL, "a key in double quotes should be here, not 'a'", NULL},
        {"{`a`: 1}", 1, 2, NULL, "not a single quote", "double quotes"},
        {"{'a': `x`}", 1, 7, NULL, "not a single quote", "double quotes"},
        {"{'a': tru}", 1, 7, NULL, "a bare word is no value: tru", "double quotes"},
        {"{'a': NaN}", 1, 7, NULL, "a bare word is no value: NaN", NULL},
        {"{'a': 1 'b': 2}", 1, 9, NULL, "a comma or '}' should be here, not '\"'", NULL},
        {"['a' 'b']", 1, 6, NULL, "a comma or ']' should be here", NULL},
        {"{'a': 1", 1, 8, NULL, "the file ends where a comma or '}' should be", "whole"},
        {"{'a': 1}\n\n  x", 3, 3, NULL, "the end of the file should be here, not 'x'", NULL},
        {"{'a': 'b\n'}", 1, 7, NULL, "does not end on its line", "closing quote"},
        {"{'a': 'b", 1, 7, NULL, "a string that is not closed", NULL},
        {"{'a': 'b\tc'}", 1, 9, NULL, "the control byte 0x09 in a string", "\\t"},
        {"{'a': '\\x'}", 1, 8, NULL, "an escape that JSON does not have", NULL},
        {"{'a': '\\u12'}", 1, 8, NULL, "\\u without four hexadecimal digits", NULL},
        {"{'a': 'x\\u0000'}", 1, 7, NULL, "stands for NUL or for half a character", NULL},
        {"{'a': '\\ud800'}", 1, 7, NULL, "stands for NUL or for half a character", NULL},
        {"{'a': 'caf\xe9'}", 1, 11, NULL, "a byte that is not UTF-8: 0xE9", "UTF-8"},
        {"{'a': 0400}", 1, 7, NULL, "a number that begins with 0", "a mode is a string"},
        {"{'a': -}", 1, 7, NULL, "a minus sign without digits", NULL},
        {"{'a': 1.}", 1, 7, NULL, "without digits behind its point", NULL},
        {"{'a': 1e}", 1, 7, NULL, "without digits in its exponent", NULL},
        {"{'a': +1}", 1, 7, NULL, "a value should be here, not '+'", NULL},
        {"{'a': /* b\n", 1, 7, NULL, "a comment that is not closed", "*/"},
        {"{'a': \x01}", 1, 7, NULL, "not the byte 0x01", NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void positions_count_characters_and_lines_of_any_kind(void **state)
{
    static const struct wrong list[] = {
        {"\xEF\xBB\xBF{'contract': 1, 'vars': {}, 'x': 1}", 1, 29, "/x", "unknown key", NULL},
        {"{'contract': 1,\r\n\t'vars': {},\r\n\t'x': 1}", 3, 2, "/x", "unknown key", NULL},
        {"{'contract': 1, 'vars': {}, /* caf\xc3\xa9 */ 'x': 1}", 1, 40, "/x", "unknown key", NULL},
        {"{'contract': 1, 'vars': {}, /* 1\n2\n3 */ 'x': 1}", 3, 6, "/x", "unknown key", NULL},
        {"{'contract': 1, 'project': 'caf\xc3\xa9', 'vars': {}, 'x': 1}", 1, 48, "/x", "unknown",
         NULL},
        {"{'contract': 1, 'project': 'a//b', // '}\n 'vars': {}, 'x': 1}", 2, 14, "/x", "unknown",
         NULL},
        {"{'contract': 1, 'vars': {}, 'a/b~c': 1}", 1, 29, "/a~1b~0c", "unknown key", NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void a_key_that_stands_twice_is_an_error_with_both_places(void **state)
{
    static const struct wrong list[] = {
        {"{'contract': 1, 'vars': {}, 'project': 'a',\n  'project': 'b'}", 2, 3, "/project",
         "the key 'project' stands here twice; the first is at line 1, column 29", "Keep one"},
        {"{'contract': 1, 'vars': {'A': {'doc': 'a', 'd\\u006fc': 'b'}}}", 1, 44, "/vars/A/doc",
         "the key 'doc' stands here twice; the first is at line 1, column 32", NULL},
        {"{'contract': 1, 'vars': {'A': {},\n\n 'A': {}}}", 3, 2, "/vars/A",
         "the key 'A' stands here twice; the first is at line 1, column 26", NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void of_equal_keys_the_first_one_counts(void **state)
{
    struct loaded l = load_text("{'contract': 1, 'vars': {}, 'project': 'one', 'project': 'two', "
                                "'project': 'three'}");

    (void)state;
    assert_int_equal(l.findings.count, 2);
    assert_string_equal(l.contract->project, "one");
    unload(&l);
}

static void escapes_are_decoded(void **state)
{
    struct loaded l = load_text("{'contract': 1, 'vars': {}, "
                                "'project': 'a\\'\\\\\\/\\n\\u00e9\\ud83d\\ude00'}");

    (void)state;
    assert_clean(&l);
    assert_string_equal(l.contract->project, "a\"\\/\n\xc3\xa9\xf0\x9f\x98\x80");
    unload(&l);
}

static void more_levels_than_the_ceiling_are_refused_where_they_begin(void **state)
{
    char text[CONTRACT_MAX_DEPTH + 2];
    struct wrong w = {text, 1, CONTRACT_MAX_DEPTH + 1, NULL, "more than 64 levels", NULL};

    (void)state;
    memset(text, '[', CONTRACT_MAX_DEPTH + 1);
    text[CONTRACT_MAX_DEPTH + 1] = '\0';
    assert_wrong(&w);
}

static void more_values_than_the_ceiling_are_refused(void **state)
{
    size_t length = 2 * (size_t)(CONTRACT_MAX_VALUES + 10);
    char *text = malloc(length + 1);
    struct loaded l;

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < length; i++)
        text[i] = i == 0 ? '[' : i % 2 == 1 ? '0' : ',';
    new_folder(&l);
    write_file(l.folder, "contract.json", text, length);
    free(text);
    load(&l);
    assert_int_equal(l.findings.errors, 1);
    (void)find_finding(&l, "more than 320000 values");
    unload(&l);
}

static void a_file_above_the_ceiling_is_not_read(void **state)
{
    size_t length = CONTRACT_MAX_BYTES + 1;
    char *text = malloc(length);
    struct loaded l;

    (void)state;
    assert_non_null(text);
    memset(text, ' ', length);
    new_folder(&l);
    write_file(l.folder, "contract.json", text, length);
    free(text);
    assert_int_equal(contract_load(l.path, CLOCK_NEVER, &l.contract, &l.findings, &l.err), -1);
    assert_int_equal(l.err.kind, ERR_FILE);
    assert_text_has(l.err.text, "contract.json");
    unload(&l);
}

static void a_file_that_is_not_there_is_an_error_with_its_path(void **state)
{
    struct loaded l;

    (void)state;
    new_folder(&l);
    assert_int_equal(contract_load(l.path, CLOCK_NEVER, &l.contract, &l.findings, &l.err), -1);
    assert_int_equal(l.err.kind, ERR_FILE);
    assert_text_has(l.err.text, l.path);
    assert_text_has(l.err.text, "No such file");
    unload(&l);
}

/* Our tree and jansson's of one text. */
static void assert_same(const struct node *node, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        assert_int_equal(node->kind, NODE_STRING);
        assert_int_equal(node->count, json_string_length(value));
        assert_memory_equal(node->text, json_string_value(value), node->count);
        return;
    case JSON_OBJECT:
        assert_int_equal(node->kind, NODE_OBJECT);
        assert_int_equal(node->count, json_object_size(value));
        for (const struct node *member = node->first; member; member = member->next)
            assert_same(member, json_object_get(value, member->key));
        return;
    case JSON_ARRAY:
        assert_int_equal(node->kind, NODE_ARRAY);
        assert_int_equal(node->count, json_array_size(value));
        for (const struct node *item = node->first; item; item = item->next)
            assert_same(item, json_array_get(value, item->index));
        return;
    case JSON_INTEGER:
        assert_int_equal(node->kind, NODE_INTEGER);
        assert_int_equal(node_integer(node, -1), json_integer_value(value));
        return;
    case JSON_REAL:
        assert_int_equal(node->kind, NODE_NUMBER);
        return;
    case JSON_TRUE:
    case JSON_FALSE:
        assert_int_equal(node->kind, NODE_BOOL);
        assert_int_equal(node->truth, json_is_true(value));
        return;
    case JSON_NULL:
        assert_int_equal(node->kind, NODE_NULL);
        return;
    }
}

/* jansson is the judge of what JSON is: on texts without comments both must agree. Bytes of a good
 * text are changed one or two at a time, from a fixed seed. */
static void what_is_json_is_what_jansson_says(void **state)
{
    static const char good[] =
        "{\"a\": [1, -2.5e+3, true, false, null, \"x\\u00e9\\n\\ud83d\\ude00\"], "
        "\"b\": {\"c\": \"\", \"d\": []}, \"\xc3\xa9\": 0}";
    static const char bytes[] = "{}[]:,\"\\ \n\t0123456789.eE+-truefalsnu\xc3\xa9\x01";
    uint32_t seed = 12345;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        char text[sizeof good];
        memcpy(text, good, sizeof good);
        for (int change = 0; change <= round % 2; change++) {
            seed = seed * 1664525u + 1013904223u;
            text[(seed >> 8) % (sizeof good - 1)] = bytes[(seed >> 20) % (sizeof bytes - 1)];
        }
        json_error_t error;
        json_t *value = json_loadb(text, sizeof good - 1, JSON_REJECT_DUPLICATES, &error);
        struct findings findings = FINDINGS_INIT;
        struct contract_document d = {.findings = &findings,
                                      .bytes_left = CONTRACT_MAX_BYTES,
                                      .values_left = CONTRACT_MAX_VALUES};
        char copy[sizeof good];
        memcpy(copy, text, sizeof good);
        const struct node *root = document_scan(&d, "x", copy, sizeof good - 1);
        bool ours = root && findings.count == 0;
        if (ours != (value != NULL))
            fail_msg("round %d: we say %d: %s (%s)", round, ours, text, error.text);
        if (ours)
            assert_same(root, value);
        json_decref(value);
        findings_release(&findings);
        arena_release(&d.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_that_is_no_json_is_said_at_its_place),
        cmocka_unit_test(positions_count_characters_and_lines_of_any_kind),
        cmocka_unit_test(a_key_that_stands_twice_is_an_error_with_both_places),
        cmocka_unit_test(of_equal_keys_the_first_one_counts),
        cmocka_unit_test(escapes_are_decoded),
        cmocka_unit_test(more_levels_than_the_ceiling_are_refused_where_they_begin),
        cmocka_unit_test(more_values_than_the_ceiling_are_refused),
        cmocka_unit_test(a_file_above_the_ceiling_is_not_read),
        cmocka_unit_test(a_file_that_is_not_there_is_an_error_with_its_path),
        cmocka_unit_test(what_is_json_is_what_jansson_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
