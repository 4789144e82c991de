/* bootstrap/diff_internal.h: what the files of the comparison share. */
#ifndef BOOTSTRAP_DIFF_INTERNAL_H
#define BOOTSTRAP_DIFF_INTERNAL_H

#include "bootstrap/catalog.h"

#define DIFF_NONE SIZE_MAX

/* One side of a comparison. Arrays have an element for each object. */
struct diff_side {
    const struct catalog *catalog;
    size_t *match;  /* index of the other side's object, or DIFF_NONE */
    size_t *parent; /* index of what the object belongs to, or DIFF_NONE */
};

/* A difference while the list is made: what it is about tells the words for the revisions. */
struct diff_found {
    struct difference difference;
    const struct catalog_object *about; /* NULL: about the database as a whole */
};

/* diff_match.c: fill both sides' `match`: same name and (loose) definition first; then same (loose)
 * definition where names come from tables and columns; then same name. */
MUST_USE int diff_match(struct diff_side *a, struct diff_side *b, struct err *err);

/* diff_revision.c: fill `revision` of each difference: the last revision in upgrade order whose
 * file has all names that the object is known by. Strings are the graph's. A file that can't be
 * read tells nothing. Errors: ERR_RESOURCE. */
MUST_USE int diff_find_revisions(const struct graph *graph, struct diff_found *list, size_t count,
                                 struct err *err);

#endif
