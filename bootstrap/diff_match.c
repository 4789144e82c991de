/* bootstrap/diff_match.c: which object of one side is which of the other. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "bootstrap/diff_internal.h"

struct candidate {
    const struct catalog_object *object;
    size_t index;
};

typedef int compare_candidates(const void *a, const void *b);

static int by_parts(const char *const a[static 3], const char *const b[static 3])
{
    for (size_t i = 0; i < 3; i++) {
        int order = a[i] == b[i] ? 0 : strcmp(a[i], b[i]);
        if (order != 0)
            return order;
    }
    return 0;
}

static int by_name_and_loose(const void *a, const void *b)
{
    const struct catalog_object *x = ((const struct candidate *)a)->object;
    const struct catalog_object *y = ((const struct candidate *)b)->object;
    return by_parts((const char *const[]){x->kind, x->name, x->loose},
                    (const char *const[]){y->kind, y->name, y->loose});
}

static int by_definition(const void *a, const void *b)
{
    const struct catalog_object *x = ((const struct candidate *)a)->object;
    const struct catalog_object *y = ((const struct candidate *)b)->object;
    return by_parts((const char *const[]){x->kind, x->parent, x->definition},
                    (const char *const[]){y->kind, y->parent, y->definition});
}

static int by_loose(const void *a, const void *b)
{
    const struct catalog_object *x = ((const struct candidate *)a)->object;
    const struct catalog_object *y = ((const struct candidate *)b)->object;
    return by_parts((const char *const[]){x->kind, x->parent, x->loose},
                    (const char *const[]){y->kind, y->parent, y->loose});
}

static int by_name(const void *a, const void *b)
{
    const struct catalog_object *x = ((const struct candidate *)a)->object;
    const struct catalog_object *y = ((const struct candidate *)b)->object;
    return by_parts((const char *const[]){x->kind, x->name, ""},
                    (const char *const[]){y->kind, y->name, ""});
}

/* Its name can be another while it is the same thing. */
static bool is_known_by_definition(const struct catalog_object *o)
{
    static const char *const kinds[] = {"constraint", "index", "sequence", "statistics"};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eq(o->kind, kinds[i]))
            return *o->parent != '\0';
    return false;
}

/* Those without a match yet, in order. */
static struct candidate *candidates(const struct diff_side *side, bool by_what_it_is,
                                    compare_candidates *compare, size_t *count)
{
    const struct catalog *c = side->catalog;
    struct candidate *list = mem_new(c->count + 1, sizeof(*list));
    *count = 0;
    if (!list)
        return NULL;
    for (size_t i = 0; i < c->count; i++)
        if (side->match[i] == DIFF_NONE &&
            (!by_what_it_is || is_known_by_definition(&c->objects[i])))
            list[(*count)++] = (struct candidate){&c->objects[i], i};
    qsort(list, *count, sizeof(*list), compare);
    return list;
}

/* Equal ones, one by one: of three and two that are equal, two pairs are made. */
static int match_equal(struct diff_side *a, struct diff_side *b, bool by_what_it_is,
                       compare_candidates *compare, struct err *err)
{
    size_t a_count, b_count;
    AUTO_FREE struct candidate *x = candidates(a, by_what_it_is, compare, &a_count);
    AUTO_FREE struct candidate *y = candidates(b, by_what_it_is, compare, &b_count);
    if (!x || !y)
        return err_nomem(err);
    for (size_t i = 0, j = 0; i < a_count && j < b_count;) {
        int order = compare(&x[i], &y[j]);
        if (order == 0) {
            a->match[x[i].index] = y[j].index;
            b->match[y[j].index] = x[i].index;
        }
        i += order <= 0;
        j += order >= 0;
    }
    return 0;
}

int diff_match(struct diff_side *a, struct diff_side *b, struct err *err)
{
    if (match_equal(a, b, false, by_name_and_loose, err) != 0 ||
        match_equal(a, b, true, by_definition, err) != 0 ||
        match_equal(a, b, true, by_loose, err) != 0)
        return -1;
    return match_equal(a, b, false, by_name, err);
}
