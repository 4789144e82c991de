/* bootstrap/catalog.c: a database's schema read as sorted objects, and written as text. */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "bootstrap/catalog_internal.h"
#include "bootstrap/internal.h"

enum {
    LOOSE_BYTES = 16 * 1024 * 1024, /* of one definition */
    UNCOUNTED_BYTES = 16 * 1024,
};

void catalog_release(struct catalog *catalog)
{
    if (!catalog)
        return;
    free(catalog->objects);
    arena_release(&catalog->arena);
    *catalog = CATALOG_INIT;
}

/* ---- a row → an object ----------------------------------------------------------------------- */

struct reading {
    struct catalog *catalog;
    size_t capacity;
    struct buf uncounted;
};

/* Into the arena; "" costs nothing. */
static int keep(struct catalog *catalog, const char *text, const char **out, struct err *err)
{
    *out = *text ? arena_dup(&catalog->arena, text) : "";
    return *out ? 0 : err_nomem(err);
}

/* RAW without the marks of its zone. */
static int keep_unmarked(struct catalog *catalog, const char *raw, const char **out,
                         struct err *err)
{
    const char *begin = strchr(raw, ZONE_BEGIN);
    const char *end = begin ? strrchr(begin, ZONE_END) : NULL;
    if (!end)
        return keep(catalog, raw, out, err);
    *out = arena_printf(&catalog->arena, "%.*s%.*s%s", (int)(begin - raw), raw,
                        (int)(end - begin - 1), begin + 1, end + 1);
    return *out ? 0 : err_nomem(err);
}

/* The kinds are few and statements give them in runs: one text for each run. */
static int keep_kind(struct catalog *catalog, const char *kind, const char **out, struct err *err)
{
    if (catalog->count > 0 && str_eq(catalog->objects[catalog->count - 1].kind, kind)) {
        *out = catalog->objects[catalog->count - 1].kind;
        return 0;
    }
    return keep(catalog, kind, out, err);
}

static int take_object(struct reading *reading, const char *const cells[static CELL_COUNT],
                       struct err *err)
{
    struct catalog *c = reading->catalog;
    struct catalog_object o = {.broken = str_eq(cells[CELL_BROKEN], "t")};
    int64_t position = 0;
    if (*cells[CELL_POSITION] &&
        str_to_int64(cells[CELL_POSITION], strlen(cells[CELL_POSITION]), &position) != 0)
        return err_set(err, ERR_DEFECT, "the catalog gave '%s' for a column's position",
                       cells[CELL_POSITION]);
    const struct {
        enum catalog_cell cell;
        const char **place;
    } texts[] = {
        {CELL_NAME, &o.name},     {CELL_COMMENT, &o.cosmetic}, {CELL_PARENT_KIND, &o.parent_kind},
        {CELL_PARENT, &o.parent}, {CELL_WORD, &o.word},        {CELL_RELATION, &o.relation},
        {CELL_WORDS, &o.words},
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (keep(c, cells[texts[i].cell], texts[i].place, err) != 0)
            return -1;
    const char *raw = cells[CELL_DEFINITION];
    if (keep_kind(c, cells[CELL_KIND], &o.kind, err) != 0 ||
        keep_unmarked(c, raw, &o.definition, err) != 0)
        return -1;
    o.loose = o.definition; /* finish_loose looks at those with a zone when all columns are known */
    if (strchr(raw, ZONE_BEGIN) && keep(c, raw, &o.loose, err) != 0)
        return -1;
    o.position = (long)position;
    o.automatic_name = catalog_name_is_automatic(o.word, o.relation, o.words, cells[CELL_LABEL]);
    if (mem_grow(&c->objects, c->count, &reading->capacity, sizeof(o)) != 0)
        return err_nomem(err);
    c->objects[c->count++] = o;
    return 0;
}

/* "3 casts, 1 large object" */
static void take_uncounted(struct reading *reading, const char *const cells[static CELL_COUNT])
{
    const char *count = cells[CELL_DEFINITION];
    if (reading->uncounted.len > 0)
        buf_adds(&reading->uncounted, ", ");
    buf_addf(&reading->uncounted, "%s %s", count,
             str_eq(count, "1") ? cells[CELL_NAME] : cells[CELL_PARENT]);
}

static int take_row(struct reading *reading, const struct db_rows *rows, size_t row,
                    struct err *err)
{
    const char *cells[CELL_COUNT];
    for (size_t c = 0; c < CELL_COUNT; c++)
        cells[c] = db_cell(rows, row, c);
    if (str_eq(cells[CELL_KIND], "#context"))
        return keep(reading->catalog, cells[CELL_DEFINITION], &reading->catalog->context, err);
    if (!str_eq(cells[CELL_KIND], "#uncounted"))
        return take_object(reading, cells, err);
    take_uncounted(reading, cells);
    return 0;
}

/* ---- all results → a catalog ----------------------------------------------------------------- */

static int compare_objects(const void *a, const void *b)
{
    const struct catalog_object *x = a, *y = b;
    int order = strcmp(x->kind, y->kind);
    if (order == 0)
        order = strcmp(x->name, y->name);
    return order ? order : strcmp(x->definition, y->definition);
}

const struct catalog_object *catalog_find(const struct catalog *catalog, const char *kind,
                                          const char *name)
{
    size_t low = 0, high = catalog->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct catalog_object *o = &catalog->objects[middle];
        int order = strcmp(o->kind, kind);
        if (order == 0)
            order = strcmp(o->name, name);
        if (order == 0)
            return o;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static int finish_loose(struct catalog *catalog, struct err *err)
{
    AUTO_BUF loose = BUF_INIT(LOOSE_BYTES);
    for (size_t i = 0; i < catalog->count; i++) {
        struct catalog_object *o = &catalog->objects[i];
        buf_clear(&loose);
        catalog_add_loose(catalog, o, o->loose, &loose);
        if (buf_check(&loose, ERR_DB_SQL, "a definition", err) != 0)
            return -1;
        if (str_eq(buf_text(&loose), o->definition))
            o->loose = o->definition;
        else if (keep(catalog, buf_text(&loose), &o->loose, err) != 0)
            return -1;
    }
    return 0;
}

static int take_results(struct reading *reading, const struct db_results *results, struct err *err)
{
    for (size_t i = 0; i < results->count; i++) {
        const struct db_rows *rows = &results->list[i];
        if (rows->column_count == 0) /* BEGIN, SET, COMMIT */
            continue;
        if (rows->column_count != CELL_COUNT)
            return err_set(err, ERR_DEFECT, "result %zu of the catalog has %zu columns", i,
                           rows->column_count);
        for (size_t r = 0; r < rows->row_count; r++)
            if (take_row(reading, rows, r, err) != 0)
                return -1;
    }
    struct catalog *c = reading->catalog;
    if (!c->context)
        return err_set(err, ERR_DEFECT, "the catalog says nothing of its database");
    if (buf_check(&reading->uncounted, ERR_DEFECT, "what is not compared", err) != 0 ||
        keep(c, buf_text(&reading->uncounted), &c->not_compared, err) != 0)
        return -1;
    if (c->count > 0)
        qsort(c->objects, c->count, sizeof(*c->objects), compare_objects);
    return finish_loose(c, err);
}

/* The transaction has failed already, and it only read: what is left of it matters to a pooler. */
static void end_failed(struct db *db, int64_t deadline_ms)
{
    struct err err = ERR_INIT;
    if (!db_is_lost(db) &&
        db_execute(db, "ROLLBACK", strlen("ROLLBACK"), deadline_ms, NULL, NULL, &err) != 0)
        log_line(LOG_DEBUG, "the read-only transaction was not ended", "why", err.text, NULL);
}

int catalog_read(struct db *db, const struct database_settings *settings, int64_t deadline_ms,
                 struct catalog *out, struct err *err)
{
    AUTO_BUF sql = BUF_INIT(LOOK_SQL_BYTES);
    AUTO_CATALOG made = CATALOG_INIT;
    struct db_results results = {0};
    struct db_info info;

    db_info(db, &info);
    catalog_add_sql(settings, info.server_version, &sql);
    if (buf_check(&sql, ERR_CONTRACT, "the list of schemas", err) != 0)
        return -1;
    if (db_query(db, buf_text(&sql), deadline_ms, &results, NULL, err) != 0) {
        if (err->sqlstate[0]) /* else it is ours, and the server has come to its COMMIT */
            end_failed(db, deadline_ms);
        return err_wrap(err, "read the catalog");
    }
    struct reading reading = {.catalog = &made, .uncounted = BUF_INIT(UNCOUNTED_BYTES)};
    int result = take_results(&reading, &results, err);
    buf_release(&reading.uncounted);
    db_results_free(&results);
    if (result != 0)
        return -1;
    *out = made;
    made = CATALOG_INIT; /* moved */
    return 0;
}

/* ---- text ------------------------------------------------------------------------------------ */

/* Line by line: what comes from the server has no say over the terminal. */
static void add_lines(struct buf *out, const char *text, const char *indent)
{
    for (;;) {
        size_t length = strcspn(text, "\n");
        buf_adds(out, indent);
        str_add_sanitised(out, text, length);
        buf_addc(out, '\n');
        if (!text[length])
            return;
        text += length + 1;
    }
}

void catalog_write_text(const struct catalog *catalog, struct buf *out)
{
    if (!catalog->context || !catalog->not_compared) {
        buf_adds(out, "# nothing was read\n");
        return;
    }
    add_lines(out, catalog->context, "# ");
    for (size_t i = 0; i < catalog->count; i++) {
        const struct catalog_object *o = &catalog->objects[i];
        buf_adds(out, o->kind);
        buf_addc(out, ' ');
        str_add_sanitised(out, o->name, strlen(o->name));
        buf_addc(out, '\n');
        add_lines(out, o->definition, "    ");
        if (*o->cosmetic)
            add_lines(out, o->cosmetic, "    -- ");
    }
    buf_addf(out, "# %zu object%s; not shown: the rows of tables", catalog->count,
             catalog->count == 1 ? "" : "s");
    if (*catalog->not_compared)
        buf_addf(out, ", %s", catalog->not_compared);
    buf_addc(out, '\n');
}

int verify_schema(const struct database_settings *settings, struct buf *out, struct err *err)
{
    struct db_target target = {0};
    AUTO_DB db = NULL;
    AUTO_CATALOG catalog = CATALOG_INIT;

    if (db_target_parse(settings->url, settings->url_variable, &target, err) != 0)
        return -1;
    int result = db_connect(&target, settings_deadline(settings, settings->connect_timeout_ms), &db,
                            err);
    db_target_release(&target);
    if (result != 0 ||
        catalog_read(db, settings, settings_statement_deadline(settings), &catalog, err) != 0)
        return -1;
    catalog_write_text(&catalog, out);
    return 0;
}
