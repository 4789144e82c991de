/* tests/unit/base_err.c */
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"

static void an_error_holds_kind_and_text(void **state)
{
    (void)state;
    struct err err = ERR_INIT;

    assert_int_equal(err_set(&err, ERR_FILE, "read '%s': %d bytes", "a.json", 7), -1);
    assert_int_equal(err.kind, ERR_FILE);
    assert_string_equal(err.text, "read 'a.json': 7 bytes");
    assert_string_equal(err.hint, "");
}

static void setting_an_error_clears_what_the_last_one_said(void **state)
{
    (void)state;
    struct err err = ERR_INIT;

    (void)err_set(&err, ERR_DB_SQL, "first");
    (void)err_sqlstate(&err, "42P01");
    (void)err_hint(&err, "Look.");
    (void)err_at(&err, "file.sql", 3, 4);
    err.http_status = 403;
    err.step = "tls";
    (void)err_set(&err, ERR_USAGE, "second");
    assert_string_equal(err.text, "second");
    assert_string_equal(err.sqlstate, "");
    assert_string_equal(err.hint, "");
    assert_string_equal(err.file, "");
    assert_int_equal(err.line, 0);
    assert_int_equal(err.http_status, 0);
    assert_null(err.step);
}

static void a_text_is_never_blank(void **state)
{
    (void)state;
    static const char *const blanks[] = {"", " ", "\n", " \t\r\n "};

    for (size_t i = 0; i < ARRAY_LEN(blanks); i++) {
        struct err err = ERR_INIT;
        (void)err_set(&err, ERR_DB_DOWN, "%s", blanks[i]);
        assert_string_equal(err.text, "the origin gave no text");
        (void)err_wrap(&err, "connect");
        assert_string_equal(err.text, "connect: the origin gave no text");
        (void)err_wrap(&err, "%s", blanks[i]);
        assert_string_equal(err.text, "connect: the origin gave no text");

        err = ERR_INIT;
        (void)err_wrap(&err, "%s", blanks[i]);
        assert_string_equal(err.text, "the origin gave no text");
    }
}

static void an_error_without_a_kind_is_a_defect_and_not_a_success(void **state)
{
    (void)state;
    struct err err = ERR_INIT;

    (void)err_set(&err, ERR_NONE, "x");
    assert_int_equal(err.kind, ERR_DEFECT);
    (void)err_set(&err, ERR_KIND_COUNT, "x");
    assert_int_equal(err.kind, ERR_DEFECT);
    err_clear(&err);
    (void)err_wrap(&err, "x");
    assert_int_equal(err_exit_code(err.kind), 9);
}

static void errno_is_named_behind_the_text(void **state)
{
    (void)state;
    struct err err = ERR_INIT;

    errno = ENOENT;
    assert_int_equal(err_errno(&err, ERR_FILE, "open '%s'", "x"), -1);
    assert_string_equal(err.text, "open 'x': No such file or directory");
    assert_int_equal(err.sys_errno, ENOENT);
    assert_int_equal(err.kind, ERR_FILE);
}

static void an_errno_of_zero_does_not_read_success(void **state)
{
    (void)state;
    struct err err = ERR_INIT;

    errno = 0;
    (void)err_errno(&err, ERR_FILE, "open 'x'");
    assert_text_lacks(err.text, "Success");
    assert_text_has(err.text, "open 'x': ");
}

static void running_out_of_memory_has_a_text_and_a_hint(void **state)
{
    (void)state;
    struct err err = ERR_INIT;

    assert_int_equal(err_nomem(&err), -1);
    assert_int_equal(err.kind, ERR_RESOURCE);
    assert_string_equal(err.text, "out of memory");
    assert_true(strlen(err.hint) > 0);
}

static void wrapping_puts_text_before_and_keeps_everything_else(void **state)
{
    (void)state;
    struct err err = ERR_INIT;

    (void)err_set(&err, ERR_SOURCE_DENIED, "vault answered 403: permission denied");
    (void)err_hint(&err, "Ask for a policy.");
    (void)err_at(&err, "contract.json", 12, 5);
    (void)err_sqlstate(&err, "28P01");
    assert_int_equal(err_wrap(&err, "write '%s'", "secret/acme"), -1);
    (void)err_wrap(&err, "rotate 'DATABASE_URL'");
    assert_string_equal(err.text, "rotate 'DATABASE_URL': write 'secret/acme': vault answered 403: "
                                  "permission denied");
    assert_int_equal(err.kind, ERR_SOURCE_DENIED);
    assert_string_equal(err.hint, "Ask for a policy.");
    assert_string_equal(err.file, "contract.json");
    assert_int_equal(err.line, 12);
    assert_int_equal(err.column, 5);
    assert_string_equal(err.sqlstate, "28P01");
}

static void an_error_may_be_set_from_its_own_text(void **state)
{
    (void)state;
    struct err err = ERR_INIT;

    (void)err_set(&err, ERR_FILE, "cause");
    (void)err_set(&err, ERR_CONTRACT, "seen again: %s", err.text);
    assert_string_equal(err.text, "seen again: cause");
    (void)err_wrap(&err, "%s", err.text);
    assert_string_equal(err.text, "seen again: cause: seen again: cause");
    (void)err_hint(&err, "%s", err.text);
    (void)err_hint(&err, "%s", err.hint);
    assert_string_equal(err.hint, "seen again: cause: seen again: cause seen again: cause: "
                                  "seen again: cause");
}

static void lines_of_a_foreign_text_become_one(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *shown;
    } cases[] = {
        {"ERROR:  no table\nDETAIL:  none\n", "ERROR:  no table; DETAIL:  none"},
        {"2 errors occurred:\n\t* permission denied\n\t* invalid\n\n",
         "2 errors occurred: * permission denied; * invalid"},
        {"  leading\r\nand trailing \t ", "leading; and trailing"},
        {"one\n\n\ntwo", "one; two"},
        {"done;\nnext,\nlast", "done; next, last"},
        {"\nfirst", "first"},
        {"a\tb", "a\\x09b"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = ERR_INIT;
        (void)err_set(&err, ERR_DB_SQL, "%s", cases[i].raw);
        assert_string_equal(err.text, cases[i].shown);
    }
}

static void control_bytes_and_bidirectional_controls_are_shown_as_hex(void **state)
{
    (void)state;
    struct err err = ERR_INIT;

    (void)err_set(&err, ERR_SOURCE_DATA,
                  "a\x1B[31mb \xE2\x80\xAE"
                  "c \xFF \xC2\x9B"
                  "d \xC3\xBC");
    assert_string_equal(err.text, "a\\x1b[31mb \\xe2\\x80\\xaec \\xff \\xc2\\x9b"
                                  "d \xC3\xBC");
    (void)err_hint(&err, "\x1B]0;title\x07");
    assert_string_equal(err.hint, "\\x1b]0;title\\x07");
    (void)err_at(&err, "a\nb", 1, 1);
    assert_string_equal(err.file, "a\\x0ab");
}

static void every_byte_comes_out_as_printable_text(void **state)
{
    (void)state;

    for (unsigned byte = 1; byte < 256; byte++) {
        struct err err = ERR_INIT;
        (void)err_set(&err, ERR_DEFECT, "<%c>", (int)byte);
        (void)err_at(&err, (const char[]){(char)byte, '\0'}, 0, 0);
        for (const char *at = err.text; *at; at++)
            assert_true(*at >= ' ' && *at <= '~');
        for (const char *at = err.file; *at; at++)
            assert_true(*at >= ' ' && *at <= '~');
    }
}

/* The whole of TEXT is UTF-8. */
static void assert_utf8(const char *text)
{
    size_t length = strlen(text);
    for (size_t at = 0; at < length;) {
        size_t sequence = str_utf8(text + at, length - at);
        assert_true(sequence > 0);
        at += sequence;
    }
}

static void a_long_text_is_cut_at_a_character_with_dots(void **state)
{
    (void)state;
    char raw[3 * ERR_TEXT_BYTES];

    /* Every offset of a four-byte character to the end of the text and of the raw array. */
    for (size_t length = ERR_TEXT_BYTES - 8; length < sizeof raw - 8; length++) {
        memset(raw, 'x', sizeof raw);
        for (size_t at = length % 4; at + 4 < length; at += 4)
            memcpy(raw + at, "\xF0\x9F\x94\x91", 4);
        raw[length] = '\0';
        struct err err = ERR_INIT;
        (void)err_set(&err, ERR_DB_SQL, "%s", raw);
        assert_utf8(err.text);
        assert_text_lacks(err.text, "\\x");
        if (length < ERR_TEXT_BYTES) {
            assert_string_equal(err.text, raw);
        } else {
            assert_true(strlen(err.text) < ERR_TEXT_BYTES);
            assert_string_equal(err.text + strlen(err.text) - 3, "...");
        }
    }
}

static void a_cause_stays_behind_wraps_that_are_too_long(void **state)
{
    (void)state;
    char prefix[2 * ERR_TEXT_BYTES];
    struct err err = ERR_INIT;

    memset(prefix, 'p', sizeof prefix);
    prefix[sizeof prefix - 1] = '\0';
    (void)err_set(&err, ERR_FILE, "the cause");
    (void)err_wrap(&err, "%s", prefix);
    assert_text_has(err.text, "ppp...: the cause");
    errno = EACCES;
    (void)err_errno(&err, ERR_FILE, "%s", prefix);
    assert_text_has(err.text, "ppp...: Permission denied");
}

static void many_wraps_and_hints_end_in_dots_and_not_beyond_the_array(void **state)
{
    (void)state;
    struct err err = ERR_INIT;

    (void)err_set(&err, ERR_FILE, "cause");
    for (int i = 0; i < 1000; i++) {
        (void)err_wrap(&err, "step %d \xC3\xA4", i);
        (void)err_hint(&err, "Do this (%d \xC3\xA4).", i);
        assert_utf8(err.text);
        assert_utf8(err.hint);
    }
    assert_string_equal(err.text + strlen(err.text) - 3, "...");
    assert_string_equal(err.hint + strlen(err.hint) - 3, "...");
    assert_text_has(err.text, "step 999 \xC3\xA4: step 998");
}

static void hints_are_joined_with_a_blank(void **state)
{
    (void)state;
    struct err err = ERR_INIT;

    (void)err_set(&err, ERR_USAGE, "x");
    (void)err_hint(&err, "%s", "");
    assert_string_equal(err.hint, "");
    (void)err_hint(&err, "First.");
    (void)err_hint(&err, " ");
    (void)err_hint(&err, "Second.");
    assert_string_equal(err.hint, "First. Second.");
}

static void a_long_file_name_is_cut(void **state)
{
    (void)state;
    char name[2 * ERR_FILE_BYTES];
    struct err err = ERR_INIT;

    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    (void)err_at(&err, name, 1, 0);
    assert_int_equal(strlen(err.file), ERR_FILE_BYTES - 1);
    assert_text_has(err.file, "nnn...");
}

static void a_sqlstate_is_five_letters_or_digits_at_most(void **state)
{
    (void)state;
    struct err err = ERR_INIT;

    (void)err_sqlstate(&err, "28P01-and-more");
    assert_string_equal(err.sqlstate, "28P01");
    (void)err_sqlstate(&err, "4\n2");
    assert_string_equal(err.sqlstate, "4");
    (void)err_sqlstate(&err, NULL);
    assert_string_equal(err.sqlstate, "");
}

static void every_kind_has_a_word_a_code_and_a_meaning(void **state)
{
    (void)state;

    for (enum err_kind kind = ERR_NONE; kind < ERR_KIND_COUNT; kind++) {
        assert_true(strlen(err_word(kind)) > 0);
        assert_true(strlen(err_meaning(kind)) > 0);
        assert_int_equal(err_exit_code(kind) == 0, kind == ERR_NONE);
        for (enum err_kind other = ERR_NONE; other < kind; other++)
            assert_string_not_equal(err_word(kind), err_word(other));
    }
    assert_string_equal(err_word(ERR_SOURCE_DOWN), "source-down");
    assert_int_equal(err_exit_code(ERR_SOURCE_DOWN), 3);
    assert_true(err_try_again(ERR_SOURCE_DOWN));
    assert_false(err_try_again(ERR_SOURCE_DENIED));
    assert_string_equal(err_word((enum err_kind)12345), "defect");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_holds_kind_and_text),
        cmocka_unit_test(setting_an_error_clears_what_the_last_one_said),
        cmocka_unit_test(a_text_is_never_blank),
        cmocka_unit_test(an_error_without_a_kind_is_a_defect_and_not_a_success),
        cmocka_unit_test(errno_is_named_behind_the_text),
        cmocka_unit_test(an_errno_of_zero_does_not_read_success),
        cmocka_unit_test(running_out_of_memory_has_a_text_and_a_hint),
        cmocka_unit_test(wrapping_puts_text_before_and_keeps_everything_else),
        cmocka_unit_test(an_error_may_be_set_from_its_own_text),
        cmocka_unit_test(lines_of_a_foreign_text_become_one),
        cmocka_unit_test(control_bytes_and_bidirectional_controls_are_shown_as_hex),
        cmocka_unit_test(every_byte_comes_out_as_printable_text),
        cmocka_unit_test(a_long_text_is_cut_at_a_character_with_dots),
        cmocka_unit_test(a_cause_stays_behind_wraps_that_are_too_long),
        cmocka_unit_test(many_wraps_and_hints_end_in_dots_and_not_beyond_the_array),
        cmocka_unit_test(hints_are_joined_with_a_blank),
        cmocka_unit_test(a_long_file_name_is_cut),
        cmocka_unit_test(a_sqlstate_is_five_letters_or_digits_at_most),
        cmocka_unit_test(every_kind_has_a_word_a_code_and_a_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
