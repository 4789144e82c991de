/* What a schema cannot say about variables, each at its place. */
#include "tests/unit/envcontract_load.h"

#define V(keys) "{'contract': 1, 'vars': {'A': {" keys "}}}"
#define P(keys)                                                             \
    "{'contract': 1, 'profile': {'var': 'R', 'values': ['dev', 'prod']},\n" \
    "'vars': {'R': {},\n'A': {" keys "}}}"

static void a_constraint_that_the_type_does_not_have_is_an_error(void **state)
{
    static const struct wrong list[] = {
        {V("'min': 1"), 1, 32, "/vars/A/min", "this type has no 'min'",
         "It is for int, number, port, duration, bytes, semver and date."},
        {V("'type': 'email', 'max': 1"), 1, 49, "/vars/A/max", "this type has no 'max'", NULL},
        {V("'min_bytes': 1"), 1, 32, "/vars/A/min_bytes", "this type has no 'min_bytes'",
         "It is for hex and base64."},
        {V("'url': {}"), 1, 32, "/vars/A/url", "this type has no 'url'", NULL},
        {V("'type': 'url', 'path': {}"), 1, 47, "/vars/A/path", "this type has no 'path'",
         "It is for path."},
        {V("'type': 'enum'"), 1, 40, "/vars/A/type", "an enum without 'values'", "Add"},
        {V("'type': 'int', 'min': 'x'"), 1, 54, "/vars/A/min", "'min' is no value of its type",
         "It is to be a whole number of 64 bits."},
        {V("'type': 'duration', 'max': 5"), 1, 59, "/vars/A/max", "'max' is no value of its type",
         NULL},
        {V("'type': 'int', 'min': 5, 'max': 4"), 1, 64, "/vars/A/max", "'max' is below 'min'",
         NULL},
        {V("'type': 'number', 'min': 0.5, 'max': 0.25"), 1, 69, "/vars/A/max", "'max' is below",
         NULL},
        {V("'type': 'duration', 'min': '1m', 'max': '59s'"), 1, 72, "/vars/A/max", "'max' is below",
         NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void base_may_have_constraints_for_the_types_that_know_them(void **state)
{
    struct loaded l = load_text("{'contract': 1, 'base': {'url': {'scheme': 'https'}, 'max': 5}, "
                                "'vars': {'A': {}, 'B': {'type': 'url'}, 'C': {'type': 'int'}}}");

    (void)state;
    assert_clean(&l);
    unload(&l);
}

static void the_engines_own_password_has_no_source(void **state)
{
    struct loaded l = load_text(
        "{'contract': 1, 'records': 'vault:kv/r/{name}', 'vars': {'A': {'secret': true, "
        "'required': "
        "false, 'source': 'none', 'rotate': {'strategy': 'vault-root', 'mount': 'd', 'connection': "
        "'c'}}}}");

    (void)state;
    assert_clean(&l);
    unload(&l);
}

static void a_secret_has_a_source_and_no_value_in_the_contract(void **state)
{
    static const struct wrong list[] = {
        {V("'secret': true"), 1, 26, "/vars/A", "a secret without a source", "env"},
        {V("'secret': true, 'source': 'none'"), 1, 26, "/vars/A", "a secret without a source",
         NULL},
        {V("'secret': true, 'source': 'env', 'default': 'canary-1'"), 1, 65, "/vars/A/default",
         "a secret with a default", NULL},
        {V("'secret': true, 'source': 'env', 'example': 'canary-1'"), 1, 65, "/vars/A/example",
         "a secret with an example", NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void the_loaders_variables_come_from_the_environment_only(void **state)
{
    static const struct wrong list[] = {
        {"{'contract': 1, 'vars': {'LD_PRELOAD': {'source': 'vault:kv/a#b'}}}", 1, 51,
         "/vars/LD_PRELOAD/source", "decides what code is loaded", "env only"},
        {"{'contract': 1, 'vars': {'LD_PRELOAD': {'source': {'a': 'env', 'b': 'file:x'}, "
         "'compose': '{a}{b}'}}}",
         1, 51, "/vars/LD_PRELOAD/source", "decides what code is loaded", NULL},
        {"{'contract': 1, 'base': {'source': 'file:/x'}, 'vars': {'LD_AUDIT': {}}}", 1, 36,
         "/base/source", "decides what code is loaded", NULL},
    };
    struct loaded l = load_text("{'contract': 1, 'vars': {'LD_PRELOAD': {'source': 'env:X'}}}");

    (void)state;
    assert_clean(&l);
    unload(&l);
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void compose_and_source_belong_together(void **state)
{
    static const struct wrong list[] = {
        {V("'source': {'a': 'env'}"), 1, 32, "/vars/A/source", "without 'compose'", "{name}"},
        {V("'source': 'env', 'compose': '{a}'"), 1, 49, "/vars/A/compose",
         "'compose' without a source of several parts", NULL},
        {V("'source': {'a': 'env', 'b': 'env'}, 'compose': '{a}{c}{b}'"), 1, 79, "/vars/A/compose",
         "'{c}' in 'compose' is no part of the source", NULL},
        {V("'source': {'a': 'env', 'b': 'env'}, 'compose': '{a}'"), 1, 79, "/vars/A/compose",
         "the part 'b' of the source is not in 'compose'", NULL},
        {V("'source': {'a': 'env'}, 'compose': '{a|urk}'"), 1, 67, "/vars/A/compose",
         "no such filter", "url"},
        {V("'source': {'a': 'env'}, 'compose': '{a'"), 1, 67, "/vars/A/compose", "{", NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void a_default_satisfies_its_own_type(void **state)
{
    static const struct {
        const char *text, *rule, *message, *pointer;
    } list[] = {
        {V("'type': 'int', 'default': 'x'"), "type", "the default: ", "/vars/A/default"},
        {V("'type': 'int', 'max': 5, 'default': 6"), "max", "the default: ", "/vars/A/default"},
        {V("'type': 'enum', 'values': ['a'], 'default': 'b'"), "values",
         "the default: ", "/vars/A/default"},
        {V("'pattern': 'a+', 'default': 'b'"), "pattern", "the default: ", "/vars/A/default"},
        {V("'type': 'bool', 'default': 7"), "type", "the default: ", "/vars/A/default"},
        {P("'type': 'enum', 'values': ['a', 'b'], 'default': 'a', 'profiles': {'prod': {'values': "
           "['b']}}"),
         "values", "the default, in profile 'prod': ", "/vars/A/default"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        struct loaded l = load_text(list[i].text);
        assert_int_equal(l.findings.count, 1);
        const struct finding *f = find_finding(&l, list[i].message);
        assert_string_equal(f->rule, list[i].rule);
        assert_string_equal(f->pointer, list[i].pointer);
        assert_string_equal(f->variable, "A");
        unload(&l);
    }
}

static void an_empty_default_needs_empty_ok(void **state)
{
    static const struct wrong w = {
        V("'default': ''"), 1, 43, "/vars/A/default", "an empty default counts as missing",
        "\"empty\": \"ok\""};
    struct loaded l = load_text(V("'default': '', 'empty': 'ok'"));

    (void)state;
    assert_clean(&l);
    unload(&l);
    assert_wrong(&w);
}

static void names_in_conditions_exist(void **state)
{
    static const struct wrong list[] = {
        {"{'contract': 1, 'vars': {'MODE': {}, 'A': {'required': {'MOED': 'x'}}}}", 1, 57,
         "/vars/A/required/MOED", "a condition on 'MOED', which is no variable", "'MODE'"},
        {"{'contract': 1, 'base': {'required': {'X': true}}, 'vars': {'A': {}}}", 1, 39,
         "/base/required/X", "a condition on 'X'", NULL},
        {P("'profiles': {'dev': {'required': {'not': {'any': [{'QQ': 'x'}]}}}}"), 3, 58,
         "/vars/A/profiles/dev/required/not/any/0/QQ", "a condition on 'QQ'", NULL},
        {P("'required': {'@profile': ['dev', 'prd']}"), 3, 32, "/vars/A/required/@profile",
         "'prd' is no profile", "'prod'"},
        {P("'profiles': {'prdo': {}}"), 3, 20, "/vars/A/profiles/prdo", "'prdo' is no profile",
         "'prod'"},
        {"{'contract': 1, 'vars': {'A': {'required': {'@profile': 'x'}}}}", 1, 45,
         "/vars/A/required/@profile", "'@profile' in a contract without 'profile'", NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void a_problem_of_one_profile_names_it_and_one_of_all_is_said_once(void **state)
{
    struct loaded l = load_text(
        P("'secret': true, 'source': 'env', 'profiles': {'prod': {'source': "
          "'none'}}"));

    (void)state;
    assert_int_equal(l.findings.count, 1);
    assert_string_equal(l.findings.list[0].message,
                        "a secret without a source (in profile 'prod')");
    unload(&l);
    l = load_text(P("'min': 1, 'profiles': {'prod': {'doc': 'x'}, 'dev': {'doc': 'y'}}"));
    assert_int_equal(l.findings.count, 1);
    unload(&l);
}

static void a_source_in_each_profile_is_enough_for_a_secret(void **state)
{
    struct loaded l = load_text(P("'secret': true, 'profiles': {'prod': {'source': 'env'}, 'dev': "
                                  "{'source': 'file:x'}}"));

    (void)state;
    assert_clean(&l);
    unload(&l);
}

static void profiles_do_not_lie_in_profiles(void **state)
{
    static const struct wrong w = {
        P("'profiles': {'dev': {'profiles': {}}}"), 3,   28, "/vars/A/profiles/dev/profiles",
        "'profiles' cannot stand inside a profile", NULL};

    (void)state;
    assert_wrong(&w);
}

#define PROFILE_VALUES(values, more)                                                \
    "{'contract': 1, 'profile': {'var': 'P', 'values': ['a', 'b']}, 'vars': {'P': " \
    "{'values': " values more "}}}"

static void a_profile_is_a_value_that_its_variable_may_have(void **state)
{
    static const struct wrong w = {PROFILE_VALUES("['a', 'c']", ""),
                                   1,
                                   51,
                                   "/profile/values",
                                   "the profile 'b' is no value that 'P' may have",
                                   "'values'"};
    struct loaded l = load_text(
        PROFILE_VALUES("['a']", ", 'profiles': {'b': {'values': ['b', 'c']}}"));

    (void)state;
    assert_clean(&l);
    unload(&l);
    assert_wrong(&w);
}

/* How often it is said of a contract of VARIABLES, each with KEYS, that not all its defaults were held
 * against their types; no errors. */
static size_t warnings_of(int variables, const char *keys)
{
    AUTO_BUF text = BUF_INIT(1024 * 1024);
    struct loaded l;
    size_t warnings = 0;

    buf_adds(&text, "{\"contract\": 1, \"vars\": {\"V\": {}");
    for (int i = 0; i < variables; i++)
        buf_addf(&text, ", \"V%d\": {%s}", i, keys);
    buf_adds(&text, "}}");
    new_folder(&l);
    write_file(l.folder, "contract.json", text.data, text.len);
    load(&l);
    for (size_t i = 0; i < l.findings.count; i++)
        warnings += strstr(l.findings.list[i].message, "checked when they are used") != NULL;
    assert_int_equal(l.findings.count, warnings);
    unload(&l);
    return warnings;
}

static void only_so_much_is_spent_on_holding_defaults_against_patterns(void **state)
{
    static const char slow[] = "\"pattern\": \"(a+)+b|a+\", \"default\": \"aaaaaaaaaaaaaaaaaa\"";

    (void)state;
    assert_int_equal(warnings_of(3000, "\"pattern\": \"a+\", \"default\": \"aaa\""), 0);
    assert_int_equal(warnings_of(30, slow), 1); /* each takes a quarter of a million steps */
}

static void a_default_is_no_longer_than_a_value_may_be(void **state)
{
    enum { BYTES = SECRET_MAX_BYTES + 1 };
    AUTO_BUF text = BUF_INIT(2 * BYTES);
    struct loaded l;

    (void)state;
    buf_adds(&text, "{\"contract\": 1, \"vars\": {\"A\": {\"default\": \"");
    for (int i = 0; i < BYTES; i++)
        buf_addc(&text, 'a');
    buf_adds(&text, "\"}}}");
    new_folder(&l);
    write_file(l.folder, "contract.json", text.data, text.len);
    load(&l);
    assert_int_equal(l.findings.count, 1);
    assert_text_has(l.findings.list[0].message, "a value has at most 1048576 bytes");
    unload(&l);
}

/* What `base` has counts once for each variable, before it is kept so often. */
static void what_all_variables_have_together_has_an_end(void **state)
{
    static const struct {
        const char *base_head, *base_piece, *base_tail, *message;
        int pieces;
    } list[] = {
        {"'default': '", "0123456789", "'", "the defaults of all variables have more than", 1000},
        {"'source': {'command': ['a'", ", 'a'", "]}", "the sources of all variables have more",
         900},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        AUTO_BUF text = BUF_INIT(1024 * 1024);
        buf_addf(&text, "{'contract': 1, 'base': {%s", list[i].base_head);
        for (int k = 0; k < list[i].pieces; k++)
            buf_adds(&text, list[i].base_piece);
        buf_addf(&text, "%s}, 'vars': {'V': {}", list[i].base_tail);
        for (int k = 0; k < 3000; k++)
            buf_addf(&text, ", 'V%d': {}", k);
        buf_adds(&text, "}}");
        struct loaded l = load_text(buf_text(&text));
        assert_int_equal(l.findings.count, 1);
        assert_text_has(l.findings.list[0].message, list[i].message);
        assert_non_null(l.findings.list[0].hint);
        unload(&l);
    }
}

static void all_templates_together_have_so_many_pieces(void **state)
{
    enum { VARIABLES = 3200, PIECES = 64 };
    AUTO_BUF text = BUF_INIT(2 * 1024 * 1024), compose = BUF_INIT(1024);

    (void)state;
    for (int i = 0; i < PIECES; i++)
        buf_adds(&compose, "{a}");
    buf_adds(&text, "{'contract': 1, 'vars': {'V': {}");
    for (int i = 0; i < VARIABLES; i++)
        buf_addf(&text, ", 'V%d': {'source': {'a': 'env'}, 'compose': '%s'}", i,
                 buf_text(&compose));
    buf_adds(&text, "}}");
    struct loaded l = load_text(buf_text(&text));
    assert_int_equal(l.findings.count, 1);
    assert_text_has(l.findings.list[0].message,
                    "a contract has at most 199999 pieces of 'compose' and 'template'");
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_constraint_that_the_type_does_not_have_is_an_error),
        cmocka_unit_test(base_may_have_constraints_for_the_types_that_know_them),
        cmocka_unit_test(the_engines_own_password_has_no_source),
        cmocka_unit_test(a_secret_has_a_source_and_no_value_in_the_contract),
        cmocka_unit_test(the_loaders_variables_come_from_the_environment_only),
        cmocka_unit_test(compose_and_source_belong_together),
        cmocka_unit_test(a_default_satisfies_its_own_type),
        cmocka_unit_test(an_empty_default_needs_empty_ok),
        cmocka_unit_test(names_in_conditions_exist),
        cmocka_unit_test(a_problem_of_one_profile_names_it_and_one_of_all_is_said_once),
        cmocka_unit_test(a_source_in_each_profile_is_enough_for_a_secret),
        cmocka_unit_test(profiles_do_not_lie_in_profiles),
        cmocka_unit_test(only_so_much_is_spent_on_holding_defaults_against_patterns),
        cmocka_unit_test(a_default_is_no_longer_than_a_value_may_be),
        cmocka_unit_test(what_all_variables_have_together_has_an_end),
        cmocka_unit_test(a_profile_is_a_value_that_its_variable_may_have),
        cmocka_unit_test(all_templates_together_have_so_many_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
