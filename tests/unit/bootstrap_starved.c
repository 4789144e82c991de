/* tests/unit/bootstrap_starved.c: bootstrap_run and memory: how much, and when it runs out. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "bootstrap/bootstrap.h"
#include "tests/lib/heap.h"
#include "tests/lib/pg.h"
#include "tests/lib/site.h"

/* Every so many allocations one fails; a prime, so that over time all kinds of places are met. */
enum { STEP = 31 };

static struct pg *pg;

static int start_server(void **state)
{
    (void)state;
    pg = pg_start(NULL);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    pg_stop(pg);
    return 0;
}

static void tables_if_and_only_if_a_stamp(const struct site *site, bool made)
{
    static const char both[] = "SELECT (to_regclass('users') IS NOT NULL)::int::text || "
                               "(to_regclass('alembic_version') IS NOT NULL)::int::text";
    const char *found = site_ask(site, pg, both);
    assert_true(strcmp(found, "11") == 0 || (!made && strcmp(found, "00") == 0));
    while (strcmp(site_ask(site, pg, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"),
                  "0") != 0) /* of a session whose client is gone */
        clock_sleep_ms(5);
    pg_sql(pg, site->database, "DROP TABLE IF EXISTS users, alembic_version");
}

static void no_memory_leaves_all_or_nothing_and_an_error(void **state)
{
    (void)state;
    NEEDS_HEAP();
    struct site site;
    site_open(&site, pg, "memory");
    site_sql(&site, "schema.sql",
             "SET search_path = public; CREATE TABLE users (id int);\nCOPY users FROM "
             "stdin;\n1\n\\.\n");
    for (long k = 0, left = 0; left <= 0; k += STEP) {
        AUTO_REPORT report = REPORT_INIT;
        struct err err = ERR_INIT;
        heap_fail_after(k);
        int rc = bootstrap_run(&site.settings, false, &report, &err);
        left = heap_successes;
        heap_fail_after(-1);
        if (rc != 0)
            assert_int_not_equal(err.text[0], '\0');
        tables_if_and_only_if_a_stamp(&site, rc == 0);
    }
    site_close(&site);
}

static void a_big_file_costs_little_more_than_its_size(void **state)
{
    (void)state;
    enum { SIZE = 50 * 1000 * 1000, ROW = 1000 };
    struct site site;
    char path[128], row[ROW + 1];
    site_open(&site, pg, "big");
    site_sql(&site, "schema.sql", "CREATE TABLE t (a text);");
    memset(row, 'x', sizeof(row));
    (void)snprintf(row, sizeof(row), "INSERT INTO t VALUES ('%0*d');\n", ROW - 27, 7);
    (void)snprintf(path, sizeof(path), "%s/data.sql", site.folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (size_t i = 0; i < SIZE / ROW; i++)
        assert_true(fputs(row, file) >= 0);
    assert_int_equal(fclose(file), 0);
    site_sql(&site, "data.sql", NULL);
    pid_t child = fork();
    if (child == 0) {
        AUTO_REPORT report = REPORT_INIT;
        struct err err = ERR_INIT;
        struct rusage usage;
        if (bootstrap_run(&site.settings, false, &report, &err) != 0 ||
            getrusage(RUSAGE_SELF, &usage) != 0)
            _exit(2);
        _exit(usage.ru_maxrss <= (SIZE + 32 * 1024 * 1024) / 1024 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_string_equal(site_ask(&site, pg, "SELECT count(*) FROM t"), "50000");
#if !defined(__SANITIZE_ADDRESS__) /* its shadow and redzones are memory too */
    assert_int_equal(status, 0);
#endif
    site_close(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_big_file_costs_little_more_than_its_size),
        cmocka_unit_test(no_memory_leaves_all_or_nothing_and_an_error),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
