/* tests/lib/site.h: what a bootstrap needs besides a server: a folder with revision files and
 * schema files, a fresh database for each test, and settings that name them. */
#ifndef TESTS_LIB_SITE_H
#define TESTS_LIB_SITE_H

#include "bootstrap/bootstrap.h"
#include "tests/lib/pg.h"

struct site {
    char folder[64];      /* of its own in /tmp */
    char database[64];    /* fresh, named after the test */
    char *url;            /* over the socket, as postgres, unless site_url was called */
    struct secret secret; /* of the URL, borrowed */
    struct graph *graph;
    const char *create[8];
    struct database_settings settings;
};

/* A database NAME on PG and a chain of two revisions a1 → b2 (head b2). */
void site_open(struct site *site, const struct pg *pg, const char *name);
void site_close(struct site *site);
void site_url(struct site *site, char *url);                           /* takes URL over */
void site_file(struct site *site, const char *path, const char *text); /* "schema.sql" */
void site_heads(struct site *site, const char *output); /* as `alembic heads` prints them */
void site_sql(struct site *site, const char *file,
              const char *text);                       /* create.sql: one more file */
void site_emit(struct site *site, const char *script); /* create.emit: sh -c SCRIPT */
void site_command(struct site *site, const char *script);

/* Run SQL in the site's database as superuser and give the first cell of the last result, "" for
 * NULL; the text is valid until the next call. Ends the test when it fails. */
const char *site_ask(const struct site *site, const struct pg *pg, const char *sql);

/* bootstrap_run makes it, and says that it was fresh, and is current and verified; the next start
 * finds the same. */
void site_is_made(struct site *site);
/* bootstrap_run fails with KIND and PART in the text. */
void site_is_refused(struct site *site, enum err_kind kind, const char *part, struct err *err);
void site_is_untouched(const struct site *site, const struct pg *pg); /* nothing is in public */

#endif
