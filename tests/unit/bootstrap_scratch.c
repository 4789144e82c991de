/* tests/unit/bootstrap_scratch.c: scratch databases, and the throwaway server. */
#include "tests/lib/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/stop.h"
#include "bootstrap/scratch.h"
#include "tests/lib/pg.h"

enum { TEST_MS = 60 * 1000 };

static struct pg *pg;
static char *pg_url;
static struct secret url;
static const char *const environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", NULL};

static int start_server(void **state)
{
    (void)state;
    pg = pg_start(NULL);
    pg_url = pg_socket_url(pg, "postgres", "postgres");
    url = secret_borrow(pg_url, strlen(pg_url));
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    free(pg_url);
    pg_stop(pg);
    return 0;
}

static int64_t soon(void)
{
    return clock_in_ms(TEST_MS);
}

struct given {
    struct database_settings database;
    struct guard_settings guard;
};

static struct given given(bool ephemeral)
{
    return (struct given){
        .database = {.url_variable = "DATABASE_URL"},
        .guard = {.ephemeral = ephemeral,
                  .server_url = ephemeral ? NULL : &url,
                  .server_variable = "SERVER_URL",
                  .command_environment = environment},
    };
}

static struct scratch opened(struct given *g)
{
    struct scratch scratch;
    struct err err = ERR_INIT;
    g->guard.database = &g->database;
    if (scratch_open(&g->guard, soon(), &scratch, &err) != 0)
        fail_msg("%s %s", err.text, err.hint);
    return scratch;
}

static void closed(struct scratch *scratch)
{
    struct err err = ERR_INIT;
    if (scratch_close(scratch, &err) != 0)
        fail_msg("%s %s", err.text, err.hint);
}

/* The first cell that SQL gives in database NAME of the scratch's server. */
static void ask(const struct scratch *scratch, const char *name, const char *sql, char *out,
                size_t size)
{
    struct err err = ERR_INIT;
    struct db *db = NULL;
    struct db_results results;
    if (scratch_connect(scratch, name, soon(), &db, &err) != 0 ||
        db_query(db, sql, soon(), &results, NULL, &err) != 0)
        fail_msg("%s", err.text);
    (void)snprintf(out, size, "%s",
                   results.list[0].row_count ? db_cell(&results.list[0], 0, 0) : "");
    db_results_free(&results);
    db_close(db);
}

static const char *made(struct scratch *scratch, const char *what, const char *template)
{
    const char *name = NULL;
    struct err err = ERR_INIT;
    if (scratch_reserve(scratch, what, &name, &err) != 0 ||
        scratch_create(scratch, name, template, soon(), &err) != 0)
        fail_msg("%s %s", err.text, err.hint);
    return name;
}

/* How many databases were found to be left over. Folders of ephemeral servers may be, too: anybody's
 * on this machine. */
static size_t databases_left(const struct scratch *scratch)
{
    size_t count = 0;

    for (size_t i = 0; i < scratch->leftovers.count; i++)
        count += strncmp(scratch->leftovers.list[i], "database ", strlen("database ")) == 0;
    return count;
}

/* The first of them. */
static const char *database_left(const struct scratch *scratch)
{
    for (size_t i = 0; i < scratch->leftovers.count; i++) {
        if (strncmp(scratch->leftovers.list[i], "database ", strlen("database ")) == 0)
            return scratch->leftovers.list[i];
    }
    return "none";
}

static void a_scratch_database_is_empty_marked_and_dropped_at_the_end(void **state)
{
    struct given g = given(false);
    struct scratch scratch = opened(&g);
    const char *name = made(&scratch, "a", NULL);
    char text[512], kept[SCRATCH_NAME_BYTES];

    (void)state;
    (void)snprintf(kept, sizeof(kept), "%s", name);
    assert_memory_equal(name, "agent_guard_", strlen("agent_guard_"));
    ask(&scratch, name, "SELECT current_database()", text, sizeof(text));
    assert_string_equal(text, name);
    ask(&scratch, name,
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = "
        "current_database()",
        text, sizeof(text));
    assert_text_has(text, "agent guard: a scratch database");
    closed(&scratch);

    struct scratch later = opened(&g);
    assert_int_equal(databases_left(&later), 0);
    const char *own = made(&later, "a", NULL);
    ask(&later, own, "SELECT count(*) FROM pg_database WHERE datname LIKE 'agent\\_guard\\_%'",
        text, sizeof(text));
    assert_string_equal(text, "1");
    closed(&later);
}

static void a_copy_has_what_its_template_has(void **state)
{
    struct given g = given(false);
    struct scratch scratch = opened(&g);
    const char *first = made(&scratch, "a", NULL);
    char text[64];

    (void)state;
    ask(&scratch, first, "CREATE TABLE things (id int)", text, sizeof(text));
    const char *copy = made(&scratch, "copy", first);
    ask(&scratch, copy, "SELECT 'things'::regclass", text, sizeof(text));
    assert_string_equal(text, "things");
    closed(&scratch);
}

static void a_session_that_stays_does_not_keep_the_database(void **state)
{
    struct given g = given(false);
    struct scratch scratch = opened(&g);
    const char *name = made(&scratch, "a", NULL);
    struct err err = ERR_INIT;
    struct db *db = NULL;

    (void)state;
    assert_int_equal(scratch_connect(&scratch, name, soon(), &db, &err), 0);
    closed(&scratch);
    db_close(db);
}

static void what_a_killed_run_left_is_found_and_what_is_in_use_is_not(void **state)
{
    struct given g = given(false);
    struct scratch killed = opened(&g);
    char name[SCRATCH_NAME_BYTES], text[SCRATCH_NAME_BYTES + 32];

    (void)state;
    (void)snprintf(name, sizeof(name), "%s", made(&killed, "b", NULL));
    struct scratch beside = opened(&g);
    assert_int_equal(databases_left(&beside), 0);
    closed(&beside);
    names_release(&killed.databases); /* as if nobody came to drop them */
    closed(&killed);

    struct scratch later = opened(&g);
    (void)snprintf(text, sizeof(text), "database '%s'", name);
    assert_int_equal(databases_left(&later), 1);
    assert_string_equal(database_left(&later), text);
    closed(&later);
    (void)snprintf(text, sizeof(text), "DROP DATABASE %s", name);
    pg_sql(pg, "postgres", text);
}

static void a_role_without_the_right_hears_the_two_ways_out(void **state)
{
    struct given g = given(false);
    char *poor = NULL;
    struct err err = ERR_INIT;
    const char *name = NULL;

    (void)state;
    pg_sql(pg, "postgres", "CREATE ROLE poor LOGIN");
    poor = pg_socket_url(pg, "poor", "postgres");
    struct secret secret = secret_borrow(poor, strlen(poor));
    g.guard.server_url = &secret;
    struct scratch scratch = opened(&g);
    assert_int_equal(scratch_reserve(&scratch, "a", &name, &err), 0);
    assert_int_equal(scratch_create(&scratch, name, NULL, soon(), &err), -1);
    assert_int_equal(err.kind, ERR_DB_REFUSED);
    assert_text_has(err.text, "permission denied to create database");
    assert_text_has(err.hint, "ALTER ROLE \"poor\" CREATEDB");
    assert_text_has(err.hint, "--ephemeral");
    closed(&scratch);
    free(poor);
}

static void the_owner_may_make_things_in_a_scratch_database(void **state)
{
    struct given g = given(false);
    char text[64];

    (void)state;
    pg_sql(pg, "postgres", "CREATE ROLE app_owner NOLOGIN");
    g.database.owner = "app_owner";
    struct scratch scratch = opened(&g);
    const char *name = made(&scratch, "a", NULL);
    ask(&scratch, name, "CREATE TABLE things (id int)", text, sizeof(text));
    ask(&scratch, name, "SELECT tableowner FROM pg_tables WHERE tablename = 'things'", text,
        sizeof(text));
    assert_string_equal(text, "app_owner");
    closed(&scratch);
}

/* ---- the throwaway server --------------------------------------------------------------------------- */

static void an_ephemeral_server_is_gone_at_the_end(void **state)
{
    struct given g = given(true);
    struct scratch scratch = opened(&g);
    pid_t server = scratch.ephemeral.server.pid;
    char folder[256], text[64];
    struct stat st;

    (void)state;
    (void)snprintf(folder, sizeof(folder), "%s", scratch.ephemeral.folder);
    assert_int_equal(stat(folder, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    ask(&scratch, made(&scratch, "a", NULL), "SHOW listen_addresses", text, sizeof(text));
    assert_string_equal(text, "");
    closed(&scratch);
    assert_int_equal(stat(folder, &st), -1);
    assert_int_equal(kill(server, 0), -1);
}

static void an_ephemeral_server_has_the_owner(void **state)
{
    struct given g = given(true);
    char text[64];

    (void)state;
    g.database.owner = "acme owner";
    struct scratch scratch = opened(&g);
    ask(&scratch, made(&scratch, "a", NULL), "SELECT current_user", text, sizeof(text));
    assert_string_equal(text, "acme owner");
    closed(&scratch);
}

static void a_server_that_ends_is_told_by_its_log(void **state)
{
    struct given g = given(true);
    struct scratch scratch = opened(&g);
    struct err err = ERR_INIT;
    const char *name = NULL;
    struct db *db = NULL;

    (void)state;
    assert_int_equal(scratch_reserve(&scratch, "a", &name, &err), 0);
    (void)kill(scratch.ephemeral.server.pid, SIGKILL);
    while (!proc_has_ended(&scratch.ephemeral.server))
        clock_sleep_ms(5);
    assert_int_equal(scratch_connect(&scratch, name, soon(), &db, &err), -1);
    assert_text_has(err.text, "the ephemeral server in '");
    closed(&scratch);
}

static void a_missing_user_is_named(void **state)
{
    struct given g = given(true);
    struct scratch scratch;
    struct err err = ERR_INIT;

    (void)state;
    g.guard.database = &g.database;
    g.guard.ephemeral_user = "nobody-like-this";
    assert_int_equal(scratch_open(&g.guard, soon(), &scratch, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
    assert_text_has(err.text, geteuid() == 0 ? "there is no user 'nobody-like-this'"
                                             : "only root can start a server");
}

static void folders_that_a_killed_run_left_are_found(void **state)
{
    char folder[] = "/tmp/agent-guard-XXXXXX", lock[64];
    struct names names = {0};
    struct err err = ERR_INIT;
    bool found = false;

    (void)state;
    (void)unsetenv("TMPDIR");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(lock, sizeof(lock), "%s/lock", folder);
    int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(ephemeral_find_leftovers(&names, &err), 0);
    for (size_t i = 0; i < names.count; i++)
        found = found || strstr(names.list[i], folder);
    assert_false(found);
    (void)close(fd);
    assert_int_equal(ephemeral_find_leftovers(&names, &err), 0);
    for (size_t i = 0; i < names.count; i++)
        found = found || strstr(names.list[i], folder);
    assert_true(found);
    names_release(&names);
    assert_int_equal(file_remove_tree(folder, &err), 0);
}

static void one_host_takes_the_place_of_a_list(void **state)
{
    static const struct {
        const char *from, *host, *port, *made;
    } cases[] = {
        {"postgresql://u:p%40@a:1,b:2/db?sslmode=require&port=3", "b", "2",
         "postgresql://u:p%40@b:2/db?sslmode=require"},
        {"postgresql+psycopg://a,b", "a", "5432", "postgresql+psycopg://a:5432"},
        {"postgres://u@[::1]:1,[fd00::2]:2/?a&b=c", "fd00::2", "2",
         "postgres://u@[fd00::2]:2/?a&b=c"},
        {"postgresql://u@/db?host=/run/a,/run/b%20c&port=1,2&sslmode=disable", "/run/b c", "2",
         "postgresql://u@/db?sslmode=disable&host=%2Frun%2Fb%20c&port=2"},
        {"postgresql://%2Frun%2Fa,%2Frun%2Fb/db", "/run/a", "5432",
         "postgresql:///db?host=%2Frun%2Fa&port=5432"},
        {"postgresql:///db?host=a,b", "b", "5432", "postgresql://b:5432/db"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_SECRET out = SECRET_INIT;
        struct err err = ERR_INIT;
        const struct secret from = secret_borrow(cases[i].from, strlen(cases[i].from));
        if (scratch_url_at(&from, cases[i].host, cases[i].port, &out, &err) != 0)
            fail_msg("%s: %s", cases[i].from, err.text);
        assert_string_equal(secret_reveal(&out), cases[i].made);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_host_takes_the_place_of_a_list),
        cmocka_unit_test(a_scratch_database_is_empty_marked_and_dropped_at_the_end),
        cmocka_unit_test(a_copy_has_what_its_template_has),
        cmocka_unit_test(a_session_that_stays_does_not_keep_the_database),
        cmocka_unit_test(what_a_killed_run_left_is_found_and_what_is_in_use_is_not),
        cmocka_unit_test(a_role_without_the_right_hears_the_two_ways_out),
        cmocka_unit_test(the_owner_may_make_things_in_a_scratch_database),
        cmocka_unit_test(an_ephemeral_server_is_gone_at_the_end),
        cmocka_unit_test(an_ephemeral_server_has_the_owner),
        cmocka_unit_test(a_server_that_ends_is_told_by_its_log),
        cmocka_unit_test(a_missing_user_is_named),
        cmocka_unit_test(folders_that_a_killed_run_left_are_found),
    };

    return cmocka_run_group_tests(tests, start_server, stop_server);
}
