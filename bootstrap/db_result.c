/* bootstrap/db_result.c: what is in a PGresult: rows, errors, notices; and quoting for SQL.
 *
 * See db_internal.h for why libpq is called by more than one file. */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "bootstrap/db_internal.h"

void db_rows_free(struct db_rows *rows)
{
    free(rows->cells);
    free(rows->names);
    *rows = (struct db_rows){0};
}

void db_results_free(struct db_results *results)
{
    if (!results)
        return;
    for (size_t i = 0; i < results->count; i++)
        db_rows_free(&results->list[i]);
    free(results->list);
    *results = (struct db_results){0};
}

int db_rows_append(struct db_results *results, const struct db_rows *rows, size_t *capacity,
                   struct err *err)
{
    if (mem_grow(&results->list, results->count, capacity, sizeof(*results->list)) != 0)
        return err_nomem(err);
    results->list[results->count++] = *rows;
    return 0;
}

const char *db_cell(const struct db_rows *rows, size_t row, size_t column)
{
    if (row >= rows->row_count || column >= rows->column_count)
        return "";
    const char *cell = rows->cells[row * rows->column_count + column];
    return cell ? cell : "";
}

/* ---- rows ------------------------------------------------------------------------------------------ */

static char *put_text(char **at, const char *text, size_t length)
{
    char *start = *at;
    memcpy(start, text, length);
    start[length] = '\0';
    *at += length + 1;
    return start;
}

/* Pointers and bytes in one block each for names and cells. */
int db_rows_from_result(PGresult *result, struct db_rows *out, struct err *err)
{
    size_t rows = (size_t)pq.PQntuples(result), columns = (size_t)pq.PQnfields(result);
    size_t name_bytes = 0, cell_bytes = 0;
    for (size_t c = 0; c < columns; c++)
        name_bytes += strlen(pq.PQfname(result, (int)c)) + 1;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            cell_bytes += (size_t)pq.PQgetlength(result, (int)r, (int)c) + 1;
    struct db_rows made = {.row_count = rows, .column_count = columns};
    made.names = mem_new(columns * sizeof(char *) + name_bytes + 1, 1);
    made.cells = mem_new(rows * columns * sizeof(char *) + cell_bytes + 1, 1);
    if (!made.names || !made.cells) {
        db_rows_free(&made);
        return err_nomem(err);
    }
    char *at = (char *)(made.names + columns);
    for (size_t c = 0; c < columns; c++) {
        const char *name = pq.PQfname(result, (int)c);
        made.names[c] = put_text(&at, name, strlen(name));
    }
    at = (char *)(made.cells + rows * columns);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            if (!pq.PQgetisnull(result, (int)r, (int)c))
                made.cells[r * columns + c] = put_text(
                    &at, pq.PQgetvalue(result, (int)r, (int)c),
                    (size_t)pq.PQgetlength(result, (int)r, (int)c));
    (void)snprintf(made.tag, sizeof(made.tag), "%s", pq.PQcmdStatus(result)); /* tags are shorter */
    *out = made;
    return 0;
}

/* ---- rows one by one ------------------------------------------------------------------------------- */

void db_gather_release(struct db_gather *gather)
{
    buf_release(&gather->bytes);
    free(gather->offsets);
    free(gather->names);
}

static int gather_names(struct db_gather *gather, PGresult *result, struct err *err)
{
    struct db_rows rows = {0};
    if (gather->names)
        return 0;
    if (db_rows_from_result(result, &rows, err) != 0)
        return -1;
    gather->column_count = rows.column_count;
    gather->names = TAKE_POINTER(rows.names);
    db_rows_free(&rows);
    return 0;
}

int db_gather_add(struct db_gather *gather, PGresult *result, struct err *err)
{
    if (gather_names(gather, result, err) != 0)
        return -1;
    for (int r = 0; r < pq.PQntuples(result); r++, gather->row_count++) {
        for (int c = 0; c < pq.PQnfields(result); c++) {
            size_t offset = pq.PQgetisnull(result, r, c) ? SIZE_MAX : gather->bytes.len;
            if (mem_grow(&gather->offsets, gather->count, &gather->capacity, sizeof(size_t)) != 0)
                return err_nomem(err);
            gather->offsets[gather->count++] = offset;
            if (offset != SIZE_MAX)
                buf_add(&gather->bytes, pq.PQgetvalue(result, r, c),
                        (size_t)pq.PQgetlength(result, r, c) + 1);
        }
    }
    return buf_check(&gather->bytes, ERR_DB_SQL, "the result", err);
}

int db_gather_finish(struct db_gather *gather, struct db_rows *out, struct err *err)
{
    struct db_rows made = {.row_count = gather->row_count, .column_count = gather->column_count};
    made.cells = mem_new(gather->count * sizeof(char *) + gather->bytes.len + 1, 1);
    if (!made.cells)
        return err_nomem(err);
    char *bytes = (char *)(made.cells + gather->count);
    if (gather->bytes.len > 0)
        memcpy(bytes, gather->bytes.data, gather->bytes.len);
    for (size_t i = 0; i < gather->count; i++)
        if (gather->offsets[i] != SIZE_MAX)
            made.cells[i] = bytes + gather->offsets[i];
    made.names = TAKE_POINTER(gather->names);
    *out = made;
    return 0;
}

/* ---- errors and notices ---------------------------------------------------------------------------- */

void db_said_from_result(struct db_said *said, const PGresult *result)
{
    const struct {
        int field;
        char *part;
    } parts[] = {{PG_DIAG_MESSAGE_PRIMARY, said->primary},
                 {PG_DIAG_MESSAGE_DETAIL, said->detail},
                 {PG_DIAG_MESSAGE_HINT, said->hint},
                 {PG_DIAG_CONTEXT, said->context}};
    *said = (struct db_said){0};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const char *text = pq.PQresultErrorField(result, parts[i].field);
        if (text)
            db_said_part(parts[i].part, text, strlen(text));
    }
    const char *sqlstate = pq.PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (sqlstate && strlen(sqlstate) == 5)
        memcpy(said->sqlstate, sqlstate, 6);
    /* A connection that ends gives two messages in one text, and no fields. */
    if (!said->primary[0] && !said->sqlstate[0])
        db_said_from_text(said, pq.PQresultErrorMessage(result));
}

void db_notice(void *argument, const PGresult *notice)
{
    struct db *db = argument;
    struct db_said said;
    if (db->notices > DB_MAX_NOTICES)
        return;
    if (db->notices++ == DB_MAX_NOTICES) {
        log_line(LOG_WARN, "the server sends more notices than are shown", NULL);
        return;
    }
    db_said_from_result(&said, notice);
    db_said_hide_all(&said, db);
    const char *severity = pq.PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    log_line(severity && str_eq(severity, "WARNING") ? LOG_WARN : LOG_INFO,
             said.primary[0] ? said.primary : "the server sent a notice without text", "from",
             "server", "severity", severity, "sqlstate", said.sqlstate[0] ? said.sqlstate : NULL,
             "detail", said.detail[0] ? said.detail : NULL, "hint", said.hint[0] ? said.hint : NULL,
             NULL);
}

/* ---- quoting --------------------------------------------------------------------------------------- */

void db_add_identifier(struct buf *out, const char *name)
{
    buf_addc(out, '"');
    for (; *name; name++) {
        if (*name == '"')
            buf_addc(out, '"');
        buf_addc(out, *name);
    }
    buf_addc(out, '"');
}

/* A backslash makes it E'...': right whatever standard_conforming_strings is. */
void db_add_literal_n(struct buf *out, const char *text, size_t length)
{
    buf_adds(out, memchr(text, '\\', length) ? "E'" : "'");
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\'' || text[i] == '\\')
            buf_addc(out, text[i]);
        buf_addc(out, text[i]);
    }
    buf_addc(out, '\'');
}

void db_add_literal(struct buf *out, const char *text)
{
    db_add_literal_n(out, text, strlen(text));
}
