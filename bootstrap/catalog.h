/* bootstrap/catalog.h: a database's schema as canonical, sorted text; of this folder alone.
 *
 * One query in one repeatable-read, read-only transaction with an empty search_path, so that every
 * deparsed name is qualified and the snapshot is one. Each object is a kind, a name and a definition;
 * equal definitions mean equal objects. What the facts' table of catalog dimensions lists is either
 * part of a definition or counted as not compared. */
#ifndef BOOTSTRAP_CATALOG_H
#define BOOTSTRAP_CATALOG_H

#include "base/arena.h"
#include "bootstrap/db.h"
#include "bootstrap/guard.h"

struct catalog_object {
    const char *kind;       /* "table", "column", "index", ... */
    const char *name;       /* "public.users.email" */
    const char *definition; /* what it means */
    const char *loose;    /* the same with what only its history changes taken out: casts in CHECKs;
                               equal loose texts with unequal definitions are a textual difference */
    const char *cosmetic; /* comment, or "" */
    bool automatic_name;  /* PostgreSQL would have given this name (or one like it) by itself */
    long position;        /* of a column, for --strict-order; 0 elsewhere */
};

struct catalog {
    struct catalog_object *objects; /* sorted by kind and name */
    size_t count;
    const char *context;      /* server version, encoding, locale: said when the sides differ */
    const char *not_compared; /* "3 casts, 1 text search configuration"; "" when nothing */
    struct arena arena;
};
#define CATALOG_INIT ((struct catalog){0})
#define AUTO_CATALOG CLEANUP(catalog_release) struct catalog
void catalog_release(struct catalog *catalog);

/* Of settings the managed schemas (NULL: all of the user's), the owner and the version table count: the
 * table is left out, it is compared apart, as the stamp. The connection's own login is written as one
 * word, so that two scratch databases of different logins compare equal. */
MUST_USE int catalog_read(struct db *db, const struct database_settings *settings,
                          int64_t deadline_ms, struct catalog *out, struct err *err);

void catalog_write_text(const struct catalog *catalog, struct buf *out);

struct compare_options {
    bool strict_order;
    const struct guard_ignore *ignore;
    size_t ignore_count;
    const struct graph *graph; /* to tell the revision that touched an object last; or NULL */
};

/* Matched by definition first and by name second where names are automatic. */
MUST_USE int catalog_compare(const struct catalog *a, const struct catalog *b,
                             const struct compare_options *options, struct differences *out,
                             struct err *err);

#endif
