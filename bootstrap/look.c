/* bootstrap/look.c: the answer of a look: facts about the database; look_sql.c has the question. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "bootstrap/internal.h"

enum {
    LOOK_COLUMNS = 7,
    ID_BYTES = 64 * 1024, /* one revision id; a text column has no limit of its own */
    MODIFIER_HEADER = 4,  /* atttypmod of varchar(n) is n + 4 */
};

/* ---- lists of names ------------------------------------------------------------------------------ */

int names_add(struct names *names, const char *text, struct err *err)
{
    char *copy = mem_dup(text);
    if (!copy || mem_grow(&names->list, names->count + 1, &names->capacity, sizeof(char *)) != 0) {
        free(copy);
        return err_nomem(err);
    }
    names->list[names->count++] = copy;
    names->list[names->count] = NULL;
    return 0;
}

char **names_take(struct names *names)
{
    char **list = names->list ? names->list : mem_new(1, sizeof(char *));
    *names = (struct names){0};
    return list;
}

void names_release(struct names *names)
{
    names_free_list(names->list);
    *names = (struct names){0};
}

void names_free_list(char **list)
{
    for (char **name = list; name && *name; name++)
        free(*name);
    free(list);
}

/* ---- the result ---------------------------------------------------------------------------------- */

void look_release(struct look *look)
{
    struct names *lists[] = {&look->rows,    &look->elsewhere, &look->objects,
                             &look->missing, &look->hidden,    &look->invalid_indexes};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        names_release(lists[i]);
    free(look->server_version);
    free(look->user);
    free(look->user_ends);
    free(look->version_owner);
    *look = LOOK_INIT;
}

size_t look_objects(const struct look *look)
{
    const struct look_counts *c = &look->counts;
    return c->tables + c->views + c->sequences + c->types + c->functions;
}

/* One row of facts. */
struct fact {
    const char *cell[LOOK_COLUMNS]; /* the word and its texts, "" for NULL */
};

static bool is_true(const char *text)
{
    return str_eq(text, "true") || str_eq(text, "on");
}

static int read_count(const char *text, struct err *err, int64_t *out)
{
    if (str_to_int64(text, strlen(text), out) != 0)
        return err_set(err, ERR_DEFECT, "the look at the catalogs gave '%s' for a number", text);
    return 0;
}

static int copy_text(char **out, const char *text, struct err *err)
{
    char *copy = mem_dup(text);
    if (!copy)
        return err_nomem(err);
    free(*out);
    *out = copy;
    return 0;
}

static int take_session(struct look *look, const struct fact *f, struct err *err)
{
    int64_t pid;
    if (read_count(f->cell[3], err, &pid) != 0)
        return -1;
    look->backend_pid = (int)pid;
    look->in_recovery = is_true(f->cell[4]);
    look->read_only = look->in_recovery || is_true(f->cell[5]);
    look->may_create_schema = is_true(f->cell[6]);
    if (copy_text(&look->server_version, f->cell[1], err) != 0)
        return -1;
    return copy_text(&look->user, f->cell[2], err);
}

static int take_role(struct look *look, const struct fact *f, struct err *err)
{
    look->superuser = is_true(f->cell[1]);
    return *f->cell[2] ? copy_text(&look->user_ends, f->cell[2], err) : 0;
}

static int take_schema(struct look *look, const struct fact *f, struct err *err)
{
    (void)err; /* can't fail; the table below wants one shape */
    look->schema_exists = true;
    look->schema_usage = is_true(f->cell[1]);
    look->schema_create = is_true(f->cell[2]);
    return 0;
}

static int take_owner(struct look *look, const struct fact *f, struct err *err)
{
    (void)err; /* as above */
    look->owner_exists = true;
    look->owner_member = is_true(f->cell[1]);
    look->owner_may_create_schema = is_true(f->cell[2]);
    look->owner_schema_create = is_true(f->cell[3]);
    look->owner_settable = is_true(f->cell[4]);
    return 0;
}

static int take_rows(struct look *look, const char *xml, struct err *err)
{
    for (const char *at = xml; (at = strstr(at, "<h>")) != NULL;) {
        AUTO_BUF id = BUF_INIT(ID_BYTES);
        for (at += strlen("<h>"); str_hex_digit(at[0]) >= 0 && str_hex_digit(at[1]) >= 0; at += 2)
            buf_addc(&id, (char)(str_hex_digit(at[0]) * 16 + str_hex_digit(at[1])));
        if (buf_check(&id, ERR_DB_STATE, "a row of the version table", err) != 0 ||
            names_add(&look->rows, buf_text(&id), err) != 0)
            return -1;
    }
    if (look->rows.count > LOOK_MAX_ROWS)
        return err_set(err, ERR_DB_STATE, "the version table has more than %d rows", LOOK_MAX_ROWS);
    return 0;
}

static int take_version(struct look *look, const struct fact *f, struct err *err)
{
    int64_t width = 0;
    if (*f->cell[3] && read_count(f->cell[3], err, &width) != 0)
        return -1;
    look->version_exists = true;
    look->version_is_alembics = is_true(f->cell[1]);
    look->version_readable = is_true(f->cell[2]);
    look->version_width = width > MODIFIER_HEADER ? (size_t)(width - MODIFIER_HEADER) : 0;
    if (copy_text(&look->version_owner, f->cell[4], err) != 0)
        return -1;
    return take_rows(look, f->cell[5], err);
}

static int add_qualified(struct names *to, const char *word, const char *schema, const char *name,
                         struct err *err)
{
    AUTO_BUF text = BUF_INIT(ID_BYTES);
    buf_addf(&text, "%s%s%s.%s", word, *word ? " " : "", schema, name);
    if (buf_check(&text, ERR_DEFECT, "an object's name", err) != 0)
        return -1;
    return names_add(to, buf_text(&text), err);
}

static int take_elsewhere(struct look *look, const struct fact *f, struct err *err)
{
    look->elsewhere_is_managed = look->elsewhere_is_managed || is_true(f->cell[3]);
    return add_qualified(&look->elsewhere, "", f->cell[1], f->cell[2], err);
}

static const struct {
    char kind; /* pg_class.relkind, and T and F for types and functions */
    const char *word;
    size_t offset; /* of its count */
} kinds[] = {
    {'r', "table", offsetof(struct look_counts, tables)},
    {'p', "partitioned table", offsetof(struct look_counts, tables)},
    {'f', "foreign table", offsetof(struct look_counts, tables)},
    {'v', "view", offsetof(struct look_counts, views)},
    {'m', "materialized view", offsetof(struct look_counts, views)},
    {'S', "sequence", offsetof(struct look_counts, sequences)},
    {'T', "type", offsetof(struct look_counts, types)},
    {'F', "function", offsetof(struct look_counts, functions)},
};

static int unknown_kind(const char *kind, struct err *err)
{
    return err_set(err, ERR_DEFECT, "the look at the catalogs gave an object of kind '%s'", kind);
}

static int take_counts(struct look *look, const struct fact *f, struct err *err)
{
    int64_t count;
    if (read_count(f->cell[2], err, &count) != 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (f->cell[1][0] == kinds[i].kind) {
            size_t *total = (size_t *)(void *)((char *)&look->counts + kinds[i].offset);
            *total += (size_t)count;
            return 0;
        }
    return unknown_kind(f->cell[1], err);
}

static int take_object(struct look *look, const struct fact *f, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (f->cell[1][0] == kinds[i].kind)
            return add_qualified(&look->objects, kinds[i].word, f->cell[2], f->cell[3], err);
    return unknown_kind(f->cell[1], err);
}

static int take_hidden(struct look *look, const struct fact *f, struct err *err)
{
    return names_add(&look->hidden, f->cell[1], err);
}

static int take_index(struct look *look, const struct fact *f, struct err *err)
{
    return add_qualified(&look->invalid_indexes, "", f->cell[1], f->cell[2], err);
}

static int take_missing(struct look *look, const struct fact *f, struct err *err)
{
    return names_add(&look->missing, f->cell[1], err);
}

static int take_doubt(struct look *look, const struct fact *f, struct err *err)
{
    (void)f;
    (void)err; /* as above */
    look->is_doubtful = true;
    return 0;
}

static int take_fact(struct look *look, const struct fact *f, struct err *err)
{
    static const struct {
        const char *word;
        int (*take)(struct look *look, const struct fact *f, struct err *err);
    } facts[] = {
        {"session", take_session}, {"role", take_role},       {"schema", take_schema},
        {"owner", take_owner},     {"version", take_version}, {"elsewhere", take_elsewhere},
        {"count", take_counts},    {"object", take_object},   {"hidden", take_hidden},
        {"index", take_index},     {"missing", take_missing}, {"doubt", take_doubt},
    };
    for (size_t i = 0; i < ARRAY_LEN(facts); i++)
        if (str_eq(f->cell[0], facts[i].word))
            return facts[i].take(look, f, err);
    return err_set(err, ERR_DEFECT, "the look at the catalogs gave '%s'", f->cell[0]);
}

/* ---- facts that come as XML ------------------------------------------------------------------------ */

/* In place: what PostgreSQL puts in the place of four characters. */
static void decode_xml(char *text)
{
    static const struct {
        const char *entity;
        char character;
    } entities[] = {{"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&#x0d;", '\r'}};
    char *to = text;
    while (*text) {
        size_t i = 0;
        while (i < ARRAY_LEN(entities) && !str_starts(text, entities[i].entity))
            i++;
        text += i < ARRAY_LEN(entities) ? strlen(entities[i].entity) : 1;
        *to++ = i < ARRAY_LEN(entities) ? entities[i].character : text[-1];
    }
    *to = '\0';
}

/* "<fact>count</fact> <a>r</a>": cut in place. A NULL has no element. */
static int read_row(char *at, struct fact *out)
{
    static const char *const names[LOOK_COLUMNS] = {"fact", "a", "b", "c", "d", "e", "f"};
    for (size_t i = 0; i < LOOK_COLUMNS; i++)
        out->cell[i] = "";
    while ((at = strchr(at, '<')) != NULL) {
        size_t i = 0, length = strcspn(++at, ">");
        char *value = at + length + 1, *end = at[length] ? strchr(value, '<') : NULL;
        while (i < LOOK_COLUMNS && !(strlen(names[i]) == length && str_starts(at, names[i])))
            i++;
        if (!end || i == LOOK_COLUMNS)
            return -1;
        *end = '\0';
        at = end + 1 + strcspn(end + 1, ">"); /* behind the name of what ends */
        decode_xml(value);
        out->cell[i] = value;
    }
    return 0;
}

/* "<row xmlns:xsi=...>...</row>" for each fact; none where nothing is there. */
static int take_contents(struct look *look, const char *xml, struct err *err)
{
    AUTO_FREE char *text = mem_dup(xml);
    if (!text)
        return err_nomem(err);
    look->is_empty = *text == '\0';
    for (char *row = text, *end; (row = strstr(row, "<row")) != NULL; row = end + 1) {
        struct fact fact;
        char *start = strchr(row, '>');
        end = strstr(row, "</row>");
        if (!start || !end || end < start)
            return err_set(err, ERR_DEFECT,
                           "the look at the catalogs gave a row that does not end");
        *end = '\0';
        if (read_row(start + 1, &fact) != 0)
            return err_set(err, ERR_DEFECT, "the look at the catalogs gave a row of another shape");
        if (take_fact(look, &fact, err) != 0)
            return -1;
    }
    return 0;
}

int state_look_read(const struct db_results *results, size_t first, struct look *out,
                    struct err *err)
{
    AUTO_LOOK look = LOOK_INIT;
    if (first >= results->count || results->list[first].column_count != LOOK_COLUMNS)
        return err_set(err, ERR_DEFECT, "the look at the catalogs is not result %zu", first);
    const struct db_rows *rows = &results->list[first];
    for (size_t r = 0; r < rows->row_count; r++) {
        struct fact f;
        for (size_t c = 0; c < LOOK_COLUMNS; c++)
            f.cell[c] = db_cell(rows, r, c);
        bool many = str_eq(f.cell[0], "contents");
        if ((many ? take_contents(&look, f.cell[1], err) : take_fact(&look, &f, err)) != 0)
            return -1;
    }
    if (!look.user)
        return err_set(err, ERR_DEFECT, "the look at the catalogs says nothing of the session");
    *out = look;
    look = LOOK_INIT; /* moved */
    return 0;
}
