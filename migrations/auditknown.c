/* migrations/auditknown.c: what the chain of migrations has made so far.
 *
 * The offline SQL starts from nothing, so every table and the type of each of its columns is known
 * when a later statement changes it. That tells a change of type that only relabels from one that
 * writes the table anew, and a lock that nobody can wait for from one that everybody does. */
#include "migrations/auditparts.h"

#include <string.h>

#include "base/str.h"

enum {
    KNOWN_BUCKETS = 1024,
    KNOWN_TYPE_BYTES = 64, /* of a type's name without its modifiers */
};

struct known_column {
    struct known_column *next;
    const char *name, *type;
    size_t revision;
};

struct known_table {
    struct known_table *next;
    const char *schema, *name;
    struct known_column *columns;
    size_t revision; /* that made it */
};

struct audit_known {
    struct arena *arena;
    struct known_table *buckets[KNOWN_BUCKETS];
    size_t revision;
};

struct audit_known *audit_known_new(struct arena *a)
{
    struct audit_known *k = arena_new(a, 1, sizeof(*k));
    if (k)
        k->arena = a;
    return k;
}

void audit_known_begin(struct audit_known *k, size_t revision)
{
    k->revision = revision;
}

/* ---- tables ---------------------------------------------------------------------------------- */

static size_t bucket_of(const char *name)
{
    size_t hash = 5381;
    for (; *name; name++)
        hash = hash * 33 + (unsigned char)*name;
    return hash % KNOWN_BUCKETS;
}

static struct known_table *find_table(const struct audit_known *k, const char *schema,
                                      const char *name)
{
    struct known_table *t = k->buckets[bucket_of(name)];
    while (t && (!str_eq(t->name, name) || !str_eq(t->schema, schema)))
        t = t->next;
    return t;
}

static struct known_column *find_column(const struct known_table *t, const char *name)
{
    struct known_column *c = t ? t->columns : NULL;
    while (c && !str_eq(c->name, name))
        c = c->next;
    return c;
}

static void forget_table(struct audit_known *k, const struct known_table *t)
{
    struct known_table **place = &k->buckets[bucket_of(t->name)];
    while (*place != t)
        place = &(*place)->next;
    *place = t->next;
}

int audit_known_table(struct audit_known *k, const char *schema, const char *table)
{
    struct known_table *t = find_table(k, schema, table);
    if (t) /* made again: what it was before no longer holds */
        forget_table(k, t);
    t = arena_new(k->arena, 1, sizeof(*t));
    char *kept_schema = arena_dup(k->arena, schema), *kept = arena_dup(k->arena, table);
    if (!t || !kept_schema || !kept)
        return -1;
    struct known_table **place = &k->buckets[bucket_of(table)];
    *t = (struct known_table){
        .next = *place, .schema = kept_schema, .name = kept, .revision = k->revision};
    *place = t;
    return 0;
}

int audit_known_column(struct audit_known *k, const char *schema, const char *table,
                       const char *column, const char *type)
{
    struct known_table *t = find_table(k, schema, table);
    struct known_column *c = find_column(t, column);
    char *kept_type = arena_dup(k->arena, type);
    if (!kept_type)
        return -1;
    if (c)
        c->type = kept_type;
    if (c || !t) /* a table that the chain did not make has no columns that we know */
        return 0;
    c = arena_new(k->arena, 1, sizeof(*c));
    char *name = arena_dup(k->arena, column);
    if (!c || !name)
        return -1;
    *c = (struct known_column){
        .next = t->columns, .name = name, .type = kept_type, .revision = k->revision};
    t->columns = c;
    return 0;
}

int audit_known_rename(struct audit_known *k, const char *schema, const char *table,
                       const char *column, const char *name)
{
    struct known_table *t = find_table(k, schema, table);
    struct known_column *c = column ? find_column(t, column) : NULL;
    if (!t || (column && !c))
        return 0;
    char *kept = arena_dup(k->arena, name);
    if (!kept)
        return -1;
    if (c) {
        c->name = kept;
        return 0;
    }
    forget_table(k, t);
    t->name = kept;
    struct known_table **place = &k->buckets[bucket_of(kept)];
    t->next = *place;
    *place = t;
    return 0;
}

void audit_known_drop(struct audit_known *k, const char *schema, const char *table,
                      const char *column)
{
    struct known_table *t = find_table(k, schema, table);
    if (!t)
        return;
    if (!column) {
        forget_table(k, t);
        return;
    }
    struct known_column **place = &t->columns;
    while (*place && !str_eq((*place)->name, column))
        place = &(*place)->next;
    if (*place)
        *place = (*place)->next;
}

bool audit_known_is_there(const struct audit_known *k, const char *schema, const char *table)
{
    return find_table(k, schema, table) != NULL;
}

bool audit_known_is_new(const struct audit_known *k, const char *schema, const char *table)
{
    const struct known_table *t = find_table(k, schema, table);
    return t && t->revision == k->revision;
}

bool audit_known_column_is_new(const struct audit_known *k, const char *schema, const char *table,
                               const char *column)
{
    const struct known_column *c = find_column(find_table(k, schema, table), column);
    return c && c->revision == k->revision;
}

const char *audit_known_type(const struct audit_known *k, const char *schema, const char *table,
                             const char *column)
{
    const struct known_column *c = find_column(find_table(k, schema, table), column);
    return c ? c->type : NULL;
}

/* ---- types ----------------------------------------------------------------------------------- */

/* "numeric(10,2)" taken apart: the name, and up to two numbers; -1 where there is none. */
struct known_type {
    char name[KNOWN_TYPE_BYTES];
    int64_t first, second;
};

static bool read_type(const char *text, struct known_type *out)
{
    size_t length = strcspn(text, "(");
    const char *name = text, *number = text + length;
    size_t name_length = length;
    *out = (struct known_type){.first = -1, .second = -1};
    str_trim(&name, &name_length);
    if (name_length >= sizeof(out->name))
        return false;
    memcpy(out->name, name, name_length);
    if (*number == '\0')
        return true;
    number++;
    size_t digits = strcspn(number, ",)");
    if (str_to_int64(number, digits, &out->first) != 0)
        return false;
    number += digits;
    if (*number == ',' && str_to_int64(number + 1, strcspn(number + 1, ")"), &out->second) != 0)
        return false;
    number += strcspn(number, ")");
    return str_eq(number, ")"); /* an array, or words behind the modifiers: not looked into */
}

static bool is_text(const struct known_type *t)
{
    return str_eq(t->name, "text") || str_eq(t->name, "character varying");
}

/* Whether values of both have the same bytes, so that only the limit can be another. */
static bool is_relabel(const struct known_type *old, const struct known_type *new)
{
    if (is_text(old) && is_text(new))
        return true;
    return str_eq(old->name, new->name) &&
           (str_eq(old->name, "numeric") || str_eq(old->name, "bit varying"));
}

/* Whether every value of the old type is within the new one's limits. */
static bool is_wider(const struct known_type *old, const struct known_type *new)
{
    if (new->first < 0)
        return true;
    if (old->first < 0 || new->first < old->first)
        return false;
    return !str_eq(new->name, "numeric") || old->second == new->second ||
           (old->second <= 0 && new->second <= 0);
}

/* Types each of whose values fits one of the others behind it, in another form. */
static bool is_promotion(const struct known_type *old, const struct known_type *new)
{
    static const char *const ladder[] = {"smallint", "integer", "bigint", "numeric"};
    size_t from = ARRAY_LEN(ladder), to = ARRAY_LEN(ladder);
    for (size_t i = 0; i < ARRAY_LEN(ladder); i++) {
        from = str_eq(old->name, ladder[i]) ? i : from;
        to = str_eq(new->name, ladder[i]) ? i : to;
    }
    return from < to && to < ARRAY_LEN(ladder) && new->first < 0;
}

void audit_type_change(const char *old, const char *new, enum audit_answer *rewrites,
                       enum audit_answer *destructive)
{
    struct known_type before, after;
    *rewrites = *destructive = ANSWER_MAYBE;
    if (!old)
        return;
    if (str_eq(old, new)) {
        *rewrites = *destructive = ANSWER_NO;
        return;
    }
    if (!read_type(old, &before) || !read_type(new, &after))
        return;
    if (is_relabel(&before, &after)) {
        bool wider = is_wider(&before, &after);
        *rewrites = wider ? ANSWER_NO : ANSWER_YES;
        *destructive = wider ? ANSWER_NO : ANSWER_MAYBE;
        return;
    }
    *rewrites = ANSWER_YES;
    if (is_promotion(&before, &after) || (is_text(&after) && after.first < 0))
        *destructive = ANSWER_NO;
    /* "timestamp" to "timestamp with time zone" keeps its bytes where the session's zone is UTC */
    if (str_starts(before.name, "timestamp") && str_starts(after.name, "timestamp")) {
        *rewrites = ANSWER_MAYBE;
        *destructive = before.first == after.first ? ANSWER_NO : ANSWER_MAYBE;
    }
}
