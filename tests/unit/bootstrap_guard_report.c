/* tests/unit/bootstrap_guard_report.c: what a guard found, as text, JSON, SARIF, annotations and a page.
 *
 * With arguments (tests/integration/test_guard_report.py) it prints a sample in a format instead. */
#include "tests/lib/unit.h"

#include <string.h>

#include "tests/lib/guard_sample.h"
#include "tests/lib/heap.h"

static void say(const char *sample, const char *format, struct buf *out)
{
    AUTO_SAMPLE report = sample_report(sample);
    buf_clear(out);
    assert_true(sample_write(&report, format, NULL, out));
    struct err err = ERR_INIT;
    assert_int_equal(buf_check(out, ERR_DEFECT, "output", &err), 0);
}

static size_t times(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        count++;
    return count;
}

/* ---- words ----------------------------------------------------------------------------------------- */

/* The words with [ ] around each run that differs. */
static void show(const struct guard_words *words, struct buf *out)
{
    bool open = false;
    buf_clear(out);
    for (size_t i = 0; i < words->count; i++) {
        if (words->list[i].differs != open)
            buf_addc(out, open ? ']' : '[');
        open = words->list[i].differs;
        buf_add(out, words->list[i].start, words->list[i].length);
    }
    if (open)
        buf_addc(out, ']');
}

static void assert_marks(const char *a, const char *b, const char *a_marked, const char *b_marked)
{
    AUTO_GUARD_WORDS a_words = GUARD_WORDS_INIT, b_words = GUARD_WORDS_INIT;
    AUTO_BUF text = BUF_INIT(SAMPLE_OUTPUT_BYTES);
    assert_int_equal(guard_words_compare(a, b, &a_words, &b_words), 0);
    show(&a_words, &text);
    assert_string_equal(buf_text(&text), a_marked);
    show(&b_words, &text);
    assert_string_equal(buf_text(&text), b_marked);
}

static void words_that_differ_are_marked_and_no_more(void **state)
{
    (void)state;
    assert_marks("numeric(10,2)", "numeric(12,2)", "numeric([10],2)", "numeric([12],2)");
    assert_marks("a b c", "a c", "a [b ]c", "a c");
    assert_marks("", "new", "", "[new]");
    assert_marks("x", "y", "[x]", "[y]");
    assert_marks("same", "same", "same", "same");
    assert_marks("b c d e", "a b c e f", "b c [d ]e", "[a ]b c e[ f]");
    assert_marks("w one two x", "w three four x", "w [one two] x", "w [three four] x");
}

static void words_of_one_side_alone_have_no_marks(void **state)
{
    (void)state;
    assert_marks("a b", NULL, "a b", "");
    assert_marks(NULL, "a b", "", "a b");
    assert_marks(NULL, NULL, "", "");
}

static void characters_of_several_bytes_are_not_cut(void **state)
{
    (void)state;
    assert_marks("gr\u00fcn", "gr\u00fc\u00dfe", "[gr\u00fcn]", "[gr\u00fc\u00dfe]");
}

static void texts_that_differ_everywhere_are_marked_whole(void **state)
{
    (void)state;
    AUTO_BUF a = BUF_INIT(SAMPLE_OUTPUT_BYTES), b = BUF_INIT(SAMPLE_OUTPUT_BYTES);
    for (int i = 0; i < GUARD_WORDS_MAX_EDITS; i++) {
        buf_addf(&a, "a%d same ", i);
        buf_addf(&b, "b%d same ", i);
    }
    AUTO_GUARD_WORDS a_words = GUARD_WORDS_INIT, b_words = GUARD_WORDS_INIT;
    assert_int_equal(guard_words_compare(buf_text(&a), buf_text(&b), &a_words, &b_words), 0);
    assert_true(a_words.list[0].differs);
    assert_true(a_words.list[2].differs); /* "same", in the middle of it */
    assert_false(a_words.list[a_words.count - 1].differs);
    assert_true(b_words.list[2].differs);
}

/* A small generator: the same texts on every machine. */
static unsigned next(unsigned *seed)
{
    *seed = *seed * 1103515245U + 12345U;
    return *seed >> 16 & 0x7FFF;
}

static void add_unmarked(const struct guard_words *words, struct buf *out)
{
    for (size_t i = 0; i < words->count; i++)
        if (!words->list[i].differs)
            buf_add(out, words->list[i].start, words->list[i].length);
}

/* What is not marked reads the same on both sides, and nothing is lost. Commas instead of blanks:
 * blanks between marks are marked too, on each side by itself. */
static void what_is_not_marked_is_the_same_on_both_sides(void **state)
{
    (void)state;
    unsigned seed = 1;
    for (int round = 0; round < 2000; round++) {
        AUTO_BUF a = BUF_INIT(4096), b = BUF_INIT(4096), left = BUF_INIT(4096),
                 right = BUF_INIT(4096);
        for (unsigned i = next(&seed) % 12; i > 0; i--)
            buf_addf(&a, "%c,", 'a' + (int)(next(&seed) % 4));
        for (unsigned i = next(&seed) % 12; i > 0; i--)
            buf_addf(&b, "%c,", 'a' + (int)(next(&seed) % 4));
        AUTO_GUARD_WORDS a_words = GUARD_WORDS_INIT, b_words = GUARD_WORDS_INIT;
        assert_int_equal(guard_words_compare(buf_text(&a), buf_text(&b), &a_words, &b_words), 0);
        add_unmarked(&a_words, &left);
        add_unmarked(&b_words, &right);
        assert_string_equal(buf_text(&left), buf_text(&right));
        assert_int_equal(a_words.count, a.len);
        assert_int_equal(b_words.count, b.len);
    }
}

/* ---- text ------------------------------------------------------------------------------------------ */

static void text_of_an_equal_pair_is_short_and_says_what_it_covers(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(SAMPLE_OUTPUT_BYTES);
    say("equal", "text", &out);
    assert_string_equal(
        buf_text(&out),
        "guard         equal: both paths give one schema\n"
        "path A        done in 2s300ms; stamp 8d3f0c51; again: a no-op\n"
        "path B        done in 1s; stamp 8d3f0c51; again: a no-op\n"
        "also          project's stamp: ok\n"
        "              offline SQL: ok\n"
        "compared      4 tables, 31 columns, 9 constraints, 6 indexes, 1 function\n");
}

static void text_groups_by_class_and_kind_with_both_sides(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(SAMPLE_OUTPUT_BYTES);
    say("different", "text", &out);
    const char *text = buf_text(&out);
    assert_text_has(text, "guard         not equal: migrating again was not a no-op on path A; 6 "
                          "semantic, 1 textual and 2 cosmetic differences, 1 ignored; offline SQL "
                          "failed\n");
    assert_text_has(text,
                    "\nsemantic: the schemas do not mean the same\n"
                    "  column\n"
                    "    public.orders.total                                 revision 8d3f0c51\n"
                    "      A  numeric(10,2) not null                    B  numeric(12,2) not null\n"
                    "    public.users.email                                  revision 1a2b3c4d\n"
                    "      A  character varying(255) collate");
    assert_text_has(text, "\n      B  text not null\n  constraint\n");
    assert_text_has(text, "      A  unique btree (lower(email)) where (deleted_at IS NULL)\n"
                          "      B  (not there)\n");
    assert_text_has(text, "    public.legacy_seq                                   ignored\n"
                          "      A  bigint start 1                            B  (not there)\n");
    assert_text_has(text, "      A  CREATE OR REPLACE FUNCTION public.touch()\n"
                          "          RETURNS trigger\n");
    assert_text_has(text, "         $function$\n      B  CREATE OR REPLACE");
    assert_true(strstr(text, "\nsemantic:") < strstr(text, "\ntextual:"));
    assert_true(strstr(text, "\ntextual:") < strstr(text, "\ncosmetic:"));
    assert_text_has(text, "left over     database agent_guard_0f3a91c2_a");
    assert_text_has(text, "compared      4 tables");
    assert_text_has(text, "not compared  2 casts, 1 text search configuration\n");
    assert_text_lacks(text, "\033");
}

static void text_shows_what_a_failed_path_printed(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(SAMPLE_OUTPUT_BYTES);
    say("failed", "text", &out);
    assert_string_equal(buf_text(&out),
                        "guard         not proven equal: path B failed\n"
                        "path A        done in 2s300ms; stamp 8d3f0c51; again: a no-op\n"
                        "path B        failed after 1s\n"
                        "              database.create: 'python' ended with 1\n"
                        "              | Traceback (most recent call last):\n"
                        "              |   File \"models.py\", line 3\n"
                        "              | ModuleNotFoundError: No module named 'acme'\n");
}

static void color_marks_the_words_that_differ(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(SAMPLE_OUTPUT_BYTES);
    say("different", "color", &out);
    assert_text_has(buf_text(&out), "numeric(\033[31m10\033[0m,2) not null ");
    assert_text_has(buf_text(&out), "numeric(\033[32m12\033[0m,2) not null\n");
    assert_text_has(buf_text(&out), "\033[1;31msemantic\033[0m:");
}

static void a_report_of_nothing_is_not_blank(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(SAMPLE_OUTPUT_BYTES);
    say("nothing", "text", &out);
    assert_string_equal(buf_text(&out),
                        "guard         not proven equal: path A did not run; path B did not run\n"
                        "path A        did not run\n"
                        "path B        did not run\n");
    say("nothing", "html", &out);
    assert_text_has(buf_text(&out), "path A did not run; path B did not run");
}

static void the_verdict_names_stamps_that_differ_or_are_not_there(void **state)
{
    (void)state;
    AUTO_SAMPLE report = sample_report("equal");
    AUTO_BUF out = BUF_INIT(SAMPLE_OUTPUT_BYTES);
    report.equal = false;
    report.b.stamp[0][0] = '9';
    guard_add_verdict(&report, &out);
    assert_string_equal(buf_text(&out), "not equal: the stamps differ");
    buf_clear(&out);
    free(report.a.stamp[0]);
    free(report.b.stamp[0]);
    report.a.stamp[0] = report.b.stamp[0] = NULL;
    guard_add_verdict(&report, &out);
    assert_string_equal(buf_text(&out), "not equal: there is no stamp");
}

static size_t count_of(const struct buf *text, const char *part)
{
    size_t count = 0;
    for (const char *at = buf_text(text); (at = strstr(at, part)) != NULL; at++)
        count++;
    return count;
}

static void what_fails_a_strict_gate_is_an_error_in_every_format(void **state)
{
    (void)state;
    AUTO_SAMPLE report = sample_report("different");
    AUTO_BUF usual = BUF_INIT(SAMPLE_OUTPUT_BYTES), strict = BUF_INIT(SAMPLE_OUTPUT_BYTES);
    guard_write_sarif(&report, NULL, &usual);
    assert_true(count_of(&usual, "\"level\":\"warning\"") > 1); /* beside the rule's own */
    guard_write_github(&report, NULL, &usual);
    assert_true(count_of(&usual, "::warning") > 0);
    report.strict = true;
    guard_write_github(&report, NULL, &strict);
    assert_int_equal(count_of(&strict, "::warning"), 0);
    assert_text_has(buf_text(&strict), "not equal (strict)");
    guard_write_sarif(&report, NULL, &strict);
    assert_int_equal(count_of(&strict, "\"level\":\"warning\""), 1);
    assert_int_equal(count_of(&strict, "\"level\":\"note\""), 1);
    AUTO_BUF out = BUF_INIT(SAMPLE_OUTPUT_BYTES);
    struct json json = JSON_INIT(&out);
    json_begin_object(&json, NULL);
    guard_write_json(&report, &json);
    json_end_object(&json);
    assert_text_has(buf_text(&out), "\"strict\":true");
}

static void stamps_are_compared_without_their_order(void **state)
{
    (void)state;
    struct guard_report report = GUARD_REPORT_INIT;
    char *ab[] = {(char[]){"a"}, (char[]){"b"}, NULL}, *ba[] = {ab[1], ab[0], NULL};
    char *aa[] = {ab[0], ab[0], NULL};
    report.a.stamp = ab;
    report.b.stamp = ba;
    assert_true(guard_stamps_equal(&report));
    report.b.stamp = aa;
    assert_false(guard_stamps_equal(&report));
    report.b.stamp = NULL;
    assert_false(guard_stamps_equal(&report));
}

/* ---- JSON ------------------------------------------------------------------------------------------ */

static void json_has_the_fields_of_the_specification(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(SAMPLE_OUTPUT_BYTES);
    say("different", "json", &out);
    const char *text = buf_text(&out);
    assert_text_has(text,
                    "{\"equal\":false,\"strict\":false,\"paths\":{\"a\":{\"ok\":true,\"ran\":true,"
                    "\"duration_ms\":2300,\"error\":null,\"output\":null},\"b\":{");
    assert_text_has(text, "\"differences\":[{\"kind\":\"column\",\"class\":\"semantic\",\"object\":"
                          "\"public.orders.total\",\"a\":\"numeric(10,2) not null\",\"b\":"
                          "\"numeric(12,2) not null\",\"revision\":\"8d3f0c51\","
                          "\"ignored\":false},");
    assert_text_has(text, "\"b\":null,\"revision\":null,\"ignored\":true}");
    assert_text_has(text, "\"stamp\":{\"a\":[\"8d3f0c51\"],\"b\":[\"8d3f0c51\"]},"
                          "\"idempotent\":{\"a\":false,\"b\":true}");
    say("failed", "json", &out);
    assert_text_has(buf_text(&out), "\"idempotent\":{\"a\":true,\"b\":null}");
    assert_text_has(buf_text(&out), "\"output\":\"Traceback");
}

static void differences_alone_are_written_as_in_the_report(void **state)
{
    (void)state;
    AUTO_SAMPLE report = sample_report("different");
    AUTO_BUF text = BUF_INIT(SAMPLE_OUTPUT_BYTES), whole = BUF_INIT(SAMPLE_OUTPUT_BYTES);
    differences_write_text(&report.differences, false, &text);
    guard_write_text(&report, false, &whole);
    assert_int_equal(strncmp(buf_text(&text), "\nsemantic: ", 11), 0);
    const char *closing = strstr(buf_text(&text), "\ncompared");
    assert_non_null(closing);
    assert_non_null(strstr(buf_text(&whole), closing));
    buf_clear(&text);
    buf_clear(&whole);
    struct json json = JSON_INIT(&text);
    json_begin_object(&json, NULL);
    differences_write_json(&report.differences, &json);
    json_end_object(&json);
    assert_true(sample_write(&report, "json", NULL, &whole));
    assert_text_has(buf_text(&text), "{\"differences\":[{\"kind\":\"column\"");
    *strrchr(text.data, '}') = '\0';
    assert_text_has(buf_text(&whole), buf_text(&text) + 1);
}

/* ---- SARIF and GitHub ------------------------------------------------------------------------------ */

static void sarif_has_a_result_for_each_finding(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(SAMPLE_OUTPUT_BYTES);
    say("different", "sarif", &out);
    const char *text = buf_text(&out);
    assert_int_equal(times(text, "\"ruleId\":"), ARRAY_LEN(sample_list) + 2);
    assert_int_equal(times(text, "\"ruleId\":\"semantic-difference\",\"ruleIndex\":0,"
                                 "\"level\":\"error\""),
                     7);
    assert_int_equal(times(text, "\"suppressions\":[{\"kind\":\"external\""), 1);
    assert_text_has(text, "\"fullyQualifiedName\":\"public.orders.total\",\"kind\":\"column\"");
    assert_text_has(text, "\"executionSuccessful\":true");
    say("equal", "sarif", &out);
    assert_text_has(buf_text(&out), "\"results\":[]");
}

static void annotations_begin_with_the_verdict_and_leave_ignored_ones_out(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(SAMPLE_OUTPUT_BYTES);
    say("different", "github", &out);
    const char *text = buf_text(&out);
    assert_int_equal(strncmp(text, "::error title=agent guard::not equal: ", 38), 0);
    assert_text_has(text, "::error title=agent guard%3A semantic difference::column "
                          "public.orders.total differs; revision 8d3f0c51 touched it last%0AA: "
                          "numeric(10,2) not null%0AB: numeric(12,2) not null\n");
    assert_text_has(text, "::warning title=agent guard%3A cosmetic difference::comment table");
    assert_text_lacks(text, "legacy_seq");
    say("equal", "github", &out);
    assert_string_equal(buf_text(&out),
                        "::notice title=agent guard::equal: both paths give one schema\n");
}

static void foreign_text_cannot_begin_another_command(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(SAMPLE_OUTPUT_BYTES);
    say("hostile", "github", &out);
    for (const char *line = buf_text(&out); *line; line = strchr(line, '\n') + 1) {
        assert_true(strncmp(line, "::error title=agent guard", 25) == 0);
        size_t length = strcspn(line, "\n");
        assert_null(memchr(line, '\r', length));
        assert_null(memchr(line, '\033', length));
    }
    assert_text_has(buf_text(&out), "%0A::error::injected%0A%250A");
}

/* ---- the page -------------------------------------------------------------------------------------- */

static void page_marks_the_words_that_differ(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(SAMPLE_OUTPUT_BYTES);
    say("different", "html", &out);
    const char *text = buf_text(&out);
    assert_text_has(text,
                    "<td class=\"side\" data-side=\"Path A\">numeric(<mark class=\"a\">10</mark>"
                    ",2) not null</td><td class=\"side\" data-side=\"Path B\">numeric(<mark "
                    "class=\"b\">12</mark>,2) not null</td>");
    assert_text_has(text, "data-side=\"Path B\">not there</td>");
    assert_int_equal(times(text, "<tr data-class="), ARRAY_LEN(sample_list));
}

static void page_holds_foreign_text_as_text(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(SAMPLE_OUTPUT_BYTES);
    say("hostile", "html", &out);
    const char *text = buf_text(&out);
    assert_int_equal(times(text, "<script>"), 1);
    assert_int_equal(times(text, "</script>"), 1);
    assert_text_lacks(text, "<img");
    assert_text_lacks(text, "<!--");
    assert_null(strpbrk(text, "\033\001\r"));
    assert_text_has(text, "&lt;img src=x");
    assert_text_has(text, "\\x1b[2J\\xff\\xe2\\x80\\xae");
}

static void hostile_text_stays_on_its_line(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(SAMPLE_OUTPUT_BYTES);
    say("hostile", "text", &out);
    assert_null(strpbrk(buf_text(&out), "\033\001\r"));
    assert_text_lacks(buf_text(&out), "\n::error");
}

static void a_full_buffer_is_an_error_and_no_shorter_report(void **state)
{
    (void)state;
    static const char *const formats[] = {"text", "json", "sarif", "github", "html"};
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        AUTO_SAMPLE report = sample_report("different");
        AUTO_BUF whole = BUF_INIT(SAMPLE_OUTPUT_BYTES);
        assert_true(sample_write(&report, formats[i], NULL, &whole));
        AUTO_BUF out = BUF_INIT(whole.len - 1);
        struct err err = ERR_INIT;
        assert_true(sample_write(&report, formats[i], NULL, &out));
        assert_int_equal(buf_check(&out, ERR_DEFECT, "the report", &err), -1);
    }
}

/* The k-th allocation fails, for every k: the report is whole, or an error; never a shorter one. */
static void no_memory_is_an_error_and_no_shorter_report(void **state)
{
    (void)state;
    NEEDS_HEAP();
    static const char *const formats[] = {"color", "json", "sarif", "github", "html"};
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        AUTO_SAMPLE report = sample_report("different");
        AUTO_BUF whole = BUF_INIT(SAMPLE_OUTPUT_BYTES);
        assert_true(sample_write(&report, formats[i], NULL, &whole));
        bool ended = false;
        for (long k = 0; !ended; k++) {
            AUTO_BUF out = BUF_INIT(SAMPLE_OUTPUT_BYTES);
            struct err err = ERR_INIT;
            heap_fail_after(k);
            (void)sample_write(&report, formats[i], NULL, &out);
            ended = heap_successes >= 0; /* it never came to the failure */
            heap_fail_after(-1);
            if (buf_check(&out, ERR_DEFECT, "the report", &err) == 0)
                assert_string_equal(buf_text(&out), buf_text(&whole));
            else
                assert_int_equal(err.kind, ERR_RESOURCE);
        }
        assert_true(whole.len > 0);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_that_differ_are_marked_and_no_more),
        cmocka_unit_test(words_of_one_side_alone_have_no_marks),
        cmocka_unit_test(characters_of_several_bytes_are_not_cut),
        cmocka_unit_test(texts_that_differ_everywhere_are_marked_whole),
        cmocka_unit_test(what_is_not_marked_is_the_same_on_both_sides),
        cmocka_unit_test(text_of_an_equal_pair_is_short_and_says_what_it_covers),
        cmocka_unit_test(text_groups_by_class_and_kind_with_both_sides),
        cmocka_unit_test(text_shows_what_a_failed_path_printed),
        cmocka_unit_test(color_marks_the_words_that_differ),
        cmocka_unit_test(a_report_of_nothing_is_not_blank),
        cmocka_unit_test(the_verdict_names_stamps_that_differ_or_are_not_there),
        cmocka_unit_test(stamps_are_compared_without_their_order),
        cmocka_unit_test(json_has_the_fields_of_the_specification),
        cmocka_unit_test(differences_alone_are_written_as_in_the_report),
        cmocka_unit_test(sarif_has_a_result_for_each_finding),
        cmocka_unit_test(annotations_begin_with_the_verdict_and_leave_ignored_ones_out),
        cmocka_unit_test(foreign_text_cannot_begin_another_command),
        cmocka_unit_test(page_marks_the_words_that_differ),
        cmocka_unit_test(page_holds_foreign_text_as_text),
        cmocka_unit_test(what_fails_a_strict_gate_is_an_error_in_every_format),
        cmocka_unit_test(hostile_text_stays_on_its_line),
        cmocka_unit_test(a_full_buffer_is_an_error_and_no_shorter_report),
        cmocka_unit_test(no_memory_is_an_error_and_no_shorter_report),
    };
    if (argc > 2)
        return sample_main(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
