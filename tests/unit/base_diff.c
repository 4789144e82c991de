#include "tests/lib/unit.h"

#include <string.h>

#include "base/diff.h"

static void diff_is(const char *old, const char *new, const char *wanted)
{
    AUTO_BUF out = BUF_INIT(1024 * 1024);
    struct err err = ERR_INIT;
    struct diff_text a = {
        .name = old ? "a" : NULL, .text = old ? old : "", .length = old ? strlen(old) : 0};
    struct diff_text b = {
        .name = new ? "b" : NULL, .text = new ? new : "", .length = new ? strlen(new) : 0};
    assert_int_equal(diff_unified(&a, &b, &out, &err), 0);
    assert_string_equal(buf_text(&out), wanted);
}

static void equal_texts_have_no_diff(void **state)
{
    (void)state;
    diff_is("", "", "");
    diff_is("a\nb\n", "a\nb\n", "");
    diff_is("a", "a", "");
}

static void a_changed_line_is_taken_away_and_added(void **state)
{
    (void)state;
    diff_is("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n",
            "--- a\n+++ b\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
}

static void lines_are_added_at_both_ends(void **state)
{
    (void)state;
    diff_is("1\n2\n", "0\n1\n2\n3\n", "--- a\n+++ b\n@@ -1,2 +1,4 @@\n+0\n 1\n 2\n+3\n");
    diff_is("0\n1\n2\n3\n", "1\n2\n", "--- a\n+++ b\n@@ -1,4 +1,2 @@\n-0\n 1\n 2\n-3\n");
}

static void a_file_that_is_not_there_is_dev_null(void **state)
{
    (void)state;
    diff_is(NULL, "1\n2\n", "--- /dev/null\n+++ b\n@@ -0,0 +1,2 @@\n+1\n+2\n");
    diff_is("1\n", NULL, "--- a\n+++ /dev/null\n@@ -1 +0,0 @@\n-1\n");
}

static void a_missing_last_line_feed_is_a_difference(void **state)
{
    (void)state;
    diff_is("1\n2", "1\n2\n",
            "--- a\n+++ b\n@@ -1,2 +1,2 @@\n 1\n-2\n\\ No newline at end of file\n+2\n");
}

static void changes_that_are_far_apart_are_two_hunks(void **state)
{
    (void)state;
    diff_is("a\n1\n2\n3\n4\n5\n6\n7\nb\n", "A\n1\n2\n3\n4\n5\n6\n7\nB\n",
            "--- a\n+++ b\n@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n"
            "@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+B\n");
    diff_is("a\n1\n2\n3\n4\n5\n6\nb\n", "A\n1\n2\n3\n4\n5\n6\nB\n",
            "--- a\n+++ b\n@@ -1,8 +1,8 @@\n-a\n+A\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+B\n");
}

static void as_many_lines_are_kept_as_can_be(void **state)
{
    (void)state;
    diff_is("a\nb\nc\na\nb\nb\na\n", "c\nb\na\nb\na\nc\n",
            "--- a\n+++ b\n@@ -1,7 +1,6 @@\n-a\n-b\n c\n+b\n a\n b\n-b\n a\n+c\n");
}

static void control_bytes_are_shown(void **state)
{
    (void)state;
    diff_is("a\x1b[0m\n", "b\n", "--- a\n+++ b\n@@ -1 +1 @@\n-a\\x1b[0m\n+b\n");
}

static void a_carriage_return_ends_a_line_as_it_does(void **state)
{
    (void)state;
    diff_is("a\r\nb\r\n", "a\r\nc\n", "--- a\n+++ b\n@@ -1,2 +1,2 @@\n a\r\n-b\r\n+c\n");
    diff_is("a\rb\n", "c\r",
            "--- a\n+++ b\n@@ -1 +1 @@\n-a\\x0db\n+c\\x0d\n\\ No newline at end of file\n");
}

static void texts_with_nothing_in_common_are_replaced(void **state)
{
    (void)state;
    AUTO_BUF old = BUF_INIT(1024 * 1024), new = BUF_INIT(1024 * 1024), out = BUF_INIT(1024 * 1024);
    struct err err = ERR_INIT;
    for (int i = 0; i < DIFF_MAX_EDITS; i++) {
        buf_addf(&old, "old %d\n", i);
        buf_addf(&new, "new %d\n", i);
    }
    struct diff_text a = {.name = "a", .text = buf_text(&old), .length = old.len};
    struct diff_text b = {.name = "b", .text = buf_text(&new), .length = new.len};
    assert_int_equal(diff_unified(&a, &b, &out, &err), 0);
    assert_text_has(buf_text(&out), "@@ -1,1000 +1,1000 @@\n-old 0\n-old 1\n");
    assert_text_has(buf_text(&out), "-old 999\n+new 0\n");
}

/* What the diff says, played on the old text, gives the new one. */
static void played_is(const char *old, const char *new, const char *diff)
{
    AUTO_BUF text = BUF_INIT(65536);
    const char *at = old;
    for (const char *line = diff; *line; line = strchr(line, '\n') + 1) {
        size_t length = strcspn(line, "\n");
        if (strncmp(line, "---", 3) == 0 || strncmp(line, "+++", 3) == 0)
            continue;
        if (*line == '@') {
            long start = strtol(line + strlen("@@ -"), NULL, 10);
            const char *place = old;
            for (long i = 1; i < start; i++)
                place = strchr(place, '\n') + 1;
            buf_add(&text, at, (size_t)(place - at));
            at = place;
            continue;
        }
        if (*line != '+') {
            assert_memory_equal(at, line + 1, length);
            at += length;
        }
        if (*line != '-')
            buf_add(&text, line + 1, length);
    }
    buf_adds(&text, at);
    assert_string_equal(buf_text(&text), new);
}

static void every_small_text_can_be_made_from_every_other(void **state)
{
    (void)state;
    enum { LINES = 5, TEXTS = 243 }; /* three letters in five lines */
    char texts[TEXTS][LINES * 2 + 1];
    struct err err = ERR_INIT;
    for (int i = 0; i < TEXTS; i++) {
        for (int k = 0, rest = i; k < LINES; k++, rest /= 3) {
            texts[i][k * 2] = (char)('a' + rest % 3);
            texts[i][k * 2 + 1] = '\n';
        }
        texts[i][LINES * 2] = '\0';
    }
    for (int i = 0; i < TEXTS; i++) {
        for (int k = 0; k < TEXTS; k++) {
            AUTO_BUF out = BUF_INIT(65536);
            struct diff_text a = {.name = "a", .text = texts[i], .length = LINES * 2};
            struct diff_text b = {.name = "b", .text = texts[k], .length = LINES * 2};
            assert_int_equal(diff_unified(&a, &b, &out, &err), 0);
            played_is(texts[i], texts[k], buf_text(&out));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_texts_have_no_diff),
        cmocka_unit_test(a_changed_line_is_taken_away_and_added),
        cmocka_unit_test(lines_are_added_at_both_ends),
        cmocka_unit_test(a_file_that_is_not_there_is_dev_null),
        cmocka_unit_test(a_missing_last_line_feed_is_a_difference),
        cmocka_unit_test(changes_that_are_far_apart_are_two_hunks),
        cmocka_unit_test(as_many_lines_are_kept_as_can_be),
        cmocka_unit_test(control_bytes_are_shown),
        cmocka_unit_test(a_carriage_return_ends_a_line_as_it_does),
        cmocka_unit_test(texts_with_nothing_in_common_are_replaced),
        cmocka_unit_test(every_small_text_can_be_made_from_every_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
