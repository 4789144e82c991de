/* tests/unit/agent_environment.c: the process's environment, indexed, and the child's. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>

#include "agent/environment.h"
#include "base/buf.h"

static struct environment indexed(const char *const *list)
{
    struct environment e = ENVIRONMENT_INIT;
    struct err err = ERR_INIT;

    assert_int_equal(environment_index(&e, list, &err), 0);
    return e;
}

static void set(struct environment *e, const char *name, const char *value)
{
    struct err err = ERR_INIT;
    struct secret bytes = secret_borrow(value, strlen(value));

    assert_int_equal(environment_set(e, name, &bytes, &err), 0);
}

static bool list_has(const struct environment *e, const char *entry)
{
    struct err err = ERR_INIT;
    const char **list = environment_list(e, &err);
    bool found = false;

    assert_non_null(list);
    for (const char **at = list; *at; at++)
        found = found || strcmp(*at, entry) == 0;
    free(list);
    return found;
}

static void a_name_is_found_whole_and_not_by_its_beginning(void **state)
{
    (void)state;
    static const char *const list[] = {"PATH=/bin", "PA=1", "EMPTY=", NULL};
    struct environment e = indexed(list);
    assert_string_equal(environment_get(&e, "PATH"), "/bin");
    assert_string_equal(environment_get(&e, "PA"), "1");
    assert_string_equal(environment_get(&e, "EMPTY"), "");
    assert_null(environment_get(&e, "PAT"));
    environment_release(&e);
}

static void of_a_name_that_is_there_twice_the_first_stays(void **state)
{
    (void)state;
    static const char *const list[] = {"A=first", "A=second", NULL};
    struct environment e = indexed(list);
    assert_string_equal(environment_get(&e, "A"), "first");
    assert_false(list_has(&e, "A=second"));
    environment_release(&e);
}

static void an_entry_without_a_name_or_an_equals_sign_is_left_out(void **state)
{
    (void)state;
    static const char *const list[] = {"=odd", "alone", "A=1", NULL};
    struct environment e = indexed(list);
    assert_true(list_has(&e, "A=1"));
    assert_false(list_has(&e, "=odd"));
    assert_false(list_has(&e, "alone"));
    environment_release(&e);
}

static void what_is_set_replaces_and_what_is_unset_is_gone(void **state)
{
    (void)state;
    static const char *const list[] = {"A=old", "B=2", NULL};
    struct environment e = indexed(list);
    set(&e, "A", "new");
    set(&e, "C", "3");
    environment_unset(&e, "B");
    environment_unset(&e, "NOT_THERE");
    assert_string_equal(environment_get(&e, "A"), "new");
    assert_string_equal(environment_get(&e, "C"), "3");
    assert_null(environment_get(&e, "B"));
    assert_false(list_has(&e, "A=old"));
    environment_release(&e);
}

static void a_name_can_come_back_after_it_was_unset(void **state)
{
    (void)state;
    static const char *const list[] = {"A=1", NULL};
    struct environment e = indexed(list);
    environment_unset(&e, "A");
    set(&e, "A", "2");
    assert_string_equal(environment_get(&e, "A"), "2");
    assert_true(list_has(&e, "A=2"));
    environment_release(&e);
}

enum { MANY = 5000 };

static void thousands_of_names_are_each_found_through_sets_and_unsets(void **state)
{
    (void)state;
    static const char *const nothing[] = {NULL};
    struct environment e = indexed(nothing);
    char name[32], value[32];
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof(name), "NAME_%d", i);
        (void)snprintf(value, sizeof(value), "%d", i);
        set(&e, name, value);
    }
    for (int i = 0; i < MANY; i += 2) {
        (void)snprintf(name, sizeof(name), "NAME_%d", i);
        environment_unset(&e, name);
    }
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof(name), "NAME_%d", i);
        (void)snprintf(value, sizeof(value), "%d", i);
        if (i % 2)
            assert_string_equal(environment_get(&e, name), value);
        else
            assert_null(environment_get(&e, name));
    }
    environment_release(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_found_whole_and_not_by_its_beginning),
        cmocka_unit_test(of_a_name_that_is_there_twice_the_first_stays),
        cmocka_unit_test(an_entry_without_a_name_or_an_equals_sign_is_left_out),
        cmocka_unit_test(what_is_set_replaces_and_what_is_unset_is_gone),
        cmocka_unit_test(a_name_can_come_back_after_it_was_unset),
        cmocka_unit_test(thousands_of_names_are_each_found_through_sets_and_unsets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
