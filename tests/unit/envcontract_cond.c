/* Conditions: what is none, what holds, and how it reads. */
#include "tests/unit/envcontract_load.h"

#include "envcontract/internal.h"

#define V(condition)                                                        \
    "{'contract': 1, 'profile': {'var': 'R', 'values': ['dev', 'prod']},\n" \
    "'vars': {'R': {}, 'S': {}, 'E': {'empty': 'ok'},\n'A': {'required': " condition "}}}"

static void what_is_no_condition_is_said_at_its_place(void **state)
{
    static const struct wrong list[] = {
        {V("'yes'"), 3, 19, "/vars/A/required",
         "'required' takes true, false or a condition, not a string", "EMAIL_MODE"},
        {V("{}"), 3, 19, "/vars/A/required", "an empty condition", NULL},
        {V("{'S': {}}"), 3, 25, "/vars/A/required/S", "a glob, a list of them, true (set)", NULL},
        {V("{'S': []}"), 3, 25, "/vars/A/required/S", "'a condition' is an empty list", NULL},
        {V("{'S': ['a', null]}"), 3, 31, "/vars/A/required/S/1", "this one is null", NULL},
        {V("{'any': {}}"), 3, 27, "/vars/A/required/any", "'any' takes a list of conditions", NULL},
        {V("{'all': []}"), 3, 27, "/vars/A/required/all", "'all' takes a list of conditions", NULL},
        {V("{'all': ['S']}"), 3, 28, "/vars/A/required/all/0", "a condition is an object", NULL},
        {V("{'not': true}"), 3, 27, "/vars/A/required/not", "a condition is an object", NULL},
        {V("{'@profil': 'dev'}"), 3, 20, "/vars/A/required/@profil", "'@profil' is not known",
         "'@profile'"},
        {V("{'@profile': true}"), 3, 32, "/vars/A/required/@profile",
         "'@profile' takes a profile or a list", NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

enum { R, S, E, VARIABLES = 4 };

/* Whether CONDITION holds with these values; NULL: none, "?": nobody resolved it. */
static enum truth holds(const char *condition, const char *s, const char *e)
{
    char text[1024];
    const char *given[VARIABLES] = {"dev", s, e, NULL};
    struct contract_value values[VARIABLES] = {0};

    (void)snprintf(text, sizeof text, V("%s"), condition);
    struct loaded l = load_text(text);
    assert_clean(&l);
    select_profile(&l, "dev");
    for (size_t i = 0; i < VARIABLES; i++) {
        values[i].resolved = !given[i] || strcmp(given[i], "?") != 0;
        if (given[i] && values[i].resolved)
            values[i].bytes = secret_borrow(given[i], strlen(given[i]));
    }
    const struct contract_variable *a = contract_find(l.contract, "A");
    enum truth result = condition_holds(a->rules->required_when, l.contract, values);
    unload(&l);
    return result;
}

static void a_condition_holds_or_not(void **state)
{
    static const struct {
        const char *condition, *s, *e;
        enum truth expected;
    } list[] = {
        {"{'S': 'a'}", "a", NULL, TRUTH_YES},
        {"{'S': 'a'}", "b", NULL, TRUTH_NO},
        {"{'S': 'a'}", NULL, NULL, TRUTH_NO},
        {"{'S': 'a'}", "?", NULL, TRUTH_UNKNOWN},
        {"{'S': 4}", "4", NULL, TRUTH_YES},
        {"{'S': 'sk_live_*'}", "sk_live_canary", NULL, TRUTH_YES},
        {"{'S': ['a', 'b*']}", "bc", NULL, TRUTH_YES},
        {"{'S': ['a', 'b*']}", "c", NULL, TRUTH_NO},
        {"{'S': true}", "x", NULL, TRUTH_YES},
        {"{'S': true}", NULL, NULL, TRUTH_NO},
        {"{'S': true}", "", NULL, TRUTH_NO},
        {"{'E': true}", NULL, "", TRUTH_YES},
        {"{'S': false}", NULL, NULL, TRUTH_YES},
        {"{'S': false}", "", NULL, TRUTH_YES},
        {"{'S': false}", "x", NULL, TRUTH_NO},
        {"{'S': 'a', 'E': 'b'}", "a", "b", TRUTH_YES},
        {"{'S': 'a', 'E': 'b'}", "a", "c", TRUTH_NO},
        {"{'S': 'a', 'E': 'b'}", "?", "c", TRUTH_NO},
        {"{'S': 'a', 'E': 'b'}", "?", "b", TRUTH_UNKNOWN},
        {"{'any': [{'S': 'a'}, {'E': 'b'}]}", "x", "b", TRUTH_YES},
        {"{'any': [{'S': 'a'}, {'E': 'b'}]}", "?", "b", TRUTH_YES},
        {"{'any': [{'S': 'a'}, {'E': 'b'}]}", "?", "x", TRUTH_UNKNOWN},
        {"{'any': [{'S': 'a'}, {'E': 'b'}]}", "x", "x", TRUTH_NO},
        {"{'all': [{'S': 'a'}, {'E': 'b'}]}", "a", "b", TRUTH_YES},
        {"{'all': [{'S': 'a'}, {'E': 'b'}]}", "a", "x", TRUTH_NO},
        {"{'not': {'S': 'a'}}", "b", NULL, TRUTH_YES},
        {"{'not': {'S': 'a'}}", "a", NULL, TRUTH_NO},
        {"{'not': {'S': 'a'}}", "?", NULL, TRUTH_UNKNOWN},
        {"{'not': {'not': {'S': 'a'}}}", "a", NULL, TRUTH_YES},
        {"{'@profile': 'dev'}", NULL, NULL, TRUTH_YES},
        {"{'@profile': ['prod']}", NULL, NULL, TRUTH_NO},
        {"{'@profile': 'd*', 'S': true}", "x", NULL, TRUTH_YES},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        if (holds(list[i].condition, list[i].s, list[i].e) != list[i].expected)
            fail_msg("%s with S=%s E=%s", list[i].condition, list[i].s ? list[i].s : "-",
                     list[i].e ? list[i].e : "-");
    }
}

static void true_and_false_are_no_conditions(void **state)
{
    struct loaded l = load_text(V("true"));

    (void)state;
    select_profile(&l, "dev");
    assert_true(contract_find(l.contract, "A")->rules->required);
    assert_null(contract_find(l.contract, "A")->rules->required_when);
    unload(&l);
    l = load_text(V("false"));
    select_profile(&l, "dev");
    assert_false(contract_find(l.contract, "A")->rules->required);
    unload(&l);
}

static void a_condition_reads_as_a_sentence(void **state)
{
    static const struct {
        const char *condition, *words;
    } list[] = {
        {"{'S': 'a'}", "S is 'a'"},
        {"{'S': ['a', 'b*']}", "S is 'a' or 'b*'"},
        {"{'S': true, 'E': false}", "(S is set and E is not set)"},
        {"{'any': [{'S': 'a'}, {'@profile': 'prod'}]}", "(S is 'a' or the profile is 'prod')"},
        {"{'not': {'S': true}}", "not S is set"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        char text[1024];
        AUTO_BUF words = BUF_INIT(1024);
        (void)snprintf(text, sizeof text, V("%s"), list[i].condition);
        struct loaded l = load_text(text);
        select_profile(&l, "dev");
        condition_describe(contract_find(l.contract, "A")->rules->required_when, &words);
        assert_string_equal(buf_text(&words), list[i].words);
        unload(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_condition_is_said_at_its_place),
        cmocka_unit_test(a_condition_holds_or_not),
        cmocka_unit_test(true_and_false_are_no_conditions),
        cmocka_unit_test(a_condition_reads_as_a_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
