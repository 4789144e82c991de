/* migrations/sql.c: see sql.h. The only file that calls libpg_query, which is opened when the first
 * statement needs it: most schema files have a few that do, a file of data has none. */
#include "migrations/sql.h"

#include <pg_query.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/library.h"
#include "base/mem.h"
#include "base/str.h"
#include "migrations/sqlparts.h"

enum { FIRST_LINE_BYTES = 120 };

/* ---- libpg_query ----------------------------------------------------------------------------- */

#define PG_QUERY_FUNCTIONS(X)                             \
    X(pg_query_parse, PgQueryParseResult, (const char *)) \
    X(pg_query_free_parse_result, void, (PgQueryParseResult))

/* NOLINTBEGIN(bugprone-macro-parentheses): types and parameter lists can't be in brackets */
static struct {
#define X(name, type, args) type(*name) args;
    PG_QUERY_FUNCTIONS(X)
#undef X
    bool open;
} pg;
/* NOLINTEND(bugprone-macro-parentheses) */

/* Its version is in its soname and in its package's name, and is another one in each distribution: make says
 * that of the one against which is built. */
#ifndef PG_QUERY_VERSION
#define PG_QUERY_VERSION "1504.0"
#endif

LIBRARY_DLOPEN_NOTE(
    note_pg_query,
    "[{\"feature\":\"sql\",\"description\":\"PostgreSQL's parser, for schema files\","
    "\"priority\":\"recommended\",\"soname\":[\"libpg_query.so." PG_QUERY_VERSION "\"]}]");

int sql_parser_open(struct err *err)
{
    /* Then those of the distributions that are known, newest first: the JSON form and the two functions are
     * the same in all of them. */
    static const char *const names[] = {"libpg_query.so." PG_QUERY_VERSION,
                                        "libpg_query.so.1706.0",
                                        "libpg_query.so.1605.1",
                                        "libpg_query.so.1504.0",
                                        "libpg_query.so",
                                        NULL};
    static const struct library_symbol symbols[] = {
#define X(name, type, args) {#name, (void **)&pg.name},
        PG_QUERY_FUNCTIONS(X)
#undef X
    };
    if (pg.open)
        return 0;
    if (library_open(names, "libpg-query" PG_QUERY_VERSION, symbols, ARRAY_LEN(symbols), err) != 0)
        return -1;
    pg.open = true;
    return 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

struct sql_memory {
    struct arena arena;
};

struct reader {
    struct sql_cutter cutter;
    struct sql_context context;
    struct sql_script *script;
    size_t capacity;
    bool can_fold; /* the entry before is a run to which the next plain statement may be added */
};

static int append(struct reader *r, const struct sql_statement *statement, struct err *err)
{
    struct sql_script *s = r->script;
    if (mem_grow(&s->statements, s->count, &r->capacity, sizeof(*s->statements)) != 0)
        return err_nomem(err);
    s->statements[s->count++] = *statement;
    s->total += statement->repeat;
    return 0;
}

/* A transaction statement is never left to the server, whatever follows its first word: it could
 * end the transaction that everything runs in. */
static bool is_transaction_word(enum sql_word word)
{
    return word == WORD_BEGIN || word == WORD_START || word == WORD_COMMIT || word == WORD_END ||
           word == WORD_ROLLBACK || word == WORD_ABORT;
}

/* The parser's own lack of memory is an error, not an opinion on the grammar. */
static bool is_lack_of_memory(const char *message)
{
    return !message || strcasestr(message, "out of memory") ||
           strcasestr(message, "memory exhausted");
}

/* What the parser's grammar does not know. */
static int not_parsed(struct reader *r, const struct sql_piece *piece, const char *message,
                      struct sql_statement *out, struct err *err)
{
    if (is_lack_of_memory(message))
        return err_nomem(err);
    out->class_ = SQL_UNPARSED;
    out->reason = arena_dup(r->context.memory, message);
    if (is_transaction_word(piece->first)) {
        out->class_ = SQL_CANNOT;
        out->reason = "a transaction statement that is not known";
    }
    return out->reason ? 0 : err_nomem(err);
}

static int parse(struct reader *r, const struct sql_piece *piece, struct sql_statement *out,
                 const char ***more, struct err *err)
{
    *more = NULL;
    if (sql_parser_open(err) != 0)
        return -1;
    AUTO_FREE char *text = mem_dup_n(r->cutter.text + out->offset, out->length);
    if (!text)
        return err_nomem(err);
    PgQueryParseResult result = pg.pg_query_parse(text);
    const char *first = result.error ? NULL
                                     : sql_tree_first(sql_tree_member(result.parse_tree, "stmts"));
    int rc;
    if (first)
        rc = sql_classify(&r->context, first, out, more, err);
    else
        rc = not_parsed(r, piece, result.error ? result.error->message : NULL, out, err);
    pg.pg_query_free_parse_result(result);
    return rc;
}

int sql_with_tree(const char *text, sql_take_tree take, void *context, struct err *err)
{
    if (sql_parser_open(err) != 0)
        return -1;
    PgQueryParseResult result = pg.pg_query_parse(text);
    const char *first = result.error ? NULL
                                     : sql_tree_first(sql_tree_member(result.parse_tree, "stmts"));
    const char *message = result.error ? result.error->message : NULL;
    int rc = first || !is_lack_of_memory(message) ? take(context, first, message, err)
                                                  : err_nomem(err);
    pg.pg_query_free_parse_result(result);
    return rc;
}

/* Each line of a COPY into the version table is a row of its one column. */
static int append_copied_rows(struct reader *r, struct sql_statement *copy, struct err *err)
{
    const char *p = r->cutter.text + copy->data_offset, *end = p + copy->data_length;
    if (p == end) {
        copy->class_ = SQL_VERSION_TABLE;
        copy->reason = "a COPY without rows";
        return append(r, copy, err);
    }
    while (p < end) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        const char *next = newline ? newline + 1 : end;
        size_t length = (size_t)((newline ? newline : end) - p);
        if (length > 0 && p[length - 1] == '\r')
            length--;
        if (memchr(p, '\t', length) || memchr(p, '\\', length)) {
            copy->class_ = SQL_VERSION_OTHER;
            copy->reason = "a COPY of other than plain ids";
            return append(r, copy, err);
        }
        copy->new_revision = arena_dup_n(r->context.memory, p, length);
        if (!copy->new_revision)
            return err_nomem(err);
        if (append(r, copy, err) != 0)
            return -1;
        copy->repeat = 0; /* the further rows are the same statement */
        p = next;
    }
    return 0;
}

static int take_copy(struct reader *r, const struct sql_piece *piece, struct sql_statement *out,
                     struct err *err)
{
    bool version = out->class_ == SQL_VERSION_INSERT;
    if (sql_cut_copy_data(&r->cutter, piece, &out->data_offset, &out->data_length, err) != 0)
        return -1;
    if (version)
        return append_copied_rows(r, out, err);
    out->class_ = SQL_COPY_DATA;
    return append(r, out, err);
}

static int take_parsed(struct reader *r, const struct sql_piece *piece, struct sql_statement *out,
                       struct err *err)
{
    const char **more;
    if (parse(r, piece, out, &more, err) != 0)
        return -1;
    if (piece->copy_from_stdin)
        return take_copy(r, piece, out, err);
    if (out->class_ == SQL_VERSION_INSERT && !out->new_revision) {
        out->class_ = SQL_VERSION_OTHER;
        out->reason = "a COPY from a file";
    }
    if (append(r, out, err) != 0)
        return -1;
    out->repeat = 0;
    for (; more && *more; more++) {
        out->new_revision = *more;
        if (append(r, out, err) != 0)
            return -1;
    }
    return 0;
}

static bool fold(struct reader *r, const struct sql_piece *piece)
{
    if (!r->can_fold || piece->after_meta)
        return false;
    struct sql_statement *run = &r->script->statements[r->script->count - 1];
    size_t length = piece->offset + piece->length - run->offset;
    if (length > SQL_RUN_MAX_BYTES)
        return false;
    run->length = length;
    run->repeat++;
    r->script->total++;
    return true;
}

static int take_piece(struct reader *r, const struct sql_piece *piece, struct err *err)
{
    struct sql_statement statement = {.class_ = SQL_PLAIN,
                                      .offset = piece->offset,
                                      .length = piece->length,
                                      .repeat = 1,
                                      .line = piece->line,
                                      .version_width = SQL_WIDTH_UNSAID};
    bool plain = false;
    int rc;
    if (sql_needs_parser(piece)) {
        rc = take_parsed(r, piece, &statement, err);
    } else if (piece->copy_from_stdin) {
        rc = take_copy(r, piece, &statement, err);
    } else {
        plain = r->context.settings->fold_plain;
        if (fold(r, piece))
            return 0;
        rc = append(r, &statement, err);
    }
    r->can_fold = plain;
    return rc;
}

int sql_read(const char *name, const char *text, size_t length, const struct sql_settings *settings,
             struct sql_script *out, struct err *err)
{
    struct sql_script script = {.name = name, .text = text, .length = length};
    script.memory = mem_new(1, sizeof(*script.memory));
    if (!script.memory)
        return err_nomem(err);
    struct reader r = {.cutter = sql_cutter_of(name, text, length, settings->version_table),
                       .script = &script};
    r.context = (struct sql_context){settings, &r.cutter, &script.memory->arena};
    const char *nul = length ? memchr(text, '\0', length) : NULL;
    int rc = 0;
    if (nul)
        rc = sql_error_at(&r.cutter, err, (size_t)(nul - text),
                          "a NUL byte, which no SQL text may hold");
    for (bool found = true; rc == 0 && found;) {
        struct sql_piece piece;
        rc = sql_cut(&r.cutter, &piece, &found, err);
        if (rc == 0 && found)
            rc = take_piece(&r, &piece, err);
    }
    if (rc == 0)
        *out = script;
    else
        sql_release(&script);
    return rc;
}

void sql_release(struct sql_script *script)
{
    if (!script)
        return;
    free(script->statements);
    if (script->memory)
        arena_release(&script->memory->arena);
    free(script->memory);
    *script = (struct sql_script){0};
}

/* ---- the version table's rows ---------------------------------------------------------------- */

void sql_rows_release(struct sql_rows *rows)
{
    free(rows->ids);
    *rows = SQL_ROWS_INIT;
}

static size_t find_row(const struct sql_rows *rows, const char *id)
{
    size_t i = 0;
    while (i < rows->count && !str_eq(rows->ids[i], id))
        i++;
    return i;
}

static int row_error(const struct sql_script *script, const struct sql_statement *s,
                     struct err *err, const char *what, const char *id)
{
    struct sql_cutter c = sql_cutter_of(script->name, script->text, script->length, NULL);
    return sql_error_at(&c, err, s->offset, "%s%s%s%s", what, id ? " '" : "", id ? id : "",
                        id ? "'" : "");
}

static int play_one(struct sql_rows *rows, const struct sql_script *script,
                    const struct sql_statement *s, struct err *err)
{
    if (s->class_ == SQL_VERSION_OTHER && s->reason)
        return row_error(script, s, err,
                         "the version table is changed in a way that is not Alembic's:"
                         " by",
                         s->reason);
    bool removes = s->class_ == SQL_VERSION_UPDATE || s->class_ == SQL_VERSION_DELETE;
    bool adds = s->class_ == SQL_VERSION_UPDATE || s->class_ == SQL_VERSION_INSERT;
    rows->touched = rows->touched || removes || adds;
    if (removes) {
        size_t at = find_row(rows, s->old_revision);
        if (at == rows->count)
            return row_error(script, s, err, "the version table would have no row",
                             s->old_revision);
        rows->ids[at] = rows->ids[--rows->count];
    }
    if (!adds)
        return 0;
    if (find_row(rows, s->new_revision) < rows->count)
        return row_error(script, s, err, "the version table would have two rows", s->new_revision);
    if (mem_grow(&rows->ids, rows->count, &rows->capacity, sizeof(*rows->ids)) != 0)
        return err_nomem(err);
    rows->ids[rows->count++] = s->new_revision;
    return 0;
}

int sql_rows_play(struct sql_rows *rows, const struct sql_script *script, struct err *err)
{
    for (size_t i = 0; i < script->count; i++) {
        if (play_one(rows, script, &script->statements[i], err) != 0)
            return -1;
    }
    return 0;
}

/* ---- positions ------------------------------------------------------------------------------- */

struct sql_statement sql_within_run(const struct sql_script *script,
                                    const struct sql_statement *run, size_t index, size_t offset)
{
    struct sql_statement found = *run;
    struct sql_cutter c = sql_cutter_of(script->name, script->text, run->offset + run->length,
                                        NULL);
    c.at = c.counted_to = run->offset;
    c.line = run->line;
    struct err unused = ERR_INIT; /* the text was cut before without one */
    for (size_t i = 0; run->repeat > 1; i++) {
        struct sql_piece piece;
        bool more = false;
        if (sql_cut(&c, &piece, &more, &unused) != 0 || !more)
            break;
        if (offset != SQL_NO_OFFSET && piece.offset > offset)
            break;
        found.offset = piece.offset;
        found.length = piece.length;
        found.line = piece.line;
        found.repeat = 1;
        if (offset == SQL_NO_OFFSET && i == index)
            break;
    }
    return found;
}

void sql_first_line(const struct sql_script *script, const struct sql_statement *statement,
                    struct buf *out)
{
    const char *text = script->text + statement->offset;
    size_t length = 0;
    while (length < statement->length && text[length] != '\n' && text[length] != '\r')
        length++;
    if (length > FIRST_LINE_BYTES) {
        length = FIRST_LINE_BYTES;
        while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
            length--; /* not through a character */
        buf_add(out, text, length);
        buf_adds(out, "...");
        return;
    }
    buf_add(out, text, length);
}

void sql_position(const struct sql_script *script, size_t offset, unsigned *line, unsigned *column)
{
    const char *text = script->text, *line_start = text;
    size_t end = offset < script->length ? offset : script->length;
    unsigned lines = 1, characters = 1;
    const char *newline;
    while ((newline = memchr(line_start, '\n', (size_t)(text + end - line_start)))) {
        lines++;
        line_start = newline + 1;
    }
    for (const char *p = line_start; p < text + end; p++)
        characters += ((unsigned char)*p & 0xC0) != 0x80;
    *line = lines;
    *column = characters;
}

/* ---- one query ------------------------------------------------------------------------------- */

static int refuse_query(struct err *err, const char *what)
{
    err_set(err, ERR_USAGE, "--query takes one statement that reads, this is %s", what);
    return err_hint(err,
                    "SELECT, VALUES, TABLE, SHOW or EXPLAIN of one of these; psql's commands are "
                    "not SQL.");
}

static int require_reading_node(const char *tree, struct err *err)
{
    const char *first = sql_tree_first(sql_tree_member(tree, "stmts"));
    const char *statement = sql_tree_member(first, "stmt");
    const char *explained = sql_tree_path(statement, "ExplainStmt.query");
    const char *select = sql_tree_member(explained ? explained : statement, "SelectStmt");
    if (!first)
        return refuse_query(err, "empty");
    if (sql_tree_next(first))
        return refuse_query(err, "several");
    if (select)
        return sql_tree_member(select, "intoClause")
                   ? refuse_query(err, "SELECT ... INTO, which writes")
                   : 0;
    if (sql_tree_member(statement, "VariableShowStmt"))
        return 0;
    char what[96]; /* the node's name: {"DeleteStmt":... */
    const char *name = statement ? statement + strlen("{\"") : "";
    (void)snprintf(what, sizeof(what), "another kind (%.*s)", (int)strcspn(name, "\""), name);
    return refuse_query(err, what);
}

/* What the parser does not know may be a newer server's: one statement that starts as a query does
 * is let through, since the caller runs it in a read-only transaction. */
static int require_reading_word(const char *text, const char *message, struct err *err)
{
    static const char *const words[] = {"SELECT", "WITH", "VALUES", "TABLE", "SHOW", "EXPLAIN"};
    size_t start = sql_skip_blank(text, 0, strlen(text));
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strncasecmp(text + start, words[i], strlen(words[i])) == 0)
            return 0;
    }
    char what[256];
    (void)snprintf(what, sizeof(what), "none that PostgreSQL's parser knows (%s)", message);
    return refuse_query(err, what);
}

int sql_require_one_query(const char *text, struct err *err)
{
    struct sql_cutter c = sql_cutter_of("--query", text, strlen(text), NULL);
    struct sql_piece piece;
    bool found, another = false;
    if (sql_cut(&c, &piece, &found, err) != 0 ||
        (found && sql_cut(&c, &piece, &another, err) != 0)) {
        err->kind = ERR_USAGE;
        return -1;
    }
    if (!found || another)
        return refuse_query(err, found ? "several" : "empty");
    if (sql_parser_open(err) != 0)
        return -1;
    PgQueryParseResult result = pg.pg_query_parse(text);
    int rc = result.error ? require_reading_word(text, result.error->message, err)
                          : require_reading_node(result.parse_tree, err);
    pg.pg_query_free_parse_result(result);
    return rc;
}
