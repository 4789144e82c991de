/* tests/unit/bootstrap_state.c: every state of a database, on a real server. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "bootstrap/internal.h"
#include "tests/lib/pg.h"

enum { LONG_MS = 20 * 1000, PATH_BYTES = 256, SQL_BYTES = 4096 };

#define VERSION_TABLE                                                  \
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, " \
    "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num));"
#define TABLES    "CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE orgs (id int);"
#define STAMP(id) "INSERT INTO alembic_version VALUES ('" id "');"

static struct pg *server;
static char folder[] = "/tmp/agent-state-XXXXXX";
static struct graph *chain; /* a1 <- b2 <- c3 */
static struct graph *fork_; /* a1 <- b2, a1 <- c3: two heads */
static unsigned databases;

static const char *const expected[] = {"users", "public.orgs", NULL};
static const char *const migrate[] = {"alembic", "upgrade", "heads", NULL};

/* ---- what the tests stand on ----------------------------------------------------------------------- */

static void write_revision(const char *name, const char *id, const char *down)
{
    char path[PATH_BYTES], text[PATH_BYTES];
    struct err err = ERR_INIT;
    (void)snprintf(path, sizeof(path), "%s/%s/versions/%s.py", folder, name, id);
    int length = snprintf(text, sizeof(text), "revision = '%s'\ndown_revision = %s\n", id, down);
    if (file_replace(path, text, (size_t)length, 0600, &err) != 0)
        fail_msg("%s", err.text);
}

/* Three revisions; MIDDLE is what c3 follows. */
static struct graph *graph_of(const char *name, const char *middle)
{
    char path[PATH_BYTES];
    struct err err = ERR_INIT;
    struct graph *graph = NULL;
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/%s/versions", folder, name);
    assert_int_equal(mkdir(path, 0700), 0);
    write_revision(name, "a1", "None");
    write_revision(name, "b2", "'a1'");
    write_revision(name, "c3", middle);
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    const struct graph_settings settings = {.path = path, .working_folder = folder};
    if (graph_load(&settings, &graph, &err) != 0 || graph_require_sound(graph, &err) != 0)
        fail_msg("%s", err.text);
    return graph;
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    chain = graph_of("chain", "'b2'");
    fork_ = graph_of("fork", "'a1'");
    server = pg_start(NULL);
    pg_sql(server, "postgres", "CREATE ROLE app LOGIN; CREATE ROLE keeper NOLOGIN;");
    return 0;
}

static void remove_graph(const char *name)
{
    static const char *const parts[] = {"/versions/a1.py", "/versions/b2.py", "/versions/c3.py"};
    char path[PATH_BYTES];
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s%s", folder, name, parts[i]);
        (void)unlink(path);
    }
    (void)snprintf(path, sizeof(path), "%s/%s/versions", folder, name);
    (void)rmdir(path);
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    (void)rmdir(path);
}

static int tear_down(void **state)
{
    (void)state;
    pg_stop(server);
    graph_free(chain);
    graph_free(fork_);
    remove_graph("chain");
    remove_graph("fork");
    return rmdir(folder);
}

static struct database_settings settings_of(const struct graph *graph)
{
    return (struct database_settings){.table = "alembic_version",
                                      .schema = "public",
                                      .graph = graph,
                                      .expect = expected,
                                      .migrate = migrate,
                                      .deadline_ms = CLOCK_NEVER};
}

static struct db *connect_as(const char *user, const char *database)
{
    struct err err = ERR_INIT;
    struct db *db = NULL;
    struct db_target target = {0};
    AUTO_FREE char *url = pg_socket_url(server, user, database);
    struct secret secret = secret_borrow(url, strlen(url));
    if (db_target_parse(&secret, "DATABASE_URL", &target, &err) != 0 ||
        db_connect(&target, clock_in_ms(LONG_MS), &db, &err) != 0)
        fail_msg("%s", err.text);
    db_target_release(&target);
    return db;
}

/* A database of its own, made by SQL and looked at as USER. */
static struct database_report looked_at(const struct database_settings *settings, const char *user,
                                        const char *sql)
{
    char name[32], create[64];
    struct database_report report = REPORT_INIT;
    struct err err = ERR_INIT;
    (void)snprintf(name, sizeof(name), "state_%u", databases++);
    (void)snprintf(create, sizeof(create), "CREATE DATABASE %s", name);
    pg_sql(server, "postgres", create);
    pg_sql(server, name, sql);
    AUTO_DB db = connect_as(user, name);
    if (state_look(db, settings, clock_in_ms(LONG_MS), &report, NULL, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(db_round_trips(db), 1);
    assert_true(report.state_known);
    assert_true(strlen(report.why) > 0);
    return report;
}

#define assert_state(report, expected_state)                                    \
    do {                                                                        \
        if ((report).state != (expected_state))                                 \
            fail_msg("the state is %s, not %s: %s", state_word((report).state), \
                     state_word(expected_state), (report).why);                 \
    } while (0)

/* For most tests: as superuser, with the chain of three. */
static struct database_report state_after(const char *sql)
{
    const struct database_settings settings = settings_of(chain);
    return looked_at(&settings, "postgres", sql);
}

/* ---- fresh, and what spoils it ----------------------------------------------------------------------- */

static void an_empty_database_is_fresh(void **state)
{
    (void)state;
    AUTO_REPORT report = state_after("SELECT 1");
    assert_state(report, STATE_FRESH);
    assert_int_equal(report.table_count, 0);
    assert_string_equal(report.missing[0], "users");
    assert_string_equal(report.missing[1], "public.orgs");
    assert_string_equal(report.heads[0], "c3");
    assert_null(report.heads[1]);
    assert_null(report.stamped[0]);
    assert_string_equal(report.user, "postgres");
}

/* It is what bootstrap would say of it, and no promise that it would break. */
static void the_hint_of_a_fresh_one_is_what_can_be_done(void **state)
{
    (void)state;
    struct database_settings settings = settings_of(chain);
    AUTO_REPORT unmade = looked_at(&settings, "postgres", "SELECT 1");
    assert_state(unmade, STATE_FRESH);
    assert_text_has(unmade.hint, "what makes it: database.create. Or let its migrations make it: ");
    settings.create = CREATE_SQL;
    AUTO_REPORT whole = looked_at(&settings, "postgres", "SELECT 1");
    assert_string_equal(whole.hint, "agent bootstrap makes and stamps it.");
    AUTO_REPORT refused = looked_at(&settings, "app", "REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    assert_state(refused, STATE_FRESH);
    assert_text_has(refused.hint, "can't make it yet. ");
    assert_text_has(refused.hint, "GRANT");
    settings.graph = NULL;
    AUTO_REPORT unstamped = looked_at(&settings, "postgres", "SELECT 1");
    assert_text_has(unstamped.hint, "database.stamp");
}

static void what_is_not_the_users_does_not_spoil_fresh(void **state)
{
    (void)state;
    AUTO_REPORT report = state_after(
        "CREATE SCHEMA empty; CREATE EXTENSION pg_trgm; CREATE SCHEMA ext;"
        "CREATE EXTENSION hstore SCHEMA ext; CREATE TEMP TABLE gone (id int);");
    assert_state(report, STATE_FRESH);
}

static void an_empty_version_table_alone_is_fresh(void **state)
{
    (void)state;
    AUTO_REPORT report = state_after(VERSION_TABLE);
    assert_state(report, STATE_FRESH);
    assert_text_has(report.why, "an empty version table public.alembic_version");
}

static void anything_of_the_users_spoils_fresh(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *named;
    } cases[] = {
        {"CREATE TABLE t (id int)", "table public.t"},
        {"CREATE SCHEMA other; CREATE TABLE other.t (id int)", "table other.t"},
        {"CREATE VIEW v AS SELECT 1", "view public.v"},
        {"CREATE MATERIALIZED VIEW m AS SELECT 1 AS x", "materialized view public.m"},
        {"CREATE SEQUENCE s", "sequence public.s"},
        {"CREATE TYPE mood AS ENUM ('a')", "type public.mood"},
        {"CREATE TYPE pair AS (a int, b int)", "type public.pair"},
        {"CREATE DOMAIN d AS int", "type public.d"},
        {"CREATE TYPE r AS RANGE (subtype = int4)", "type public.r"},
        {"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "function public.f"},
        {"CREATE TABLE p (id int) PARTITION BY RANGE (id)", "partitioned table public.p"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_REPORT report = state_after(cases[i].sql);
        assert_state(report, STATE_UNSTAMPED);
        assert_text_has(report.why, cases[i].named);
        assert_text_has(report.why, "1 ");
    }
}

static void parts_of_an_object_are_not_counted_beside_it(void **state)
{
    (void)state;
    AUTO_REPORT report = state_after("CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, b text);"
                                     "CREATE TYPE r AS RANGE (subtype = int4)");
    assert_state(report, STATE_UNSTAMPED);
    assert_text_has(report.why, "1 table, 1 type (table public.t and type public.r)");
    assert_int_equal(report.table_count, 1);
}

static void many_objects_are_counted_and_the_first_named(void **state)
{
    (void)state;
    AUTO_REPORT report = state_after(
        "DO $$BEGIN FOR i IN 1..300 LOOP EXECUTE format('CREATE TABLE t%s (id int)', "
        "lpad(i::text, 3, '0')); END LOOP; END$$");
    assert_state(report, STATE_UNSTAMPED);
    assert_text_has(report.why, "300 tables (first: table public.t001, table public.t002");
    assert_int_equal(report.table_count, 300);
}

/* Names come through XML: what looks like its tags, and what it writes otherwise. */
static void a_name_is_what_it_is_whatever_is_in_it(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    AUTO_LOOK look = LOOK_INIT;
    AUTO_REPORT report = REPORT_INIT;
    const struct database_settings settings = settings_of(chain);
    pg_sql(server, "postgres", "CREATE DATABASE odd");
    pg_sql(
        server, "odd",
        "CREATE SCHEMA \"</row>\"; CREATE TABLE \"</row>\".\"<row><a>&amp;\\'\" (id int);"
        "CREATE TABLE U&\"]]>\\000d\\000a\\0001\\00e4&lt;\" (id int); CREATE TABLE \" \" (id int)");
    AUTO_DB db = connect_as("postgres", "odd");
    if (state_look(db, &settings, clock_in_ms(LONG_MS), &report, &look, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(look.counts.tables, 3);
    assert_int_equal(look.objects.count, 3);
    assert_string_equal(look.objects.list[0], "table </row>.<row><a>&amp;\\'");
    assert_string_equal(look.objects.list[1], "table public. ");
    assert_string_equal(look.objects.list[2], "table public.]]>\r\n\001\303\244&lt;");
}

static void every_expected_table_is_missing_where_nothing_is(void **state)
{
    (void)state;
    static const char *const expect[] = {"users", "shop.or\\ders", NULL};
    struct database_settings settings = settings_of(chain);
    settings.expect = expect;
    AUTO_REPORT report = looked_at(&settings, "postgres", "SELECT 1");
    assert_state(report, STATE_FRESH);
    assert_string_equal(report.missing[0], "users");
    assert_string_equal(report.missing[1], "shop.or\\ders");
    assert_null(report.missing[2]);
}

static void only_managed_schemas_count(void **state)
{
    (void)state;
    static const char *const managed[] = {"mine", "public", NULL};
    struct database_settings settings = settings_of(chain);
    settings.schemas = managed;
    AUTO_REPORT report = looked_at(&settings, "postgres",
                                   "CREATE SCHEMA theirs; CREATE TABLE theirs.t (id int);"
                                   "CREATE TABLE theirs.alembic_version (version_num varchar(32) "
                                   "NOT NULL PRIMARY KEY)");
    assert_state(report, STATE_FRESH);
    assert_text_has(report.why, "theirs.alembic_version");
}

/* ---- the stamp ---------------------------------------------------------------------------------------- */

static void tables_without_a_version_table_are_unstamped(void **state)
{
    (void)state;
    AUTO_REPORT report = state_after(TABLES);
    assert_state(report, STATE_UNSTAMPED);
    assert_text_has(report.why, "no version table public.alembic_version");
    assert_text_has(report.hint, "agent bootstrap --adopt compares");
    assert_text_has(report.hint, "alembic stamp REVISION");
}

/* A head stamped by hand on tables that are an older revision's is the harm itself. */
static void no_hint_says_to_stamp_the_head(void **state)
{
    (void)state;
    struct database_settings settings = settings_of(chain);
    settings.migrate = NULL;
    AUTO_REPORT trusting = looked_at(&settings, "postgres", TABLES);
    assert_state(trusting, STATE_UNSTAMPED);
    assert_text_has(trusting.hint, "agent bootstrap --adopt --trust");
    assert_null(strstr(trusting.hint, "c3"));
    settings.expect = NULL;
    settings.plain_stamp = true;
    AUTO_REPORT bare = looked_at(&settings, "postgres", TABLES);
    assert_state(bare, STATE_UNSTAMPED);
    assert_text_has(bare.hint, "(database.create)");
    assert_null(strstr(bare.hint, "alembic"));
}

static void a_version_table_elsewhere_is_named(void **state)
{
    (void)state;
    AUTO_REPORT report = state_after(
        TABLES "CREATE SCHEMA meta; CREATE TABLE meta.alembic_version (version_num varchar(32) NOT "
               "NULL PRIMARY KEY); INSERT INTO meta.alembic_version VALUES ('c3')");
    assert_state(report, STATE_UNSTAMPED);
    assert_text_has(report.why, "meta.alembic_version");
    assert_text_has(report.hint, "database.stamp.schema");
}

/* A cast to text would take the blanks away by which Alembic does not find the revision. */
static void a_padded_id_is_read_as_alembic_reads_it(void **state)
{
    (void)state;
    AUTO_REPORT padded = state_after(TABLES
                                     "CREATE TABLE alembic_version (version_num char(4) NOT NULL);"
                                     "INSERT INTO alembic_version VALUES ('c3')");
    assert_state(padded, STATE_UNKNOWN_REVISION);
    assert_text_has(padded.why, "'c3  '");
    AUTO_REPORT exact = state_after(TABLES
                                    "CREATE TABLE alembic_version (version_num char(2) NOT NULL);"
                                    "INSERT INTO alembic_version VALUES ('c3')");
    assert_state(exact, STATE_CURRENT);
}

static void another_definition_of_the_version_table_is_unstamped(void **state)
{
    (void)state;
    static const char *const definitions[] = {
        "CREATE TABLE alembic_version (version_num int NOT NULL)",
        "CREATE TABLE alembic_version (version_num varchar(32))",
        "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL, at timestamptz)",
        "CREATE TABLE alembic_version (version varchar(32) NOT NULL)",
        "CREATE VIEW alembic_version AS SELECT 'c3'::varchar(32) AS version_num",
        "CREATE TABLE alembic_version ()",
    };
    for (size_t i = 0; i < sizeof(definitions) / sizeof(definitions[0]); i++) {
        AUTO_REPORT report = state_after(definitions[i]);
        assert_state(report, STATE_UNSTAMPED);
        assert_text_has(report.why, "is not the version table that Alembic makes");
        assert_string_equal(report.hint, "Rename it, or name another one: database.stamp.table.");
    }
}

static void any_width_and_no_key_are_alembics_too(void **state)
{
    (void)state;
    static const char *const definitions[] = {
        TABLES "CREATE TABLE alembic_version (version_num varchar(255) NOT NULL);" STAMP("c3"),
        TABLES "CREATE TABLE alembic_version (version_num text NOT NULL PRIMARY KEY);" STAMP("c3"),
        TABLES VERSION_TABLE "ALTER TABLE alembic_version ADD x int;"
                             "ALTER TABLE alembic_version DROP x;" STAMP("c3"),
    };
    for (size_t i = 0; i < sizeof(definitions) / sizeof(definitions[0]); i++) {
        AUTO_REPORT report = state_after(definitions[i]);
        assert_state(report, STATE_CURRENT);
    }
}

static void tables_with_an_empty_version_table_are_a_lost_stamp(void **state)
{
    (void)state;
    AUTO_REPORT report = state_after(TABLES VERSION_TABLE);
    assert_state(report, STATE_LOST_STAMP);
    assert_text_has(report.why, "no row in public.alembic_version");
    assert_int_equal(report.table_count, 2);
}

static void a_row_at_the_head_is_current(void **state)
{
    (void)state;
    AUTO_REPORT report = state_after(TABLES VERSION_TABLE STAMP("c3"));
    assert_state(report, STATE_CURRENT);
    assert_string_equal(report.stamped[0], "c3");
    assert_null(report.hint);
    assert_null(report.missing[0]);
    assert_int_equal(report.behind, 0);
    assert_false(report.read_only);
}

static void an_older_row_is_behind_and_says_by_how_many(void **state)
{
    (void)state;
    AUTO_REPORT report = state_after(TABLES VERSION_TABLE STAMP("a1"));
    assert_state(report, STATE_BEHIND);
    assert_int_equal(report.behind, 2);
    assert_string_equal(report.next[0], "b2");
    assert_string_equal(report.next[1], "c3");
    assert_text_has(report.why, "2 revisions behind; next: b2 and c3");
    assert_text_has(report.hint, "alembic upgrade heads");
}

static void one_of_two_heads_is_behind(void **state)
{
    (void)state;
    const struct database_settings settings = settings_of(fork_);
    AUTO_REPORT one = looked_at(&settings, "postgres", TABLES VERSION_TABLE STAMP("b2"));
    assert_state(one, STATE_BEHIND);
    assert_int_equal(one.behind, 1);
    AUTO_REPORT both = looked_at(&settings, "postgres",
                                 TABLES VERSION_TABLE STAMP("b2") STAMP("c3"));
    assert_state(both, STATE_CURRENT);
}

static void a_row_that_no_script_has_is_unknown(void **state)
{
    (void)state;
    AUTO_REPORT report = state_after(TABLES VERSION_TABLE STAMP("C3"));
    assert_state(report, STATE_UNKNOWN_REVISION);
    assert_text_has(report.why, "'C3'");
    assert_text_has(report.why, "'c3'"); /* the closest one */
}

static void without_migrations_every_row_is_unknown(void **state)
{
    (void)state;
    const struct database_settings settings = settings_of(NULL);
    AUTO_REPORT report = looked_at(&settings, "postgres", TABLES VERSION_TABLE STAMP("c3"));
    assert_state(report, STATE_UNKNOWN_REVISION);
    assert_text_has(report.why, "database.stamp");
    assert_null(report.heads[0]);
}

static void heads_without_their_files_cannot_tell_older_from_unknown(void **state)
{
    (void)state;
    static const char heads[] = "c3 (head)\n";
    struct err err = ERR_INIT;
    struct graph *graph = NULL;
    if (graph_from_heads_output(heads, strlen(heads), &graph, &err) != 0)
        fail_msg("%s", err.text);
    const struct database_settings settings = settings_of(graph);
    AUTO_REPORT current = looked_at(&settings, "postgres", TABLES VERSION_TABLE STAMP("c3"));
    assert_state(current, STATE_CURRENT);
    AUTO_REPORT older = looked_at(&settings, "postgres", TABLES VERSION_TABLE STAMP("a1"));
    assert_state(older, STATE_UNKNOWN_REVISION);
    assert_text_has(older.why, "whether it is an older one can't be told");
    graph_free(graph);
}

static void a_head_and_its_ancestor_are_redundant(void **state)
{
    (void)state;
    AUTO_REPORT report = state_after(TABLES VERSION_TABLE STAMP("c3") STAMP("a1"));
    assert_state(report, STATE_REDUNDANT);
    assert_text_has(report.why, "holds 'c3' and 'a1', which is an ancestor");
    assert_text_has(report.hint,
                    "DELETE FROM \"public\".\"alembic_version\" WHERE version_num = 'a1';");
}

static void a_row_twice_is_redundant(void **state)
{
    (void)state;
    AUTO_REPORT report = state_after(TABLES
                                     "CREATE TABLE alembic_version (version_num varchar(32) NOT "
                                     "NULL);" STAMP("c3") STAMP("c3"));
    assert_state(report, STATE_REDUNDANT);
    assert_text_has(report.hint, "VALUES ('c3');");
}

static void a_row_without_any_table_is_stamp_only(void **state)
{
    (void)state;
    AUTO_REPORT report = state_after(VERSION_TABLE STAMP("c3"));
    assert_state(report, STATE_STAMP_ONLY);
}

static void a_missing_table_is_incomplete(void **state)
{
    (void)state;
    AUTO_REPORT report = state_after("CREATE TABLE users (id int);" VERSION_TABLE STAMP("c3"));
    assert_state(report, STATE_INCOMPLETE);
    assert_string_equal(report.missing[0], "public.orgs");
    assert_null(report.missing[1]);
    assert_text_has(report.why, "missing: public.orgs");
}

static void an_expected_name_that_is_a_view_is_missing(void **state)
{
    (void)state;
    AUTO_REPORT report = state_after(
        "CREATE TABLE users (id int); CREATE VIEW orgs AS SELECT 1;" VERSION_TABLE STAMP("c3"));
    assert_state(report, STATE_INCOMPLETE);
}

static void an_invalid_index_is_incomplete(void **state)
{
    (void)state;
    AUTO_REPORT report = state_after(TABLES VERSION_TABLE STAMP(
        "c3") "CREATE INDEX broken ON users (id);"
              "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass");
    assert_state(report, STATE_INCOMPLETE);
    assert_text_has(report.why, "invalid index: public.broken");
}

/* ---- what this role may not read --------------------------------------------------------------------- */

static void a_schema_without_usage_is_invisible(void **state)
{
    (void)state;
    const struct database_settings settings = settings_of(chain);
    AUTO_REPORT report = looked_at(&settings, "app",
                                   "CREATE SCHEMA secret; CREATE TABLE secret.t (id int);");
    assert_state(report, STATE_INVISIBLE);
    assert_text_has(report.why, "no USAGE on schema secret");
    assert_text_has(report.hint, "GRANT USAGE ON SCHEMA \"secret\" TO \"app\";");
}

static void an_empty_schema_without_usage_hides_nothing(void **state)
{
    (void)state;
    const struct database_settings settings = settings_of(chain);
    AUTO_REPORT report = looked_at(&settings, "app", "CREATE SCHEMA secret;");
    assert_state(report, STATE_FRESH);
}

static void a_version_table_that_cannot_be_read_is_invisible(void **state)
{
    (void)state;
    const struct database_settings settings = settings_of(chain);
    AUTO_REPORT report = looked_at(&settings, "app", TABLES VERSION_TABLE STAMP("c3"));
    assert_state(report, STATE_INVISIBLE);
    assert_text_has(report.why, "the rows of public.alembic_version can't be read");
    assert_text_has(report.hint, "GRANT SELECT ON \"public\".\"alembic_version\" TO \"app\"");
}

static void row_security_on_the_version_table_is_invisible(void **state)
{
    (void)state;
    const struct database_settings settings = settings_of(chain);
    AUTO_REPORT report = looked_at(
        &settings, "app",
        TABLES VERSION_TABLE STAMP("c3") "GRANT SELECT ON alembic_version TO app;"
                                         "ALTER TABLE alembic_version ENABLE ROW LEVEL SECURITY");
    assert_state(report, STATE_INVISIBLE);
}

static void a_readable_version_table_is_enough(void **state)
{
    (void)state;
    const struct database_settings settings = settings_of(chain);
    AUTO_REPORT report = looked_at(
        &settings, "app",
        TABLES VERSION_TABLE STAMP("c3") "GRANT SELECT ON alembic_version TO app;");
    assert_state(report, STATE_CURRENT);
    assert_string_equal(report.rights[0], "schema public: USAGE yes, CREATE no");
    assert_string_equal(report.rights[1], "may not create schemas in this database");
}

/* ---- the order in which states win ------------------------------------------------------------------- */

static void where_several_hold_the_first_wins(void **state)
{
    (void)state;
    const struct database_settings settings = settings_of(chain);
    static const struct {
        const char *user, *sql;
        enum database_state state;
    } cases[] = {
        {"app", VERSION_TABLE STAMP("c3") STAMP("a1") STAMP("zz"), STATE_INVISIBLE},
        {"postgres", VERSION_TABLE STAMP("b2") STAMP("a1") STAMP("zz"), STATE_REDUNDANT},
        {"postgres", VERSION_TABLE STAMP("b2") STAMP("zz"), STATE_UNKNOWN_REVISION},
        {"postgres", VERSION_TABLE STAMP("b2"), STATE_BEHIND},
        {"postgres", VERSION_TABLE STAMP("c3"), STATE_STAMP_ONLY},
        {"postgres", "CREATE TABLE users (id int);" VERSION_TABLE STAMP("c3"), STATE_INCOMPLETE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_REPORT report = looked_at(&settings, cases[i].user, cases[i].sql);
        assert_state(report, cases[i].state);
    }
}

/* ---- odd circumstances -------------------------------------------------------------------------------- */

static void the_search_path_hides_nothing_and_adds_nothing(void **state)
{
    (void)state;
    /* A user's operator and function that lie would be found first. */
    AUTO_REPORT report = state_after(TABLES VERSION_TABLE STAMP(
        "c3") "CREATE SCHEMA evil; CREATE FUNCTION evil.lie(name, text) RETURNS bool LANGUAGE sql "
              "AS "
              "'SELECT true'; CREATE OPERATOR evil.= (LEFTARG = name, RIGHTARG = text, FUNCTION = "
              "evil.lie); CREATE FUNCTION evil.encode(bytea, text) RETURNS text LANGUAGE sql AS "
              "'SELECT ''6133''::text';"
              "DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = evil, pg_catalog', "
              "current_database()); END$$");
    assert_state(report, STATE_CURRENT);
    assert_int_equal(report.table_count, 2);
}

static void odd_names_come_through(void **state)
{
    (void)state;
    struct database_settings settings = settings_of(chain);
    settings.schema = "Odd \"schema'";
    settings.table = "ver\\sion's";
    settings.expect = NULL;
    AUTO_REPORT report = looked_at(
        &settings, "postgres",
        "CREATE SCHEMA \"Odd \"\"schema'\"; CREATE TABLE \"Odd \"\"schema'\".\"ver\\sion's\" "
        "(version_num text NOT NULL); INSERT INTO \"Odd \"\"schema'\".\"ver\\sion's\" "
        "VALUES ('<&>ü''\\');" TABLES);
    assert_state(report, STATE_UNKNOWN_REVISION);
    assert_string_equal(report.stamped[0], "<&>ü'\\");
}

static void a_read_only_session_is_said(void **state)
{
    (void)state;
    AUTO_REPORT report = state_after(
        TABLES VERSION_TABLE STAMP("c3") "DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET "
                                         "default_transaction_read_only = on', "
                                         "current_database()); END$$");
    assert_state(report, STATE_CURRENT);
    assert_true(report.read_only);
}

static void the_owners_rights_are_looked_at(void **state)
{
    (void)state;
    struct database_settings settings = settings_of(chain);
    settings.owner = "keeper";
    AUTO_REPORT report = looked_at(
        &settings, "app", "GRANT USAGE, CREATE ON SCHEMA public TO keeper; GRANT keeper TO app;");
    assert_string_equal(report.rights[2],
                        "owner keeper: member yes, its CREATE on schema public yes");
    settings.owner = "nobody_there";
    AUTO_REPORT missing = looked_at(&settings, "app", "SELECT 1");
    assert_string_equal(missing.rights[2], "owner nobody_there is no role of this server");
}

static void a_look_says_what_a_bootstrap_needs(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    AUTO_LOOK look = LOOK_INIT;
    AUTO_REPORT report = REPORT_INIT;
    const struct database_settings settings = settings_of(chain);
    pg_sql(server, "postgres", "CREATE DATABASE needs");
    pg_sql(server, "needs", VERSION_TABLE);
    AUTO_DB db = connect_as("postgres", "needs");
    if (state_look(db, &settings, clock_in_ms(LONG_MS), &report, &look, &err) != 0)
        fail_msg("%s", err.text);
    struct db_info info;
    db_info(db, &info);
    assert_int_equal(look.backend_pid, info.backend_pid);
    assert_false(info.pooled);
    assert_true(look.superuser && look.schema_exists && look.schema_create && look.version_exists);
    assert_true(look.version_is_alembics && look.version_readable);
    assert_int_equal(look.version_width, VERSION_WIDTH);
    assert_string_equal(look.version_owner, "postgres");
    assert_false(look.in_recovery);
}

static void a_look_fits_into_a_bigger_message(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    AUTO_LOOK look = LOOK_INIT;
    AUTO_BUF sql = BUF_INIT(LOOK_SQL_BYTES);
    struct db_results results = {0};
    const struct database_settings settings = settings_of(chain);
    AUTO_DB db = connect_as("postgres", "postgres");
    buf_adds(&sql, "BEGIN; SELECT pg_advisory_xact_lock(1);");
    state_look_sql(&settings, &sql);
    buf_adds(&sql, "COMMIT");
    if (db_query(db, buf_text(&sql), clock_in_ms(LONG_MS), &results, NULL, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(results.count, 3 + LOOK_RESULTS);
    assert_int_equal(state_look_read(&results, 1, &look, &err), -1);
    assert_int_equal(err.kind, ERR_DEFECT);
    assert_int_equal(state_look_read(&results, 2, &look, &err), 0);
    assert_string_equal(look.user, "postgres");
    db_results_free(&results);
}

static void contents_of_another_shape_are_a_defect(void **state)
{
    (void)state;
    static const char *const texts[] = {"<row",
                                        "<row>",
                                        "<row><fact>count</fact>",
                                        "<row><fact>count</row>",
                                        "<row><g>1</g></row>",
                                        "<row><facts>1</facts></row>",
                                        "<row><fact</row>",
                                        "<row><fact>contents</fact><a>1</a></row>",
                                        "<row><fact>count</fact><a>r</a></row>"};
    AUTO_DB db = connect_as("postgres", "postgres");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct err err = ERR_INIT;
        AUTO_LOOK look = LOOK_INIT;
        AUTO_BUF sql = BUF_INIT(LOOK_SQL_BYTES);
        struct db_results results = {0};
        buf_adds(&sql, "SELECT 'contents', ");
        db_add_literal(&sql, texts[i]);
        buf_adds(&sql, ", NULL, NULL, NULL, NULL, NULL");
        assert_int_equal(db_query(db, buf_text(&sql), clock_in_ms(LONG_MS), &results, NULL, &err),
                         0);
        assert_int_equal(state_look_read(&results, 0, &look, &err), -1);
        assert_int_equal(err.kind, ERR_DEFECT);
        db_results_free(&results);
    }
}

static void words_are_the_specifications(void **state)
{
    (void)state;
    static const char *const words[] = {"fresh",      "current",   "behind",    "unknown-revision",
                                        "lost-stamp", "unstamped", "redundant", "stamp-only",
                                        "incomplete", "invisible", "in-doubt"};
    enum database_state parsed;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        assert_int_equal(state_parse(words[i], &parsed), 0);
        assert_string_equal(state_word(parsed), words[i]);
    }
    assert_int_equal(state_parse("fine", &parsed), -1);
}

static void an_expected_table_without_a_schema_is_in_public(void **state)
{
    static const struct {
        const char *expected, *schema, *name;
    } cases[] = {
        {"users", "public", "users"}, {"app.users", "app", "users"}, {"a.b.c", "a", "b.c"}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct expected_table table = look_expected_table(cases[i].expected);
        assert_int_equal(table.schema_length, strlen(cases[i].schema));
        assert_memory_equal(table.schema, cases[i].schema, table.schema_length);
        assert_string_equal(table.name, cases[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_expected_table_without_a_schema_is_in_public),
        cmocka_unit_test(an_empty_database_is_fresh),
        cmocka_unit_test(the_hint_of_a_fresh_one_is_what_can_be_done),
        cmocka_unit_test(what_is_not_the_users_does_not_spoil_fresh),
        cmocka_unit_test(an_empty_version_table_alone_is_fresh),
        cmocka_unit_test(anything_of_the_users_spoils_fresh),
        cmocka_unit_test(parts_of_an_object_are_not_counted_beside_it),
        cmocka_unit_test(many_objects_are_counted_and_the_first_named),
        cmocka_unit_test(a_name_is_what_it_is_whatever_is_in_it),
        cmocka_unit_test(every_expected_table_is_missing_where_nothing_is),
        cmocka_unit_test(only_managed_schemas_count),
        cmocka_unit_test(tables_without_a_version_table_are_unstamped),
        cmocka_unit_test(no_hint_says_to_stamp_the_head),
        cmocka_unit_test(a_version_table_elsewhere_is_named),
        cmocka_unit_test(a_padded_id_is_read_as_alembic_reads_it),
        cmocka_unit_test(another_definition_of_the_version_table_is_unstamped),
        cmocka_unit_test(any_width_and_no_key_are_alembics_too),
        cmocka_unit_test(tables_with_an_empty_version_table_are_a_lost_stamp),
        cmocka_unit_test(a_row_at_the_head_is_current),
        cmocka_unit_test(an_older_row_is_behind_and_says_by_how_many),
        cmocka_unit_test(one_of_two_heads_is_behind),
        cmocka_unit_test(a_row_that_no_script_has_is_unknown),
        cmocka_unit_test(without_migrations_every_row_is_unknown),
        cmocka_unit_test(heads_without_their_files_cannot_tell_older_from_unknown),
        cmocka_unit_test(a_head_and_its_ancestor_are_redundant),
        cmocka_unit_test(a_row_twice_is_redundant),
        cmocka_unit_test(a_row_without_any_table_is_stamp_only),
        cmocka_unit_test(a_missing_table_is_incomplete),
        cmocka_unit_test(an_expected_name_that_is_a_view_is_missing),
        cmocka_unit_test(an_invalid_index_is_incomplete),
        cmocka_unit_test(a_schema_without_usage_is_invisible),
        cmocka_unit_test(an_empty_schema_without_usage_hides_nothing),
        cmocka_unit_test(a_version_table_that_cannot_be_read_is_invisible),
        cmocka_unit_test(row_security_on_the_version_table_is_invisible),
        cmocka_unit_test(a_readable_version_table_is_enough),
        cmocka_unit_test(where_several_hold_the_first_wins),
        cmocka_unit_test(the_search_path_hides_nothing_and_adds_nothing),
        cmocka_unit_test(odd_names_come_through),
        cmocka_unit_test(a_read_only_session_is_said),
        cmocka_unit_test(the_owners_rights_are_looked_at),
        cmocka_unit_test(a_look_says_what_a_bootstrap_needs),
        cmocka_unit_test(a_look_fits_into_a_bigger_message),
        cmocka_unit_test(contents_of_another_shape_are_a_defect),
        cmocka_unit_test(words_are_the_specifications),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
