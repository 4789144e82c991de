#include "tests/lib/unit.h"

#include <string.h>

#include "migrations/internal.h"

static void says(const char *literal, enum py_encoding encoding, const char *expected)
{
    AUTO_ARENA arena = ARENA_INIT;
    const char *out = NULL, *why = NULL;
    if (py_decode(&arena, literal, literal + strlen(literal), encoding, &out, &why) != 0)
        fail_msg("%s: %s", literal, why);
    assert_string_equal(out, expected);
}

static void is_refused(const char *literal, enum py_encoding encoding, const char *part)
{
    AUTO_ARENA arena = ARENA_INIT;
    const char *out = NULL, *why = NULL;
    assert_int_equal(py_decode(&arena, literal, literal + strlen(literal), encoding, &out, &why),
                     -1);
    assert_text_has(why, part);
    assert_null(out);
}

static void escapes_mean_what_python_says(void **state)
{
    (void)state;
    says("'\\a\\b\\f\\n\\r\\t\\v\\\\\\'\\\"'", PY_UTF8, "\a\b\f\n\r\t\v\\'\"");
    says("'\\x41\\101\\7x\\u00e9\\U0001f600'", PY_UTF8, "AA\7x\xc3\xa9\xf0\x9f\x98\x80");
    says("'a\\\nb\\\r\nc'", PY_UTF8, "abc");
    says("'\\q\\8'", PY_UTF8, "\\q\\8");
    says("r'\\x41\\''", PY_UTF8, "\\x41\\'");
    says("'''a'b\r\nc'''", PY_UTF8, "a'b\nc");
    says("('a' \"b\" + # c\n ('''c'''))", PY_UTF8, "abc");
    says("''", PY_UTF8, "");
}

static void encodings_become_utf_8(void **state)
{
    (void)state;
    says("'\xc3\xa9'", PY_UTF8, "\xc3\xa9");
    says("'\xe9\xff'", PY_LATIN1, "\xc3\xa9\xc3\xbf");
    says("'a'", PY_ENCODING_OTHER, "a");
    is_refused("'\xe9'", PY_UTF8, "not valid UTF-8");
    is_refused("'\xe9'", PY_ASCII, "not ASCII");
    is_refused("'\xe9'", PY_ENCODING_OTHER, "neither UTF-8 nor latin-1");
}

static void what_is_no_text_is_refused(void **state)
{
    (void)state;
    is_refused("'\\0'", PY_UTF8, "NUL");
    is_refused("'\\ud800'", PY_UTF8, "no character");
    is_refused("'\\U00110000'", PY_UTF8, "no character");
    is_refused("'\\x4'", PY_UTF8, "too few digits");
    is_refused("'\\N{DASH}'", PY_UTF8, "not looked up");
}

static void cookies_stand_in_the_first_two_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum py_encoding encoding;
    } cases[] = {
        {"# -*- coding: latin-1 -*-\n", PY_LATIN1},
        {"#!/x\n# vim: set fileencoding=ISO_8859-1 :\n", PY_LATIN1},
        {"\r\n\t# coding=utf8\r\n", PY_UTF8},
        {"\xef\xbb\xbf# coding: ascii", PY_ASCII},
        {"# coding: cp1252\n", PY_ENCODING_OTHER},
        {"#\n#\n# coding: latin-1\n", PY_UTF8},
        {"x = 1\n# coding: latin-1\n", PY_UTF8},
        {"# encoding is latin-1\n", PY_UTF8},
        {"", PY_UTF8},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(py_encoding_of(cases[i].text, strlen(cases[i].text)), cases[i].encoding);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_mean_what_python_says),
        cmocka_unit_test(encodings_become_utf_8),
        cmocka_unit_test(what_is_no_text_is_refused),
        cmocka_unit_test(cookies_stand_in_the_first_two_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
