/* Versions, and which of two is the newer one. */
#include "tests/unit/envcontract_types.h"

#include "envcontract/types.h"

static void a_version_has_three_numbers_and_may_have_more(void **state)
{
    static const struct good_value good[] = {
        {TYPE_SEMVER, "0.0.0"},
        {TYPE_SEMVER, "1.4.0"},
        {TYPE_SEMVER, "10.20.30"},
        {TYPE_SEMVER, "1.0.0-alpha"},
        {TYPE_SEMVER, "1.0.0-0.3.7"},
        {TYPE_SEMVER, "1.0.0-x-y-z.--"},
        {TYPE_SEMVER, "1.0.0-0a.b"},
        {TYPE_SEMVER, "1.0.0+001.sha-5114f85"},
        {TYPE_SEMVER, "1.0.0-rc.1+build.1"},
        {TYPE_SEMVER, "99999999999999999999999.999999999999999999.99999999999999999"},
    };
    static const struct bad_value bad[] = {
        {TYPE_SEMVER, "", "type", "expected a version such as 1.4.0"},
        {TYPE_SEMVER, "v1.4.0", "type", "trouble at character 1"},
        {TYPE_SEMVER, "1.4", "type", "3 characters, expected a version"},
        {TYPE_SEMVER, "1.4.0.1", "type", "trouble at character 6"},
        {TYPE_SEMVER, "01.4.0", "type", "a leading zero at character 1"},
        {TYPE_SEMVER, "1.04.0", "type", "a leading zero at character 3"},
        {TYPE_SEMVER, "1.4.0-01", "type", "a leading zero at character 7"},
        {TYPE_SEMVER, "1.4.0-", "type", "an empty identifier"},
        {TYPE_SEMVER, "1.4.0-a..b", "type", "an empty identifier at character 9"},
        {TYPE_SEMVER, "1.4.0+", "type", "an empty identifier"},
        {TYPE_SEMVER, "1.4.0+a+b", "type", "trouble at character 8"},
        {TYPE_SEMVER, "1.4.0-a_b", "type", "trouble at character 8"},
        {TYPE_SEMVER, "1.4.x", "type", "trouble at character 5"},
        {TYPE_SEMVER, "1.-4.0", "type", "trouble at character 3"},
        {TYPE_SEMVER, "1.4.0\n", "type", "a line break at the end"},
        {TYPE_SEMVER, "1.4.\xe0\xa5\xa6", "type", "trouble at character 5"},
    };
    (void)state;
    assert_all_good(good, ARRAY_LEN(good));
    assert_all_bad(bad, ARRAY_LEN(bad));
}

static void versions_are_ordered_by_precedence(void **state)
{
    /* Semantic Versioning 2.0.0, 11: each is below the next. */
    static const char *const ordered[] = {
        "0.9.10",
        "1.0.0-1",
        "1.0.0-2",
        "1.0.0-10",
        "1.0.0--",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.2",
        "1.0.10",
        "1.2.0",
        "1.10.0",
        "2.0.0-a",
        "2.0.0",
        "10.0.0",
        "18446744073709551616.0.0",
        "18446744073709551617.0.0",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ordered); i++) {
        for (size_t k = 0; k < ARRAY_LEN(ordered); k++) {
            int order = types_compare_semver(ordered[i], ordered[k]);
            if ((order > 0) - (order < 0) != (i > k) - (i < k))
                fail_msg("%s and %s compare as %d", ordered[i], ordered[k], order);
        }
    }
    assert_int_equal(types_compare_semver("1.0.0+a", "1.0.0+b.1"), 0);
    assert_int_equal(types_compare_semver("1.0.0-rc+a", "1.0.0-rc"), 0);
}

static void versions_have_bounds(void **state)
{
    (void)state;
    struct contract_rules rules = {.type = TYPE_SEMVER,
                                   .min = bound(TYPE_SEMVER, "1.2.0"),
                                   .max = bound(TYPE_SEMVER, "2.0.0")};
    assert_good(&rules, "1.2.0");
    assert_good(&rules, "1.10.3-rc.1");
    assert_good(&rules, "2.0.0+build");
    assert_bad(&rules, "1.2.0-rc.1", "min", "below the minimum of 1.2.0");
    assert_bad(&rules, "2.0.1", "max", "above the maximum of 2.0.0");
    struct contract_bound unused;
    assert_int_equal(types_parse_bound(TYPE_SEMVER, "1.2", &unused), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_version_has_three_numbers_and_may_have_more),
        cmocka_unit_test(versions_are_ordered_by_precedence),
        cmocka_unit_test(versions_have_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
