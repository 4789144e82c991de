/* tests/unit/base_ref.c */
#include "tests/lib/unit.h"

#include <string.h>

#include "base/ref.h"
#include "base/str.h"
#include "tests/lib/heap.h"

static void every_form_is_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum ref_kind kind;
        const char *path, *field;
    } cases[] = {
        {"env", REF_ENV, NULL, NULL},
        {"env:OTHER", REF_ENV, "OTHER", NULL},
        {"none", REF_NONE, NULL, NULL},
        {"sealed:DATABASE_URL", REF_SEALED, "DATABASE_URL", NULL},
        {"sealed:{name}", REF_SEALED, "{name}", NULL},
        {"file:/run/secrets/x", REF_FILE, "/run/secrets/x", NULL},
        {"file:a b#c=d", REF_FILE, "a b#c=d", NULL},
        {"vault:secret/acme/db#user", REF_VAULT, "secret/acme/db", "user"},
        {"vault:/secret/data/acme/db#user", REF_VAULT, "secret/data/acme/db", "user"},
        {"vault:secret/acme/{profile}/app#{name}", REF_VAULT, "secret/acme/{profile}/app",
         "{name}"},
        {"vault:secret/.agent/..x#f", REF_VAULT, "secret/.agent/..x", "f"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ARENA a = ARENA_INIT;
        struct ref ref;
        struct err err = ERR_INIT;
        if (ref_parse(&a, cases[i].text, &ref, &err) < 0)
            fail_msg("'%s': %s", cases[i].text, err.text);
        assert_int_equal(ref.kind, cases[i].kind);
        assert_true(str_eq(ref.path, cases[i].path));
        assert_true(str_eq(ref.field, cases[i].field));
        assert_null(ref.argv);
        assert_null(ref.folder);
    }
}

static void what_stands_behind_the_colon_is_handed_back_unread(void **state)
{
    (void)state;
    assert_string_equal(ref_behind("env:A b", REF_ENV), "A b");
    assert_string_equal(ref_behind("file:", REF_FILE), "");
    assert_string_equal(ref_behind("vault:secret/{x}", REF_VAULT), "secret/{x}");
    assert_string_equal(ref_behind("sealed:env:A", REF_SEALED), "env:A");
    assert_null(ref_behind("env:A", REF_FILE));
    assert_null(ref_behind("env", REF_ENV));
    assert_null(ref_behind("none", REF_NONE));
}

static void what_is_wrong_is_named_without_the_text(void **state)
{
    (void)state;
    static const struct {
        const char *text, *defect;
    } cases[] = {
        {"", "the source is none of the forms of a reference"},
        {"canary", "the source is none of the forms of a reference"},
        {"canary:x", "the source is none of the forms of a reference"},
        {"VAULT:canary/x#f", "the source is none of the forms of a reference"},
        {" env", "the source is none of the forms of a reference"},
        {"env:", "the 'env:' reference names nothing behind the colon"},
        {"sealed:", "the 'sealed:' reference names nothing behind the colon"},
        {"env:canary=1", "the 'env:' reference has a blank or an equals sign in its name"},
        {"sealed:canary b", "the 'sealed:' reference has a blank or an equals sign in its name"},
        {"file:", "the 'file:' reference names no file"},
        {"file:canary ", "the 'file:' reference has white space at an end"},
        {"file:can\nary", "the 'file:' reference has a control character in it"},
        {"vault:canary/x", "the 'vault:' reference has no '#' and field behind its path"},
        {"vault:canary/x#", "the 'vault:' reference has no field behind the '#'"},
        {"vault:canary/x#f#g", "the 'vault:' reference has more than one '#'"},
        {"vault:#canary", "the 'vault:' reference has no path before the '#'"},
        {"vault:/#canary", "the 'vault:' reference has no path before the '#'"},
        {"vault:canary#f", "the 'vault:' reference has no path behind the mount"},
        {"vault:canary/#f", "the 'vault:' reference has an empty segment in its path"},
        {"vault:canary//x#f", "the 'vault:' reference has an empty segment in its path"},
        {"vault:canary/../x#f", "the 'vault:' reference has '.' or '..' as a segment of its path"},
        {"vault:canary/.#f", "the 'vault:' reference has '.' or '..' as a segment of its path"},
        {"vault:canary/x#f ", "the 'vault:' reference has white space at an end"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ARENA a = ARENA_INIT;
        struct ref ref = {.kind = REF_COMMAND};
        struct err err = ERR_INIT;
        assert_int_equal(ref_parse(&a, cases[i].text, &ref, &err), -1);
        assert_int_equal(err.kind, ERR_CONTRACT);
        assert_string_equal(err.text, cases[i].defect);
        assert_text_has(err.hint, "vault:PATH#FIELD");
        assert_text_lacks(err.hint, "canary");
        assert_int_equal(ref.kind, REF_COMMAND);
    }
}

static void a_parsed_reference_does_not_need_its_text(void **state)
{
    (void)state;
    AUTO_ARENA a = ARENA_INIT;
    char text[] = "vault:secret/x#f";
    struct ref ref;
    struct err err = ERR_INIT;

    assert_int_equal(ref_parse(&a, text, &ref, &err), 0);
    memset(text, 'z', sizeof text - 1);
    assert_string_equal(ref.path, "secret/x");
    assert_string_equal(ref.field, "f");
}

static void a_value_is_an_inline_reference_when_it_parses_as_one(void **state)
{
    (void)state;
    assert_true(ref_is_inline("vault:secret/x#f"));
    assert_true(ref_is_inline("sealed:NAME"));
    assert_true(ref_is_inline("file:/run/x"));
    assert_false(ref_is_inline("vault:secret/x"));
    assert_false(ref_is_inline("sealed:"));
    assert_false(ref_is_inline("env:NAME"));
    assert_false(ref_is_inline("env"));
    assert_false(ref_is_inline("none"));
    assert_false(ref_is_inline("plain value"));
    assert_false(ref_is_inline(""));
}

static void a_value_that_was_meant_as_a_reference_is_a_broken_one(void **state)
{
    static const char *const broken[] = {
        "vault:secret/x",      "vault:secret/x#", "vault:secret#f",   "vault:secret//x#f",
        "vault:secret/../x#f", "vault:",          "vault:8200x/y",    "vault:v1/x",
        "vault:v:x",           "sealed:",         "sealed:two words", "file:",
        "file:/run/x\n",       "vault:8200:x",
    };
    static const char *const others[] = {
        "vault:secret/x#f",
        "file:/run/x",
        "sealed:NAME",
        "env:",
        "vault:8200",
        "vault:8200/v1/secret",
        "vault",
        "none",
        "",
        "vault:v1:AbC/d+e==",
        "vault:v12:",
        "env:a b",
        " vault:x",
        "files:",
        "vault: a note",
        "file: a/b",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(broken); i++)
        if (!ref_is_broken(broken[i]))
            fail_msg("'%s' is not said to be broken", broken[i]);
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (ref_is_broken(others[i]))
            fail_msg("'%s' is said to be broken", others[i]);
}

static void a_description_is_what_was_written(void **state)
{
    (void)state;
    static const char *const texts[] = {"env",      "env:X",   "none",
                                        "sealed:X", "file:/x", "vault:secret/x#f"};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        AUTO_ARENA a = ARENA_INIT;
        AUTO_BUF b = BUF_INIT(1000);
        struct ref ref;
        struct err err = ERR_INIT;
        assert_int_equal(ref_parse(&a, texts[i], &ref, &err), 0);
        ref_describe(&ref, &b);
        assert_string_equal(buf_text(&b), texts[i]);
    }
}

static void a_description_of_a_command_has_no_arguments(void **state)
{
    (void)state;
    AUTO_BUF b = BUF_INIT(1000);
    const char *const argv[] = {"hooks/get", "--token=canary", NULL};
    struct ref ref = {.kind = REF_COMMAND, .argv = argv};

    ref_describe(&ref, &b);
    assert_string_equal(buf_text(&b), "command hooks/get");
}

static void running_out_of_memory_is_said_and_not_a_wrong_contract(void **state)
{
    (void)state;
    NEEDS_HEAP();
    AUTO_ARENA a = ARENA_INIT;
    struct ref ref;
    struct err err = ERR_INIT;

    heap_fail_after(0);
    int status = ref_parse(&a, "vault:secret/x#f", &ref, &err);
    heap_fail_after(-1);
    assert_int_equal(status, -1);
    assert_int_equal(err.kind, ERR_RESOURCE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_taken_apart),
        cmocka_unit_test(what_stands_behind_the_colon_is_handed_back_unread),
        cmocka_unit_test(what_is_wrong_is_named_without_the_text),
        cmocka_unit_test(a_parsed_reference_does_not_need_its_text),
        cmocka_unit_test(a_value_is_an_inline_reference_when_it_parses_as_one),
        cmocka_unit_test(a_value_that_was_meant_as_a_reference_is_a_broken_one),
        cmocka_unit_test(a_description_is_what_was_written),
        cmocka_unit_test(a_description_of_a_command_has_no_arguments),
        cmocka_unit_test(running_out_of_memory_is_said_and_not_a_wrong_contract),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
