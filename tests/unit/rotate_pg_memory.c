/* tests/unit/rotate_pg_memory.c: allocations of a rotation of PostgreSQL's logins fail in turn. */
#include "tests/unit/rotate_pg.h"

#include "tests/lib/heap.h"

enum { ENDLESS = 1000000, SLICE = 25, LONG_FACTOR = 16 };

static struct rotation staged;

static int set_up(void **state)
{
    (void)state;
    server = pg_start(NULL);
    pg_sql(server, "postgres",
           "CREATE ROLE admin LOGIN CREATEROLE PASSWORD '" ADMIN_PASSWORD "';" AS_ADMIN
           "CREATE ROLE app_rw NOLOGIN; CREATE ROLE app_a LOGIN IN ROLE app_rw PASSWORD "
           "'" FIRST_PASSWORD "'; CREATE ROLE app_b NOLOGIN IN ROLE app_rw;" AS_BEFORE
           "ALTER ROLE app_a SET role = app_rw; ALTER ROLE app_b SET role = app_rw;"
           "CREATE DATABASE app");
    set_world(ROTATE_PG_TWO_LOGIN);
    /* Without TLS: libpq (of 15.20 as of 17.12) does not look whether OpenSSL had memory to note whose
     * its socket is, and crashes at the first byte. There is nothing that its caller could do. */
    AUTO_FREE char *admin = pg_tcp_url(server, "admin", ADMIN_PASSWORD, "postgres",
                                       "?sslmode=disable");
    (void)snprintf(world.admin_url, sizeof(world.admin_url), "%s", admin);
    AUTO_FREE char *url = pg_tcp_url(server, "app_a", FIRST_PASSWORD, "app", "?sslmode=disable");
    set_field("url", url);
    spec.place = (struct rotate_place){
        .kind = ROTATE_IN_KV, .path = "secret/acme", .value_field = "url", .value_is_url = true};
    context.deadline_ms = CLOCK_NEVER;
    begin(&staged, &strategy_pg_two_login);
    must(strategy_pg_two_login.stage(&staged, &err), "stage");
    return 0;
}

static int tear_down(void **state)
{
    end(&staged);
    return stop_server(state);
}

static int surgery(struct err *e)
{
    static const char url[] = "postgresql://app_a:old@db:5432/app?user=x&password=y";
    struct secret from = secret_borrow(url, sizeof(url) - 1);
    struct secret password = secret_borrow("canary-new", 10);
    AUTO_SECRET to = SECRET_INIT;
    if (surgery_replace_login(&from, "app_b", &password, &to, e) != 0)
        return -1;
    return strcmp(secret_reveal(&to),
                  "postgresql://app_b:canary-new@db:5432/app?user=app_b&password=canary-new") == 0
               ? 0
               : 1;
}

/* A preflight: two connections, the roles, a new password and URL. */
static int stage(struct err *e)
{
    struct rotation r = {.spec = &spec,
                         .context = &context,
                         .store = &memory_store,
                         .strategy = &strategy_pg_two_login,
                         .result = &result};
    int code = read_current(&r, &r.current, &r.current_version, e);
    if (code == 0)
        code = record_begin(&spec, &context, &r.record, e);
    if (code == 0)
        code = strategy_pg_two_login.stage(&r, e);
    if (code == 0 && !record_field(&r.record, "url"))
        code = 1;
    rotation_admin_end(&r);
    document_release(&r.current);
    record_release(&r.record);
    return code;
}

/* The password set, and taken away again, on the connection that is there. */
static int set_and_restore(struct err *e)
{
    staged.resumed = false;
    if (strategy_pg_two_login.set(&staged, e) != 0)
        return -1;
    return strategy_pg_two_login.restore(&staged, e);
}

/* Whatever fails: the right answer, or a named error, and nothing in between. The first SLICE of them
 * each, and then fewer and fewer (0: all). */
static void sweep(int (*job)(struct err *e), long slice)
{
    struct err e = ERR_INIT;
    if (job(&e) != 0) /* libraries are open and have what they keep */
        fail_msg("%s", e.text);
    if (getenv("AGENT_LONG"))
        slice *= LONG_FACTOR;
    for (long k = 0; k<ENDLESS; k += slice> 0 ? 1 + k / slice : 1) {
        e = ERR_INIT;
        heap_fail_after(k);
        int code = job(&e);
        bool reached = heap_successes < 0;
        heap_fail_after(-1);
        if (code > 0)
            fail_msg("allocation %ld: a wrong answer", k);
        if (code < 0 && (!e.text[0] || e.kind == ERR_NONE || e.kind == ERR_DEFECT))
            fail_msg("allocation %ld: %s '%s'", k, err_word(e.kind), e.text);
        assert_null(strstr(e.text, "canary"));
        if (!reached) {
            assert_int_equal(code, 0);
            return;
        }
    }
    fail_msg("there is no end of allocations");
}

static void surgery_without_memory_is_a_named_error(void **state)
{
    (void)state;
    NEEDS_HEAP();
    heap_watch("canary-new");
    sweep(surgery, 0);
    assert_int_equal(heap_leaks, 0); /* what was freed was wiped */
    heap_watch(NULL);
}

static void a_preflight_without_memory_is_a_named_error(void **state)
{
    (void)state;
    NEEDS_HEAP();
    sweep(stage, SLICE);
}

static void a_password_set_without_memory_is_a_named_error(void **state)
{
    (void)state;
    NEEDS_HEAP();
    sweep(set_and_restore, SLICE);
    must(set_and_restore(&err), "with memory");
    assert_true(logs_in("app_a", FIRST_PASSWORD));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(surgery_without_memory_is_a_named_error),
        cmocka_unit_test(a_preflight_without_memory_is_a_named_error),
        cmocka_unit_test(a_password_set_without_memory_is_a_named_error),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
