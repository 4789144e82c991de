/* tests/unit/bootstrap_confirm.c: the short looks against what a whole one says, on a real server. */
#include "tests/lib/unit.h"

#include <stdio.h>

#include "bootstrap/bootstrap.h"
#include "tests/lib/pg.h"
#include "tests/lib/site.h"

static struct pg *pg;

static int start_server(void **state)
{
    (void)state;
    pg = pg_start("");
    return pg ? 0 : -1;
}

static int stop_server(void **state)
{
    (void)state;
    pg_stop(pg);
    return 0;
}

/* What a script of SQL leaves is made and counted as the next start counts it (site_is_made). */
static void what_was_made_is_counted_as_a_whole_look_counts(void **state)
{
    (void)state;
    static const char *const scripts[] = {
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int);",
        "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR "
        "VALUES "
        "FROM (1) TO (2); CREATE INDEX pi ON p (id);",
        "CREATE TABLE a (id int); CREATE TEMP TABLE gone (id int); CREATE VIEW v AS SELECT 1 AS "
        "one; "
        "CREATE MATERIALIZED VIEW m AS SELECT 1 AS one; CREATE SEQUENCE s; CREATE TYPE e AS ENUM "
        "();",
        "CREATE SCHEMA other; CREATE TABLE other.a (id int); CREATE TABLE other.alembic_version "
        "(version_num varchar(32) NOT NULL);",
        "CREATE TABLE member (id int); CREATE TABLE a (id int); DO $$BEGIN INSERT INTO pg_depend "
        "VALUES ('pg_class'::regclass, 'member'::regclass, 0, 'pg_extension'::regclass, (SELECT "
        "oid "
        "FROM pg_extension WHERE extname = 'plpgsql'), 0, 'e'); END$$;",
    };
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        struct site site;
        char name[32];
        (void)snprintf(name, sizeof(name), "counted_%zu", i);
        site_open(&site, pg, name);
        site_sql(&site, "schema.sql", scripts[i]);
        site_is_made(&site);
        site_close(&site);
    }
}

static void only_managed_schemas_are_counted(void **state)
{
    (void)state;
    struct site site;
    static const char *const managed[] = {"mine", NULL}, *const expect[] = {"mine.a", "other.b",
                                                                            NULL};
    site_open(&site, pg, "managed");
    site_sql(&site, "schema.sql",
             "CREATE SCHEMA mine; CREATE SCHEMA other; CREATE TABLE mine.a (id int);"
             "CREATE TABLE other.b (id int); CREATE TABLE outside (id int);");
    site.settings.schemas = managed;
    site.settings.expect = expect;
    site_is_made(&site);
    site_close(&site);
}

/* The session after COMMIT has not the transaction's snapshot: each of these is found before it. */
static void what_would_not_be_current_is_not_committed(void **state)
{
    (void)state;
    static const char *const expect[] = {"a", NULL};
    static const char version[] = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
                                  "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num));";
    static const struct {
        const char *first, *script, *part;
    } cases[] = {
        {"",
         "CREATE TABLE a (id int) PARTITION BY RANGE (id); CREATE TABLE a1 PARTITION OF a FOR "
         "VALUES FROM (1) TO (2); CREATE INDEX ai ON ONLY a (id);",
         "leave the database 'incomplete', not 'current': stamped at head, but invalid index: "
         "public.ai"},
        {"", "CREATE TABLE b (id int); CREATE VIEW a AS SELECT 1 AS one;",
         "did not make what database.expect"},
        {"", "CREATE TABLE \"A\" (id int);", "did not make what database.expect names: a"},
        {version,
         "CREATE TABLE a (id int); DO $$BEGIN INSERT INTO alembic_version VALUES ('a1'); END$$;",
         "leave the database 'redundant', not 'current'"},
        {version,
         "CREATE TABLE a (id int); DO $$BEGIN ALTER TABLE alembic_version ADD more int; END$$;",
         "leave the database 'unstamped', not 'current'"},
        {"",
         "CREATE TABLE a (id int); CREATE SCHEMA s; CREATE TABLE s.t (id int); DO $$BEGIN REVOKE "
         "ALL "
         "ON SCHEMA s FROM plain; END$$;",
         "leave the database 'invisible', not 'current'"},
    };
    pg_sql(pg, "postgres", "CREATE ROLE plain LOGIN");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct site site;
        struct err err;
        char name[32], sql[200];
        (void)snprintf(name, sizeof(name), "refused_%zu", i);
        (void)snprintf(
            sql, sizeof(sql),
            "GRANT CREATE ON DATABASE %s TO plain; GRANT CREATE ON SCHEMA public TO plain", name);
        site_open(&site, pg, name);
        pg_sql(pg, name, sql);
        site_url(&site, pg_socket_url(pg, "plain", name));
        site_sql(&site, "first.sql", cases[i].first);
        site_sql(&site, "schema.sql", cases[i].script);
        site.settings.expect = expect;
        site_is_refused(&site, ERR_DB_STATE, cases[i].part, &err);
        site_is_untouched(&site, pg);
        site_close(&site);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_made_is_counted_as_a_whole_look_counts),
        cmocka_unit_test(only_managed_schemas_are_counted),
        cmocka_unit_test(what_would_not_be_current_is_not_committed),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
