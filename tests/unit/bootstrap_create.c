/* tests/unit/bootstrap_create.c: each form of database.create against a real server. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/proc.h"
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

/* ---- where the SQL comes from ---------------------------------------------------------------- */

static void a_real_dump_with_data_works_as_it_is(void **state)
{
    (void)state;
    struct site from, site;
    char command[512];
    site_open(&from, pg, "dumped");
    pg_sql(
        pg, "dumped",
        "CREATE SCHEMA s; CREATE TYPE s.mood AS ENUM ('a;', 'b'); CREATE TABLE s.t (id serial "
        "PRIMARY KEY, m s.mood, x text DEFAULT 'it''s; $$'); INSERT INTO s.t (m, x) VALUES "
        "('a;', E'tab\\tnew\\nline\\\\.'), (NULL, NULL); CREATE FUNCTION s.f() RETURNS int BEGIN "
        "ATOMIC SELECT 1; SELECT CASE WHEN true THEN 2 END; END; CREATE TABLE alembic_version "
        "(version_num varchar(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY); INSERT "
        "INTO "
        "alembic_version VALUES ('b2'); CREATE EXTENSION pg_trgm;"
        "SELECT lo_from_bytea(4711, '\\x0a2700'), lo_create(4712)");
    (void)snprintf(command, sizeof(command),
                   "exec pg_dump -h %s -p %u -U postgres dumped >%s/schema.sql",
                   pg_socket_folder(pg), pg_port(pg), from.folder);
    static const char *const environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", NULL};
    const char *argv[] = {"sh", "-c", command, NULL};
    struct proc_request request = {.argv = argv,
                                   .environment = environment,
                                   .deadline_ms = clock_in_ms(30000),
                                   .what = "pg_dump"};
    struct proc_result result;
    struct err err = ERR_INIT;
    assert_int_equal(proc_run(&request, ERR_DB_COMMAND, &result, &err), 0);
    if (result.exit_code != 0 && getenv("AGENT_TEST_POSTGRES"))
        skip(); /* there is none but the machine's, which may be older than that server */
    assert_int_equal(result.exit_code, 0);

    site_open(&site, pg, "undumped");
    (void)snprintf(command, sizeof(command), "%s/schema.sql", from.folder);
    site_sql(&site, command, NULL);
    site_is_made(&site);
    assert_string_equal(site_ask(&site, pg, "SELECT x FROM s.t WHERE id = 1"), "tab\tnew\nline\\.");
    assert_string_equal(site_ask(&site, pg, "SELECT nextval('s.t_id_seq')"), "3");
    assert_string_equal(site_ask(&site, pg, "SELECT s.f()"), "2");
    assert_string_equal(site_ask(&site, pg, "SELECT lo_get(4711)"), "\\x0a2700");
    assert_string_equal(site_ask(&site, pg, "SELECT version_num FROM alembic_version"), "b2");
    site_close(&site);
    site_close(&from);
}

/* pg_dump writes in the encoding of the database that it dumps, and says which that is. What is ours
 * behind the script is in UTF-8 all the same. */
static void a_dump_in_another_encoding_is_read_in_it(void **state)
{
    (void)state;
    struct site site;
    site_open(&site, pg, "latin");
    site.settings.table = "versi\xc3\xb3n";
    site_sql(&site, "schema.sql",
             "SET client_encoding = 'LATIN1';\nCREATE TABLE \"K\xe4se\" (a text DEFAULT "
             "'\xe4\xc3\xb6');\nINSERT INTO \"K\xe4se\" DEFAULT VALUES;\nCOPY \"K\xe4se\" FROM "
             "stdin;\n\xfc\n\\.\n");
    site_is_made(&site);
    assert_string_equal(site_ask(&site, pg, "SELECT string_agg(a, ' ') FROM \"K\xc3\xa4se\""),
                        "\xc3\xa4\xc3\x83\xc2\xb6 \xc3\xbc");
    assert_string_equal(site_ask(&site, pg, "SELECT version_num FROM \"versi\xc3\xb3n\""), "b2");
    site_close(&site);
}

/* The server refuses the whole message, and knows no statement. */
static void bytes_of_no_encoding_are_told_where_they_stand(void **state)
{
    (void)state;
    struct site site;
    struct err err;
    site_open(&site, pg, "no_encoding");
    site_sql(&site, "schema.sql",
             "CREATE TABLE t (a int);\n\nCOMMENT ON TABLE t IS\n  'caf\xe9';\n");
    site_is_refused(&site, ERR_DB_SQL, "schema.sql:4:7: COMMENT ON TABLE t IS", &err);
    assert_non_null(strstr(err.hint, "SET client_encoding"));
    site_is_untouched(&site, pg);
    site_sql(&site, "schema.sql",
             "SET client_encoding = 'LATIN1';\nCREATE TABLE t (a text DEFAULT '\xe4\xb6');\nCREATE "
             "TABLE u (a nothing);\n");
    site_is_refused(&site, ERR_DB_SQL, "schema.sql:3:19: CREATE TABLE", &err);
    site_close(&site);
}

static void what_the_databases_encoding_lacks_is_told_where_it_stands(void **state)
{
    (void)state;
    struct site site;
    struct err err;
    site_open(&site, pg, "narrow");
    pg_sql(pg, "postgres", "DROP DATABASE narrow");
    pg_sql(pg, "postgres",
           "CREATE DATABASE narrow ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    site_sql(&site, "schema.sql",
             "CREATE TABLE t (a int);\nCOMMENT ON TABLE t IS '10 \xe2\x82\xac';\n");
    site_is_refused(&site, ERR_DB_SQL, "schema.sql:2:27: COMMENT ON TABLE t IS", &err);
    assert_non_null(strstr(err.hint, "ENCODING 'UTF8'"));
    site_is_untouched(&site, pg);
    site_close(&site);
}

static void a_dump_with_another_revision_is_refused(void **state)
{
    (void)state;
    struct site site;
    struct err err;
    site_open(&site, pg, "stale_dump");
    site_sql(&site, "schema.sql",
             "CREATE TABLE t (a int);\nCREATE TABLE public.alembic_version (version_num "
             "varchar(32));\nCOPY public.alembic_version (version_num) FROM stdin;\na1\n\\.\n");
    site_is_refused(&site, ERR_FILE, "'a1', the revision files' heads are 'b2'", &err);
    site_is_untouched(&site, pg);
    site_close(&site);
}

static void what_alembic_prints_is_folded_in(void **state)
{
    (void)state;
    struct site site;
    site_open(&site, pg, "offline");
    site_file(
        &site, "out.sql",
        "BEGIN;\n\nCREATE TABLE alembic_version (\n    version_num VARCHAR(32) NOT NULL, \n    "
        "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)\n);\n\nCREATE TABLE t (a int);"
        "\n\nINSERT INTO alembic_version (version_num) VALUES ('a1') RETURNING "
        "alembic_version.version_num;\n\nCOMMIT;\nCREATE INDEX CONCURRENTLY i ON t (a);\nBEGIN;"
        "\n\nUPDATE alembic_version SET version_num='b2' WHERE alembic_version.version_num = "
        "'a1';\nALTER TABLE alembic_version ADD COLUMN note text;\nALTER TABLE alembic_version "
        "DROP COLUMN note;\nCOMMIT;\n");
    site_emit(&site, "cat out.sql");
    site_is_made(&site);
    assert_string_equal(
        site_ask(&site, pg, "SELECT string_agg(version_num, ',') FROM alembic_version"), "b2");
    assert_string_equal(site_ask(&site, pg,
                                 "SELECT indisvalid FROM pg_index WHERE indexrelid = "
                                 "'i'::regclass"),
                        "t");
    site_close(&site);
}

static void an_emit_that_fails_changes_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *script, *part;
    } cases[] = {
        {"echo 'CREATE TABLE t (a int);'; echo boom >&2; exit 3", "exited with 3: boom"},
        {"printf 'Traceback (most recent call last):\n  File \"x.py\"\nValueError: why\n\n"
         "[SQL: SELECT 1]\n(Background on this error at: ...)\n' >&2; exit 1",
         "exited with 1: ValueError: why"},
        {"printf 'BEGIN;\\n  FAILED: Multiple heads are present\\n'; exit 255",
         "FAILED: Multiple heads"},
        {"echo 'BEGIN; CREATE TABLE t (a int);'", "stops short"},
        {"echo '-- nothing'", "no SQL statement"},
        {"echo 'SELECT 1;'", "made no table"},
        {"echo 'CREATE TABLE t (a int); ROLLBACK;'", "ROLLBACK"},
        {"echo 'CREATE TABLE t (a int); VACUUM;'", "VACUUM"},
        {"echo \"CREATE TABLE t (a 'int);\"", "string that opens here"},
        {"echo 'CREATE TABLE t (a int); CREATE TABLE alembic_version (version_num varchar(32)); "
         "INSERT "
         "INTO alembic_version VALUES ('\"'a1'\"');'",
         "heads are 'b2'"},
        {"no-such-command", "127"},
    };
    struct site site;
    struct err err;
    site_open(&site, pg, "bad_emit");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        memset(site.create, 0, sizeof(site.create));
        site_emit(&site, cases[i].script);
        site_is_refused(&site, ERR_DB_COMMAND, cases[i].part, &err);
        assert_text_has(err.text, "nothing was changed (rolled back)");
        site_is_untouched(&site, pg);
    }
    memset(site.create, 0, sizeof(site.create));
    site_emit(&site, "echo 'CREATE TABLE t (a int);'; echo 'FAILED: not SQL; at all'");
    site_is_refused(&site, ERR_DB_SQL, "create.emit:2:1: FAILED: not SQL", &err);
    site_is_untouched(&site, pg);
    site_close(&site);
}

static void a_command_is_stamped_after_it(void **state)
{
    (void)state;
    struct site site;
    char script[256];
    static const char *const expect[] = {"t", NULL};
    site_open(&site, pg, "by_command");
    (void)snprintf(script, sizeof(script),
                   "exec psql -X -q -h %s -p %u -U postgres -c 'CREATE TABLE t (a "
                   "int)' by_command",
                   pg_socket_folder(pg), pg_port(pg));
    site_command(&site, script);
    site.settings.expect = expect;
    site_is_made(&site);
    assert_string_equal(site_ask(&site, pg, "SELECT version_num FROM alembic_version"), "b2");
    assert_string_equal(
        site_ask(&site, pg, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), "0");
    site_close(&site);
}

static void a_command_that_dies_half_way_says_how_to_go_on(void **state)
{
    (void)state;
    struct site site;
    struct err err;
    char script[256];
    static const char *const expect[] = {"t", "u", NULL};
    site_open(&site, pg, "half_command");
    (void)snprintf(
        script, sizeof(script),
        "psql -X -q -h %s -p %u -U postgres -c 'CREATE TABLE t (a int)' half_command; exit 4",
        pg_socket_folder(pg), pg_port(pg));
    site_command(&site, script);
    site.settings.expect = expect;
    site_is_refused(&site, ERR_DB_COMMAND, "exited with 4", &err);
    assert_text_has(err.text, "'unstamped'");
    assert_text_has(err.hint, "--adopt");
    site_is_refused(&site, ERR_DB_STATE, "'unstamped'", &err);

    pg_sql(pg, "half_command", "DROP TABLE t");
    memset(site.create, 0, sizeof(site.create));
    script[strlen(script) - strlen("; exit 4")] = '\0';
    site_command(&site, script);
    site_is_refused(&site, ERR_DB_STATE, "did not make what database.expect names: u", &err);
    assert_string_equal(site_ask(&site, pg, "SELECT to_regclass('alembic_version') IS NULL"), "t");
    site_close(&site);
}

static void a_schema_that_is_not_there_is_told_with_what_to_do(void **state)
{
    (void)state;
    struct site site;
    struct err err;
    site_open(&site, pg, "no_schema");
    site_sql(&site, "schema.sql", "CREATE TABLE t (a int);");
    site.settings.schema = "meta";
    site_is_refused(&site, ERR_DB_SQL, "stamp: ", &err);
    assert_non_null(strstr(err.hint, "(CREATE SCHEMA)"));
    site.settings.schema = "public";
    pg_sql(pg, "postgres", "ALTER DATABASE no_schema SET search_path = nowhere");
    site_is_refused(&site, ERR_DB_SQL, "schema.sql:1:14: CREATE TABLE t", &err);
    assert_non_null(strstr(err.hint, "search_path"));
    site_is_untouched(&site, pg);
    site_close(&site);
}

static void settings_do_not_leak_out_of_the_transaction(void **state)
{
    (void)state;
    struct site site;
    site_open(&site, pg, "leak");
    site_sql(
        &site, "schema.sql",
        "SET statement_timeout = 1;\nSET lock_timeout = 1;\nSELECT "
        "pg_catalog.set_config('search_path',"
        " '', false);\nSET check_function_bodies = false;\nCREATE TABLE public.t (a text DEFAULT "
        "current_setting('statement_timeout'));\nINSERT INTO public.t DEFAULT VALUES;\n");
    site_is_made(&site);
    assert_string_equal(site_ask(&site, pg, "SELECT a FROM t"), "1min");
    site_close(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_real_dump_with_data_works_as_it_is),
        cmocka_unit_test(a_dump_in_another_encoding_is_read_in_it),
        cmocka_unit_test(bytes_of_no_encoding_are_told_where_they_stand),
        cmocka_unit_test(what_the_databases_encoding_lacks_is_told_where_it_stands),
        cmocka_unit_test(a_dump_with_another_revision_is_refused),
        cmocka_unit_test(what_alembic_prints_is_folded_in),
        cmocka_unit_test(an_emit_that_fails_changes_nothing),
        cmocka_unit_test(a_command_is_stamped_after_it),
        cmocka_unit_test(a_command_that_dies_half_way_says_how_to_go_on),
        cmocka_unit_test(a_schema_that_is_not_there_is_told_with_what_to_do),
        cmocka_unit_test(settings_do_not_leak_out_of_the_transaction),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
