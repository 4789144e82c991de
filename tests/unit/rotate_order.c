/* The order in which secrets are rotated. */
#include "tests/lib/unit.h"

#include "rotate/rotate.h"

static struct err err;

static void what_depends_on_another_comes_after_it(void **state)
{
    static const char *const on_c[] = {"C", NULL}, *const on_a_and_c[] = {"A", "C", NULL};
    const struct rotate_spec specs[] = {{.variable = "A", .depends_on = on_c},
                                        {.variable = "B", .depends_on = on_a_and_c},
                                        {.variable = "C"},
                                        {.variable = "D"}};
    size_t order[4];

    (void)state;
    assert_int_equal(rotate_order(specs, 4, order, &err), 0);
    static const size_t wanted[] = {2, 0, 1, 3};
    assert_memory_equal(order, wanted, sizeof(wanted));
}

static void without_dependencies_the_contracts_order_stays(void **state)
{
    static const char *const on_absent[] = {"NOT_ROTATED_NOW", NULL};
    const struct rotate_spec specs[] = {
        {.variable = "B", .depends_on = on_absent}, {.variable = "A"}, {.variable = "C"}};
    size_t order[3];

    (void)state;
    assert_int_equal(rotate_order(specs, 3, order, &err), 0);
    static const size_t wanted[] = {0, 1, 2};
    assert_memory_equal(order, wanted, sizeof(wanted));
}

static void a_circle_is_named(void **state)
{
    static const char *const on_b[] = {"B", NULL}, *const on_c[] = {"C", NULL};
    const struct rotate_spec specs[] = {{.variable = "A"},
                                        {.variable = "B", .depends_on = on_c},
                                        {.variable = "C", .depends_on = on_b}};
    size_t order[3];

    (void)state;
    assert_int_equal(rotate_order(specs, 3, order, &err), -1);
    assert_int_equal(err.kind, ERR_CONTRACT);
    assert_non_null(strstr(err.text, "'B'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_depends_on_another_comes_after_it),
        cmocka_unit_test(without_dependencies_the_contracts_order_stays),
        cmocka_unit_test(a_circle_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
