/* tests/unit/bootstrap_catalog_memory.c: a catalog is read where memory ends. */
#include "tests/lib/unit.h"

#include "bootstrap/catalog_internal.h"
#include "tests/lib/heap.h"
#include "tests/unit/bootstrap_pair.h"

enum { OUTPUT_BYTES = 4 * 1024 * 1024, PATIENCE_MS = 60000, ENDLESS = 1000000, STRIDE = 3 };

static int read_again(const struct database_settings *settings, struct err *err)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    if (verify_schema(settings, &out, err) != 0)
        return -1;
    return buf_check(&out, ERR_DEFECT, "the schema", err) == 0 &&
                   strstr(buf_text(&out), "constraint public.b.b_pkey\n")
               ? 0
               : (err->kind == ERR_NONE ? 1 : -1);
}

/* Some allocations of all: each costs a whole query. */
static void a_reading_without_memory_is_a_named_error(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    NEEDS_HEAP();
    make("plain", "CREATE TABLE b (id serial PRIMARY KEY, \"Odd\" varchar(3) DEFAULT 'x');"
                  "CREATE TABLE a (b_id int REFERENCES b); COMMENT ON TABLE a IS E'one\\ntwo';"
                  "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);"
                  "CREATE EXTENSION hstore;");
    AUTO_FREE char *url = pg_socket_url(server, "postgres", "plain");
    const struct secret secret = secret_borrow(url, strlen(url));
    const struct database_settings settings = {.url = &secret,
                                               .url_variable = "DATABASE_URL",
                                               .table = "alembic_version",
                                               .schema = "public",
                                               .connect_timeout_ms = PATIENCE_MS,
                                               .statement_timeout_ms = PATIENCE_MS,
                                               .lock_timeout_ms = 10000,
                                               .deadline_ms = CLOCK_NEVER};
    assert_int_equal(read_again(&settings, &err), 0);
    for (long k = 0; k < ENDLESS; k += STRIDE) {
        err = ERR_INIT;
        heap_fail_after(k);
        int result = read_again(&settings, &err);
        bool reached = heap_successes < 0;
        heap_fail_after(-1);
        if (result > 0)
            fail_msg("allocation %ld: a wrong answer", k);
        if (result < 0 && (!err.text[0] || err.kind == ERR_NONE || err.kind == ERR_DEFECT))
            fail_msg("allocation %ld: %s '%s'", k, err_word(err.kind), err.text);
        if (!reached) {
            assert_int_equal(result, 0);
            assert_true(k > 10 * STRIDE);
            return;
        }
    }
    fail_msg("there is no end of allocations");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reading_without_memory_is_a_named_error),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
