/* tests/unit/migrations_sql.c */
#include "tests/lib/unit.h"

#include <dlfcn.h>
#include <pg_query.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/file.h"
#include "migrations/sql.h"
#include "tests/lib/heap.h"

static const struct sql_settings alembic = {.version_schema = "public",
                                            .version_table = "alembic_version"};

static struct sql_script read_with(const char *text, const struct sql_settings *settings)
{
    struct sql_script script;
    struct err err = ERR_INIT;
    if (sql_read("t.sql", text, strlen(text), settings, &script, &err) != 0)
        fail_msg("%s", err.text);
    return script;
}

static struct sql_script read_sql(const char *text)
{
    return read_with(text, &alembic);
}

static void refused(const char *text, size_t length, const char *part, unsigned line)
{
    struct sql_script script;
    struct err err = ERR_INIT;
    assert_int_equal(sql_read("t.sql", text, length, &alembic, &script, &err), -1);
    assert_int_equal(err.kind, ERR_FILE);
    assert_text_has(err.text, part);
    assert_string_equal(err.file, "t.sql");
    assert_int_equal(err.line, line);
}

/* ---- cutting --------------------------------------------------------------------------------- */

static void cuts_to(const char *text, size_t count, const char *const *parts)
{
    struct sql_script s = read_sql(text);
    if (s.count != count)
        fail_msg("%zu statements in place of %zu in: %s", s.count, count, text);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(s.statements[i].length, strlen(parts[i]));
        assert_memory_equal(text + s.statements[i].offset, parts[i], strlen(parts[i]));
    }
    sql_release(&s);
}
#define CUTS(text, ...)                                            \
    cuts_to(text, ARRAY_LEN(((const char *const[]){__VA_ARGS__})), \
            (const char *const[]){__VA_ARGS__})

static void semicolons_in_quotes_and_comments_end_nothing(void **state)
{
    (void)state;
    CUTS("a 'x;''y'; b", "a 'x;''y'", "b");
    CUTS("a E'x\\';y'; b", "a E'x\\';y'", "b");
    CUTS("a 'x\\'; b", "a 'x\\'", "b");
    CUTS("a \"x;\"\"y\"; b", "a \"x;\"\"y\"", "b");
    CUTS("a U&\"x;\" U&'\\0061;'; b", "a U&\"x;\" U&'\\0061;'", "b");
    CUTS("a B'1;' X'f;' N'n;' ; b", "a B'1;' X'f;' N'n;'", "b");
    CUTS("-- a;\n/* ; /* ; */ ; */ a /* ; */ ; -- b;\n", "a");
    CUTS("a $$;$$ $t$ $$; $x$ $t$; b", "a $$;$$ $t$ $$; $x$ $t$", "b");
    CUTS("a $1;b$x$;c", "a $1", "b$x$", "c");
    CUTS("a 1e'x;' ; b", "a 1e'x;'", "b");
    CUTS("a E'x'\n  -- c;\n '\\';' ; b", "a E'x'\n  -- c;\n '\\';'", "b");
    CUTS("a 'x'\n'\\'; b", "a 'x'\n'\\'", "b");
    CUTS("a +-- ;\n b; c", "a +-- ;\n b", "c");
    CUTS("a \xC3\xA9$$;b", "a \xC3\xA9$$", "b"); /* $ is part of a name */
}

/* To the server a carriage return alone ends one: what stands behind it is run. */
static void a_comment_ends_at_a_carriage_return(void **state)
{
    (void)state;
    CUTS("a -- c;\rb; d", "a -- c;\rb", "d");
    CUTS("-- a\rCOMMIT;\r-- b\rc;\r", "COMMIT", "c");
    CUTS("a E'x' -- c;\r '\\';' ; b", "a E'x' -- c;\r '\\';'", "b");
    struct sql_script s = read_sql("-- a;\r\nb; -- c\r COMMIT; -- d\n");
    assert_int_equal(s.count, 2);
    assert_int_equal(s.statements[1].class_, SQL_COMMIT);
    sql_release(&s);
}

static void rules_and_atomic_bodies_are_one_statement(void **state)
{
    (void)state;
    const char *rule = "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)";
    const char *body =
        "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true "
        "THEN 1 END; SELECT 2; END";
    char text[512];
    (void)snprintf(text, sizeof(text), "%s; %s; SELECT 3", rule, body);
    CUTS(text, rule, body, "SELECT 3");
    CUTS("BEGIN; SELECT 1; END; SELECT 2", "BEGIN", "SELECT 1", "END", "SELECT 2");
}

static void line_ends_and_a_byte_order_mark_are_taken(void **state)
{
    (void)state;
    const char *text = "\xEF\xBB\xBFSELECT 1;\r\n\r\n  SELECT\r\n 2;\r\n;;\r\n";
    struct sql_script s = read_sql(text);
    assert_int_equal(s.count, 2);
    assert_int_equal(s.statements[0].offset, 3);
    assert_int_equal(s.statements[0].line, 1);
    assert_int_equal(s.statements[1].line, 3);
    sql_release(&s);
    s = read_sql("");
    assert_int_equal(s.count, 0);
    sql_release(&s);
}

static void what_is_not_closed_is_named_with_its_place(void **state)
{
    (void)state;
    static const char nul[] = "SELECT 1;\n\0";
    refused("SELECT 1;\n 'abc", 15, "t.sql:2:2", 2);
    refused("SELECT 'abc", 11, "string", 1);
    refused("SELECT \"abc", 11, "name", 1);
    refused("SELECT E'abc\\'", 14, "string", 1);
    refused("SELECT $a$ $$", 13, "$a$", 1);
    refused("/* /* */", 8, "comment", 1);
    refused("SELECT (1;", 10, "parenthesis", 1);
    refused("\nCREATE FUNCTION f() BEGIN ATOMIC SELECT 1;", 43, "ATOMIC", 2);
    refused(nul, sizeof(nul) - 1, "NUL", 2);
}

static void the_cut_is_the_parsers_own(void **state)
{
    (void)state;
    static const char corpus[] =
        "CREATE TABLE a (b int DEFAULT 1, c text CHECK (c <> ';'));\n"
        "-- one; two\nCREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $f$ BEGIN RETURN ';'; "
        "END; $f$;\n"
        "CREATE FUNCTION g() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE 1 WHEN 1 THEN 2 END; "
        "END;\n"
        "CREATE RULE r AS ON INSERT TO a DO ALSO (DELETE FROM a; DELETE FROM a);;\n"
        "INSERT INTO a VALUES (1, E'it\\'s; '\n'\\'x;'), (2, U&'d\\0061t;') ;\n"
        "SELECT 'a'\n'b;c', \"q;\" FROM (SELECT 1 AS \"q;\") s; /* x; /* y; */ */\n"
        "DO $$ BEGIN PERFORM 1; END $$;\n"
        "SELECT 1 +-- ;\n 2, 3 /*;*/ * 4, $$a$b$;$$;\n"
        "COMMENT ON TABLE a IS $x$;$x$;\nTABLE a; VALUES (1); SELECT 1.5e3 ;";
    void *library = dlopen("libpg_query.so." PG_QUERY_VERSION, RTLD_NOW);
    assert_non_null(library);
    PgQuerySplitResult (*split)(const char *) = NULL;
    void (*free_split)(PgQuerySplitResult) = NULL;
    *(void **)&split = dlsym(library, "pg_query_split_with_parser");
    *(void **)&free_split = dlsym(library, "pg_query_free_split_result");
    PgQuerySplitResult theirs = split(corpus);
    if (theirs.error)
        fail_msg("%s", theirs.error->message);
    struct sql_script ours = read_sql(corpus);
    assert_int_equal(ours.count, theirs.n_stmts);
    for (size_t i = 0; i < ours.count; i++) {
        /* theirs starts behind the semicolon before: with white space and comments */
        size_t start = (size_t)theirs.stmts[i]->stmt_location;
        size_t end = start + (size_t)theirs.stmts[i]->stmt_len;
        assert_true(ours.statements[i].offset >= start);
        assert_true(ours.statements[i].offset + ours.statements[i].length <= end);
        assert_null(memchr(corpus + ours.statements[i].offset + ours.statements[i].length, '\'',
                           end - ours.statements[i].offset - ours.statements[i].length));
    }
    sql_release(&ours);
    free_split(theirs);
    (void)dlclose(library);
}

/* ---- psql's lines and COPY ------------------------------------------------------------------- */

static void a_dump_is_read_with_its_data(void **state)
{
    (void)state;
    const char *text =
        "\\restrict aB3\n\nSET statement_timeout = 0;\n"
        "COPY public.users (id, name) FROM stdin;\n"
        "1\tit's; \\N $$\n2\t\\\\.\n\\.\n\n"
        "COPY empty FROM STDIN WITH (FORMAT text);\n\\.\nSELECT 1;\n\\unrestrict aB3\n";
    struct sql_script s = read_sql(text);
    assert_int_equal(s.count, 4);
    assert_int_equal(s.statements[1].class_, SQL_COPY_DATA);
    assert_int_equal(s.statements[1].data_length, strlen("1\tit's; \\N $$\n2\t\\\\.\n"));
    assert_memory_equal(text + s.statements[1].data_offset, "1\tit's", 6);
    assert_int_equal(s.statements[2].class_, SQL_COPY_DATA);
    assert_int_equal(s.statements[2].data_length, 0);
    assert_int_equal(s.statements[3].line, 11);
    sql_release(&s);
}

static void other_psql_commands_are_refused(void **state)
{
    (void)state;
    refused("SELECT 1;\n\\i other.sql\n", 23, "`\\i`", 2);
    refused("SELECT 1 \\gexec\n", 16, "`\\gexec`", 1);
    refused("SELECT 1;\n\\.\n", 13, "no COPY", 2);
    refused("COPY t FROM stdin;\n1\n", 21, "not ended", 1);
    refused("COPY t FROM stdin; SELECT 1;\n\\.\n", 32, "line behind", 1);
}

/* ---- classes --------------------------------------------------------------------------------- */

static void class_is(const char *text, enum sql_class expected, const char *rewritten)
{
    struct sql_script s = read_sql(text);
    assert_true(s.count >= 1);
    if (s.statements[0].class_ != expected)
        fail_msg("class %d in place of %d: %s", (int)s.statements[0].class_, (int)expected, text);
    if (rewritten)
        assert_string_equal(s.statements[0].rewritten, rewritten);
    else
        assert_null(s.statements[0].rewritten);
    sql_release(&s);
}

static void what_no_transaction_takes_is_found(void **state)
{
    (void)state;
    static const char *const cannot[] = {
        "CREATE DATABASE x",
        "DROP DATABASE x",
        "CREATE TABLESPACE x LOCATION '/x'",
        "DROP TABLESPACE x",
        "VACUUM",
        "vacuum (analyze) t",
        "ALTER SYSTEM SET x = 1",
        "REINDEX (CONCURRENTLY) TABLE x",
        "REINDEX DATABASE x",
        "REINDEX SCHEMA x",
        "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p",
        "CLUSTER",
        "ALTER DATABASE x SET TABLESPACE y",
        "DISCARD ALL",
        "COMMIT AND CHAIN",
    };
    for (size_t i = 0; i < ARRAY_LEN(cannot); i++) {
        struct sql_script s = read_sql(cannot[i]);
        if (s.statements[0].class_ != SQL_CANNOT || !s.statements[0].reason)
            fail_msg("not refused: %s", cannot[i]);
        sql_release(&s);
    }
}

static void look_alikes_are_plain(void **state)
{
    (void)state;
    static const char *const fine[] = {
        "SELECT 'COMMIT'",
        "CREATE TABLE t (system text, owner int, \"concurrently\" int)",
        "CREATE TABLE \"database\" (tablespace text)",
        "ANALYZE x",
        "CLUSTER x USING i",
        "ALTER DATABASE x SET y = 1",
        "REINDEX TABLE x",
        "DISCARD TEMP",
        "PREPARE p AS SELECT 1",
        "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (connect = false)",
        "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (create_slot = off)",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
        "LISTEN x",
        "ALTER TYPE t ADD VALUE 'x'",
        "SET LOCAL search_path = x",
        "SELECT set_config('search_path', '', true)",
        "GRANT SELECT ON alembic_version TO x",
        "INSERT INTO other.alembic_version VALUES ('x')",
        "COMMENT ON DATABASE x IS 'y'",
    };
    for (size_t i = 0; i < ARRAY_LEN(fine); i++)
        class_is(fine[i], SQL_PLAIN, NULL);
}

static void transactions_are_told_apart(void **state)
{
    (void)state;
    class_is("begin", SQL_BEGIN, NULL);
    class_is("BEGIN ISOLATION LEVEL SERIALIZABLE", SQL_BEGIN, NULL);
    class_is("START TRANSACTION", SQL_BEGIN, NULL);
    class_is("/* x */ COMMIT", SQL_COMMIT, NULL);
    class_is("END", SQL_COMMIT, NULL);
    class_is("ROLLBACK", SQL_ROLLBACK, NULL);
    class_is("ABORT", SQL_ROLLBACK, NULL);
    class_is("PREPARE TRANSACTION 'x'", SQL_ROLLBACK, NULL);
    class_is("COMMIT PREPARED 'x'", SQL_ROLLBACK, NULL);
    class_is("SAVEPOINT a", SQL_SAVEPOINT, NULL);
    class_is("ROLLBACK TO a", SQL_SAVEPOINT, NULL);
    class_is("RELEASE a", SQL_SAVEPOINT, NULL);
}

static void settings_become_local(void **state)
{
    (void)state;
    class_is("SET search_path = a, b", SQL_SET, "SET LOCAL search_path = a, b");
    class_is("SET SESSION x.y = 'SESSION'", SQL_SET, "SET LOCAL x.y = 'SESSION'");
    class_is("SET /* SESSION */ x = 1", SQL_SET, "SET LOCAL /* SESSION */ x = 1");
    class_is("SET TIME ZONE 'UTC'", SQL_SET, "SET LOCAL TIME ZONE 'UTC'");
    class_is("SET client_encoding = 'UTF8'", SQL_SET, "SET LOCAL client_encoding = 'UTF8'");
    class_is("SET standard_conforming_strings = on", SQL_SET,
             "SET LOCAL standard_conforming_strings = on");
    class_is("RESET search_path", SQL_SET, "SET LOCAL search_path TO DEFAULT");
    class_is("SELECT pg_catalog.set_config('search_path', '', false)", SQL_SET,
             "SELECT pg_catalog.set_config('search_path', '', true)");
    class_is("SET lock_timeout = 0", SQL_SET_DROPPED, NULL);
    class_is("SET LOCAL idle_in_transaction_session_timeout = 0", SQL_SET_DROPPED, NULL);
    class_is("SET ROLE x", SQL_SET_DROPPED, NULL);
    class_is("RESET ROLE", SQL_SET_DROPPED, NULL);
    class_is("SET SESSION AUTHORIZATION x", SQL_SET_DROPPED, NULL);
    class_is("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", SQL_SET_DROPPED, NULL);
    class_is("SET TRANSACTION READ ONLY", SQL_SET_DROPPED, NULL);
    class_is("RESET ALL", SQL_SET_DROPPED, NULL);
    class_is("SELECT set_config('role', 'x', false)", SQL_SET_DROPPED, NULL);
}

static void settings_that_change_the_lexing_are_refused(void **state)
{
    (void)state;
    refused("SET standard_conforming_strings = off;", 38, "standard_conforming_strings", 1);
    refused("SELECT set_config('standard_conforming_strings', 'off', false);", 63, "standard", 1);
    refused("SET client_encoding = 'SJIS';", 29, "client_encoding", 1);
    refused("SET NAMES 'big5';", 17, "client_encoding", 1);
    refused("SET client_encoding = 'GB-18030';", 33, "client_encoding", 1);
    refused("SET client_encoding TO 'Shift_JIS';", 35, "client_encoding", 1);
}

static enum sql_encoding encoding_of(const char *sql)
{
    struct sql_script script;
    struct err err = ERR_INIT;
    const struct sql_settings settings = {.fold_plain = true};
    assert_int_equal(sql_read("a.sql", sql, strlen(sql), &settings, &script, &err), 0);
    assert_int_equal(script.count, 2); /* it is in no run of plain ones */
    enum sql_encoding encoding = script.statements[0].encoding;
    assert_int_equal(script.statements[1].encoding, SQL_ENCODING_UNSAID);
    sql_release(&script);
    return encoding;
}

static void what_sets_the_encoding_of_the_rest_is_marked(void **state)
{
    (void)state;
    assert_int_equal(encoding_of("SET client_encoding = 'LATIN1'; SELECT 1"), SQL_ENCODING_OTHER);
    assert_int_equal(encoding_of("SET LOCAL client_encoding = win1252; SELECT 1"),
                     SQL_ENCODING_OTHER);
    assert_int_equal(encoding_of("SET NAMES 'SQL_ASCII'; SELECT 1"), SQL_ENCODING_OTHER);
    assert_int_equal(encoding_of("SELECT set_config('client_encoding', 'latin9', true); SELECT 1"),
                     SQL_ENCODING_OTHER);
    assert_int_equal(encoding_of("SET client_encoding = 'utf-8'; SELECT 1"), SQL_ENCODING_UTF8);
    assert_int_equal(encoding_of("SET client_encoding TO unicode; SELECT 1"), SQL_ENCODING_UTF8);
    assert_int_equal(encoding_of("RESET client_encoding; SELECT 1"), SQL_ENCODING_UTF8);
    assert_int_equal(encoding_of("SET search_path = a; SELECT 1"), SQL_ENCODING_UNSAID);
}

static void concurrently_is_taken_out(void **state)
{
    (void)state;
    class_is("CREATE INDEX CONCURRENTLY i ON t (\"CONCURRENTLY\")", SQL_CONCURRENTLY,
             "CREATE INDEX  i ON t (\"CONCURRENTLY\")");
    class_is("CREATE UNIQUE INDEX /* CONCURRENTLY */ concurrently IF NOT EXISTS i ON t (a)",
             SQL_CONCURRENTLY, "CREATE UNIQUE INDEX /* CONCURRENTLY */  IF NOT EXISTS i ON t (a)");
    class_is("DROP INDEX CONCURRENTLY i", SQL_CONCURRENTLY, "DROP INDEX  i");
    class_is("REINDEX TABLE CONCURRENTLY t", SQL_CONCURRENTLY, "REINDEX TABLE  t");
    class_is("ALTER TABLE t DETACH PARTITION p CONCURRENTLY", SQL_CONCURRENTLY,
             "ALTER TABLE t DETACH PARTITION p ");
}

static void owners_and_extensions_are_told_apart(void **state)
{
    (void)state;
    class_is("ALTER TABLE public.t OWNER TO x", SQL_OWNER_TO, NULL);
    class_is("ALTER FUNCTION f(int) OWNER TO x", SQL_OWNER_TO, NULL);
    class_is("ALTER SCHEMA s OWNER TO CURRENT_USER", SQL_OWNER_TO, NULL);
    class_is("ALTER TABLE t ADD COLUMN owner int", SQL_PLAIN, NULL);
    class_is("ALTER TABLE t OWNER TO x, ADD COLUMN c int", SQL_PLAIN, NULL);
    class_is("CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA public", SQL_EXTENSION, NULL);
    class_is("COMMENT ON EXTENSION pgcrypto IS 'x'", SQL_EXTENSION, NULL);
}

static void what_the_parser_does_not_know_is_left(void **state)
{
    (void)state;
    struct sql_script s = read_sql("CREATE SUBSCRIPTION foo BAR; SELECT 1");
    assert_int_equal(s.statements[0].class_, SQL_UNPARSED);
    assert_text_has(s.statements[0].reason, "syntax error");
    assert_int_equal(s.statements[1].class_, SQL_PLAIN);
    sql_release(&s);
    class_is("COMMIT AND NOTHING ELSE MATTERS", SQL_CANNOT,
             NULL); /* but not when it may end ours */
}

/* ---- the version table ----------------------------------------------------------------------- */

static const char offline[] =
    "BEGIN;\n\nCREATE TABLE alembic_version (\n    version_num VARCHAR(32) NOT NULL, \n    "
    "CONSTRAINT "
    "alembic_version_pkc PRIMARY KEY (version_num)\n);\n\n-- Running upgrade  -> a1\n\nCREATE "
    "TABLE t "
    "(id INT);\n\nINSERT INTO alembic_version (version_num) VALUES ('a1') RETURNING "
    "alembic_version.version_num;\n\nUPDATE alembic_version SET version_num='it''s' WHERE "
    "alembic_version.version_num = 'a1';\n\nINSERT INTO alembic_version (version_num) VALUES "
    "('c3');\n\nDELETE FROM alembic_version WHERE alembic_version.version_num = "
    "'c3';\n\nCOMMIT;\n\n";

static void alembics_statements_are_played(void **state)
{
    (void)state;
    struct sql_script s = read_sql(offline);
    static const enum sql_class classes[] = {
        SQL_BEGIN,          SQL_VERSION_TABLE,  SQL_PLAIN,          SQL_VERSION_INSERT,
        SQL_VERSION_UPDATE, SQL_VERSION_INSERT, SQL_VERSION_DELETE, SQL_COMMIT,
    };
    assert_int_equal(s.count, ARRAY_LEN(classes));
    for (size_t i = 0; i < s.count; i++)
        assert_int_equal(s.statements[i].class_, classes[i]);
    assert_int_equal(s.statements[1].version_width, 32);
    struct sql_rows rows = SQL_ROWS_INIT;
    struct err err = ERR_INIT;
    assert_int_equal(sql_rows_play(&rows, &s, &err), 0);
    assert_true(rows.touched);
    assert_int_equal(rows.count, 1);
    assert_string_equal(rows.ids[0], "it's");
    sql_rows_release(&rows);
    sql_release(&s);
}

static void a_dumped_version_table_is_played(void **state)
{
    (void)state;
    struct sql_script s = read_sql(
        "CREATE TABLE public.alembic_version (version_num character varying(255) NOT NULL);\n"
        "ALTER TABLE public.alembic_version OWNER TO x;\n"
        "COPY public.alembic_version (version_num) FROM stdin;\na1\nb2\n\\.\n"
        "INSERT INTO public.alembic_version VALUES ('c3'), ('d4');\n"
        "ALTER TABLE ONLY public.alembic_version ADD CONSTRAINT alembic_version_pkc PRIMARY KEY "
        "(version_num);\nALTER TABLE alembic_version ALTER COLUMN version_num TYPE text;\n");
    static const enum sql_class classes[] = {
        SQL_VERSION_TABLE,  SQL_OWNER_TO,       SQL_VERSION_INSERT, SQL_VERSION_INSERT,
        SQL_VERSION_INSERT, SQL_VERSION_INSERT, SQL_VERSION_TABLE,  SQL_VERSION_OTHER};
    assert_int_equal(s.count, ARRAY_LEN(classes));
    for (size_t i = 0; i < s.count; i++)
        assert_int_equal(s.statements[i].class_, classes[i]);
    assert_int_equal(s.statements[0].version_width, 255);
    assert_int_equal(s.statements[7].version_width, SQL_WIDTH_UNBOUNDED);
    assert_int_equal(s.total, 6);
    struct sql_rows rows = SQL_ROWS_INIT;
    struct err err = ERR_INIT;
    assert_int_equal(sql_rows_play(&rows, &s, &err), 0);
    assert_int_equal(rows.count, 4);
    sql_rows_release(&rows);
    sql_release(&s);
}

static void rows_that_do_not_add_up_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "UPDATE alembic_version SET version_num='b' WHERE alembic_version.version_num = 'a'",
        "DELETE FROM alembic_version WHERE alembic_version.version_num = 'a'",
        "INSERT INTO alembic_version VALUES ('a'), ('a')",
        "DELETE FROM alembic_version",
        "TRUNCATE alembic_version",
        "INSERT INTO alembic_version SELECT 'x'",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct sql_script s = read_sql(bad[i]);
        struct sql_rows rows = SQL_ROWS_INIT;
        struct err err = ERR_INIT;
        assert_int_equal(sql_rows_play(&rows, &s, &err), -1);
        assert_int_equal(err.kind, ERR_FILE);
        assert_int_equal(err.line, 1);
        sql_rows_release(&rows);
        sql_release(&s);
    }
}

/* ---- runs, positions ------------------------------------------------------------------------- */

static const struct sql_settings folding = {
    .version_schema = "public", .version_table = "alembic_version", .fold_plain = true};

static void plain_statements_are_folded_and_found_again(void **state)
{
    (void)state;
    const char *text = "INSERT INTO t VALUES (1);\nINSERT INTO t VALUES (2);\n -- x\n SELECT 3;\n"
                       "SET x = 1; SELECT 4";
    struct sql_script s = read_with(text, &folding);
    assert_int_equal(s.count, 3);
    assert_int_equal(s.total, 5);
    assert_int_equal(s.statements[0].repeat, 3);
    struct sql_statement third = sql_within_run(&s, &s.statements[0], 2, SQL_NO_OFFSET);
    assert_int_equal(third.line, 4);
    assert_memory_equal(text + third.offset, "SELECT 3", third.length);
    size_t two = (size_t)(strstr(text, "(2)") - text);
    struct sql_statement second = sql_within_run(&s, &s.statements[0], 0, two);
    assert_int_equal(second.line, 2);
    assert_int_equal(second.length, strlen("INSERT INTO t VALUES (2)"));
    struct sql_statement alone = sql_within_run(&s, &s.statements[2], 0, SQL_NO_OFFSET);
    assert_int_equal(alone.offset, s.statements[2].offset);
    sql_release(&s);
}

static void positions_count_characters(void **state)
{
    (void)state;
    struct sql_script s = read_sql("SELECT 1;\n\xC3\xA9\xC3\xA9 x");
    unsigned line, column;
    sql_position(&s, 15, &line, &column);
    assert_int_equal(line, 2);
    assert_int_equal(column, 4);
    AUTO_BUF out = BUF_INIT(1000);
    sql_first_line(&s, &s.statements[0], &out);
    assert_string_equal(buf_text(&out), "SELECT 1");
    sql_release(&s);
}

static void big_data_costs_little_more_than_its_size(void **state)
{
    (void)state;
    skip_under_valgrind();
    enum { SIZE = 50 * 1000 * 1000 };
    static const char row[] = "INSERT INTO t VALUES (1);\n";
    pid_t child = fork();
    if (child == 0) {
        struct sql_script s;
        struct err err = ERR_INIT;
        char *text = malloc(SIZE);
        size_t length = 0;
        while (text && length + sizeof(row) < SIZE) {
            memcpy(text + length, row, sizeof(row) - 1);
            length += sizeof(row) - 1;
        }
        bool fine = text && sql_read("big.sql", text, length, &folding, &s, &err) == 0;
        struct rusage usage;
        fine = fine && s.total == length / (sizeof(row) - 1) && getrusage(RUSAGE_SELF, &usage) == 0;
        _exit(fine && usage.ru_maxrss <= (SIZE + 32 * 1024 * 1024) / 1024 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
#if !defined(__SANITIZE_ADDRESS__) /* its shadow and redzones are memory too */
    assert_int_equal(status, 0);
#endif
}

static void every_failed_allocation_is_an_error(void **state)
{
    (void)state;
    NEEDS_HEAP();
    static const char text[] =
        "SET x = 1; CREATE TABLE alembic_version (version_num varchar(32)); INSERT "
        "INTO alembic_version VALUES ('a'), ('b'); ALTER TABLE t OWNER TO x; "
        "CREATE INDEX CONCURRENTLY i ON t (a); SELECT "
        "set_config('x', 'y', false); SELECT 1";
    struct sql_script script = read_sql(text); /* the library is open from here on */
    sql_release(&script);
    for (long k = 0;; k++) {
        struct err err = ERR_INIT;
        heap_fail_after(k);
        int rc = sql_read("t.sql", text, sizeof(text) - 1, &alembic, &script, &err);
        long left = heap_successes;
        heap_fail_after(-1);
        if (rc == 0) {
            static const enum sql_class classes[] = {SQL_SET,
                                                     SQL_VERSION_TABLE,
                                                     SQL_VERSION_INSERT,
                                                     SQL_VERSION_INSERT,
                                                     SQL_OWNER_TO,
                                                     SQL_CONCURRENTLY,
                                                     SQL_SET,
                                                     SQL_PLAIN};
            assert_int_equal(script.count, ARRAY_LEN(classes));
            for (size_t i = 0; i < script.count; i++)
                assert_int_equal(script.statements[i].class_, classes[i]);
            sql_release(&script);
            if (left > 0)
                break; /* nothing is left to fail */
            continue;
        }
        assert_int_equal(err.kind, ERR_RESOURCE);
    }
}

/* ---- one query ------------------------------------------------------------------------------- */

static void one_reading_statement_is_a_query(void **state)
{
    (void)state;
    static const char *const good[] = {"SELECT 1",
                                       "select 1;",
                                       "TABLE x",
                                       "VALUES (1)",
                                       "SHOW ALL",
                                       "EXPLAIN ANALYZE SELECT 1",
                                       "WITH a AS (SELECT 1) SELECT * FROM a",
                                       "SELECT NEW SYNTAX OF(,)"};
    static const char *const bad[] = {"",
                                      "SELECT 1; SELECT 2",
                                      "DELETE FROM x",
                                      "SELECT 1 INTO x",
                                      "EXPLAIN DELETE FROM x",
                                      "\\dt",
                                      "COMMIT",
                                      "nonsense",
                                      "SELECT 'x"};
    struct err err = ERR_INIT;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        if (sql_require_one_query(good[i], &err) != 0)
            fail_msg("%s: %s", good[i], err.text);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(sql_require_one_query(bad[i], &err), -1);
        assert_int_equal(err.kind, ERR_USAGE);
        assert_int_not_equal(err.text[0], '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(semicolons_in_quotes_and_comments_end_nothing),
        cmocka_unit_test(a_comment_ends_at_a_carriage_return),
        cmocka_unit_test(rules_and_atomic_bodies_are_one_statement),
        cmocka_unit_test(line_ends_and_a_byte_order_mark_are_taken),
        cmocka_unit_test(what_is_not_closed_is_named_with_its_place),
        cmocka_unit_test(the_cut_is_the_parsers_own),
        cmocka_unit_test(a_dump_is_read_with_its_data),
        cmocka_unit_test(other_psql_commands_are_refused),
        cmocka_unit_test(what_no_transaction_takes_is_found),
        cmocka_unit_test(look_alikes_are_plain),
        cmocka_unit_test(transactions_are_told_apart),
        cmocka_unit_test(settings_become_local),
        cmocka_unit_test(settings_that_change_the_lexing_are_refused),
        cmocka_unit_test(what_sets_the_encoding_of_the_rest_is_marked),
        cmocka_unit_test(concurrently_is_taken_out),
        cmocka_unit_test(owners_and_extensions_are_told_apart),
        cmocka_unit_test(what_the_parser_does_not_know_is_left),
        cmocka_unit_test(alembics_statements_are_played),
        cmocka_unit_test(a_dumped_version_table_is_played),
        cmocka_unit_test(rows_that_do_not_add_up_are_refused),
        cmocka_unit_test(plain_statements_are_folded_and_found_again),
        cmocka_unit_test(positions_count_characters),
        cmocka_unit_test(big_data_costs_little_more_than_its_size),
        cmocka_unit_test(every_failed_allocation_is_an_error),
        cmocka_unit_test(one_reading_statement_is_a_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
