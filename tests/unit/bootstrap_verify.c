/* tests/unit/bootstrap_verify.c: the look from outside, its failing steps, and --query. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bootstrap/bootstrap.h"
#include "bootstrap/guard.h"
#include "tests/lib/pg.h"
#include "tests/lib/pg_script.h"

#define CANARY "canary-verify-41"

enum { OUTPUT_BYTES = 4 * 1024 * 1024, URL_BYTES = 512 };

static struct pg *server;
static struct secret url_secret;

static int set_up(void **state)
{
    (void)state;
    server = pg_start(NULL);
    pg_sql(server, "postgres",
           "CREATE ROLE app LOGIN PASSWORD '" CANARY
           "'; CREATE DATABASE empty; CREATE DATABASE made;");
    pg_sql(
        server, "made",
        "CREATE TABLE users (id int, name text); INSERT INTO users VALUES (1, 'Zoë'), (22, NULL),"
        "(3, E'two\\nlines\\x1b[31m'); CREATE TABLE alembic_version (version_num varchar(32) NOT "
        "NULL);"
        "INSERT INTO alembic_version VALUES ('a1'); GRANT SELECT ON users TO app;");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pg_stop(server);
    return 0;
}

/* URL is borrowed for as long as the settings are used. */
static struct database_settings settings_for(const char *url)
{
    url_secret = secret_borrow(url, strlen(url));
    return (struct database_settings){.url = &url_secret,
                                      .url_variable = "DATABASE_URL",
                                      .table = "alembic_version",
                                      .schema = "public",
                                      .connect_timeout_ms = 10000,
                                      .statement_timeout_ms = 10000,
                                      .deadline_ms = CLOCK_NEVER};
}

static struct err verify_failure(const char *url)
{
    struct err err = ERR_INIT;
    AUTO_REPORT report = REPORT_INIT;
    const struct database_settings settings = settings_for(url);
    assert_int_equal(verify_run(&settings, &report, &err), -1);
    assert_false(report.state_known);
    assert_non_null(err.step);
    assert_true(strlen(err.text) > 0);
    assert_true(strlen(err.hint) > 0);
    assert_text_lacks(err.text, CANARY);
    return err;
}

static void an_empty_database_is_reported(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    AUTO_REPORT report = REPORT_INIT;
    AUTO_FREE char *url = pg_tcp_url(server, "app", CANARY, "empty", "");
    const struct database_settings settings = settings_for(url);
    if (verify_run(&settings, &report, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(report.state, STATE_FRESH);
    assert_string_equal(report.host, "127.0.0.1");
    assert_int_equal(strtoul(report.port, NULL, 10), pg_port(server));
    assert_string_equal(report.database, "empty");
    assert_string_equal(report.user, "app");
    assert_true(report.tls);
    assert_true(strlen(report.server_version) >= 2);
}

static void a_statement_timeout_of_zero_is_none(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    AUTO_REPORT report = REPORT_INIT;
    AUTO_BUF text = BUF_INIT(OUTPUT_BYTES), catalog = BUF_INIT(OUTPUT_BYTES);
    AUTO_FREE char *url = pg_socket_url(server, "postgres", "made");
    struct database_settings settings = settings_for(url);
    settings.statement_timeout_ms = 0;
    if (verify_run(&settings, &report, &err) != 0 ||
        verify_query(&settings, "SELECT count(*) FROM users", &text, NULL, &err) != 0 ||
        verify_schema(&settings, &catalog, &err) != 0)
        fail_msg("%s", err.text);
    assert_text_has(buf_text(&catalog), "users");
}

static void a_second_look_replaces_the_first(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    AUTO_REPORT report = REPORT_INIT;
    AUTO_FREE char *made = pg_socket_url(server, "postgres", "made");
    AUTO_FREE char *empty = pg_tcp_url(server, "app", CANARY, "empty", "");
    struct database_settings settings = settings_for(empty);
    assert_int_equal(verify_run(&settings, &report, &err), 0);
    settings = settings_for(made);
    assert_int_equal(verify_run(&settings, &report, &err), 0);
    assert_int_equal(report.state, STATE_UNKNOWN_REVISION);
    assert_string_equal(report.database, "made");
    assert_false(report.tls);
    assert_null(report.tls_version);
    assert_string_equal(report.stamped[0], "a1");
}

static void each_failing_step_has_its_word(void **state)
{
    (void)state;
    AUTO_FREE char *auth = pg_tcp_url(server, "app", "wrong", "made", "");
    AUTO_FREE char *database = pg_tcp_url(server, "app", CANARY, "nosuch", "");
    AUTO_FREE char *tls = pg_tcp_url(server, "app", CANARY, "made", "?sslmode=verify-full");
    const struct {
        const char *url, *step;
        enum err_kind kind;
    } cases[] = {
        {"postgresql://app:" CANARY "@nowhere.invalid/made", "resolve", ERR_DB_DOWN},
        {"postgresql://app:" CANARY "@127.0.0.1:1/made", "connect", ERR_DB_DOWN},
        {tls, "tls", ERR_DB_REFUSED},
        {auth, "auth", ERR_DB_REFUSED},
        {database, "database", ERR_DB_REFUSED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = verify_failure(cases[i].url);
        assert_string_equal(err.step, cases[i].step);
        assert_int_equal(err.kind, cases[i].kind);
    }
}

static void a_look_that_breaks_fails_at_query(void **state)
{
    (void)state;
    struct pg_script script = {.part = PG_PART_CLOSE_ON_QUERY};
    char url[URL_BYTES];
    pg_script_start(&script);
    (void)snprintf(url, sizeof(url), "postgresql://app:" CANARY "@127.0.0.1:%u/x?sslmode=disable",
                   script.port);
    struct err err = ERR_INIT;
    AUTO_REPORT report = REPORT_INIT;
    const struct database_settings settings = settings_for(url);
    assert_int_equal(verify_run(&settings, &report, &err), -1);
    pg_script_stop(&script);
    assert_string_equal(err.step, "query");
    assert_int_equal(err.kind, ERR_DB_DOWN);
    assert_string_equal(report.host, "127.0.0.1"); /* as far as it came */
}

static void a_look_that_is_refused_fails_at_privilege(void **state)
{
    (void)state;
    struct pg_script script = {.part = PG_PART_ECHO_ON_QUERY,
                               .sqlstate = "42501",
                               .message = "permission denied for table pg_class"};
    char url[URL_BYTES];
    pg_script_start(&script);
    (void)snprintf(url, sizeof(url), "postgresql://app:" CANARY "@127.0.0.1:%u/x?sslmode=disable",
                   script.port);
    struct err err = ERR_INIT;
    AUTO_REPORT report = REPORT_INIT;
    const struct database_settings settings = settings_for(url);
    assert_int_equal(verify_run(&settings, &report, &err), -1);
    pg_script_stop(&script);
    assert_string_equal(err.step, "privilege");
    assert_int_equal(err.kind, ERR_DB_REFUSED);
}

/* ---- --query ---------------------------------------------------------------------------------------- */

static int query(const char *sql, struct buf *out, struct json *json, struct err *err)
{
    AUTO_FREE char *url = pg_socket_url(server, "postgres", "made");
    const struct database_settings settings = settings_for(url);
    return verify_query(&settings, sql, out, json, err);
}

static void a_query_prints_an_aligned_table(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    if (query("SELECT name, id FROM users ORDER BY id", &out, NULL, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(buf_text(&out), " name                 | id\n"
                                        "----------------------+----\n"
                                        " Zoë                  | 1\n"
                                        " two\\x0alines\\x1b[31m | 3\n"
                                        " NULL                 | 22\n"
                                        "(3 rows)\n");
}

static void a_query_gives_columns_and_rows_as_json(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    struct json json = JSON_INIT(&out);
    json_begin_object(&json, NULL);
    if (query("SELECT id, name FROM users WHERE id <> 3 ORDER BY id", NULL, &json, &err) != 0)
        fail_msg("%s", err.text);
    json_end_object(&json);
    assert_string_equal(buf_text(&out), "{\"columns\":[\"id\",\"name\"],\"rows\":[[\"1\",\"Zoë\"],"
                                        "[\"22\",null]],\"more\":false}");
}

static void no_row_is_an_answer_too(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    assert_int_equal(query("SELECT id FROM users WHERE false", &out, NULL, &err), 0);
    assert_string_equal(buf_text(&out), " id\n----\n(0 rows)\n");
}

static void too_many_rows_are_cut_and_it_is_said(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    assert_int_equal(query("SELECT generate_series(1, 50000000)", &out, NULL, &err), 0);
    assert_text_has(buf_text(&out), "(the first 10000 rows; there are more)\n");
}

static void what_writes_is_refused(void **state)
{
    (void)state;
    static const char *const writing[] = {
        "INSERT INTO users VALUES (9)",
        "DROP TABLE users",
        "SELECT 1; DELETE FROM users",
        "WITH x AS (DELETE FROM users RETURNING 1) SELECT * FROM x",
        "SELECT setval('nosuch', 1)",
        "COPY users TO PROGRAM 'id'",
        "SELECT 1 INTO gone",
        "BEGIN READ WRITE",
        "SELECT set_config('transaction_read_only', 'off', true)",
    };
    for (size_t i = 0; i < sizeof(writing) / sizeof(writing[0]); i++) {
        struct err err = ERR_INIT;
        AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
        if (query(writing[i], &out, NULL, &err) == 0)
            fail_msg("'%s' was let through", writing[i]);
        assert_true(strlen(err.text) > 0);
    }
    struct err err = ERR_INIT;
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    assert_int_equal(query("SELECT count(*) FROM users", &out, NULL, &err), 0);
    assert_text_has(buf_text(&out), " 3\n");
}

/* Before 16 a read-only transaction lets large objects be made; it is never committed. */
static void what_a_query_does_all_the_same_is_undone(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    (void)query("SELECT lo_create(4711)", &out, NULL, &err); /* by version it is refused or not */
    buf_clear(&out);
    assert_int_equal(query("SELECT count(*) FROM pg_largeobject_metadata", &out, NULL, &err), 0);
    assert_text_has(buf_text(&out), "\n 0\n");
}

static void a_query_that_fails_says_why(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    assert_int_equal(query("SELECT nosuch FROM users", &out, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_DB_SQL);
    assert_string_equal(err.step, "query");
    assert_text_has(err.text, "column \"nosuch\" does not exist");
}

/* "Try again" would be a lie: the server is neither away nor a standby. */
static void what_the_query_can_not_is_its_own_fault(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *hint;
    } cases[] = {
        {"WITH x AS (DELETE FROM users RETURNING 1) SELECT * FROM x", "read-only transaction"},
        {"SELECT nextval('made')", "read-only transaction"},
        {"SELECT $1", "$1"},
    };
    pg_sql(server, "made", "CREATE SEQUENCE made");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = ERR_INIT;
        AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
        assert_int_equal(query(cases[i].sql, &out, NULL, &err), -1);
        assert_int_equal(err.kind, ERR_DB_SQL);
        assert_text_has(err.hint, cases[i].hint);
        assert_null(strstr(err.hint, "standby"));
    }
    pg_sql(server, "made", "DROP SEQUENCE made");
}

static void a_statement_that_was_ended_says_by_what(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    assert_int_equal(query("SELECT pg_cancel_backend(pg_backend_pid())", &out, NULL, &err), -1);
    assert_string_equal(err.sqlstate, "57014");
    assert_text_has(err.hint, "statement_timeout");
}

static void a_query_that_takes_too_long_is_ended(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    AUTO_FREE char *url = pg_socket_url(server, "postgres", "made");
    struct database_settings settings = settings_for(url);
    settings.statement_timeout_ms = 200;
    assert_int_equal(verify_query(&settings, "SELECT pg_sleep(60)", &out, NULL, &err), -1);
    assert_true(err.kind == ERR_DB_SQL || err.kind == ERR_DB_DOWN); /* whoever comes first */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_database_is_reported),
        cmocka_unit_test(a_statement_timeout_of_zero_is_none),
        cmocka_unit_test(a_second_look_replaces_the_first),
        cmocka_unit_test(each_failing_step_has_its_word),
        cmocka_unit_test(a_look_that_breaks_fails_at_query),
        cmocka_unit_test(a_look_that_is_refused_fails_at_privilege),
        cmocka_unit_test(a_query_prints_an_aligned_table),
        cmocka_unit_test(a_query_gives_columns_and_rows_as_json),
        cmocka_unit_test(no_row_is_an_answer_too),
        cmocka_unit_test(too_many_rows_are_cut_and_it_is_said),
        cmocka_unit_test(what_writes_is_refused),
        cmocka_unit_test(what_a_query_does_all_the_same_is_undone),
        cmocka_unit_test(a_query_that_fails_says_why),
        cmocka_unit_test(what_the_query_can_not_is_its_own_fault),
        cmocka_unit_test(a_statement_that_was_ended_says_by_what),
        cmocka_unit_test(a_query_that_takes_too_long_is_ended),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
