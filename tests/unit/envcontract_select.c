/* The contract in one profile: which, layers, what a variable is made of. */
#include "tests/unit/envcontract_load.h"

#include "base/str.h"
#include "envcontract/internal.h"

#define PROFILES "'profile': {'var': 'ROLE', 'values': ['dev', 'prod']}, "
#define ROLE     "'ROLE': {'source': 'env'}"

static const struct contract_variable *variable(const struct loaded *l, const char *name)
{
    const struct contract_variable *found = contract_find(l->contract, name);

    assert_non_null(found);
    return found;
}

static void expect_usage(const char *text, const char *wanted, const char *environment,
                         const char *message, const char *hint)
{
    struct loaded l = load_text(text);

    assert_int_equal(contract_select(l.contract, wanted, environment, &l.findings, &l.err), -1);
    assert_int_equal(l.err.kind, ERR_USAGE);
    assert_text_has(l.err.text, message);
    if (hint)
        assert_text_has(l.err.hint, hint);
    unload(&l);
}

static void the_profile_comes_from_the_call_the_environment_or_the_default(void **state)
{
    static const struct {
        const char *wanted, *environment, *profile;
    } list[] = {{"prod", NULL, "prod"}, {NULL, "prod", "prod"}, {"prod", "prod", "prod"},
                {NULL, NULL, "dev"},    {NULL, "", "dev"},      {"prod", "", "prod"}};
    struct loaded l = load_text("{'contract': 1, 'profile': {'var': 'ROLE', 'values': ['dev', "
                                "'prod'], 'default': 'dev'}, 'vars': {" ROLE "}}");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        assert_int_equal(
            contract_select(l.contract, list[i].wanted, list[i].environment, &l.findings, &l.err),
            0);
        assert_string_equal(l.contract->profile, list[i].profile);
    }
    unload(&l);
}

static void a_profile_that_cannot_be_is_a_wrong_call(void **state)
{
    static const char text[] = "{'contract': 1, " PROFILES "'vars': {" ROLE "}}";

    (void)state;
    expect_usage(text, NULL, NULL, "no profile: ROLE is not set", "dev, prod");
    expect_usage(text, "dev", "prod", "--profile is 'dev', but ROLE in the environment is 'prod'",
                 NULL);
    expect_usage(text, "prd", NULL, "--profile: 'prd' is no profile", "Did you mean 'prod'?");
    expect_usage(text, NULL, "staging", "ROLE: 'staging' is no profile",
                 "Profiles are: dev, prod.");
    expect_usage("{'contract': 1, 'vars': {}}", "dev", NULL, "has no profiles", NULL);
}

static void a_contract_without_profiles_has_none(void **state)
{
    struct loaded l = load_text("{'contract': 1, 'vars': {'A': {}}}");

    (void)state;
    select_profile(&l, NULL);
    assert_null(l.contract->profile);
    assert_null(l.contract->profile_variable);
    unload(&l);
}

static void a_profile_lies_over_the_variable_and_that_over_base(void **state)
{
    struct loaded l = load_text(
        "{'contract': 1, " PROFILES
        "'base': {'doc': 'from base', 'type': 'int', 'source': 'env:BASE', "
        "'profiles': {'prod': {'doc': 'from base in prod', 'max': 9}}},\n"
        "'vars': {" ROLE
        ", 'PLAIN': {}, 'OWN': {'doc': 'own', 'max': 5, 'profiles': {'prod': {'max': 7}}}, "
        "'NONE': {'source': null, 'type': null, 'max': null}}}");

    (void)state;
    assert_clean(&l);
    select_profile(&l, "dev");
    assert_string_equal(variable(&l, "PLAIN")->doc, "from base");
    assert_null(variable(&l, "PLAIN")->rules->max.text);
    assert_int_equal(variable(&l, "PLAIN")->rules->type, TYPE_INT);
    assert_string_equal(variable(&l, "PLAIN")->parts[0].ref.path, "BASE");
    assert_string_equal(variable(&l, "OWN")->doc, "own");
    assert_int_equal(variable(&l, "OWN")->rules->max.integer, 5);
    select_profile(&l, "prod");
    assert_string_equal(variable(&l, "PLAIN")->doc, "from base in prod");
    assert_int_equal(variable(&l, "PLAIN")->rules->max.integer, 9);
    assert_string_equal(variable(&l, "OWN")->doc, "own");
    assert_int_equal(variable(&l, "OWN")->rules->max.integer, 7);
    const struct contract_variable *none = variable(&l, "NONE");
    assert_int_equal(none->rules->type, TYPE_STRING);
    assert_null(none->rules->max.text);
    assert_int_equal(none->parts[0].ref.kind, REF_ENV);
    assert_string_equal(none->parts[0].ref.path, "NONE");
    unload(&l);
}

static void what_lies_on_top_replaces_a_key_whole(void **state)
{
    struct loaded l = load_text(
        "{'contract': 1, " PROFILES "'vars': {" ROLE ", 'URL': {'type': 'url', 'secret': true, "
        "'source': {'a': 'env:A', 'b': 'env:B'}, 'compose': 'http://{a}@{b|url}', "
        "'url': {'scheme': 'http', 'password': 'required'}, "
        "'profiles': {'dev': {'source': 'file:x', 'compose': null, 'url': {'host': ['h']}}}}}}");

    (void)state;
    assert_clean(&l);
    select_profile(&l, "prod");
    const struct contract_variable *url = variable(&l, "URL");
    assert_int_equal(url->part_count, 2);
    assert_string_equal(url->parts[1].name, "b");
    assert_int_equal(url->rules->compose->count, 2);
    assert_string_equal(url->rules->url->scheme[0], "http");
    assert_int_equal(url->rules->url->password, DEMAND_PRESENT);
    select_profile(&l, "dev");
    url = variable(&l, "URL");
    assert_int_equal(url->part_count, 1);
    assert_null(url->parts[0].name);
    assert_int_equal(url->parts[0].ref.kind, REF_FILE);
    assert_string_equal(url->parts[0].ref.folder, l.folder);
    assert_null(url->rules->compose);
    assert_null(url->rules->url->scheme);
    assert_string_equal(url->rules->url->host[0], "h");
    assert_int_equal(url->rules->url->password, DEMAND_NOTHING);
    unload(&l);
}

static void every_constraint_reaches_the_rules(void **state)
{
    struct loaded l = load_text(
        "{'contract': 1, 'vars': {'N': {'type': 'number', 'min': 0.5, 'max': '2e3'}, "
        "'D': {'type': 'duration', 'min': '1s', 'default': '30s'}, "
        "'S': {'values': ['a', 2, true], 'length': [1, null], 'prefix': 'p', 'pattern': 'x+', "
        "'placeholder_ok': true, 'empty': 'ok', 'required': false}, "
        "'B': {'type': 'base64', 'min_bytes': 32, 'length': [3, 4]}, "
        "'P': {'type': 'path', 'path': {'must_exist': true, 'dir': false, 'readable': true}}, "
        "'U': {'type': 'redis-url', 'url': {'scheme': ['rediss'], 'deny_host': 'x', 'port': [1, "
        "65535], "
        "'user': ['u*'], 'query': {'a': true, 'b': false, 'c': ['1', '2'], 'd': '3'}}}, "
        "'V': {'type': 'url', 'url': {'user': 'forbidden', 'port': 443}}, "
        "'X': {'required': {'S': 'a'}, 'expose': 'agent', 'secret': true, 'source': 'env:Y'}}}");

    (void)state;
    assert_clean(&l);
    select_profile(&l, NULL);
    const struct contract_rules *r = variable(&l, "N")->rules;
    assert_true(r->min.number > 0.4 && r->min.number < 0.6 && r->max.number > 1999);
    assert_string_equal(r->min.text, "0.5");
    assert_true(r->required);
    r = variable(&l, "D")->rules;
    assert_int_equal(r->min.integer, 1000);
    assert_string_equal(r->default_value, "30s");
    assert_false(r->required);
    r = variable(&l, "S")->rules;
    assert_string_equal(r->values[1], "2");
    assert_string_equal(r->values[2], "true");
    assert_null(r->values[3]);
    assert_true(r->has_length && r->length_min == 1 && r->length_max == SIZE_MAX);
    assert_string_equal(r->prefix, "p");
    assert_string_equal(r->pattern, "x+");
    assert_true(r->placeholder_ok && r->empty_ok && !r->required);
    r = variable(&l, "B")->rules;
    assert_int_equal(r->min_bytes, 32);
    assert_int_equal(r->length_max, 4);
    r = variable(&l, "P")->rules;
    assert_true(r->path->must_exist && r->path->readable);
    assert_int_equal(r->path->kind, PATH_OF_NO_FOLDER);
    r = variable(&l, "V")->rules;
    assert_int_equal(r->url->user, DEMAND_ABSENT);
    assert_int_equal(r->url->port_count, 1);
    r = variable(&l, "U")->rules;
    assert_string_equal(r->url->scheme[0], "rediss");
    assert_string_equal(r->url->deny_host[0], "x");
    assert_int_equal(r->url->ports[1], 65535);
    assert_string_equal(r->url->user_patterns[0], "u*");
    assert_int_equal(r->url->user, DEMAND_PRESENT);
    assert_int_equal(r->url->query_count, 4);
    assert_int_equal(r->url->query[0].demand, DEMAND_PRESENT);
    assert_null(r->url->query[0].values);
    assert_int_equal(r->url->query[1].demand, DEMAND_ABSENT);
    assert_string_equal(r->url->query[2].values[1], "2");
    assert_string_equal(r->url->query[3].values[0], "3");
    const struct contract_variable *x = variable(&l, "X");
    assert_true(x->for_agent_only && x->secret && x->rules->required);
    assert_non_null(x->rules->required_when);
    unload(&l);
}

static void overriding_is_refused_in_strict_profiles(void **state)
{
    struct loaded l = load_text("{'contract': 1, " PROFILES "'strict_profiles': ['prod'], "
                                "'vars': {" ROLE ", 'A': {'override': true, 'source': 'file:a'}}}");

    (void)state;
    assert_clean(&l);
    select_profile(&l, "dev");
    assert_false(l.contract->profile_is_strict);
    assert_true(variable(&l, "A")->overridable);
    select_profile(&l, "prod");
    assert_true(l.contract->profile_is_strict);
    assert_false(variable(&l, "A")->overridable);
    unload(&l);
}

static void a_sealed_source_has_a_name_that_a_variable_could_have(void **state)
{
    struct loaded l = load_text(
        "{'contract': 1, " PROFILES "'vars': {" ROLE ", 'A': {'source': 'sealed:A_{profile}'}, "
        "'B': {'source': {'x': 'sealed:1B', 'y': 'sealed:{name}'}, 'compose': '{x}{y}'}, "
        "'C': {'source': 'env', "
        "'profiles': {'dev': {'source': 'sealed:C.C'}}}}}");

    (void)state;
    assert_int_equal(l.findings.errors, 2);
    assert_string_equal(l.findings.list[0].pointer, "/vars/B/source/x");
    assert_text_has(l.findings.list[0].message, "what cannot be a name");
    assert_string_equal(l.findings.list[1].pointer, "/vars/C/profiles/dev/source");
    select_profile(&l, "dev");
    assert_int_equal(variable(&l, "A")->parts[0].ref.kind, REF_SEALED);
    assert_string_equal(variable(&l, "A")->parts[0].ref.path, "A_dev");
    unload(&l);
}

static void lint_warns_of_secrets_that_nobody_rotates(void **state)
{
    struct loaded l = load_text("{'contract': 1, " PROFILES "'vars': {" ROLE
                                ", 'A': {'source': 'env', "
                                "'profiles': {'dev': {'source': 'sealed:A'}}}, "
                                "'B': {'secret': true, 'source': 'env'}, 'C': {'secret': true, "
                                "'source': 'env', 'rotate': {'strategy': 'none', 'why': 'x'}}}}");

    (void)state;
    assert_clean(&l);
    assert_int_equal(contract_lint(l.contract, &l.findings, &l.err), 0);
    assert_int_equal(l.findings.count, 1);
    assert_int_equal(l.findings.errors, 0);
    assert_string_equal(find_finding(&l, "without 'rotate'")->variable, "B");
    unload(&l);
}

static void a_second_selection_replaces_the_first(void **state)
{
    struct loaded l = load_text("{'contract': 1, " PROFILES "'vars': {" ROLE ", 'A': {'source': "
                                "'vault:kv/{profile}/{lower_name}#{name}'}}}");

    (void)state;
    assert_clean(&l);
    select_profile(&l, "dev");
    assert_string_equal(variable(&l, "A")->parts[0].ref.path, "kv/dev/a");
    select_profile(&l, "prod");
    assert_string_equal(variable(&l, "A")->parts[0].ref.path, "kv/prod/a");
    assert_string_equal(variable(&l, "A")->parts[0].ref.field, "A");
    assert_int_equal(l.contract->variable_count, 2);
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_profile_comes_from_the_call_the_environment_or_the_default),
        cmocka_unit_test(a_profile_that_cannot_be_is_a_wrong_call),
        cmocka_unit_test(a_contract_without_profiles_has_none),
        cmocka_unit_test(a_profile_lies_over_the_variable_and_that_over_base),
        cmocka_unit_test(what_lies_on_top_replaces_a_key_whole),
        cmocka_unit_test(every_constraint_reaches_the_rules),
        cmocka_unit_test(overriding_is_refused_in_strict_profiles),
        cmocka_unit_test(a_sealed_source_has_a_name_that_a_variable_could_have),
        cmocka_unit_test(lint_warns_of_secrets_that_nobody_rotates),
        cmocka_unit_test(a_second_selection_replaces_the_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
