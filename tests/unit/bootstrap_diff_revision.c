/* tests/unit/bootstrap_diff_revision.c: which migration touched an object last. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "bootstrap/diff_internal.h"
#include "migrations/graph.h"

enum { PATH_BYTES = 256 };

/* Four revisions that rename what the first one made, and one whose code tells nothing. */
static const struct {
    const char *id, *parent, *body, *sql;
} chain[] = {
    {"r1", NULL, "op.create_table('people', 'email', 'age')",
     "CREATE TABLE people (id serial PRIMARY KEY, email varchar(10), age int CHECK (age > 0),\n"
     " CONSTRAINT uq UNIQUE (email, age));\n"
     "CREATE INDEX ix ON people (age); CREATE TABLE other (email text, id int PRIMARY KEY);\n"
     "CREATE VIEW seen AS SELECT 1; GRANT SELECT ON people TO app;\n"},
    {"r2", "r1", "op.rename_table('people', 'users')",
     "ALTER TABLE people RENAME TO users; ALTER INDEX ix RENAME TO ix_age;\n"},
    {"r3", "r2", "op.alter_column('users', 'email', 'mail'); other.email",
     "ALTER TABLE users RENAME COLUMN email TO mail;\n"
     "ALTER TABLE users ADD FOREIGN KEY (age) REFERENCES other (id);\n"},
    {"r4", "r3", "# users age uq mail seen: words alone", "ALTER TABLE other ADD more int;\n"},
    {"r5", "r4", "op.execute('DO ...') # touches the view seen", "DO $$BEGIN NULL; END$$;\n"},
};

static char folder[] = "/tmp/agent-revision-XXXXXX";
static struct graph *graph;

static void path_of(const char *id, char path[static PATH_BYTES])
{
    (void)snprintf(path, PATH_BYTES, "%s/%s.py", folder, id);
}

static int set_up(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    const struct graph_settings settings = {
        .path = folder, .versions = folder, .working_folder = "/"};
    char path[PATH_BYTES];
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < ARRAY_LEN(chain); i++) {
        const char *parent = chain[i].parent, *quote = parent ? "'" : "";
        path_of(chain[i].id, path);
        FILE *file = fopen(path, "we");
        assert_non_null(file);
        (void)fprintf(file,
                      "revision = '%s'\ndown_revision = %s%s%s\ndef upgrade():\n    pass\n# %s\n",
                      chain[i].id, quote, parent ? parent : "None", quote, chain[i].body);
        assert_int_equal(fclose(file), 0);
    }
    if (graph_load(&settings, &graph, &err) != 0)
        fail_msg("%s", err.text);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    for (size_t i = 0; i < ARRAY_LEN(chain); i++) {
        path_of(chain[i].id, path);
        assert_int_equal(unlink(path), 0);
    }
    graph_free(graph);
    return rmdir(folder);
}

static void write_sql(struct buf *sql)
{
    for (size_t i = 0; i < ARRAY_LEN(chain); i++)
        buf_addf(sql, "-- Running upgrade %s -> %s\n\n%s\n", chain[i].parent ? chain[i].parent : "",
                 chain[i].id, chain[i].sql);
}

/* What the SQL of the chain, or with SQL NULL its files, tells of an object. */
static const char *told(const struct catalog_object *o, const struct buf *sql)
{
    struct err err = ERR_INIT;
    struct diff_found found = {.about = o};
    const struct audit_settings offline = {.graph = graph,
                                           .sql = sql ? buf_text(sql) : "",
                                           .sql_length = sql ? sql->len : 0,
                                           .sql_name = "sql",
                                           .version_schema = "public",
                                           .version_table = "alembic_version"};
    const struct compare_options options = {.graph = graph, .offline = sql ? &offline : NULL};
    if (diff_find_revisions(&options, &found, 1, &err) != 0)
        fail_msg("%s", err.text);
    return found.difference.revision ? found.difference.revision : "(none)";
}

static struct catalog_object part(const char *kind, const char *word, const char *columns)
{
    return (struct catalog_object){.kind = kind,
                                   .name = "public.users.x",
                                   .parent_kind = "table",
                                   .parent = "public.users",
                                   .word = word,
                                   .relation = "users",
                                   .words = columns ? columns : "",
                                   .automatic_name = columns != NULL};
}

static struct catalog_object alone(const char *kind, const char *word)
{
    return (struct catalog_object){.kind = kind,
                                   .name = "public.x",
                                   .parent_kind = "",
                                   .parent = "",
                                   .word = word,
                                   .relation = "",
                                   .words = ""};
}

static void operations_tell_it_through_renames(void **state)
{
    (void)state;
    AUTO_BUF sql = BUF_INIT(64 * 1024);
    write_sql(&sql);
    const struct {
        struct catalog_object object;
        const char *revision;
    } cases[] = {
        {part("column", "age", NULL), "r1"},                  /* of people, then */
        {part("column", "mail", NULL), "r3"},                 /* its name is of r3 */
        {alone("table", "users"), "r2"},                      /* its name is of r2 */
        {part("constraint", "users_age_check", "age"), "r1"}, /* named by nobody */
        {part("constraint", "uq", NULL), "r1"},               /* by its name */
        {part("constraint", "users_age_fkey", "age"), "r3"},  /* the last on that column */
        {part("constraint", "users_pkey", ""), "r1"},         /* a table has one */
        {part("index", "ix_age", NULL), "r2"},                /* renamed without its table */
        {{.kind = "column",
          .name = "public.other.email",
          .parent_kind = "table",
          .parent = "public.other",
          .word = "email",
          .relation = "other",
          .words = ""},
         "r1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *found = told(&cases[i].object, &sql);
        if (!str_eq(found, cases[i].revision))
            fail_msg("%s %s: %s, not %s", cases[i].object.kind, cases[i].object.word, found,
                     cases[i].revision);
    }
}

static void words_alone_name_a_later_one(void **state)
{
    (void)state;
    struct catalog_object age = part("column", "age", NULL);
    assert_string_equal(told(&age, NULL), "r4"); /* a comment: why operations are asked first */
}

static void code_that_is_run_is_looked_for_in_its_file(void **state)
{
    (void)state;
    AUTO_BUF sql = BUF_INIT(64 * 1024);
    struct catalog_object seen = alone("view", "seen");
    write_sql(&sql);
    assert_string_equal(told(&seen, &sql), "r5");
}

static void a_right_is_touched_by_grants_alone(void **state)
{
    (void)state;
    AUTO_BUF sql = BUF_INIT(64 * 1024);
    struct catalog_object right = alone("grant", "people");
    write_sql(&sql);
    assert_string_equal(told(&right, &sql), "r1");
}

static void sql_of_other_revisions_leaves_it_to_the_files(void **state)
{
    (void)state;
    AUTO_BUF sql = BUF_INIT(64 * 1024);
    struct catalog_object age = part("column", "age", NULL);
    buf_adds(&sql, "-- Running upgrade  -> zz\n\nCREATE TABLE users (age int);\n");
    assert_string_equal(told(&age, &sql), "r4");
}

static void an_object_that_nothing_names_has_none(void **state)
{
    (void)state;
    AUTO_BUF sql = BUF_INIT(64 * 1024);
    struct catalog_object untold = alone("table", "untold");
    write_sql(&sql);
    assert_string_equal(told(&untold, &sql), "(none)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_tell_it_through_renames),
        cmocka_unit_test(words_alone_name_a_later_one),
        cmocka_unit_test(code_that_is_run_is_looked_for_in_its_file),
        cmocka_unit_test(a_right_is_touched_by_grants_alone),
        cmocka_unit_test(sql_of_other_revisions_leaves_it_to_the_files),
        cmocka_unit_test(an_object_that_nothing_names_has_none),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
