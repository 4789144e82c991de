#include "tests/lib/heap.h"
#include "tests/unit/migrations_project.h"

#include "migrations/audit.h"

/* A project of two revisions, and what the second one's part of the offline SQL comes to. */
struct fixture {
    struct project project;
    struct audit *audit;
    struct buf sql;
    bool live; /* with the records of a live run, in the project's folder each/ */
};

static void drop_fixture(struct fixture *f)
{
    audit_free(f->audit);
    buf_release(&f->sql);
    drop_project(&f->project);
}

#define AUTO_FIXTURE CLEANUP(drop_fixture) struct fixture

static const char real_downgrade[] = "def downgrade():\n    op.undo()\n";

static struct fixture new_fixture(const char *more)
{
    struct fixture f = {.project = new_project(), .sql = BUF_INIT(1024 * 1024)};
    put_revision(&f.project, "a1", "None", real_downgrade);
    put_revision(&f.project, "b2", "'a1'", more);
    load(&f.project);
    return f;
}

static int make(struct fixture *f, const char *sql)
{
    char each[PATH_MAX];
    path_of(&f->project, "each", each);
    const struct audit_settings settings = {.graph = f->project.graph,
                                            .each_folder = f->live ? each : NULL,
                                            .sql = sql,
                                            .sql_length = strlen(sql),
                                            .sql_name = "offline",
                                            .version_table = "alembic_version"};
    audit_free(f->audit);
    f->audit = NULL;
    return audit_make(&settings, &f->audit, &f->project.err);
}

/* The second revision does SQL; the first one makes the tables that there are. */
static void audit_of(struct fixture *f, const char *sql)
{
    buf_clear(&f->sql);
    buf_adds(&f->sql,
             "BEGIN;\n\nCREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL);\n\n"
             "-- Running upgrade  -> a1\n\n"
             "CREATE TABLE users (id BIGINT PRIMARY KEY, name VARCHAR(20), total NUMERIC(10,2));\n"
             "CREATE TABLE orgs (id BIGINT PRIMARY KEY);\n"
             "INSERT INTO alembic_version (version_num) VALUES ('a1');\n\n"
             "-- Running upgrade a1 -> b2\n\n");
    buf_adds(&f->sql, sql);
    buf_adds(&f->sql, ";\n\nUPDATE alembic_version SET version_num='b2' WHERE "
                      "alembic_version.version_num = 'a1';\n\nCOMMIT;\n");
    if (make(f, buf_text(&f->sql)) != 0)
        fail_msg("%s", f->project.err.text);
}

static const char *file_of(const struct fixture *f, const char *name)
{
    for (size_t i = 0; i < f->audit->file_count; i++) {
        assert_int_equal(strlen(f->audit->files[i].text), f->audit->files[i].length);
        if (str_eq(f->audit->files[i].name, name))
            return f->audit->files[i].text;
    }
    fail_msg("there is no file %s", name);
    return "";
}

/* The rows of the CSV of b2 for SQL, without its header. */
static void rows_are(const char *sql, const char *wanted)
{
    AUTO_FIXTURE f = new_fixture(real_downgrade);
    audit_of(&f, sql);
    const char *csv = file_of(&f, "002_b2.csv");
    assert_string_equal(strchr(csv, '\n') + 1, wanted);
}

static void summary_has(const char *more, const char *sql, const char *part)
{
    AUTO_FIXTURE f = new_fixture(more);
    audit_of(&f, sql);
    assert_text_has(file_of(&f, "002_b2.md"), part);
}

/* ---- the record ------------------------------------------------------------------------------ */

static void every_revision_has_a_csv_and_a_summary(void **state)
{
    (void)state;
    AUTO_FIXTURE f = new_fixture(real_downgrade);
    audit_of(&f, "DROP TABLE orgs");
    assert_int_equal(f.audit->revision_count, 2);
    assert_int_equal(f.audit->file_count, 8);
    static const char *const names[] = {"001_a1.csv",   "001_a1.md", "002_b2.csv", "002_b2.md",
                                        "INVENTORY.md", "graph.svg", "graph.dot",  "graph.mmd"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_string_equal(f.audit->files[i].name, names[i]);
    assert_text_has(file_of(&f, "INVENTORY.md"), "| migrations | 2 |");
    assert_text_has(file_of(&f, "INVENTORY.md"), "| 002 | [b2](002_b2.md) | message of b2 |");
    assert_text_has(file_of(&f, "INVENTORY.md"), "| orgs | [001](001_a1.md) [002](002_b2.md) |");
    assert_text_has(file_of(&f, "graph.dot"), "\"a1\" -> \"b2\"");
    assert_text_lacks(file_of(&f, "INVENTORY.md"), f.project.folder);
    assert_text_lacks(file_of(&f, "002_b2.md"), f.project.folder);
}

static void the_header_has_the_columns_that_are_promised(void **state)
{
    (void)state;
    AUTO_FIXTURE f = new_fixture(real_downgrade);
    audit_of(&f, "SELECT 1");
    assert_text_has(
        file_of(&f, "001_a1.csv"),
        "seq,revision,operation,object_type,schema,object,column,detail,lock,"
        "rewrites_table,destructive,reversible,line\n"
        "1,a1,create_table,table,,users,,\"3 columns: id, name, total\",,no,no,yes,3\n");
}

static void lines_count_from_the_revisions_own_part(void **state)
{
    (void)state;
    rows_are("\n-- a remark\n\nDROP VIEW v;\n\nDROP VIEW w",
             "1,b2,drop_view,view,,v,,,ACCESS EXCLUSIVE,no,no,yes,6\n"
             "2,b2,drop_view,view,,w,,,ACCESS EXCLUSIVE,no,no,yes,8\n");
}

static void a_running_line_inside_of_a_string_begins_nothing(void **state)
{
    (void)state;
    rows_are("COMMENT ON TABLE users IS '\n-- Running upgrade b2 -> c3\n'",
             "1,b2,comment,table,,users,,,SHARE UPDATE EXCLUSIVE,no,no,yes,3\n");
}

static void fields_are_quoted_as_rfc_4180_has_it(void **state)
{
    (void)state;
    rows_are("ALTER TABLE \"we\"\"ird, table\" DROP COLUMN \"a\nb\"",
             "1,b2,drop_column,column,,\"we\"\"ird, table\",\"a\nb\",rules: ban-drop-column,"
             "ACCESS EXCLUSIVE,no,yes,no,3\n");
}

static void ids_that_are_no_file_names_are_escaped(void **state)
{
    (void)state;
    struct project p = new_project();
    AUTO_FIXTURE f = {.project = p, .sql = BUF_INIT(1024)};
    put(&f.project, "m/versions/x.py", "revision = 'a/b c'\ndown_revision = None\n");
    load(&f.project);
    assert_int_equal(make(&f, "-- Running upgrade  -> a/b c\n"), 0);
    assert_string_equal(f.audit->files[0].name, "001_a%2Fb%20c.csv");
    assert_true(audit_is_revision_file("001_a%2Fb%20c.csv"));
    assert_true(audit_is_revision_file("1000_x.md"));
    assert_false(audit_is_revision_file("INVENTORY.md"));
    assert_false(audit_is_revision_file("12_x.md"));
    assert_false(audit_is_revision_file("001_x.txt"));
}

/* ---- the SQL must be that of the revisions --------------------------------------------------- */

static void sql_of_other_revisions_is_refused(void **state)
{
    (void)state;
    AUTO_FIXTURE f = new_fixture(real_downgrade);
    assert_int_equal(make(&f, "-- Running upgrade  -> a1\n"), -1);
    assert_int_equal(f.project.err.kind, ERR_DB_COMMAND);
    assert_text_has(f.project.err.text, "offline: it has no part for revision 'b2'");
    assert_int_equal(make(&f, "-- Running upgrade  -> a1\n\n-- Running upgrade a1 -> zz\n"), -1);
    assert_text_has(f.project.err.text, "offline:3: it runs revision 'zz', which is in no file");
    assert_int_equal(make(&f, "-- Running upgrade  -> a1\n-- Running upgrade  -> a1\n"), -1);
    assert_text_has(f.project.err.text, "offline:2: it runs revision 'a1' twice");
    assert_int_equal(make(&f, "-- Running upgrade  -> a1\nSELECT 'x;\n"), -1);
    assert_int_equal(f.project.err.kind, ERR_DB_COMMAND);
}

static void what_the_parser_does_not_know_is_said(void **state)
{
    (void)state;
    AUTO_FIXTURE f = new_fixture(real_downgrade);
    audit_of(&f, "ALTER TABLE users FROBNICATE");
    assert_text_has(file_of(&f, "002_b2.csv"),
                    "1,b2,unparsed,statement,,,,\"syntax error at or near \"\"FROBNICATE\"\"\","
                    "unknown,maybe,maybe,maybe,3\n");
    assert_text_has(file_of(&f, "002_b2.md"), "PostgreSQL's parser does not know the statement");
}

/* ---- columns --------------------------------------------------------------------------------- */

static void a_column_with_a_constant_default_rewrites_nothing(void **state)
{
    (void)state;
    rows_are("ALTER TABLE users ADD COLUMN a TEXT DEFAULT 'x' NOT NULL",
             "1,b2,add_column,column,,users,a,TEXT DEFAULT 'x' NOT NULL,ACCESS EXCLUSIVE,no,no,yes,"
             "3\n");
    rows_are("ALTER TABLE users ADD COLUMN a TIMESTAMPTZ DEFAULT now()",
             "1,b2,add_column,column,,users,a,TIMESTAMPTZ DEFAULT now(),ACCESS EXCLUSIVE,no,no,yes,"
             "3\n");
}

static void a_column_that_is_computed_for_each_row_rewrites_the_table(void **state)
{
    (void)state;
    rows_are("ALTER TABLE s.users ADD COLUMN a UUID DEFAULT gen_random_uuid()",
             "1,b2,add_column,column,s,users,a,UUID DEFAULT gen_random_uuid(); rules: "
             "adding-field-with-default,ACCESS EXCLUSIVE,yes,no,yes,3\n");
    rows_are("ALTER TABLE users ADD COLUMN a TEXT DEFAULT my_function()",
             "1,b2,add_column,column,,users,a,TEXT DEFAULT my_function(); rules: "
             "adding-field-with-default,ACCESS EXCLUSIVE,maybe,no,yes,3\n");
    rows_are("ALTER TABLE users ADD COLUMN a INT GENERATED ALWAYS AS (1) STORED",
             "1,b2,add_column,column,,users,a,INT GENERATED ALWAYS AS (1) STORED; rules: "
             "adding-field-with-default,ACCESS EXCLUSIVE,yes,no,yes,3\n");
    rows_are("ALTER TABLE users ADD COLUMN a BIGSERIAL PRIMARY KEY",
             "1,b2,add_column,column,,users,a,\"BIGSERIAL PRIMARY KEY; rules: "
             "adding-serial-primary-key-field, adding-field-with-default\",ACCESS EXCLUSIVE,yes,no,"
             "yes,3\n"
             "2,b2,add_primary_key,constraint,,,a,on users: PRIMARY KEY; rules: "
             "adding-serial-primary-key-field,ACCESS EXCLUSIVE,no,no,yes,3\n");
}

static void a_column_without_a_value_is_a_required_field(void **state)
{
    (void)state;
    rows_are("ALTER TABLE users ADD COLUMN a TEXT NOT NULL",
             "1,b2,add_column,column,,users,a,\"TEXT NOT NULL; rules: adding-required-field, "
             "adding-not-nullable-field\",ACCESS EXCLUSIVE,no,no,yes,3\n");
    rows_are("ALTER TABLE users ALTER COLUMN name SET NOT NULL",
             "1,b2,set_not_null,column,,users,name,rules: adding-not-nullable-field,"
             "ACCESS EXCLUSIVE,no,no,yes,3\n");
}

static void a_wider_type_rewrites_nothing_and_another_one_does(void **state)
{
    (void)state;
    static const struct {
        const char *column, *type, *from, *answers;
    } changes[] = {
        {"name", "VARCHAR(40)", "character varying(20)", ",ACCESS EXCLUSIVE,no,no,yes"},
        {"name", "TEXT", "character varying(20)", ",ACCESS EXCLUSIVE,no,no,yes"},
        {"name", "VARCHAR(10)", "character varying(20)",
         "; rules: changing-column-type,ACCESS EXCLUSIVE,yes,maybe,maybe"},
        {"name", "INTEGER", "character varying(20)",
         "; rules: changing-column-type,ACCESS EXCLUSIVE,yes,maybe,maybe"},
        {"id", "TEXT", "bigint", "; rules: changing-column-type,ACCESS EXCLUSIVE,yes,no,yes"},
        {"id", "INTEGER", "bigint",
         "; rules: changing-column-type,ACCESS EXCLUSIVE,yes,maybe,maybe"},
    };
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        char sql[256], wanted[512];
        (void)snprintf(sql, sizeof(sql), "ALTER TABLE users ALTER COLUMN %s TYPE %s",
                       changes[i].column, changes[i].type);
        (void)snprintf(wanted, sizeof(wanted),
                       "1,b2,change_column_type,column,,users,%s,from %s to %s%s,3\n",
                       changes[i].column, changes[i].from, changes[i].type, changes[i].answers);
        rows_are(sql, wanted);
    }
    rows_are("ALTER TABLE users ALTER COLUMN total TYPE NUMERIC(12,2)",
             "1,b2,change_column_type,column,,users,total,\"from numeric(10,2) to NUMERIC(12,2)\","
             "ACCESS EXCLUSIVE,no,no,yes,3\n");
    rows_are("ALTER TABLE elsewhere ALTER COLUMN a TYPE TEXT",
             "1,b2,change_column_type,column,,elsewhere,a,TEXT; rules: changing-column-type,"
             "ACCESS EXCLUSIVE,maybe,maybe,maybe,3\n");
}

/* The expression is what the column will hold. */
static void a_type_that_is_changed_by_an_expression_may_lose_what_was_there(void **state)
{
    (void)state;
    static const char *const losing[] = {"left(name, 3)", "NULL", "id::text", "name::varchar(2)",
                                         "name::varchar(2)::text"};
    static const char *const harmless[] = {"name", "name::text", "CAST(name AS TEXT)"};
    for (size_t i = 0; i < ARRAY_LEN(losing); i++) {
        AUTO_FIXTURE f = new_fixture(real_downgrade);
        AUTO_BUF sql = BUF_INIT(256);
        buf_addf(&sql, "ALTER TABLE users ALTER COLUMN name TYPE TEXT USING %s", losing[i]);
        audit_of(&f, buf_text(&sql));
        if (!strstr(file_of(&f, "002_b2.csv"), "ACCESS EXCLUSIVE,yes,maybe,maybe"))
            fail_msg("%s: %s", losing[i], file_of(&f, "002_b2.csv"));
    }
    for (size_t i = 0; i < ARRAY_LEN(harmless); i++) {
        AUTO_FIXTURE f = new_fixture(real_downgrade);
        AUTO_BUF sql = BUF_INIT(256);
        buf_addf(&sql, "ALTER TABLE users ALTER COLUMN name TYPE TEXT USING %s", harmless[i]);
        audit_of(&f, buf_text(&sql));
        if (!strstr(file_of(&f, "002_b2.csv"), "ACCESS EXCLUSIVE,no,no,yes"))
            fail_msg("%s: %s", harmless[i], file_of(&f, "002_b2.csv"));
    }
}

static void renames_are_followed(void **state)
{
    (void)state;
    rows_are("ALTER TABLE users RENAME COLUMN name TO label;\n"
             "ALTER TABLE users RENAME TO people;\n"
             "ALTER TABLE people ALTER COLUMN label TYPE TEXT",
             "1,b2,rename_column,column,,users,name,to label; rules: renaming-column,"
             "ACCESS EXCLUSIVE,no,no,yes,3\n"
             "2,b2,rename_table,table,,users,,to people; rules: renaming-table,ACCESS EXCLUSIVE,no,"
             "no,yes,4\n"
             "3,b2,change_column_type,column,,people,label,from character varying(20) to TEXT,"
             "ACCESS EXCLUSIVE,no,no,yes,5\n");
}

/* ---- constraints and indexes ----------------------------------------------------------------- */

static void constraints_carry_the_names_of_their_rules(void **state)
{
    (void)state;
    rows_are("ALTER TABLE users ADD CONSTRAINT c CHECK (id > 0)",
             "1,b2,add_check,constraint,,c,,on users: CONSTRAINT c CHECK (id > 0); rules: "
             "constraint-missing-not-valid,ACCESS EXCLUSIVE,no,no,yes,3\n");
    rows_are("ALTER TABLE users ADD CONSTRAINT c CHECK (id > 0) NOT VALID",
             "1,b2,add_check,constraint,,c,,on users: CONSTRAINT c CHECK (id > 0) NOT VALID,"
             "ACCESS EXCLUSIVE,no,no,yes,3\n");
    rows_are(
        "ALTER TABLE users VALIDATE CONSTRAINT c",
        "1,b2,validate_constraint,constraint,,c,,on users,SHARE UPDATE EXCLUSIVE,no,no,yes,3\n");
    rows_are("ALTER TABLE users ADD FOREIGN KEY (id) REFERENCES orgs",
             "1,b2,add_foreign_key,constraint,,,id,\"on users: FOREIGN KEY (id) REFERENCES orgs; "
             "rules: adding-foreign-key-constraint, constraint-missing-not-valid\","
             "SHARE ROW EXCLUSIVE,no,no,yes,3\n");
    rows_are("ALTER TABLE users ADD CONSTRAINT u UNIQUE (name)",
             "1,b2,add_unique,constraint,,u,name,on users: CONSTRAINT u UNIQUE (name); rules: "
             "disallowed-unique-constraint,ACCESS EXCLUSIVE,no,no,yes,3\n");
    rows_are("ALTER TABLE users ADD CONSTRAINT u UNIQUE USING INDEX i",
             "1,b2,add_unique,constraint,,u,,on users: CONSTRAINT u UNIQUE USING INDEX i,"
             "ACCESS EXCLUSIVE,no,no,yes,3\n");
}

static void indexes_block_writes_unless_they_are_built_concurrently(void **state)
{
    (void)state;
    rows_are("CREATE UNIQUE INDEX i ON users (lower(name), id) WHERE id > 0",
             "1,b2,create_index,index,,i,\"(expression), id\",\"unique on users (lower(name), id) "
             "WHERE id > 0; rules: require-concurrent-index-creation\",SHARE,no,no,yes,3\n");
    rows_are(
        "COMMIT;\nCREATE INDEX CONCURRENTLY i ON users (id);\nBEGIN",
        "1,b2,create_index_concurrently,index,,i,id,on users (id),SHARE UPDATE EXCLUSIVE,no,no,"
        "yes,4\n");
    rows_are("CREATE INDEX CONCURRENTLY i ON users (id)",
             "1,b2,create_index_concurrently,index,,i,id,on users (id); rules: "
             "ban-concurrent-index-creation-in-transaction,SHARE UPDATE EXCLUSIVE,no,no,yes,3\n");
    rows_are(
        "DROP INDEX i",
        "1,b2,drop_index,index,,i,,rules: require-concurrent-index-deletion,ACCESS EXCLUSIVE,no,"
        "no,yes,3\n");
}

static void nobody_waits_for_a_table_of_the_same_revision(void **state)
{
    (void)state;
    rows_are("CREATE TABLE t (id INT, org BIGINT REFERENCES orgs (id));\n"
             "CREATE INDEX i ON t (id);\nALTER TABLE t ADD COLUMN a UUID DEFAULT gen_random_uuid()",
             "1,b2,create_table,table,,t,,\"2 columns: id, org\",,no,no,yes,3\n"
             "2,b2,add_foreign_key,constraint,,,org,on t: REFERENCES orgs (id),SHARE ROW EXCLUSIVE,"
             "no,no,yes,3\n"
             "3,b2,create_index,index,,i,id,on t (id),,no,no,yes,4\n"
             "4,b2,add_column,column,,t,a,UUID DEFAULT gen_random_uuid(),,no,no,yes,5\n");
}

/* It may be full: what is done to it afterwards waits, rewrites and loses. */
static void a_table_that_is_there_is_not_made_anew_by_if_not_exists(void **state)
{
    (void)state;
    rows_are(
        "CREATE TABLE IF NOT EXISTS users (id BIGINT PRIMARY KEY, name TEXT);\n"
        "ALTER TABLE users DROP COLUMN name;\nDROP TABLE users",
        "1,b2,create_table,table,,users,,is there already,,no,no,yes,3\n"
        "2,b2,drop_column,column,,users,name,rules: ban-drop-column,ACCESS EXCLUSIVE,no,yes,no,"
        "4\n"
        "3,b2,drop_table,table,,users,,rules: ban-drop-table,ACCESS EXCLUSIVE,no,yes,no,5\n");
    rows_are("CREATE TABLE IF NOT EXISTS users AS SELECT 1;\nTRUNCATE users",
             "1,b2,create_table_as,table,,users,,is there already,,no,no,yes,3\n"
             "2,b2,truncate,rows,,users,,,ACCESS EXCLUSIVE,no,yes,no,4\n");
    rows_are("CREATE TABLE IF NOT EXISTS t (id INT);\nDROP TABLE t",
             "1,b2,create_table,table,,t,,1 column: id,,no,no,yes,3\n"
             "2,b2,drop_table,table,,t,,,,no,no,yes,4\n");
}

/* ---- data ------------------------------------------------------------------------------------ */

static void no_data_gets_into_the_record(void **state)
{
    (void)state;
    AUTO_FIXTURE f = new_fixture(real_downgrade);
    audit_of(&f, "INSERT INTO users (name) VALUES ('canary'), ('canary');\n"
                 "UPDATE users SET name = 'canary' WHERE name = 'canary';\n"
                 "DELETE FROM users WHERE name = 'canary';\n"
                 "CREATE ROLE r PASSWORD 'canary';\nSELECT f('canary');\nDO 'canary'");
    for (size_t i = 0; i < f.audit->file_count; i++)
        assert_text_lacks(f.audit->files[i].text, "canary");
    assert_text_has(file_of(&f, "002_b2.csv"), "1,b2,insert,rows,,users,name,2 rows,ROW EXCLUSIVE,"
                                               "no,no,yes,3\n");
    assert_text_has(file_of(&f, "002_b2.csv"), "other,statement,,,,CreateRoleStmt,,no,no,yes");
    assert_text_has(file_of(&f, "002_b2.csv"), "calls f()");
}

static void filling_a_new_column_overwrites_nothing(void **state)
{
    (void)state;
    rows_are("ALTER TABLE users ADD COLUMN a TEXT;\nUPDATE users SET a = name",
             "1,b2,add_column,column,,users,a,TEXT,ACCESS EXCLUSIVE,no,no,yes,3\n"
             "2,b2,update,rows,,users,a,every row,ROW EXCLUSIVE,no,no,yes,4\n");
    rows_are("UPDATE users SET name = '' WHERE id = 1",
             "1,b2,update,rows,,users,name,rows of a condition,ROW EXCLUSIVE,no,maybe,maybe,3\n");
}

static void with_that_deletes_is_a_delete_too(void **state)
{
    (void)state;
    rows_are("WITH gone AS (DELETE FROM users RETURNING id) INSERT INTO orgs SELECT id FROM gone",
             "1,b2,delete,rows,,users,,every row,ROW EXCLUSIVE,no,yes,no,3\n"
             "2,b2,insert,rows,,orgs,,from a query,ROW EXCLUSIVE,no,no,yes,3\n");
}

/* ---- what downgrade() does ------------------------------------------------------------------- */

static void a_downgrade_that_does_nothing_undoes_nothing(void **state)
{
    (void)state;
    static const char *const empty[] = {
        "def downgrade():\n    pass\n",
        "def downgrade() -> None: pass\n",
        "def downgrade():\n    '''Not\n    needed.'''\n    # nothing\n    return None\n",
        "def downgrade():\n    ...\n\ndef other():\n    op.undo()\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(empty); i++)
        summary_has(empty[i], "CREATE SCHEMA s",
                    "| can be undone | no: downgrade() does nothing |");
    summary_has("x = 1\n", "CREATE SCHEMA s", "| can be undone | no: there is no downgrade() |");
    summary_has("def downgrade():\n    raise NotImplementedError('no')\n", "CREATE SCHEMA s",
                "| can be undone | no: downgrade() refuses |");
    summary_has("def downgrade():\n    pass; op.undo()\n", "CREATE SCHEMA s",
                "| can be undone | yes |");
    summary_has("text = '''\ndef downgrade():\n    op.undo()\n'''\n", "CREATE SCHEMA s",
                "| can be undone | no: there is no downgrade() |");
    summary_has(real_downgrade, "DROP TABLE users",
                "| can be undone | no: the structure comes back, the data that is lost does not |");
}

static void what_asks_the_database_is_said(void **state)
{
    (void)state;
    summary_has("def upgrade():\n    bind = op.get_bind()\n", "SELECT 1",
                "Line 5 of the file asks the database as it runs (`op.get_bind()`)");
    summary_has("def helper(session):\n    session.execute(q)\n", "SELECT 1",
                "asks the database as it runs (`session.execute()`)");
    summary_has("def upgrade():\n    if context.is_offline_mode():\n        pass\n", "SELECT 1",
                "It looks whether it runs offline");
    AUTO_FIXTURE f = new_fixture("def upgrade():\n    op.execute('x')\n\n"
                                 "def downgrade():\n    op.get_bind()\n");
    audit_of(&f, "SELECT 1");
    assert_text_lacks(file_of(&f, "002_b2.md"), "Not known offline");
}

static void date_and_author_come_from_the_header(void **state)
{
    (void)state;
    AUTO_FIXTURE f = new_fixture("");
    put(&f.project, "m/versions/b2.py",
        "\"\"\"a | pipe\n\nRevision ID: b2\nCreate Date: 2024-02-03 10:11:12.5\n"
        "author: Ada <ada@example.com>\n\"\"\"\nrevision = 'b2'\ndown_revision = 'a1'\n");
    load(&f.project);
    audit_of(&f, "SELECT 1");
    const char *summary = file_of(&f, "002_b2.md");
    assert_text_has(summary, "# 002 b2: a \\| pipe\n");
    assert_text_has(summary, "| date | 2024-02-03 10:11:12.5 |");
    assert_text_has(summary, "| author | Ada \\<ada@example.com\\> |");
    assert_text_has(summary, "| parents | `a1` |\n| children | none: it is a head |");
    assert_text_has(file_of(&f, "INVENTORY.md"), "| a \\| pipe | 2024-02-03 |");
}

static void the_sentence_says_what_is_done(void **state)
{
    (void)state;
    summary_has(real_downgrade, "CREATE TABLE t (id INT PRIMARY KEY); CREATE INDEX i ON t (id)",
                "\nCreates table t; creates index i.\n");
    summary_has(real_downgrade, "DROP TABLE users; DROP TABLE orgs",
                "\nDrops tables users and orgs.\n");
    summary_has(
        real_downgrade,
        "ALTER TABLE users ADD a INT, ADD b INT, ADD c INT, ADD d INT, ADD e INT, ADD f INT",
        "\nAdds columns users.a, users.b, users.c, users.d and 2 more.\n");
    summary_has(real_downgrade, "", "\nChanges nothing.\n");
}

static void the_heaviest_lock_is_that_on_a_table_in_use(void **state)
{
    (void)state;
    summary_has(real_downgrade, "CREATE INDEX i ON users (id); DELETE FROM orgs",
                "| heaviest lock | SHARE on `users`: blocks writes; not reads |");
    summary_has(real_downgrade, "CREATE TABLE t (id INT); CREATE INDEX i ON t (id)",
                "| heaviest lock | none on a table that was there before |");
    summary_has(real_downgrade, "DO ''",
                "| heaviest lock | unknown: blocks what the code that it "
                "runs locks");
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* All statements are known to the parser: it does not outlive a failure where it makes its message.
 * */
static void every_allocation_that_fails_is_an_error(void **state)
{
    (void)state;
    NEEDS_HEAP();
    static const char sql[] =
        "-- Running upgrade  -> a1\n\nCREATE TABLE t (id BIGSERIAL PRIMARY KEY, a TEXT);\n"
        "CREATE INDEX i ON t (lower(a));\nALTER TABLE t RENAME COLUMN a TO b;\n"
        "-- Running upgrade a1 -> b2\n\nALTER TABLE t ALTER COLUMN b TYPE VARCHAR(3);\n"
        "UPDATE t SET b = '';\nDROP TABLE t;\n";
    AUTO_FIXTURE f = new_fixture("def downgrade():\n    pass\n");
    assert_int_equal(make(&f, sql), 0);
    AUTO_FREE char *whole = strdup(file_of(&f, "002_b2.csv"));
    assert_non_null(whole);
    long k = 0;
    for (bool failed = true; failed; k++) {
        err_clear(&f.project.err);
        heap_fail_after(k);
        int rc = make(&f, sql);
        failed = heap_successes < 0;
        heap_fail_after(-1);
        if (rc == 0) /* the parser can do without one of its own */
            assert_string_equal(file_of(&f, "002_b2.csv"), whole);
        else if (f.project.err.kind != ERR_RESOURCE)
            fail_msg("allocation %ld: %s", k, f.project.err.text);
    }
    assert_in_range(k, 50, 10000);
}

/* ---- live runs ------------------------------------------------------------------------------- */

#define CHANGE(change, kind, object) CHANGE_OF("b2", change, kind, object)
#define CHANGE_OF(id, change, kind, object)                               \
    "{\"revision\":\"" id "\",\"change\":\"" change "\",\"kind\":\"" kind \
    "\",\"object\":\"" object "\",\"before\":null,\"after\":\"{x}\"}\n"

static struct fixture live_fixture(const char *record)
{
    struct fixture f = new_fixture(real_downgrade);
    f.live = true;
    put(&f.project, "each/001_a1.jsonl",
        CHANGE_OF("a1", "added", "table", "public.orgs")
            CHANGE_OF("a1", "added", "table", "public.users"));
    put(&f.project, "each/002_b2.jsonl", record);
    return f;
}

static void a_live_run_is_shown_beside_what_was_asked_for(void **state)
{
    (void)state;
    AUTO_FIXTURE f = live_fixture(CHANGE("added", "column", "public.users.a")
                                      CHANGE("removed", "function", "public.f(text, s.t)")
                                          CHANGE("added", "index", "public.ix_by_the_code"));
    audit_of(&f, "ALTER TABLE users ADD COLUMN a INT; DROP FUNCTION f(text, s.t); DO 'x'");
    const char *summary = file_of(&f, "002_b2.md");
    assert_text_has(summary,
                    "| added | column | `public.users.a` | yes |\n"
                    "| removed | function | `public.f(text, s.t)` | yes |\n"
                    "| added | index | `public.ix_by_the_code` | no: not in the offline SQL |");
    assert_text_lacks(summary, "was asked for and changed nothing");
    assert_text_has(file_of(&f, "INVENTORY.md"),
                    "| that are not all known offline | 1 |\n"
                    "| whose live run did something else than was asked for | 1 |");
}

static void what_changed_nothing_is_said(void **state)
{
    (void)state;
    AUTO_FIXTURE f = live_fixture("");
    audit_of(&f, "ALTER TABLE users ALTER COLUMN name DROP DEFAULT");
    assert_text_has(file_of(&f, "002_b2.md"), "changed nothing in the catalog.\n\n- Operation 1, "
                                              "drop_default, was asked for and changed nothing.");
    audit_of(&f, "UPDATE users SET name = ''");
    assert_text_lacks(file_of(&f, "002_b2.md"), "- Operation 1");
}

static void the_parts_of_a_view_come_with_the_view(void **state)
{
    (void)state;
    AUTO_FIXTURE f = live_fixture(CHANGE("changed", "view", "public.v")
                                      CHANGE("added", "column", "public.v.total"));
    audit_of(&f, "CREATE OR REPLACE VIEW v AS SELECT 1 AS total");
    assert_text_has(file_of(&f, "002_b2.md"), "| added | column | `public.v.total` | yes |");
}

static void a_record_that_is_none_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{\"revision\":\"b2\"",
        "{\"revision\":\"a1\",\"change\":\"added\",\"kind\":\"t\",\"object\":\"o\"}\n",
        "[]\n",
        "{\"revision\":\"b2\",\"change\":\"added\",\"kind\":\"t\",\"object\":\n",
        "\n",
        "{\"",
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        AUTO_FIXTURE f = live_fixture(wrong[i]);
        assert_int_equal(make(&f, "-- Running upgrade  -> a1\n-- Running upgrade a1 -> b2\n"), -1);
        assert_int_equal(f.project.err.kind, ERR_FILE);
        assert_text_has(f.project.err.text, "002_b2.jsonl:1: this is no line of");
    }
    AUTO_FIXTURE f = new_fixture(real_downgrade);
    f.live = true;
    assert_int_equal(make(&f, "-- Running upgrade  -> a1\n-- Running upgrade a1 -> b2\n"), -1);
    assert_text_has(f.project.err.text, "revision 'a1' was not run by itself");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_revision_has_a_csv_and_a_summary),
        cmocka_unit_test(the_header_has_the_columns_that_are_promised),
        cmocka_unit_test(lines_count_from_the_revisions_own_part),
        cmocka_unit_test(a_running_line_inside_of_a_string_begins_nothing),
        cmocka_unit_test(fields_are_quoted_as_rfc_4180_has_it),
        cmocka_unit_test(ids_that_are_no_file_names_are_escaped),
        cmocka_unit_test(sql_of_other_revisions_is_refused),
        cmocka_unit_test(what_the_parser_does_not_know_is_said),
        cmocka_unit_test(a_column_with_a_constant_default_rewrites_nothing),
        cmocka_unit_test(a_column_that_is_computed_for_each_row_rewrites_the_table),
        cmocka_unit_test(a_column_without_a_value_is_a_required_field),
        cmocka_unit_test(a_wider_type_rewrites_nothing_and_another_one_does),
        cmocka_unit_test(a_type_that_is_changed_by_an_expression_may_lose_what_was_there),
        cmocka_unit_test(renames_are_followed),
        cmocka_unit_test(constraints_carry_the_names_of_their_rules),
        cmocka_unit_test(indexes_block_writes_unless_they_are_built_concurrently),
        cmocka_unit_test(nobody_waits_for_a_table_of_the_same_revision),
        cmocka_unit_test(a_table_that_is_there_is_not_made_anew_by_if_not_exists),
        cmocka_unit_test(no_data_gets_into_the_record),
        cmocka_unit_test(filling_a_new_column_overwrites_nothing),
        cmocka_unit_test(with_that_deletes_is_a_delete_too),
        cmocka_unit_test(a_downgrade_that_does_nothing_undoes_nothing),
        cmocka_unit_test(what_asks_the_database_is_said),
        cmocka_unit_test(date_and_author_come_from_the_header),
        cmocka_unit_test(the_sentence_says_what_is_done),
        cmocka_unit_test(the_heaviest_lock_is_that_on_a_table_in_use),
        cmocka_unit_test(every_allocation_that_fails_is_an_error),
        cmocka_unit_test(a_live_run_is_shown_beside_what_was_asked_for),
        cmocka_unit_test(what_changed_nothing_is_said),
        cmocka_unit_test(the_parts_of_a_view_come_with_the_view),
        cmocka_unit_test(a_record_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
