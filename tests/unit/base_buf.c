/* tests/unit/base_buf.c */
#include "tests/lib/unit.h"

#include "base/buf.h"
#include "tests/lib/heap.h"

static void text_is_put_together_and_ends_with_a_nul(void **state)
{
    (void)state;
    AUTO_BUF b = BUF_INIT(1000);
    struct err err = ERR_INIT;

    assert_string_equal(buf_text(&b), "");
    buf_adds(&b, "one");
    buf_addc(&b, ' ');
    buf_add(&b, "two-three", 3);
    buf_addf(&b, " %d %s", 3, "four");
    buf_addf(&b, "%s", "");
    buf_add(&b, NULL, 0);
    assert_string_equal(buf_text(&b), "one two 3 four");
    assert_int_equal(b.len, strlen("one two 3 four"));
    assert_int_equal(buf_check(&b, ERR_FILE, "it", &err), 0);
}

static void bytes_of_any_value_are_kept(void **state)
{
    (void)state;
    AUTO_BUF b = BUF_INIT(256);

    for (int byte = 0; byte < 256; byte++)
        buf_addc(&b, (char)byte);
    assert_int_equal(b.len, 256);
    for (int byte = 0; byte < 256; byte++)
        assert_int_equal((unsigned char)b.data[byte], byte);
    assert_int_equal(b.data[256], '\0');
}

static void the_ceiling_is_reached_exactly_and_not_passed(void **state)
{
    (void)state;

    for (size_t ceiling = 0; ceiling < 300; ceiling++) {
        AUTO_BUF b = BUF_INIT(ceiling);
        struct err err = ERR_INIT;
        for (size_t i = 0; i < ceiling; i++)
            buf_addc(&b, 'x');
        assert_int_equal(buf_check(&b, ERR_FILE, "it", &err), 0);
        assert_int_equal(b.len, ceiling);
        buf_addc(&b, 'y');
        assert_int_equal(b.len, ceiling);
        assert_int_equal(buf_check(&b, ERR_FILE, "it", &err), -1);
        assert_true(b.capacity <= ceiling + 1);
    }
}

static void an_error_of_length_names_the_thing_and_the_ceiling(void **state)
{
    (void)state;
    AUTO_BUF b = BUF_INIT(4);
    struct err err = ERR_INIT;

    buf_adds(&b, "12345");
    assert_int_equal(buf_check(&b, ERR_SOURCE_DATA, "the answer", &err), -1);
    assert_int_equal(err.kind, ERR_SOURCE_DATA);
    assert_string_equal(err.text, "the answer is longer than 4 bytes");
}

static void failure_sticks_until_the_buffer_is_cleared(void **state)
{
    (void)state;
    AUTO_BUF b = BUF_INIT(4);
    struct err err = ERR_INIT;

    buf_adds(&b, "123");
    buf_adds(&b, "too long");
    buf_addc(&b, '4'); /* would fit */
    buf_addf(&b, "%d", 4);
    assert_null(buf_reserve(&b, 1));
    assert_string_equal(buf_text(&b), "123");
    assert_null(buf_take(&b));
    assert_int_equal(buf_check(&b, ERR_FILE, "it", &err), -1);
    buf_clear(&b);
    assert_int_equal(buf_check(&b, ERR_FILE, "it", &err), 0);
    buf_adds(&b, "1234");
    assert_string_equal(buf_text(&b), "1234");
}

static void every_allocation_that_fails_leaves_a_named_error(void **state)
{
    (void)state;
    NEEDS_HEAP();

    for (long k = 0; k < 5; k++) { /* 64 bytes, 128, 256, 512, 1024 */
        AUTO_BUF b = BUF_INIT(100000);
        struct err err = ERR_INIT;
        heap_fail_after(k);
        for (int i = 0; i < 200; i++)
            buf_addf(&b, "%04d", i);
        heap_fail_after(-1);
        assert_true(b.no_memory);
        assert_int_equal(buf_check(&b, ERR_FILE, "the list", &err), -1);
        assert_int_equal(err.kind, ERR_RESOURCE);
        assert_string_equal(err.text, "the list: out of memory");
        assert_true(b.len < 800);
        assert_int_equal(strlen(buf_text(&b)), b.len);
    }
}

static void lengths_near_the_end_of_the_address_space_are_refused(void **state)
{
    (void)state;
    AUTO_BUF b = BUF_INIT(SIZE_MAX);

    buf_adds(&b, "x");
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_true(b.too_long);
    buf_clear(&b);
    buf_adds(&b, "x");
    assert_null(buf_reserve(&b, SIZE_MAX - 1)); /* the NUL has no room */
    assert_true(b.too_long);
}

static void reserved_room_is_written_and_committed(void **state)
{
    (void)state;
    AUTO_BUF b = BUF_INIT(100);

    buf_adds(&b, "read: ");
    char *room = buf_reserve(&b, 50);
    assert_non_null(room);
    memcpy(room, "five!", 5);
    buf_commit(&b, 5);
    buf_commit(&b, 0);
    assert_string_equal(buf_text(&b), "read: five!");
}

static void committing_more_than_there_is_fails_the_buffer(void **state)
{
    (void)state;
    AUTO_BUF b = BUF_INIT(100), empty = BUF_INIT(100);

    buf_adds(&b, "x");
    buf_commit(&b, b.capacity);
    assert_true(b.too_long);
    assert_int_equal(b.len, 1);
    buf_commit(&empty, 1);
    assert_true(empty.too_long);
}

static void what_the_buffer_outgrows_or_releases_is_wiped(void **state)
{
    (void)state;
    NEEDS_HEAP();
    struct buf b = BUF_INIT(10000), other = BUF_INIT(10000);

    heap_watch("canary-77aa");
    buf_adds(&b, "canary-77aa");
    for (int i = 0; i < 1000; i++)
        buf_adds(&b, "more ");
    buf_adds(&other, "canary-77aa");
    buf_move(&other, &b);
    buf_release(&other);
    buf_release(&b);

    char *room = buf_reserve(&b, 20); /* written, never committed */
    memcpy(room, "canary-77aa", 11);
    buf_release(&b);
    assert_int_equal(heap_leaks, 0);
    heap_watch(NULL);
}

static void clearing_wipes_and_keeps_the_block(void **state)
{
    (void)state;
    AUTO_BUF b = BUF_INIT(100);

    buf_adds(&b, "canary");
    char *data = b.data;
    buf_clear(&b);
    assert_ptr_equal(b.data, data);
    for (size_t i = 0; i < b.capacity; i++)
        assert_int_equal(b.data[i], 0);
    assert_string_equal(buf_text(&b), "");
}

static void moving_replaces_the_text_and_empties_the_other(void **state)
{
    (void)state;
    AUTO_BUF from = BUF_INIT(100), to = BUF_INIT(50);

    buf_adds(&from, "new");
    buf_adds(&to, "old");
    buf_move(&to, &from);
    assert_string_equal(buf_text(&to), "new");
    assert_string_equal(buf_text(&from), "");
    assert_int_equal(to.max, 50);
    assert_int_equal(from.max, 100);
    buf_move(&to, &to);
    assert_string_equal(buf_text(&to), "new");
}

static void moving_carries_failure_and_keeps_the_ceiling(void **state)
{
    (void)state;
    AUTO_BUF from = BUF_INIT(100), to = BUF_INIT(4);

    buf_adds(&from, "longer than four");
    buf_move(&to, &from);
    assert_true(to.too_long);
    assert_string_equal(buf_text(&to), "");

    AUTO_BUF failed = BUF_INIT(1);
    buf_adds(&failed, "xx");
    buf_clear(&to);
    buf_move(&to, &failed);
    assert_true(to.too_long);
    assert_false(failed.too_long);
}

static void taking_hands_over_the_text(void **state)
{
    (void)state;
    AUTO_BUF b = BUF_INIT(100);

    buf_adds(&b, "mine");
    AUTO_FREE char *text = buf_take(&b);
    assert_string_equal(text, "mine");
    assert_int_equal(b.len, 0);
    AUTO_FREE char *empty = buf_take(&b);
    assert_string_equal(empty, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_put_together_and_ends_with_a_nul),
        cmocka_unit_test(bytes_of_any_value_are_kept),
        cmocka_unit_test(the_ceiling_is_reached_exactly_and_not_passed),
        cmocka_unit_test(an_error_of_length_names_the_thing_and_the_ceiling),
        cmocka_unit_test(failure_sticks_until_the_buffer_is_cleared),
        cmocka_unit_test(every_allocation_that_fails_leaves_a_named_error),
        cmocka_unit_test(lengths_near_the_end_of_the_address_space_are_refused),
        cmocka_unit_test(reserved_room_is_written_and_committed),
        cmocka_unit_test(committing_more_than_there_is_fails_the_buffer),
        cmocka_unit_test(what_the_buffer_outgrows_or_releases_is_wiped),
        cmocka_unit_test(clearing_wipes_and_keeps_the_block),
        cmocka_unit_test(moving_replaces_the_text_and_empties_the_other),
        cmocka_unit_test(moving_carries_failure_and_keeps_the_ceiling),
        cmocka_unit_test(taking_hands_over_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
