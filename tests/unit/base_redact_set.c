/* tests/unit/base_redact_set.c: how values become one automaton, and where that ends. */
#include "tests/lib/unit.h"

#include <string.h>

#include "base/mem.h"
#include "base/redact_automaton.h"

static struct redact_set *set_of(const char *const *values)
{
    struct err err = ERR_INIT;
    struct redact_set *set = redact_set_new(&err);
    assert_non_null(set);
    for (; *values; values++) {
        struct secret value = secret_borrow(*values, strlen(*values));
        if (redact_set_add(set, &value, &err) != 0)
            fail_msg("%s", err.text);
    }
    if (redact_set_close(set, &err) != 0)
        fail_msg("%s", err.text);
    return set;
}

/* The longest that ends with the last byte of TEXT. */
static unsigned match_at_the_end(const struct redact_set *set, const char *text)
{
    uint32_t at = REDACT_ROOT;
    for (; *text; text++)
        at = redact_step(set, at, (unsigned char)*text);
    return at == REDACT_ROOT ? 0 : set->states[at].match;
}

static void an_ending_inside_of_another_pattern_is_found(void **state)
{
    (void)state;
    struct redact_set *set = set_of((const char *const[]){"abcdefghij", "cdefgh", NULL});
    assert_int_equal(match_at_the_end(set, "xxabcdefgh"), 6);
    assert_int_equal(match_at_the_end(set, "xxabcdefghij"), 10);
    assert_int_equal(match_at_the_end(set, "xxabcdefghi"), 0);
    redact_set_free(set);
}

static void a_short_value_is_no_pattern(void **state)
{
    (void)state;
    struct redact_set *set = set_of((const char *const[]){"short", "", NULL});
    assert_int_equal(set->count, 1);
    redact_set_free(set);
}

static void the_same_value_twice_costs_nothing(void **state)
{
    (void)state;
    struct redact_set *once = set_of((const char *const[]){"canary/one", NULL});
    struct redact_set *twice = set_of((const char *const[]){"canary/one", "canary/one", NULL});
    assert_int_equal(once->count, twice->count);
    redact_set_free(once);
    redact_set_free(twice);
}

static void too_long_a_value_is_refused(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    size_t length = REDACT_VALUE_MAX_BYTES + 1;
    char *bytes = mem_new(length + 1, 1);
    assert_non_null(bytes);
    memset(bytes, 'v', length);
    struct secret value = secret_borrow(bytes, length);
    struct redact_set *set = redact_set_new(&err);
    assert_non_null(set);
    assert_int_equal(redact_set_add(set, &value, &err), -1);
    assert_int_equal(err.kind, ERR_RESOURCE);
    assert_text_has(err.text, "131073");
    redact_set_free(set);
    free(bytes);
}

/* Random bytes share no beginnings: the ceiling is reached, and said. */
static void too_much_together_is_refused(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct redact_set *set = redact_set_new(&err);
    assert_non_null(set);
    int result = 0;
    char bytes[REDACT_VALUE_MAX_BYTES + 1] = {0};
    uint32_t seed = 1;
    for (int i = 0; i < 8 && result == 0; i++) {
        for (size_t k = 0; k < REDACT_VALUE_MAX_BYTES; k++) {
            seed = seed * 1664525 + 1013904223;
            bytes[k] = (char)(' ' + 1 + seed % 90);
        }
        struct secret value = secret_borrow(bytes, REDACT_VALUE_MAX_BYTES);
        result = redact_set_add(set, &value, &err);
    }
    assert_int_equal(result, -1);
    assert_text_has(err.text, "too long together");
    assert_true(err.hint[0] != '\0');
    redact_set_free(set);
}

static void a_closed_set_takes_no_more(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct redact_set *set = set_of((const char *const[]){"canary-one", NULL});
    struct secret more = secret_borrow("canary-two", 10);
    assert_int_equal(redact_set_add(set, &more, &err), -1);
    assert_int_equal(err.kind, ERR_DEFECT);
    redact_set_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ending_inside_of_another_pattern_is_found),
        cmocka_unit_test(a_short_value_is_no_pattern),
        cmocka_unit_test(the_same_value_twice_costs_nothing),
        cmocka_unit_test(too_long_a_value_is_refused),
        cmocka_unit_test(too_much_together_is_refused),
        cmocka_unit_test(a_closed_set_takes_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
