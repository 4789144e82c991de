/* Lists: items are split, held against their rules and named by their index. */
#include "tests/unit/envcontract_types.h"

#include <stdlib.h>

static const struct contract_rules ports = {.type = TYPE_PORT};
static const struct contract_rules origins = {.type = TYPE_URL};

static void items_are_what_stands_between_separators(void **state)
{
    (void)state;
    struct contract_rules rules = {.type = TYPE_LIST, .item = &ports};
    assert_good(&rules, "80");
    assert_good(&rules, "80,443,8080");
    assert_bad(&rules, "80,443,http", "type", "item 3: 4 characters, expected a port");
    assert_bad(&rules, "80, 443", "type",
               "item 2: 4 characters, expected a port from 1 to 65535, "
               "trouble at character 1, white space at the start");
    assert_bad(&rules, "80;443", "type", "item 1: 6 characters");
    rules.separator = "; ";
    assert_good(&rules, "80; 443; 1");
    assert_bad(&rules, "80;443", "type", "item 1: ");
    rules.separator = "\xc2\xb7";
    assert_good(&rules, "80\xc2\xb7"
                        "443");
    rules.separator = "\n";
    assert_good(&rules, "80\n443");
    rules = (struct contract_rules){.type = TYPE_LIST, .item = &origins};
    assert_good(&rules, "https://a.acme.io,https://b.acme.io:8443");
    assert_bad(&rules, "https://a.acme.io,*", "type", "item 2: 1 character, expected a URL");
}

static void an_empty_item_is_wrong(void **state)
{
    (void)state;
    struct contract_rules rules = {.type = TYPE_LIST};
    assert_good(&rules, "anything, at all");
    assert_bad(&rules, "a,,b", "empty", "item 2: nothing in it");
    assert_bad(&rules, "a,b,", "empty", "item 3: nothing in it");
    assert_bad(&rules, ",a", "empty", "item 1: nothing in it");
    rules.separator = ",,";
    assert_good(&rules, "a,b,c");
    assert_bad(&rules, "a,,", "empty", "item 2: nothing in it");
}

static void an_item_has_constraints_of_its_own(void **state)
{
    static const char *const colours[] = {"red", "green", NULL};
    static const char *const https[] = {"https", NULL};
    (void)state;
    struct contract_url_rules url = {.scheme = https};
    struct contract_path_rules path = {.must_exist = true};
    struct contract_rules item = {.type = TYPE_STRING, .values = colours};
    struct contract_rules rules = {.type = TYPE_LIST, .item = &item};
    assert_good(&rules, "green,red,red");
    assert_bad(&rules, "green,blue", "values", "item 2: 4 characters, expected one of `red`");
    item = (struct contract_rules){
        .type = TYPE_INT, .min = bound(TYPE_INT, "1"), .max = bound(TYPE_INT, "9")};
    assert_good(&rules, "1,9");
    assert_bad(&rules, "1,10", "max", "item 2: above the maximum of 9");
    item = (struct contract_rules){
        .type = TYPE_STRING, .has_length = true, .length_min = 2, .length_max = 3};
    assert_bad(&rules, "ab,abc,abcd", "length", "item 3: 4 characters, expected 2 to 3");
    item = (struct contract_rules){.type = TYPE_HEX, .min_bytes = 2};
    assert_bad(&rules, "abcd,ab", "length", "item 2: 1 byte after decoding");
    item = (struct contract_rules){.type = TYPE_STRING, .prefix = "re_", .pattern = "[a-z_]+"};
    assert_good(&rules, "re_a,re_b");
    assert_bad(&rules, "re_a,rb", "prefix", "item 2: 2 characters, expected the prefix `re_`");
    assert_bad(&rules, "re_a,re_1", "pattern", "item 2: 4 characters, expected to match");
    item = (struct contract_rules){.type = TYPE_URL, .url = &url};
    assert_bad(&rules, "https://a,http://b", "scheme", "item 2: another scheme");
    item = (struct contract_rules){.type = TYPE_PATH, .path = &path};
    assert_bad(&rules, "/,/no/such/file", "path", "item 2: expected a file that can be looked at");
}

static void constraints_of_the_list_are_about_the_whole(void **state)
{
    static const char *const whole[] = {"a,b", NULL};
    (void)state;
    struct contract_rules rules = {.type = TYPE_LIST, .values = whole};
    assert_good(&rules, "a,b");
    assert_bad(&rules, "a", "values", "expected `a,b`");
    rules = (struct contract_rules){.type = TYPE_LIST, .pattern = "[a-z],[a-z]"};
    assert_bad(&rules, "a,b,c", "pattern", "5 characters");
    rules = (struct contract_rules){
        .type = TYPE_LIST, .has_length = true, .length_min = 0, .length_max = 3};
    assert_bad(&rules, "a,b,c", "length", "5 characters, expected 0 to 3");
}

static void what_stands_in_for_an_item_is_refused(void **state)
{
    (void)state;
    struct contract_rules rules = {.type = TYPE_LIST};
    assert_bad(&rules, "a,vault:secret/acme#x", "unresolved", "item 2: still a");
    assert_bad(&rules, "a,${NAME}", "unresolved", "item 2: still");
    assert_good(&rules, "a,changeme");
    AUTO_FINDINGS findings = FINDINGS_INIT;
    validate(&rules, true, "a,changeme", 10, &findings);
    assert_int_equal(findings.count, 1);
    assert_string_equal(findings.list[0].rule, "placeholder");
    assert_text_has(findings.list[0].message, "item 2: a placeholder");
    rules.placeholder_ok = true;
    AUTO_FINDINGS none = FINDINGS_INIT;
    validate(&rules, true, "a,changeme", 10, &none);
    assert_int_equal(none.count, 0);
}

static void after_eight_bad_items_the_rest_is_not_looked_at(void **state)
{
    (void)state;
    struct contract_rules rules = {.type = TYPE_LIST, .item = &ports};
    AUTO_FINDINGS findings = FINDINGS_INIT;
    static const char text[] = "1,a,b,c,d,e,f,g,h,i,j,k";
    validate(&rules, false, text, strlen(text), &findings);
    assert_int_equal(findings.count, 9);
    assert_text_has(findings.list[0].message, "item 2: ");
    assert_text_has(findings.list[7].message, "item 9: ");
    assert_string_equal(findings.list[8].message,
                        "8 items are wrong, and what is behind item 9 was not looked at");
    AUTO_FINDINGS all = FINDINGS_INIT;
    validate(&rules, false, "1,a,b,c,d,e,f,g,h", 17, &all);
    assert_int_equal(all.count, 8); /* nothing is behind the eighth */
}

static void a_subject_stands_before_the_item(void **state)
{
    (void)state;
    AUTO_FINDINGS findings = FINDINGS_INIT;
    struct contract_variable variable = {.name = "NAME"};
    struct validation v = {.variable = &variable,
                           .position = &nowhere,
                           .subject = "the default: ",
                           .findings = &findings};
    struct contract_rules rules = {.type = TYPE_LIST, .item = &ports};
    types_validate(&v, &rules, "x", 1);
    assert_int_equal(findings.count, 1);
    assert_text_has(findings.list[0].message, "the default: item 1: 1 character, expected a port");
}

static void a_pattern_has_less_time_for_an_item(void **state)
{
    (void)state;
    char text[64];
    memset(text, 'a', sizeof text);
    text[25] = '!';
    text[26] = '\0'; /* some 400,000 steps */
    struct contract_rules item = {.type = TYPE_STRING, .pattern = "(a|aa)+"};
    struct contract_rules rules = {.type = TYPE_LIST, .item = &item};
    assert_bad(&item, text, "pattern", "expected to match");
    assert_bad(&rules, text, "pattern",
               "item 1: matching `(a|aa)+` was given up after 50000 steps");

    AUTO_PATTERN_CACHE cache = {0}; /* and the limit of others is what it was */
    AUTO_FINDINGS findings = FINDINGS_INIT;
    struct contract_variable variable = {.name = "NAME"};
    struct validation v = {.variable = &variable,
                           .position = &nowhere,
                           .subject = "",
                           .findings = &findings,
                           .patterns = &cache};
    types_validate(&v, &rules, text, strlen(text));
    types_validate(&v, &item, text, strlen(text));
    assert_int_equal(findings.count, 2);
    assert_text_has(findings.list[0].message, "given up");
    assert_text_has(findings.list[1].message, "expected to match");
}

/* The findings of VALUE against RULES with so many steps; how many are left. */
static uint64_t within(const struct contract_rules *rules, const char *value, uint64_t steps,
                       struct findings *findings)
{
    struct contract_variable variable = {.name = "NAME"};
    struct validation v = {.variable = &variable,
                           .position = &nowhere,
                           .subject = "",
                           .findings = findings,
                           .steps_left = &steps};
    types_validate(&v, rules, value, strlen(value));
    return steps;
}

static void what_a_list_may_cost_grows_with_its_items(void **state)
{
    enum { STEPS = 1000 * 1000 };
    (void)state;
    AUTO_FINDINGS findings = FINDINGS_INIT;
    struct contract_rules item = {.type = TYPE_STRING, .pattern = "a"};
    struct contract_rules rules = {.type = TYPE_LIST, .item = &item};
    uint64_t one = STEPS - within(&rules, "a", STEPS, &findings);
    uint64_t two = STEPS - within(&rules, "a,a", STEPS, &findings);
    uint64_t four = STEPS - within(&rules, "a,a,a,a", STEPS, &findings);
    assert_in_range(two, one + 256, one + 1000); /* the pattern's first try, and the item */
    assert_in_range(four - two, 2 * (two - one) - 4, 2 * (two - one) + 4); /* bytes count a bit */
    assert_int_equal(findings.count, 0);
}

/* Too few steps are no verdict: what was not looked at is neither right nor wrong. */
static void without_steps_nothing_is_said(void **state)
{
    static const char *const hosts[] = {"a", NULL}, *const words[] = {"x", "y", NULL};
    static const uint16_t port = 1;
    static const struct contract_query_rule query = {.name = "q", .demand = DEMAND_PRESENT};
    static const struct contract_url_rules url = {.host = hosts,
                                                  .deny_host = hosts,
                                                  .ports = &port,
                                                  .port_count = 1,
                                                  .user = DEMAND_PRESENT,
                                                  .user_patterns = hosts,
                                                  .query = &query,
                                                  .query_count = 1};
    static const struct contract_path_rules path = {.must_exist = true};
    static const struct contract_rules item = {.type = TYPE_PORT};
    const struct contract_rules rules[] = {
        {.type = TYPE_LIST, .item = &item},         {.type = TYPE_STRING, .values = words},
        {.type = TYPE_STRING, .pattern = "[0-9]+"}, {.type = TYPE_POSTGRES_URL, .url = &url},
        {.type = TYPE_PATH, .path = &path},         {.type = TYPE_PORT},
    };
    static const char value[] = "postgres://u@b,c/d?host=e,f&p=1";
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        AUTO_FINDINGS all = FINDINGS_INIT;
        uint64_t steps = 100 * 1000, cost = steps - within(&rules[i], value, steps, &all);
        assert_true(all.count > 0);
        for (uint64_t few = 0; few <= cost; few++) {
            AUTO_FINDINGS some = FINDINGS_INIT;
            uint64_t left = within(&rules[i], value, few, &some);
            if (left > 0) /* what was taken off is what was looked at */
                fail_msg("rules %zu: %llu steps are enough, and it took %llu", i,
                         (unsigned long long)few, (unsigned long long)cost);
            for (size_t k = 0; k < some.count; k++)
                assert_string_equal(some.list[k].message, all.list[k].message);
        }
    }
}

/* The sanitizer looks at all that memmem() might read, for each item anew. */
#ifdef __SANITIZE_ADDRESS__
enum { ITEMS = 100 * 1000 };
#else
enum { ITEMS = 1000 * 1000 };
#endif

static void a_million_items_are_looked_at_in_one_pass(void **state)
{
    struct contract_rules rules = {.type = TYPE_LIST, .item = &ports};
    char *text = malloc(2 * (size_t)ITEMS), last[32];

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < ITEMS; i++) {
        text[2 * i] = '1';
        text[2 * i + 1] = ',';
    }
    text[2 * (size_t)ITEMS - 1] = '\0';
    assert_good(&rules, text);
    text[2 * (size_t)ITEMS - 2] = 'x';
    (void)snprintf(last, sizeof(last), "item %d: ", ITEMS);
    assert_bad(&rules, text, "type", last);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_are_what_stands_between_separators),
        cmocka_unit_test(an_empty_item_is_wrong),
        cmocka_unit_test(an_item_has_constraints_of_its_own),
        cmocka_unit_test(constraints_of_the_list_are_about_the_whole),
        cmocka_unit_test(what_stands_in_for_an_item_is_refused),
        cmocka_unit_test(after_eight_bad_items_the_rest_is_not_looked_at),
        cmocka_unit_test(a_subject_stands_before_the_item),
        cmocka_unit_test(a_pattern_has_less_time_for_an_item),
        cmocka_unit_test(what_a_list_may_cost_grows_with_its_items),
        cmocka_unit_test(without_steps_nothing_is_said),
        cmocka_unit_test(a_million_items_are_looked_at_in_one_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
