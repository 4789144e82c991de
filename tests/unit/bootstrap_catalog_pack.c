/* tests/unit/bootstrap_catalog_pack.c: a catalog is the same one after it went through bytes. */
#include "tests/lib/unit.h"

#include <string.h>

#include "base/str.h"
#include "bootstrap/catalog.h"
#include "tests/lib/heap.h"

enum { PACKED_BYTES = 64 * 1024, ENDLESS = 1000 };

static struct catalog_object sample[] = {
    {.kind = "column",
     .name = "public.users.email",
     .definition = "text not null",
     .loose = "text",
     .cosmetic = "a comment\nof two lines",
     .position = 70000,
     .parent_kind = "table",
     .parent = "public.users",
     .word = "email",
     .relation = "users",
     .words = "email\nname"},
    {.kind = "index",
     .name = "public.\"odd \xc3\xa9\"",
     .definition = "",
     .cosmetic = "",
     .automatic_name = true,
     .broken = true,
     .parent_kind = "",
     .parent = "",
     .word = "",
     .relation = "",
     .words = ""},
};

static const struct catalog whole = {.objects = sample,
                                     .count = ARRAY_LEN(sample),
                                     .context = "PostgreSQL 15",
                                     .not_compared = "3 casts"};

static void pack_sample(struct buf *out)
{
    sample[1].loose = sample[1].definition; /* nothing in it is loose */
    catalog_pack(&whole, out);
    assert_false(out->too_long || out->no_memory);
}

static void a_catalog_comes_back_as_it_was(void **state)
{
    (void)state;
    AUTO_BUF packed = BUF_INIT(PACKED_BYTES);
    AUTO_BUF before = BUF_INIT(PACKED_BYTES);
    AUTO_BUF after = BUF_INIT(PACKED_BYTES);
    AUTO_CATALOG back = CATALOG_INIT;
    struct err err = ERR_INIT;
    pack_sample(&packed);
    assert_int_equal(catalog_unpack(buf_text(&packed), packed.len, &back, &err), 0);
    buf_clear(&packed); /* the catalog does not need it */
    catalog_write_text(&whole, &before);
    catalog_write_text(&back, &after);
    assert_string_equal(buf_text(&after), buf_text(&before));
    const struct catalog_object *email = &back.objects[0], *odd = &back.objects[1];
    assert_string_equal(email->loose, "text");
    assert_int_equal(email->position, 70000);
    assert_string_equal(email->parent_kind, "table");
    assert_string_equal(email->parent, "public.users");
    assert_string_equal(email->word, "email");
    assert_string_equal(email->relation, "users");
    assert_string_equal(email->words, "email\nname");
    assert_false(email->automatic_name || email->broken);
    assert_true(odd->automatic_name && odd->broken);
    assert_ptr_equal(odd->loose, odd->definition);
}

static void an_empty_catalog_comes_back_too(void **state)
{
    (void)state;
    AUTO_BUF packed = BUF_INIT(PACKED_BYTES);
    AUTO_CATALOG back = CATALOG_INIT;
    struct err err = ERR_INIT;
    catalog_pack(&(struct catalog){.context = "x", .not_compared = ""}, &packed);
    assert_int_equal(catalog_unpack(buf_text(&packed), packed.len, &back, &err), 0);
    assert_int_equal(back.count, 0);
    assert_string_equal(back.context, "x");
}

static void bytes_that_were_cut_off_anywhere_are_no_catalog(void **state)
{
    (void)state;
    AUTO_BUF packed = BUF_INIT(PACKED_BYTES);
    pack_sample(&packed);
    for (size_t length = 0; length < packed.len; length++) {
        struct err err = ERR_INIT;
        AUTO_CATALOG back = CATALOG_INIT;
        assert_int_equal(catalog_unpack(buf_text(&packed), length, &back, &err), -1);
        assert_int_equal(err.kind, ERR_DEFECT);
        assert_text_has(err.text, "cut off");
        assert_null(back.objects);
    }
}

static void bytes_of_something_else_are_no_catalog(void **state)
{
    (void)state;
    static const char *const others[] = {"99999999999999", "-1", "x", "", "1"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        struct err err = ERR_INIT;
        AUTO_CATALOG back = CATALOG_INIT;
        assert_int_equal(catalog_unpack(others[i], strlen(others[i]) + 1, &back, &err), -1);
        assert_int_equal(err.kind, ERR_DEFECT);
    }
}

static void without_memory_is_a_named_error(void **state)
{
    (void)state;
    AUTO_BUF packed = BUF_INIT(PACKED_BYTES);
    NEEDS_HEAP();
    pack_sample(&packed);
    for (long k = 0; k < ENDLESS; k++) {
        struct err err = ERR_INIT;
        AUTO_CATALOG back = CATALOG_INIT;
        heap_fail_after(k);
        int result = catalog_unpack(buf_text(&packed), packed.len, &back, &err);
        bool reached = heap_successes < 0;
        heap_fail_after(-1);
        if (result != 0)
            assert_int_equal(err.kind, ERR_RESOURCE);
        if (!reached) {
            assert_int_equal(result, 0);
            assert_true(k > 0);
            return;
        }
    }
    fail_msg("there is no end of allocations");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_catalog_comes_back_as_it_was),
        cmocka_unit_test(an_empty_catalog_comes_back_too),
        cmocka_unit_test(bytes_that_were_cut_off_anywhere_are_no_catalog),
        cmocka_unit_test(bytes_of_something_else_are_no_catalog),
        cmocka_unit_test(without_memory_is_a_named_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
