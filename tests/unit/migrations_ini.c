#include "tests/lib/unit.h"

#include <string.h>

#include "base/buf.h"
#include "migrations/internal.h"

static int get(struct arena *a, const char *text, const char *option, const char **value,
               struct err *err)
{
    struct ini *ini = NULL;
    if (ini_parse(a, "x.ini", text, strlen(text), "/h%%", &ini, err) != 0)
        return -1;
    return ini_get(a, ini, "s", option, value, err);
}

static void value_is(const char *text, const char *expected)
{
    AUTO_ARENA arena = ARENA_INIT;
    struct err err = ERR_INIT;
    const char *value = "unset";
    if (get(&arena, text, "k", &value, &err) != 0)
        fail_msg("%s", err.text);
    if (expected)
        assert_string_equal(value, expected);
    else
        assert_null(value);
}

static void is_refused(const char *text, const char *part, unsigned line)
{
    AUTO_ARENA arena = ARENA_INIT;
    struct err err = ERR_INIT;
    const char *value;
    assert_int_equal(get(&arena, text, "k", &value, &err), -1);
    assert_text_has(err.text, part);
    assert_int_equal(err.kind, ERR_FILE);
    assert_string_equal(err.file, "x.ini");
    assert_int_equal(err.line, line);
}

static void values_are_those_of_configparser(void **state)
{
    (void)state;
    value_is("[s]\nk = v\n", "v");
    value_is("  [s]  \r\n  K  :  v=w # x \r\n", "v=w # x");
    value_is("# c\n; c\n[s]\nk=\n", "");
    value_is("[s]\nk = a\n  b\n\n  # c\n\tc\n\n[t]\n", "a\nb\n\nc");
    value_is("[s]\nx = 1\n", NULL);
    value_is("[t]\nk = 1\n", NULL);
    value_is("[DEFAULT]\nk = d\n[s]\nx = 1\n", "d");
    value_is("[DEFAULT]\nk = d\n[s]\nk = v\n", "v");
    value_is("[DEFAULT]\n[s]\n[DEFAULT]\nk = d\n", "d");
}

static void names_in_values_are_replaced(void **state)
{
    (void)state;
    value_is("[s]\nk = 100%%\n", "100%");
    value_is("[s]\nk = %(here)s/x\n", "/h%/x");
    value_is("[s]\nX = a\nk = %(x)s%(X)s\n", "aa");
    value_is("[DEFAULT]\nx = %(y)s\n[s]\ny = 1\nk = %(x)s\n", "1");
    value_is("[DEFAULT]\nhere = h\n[s]\nk = %(here)s\n", "h");
    is_refused("[s]\nk = %x\n", "neither", 0);
    is_refused("[s]\nk = %(x\n", "neither", 0);
    is_refused("[s]\nk = %(x)d\n", "neither", 0);
    is_refused("[s]\nk = %\n", "neither", 0);
    is_refused("[s]\nk = %(nope)s\n", "'nope'", 0);
    is_refused("[s]\nk = %(k)s\n", "too deeply", 0);
}

static void what_configparser_refuses_is_refused_with_its_line(void **state)
{
    (void)state;
    is_refused("k = v\n", "before the first", 1);
    is_refused("[s]\n\nnonsense\n", "neither", 3);
    is_refused("[s]\n= v\n", "without a name", 2);
    is_refused("[s]\nk = 1\nK = 2\n", "twice", 3);
    is_refused("[s]\n[t]\n[s]\n", "twice", 3);
    is_refused("[DEFAULT]\nhere = 1\nhere = 2\n[s]\n", "twice", 3);
    is_refused("\xef\xbb\xbf[s]\nk = v\n", "before the first", 1);
}

static void a_nul_is_refused(void **state)
{
    (void)state;
    AUTO_ARENA arena = ARENA_INIT;
    struct err err = ERR_INIT;
    struct ini *ini = NULL;
    assert_int_equal(ini_parse(&arena, "x.ini", "[s]\nk\0=", 7, "/", &ini, &err), -1);
    assert_text_has(err.text, "NUL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_those_of_configparser),
        cmocka_unit_test(names_in_values_are_replaced),
        cmocka_unit_test(what_configparser_refuses_is_refused_with_its_line),
        cmocka_unit_test(a_nul_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
