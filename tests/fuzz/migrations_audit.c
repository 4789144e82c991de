/* What two migrations are said to do, whatever their SQL is: a record of them that is whole and the same
 * again, or an error that says why there is none. */
#include "migrations/audit.h"

#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/str.h"
#include "tests/fuzz/fuzz.h"

enum { PATH_BYTES = 128, INPUT_BYTES = 1024 * 1024, REVISIONS = 2, FILES_OF_WHOLE = 4 };

static const struct {
    const char *name, *text;
} files[REVISIONS] = {
    {"a1.py", "revision = 'a1'\ndown_revision = None\ndef downgrade():\n    op.drop_table('t')\n"},
    {"b2.py", "revision = 'b2'\ndown_revision = 'a1'\ndef downgrade():\n    pass\n"},
};

static char folder[] = "/tmp/agent-fuzz-audit-XXXXXX";
static struct graph *graph;

static void remove_files(void)
{
    struct err err = ERR_INIT;
    graph_free(graph);
    if (file_remove_tree(folder, &err) != 0)
        (void)fprintf(stderr, "%s\n", err.text);
}

/* Once: two revisions that are read anew for each input. */
static void make_graph(void)
{
    const struct graph_settings settings = {
        .path = folder, .versions = folder, .working_folder = "/"};
    struct err err = ERR_INIT;
    PROMISE(mkdtemp(folder) != NULL);
    PROMISE(atexit(remove_files) == 0);
    for (size_t i = 0; i < REVISIONS; i++) {
        char path[PATH_BYTES];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, files[i].name);
        PROMISE(file_replace(path, files[i].text, strlen(files[i].text), 0600, &err) == 0);
    }
    PROMISE(graph_load(&settings, &graph, &err) == 0);
}

/* Each line of a CSV begins with a number and the revision, or goes on in quotes. */
static void check_csv(const struct audit_file *file)
{
    bool quoted = false;
    size_t lines = 0;
    PROMISE(str_starts(file->text, "seq,revision,operation,"));
    for (size_t i = 0; i < file->length; i++) {
        PROMISE(file->text[i] != '\0');
        quoted ^= file->text[i] == '"';
        if (file->text[i] != '\n' || quoted)
            continue;
        const char *next = &file->text[i + 1];
        char number[PATH_BYTES];
        (void)snprintf(number, sizeof(number), "%zu,", ++lines);
        PROMISE(*next == '\0' || str_starts(next, number));
    }
    PROMISE(!quoted && file->text[file->length - 1] == '\n');
}

static void check_record(const struct audit_settings *settings, const struct audit *audit)
{
    struct audit *again = NULL;
    struct err err = ERR_INIT;
    PROMISE(audit->revision_count == REVISIONS);
    PROMISE(audit->file_count == REVISIONS * 2 + FILES_OF_WHOLE);
    if (audit_make(settings, &again, &err) != 0) {
        PROMISE(err.kind == ERR_RESOURCE);
        return;
    }
    for (size_t i = 0; i < audit->file_count; i++) {
        const struct audit_file *file = &audit->files[i], *other = &again->files[i];
        PROMISE(strlen(file->text) == file->length);
        PROMISE(file->length == other->length && str_eq(file->text, other->text));
        if (str_ends(file->name, ".csv"))
            check_csv(file);
    }
    audit_free(again);
}

static void check_trace(const struct audit_settings *settings)
{
    struct audit_trace trace = {0};
    struct err err = ERR_INIT;
    if (audit_trace_make(settings, &trace, &err) != 0) {
        PROMISE(err.kind == ERR_RESOURCE);
        return;
    }
    for (size_t i = 0; i < trace.count; i++) {
        const struct audit_touch *t = &trace.list[i];
        PROMISE(graph_find(graph, t->revision) != NULL);
        PROMISE(t->type && t->schema && t->object && t->column && t->table && t->label &&
                t->new_name);
    }
    audit_trace_release(&trace);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUF sql = BUF_INIT(INPUT_BYTES);
    struct audit *audit = NULL;
    struct err err = ERR_INIT;
    if (!graph)
        make_graph();
    buf_adds(&sql, "BEGIN;\n-- Running upgrade  -> a1\n\nCREATE TABLE t (id int, s varchar(9));\n");
    buf_adds(&sql, "-- Running upgrade a1 -> b2\n\n");
    buf_add(&sql, (const char *)data, size);
    if (sql.too_long || sql.no_memory)
        return 0;
    const struct audit_settings settings = {.graph = graph,
                                            .sql = buf_text(&sql),
                                            .sql_length = sql.len,
                                            .sql_name = "database.offline",
                                            .version_schema = "public",
                                            .version_table = "alembic_version"};
    if (audit_make(&settings, &audit, &err) != 0) {
        fuzz_check_error(&err, ERR_DB_COMMAND);
        return 0;
    }
    check_record(&settings, audit);
    check_trace(&settings);
    audit_free(audit);
    return 0;
}
