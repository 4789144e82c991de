/* What a schema cannot say about aliases, deprecation and overriding. */
#include "tests/unit/envcontract_load.h"

#define V(keys) "{'contract': 1, 'vars': {'A': {" keys "}, 'B': {}}}"

static void an_alias_is_a_name_of_one_variable(void **state)
{
    static const struct wrong list[] = {
        {V("'aliases': [{'remove': '2027-01-01'}]"), 1, 44, "/vars/A/aliases/0",
         "an alias without 'name'", NULL},
        {V("'aliases': [{'name': 'OLD-A'}]"), 1, 53, "/vars/A/aliases/0/name",
         "'OLD-A' cannot be the name of a variable", NULL},
        {V("'aliases': [{'name': 'B'}]"), 1, 53, "/vars/A/aliases/0/name",
         "the alias 'B' is a variable of the contract", NULL},
        {V("'aliases': [{'name': 'A'}]"), 1, 53, "/vars/A/aliases/0/name",
         "the alias 'A' is a variable of the contract", NULL},
        {"{'contract': 1, 'vars': {'A': {'aliases': [{'name': 'O'}]}, 'B': {'aliases': [{'name': "
         "'O'}]}}}",
         1, 88, "/vars/B/aliases/0/name", "'O' is an alias of 'A', too", NULL},
        {"{'contract': 1, 'base': {'aliases': [{'name': 'O'}]}, 'vars': {}}", 1, 26,
         "/base/aliases", "would be those of every variable", NULL},
        {V("'aliases': [{'name': 'O', 'remove': '2027-02-30'}]"), 1, 68, "/vars/A/aliases/0/remove",
         "'2027-02-30' is no date", "2027-01-31"},
        {V("'aliases': [{'nmae': 'O', 'name': 'P'}]"), 1, 45, "/vars/A/aliases/0/nmae",
         "unknown key 'nmae' in 'aliases'", "'name'"},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void one_alias_may_stand_in_several_profiles_of_its_variable(void **state)
{
    struct loaded l = load_text(
        "{'contract': 1, 'profile': {'var': 'R', 'values': ['dev', 'prod']}, "
        "'vars': {'R': {}, 'A': {'profiles': {'dev': {'aliases': [{'name': "
        "'O'}]}, 'prod': {'aliases': [{'name': 'O'}]}}}}}");

    (void)state;
    assert_clean(&l);
    unload(&l);
}

static void a_deprecation_ends_after_its_begin_and_names_what_exists(void **state)
{
    static const struct wrong list[] = {
        {V("'deprecated': {'since': '2026-02-01', 'remove': '2026-01-01'}"), 1, 80,
         "/vars/A/deprecated/remove", "'remove' is before 'since'", NULL},
        {V("'deprecated': {'use': 'BB'}"), 1, 54, "/vars/A/deprecated/use",
         "'BB' is no variable of the contract", NULL},
        {V("'deprecated': {'since': 'soon'}"), 1, 56, "/vars/A/deprecated/since",
         "'soon' is no date", NULL},
        {V("'expires': 20270101"), 1, 43, "/vars/A/expires", "'expires' takes a date", NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void nothing_overrides_in_a_strict_profile(void **state)
{
#define STRICT(keys)                                                        \
    "{'contract': 1, 'profile': {'var': 'R', 'values': ['dev', 'prod']},\n" \
    "'strict_profiles': ['prod'], 'vars': {'R': {}, 'A': {'source': 'file:x', " keys "}}}"
    static const struct wrong list[] = {
        {STRICT("'profiles': {'prod': {'override': true}}"), 2, 96,
         "/vars/A/profiles/prod/override", "'override' in a strict profile", "strict_profiles"},
    };
    struct loaded l = load_text(
        STRICT("'override': true, 'profiles': {'dev': {'override': true}}"));

    (void)state;
    assert_clean(&l); /* it holds elsewhere */
    unload(&l);
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void names_in_a_forbidding_condition_exist(void **state)
{
    static const struct wrong list[] = {
        {V("'forbidden': {'BB': 'x'}"), 1, 46, "/vars/A/forbidden/BB",
         "a condition on 'BB', which is no variable", NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_alias_is_a_name_of_one_variable),
        cmocka_unit_test(one_alias_may_stand_in_several_profiles_of_its_variable),
        cmocka_unit_test(a_deprecation_ends_after_its_begin_and_names_what_exists),
        cmocka_unit_test(nothing_overrides_in_a_strict_profile),
        cmocka_unit_test(names_in_a_forbidding_condition_exist),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
