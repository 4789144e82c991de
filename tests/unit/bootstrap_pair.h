/* tests/unit/bootstrap_pair.h: two real databases made by two scripts, read and compared; for the test
 * programs of the comparison. */
#ifndef TESTS_UNIT_BOOTSTRAP_PAIR_H
#define TESTS_UNIT_BOOTSTRAP_PAIR_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "bootstrap/catalog.h"
#include "tests/lib/pg.h"

enum { SCRIPT_BYTES = 4 * 1024 * 1024, URL_BYTES = 512, NAME_BYTES = 16 };

static struct pg *server;

static int set_up(void **state)
{
    (void)state;
    server = pg_start("wal_level = logical\n");
    pg_sql(server, "postgres", "CREATE ROLE app_ro; CREATE ROLE app_rw;");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pg_stop(server);
    return 0;
}

static inline void make(const char *database, const char *sql)
{
    AUTO_BUF create = BUF_INIT(URL_BYTES);
    buf_addf(&create, "CREATE DATABASE %s TEMPLATE template0", database);
    pg_sql(server, "postgres", buf_text(&create));
    pg_sql(server, database, sql);
}

static struct db *connect_to(const char *database)
{
    struct err err = ERR_INIT;
    struct db *db = NULL;
    struct db_target target = {0};
    AUTO_FREE char *url = pg_socket_url(server, "postgres", database);
    const struct secret secret = secret_borrow(url, strlen(url));
    assert_int_equal(db_target_parse(&secret, "DATABASE_URL", &target, &err), 0);
    if (db_connect(&target, clock_in_ms(60000), &db, &err) != 0)
        fail_msg("%s: %s", database, err.text);
    db_target_release(&target);
    return db;
}

/* 180004 is 18.4. */
static inline int server_version(void)
{
    struct db_info info;
    AUTO_DB db = connect_to("postgres");
    db_info(db, &info);
    return info.server_version;
}

static inline void read_catalog(const char *database, struct catalog *out)
{
    struct err err = ERR_INIT;
    AUTO_DB db = connect_to(database);
    AUTO_FREE char *url = pg_socket_url(server, "postgres", database);
    const struct secret secret = secret_borrow(url, strlen(url));
    const struct database_settings settings = {.url = &secret,
                                               .url_variable = "DATABASE_URL",
                                               .table = "alembic_version",
                                               .schema = "public",
                                               .statement_timeout_ms = 60000,
                                               .lock_timeout_ms = 10000};
    if (catalog_read(db, &settings, clock_in_ms(60000), out, &err) != 0)
        fail_msg("%s: %s", database, err.text);
}

/* Each pair has databases of its own: one with a subscription can't be dropped. */
static inline void compare_scripts(const char *a_sql, const char *b_sql,
                                   const struct compare_options *options, struct differences *out)
{
    static unsigned pairs;
    struct err err = ERR_INIT;
    char a_name[NAME_BYTES], b_name[NAME_BYTES];
    AUTO_CATALOG a = CATALOG_INIT, b = CATALOG_INIT;
    pairs++;
    (void)snprintf(a_name, sizeof(a_name), "a%u", pairs);
    (void)snprintf(b_name, sizeof(b_name), "b%u", pairs);
    make(a_name, a_sql);
    make(b_name, b_sql);
    read_catalog(a_name, &a);
    read_catalog(b_name, &b);
    if (catalog_compare(&a, &b, options, out, &err) != 0)
        fail_msg("%s", err.text);
}

static inline void show(const struct differences *d)
{
    static const char *const words[] = {"semantic", "textual", "cosmetic"};
    for (size_t i = 0; i < d->count; i++)
        print_message("%s %s %s\n  A %s\n  B %s\n", words[d->list[i].class_], d->list[i].kind,
                      d->list[i].object, d->list[i].a ? d->list[i].a : "(not there)",
                      d->list[i].b ? d->list[i].b : "(not there)");
}

#endif
