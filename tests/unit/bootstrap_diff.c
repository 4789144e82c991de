/* tests/unit/bootstrap_diff.c: what is equal, what is history, and what a comparison says beside. */
#include "tests/lib/unit.h"

#include <unistd.h>

#include "migrations/graph.h"
#include "tests/unit/bootstrap_pair.h"

/* ---- what is equal -------------------------------------------------------------------------------- */

static void equal_databases_made_in_other_orders_show_no_semantic_difference(void **state)
{
    (void)state;
    static const char models[] =
        "CREATE TYPE mood AS ENUM ('sad', 'meh', 'ok');"
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "CREATE TABLE teams (id serial PRIMARY KEY, title text NOT NULL UNIQUE);"
        "CREATE TABLE users (id serial PRIMARY KEY, email varchar(200) NOT NULL, m mood,"
        " team_id int REFERENCES teams ON DELETE CASCADE, age int CHECK (age > 0),"
        " visits bigint NOT NULL DEFAULT 0, at timestamptz DEFAULT now(),"
        " up text GENERATED ALWAYS AS (upper(email)) STORED, UNIQUE (email, team_id));"
        "CREATE INDEX ON users (lower(email), age) INCLUDE (id) WITH (fillfactor = 70,"
        " deduplicate_items = off);"
        "CREATE VIEW adults AS SELECT id, email FROM users WHERE age > 17;"
        "CREATE TRIGGER t BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch();"
        "CREATE TABLE log (id bigint, at date) PARTITION BY RANGE (at);"
        "CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');"
        "CREATE INDEX ON log (at);"
        "ALTER TABLE users ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY p ON users TO app_ro, app_rw USING (age > 3);"
        "GRANT SELECT, INSERT ON users TO app_rw; GRANT SELECT ON users TO app_ro;"
        "CREATE TABLE items (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text)"
        " WITH (fillfactor = 50, autovacuum_enabled = off);";
    static const char migrations[] =
        "CREATE TABLE items (gone int, kind text, id int)"
        " WITH (autovacuum_enabled = off, fillfactor = 50);"
        "ALTER TABLE items ALTER id SET NOT NULL, ALTER id ADD GENERATED ALWAYS AS IDENTITY;"
        "ALTER TABLE items DROP gone, ADD PRIMARY KEY (id);"
        "CREATE TABLE log (at date, id bigint) PARTITION BY RANGE (at);"
        "CREATE INDEX ON log (at);"
        "CREATE TABLE log_1 (id bigint, at date);"
        "ALTER TABLE log ATTACH PARTITION log_1 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');"
        "CREATE TABLE people (email varchar(100), age int, at timestamptz, id serial);"
        "ALTER TABLE people ADD PRIMARY KEY (id), ADD CHECK (age > 0), ALTER at SET DEFAULT now();"
        "CREATE INDEX ON people (lower(email), age) INCLUDE (id) WITH (deduplicate_items = off,"
        " fillfactor = 70);"
        "ALTER TABLE people RENAME TO users;"
        "ALTER TABLE users ALTER email TYPE varchar(200), ALTER email SET NOT NULL;"
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); ALTER TYPE mood ADD VALUE 'meh' BEFORE 'ok';"
        "CREATE TABLE teams (title text NOT NULL, id serial);"
        "ALTER TABLE teams ADD PRIMARY KEY (id); ALTER TABLE teams ADD UNIQUE (title);"
        "ALTER TABLE users ADD team_id int, ADD visits int DEFAULT 0, ADD m mood;"
        "ALTER TABLE users ALTER visits TYPE bigint, ALTER visits SET NOT NULL;"
        "ALTER TABLE users ADD FOREIGN KEY (team_id) REFERENCES teams ON DELETE CASCADE,"
        " ADD UNIQUE (email, team_id), ADD up text GENERATED ALWAYS AS (upper(email)) STORED;"
        "CREATE VIEW adults AS SELECT id, email FROM users WHERE age > 17;"
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "CREATE TRIGGER t BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch();"
        "GRANT SELECT ON users TO app_ro; GRANT INSERT ON users TO app_rw;"
        "GRANT SELECT ON users TO app_rw;"
        "CREATE POLICY p ON users TO app_rw, app_ro USING (age > 3);"
        "ALTER TABLE users ENABLE ROW LEVEL SECURITY;"
        "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL);";
    struct differences d = {0};
    compare_scripts(models, migrations, &(struct compare_options){0}, &d);
    if (d.semantic + d.textual > 0)
        show(&d);
    assert_int_equal(d.semantic, 0);
    assert_int_equal(d.textual, 0);
    assert_true(d.cosmetic > 0); /* people_pkey and users_pkey */
    for (size_t i = 0; i < d.count; i++)
        assert_text_has(d.list[i].a, "users_");
    assert_text_has(d.compared, "5 tables");
    assert_string_equal(d.not_compared, "");
    differences_release(&d);
}

/* The same checks on columns that were varchar(10) from the start, and that became it. */
static void the_history_of_a_column_makes_a_textual_difference(void **state)
{
    (void)state;
    static const char from_start[] =
        "CREATE TABLE t (s varchar(10) DEFAULT 'x', n bigint DEFAULT '0', k varchar(10),"
        " CONSTRAINT c CHECK (s IN ('x', 'y')), CONSTRAINT e CHECK (k <> 'it''s'),"
        " CONSTRAINT g CHECK (n > 0));"
        "CREATE INDEX ix ON t (s) WHERE s IN ('x', 'y');"
        "CREATE DOMAIN d AS varchar(10) CONSTRAINT dc CHECK (VALUE IN ('a', 'b'));";
    static const char altered[] =
        "CREATE TABLE t (s text DEFAULT 'x', n int DEFAULT '0', k text,"
        " CONSTRAINT c CHECK (s IN ('x', 'y')), CONSTRAINT e CHECK (k <> 'it''s'),"
        " CONSTRAINT g CHECK (n > 0));"
        "CREATE INDEX ix ON t (s) WHERE s IN ('x', 'y');"
        "ALTER TABLE t ALTER s TYPE varchar(10), ALTER n TYPE bigint, ALTER k TYPE varchar(10);"
        "CREATE DOMAIN d AS varchar(10) CONSTRAINT dc CHECK (VALUE::text = ANY"
        " (ARRAY['a'::text, 'b'::text]));";
    struct differences d = {0};
    compare_scripts(from_start, altered, &(struct compare_options){0}, &d);
    if (d.semantic > 0 || d.textual < 4)
        show(&d);
    assert_int_equal(d.semantic, 0);
    assert_true(d.textual >= 4);
    differences_release(&d);
}

/* Casts that do matter stay. */
static void a_cast_with_a_meaning_is_not_taken_for_history(void **state)
{
    (void)state;
    static const char a[] = "CREATE TABLE t (i int, j int, s text, b bpchar, n numeric,"
                            " CONSTRAINT c1 CHECK (i < j), CONSTRAINT c2 CHECK (i / 2 > 1),"
                            " CONSTRAINT c3 CHECK (s = 'abc'), CONSTRAINT c4 CHECK (b = 'a'),"
                            " CONSTRAINT c5 CHECK (s > '5'), CONSTRAINT c6 CHECK (i IN (1, 2)),"
                            " CONSTRAINT c7 CHECK ((i + 1) * 2 > 3));";
    static const char b[] =
        "CREATE TABLE t (i int, j int, s text, b bpchar, n numeric,"
        " CONSTRAINT c1 CHECK (i::text < j::text), CONSTRAINT c2 CHECK (i / 2::numeric > 1),"
        " CONSTRAINT c3 CHECK (s::varchar(2) = 'abc'), CONSTRAINT c4 CHECK (b::text = 'a'),"
        " CONSTRAINT c5 CHECK (s > '5 '), CONSTRAINT c6 CHECK (i IN (1, 3)),"
        " CONSTRAINT c7 CHECK (i + (1 * 2) > 3));";
    struct differences d = {0};
    compare_scripts(a, b, &(struct compare_options){0}, &d);
    if (d.semantic != 7)
        show(&d);
    assert_int_equal(d.semantic, 7);
    assert_int_equal(d.textual, 0);
    differences_release(&d);
}

/* A cast between number types that rounds is a rule of its own: 2.5 is 3 as an integer, and 0.1 has
 * two values as a real and as a double. */
static void a_cast_that_rounds_a_number_is_not_taken_for_history(void **state)
{
    (void)state;
    static const char a[] =
        "CREATE TABLE t (n numeric, r real, d double precision, b bigint,"
        " CONSTRAINT c1 CHECK (n >= 1), CONSTRAINT c2 CHECK (r <> 0.1),"
        " CONSTRAINT c3 CHECK (d <> 5), CONSTRAINT c4 CHECK (b <= 9007199254740992));"
        "CREATE UNIQUE INDEX i1 ON t (n);";
    static const char b[] =
        "CREATE TABLE t (n numeric, r real, d double precision, b bigint,"
        " CONSTRAINT c1 CHECK (n::integer >= 1), CONSTRAINT c2 CHECK (r <> 0.1::real),"
        " CONSTRAINT c3 CHECK (d::integer <> 5),"
        " CONSTRAINT c4 CHECK (b::double precision <= 9007199254740992));"
        "CREATE UNIQUE INDEX i1 ON t ((n::integer));";
    struct differences d = {0};
    compare_scripts(a, b, &(struct compare_options){0}, &d);
    if (d.semantic != 5)
        show(&d);
    assert_int_equal(d.semantic, 5);
    assert_int_equal(d.textual, 0);
    differences_release(&d);
}

/* ---- names ------------------------------------------------------------------------------------------ */

static void constraints_are_matched_by_what_they_are_and_not_by_their_number(void **state)
{
    (void)state;
    static const char a[] = "CREATE TABLE t (a int, b int); ALTER TABLE t ADD CHECK (a < b);"
                            "ALTER TABLE t ADD CHECK (a > 5 AND b > 5);";
    static const char b[] =
        "CREATE TABLE t (a int, b int); ALTER TABLE t ADD CHECK (a > 5 AND b > 5);"
        "ALTER TABLE t ADD CHECK (a < b); ALTER TABLE t ADD CHECK (a <> b);";
    struct differences d = {0};
    compare_scripts(a, b, &(struct compare_options){0}, &d);
    assert_int_equal(d.semantic, 1);
    assert_int_equal(d.cosmetic, 2);
    assert_string_equal(d.list[0].object, "public.t.t_check2");
    assert_null(d.list[0].a);
    assert_string_equal(d.list[1].a, "t_check: CHECK ((a < b))");
    assert_string_equal(d.list[1].b, "t_check1: CHECK ((a < b))");
    differences_release(&d);
}

static void what_belongs_to_a_missing_table_is_told_with_it(void **state)
{
    (void)state;
    static const char a[] = "CREATE TABLE t (id serial PRIMARY KEY, age int CHECK (age > 0));"
                            "CREATE INDEX ON t (age); GRANT SELECT ON t TO app_ro;"
                            "COMMENT ON COLUMN t.age IS 'years';";
    struct differences d = {0};
    compare_scripts(a, "", &(struct compare_options){0}, &d);
    assert_int_equal(d.count, 1);
    assert_string_equal(d.list[0].kind, "table");
    assert_null(d.list[0].b);
    assert_text_has(d.list[0].a, "\ncolumn age: integer");
    assert_text_has(d.list[0].a, "\nconstraint t_age_check: CHECK ((age > 0))");
    assert_text_has(d.list[0].a, "\nindex t_age_idx: on public.t USING btree (age)");
    assert_text_has(d.list[0].a, "\nsequence t_id_seq: ");
    assert_text_has(d.list[0].a, "\ngrant table public.t to app_ro: SELECT");
    assert_text_has(d.compared, "1 and 0 tables");
    differences_release(&d);
}

/* ---- options ---------------------------------------------------------------------------------------- */

static void the_order_of_columns_counts_when_it_is_asked_for(void **state)
{
    (void)state;
    static const char a[] =
        "CREATE TABLE t (a int, gone int, b int, c int); ALTER TABLE t DROP gone;";
    static const char b[] = "CREATE TABLE t (a int, c int, b int); CREATE TABLE u (x int);";
    struct differences d = {0};
    compare_scripts(a, b, &(struct compare_options){0}, &d);
    assert_int_equal(d.count, 1);
    differences_release(&d);
    compare_scripts(a, b, &(struct compare_options){.strict_order = true}, &d);
    assert_int_equal(d.count, 2);
    assert_string_equal(d.list[0].kind, "column order");
    assert_string_equal(d.list[0].object, "public.t");
    assert_string_equal(d.list[0].a, "a, b, c");
    assert_string_equal(d.list[0].b, "a, c, b");
    differences_release(&d);
}

static void known_differences_are_ignored_until_their_day(void **state)
{
    (void)state;
    static const char b[] = "CREATE TABLE one (id int); CREATE TABLE two (id int);"
                            "CREATE VIEW three AS SELECT 1 AS x;";
    static const struct guard_ignore ignore[] = {
        {.kind = "table", .object = "public.o*", .until = "2999-12-31", .why = "later"},
        {.kind = "table", .object = "public.two", .until = "2001-01-31", .why = "too long"},
        {.kind = "*", .object = "*.nothing", .until = "2999-12-31", .why = "no such"},
    };
    const struct compare_options options = {.ignore = ignore, .ignore_count = ARRAY_LEN(ignore)};
    struct differences d = {0};
    compare_scripts("", b, &options, &d);
    assert_int_equal(d.count, 3);
    assert_int_equal(d.ignored, 1);
    assert_int_equal(d.semantic, 2);
    for (size_t i = 0; i < d.count; i++)
        assert_int_equal(d.list[i].ignored, str_eq(d.list[i].object, "public.one"));
    assert_text_has(d.compared, "guard.ignore of table 'public.two' has expired (2001-01-31)");
    differences_release(&d);
}

/* ---- revisions -------------------------------------------------------------------------------------- */

static void write_revision(const char *folder, const char *id, const char *parent, const char *body)
{
    char path[URL_BYTES];
    (void)snprintf(path, sizeof(path), "%s/%s.py", folder, id);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    (void)fprintf(file, "revision = '%s'\ndown_revision = %s%s%s\n\ndef upgrade():\n    %s\n", id,
                  parent ? "'" : "", parent ? parent : "None", parent ? "'" : "", body);
    assert_int_equal(fclose(file), 0);
}

static const char *revision_of(const struct differences *d, const char *object)
{
    for (size_t i = 0; i < d->count; i++)
        if (str_eq(d->list[i].object, object))
            return d->list[i].revision ? d->list[i].revision : "(none)";
    fail_msg("no difference of %s", object);
    return "";
}

static void load_graph(const char *folder, struct graph **out)
{
    struct err err = ERR_INIT;
    const struct graph_settings settings = {
        .path = folder, .versions = folder, .working_folder = "/"};
    write_revision(folder, "aa", NULL, "op.create_table('users', sa.Column('email', sa.Text()))");
    write_revision(folder, "bb", "aa",
                   "op.execute(\"ALTER TABLE users ADD age int CHECK (age > 0)\")");
    write_revision(folder, "cc", "bb", "op.create_table('odd name')");
    write_revision(folder, "dd", "cc", "op.alter_column('users', 'emails')");
    if (graph_load(&settings, out, &err) != 0)
        fail_msg("%s", err.text);
}

static void a_difference_names_the_revision_that_touched_it_last(void **state)
{
    (void)state;
    char folder[] = "/tmp/agent-diff-XXXXXX", path[URL_BYTES];
    struct graph *graph = NULL;
    struct differences d = {0};
    assert_non_null(mkdtemp(folder));
    load_graph(folder, &graph);
    compare_scripts("CREATE TABLE users (email text, age int CHECK (age > 0));"
                    "CREATE TABLE \"odd name\" (x int); CREATE TABLE untold (x int);",
                    "CREATE TABLE users (email varchar(9), age int);",
                    &(struct compare_options){.graph = graph}, &d);
    assert_string_equal(revision_of(&d, "public.users.email"), "aa");
    assert_string_equal(revision_of(&d, "public.users.users_age_check"), "bb");
    assert_string_equal(revision_of(&d, "public.\"odd name\""), "cc");
    assert_string_equal(revision_of(&d, "public.untold"), "(none)");
    differences_release(&d);
    graph_free(graph);
    for (const char *id = "aabbccdd"; *id; id += 2) {
        (void)snprintf(path, sizeof(path), "%s/%.2s.py", folder, id);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(folder), 0);
}

/* ---- the whole database ----------------------------------------------------------------------------- */

static void what_is_not_compared_is_counted(void **state)
{
    (void)state;
    static const char a[] =
        "CREATE TYPE m AS ENUM ('x'); CREATE FUNCTION g(m) RETURNS int LANGUAGE sql AS 'SELECT 1';"
        "CREATE CAST (m AS int) WITH FUNCTION g(m);"
        "CREATE TEXT SEARCH CONFIGURATION c (COPY = simple);"
        "CREATE OPERATOR <#> (leftarg = int, rightarg = int, function = int4pl);"
        "CREATE TYPE r AS RANGE (subtype = float8);" /* makes a cast, a part of it */
        "SELECT lo_create(0); CREATE EXTENSION pg_trgm;";
    struct differences d = {0};
    compare_scripts(a, a, &(struct compare_options){0}, &d);
    show(&d);
    assert_int_equal(d.count, 0);
    assert_string_equal(d.not_compared,
                        "1 cast, 1 large object, 1 operator, 1 text search configuration");
    assert_text_has(d.compared, "2 extensions");
    differences_release(&d);
    compare_scripts(a, "", &(struct compare_options){0}, &d);
    assert_text_has(d.not_compared, "A has 1 cast, ");
    assert_text_has(d.not_compared, "; B has nothing");
    differences_release(&d);
}

/* Of an extension, of PostgreSQL itself; given, and taken away. A right that was given and taken
 * away again is none. */
static void rights_on_what_was_brought_are_compared(void **state)
{
    (void)state;
    static const char a[] =
        "CREATE EXTENSION pg_trgm; GRANT EXECUTE ON FUNCTION pg_catalog.version() TO app_ro;"
        "REVOKE EXECUTE ON FUNCTION pg_catalog.version() FROM app_ro;";
    static const char b[] =
        "CREATE EXTENSION pg_trgm; REVOKE EXECUTE ON FUNCTION similarity(text, text) FROM PUBLIC;"
        "GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text) TO app_ro;"
        "GRANT SELECT ON pg_catalog.pg_authid TO app_ro; REVOKE USAGE ON LANGUAGE plpgsql FROM "
        "PUBLIC;";
    static const char *const objects[] = {"function pg_ls_dir(text)",
                                          "function public.similarity(text,text)",
                                          "language plpgsql", "table pg_authid"};
    struct differences d = {0};
    compare_scripts(a, b, &(struct compare_options){0}, &d);
    if (d.semantic != ARRAY_LEN(objects) || d.count != ARRAY_LEN(objects))
        show(&d);
    assert_int_equal(d.count, ARRAY_LEN(objects));
    assert_int_equal(d.semantic, ARRAY_LEN(objects));
    for (size_t i = 0; i < ARRAY_LEN(objects); i++)
        assert_string_equal(d.list[i].object, objects[i]);
    AUTO_CATALOG untouched = CATALOG_INIT;
    read_catalog("postgres", &untouched);
    for (size_t i = 0; i < untouched.count; i++)
        assert_string_not_equal(untouched.objects[i].kind, "rights");
    differences_release(&d);
}

static void another_version_of_an_extension_is_textual(void **state)
{
    (void)state;
    struct differences d = {0};
    compare_scripts("CREATE EXTENSION pg_trgm;", "CREATE EXTENSION pg_trgm VERSION '1.3';",
                    &(struct compare_options){0}, &d);
    assert_int_equal(d.count, 1);
    assert_int_equal(d.textual, 1);
    assert_string_equal(d.list[0].object, "pg_trgm");
    differences_release(&d);
    compare_scripts("CREATE EXTENSION pg_trgm;",
                    "CREATE SCHEMA x; CREATE EXTENSION pg_trgm SCHEMA x;",
                    &(struct compare_options){0}, &d);
    assert_int_equal(d.semantic, 2); /* the schema, too */
    differences_release(&d);
}

static void settings_of_the_database_are_told_without_the_values_of_an_application(void **state)
{
    (void)state;
    static const char b[] =
        "DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = 9999', current_database());"
        " EXECUTE format('ALTER DATABASE %I SET app.key = %L', current_database(),"
        " 'canary-setting'); END$$;";
    struct differences d = {0};
    compare_scripts("", b, &(struct compare_options){0}, &d);
    assert_int_equal(d.semantic + d.textual, 0);
    assert_int_equal(d.cosmetic, 1);
    assert_string_equal(d.list[0].kind, "database");
    assert_text_has(d.list[0].b, "work_mem=9999");
    assert_text_has(d.list[0].b, "app.key (not shown)");
    assert_text_lacks(d.list[0].b, "canary-setting");
    assert_text_has(d.not_compared, "1 application's setting");
    differences_release(&d);
}

/* ---- another server ------------------------------------------------------------------------------- */

/* Adopting compares with a throwaway server, whose version may be another one. */
static void another_server_version_is_said(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    AUTO_CATALOG a = CATALOG_INIT, b = CATALOG_INIT;
    struct differences d = {0};
    char line[256];
    make("versions", "CREATE TABLE t (a int)");
    read_catalog("versions", &a);
    read_catalog("versions", &b);
    assert_text_has(a.context, "PostgreSQL ");
    const char *rest = strchr(strstr(a.context, "PostgreSQL ") + strlen("PostgreSQL "), '\n');
    (void)snprintf(line, sizeof(line), "PostgreSQL 9.9%s", rest ? rest : "");
    b.context = line;
    if (catalog_compare(&a, &b, &(struct compare_options){0}, &d, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(d.count, 1);
    assert_int_equal(d.list[0].class_, DIFFERENCE_COSMETIC); /* no reason to fail by itself */
    assert_string_equal(d.list[0].object, "server and settings");
    assert_text_has(d.list[0].b, "PostgreSQL 9.9");
    differences_release(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_databases_made_in_other_orders_show_no_semantic_difference),
        cmocka_unit_test(the_history_of_a_column_makes_a_textual_difference),
        cmocka_unit_test(a_cast_with_a_meaning_is_not_taken_for_history),
        cmocka_unit_test(a_cast_that_rounds_a_number_is_not_taken_for_history),
        cmocka_unit_test(constraints_are_matched_by_what_they_are_and_not_by_their_number),
        cmocka_unit_test(what_belongs_to_a_missing_table_is_told_with_it),
        cmocka_unit_test(the_order_of_columns_counts_when_it_is_asked_for),
        cmocka_unit_test(known_differences_are_ignored_until_their_day),
        cmocka_unit_test(a_difference_names_the_revision_that_touched_it_last),
        cmocka_unit_test(what_is_not_compared_is_counted),
        cmocka_unit_test(rights_on_what_was_brought_are_compared),
        cmocka_unit_test(another_version_of_an_extension_is_textual),
        cmocka_unit_test(another_server_version_is_said),
        cmocka_unit_test(settings_of_the_database_are_told_without_the_values_of_an_application),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
