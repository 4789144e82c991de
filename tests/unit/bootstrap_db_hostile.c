/* tests/unit/bootstrap_db_hostile.c: servers that follow a script: full, stuck, chatty, or no PostgreSQL. */
#include "tests/unit/bootstrap_db.h"

static void a_server_without_tls_fails_at_tls_where_tls_is_asked_for(void **state)
{
    (void)state;
    char url[256];
    struct pg_script script = {.part = PG_PART_CLOSE_AFTER_STARTUP};
    pg_script_start(&script);
    (void)snprintf(url, sizeof(url), "postgresql://app:" CANARY "@127.0.0.1:%u/app?sslmode=require",
                   script.port);
    struct err err = failure_of(url);
    pg_script_stop(&script);
    assert_string_equal(err.step, "tls");
    assert_int_equal(err.kind, ERR_DB_REFUSED);
    assert_text_has(err.hint, "sslmode=disable");
}

static void a_full_server_is_worth_waiting_for(void **state)
{
    (void)state;
    struct pg_script script = {
        .part = PG_PART_ERROR, .sqlstate = "53300", .message = "sorry, too many clients already"};
    struct err err = failure_of_part(&script);
    assert_string_equal(err.step, "connect");
    assert_int_equal(err.kind, ERR_DB_DOWN);
    assert_text_has(err.text, "53300 too_many_connections");
    assert_true(db_should_wait(&err));
}

static void a_starting_server_is_worth_waiting_for(void **state)
{
    (void)state;
    struct pg_script script = {.part = PG_PART_ERROR,
                               .sqlstate = "57P03",
                               .message = "the database system is starting up"};
    struct err err = failure_of_part(&script);
    assert_int_equal(err.kind, ERR_DB_DOWN);
    assert_true(db_should_wait(&err));
}

static void a_server_that_closes_at_once_is_named(void **state)
{
    (void)state;
    struct pg_script script = {.part = PG_PART_CLOSE_AT_ONCE};
    struct err err = failure_of_part(&script);
    assert_int_equal(err.kind, ERR_DB_DOWN);
    assert_text_has(err.hint, "a wrong port");
    assert_true(db_should_wait(&err));
}

static void a_server_that_closes_after_startup_fails_at_auth(void **state)
{
    (void)state;
    struct pg_script script = {.part = PG_PART_CLOSE_AFTER_STARTUP};
    struct err err = failure_of_part(&script);
    assert_string_equal(err.step, "auth");
    assert_int_equal(err.kind, ERR_DB_DOWN);
    assert_text_has(err.text, "closed the connection");
}

static void a_web_server_is_told_apart(void **state)
{
    (void)state;
    struct pg_script script = {.part = PG_PART_HTTP};
    struct err err = failure_of_part(&script);
    assert_int_equal(err.kind, ERR_DB_DOWN);
    assert_int_equal(err.sys_errno, EPROTO);
    assert_text_has(err.hint, "does not speak PostgreSQL's protocol");
    assert_false(db_should_wait(&err));
}

static void an_error_without_fields_is_not_blank(void **state)
{
    (void)state;
    struct pg_script script = {.part = PG_PART_EMPTY_ERROR};
    struct err err = failure_of_part(&script);
    assert_text_has(err.text, "the server gave no text and no code");
    assert_string_equal(err.step, "auth");
}

static void an_error_with_an_empty_message_is_not_blank(void **state)
{
    (void)state;
    struct pg_script script = {.part = PG_PART_BLANK_ERROR};
    struct err err = failure_of_part(&script);
    assert_text_has(err.text, "the server gave no text and no code");
}

static void an_error_with_a_code_alone_gives_the_condition(void **state)
{
    (void)state;
    struct pg_script script = {.part = PG_PART_ERROR, .sqlstate = "57P03", .message = ""};
    struct err err = failure_of_part(&script);
    assert_text_has(err.text, "57P03 cannot_connect_now");
}

static void a_poolers_refusal_of_a_login_is_told_from_its_other_errors(void **state)
{
    (void)state;
    struct pg_script script = {
        .part = PG_PART_ERROR, .sqlstate = "08P01", .message = "SASL authentication failed"};
    struct err err = failure_of_part(&script);
    assert_int_equal(err.kind, ERR_DB_REFUSED);
    assert_string_equal(err.step, "auth");
    script = (struct pg_script){
        .part = PG_PART_ERROR, .sqlstate = "08P01", .message = "server login failed"};
    err = failure_of_part(&script);
    assert_int_equal(err.kind, ERR_DB_DOWN); /* its own way to the server: that may come back */
}

static void a_length_that_cannot_be_is_an_error(void **state)
{
    (void)state;
    struct pg_script script = {.part = PG_PART_WRONG_LENGTH};
    struct err err = failure_of_part(&script);
    assert_int_equal(err.kind, ERR_DB_DOWN);
}

static void a_server_that_says_nothing_ends_at_the_deadline(void **state)
{
    (void)state;
    char url[256];
    struct db *db = NULL;
    struct err err = ERR_INIT;
    struct pg_script script = {.part = PG_PART_HANG};
    pg_script_start(&script);
    (void)snprintf(url, sizeof(url), "postgresql://app:" CANARY "@127.0.0.1:%u/app?sslmode=disable",
                   script.port);
    assert_int_equal(connect_url(url, SHORT_MS, &db, &err), -1);
    pg_script_stop(&script);
    assert_string_equal(err.step, "auth");
    assert_int_equal(err.sys_errno, ETIMEDOUT);
    assert_text_has(err.text, "the server said nothing within");
}

static void a_password_that_the_server_echoes_is_hidden(void **state)
{
    (void)state;
    struct pg_script script = {
        .part = PG_PART_ERROR, .sqlstate = "28P01", .message = "you said " CANARY " and " CANARY};
    struct err err = failure_of_part(&script); /* looks for the canary itself */
    assert_text_has(err.text, "you said *** and ***");
}

static void control_bytes_of_a_server_are_escaped(void **state)
{
    (void)state;
    struct pg_script script = {
        .part = PG_PART_ERROR, .sqlstate = "28P01", .message = "\033]0;owned\007 go away"};
    struct err err = failure_of_part(&script);
    assert_text_has(err.text, "\\x1b]0;owned\\x07 go away");
}

static void a_server_that_is_stuck_is_given_up_at_the_deadline(void **state)
{
    (void)state;
    struct pg_script script = {.part = PG_PART_HANG_ON_QUERY};
    AUTO_DB db = connected_to_part(&script);
    struct err err = ERR_INIT;
    struct db_results results = {0};
    assert_int_equal(db_query(db, "SELECT 1", clock_in_ms(SHORT_MS), &results, NULL, &err), -1);
    assert_text_has(err.text, "the connection was given up");
    assert_true(db_is_lost(db));
    assert_int_equal(db_query(db, "SELECT 1", clock_in_ms(SHORT_MS), &results, NULL, &err), -1);
    assert_text_has(err.text, "the connection was lost before");
    pg_script_stop(&script);
}

static void notices_without_end_do_not_hold_us(void **state)
{
    (void)state;
    struct pg_script script = {.part = PG_PART_NOTICES};
    AUTO_DB db = connected_to_part(&script);
    struct err err = ERR_INIT;
    struct db_results results = {0};
    assert_int_equal(db_query(db, "SELECT 1", clock_in_ms(SHORT_MS), &results, NULL, &err), -1);
    assert_int_equal(err.sys_errno, ETIMEDOUT);
    pg_script_stop(&script);
}

static void a_password_echoed_by_a_statements_error_is_hidden(void **state)
{
    (void)state;
    struct pg_script script = {
        .part = PG_PART_ECHO_ON_QUERY, .sqlstate = "XX000", .message = "it is " CANARY};
    AUTO_DB db = connected_to_part(&script);
    struct err err = ERR_INIT;
    struct db_results results = {0};
    assert_int_equal(db_query(db, "SELECT 1", clock_in_ms(LONG_MS), &results, NULL, &err), -1);
    assert_text_has(err.text, "it is *** (XX000 internal_error)");
    pg_script_stop(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_without_tls_fails_at_tls_where_tls_is_asked_for),
        cmocka_unit_test(a_full_server_is_worth_waiting_for),
        cmocka_unit_test(a_starting_server_is_worth_waiting_for),
        cmocka_unit_test(a_server_that_closes_at_once_is_named),
        cmocka_unit_test(a_server_that_closes_after_startup_fails_at_auth),
        cmocka_unit_test(a_web_server_is_told_apart),
        cmocka_unit_test(an_error_without_fields_is_not_blank),
        cmocka_unit_test(an_error_with_an_empty_message_is_not_blank),
        cmocka_unit_test(an_error_with_a_code_alone_gives_the_condition),
        cmocka_unit_test(a_poolers_refusal_of_a_login_is_told_from_its_other_errors),
        cmocka_unit_test(a_length_that_cannot_be_is_an_error),
        cmocka_unit_test(a_server_that_says_nothing_ends_at_the_deadline),
        cmocka_unit_test(a_password_that_the_server_echoes_is_hidden),
        cmocka_unit_test(control_bytes_of_a_server_are_escaped),
        cmocka_unit_test(a_server_that_is_stuck_is_given_up_at_the_deadline),
        cmocka_unit_test(notices_without_end_do_not_hold_us),
        cmocka_unit_test(a_password_echoed_by_a_statements_error_is_hidden),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
