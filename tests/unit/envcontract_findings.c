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

/* SEVERITY as often as COUNT says, with a message of so many BYTES. */
static void add_many(struct findings *f, enum finding_severity severity, size_t count, size_t bytes)
{
    char message[1024];

    memset(message, 'm', bytes);
    message[bytes] = '\0';
    for (size_t i = 0; i < count; i++)
        findings_add(
            f,
            &(struct finding){
                .severity = severity, .rule = "type", .message = message, .file = "f", .line = 1});
}

static void beyond_some_thousands_they_are_counted_and_not_kept(void **state)
{
    enum { MORE = FINDINGS_SHOWN + 100 };
    AUTO_FINDINGS f = FINDINGS_INIT;
    AUTO_BUF text = BUF_INIT(8 * 1024 * 1024);

    (void)state;
    add_many(&f, FINDING_WARNING, FINDINGS_SHOWN, 1);
    assert_int_equal(f.count, FINDINGS_SHOWN);
    add_many(&f, FINDING_WARNING, 100, 1);
    assert_false(findings_are_full(&f)); /* of errors there is not one */
    add_many(&f, FINDING_ERROR, MORE, 1);
    assert_true(findings_are_full(&f));
    assert_int_equal(f.count, 2 * (FINDINGS_SHOWN + 1));
    assert_int_equal(f.errors, MORE);
    findings_sort(&f);
    const struct finding *last = &f.list[f.count - 1];
    assert_string_equal(last->message,
                        "there are too many errors: what is beyond these is not shown");
    assert_int_equal(last->severity, FINDING_ERROR);
    assert_text_has(last[-1].message, "too many warnings");
    findings_write_text(&f, false, &text);
    assert_text_has(buf_text(&text), "5100 errors, 5100 warnings\n");
}

static void long_texts_end_the_list_sooner(void **state)
{
    AUTO_FINDINGS f = FINDINGS_INIT;

    (void)state;
    add_many(&f, FINDING_ERROR, FINDINGS_SHOWN, 1000);
    assert_true(findings_are_full(&f));
    assert_in_range(f.count, FINDINGS_TEXT_BYTES / 1100, FINDINGS_TEXT_BYTES / 1000 + 2);
    assert_int_equal(f.errors, FINDINGS_SHOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(findings_come_in_the_order_of_the_file),
        cmocka_unit_test(a_finding_keeps_copies),
        cmocka_unit_test(a_long_message_is_cut_and_a_blank_hint_is_none),
        cmocka_unit_test(no_memory_is_an_error_and_not_no_problem),
        cmocka_unit_test(a_finding_that_memory_ran_out_for_can_still_be_shown),
        cmocka_unit_test(beyond_some_thousands_they_are_counted_and_not_kept),
        cmocka_unit_test(long_texts_end_the_list_sooner),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
