/* SQL text, as people and pg_dump write it: statements lie in the text, in order, and are found again. */
#include "migrations/sql.h"

#include "base/buf.h"
#include "tests/fuzz/fuzz.h"

enum { LINE_BYTES = 4096 };

static void check_script(const struct sql_script *script)
{
    size_t end = 0, total = 0;

    for (size_t i = 0; i < script->count; i++) {
        const struct sql_statement *s = &script->statements[i];
        AUTO_BUF line = BUF_INIT(LINE_BYTES);
        unsigned row, column;
        /* Further rows of one statement are entries with its place. */
        PROMISE(s->repeat > 0 ? s->offset >= end : i > 0 && s->offset < end);
        PROMISE(s->length > 0 && s->offset + s->length <= script->length);
        PROMISE(s->data_offset + s->data_length <= script->length);
        PROMISE(s->line >= 1);
        sql_first_line(script, s, &line);
        sql_position(script, s->offset, &row, &column);
        PROMISE(row == s->line && column >= 1);
        struct sql_statement last = *s;
        if (s->repeat > 1)
            last = sql_within_run(script, s, s->repeat - 1, SQL_NO_OFFSET);
        PROMISE(last.offset >= s->offset && last.offset + last.length <= s->offset + s->length);
        end = s->offset + s->length;
        total += s->repeat;
    }
    PROMISE(total == script->total);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int fold = 0; fold <= 1; fold++) {
        const struct sql_settings settings = {.version_schema = "public",
                                              .version_table = "alembic_version",
                                              .fold_plain = fold == 1};
        struct sql_rows rows = SQL_ROWS_INIT;
        struct sql_script script;
        struct err err = ERR_INIT;
        if (sql_read("t.sql", (const char *)data, size, &settings, &script, &err) != 0) {
            fuzz_check_error(&err, ERR_FILE);
            PROMISE(err.kind == ERR_RESOURCE || err.line > 0);
            continue;
        }
        check_script(&script);
        if (sql_rows_play(&rows, &script, &err) != 0)
            fuzz_check_error(&err, ERR_FILE);
        sql_rows_release(&rows);
        sql_release(&script);
    }
    return 0;
}
