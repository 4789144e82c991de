/* Vault's JSON → fields. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "tests/lib/heap.h"
#include "vault/internal.h"

static int parse(const char *text, json_t **out, struct err *err)
{
    AUTO_BUF body = BUF_INIT(VAULT_BODY_MAX_BYTES);

    buf_adds(&body, text);
    return vault_json_parse(&body, "the answer", out, err);
}

static struct vault_field only_field(const char *value, size_t *count, struct vault_field **list)
{
    char text[512];
    struct err err = ERR_INIT;
    AUTO_JSON json = NULL;

    (void)snprintf(text, sizeof text, "{\"f\":%s,\"beside\":\"fine\"}", value);
    if (parse(text, &json, &err) != 0)
        fail_msg("%s: %s", value, err.text);
    assert_int_equal(vault_json_fields(json, "the answer", list, count, &err), 0);
    assert_int_equal(*count, 2);
    for (size_t i = 0; i < *count; i++)
        if (str_eq((*list)[i].name, "f"))
            return (*list)[i];
    fail_msg("the field is not there");
    return (struct vault_field){0};
}

static void values_become_text_as_they_were_written(void **state)
{
    static const struct {
        const char *json, *text;
        enum vault_value_type type;
    } cases[] = {
        {"\"\"", "", VAULT_STRING},
        {"\"a\\nb\\u001b\"", "a\nb\x1b", VAULT_STRING},
        {"\"\\u20ac\"", "\xe2\x82\xac", VAULT_STRING},
        {"0", "0", VAULT_INTEGER},
        {"-17", "-17", VAULT_INTEGER},
        {"9007199254740992", "9007199254740992", VAULT_INTEGER},
        {"-9007199254740992", "-9007199254740992", VAULT_INTEGER},
        {"true", "true", VAULT_BOOL},
        {"false", "false", VAULT_BOOL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct vault_field *list;
        size_t count;
        struct vault_field field = only_field(cases[i].json, &count, &list);
        assert_int_equal(field.type, cases[i].type);
        assert_string_equal(secret_reveal(&field.value), cases[i].text);
        assert_int_equal(secret_length(&field.value), strlen(cases[i].text));
        vault_fields_free(list, count);
    }
}

static void what_is_no_text_has_a_type_and_no_value_and_spoils_nothing_beside_it(void **state)
{
    static const struct {
        const char *json, *type;
    } cases[] = {
        {"null", "null"},
        {"{}", "object"},
        {"[1]", "array"},
        {"1.5", "number"},
        {"5e3", "number"},
        {"5.0", "number"},
        {"9007199254740993", "number"},
        {"12345678901234567890", "number"},
        {"-123456789012345678901234567890", "number"},
        {"\"a\\u0000b\"", "NUL"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct vault_field *list;
        size_t count;
        struct vault_field field = only_field(cases[i].json, &count, &list);
        assert_false(secret_is_set(&field.value));
        assert_text_has(field.type_name, cases[i].type);
        vault_fields_free(list, count);
    }
}

static void digits_in_strings_are_left_alone(void **state)
{
    struct vault_field *list;
    size_t count;
    struct vault_field field = only_field("\"a \\\" 12345678901234567890 \\\\\"", &count, &list);

    (void)state;
    assert_string_equal(secret_reveal(&field.value), "a \" 12345678901234567890 \\");
    vault_fields_free(list, count);
}

static void broken_answers_have_a_named_error_that_quotes_nothing(void **state)
{
    static const char *const bodies[] = {
        "",
        "canary",
        "<html>canary</html>",
        "{",
        "{\"canary\":",
        "{\"canary\":1,\"canary\":2}",
        "[\"canary\"]",
        "\"canary\"",
        "{\"a\":\"canary\"} trailing",
        "{\"a\":\"canary\xff\"}",
        "{\"a\":NaN,\"b\":\"canary\"}",
        "\xef\xbb\xbf{\"a\":\"canary\"}",
        "{\"a\":\"canary\\ud800\"}",
        "{\"a\":01}",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct err err = ERR_INIT;
        json_t *json = NULL;
        if (parse(bodies[i], &json, &err) != -1)
            fail_msg("'%s' was taken", bodies[i]);
        assert_int_equal(err.kind, ERR_SOURCE_DATA);
        assert_text_lacks(err.text, "canary");
        assert_null(json);
    }
}

static void every_cut_of_an_answer_is_refused(void **state)
{
    static const char whole[] =
        "{\"data\":{\"data\":{\"a\":\"b\",\"n\":12},\"metadata\":{\"version\":3}},"
        "\"warnings\":null}";
    (void)state;
    for (size_t length = 0; length < sizeof whole - 1; length++) {
        struct err err = ERR_INIT;
        json_t *json = NULL;
        AUTO_BUF body = BUF_INIT(VAULT_BODY_MAX_BYTES);
        buf_add(&body, whole, length);
        assert_int_equal(vault_json_parse(&body, "the answer", &json, &err), -1);
        assert_int_equal(err.kind, ERR_SOURCE_DATA);
    }
}

static void depth_and_members_have_limits(void **state)
{
    AUTO_BUF body = BUF_INIT(VAULT_BODY_MAX_BYTES);
    struct err err = ERR_INIT;
    json_t *json = NULL;

    (void)state;
    buf_adds(&body, "{\"a\":");
    for (int i = 0; i < VAULT_JSON_MAX_DEPTH; i++)
        buf_addc(&body, '[');
    assert_int_equal(vault_json_parse(&body, "the answer", &json, &err), -1);
    assert_text_has(err.text, "deeper than 64");
    buf_clear(&body);
    buf_adds(&body, "{\"a\":[1");
    for (int i = 0; i < 70 * 1024; i++)
        buf_adds(&body, ",1");
    buf_adds(&body, "]}");
    assert_int_equal(vault_json_parse(&body, "the answer", &json, &err), -1);
    assert_text_has(err.text, "members");
}

static void texts_of_errors_are_joined(void **state)
{
    AUTO_BUF body = BUF_INIT(VAULT_BODY_MAX_BYTES);
    AUTO_BUF out = BUF_INIT(VAULT_BODY_MAX_BYTES);

    (void)state;
    buf_adds(&body, "{\"errors\":[\"one\",\"\",7,\"two\"]}");
    assert_true(vault_json_errors(&body, &out));
    assert_string_equal(buf_text(&out), "one; two");
    buf_clear(&out);
    buf_clear(&body);
    buf_adds(&body, "{\"errors\":[]}");
    assert_true(vault_json_errors(&body, &out));
    assert_string_equal(buf_text(&out), "");
    buf_clear(&body);
    buf_adds(&body, "<html>");
    assert_false(vault_json_errors(&body, &out));
}

static void seconds_are_bounded(void **state)
{
    struct err err = ERR_INIT;
    AUTO_JSON json = NULL;

    (void)state;
    assert_int_equal(
        parse("{\"a\":30,\"b\":-1,\"c\":\"30\",\"d\":9007199254740992,\"e\":null}", &json, &err),
        0);
    assert_int_equal(vault_json_seconds(json, "a"), 30000);
    assert_int_equal(vault_json_seconds(json, "b"), 0);
    assert_int_equal(vault_json_seconds(json, "c"), 0);
    assert_int_equal(vault_json_seconds(json, "e"), 0);
    assert_int_equal(vault_json_seconds(json, "absent"), 0);
    assert_true(vault_json_seconds(json, "d") > 0);
}

static void bodies_leave_out_what_is_not_set_and_escape_the_rest(void **state)
{
    AUTO_SECRET body = SECRET_INIT;
    const struct secret a = secret_borrow("x\"\n", 3), none = SECRET_INIT;
    const struct vault_member members[] = {{"b", &none}, {"a", &a}, {"c", &a}};
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(vault_json_body(members, 3, &body, &err), 0);
    assert_string_equal(secret_reveal(&body), "{\"a\":\"x\\\"\\n\",\"c\":\"x\\\"\\n\"}");
    secret_release(&body);
    assert_int_equal(vault_json_body(members, 1, &body, &err), 0);
    assert_string_equal(secret_reveal(&body), "{}");
}

static void without_memory_no_value_is_another_one(void **state)
{
    static const char long_value[] =
        "a value that is longer than one buffer: \\u20ac\\n\\t0123456789";
    static const char long_text[] =
        "a value that is longer than one buffer: \xe2\x82\xac\n\t0123456789";
    char text[512];

    (void)state;
    NEEDS_HEAP();
    (void)snprintf(text, sizeof text, "{\"%s\":1,\"v\":\"%s\",\"n\":12}", "k", long_value);
    vault_json_use_memory();
    for (int stays = 0; stays <= 1; stays++) {
        long left = -1;
        for (long k = 0; left < 0; k++) {
            AUTO_BUF body = BUF_INIT(VAULT_BODY_MAX_BYTES);
            AUTO_JSON json = NULL;
            struct err err = ERR_INIT;
            buf_adds(&body, text);
            if (stays)
                heap_fail_from(k);
            else
                heap_fail_after(k);
            int rc = vault_json_parse(&body, "the answer", &json, &err);
            left = rc == 0 ? 0 : -1;
            heap_fail_after(-1);
            if (rc != 0)
                assert_int_equal(err.kind, ERR_RESOURCE);
            else
                assert_string_equal(json_string_value(json_object_get(json, "v")), long_text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_become_text_as_they_were_written),
        cmocka_unit_test(what_is_no_text_has_a_type_and_no_value_and_spoils_nothing_beside_it),
        cmocka_unit_test(digits_in_strings_are_left_alone),
        cmocka_unit_test(broken_answers_have_a_named_error_that_quotes_nothing),
        cmocka_unit_test(every_cut_of_an_answer_is_refused),
        cmocka_unit_test(depth_and_members_have_limits),
        cmocka_unit_test(texts_of_errors_are_joined),
        cmocka_unit_test(seconds_are_bounded),
        cmocka_unit_test(without_memory_no_value_is_another_one),
        cmocka_unit_test(bodies_leave_out_what_is_not_set_and_escape_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
