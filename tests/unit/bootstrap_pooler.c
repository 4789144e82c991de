/* tests/unit/bootstrap_pooler.c: bootstrap_run through PgBouncer in transaction mode. */
#include "tests/lib/unit.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "bootstrap/bootstrap.h"
#include "tests/lib/pg.h"
#include "tests/lib/site.h"

static struct pg *pg;
static pid_t pooler;
static unsigned pooler_port;
static char folder[] = "/tmp/agent-pooler-XXXXXX";

static unsigned free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

static void write_configuration(const char *path)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fprintf(
        file,
        "[databases]\n* = host=%s port=%u user=postgres\n[pgbouncer]\nlisten_addr = "
        "127.0.0.1\nlisten_port = %u\nunix_socket_dir =\nauth_type = any\npool_mode = "
        "transaction\ndefault_pool_size = 5\nmax_client_conn = 200\nlogfile = /dev/null\n",
        pg_socket_folder(pg), pg_port(pg), pooler_port);
    assert_int_equal(fclose(file), 0);
}

static int start_pooler(void **state)
{
    (void)state;
    char path[64];
    pg = pg_start("log_statement = 'all'\n");
    assert_non_null(mkdtemp(folder));
    pooler_port = free_port();
    (void)snprintf(path, sizeof(path), "%s/pgbouncer.ini", folder);
    write_configuration(path);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(chmod(path, 0644), 0);
    pooler = fork();
    if (pooler == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (geteuid() == 0) /* it refuses root */
            (void)execlp("pgbouncer", "pgbouncer", "-q", "-u", "postgres", path, (char *)NULL);
        (void)execlp("pgbouncer", "pgbouncer", "-q", path, (char *)NULL);
        _exit(127);
    }
    return 0;
}

static int stop_pooler(void **state)
{
    (void)state;
    char path[64];
    assert_int_equal(kill(pooler, SIGKILL), 0);
    assert_int_equal(waitpid(pooler, NULL, 0), pooler);
    (void)snprintf(path, sizeof(path), "%s/pgbouncer.ini", folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    pg_stop(pg);
    return 0;
}

static void open_behind_pooler(struct site *site, const char *name)
{
    char *url = NULL;
    site_open(site, pg, name);
    assert_true(asprintf(&url, "postgresql://postgres@127.0.0.1:%u/%s?sslmode=disable", pooler_port,
                         name) > 0);
    site_url(site, url);
}

static const char schema[] =
    "SET search_path = public;\nSET lock_timeout = 1;\nCREATE TABLE users (id "
    "int);\nSELECT pg_sleep(0.3);\n";

static int run_one(struct site *site, bool *created)
{
    AUTO_REPORT report = REPORT_INIT;
    struct err err = ERR_INIT;
    int rc = bootstrap_run(&site->settings, false, &report, &err);
    if (rc != 0)
        (void)fprintf(stderr, "%s\n", err.text);
    *created = report.created;
    return rc;
}

static void a_herd_behind_a_pooler_makes_it_once(void **state)
{
    (void)state;
    enum { COUNT = 12 };
    struct site site;
    pid_t children[COUNT];
    size_t made = 0;
    open_behind_pooler(&site, "pooled");
    site_sql(&site, "schema.sql", schema);
    for (size_t i = 0; i < COUNT; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            bool created;
            _exit(run_one(&site, &created) != 0 ? 2 : created);
        }
    }
    for (size_t i = 0; i < COUNT; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
        made += WEXITSTATUS(status) == 1;
    }
    assert_int_equal(made, 1);
    assert_string_equal(site_ask(&site, pg, "SELECT count(*) FROM alembic_version"), "1");
    assert_string_equal(
        site_ask(&site, pg, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), "0");
    site_close(&site);
}

static void nothing_is_left_in_the_poolers_sessions(void **state)
{
    (void)state;
    struct site site;
    bool created;
    open_behind_pooler(&site, "leftovers");
    site_sql(
        &site, "schema.sql",
        "SET search_path = public;\nSET statement_timeout = 7;\nCREATE TABLE users (id int);\n");
    assert_int_equal(run_one(&site, &created), 0);
    assert_true(created);

    memset(site.create, 0, sizeof(site.create)); /* what would a next client of that session see? */
    AUTO_BUF text = BUF_INIT(100000);
    struct err err = ERR_INIT;
    for (int i = 0; i < 5; i++)
        assert_int_equal(verify_query(&site.settings,
                                      "SELECT '=' || current_setting('search_path') || '|' || "
                                      "current_setting('lock_timeout') || '|' || current_user",
                                      &text, NULL, &err),
                         0);
    assert_text_has(buf_text(&text), "=\"$user\", public|0|postgres");
    assert_text_lacks(buf_text(&text), "=public");
    site_close(&site);
}

static void a_command_behind_a_pooler_is_refused(void **state)
{
    (void)state;
    struct site site;
    AUTO_REPORT report = REPORT_INIT;
    struct err err = ERR_INIT;
    static const char *const expect[] = {"t", NULL};
    open_behind_pooler(&site, "pooled_command");
    site_command(&site, "exit 0");
    site.settings.expect = expect;
    assert_int_equal(bootstrap_run(&site.settings, false, &report, &err), -1);
    assert_int_equal(err.kind, ERR_DB_REFUSED);
    assert_text_has(err.text, "pooler");
    assert_text_has(err.hint, "direct");
    site_close(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_herd_behind_a_pooler_makes_it_once),
        cmocka_unit_test(nothing_is_left_in_the_poolers_sessions),
        cmocka_unit_test(a_command_behind_a_pooler_is_refused),
    };
    return cmocka_run_group_tests(tests, start_pooler, stop_pooler);
}
