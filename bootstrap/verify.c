/* bootstrap/verify.c: `agent verify`: a look at the database, and one query for the day when psql
 * prints nothing. */
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "bootstrap/internal.h"
#include "migrations/sql.h"

enum { SQL_BYTES = 1024 };

static int connect_to(const struct database_settings *settings, struct db **out, struct err *err)
{
    struct db_target target = {0};
    if (db_target_parse(settings->url, settings->url_variable, &target, err) != 0)
        return -1;
    int result = db_connect(&target, settings_deadline(settings, settings->connect_timeout_ms), out,
                            err);
    db_target_release(&target);
    return result;
}

int verify_run(const struct database_settings *settings, struct database_report *report,
               struct err *err)
{
    AUTO_DB db = NULL;
    if (connect_to(settings, &db, err) != 0 || report_set_connection(report, db, err) != 0)
        return -1;
    return state_look(db, settings, settings_statement_deadline(settings), report, NULL, err);
}

/* ---- --query --------------------------------------------------------------------------------------- */

static const char null_word[] = "NULL";

static size_t width_of(const char *text, size_t length)
{
    size_t width = 0;
    for (size_t i = 0; i < length; width++) {
        size_t step = str_utf8(text + i, length - i);
        i += step ? step : 1;
    }
    return width;
}

/* As it will be shown: sanitised, so that a line stays a line. Needs no memory. */
static size_t shown_width(const char *text)
{
    size_t width = 0, length;
    if (!text)
        text = null_word;
    length = strlen(text);
    for (size_t i = 0; i < length;) {
        char piece[STR_PIECE_BYTES];
        size_t piece_length;
        i += str_sanitise_step(text + i, length - i, piece, &piece_length);
        width += width_of(piece, piece_length);
    }
    return width;
}

static void add_padded(struct buf *out, const char *text, size_t width, bool is_last)
{
    buf_addc(out, ' ');
    str_add_sanitised(out, text ? text : null_word, strlen(text ? text : null_word));
    for (size_t used = shown_width(text); !is_last && used < width; used++)
        buf_addc(out, ' ');
    buf_adds(out, is_last ? "\n" : " |");
}

static void add_rule(struct buf *out, const size_t *widths, size_t count)
{
    for (size_t c = 0; c < count; c++) {
        for (size_t i = 0; i < widths[c] + 2; i++)
            buf_addc(out, '-');
        buf_adds(out, c + 1 == count ? "\n" : "+");
    }
}

static int write_table(const struct db_rows *rows, bool more, struct buf *out, struct err *err)
{
    size_t columns = rows->column_count;
    AUTO_FREE size_t *widths = mem_new(columns + 1, sizeof(*widths));
    if (!widths)
        return err_nomem(err);
    for (size_t c = 0; c < columns; c++) {
        widths[c] = shown_width(rows->names[c]);
        for (size_t r = 0; r < rows->row_count; r++) {
            size_t width = shown_width(rows->cells[r * columns + c]);
            if (width > widths[c])
                widths[c] = width;
        }
    }
    for (size_t c = 0; c < columns; c++)
        add_padded(out, rows->names[c], widths[c], c + 1 == columns);
    add_rule(out, widths, columns);
    for (size_t r = 0; r < rows->row_count; r++)
        for (size_t c = 0; c < columns; c++)
            add_padded(out, rows->cells[r * columns + c], widths[c], c + 1 == columns);
    if (more)
        buf_addf(out, "(the first %zu rows; there are more)\n", rows->row_count);
    else
        buf_addf(out, "(%zu row%s)\n", rows->row_count, rows->row_count == 1 ? "" : "s");
    return 0;
}

static void write_rows(const struct db_rows *rows, bool more, struct json *json)
{
    json_begin_array(json, "columns");
    for (size_t c = 0; c < rows->column_count; c++)
        json_add_string(json, NULL, rows->names[c]);
    json_end_array(json);
    json_begin_array(json, "rows");
    for (size_t r = 0; r < rows->row_count; r++) {
        json_begin_array(json, NULL);
        for (size_t c = 0; c < rows->column_count; c++)
            json_add_string(json, NULL, rows->cells[r * rows->column_count + c]);
        json_end_array(json);
    }
    json_end_array(json);
    json_add_bool(json, "more", more);
}

/* The transaction is read-only, so its end matters to a pooler alone: a failure is worth a line. */
static void end_transaction(struct db *db, int64_t deadline_ms)
{
    struct err err = ERR_INIT;
    if (!db_is_lost(db) &&
        db_execute(db, "ROLLBACK", strlen("ROLLBACK"), deadline_ms, NULL, NULL, &err) != 0)
        log_line(LOG_DEBUG, "the read-only transaction was not ended", "why", err.text, NULL);
}

/* That the transaction takes no writes is our doing, and what is no sound message is the query's: neither
 * is a server that is away, which another try would find. */
static void blame_query(const struct db *db, struct err *err)
{
    bool writes = str_eq(err->sqlstate, "25006");
    if (db_is_lost(db) || (!writes && !str_eq(err->sqlstate, "08P01")))
        return;
    err->kind = ERR_DB_SQL;
    err->hint[0] = '\0';
    if (writes)
        err_hint(err, "--query runs in a read-only transaction, and changes nothing.");
    else
        err_hint(err, "Parameters such as $1 have no value here: write it in their place.");
}

static int run_read_only(struct db *db, const struct database_settings *settings, const char *sql,
                         struct db_rows *rows, bool *more, struct err *err)
{
    AUTO_BUF begin = BUF_INIT(SQL_BYTES);
    int64_t deadline = settings_statement_deadline(settings);
    buf_addf(&begin, "BEGIN READ ONLY; SET LOCAL statement_timeout = %" PRId64,
             settings->statement_timeout_ms);
    if (buf_check(&begin, ERR_DEFECT, "the transaction's start", err) != 0 ||
        db_execute(db, buf_text(&begin), begin.len, deadline, NULL, NULL, err) != 0)
        return -1;
    int result = db_query_one(db, sql, VERIFY_QUERY_MAX_ROWS, deadline, rows, more, err);
    if (result != 0)
        blame_query(db, err);
    end_transaction(db, deadline);
    return result;
}

int verify_query(const struct database_settings *settings, const char *sql, struct buf *text,
                 struct json *json, struct err *err)
{
    AUTO_DB db = NULL;
    struct db_rows rows = {0};
    bool more = false;
    if (sql_require_one_query(sql, err) != 0 || connect_to(settings, &db, err) != 0 ||
        run_read_only(db, settings, sql, &rows, &more, err) != 0)
        return -1;
    int result = text ? write_table(&rows, more, text, err) : 0;
    if (json)
        write_rows(&rows, more, json);
    db_rows_free(&rows);
    return result;
}
