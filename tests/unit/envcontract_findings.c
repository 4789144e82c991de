/* The list of findings: what it keeps and how it is sorted. */
#include "tests/lib/unit.h"

#include <string.h>

#include "envcontract/internal.h"
#include "tests/lib/heap.h"

static void add(struct findings *f, const char *file, unsigned line, unsigned column,
                const char *message)
{
    struct contract_position position = {.file = file, .line = line, .column = column};

    findings_addf(f, FINDING_ERROR, "A", "type", &position, "do it", "%s", message);
}

static void findings_come_in_the_order_of_the_file(void **state)
{
    static const char *const expected[] = {"1:1",        "1:5",       "9:1 first",
                                           "9:1 second", "other 2:1", "nowhere"};
    AUTO_FINDINGS f = FINDINGS_INIT;

    (void)state;
    add(&f, "contract.json", 9, 1, "9:1 first");
    findings_addf(&f, FINDING_WARNING, NULL, "shadowed", NULL, NULL, "nowhere");
    add(&f, "other.json", 2, 1, "other 2:1");
    add(&f, "contract.json", 1, 5, "1:5");
    add(&f, "contract.json", 9, 1, "9:1 second");
    add(&f, "contract.json", 1, 1, "1:1");
    findings_sort(&f);
    assert_int_equal(f.count, ARRAY_LEN(expected));
    assert_int_equal(f.errors, 5);
    for (size_t i = 0; i < f.count; i++)
        assert_string_equal(f.list[i].message, expected[i]);
}

static void a_finding_keeps_copies(void **state)
{
    char text[] = "text", file[] = "file";
    AUTO_FINDINGS f = FINDINGS_INIT;
    struct finding finding = {.severity = FINDING_WARNING,
                              .variable = text,
                              .rule = text,
                              .message = text,
                              .hint = text,
                              .file = file,
                              .pointer = text,
                              .line = 3,
                              .column = 4};

    (void)state;
    findings_add(&f, &finding);
    memset(text, 'x', 4);
    memset(file, 'x', 4);
    assert_string_equal(f.list[0].variable, "text");
    assert_string_equal(f.list[0].rule, "text");
    assert_string_equal(f.list[0].message, "text");
    assert_string_equal(f.list[0].hint, "text");
    assert_string_equal(f.list[0].file, "file");
    assert_string_equal(f.list[0].pointer, "text");
    assert_int_equal(f.list[0].line, 3);
    assert_int_equal(f.list[0].column, 4);
    assert_int_equal(f.errors, 0);
}

static void a_long_message_is_cut_and_a_blank_hint_is_none(void **state)
{
    AUTO_FINDINGS f = FINDINGS_INIT;

    (void)state;
    findings_addf(&f, FINDING_ERROR, NULL, "contract", NULL, "", "%2000d", 1);
    assert_text_has(f.list[0].message, "...");
    assert_true(strlen(f.list[0].message) < 2000);
    assert_null(f.list[0].hint);
}

static void no_memory_is_an_error_and_not_no_problem(void **state)
{
    AUTO_FINDINGS f = FINDINGS_INIT;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(findings_check(&f, &err), 0);
    f.no_memory = true;
    assert_int_equal(findings_check(&f, &err), -1);
    assert_int_equal(err.kind, ERR_RESOURCE);
}

static void a_finding_that_memory_ran_out_for_can_still_be_shown(void **state)
{
    const struct finding finding = {
        .variable = "V", .rule = "type", .message = "m", .hint = "h", .file = "f", .pointer = "/p"};
    long left = -1;

    (void)state;
    NEEDS_HEAP();
    for (long k = 0; left < 0; k++) {
        AUTO_FINDINGS f = FINDINGS_INIT;
        AUTO_BUF text = BUF_INIT(4096);
        heap_fail_from(k);
        findings_add(&f, &finding);
        heap_fail_after(-1);
        left = f.no_memory ? -1 : 0;
        findings_write_text(&f, false, &text);
        assert_true(text.len > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(findings_come_in_the_order_of_the_file),
        cmocka_unit_test(a_finding_keeps_copies),
        cmocka_unit_test(a_long_message_is_cut_and_a_blank_hint_is_none),
        cmocka_unit_test(no_memory_is_an_error_and_not_no_problem),
        cmocka_unit_test(a_finding_that_memory_ran_out_for_can_still_be_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
