/* tests/unit/bootstrap_db_params.c: URL and environment → libpq's keywords. */
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "bootstrap/db_params.h"

#define CANARY "canary-params-55"

static void parse(const char *url, struct db_target *target)
{
    struct err err = ERR_INIT;
    struct secret secret = secret_borrow(url, strlen(url));
    if (db_target_parse(&secret, "DATABASE_URL", target, &err) != 0)
        fail_msg("%s", err.text);
}

/* The params of URL's first host, as if it had resolved to ADDRESS. They borrow from TARGET. */
static void build(const char *url, const char *address, struct db_target *target,
                  struct db_params *params)
{
    struct err err = ERR_INIT;
    parse(url, target);
    if (db_params_build(target, target->host, target->port, address, params, &err) != 0)
        fail_msg("%s", err.text);
}

static void assert_param(const char *url, const char *keyword, const char *expected)
{
    struct db_target target = {0};
    AUTO_DB_PARAMS params = DB_PARAMS_INIT;
    build(url, "", &target, &params);
    const char *value = db_params_get(&params, keyword);
    if (!value || strcmp(value, expected) != 0)
        fail_msg("%s is '%s', not '%s', for %s", keyword, value ? value : "(unsaid)", expected,
                 url);
    db_target_release(&target);
}

static void all_that_says_where_we_go_is_given(void **state)
{
    (void)state;
    struct db_target target = {0};
    AUTO_DB_PARAMS params = DB_PARAMS_INIT;
    build("postgresql://app:" CANARY "@db.acme.io:6543/main", "10.1.2.3", &target, &params);
    static const char *const pairs[][2] = {
        {"host", "db.acme.io"},
        {"hostaddr", "10.1.2.3"},
        {"port", "6543"},
        {"user", "app"},
        {"password", CANARY},
        {"dbname", "main"},
        {"gssencmode", "disable"},
        {"client_encoding", "UTF8"},
        {"application_name", "agent"},
        {"passfile", "/dev/null/none"},
        {"sslcert", "/dev/null/none"},
        {"sslkey", "/dev/null/none"},
        {"channel_binding", "prefer"},
        {"target_session_attrs", "any"},
    };
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
        assert_string_equal(db_params_get(&params, pairs[i][0]), pairs[i][1]);
    assert_null(db_params_get(&params, "options")); /* a pooler may refuse it */
    assert_null(params.keywords[params.count]);
    db_target_release(&target);
}

static void tls_is_required_beyond_this_machine_unless_the_url_says_otherwise(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"postgresql://app@db.acme.io/x", "require"},
        {"postgresql://app@10.0.0.1/x", "require"},
        {"postgresql://app@[2001:db8::1]/x", "require"},
        {"postgresql://app@localhost.evil.io/x", "require"},
        {"postgresql://app@localhost/x", "prefer"},
        {"postgresql://app@127.8.8.8/x", "prefer"},
        {"postgresql://app@[::1]/x", "prefer"},
        {"postgresql://app@/x?host=/run/postgresql", "prefer"},
        {"postgresql://app@%2Frun%2Fpostgresql/x", "prefer"},
        {"postgresql://app@db.acme.io/x?sslmode=disable", "disable"},
        {"postgresql://app@db.acme.io/x?sslmode=verify-full", "verify-full"},
        {"postgresql+asyncpg://app@db.acme.io/x?ssl=verify-ca", "verify-ca"},
        {"postgresql://app@localhost/x?ssl=true", "require"},
        {"postgresql+asyncpg://app@db.acme.io/x?ssl=disable&sslmode=require", "require"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_param(cases[i][0], "sslmode", cases[i][1]);
}

static void the_environment_may_make_tls_stronger_and_not_weaker(void **state)
{
    (void)state;
    assert_int_equal(setenv("PGSSLMODE", "disable", 1), 0);
    assert_param("postgresql://app@db.acme.io/x", "sslmode", "require");
    assert_int_equal(setenv("PGSSLMODE", "require", 1), 0);
    assert_param("postgresql://app@localhost/x", "sslmode", "require"); /* the end of a tunnel */
    assert_param("postgresql://app@localhost/x?sslmode=disable", "sslmode", "disable");
    assert_int_equal(setenv("PGSSLMODE", "verify-full", 1), 0);
    assert_param("postgresql://app@db.acme.io/x", "sslmode", "verify-full");
    assert_param("postgresql://app@db.acme.io/x?sslmode=require", "sslmode", "require");
    assert_int_equal(unsetenv("PGSSLMODE"), 0);
    assert_int_equal(setenv("PGCHANNELBINDING", "disable", 1), 0);
    assert_param("postgresql://app@db.acme.io/x", "channel_binding", "prefer");
    assert_int_equal(unsetenv("PGCHANNELBINDING"), 0);
    assert_param("postgresql://app@db.acme.io/x?channel_binding=disable", "channel_binding",
                 "prefer");
    assert_param("postgresql://app@db.acme.io/x?channel_binding=require", "channel_binding",
                 "require");
}

static void files_of_the_environment_are_taken_where_the_url_has_none(void **state)
{
    (void)state;
    assert_int_equal(setenv("PGSSLROOTCERT", "/etc/ours.pem", 1), 0);
    assert_int_equal(setenv("PGAPPNAME", "nightly", 1), 0);
    assert_param("postgresql://app@db.acme.io/x", "sslrootcert", "/etc/ours.pem");
    assert_param("postgresql://app@db.acme.io/x?sslrootcert=/a%20b.pem", "sslrootcert", "/a b.pem");
    assert_param("postgresql://app@db.acme.io/x", "application_name", "nightly");
    assert_param("postgresql://app@db.acme.io/x?application_name=url", "application_name", "url");
    assert_int_equal(unsetenv("PGSSLROOTCERT"), 0);
    assert_int_equal(unsetenv("PGAPPNAME"), 0);
    assert_param("postgresql://app@db.acme.io/x", "sslrootcert", "/dev/null/none");
}

static void verification_without_a_root_uses_the_systems(void **state)
{
    (void)state;
    assert_param("postgresql://app@db.acme.io/x?sslmode=verify-full", "sslrootcert",
                 "/etc/ssl/certs/ca-certificates.crt");
    assert_param("postgresql://app@db.acme.io/x?sslmode=verify-full&sslrootcert=system",
                 "sslrootcert", "/etc/ssl/certs/ca-certificates.crt");
}

static void a_certificate_without_its_key_is_named(void **state)
{
    (void)state;
    struct db_target target = {0};
    struct err err = ERR_INIT;
    AUTO_DB_PARAMS params = DB_PARAMS_INIT;
    parse("postgresql://app@db.acme.io/x?sslcert=/ours.pem", &target);
    assert_int_equal(db_params_build(&target, target.host, target.port, "", &params, &err), -1);
    assert_int_equal(err.kind, ERR_CONTRACT);
    assert_text_has(err.text, "sslcert is named, and its key is not");
    assert_text_has(err.hint, "sslkey");
    assert_int_equal(setenv("PGSSLKEY", "/ours.key", 1), 0);
    assert_int_equal(db_params_build(&target, target.host, target.port, "", &params, &err), 0);
    assert_string_equal(db_params_get(&params, "sslkey"), "/ours.key");
    assert_int_equal(unsetenv("PGSSLKEY"), 0);
    db_target_release(&target);
}

static void time_place_and_password_file_are_not_the_querys(void **state)
{
    (void)state;
    struct db_target target = {0};
    AUTO_DB_PARAMS params = DB_PARAMS_INIT;
    build("postgresql://app@db.acme.io/x?connect_timeout=1&service=evil&passfile=/etc/passwd"
          "&gssencmode=require&hostaddr=192.0.2.1",
          "", &target, &params);
    assert_null(db_params_get(&params, "connect_timeout"));
    assert_null(db_params_get(&params, "service"));
    assert_null(db_params_get(&params, "hostaddr"));
    assert_string_equal(db_params_get(&params, "passfile"), "/dev/null/none");
    assert_string_equal(db_params_get(&params, "gssencmode"), "disable");
    db_target_release(&target);
}

static void parts_may_stand_in_the_query(void **state)
{
    (void)state;
    struct db_target target = {0};
    parse("postgresql:///?host=/run/pg&port=5433&user=app&password=" CANARY "&dbname=main",
          &target);
    assert_string_equal(target.host, "/run/pg");
    assert_string_equal(target.port, "5433");
    assert_string_equal(target.user, "app");
    assert_string_equal(target.database, "main");
    assert_int_equal(secret_length(&target.password), strlen(CANARY));
    db_target_release(&target);
}

static void a_target_is_described_without_its_password(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"postgresql://app:" CANARY "@db/main", "db:5432 database 'main' user 'app'"},
        {"postgresql://app:" CANARY "@[::1]:6/main", "[::1]:6 database 'main' user 'app'"},
        {"postgresql://app:" CANARY "@a,b:2/main", "a:5432,b:2 database 'main' user 'app'"},
        {"postgresql://%2Frun%2Fpg/main", "/run/pg:5432 database 'main'"},
        {"postgresql:///main", "(default socket):5432 database 'main'"},
        {"postgresql://db?password=" CANARY, "db:5432"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct db_target target = {0};
        AUTO_BUF out = BUF_INIT(1024);
        parse(cases[i][0], &target);
        db_target_describe(&target, &out);
        assert_string_equal(buf_text(&out), cases[i][1]);
        db_target_release(&target);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_says_where_we_go_is_given),
        cmocka_unit_test(tls_is_required_beyond_this_machine_unless_the_url_says_otherwise),
        cmocka_unit_test(the_environment_may_make_tls_stronger_and_not_weaker),
        cmocka_unit_test(files_of_the_environment_are_taken_where_the_url_has_none),
        cmocka_unit_test(verification_without_a_root_uses_the_systems),
        cmocka_unit_test(a_certificate_without_its_key_is_named),
        cmocka_unit_test(time_place_and_password_file_are_not_the_querys),
        cmocka_unit_test(parts_may_stand_in_the_query),
        cmocka_unit_test(a_target_is_described_without_its_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
