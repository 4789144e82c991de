/* tests/unit/bootstrap_db.c: statements and COMMIT, on a real server and on scripted ones. */
#include "tests/unit/bootstrap_db.h"

static void every_result_of_a_message_comes_in_order_in_one_round_trip(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct db_results results = {0};
    struct err err = ERR_INIT;
    int result = db_query(db,
                          "SELECT 1 AS one, NULL AS nothing; CREATE TEMP TABLE t (a int);"
                          "INSERT INTO t VALUES (1), (2); SELECT a FROM t ORDER BY a",
                          clock_in_ms(LONG_MS), &results, NULL, &err);
    assert_int_equal(result, 0);
    assert_int_equal(results.count, 4);
    assert_string_equal(results.list[0].names[0], "one");
    assert_null(results.list[0].cells[1]);
    assert_string_equal(db_cell(&results.list[0], 0, 1), "");
    assert_string_equal(results.list[2].tag, "INSERT 0 2");
    assert_int_equal(results.list[3].row_count, 2);
    assert_string_equal(db_cell(&results.list[3], 1, 0), "2");
    assert_int_equal(db_round_trips(db), 1);
    db_results_free(&results);
}

static void a_failing_statement_is_counted_and_located(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct db_failure failed;
    struct err err = ERR_INIT;
    size_t completed = 99;
    static const char sql[] = "SELECT 1; SELECT 2; SELECT nosuch; SELECT 4";
    assert_int_equal(
        db_execute(db, sql, strlen(sql), clock_in_ms(LONG_MS), &completed, &failed, &err), -1);
    assert_int_equal(completed, 2);
    assert_int_equal(failed.statement, 2);
    assert_int_equal(failed.position, strstr(sql, "nosuch") - sql + 1);
    assert_false(failed.connection_lost);
    assert_int_equal(err.kind, ERR_DB_SQL);
    assert_string_equal(err.sqlstate, "42703");
    assert_text_has(err.text, "column \"nosuch\" does not exist (42703 undefined_column)");
    assert_text_lacks(err.text, "LINE 1");
    assert_false(db_is_lost(db));
}

static void detail_hint_and_context_of_the_server_are_kept(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    struct db_results results = {0};
    assert_int_equal(db_query(db,
                              "DO $$BEGIN RAISE EXCEPTION 'first' USING DETAIL = 'second', "
                              "HINT = 'third'; END$$",
                              clock_in_ms(LONG_MS), &results, NULL, &err),
                     -1);
    assert_text_has(err.text, "first (P0001 raise_exception); detail: second; in: PL/pgSQL");
    assert_text_has(err.hint, "third");
}

static void an_exception_without_a_message_is_not_blank(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    struct db_results results = {0};
    assert_int_equal(db_query(db, "DO $$BEGIN RAISE EXCEPTION USING MESSAGE = ''; END$$",
                              clock_in_ms(LONG_MS), &results, NULL, &err),
                     -1);
    assert_text_has(err.text, "the server gave a code and no text (P0001 raise_exception)");
}

static void sqlstates_become_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *sqlstate;
        enum err_kind kind;
        const char *step;
    } cases[] = {{"25006", ERR_DB_DOWN, "query"},        {"55P03", ERR_DB_LOCK, "query"},
                 {"42501", ERR_DB_REFUSED, "privilege"}, {"53300", ERR_DB_DOWN, "query"},
                 {"42P07", ERR_DB_SQL, "query"},         {"57014", ERR_DB_SQL, "query"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_DB db = connected();
        struct err err = ERR_INIT;
        struct db_results results = {0};
        char sql[128];
        (void)snprintf(sql, sizeof(sql),
                       "DO $$BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '%s'; END$$",
                       cases[i].sqlstate);
        assert_int_equal(db_query(db, sql, clock_in_ms(LONG_MS), &results, NULL, &err), -1);
        assert_int_equal(err.kind, cases[i].kind);
        assert_string_equal(err.step, cases[i].step);
        assert_string_equal(err.sqlstate, cases[i].sqlstate);
    }
}

static void the_deadline_cancels_the_statement_and_keeps_the_connection(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    struct db_failure failed;
    struct db_results results = {0};
    assert_int_equal(
        db_query(db, "SELECT pg_sleep(60)", clock_in_ms(SHORT_MS), &results, &failed, &err), -1);
    assert_int_equal(err.kind, ERR_DB_DOWN);
    assert_int_equal(err.sys_errno, ETIMEDOUT);
    assert_text_has(err.text, "the statement was cancelled");
    assert_false(failed.connection_lost);
    assert_int_equal(db_query(db, "SELECT 1", clock_in_ms(LONG_MS), &results, NULL, &err), 0);
    db_results_free(&results);
}

static void a_connection_that_the_server_ends_keeps_its_sqlstate(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    struct db_failure failed;
    struct db_results results = {0};
    assert_int_equal(db_query(db, "SELECT pg_terminate_backend(pg_backend_pid())",
                              clock_in_ms(LONG_MS), &results, &failed, &err),
                     -1);
    assert_true(failed.connection_lost);
    assert_int_equal(err.kind, ERR_DB_DOWN);
    assert_string_equal(err.sqlstate, "57P01");
    assert_text_has(err.text, "terminating connection due to administrator command");
}

static void copies_and_statements_share_one_message(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    struct db_results results = {0};
    size_t completed = 0;
    static const char sql[] = "CREATE TEMP TABLE a (x text); COPY a FROM stdin;"
                              "CREATE TEMP TABLE b (x int, y text); COPY b FROM stdin;"
                              "INSERT INTO a VALUES ('last')";
    const struct db_copy_data copies[] = {{"one\ntwo\n", 8}, {"1\t\\N\n", 5}};
    if (db_execute_copies(db, sql, strlen(sql), copies, 2, clock_in_ms(LONG_MS), &completed, NULL,
                          &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(completed, 5);
    assert_int_equal(db_round_trips(db), 3); /* the message, and one for each COPY */
    assert_int_equal(db_query(db, "SELECT string_agg(x, ',') FROM a; SELECT y IS NULL FROM b",
                              clock_in_ms(LONG_MS), &results, NULL, &err),
                     0);
    assert_string_equal(db_cell(&results.list[0], 0, 0), "one,two,last");
    assert_string_equal(db_cell(&results.list[1], 0, 0), "t");
    db_results_free(&results);
}

static void the_last_results_of_a_script_are_kept(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    struct db_results results = {0};
    static const char sql[] = "SELECT 1; CREATE TEMP TABLE a (x text); COPY a FROM stdin; SELECT x "
                              "FROM a; SELECT 'end'";
    const struct db_copy_data copy = {"one\n", 4};
    if (db_execute_last(db, sql, strlen(sql), &copy, 1, 2, clock_in_ms(LONG_MS), &results, NULL,
                        &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(results.count, 2);
    assert_string_equal(db_cell(&results.list[0], 0, 0), "one");
    assert_string_equal(db_cell(&results.list[1], 0, 0), "end");
    db_results_free(&results);
}

/* *TARGET is DB's own, for the connection beside it. */
static void begin_beside(struct db *db, struct db_target *target, const char *sql)
{
    AUTO_FREE char *url = pg_socket_url(server, "postgres", "postgres");
    struct secret secret = secret_borrow(url, strlen(url));
    struct err err = ERR_INIT;
    db_target_release(target);
    if (db_target_parse(&secret, "DATABASE_URL", target, &err) != 0 ||
        db_beside_begin(db, target, sql, clock_in_ms(LONG_MS), &err) != 0)
        fail_msg("%s", err.text);
}

static void a_connection_beside_waits_in_the_server_for_the_first(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    AUTO_DB beside = NULL;
    struct db_target target = {0};
    struct err err = ERR_INIT;
    struct db_results results = {0};
    bool in_doubt;
    static const char work[] =
        "BEGIN; SELECT pg_advisory_xact_lock(7); CREATE TABLE beside (x int); "
        "SELECT pg_sleep(0.3)";
    begin_beside(db, &target,
                 "SELECT pg_sleep(0.1); SELECT pg_advisory_xact_lock_shared(7); SELECT count(*) "
                 "FROM pg_class WHERE relname = 'beside'");
    assert_int_equal(db_execute(db, work, strlen(work), clock_in_ms(LONG_MS), NULL, NULL, &err), 0);
    assert_int_equal(db_commit(db, clock_in_ms(LONG_MS), &in_doubt, &err), 0);
    if (db_beside_collect(db, clock_in_ms(LONG_MS), &beside, &results, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(db_cell(&results.list[2], 0, 0), "1");
    assert_false(db_has_beside(db));
    db_results_free(&results);
    db_target_release(&target);
    pg_sql(server, "postgres", "DROP TABLE beside");
}

static void an_error_beside_is_told_when_it_is_asked_for(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct db *beside = NULL;
    struct db_target target = {0};
    struct err err = ERR_INIT;
    struct db_results results = {0};
    begin_beside(db, &target, "SELECT 1/0");
    assert_int_equal(db_query(db, "SELECT 1", clock_in_ms(LONG_MS), &results, NULL, &err), 0);
    db_results_free(&results);
    assert_int_equal(db_beside_collect(db, clock_in_ms(LONG_MS), &beside, &results, &err), -1);
    assert_string_equal(err.sqlstate, "22012");
    assert_null(beside);
    begin_beside(db, &target, "SELECT pg_sleep(60)"); /* ends with the first one */
    assert_int_equal(db_query(db, "SELECT 1", clock_in_ms(LONG_MS), &results, NULL, &err), 0);
    db_results_free(&results);
    db_close(TAKE_POINTER(db));
    db_target_release(&target);
}

static void much_copy_data_flows_in_chunks(void **state)
{
    (void)state;
    enum { LINES = 400000, LINE = 10 };
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    struct db_results results = {0};
    AUTO_FREE char *data = malloc(LINES * LINE);
    assert_non_null(data);
    for (size_t i = 0; i < LINES; i++)
        memcpy(data + i * LINE, "123456789\n", LINE);
    static const char make[] = "CREATE TEMP TABLE c (x int)";
    assert_int_equal(db_execute(db, make, strlen(make), clock_in_ms(LONG_MS), NULL, NULL, &err), 0);
    if (db_copy(db, "COPY c FROM stdin", data, LINES * LINE, clock_in_ms(LONG_MS), NULL, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(
        db_query(db, "SELECT count(*) FROM c", clock_in_ms(LONG_MS), &results, NULL, &err), 0);
    assert_string_equal(db_cell(&results.list[0], 0, 0), "400000");
    db_results_free(&results);
}

static void bad_copy_data_names_the_line(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    struct db_failure failed;
    static const char sql[] = "CREATE TEMP TABLE d (x int); COPY d FROM stdin";
    const struct db_copy_data copy = {"1\nzwei\n", 7};
    assert_int_equal(db_execute_copies(db, sql, strlen(sql), &copy, 1, clock_in_ms(LONG_MS), NULL,
                                       &failed, &err),
                     -1);
    assert_string_equal(err.sqlstate, "22P02");
    assert_text_has(err.text, "COPY d, line 2, column x: \"zwei\"");
    assert_int_equal(failed.statement, 1);
    assert_false(db_is_lost(db));
}

static void copy_without_data_and_copy_out_are_errors(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    struct db_results results = {0};
    assert_int_equal(db_query(db, "CREATE TEMP TABLE e (x int); COPY e FROM stdin",
                              clock_in_ms(LONG_MS), &results, NULL, &err),
                     -1);
    assert_text_has(err.text, "there is no data for this COPY");
    assert_int_equal(db_query(db, "COPY (SELECT generate_series(1, 1000)) TO stdout",
                              clock_in_ms(LONG_MS), &results, NULL, &err),
                     -1);
    assert_text_has(err.text, "COPY ... TO stdout can't be used here");
    assert_int_equal(db_query(db, "SELECT 1", clock_in_ms(LONG_MS), &results, NULL, &err), 0);
    db_results_free(&results);
}

static void execute_takes_a_part_of_a_longer_text(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    size_t completed = 0;
    assert_int_equal(
        db_execute(db, "SELECT 1; nonsense", 8, clock_in_ms(LONG_MS), &completed, NULL, &err), 0);
    assert_int_equal(completed, 1);
}

static void one_query_ends_at_the_ceiling(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    struct db_rows rows = {0};
    bool more = false;
    assert_int_equal(db_query_one(db, "SELECT generate_series(1, 100000000) AS n, NULL, ''", 3,
                                  clock_in_ms(LONG_MS), &rows, &more, &err),
                     0);
    assert_true(more);
    assert_int_equal(rows.row_count, 3);
    assert_string_equal(rows.names[0], "n");
    assert_string_equal(rows.cells[6], "3");
    assert_null(rows.cells[7]);
    assert_string_equal(rows.cells[8], "");
    assert_true(db_is_lost(db));
    db_rows_free(&rows);
}

static void one_query_is_one_statement(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    struct db_rows rows = {0};
    bool more = false;
    assert_int_equal(
        db_query_one(db, "SELECT 1; DROP TABLE x", 3, clock_in_ms(LONG_MS), &rows, &more, &err),
        -1);
    assert_text_has(err.text, "cannot insert multiple commands into a prepared statement");
    assert_int_equal(
        db_query_one(db, "SELECT 1 WHERE false", 3, clock_in_ms(LONG_MS), &rows, &more, &err), 0);
    assert_false(more);
    assert_int_equal(rows.row_count, 0);
    assert_int_equal(rows.column_count, 1);
    db_rows_free(&rows);
}

/* ---- COMMIT ---------------------------------------------------------------------------------------- */

static void commit_of_an_aborted_transaction_is_no_success(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    struct db_results results = {0};
    bool in_doubt = true;
    assert_int_equal(
        db_query(db, "BEGIN; SELECT nosuch", clock_in_ms(LONG_MS), &results, NULL, &err), -1);
    assert_int_equal(db_commit(db, clock_in_ms(LONG_MS), &in_doubt, &err), -1);
    assert_false(in_doubt);
    assert_text_has(err.text, "the server answered 'ROLLBACK': nothing was committed");
}

static void commit_that_a_constraint_stops_is_not_in_doubt(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    bool in_doubt = true;
    static const char sql[] =
        "CREATE TEMP TABLE f (x int UNIQUE DEFERRABLE INITIALLY DEFERRED); BEGIN;"
        "INSERT INTO f VALUES (1), (1)";
    assert_int_equal(db_execute(db, sql, strlen(sql), clock_in_ms(LONG_MS), NULL, NULL, &err), 0);
    assert_int_equal(db_commit(db, clock_in_ms(LONG_MS), &in_doubt, &err), -1);
    assert_false(in_doubt);
    assert_string_equal(err.sqlstate, "23505");
}

static void commit_with_its_tag_is_a_success(void **state)
{
    (void)state;
    AUTO_DB db = connected();
    struct err err = ERR_INIT;
    bool in_doubt = true;
    assert_int_equal(
        db_execute(db, "BEGIN", strlen("BEGIN"), clock_in_ms(LONG_MS), NULL, NULL, &err), 0);
    assert_int_equal(db_commit(db, clock_in_ms(LONG_MS), &in_doubt, &err), 0);
    assert_false(in_doubt);
    assert_int_equal(db_round_trips(db), 2);
}

static void commit_whose_answer_is_lost_is_in_doubt(void **state)
{
    (void)state;
    struct pg_script scripts[] = {{.part = PG_PART_CLOSE_ON_QUERY},
                                  {.part = PG_PART_HANG_ON_QUERY}};
    for (size_t i = 0; i < 2; i++) {
        AUTO_DB db = connected_to_part(&scripts[i]);
        struct err err = ERR_INIT;
        bool in_doubt = false;
        assert_int_equal(db_commit(db, clock_in_ms(SHORT_MS), &in_doubt, &err), -1);
        assert_true(in_doubt);
        assert_int_equal(err.kind, ERR_DB_DOWN);
        assert_text_has(err.text, "COMMIT");
        in_doubt = true;
        assert_int_equal(db_commit(db, clock_in_ms(SHORT_MS), &in_doubt, &err), -1);
        assert_false(in_doubt); /* this one was never sent */
        pg_script_stop(&scripts[i]);
    }
}

static void commit_with_another_tag_is_no_success(void **state)
{
    (void)state;
    struct pg_script script = {.part = PG_PART_TAG, .message = "ROLLBACK"};
    AUTO_DB db = connected_to_part(&script);
    struct err err = ERR_INIT;
    bool in_doubt = true;
    assert_int_equal(db_commit(db, clock_in_ms(LONG_MS), &in_doubt, &err), -1);
    assert_false(in_doubt);
    pg_script_stop(&script);
}

static void identifiers_and_literals_survive_quoting(void **state)
{
    (void)state;
    static const char *const odd[] = {"plain", "it's", "back\\slash'", "\"quoted\"", "Grüße", ""};
    AUTO_DB db = connected();
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        AUTO_BUF sql = BUF_INIT(1024);
        struct db_results results = {0};
        struct err err = ERR_INIT;
        buf_adds(&sql, "SET standard_conforming_strings = ");
        buf_adds(&sql, i % 2 ? "off; SELECT " : "on; SELECT ");
        db_add_literal(&sql, odd[i]);
        buf_adds(&sql, " AS ");
        db_add_identifier(&sql, *odd[i] ? odd[i] : "x");
        if (db_query(db, buf_text(&sql), clock_in_ms(LONG_MS), &results, NULL, &err) != 0)
            fail_msg("%s", err.text);
        assert_string_equal(db_cell(&results.list[1], 0, 0), odd[i]);
        assert_string_equal(results.list[1].names[0], *odd[i] ? odd[i] : "x");
        db_results_free(&results);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_result_of_a_message_comes_in_order_in_one_round_trip),
        cmocka_unit_test(a_failing_statement_is_counted_and_located),
        cmocka_unit_test(detail_hint_and_context_of_the_server_are_kept),
        cmocka_unit_test(an_exception_without_a_message_is_not_blank),
        cmocka_unit_test(sqlstates_become_kinds),
        cmocka_unit_test(the_deadline_cancels_the_statement_and_keeps_the_connection),
        cmocka_unit_test(a_connection_that_the_server_ends_keeps_its_sqlstate),
        cmocka_unit_test(copies_and_statements_share_one_message),
        cmocka_unit_test(the_last_results_of_a_script_are_kept),
        cmocka_unit_test(a_connection_beside_waits_in_the_server_for_the_first),
        cmocka_unit_test(an_error_beside_is_told_when_it_is_asked_for),
        cmocka_unit_test(much_copy_data_flows_in_chunks),
        cmocka_unit_test(bad_copy_data_names_the_line),
        cmocka_unit_test(copy_without_data_and_copy_out_are_errors),
        cmocka_unit_test(execute_takes_a_part_of_a_longer_text),
        cmocka_unit_test(one_query_ends_at_the_ceiling),
        cmocka_unit_test(one_query_is_one_statement),
        cmocka_unit_test(commit_of_an_aborted_transaction_is_no_success),
        cmocka_unit_test(commit_that_a_constraint_stops_is_not_in_doubt),
        cmocka_unit_test(commit_with_its_tag_is_a_success),
        cmocka_unit_test(commit_whose_answer_is_lost_is_in_doubt),
        cmocka_unit_test(commit_with_another_tag_is_no_success),
        cmocka_unit_test(identifiers_and_literals_survive_quoting),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
