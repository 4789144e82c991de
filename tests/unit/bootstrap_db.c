/* tests/unit/bootstrap_db.c: connections and statements, on a real server and on scripted ones. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "bootstrap/db.h"
#include "tests/lib/pg.h"
#include "tests/lib/pg_script.h"

#define CANARY "canary-p4ssw0rd-77"

enum { LONG_MS = 20 * 1000, SHORT_MS = 300 };

static struct pg *server;

static int start_server(void **state)
{
    (void)state;
    server = pg_start("max_connections = 20\nlog_connections = off");
    pg_sql(server, "postgres",
           "CREATE ROLE app LOGIN PASSWORD '" CANARY "'; CREATE ROLE refused LOGIN;"
           "CREATE DATABASE shut; REVOKE CONNECT ON DATABASE shut FROM PUBLIC;");
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    pg_stop(server);
    return 0;
}

static int connect_url(const char *url, int64_t within_ms, struct db **out, struct err *err)
{
    struct secret secret = secret_borrow(url, strlen(url));
    struct db_target target = {0};
    if (db_target_parse(&secret, "DATABASE_URL", &target, err) != 0)
        return -1;
    int result = db_connect(&target, clock_in_ms(within_ms), out, err);
    db_target_release(&target);
    return result;
}

/* On the real server, as postgres, over the socket. */
static struct db *connected(void)
{
    struct err err = ERR_INIT;
    struct db *db = NULL;
    AUTO_FREE char *url = pg_socket_url(server, "postgres", "postgres");
    if (connect_url(url, LONG_MS, &db, &err) != 0)
        fail_msg("%s", err.text);
    return db;
}

static struct err failure_of(const char *url)
{
    struct err err = ERR_INIT;
    struct db *db = NULL;
    if (connect_url(url, LONG_MS, &db, &err) == 0) {
        db_close(db);
        fail_msg("a connection was made that should fail");
    }
    assert_text_lacks(err.text, CANARY);
    assert_text_lacks(err.hint, CANARY);
    assert_true(strlen(err.text) > 20);
    assert_true(strlen(err.hint) > 10);
    return err;
}

static struct err failure_over_tcp(const char *user, const char *password, const char *database,
                                   const char *query)
{
    AUTO_FREE char *url = pg_tcp_url(server, user, password, database, query);
    return failure_of(url);
}

static struct err failure_of_part(struct pg_script *script)
{
    char url[256];
    pg_script_start(script);
    (void)snprintf(url, sizeof(url), "postgresql://app:" CANARY "@127.0.0.1:%u/app?sslmode=disable",
                   script->port);
    struct err err = failure_of(url);
    pg_script_stop(script);
    assert_text_has(err.text, "127.0.0.1:");
    assert_text_has(err.text, "database 'app' user 'app'");
    return err;
}

static struct db *connected_to_part(struct pg_script *script)
{
    char url[256];
    struct db *db = NULL;
    struct err err = ERR_INIT;
    pg_script_start(script);
    (void)snprintf(url, sizeof(url), "postgresql://app:" CANARY "@127.0.0.1:%u/app?sslmode=disable",
                   script->port);
    if (connect_url(url, LONG_MS, &db, &err) != 0)
        fail_msg("%s", err.text);
    return db;
}

/* ---- connecting ------------------------------------------------------------------------------------ */

static void a_socket_connection_says_where_it_is(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct db_info info;
    db_info(db, &info);
    assert_string_equal(info.host, pg_socket_folder(server));
    assert_string_equal(info.database, "postgres");
    assert_string_equal(info.user, "postgres");
    assert_false(info.tls);
    assert_true(info.server_version >= 130000);
    assert_true(info.backend_pid > 0);
    assert_int_equal(db_round_trips(db), 0);
}

static void tcp_on_loopback_prefers_tls(void **state)
{
    (void)state;
    AUTO_DB db = NULL;
    struct err err = ERR_INIT;
    struct db_info info;
    AUTO_FREE char *url = pg_tcp_url(server, "app", CANARY, "postgres", "");
    assert_int_equal(connect_url(url, LONG_MS, &db, &err), 0);
    db_info(db, &info);
    assert_true(info.tls);
    assert_text_has(info.tls_version, "TLSv1");
    assert_string_equal(info.host, "127.0.0.1");
}

static void a_driver_in_the_scheme_and_its_ssl_word_are_understood(void **state)
{
    (void)state;
    AUTO_DB db = NULL;
    struct err err = ERR_INIT;
    struct db_info info;
    char url[256];
    (void)snprintf(url, sizeof(url),
                   "postgresql+asyncpg://app:" CANARY "@localhost:%u/postgres?ssl=disable",
                   pg_port(server));
    assert_int_equal(connect_url(url, LONG_MS, &db, &err), 0);
    db_info(db, &info);
    assert_false(info.tls);
}

static void the_application_name_is_agent(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct db_results results = {0};
    struct err err = ERR_INIT;
    assert_int_equal(db_query(db, "SHOW application_name; SHOW client_encoding",
                              clock_in_ms(LONG_MS), &results, NULL, &err),
                     0);
    assert_string_equal(db_cell(&results.list[0], 0, 0), "agent");
    assert_string_equal(db_cell(&results.list[1], 0, 0), "UTF8");
    db_results_free(&results);
}

static void verify_full_trusts_the_named_root_alone(void **state)
{
    (void)state;
    AUTO_DB db = NULL;
    struct err err = ERR_INIT;
    char url[1024];
    (void)snprintf(url, sizeof(url),
                   "postgresql://app:" CANARY
                   "@localhost:%u/postgres?sslmode=verify-full&sslrootcert=%s",
                   pg_port(server), pg_certificate(server));
    assert_int_equal(connect_url(url, LONG_MS, &db, &err), 0);

    err = failure_over_tcp("app", CANARY, "postgres", "?sslmode=verify-full");
    assert_string_equal(err.step, "tls");
    assert_int_equal(err.kind, ERR_DB_REFUSED);
    assert_text_has(err.text, "certificate verify failed");
}

static void the_environment_does_not_decide_where_we_go(void **state)
{
    (void)state;
    AUTO_DB db = NULL;
    struct err err = ERR_INIT;
    AUTO_FREE char *url = pg_tcp_url(server, "app", CANARY, "postgres", "");
    static const char *const variables[] = {"PGHOSTADDR", "PGHOST",    "PGPORT",   "PGUSER",
                                            "PGDATABASE", "PGSERVICE", "PGOPTIONS"};
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        assert_int_equal(setenv(variables[i], "192.0.2.1", 1), 0);
    int result = connect_url(url, LONG_MS, &db, &err);
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        assert_string_equal(getenv(variables[i]), "192.0.2.1"); /* given back to the child */
        assert_int_equal(unsetenv(variables[i]), 0);
    }
    if (result != 0)
        fail_msg("%s", err.text);
}

static void a_name_that_is_not_there_fails_at_resolve(void **state)
{
    (void)state;
    struct err err = failure_of("postgresql://app:" CANARY "@nowhere.invalid/app");
    assert_string_equal(err.step, "resolve");
    assert_int_equal(err.kind, ERR_DB_DOWN);
    assert_text_has(err.text, "nowhere.invalid");
}

static void a_port_where_nobody_listens_fails_at_connect(void **state)
{
    (void)state;
    struct err err = failure_of("postgresql://app:" CANARY "@127.0.0.1:1/app");
    assert_string_equal(err.step, "connect");
    assert_int_equal(err.kind, ERR_DB_DOWN);
    assert_int_equal(err.sys_errno, ECONNREFUSED);
    assert_text_has(err.text, "Connection refused");
    assert_true(db_should_wait(&err));
}

static void a_socket_that_is_not_there_fails_at_connect(void **state)
{
    (void)state;
    struct err err = failure_of("postgresql://app@/app?host=/nonexistent");
    assert_string_equal(err.step, "connect");
    assert_int_equal(err.sys_errno, ENOENT);
    assert_true(db_should_wait(&err));
}

/* As many wait there as the server lets wait: it is busy, and will not be for long. */
static void a_socket_whose_queue_is_full_is_worth_waiting_for(void **state)
{
    (void)state;
    char folder[] = "/tmp/agent-queue-XXXXXX", url[128];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert_non_null(mkdtemp(folder));
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.5432", folder);
    int server_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server_fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(server_fd, 0), 0);
    int waiting = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(waiting, (const struct sockaddr *)&address, sizeof(address)), 0);
    (void)snprintf(url, sizeof(url), "postgresql://app@/app?host=%s&port=5432", folder);
    struct err err = failure_of(url);
    assert_string_equal(err.step, "connect");
    assert_int_equal(err.sys_errno, EAGAIN);
    assert_true(db_should_wait(&err));
    (void)close(waiting);
    (void)close(server_fd);
    assert_int_equal(unlink(address.sun_path), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void the_second_host_of_a_list_is_tried(void **state)
{
    (void)state;
    AUTO_DB db = NULL;
    struct err err = ERR_INIT;
    struct db_info info;
    char url[256], port[16];
    (void)snprintf(url, sizeof(url),
                   "postgresql://app:" CANARY "@127.0.0.1:1,localhost:%u/postgres",
                   pg_port(server));
    (void)snprintf(port, sizeof(port), "%u", pg_port(server));
    if (connect_url(url, LONG_MS, &db, &err) != 0)
        fail_msg("%s", err.text);
    db_info(db, &info);
    assert_string_equal(info.host, "localhost");
    assert_string_equal(info.port, port);
}

static void every_host_that_failed_is_named(void **state)
{
    (void)state;
    struct err err = failure_of("postgresql://app:" CANARY "@127.0.0.1:1,127.0.0.1:2/app");
    assert_text_has(err.text, "2 attempts failed");
    assert_text_has(err.text, "127.0.0.1:1");
    assert_text_has(err.text, "127.0.0.1:2");
    assert_string_equal(err.step, "connect");
}

static void a_wrong_password_fails_at_auth(void **state)
{
    (void)state;
    struct err err = failure_over_tcp("app", "wrong-" CANARY, "postgres", "");
    assert_string_equal(err.step, "auth");
    assert_int_equal(err.kind, ERR_DB_REFUSED);
    assert_string_equal(err.sqlstate, "28P01");
    assert_text_has(err.text, "invalid_password");
    assert_false(db_should_wait(&err));
}

static void a_missing_password_fails_at_auth(void **state)
{
    (void)state;
    char url[128];
    (void)snprintf(url, sizeof(url), "postgresql://app@127.0.0.1:%u/postgres", pg_port(server));
    struct err err = failure_of(url);
    assert_string_equal(err.step, "auth");
    assert_int_equal(err.kind, ERR_DB_REFUSED);
    assert_text_has(err.text, "no password");
}

static void no_password_file_is_read(void **state)
{
    (void)state;
    char url[128], path[] = "/tmp/agent-passfile-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_true(write(fd, "*:*:*:*:" CANARY "\n", strlen("*:*:*:*:" CANARY "\n")) > 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(setenv("PGPASSFILE", path, 1), 0);
    assert_int_equal(setenv("PGPASSWORD", CANARY, 1), 0);
    (void)snprintf(url, sizeof(url), "postgresql://app@127.0.0.1:%u/postgres", pg_port(server));
    struct err err = failure_of(url);
    assert_text_has(err.text, "no password");
    assert_int_equal(unsetenv("PGPASSFILE") | unsetenv("PGPASSWORD") | unlink(path), 0);
}

static void a_rule_in_pg_hba_fails_at_auth(void **state)
{
    (void)state;
    struct err err = failure_over_tcp("refused", CANARY, "postgres", "");
    assert_string_equal(err.step, "auth");
    assert_string_equal(err.sqlstate, "28000");
}

static void a_database_that_is_not_there_fails_at_database(void **state)
{
    (void)state;
    struct err err = failure_over_tcp("app", CANARY, "nosuch", "");
    assert_string_equal(err.step, "database");
    assert_int_equal(err.kind, ERR_DB_REFUSED);
    assert_string_equal(err.sqlstate, "3D000");
}

static void a_database_that_is_shut_fails_at_privilege(void **state)
{
    (void)state;
    struct err err = failure_over_tcp("app", CANARY, "shut", "");
    assert_string_equal(err.step, "privilege");
    assert_string_equal(err.sqlstate, "42501");
}

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

static void a_url_is_named_by_its_variable_and_never_quoted(void **state)
{
    (void)state;
    static const char *const urls[] = {"mysql://app:" CANARY "@db/app",
                                       "postgresql://app:" CANARY "%zz@db/app",
                                       "postgresql://app:" CANARY "@db:99999/app",
                                       "postgresql://app:" CANARY "%00@db/app", CANARY};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct err err = ERR_INIT;
        struct db *db = NULL;
        assert_int_equal(connect_url(urls[i], LONG_MS, &db, &err), -1);
        assert_int_equal(err.kind, ERR_CONTRACT);
        assert_text_has(err.text, "DATABASE_URL");
        assert_text_lacks(err.text, CANARY);
    }
}

static void odd_passwords_reach_the_server_as_they_are(void **state)
{
    (void)state;
    AUTO_DB db = NULL;
    struct err err = ERR_INIT;
    pg_sql(server, "postgres", "CREATE ROLE odd LOGIN PASSWORD 'a@b/c:d?e#f g''h\\i%'");
    AUTO_FREE char *url = pg_tcp_url(server, "odd", "a%40b%2Fc%3Ad%3Fe%23f%20g'h%5Ci%25",
                                     "postgres", "");
    if (connect_url(url, LONG_MS, &db, &err) != 0)
        fail_msg("%s", err.text);
}

/* ---- statements ------------------------------------------------------------------------------------ */

static void every_result_of_a_message_comes_in_order_in_one_round_trip(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct db_results results = {0};
    struct err err = ERR_INIT;
    int result = db_query(db,
                          "SELECT 1 AS one, NULL AS nothing; CREATE TEMP TABLE t (a int);"
                          "INSERT INTO t VALUES (1), (2); SELECT a FROM t ORDER BY a",
                          clock_in_ms(LONG_MS), &results, NULL, &err);
    assert_int_equal(result, 0);
    assert_int_equal(results.count, 4);
    assert_string_equal(results.list[0].names[0], "one");
    assert_null(results.list[0].cells[1]);
    assert_string_equal(db_cell(&results.list[0], 0, 1), "");
    assert_string_equal(results.list[2].tag, "INSERT 0 2");
    assert_int_equal(results.list[3].row_count, 2);
    assert_string_equal(db_cell(&results.list[3], 1, 0), "2");
    assert_int_equal(db_round_trips(db), 1);
    db_results_free(&results);
}

static void a_failing_statement_is_counted_and_located(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct db_failure failed;
    struct err err = ERR_INIT;
    size_t completed = 99;
    static const char sql[] = "SELECT 1; SELECT 2; SELECT nosuch; SELECT 4";
    assert_int_equal(
        db_execute(db, sql, strlen(sql), clock_in_ms(LONG_MS), &completed, &failed, &err), -1);
    assert_int_equal(completed, 2);
    assert_int_equal(failed.statement, 2);
    assert_int_equal(failed.position, strstr(sql, "nosuch") - sql + 1);
    assert_false(failed.connection_lost);
    assert_int_equal(err.kind, ERR_DB_SQL);
    assert_string_equal(err.sqlstate, "42703");
    assert_text_has(err.text, "column \"nosuch\" does not exist (42703 undefined_column)");
    assert_text_lacks(err.text, "LINE 1");
    assert_false(db_is_lost(db));
}

static void detail_hint_and_context_of_the_server_are_kept(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    struct db_results results = {0};
    assert_int_equal(db_query(db,
                              "DO $$BEGIN RAISE EXCEPTION 'first' USING DETAIL = 'second', "
                              "HINT = 'third'; END$$",
                              clock_in_ms(LONG_MS), &results, NULL, &err),
                     -1);
    assert_text_has(err.text, "first (P0001 raise_exception); detail: second; in: PL/pgSQL");
    assert_text_has(err.hint, "third");
}

static void an_exception_without_a_message_is_not_blank(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    struct db_results results = {0};
    assert_int_equal(db_query(db, "DO $$BEGIN RAISE EXCEPTION USING MESSAGE = ''; END$$",
                              clock_in_ms(LONG_MS), &results, NULL, &err),
                     -1);
    assert_text_has(err.text, "the server gave a code and no text (P0001 raise_exception)");
}

static void sqlstates_become_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *sqlstate;
        enum err_kind kind;
        const char *step;
    } cases[] = {{"25006", ERR_DB_DOWN, "query"},        {"55P03", ERR_DB_LOCK, "query"},
                 {"42501", ERR_DB_REFUSED, "privilege"}, {"53300", ERR_DB_DOWN, "query"},
                 {"42P07", ERR_DB_SQL, "query"},         {"57014", ERR_DB_SQL, "query"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_DB db = connected();
        struct err err = ERR_INIT;
        struct db_results results = {0};
        char sql[128];
        (void)snprintf(sql, sizeof(sql),
                       "DO $$BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '%s'; END$$",
                       cases[i].sqlstate);
        assert_int_equal(db_query(db, sql, clock_in_ms(LONG_MS), &results, NULL, &err), -1);
        assert_int_equal(err.kind, cases[i].kind);
        assert_string_equal(err.step, cases[i].step);
        assert_string_equal(err.sqlstate, cases[i].sqlstate);
    }
}

static void the_deadline_cancels_the_statement_and_keeps_the_connection(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    struct db_failure failed;
    struct db_results results = {0};
    assert_int_equal(
        db_query(db, "SELECT pg_sleep(60)", clock_in_ms(SHORT_MS), &results, &failed, &err), -1);
    assert_int_equal(err.kind, ERR_DB_DOWN);
    assert_int_equal(err.sys_errno, ETIMEDOUT);
    assert_text_has(err.text, "the statement was cancelled");
    assert_false(failed.connection_lost);
    assert_int_equal(db_query(db, "SELECT 1", clock_in_ms(LONG_MS), &results, NULL, &err), 0);
    db_results_free(&results);
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

static void a_connection_that_the_server_ends_keeps_its_sqlstate(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    struct db_failure failed;
    struct db_results results = {0};
    assert_int_equal(db_query(db, "SELECT pg_terminate_backend(pg_backend_pid())",
                              clock_in_ms(LONG_MS), &results, &failed, &err),
                     -1);
    assert_true(failed.connection_lost);
    assert_int_equal(err.kind, ERR_DB_DOWN);
    assert_string_equal(err.sqlstate, "57P01");
    assert_text_has(err.text, "terminating connection due to administrator command");
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

static void copies_and_statements_share_one_message(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    struct db_results results = {0};
    size_t completed = 0;
    static const char sql[] = "CREATE TEMP TABLE a (x text); COPY a FROM stdin;"
                              "CREATE TEMP TABLE b (x int, y text); COPY b FROM stdin;"
                              "INSERT INTO a VALUES ('last')";
    const struct db_copy_data copies[] = {{"one\ntwo\n", 8}, {"1\t\\N\n", 5}};
    if (db_execute_copies(db, sql, strlen(sql), copies, 2, clock_in_ms(LONG_MS), &completed, NULL,
                          &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(completed, 5);
    assert_int_equal(db_round_trips(db), 3); /* the message, and one for each COPY */
    assert_int_equal(db_query(db, "SELECT string_agg(x, ',') FROM a; SELECT y IS NULL FROM b",
                              clock_in_ms(LONG_MS), &results, NULL, &err),
                     0);
    assert_string_equal(db_cell(&results.list[0], 0, 0), "one,two,last");
    assert_string_equal(db_cell(&results.list[1], 0, 0), "t");
    db_results_free(&results);
}

static void the_last_results_of_a_script_are_kept(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    struct db_results results = {0};
    static const char sql[] = "SELECT 1; CREATE TEMP TABLE a (x text); COPY a FROM stdin; SELECT x "
                              "FROM a; SELECT 'end'";
    const struct db_copy_data copy = {"one\n", 4};
    if (db_execute_last(db, sql, strlen(sql), &copy, 1, 2, clock_in_ms(LONG_MS), &results, NULL,
                        &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(results.count, 2);
    assert_string_equal(db_cell(&results.list[0], 0, 0), "one");
    assert_string_equal(db_cell(&results.list[1], 0, 0), "end");
    db_results_free(&results);
}

/* *TARGET is DB's own, for the connection beside it. */
static void begin_beside(struct db *db, struct db_target *target, const char *sql)
{
    AUTO_FREE char *url = pg_socket_url(server, "postgres", "postgres");
    struct secret secret = secret_borrow(url, strlen(url));
    struct err err = ERR_INIT;
    db_target_release(target);
    if (db_target_parse(&secret, "DATABASE_URL", target, &err) != 0 ||
        db_beside_begin(db, target, sql, clock_in_ms(LONG_MS), &err) != 0)
        fail_msg("%s", err.text);
}

static void a_connection_beside_waits_in_the_server_for_the_first(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    AUTO_DB beside = NULL;
    struct db_target target = {0};
    struct err err = ERR_INIT;
    struct db_results results = {0};
    bool in_doubt;
    static const char work[] =
        "BEGIN; SELECT pg_advisory_xact_lock(7); CREATE TABLE beside (x int); "
        "SELECT pg_sleep(0.3)";
    begin_beside(db, &target,
                 "SELECT pg_sleep(0.1); SELECT pg_advisory_xact_lock_shared(7); SELECT count(*) "
                 "FROM pg_class WHERE relname = 'beside'");
    assert_int_equal(db_execute(db, work, strlen(work), clock_in_ms(LONG_MS), NULL, NULL, &err), 0);
    assert_int_equal(db_commit(db, clock_in_ms(LONG_MS), &in_doubt, &err), 0);
    if (db_beside_collect(db, clock_in_ms(LONG_MS), &beside, &results, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(db_cell(&results.list[2], 0, 0), "1");
    assert_false(db_has_beside(db));
    db_results_free(&results);
    db_target_release(&target);
    pg_sql(server, "postgres", "DROP TABLE beside");
}

static void an_error_beside_is_told_when_it_is_asked_for(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct db *beside = NULL;
    struct db_target target = {0};
    struct err err = ERR_INIT;
    struct db_results results = {0};
    begin_beside(db, &target, "SELECT 1/0");
    assert_int_equal(db_query(db, "SELECT 1", clock_in_ms(LONG_MS), &results, NULL, &err), 0);
    db_results_free(&results);
    assert_int_equal(db_beside_collect(db, clock_in_ms(LONG_MS), &beside, &results, &err), -1);
    assert_string_equal(err.sqlstate, "22012");
    assert_null(beside);
    begin_beside(db, &target, "SELECT pg_sleep(60)"); /* ends with the first one */
    assert_int_equal(db_query(db, "SELECT 1", clock_in_ms(LONG_MS), &results, NULL, &err), 0);
    db_results_free(&results);
    db_close(TAKE_POINTER(db));
    db_target_release(&target);
}

static void much_copy_data_flows_in_chunks(void **state)
{
    (void)state;
    enum { LINES = 400000, LINE = 10 };
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    struct db_results results = {0};
    AUTO_FREE char *data = malloc(LINES * LINE);
    assert_non_null(data);
    for (size_t i = 0; i < LINES; i++)
        memcpy(data + i * LINE, "123456789\n", LINE);
    static const char make[] = "CREATE TEMP TABLE c (x int)";
    assert_int_equal(db_execute(db, make, strlen(make), clock_in_ms(LONG_MS), NULL, NULL, &err), 0);
    if (db_copy(db, "COPY c FROM stdin", data, LINES * LINE, clock_in_ms(LONG_MS), NULL, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(
        db_query(db, "SELECT count(*) FROM c", clock_in_ms(LONG_MS), &results, NULL, &err), 0);
    assert_string_equal(db_cell(&results.list[0], 0, 0), "400000");
    db_results_free(&results);
}

static void bad_copy_data_names_the_line(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    struct db_failure failed;
    static const char sql[] = "CREATE TEMP TABLE d (x int); COPY d FROM stdin";
    const struct db_copy_data copy = {"1\nzwei\n", 7};
    assert_int_equal(db_execute_copies(db, sql, strlen(sql), &copy, 1, clock_in_ms(LONG_MS), NULL,
                                       &failed, &err),
                     -1);
    assert_string_equal(err.sqlstate, "22P02");
    assert_text_has(err.text, "COPY d, line 2, column x: \"zwei\"");
    assert_int_equal(failed.statement, 1);
    assert_false(db_is_lost(db));
}

static void copy_without_data_and_copy_out_are_errors(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    struct db_results results = {0};
    assert_int_equal(db_query(db, "CREATE TEMP TABLE e (x int); COPY e FROM stdin",
                              clock_in_ms(LONG_MS), &results, NULL, &err),
                     -1);
    assert_text_has(err.text, "there is no data for this COPY");
    assert_int_equal(db_query(db, "COPY (SELECT generate_series(1, 1000)) TO stdout",
                              clock_in_ms(LONG_MS), &results, NULL, &err),
                     -1);
    assert_text_has(err.text, "COPY ... TO stdout can't be used here");
    assert_int_equal(db_query(db, "SELECT 1", clock_in_ms(LONG_MS), &results, NULL, &err), 0);
    db_results_free(&results);
}

static void execute_takes_a_part_of_a_longer_text(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    size_t completed = 0;
    assert_int_equal(
        db_execute(db, "SELECT 1; nonsense", 8, clock_in_ms(LONG_MS), &completed, NULL, &err), 0);
    assert_int_equal(completed, 1);
}

static void one_query_ends_at_the_ceiling(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    struct db_rows rows = {0};
    bool more = false;
    assert_int_equal(db_query_one(db, "SELECT generate_series(1, 100000000) AS n, NULL, ''", 3,
                                  clock_in_ms(LONG_MS), &rows, &more, &err),
                     0);
    assert_true(more);
    assert_int_equal(rows.row_count, 3);
    assert_string_equal(rows.names[0], "n");
    assert_string_equal(rows.cells[6], "3");
    assert_null(rows.cells[7]);
    assert_string_equal(rows.cells[8], "");
    assert_true(db_is_lost(db));
    db_rows_free(&rows);
}

static void one_query_is_one_statement(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    struct db_rows rows = {0};
    bool more = false;
    assert_int_equal(
        db_query_one(db, "SELECT 1; DROP TABLE x", 3, clock_in_ms(LONG_MS), &rows, &more, &err),
        -1);
    assert_text_has(err.text, "cannot insert multiple commands into a prepared statement");
    assert_int_equal(
        db_query_one(db, "SELECT 1 WHERE false", 3, clock_in_ms(LONG_MS), &rows, &more, &err), 0);
    assert_false(more);
    assert_int_equal(rows.row_count, 0);
    assert_int_equal(rows.column_count, 1);
    db_rows_free(&rows);
}

/* ---- COMMIT ---------------------------------------------------------------------------------------- */

static void commit_of_an_aborted_transaction_is_no_success(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    struct db_results results = {0};
    bool in_doubt = true;
    assert_int_equal(
        db_query(db, "BEGIN; SELECT nosuch", clock_in_ms(LONG_MS), &results, NULL, &err), -1);
    assert_int_equal(db_commit(db, clock_in_ms(LONG_MS), &in_doubt, &err), -1);
    assert_false(in_doubt);
    assert_text_has(err.text, "the server answered 'ROLLBACK': nothing was committed");
}

static void commit_that_a_constraint_stops_is_not_in_doubt(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    bool in_doubt = true;
    static const char sql[] =
        "CREATE TEMP TABLE f (x int UNIQUE DEFERRABLE INITIALLY DEFERRED); BEGIN;"
        "INSERT INTO f VALUES (1), (1)";
    assert_int_equal(db_execute(db, sql, strlen(sql), clock_in_ms(LONG_MS), NULL, NULL, &err), 0);
    assert_int_equal(db_commit(db, clock_in_ms(LONG_MS), &in_doubt, &err), -1);
    assert_false(in_doubt);
    assert_string_equal(err.sqlstate, "23505");
}

static void commit_with_its_tag_is_a_success(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    bool in_doubt = true;
    assert_int_equal(
        db_execute(db, "BEGIN", strlen("BEGIN"), clock_in_ms(LONG_MS), NULL, NULL, &err), 0);
    assert_int_equal(db_commit(db, clock_in_ms(LONG_MS), &in_doubt, &err), 0);
    assert_false(in_doubt);
    assert_int_equal(db_round_trips(db), 2);
}

static void commit_whose_answer_is_lost_is_in_doubt(void **state)
{
    (void)state;
    struct pg_script scripts[] = {{.part = PG_PART_CLOSE_ON_QUERY},
                                  {.part = PG_PART_HANG_ON_QUERY}};
    for (size_t i = 0; i < 2; i++) {
        AUTO_DB db = connected_to_part(&scripts[i]);
        struct err err = ERR_INIT;
        bool in_doubt = false;
        assert_int_equal(db_commit(db, clock_in_ms(SHORT_MS), &in_doubt, &err), -1);
        assert_true(in_doubt);
        assert_int_equal(err.kind, ERR_DB_DOWN);
        assert_text_has(err.text, "COMMIT");
        in_doubt = true;
        assert_int_equal(db_commit(db, clock_in_ms(SHORT_MS), &in_doubt, &err), -1);
        assert_false(in_doubt); /* this one was never sent */
        pg_script_stop(&scripts[i]);
    }
}

static void commit_with_another_tag_is_no_success(void **state)
{
    (void)state;
    struct pg_script script = {.part = PG_PART_TAG, .message = "ROLLBACK"};
    AUTO_DB db = connected_to_part(&script);
    struct err err = ERR_INIT;
    bool in_doubt = true;
    assert_int_equal(db_commit(db, clock_in_ms(LONG_MS), &in_doubt, &err), -1);
    assert_false(in_doubt);
    pg_script_stop(&script);
}

static void identifiers_and_literals_survive_quoting(void **state)
{
    (void)state;
    static const char *const odd[] = {"plain", "it's", "back\\slash'", "\"quoted\"", "Grüße", ""};
    AUTO_DB db = connected();
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        AUTO_BUF sql = BUF_INIT(1024);
        struct db_results results = {0};
        struct err err = ERR_INIT;
        buf_adds(&sql, "SET standard_conforming_strings = ");
        buf_adds(&sql, i % 2 ? "off; SELECT " : "on; SELECT ");
        db_add_literal(&sql, odd[i]);
        buf_adds(&sql, " AS ");
        db_add_identifier(&sql, *odd[i] ? odd[i] : "x");
        if (db_query(db, buf_text(&sql), clock_in_ms(LONG_MS), &results, NULL, &err) != 0)
            fail_msg("%s", err.text);
        assert_string_equal(db_cell(&results.list[1], 0, 0), odd[i]);
        assert_string_equal(results.list[1].names[0], *odd[i] ? odd[i] : "x");
        db_results_free(&results);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_socket_connection_says_where_it_is),
        cmocka_unit_test(tcp_on_loopback_prefers_tls),
        cmocka_unit_test(a_driver_in_the_scheme_and_its_ssl_word_are_understood),
        cmocka_unit_test(the_application_name_is_agent),
        cmocka_unit_test(verify_full_trusts_the_named_root_alone),
        cmocka_unit_test(the_environment_does_not_decide_where_we_go),
        cmocka_unit_test(a_name_that_is_not_there_fails_at_resolve),
        cmocka_unit_test(a_port_where_nobody_listens_fails_at_connect),
        cmocka_unit_test(a_socket_that_is_not_there_fails_at_connect),
        cmocka_unit_test(a_socket_whose_queue_is_full_is_worth_waiting_for),
        cmocka_unit_test(the_second_host_of_a_list_is_tried),
        cmocka_unit_test(every_host_that_failed_is_named),
        cmocka_unit_test(a_wrong_password_fails_at_auth),
        cmocka_unit_test(a_missing_password_fails_at_auth),
        cmocka_unit_test(no_password_file_is_read),
        cmocka_unit_test(a_rule_in_pg_hba_fails_at_auth),
        cmocka_unit_test(a_database_that_is_not_there_fails_at_database),
        cmocka_unit_test(a_database_that_is_shut_fails_at_privilege),
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
        cmocka_unit_test(a_url_is_named_by_its_variable_and_never_quoted),
        cmocka_unit_test(odd_passwords_reach_the_server_as_they_are),
        cmocka_unit_test(every_result_of_a_message_comes_in_order_in_one_round_trip),
        cmocka_unit_test(a_failing_statement_is_counted_and_located),
        cmocka_unit_test(detail_hint_and_context_of_the_server_are_kept),
        cmocka_unit_test(an_exception_without_a_message_is_not_blank),
        cmocka_unit_test(sqlstates_become_kinds),
        cmocka_unit_test(the_deadline_cancels_the_statement_and_keeps_the_connection),
        cmocka_unit_test(a_server_that_is_stuck_is_given_up_at_the_deadline),
        cmocka_unit_test(a_connection_that_the_server_ends_keeps_its_sqlstate),
        cmocka_unit_test(notices_without_end_do_not_hold_us),
        cmocka_unit_test(a_password_echoed_by_a_statements_error_is_hidden),
        cmocka_unit_test(copies_and_statements_share_one_message),
        cmocka_unit_test(the_last_results_of_a_script_are_kept),
        cmocka_unit_test(a_connection_beside_waits_in_the_server_for_the_first),
        cmocka_unit_test(an_error_beside_is_told_when_it_is_asked_for),
        cmocka_unit_test(much_copy_data_flows_in_chunks),
        cmocka_unit_test(bad_copy_data_names_the_line),
        cmocka_unit_test(copy_without_data_and_copy_out_are_errors),
        cmocka_unit_test(execute_takes_a_part_of_a_longer_text),
        cmocka_unit_test(one_query_ends_at_the_ceiling),
        cmocka_unit_test(one_query_is_one_statement),
        cmocka_unit_test(commit_of_an_aborted_transaction_is_no_success),
        cmocka_unit_test(commit_that_a_constraint_stops_is_not_in_doubt),
        cmocka_unit_test(commit_with_its_tag_is_a_success),
        cmocka_unit_test(commit_whose_answer_is_lost_is_in_doubt),
        cmocka_unit_test(commit_with_another_tag_is_no_success),
        cmocka_unit_test(identifiers_and_literals_survive_quoting),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
