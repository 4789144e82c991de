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

/* diff_revision.c: fill `revision` of each difference, with the options' graph: the last revision in
 * upgrade order that has an operation on the object in its offline SQL. Where there is no such SQL,
 * or none is about the object, and for revisions whose SQL does not tell what it does: the last one
 * whose file has all names that the object is known by. Strings are the graph's. A file that can't
 * be read tells nothing. Errors: ERR_RESOURCE. */
MUST_USE int diff_find_revisions(const struct compare_options *options, struct diff_found *list,
                                 size_t count, struct err *err);

/* diff_trace.c: an object while the operations are walked through backwards. */
struct diff_wanted {
    const struct catalog_object *object; /* NULL: about the database as a whole */
    const char *word, *relation;         /* the names that it and its table had then */
};
/* Whether TOUCH is about it; before a rename it is known by its older name. */
bool diff_is_touched(struct diff_wanted *wanted, const struct audit_touch *touch);

#endif
