/* tests/unit/envcontract_envfile.c: env files, and what in them is read differently elsewhere. */
#include "tests/lib/unit.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "envcontract/internal.h"

struct reading {
    struct arena arena;
    struct findings findings;
    const char *const *list;
    size_t count;
};

static void reading_release(struct reading *r)
{
    findings_release(&r->findings);
    arena_release(&r->arena);
}

#define AUTO_READING CLEANUP(reading_release) struct reading

static void read_bytes(struct reading *r, const char *bytes, size_t length)
{
    char path[] = "/tmp/agent-test-XXXXXX";
    struct err err = ERR_INIT;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(file_write_all(fd, path, bytes, length, &err), 0);
    assert_int_equal(close(fd), 0);
    *r = (struct reading){0};
    int failed = envfile_read(path, &r->arena, &r->list, &r->findings, &err);
    assert_int_equal(unlink(path), 0);
    if (failed)
        fail_msg("%s", err.text);
    while (r->list[r->count])
        r->count++;
}

static void read_text(struct reading *r, const char *text)
{
    read_bytes(r, text, strlen(text));
}

static void one_line_means_one_value(void **state)
{
    (void)state;
    static const struct {
        const char *line, *entry;
    } cases[] = {
        {"A=1", "A=1"},
        {"A=", "A="},
        {"A=\n", "A="},
        {"A=1\r\n", "A=1"},
        {"\xef\xbb\xbf"
         "A=1",
         "A=1"},
        {"  export A=1", "A=1"},
        {"export=1", "export=1"},
        {"EXPORT_A=1", "EXPORT_A=1"},
        {"A=  x y  ", "A=x y"},
        {"A=x#y", "A=x#y"},
        {"A=#x", "A=#x"},
        {"A=a=b", "A=a=b"},
        {"A=\\n$B\\", "A=\\n$B\\"},
        {"A='x y'", "A=x y"},
        {"A='' # empty", "A="},
        {"A='it\\'s \\\\ \\n'", "A=it's \\ \\n"},
        {"A='two\nlines'", "A=two\nlines"},
        {"A='two\r\nlines\r\n'\r\n", "A=two\nlines\n"},
        {"A=\"x\\r\r\n\"", "A=x\r\n"},
        {"A=\"x\\n\\t\\\"\\\\ \\d\"", "A=x\n\t\"\\ \\d"},
        {"A=\"#\" # comment", "A=#"},
        {"A=x'y'", "A=x'y'"},
        {"A=\xff", "A=\xff"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_READING r;
        read_text(&r, cases[i].line);
        if (r.findings.count > 0 || r.count != 1 || !str_eq(r.list[0], cases[i].entry))
            fail_msg("'%s' gives '%s', %zu findings", cases[i].line, r.count ? r.list[0] : "",
                     r.findings.count);
    }
}

static void comments_and_blank_lines_are_nothing(void **state)
{
    (void)state;
    AUTO_READING r;
    read_text(&r, "# a comment\n\n   \n\t# another\nA=1\n#B=2\nC=3");
    assert_int_equal(r.count, 2);
    assert_string_equal(r.list[0], "A=1");
    assert_string_equal(r.list[1], "C=3");
    assert_int_equal(r.findings.count, 0);
}

static void what_is_wrong_has_its_line_and_shows_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
        unsigned line, column;
    } cases[] = {
        {"\nCANARY\n", "a name without '='", 2, 7},
        {"A = 1", "white space before the '='", 1, 2},
        {"CANARY-B=1", "a byte that no name has", 1, 7},
        {"1A=1", "no name begins here", 1, 1},
        {"=CANARY", "no name begins here", 1, 1},
        {"A=1\nB='CANARY\nC", "a quote that is not closed", 2, 3},
        {"A='x' CANARY", "text behind the closing quote", 1, 7},
        {"A='x\ny' CANARY", "text behind the closing quote", 2, 4},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_READING r;
        read_text(&r, cases[i].text);
        if (r.findings.count < 1)
            fail_msg("'%s' passes", cases[i].text);
        const struct finding *finding = &r.findings.list[0];
        assert_text_has(finding->message, cases[i].message);
        assert_text_lacks(finding->message, "CANARY");
        assert_int_equal(finding->severity, FINDING_ERROR);
        assert_int_equal(finding->line, cases[i].line);
        assert_int_equal(finding->column, cases[i].column);
        assert_non_null(finding->file);
    }
}

static void a_nul_is_refused(void **state)
{
    (void)state;
    AUTO_READING r;
    read_bytes(&r, "A=x\0y\nB=1", 9);
    assert_int_equal(r.findings.errors, 1);
    assert_int_equal(r.count, 1);
    assert_string_equal(r.list[0], "B=1");
}

static void reading_goes_on_behind_a_wrong_line(void **state)
{
    (void)state;
    AUTO_READING r;
    read_text(&r, "A=1\nB='open\nwrong line\nC=3\n");
    assert_int_equal(r.count, 2);
    assert_string_equal(r.list[1], "C=3");
    assert_int_equal(r.findings.errors, 2);
}

static void a_comment_behind_a_value_draws_a_warning(void **state)
{
    (void)state;
    AUTO_READING r;
    read_text(&r, "A=1 # one");
    assert_string_equal(r.list[0], "A=1");
    assert_int_equal(r.findings.count, 1);
    assert_int_equal(r.findings.errors, 0);
    assert_text_has(r.findings.list[0].message, "a comment to dotenv");
}

static void a_comment_in_place_of_a_value_draws_a_warning(void **state)
{
    (void)state;
    AUTO_READING r;
    read_text(&r, "A= # CANARY\nB=\t#CANARY\n");
    assert_int_equal(r.count, 2);
    assert_string_equal(r.list[0], "A=");
    assert_string_equal(r.list[1], "B=");
    assert_int_equal(r.findings.count, 2);
    assert_int_equal(r.findings.errors, 0);
    assert_int_equal(r.findings.list[1].line, 2);
    assert_int_equal(r.findings.list[1].column, 4);
    assert_text_has(r.findings.list[1].message, "a comment to dotenv");
}

static void a_carriage_return_within_a_line_draws_a_warning(void **state)
{
    (void)state;
    AUTO_READING r;
    read_text(&r, "A=1\rB=2\r\n# C\rD=4\n# E\r\n");
    assert_int_equal(r.count, 1);
    assert_string_equal(r.list[0], "A=1\rB=2");
    assert_int_equal(r.findings.count, 2);
    assert_int_equal(r.findings.list[1].line, 2);
    assert_int_equal(r.findings.errors, 0);
    assert_int_equal(r.findings.list[0].column, 4);
    assert_text_has(r.findings.list[0].message, "the line's end to dotenv");
}

static void the_last_of_two_lines_counts_and_is_said(void **state)
{
    (void)state;
    AUTO_READING r;
    read_text(&r, "A=1\nAB=2\nA=3\nB=4\nA=5\n");
    assert_int_equal(r.count, 3);
    assert_string_equal(r.list[0], "AB=2");
    assert_string_equal(r.list[1], "B=4");
    assert_string_equal(r.list[2], "A=5");
    assert_int_equal(r.findings.count, 2);
    assert_int_equal(r.findings.errors, 0);
    assert_string_equal(r.findings.list[0].variable, "A");
    assert_text_has(r.findings.list[0].message, "set again; line 1 does not count");
    assert_int_equal(r.findings.list[0].line, 3);
}

static void more_lines_than_any_process_is_given_are_refused(void **state)
{
    (void)state;
    AUTO_BUF text = BUF_INIT(CONTRACT_ENV_FILE_MAX_BYTES);
    AUTO_READING r;
    for (int i = 0; i < 200 * 1000; i++)
        buf_adds(&text, "A=\n");
    read_bytes(&r, buf_text(&text), text.len);
    assert_int_equal(r.count, 1);
    buf_adds(&text, "A=");
    char path[] = "/tmp/agent-test-XXXXXX";
    struct err err = ERR_INIT;
    int fd = mkstemp(path);
    assert_int_equal(file_write_all(fd, path, buf_text(&text), text.len, &err), 0);
    assert_int_equal(close(fd), 0);
    AUTO_READING more = {0};
    assert_int_equal(envfile_read(path, &more.arena, &more.list, &more.findings, &err), -1);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(err.kind, ERR_FILE);
    assert_text_has(err.text, "line 200001");
    assert_text_has(err.text, "more than 200000 lines");
}

static void a_file_that_is_not_there_is_an_error_with_its_name(void **state)
{
    (void)state;
    AUTO_READING r = {0};
    struct err err = ERR_INIT;
    assert_int_equal(envfile_read("/no/such/.env", &r.arena, &r.list, &r.findings, &err), -1);
    assert_int_equal(err.kind, ERR_FILE);
    assert_text_has(err.text, "/no/such/.env");
}

static void what_fetch_writes_as_dotenv_is_read_back(void **state)
{
    (void)state;
    static const char *const values[] = {
        "plain",  "",          "it's",    "two\nlines",  "tab\t\"q\" \\ $x",
        "cr\rcr", "C:\\dir\\", " blank ", "# no comment"};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        AUTO_BUF out = BUF_INIT(1024);
        struct err err = ERR_INIT;
        struct secret value = secret_borrow(values[i], strlen(values[i]));
        struct value_writer writer = {.format = FORMAT_DOTENV, .out = &out};
        assert_int_equal(values_begin(&writer, &err), 0);
        assert_int_equal(values_add(&writer, "A", &value, false, &err), 0);
        assert_int_equal(values_end(&writer, &err), 0);
        AUTO_READING r;
        read_text(&r, buf_text(&out));
        assert_int_equal(r.findings.count, 0);
        assert_int_equal(r.count, 1);
        assert_string_equal(r.list[0] + 2, values[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_line_means_one_value),
        cmocka_unit_test(comments_and_blank_lines_are_nothing),
        cmocka_unit_test(what_is_wrong_has_its_line_and_shows_nothing),
        cmocka_unit_test(a_nul_is_refused),
        cmocka_unit_test(reading_goes_on_behind_a_wrong_line),
        cmocka_unit_test(a_comment_behind_a_value_draws_a_warning),
        cmocka_unit_test(a_comment_in_place_of_a_value_draws_a_warning),
        cmocka_unit_test(a_carriage_return_within_a_line_draws_a_warning),
        cmocka_unit_test(the_last_of_two_lines_counts_and_is_said),
        cmocka_unit_test(more_lines_than_any_process_is_given_are_refused),
        cmocka_unit_test(a_file_that_is_not_there_is_an_error_with_its_name),
        cmocka_unit_test(what_fetch_writes_as_dotenv_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
