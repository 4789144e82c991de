/* tests/unit/bootstrap_db_error.c: texts of libpq and of servers → errors that are never blank. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>

#include "base/attr.h"
#include "bootstrap/db_internal.h"

static void a_connections_text_is_taken_apart(void **state)
{
    (void)state;
    struct db_said said;
    db_said_from_text(&said,
                      "connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  28P01: "
                      "password authentication failed for user \"app\"\nDETAIL:  a detail\n"
                      "HINT:  a hint\nLOCATION:  auth_failed, auth.c:326\n");
    assert_string_equal(said.sqlstate, "28P01");
    assert_string_equal(said.primary, "password authentication failed for user \"app\"");
    assert_string_equal(said.detail, "a detail");
    assert_string_equal(said.hint, "a hint");
    assert_string_equal(said.context, "");
}

static void what_quotes_a_statement_is_left_out(void **state)
{
    (void)state;
    struct db_said said;
    db_said_from_text(&said,
                      "ERROR:  42601: syntax error at or near \"bogus\"\nLINE 1: ALTER ROLE x "
                      "PASSWORD 'secret' bogus\n                     ^\n");
    assert_string_equal(said.primary, "syntax error at or near \"bogus\"");
    assert_string_equal(said.detail, "");
}

static void libpqs_words_behind_a_servers_are_kept(void **state)
{
    (void)state;
    struct db_said said;
    db_said_from_text(&said, "FATAL:  57P01: terminating connection\nLOCATION:  x, y.c:1\n"
                             "server closed the connection unexpectedly\n\tThis probably means\n");
    assert_string_equal(said.sqlstate, "57P01");
    assert_string_equal(said.primary,
                        "terminating connection server closed the connection unexpectedly");
}

static void texts_without_severity_or_code_are_whole(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"connection to server at \"x\" (1.2.3.4), port 1 failed: Connection refused\n\tIs it\n",
         "Connection refused", ""},
        {"connection to server at \"x\", port 1 failed: ", "", ""},
        {"connection to server at \"x\", port 1 failed: FATAL:  \n", "", ""},
        {"FATAL:  53300: \n", "", "53300"},
        {"fe_sendauth: no password supplied\n", "fe_sendauth: no password supplied", ""},
        {"FATAL:  no code: here\n", "no code: here", ""},
        {"", "", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct db_said said;
        db_said_from_text(&said, cases[i][0]);
        assert_string_equal(said.primary, cases[i][1]);
        assert_string_equal(said.sqlstate, cases[i][2]);
    }
    struct db_said said;
    db_said_from_text(&said, NULL);
    assert_string_equal(said.primary, "");
}

static void a_text_longer_than_its_room_is_cut(void **state)
{
    (void)state;
    static char text[3 * DB_SAID_BYTES];
    struct db_said said;
    memset(text, 'x', sizeof(text) - 1);
    db_said_from_text(&said, text);
    assert_int_equal(strlen(said.primary), DB_SAID_BYTES - 1);
    db_said_part(said.detail, text, sizeof(text) - 1);
    assert_int_equal(strlen(said.detail), DB_SAID_BYTES - 1);
}

static void errors_of_the_system_are_known_by_their_words(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int number;
    } cases[] = {{"Connection refused", ECONNREFUSED},
                 {"could not send data: Broken pipe", EPIPE},
                 {"SSL SYSCALL error: EOF detected", ECONNRESET},
                 {"expected authentication request from server, but received H", EPROTO},
                 {"fe_sendauth: no password supplied", 0}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct db_said said;
        db_said_from_text(&said, cases[i].text);
        assert_int_equal(db_said_errno(&said), cases[i].number);
    }
}

static void a_password_is_hidden_in_every_part(void **state)
{
    (void)state;
    struct db_said said;
    struct secret password = secret_borrow("hunter22", 8);
    db_said_from_text(&said,
                      "ERROR:  XX000: hunter22\nDETAIL:  (hunter22hunter22)\nHINT:  hunter22!\n"
                      "CONTEXT:  a hunter22\n");
    db_said_hide(&said, &password);
    assert_string_equal(said.primary, "***");
    assert_string_equal(said.detail, "(******)");
    assert_string_equal(said.hint, "***!");
    assert_string_equal(said.context, "a ***");
}

static void a_password_that_a_text_was_cut_in_is_hidden(void **state)
{
    (void)state;
    struct db_said said = {0};
    char text[DB_SAID_BYTES];
    struct secret password = secret_borrow("hunter22", 8);
    memset(text, 'x', sizeof(text));
    memcpy(text + sizeof(text) - 6, "hunter", 6);
    db_said_part(said.detail, text, sizeof(text));
    db_said_hide(&said, &password);
    assert_text_lacks(said.detail, "hunt");
    assert_string_equal(said.detail + strlen(said.detail) - 4, "x***");
}

static void an_error_says_all_it_can(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct db_said said = {.sqlstate = "57P03"};
    db_error(&err, ERR_DB_DOWN, "db:5432", "authentication", &said);
    assert_string_equal(err.text,
                        "db:5432: authentication: the server gave a code and no text (57P03 "
                        "cannot_connect_now)");
    said = (struct db_said){0};
    db_error(&err, ERR_DB_DOWN, "db:5432", "query", &said);
    assert_string_equal(err.text, "db:5432: query: the server gave no text and no code");
    said = (struct db_said){.sqlstate = "ZZ999", .primary = "odd", .detail = "d", .context = "c"};
    db_error(&err, ERR_DB_SQL, "db:5432", "query", &said);
    assert_string_equal(err.text, "db:5432: query: odd (ZZ999); detail: d; in: c");
    assert_string_equal(err.sqlstate, "ZZ999");
}

static void a_server_that_was_not_meant_is_told_from_one_that_refuses(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"session is read-only", "takes writes"},
        {"session is not read-only", "takes no writes"},
        {"server is in hot standby mode", "asks for the primary"},
        {"server is not in hot standby mode", "asks for a standby"},
    };
    struct db_said said;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[256];
        (void)snprintf(text, sizeof(text),
                       "connection to server at \"127.0.0.1\", port 5432 failed: %s\n",
                       cases[i][0]);
        db_said_from_text(&said, text);
        assert_non_null(db_said_of_session(&said));
        assert_text_has(db_said_of_session(&said), cases[i][1]);
        assert_false(db_said_of_parameter(&said));
    }
    db_said_from_text(&said, "FATAL:  28000: session is read-only is no such role\n");
    assert_null(db_said_of_session(&said));
}

static void a_parameter_that_libpq_refuses_is_known(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "invalid sslmode value: \"yes\"\n",
        "invalid target_session_attrs value: \"writer\"\n",
        "invalid integer value \"x\" for connection option \"keepalives\"\n",
    };
    static const char *const others[] = {
        "connection to server at \"h\", port 1 failed: FATAL:  22023: invalid value: \"x\"\n",
        "connection to server at \"h\", port 1 failed: received invalid response: v\n",
        "",
    };
    struct db_said said;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        db_said_from_text(&said, refused[i]);
        assert_true(db_said_of_parameter(&said));
    }
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        db_said_from_text(&said, others[i]);
        assert_false(db_said_of_parameter(&said));
    }
}

static void conditions_have_their_names(void **state)
{
    (void)state;
    assert_string_equal(db_condition("53300"), "too_many_connections");
    assert_string_equal(db_condition("42P07"), "duplicate_table");
    assert_null(db_condition("ZZ999"));
    assert_null(db_condition(NULL));
    assert_null(db_condition(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connections_text_is_taken_apart),
        cmocka_unit_test(what_quotes_a_statement_is_left_out),
        cmocka_unit_test(libpqs_words_behind_a_servers_are_kept),
        cmocka_unit_test(texts_without_severity_or_code_are_whole),
        cmocka_unit_test(a_text_longer_than_its_room_is_cut),
        cmocka_unit_test(errors_of_the_system_are_known_by_their_words),
        cmocka_unit_test(a_password_is_hidden_in_every_part),
        cmocka_unit_test(a_password_that_a_text_was_cut_in_is_hidden),
        cmocka_unit_test(an_error_says_all_it_can),
        cmocka_unit_test(a_server_that_was_not_meant_is_told_from_one_that_refuses),
        cmocka_unit_test(a_parameter_that_libpq_refuses_is_known),
        cmocka_unit_test(conditions_have_their_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
