/* migrations/auditlive.c: what `guard --each` saw a revision do, beside what it asks for.
 *
 * A record is a line for each object of the catalog that is another one now. Catalog and statement
 * name things in different ways (a column of a new table is a part of that table's line), so the
 * two are held against each other by names alone: a change whose name no operation has was not
 * asked for, and an operation on a table that was there before, of which no change tells, did
 * nothing. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/str.h"
#include "migrations/auditparts.h"
#include "migrations/sqlparts.h"

/* ---- reading --------------------------------------------------------------------------------- */

/* As guard names it: a slash in an id would lead out of the folder. */
static char *path_of(struct arena *a, const char *folder, size_t number, const char *id)
{
    char *path = arena_printf(a, "%s/%03zu_%s.jsonl", folder, number, id);
    for (char *c = path ? path + strlen(path) - strlen(id) - strlen(".jsonl") : NULL; c && *c; c++)
        *c = *c == '/' ? '-' : *c;
    return path;
}

static int bad_line(const char *path, unsigned line, struct err *err)
{
    err_set(err, ERR_FILE, "%s:%u: this is no line of `agent guard --each`", path, line);
    return err_at(err, path, line, 0);
}

static int read_line(struct arena *a, const char *text, const char *id, struct audit_change *out)
{
    const char *revision = sql_tree_text(a, sql_tree_member(text, "revision"));
    const char *word = sql_tree_text(a, sql_tree_member(text, "change"));
    const char *kind = sql_tree_text(a, sql_tree_member(text, "kind"));
    const char *object = sql_tree_text(a, sql_tree_member(text, "object"));
    if (!revision || !word || !kind || !object || !str_eq(revision, id))
        return -1;
    *out = (struct audit_change){.change = word, .kind = kind, .object = object};
    return 0;
}

static int read_lines(struct arena *a, const char *path, const char *id, const struct buf *text,
                      struct audit_live *out, struct err *err)
{
    size_t count = 0;
    for (const char *p = buf_text(text); (p = strchr(p, '\n')); p++)
        count++;
    out->list = arena_new(a, count + 1, sizeof(*out->list));
    if (!out->list)
        return err_nomem(err);
    for (const char *p = buf_text(text); *p;) {
        size_t length = strcspn(p, "\n");
        const char *line = arena_dup_n(a, p, length);
        if (!line)
            return err_nomem(err);
        if (p[length] != '\n' || *line != '{' ||
            read_line(a, line, id, &out->list[out->count]) != 0)
            return bad_line(path, (unsigned)out->count + 1, err);
        out->count++;
        p += length + 1;
    }
    return 0;
}

int audit_read_live(struct arena *a, const char *folder, size_t number, const char *id,
                    struct audit_live *out, struct err *err)
{
    AUTO_BUF text = BUF_INIT(AUDIT_FILE_MAX_BYTES);
    struct audit_live live = {.recorded = true};
    struct stat st;
    const char *path = path_of(a, folder, number, id);
    if (!path)
        return err_nomem(err);
    if (stat(path, &st) != 0 && errno == ENOENT) {
        err_set(err, ERR_FILE, "'%s' is not there: revision '%s' was not run by itself", path, id);
        err_at(err, path, 0, 0);
        return err_hint(err, "Run `agent guard --each %s` again, with these migrations.", folder);
    }
    if (file_read_all(path, &text, err) != 0 || read_lines(a, path, id, &text, &live, err) != 0)
        return -1;
    *out = live;
    return 0;
}

/* ---- comparing ------------------------------------------------------------------------------- */

/* "public.users.name" from behind: the part before END, without the arguments of a function. */
static const char *last_part(const char *object, size_t *end, size_t *length)
{
    size_t stop = *end, start;
    for (start = stop; start > 0 && object[start - 1] != '.'; start--)
        ;
    *length = stop - start;
    *end = start > 0 ? start - 1 : 0;
    return object + start;
}

/* Whether WORD is in a list "a, b"; quotes that the catalog puts around a name are none of it. */
static bool has_word(const char *list, const char *word, size_t length)
{
    if (length > 2 && *word == '"') {
        word++;
        length -= 2;
    }
    while (*list) {
        size_t size = strcspn(list, ",");
        if (size == length && memcmp(list, word, length) == 0)
            return true;
        list += size + (list[size] == ',');
        list += *list == ' ';
    }
    return false;
}

/* Operations whose object brings others along: the columns of a view, the parts of a table. */
static bool is_whole(const struct audit_op *op)
{
    return str_eq(op->object_type, "table") || strstr(op->object_type, "view") ||
           str_eq(op->object_type, "type");
}

static bool names(const struct audit_op *op, const struct audit_change *change)
{
    size_t end = strcspn(change->object, "("), length, parent_length;
    const char *name = last_part(change->object, &end, &length);
    const char *parent = last_part(change->object, &end, &parent_length);
    if (has_word(op->object, name, length) || has_word(op->column, name, length))
        return true;
    if (strstr(op->detail, "to ") && has_word(strstr(op->detail, "to ") + 3, name, length))
        return true; /* the new name */
    return is_whole(op) && parent != name && has_word(op->object, parent, parent_length);
}

static bool is_asked_for(const struct audit_revision *r, const struct audit_change *change)
{
    for (size_t i = 0; i < r->ops.count; i++) {
        if (names(&r->ops.list[i], change))
            return true;
    }
    return false;
}

/* Only what the catalog shows under a name of its own. */
static bool should_be_seen(const struct audit_op *op)
{
    const char *type = op->object_type;
    return !op->on_new && *op->object && op->kind != KIND_ADD_FOREIGN_KEY &&
           op->kind != KIND_VALIDATE_CONSTRAINT && op->kind != KIND_REINDEX &&
           op->kind != KIND_REINDEX_CONCURRENTLY && op->kind != KIND_COMMENT &&
           op->kind != KIND_LOCK && op->kind != KIND_VACUUM && op->kind != KIND_ANALYZE &&
           op->kind != KIND_CLUSTER &&
           (str_eq(type, "table") || str_eq(type, "column") || str_eq(type, "index") ||
            str_eq(type, "constraint"));
}

/* A table that comes, goes or has another name now is one line, with all that is on it. */
static bool is_of_whole_table(const struct audit_op *op, const struct audit_change *change)
{
    size_t end = strlen(change->object), length;
    const char *name = last_part(change->object, &end, &length);
    return *op->table && str_eq(change->kind, "table") && has_word(op->table, name, length);
}

static bool is_seen(const struct audit_revision *r, const struct audit_op *op)
{
    for (size_t i = 0; i < r->live.count; i++) {
        if (names(op, &r->live.list[i]) || is_of_whole_table(op, &r->live.list[i]))
            return true;
    }
    return false;
}

bool audit_live_differs(const struct audit_revision *r)
{
    for (size_t i = 0; i < r->live.count; i++) {
        if (!is_asked_for(r, &r->live.list[i]))
            return true;
    }
    for (size_t i = 0; r->live.recorded && i < r->ops.count; i++) {
        if (should_be_seen(&r->ops.list[i]) && !is_seen(r, &r->ops.list[i]))
            return true;
    }
    return false;
}

void audit_write_live(const struct audit_revision *r, struct buf *out)
{
    if (!r->live.recorded)
        return;
    buf_adds(out, "\n## What happened\n\n");
    if (r->live.count == 0)
        buf_adds(out, "A live run (`agent guard --each`) changed nothing in the catalog.\n");
    else
        buf_adds(out, "In a live run (`agent guard --each`), by the catalog:\n\n"
                      "| change | kind | object | asked for |\n|---|---|---|---|\n");
    for (size_t i = 0; i < r->live.count; i++) {
        const struct audit_change *c = &r->live.list[i];
        buf_adds(out, "| ");
        audit_add_markdown(out, c->change);
        buf_adds(out, " | ");
        audit_add_markdown(out, c->kind);
        buf_adds(out, " | ");
        audit_add_code(out, c->object);
        buf_addf(out, " | %s |\n", is_asked_for(r, c) ? "yes" : "no: not in the offline SQL");
    }
    bool first = true;
    for (size_t i = 0; i < r->ops.count; i++) {
        if (!should_be_seen(&r->ops.list[i]) || is_seen(r, &r->ops.list[i]))
            continue;
        buf_addf(out, "%s- Operation %zu, %s, was asked for and changed nothing.\n",
                 first ? "\n" : "", i + 1, audit_kinds[r->ops.list[i].kind].word);
        first = false;
    }
}
