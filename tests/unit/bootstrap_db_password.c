/* tests/unit/bootstrap_db_password.c: verifiers that a real server takes, and texts that are hidden. */
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/str.h"
#include "bootstrap/db.h"
#include "tests/lib/pg.h"

enum { LONG_MS = 20 * 1000 };

static struct pg *server;

static int start_server(void **state)
{
    (void)state;
    /* What would be wrong if the server were asked for the algorithm. */
    server = pg_start("password_encryption = md5");
    pg_sql(server, "postgres", "CREATE ROLE app LOGIN");
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    pg_stop(server);
    return 0;
}

static struct db *connected(const char *url)
{
    struct err err = ERR_INIT;
    struct db *db = NULL;
    struct db_target target = {0};
    struct secret secret = secret_borrow(url, strlen(url));
    if (db_target_parse(&secret, "URL", &target, &err) != 0 ||
        db_connect(&target, clock_in_ms(LONG_MS), &db, &err) != 0)
        fail_msg("%s", err.text);
    db_target_release(&target);
    return db;
}

static struct db *superuser(void)
{
    AUTO_FREE char *url = pg_socket_url(server, "postgres", "postgres");
    return connected(url);
}

static void a_verifier_lets_the_password_in(void **state)
{
    (void)state;
    static const char *const passwords[] = {"plain0", "it's \"odd\" \\ $1 %", "gr\xc3\xbc\xc3\x9f"};
    AUTO_DB admin = superuser();
    for (size_t i = 0; i < ARRAY_LEN(passwords); i++) {
        struct err err = ERR_INIT;
        struct secret password = secret_borrow(passwords[i], strlen(passwords[i]));
        AUTO_SECRET verifier = SECRET_INIT;
        AUTO_BUF sql = BUF_INIT(4096);
        unsigned before = db_round_trips(admin);
        assert_int_equal(db_password_verifier(admin, "app", &password, &verifier, &err), 0);
        assert_int_equal(db_round_trips(admin), before);
        assert_int_equal(strncmp(secret_reveal(&verifier), "SCRAM-SHA-256$4096:", 19), 0);
        assert_text_lacks(secret_reveal(&verifier), passwords[i]);
        buf_adds(&sql, "ALTER ROLE app PASSWORD ");
        db_add_literal(&sql, secret_reveal(&verifier));
        if (db_execute(admin, buf_text(&sql), sql.len, CLOCK_NEVER, NULL, NULL, &err) != 0)
            fail_msg("%s", err.text);
        AUTO_BUF encoded = BUF_INIT(4096);
        str_add_percent(&encoded, passwords[i], strlen(passwords[i]));
        AUTO_FREE char *url = pg_tcp_url(server, "app", buf_text(&encoded), "postgres", "");
        AUTO_DB app = connected(url);
        struct db_info info;
        db_info(app, &info);
        assert_string_equal(info.user, "app");
    }
}

static void two_verifiers_of_one_password_differ(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct secret password = secret_borrow("same", 4);
    AUTO_DB admin = superuser();
    AUTO_SECRET first = SECRET_INIT;
    AUTO_SECRET second = SECRET_INIT;
    assert_int_equal(db_password_verifier(admin, "app", &password, &first, &err), 0);
    assert_int_equal(db_password_verifier(admin, "app", &password, &second, &err), 0);
    assert_false(secret_equal(&first, &second));
}

static void what_is_hidden_is_not_in_a_statements_error(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct secret text = secret_borrow("canary-hidden-1", 15);
    static const char sql[] = "SELECT 'canary-hidden-1'::int";
    AUTO_DB admin = superuser();
    assert_int_equal(db_execute(admin, sql, strlen(sql), CLOCK_NEVER, NULL, NULL, &err), -1);
    assert_text_has(err.text, "canary-hidden-1"); /* the server does repeat it */
    assert_int_equal(db_hide(admin, &text, &err), 0);
    assert_int_equal(db_execute(admin, sql, strlen(sql), CLOCK_NEVER, NULL, NULL, &err), -1);
    assert_text_lacks(err.text, "canary-hidden-1");
    assert_text_has(err.text, "***");
    assert_string_equal(err.sqlstate, "22P02");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_verifier_lets_the_password_in),
        cmocka_unit_test(two_verifiers_of_one_password_differ),
        cmocka_unit_test(what_is_hidden_is_not_in_a_statements_error),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
