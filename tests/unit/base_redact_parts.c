/* tests/unit/base_redact_parts.c: what of a secret is a secret by itself. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/redact.h"
#include "base/redact_parts.h"

enum { LIST_BYTES = 64 * 1024, TEXT_BYTES = 8 * 1024 };

/* A redact_form_sink: "[part]" for each. */
static int list_it(void *owner, const char *part, size_t length, struct err *err)
{
    (void)err;
    buf_addc(owner, '[');
    buf_add(owner, part, length);
    buf_addc(owner, ']');
    return 0;
}

static void assert_parts(const char *value, const char *parts)
{
    AUTO_BUF all = BUF_INIT(LIST_BYTES);
    struct err err = ERR_INIT;

    if (redact_each_part(value, strlen(value), list_it, &all, &err) != 0)
        fail_msg("%s", err.text);
    if (strcmp(buf_text(&all), parts) != 0)
        fail_msg("%s\n  has %s\n  not %s", value, buf_text(&all), parts);
}

static void of_a_url_the_password_is_one(void **state)
{
    (void)state;
    assert_parts("postgresql://acme:p%40ss-word@db.acme.io/app", "[p%40ss-word][p@ss-word]");
    assert_parts("redis://:plain-word@cache.acme.io", "[plain-word]");
    assert_parts("postgresql://acme@db.acme.io/app?user=me&password=in-query&sslmode=require",
                 "[in-query]");
    assert_parts("https://acme.io/hook?token=t%2B1&key_id=3&x=y", "[t%2B1][t+1]");
    assert_parts("https://acme.io/path", "");
    assert_parts("no url at all: a@b", "");
}

static void of_json_what_is_named_like_one_is(void **state)
{
    (void)state;
    assert_parts("{\"username\": \"acme\", \"password\" : \"one\", \"host\": \"db\", \"port\": 1}",
                 "[one]");
    assert_parts(" {\"AccessKeyId\":\"AKIA\",\"SecretAccessKey\":\"s1\",\"SessionToken\":\"s2\"}\n",
                 "[s1][s2]");
    assert_parts("{\"type\":\"service_account\",\"private_key_id\":\"i\",\"private_key\":\"-----\\n"
                 "k\\n\",\"token_uri\":\"https://acme.io/token\",\"client_email\":\"a@b\"}",
                 "[-----\nk\n]");
    assert_parts("{\"auths\": {\"acme.io\": {\"auth\": \"dXNlcg==\", \"email\": \"a@b\"}}}",
                 "[dXNlcg==]");
    assert_parts("{\"pass\":\"1\",\"passenger\":\"2\",\"keys\":[\"3\",{\"a\":\"4\"}],\"b\":\"5\"}",
                 "[1][3][4]");
    assert_parts("[\"x\", {\"token\": \"y\"}, \"z\"]", "[y]");
    assert_parts("{\"url\": \"postgresql://a:p%2Fw@h/d\", \"n\": null}", "[p%2Fw][p/w]");
}

static void escapes_of_json_are_what_they_mean(void **state)
{
    (void)state;
    assert_parts(
        "{\"p\\u0061ssword\": \"q\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20AC\\ud83d\\ude00\"}",
        "[q\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80]");
}

/* A value that only begins like JSON is a secret all the same. */
static void what_is_broken_ends_somewhere(void **state)
{
    static const char *const list[] = {
        "{",
        "[",
        "{\"",
        "{\"a",
        "{\"password\":\"x",
        "{\"a\\",
        "{\"a\\u",
        "{\"a\\u12",
        "}}}}",
        "{]]]]",
        "{\"token\":\"\\ud83d\\u",
        "{\"token\":\"\\ud83d\"}",
        "[[[[",
        "{\"password\":",
        "{:,\"x\"}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        AUTO_BUF all = BUF_INIT(LIST_BYTES);
        struct err err = ERR_INIT;
        assert_int_equal(redact_each_part(list[i], strlen(list[i]), list_it, &all, &err), 0);
    }
    assert_parts("{\"password\":\"half", "[half]");
}

static void many_and_deep_ones_are_left_out(void **state)
{
    AUTO_BUF text = BUF_INIT(TEXT_BYTES), all = BUF_INIT(LIST_BYTES);
    struct err err = ERR_INIT;
    size_t count = 0;

    (void)state;
    buf_adds(&text, "{\"secrets\": [");
    for (int i = 0; i < 2 * REDACT_PARTS_MAX; i++)
        buf_addf(&text, "\"v%d\",", i);
    assert_int_equal(redact_each_part(buf_text(&text), text.len, list_it, &all, &err), 0);
    for (const char *at = buf_text(&all); (at = strchr(at, '[')) != NULL; at++)
        count++;
    assert_int_equal(count, REDACT_PARTS_MAX);
    buf_clear(&text);
    for (int i = 0; i < REDACT_PARTS_MAX_DEPTH; i++)
        buf_adds(&text, "{\"password\":");
    buf_adds(&text, "\"deep\"");
    assert_parts(buf_text(&text), "");
}

static void a_value_is_hidden_with_its_parts(void **state)
{
    static const char value[] = "{\"host\": \"db.acme.io\", \"password\": \"canary\\u002done\", "
                                "\"pin\": \"123\"}";
    const struct secret view = secret_borrow(value, strlen(value));
    AUTO_BUF out = BUF_INIT(TEXT_BYTES);
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(redact_register_value(&view, &err), 0);
    static const char text[] = "canary-one at db.acme.io, 123";
    redact_add(&out, text, strlen(text));
    assert_string_equal(buf_text(&out), "*** at db.acme.io, 123");
    assert_int_equal(redact_short_count(), 0); /* a part that is short is no short secret */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_url_the_password_is_one),
        cmocka_unit_test(of_json_what_is_named_like_one_is),
        cmocka_unit_test(escapes_of_json_are_what_they_mean),
        cmocka_unit_test(what_is_broken_ends_somewhere),
        cmocka_unit_test(many_and_deep_ones_are_left_out),
        cmocka_unit_test(a_value_is_hidden_with_its_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
