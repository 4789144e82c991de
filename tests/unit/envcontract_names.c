/* tests/unit/envcontract_names.c: the environment's names: unknown ones, and aliases. */
#include "tests/unit/envcontract_values.h"

static void check_environment(struct held *h, const char *const *entries, size_t count)
{
    findings_release(&h->l.findings);
    if (contract_check_environment(h->l.contract, h->values, entries, count, &h->l.findings,
                                   &h->l.err) != 0)
        fail_msg("contract_check_environment: %s", h->l.err.text);
}

#define ENVIRONMENT(h, ...)                                  \
    do {                                                     \
        static const char *const entries_[] = {__VA_ARGS__}; \
        check_environment(h, entries_, ARRAY_LEN(entries_)); \
    } while (0)

static void unknown_has_prefixes(void **state)
{
    static const struct wrong list[] = {
        {"{'contract': 1, 'vars': {}, 'unknown': {}}", 1, 29, "/unknown",
         "'unknown' has no 'prefix'", "ACME_"},
        {"{'contract': 1, 'vars': {}, 'unknown': {'prefix': []}}", 1, 51, "/unknown/prefix",
         "'prefix' is an empty list", NULL},
        {"{'contract': 1, 'vars': {}, 'unknown': {'prefix': ['A_'], 'level': 'fatal'}}", 1, 68,
         "/unknown/level", "'fatal' is not known as level", NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

#define UNKNOWN(keys)                                                                              \
    "{'contract': 1, 'unknown': {'prefix': ['ACME_', 'C?_'] " keys "}, 'vars': {'ACME_PORT': {}, " \
    "'A': {'source': 'env:ACME_A', 'aliases': [{'name': 'ACME_OLD'}]}, 'U': {'type': "             \
    "'postgres-url'}}, 'run': {'unset': ['ACME_UNSET']}, 'database': {'url': 'U', 'env': "         \
    "['ACME_HANDED']}}"

static void names_with_the_prefix_that_nobody_declared_are_reported(void **state)
{
    struct held h = hold(UNKNOWN(", 'ignore': ['ACME_LOCAL_*']"), NULL);

    (void)state;
    ENVIRONMENT(&h, "ACME_PROT=canary-1", NULL, "PATH=/bin", "XACME_Y=1", "CA=1");
    const struct finding *f = assert_one(&h, "unknown", "ACME_PROT",
                                         "set in the environment, and the contract does not know "
                                         "it");
    assert_string_equal(f->hint, "Did you mean 'ACME_PORT'?");
    assert_string_equal(f->pointer, "/unknown");
    assert_int_equal(f->severity, FINDING_ERROR);
    ENVIRONMENT(&h, "CX_Z=1");
    (void)assert_one(&h, "unknown", "CX_Z",
                     "set in the environment, and the contract does not know it");
    let_go(&h);
}

static void what_the_contract_names_anywhere_is_known(void **state)
{
    struct held h = hold(UNKNOWN(", 'ignore': ['ACME_LOCAL_*']"), NULL);

    (void)state;
    ENVIRONMENT(&h, "ACME_PORT=1", "ACME_A=1", "ACME_OLD=1", "ACME_UNSET=1", "ACME_HANDED=1",
                "ACME_LOCAL_X=1");
    assert_int_equal(h.l.findings.errors, 0);
    let_go(&h);
}

static void its_level_may_be_a_warning(void **state)
{
    struct held h = hold(UNKNOWN(", 'level': 'warning'"), NULL);

    (void)state;
    ENVIRONMENT(&h, "ACME_NOTHING_LIKE_IT=1");
    const struct finding *f = assert_one(&h, "unknown", "ACME_NOTHING_LIKE_IT",
                                         "set in the environment, and the contract does not know "
                                         "it");
    assert_int_equal(f->severity, FINDING_WARNING);
    assert_null(f->hint);
    let_go(&h);
}

static void a_hundred_thousand_unknown_names_end_in_a_count(void **state)
{
    enum { NAMES = 100 * 1000, BYTES = 24 };
    char(*text)[BYTES] = malloc(sizeof *text * NAMES);
    const char **entries = malloc(sizeof *entries * NAMES);
    struct held h = hold(UNKNOWN(""), NULL);

    (void)state;
    assert_non_null(text);
    assert_non_null(entries);
    for (size_t i = 0; i < NAMES; i++) {
        (void)snprintf(text[i], BYTES, "ACME_%zu=1", i);
        entries[i] = text[i];
    }
    check_environment(&h, entries, NAMES);
    assert_int_equal(h.l.findings.count, 1001);
    (void)find_finding(&h.l, "99000 more names that the contract does not know");
    let_go(&h);
    free(entries);
    free(text);
}

#define ALIASED                                                                              \
    "{'contract': 1, 'vars': {'NEW': {'aliases': [{'name': 'OLD', 'remove': '9999-01-01'}, " \
    "{'name': 'GONE', 'remove': '2001-01-01'}, {'name': 'ANY'}]}, 'E': {'empty': 'ok', "     \
    "'aliases': [{'name': 'OLD_E'}]}}}"

static void an_alias_in_place_of_its_variable_is_a_warning_until_it_is_removed(void **state)
{
    struct held h = hold(ALIASED, NULL);

    (void)state;
    give(&h, "NEW", "canary-aa");
    ENVIRONMENT(&h, "OLD=canary-aa");
    const struct finding *f = assert_one(&h, "alias", "NEW",
                                         "set as OLD, an old name of it that goes away on "
                                         "9999-01-01");
    assert_int_equal(f->severity, FINDING_WARNING);
    assert_string_equal(f->hint, "Set NEW in its place.");
    ENVIRONMENT(&h, "GONE=canary-aa", "NEW=");
    f = assert_one(&h, "removed", "NEW",
                   "set as GONE, an old name of it that was taken away on "
                   "2001-01-01");
    assert_int_equal(f->severity, FINDING_ERROR);
    ENVIRONMENT(&h, "ANY=canary-aa");
    (void)assert_one(&h, "alias", "NEW", "set as ANY, an old name of it");
    let_go(&h);
}

static void under_both_names_it_is_the_same_or_said(void **state)
{
    struct held h = hold(ALIASED, NULL);

    (void)state;
    give(&h, "NEW", "canary-aa");
    ENVIRONMENT(&h, "OLD=canary-aa", "NEW=canary-aa");
    assert_clean(&h.l);
    ENVIRONMENT(&h, "GONE=canary-aa", "NEW=canary-aa");
    assert_clean(&h.l);
    ENVIRONMENT(&h, "OLD=canary-bb", "NEW=canary-aa");
    (void)assert_one(&h, "alias", "NEW",
                     "OLD, an old name of it, has another value, which is not used");
    ENVIRONMENT(&h, "OLD=", "NEW=canary-aa");
    assert_clean(&h.l);
    give(&h, "E", "");
    ENVIRONMENT(&h, "OLD_E=canary-bb", "E=");
    (void)assert_one(&h, "alias", "E",
                     "OLD_E, an old name of it, has another value, which is not used");
    let_go(&h);
}

static void an_alias_that_the_source_won_over_is_not_reported_here(void **state)
{
    struct held h = hold(ALIASED, NULL);

    (void)state;
    give(&h, "NEW", "canary-aa");
    value_of(&h, "NEW")->origin = VALUE_SOURCE;
    ENVIRONMENT(&h, "OLD=canary-bb");
    assert_clean(&h.l);
    value_of(&h, "NEW")->resolved = false;
    ENVIRONMENT(&h, "OLD=canary-bb");
    assert_clean(&h.l);
    let_go(&h);
}

/* Globs that take long, and names that need it: those that were not looked at are not called unknown. */
static void names_that_were_not_looked_at_are_an_error_of_their_own(void **state)
{
    enum { GLOBS = 60, GLOB_BYTES = 1000, NAME_BYTES = 4000 };
    char a[NAME_BYTES + 1], name[NAME_BYTES + 3];
    AUTO_BUF text = BUF_INIT(128 * 1024);

    (void)state;
    memset(a, 'a', NAME_BYTES);
    a[NAME_BYTES] = '\0';
    (void)snprintf(name, sizeof name, "%s=x", a);
    buf_adds(&text, "{'contract': 1, 'vars': {}, 'unknown': {'prefix': ['a'], 'ignore': [");
    for (int i = 0; i < GLOBS; i++)
        buf_addf(&text, "%s'*%.*sb%d'", i ? ", " : "", GLOB_BYTES, a, i);
    buf_adds(&text, "]}}");
    struct held h = hold(buf_text(&text), NULL);
    const char *const entries[] = {name};
    check_environment(&h, entries, 1);
    const struct finding *f = assert_one(
        &h, "contract", NULL,
        "holding names to 'unknown' takes more than 50000000 steps: "
        "what is beyond them was not looked at");
    assert_int_equal(f->severity, FINDING_ERROR);
    let_go(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_has_prefixes),
        cmocka_unit_test(names_with_the_prefix_that_nobody_declared_are_reported),
        cmocka_unit_test(what_the_contract_names_anywhere_is_known),
        cmocka_unit_test(its_level_may_be_a_warning),
        cmocka_unit_test(a_hundred_thousand_unknown_names_end_in_a_count),
        cmocka_unit_test(an_alias_in_place_of_its_variable_is_a_warning_until_it_is_removed),
        cmocka_unit_test(under_both_names_it_is_the_same_or_said),
        cmocka_unit_test(an_alias_that_the_source_won_over_is_not_reported_here),
        cmocka_unit_test(names_that_were_not_looked_at_are_an_error_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
