/* tests/unit/bootstrap_db_connect.c: the way to a connection, step by step, on a real server. */
#include "tests/unit/bootstrap_db.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

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

static void what_the_session_is_set_to_fails_at_database(void **state)
{
    (void)state;
    struct err err = failure_over_tcp("app", CANARY, "postgres", "?options=-c%20nosuch%3D1");
    assert_string_equal(err.step, "database");
    assert_int_equal(err.kind, ERR_DB_REFUSED);
    assert_string_equal(err.sqlstate, "42704");
    assert_text_has(err.text, "unrecognized configuration parameter \"nosuch\" (42704");
    assert_text_has(err.hint, "ALTER ROLE or DATABASE ... SET");
}

static void a_limit_of_connections_is_named(void **state)
{
    (void)state;
    pg_sql(server, "postgres", "ALTER ROLE app CONNECTION LIMIT 0");
    struct err err = failure_over_tcp("app", CANARY, "postgres", "");
    pg_sql(server, "postgres", "ALTER ROLE app CONNECTION LIMIT -1");
    assert_string_equal(err.sqlstate, "53300");
    assert_text_has(err.hint, "CONNECTION LIMIT of the role");
    pg_sql(server, "postgres", "CREATE DATABASE closed ALLOW_CONNECTIONS false");
    struct err closed = failure_over_tcp("app", CANARY, "closed", "");
    assert_string_equal(closed.step, "database");
    assert_text_has(closed.hint, "ALLOW_CONNECTIONS");
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
        cmocka_unit_test(what_the_session_is_set_to_fails_at_database),
        cmocka_unit_test(a_limit_of_connections_is_named),
        cmocka_unit_test(a_url_is_named_by_its_variable_and_never_quoted),
        cmocka_unit_test(odd_passwords_reach_the_server_as_they_are),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
