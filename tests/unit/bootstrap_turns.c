/* tests/unit/bootstrap_turns.c: bootstrap_run when connections break, and when many run at once. */
#include "tests/lib/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "bootstrap/bootstrap.h"
#include "tests/lib/pg.h"
#include "tests/lib/proxy.h"
#include "tests/lib/site.h"

static struct pg *pg;
static struct proxy *proxy;

static int start_servers(void **state)
{
    static char socket[256];
    (void)state;
    pg = pg_start("max_connections = 30\nsuperuser_reserved_connections = 1\n");
    (void)snprintf(socket, sizeof(socket), "%s/.s.PGSQL.%u", pg_socket_folder(pg), pg_port(pg));
    proxy = proxy_start(socket);
    return 0;
}

static int stop_servers(void **state)
{
    (void)state;
    proxy_stop(proxy);
    pg_stop(pg);
    return 0;
}

static const char schema[] = "CREATE TABLE users (id int PRIMARY KEY, name text);\n"
                             "CREATE TABLE orgs (id int PRIMARY KEY);\n"
                             "INSERT INTO users VALUES (1, 'x');\n";

/* A site whose URL leads through the proxy, whose counts are reset. */
static void open_behind_proxy(struct site *site, const char *name)
{
    site_open(site, pg, name);
    site_url(site, proxy_url(proxy, "postgres", name));
    site_sql(site, "schema.sql", schema);
    proxy_reset(proxy);
}

static int run(struct site *site, struct database_report *report, struct err *err)
{
    *err = ERR_INIT;
    return bootstrap_run(&site->settings, false, report, err);
}

static void runs(struct site *site, struct database_report *report)
{
    struct err err;
    if (run(site, report, &err) != 0)
        fail_msg("%s (hint: %s)", err.text, err.hint);
    assert_int_equal(report->state, STATE_CURRENT);
    assert_true(report->verified);
}

static void is_made_once(struct site *site)
{
    assert_string_equal(site_ask(site, pg, "SELECT count(*) FROM users"), "1");
    assert_string_equal(
        site_ask(site, pg, "SELECT string_agg(version_num, ',') FROM alembic_version"), "b2");
    while (strcmp(site_ask(site, pg, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"),
                  "0") != 0) /* of a session whose client is gone */
        clock_sleep_ms(5);
}

/* ---- round trips ----------------------------------------------------------------------------- */

static void three_round_trips_make_it_and_one_more_verifies(void **state)
{
    (void)state;
    struct site site;
    AUTO_REPORT report = REPORT_INIT;
    AUTO_REPORT again = REPORT_INIT;
    open_behind_proxy(&site, "round_trips");
    runs(&site, &report);
    assert_int_equal(proxy_connections(proxy), 2);
    assert_int_equal(proxy_queries(proxy),
                     4); /* begin and look, schema and stamp, commit; the second look, beside */
    proxy_reset(proxy);
    runs(&site, &again);
    assert_int_equal(proxy_connections(proxy), 1);
    assert_int_equal(proxy_queries(proxy), 1);
    site_close(&site);
}

/* Two connections are those of the first look and of the second: it was not made anew. */
static void the_second_look_finds_tables_of_any_name(void **state)
{
    (void)state;
    static const char *const expect[] = {"users", "od\"d.Us'er's", NULL};
    struct site site;
    AUTO_REPORT report = REPORT_INIT;
    open_behind_proxy(&site, "any_name");
    site_sql(&site, "odd.sql",
             "CREATE SCHEMA \"od\"\"d\"; CREATE TABLE \"od\"\"d\".\"Us'er's\" (id int);");
    site.settings.schema = "od\"d";
    site.settings.table = "Ver\\sion's";
    site.settings.expect = expect;
    runs(&site, &report);
    assert_true(report.created);
    assert_int_equal(proxy_connections(proxy), 2);
    assert_int_equal(report.table_count, 3);
    assert_string_equal(report.stamped[0], "b2");
    assert_null(report.stamped[1]);
    site_close(&site);
}

static void extensions_cost_one_round_trip(void **state)
{
    (void)state;
    struct site site;
    AUTO_REPORT report = REPORT_INIT;
    open_behind_proxy(&site, "extensions");
    site_sql(&site, "extension.sql", "CREATE EXTENSION pg_trgm; CREATE EXTENSION plpgsql_check_x;");
    struct err err;
    assert_int_equal(run(&site, &report, &err), -1);
    assert_int_equal(err.kind, ERR_DB_REFUSED);
    assert_text_has(err.text, "the server has no extension 'plpgsql_check_x'");
    site_file(&site, "extension.sql", "CREATE EXTENSION pg_trgm;");
    proxy_reset(proxy);
    runs(&site, &report);
    assert_int_equal(proxy_queries(proxy), 5);
    site_close(&site);
}

static void a_wrong_file_is_found_before_any_of_it_is_sent(void **state)
{
    (void)state;
    struct site site;
    AUTO_REPORT report = REPORT_INIT;
    struct err err;
    open_behind_proxy(&site, "wrong_file");
    site_file(&site, "schema.sql", "CREATE TABLE users (id int);\nCOMMIT;\n");
    assert_int_equal(run(&site, &report, &err), -1);
    assert_int_equal(err.kind, ERR_FILE);
    assert_text_has(err.text, "schema.sql:2:1:");
    assert_text_has(err.text, "nothing was changed");
    assert_int_equal(proxy_queries(proxy), 2); /* begin and look, rollback */
    site_close(&site);
}

static void a_current_database_needs_no_file(void **state)
{
    (void)state;
    struct site site;
    AUTO_REPORT report = REPORT_INIT;
    AUTO_REPORT again = REPORT_INIT;
    open_behind_proxy(&site, "no_file");
    runs(&site, &report);
    memset(site.create, 0, sizeof(site.create));
    site_sql(&site, "missing.sql", NULL);
    proxy_reset(proxy);
    runs(&site, &again);
    assert_int_equal(proxy_queries(proxy), 1);
    assert_int_equal(again.waited_ms, 0);
    site_close(&site);
}

static void an_empty_version_table_costs_a_round_trip_for_the_lock(void **state)
{
    (void)state;
    struct site site;
    AUTO_REPORT report = REPORT_INIT;
    open_behind_proxy(&site, "late_lock");
    pg_sql(pg, "late_lock", "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL)");
    proxy_reset(proxy);
    runs(&site, &report);
    assert_true(report.created);
    assert_int_equal(proxy_queries(proxy), 5);
    is_made_once(&site);
    site_close(&site);
}

enum { CONNECTION_TRIES = 16 };

static void a_role_of_one_connection_is_enough(void **state)
{
    (void)state;
    struct site site;
    AUTO_REPORT report = REPORT_INIT;
    site_open(&site, pg, "one_connection");
    site_sql(&site, "schema.sql", schema);
    pg_sql(
        pg, "one_connection",
        "CREATE ROLE one_login LOGIN CONNECTION LIMIT 1; GRANT ALL ON SCHEMA public TO one_login");
    site_url(&site, proxy_url(proxy, "one_login", "one_connection"));
    proxy_reset(proxy);
    runs(&site, &report);
    assert_true(report.created);
    /* the one beside is refused; so is the one behind it, as long as the first is not seen to be gone */
    assert_in_range(proxy_connections(proxy), 3, 3 + CONNECTION_TRIES);
    assert_int_equal(proxy_queries(proxy), 4);
    site_close(&site);
}

/* What is looked at beside must not hold what the script wants to change. */
static void a_script_may_change_the_version_table_that_was_there(void **state)
{
    (void)state;
    struct site site;
    AUTO_REPORT report = REPORT_INIT;
    open_behind_proxy(&site, "change_version");
    pg_sql(pg, "change_version", "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL)");
    site_sql(&site, "change.sql",
             "SELECT pg_sleep(0.3); ALTER TABLE alembic_version ADD PRIMARY KEY (version_num);");
    runs(&site, &report);
    assert_true(report.created);
    is_made_once(&site);
    site_close(&site);
}

static void many_statements_are_as_few_round_trips(void **state)
{
    (void)state;
    enum { TABLES = 2000 };
    struct site site;
    AUTO_REPORT report = REPORT_INIT;
    char *text = calloc(TABLES, 64);
    size_t length = 0;
    assert_non_null(text);
    open_behind_proxy(&site, "many_statements");
    for (int i = 0; i < TABLES; i++)
        length += (size_t)snprintf(text + length, 64, "CREATE TABLE t%d (a int);\n", i);
    site_sql(&site, "many.sql", text);
    runs(&site, &report);
    assert_int_equal(proxy_queries(proxy), 4);
    assert_int_equal(report.statements, TABLES + 3);
    free(text);
    site_close(&site);
}

/* ---- a connection that breaks ---------------------------------------------------------------- */

static void a_cut_at_any_message_is_overcome(void **state)
{
    (void)state;
    enum { MESSAGES = 4 };
    for (unsigned k = 0; k < 2 * MESSAGES; k++) {
        struct site site;
        AUTO_REPORT report = REPORT_INIT;
        char name[32];
        (void)snprintf(name, sizeof(name), "cut_at_%u", k);
        open_behind_proxy(&site, name);
        proxy_rule(proxy, k % 2 ? PROXY_CUT_AFTER : PROXY_CUT_BEFORE, "", 1);
        proxy_skip(proxy, k / 2);
        runs(&site, &report);
        assert_true(report.created);
        is_made_once(&site);
        site_close(&site);
    }
}

static void a_connection_that_always_breaks_leaves_nothing(void **state)
{
    (void)state;
    struct site site;
    AUTO_REPORT report = REPORT_INIT;
    struct err err;
    open_behind_proxy(&site, "always_cut");
    proxy_rule(proxy, PROXY_CUT_AFTER, "CREATE TABLE users", 100);
    assert_int_equal(run(&site, &report, &err), -1);
    assert_int_equal(err.kind, ERR_DB_DOWN);
    assert_text_has(err.text, "nothing was changed (looked at from a new connection)");
    assert_int_equal(report.state, STATE_FRESH);
    assert_string_equal(site_ask(&site, pg, "SELECT to_regclass('users') IS NULL"), "t");
    site_close(&site);
}

static void a_commit_whose_answer_is_lost_is_resolved(void **state)
{
    (void)state;
    struct site site;
    AUTO_REPORT report = REPORT_INIT;
    open_behind_proxy(&site, "doubt_committed");
    proxy_rule(proxy, PROXY_CUT_AFTER, "=COMMIT", 1);
    runs(&site, &report);
    assert_true(report.created);
    is_made_once(&site);
    site_close(&site);
}

static void a_commit_that_did_not_arrive_is_done_again(void **state)
{
    (void)state;
    struct site site;
    AUTO_REPORT report = REPORT_INIT;
    open_behind_proxy(&site, "doubt_aborted");
    proxy_rule(proxy, PROXY_CUT_BEFORE, "=COMMIT", 1);
    runs(&site, &report);
    assert_true(report.created);
    is_made_once(&site);
    site_close(&site);
}

static void a_commit_that_stays_open_is_in_doubt(void **state)
{
    (void)state;
    struct site site;
    AUTO_REPORT report = REPORT_INIT;
    struct err err;
    open_behind_proxy(&site, "doubt_open");
    site.settings.wait_ms = 1500;
    proxy_rule(proxy, PROXY_HALF_OPEN, "=COMMIT", 1);
    assert_int_equal(run(&site, &report, &err), -1);
    assert_int_equal(err.kind, ERR_DB_IN_DOUBT);
    assert_int_equal(err_exit_code(err.kind), 5);
    assert_text_has(err.text, "in progress");
    assert_int_equal(report.state, STATE_IN_DOUBT);
    assert_false(report.created);
    (void)site_ask(&site, pg,
                   "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
                   "current_database() AND pid <> pg_backend_pid()");
    AUTO_REPORT again = REPORT_INIT; /* the next run does it all */
    site.settings.wait_ms = 20000;
    runs(&site, &again);
    assert_true(again.created);
    is_made_once(&site);
    site_close(&site);
}

static void a_command_is_run_once_however_its_stamp_is_cut(void **state)
{
    (void)state;
    static const enum proxy_action actions[] = {PROXY_CUT_BEFORE, PROXY_CUT_AFTER};
    static const char *const texts[] = {"=COMMIT", "INSERT INTO"};
    static const char *const expect[] = {"users", NULL};
    for (size_t i = 0; i < 4; i++) {
        struct site site;
        AUTO_REPORT report = REPORT_INIT;
        char name[32], script[300];
        (void)snprintf(name, sizeof(name), "cut_command_%zu", i);
        (void)snprintf(
            script, sizeof(script),
            "exec psql -X -q -h %s -p %u -U postgres -c 'CREATE TABLE users AS SELECT 1 AS id' %s",
            pg_socket_folder(pg), pg_port(pg), name);
        site_open(&site, pg, name);
        site_url(&site, proxy_url(proxy, "postgres", name));
        site_command(&site, script);
        site.settings.expect = expect;
        proxy_reset(proxy);
        proxy_rule(proxy, actions[i % 2], texts[i / 2], 1);
        runs(&site, &report);
        is_made_once(&site);
        site_close(&site);
    }
}

static void a_server_that_does_not_listen_is_waited_for(void **state)
{
    (void)state;
    struct site site;
    AUTO_REPORT report = REPORT_INIT;
    struct err err;
    open_behind_proxy(&site, "waited_for");
    site.settings.wait_ms = 700;
    proxy_refuse(proxy, true);
    assert_int_equal(run(&site, &report, &err), -1);
    assert_int_equal(err.kind, ERR_DB_DOWN);
    assert_text_has(err.text, "waited in vain");
    assert_true(proxy_connections(proxy) > 1);
    pid_t child = fork();
    if (child == 0) {
        clock_sleep_ms(1000);
        proxy_refuse(proxy, false);
        _exit(0);
    }
    site.settings.wait_ms = 20000;
    runs(&site, &report);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(report.waited_ms > 0);
    site_close(&site);
}

static void a_wait_of_zero_is_one_attempt(void **state)
{
    (void)state;
    struct site site;
    AUTO_REPORT report = REPORT_INIT, made = REPORT_INIT;
    struct err err;
    open_behind_proxy(&site, "not_waited_for");
    site.settings.wait_ms = 0;
    proxy_refuse(proxy, true);
    assert_int_equal(run(&site, &report, &err), -1);
    assert_int_equal(err.kind, ERR_DB_DOWN);
    assert_text_lacks(err.text, "waited in vain");
    assert_int_equal(proxy_connections(proxy), 1);
    proxy_refuse(proxy, false);
    site.settings.statement_timeout_ms = 0; /* no limit */
    site.settings.lock_timeout_ms = 0;
    runs(&site, &made);
    assert_true(made.created);
    is_made_once(&site);
    site_close(&site);
}

/* ---- many at once ---------------------------------------------------------------------------- */

enum { MADE = 10, FOUND = 11 };

static pid_t start_one(struct site *site)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    AUTO_REPORT report = REPORT_INIT;
    struct err err = ERR_INIT;
    if (bootstrap_run(&site->settings, false, &report, &err) != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        _exit(1);
    }
    _exit(report.created ? MADE : FOUND);
}

static int end_of(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void of_a_herd_one_makes_it_and_all_find_it(struct site *site, size_t count)
{
    pid_t children[100];
    size_t made = 0, found = 0;
    for (size_t i = 0; i < count; i++)
        children[i] = start_one(site);
    for (size_t i = 0; i < count; i++) {
        int code = end_of(children[i]);
        made += code == MADE;
        found += code == FOUND;
    }
    assert_int_equal(made, 1);
    assert_int_equal(found, count - 1);
    is_made_once(site);
}

static void a_herd_of_a_hundred_fits_thirty_connections(void **state)
{
    (void)state;
    struct site site;
    site_open(&site, pg, "herd");
    site_sql(&site, "schema.sql", schema);
    of_a_herd_one_makes_it_and_all_find_it(&site, 100);
    site_close(&site);
}

static void a_slow_schema_is_waited_for_by_a_herd(void **state)
{
    (void)state;
    struct site site;
    site_open(&site, pg, "slow_herd");
    site_sql(&site, "schema.sql", schema);
    site_sql(&site, "slow.sql", "SELECT pg_sleep(2);");
    of_a_herd_one_makes_it_and_all_find_it(&site, 50);
    site_close(&site);
}

static void a_herd_with_a_command_takes_turns(void **state)
{
    (void)state;
    struct site site;
    char script[300];
    static const char *const expect[] = {"users", "orgs", NULL};
    site_open(&site, pg, "herd_command");
    (void)snprintf(
        script, sizeof(script),
        "psql -X -q -h %s -p %u -U postgres -c 'CREATE TABLE users AS SELECT 1 AS id' -c 'SELECT "
        "pg_sleep(0.5)' -c 'CREATE TABLE orgs (id int)' herd_command",
        pg_socket_folder(pg), pg_port(pg));
    site_command(&site, script);
    site.settings.expect = expect;
    of_a_herd_one_makes_it_and_all_find_it(&site, 12);
    site_close(&site);
}

/* A process that has the lock of SITE's database, and sleeps in its transaction. */
static pid_t start_holder(struct site *slow, const struct site *site)
{
    slow->settings.url = site->settings.url;
    site_sql(slow, "slow.sql", "CREATE TABLE t (a int); SELECT pg_sleep(300);");
    pid_t holder = start_one(slow);
    while (strcmp(site_ask(site, pg,
                           "SELECT count(*) FROM pg_stat_activity WHERE wait_event = "
                           "'PgSleep'"),
                  "1") != 0)
        clock_sleep_ms(20);
    return holder;
}

static void the_lock_of_a_killed_holder_is_free(void **state)
{
    (void)state;
    struct site site, slow;
    AUTO_REPORT report = REPORT_INIT;
    site_open(&site, pg, "killed");
    site_open(&slow, pg, "killed_2");
    site_sql(&site, "schema.sql", schema);
    pid_t holder = start_holder(&slow, &site);
    assert_int_equal(kill(holder, SIGKILL), 0);
    assert_int_equal(end_of(holder), -SIGKILL);
    runs(&site, &report);
    assert_true(report.created);
    is_made_once(&site);
    site_close(&slow);
    site_close(&site);
}

static void a_turn_that_does_not_come_names_the_holder(void **state)
{
    (void)state;
    struct site site, slow;
    AUTO_REPORT report = REPORT_INIT;
    struct err err;
    site_open(&site, pg, "lock_wait");
    site_open(&slow, pg, "lock_wait_2");
    site_sql(&site, "schema.sql", schema);
    site.settings.lock_wait_ms = 500;
    pid_t holder = start_holder(&slow, &site);
    assert_int_equal(run(&site, &report, &err), -1);
    assert_int_equal(err.kind, ERR_DB_LOCK);
    assert_int_equal(err_exit_code(err.kind), 5);
    assert_text_has(err.text, "held by pid ");
    assert_text_has(err.text, "(agent");
    assert_text_has(err.hint, "try again when that has ended");
    assert_int_equal(kill(holder, SIGKILL), 0);
    assert_int_equal(end_of(holder), -SIGKILL);
    site_close(&slow);
    site_close(&site);
}

/* ---- death at each message ------------------------------------------------------------------- */

/* Tables if and only if a stamp, once the sessions are gone; and what a next run makes of it. */
static bool leaves_all_or_nothing(struct site *site)
{
    static const char both[] = "SELECT (to_regclass('users') IS NOT NULL)::int::text || "
                               "(to_regclass('alembic_version') IS NOT NULL)::int::text";
    while (strcmp(site_ask(site, pg,
                           "SELECT count(*) FROM pg_stat_activity WHERE datname = "
                           "current_database() AND pid <> pg_backend_pid()"),
                  "0") != 0)
        clock_sleep_ms(5);
    char found[4];
    (void)snprintf(found, sizeof(found), "%s", site_ask(site, pg, both));
    bool committed = strcmp(found, "11") == 0;
    assert_true(committed || strcmp(found, "00") == 0);
    AUTO_REPORT report = REPORT_INIT;
    runs(site, &report);
    assert_int_equal(report.created, !committed);
    is_made_once(site);
    return committed;
}

static void a_process_killed_at_any_message_leaves_all_or_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        bool committed[2]; /* killed before it arrives, and after it was answered */
        bool open;         /* the other connection goes on meanwhile */
    } cases[] = {
        {"BEGIN ISOLATION LEVEL READ COMMITTED;", {false, false}, false},
        {"CREATE TABLE users", {false, false}, false},
        {"=COMMIT", {false, true}, false},
        {"pg_advisory_xact_lock_shared", {false, true}, true},
    };
    for (size_t k = 0; k < 2 * ARRAY_LEN(cases); k++) {
        struct site site;
        char name[32];
        (void)snprintf(name, sizeof(name), "killed_at_%zu", k);
        open_behind_proxy(&site, name);
        proxy_rule(proxy, k % 2 ? PROXY_HOLD_AFTER : PROXY_HOLD_BEFORE, cases[k / 2].message, 1);
        pid_t child = start_one(&site);
        while (!proxy_holds(proxy))
            clock_sleep_ms(5);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(end_of(child), -SIGKILL);
        bool committed = leaves_all_or_nothing(&site);
        assert_true(cases[k / 2].open || committed == cases[k / 2].committed[k % 2]);
        site_close(&site);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_round_trips_make_it_and_one_more_verifies),
        cmocka_unit_test(the_second_look_finds_tables_of_any_name),
        cmocka_unit_test(extensions_cost_one_round_trip),
        cmocka_unit_test(a_wrong_file_is_found_before_any_of_it_is_sent),
        cmocka_unit_test(a_current_database_needs_no_file),
        cmocka_unit_test(an_empty_version_table_costs_a_round_trip_for_the_lock),
        cmocka_unit_test(a_role_of_one_connection_is_enough),
        cmocka_unit_test(a_script_may_change_the_version_table_that_was_there),
        cmocka_unit_test(many_statements_are_as_few_round_trips),
        cmocka_unit_test(a_cut_at_any_message_is_overcome),
        cmocka_unit_test(a_connection_that_always_breaks_leaves_nothing),
        cmocka_unit_test(a_commit_whose_answer_is_lost_is_resolved),
        cmocka_unit_test(a_commit_that_did_not_arrive_is_done_again),
        cmocka_unit_test(a_commit_that_stays_open_is_in_doubt),
        cmocka_unit_test(a_command_is_run_once_however_its_stamp_is_cut),
        cmocka_unit_test(a_server_that_does_not_listen_is_waited_for),
        cmocka_unit_test(a_wait_of_zero_is_one_attempt),
        cmocka_unit_test(a_herd_of_a_hundred_fits_thirty_connections),
        cmocka_unit_test(a_slow_schema_is_waited_for_by_a_herd),
        cmocka_unit_test(a_herd_with_a_command_takes_turns),
        cmocka_unit_test(the_lock_of_a_killed_holder_is_free),
        cmocka_unit_test(a_turn_that_does_not_come_names_the_holder),
        cmocka_unit_test(a_process_killed_at_any_message_leaves_all_or_nothing),
    };
    return cmocka_run_group_tests(tests, start_servers, stop_servers);
}
