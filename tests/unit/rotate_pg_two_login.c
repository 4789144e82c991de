/* tests/unit/rotate_pg_two_login.c: two logins of one owner, on a real server. */
#include "tests/unit/rotate_pg.h"

static int start_server(void **state)
{
    (void)state;
    server = pg_start(NULL);
    pg_sql(server, "postgres",
           "CREATE ROLE admin LOGIN CREATEROLE PASSWORD '" ADMIN_PASSWORD "';"
           "CREATE DATABASE app; CREATE DATABASE other;");
    return 0;
}

/* The roles as --init leaves them, app_a in use, one table. */
static int fresh_roles(void **state)
{
    (void)state;
    sql("app", "DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public;");
    sql("other", "DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public;");
    sql("app",
        "DO $$DECLARE r text; BEGIN FOREACH r IN ARRAY ARRAY['app_a','app_b','app_rw','legacy',"
        "'reader'] LOOP IF EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN "
        "EXECUTE format('DROP OWNED BY %I', r); EXECUTE format('DROP ROLE %I', r); "
        "END IF; END LOOP; END$$;" AS_ADMIN
        "CREATE ROLE app_rw NOLOGIN; CREATE ROLE app_a LOGIN PASSWORD "
        "'" FIRST_PASSWORD "'; CREATE ROLE app_b NOLOGIN;" AS_BEFORE "GRANT app_rw TO app_a, app_b;"
        "ALTER ROLE app_a SET role = app_rw; ALTER ROLE app_b SET role = app_rw;"
        "GRANT ALL ON SCHEMA public TO app_rw; SET LOCAL ROLE app_rw; CREATE TABLE public.t (n "
        "int)");
    set_world(ROTATE_PG_TWO_LOGIN);
    set_field("user", "app_a");
    set_field("password", FIRST_PASSWORD);
    return 0;
}

static const struct strategy *const two = &strategy_pg_two_login;

/* ---- a rotation --------------------------------------------------------------------------------------- */

static void the_idle_login_is_published_and_the_other_one_retired(void **state)
{
    (void)state;
    struct rotation r;
    rotate_until_promoted(&r, two);
    assert_string_equal(current("user"), "app_b");
    assert_true(logs_in("app_b", current("password")));
    assert_true(logs_in("app_a", FIRST_PASSWORD)); /* grace */
    must(two->retire(&r, &err), "retire");
    assert_false(logs_in("app_a", FIRST_PASSWORD));
    assert_true(logs_in("app_b", current("password")));
    assert_int_equal(result.sessions, 0);
    end(&r);

    AUTO_FREE char *second = mem_dup(current("password"));
    rotate_until_promoted(&r, two); /* and back */
    assert_string_equal(current("user"), "app_a");
    must(two->retire(&r, &err), "retire");
    assert_false(logs_in("app_b", second));
    assert_true(logs_in("app_a", current("password")));
    end(&r);
}

static void each_step_costs_what_it_says(void **state)
{
    (void)state;
    struct rotation r;
    begin(&r, two);
    must(two->stage(&r, &err), "stage");
    note_password(&r);
    assert_int_equal(db_round_trips(r.admin), 1);
    must(two->set(&r, &err), "set");
    assert_int_equal(db_round_trips(r.admin), 2);
    must(two->test(&r, &err), "test");
    assert_int_equal(db_round_trips(r.admin), 2);
    promote(&r, "fields");
    must(two->retire(&r, &err), "retire");
    assert_int_equal(db_round_trips(r.admin), 4);
    end(&r);
}

static void a_step_that_was_done_is_not_done_again(void **state)
{
    (void)state;
    struct rotation r;
    rotate_until_promoted(&r, two);
    unsigned before = db_round_trips(r.admin);
    r.resumed = true;
    must(two->set(&r, &err), "set again");
    assert_int_equal(db_round_trips(r.admin), before); /* the probe told */
    must(two->test(&r, &err), "test again");
    must(two->retire(&r, &err), "retire");
    must(two->retire(&r, &err), "retire again");
    end(&r);
}

static void a_set_that_was_not_done_is_done_on_resume(void **state)
{
    (void)state;
    struct rotation r;
    begin(&r, two);
    must(two->stage(&r, &err), "stage");
    note_password(&r);
    r.resumed = true;
    must(two->set(&r, &err), "set");
    must(two->test(&r, &err), "test");
    end(&r);
}

/* The admin's connection is cut between two steps: the next one makes it anew. */
static void a_lost_admin_is_made_anew(void **state)
{
    (void)state;
    struct rotation r;
    begin(&r, two);
    must(two->stage(&r, &err), "stage");
    sql("app", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'admin'");
    if (two->set(&r, &err) != 0) { /* the server's last word comes with the next message */
        assert_int_equal(err.kind, ERR_DB_DOWN);
        r.resumed = true;
        must(two->set(&r, &err), "set");
    }
    must(two->test(&r, &err), "test");
    end(&r);
}

static void a_url_changes_in_user_and_password_alone(void **state)
{
    (void)state;
    struct rotation r;
    AUTO_FREE char *url = pg_tcp_url(server, "app_a", FIRST_PASSWORD, "app",
                                     "?sslmode=require&application_name=my%20app");
    AUTO_FREE char *psycopg = NULL;
    document_release(&world.place);
    assert_true(asprintf(&psycopg, "postgresql+psycopg%s", strstr(url, "://")) > 0);
    set_field("url", psycopg);
    spec.place = (struct rotate_place){
        .kind = ROTATE_IN_KV, .path = "secret/acme", .value_field = "url", .value_is_url = true};
    rotate_until_promoted(&r, two);
    const char *changed = current("url");
    assert_true(str_starts(changed, "postgresql+psycopg://app_b:"));
    assert_string_equal(strchr(changed, '@'), strchr(psycopg, '@'));
    must(two->retire(&r, &err), "retire");
    assert_false(logs_in("app_a", FIRST_PASSWORD));
    end(&r);
}

/* ---- what is refused ------------------------------------------------------------------------------------ */

static void assert_refused(enum err_kind kind, const char *text, const char *hint)
{
    struct rotation r;
    begin(&r, two);
    assert_int_equal(two->stage(&r, &err), -1);
    if (err.kind != kind || !strstr(err.text, text) || !strstr(err.hint, hint))
        fail_msg("kind %d: %s | %s", err.kind, err.text, err.hint);
    assert_text_lacks(err.text, "canary");
    assert_text_lacks(err.hint, "canary");
    assert_null(document_get(&r.record.data, "fields", "password"));
    assert_false(logs_in("app_b", "x"));
    end(&r);
}

static void objects_of_a_login_are_refused_with_the_plan(void **state)
{
    (void)state;
    sql("app", "CREATE TABLE public.mine (n int); ALTER TABLE public.mine OWNER TO app_a");
    assert_refused(
        ERR_DB_STATE, "'app_a' owns 1 object in database 'app'",
        "\\connect \"app\" GRANT \"app_a\", \"app_rw\" TO CURRENT_USER; REASSIGN OWNED BY "
        "\"app_a\" TO \"app_rw\";");
    sql("app", "REASSIGN OWNED BY \"app_a\" TO \"app_rw\"");
    struct rotation r;
    rotate_until_promoted(&r, two); /* the plan is what it takes */
    end(&r);
}

static void objects_in_another_database_are_found(void **state)
{
    (void)state;
    sql("other", "CREATE TABLE public.far (n int); CREATE TABLE public.far2 (n int);"
                 "ALTER TABLE public.far OWNER TO app_b; ALTER TABLE public.far2 OWNER TO app_b");
    assert_refused(ERR_DB_STATE, "'app_b' owns 2 objects in database 'other'",
                   "\\connect \"other\"");
}

static void grants_that_the_owner_has_not_are_refused_with_the_statements(void **state)
{
    (void)state;
    sql("app", "CREATE ROLE legacy NOLOGIN; CREATE TABLE public.theirs (a int, b int);"
               "ALTER TABLE public.theirs OWNER TO legacy;"
               "GRANT SELECT ON public.theirs TO app_a; GRANT UPDATE (b) ON public.theirs TO app_a;"
               "GRANT INSERT ON public.theirs TO app_a, app_rw");
    assert_refused(ERR_DB_STATE, "in database 'app' a login has 2 privileges that 'app_rw' has not",
                   "GRANT SELECT ON TABLE public.theirs TO app_rw; GRANT UPDATE (b) ON TABLE "
                   "public.theirs TO app_rw;");
    sql("app", "GRANT SELECT ON TABLE public.theirs TO app_rw;"
               "GRANT UPDATE (b) ON TABLE public.theirs TO app_rw;");
    struct rotation r;
    rotate_until_promoted(&r, two);
    end(&r);
}

static void memberships_and_default_privileges_of_a_login_are_refused(void **state)
{
    (void)state;
    sql("app", "CREATE ROLE reader NOLOGIN; GRANT pg_monitor TO app_b;"
               "ALTER DEFAULT PRIVILEGES FOR ROLE app_a IN SCHEMA public GRANT SELECT ON TABLES TO "
               "reader");
    assert_refused(ERR_DB_STATE, "privilege",
                   "ALTER DEFAULT PRIVILEGES FOR ROLE app_rw IN SCHEMA public GRANT SELECT ON "
                   "TABLES TO reader;");
    sql("app",
        "ALTER DEFAULT PRIVILEGES FOR ROLE app_rw IN SCHEMA public GRANT SELECT ON TABLES TO "
        "reader");
    assert_refused(ERR_DB_STATE, "privilege", "GRANT pg_monitor TO app_rw;");
}

static void settings_that_one_login_alone_has_are_refused_with_the_statements(void **state)
{
    (void)state;
    sql("app", "ALTER ROLE app_a SET statement_timeout = '7s';"
               "ALTER ROLE app_a IN DATABASE app SET search_path = app, \"Odd\", public;"
               "ALTER ROLE app_b SET lock_timeout = '1s'; ALTER ROLE app_a CONNECTION LIMIT 40");
    assert_refused(ERR_DB_STATE, "4 settings of 'app_a' are not the other login's",
                   "ALTER ROLE app_b SET statement_timeout TO '7s';");
    assert_text_has(err.hint, "ALTER ROLE app_b CONNECTION LIMIT 40;");
    assert_text_has(err.hint, "ALTER ROLE app_b RESET lock_timeout;");
    assert_text_has(err.hint, "ALTER ROLE app_b IN DATABASE app SET search_path TO app, \"Odd\", "
                              "public;");
    sql("app", "ALTER ROLE app_a SET app.key = 'canary-of-the-application'");
    assert_refused(ERR_DB_STATE, "5 settings", "ALTER ROLE app_b SET app.key TO what the other");
    sql("app", "ALTER ROLE app_a RESET app.key");
    sql("app", "ALTER ROLE app_b SET statement_timeout TO '7s'; ALTER ROLE app_b CONNECTION LIMIT "
               "40; ALTER ROLE app_b RESET lock_timeout;"
               "ALTER ROLE app_b IN DATABASE app SET search_path TO app, \"Odd\", public;");
    struct rotation r;
    rotate_until_promoted(&r, two); /* the plan is what it takes */
    end(&r);
}

static void a_user_that_is_neither_login_is_named_with_both(void **state)
{
    (void)state;
    set_field("user", "somebody");
    assert_refused(ERR_DB_STATE, "'somebody', is neither 'app_a' nor 'app_b'", "--init");
}

static void a_current_credential_that_does_not_log_in_is_refused(void **state)
{
    (void)state;
    set_field("password", "canary-wrong");
    assert_refused(ERR_DB_REFUSED, "log in with the current credential", "Nothing was changed");
}

static void roles_that_are_not_as_they_must_be_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *undo, *text;
    } cases[] = {
        {"ALTER ROLE app_b RESET role", "ALTER ROLE app_b SET role = app_rw",
         "sessions of 'app_b' do not begin as 'app_rw'"},
        {"ALTER ROLE app_a IN DATABASE app SET role = none",
         "ALTER ROLE app_a IN DATABASE app RESET role",
         "sessions of 'app_a' do not begin as 'app_rw'"},
        {"REVOKE app_rw FROM app_b", "GRANT app_rw TO app_b", "'app_b' is not a member of"},
        {"ALTER ROLE app_b SUPERUSER", "ALTER ROLE app_b NOSUPERUSER", "'app_b' is a superuser"},
        {"ALTER ROLE app_rw LOGIN", "ALTER ROLE app_rw NOLOGIN", "the owner 'app_rw' can log in"},
        {"ALTER ROLE app_b VALID UNTIL '2001-01-01'", "ALTER ROLE app_b VALID UNTIL 'infinity'",
         "'app_b' is not valid any more"},
        {"ALTER ROLE admin NOCREATEROLE", "ALTER ROLE admin CREATEROLE",
         "the admin 'admin' may not change the password of 'app_a'"},
        {"ALTER ROLE app_b RENAME TO legacy", "ALTER ROLE legacy RENAME TO app_b",
         "there is no role 'app_b'"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        sql("app", cases[i].sql);
        assert_refused(ERR_DB_STATE, cases[i].text, "");
        sql("app", cases[i].undo);
    }
    struct rotation r;
    rotate_until_promoted(&r, two);
    end(&r);
}

static void an_admin_of_another_server_is_refused(void **state)
{
    (void)state;
    struct pg *staging = pg_start(NULL);
    pg_sql(staging, "postgres",
           "CREATE ROLE admin LOGIN SUPERUSER PASSWORD '" ADMIN_PASSWORD "'; CREATE ROLE app_rw;"
           "CREATE ROLE app_a LOGIN IN ROLE app_rw; CREATE ROLE app_b IN ROLE app_rw;"
           "ALTER ROLE app_a SET role = app_rw; ALTER ROLE app_b SET role = app_rw");
    AUTO_FREE char *admin = pg_tcp_url(staging, "admin", ADMIN_PASSWORD, "postgres", "");
    (void)snprintf(world.admin_url, sizeof(world.admin_url), "%s", admin);
    assert_refused(ERR_DB_STATE, "is on another server", "Nothing was changed");
    pg_stop(staging);
}

static void a_place_without_a_user_is_for_one_login(void **state)
{
    (void)state;
    struct rotation r;
    begin(&r, two);
    r.is_init = true;
    spec.place = (struct rotate_place){.kind = ROTATE_IN_KV, .value_field = "password"};
    document_release(&r.current);
    assert_int_equal(two->stage(&r, &err), -1);
    assert_int_equal(err.kind, ERR_CONTRACT);
    assert_text_has(err.hint, "pg-login");
    end(&r);
}

/* ---- a test that fails, and ways back ------------------------------------------------------------------- */

static void a_session_that_is_not_the_owners_fails_the_test(void **state)
{
    (void)state;
    struct rotation r;
    begin(&r, two);
    must(two->stage(&r, &err), "stage");
    note_password(&r);
    must(two->set(&r, &err), "set");
    sql("app", "ALTER ROLE app_b RESET role");
    assert_int_equal(two->test(&r, &err), -1);
    assert_int_equal(err.kind, ERR_VIOLATION);
    assert_text_has(err.text, "begins as 'app_b', not as 'app_rw'");
    must(two->restore(&r, &err), "restore");
    assert_false(logs_in("app_b", document_text(&r.record.data, "fields", "password")));
    assert_true(logs_in("app_a", FIRST_PASSWORD));
    end(&r);
}

static void a_table_that_cannot_be_read_fails_the_test(void **state)
{
    (void)state;
    struct rotation r;
    sql("app", "REVOKE ALL ON public.t FROM app_rw");
    begin(&r, two);
    must(two->stage(&r, &err), "stage");
    note_password(&r);
    must(two->set(&r, &err), "set");
    assert_int_equal(two->test(&r, &err), -1);
    assert_text_has(err.text, "may not read public.t");
    end(&r);
}

static void a_schema_that_cannot_be_entered_fails_the_test(void **state)
{
    (void)state;
    struct rotation r;
    sql("app", "REVOKE ALL ON SCHEMA public FROM app_rw");
    begin(&r, two);
    must(two->stage(&r, &err), "stage");
    note_password(&r);
    must(two->set(&r, &err), "set");
    assert_int_equal(two->test(&r, &err), -1);
    assert_text_has(err.text, "may not read public.t");
    end(&r);
}

static void a_login_that_was_published_by_hand_is_not_taken_away(void **state)
{
    (void)state;
    struct rotation r;
    rotate_until_promoted(&r, two); /* it was: an abort that comes now must not break it */
    assert_int_equal(two->restore(&r, &err), -1);
    assert_int_equal(err.kind, ERR_ROTATION);
    assert_true(logs_in("app_b", current("password")));
    end(&r);
}

static void a_rollback_finds_the_former_credential_working(void **state)
{
    (void)state;
    struct rotation r;
    rotate_until_promoted(&r, two);
    must(two->rollback(&r, &err), "rollback");
    promote(&r, "former");
    assert_string_equal(current("user"), "app_a");
    assert_int_equal(record_state_set_number(&r.record, "rolled_back", 1, &err), 0);
    must(two->restore(&r, &err), "restore");
    assert_text_has(buf_text(&world.said), "'app_b' still logs in with what was published");
    assert_true(logs_in("app_a", FIRST_PASSWORD));
    end(&r);
}

static void a_rollback_behind_retire_says_that_it_is_too_late(void **state)
{
    (void)state;
    struct rotation r;
    rotate_until_promoted(&r, two);
    must(two->retire(&r, &err), "retire");
    assert_int_equal(two->rollback(&r, &err), -1);
    assert_int_equal(err.kind, ERR_VIOLATION);
    end(&r);
}

static void a_former_login_that_was_put_back_is_not_taken_away(void **state)
{
    (void)state;
    struct rotation r;
    rotate_until_promoted(&r, two);
    promote(&r, "former"); /* by hand */
    assert_int_equal(two->retire(&r, &err), -1);
    assert_int_equal(err.kind, ERR_ROTATION);
    assert_true(logs_in("app_a", FIRST_PASSWORD));
    end(&r);
}

/* ---- sessions --------------------------------------------------------------------------------------------- */

static void sessions_that_live_on_are_counted_and_left(void **state)
{
    (void)state;
    struct rotation r;
    AUTO_DB one = session_of("app_a", FIRST_PASSWORD);
    AUTO_DB two_of_it = session_of("app_a", FIRST_PASSWORD);
    rotate_until_promoted(&r, two);
    must(two->retire(&r, &err), "retire");
    assert_int_equal(result.sessions, 2);
    assert_text_has(buf_text(&world.said), "left as they are: 2 sessions of 'app_a'");
    assert_int_equal(db_execute(one, "SELECT 1", 8, CLOCK_NEVER, NULL, NULL, &err), 0);
    end(&r);
}

static void sessions_are_ended_where_that_is_asked_for(void **state)
{
    (void)state;
    struct rotation r;
    struct err ended = ERR_INIT;
    sql("app", "GRANT pg_signal_backend TO admin");
    AUTO_DB one = session_of("app_a", FIRST_PASSWORD);
    context.terminate = true;
    rotate_until_promoted(&r, two);
    must(two->retire(&r, &err), "retire");
    assert_int_equal(result.sessions, 0);
    assert_text_has(buf_text(&world.said), "ended 1 session of 'app_a'");
    assert_int_equal(db_execute(one, "SELECT 1", 8, CLOCK_NEVER, NULL, NULL, &ended), -1);
    end(&r);
    sql("app", "REVOKE pg_signal_backend FROM admin");
}

static void sessions_that_may_not_be_ended_are_left_with_what_it_takes(void **state)
{
    (void)state;
    struct rotation r;
    AUTO_DB one = session_of("app_a", FIRST_PASSWORD);
    context.terminate = true;
    rotate_until_promoted(&r, two);
    assert_int_equal(two->retire(&r, &err), -1);
    assert_text_has(err.text, "end the sessions of 'app_a'");
    assert_text_has(err.hint, "pg_signal_backend");
    assert_int_equal(result.sessions, 1);
    assert_false(logs_in("app_a", FIRST_PASSWORD));
    end(&r);
}

static void sessions_of_the_idle_login_are_told(void **state)
{
    (void)state;
    struct rotation r;
    sql("app", "ALTER ROLE app_b LOGIN PASSWORD 'old-b'");
    AUTO_DB one = session_of("app_b", "old-b");
    rotate_until_promoted(&r, two);
    assert_text_has(buf_text(&world.said), "1 session of the idle login 'app_b'");
    assert_false(logs_in("app_b", "old-b"));
    end(&r);
}

/* ---- --init, --dry-run -------------------------------------------------------------------------------------- */

static void drop_roles(void)
{
    sql("app", "DROP OWNED BY app_a, app_b, app_rw; DROP ROLE app_a, app_b, app_rw");
}

static void init_makes_the_roles_and_the_first_value(void **state)
{
    (void)state;
    struct rotation r;
    drop_roles();
    document_release(&world.place);
    begin(&r, two);
    r.is_init = true;
    must(two->init(&r, &err), "init");
    assert_true(r.wants_first);
    must(two->stage(&r, &err), "stage");
    note_password(&r);
    must(two->set(&r, &err), "set");
    must(two->test(&r, &err), "test");
    promote(&r, "fields");
    assert_string_equal(current("user"), "app_a");
    must(two->retire(&r, &err), "retire");
    end(&r);
    rotate_until_promoted(&r, two); /* and the next one is an ordinary one */
    assert_string_equal(current("user"), "app_b");
    must(two->retire(&r, &err), "retire");
    end(&r);
}

static int init_once(void)
{
    struct rotation r;
    begin(&r, two);
    r.is_init = true;
    int code = two->init(&r, &err);
    end(&r);
    return code;
}

/* From PostgreSQL 16 on only who has ADMIN OPTION on a role may change it. */
static bool server_asks_for_admin_option(void)
{
    AUTO_DB db = NULL;
    struct db_target target = {0};
    struct db_info info;
    AUTO_FREE char *url = pg_socket_url(server, "postgres", "app");
    struct secret secret = secret_borrow(url, strlen(url));
    must(db_target_parse(&secret, "X", &target, &err), "the URL");
    must(db_connect(&target, clock_in_ms(WITHIN_MS), &db, &err), "connect");
    db_target_release(&target);
    db_info(db, &info);
    return info.server_version >= 160000;
}

static void init_makes_no_role_that_would_hang_on_an_admin_with_an_end(void **state)
{
    (void)state;
    bool refuses = server_asks_for_admin_option();
    drop_roles();
    document_release(&world.place);
    sql("app", "ALTER ROLE admin VALID UNTIL '2100-01-01'");
    assert_int_equal(init_once(), refuses ? -1 : 0);
    if (refuses) {
        assert_int_equal(err.kind, ERR_DB_STATE);
        assert_text_has(err.text, "the admin 'admin' is valid for a time only");
        assert_text_has(err.hint, "CREATE ROLE \"app_a\" NOLOGIN; CREATE ROLE \"app_b\" NOLOGIN; "
                                  "CREATE ROLE \"app_rw\" NOLOGIN; GRANT \"app_rw\", \"app_a\", "
                                  "\"app_b\" TO a role");
        sql("app", "DO $$BEGIN ASSERT NOT EXISTS (SELECT FROM pg_roles WHERE rolname LIKE 'app%');"
                   "END$$");
        sql("app", "CREATE ROLE app_a; CREATE ROLE app_b; CREATE ROLE app_rw; CREATE ROLE reader; "
                   "GRANT app_rw, app_a, app_b TO reader WITH ADMIN OPTION; GRANT reader TO admin");
        must(init_once(), "with roles that were made before");
    }
    sql("app", "ALTER ROLE admin VALID UNTIL 'infinity'");
}

static void init_with_roles_of_somebody_else_tells_the_grant(void **state)
{
    (void)state;
    bool refuses = server_asks_for_admin_option();
    drop_roles();
    document_release(&world.place);
    sql("app", "CREATE ROLE app_rw NOLOGIN");
    assert_int_equal(init_once(), refuses ? -1 : 0);
    if (refuses) {
        assert_int_equal(err.kind, ERR_DB_REFUSED);
        assert_text_has(err.hint, "GRANT \"app_rw\", \"app_a\", \"app_b\" TO \"admin\" WITH ADMIN "
                                  "OPTION;");
        sql("app", "GRANT app_rw TO admin WITH ADMIN OPTION");
        must(init_once(), "after the grant");
    }
}

static void init_starts_from_the_admins_url_where_there_is_none(void **state)
{
    (void)state;
    struct rotation r;
    drop_roles();
    document_release(&world.place);
    spec.place = (struct rotate_place){
        .kind = ROTATE_IN_KV, .path = "secret/acme", .value_field = "url", .value_is_url = true};
    begin(&r, two);
    r.is_init = true;
    must(two->init(&r, &err), "init");
    must(two->stage(&r, &err), "stage");
    must(two->set(&r, &err), "set");
    must(two->test(&r, &err), "test");
    promote(&r, "fields");
    assert_true(str_starts(current("url"), "postgresql://app_a:"));
    assert_string_equal(strchr(current("url"), '@'), strchr(world.admin_url, '@'));
    end(&r);
}

static void init_is_done_in_the_order_that_keeps_the_application_going(void **state)
{
    (void)state;
    struct rotation r;
    drop_roles();
    sql("app",
        "CREATE ROLE legacy LOGIN PASSWORD '" FIRST_PASSWORD "'; GRANT ALL ON SCHEMA public TO "
        "legacy; SET LOCAL ROLE legacy; CREATE TABLE public.orders (n int)");
    set_field("user", "legacy");
    begin(&r, two);
    r.is_init = true;
    assert_int_equal(two->init(&r, &err), -1);
    assert_int_equal(err.kind, ERR_DB_STATE);
    assert_text_has(err.text, "'legacy' owns 1 object in database 'app'");
    assert_text_has(err.hint, "REASSIGN OWNED BY \"legacy\" TO \"app_rw\";");
    assert_text_has(err.hint, "--init DATABASE_URL again");
    end(&r);
    sql("app", "REASSIGN OWNED BY \"legacy\" TO \"app_rw\"; GRANT ALL ON SCHEMA public TO app_rw");
    /* Meanwhile the application goes on: it is a member of the owner. */
    AUTO_DB app = session_of("legacy", FIRST_PASSWORD);
    must(db_execute(app, "INSERT INTO public.orders VALUES (1)", 36, CLOCK_NEVER, NULL, NULL, &err),
         "insert");
    begin(&r, two);
    r.is_init = true;
    must(two->init(&r, &err), "init again");
    assert_true(r.wants_first);
    must(read_current(&r, &r.current, &r.current_version, &err), "read");
    must(two->stage(&r, &err), "stage");
    note_password(&r);
    must(two->set(&r, &err), "set");
    must(two->test(&r, &err), "test");
    promote(&r, "fields");
    must(two->retire(&r, &err), "retire");
    assert_text_has(buf_text(&world.said), "'legacy', which was used before, is none of the two");
    assert_true(logs_in("legacy", FIRST_PASSWORD));
    end(&r);
}

static void init_gives_a_superusers_tables_away_one_by_one(void **state)
{
    (void)state;
    struct rotation r;
    drop_roles();
    sql("app",
        "CREATE TABLE public.\"Odd name\" (n serial); CREATE VIEW public.v AS SELECT 1 AS n");
    set_field("user", "postgres");
    set_field("password", PG_SUPERUSER_PASSWORD);
    begin(&r, two);
    r.is_init = true;
    assert_int_equal(two->init(&r, &err), -1);
    assert_int_equal(err.kind, ERR_DB_STATE);
    assert_text_has(err.hint, "ALTER TABLE public.\"Odd name\" OWNER TO app_rw;");
    assert_text_has(err.hint, "ALTER VIEW public.v OWNER TO app_rw;");
    assert_text_lacks(err.hint, "ALTER SEQUENCE"); /* it goes with its column */
    end(&r);
}

static void the_plan_says_who_is_touched_and_changes_nothing(void **state)
{
    (void)state;
    struct rotation r;
    bool ready = true;
    AUTO_BUF text = BUF_INIT(64 * 1024);
    begin(&r, two);
    must(two->plan(&r, &text, &ready, &err), "plan");
    assert_true(ready);
    assert_text_has(buf_text(&text), "login 'app_b': idle, gets a new password");
    assert_text_has(buf_text(&text), "login 'app_a': in use");
    end(&r);
    sql("app", "CREATE TABLE public.mine (n int); ALTER TABLE public.mine OWNER TO app_a");
    buf_clear(&text);
    begin(&r, two);
    must(two->plan(&r, &text, &ready, &err), "plan");
    assert_false(ready);
    assert_text_has(buf_text(&text), "\\connect \"app\"\n");
    assert_text_has(buf_text(&text), "REASSIGN OWNED BY \"app_a\" TO \"app_rw\";\n");
    assert_false(logs_in("app_b", "x"));
    end(&r);
}

static void the_servers_log_has_no_password(void **state)
{
    (void)state;
    assert_log_is_clean();
}

#define ON_FRESH_ROLES(test) cmocka_unit_test_setup(test, fresh_roles)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_FRESH_ROLES(the_idle_login_is_published_and_the_other_one_retired),
        ON_FRESH_ROLES(each_step_costs_what_it_says),
        ON_FRESH_ROLES(a_step_that_was_done_is_not_done_again),
        ON_FRESH_ROLES(a_set_that_was_not_done_is_done_on_resume),
        ON_FRESH_ROLES(a_lost_admin_is_made_anew),
        ON_FRESH_ROLES(a_url_changes_in_user_and_password_alone),
        ON_FRESH_ROLES(objects_of_a_login_are_refused_with_the_plan),
        ON_FRESH_ROLES(objects_in_another_database_are_found),
        ON_FRESH_ROLES(grants_that_the_owner_has_not_are_refused_with_the_statements),
        ON_FRESH_ROLES(memberships_and_default_privileges_of_a_login_are_refused),
        ON_FRESH_ROLES(settings_that_one_login_alone_has_are_refused_with_the_statements),
        ON_FRESH_ROLES(a_user_that_is_neither_login_is_named_with_both),
        ON_FRESH_ROLES(a_current_credential_that_does_not_log_in_is_refused),
        ON_FRESH_ROLES(roles_that_are_not_as_they_must_be_are_refused),
        ON_FRESH_ROLES(an_admin_of_another_server_is_refused),
        ON_FRESH_ROLES(a_place_without_a_user_is_for_one_login),
        ON_FRESH_ROLES(a_session_that_is_not_the_owners_fails_the_test),
        ON_FRESH_ROLES(a_table_that_cannot_be_read_fails_the_test),
        ON_FRESH_ROLES(a_schema_that_cannot_be_entered_fails_the_test),
        ON_FRESH_ROLES(a_login_that_was_published_by_hand_is_not_taken_away),
        ON_FRESH_ROLES(a_rollback_finds_the_former_credential_working),
        ON_FRESH_ROLES(a_rollback_behind_retire_says_that_it_is_too_late),
        ON_FRESH_ROLES(a_former_login_that_was_put_back_is_not_taken_away),
        ON_FRESH_ROLES(sessions_that_live_on_are_counted_and_left),
        ON_FRESH_ROLES(sessions_are_ended_where_that_is_asked_for),
        ON_FRESH_ROLES(sessions_that_may_not_be_ended_are_left_with_what_it_takes),
        ON_FRESH_ROLES(sessions_of_the_idle_login_are_told),
        ON_FRESH_ROLES(init_makes_the_roles_and_the_first_value),
        ON_FRESH_ROLES(init_makes_no_role_that_would_hang_on_an_admin_with_an_end),
        ON_FRESH_ROLES(init_with_roles_of_somebody_else_tells_the_grant),
        ON_FRESH_ROLES(init_starts_from_the_admins_url_where_there_is_none),
        ON_FRESH_ROLES(init_is_done_in_the_order_that_keeps_the_application_going),
        ON_FRESH_ROLES(init_gives_a_superusers_tables_away_one_by_one),
        ON_FRESH_ROLES(the_plan_says_who_is_touched_and_changes_nothing),
        cmocka_unit_test(the_servers_log_has_no_password),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
