/* tests/unit/base_mem.c */
#include "tests/lib/unit.h"

#include "base/mem.h"
#include "tests/lib/heap.h"

static void new_memory_is_zeroed_and_overflow_is_refused(void **state)
{
    (void)state;
    AUTO_FREE unsigned char *bytes = mem_new(100, 3);

    assert_non_null(bytes);
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(bytes[i], 0);
    void *volatile refused = mem_new(SIZE_MAX / 2, 3);
    assert_null(refused);
}

static void nothing_is_still_a_block(void **state)
{
    (void)state;
    AUTO_FREE void *none = mem_new(0, 8), *empty = mem_new(8, 0);

    assert_non_null(none);
    assert_non_null(empty);
}

static void an_array_grows_and_keeps_its_elements(void **state)
{
    (void)state;
    AUTO_FREE int *numbers = NULL;
    size_t capacity = 0;

    for (int i = 0; i < 1000; i++) {
        assert_int_equal(mem_grow(&numbers, (size_t)i, &capacity, sizeof *numbers), 0);
        assert_true((size_t)i < capacity);
        assert_int_equal(numbers[i], 0);
        numbers[i] = i;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(numbers[i], i);
}

static void an_array_that_cannot_grow_is_as_it_was(void **state)
{
    (void)state;
    NEEDS_HEAP();
    AUTO_FREE int *numbers = NULL;
    size_t capacity = 0;

    assert_int_equal(mem_grow(&numbers, 0, &capacity, sizeof *numbers), 0);
    int *before = numbers;
    size_t capacity_before = capacity;
    numbers[0] = 42;
    heap_fail_after(0);
    assert_int_equal(mem_grow(&numbers, capacity, &capacity, sizeof *numbers), -1);
    heap_fail_after(-1);
    assert_ptr_equal(numbers, before);
    assert_int_equal(capacity, capacity_before);
    assert_int_equal(numbers[0], 42);
}

static void growth_beyond_the_address_space_is_refused(void **state)
{
    (void)state;
    int *numbers = NULL;
    size_t capacity = SIZE_MAX / 2;

    assert_int_equal(mem_grow(&numbers, SIZE_MAX / 2, &capacity, sizeof *numbers), -1);
    assert_int_equal(mem_grow(&numbers, SIZE_MAX - 1, &capacity, sizeof *numbers), -1);
    assert_null(numbers);
}

static void copies_end_with_a_nul(void **state)
{
    (void)state;
    AUTO_FREE char *whole = mem_dup("text"), *part = mem_dup_n("text", 2);
    AUTO_FREE char *nothing = mem_dup_n(NULL, 0);

    assert_string_equal(whole, "text");
    assert_string_equal(part, "te");
    assert_string_equal(nothing, "");
    assert_null(mem_dup_n("", SIZE_MAX));
}

static void wiping_overwrites_exactly_the_bytes_given(void **state)
{
    (void)state;
    char bytes[] = "keep-secret-keep";

    mem_wipe(bytes + 5, 6);
    assert_memory_equal(bytes, "keep-\0\0\0\0\0\0-keep", sizeof bytes);
    mem_wipe(NULL, 0);
}

static void blocks_are_wiped_before_the_heap_gets_them_back(void **state)
{
    (void)state;
    NEEDS_HEAP();

    heap_watch("canary-5f1c");
    char *block = mem_wipe_strdup("canary-5f1c and more");
    block = mem_wipe_realloc(block, 4000);
    assert_string_equal(block, "canary-5f1c and more");
    block = mem_wipe_realloc(block, 16);
    assert_memory_equal(block, "canary-5f1c and ", 16);
    mem_wipe_free(block);
    assert_int_equal(heap_leaks, 0);

    free(mem_dup("canary-5f1c")); /* the watch itself sees what is not wiped */
    assert_int_equal(heap_leaks, 1);
    heap_watch(NULL);
}

static void a_block_that_cannot_be_resized_stays(void **state)
{
    (void)state;
    NEEDS_HEAP();
    char *block = mem_wipe_strdup("still here");

    heap_fail_after(0);
    assert_null(mem_wipe_realloc(block, 4000));
    heap_fail_after(-1);
    assert_string_equal(block, "still here");
    mem_wipe_free(block);
}

static void the_allocators_have_the_corners_of_malloc(void **state)
{
    (void)state;
    mem_wipe_free(NULL);

    char *block = mem_wipe_realloc(NULL, 10);
    assert_non_null(block);
    block = mem_wipe_realloc(block, 0);
    assert_non_null(block);
    mem_wipe_free(block);

    unsigned char *zeroed = mem_wipe_calloc(7, 3);
    for (size_t i = 0; i < 21; i++)
        assert_int_equal(zeroed[i], 0);
    mem_wipe_free(zeroed);
    void *volatile refused = mem_wipe_calloc(SIZE_MAX / 2, 3);
    assert_null(refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_memory_is_zeroed_and_overflow_is_refused),
        cmocka_unit_test(nothing_is_still_a_block),
        cmocka_unit_test(an_array_grows_and_keeps_its_elements),
        cmocka_unit_test(an_array_that_cannot_grow_is_as_it_was),
        cmocka_unit_test(growth_beyond_the_address_space_is_refused),
        cmocka_unit_test(copies_end_with_a_nul),
        cmocka_unit_test(wiping_overwrites_exactly_the_bytes_given),
        cmocka_unit_test(blocks_are_wiped_before_the_heap_gets_them_back),
        cmocka_unit_test(a_block_that_cannot_be_resized_stays),
        cmocka_unit_test(the_allocators_have_the_corners_of_malloc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
