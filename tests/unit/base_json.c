/* tests/unit/base_json.c */
#include "tests/lib/unit.h"

#include <string.h>

#include "base/json.h"

enum { CEILING = 100000 };

static void a_document_has_its_commas_where_they_belong(void **state)
{
    (void)state;
    static const char *const heads[] = {"a1", "b2"};
    AUTO_BUF b = BUF_INIT(CEILING);
    struct json j = JSON_INIT(&b);

    json_begin_object(&j, NULL);
    json_add_string(&j, "command", "verify");
    json_add_bool(&j, "ok", true);
    json_add_bool(&j, "created", false);
    json_add_int(&j, "version", 1);
    json_begin_array(&j, "missing");
    json_end_array(&j);
    json_add_strings(&j, "heads", heads, 2);
    json_add_strings(&j, "stamped", NULL, 0);
    json_begin_array(&j, "problems");
    for (int i = 0; i < 2; i++) {
        json_begin_object(&j, NULL);
        json_add_int(&j, "line", i);
        json_end_object(&j);
    }
    json_end_array(&j);
    json_begin_object(&j, "empty");
    json_end_object(&j);
    json_add_string(&j, "none", NULL);
    json_end_object(&j);
    assert_string_equal(
        buf_text(&b),
        "{\"command\":\"verify\",\"ok\":true,\"created\":false,\"version\":1,\"missing\":[],"
        "\"heads\":[\"a1\",\"b2\"],\"stamped\":[],\"problems\":[{\"line\":0},{\"line\":1}],"
        "\"empty\":{},\"none\":null}");
}

static void numbers_are_written_whole(void **state)
{
    (void)state;
    AUTO_BUF b = BUF_INIT(CEILING);
    struct json j = JSON_INIT(&b);

    json_begin_array(&j, NULL);
    json_add_int(&j, NULL, INT64_MIN);
    json_add_int(&j, NULL, 0);
    json_add_int(&j, NULL, INT64_MAX);
    json_end_array(&j);
    assert_string_equal(buf_text(&b), "[-9223372036854775808,0,9223372036854775807]");
}

static void keys_and_strings_are_escaped(void **state)
{
    (void)state;
    AUTO_BUF b = BUF_INIT(CEILING);
    struct json j = JSON_INIT(&b);

    json_begin_object(&j, NULL);
    json_add_string_n(&j, "a\"b", "x\0\xFFy", 4);
    json_end_object(&j);
    assert_string_equal(buf_text(&b), "{\"a\\\"b\":\"x\\u0000\xEF\xBF\xBDy\"}");
}

static void a_document_that_is_too_deep_fails_the_buffer(void **state)
{
    (void)state;
    AUTO_BUF b = BUF_INIT(CEILING);
    struct json j = JSON_INIT(&b);
    struct err err = ERR_INIT;

    for (int i = 1; i < JSON_MAX_DEPTH; i++)
        json_begin_array(&j, NULL);
    assert_int_equal(buf_check(&b, ERR_DEFECT, "the result", &err), 0);
    json_begin_array(&j, NULL);
    assert_int_equal(buf_check(&b, ERR_DEFECT, "the result", &err), -1);
    for (int i = 0; i < 2 * JSON_MAX_DEPTH; i++)
        json_end_array(&j);
    assert_int_equal(j.depth, 0);
}

static void closing_what_was_not_opened_fails_the_buffer(void **state)
{
    (void)state;
    AUTO_BUF b = BUF_INIT(CEILING);
    struct json j = JSON_INIT(&b);
    struct err err = ERR_INIT;

    json_end_object(&j);
    assert_int_equal(buf_check(&b, ERR_DEFECT, "the result", &err), -1);
}

static void an_error_has_code_kind_message_and_hint(void **state)
{
    (void)state;
    AUTO_BUF b = BUF_INIT(CEILING);
    struct json j = JSON_INIT(&b);
    struct err err = ERR_INIT;

    (void)err_set(&err, ERR_SOURCE_DENIED, "read \"x\": denied");
    json_begin_object(&j, NULL);
    json_add_error(&j, &err, 4);
    json_end_object(&j);
    assert_string_equal(buf_text(&b), "{\"error\":{\"code\":4,\"kind\":\"source-denied\","
                                      "\"message\":\"read \\\"x\\\": denied\",\"hint\":\"\"}}");
}

static void an_error_tells_step_sqlstate_file_and_place_where_they_exist(void **state)
{
    (void)state;
    AUTO_BUF b = BUF_INIT(CEILING);
    struct json j = JSON_INIT(&b);
    struct err err = ERR_INIT;

    (void)err_set(&err, ERR_DB_REFUSED, "no");
    (void)err_hint(&err, "Look.");
    (void)err_sqlstate(&err, "28P01");
    (void)err_at(&err, "schema.sql", 7, 3);
    err.step = "auth";
    json_begin_object(&j, NULL);
    json_add_error(&j, &err, 125); /* run's own code, not the kind's */
    json_end_object(&j);
    assert_string_equal(buf_text(&b),
                        "{\"error\":{\"code\":125,\"kind\":\"database-refused\",\"message\":\"no\","
                        "\"hint\":\"Look.\",\"step\":\"auth\",\"sqlstate\":\"28P01\","
                        "\"file\":\"schema.sql\",\"line\":7,\"column\":3}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_has_its_commas_where_they_belong),
        cmocka_unit_test(numbers_are_written_whole),
        cmocka_unit_test(keys_and_strings_are_escaped),
        cmocka_unit_test(a_document_that_is_too_deep_fails_the_buffer),
        cmocka_unit_test(closing_what_was_not_opened_fails_the_buffer),
        cmocka_unit_test(an_error_has_code_kind_message_and_hint),
        cmocka_unit_test(an_error_tells_step_sqlstate_file_and_place_where_they_exist),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
