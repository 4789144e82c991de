/* tests/unit/bootstrap_memory.c: each allocation of a look and of a query fails in turn. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bootstrap/bootstrap.h"
#include "tests/lib/heap.h"
#include "tests/lib/pg.h"

enum { OUTPUT_BYTES = 64 * 1024, ENDLESS = 1000000 };

static struct pg *server;
static char *url;
static struct secret secret;
static struct database_settings settings;

static int set_up(void **state)
{
    (void)state;
    static const char *const expected[] = {"users", "missing", NULL};
    server = pg_start(NULL);
    pg_sql(server, "postgres",
           "CREATE TABLE users (id int); CREATE TABLE alembic_version (version_num varchar(32) NOT "
           "NULL); INSERT INTO alembic_version VALUES ('a1'); INSERT INTO users VALUES (1), (2)");
    url = pg_socket_url(server, "postgres", "postgres");
    secret = secret_borrow(url, strlen(url));
    settings = (struct database_settings){.url = &secret,
                                          .url_variable = "DATABASE_URL",
                                          .table = "alembic_version",
                                          .schema = "public",
                                          .expect = expected,
                                          .connect_timeout_ms = 10000,
                                          .statement_timeout_ms = 10000,
                                          .deadline_ms = CLOCK_NEVER};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(url);
    pg_stop(server);
    return 0;
}

static int look(struct err *err)
{
    AUTO_REPORT report = REPORT_INIT;
    if (verify_run(&settings, &report, err) != 0)
        return -1;
    return report.state == STATE_UNKNOWN_REVISION && report.table_count == 1 ? 0 : 1;
}

static int ask(struct err *err)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    if (verify_query(&settings, "SELECT id FROM users ORDER BY id", &out, NULL, err) != 0)
        return -1;
    if (buf_check(&out, ERR_DEFECT, "the table", err) != 0)
        return -1;
    return strcmp(buf_text(&out), " id\n----\n 1\n 2\n(2 rows)\n") == 0 ? 0 : 1;
}

/* Whatever fails: the right answer, or a named error, and nothing in between. */
static void sweep(int (*job)(struct err *err))
{
    struct err err = ERR_INIT;
    if (job(&err) != 0) /* libraries are open and have what they keep */
        fail_msg("%s", err.text);
    for (long k = 0; k < ENDLESS; k++) {
        err = ERR_INIT;
        heap_fail_after(k);
        int result = job(&err);
        bool reached = heap_successes < 0;
        heap_fail_after(-1);
        if (result > 0)
            fail_msg("allocation %ld: a wrong answer", k);
        if (result < 0 && (!err.text[0] || err.kind == ERR_NONE || err.kind == ERR_DEFECT))
            fail_msg("allocation %ld: %s '%s'", k, err_word(err.kind), err.text);
        if (!reached) {
            assert_int_equal(result, 0);
            assert_true(k > 50);
            return;
        }
    }
    fail_msg("there is no end of allocations");
}

static void every_allocation_of_a_look_that_fails_is_a_named_error(void **state)
{
    (void)state;
    NEEDS_HEAP();
    sweep(look);
}

static void every_allocation_of_a_query_that_fails_is_a_named_error(void **state)
{
    (void)state;
    NEEDS_HEAP();
    sweep(ask);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_of_a_look_that_fails_is_a_named_error),
        cmocka_unit_test(every_allocation_of_a_query_that_fails_is_a_named_error),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
