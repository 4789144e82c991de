/* tests/unit/base_arena.c */
#include "tests/lib/unit.h"

#include <stdalign.h>

#include "base/arena.h"
#include "tests/lib/heap.h"

static void objects_are_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    AUTO_ARENA a = ARENA_INIT;
    unsigned char *objects[500];

    for (size_t i = 0; i < ARRAY_LEN(objects); i++) {
        objects[i] = arena_new(&a, 1, i + 1);
        assert_non_null(objects[i]);
        assert_int_equal((uintptr_t)objects[i] % alignof(max_align_t), 0);
        for (size_t j = 0; j <= i; j++)
            assert_int_equal(objects[i][j], 0);
        memset(objects[i], (int)(i & 0xFF), i + 1);
        assert_non_null(arena_dup(&a, "x")); /* puts the next object off alignment */
    }
    for (size_t i = 0; i < ARRAY_LEN(objects); i++) {
        for (size_t j = 0; j <= i; j++)
            assert_int_equal(objects[i][j], i & 0xFF);
    }
}

static void strings_are_copied_with_a_nul(void **state)
{
    (void)state;
    AUTO_ARENA a = ARENA_INIT;

    assert_string_equal(arena_dup(&a, "text"), "text");
    assert_string_equal(arena_dup_n(&a, "text", 2), "te");
    assert_string_equal(arena_dup_n(&a, NULL, 0), "");
    assert_string_equal(arena_printf(&a, "%s-%d", "n", 7), "n-7");
    assert_string_equal(arena_printf(&a, "%s", ""), "");
}

static void an_object_larger_than_a_block_is_had(void **state)
{
    (void)state;
    AUTO_ARENA a = ARENA_INIT;
    char *small = arena_dup(&a, "before");
    char *large = arena_new(&a, 1, 1000000);

    assert_non_null(large);
    memset(large, 'x', 1000000);
    char *after = arena_dup(&a, "after");
    assert_string_equal(small, "before");
    assert_ptr_equal(after, small + sizeof "before"); /* the large one did not end the block */
}

static void a_first_large_object_is_released_too(void **state)
{
    (void)state;
    AUTO_ARENA a = ARENA_INIT;

    assert_non_null(arena_new(&a, 1, 1000000));
    assert_string_equal(arena_dup(&a, "x"), "x");
    arena_release(&a);
    assert_null(a.newest);
    assert_string_equal(arena_dup(&a, "again"), "again");
}

static void sizes_that_overflow_are_refused(void **state)
{
    (void)state;
    AUTO_ARENA a = ARENA_INIT;

    assert_null(arena_new(&a, SIZE_MAX / 2, 3));
    assert_null(arena_new(&a, 1, SIZE_MAX - 4));
    assert_null(arena_dup_n(&a, "x", SIZE_MAX));
}

static void every_allocation_that_fails_gives_null_and_leaks_nothing(void **state)
{
    (void)state;
    NEEDS_HEAP();
    AUTO_ARENA a = ARENA_INIT;

    heap_fail_after(0);
    assert_null(arena_dup(&a, "x"));
    heap_fail_after(0);
    assert_null(arena_new(&a, 1, 1000000));
    heap_fail_after(-1);
    assert_string_equal(arena_dup(&a, "x"), "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_zeroed_aligned_and_apart),
        cmocka_unit_test(strings_are_copied_with_a_nul),
        cmocka_unit_test(an_object_larger_than_a_block_is_had),
        cmocka_unit_test(a_first_large_object_is_released_too),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(every_allocation_that_fails_gives_null_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
