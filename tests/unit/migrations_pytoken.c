#include "tests/lib/unit.h"

#include <string.h>

#include "base/buf.h"
#include "migrations/internal.h"

/* The tokens of TEXT, each in <>; newlines as <NL>. */
static void tokens_are(const char *text, const char *expected)
{
    AUTO_BUF out = BUF_INIT(4096);
    struct py_scanner s;
    struct py_token t;
    py_scanner_init(&s, text, strlen(text));
    for (py_next(&s, &t); t.kind != PY_END; py_next(&s, &t)) {
        if (t.kind == PY_NEWLINE)
            buf_adds(&out, "<NL>");
        else
            buf_addf(&out, "<%.*s>", (int)t.length, t.text);
    }
    assert_string_equal(buf_text(&out), expected);
    assert_null(s.trouble);
}

static void trouble_is(const char *text, const char *trouble, unsigned line)
{
    struct py_scanner s;
    struct py_token t;
    py_scanner_init(&s, text, strlen(text));
    do {
        py_next(&s, &t);
    } while (t.kind != PY_END);
    assert_non_null(s.trouble);
    assert_text_has(s.trouble, trouble);
    assert_int_equal(s.trouble_line, line);
}

static void names_numbers_and_operators_are_apart(void **state)
{
    (void)state;
    tokens_are("a=b1 +=_c:=1.5e3**d", "<a><=><b1><+=><_c><:=><1.5e3><**><d>");
    tokens_are("x->y!=z...<<=", "<x><->><y><!=><z><...><<<=>");
}

static void newlines_inside_of_brackets_are_no_tokens(void **state)
{
    (void)state;
    tokens_are("a = (\n 'x', # c\n)\nb", "<a><=><(><'x'><,><)><NL><b>");
    tokens_are("a \\\n = 1\r\nb\rc", "<a><=><1><NL><b><NL><c>");
}

static void strings_take_their_prefix_and_quotes(void **state)
{
    (void)state;
    tokens_are("rb'x' U\"\"\"a\"b\n\"\"\" '\\'' ''", "<rb'x'><U\"\"\"a\"b\n\"\"\"><'\\''><''>");
    tokens_are("r'\\' + x'", "<r'\\' + x'>"); /* a raw string can't end in a backslash either */
}

static void fields_of_f_strings_may_hold_quotes_and_brackets(void **state)
{
    (void)state;
    tokens_are("f'{d['(']}' x", "<f'{d['(']}'><x>");
    tokens_are("f'{{(' x", "<f'{{('><x>");
    tokens_are("f'{a:\">{w}}' x", "<f'{a:\">{w}}'><x>");
    tokens_are("f'\\N{DASH}(' x", "<f'\\N{DASH}('><x>");
    tokens_are("f'''{\na}'''x", "<f'''{\na}'''><x>");
    tokens_are("if'x'else'y'", "<if><'x'><else><'y'>");
}

static void what_is_not_closed_is_told_with_its_line(void **state)
{
    (void)state;
    trouble_is("a\n'x\n", "a string is not closed", 2);
    trouble_is("a\n\n'''x\n\n", "a string is not closed", 3);
    trouble_is("f'{a", "f-string", 1);
    trouble_is("(\n[\n", "a bracket is not closed", 3);
    trouble_is("(]", "no opening one", 1);
    trouble_is(")", "no opening one", 1);
}

static void brackets_have_a_limit(void **state)
{
    (void)state;
    char text[PY_MAX_BRACKETS + 2];
    memset(text, '(', sizeof text);
    text[sizeof text - 1] = '\0';
    trouble_is(text, "too deeply", 1);
}

static void a_line_that_is_skipped_ends_where_its_tokens_end(void **state)
{
    (void)state;
    const char *text = "x = ('#', \"\"\"\n)\"\"\", # (\n  f'{d['\"']}', \\\n 1)\nnext";
    struct py_scanner s;
    unsigned column = 7;
    py_scanner_init(&s, text, strlen(text));
    assert_true(py_line_begin(&s, &column));
    assert_int_equal(column, 0);
    py_line_skip(&s);
    assert_string_equal(s.at, "next");
    assert_int_equal(s.line, 5);
}

static void indentation_counts_tabs_to_eight_and_form_feeds_as_none(void **state)
{
    (void)state;
    struct py_scanner s;
    unsigned column = 0;
    const char *text = "\n   # c\n \tx";
    py_scanner_init(&s, text, strlen(text));
    assert_true(py_line_begin(&s, &column));
    assert_int_equal(column, 8);
    assert_int_equal(s.line, 3);
    text = "   \f x";
    py_scanner_init(&s, text, strlen(text));
    assert_true(py_line_begin(&s, &column));
    assert_int_equal(column, 1);
    text = "  \n # end";
    py_scanner_init(&s, text, strlen(text));
    assert_false(py_line_begin(&s, &column));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_numbers_and_operators_are_apart),
        cmocka_unit_test(newlines_inside_of_brackets_are_no_tokens),
        cmocka_unit_test(strings_take_their_prefix_and_quotes),
        cmocka_unit_test(fields_of_f_strings_may_hold_quotes_and_brackets),
        cmocka_unit_test(what_is_not_closed_is_told_with_its_line),
        cmocka_unit_test(brackets_have_a_limit),
        cmocka_unit_test(a_line_that_is_skipped_ends_where_its_tokens_end),
        cmocka_unit_test(indentation_counts_tabs_to_eight_and_form_feeds_as_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
