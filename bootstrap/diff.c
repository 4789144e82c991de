/* bootstrap/diff.c: two catalogs → what is different, object by object. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "bootstrap/diff_internal.h"

enum {
    TEXT_BYTES = 16 * 1024 *
                 1024, /* of one object with all that belongs to it, and of a closing line */
    DATE_LENGTH = 10,  /* "2027-01-31" */
};

struct comparison {
    struct diff_side a, b;
    const struct compare_options *options;
    struct diff_found *list;
    size_t count, capacity;
    struct arena *arena;
    char today[CLOCK_RFC3339_BYTES];
};

void differences_release(struct differences *d)
{
    if (!d)
        return;
    free(d->list);
    if (d->arena)
        arena_release(d->arena);
    free(d->arena);
    *d = (struct differences){0};
}

/* ---- sides ----------------------------------------------------------------------------------- */

static int side_init(struct diff_side *side, const struct catalog *catalog, struct err *err)
{
    side->catalog = catalog;
    side->match = mem_new(catalog->count + 1, sizeof(*side->match));
    side->parent = mem_new(catalog->count + 1, sizeof(*side->parent));
    if (!side->match || !side->parent)
        return err_nomem(err);
    for (size_t i = 0; i < catalog->count; i++) {
        const struct catalog_object *o = &catalog->objects[i], *parent = NULL;
        if (*o->parent)
            parent = catalog_find(catalog, o->parent_kind, o->parent);
        side->match[i] = DIFF_NONE;
        side->parent[i] = parent ? (size_t)(parent - catalog->objects) : DIFF_NONE;
    }
    return 0;
}

static void side_release(struct diff_side *side)
{
    free(side->match);
    free(side->parent);
}

/* ---- one difference -------------------------------------------------------------------------- */

static bool is_ignored(const struct comparison *c, const struct difference *d)
{
    for (size_t i = 0; i < c->options->ignore_count; i++) {
        const struct guard_ignore *ignore = &c->options->ignore[i];
        if (strncmp(c->today, ignore->until, DATE_LENGTH) <= 0 &&
            str_glob(ignore->kind, d->kind, strlen(d->kind)) &&
            str_glob(ignore->object, d->object, strlen(d->object)))
            return true;
    }
    return false;
}

/* The texts are copied: a difference outlives the catalogs. */
static int add(struct comparison *c, const struct difference *difference,
               const struct catalog_object *about, struct err *err)
{
    struct difference d = *difference;
    d.ignored = is_ignored(c, &d);
    const char **texts[] = {&d.kind, &d.object, &d.a, &d.b};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (*texts[i] && !(*texts[i] = arena_dup(c->arena, *texts[i])))
            return err_nomem(err);
    if (mem_grow(&c->list, c->count, &c->capacity, sizeof(*c->list)) != 0)
        return err_nomem(err);
    c->list[c->count++] = (struct diff_found){.difference = d, .about = about};
    return 0;
}

/* ---- objects that both sides have ------------------------------------------------------------ */

static int add_renamed(struct comparison *c, enum difference_class class_,
                       const struct catalog_object *x, const struct catalog_object *y,
                       struct err *err)
{
    AUTO_BUF a = BUF_INIT(TEXT_BYTES), b = BUF_INIT(TEXT_BYTES);
    buf_addf(&a, "%s: %s", x->word, x->definition);
    buf_addf(&b, "%s: %s", y->word, y->definition);
    if (buf_check(&a, ERR_DB_SQL, "a definition", err) != 0 ||
        buf_check(&b, ERR_DB_SQL, "a definition", err) != 0)
        return -1;
    const struct difference d = {
        .class_ = class_, .kind = x->kind, .object = x->name, .a = buf_text(&a), .b = buf_text(&b)};
    return add(c, &d, x->automatic_name ? y : x, err);
}

static int add_comment(struct comparison *c, const struct catalog_object *x,
                       const struct catalog_object *y, struct err *err)
{
    if (str_eq(x->cosmetic, y->cosmetic))
        return 0;
    AUTO_BUF object = BUF_INIT(TEXT_BYTES);
    buf_addf(&object, "%s %s", x->kind, x->name);
    if (buf_check(&object, ERR_DB_SQL, "a name", err) != 0)
        return -1;
    const struct difference d = {.class_ = DIFFERENCE_COSMETIC,
                                 .kind = "comment",
                                 .object = buf_text(&object),
                                 .a = *x->cosmetic ? x->cosmetic : NULL,
                                 .b = *y->cosmetic ? y->cosmetic : NULL};
    return add(c, &d, x, err);
}

static int compare_pair(struct comparison *c, const struct catalog_object *x,
                        const struct catalog_object *y, struct err *err)
{
    bool same_name = str_eq(x->name, y->name), same = str_eq(x->definition, y->definition);
    enum difference_class class_ = DIFFERENCE_COSMETIC;
    if (!same)
        class_ = str_eq(x->loose, y->loose) ? DIFFERENCE_TEXTUAL : DIFFERENCE_SEMANTIC;
    if ((!same_name && !(x->automatic_name && y->automatic_name)) || x->broken || y->broken)
        class_ = DIFFERENCE_SEMANTIC;
    if (add_comment(c, x, y, err) != 0)
        return -1;
    if (!same_name)
        return add_renamed(c, class_, x, y, err);
    if (same && !x->broken)
        return 0;
    const struct difference d = {.class_ = class_,
                                 .kind = x->kind,
                                 .object = x->name,
                                 .a = x->definition,
                                 .b = y->definition};
    return add(c, &d, x, err);
}

/* ---- objects that one side has --------------------------------------------------------------- */

static bool is_alone(const struct diff_side *side, size_t i)
{
    return side->match[i] == DIFF_NONE;
}

/* What belongs to it goes with it, but for a schema: what lies in one stands for itself. */
static bool goes_with_parent(const struct diff_side *side, size_t i)
{
    return side->parent[i] != DIFF_NONE && is_alone(side, side->parent[i]);
}

static void add_parts(const struct diff_side *side, size_t parent, struct buf *out)
{
    for (size_t i = 0; i < side->catalog->count; i++) {
        const struct catalog_object *o = &side->catalog->objects[i];
        if (side->parent[i] != parent || !is_alone(side, i))
            continue;
        buf_addf(out, "\n%s", o->kind);
        if (str_eq(o->kind, "grant")) /* the word is the granted object's */
            buf_addf(out, " %s", o->name);
        else if (*o->word)
            buf_addf(out, " %s", o->word);
        buf_addf(out, ": %s", o->definition);
    }
}

static int add_lonely(struct comparison *c, const struct diff_side *side, size_t i, bool is_a,
                      struct err *err)
{
    const struct catalog_object *o = &side->catalog->objects[i];
    AUTO_BUF text = BUF_INIT(TEXT_BYTES);
    buf_adds(&text, o->definition);
    add_parts(side, i, &text);
    if (buf_check(&text, ERR_DB_SQL, "a definition", err) != 0)
        return -1;
    const struct difference d = {.class_ = DIFFERENCE_SEMANTIC,
                                 .kind = o->kind,
                                 .object = o->name,
                                 .a = is_a ? buf_text(&text) : NULL,
                                 .b = is_a ? NULL : buf_text(&text)};
    return add(c, &d, o, err);
}

static int compare_objects(struct comparison *c, struct err *err)
{
    for (size_t i = 0; i < c->a.catalog->count; i++) {
        int result = 0;
        if (!is_alone(&c->a, i))
            result = compare_pair(c, &c->a.catalog->objects[i],
                                  &c->b.catalog->objects[c->a.match[i]], err);
        else if (!goes_with_parent(&c->a, i))
            result = add_lonely(c, &c->a, i, true, err);
        if (result != 0)
            return -1;
    }
    for (size_t i = 0; i < c->b.catalog->count; i++)
        if (is_alone(&c->b, i) && !goes_with_parent(&c->b, i) &&
            add_lonely(c, &c->b, i, false, err) != 0)
            return -1;
    return 0;
}

/* ---- the order of columns -------------------------------------------------------------------- */

struct placed {
    size_t table;
    long a, b; /* positions */
    const char *word;
};

static int by_place_in_a(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    if (x->table != y->table)
        return x->table < y->table ? -1 : 1;
    return (x->a > y->a) - (x->a < y->a);
}

static int by_place_in_b(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    return (x->b > y->b) - (x->b < y->b);
}

static void add_words(const struct placed *list, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++)
        buf_addf(out, i ? ", %s" : "%s", list[i].word);
}

/* The columns of one table that both sides have, in A's order. */
static int compare_order(struct comparison *c, struct placed *list, size_t count, struct err *err)
{
    bool same = true;
    for (size_t i = 1; i < count; i++)
        same = same && list[i - 1].b < list[i].b;
    if (same)
        return 0;
    AUTO_BUF a = BUF_INIT(TEXT_BYTES), b = BUF_INIT(TEXT_BYTES);
    const struct catalog_object *table = &c->a.catalog->objects[list[0].table];
    add_words(list, count, &a);
    qsort(list, count, sizeof(*list), by_place_in_b);
    add_words(list, count, &b);
    if (buf_check(&a, ERR_DB_SQL, "a table's columns", err) != 0 ||
        buf_check(&b, ERR_DB_SQL, "a table's columns", err) != 0)
        return -1;
    const struct difference d = {.class_ = DIFFERENCE_SEMANTIC,
                                 .kind = "column order",
                                 .object = table->name,
                                 .a = buf_text(&a),
                                 .b = buf_text(&b)};
    return add(c, &d, table, err);
}

static int compare_orders(struct comparison *c, struct err *err)
{
    size_t count = 0, next;
    AUTO_FREE struct placed *list = mem_new(c->a.catalog->count + 1, sizeof(*list));
    if (!list)
        return err_nomem(err);
    for (size_t i = 0; i < c->a.catalog->count; i++) {
        const struct catalog_object *o = &c->a.catalog->objects[i];
        if (o->position > 0 && !is_alone(&c->a, i) && c->a.parent[i] != DIFF_NONE)
            list[count++] = (struct placed){c->a.parent[i], o->position,
                                            c->b.catalog->objects[c->a.match[i]].position, o->word};
    }
    qsort(list, count, sizeof(*list), by_place_in_a);
    for (size_t i = 0; i < count; i = next) {
        for (next = i + 1; next < count && list[next].table == list[i].table;)
            next++;
        if (compare_order(c, list + i, next - i, err) != 0)
            return -1;
    }
    return 0;
}

/* ---- the closing lines ----------------------------------------------------------------------- */

static size_t count_kind(const struct catalog *catalog, size_t *at, const char *kind)
{
    size_t first = *at;
    while (*at < catalog->count && str_eq(catalog->objects[*at].kind, kind))
        (*at)++;
    return *at - first;
}

static void add_plural(const char *kind, struct buf *out)
{
    size_t length = strlen(kind);
    if (str_ends(kind, "policy"))
        buf_addf(out, "%.*sies", (int)length - 1, kind);
    else if (str_ends(kind, "index"))
        buf_addf(out, "%ses", kind);
    else
        buf_addf(out, str_ends(kind, "s") || str_eq(kind, "inheritance") ? "%s" : "%ss", kind);
}

/* "12 tables, 80 and 81 columns": both lists are sorted by kind. */
static void add_counts(const struct comparison *c, struct buf *out)
{
    const struct catalog *a = c->a.catalog, *b = c->b.catalog;
    for (size_t i = 0, j = 0; i < a->count || j < b->count;) {
        const char *kind = i < a->count ? a->objects[i].kind : b->objects[j].kind;
        if (i < a->count && j < b->count && strcmp(b->objects[j].kind, kind) < 0)
            kind = b->objects[j].kind;
        if (out->len > 0)
            buf_adds(out, ", ");
        size_t x = count_kind(a, &i, kind), y = count_kind(b, &j, kind);
        if (x == y)
            buf_addf(out, "%zu ", x);
        else
            buf_addf(out, "%zu and %zu ", x, y);
        if (x == 1 && y == 1)
            buf_adds(out, kind);
        else
            add_plural(kind, out);
    }
    if (out->len == 0)
        buf_adds(out, "nothing: both schemas are empty");
    else
        buf_adds(out, "; not the rows in them");
}

static void add_expired(const struct comparison *c, struct buf *out)
{
    for (size_t i = 0; i < c->options->ignore_count; i++) {
        const struct guard_ignore *ignore = &c->options->ignore[i];
        if (strncmp(c->today, ignore->until, DATE_LENGTH) > 0)
            buf_addf(out, "; guard.ignore of %s '%s' has expired (%s)", ignore->kind,
                     ignore->object, ignore->until);
    }
}

static int close_lines(const struct comparison *c, struct differences *out, struct err *err)
{
    const char *a = c->a.catalog->not_compared, *b = c->b.catalog->not_compared;
    AUTO_BUF compared = BUF_INIT(TEXT_BYTES), rest = BUF_INIT(TEXT_BYTES);
    add_counts(c, &compared);
    add_expired(c, &compared);
    if (str_eq(a, b))
        buf_adds(&rest, a);
    else
        buf_addf(&rest, "A has %s; B has %s", *a ? a : "nothing", *b ? b : "nothing");
    if (buf_check(&compared, ERR_DEFECT, "what was compared", err) != 0 ||
        buf_check(&rest, ERR_DEFECT, "what was not compared", err) != 0)
        return -1;
    out->compared = arena_dup(c->arena, buf_text(&compared));
    out->not_compared = arena_dup(c->arena, buf_text(&rest));
    return out->compared && out->not_compared ? 0 : err_nomem(err);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static int by_class(const void *a, const void *b)
{
    const struct difference *x = &((const struct diff_found *)a)->difference;
    const struct difference *y = &((const struct diff_found *)b)->difference;
    if (x->class_ != y->class_)
        return x->class_ < y->class_ ? -1 : 1;
    int order = strcmp(x->kind, y->kind);
    return order ? order : strcmp(x->object, y->object);
}

/* Server, encoding, locale, the database's settings and rights: not of the schema, but worth a
 * line. */
static int compare_context(struct comparison *c, struct err *err)
{
    const struct difference d = {.class_ = DIFFERENCE_COSMETIC,
                                 .kind = "database",
                                 .object = "server and settings",
                                 .a = c->a.catalog->context,
                                 .b = c->b.catalog->context};
    return str_eq(d.a, d.b) ? 0 : add(c, &d, NULL, err);
}

static int compare_all(struct comparison *c, struct err *err)
{
    if (side_init(&c->a, c->a.catalog, err) != 0 || side_init(&c->b, c->b.catalog, err) != 0 ||
        diff_match(&c->a, &c->b, err) != 0 || compare_objects(c, err) != 0 ||
        compare_context(c, err) != 0)
        return -1;
    if (c->options->strict_order && compare_orders(c, err) != 0)
        return -1;
    if (diff_find_revisions(c->options, c->list, c->count, err) != 0)
        return -1;
    if (c->count > 0)
        qsort(c->list, c->count, sizeof(*c->list), by_class);
    return 0;
}

static int take_list(const struct comparison *c, struct differences *out, struct err *err)
{
    size_t *const totals[] = {[DIFFERENCE_SEMANTIC] = &out->semantic,
                              [DIFFERENCE_TEXTUAL] = &out->textual,
                              [DIFFERENCE_COSMETIC] = &out->cosmetic};
    out->list = mem_new(c->count + 1, sizeof(*out->list));
    if (!out->list)
        return err_nomem(err);
    for (size_t i = 0; i < c->count; i++) {
        struct difference *d = &out->list[out->count++];
        *d = c->list[i].difference;
        if (d->revision && !(d->revision = arena_dup(c->arena, d->revision)))
            return err_nomem(err);
        if (d->ignored)
            out->ignored++;
        else
            (*totals[d->class_])++;
    }
    return close_lines(c, out, err);
}

int catalog_compare(const struct catalog *a, const struct catalog *b,
                    const struct compare_options *options, struct differences *out, struct err *err)
{
    struct differences made = {.arena = mem_new(1, sizeof(struct arena))};
    struct comparison c = {.options = options, .arena = made.arena};
    if (!made.arena)
        return err_nomem(err);
    clock_rfc3339(clock_unix_seconds(), c.today);
    c.a.catalog = a;
    c.b.catalog = b;
    int result = compare_all(&c, err);
    if (result == 0)
        result = take_list(&c, &made, err);
    side_release(&c.a);
    side_release(&c.b);
    free(c.list);
    if (result != 0) {
        differences_release(&made);
        return -1;
    }
    *out = made;
    return 0;
}
