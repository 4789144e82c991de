/* tests/unit/rotate_pg_login.c: one login whose password is replaced, on a real server. */
#include "tests/unit/rotate_pg.h"

static int start_server(void **state)
{
    (void)state;
    server = pg_start(NULL);
    pg_sql(server, "postgres",
           "CREATE ROLE admin LOGIN CREATEROLE PASSWORD '" ADMIN_PASSWORD "';" AS_ADMIN
           "CREATE ROLE app_one LOGIN;" AS_BEFORE
           "CREATE ROLE somebody LOGIN PASSWORD '" FIRST_PASSWORD "';"
           "CREATE DATABASE app;");
    return 0;
}

static int fresh_role(void **state)
{
    (void)state;
    sql("app", "ALTER ROLE app_one LOGIN NOSUPERUSER PASSWORD '" FIRST_PASSWORD
               "'; ALTER ROLE admin CREATEROLE");
    set_world(ROTATE_PG_LOGIN);
    set_field("user", "app_one");
    set_field("password", FIRST_PASSWORD);
    return 0;
}

static const struct strategy *const one = &strategy_pg_login;

static void the_password_is_replaced_and_the_former_refused(void **state)
{
    (void)state;
    struct rotation r;
    rotate_until_promoted(&r, one);
    assert_int_equal(db_round_trips(r.admin), 2); /* stage, set */
    assert_string_equal(current("user"), "app_one");
    must(one->retire(&r, &err), "retire");
    assert_int_equal(db_round_trips(r.admin), 3);
    assert_false(logs_in("app_one", FIRST_PASSWORD));
    assert_true(logs_in("app_one", current("password")));
    end(&r);
}

static void a_place_of_a_password_alone_is_tried_at_the_admins_host(void **state)
{
    (void)state;
    struct rotation r;
    document_release(&world.place);
    set_field("password", FIRST_PASSWORD);
    spec.place = (struct rotate_place){
        .kind = ROTATE_IN_KV, .path = "x", .value_field = "password"};
    rotate_until_promoted(&r, one);
    must(one->retire(&r, &err), "retire");
    assert_false(logs_in("app_one", FIRST_PASSWORD));
    assert_true(logs_in("app_one", current("password")));
    end(&r);
}

static void the_admins_url_is_asked_for_once_and_again_where_it_ended(void **state)
{
    (void)state;
    struct rotation r;
    document_release(&world.place);
    set_field("password", FIRST_PASSWORD); /* the admin's URL says where that is tried */
    spec.place = (struct rotate_place){
        .kind = ROTATE_IN_KV, .path = "x", .value_field = "password"};
    rotate_until_promoted(&r, one);
    assert_int_equal(world.admin_asked, 1);
    sql("app", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'admin';"
               "ALTER ROLE admin PASSWORD 'leased-anew'");
    AUTO_FREE char *leased = pg_tcp_url(server, "admin", "leased-anew", "postgres", "");
    (void)snprintf(world.admin_url, sizeof(world.admin_url), "%s", leased);
    if (one->retire(&r, &err) != 0) { /* the server's last word comes with the next message */
        assert_int_equal(err.kind, ERR_DB_DOWN);
        must(one->retire(&r, &err), "retire");
    }
    assert_int_equal(world.admin_asked, 2);
    sql("app", "ALTER ROLE admin PASSWORD '" ADMIN_PASSWORD "'");
    end(&r);
}

static void an_abort_gives_the_former_password_back(void **state)
{
    (void)state;
    struct rotation r;
    begin(&r, one);
    must(one->stage(&r, &err), "stage");
    note_password(&r);
    must(one->restore(&r, &err), "restore what was not set"); /* nothing to do */
    assert_int_equal(db_round_trips(r.admin), 1);
    must(one->set(&r, &err), "set");
    assert_false(logs_in("app_one", FIRST_PASSWORD));
    must(one->restore(&r, &err), "restore");
    assert_true(logs_in("app_one", FIRST_PASSWORD));
    end(&r);
}

static void a_rollback_gives_the_former_password_back(void **state)
{
    (void)state;
    struct rotation r;
    rotate_until_promoted(&r, one);
    must(one->rollback(&r, &err), "rollback");
    promote(&r, "former");
    must(one->restore(&r, &err), "restore");
    assert_true(logs_in("app_one", FIRST_PASSWORD));
    end(&r);
}

static void what_was_done_is_found_on_resume(void **state)
{
    (void)state;
    struct rotation r;
    rotate_until_promoted(&r, one);
    unsigned before = db_round_trips(r.admin);
    r.resumed = true;
    must(one->set(&r, &err), "set again");
    assert_int_equal(db_round_trips(r.admin), before);
    end(&r);
}

static void a_password_that_somebody_changed_meanwhile_is_left(void **state)
{
    (void)state;
    struct rotation r;
    begin(&r, one);
    must(one->stage(&r, &err), "stage");
    sql("app", "ALTER ROLE app_one PASSWORD 'somebody elses'");
    r.resumed = true;
    assert_int_equal(one->set(&r, &err), -1);
    assert_int_equal(err.kind, ERR_ROTATION);
    assert_text_has(err.text, "neither the former nor the pending password of 'app_one'");
    assert_true(logs_in("app_one", "somebody%20elses"));
    end(&r);
}

static void what_somebody_published_meanwhile_is_not_taken_back(void **state)
{
    (void)state;
    struct rotation r;
    begin(&r, one);
    must(one->stage(&r, &err), "stage");
    note_password(&r);
    must(one->set(&r, &err), "set");
    sql("app", "ALTER ROLE app_one PASSWORD 'somebodys-own'");
    set_field("password", "somebodys-own");
    must(one->restore(&r, &err), "restore");
    assert_true(logs_in("app_one", "somebodys-own"));
    assert_text_has(buf_text(&world.said), "keeps the password that somebody else published");
    end(&r);
}

static void what_somebody_published_and_nobody_can_use_is_no_reason_to_keep_it(void **state)
{
    (void)state;
    struct rotation r;
    begin(&r, one);
    must(one->stage(&r, &err), "stage");
    note_password(&r);
    must(one->set(&r, &err), "set");
    set_field("password", "never worked");
    must(one->restore(&r, &err), "restore");
    assert_true(logs_in("app_one", FIRST_PASSWORD));
    end(&r);
}

static void assert_refused(enum err_kind kind, const char *text)
{
    struct rotation r;
    begin(&r, one);
    assert_int_equal(one->stage(&r, &err), -1);
    if (err.kind != kind || !strstr(err.text, text))
        fail_msg("kind %d: %s | %s", err.kind, err.text, err.hint);
    assert_text_lacks(err.text, "canary");
    assert_null(document_get(&r.record.data, "fields", "password"));
    end(&r);
}

static void another_users_password_is_not_ours_to_change(void **state)
{
    (void)state;
    set_field("user", "somebody"); /* who does log in */
    assert_refused(ERR_DB_STATE, "is 'somebody', and the contract's login 'app_one'");
    assert_true(logs_in("app_one", FIRST_PASSWORD));
}

static void a_current_password_that_is_wrong_is_refused(void **state)
{
    (void)state;
    set_field("password", "canary-wrong");
    assert_refused(ERR_DB_REFUSED, "log in with the current credential of 'DATABASE_URL'");
}

static void an_admin_that_may_not_is_told_before_anything_is_written(void **state)
{
    (void)state;
    sql("app", "ALTER ROLE admin NOCREATEROLE");
    assert_refused(ERR_DB_STATE, "the admin 'admin' may not change the password of 'app_one'");
    sql("app", "ALTER ROLE admin CREATEROLE; ALTER ROLE app_one SUPERUSER");
    assert_refused(ERR_DB_STATE, "the admin 'admin' may not change the password of 'app_one'");
}

static void a_contract_without_a_login_is_wrong(void **state)
{
    (void)state;
    spec.login = NULL;
    assert_refused(ERR_CONTRACT, "needs a 'login'");
    spec.login = "app_one";
    spec.admin = NULL;
    assert_refused(ERR_CONTRACT, "has no 'admin'");
}

static void sessions_from_before_are_counted_and_those_behind_are_not(void **state)
{
    (void)state;
    struct rotation r;
    AUTO_DB before = session_of("app_one", FIRST_PASSWORD);
    sql("app", "GRANT pg_read_all_stats, pg_signal_backend TO admin");
    rotate_until_promoted(&r, one);
    AUTO_DB behind = session_of("app_one", current("password"));
    must(one->retire(&r, &err), "retire");
    assert_int_equal(result.sessions, 1);
    context.terminate = true;
    must(one->retire(&r, &err), "retire");
    assert_int_equal(result.sessions, 0);
    assert_int_equal(db_execute(behind, "SELECT 1", 8, CLOCK_NEVER, NULL, NULL, &err), 0);
    assert_int_equal(db_execute(before, "SELECT 1", 8, CLOCK_NEVER, NULL, NULL, &err), -1);
    end(&r);
    sql("app", "REVOKE pg_read_all_stats, pg_signal_backend FROM admin");
}

/* Over a socket that trusts everybody, no password is proven by anything. */
static int value_over_socket(void *owner, const char *variable, const struct document *fields,
                             struct secret *out, struct err *e)
{
    (void)owner;
    (void)variable;
    AUTO_FREE char *url = pg_socket_url(server, field_of(fields, "user"), world.database);
    return secret_set(out, url, strlen(url), e);
}

static void a_server_that_trusts_everybody_proves_nothing(void **state)
{
    (void)state;
    struct rotation r;
    rotate_until_promoted(&r, one);
    context.value_with = value_over_socket;
    assert_int_equal(one->retire(&r, &err), -1);
    assert_int_equal(err.kind, ERR_VIOLATION);
    assert_text_has(err.text, "still logs in");
    assert_text_has(err.hint, "pg_hba.conf");
    end(&r);
}

static void a_session_that_is_not_the_named_owners_fails_the_test(void **state)
{
    (void)state;
    struct rotation r;
    spec.owner = "app_one";
    rotate_until_promoted(&r, one); /* it is its own owner */
    end(&r);
    spec.owner = "somebody";
    begin(&r, one);
    must(one->stage(&r, &err), "stage");
    note_password(&r);
    must(one->set(&r, &err), "set");
    assert_int_equal(one->test(&r, &err), -1);
    assert_text_has(err.text, "begins as 'app_one', not as 'somebody'");
    end(&r);
}

static void the_plan_says_how_the_password_travels(void **state)
{
    (void)state;
    struct rotation r;
    bool ready = true;
    AUTO_BUF text = BUF_INIT(64 * 1024);
    begin(&r, one);
    must(one->plan(&r, &text, &ready, &err), "plan");
    assert_true(ready);
    assert_text_has(buf_text(&text), "SCRAM-SHA-256 verifier");
    end(&r);
    set_field("user", "somebody");
    begin(&r, one);
    must(one->plan(&r, &text, &ready, &err), "plan");
    assert_false(ready);
    assert_text_has(buf_text(&text), "in the way:");
    end(&r);
}

static void the_servers_log_has_no_password(void **state)
{
    (void)state;
    assert_log_is_clean();
}

/* The last one: its password is in the log, as the contract says. */
static void plain_is_sent_where_the_contract_says_so_and_never_told(void **state)
{
    (void)state;
    struct rotation r;
    spec.plain = true;
    begin(&r, one);
    must(one->stage(&r, &err), "stage");
    const char *password = document_text(&r.record.data, "fields", "password");
    must(one->set(&r, &err), "set");
    must(one->test(&r, &err), "test");
    sql("app", "ALTER ROLE admin NOCREATEROLE");
    assert_int_equal(one->set(&r, &err), -1);
    assert_string_equal(err.sqlstate, "42501");
    assert_text_has(err.hint, "CREATEROLE");
    assert_text_lacks(err.text, password);
    end(&r);
}

#define ON_A_FRESH_ROLE(test) cmocka_unit_test_setup(test, fresh_role)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_A_FRESH_ROLE(the_password_is_replaced_and_the_former_refused),
        ON_A_FRESH_ROLE(a_place_of_a_password_alone_is_tried_at_the_admins_host),
        ON_A_FRESH_ROLE(the_admins_url_is_asked_for_once_and_again_where_it_ended),
        ON_A_FRESH_ROLE(an_abort_gives_the_former_password_back),
        ON_A_FRESH_ROLE(a_rollback_gives_the_former_password_back),
        ON_A_FRESH_ROLE(what_was_done_is_found_on_resume),
        ON_A_FRESH_ROLE(a_password_that_somebody_changed_meanwhile_is_left),
        ON_A_FRESH_ROLE(what_somebody_published_meanwhile_is_not_taken_back),
        ON_A_FRESH_ROLE(what_somebody_published_and_nobody_can_use_is_no_reason_to_keep_it),
        ON_A_FRESH_ROLE(another_users_password_is_not_ours_to_change),
        ON_A_FRESH_ROLE(a_current_password_that_is_wrong_is_refused),
        ON_A_FRESH_ROLE(an_admin_that_may_not_is_told_before_anything_is_written),
        ON_A_FRESH_ROLE(a_contract_without_a_login_is_wrong),
        ON_A_FRESH_ROLE(sessions_from_before_are_counted_and_those_behind_are_not),
        ON_A_FRESH_ROLE(a_server_that_trusts_everybody_proves_nothing),
        ON_A_FRESH_ROLE(a_session_that_is_not_the_named_owners_fails_the_test),
        ON_A_FRESH_ROLE(the_plan_says_how_the_password_travels),
        cmocka_unit_test(the_servers_log_has_no_password),
        ON_A_FRESH_ROLE(plain_is_sent_where_the_contract_says_so_and_never_told),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
