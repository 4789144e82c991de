/* tests/unit/envcontract_life.c: what should not be there, or not be there any more: forbidden,
 * deprecated, expired, and the same in two variables. */
#include "tests/unit/envcontract_values.h"

#include <time.h>

#include "base/str.h"

enum { DATE_ROOM = 16, DAY_SECONDS = 24 * 60 * 60 };

/* The day so many days from now. */
static const char *in_days(int days, char out[static DATE_ROOM])
{
    time_t then = (time_t)((date_today() + days) * DAY_SECONDS);
    struct tm parts;

    assert_non_null(gmtime_r(&then, &parts));
    assert_int_equal(strftime(out, DATE_ROOM, "%Y-%m-%d", &parts), 10);
    return out;
}

#define ONE(keys) "{'contract': 1, 'vars': {'A': {" keys "}, 'B': {'required': false}}}"

/* A with KEYS, in which DAY stands for the day, has a value. */
static struct held with_day(const char *keys, int days)
{
    char text[512], date[DATE_ROOM];
    const char *day = strstr(keys, "DAY");

    assert_non_null(day);
    (void)snprintf(text, sizeof text, ONE("%.*s%s%s"), (int)(day - keys), keys, in_days(days, date),
                   day + strlen("DAY"));
    struct held h = hold(text, NULL);
    give(&h, "A", "canary-4c1d");
    check_held(&h);
    return h;
}

static void what_expires_is_a_warning_for_fourteen_days_and_then_an_error(void **state)
{
    static const struct {
        int days;
        const char *end; /* NULL: nothing is said */
        enum finding_severity severity;
    } list[] = {
        {15, NULL, FINDING_WARNING},
        {14, ", in 14 days", FINDING_WARNING},
        {1, ", in 1 day", FINDING_WARNING},
        {0, ", in 0 days", FINDING_WARNING},
        {-1, "", FINDING_ERROR},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        struct held h = with_day("'expires': 'DAY'", list[i].days);
        char date[DATE_ROOM], message[128];
        (void)snprintf(message, sizeof message, "%s on %s%s",
                       list[i].severity == FINDING_ERROR ? "expired" : "expires",
                       in_days(list[i].days, date), list[i].end ? list[i].end : "");
        if (list[i].end)
            assert_int_equal(assert_one(&h, "expired", "A", message)->severity, list[i].severity);
        else
            assert_clean(&h.l);
        let_go(&h);
    }
}

static void what_has_no_value_does_not_expire(void **state)
{
    struct held h = with_day("'required': false, 'expires': 'DAY'", -100);

    (void)state;
    give(&h, "A", NULL);
    check_held(&h);
    assert_clean(&h.l);
    value_of(&h, "A")->resolved = false;
    check_held(&h);
    assert_clean(&h.l);
    let_go(&h);
}

static void what_is_deprecated_is_a_warning_from_one_day_and_an_error_from_another(void **state)
{
    static const struct {
        const char *keys;
        int days;
        const char *rule; /* NULL: nothing is said */
    } list[] = {
        {"'deprecated': {'since': 'DAY'}", 1, NULL},
        {"'deprecated': {'since': 'DAY'}", 0, "deprecated"},
        {"'deprecated': {'remove': 'DAY'}", 1, "deprecated"},
        {"'deprecated': {'remove': 'DAY'}", 0, "removed"},
        {"'deprecated': {'remove': 'DAY', 'use': 'B'}", -1, "removed"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        struct held h = with_day(list[i].keys, list[i].days);
        if (!list[i].rule) {
            assert_clean(&h.l);
        } else {
            assert_int_equal(h.l.findings.count, 1);
            const struct finding *f = &h.l.findings.list[0];
            assert_string_equal(f->rule, list[i].rule);
            assert_int_equal(f->severity == FINDING_ERROR, str_eq(f->rule, "removed"));
            if (strstr(list[i].keys, "use"))
                assert_string_equal(f->hint, "Use B in its place.");
        }
        let_go(&h);
    }
}

static void what_is_deprecated_is_never_required_and_its_default_is_nobodys_doing(void **state)
{
    struct held h = hold(ONE("'required': true, 'deprecated': {'remove': '2001-01-01'}"), NULL);

    (void)state;
    check_held(&h);
    assert_clean(&h.l);
    give(&h, "A", "canary-4c1d");
    value_of(&h, "A")->origin = VALUE_DEFAULT;
    check_held(&h);
    assert_clean(&h.l);
    let_go(&h);
}

static void forbidden_holds_where_its_condition_does(void **state)
{
    struct held h = hold(ONE("'forbidden': {'B': 'smtp'}"), NULL);

    (void)state;
    give(&h, "A", "canary-4c1d");
    check_held(&h);
    assert_clean(&h.l);
    give(&h, "B", "smtp");
    check_held(&h);
    (void)assert_one(&h, "forbidden", "A", "set and forbidden, because B is 'smtp'");
    give(&h, "A", NULL); /* and where it is forbidden it is not required */
    check_held(&h);
    assert_clean(&h.l);
    give(&h, "B", NULL);
    check_held(&h);
    (void)assert_one(&h, "required", "A", "not set in the environment");
    value_of(&h, "B")->resolved = false; /* nothing can be said then */
    check_held(&h);
    assert_clean(&h.l);
    let_go(&h);
}

static void forbidden_may_be_true_in_one_profile(void **state)
{
    static const char text[] =
        "{'contract': 1, 'profile': {'var': 'R', 'values': ['dev', 'prod']}, "
        "'base': {'required': false}, 'vars': {'R': {}, 'A': {'profiles': "
        "{'prod': {'forbidden': true}}}}}";
    struct held dev = hold(text, "dev"), prod = hold(text, "prod");

    (void)state;
    give(&dev, "A", "canary-1");
    give(&prod, "A", "canary-1");
    check_held(&dev);
    assert_clean(&dev.l);
    check_held(&prod);
    (void)assert_one(&prod, "forbidden", "A", "set and forbidden");
    let_go(&dev);
    let_go(&prod);
}

#define SECRET "'secret': true, 'source': 'env', 'required': false"

static void a_distinct_value_is_used_in_no_other_secret(void **state)
{
    struct held h = hold("{'contract': 1, 'vars': {'A': {" SECRET "}, 'B': {" SECRET
                         ", 'distinct': true}, 'C': {" SECRET "}, 'D': {'required': false}, "
                         "'E': {'required': false, 'distinct': true}}}",
                         NULL);

    (void)state;
    give(&h, "A", "canary-1");
    give(&h, "C", "canary-1");
    give(&h, "B", "canary-2");
    give(&h, "D", "canary-2"); /* neither a secret nor distinct */
    check_held(&h);
    assert_clean(&h.l);
    give(&h, "B", "canary-1");
    check_held(&h);
    assert_int_equal(h.l.findings.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(h.l.findings.list[i].variable, i == 0 ? "A" : "C");
        assert_string_equal(h.l.findings.list[i].rule, "distinct");
        assert_string_equal(h.l.findings.list[i].message,
                            "the same value as B, which is to be distinct");
    }
    give(&h, "B", "canary-2");
    give(&h, "E", "canary-2");
    check_held(&h);
    (void)assert_one(&h, "distinct", "E", "the same value as B, which is to be distinct");
    value_of(&h, "B")->resolved = false;
    check_held(&h);
    assert_clean(&h.l);
    let_go(&h);
}

static void empty_values_are_not_the_same(void **state)
{
    struct held h = hold("{'contract': 1, 'base': {'empty': 'ok', 'distinct': true}, 'vars': {'A': "
                         "{}, 'B': {}}}",
                         NULL);

    (void)state;
    give(&h, "A", "");
    give(&h, "B", "");
    check_held(&h);
    assert_clean(&h.l);
    let_go(&h);
}

static void documents_are_told_owner_link_and_example(void **state)
{
    struct held h = hold("{'contract': 1, 'base': {'owner': 'ops'}, 'profile': {'var': 'R', "
                         "'values': ['dev', 'prod']}, 'vars': {'R': {'link': 'https://x', "
                         "'profiles': {'prod': {'owner': 'sre', 'example': 7}}}, 'A': {'owner': "
                         "null}}}",
                         "prod");
    const struct contract *c = h.l.contract;
    struct contract_about about = contract_about(c, contract_find(c, "R"));

    (void)state;
    assert_string_equal(about.owner, "sre");
    assert_string_equal(about.link, "https://x");
    assert_string_equal(about.example, "7");
    about = contract_about(c, contract_find(c, "A"));
    assert_null(about.owner);
    assert_null(about.example);
    let_go(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_expires_is_a_warning_for_fourteen_days_and_then_an_error),
        cmocka_unit_test(what_has_no_value_does_not_expire),
        cmocka_unit_test(what_is_deprecated_is_a_warning_from_one_day_and_an_error_from_another),
        cmocka_unit_test(what_is_deprecated_is_never_required_and_its_default_is_nobodys_doing),
        cmocka_unit_test(forbidden_holds_where_its_condition_does),
        cmocka_unit_test(forbidden_may_be_true_in_one_profile),
        cmocka_unit_test(a_distinct_value_is_used_in_no_other_secret),
        cmocka_unit_test(empty_values_are_not_the_same),
        cmocka_unit_test(documents_are_told_owner_link_and_example),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
