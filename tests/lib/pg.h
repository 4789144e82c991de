/* tests/lib/pg.h: a throwaway PostgreSQL for one test program.
 *
 * A cluster of its own in a folder of its own, on a unix socket (everybody is trusted) and on a free
 * port of 127.0.0.1 (scram-sha-256, with and without TLS), without fsync. PostgreSQL refuses root: as
 * root it runs as the user `postgres`. It is stopped by its pid and dies with the test. What fails
 * here ends the test program with a text: there is nothing that a test could do about it. */
#ifndef TESTS_LIB_PG_H
#define TESTS_LIB_PG_H

#include <stddef.h>

#define PG_SUPERUSER_PASSWORD "canary-superuser-3f9a" /* of the role postgres */

struct pg;

/* SETTINGS are further lines for postgresql.conf, or NULL. */
struct pg *pg_start(const char *settings);
void pg_stop(struct pg *pg);

const char *pg_socket_folder(const struct pg *pg);
const char *pg_certificate(const struct pg *pg); /* self-signed, for localhost; its own root */
unsigned pg_port(const struct pg *pg);

/* A URL over the socket (as postgres) or TCP; the caller frees. QUERY is "" or "?...". */
char *pg_socket_url(const struct pg *pg, const char *user, const char *database);
char *pg_tcp_url(const struct pg *pg, const char *user, const char *password, const char *database,
                 const char *query);

/* Run SQL (several statements) as superuser with psql, which stops at the first error. */
void pg_sql(const struct pg *pg, const char *database, const char *sql);

#endif
