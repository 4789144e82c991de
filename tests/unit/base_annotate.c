/* tests/unit/base_annotate.c: annotations that stay one line and one command. */
#include "tests/lib/unit.h"

#include <string.h>

#include "base/annotate.h"

enum { OUTPUT_BYTES = 64 * 1024 };

static void assert_line(const struct annotation *annotation, const char *expected)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    annotate_github(annotation, &out);
    assert_string_equal(buf_text(&out), expected);
}

static void an_annotation_has_what_is_known(void **state)
{
    (void)state;
    assert_line(&(struct annotation){.level = ANNOTATION_ERROR,
                                     .file = "contract.json",
                                     .line = 3,
                                     .column = 7,
                                     .title = "agent check",
                                     .message = "PORT is missing"},
                "::error file=contract.json,line=3,col=7,title=agent check::PORT is missing\n");
    assert_line(
        &(struct annotation){
            .level = ANNOTATION_WARNING, .file = "a.py", .line = 3, .message = "x"},
        "::warning file=a.py,line=3::x\n");
    assert_line(&(struct annotation){.level = ANNOTATION_NOTICE, .message = "x"}, "::notice::x\n");
}

static void a_line_or_column_without_a_place_is_left_out(void **state)
{
    (void)state;
    assert_line(&(struct annotation){.level = ANNOTATION_ERROR, .line = 3, .message = "x"},
                "::error::x\n");
    assert_line(
        &(struct annotation){.level = ANNOTATION_ERROR, .file = "a", .column = 3, .message = "x"},
        "::error file=a::x\n");
}

static void what_ends_a_property_or_a_line_is_escaped(void **state)
{
    (void)state;
    assert_line(&(struct annotation){.level = ANNOTATION_ERROR,
                                     .file = "a,line=9::b%\n.py",
                                     .title = "t: 1, 2",
                                     .message = "50%, a: b\r\n::error::c"},
                "::error file=a%2Cline=9%3A%3Ab%25%0A.py,title=t%3A 1%2C 2::50%25, a: b%0A"
                "::error::c\n");
}

static void control_bytes_and_broken_utf8_are_shown(void **state)
{
    (void)state;
    assert_line(&(struct annotation){.level = ANNOTATION_ERROR,
                                     .message = "\033[1m\r\xff\u202e gr\u00fcn\t|"},
                "::error::\\x1b[1m\\x0d\\xff\\xe2\\x80\\xae gr\u00fcn\t|\n");
}

static void a_long_message_is_cut_between_characters(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    annotate_add_lines(&out, "\u00e4\u00e4\u00e4", 6, 3);
    assert_string_equal(buf_text(&out), "\u00e4\u00e4...");
    buf_clear(&out);
    annotate_add_lines(&out, "\u00e4\u00e4", 4, 4);
    assert_string_equal(buf_text(&out), "\u00e4\u00e4");
}

static void a_full_buffer_is_not_a_shorter_annotation(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(16);
    struct err err = ERR_INIT;
    annotate_github(&(struct annotation){.message = "more than there is room for"}, &out);
    assert_int_equal(buf_check(&out, ERR_DEFECT, "output", &err), -1);
}

static void files_below_a_folder_are_named_from_there(void **state)
{
    (void)state;
    assert_string_equal(annotate_relative("/w/a/b.py", "/w"), "a/b.py");
    assert_string_equal(annotate_relative("/w/a/b.py", "/w/"), "a/b.py");
    assert_string_equal(annotate_relative("/w//a/b.py", "/w"), "a/b.py");
    assert_string_equal(annotate_relative("/well/b.py", "/w"), "/well/b.py");
    assert_string_equal(annotate_relative("/x/b.py", "/w"), "/x/b.py");
    assert_string_equal(annotate_relative("./a/b.py", "/w"), "a/b.py");
    assert_string_equal(annotate_relative("a/b.py", "/w"), "a/b.py");
    assert_string_equal(annotate_relative("../b.py", "/w"), "../b.py");
    assert_string_equal(annotate_relative("/a/b.py", "/"), "/a/b.py");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_annotation_has_what_is_known),
        cmocka_unit_test(a_line_or_column_without_a_place_is_left_out),
        cmocka_unit_test(what_ends_a_property_or_a_line_is_escaped),
        cmocka_unit_test(control_bytes_and_broken_utf8_are_shown),
        cmocka_unit_test(a_long_message_is_cut_between_characters),
        cmocka_unit_test(a_full_buffer_is_not_a_shorter_annotation),
        cmocka_unit_test(files_below_a_folder_are_named_from_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
