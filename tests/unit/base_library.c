/* tests/unit/base_library.c: with the C library's own mathematics, which is on every machine. */
#include "tests/lib/unit.h"

#include <string.h>

#include "base/library.h"
#include "tests/lib/heap.h"

LIBRARY_DLOPEN_NOTE(note, "[{\"feature\":\"test\",\"soname\":[\"libm.so.6\"]}]");

static double (*cosine)(double);
static double (*nothing)(double);

static void the_first_library_that_is_there_fills_the_slots(void **state)
{
    (void)state;
    static const char *const sonames[] = {"libnot-there.so.1", "libm.so.6", NULL};
    const struct library_symbol symbols[] = {{"cos", (void **)&cosine}};
    struct err err = ERR_INIT;

    cosine = NULL;
    assert_int_equal(library_open(sonames, "libc6", symbols, 1, &err), 0);
    assert_non_null(cosine);
    assert_true(cosine(0.0) > 0.99);
}

static void a_missing_library_names_every_soname_the_reason_and_the_package(void **state)
{
    (void)state;
    static const char *const sonames[] = {"libnot-there.so.1", "libnot-here.so.2", NULL};
    struct err err = ERR_INIT;

    assert_int_equal(library_open(sonames, "libnot1", NULL, 0, &err), -1);
    assert_int_equal(err.kind, ERR_RESOURCE);
    assert_text_has(err.text, "open the library libnot-there.so.1, libnot-here.so.2: ");
    assert_text_has(err.text, "libnot-there.so.1: cannot open shared object file");
    assert_text_has(err.text, "libnot-here.so.2: cannot open shared object file");
    assert_string_equal(err.hint, "Install the package libnot1.");
}

static void a_missing_function_is_named_and_no_slot_is_filled(void **state)
{
    (void)state;
    static const char *const sonames[] = {"libm.so.6", NULL};
    const struct library_symbol symbols[] = {{"cos", (void **)&cosine},
                                             {"no_such_function", (void **)&nothing}};
    struct err err = ERR_INIT;

    cosine = NULL;
    assert_int_equal(library_open(sonames, "libc6", symbols, 2, &err), -1);
    assert_int_equal(err.kind, ERR_RESOURCE);
    assert_text_has(err.text, "libm.so.6 has no function 'no_such_function'");
    assert_null(cosine);
    assert_null(nothing);
}

static void names_and_reasons_of_any_length_are_cut(void **state)
{
    (void)state;
    char name[4000];
    const char *const sonames[] = {name, name, "libm.so.6", NULL};
    struct err err = ERR_INIT;

    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    const struct library_symbol symbols[] = {{"no_such_function", (void **)&nothing}};
    assert_int_equal(library_open(sonames, "libn", symbols, 1, &err), -1);
    assert_true(strlen(err.text) < ERR_TEXT_BYTES);
    assert_text_has(err.text, "open the library nnn");
}

static void no_name_at_all_is_an_error_with_a_reason(void **state)
{
    (void)state;
    static const char *const sonames[] = {NULL};
    struct err err = ERR_INIT;

    assert_int_equal(library_open(sonames, "libx", NULL, 0, &err), -1);
    assert_text_has(err.text, "no name of it is known");
}

/* It would wait for itself for ever, or crash later: it is not begun. */
static void openssl_is_not_started_without_memory(void **state)
{
    (void)state;
    static const char *const sonames[] = {"libcrypto.so.3", NULL};
    unsigned long (*error)(void) = NULL;
    const struct library_symbol symbols[] = {{"ERR_peek_error", (void **)&error}};
    struct err err = ERR_INIT;

    NEEDS_HEAP();
    assert_int_equal(library_start_openssl(&err), 0); /* nobody has brought it */
    if (library_open(sonames, "libssl3", symbols, 1, &err) != 0)
        skip();
    heap_fail_from(0);
    int result = library_start_openssl(&err);
    heap_fail_after(-1);
    assert_int_equal(result, -1);
    assert_int_equal(err.kind, ERR_RESOURCE);
    assert_int_equal(library_start_openssl(&err), 0);
    assert_int_equal(error(), 0);
}

static void the_note_has_the_shape_of_the_specification(void **state)
{
    (void)state;
    assert_int_equal(note.header.name_size, 4);
    assert_int_equal(note.header.desc_size, sizeof note.desc);
    assert_int_equal(note.header.type, 0x407c0c0a);
    assert_string_equal(note.name, "FDO");
    assert_int_equal((const char *)note.desc - (const char *)&note, 16); /* a multiple of four */
    assert_text_has(note.desc, "libm.so.6");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_library_that_is_there_fills_the_slots),
        cmocka_unit_test(a_missing_library_names_every_soname_the_reason_and_the_package),
        cmocka_unit_test(a_missing_function_is_named_and_no_slot_is_filled),
        cmocka_unit_test(names_and_reasons_of_any_length_are_cut),
        cmocka_unit_test(no_name_at_all_is_an_error_with_a_reason),
        cmocka_unit_test(openssl_is_not_started_without_memory),
        cmocka_unit_test(the_note_has_the_shape_of_the_specification),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
