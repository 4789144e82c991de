/* tests/unit/bootstrap_apply.c: bootstrap_run against a real server. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "bootstrap/bootstrap.h"
#include "tests/lib/pg.h"
#include "tests/lib/site.h"

static struct pg *pg;

static int start_server(void **state)
{
    (void)state;
    pg = pg_start(
        "log_statement = 'all'\nmax_connections = 30\nsuperuser_reserved_connections = 1\n");
    return pg ? 0 : -1;
}

static int stop_server(void **state)
{
    (void)state;
    pg_stop(pg);
    return 0;
}

static const char schema[] = "CREATE TABLE users (id int PRIMARY KEY, name text);\n"
                             "CREATE TABLE orgs (id int PRIMARY KEY);\n";

static void files_make_a_stamped_database(void **state)
{
    (void)state;
    struct site site;
    static const char *const expect[] = {"users", "public.orgs", NULL};
    site_open(&site, pg, "files");
    site_sql(&site, "schema.sql", schema);
    site_sql(&site, "seed.sql", "INSERT INTO users VALUES (1, 'it''s'), (2, $$;$$);");
    site.settings.expect = expect;
    site_is_made(&site);
    assert_string_equal(site_ask(&site, pg, "SELECT version_num FROM alembic_version"), "b2");
    assert_string_equal(
        site_ask(&site, pg,
                 "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname "
                 "= 'alembic_version_pkc'"),
        "PRIMARY KEY (version_num)");
    assert_string_equal(site_ask(&site, pg,
                                 "SELECT format_type(atttypid, atttypmod) || attnotnull::text FROM "
                                 "pg_attribute WHERE attrelid = 'alembic_version'::regclass AND "
                                 "attnum = 1"),
                        "character varying(32)true");
    assert_string_equal(site_ask(&site, pg, "SELECT count(*) FROM users"), "2");

    AUTO_REPORT report = REPORT_INIT; /* a second start finds it */
    struct err err = ERR_INIT;
    assert_int_equal(bootstrap_run(&site.settings, false, &report, &err), 0);
    assert_false(report.created);
    assert_true(report.verified);
    site_close(&site);
}

/* ---- errors have a place and leave nothing --------------------------------------------------- */

static void errors_have_file_line_and_column(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *place, *sqlstate;
        unsigned line, column;
    } cases[] = {
        {"CREATE TABLE t (a int);\n-- \xC3\xA9\nCREATE TABLE u (\n  a int,\n  b no_such_type\n);\n",
         "schema.sql:5:5: CREATE TABLE u (", "42704", 5, 5},
        {"CREATE TABLE t (a int);\n\n  CREATE TABLE t (b int);\n",
         "schema.sql:3:3: CREATE TABLE t (b", "42P07", 3, 3},
        {"CREATE TABLE t (a int);\nSELECT 1;\nINSERT INTO t VALUES (1);\nSELEC 2;\n",
         "schema.sql:4:1: SELEC 2", "42601", 4, 1},
        {"SET search_path = public;\nCREATE TABLE t (a int);\nSELECT 1/0;\n",
         "schema.sql:3:1: SELECT 1/0", "22012", 3, 1},
        {"CREATE TABLE t (a int);\nCOPY t FROM stdin;\n1\nx\n\\.\nSELECT 1;\n",
         "schema.sql:4:1: COPY t FROM stdin", "22P02", 4, 1},
        {"CREATE TABLE t (a int);\nCOPY t FROM stdin;\n1\n\\.\nSELECT no_such();\n",
         "schema.sql:5:8: SELECT no_such()", "42883", 5, 8},
        {"CREATE TABLE t (a int UNIQUE DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO t VALUES (1), "
         "(1);",
         "commit", "23505", 0, 0},
    };
    struct site site;
    struct err err;
    site_open(&site, pg, "places");
    site_sql(&site, "schema.sql", "");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        site_file(&site, "schema.sql", cases[i].sql);
        site_is_refused(&site, ERR_DB_SQL, cases[i].place, &err);
        assert_string_equal(err.sqlstate, cases[i].sqlstate);
        assert_int_equal(err.line, cases[i].line);
        assert_int_equal(err.column, cases[i].column);
        assert_text_has(err.text, "nothing was changed");
        site_is_untouched(&site, pg);
    }
    site_close(&site);
}

static void a_wrong_file_is_found_before_a_server_is_waited_for(void **state)
{
    (void)state;
    static const char *const cases[] = {"CREATE TABLE t (a int);\nCOMMIT;",
                                        "x;\nBEGIN;",
                                        "x;\nROLLBACK;",
                                        "x;\nCREATE DATABASE x;",
                                        "x;\nVACUUM;",
                                        "x;\n\\i y",
                                        "x;\nCREATE INDEX CONCURRENTLY i ON t (a);",
                                        "x;\nALTER SYSTEM SET x = 1",
                                        "x;\n'"};
    struct site site;
    struct err err;
    site_open(&site, pg, "wrong_file");
    site_url(&site, strdup("postgresql://nobody@127.0.0.1:1/none")); /* nobody listens */
    site_sql(&site, "schema.sql", "");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        site_file(&site, "schema.sql", cases[i]);
        site_is_refused(&site, ERR_FILE, "schema.sql:2:", &err);
        assert_int_equal(err.line, 2);
        assert_string_equal(err.file, "schema.sql");
    }
    site_file(&site, "schema.sql", "-- nothing");
    site_is_refused(&site, ERR_FILE, "no SQL statement", &err);
    memset(site.create, 0, sizeof(site.create));
    site_sql(&site, "missing.sql", NULL);
    site_is_refused(&site, ERR_FILE, "missing.sql", &err);
    site_close(&site);
}

static void an_id_wider_than_the_column_is_found_first(void **state)
{
    (void)state;
    struct site site;
    struct err err;
    site_open(&site, pg, "wide");
    site_heads(&site, "a_revision_id_of_more_than_thirty_two_characters (head)\n");
    site_sql(&site, "schema.sql", schema);
    site_is_refused(&site, ERR_FILE, "48 characters, the version column holds 32", &err);
    site_is_untouched(&site, pg);
    site_sql(&site, "version.sql",
             "CREATE TABLE alembic_version (version_num varchar(64) NOT NULL)");
    site_is_made(&site);
    site_close(&site);
}

static void states_that_are_not_fresh_are_left_alone(void **state)
{
    (void)state;
    struct site site;
    struct err err;
    site_open(&site, pg, "not_fresh");
    site_sql(&site, "schema.sql", schema);
    pg_sql(pg, "not_fresh", "CREATE TABLE mine (a int)");
    site_is_refused(&site, ERR_DB_STATE, "'unstamped'", &err);
    assert_int_not_equal(err.hint[0], '\0');
    pg_sql(pg, "not_fresh", "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)");
    site_is_refused(&site, ERR_DB_STATE, "'lost-stamp'", &err);
    pg_sql(pg, "not_fresh", "INSERT INTO alembic_version VALUES ('a1')");
    site_is_refused(&site, ERR_DB_STATE, "'behind'", &err);
    pg_sql(pg, "not_fresh", "UPDATE alembic_version SET version_num = 'zz'");
    site_is_refused(&site, ERR_DB_STATE, "'unknown-revision'", &err);
    pg_sql(pg, "not_fresh", "ALTER DATABASE not_fresh SET default_transaction_read_only = on");
    site_is_refused(&site, ERR_DB_STATE, "'unknown-revision'", &err); /* nothing would be written */
    site_close(&site);
}

static void a_lone_type_is_not_fresh(void **state)
{
    static const char *const types[] = {
        "CREATE TYPE lone AS ENUM ('a')",
        "CREATE TYPE lone AS (a int)",
        "CREATE TYPE lone AS RANGE (subtype = float8)",
        "CREATE DOMAIN lone AS text CHECK (VALUE <> '')",
        "CREATE DOMAIN lone AS text[]", /* its category is an array's, which is nobody's */
    };
    (void)state;
    struct site site;
    struct err err;
    site_open(&site, pg, "lone_type");
    site_sql(&site, "schema.sql", schema);
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        pg_sql(pg, "lone_type", types[i]);
        site_is_refused(&site, ERR_DB_STATE, "'unstamped'", &err);
        pg_sql(pg, "lone_type", i < 3 ? "DROP TYPE lone" : "DROP DOMAIN lone");
    }
    site_close(&site);
}

static void a_read_only_server_is_worth_another_try(void **state)
{
    (void)state;
    struct site site;
    struct err err;
    site_open(&site, pg, "read_only");
    site_sql(&site, "schema.sql", "CREATE TABLE t (a int);\nALTER TABLE t OWNER TO no_such_role;");
    pg_sql(pg, "read_only", "ALTER DATABASE read_only SET default_transaction_read_only = on");
    site_is_refused(&site, ERR_DB_DOWN, "read-only", &err);
    assert_int_equal(err_exit_code(err.kind), 5);
    pg_sql(pg, "postgres", "ALTER DATABASE read_only RESET default_transaction_read_only");
    site_is_refused(&site, ERR_DB_SQL, "schema.sql:2:1: ALTER TABLE t OWNER TO", &err);
    assert_text_has(err.hint, "--no-owner");
    site_close(&site);
}

static void an_empty_version_table_is_used(void **state)
{
    (void)state;
    struct site site;
    site_open(&site, pg, "empty_stamp");
    site_sql(&site, "schema.sql", schema);
    pg_sql(pg, "empty_stamp",
           "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL, CONSTRAINT "
           "alembic_version_pkc PRIMARY KEY (version_num))");
    site_is_made(&site);
    site_close(&site);
}

static void migrate_runs_the_command_and_looks_again(void **state)
{
    (void)state;
    struct site site;
    char script[256];
    AUTO_REPORT report = REPORT_INIT;
    struct err err = ERR_INIT;
    site_open(&site, pg, "migrated");
    site_sql(&site, "schema.sql", schema);
    pg_sql(pg, "migrated",
           "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY); INSERT "
           "INTO alembic_version VALUES ('a1'); CREATE TABLE t (a int)");
    const char *migrate[] = {"sh", "-c", "exit 7", NULL};
    site.settings.migrate = migrate;
    assert_int_equal(bootstrap_run(&site.settings, true, &report, &err), -1);
    assert_int_equal(err.kind, ERR_DB_COMMAND);
    assert_text_has(err.text, "exited with 7");
    assert_text_has(err.text, "'behind'");
    (void)snprintf(script, sizeof(script),
                   "exec psql -X -q -h %s -p %u -U postgres -c \"UPDATE "
                   "alembic_version SET version_num = 'b2'\" migrated",
                   pg_socket_folder(pg), pg_port(pg));
    migrate[2] = script;
    if (bootstrap_run(&site.settings, true, &report, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(report.state, STATE_CURRENT);
    assert_int_equal(report.state_before, STATE_BEHIND);
    assert_true(report.verified);
    assert_false(report.created);
    site_close(&site);
}

/* ---- owners, rights -------------------------------------------------------------------------- */

static void everything_belongs_to_the_owner(void **state)
{
    (void)state;
    struct site site;
    struct err err;
    site_open(&site, pg, "owned");
    site_sql(
        &site, "schema.sql",
        "CREATE EXTENSION pg_trgm;\nCOMMENT ON EXTENSION pg_trgm IS 'x';\nCREATE TABLE t (a "
        "serial);\n"
        "CREATE TYPE e AS ENUM ('a');\nCREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT "
        "1';\n"
        "ALTER TABLE t OWNER TO postgres;\nSET ROLE postgres;\nCREATE VIEW v AS SELECT 1 AS x;\n");
    site.settings.owner = "own_owner";
    site_url(&site, pg_socket_url(pg, "own_login", "owned"));
    pg_sql(pg, "owned", "CREATE ROLE own_login LOGIN");
    site_is_refused(&site, ERR_DB_REFUSED, "does not exist", &err);
    assert_text_has(err.hint, "CREATE ROLE \"own_owner\" NOLOGIN;");
    pg_sql(pg, "owned", "CREATE ROLE own_owner NOLOGIN");
    site_is_refused(&site, ERR_DB_REFUSED, "may not create in the schema", &err);
    assert_text_has(err.hint, "GRANT \"own_owner\" TO \"own_login\";");
    assert_text_has(err.hint, "GRANT USAGE, CREATE ON SCHEMA \"public\" TO \"own_owner\";");
    pg_sql(pg, "owned",
           "GRANT own_owner TO own_login; GRANT USAGE, CREATE ON SCHEMA public TO own_owner");
    site_is_refused(&site, ERR_DB_REFUSED, "may not create the extension 'pg_trgm'", &err);
    assert_text_has(err.hint, "GRANT CREATE ON DATABASE \"owned\" TO \"own_login\";");
    pg_sql(pg, "owned", "GRANT CREATE ON DATABASE owned TO own_login");
    site_is_untouched(&site, pg);
    site_is_made(&site);
    assert_string_equal(
        site_ask(&site, pg,
                 "SELECT string_agg(DISTINCT relowner::regrole::text, ',') FROM pg_class "
                 "WHERE relnamespace = 'public'::regnamespace AND relname IN ('t', "
                 "'t_a_seq', 'v', 'alembic_version')"),
        "own_owner");
    assert_string_equal(site_ask(&site, pg,
                                 "SELECT extowner::regrole FROM pg_extension WHERE extname = "
                                 "'pg_trgm'"),
                        "own_login");
    site_close(&site);
}

static void a_member_without_set_role_is_told_what_to_grant(void **state)
{
    (void)state;
    struct site site;
    struct err err;
    site_open(&site, pg, "unsettable");
    if (strcmp(site_ask(&site, pg, "SELECT current_setting('server_version_num')::int >= 160000"),
               "t") != 0) {
        site_close(&site);
        skip();
    }
    site_sql(&site, "schema.sql", "CREATE TABLE t (a int);\n");
    site.settings.owner = "us_owner";
    /* A login with CREATEROLE may grant the role that it made, and may not become it. */
    pg_sql(pg, "unsettable",
           "CREATE ROLE us_login LOGIN CREATEROLE; SET SESSION AUTHORIZATION us_login; CREATE ROLE "
           "us_owner NOLOGIN; RESET SESSION AUTHORIZATION; GRANT USAGE, CREATE ON SCHEMA public TO "
           "us_owner");
    site_url(&site, pg_socket_url(pg, "us_login", "unsettable"));
    site_is_refused(&site, ERR_DB_REFUSED, "is a member of the owner 'us_owner' and may not", &err);
    assert_text_has(err.hint, "GRANT \"us_owner\" TO \"us_login\" WITH INHERIT TRUE, SET TRUE;");
    site_is_untouched(&site, pg);
    pg_sql(pg, "unsettable", "GRANT us_owner TO us_login");
    site_is_refused(&site, ERR_DB_REFUSED, "may not SET ROLE to it", &err);
    pg_sql(pg, "unsettable", "GRANT us_owner TO us_login WITH INHERIT TRUE, SET TRUE");
    site_is_made(&site);
    site_close(&site);
}

static void an_object_of_another_owner_is_rolled_back(void **state)
{
    (void)state;
    struct site site;
    struct err err;
    site_open(&site, pg, "other_owner");
    pg_sql(pg, "postgres", "CREATE ROLE oo_owner NOLOGIN");
    pg_sql(pg, "other_owner", "GRANT ALL ON SCHEMA public TO oo_owner");
    site_sql(&site, "schema.sql",
             "CREATE TABLE t (a int);\nDO $$ BEGIN SET LOCAL ROLE postgres; CREATE "
             "TABLE planted (a int); END $$;\nSELECT 1;\n");
    site.settings.owner = "oo_owner";
    site_is_refused(&site, ERR_DB_REFUSED, "table public.planted (postgres)", &err);
    assert_text_has(err.text, "nothing was changed");
    site_is_untouched(&site, pg);
    site_close(&site);
}

static void a_composite_type_of_another_owner_is_rolled_back(void **state)
{
    (void)state;
    struct site site;
    struct err err;
    site_open(&site, pg, "other_type");
    pg_sql(pg, "postgres", "CREATE ROLE ot_owner NOLOGIN");
    pg_sql(pg, "other_type", "GRANT ALL ON SCHEMA public TO ot_owner");
    site_sql(&site, "schema.sql",
             "CREATE TYPE own AS (a int);\nCREATE TABLE t (a own);\nDO $$ BEGIN SET LOCAL ROLE "
             "postgres; CREATE TYPE planted AS (a int); END $$;\n");
    site.settings.owner = "ot_owner";
    site_is_refused(&site, ERR_DB_REFUSED, "1 objects", &err);
    assert_text_has(err.text, "type public.planted (postgres)");
    site_is_untouched(&site, pg);
    site_close(&site);
}

/* ---- the plan, the other stamp --------------------------------------------------------------- */

static void a_dry_run_prints_the_sql_and_changes_nothing(void **state)
{
    (void)state;
    struct site site;
    struct err err = ERR_INIT;
    AUTO_BUF out = BUF_INIT(1000000);
    site_open(&site, pg, "dry_run");
    site_sql(&site, "schema.sql",
             "SET search_path = public;\nCREATE TABLE t (a int);\nCOPY t FROM "
             "stdin;\n7\n\\.\nSET lock_timeout = 0;\n");
    if (bootstrap_plan(&site.settings, &out, &err) != 0)
        fail_msg("%s", err.text);
    assert_text_has(buf_text(&out), "-- state: fresh");
    assert_text_has(buf_text(&out), "BEGIN ISOLATION LEVEL READ COMMITTED;\n");
    assert_text_has(buf_text(&out),
                    "SET LOCAL search_path = public;\nCREATE TABLE t (a int);\nCOPY t "
                    "FROM stdin;\n7\n\\.\n");
    assert_text_lacks(buf_text(&out), "lock_timeout = 0;");
    assert_text_has(buf_text(&out), "left out: 1 settings");
    assert_text_has(buf_text(&out),
                    "CREATE TABLE \"public\".\"alembic_version\" (version_num VARCHAR(32) "
                    "NOT NULL, CONSTRAINT \"alembic_version_pkc\" PRIMARY KEY "
                    "(version_num));\nINSERT INTO \"public\".\"alembic_version\" "
                    "(version_num) VALUES ('b2');\nCOMMIT;\n");
    site_is_untouched(&site, pg);
    site_close(&site);
}

static void a_plain_stamp_is_one_text_column(void **state)
{
    (void)state;
    struct site site;
    site_open(&site, pg, "plain_stamp");
    site_heads(&site, "v2026 (head)\n");
    site_sql(&site, "schema.sql", schema);
    site.settings.plain_stamp = true;
    site.settings.table = "Schema Version";
    site_is_made(&site);
    assert_string_equal(site_ask(&site, pg,
                                 "SELECT format_type(atttypid, atttypmod) FROM pg_attribute "
                                 "WHERE attrelid = '\"Schema Version\"'::regclass AND attnum > "
                                 "0"),
                        "text");
    site_close(&site);
}

static void several_heads_are_several_rows(void **state)
{
    (void)state;
    struct site site;
    site_open(&site, pg, "two_heads");
    site_heads(&site, "b2 (head)\nc3 (feature) (head)\n");
    site_sql(&site, "schema.sql", schema);
    pg_sql(pg, "two_heads", "CREATE SCHEMA meta");
    site.settings.schema = "meta";
    site_is_made(&site);
    assert_string_equal(site_ask(&site, pg,
                                 "SELECT string_agg(version_num, ',' ORDER BY 1) FROM "
                                 "meta.alembic_version"),
                        "b2,c3");
    site_close(&site);
}

static void what_cannot_be_stamped_is_not_made(void **state)
{
    (void)state;
    struct site site;
    struct err err;
    site_open(&site, pg, "no_stamp");
    site_is_refused(&site, ERR_DB_STATE, "does not say what makes it", &err);
    site_sql(&site, "schema.sql", schema);
    static const char *const expect[] = {"users", "app.accounts", "nobody", NULL};
    site.settings.expect = expect;
    site_is_refused(&site, ERR_DB_STATE,
                    "did not make what database.expect names: app.accounts, nobody", &err);
    site_is_untouched(&site, pg);
    site.settings.expect = NULL;
    site.settings.schema = "not_there";
    site_is_refused(&site, ERR_DB_SQL, "not_there", &err);
    site_is_untouched(&site, pg);
    site.settings.schema = "public";
    site.settings.graph = NULL;
    site_is_refused(&site, ERR_CONTRACT, "database.stamp", &err);
    site_close(&site);
}

/* ---- what is said on the way ----------------------------------------------------------------- */

/* Run it with stderr in a file, and give what was written there. */
static const char *said_while(struct site *site, int expected, struct err *err)
{
    static char said[20000];
    AUTO_REPORT report = REPORT_INIT;
    int old = dup(STDERR_FILENO);
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    *err = ERR_INIT;
    int rc = bootstrap_run(&site->settings, false, &report, err);
    assert_true(dup2(old, STDERR_FILENO) >= 0);
    (void)close(old);
    rewind(file);
    said[fread(said, 1, sizeof(said) - 1, file)] = '\0';
    (void)fclose(file);
    if (rc != expected)
        fail_msg("%s%s", said, err->text);
    return said;
}

static void a_login_that_ends_is_warned_of(void **state)
{
    (void)state;
    struct site site;
    struct err err;
    site_open(&site, pg, "expiring");
    pg_sql(pg, "expiring",
           "CREATE ROLE expiring LOGIN VALID UNTIL '2099-01-02 03:04:05Z'; GRANT ALL ON "
           "SCHEMA public TO expiring");
    site_url(&site, pg_socket_url(pg, "expiring", "expiring"));
    site_sql(&site, "schema.sql", schema);
    const char *said = said_while(&site, 0, &err);
    assert_text_has(said, "warn what is made now belongs to the login 'expiring', which ends at "
                          "2099-01-02T03:04:05Z");
    assert_text_has(said, "database.owner");
    site_close(&site);
}

static void a_serialization_failure_is_tried_three_times(void **state)
{
    (void)state;
    struct site site;
    struct err err;
    site_open(&site, pg, "serialization");
    site_sql(&site, "schema.sql",
             "CREATE TABLE t (a int);\nDO $$ BEGIN RAISE EXCEPTION 'try' USING "
             "ERRCODE = '40001'; END $$;");
    const char *said = said_while(&site, -1, &err);
    const char *first = strstr(said, "trying again");
    assert_non_null(first);
    assert_non_null(strstr(first + 1, "trying again"));
    assert_null(strstr(strstr(first + 1, "trying again") + 1, "trying again"));
    assert_string_equal(err.sqlstate, "40001");
    assert_int_equal(err.line, 2);
    site_is_untouched(&site, pg);
    site_close(&site);
}

static void what_a_role_may_not_do_comes_with_the_grant(void **state)
{
    (void)state;
    struct site site;
    struct err err;
    site_open(&site, pg, "rights");
    pg_sql(pg, "rights", "CREATE ROLE poor LOGIN");
    site_url(&site, pg_socket_url(pg, "poor", "rights"));
    site_sql(&site, "schema.sql", "CREATE SCHEMA s;\nCREATE TABLE s.t (a int);");
    site_is_refused(&site, ERR_DB_REFUSED, "may not create in the schema 'public'", &err);
    assert_text_has(err.hint, "GRANT USAGE, CREATE ON SCHEMA \"public\" TO \"poor\";");
    pg_sql(pg, "rights", "GRANT CREATE ON SCHEMA public TO poor");
    site_is_refused(&site, ERR_DB_REFUSED, "schema.sql:1:1: CREATE SCHEMA s", &err);
    assert_string_equal(err.sqlstate, "42501");
    assert_text_has(err.hint, "GRANT CREATE ON DATABASE \"rights\" TO \"poor\";");
    pg_sql(pg, "rights", "GRANT CREATE ON DATABASE rights TO poor");
    site_is_made(&site);
    site_close(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_make_a_stamped_database),
        cmocka_unit_test(errors_have_file_line_and_column),
        cmocka_unit_test(a_wrong_file_is_found_before_a_server_is_waited_for),
        cmocka_unit_test(an_id_wider_than_the_column_is_found_first),
        cmocka_unit_test(states_that_are_not_fresh_are_left_alone),
        cmocka_unit_test(a_lone_type_is_not_fresh),
        cmocka_unit_test(a_read_only_server_is_worth_another_try),
        cmocka_unit_test(an_empty_version_table_is_used),
        cmocka_unit_test(migrate_runs_the_command_and_looks_again),
        cmocka_unit_test(everything_belongs_to_the_owner),
        cmocka_unit_test(a_member_without_set_role_is_told_what_to_grant),
        cmocka_unit_test(an_object_of_another_owner_is_rolled_back),
        cmocka_unit_test(a_composite_type_of_another_owner_is_rolled_back),
        cmocka_unit_test(a_dry_run_prints_the_sql_and_changes_nothing),
        cmocka_unit_test(a_plain_stamp_is_one_text_column),
        cmocka_unit_test(several_heads_are_several_rows),
        cmocka_unit_test(what_cannot_be_stamped_is_not_made),
        cmocka_unit_test(a_login_that_ends_is_warned_of),
        cmocka_unit_test(a_serialization_failure_is_tried_three_times),
        cmocka_unit_test(what_a_role_may_not_do_comes_with_the_grant),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
