/* tests/unit/envcontract_groups.c: groups and rules, read and held against values. */
#include "tests/unit/envcontract_values.h"

#define VARS                                                                                  \
    "'vars': {'A': {'required': false}, 'B': {'required': false}, 'C': {'required': false}, " \
    "'MODE': {'required': false}, 'U': {'type': 'postgres-url', 'required': false}, "         \
    "'V': {'type': 'url', 'required': false}}"
#define GROUP(keys) "{'contract': 1, " VARS ",\n'groups': [{" keys "}]}"
#define RULE(keys)  "{'contract': 1, " VARS ",\n'rules': [{'id': 'r', " keys "}]}"

static void a_group_says_one_thing_of_variables_that_exist(void **state)
{
    static const struct wrong list[] = {
        {GROUP(""), 2, 12, "/groups/0", "a group says nothing", "exactly_one"},
        {GROUP("'exactly_one': ['A', 'B'], 'at_most_one': ['A', 'C']"), 2, 12, "/groups/0",
         "a group says it in several ways", NULL},
        {GROUP("'exactly_one': ['A', 'MOED']"), 2, 34, "/groups/0/exactly_one/1",
         "'MOED' is no variable", "'MODE'"},
        {GROUP("'exactly_one': ['A', 'B', 'A']"), 2, 28, "/groups/0/exactly_one",
         "the group names 'A' twice", NULL},
        {GROUP("'exactly_one': []"), 2, 28, "/groups/0/exactly_one", "is an empty list", NULL},
        {GROUP("'exactly_one': ['A', 'B'], 'when': {'MOED': true}"), 2, 49, "/groups/0/when/MOED",
         "a condition on 'MOED'", "'MODE'"},
        {GROUP("'exatcly_one': ['A', 'B'], 'at_most_one': ['A', 'B']"), 2, 13,
         "/groups/0/exatcly_one", "unknown key 'exatcly_one'", "'exactly_one'"},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void a_rule_has_an_id_and_asks_for_something_of_what_exists(void **state)
{
    static const struct wrong list[] = {
        {"{'contract': 1, " VARS ",\n'rules': [{'match': {'A': 'x'}}]}", 2, 11, "/rules/0",
         "a rule without 'id'", NULL},
        {RULE("'when': {'A': true}"), 2, 11, "/rules/0", "a rule that asks for nothing",
         "match, equal or differ"},
        {RULE("'match': {'AA': 'x'}"), 2, 33, "/rules/0/match/AA", "'AA' is no variable", NULL},
        {RULE("'match': {'U#hots': 'x'}"), 2, 33, "/rules/0/match/U#hots",
         "'hots' is no part of a URL", "'host'"},
        {RULE("'match': {'U#query.': 'x'}"), 2, 33, "/rules/0/match/U#query.",
         "'query.' is no part of a URL", NULL},
        {RULE("'match': {'A#host': 'x'}"), 2, 33, "/rules/0/match/A#host",
         "a part of 'A', which is no URL", "postgres-url"},
        {RULE("'match': {'A': '('}"), 2, 38, "/rules/0/match/A", "the pattern does not compile",
         NULL},
        {RULE("'equal': ['A']"), 2, 32, "/rules/0/equal", "'equal' takes two at least", NULL},
        {RULE("'differ': ['A', 'U#prot']"), 2, 39, "/rules/0/differ/1",
         "'prot' is no part of a URL", "'port'"},
        {RULE("'equal': ['A', 'B'], 'level': 'warn'"), 2, 53, "/rules/0/level",
         "'warn' is not known as level", "One of error, warning."},
        {"{'contract': 1, " VARS
         ",\n'rules': [{'id': 'r', 'equal': ['A', 'B']}, {'id': 'r', 'equal': ['A', 'C']}]}",
         2, 52, "/rules/1/id", "two rules have the id 'r'; the first is in ", "its own"},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

/* Which of A, B and C are set (x), not set (-) or not resolved (?), and what is said then. */
struct trial {
    const char *there, *message; /* NULL: nothing */
};

static void try_group(const char *keys, const struct trial *trials, size_t count)
{
    char text[1024];

    (void)snprintf(text, sizeof text,
                   "{'contract': 1, " VARS ", 'groups': [{'%s': ['A', 'B', "
                   "'C']}]}",
                   keys);
    struct held h = hold(text, NULL);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < 3; k++) {
            const char name[] = {(char)('A' + k), '\0'};
            give(&h, name, trials[i].there[k] == 'x' ? "canary-3d1f" : NULL);
            value_of(&h, name)->resolved = trials[i].there[k] != '?';
        }
        check_held(&h);
        if (trials[i].message)
            assert_string_equal(assert_one(&h, "group", NULL, trials[i].message)->pointer,
                                "/groups/0");
        else
            assert_clean(&h.l);
    }
    let_go(&h);
}

static void a_group_counts_what_is_set_and_does_not_judge_what_nobody_resolved(void **state)
{
    static const struct trial exactly_one[] = {
        {"x--", NULL},
        {"---", "exactly one of A, B, C: none is set"},
        {"xx-", "exactly one of A, B, C: set are A, B"},
        {"--?", NULL},
        {"x-?", NULL},
        {"xx?", "exactly one of A, B, C: set are A, B"},
    };
    static const struct trial at_least_one[] = {
        {"xx-", NULL}, {"---", "at least one of A, B, C: none is set"}, {"--?", NULL}};
    static const struct trial at_most_one[] = {
        {"---", NULL}, {"x-?", NULL}, {"x-x", "at most one of A, B, C: set are A, C"}};
    static const struct trial all_or_none[] = {
        {"---", NULL},
        {"xxx", NULL},
        {"x?x", NULL},
        {"--?", NULL},
        {"xx-", "all or none of A, B, C: not set is C"},
        {"x--", "all or none of A, B, C: not set are B, C"},
        {"x-?", "all or none of A, B, C: not set is B"},
    };

    (void)state;
    try_group("exactly_one", exactly_one, ARRAY_LEN(exactly_one));
    try_group("at_least_one", at_least_one, ARRAY_LEN(at_least_one));
    try_group("at_most_one", at_most_one, ARRAY_LEN(at_most_one));
    try_group("all_or_none", all_or_none, ARRAY_LEN(all_or_none));
}

static void a_group_stands_where_its_condition_holds_and_says_why(void **state)
{
    struct held h = hold(
        GROUP("'all_or_none': ['A', 'B'], 'when': {'MODE': 'smtp'}, 'doc': 'mail'"), NULL);

    (void)state;
    give(&h, "A", "canary-77c2");
    check_held(&h);
    assert_clean(&h.l);
    give(&h, "MODE", "smtp");
    check_held(&h);
    (void)assert_one(&h, "group", NULL,
                     "all or none of A, B: not set is B, because MODE is 'smtp' (mail)");
    value_of(&h, "MODE")->resolved = false;
    check_held(&h);
    assert_clean(&h.l);
    let_go(&h);
}

static void a_condition_may_be_true_or_false(void **state)
{
    struct held never = hold(GROUP("'exactly_one': ['A', 'B'], 'when': false"), NULL);
    struct held always = hold(GROUP("'exactly_one': ['A', 'B'], 'when': true"), NULL);

    (void)state;
    check_held(&never);
    assert_clean(&never.l);
    check_held(&always);
    (void)assert_one(&always, "group", NULL, "exactly one of A, B: none is set");
    let_go(&never);
    let_go(&always);
}

static void a_rule_matches_values_and_parts_of_urls(void **state)
{
    static const char url[] = "postgresql+psycopg://ann:pw@DB.Acme.io./app%5Fdb?sslmode=require";
    static const struct {
        const char *reference, *pattern, *url;
        bool right;
    } list[] = {
        {"U#scheme", "postgresql\\\\+psycopg", url, true},
        {"U#user", "ann", url, true},
        {"U#user", "bob", url, false},
        {"U#host", "db\\\\.acme\\\\.io", url, true},
        {"U#host", "a,b", "postgresql://a,b/x", true},
        {"U#host", "/tmp", "postgresql://ignored/x?host=/tmp", true},
        {"U#host", "/", "postgresql:///x", true},
        {"U#port", "5432", url, true},
        {"U#port", "6432", "postgresql://a:6432/x", true},
        {"U#port", "7", "postgresql://a:6432/x?port=7", true},
        {"U#database", "app_db", url, true},
        {"U#database", "other", "postgresql://a/x?dbname=other", true},
        {"U#database", ".*", "postgresql://a", false}, /* there is none */
        {"U#query.sslmode", "require", url, true},
        {"U#query.sslmode", "verify-full", url, false},
        {"U#query.connect_timeout", ".*", url, false},
        {"U", "postgres.*", url, true},
        {"U", "mysql.*", url, false},
        {"U", "mysql.*", NULL, true}, /* not set: for `required` to say */
        {"U#host", "x", NULL, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        char text[1024];
        (void)snprintf(text, sizeof text, RULE("'match': {'%s': '%s'}"), list[i].reference,
                       list[i].pattern);
        struct held h = hold(text, NULL);
        give(&h, "U", list[i].url);
        check_held(&h);
        if ((h.l.findings.count == 0) != list[i].right) {
            print_findings(&h.l);
            fail_msg("%s %s %s", list[i].reference, list[i].pattern, list[i].url);
        }
        if (!list[i].right) {
            assert_string_equal(h.l.findings.list[0].variable, "U");
            assert_string_equal(h.l.findings.list[0].rule, "rule");
        }
        let_go(&h);
    }
}

static void the_words_of_a_rule_come_first_and_then_what_broke_it(void **state)
{
    struct held h = hold(RULE("'when': {'A': 'sk_live_*'}, 'match': {'B': 'pk_live_.*'}, 'say': "
                              "'Clerk keys come from two instances'"),
                         NULL);

    (void)state;
    give(&h, "A", "sk_live_canary-91aa");
    give(&h, "B", "pk_test_canary-02bd");
    check_held(&h);
    const struct finding *f = assert_one(
        &h, "rule", "B",
        "Clerk keys come from two instances: B does not match `pk_live_.*`, because A is "
        "'sk_live_*' (rule 'r')");
    assert_int_equal(f->severity, FINDING_ERROR);
    assert_string_equal(f->pointer, "/rules/0");
    assert_int_equal(f->line, 2);
    give(&h, "A", "sk_test_canary-91aa");
    check_held(&h);
    assert_clean(&h.l);
    give(&h, "A", NULL);
    value_of(&h, "A")->resolved = false;
    check_held(&h);
    assert_clean(&h.l);
    let_go(&h);
}

static void equal_values_are_equal_whatever_they_are_part_of(void **state)
{
    struct held h = hold(RULE("'equal': ['A', 'U#database', 'B'], 'level': 'warning'"), NULL);

    (void)state;
    give(&h, "U", "postgresql://h/canary-5e");
    check_held(&h);
    assert_clean(&h.l); /* nothing to compare it with */
    give(&h, "A", "canary-5e");
    check_held(&h);
    assert_clean(&h.l);
    give(&h, "B", "canary-5f");
    check_held(&h);
    assert_int_equal(assert_one(&h, "rule", "B", "B differs from A (rule 'r')")->severity,
                     FINDING_WARNING);
    give(&h, "A", NULL);
    check_held(&h);
    (void)assert_one(&h, "rule", "B", "B differs from U#database (rule 'r')");
    let_go(&h);
}

static void different_values_differ_each_from_each(void **state)
{
    struct held h = hold(RULE("'differ': ['A', 'B', 'V#host', 'C']"), NULL);

    (void)state;
    give(&h, "A", "canary-1");
    give(&h, "B", "canary-2");
    give(&h, "C", "canary-1x");
    check_held(&h);
    assert_clean(&h.l);
    give(&h, "V", "https://canary-2/");
    check_held(&h);
    (void)assert_one(&h, "rule", "V", "V#host is the same as B (rule 'r')");
    let_go(&h);
}

static void included_files_have_groups_and_rules_of_their_own(void **state)
{
    struct loaded l;

    (void)state;
    new_folder(&l);
    write_contract(&l, "contract.json",
                   "{'contract': 1, 'include': ['more.json'], 'vars': {'A': {'required': false}}, "
                   "'groups': [{'at_most_one': ['A', 'B']}]}");
    write_contract(&l, "more.json",
                   "{'contract': 1, 'vars': {'B': {'required': false}},\n"
                   "'groups': [{'at_least_one': ['A', 'B']}],\n"
                   "'rules': [{'id': 'x', 'equal': ['A', 'B']}]}");
    load(&l);
    assert_clean(&l);
    select_profile(&l, NULL);
    struct contract_value values[2] = {{.resolved = true}, {.resolved = true}};
    if (contract_check(l.contract, values, &l.findings, &l.err) != 0)
        fail_msg("%s", l.err.text);
    assert_int_equal(l.findings.count, 1);
    const struct finding *f = find_finding(&l, "at least one of A, B: none is set");
    assert_text_has(f->file, "/more.json");
    assert_int_equal(f->line, 2);
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_says_one_thing_of_variables_that_exist),
        cmocka_unit_test(a_rule_has_an_id_and_asks_for_something_of_what_exists),
        cmocka_unit_test(a_group_counts_what_is_set_and_does_not_judge_what_nobody_resolved),
        cmocka_unit_test(a_group_stands_where_its_condition_holds_and_says_why),
        cmocka_unit_test(a_condition_may_be_true_or_false),
        cmocka_unit_test(a_rule_matches_values_and_parts_of_urls),
        cmocka_unit_test(the_words_of_a_rule_come_first_and_then_what_broke_it),
        cmocka_unit_test(equal_values_are_equal_whatever_they_are_part_of),
        cmocka_unit_test(different_values_differ_each_from_each),
        cmocka_unit_test(included_files_have_groups_and_rules_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
