/* bootstrap/catalog.h: a database's schema as canonical, sorted text; of this folder alone.
 *
 * One message in one repeatable-read, read-only transaction with nothing but pg_catalog in the
 * search_path, so that every deparsed name is qualified and the snapshot is one. Each object is a
 * kind, a name and a definition; equal definitions mean equal objects. What the facts' table of
 * catalog dimensions lists is either part of a definition or counted as not compared.
 *
 * Never read: what user mappings and subscriptions hold beside their names, values of settings and
 * of foreign servers' options that an application has invented or whose name sounds like a
 * secret. */
#ifndef BOOTSTRAP_CATALOG_H
#define BOOTSTRAP_CATALOG_H

#include "base/arena.h"
#include "bootstrap/db.h"
#include "bootstrap/guard.h"
#include "migrations/audit.h"

/* How the comment of a scratch database begins: it is agent's, not the schema's. */
#define SCRATCH_COMMENT_PREFIX "agent guard: "

struct catalog_object {
    const char *kind;       /* "table", "column", "index", ... */
    const char *name;       /* "public.users.email" */
    const char *definition; /* what it means */
    const char *loose;      /* the same with what only its history changes taken out: casts in
                             * CHECKs; equal loose texts with unequal definitions are a textual
                             * difference. The same pointer where there is nothing to take out. */
    const char *cosmetic;   /* comment, or "" */
    bool automatic_name;    /* PostgreSQL would have given this name (or one like it) by itself */
    long position;          /* of a column: grows with it, may have gaps; 0 elsewhere */

    bool broken;                      /* an invalid index: an error even where both sides agree */
    const char *parent_kind, *parent; /* "table", "public.users"; "" where it stands alone */
    const char *word, *relation, *words; /* unquoted names for looking through revisions: its own,
                                          * its table's, and columns one a line; "" where none */
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

/* Of settings the managed schemas (NULL: all of the user's), the owner and the version table count:
 * the table is left out, it is compared apart, as the stamp. The connection's own login is written
 * as one word, so that two scratch databases of different logins compare equal; one that is the
 * owner keeps its name. The connection must be outside of a transaction; after a failure
 * that was not the server's word it is of no more use. *out is the caller's (catalog_release),
 * untouched on failure. Errors: db.h's. */
MUST_USE int catalog_read(struct db *db, const struct database_settings *settings,
                          int64_t deadline_ms, struct catalog *out, struct err *err);

/* The object of this kind and name, or NULL. */
const struct catalog_object *catalog_find(const struct catalog *catalog, const char *kind,
                                          const char *name);

/* The catalog as bytes for another process, which UNPACK makes one of again: *out is the caller's
 * (catalog_release), untouched on failure, and does not need BYTES any more. Errors: ERR_RESOURCE,
 * ERR_DEFECT (bytes of something else, or cut off). */
void catalog_pack(const struct catalog *catalog, struct buf *out);
MUST_USE int catalog_unpack(const char *bytes, size_t length, struct catalog *out, struct err *err);

void catalog_write_text(const struct catalog *catalog, struct buf *out);

struct compare_options {
    bool strict_order;
    const struct guard_ignore *ignore;
    size_t ignore_count;
    const struct graph *graph; /* to tell the revision that touched an object last; or NULL */
    const struct audit_settings *offline; /* the migrations' SQL, which tells it surely; or NULL */
};

/* Matched by definition first and by name second where names are automatic. What belongs to a table
 * that one side does not have is part of that table's text, not a difference of its own. *out is
 * the caller's (differences_release), untouched on failure; its texts are its own. Errors:
 * ERR_RESOURCE. */
MUST_USE int catalog_compare(const struct catalog *a, const struct catalog *b,
                             const struct compare_options *options, struct differences *out,
                             struct err *err);

#endif
