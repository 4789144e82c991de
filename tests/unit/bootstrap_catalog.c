/* tests/unit/bootstrap_catalog.c: a database's schema as text: what is in it, what never is. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "bootstrap/catalog_internal.h"
#include "tests/lib/pg.h"

enum { OUTPUT_BYTES = 4 * 1024 * 1024, PATIENCE_MS = 60000 };

static struct pg *server;

static const char roles[] =
    "CREATE ROLE app_ro; CREATE ROLE owner_a LOGIN; CREATE ROLE owner_b LOGIN;"
    "CREATE ROLE nobody LOGIN;";

/* As its owner makes it: no superuser, a schema of its own. */
static const char owned[] =
    "CREATE SCHEMA app; CREATE TABLE app.users (id serial PRIMARY KEY, name text);"
    "CREATE TYPE app.mood AS ENUM ('a'); GRANT SELECT ON app.users TO app_ro;"
    "ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO app_ro;"
    "ALTER TABLE app.users ENABLE ROW LEVEL SECURITY;"
    "CREATE POLICY p ON app.users TO CURRENT_USER USING (true);";

static int set_up(void **state)
{
    (void)state;
    server = pg_start("wal_level = logical\n");
    pg_sql(server, "postgres", roles);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pg_stop(server);
    return 0;
}

static void make(const char *database, const char *sql)
{
    AUTO_BUF create = BUF_INIT(OUTPUT_BYTES);
    buf_addf(&create, "CREATE DATABASE %s TEMPLATE template0", database);
    pg_sql(server, "postgres", buf_text(&create));
    pg_sql(server, database, sql);
}

static const struct database_settings usual = {.url_variable = "DATABASE_URL",
                                               .table = "alembic_version",
                                               .schema = "public",
                                               .connect_timeout_ms = PATIENCE_MS,
                                               .statement_timeout_ms = PATIENCE_MS,
                                               .lock_timeout_ms = 10000,
                                               .deadline_ms = CLOCK_NEVER};

static int try_schema(const char *user, const char *database, struct database_settings settings,
                      struct buf *out, struct err *err)
{
    AUTO_FREE char *url = pg_socket_url(server, user, database);
    const struct secret secret = secret_borrow(url, strlen(url));
    settings.url = &secret;
    return verify_schema(&settings, out, err);
}

static void schema(const char *user, const char *database, struct database_settings settings,
                   struct buf *out)
{
    struct err err = ERR_INIT;
    if (try_schema(user, database, settings, out, &err) != 0)
        fail_msg("%s: %s", database, err.text);
}

static struct db *connect_to(const char *database)
{
    struct err err = ERR_INIT;
    struct db *db = NULL;
    struct db_target target = {0};
    AUTO_FREE char *url = pg_socket_url(server, "postgres", database);
    const struct secret secret = secret_borrow(url, strlen(url));
    assert_int_equal(db_target_parse(&secret, "DATABASE_URL", &target, &err), 0);
    if (db_connect(&target, clock_in_ms(PATIENCE_MS), &db, &err) != 0)
        fail_msg("%s", err.text);
    db_target_release(&target);
    return db;
}

static void execute(struct db *db, const char *sql)
{
    struct err err = ERR_INIT;
    if (db_execute(db, sql, strlen(sql), clock_in_ms(PATIENCE_MS), NULL, NULL, &err) != 0)
        fail_msg("%s", err.text);
}

/* ---- what is in it ---------------------------------------------------------------------------------- */

static void a_schema_is_sorted_text_with_qualified_names(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    make("plain", "CREATE TABLE b (id serial PRIMARY KEY, \"Odd\" varchar(3) DEFAULT 'x');"
                  "CREATE TABLE a (b_id int REFERENCES b); COMMENT ON TABLE a IS E'one\\ntwo';"
                  "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);"
                  "CREATE EXTENSION hstore;");
    schema("postgres", "plain", usual, &out);
    const char *text = buf_text(&out);
    assert_true(str_starts(text, "# PostgreSQL "));
    assert_text_has(text, "\ncolumn public.a.b_id\n    integer\n"
                          "column public.b.\"Odd\"\n"
                          "    character varying(3) default 'x'::character varying\n"
                          "column public.b.id\n"
                          "    integer not null default nextval(own sequence)\n"
                          "constraint public.a.a_b_id_fkey\n"
                          "    FOREIGN KEY (b_id) REFERENCES public.b(id)\n"
                          "constraint public.b.b_pkey\n    PRIMARY KEY (id)\n");
    assert_text_has(text, "\ntable public.a\n    owner (own login)\n    -- one\n    -- two\n");
    assert_text_has(text, "\nextension hstore\n    in schema public, version ");
    assert_text_has(text, "objects; not shown: the rows of tables\n");
    assert_text_lacks(text, "alembic_version");
    assert_text_lacks(text, "public.hstore"); /* a member of the extension */
    assert_text_lacks(text, "pg_attver");
}

static void an_empty_database_is_a_schema_too(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    make("bare", "");
    schema("postgres", "bare", usual, &out);
    assert_text_has(buf_text(&out), "schema public\n");
}

static void only_managed_schemas_are_read(void **state)
{
    (void)state;
    static const char *const schemas[] = {"one", "it's {role 0}", NULL};
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    struct database_settings settings = usual;
    settings.schemas = schemas;
    make("several",
         "CREATE SCHEMA one; CREATE SCHEMA two; CREATE SCHEMA \"it's {role 0}\";"
         "CREATE TABLE one.a (x int); CREATE TABLE two.b (x int);"
         "CREATE TABLE \"it's {role 0}\".c (x int); CREATE EXTENSION hstore SCHEMA two;");
    schema("postgres", "several", settings, &out);
    assert_text_has(buf_text(&out), "table one.a\n");
    assert_text_has(buf_text(&out), "table \"it's {role 0}\".c\n");
    assert_text_has(buf_text(&out), "extension plpgsql\n");
    assert_text_lacks(buf_text(&out), "two");
    assert_text_lacks(buf_text(&out), "schema public\n");
}

/* ---- roles ------------------------------------------------------------------------------------------ */

static void make_owned(const char *database, const char *owner)
{
    AUTO_BUF sql = BUF_INIT(OUTPUT_BYTES);
    buf_addf(&sql, "ALTER DATABASE %s OWNER TO %s; SET SESSION AUTHORIZATION %s; %s", database,
             owner, owner, owned);
    make(database, buf_text(&sql));
}

static void two_logins_that_make_the_same_have_the_same_schema(void **state)
{
    (void)state;
    AUTO_BUF a = BUF_INIT(OUTPUT_BYTES), b = BUF_INIT(OUTPUT_BYTES);
    make_owned("of_a", "owner_a");
    make_owned("of_b", "owner_b");
    schema("owner_a", "of_a", usual, &a);
    schema("owner_b", "of_b", usual, &b);
    assert_string_equal(buf_text(&a), buf_text(&b));
    assert_text_lacks(buf_text(&a), "owner_a");
    assert_text_has(buf_text(&a), "default privileges of (own login) in schema app on tables\n");
    assert_text_has(buf_text(&a), "permissive for all to (own login) using (true)\n");
}

static void the_contracts_owner_keeps_its_name(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    struct database_settings settings = usual;
    settings.owner = "owner_a";
    schema("owner_a", "of_a", settings, &out);
    assert_text_has(buf_text(&out), "table app.users\n    row security, owner owner_a\n");
    assert_text_lacks(buf_text(&out), "own login");
}

static void a_role_without_rights_reads_the_same_catalog(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    schema("nobody", "of_a", usual, &out);
    assert_text_has(buf_text(&out), "table app.users\n    row security, owner owner_a\n");
}

/* ---- what never is in it ---------------------------------------------------------------------------- */

static void secrets_of_the_database_are_not_shown(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    make("secrets",
         "CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw"
         " OPTIONS (host 'far.example');"
         "CREATE USER MAPPING FOR app_ro SERVER far OPTIONS (user 'u', password 'canary-map');"
         "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER other FOREIGN DATA WRAPPER w OPTIONS"
         " (api_key 'canary-key', region 'north');"
         "CREATE SUBSCRIPTION sub CONNECTION 'host=x password=canary-sub' PUBLICATION p"
         " WITH (connect = false);"
         "ALTER DATABASE secrets SET app.jwt = 'canary-jwt';");
    schema("postgres", "secrets", usual, &out);
    const char *text = buf_text(&out);
    assert_text_lacks(text, "canary");
    assert_text_has(text, "user mapping far for app_ro\n");
    assert_text_has(text, "options (host=far.example)");
    assert_text_has(text, "options (api_key (not shown), region=north)");
    assert_text_has(text, "app.jwt (not shown)");
    assert_text_has(text, "1 application's setting, 1 foreign option's secret, 1 subscription's "
                          "connection and comment, 1 user mapping's options\n");
    buf_clear(&out);
    schema("nobody", "secrets", usual, &out);
    assert_text_has(buf_text(&out), "subscription sub\n");
    assert_text_lacks(buf_text(&out), "canary");
}

static void names_have_no_say_over_the_terminal(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    make("rude", "CREATE TABLE U&\"a\\001b\\000a# c\" (x int DEFAULT length(E'\\x1b[31m\\x01'));"
                 "COMMENT ON TABLE U&\"a\\001b\\000a# c\" IS E'\\x1b]0;title\\x07';");
    schema("postgres", "rude", usual, &out);
    for (const char *p = buf_text(&out); *p; p++)
        if (*p != '\n' && (unsigned char)*p < ' ')
            fail_msg("a control character came through: %d", *p);
    assert_text_has(buf_text(&out), "table public.\"a\\x1b\\x0a# c\"\n");
}

/* ---- the connection --------------------------------------------------------------------------------- */

static void it_is_one_round_trip_that_leaves_nothing(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    AUTO_DB db = connect_to("plain");
    AUTO_CATALOG catalog = CATALOG_INIT;
    unsigned before = db_round_trips(db);
    struct db_results results = {0};
    if (catalog_read(db, &usual, clock_in_ms(PATIENCE_MS), &catalog, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(db_round_trips(db), before + 1);
    assert_int_equal(db_query(db,
                              "SHOW search_path; SHOW transaction_read_only; SHOW jit;"
                              "CREATE TEMP TABLE t (x int)",
                              clock_in_ms(PATIENCE_MS), &results, NULL, &err),
                     0);
    assert_string_equal(db_cell(&results.list[0], 0, 0), "\"$user\", public");
    assert_string_equal(db_cell(&results.list[1], 0, 0), "off");
    assert_string_equal(db_cell(&results.list[2], 0, 0), "on");
    db_results_free(&results);
}

static void a_view_that_somebody_has_locked_is_an_error_with_a_name(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    make("locked", "CREATE TABLE t (x int); CREATE VIEW v AS SELECT x FROM t;");
    AUTO_DB holder = connect_to("locked");
    AUTO_DB db = connect_to("locked");
    AUTO_CATALOG catalog = CATALOG_INIT;
    struct database_settings settings = usual;
    settings.lock_timeout_ms = 50;
    execute(holder, "BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
    assert_int_equal(catalog_read(db, &settings, clock_in_ms(PATIENCE_MS), &catalog, &err), -1);
    assert_int_equal(err.kind, ERR_DB_LOCK);
    assert_text_has(err.text, "read the catalog: ");
    assert_null(catalog.objects);
    execute(holder, "ROLLBACK");
    err_clear(&err); /* the connection is as good as before */
    if (catalog_read(db, &settings, clock_in_ms(PATIENCE_MS), &catalog, &err) != 0)
        fail_msg("%s", err.text);
    assert_non_null(catalog_find(&catalog, "view", "public.v"));
    assert_null(catalog_find(&catalog, "view", "public.w"));
}

static void each_version_of_the_server_has_its_statements(void **state)
{
    (void)state;
    static const struct {
        int version;
        const char *has, *lacks;
    } cases[] = {
        {120000, "attidentity", "attcompression"},    {130000, "pubviaroot", "attcompression"},
        {140000, "attcompression", "datlocprovider"}, {150000, "colliculocale", "collicurules"},
        {160000, "collicurules", "colllocale"},       {170000, "colllocale", "colliculocale"},
        {170000, "subfailover", "pubgencols"},        {180000, "pubgencols", "daticulocale"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_BUF sql = BUF_INIT(OUTPUT_BYTES);
        catalog_add_sql(&usual, cases[i].version, &sql);
        assert_text_has(buf_text(&sql), cases[i].has);
        assert_text_lacks(buf_text(&sql), cases[i].lacks);
        assert_null(strpbrk(buf_text(&sql), "{}$")); /* every word was known */
    }
}

/* ---- automatic names -------------------------------------------------------------------------------- */

#define LONG_TABLE  "a_table_with_a_name_that_is_rather_long_for_what_it_is_meant_to_be"
#define LONG_COLUMN "a_column_with_a_name_that_is_nearly_as_long_as_the_one_of_its_table"

static void names_that_postgresql_makes_are_known(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    make(
        "names",
        "CREATE TABLE t (id serial PRIMARY KEY, a int CHECK (a > 0), b int UNIQUE, c int REFERENCES"
        " t, d int4range, CHECK (a < b), CHECK (a <> b), UNIQUE (a, b), EXCLUDE USING gist (d WITH"
        " &&)); CREATE INDEX ON t (a, lower(d)) INCLUDE (b); CREATE INDEX ON t (a);"
        "CREATE INDEX ON t (a) WHERE a > 1; CREATE DOMAIN dom AS int CHECK (VALUE > 1);"
        "CREATE TABLE " LONG_TABLE " (id serial PRIMARY KEY, " LONG_COLUMN
        " int UNIQUE CHECK (" LONG_COLUMN " > 1) REFERENCES " LONG_TABLE ");"
        "CREATE INDEX ON " LONG_TABLE " (" LONG_COLUMN ");"
        "CREATE TABLE \"Ünïcödé ünïcödé ünïcödé ünïcödé\" (\"cölümn cölümn cölümn cölümn\" int"
        " UNIQUE); CREATE TABLE old (x int UNIQUE); ALTER TABLE old RENAME TO new;");
    AUTO_DB db = connect_to("names");
    AUTO_CATALOG c = CATALOG_INIT;
    size_t automatic = 0;
    if (catalog_read(db, &usual, clock_in_ms(PATIENCE_MS), &c, &err) != 0)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < c.count; i++) {
        const struct catalog_object *o = &c.objects[i];
        bool named = str_eq(o->kind, "constraint") || str_eq(o->kind, "index") ||
                     str_eq(o->kind, "sequence");
        if (o->automatic_name != named)
            fail_msg("%s %s", o->kind, o->name);
        automatic += named;
    }
    assert_true(automatic >= 20);
}

static void names_that_people_give_are_not_automatic(void **state)
{
    (void)state;
    static const struct {
        const char *name, *relation, *columns, *label;
        bool automatic;
    } cases[] = {
        {"users_email_key", "users", "email", "key", true},
        {"users_email_key12", "users", "email", "key", true},
        {"people_email_key", "users", "email", "key", true}, /* before it was renamed */
        {"users_a_b_key", "users", "a\nb", "key", true},
        {"users_pkey", "people", "", "pkey", true},
        {"uq_users_email", "users", "email", "key", false},
        {"users_email_unique", "users", "email", "key", false},
        {"users_email_key_", "users", "email", "key", false},
        {"users_email_is_key", "users", "email", "key", false},
        {"email_key", "users", "email", "key", false},
        {"key", "users", "", "key", false},
        {"", "users", "email", "key", false},
        {"pk_users", "users", "", "pkey", false},
        {"users_age_positive_check", "users", "age", "check", false},
        {"users_check", "users", "", "check", true},
        {"people_check", "users", "", "check", false},
        {"users_email", "users", "email", "", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (catalog_name_is_automatic(cases[i].name, cases[i].relation, cases[i].columns,
                                      cases[i].label) != cases[i].automatic)
            fail_msg("'%s'", cases[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_schema_is_sorted_text_with_qualified_names),
        cmocka_unit_test(an_empty_database_is_a_schema_too),
        cmocka_unit_test(only_managed_schemas_are_read),
        cmocka_unit_test(two_logins_that_make_the_same_have_the_same_schema),
        cmocka_unit_test(the_contracts_owner_keeps_its_name),
        cmocka_unit_test(a_role_without_rights_reads_the_same_catalog),
        cmocka_unit_test(secrets_of_the_database_are_not_shown),
        cmocka_unit_test(names_have_no_say_over_the_terminal),
        cmocka_unit_test(it_is_one_round_trip_that_leaves_nothing),
        cmocka_unit_test(a_view_that_somebody_has_locked_is_an_error_with_a_name),
        cmocka_unit_test(each_version_of_the_server_has_its_statements),
        cmocka_unit_test(names_that_postgresql_makes_are_known),
        cmocka_unit_test(names_that_people_give_are_not_automatic),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
