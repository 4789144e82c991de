/* bootstrap/stamp.c: the version table and its rows, as Alembic makes them.
 *
 * Alembic's table is version_num VARCHAR(32) NOT NULL with the primary key <table>_pkc, and holds
 * one row for each effective head. The name is always written with its schema: a dump empties the
 * search_path. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "bootstrap/apply.h"

bool stamp_is_known(const struct database_settings *settings)
{
    return settings->graph && settings->table;
}

void stamp_add_table(const struct database_settings *settings, int width, struct buf *out)
{
    AUTO_BUF key = BUF_INIT(OWN_SQL_MAX_BYTES);
    buf_adds(out, "CREATE TABLE ");
    settings_add_version_table(settings, out);
    if (settings->plain_stamp) {
        buf_adds(out, " (version_num text NOT NULL);\n");
        return;
    }
    buf_adds(out, " (version_num ");
    if (width == SQL_WIDTH_UNBOUNDED)
        buf_adds(out, "VARCHAR");
    else
        buf_addf(out, "VARCHAR(%d)", width == SQL_WIDTH_UNSAID ? VERSION_WIDTH : width);
    buf_addf(&key, "%s_pkc", settings->table);
    buf_adds(out, " NOT NULL, CONSTRAINT ");
    db_add_identifier(out, buf_text(&key));
    buf_adds(out, " PRIMARY KEY (version_num));\n");
}

void stamp_add_rows(const struct database_settings *settings, struct buf *out)
{
    buf_adds(out, "INSERT INTO ");
    settings_add_version_table(settings, out);
    buf_adds(out, " (version_num) VALUES ");
    for (size_t i = 0; i < settings->graph->effective_head_count; i++) {
        buf_adds(out, i ? ", (" : "(");
        db_add_literal(out, settings->graph->effective_heads[i]);
        buf_adds(out, ")");
    }
    buf_adds(out, ";\n");
}

static size_t characters(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

int stamp_check_width(const struct database_settings *settings, size_t width, struct err *err)
{
    if (settings->plain_stamp || width == 0)
        return 0;
    for (size_t i = 0; i < settings->graph->effective_head_count; i++) {
        const char *id = settings->graph->effective_heads[i];
        size_t length = characters(id);
        if (length <= width)
            continue;
        const struct revision *revision = graph_find(settings->graph, id);
        err_set(err, ERR_FILE, "revision id '%s' has %zu characters, the version column holds %zu",
                id, length, width);
        if (revision && revision->file)
            err_at(err, revision->file, revision->line, 0);
        return err_hint(err,
                        "Shorten the id, or let what creates the tables make the version table "
                        "with a wider column: its definition is kept.");
    }
    return 0;
}

static bool has_id(const struct sql_rows *rows, const char *id)
{
    for (size_t i = 0; i < rows->count; i++) {
        if (str_eq(rows->ids[i], id))
            return true;
    }
    return false;
}

static void add_ids(struct buf *out, const char *const *ids, size_t count)
{
    if (count == 0)
        buf_adds(out, "no row");
    for (size_t i = 0; i < count; i++)
        buf_addf(out, "%s'%s'", i ? ", " : "", ids[i]);
}

int stamp_check_rows(const struct database_settings *settings, const struct sql_rows *rows,
                     enum err_kind kind, const char *whose, struct err *err)
{
    const struct graph *g = settings->graph;
    bool equal = rows->count == g->effective_head_count;
    for (size_t i = 0; equal && i < g->effective_head_count; i++)
        equal = has_id(rows, g->effective_heads[i]);
    if (equal)
        return 0;
    AUTO_BUF text = BUF_INIT(OWN_SQL_MAX_BYTES);
    buf_addf(&text, "%s: its statements about the version table leave ", whose);
    add_ids(&text, rows->ids, rows->count);
    buf_adds(&text, ", the revision files' heads are ");
    add_ids(&text, g->effective_heads, g->effective_head_count);
    err_set(err, kind, "%s", buf_text(&text));
    return err_hint(err, "What makes the tables is older or newer than the revision files: make it "
                         "anew, or bring both from the same commit.");
}
