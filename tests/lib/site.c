/* tests/lib/site.c */
#include "tests/lib/unit.h"

#include "tests/lib/site.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "bootstrap/db.h"

enum { PATH_BYTES = 256 };

static void load_graph(struct site *site)
{
    struct err err = ERR_INIT;
    struct graph_settings graph = {.path = site->folder, .working_folder = "/"};
    if (graph_load(&graph, &site->graph, &err) != 0)
        fail_msg("%s", err.text);
    site->settings.graph = site->graph;
}

void site_open(struct site *site, const struct pg *pg, const char *name)
{
    char sql[256];
    *site = (struct site){.folder = "/tmp/agent-site-XXXXXX"};
    assert_non_null(mkdtemp(site->folder));
    assert_int_equal(chmod(site->folder, 0755), 0);
    (void)snprintf(site->database, sizeof(site->database), "%s", name);
    (void)snprintf(sql, sizeof(sql), "CREATE DATABASE \"%s\"", name);
    pg_sql(pg, "postgres", sql);
    static const char *const environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", NULL};
    site->settings = (struct database_settings){.url_variable = "DATABASE_URL",
                                                .folder = site->folder,
                                                .command_environment = environment,
                                                .table = "alembic_version",
                                                .schema = "public",
                                                .create_list = site->create,
                                                .wait_ms = 20000,
                                                .lock_timeout_ms = 30000,
                                                .lock_wait_ms = 60000,
                                                .statement_timeout_ms = 60000,
                                                .connect_timeout_ms = 5000,
                                                .deadline_ms = CLOCK_NEVER};
    site_url(site, pg_socket_url(pg, "postgres", name));
    site_file(site, "env.py", "");
    site_file(site, "versions/a1.py", "\"\"\"first\"\"\"\nrevision = 'a1'\ndown_revision = None\n");
    site_file(site, "versions/b2.py",
              "\"\"\"second\"\"\"\nrevision = 'b2'\ndown_revision = 'a1'\n");
    load_graph(site);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

void site_close(struct site *site)
{
    graph_free(site->graph);
    free(site->url);
    assert_int_equal(nftw(site->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void site_url(struct site *site, char *url)
{
    free(site->url);
    site->url = url;
    site->secret = secret_borrow(url, strlen(url));
    site->settings.url = &site->secret;
}

void site_file(struct site *site, const char *path, const char *text)
{
    char full[PATH_BYTES];
    const char *slash = strchr(path, '/');
    if (slash) {
        (void)snprintf(full, sizeof(full), "%s/%.*s", site->folder, (int)(slash - path), path);
        (void)mkdir(full, 0755); /* may be there */
    }
    (void)snprintf(full, sizeof(full), "%s/%s", site->folder, path);
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
}

void site_heads(struct site *site, const char *output)
{
    struct err err = ERR_INIT;
    graph_free(site->graph);
    site->graph = NULL;
    if (graph_from_heads_output(output, strlen(output), &site->graph, &err) != 0)
        fail_msg("%s", err.text);
    site->settings.graph = site->graph;
}

static void add_word(struct site *site, const char *word)
{
    size_t i = 0;
    while (site->create[i])
        i++;
    assert_true(i + 1 < sizeof(site->create) / sizeof(site->create[0]));
    site->create[i] = word;
}

void site_sql(struct site *site, const char *file, const char *text)
{
    if (text)
        site_file(site, file, text);
    site->settings.create = CREATE_SQL;
    add_word(site, file);
}

void site_emit(struct site *site, const char *script)
{
    site->settings.create = CREATE_EMIT;
    add_word(site, "sh");
    add_word(site, "-c");
    add_word(site, script);
}

void site_command(struct site *site, const char *script)
{
    site_emit(site, script);
    site->settings.create = CREATE_COMMAND;
}

const char *site_ask(const struct site *site, const struct pg *pg, const char *sql)
{
    static char answer[4096];
    struct err err = ERR_INIT;
    struct db_target target = {0};
    struct db_results results;
    struct db *db = NULL;
    char *url = pg_socket_url(pg, "postgres", site->database);
    struct secret secret = secret_borrow(url, strlen(url));
    int64_t deadline = clock_in_ms(20000);
    if (db_target_parse(&secret, "test", &target, &err) != 0 ||
        db_connect(&target, deadline, &db, &err) != 0 ||
        db_query(db, sql, deadline, &results, NULL, &err) != 0)
        fail_msg("%s", err.text);
    const struct db_rows *last = &results.list[results.count - 1];
    (void)snprintf(answer, sizeof(answer), "%s", last->row_count ? db_cell(last, 0, 0) : "");
    db_results_free(&results);
    db_close(db);
    db_target_release(&target);
    free(url);
    return answer;
}

/* Bootstrap may have looked in short: the next start looks whole, and finds the same. */
static void is_found_as_made(const struct site *site, const struct database_report *made)
{
    AUTO_REPORT whole = REPORT_INIT;
    struct err err = ERR_INIT;
    if (bootstrap_run(&site->settings, false, &whole, &err) != 0)
        fail_msg("the second start: %s (hint: %s)", err.text, err.hint);
    assert_false(whole.created);
    assert_int_equal(whole.state, STATE_CURRENT);
    assert_int_equal(made->table_count, whole.table_count);
    assert_string_equal(made->why, whole.why);
    assert_string_equal(made->user, whole.user);
    assert_string_equal(made->server_version, whole.server_version);
    for (size_t i = 0; made->rights[i] || whole.rights[i]; i++)
        assert_string_equal(made->rights[i], whole.rights[i]);
}

void site_is_made(struct site *site)
{
    AUTO_REPORT report = REPORT_INIT;
    struct err err = ERR_INIT;
    if (bootstrap_run(&site->settings, false, &report, &err) != 0)
        fail_msg("%s (hint: %s)", err.text, err.hint);
    assert_true(report.created);
    assert_false(report.read_only);
    assert_true(report.verified);
    assert_int_equal(report.state, STATE_CURRENT);
    assert_int_equal(report.state_before, STATE_FRESH);
    is_found_as_made(site, &report);
}

void site_is_refused(struct site *site, enum err_kind kind, const char *part, struct err *err)
{
    AUTO_REPORT report = REPORT_INIT;
    *err = ERR_INIT;
    if (bootstrap_run(&site->settings, false, &report, err) == 0)
        fail_msg("not refused: %s", part);
    if (err->kind != kind)
        fail_msg("kind %s in place of %s: %s", err_word(err->kind), err_word(kind), err->text);
    assert_text_has(err->text, part);
    assert_false(report.created);
}

static const char count_relations[] =
    "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";

void site_is_untouched(const struct site *site, const struct pg *pg)
{
    assert_string_equal(site_ask(site, pg, count_relations), "0");
}
