/* tests/unit/base_redact_forms.c: what encoders make of a value is among its shapes. */
#include "tests/lib/unit.h"

#include <string.h>

#include "base/buf.h"
#include "base/redact_forms.h"

enum { LIST_BYTES = 64 * 1024 };

/* A redact_form_sink: "[form]" for each. */
static int list_it(void *owner, const char *form, size_t length, struct err *err)
{
    (void)err;
    buf_addc(owner, '[');
    buf_add(owner, form, length);
    buf_addc(owner, ']');
    return 0;
}

static void list_forms(const char *value, size_t length, struct buf *out)
{
    struct err err = ERR_INIT;
    if (redact_each_form(value, length, list_it, out, &err) != 0)
        fail_msg("%s", err.text);
}

static void assert_is_form(const char *value, const char *form)
{
    AUTO_BUF all = BUF_INIT(LIST_BYTES);
    list_forms(value, strlen(value), &all);
    assert_text_has(buf_text(&all), form);
}

static void a_value_is_a_shape_of_itself(void **state)
{
    (void)state;
    assert_is_form("plain-value", "[plain-value]");
}

/* Expected: Python's urllib.parse.quote, quote_plus and quote(safe=""); encodeURIComponent of node. */
static void percent_encoders_are_known(void **state)
{
    (void)state;
    assert_is_form("a/b c:d", "[a/b%20c%3Ad]");
    assert_is_form("a/b c:d", "[a%2Fb+c%3Ad]");
    assert_is_form("a/b c:d", "[a%2Fb%20c%3Ad]");
    assert_is_form("a/b c:d", "[a%2fb%20c%3ad]");
    assert_is_form("it's (100%)!", "[it's%20(100%25)!]");
    assert_is_form("caf\xc3\xa9-au-lait", "[caf%C3%A9-au-lait]");
}

/* Expected: base64 of "canary-one", "xcanary-one", "xxcanary-one", and their letters that do not change
 * with what stands around it. */
static void base64_is_known_at_each_alignment(void **state)
{
    (void)state;
    assert_is_form("canary-one", "[Y2FuYXJ5LW9uZQ==]");
    assert_is_form("canary-one", "[Y2FuYXJ5LW9uZQ]");
    assert_is_form("canary-one", "[Y2FuYXJ5LW9uZ]");
    assert_is_form("canary-one", "[NhbmFyeS1vbm]");  /* eGNhbmFyeS1vbmU= */
    assert_is_form("canary-one", "[jYW5hcnktb25l]"); /* eHhjYW5hcnktb25l */
    assert_is_form("\xff\xfe\xfd\xfb\xff\xff", "[//79+///]");
    assert_is_form("\xff\xfe\xfd\xfb\xff\xff", "[__79-___]");
}

/* Expected: base64, base64 with unix2dos behind it, openssl base64, of 60 bytes and of those with a newline. */
static void base64_in_lines_is_known(void **state)
{
    (void)state;
    static const char value[] = "canary-that-is-long-enough-to-be-cut-into-lines-by-encoders-";
    assert_int_equal(strlen(value), 60);
    assert_is_form(value,
                   "[Y2FuYXJ5LXRoYXQtaXMtbG9uZy1lbm91Z2gtdG8tYmUtY3V0LWludG8tbGluZXMtYnktZW5jb2Rl\n"
                   "cnMt]");
    assert_is_form(value,
                   "[Y2FuYXJ5LXRoYXQtaXMtbG9uZy1lbm91Z2gtdG8tYmUtY3V0LWludG8tbGluZXMtYnktZW5jb2Rl"
                   "\r\ncnMt]");
    assert_is_form(value, "[Y2FuYXJ5LXRoYXQtaXMtbG9uZy1lbm91Z2gtdG8tYmUtY3V0LWludG8tbGluZXMt\n"
                          "YnktZW5jb2RlcnMt]");
    assert_is_form("canary-that-is-long-enough-to-be-cut-into-lines-by-encoder",
                   "[Y2FuYXJ5LXRoYXQtaXMtbG9uZy1lbm91Z2gtdG8tYmUtY3V0LWludG8tbGluZXMtYnktZW5jb2Rl\n"
                   "cg==]");
}

/* Expected: Python's json.dumps with and without ensure_ascii, PHP's json_encode, Go's json.Marshal. */
static void json_writers_are_known(void **state)
{
    (void)state;
    assert_is_form("a\"b\\c\nd", "[a\\\"b\\\\c\\nd]");
    assert_is_form("a/b/c/d", "[a\\/b\\/c\\/d]");
    assert_is_form("a<b>&c", "[a\\u003cb\\u003e\\u0026c]");
    assert_is_form("caf\xc3\xa9\x01", "[caf\\u00e9\\u0001]");
    assert_is_form("caf\xc3\xa9\x01", "[caf\xc3\xa9\\u0001]");
    assert_is_form("key \xf0\x9f\x94\x91", "[key \\ud83d\\udd11]");
}

static void what_is_not_utf_8_has_no_shape_in_json(void **state)
{
    (void)state;
    AUTO_BUF all = BUF_INIT(LIST_BYTES);
    list_forms("\xff\"\xfe\"\xfd\"", 6, &all);
    assert_text_lacks(buf_text(&all), "\\\"");
}

static int refuse(void *owner, const char *form, size_t length, struct err *err)
{
    (void)form, (void)length;
    int *left = owner;
    return (*left)-- > 0 ? 0 : err_set(err, ERR_RESOURCE, "no more");
}

static void what_the_sink_says_ends_it(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    int left = 3;
    assert_int_equal(redact_each_form("a/b \"c\"", 7, refuse, &left, &err), -1);
    assert_string_equal(err.text, "no more");
    assert_int_equal(left, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_a_shape_of_itself),
        cmocka_unit_test(percent_encoders_are_known),
        cmocka_unit_test(base64_is_known_at_each_alignment),
        cmocka_unit_test(base64_in_lines_is_known),
        cmocka_unit_test(json_writers_are_known),
        cmocka_unit_test(what_is_not_utf_8_has_no_shape_in_json),
        cmocka_unit_test(what_the_sink_says_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
