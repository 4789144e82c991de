/* JSON as a value: strict, with the place of what is wrong. jansson is the judge of what JSON is. */
#include "tests/unit/envcontract_types.h"

#include <jansson.h>
#include <stdlib.h>

#include "envcontract/types.h"

static void json_is_one_value_of_any_kind(void **state)
{
    static const struct good_value good[] = {
        {TYPE_JSON, "{}"},
        {TYPE_JSON, "[]"},
        {TYPE_JSON, " [1, -0, 0.5, 1e9, 1.25E-3, 99999999999999999999999999999999] \r\n\t"},
        {TYPE_JSON, "\"text\""},
        {TYPE_JSON, "\"\""},
        {TYPE_JSON, "0"},
        {TYPE_JSON, "true"},
        {TYPE_JSON, "false"},
        {TYPE_JSON, "null"},
        {TYPE_JSON, "{\"a\": {\"b\": [{}, [], null]}, \"a\": 1}"},
        {TYPE_JSON, "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\uD83D\\uDE00\""},
        {TYPE_JSON, "\"caf\xc3\xa9 \xf0\x9f\x98\x80\x7f\""},
        {TYPE_JSON, "\"\\ud800\""}, /* half a character is in the grammar */
    };
    (void)state;
    assert_all_good(good, ARRAY_LEN(good));
}

static void what_is_wrong_in_json_has_its_line_and_character(void **state)
{
    static const struct bad_value bad[] = {
        {TYPE_JSON, "", "type", "0 characters, expected one JSON value, the end of the text where"},
        {TYPE_JSON, " \n ", "type", "the end of the text where a value should be"},
        {TYPE_JSON, "tru", "type", "no JSON value begins at line 1, character 1"},
        {TYPE_JSON, "True", "type", "no JSON value begins at line 1, character 1"},
        {TYPE_JSON, "nullx", "type", "more text behind the value at line 1, character 5"},
        {TYPE_JSON, "{'a': 1}", "type", "no key in double quotes at line 1, character 2"},
        {TYPE_JSON, "{\n  \"a\": 1,\n}", "type", "no key in double quotes at line 3, character 1"},
        {TYPE_JSON, "{\"a\"; 1}", "type", "no colon behind a key at line 1, character 5"},
        {TYPE_JSON, "{\"a\"", "type", "the end of the text where a colon should be"},
        {TYPE_JSON, "{\"a\":", "type", "the end of the text where a value should be"},
        {TYPE_JSON, "{", "type", "the end of the text where a key should be"},
        {TYPE_JSON, "[", "type", "the end of the text where a value should be"},
        {TYPE_JSON, "[1", "type", "the end of the text where a bracket should be closed"},
        {TYPE_JSON, "[1 2]", "type", "no comma and no closing bracket at line 1, character 4"},
        {TYPE_JSON, "[1,]", "type", "no JSON value begins at line 1, character 4"},
        {TYPE_JSON, "[,1]", "type", "no JSON value begins at line 1, character 2"},
        {TYPE_JSON, "[1}", "type", "no comma and no closing bracket at line 1, character 3"},
        {TYPE_JSON, "{\"a\": 1]", "type", "no comma and no closing bracket at line 1, character 8"},
        {TYPE_JSON, "]", "type", "no JSON value begins at line 1, character 1"},
        {TYPE_JSON, "\"abc", "type", "a string that is not closed at line 1, character 1"},
        {TYPE_JSON, "[\"a\nb\"]", "type", "a control byte in a string at line 1, character 4"},
        {TYPE_JSON, "[\"\xc3\xa4\tb\"]", "type",
         "a control byte in a string at line 1, character 4"},
        {TYPE_JSON, "\"\\x\"", "type", "an escape that JSON does not have at line 1, character 2"},
        {TYPE_JSON, "\"\\", "type", "an escape that JSON does not have at line 1, character 2"},
        {TYPE_JSON, "\"\\u12g4\"", "type", "without four hexadecimal digits at line 1"},
        {TYPE_JSON, "\"\\u12", "type", "without four hexadecimal digits at line 1"},
        {TYPE_JSON, "\"caf\xe9\"", "type", "a byte that is not UTF-8 at line 1, character 5"},
        {TYPE_JSON, "\xef\xbb\xbf{}", "type", "no JSON value begins at line 1, character 1"},
        {TYPE_JSON, "01", "type", "a number with a leading zero at line 1, character 1"},
        {TYPE_JSON, "-", "type", "a number without digits"},
        {TYPE_JSON, "[-a]", "type", "a number without digits at line 1, character 3"},
        {TYPE_JSON, "[1.]", "type", "a number without digits at line 1, character 4"},
        {TYPE_JSON, "[1e+]", "type", "a number without digits at line 1, character 5"},
        {TYPE_JSON, "NaN", "type", "no JSON value begins at line 1, character 1"},
        {TYPE_JSON, "{} // x", "type", "more text behind the value at line 1, character 4"},
        {TYPE_JSON, "/* x */ {}", "type", "no JSON value begins at line 1, character 1"},
        {TYPE_JSON, "\"a\" \"b\"", "type", "more text behind the value at line 1, character 5"},
    };
    (void)state;
    assert_all_bad(bad, ARRAY_LEN(bad));
}

static void brackets_lie_in_one_another_to_a_limit(void **state)
{
    struct contract_rules rules = {.type = TYPE_JSON};
    char text[2 * (CONTRACT_MAX_DEPTH + 1) + 1] = "";

    (void)state;
    for (size_t depth = CONTRACT_MAX_DEPTH; depth <= CONTRACT_MAX_DEPTH + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        text[2 * depth] = '\0';
        if (depth == CONTRACT_MAX_DEPTH)
            assert_good(&rules, text);
        else
            assert_bad(&rules, text, "type", "more than 64 levels of brackets at line 1");
    }
    char *open = malloc(1024 * 1024 + 1); /* no stack for it is needed */
    assert_non_null(open);
    memset(open, '[', 1024 * 1024);
    open[1024 * 1024] = '\0';
    assert_bad(&rules, open, "type", "more than 64 levels");
    free(open);
}

/* Texts made of the pieces of JSON, in every order of four. */
static void every_short_text_gets_janssons_verdict(void **state)
{
    static const char *const pieces[] = {"",   "{",     "}",    "[",   "]", ",",    ":",
                                         "\"", "\"a\"", "1",    "0",   "-", ".5e1", "1e",
                                         " ",  "n",     "true", "\\n", "\n"};
    enum { PIECES = ARRAY_LEN(pieces) };

    (void)state;
    for (size_t i = 0; i < PIECES * PIECES * PIECES * PIECES; i++) {
        char text[64];
        int length = snprintf(text, sizeof text, "%s%s%s%s", pieces[i % PIECES],
                              pieces[i / PIECES % PIECES], pieces[i / PIECES / PIECES % PIECES],
                              pieces[i / PIECES / PIECES / PIECES]);
        struct trouble trouble = TROUBLE_INIT;
        bool ours = types_is_json(text, (size_t)length, &trouble);
        json_t *theirs = json_loadb(text, (size_t)length, JSON_DECODE_ANY, NULL);
        if (ours != (theirs != NULL))
            fail_msg("'%s' is%s JSON, and jansson differs", text, ours ? "" : " no");
        assert_true(ours || trouble.what);
        json_decref(theirs);
    }
}

static void remember(void *context, const char *key, size_t key_length, const char *value,
                     size_t value_length)
{
    char *text = context;
    (void)snprintf(text + strlen(text), 64, "%.*s=%.*s;", (int)key_length, key, (int)value_length,
                   value);
}

static void members_of_the_outermost_object_are_seen(void **state)
{
    char seen[256] = "";
    struct trouble trouble = TROUBLE_INIT;
    static const char text[] = " {\"a\" : [1, {\"x\": 2}] , \"b\\n\":\"t\",\"c\": -1 }";

    (void)state;
    assert_true(types_scan_json(text, strlen(text), remember, seen, &trouble));
    assert_string_equal(seen, "a=[1, {\"x\": 2}];b\\n=\"t\";c=-1;");
    seen[0] = '\0';
    assert_true(types_scan_json("[{\"a\": 1}]", 10, remember, seen, &trouble));
    assert_string_equal(seen, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_one_value_of_any_kind),
        cmocka_unit_test(what_is_wrong_in_json_has_its_line_and_character),
        cmocka_unit_test(brackets_lie_in_one_another_to_a_limit),
        cmocka_unit_test(every_short_text_gets_janssons_verdict),
        cmocka_unit_test(members_of_the_outermost_object_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
