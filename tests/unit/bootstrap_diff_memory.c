/* tests/unit/bootstrap_diff_memory.c: what a comparison takes, and what it says where it gets none. */
#include "tests/lib/unit.h"

#include "tests/lib/heap.h"
#include "tests/unit/bootstrap_pair.h"

enum { ENDLESS = 1000000 };

/* ---- memory ---------------------------------------------------------------------------------------- */

static void a_comparison_without_memory_is_a_named_error(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    AUTO_CATALOG a = CATALOG_INIT, b = CATALOG_INIT;
    NEEDS_HEAP();
    make("left_side",
         "CREATE TABLE t (a int, b int CHECK (b > 0), c text); CREATE TABLE more (x int);"
         "ALTER TABLE t ADD CHECK (a < 9);");
    make("right_side",
         "CREATE TABLE t (a int, c text, b bigint CHECK (b > 0)); COMMENT ON TABLE t IS"
         " 'x'; ALTER TABLE t ADD CHECK (b < 9); ALTER TABLE t ADD CHECK (a < 9);");
    read_catalog("left_side", &a);
    read_catalog("right_side", &b);
    for (long k = 0; k < ENDLESS; k++) {
        struct differences d = {0};
        heap_fail_after(k);
        int result = catalog_compare(&a, &b, &(struct compare_options){.strict_order = true}, &d,
                                     &err);
        bool reached = heap_successes < 0;
        heap_fail_after(-1);
        if (result == 0)
            differences_release(&d);
        else if (err.kind != ERR_RESOURCE)
            fail_msg("allocation %ld: %s '%s'", k, err_word(err.kind), err.text);
        if (!reached) {
            assert_int_equal(result, 0);
            assert_true(k > 20);
            return;
        }
    }
    fail_msg("there is no end of allocations");
}

/* ---- size ------------------------------------------------------------------------------------------- */

enum { MAX_KIB = 64 * 1024 };

static void a_thousand_tables_fit_into_64_mib(void **state)
{
    (void)state;
    skip_under_valgrind();
    struct err err = ERR_INIT;
    AUTO_CATALOG a = CATALOG_INIT, b = CATALOG_INIT;
    struct differences d = {0};
    make("big", "");
    for (int i = 0; i < 10; i++) /* each transaction holds a lock on each of its tables */
        pg_sql(server, "big",
               "DO $$DECLARE first int := (SELECT count(*) FROM pg_class WHERE relkind = 'r'"
               " AND relnamespace = 'public'::regnamespace); BEGIN FOR i IN first..first + 99"
               " LOOP EXECUTE format('CREATE TABLE t%s (id serial PRIMARY KEY, a text NOT NULL,"
               " b int DEFAULT 7, c varchar(20) CHECK (c IN (''x'', ''y'')), d timestamptz"
               " DEFAULT now(), e bool, f numeric(10, 2), g jsonb, h uuid UNIQUE,"
               " parent_id int REFERENCES t%s)', i, greatest(i - 1, 0));"
               " EXECUTE format('CREATE INDEX ON t%s (a)', i); END LOOP; END$$;");
    int64_t start = clock_now_ms();
    read_catalog("big", &a);
    int64_t one = clock_now_ms();
    read_catalog("big", &b);
    int64_t both = clock_now_ms();
    if (catalog_compare(&a, &b, &(struct compare_options){0}, &d, &err) != 0)
        fail_msg("%s", err.text);
    int64_t end = clock_now_ms();
    assert_int_equal(d.count, 0);
    long peak = peak_kib();
    print_message("%zu objects: read in %lld and %lld ms, compared in %lld ms, %ld KiB\n", a.count,
                  (long long)(one - start), (long long)(both - one), (long long)(end - both), peak);
#ifndef __SANITIZE_ADDRESS__ /* which has its own ideas of memory */
    assert_true(peak <= MAX_KIB);
#endif
    assert_text_has(d.compared, "1000 tables");
    assert_text_has(d.compared, "10000 columns");
    differences_release(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thousand_tables_fit_into_64_mib),
        cmocka_unit_test(a_comparison_without_memory_is_a_named_error),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
