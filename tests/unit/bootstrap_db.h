/* tests/unit/bootstrap_db.h: a real server, connections to it and to scripted ones; for the test programs
 * of db*.c. */
#ifndef TESTS_UNIT_BOOTSTRAP_DB_H
#define TESTS_UNIT_BOOTSTRAP_DB_H

#include "tests/lib/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "bootstrap/db.h"
#include "tests/lib/pg.h"
#include "tests/lib/pg_script.h"

#define CANARY "canary-p4ssw0rd-77"

enum { LONG_MS = 20 * 1000, SHORT_MS = 300 };

static struct pg *server;

static inline int start_server(void **state)
{
    (void)state;
    server = pg_start("max_connections = 20\nlog_connections = off");
    pg_sql(server, "postgres",
           "CREATE ROLE app LOGIN PASSWORD '" CANARY "'; CREATE ROLE refused LOGIN;"
           "CREATE DATABASE shut; REVOKE CONNECT ON DATABASE shut FROM PUBLIC;");
    return 0;
}

static inline int stop_server(void **state)
{
    (void)state;
    pg_stop(server);
    return 0;
}

static inline int connect_url(const char *url, int64_t within_ms, struct db **out, struct err *err)
{
    struct secret secret = secret_borrow(url, strlen(url));
    struct db_target target = {0};
    if (db_target_parse(&secret, "DATABASE_URL", &target, err) != 0)
        return -1;
    int result = db_connect(&target, clock_in_ms(within_ms), out, err);
    db_target_release(&target);
    return result;
}

/* On the real server, as postgres, over the socket. */
static inline struct db *connected(void)
{
    struct err err = ERR_INIT;
    struct db *db = NULL;
    AUTO_FREE char *url = pg_socket_url(server, "postgres", "postgres");
    if (connect_url(url, LONG_MS, &db, &err) != 0)
        fail_msg("%s", err.text);
    return db;
}

static inline struct err failure_of(const char *url)
{
    struct err err = ERR_INIT;
    struct db *db = NULL;
    if (connect_url(url, LONG_MS, &db, &err) == 0) {
        db_close(db);
        fail_msg("a connection was made that should fail");
    }
    assert_text_lacks(err.text, CANARY);
    assert_text_lacks(err.hint, CANARY);
    assert_true(strlen(err.text) > 20);
    assert_true(strlen(err.hint) > 10);
    return err;
}

static inline struct err failure_over_tcp(const char *user, const char *password,
                                          const char *database, const char *query)
{
    AUTO_FREE char *url = pg_tcp_url(server, user, password, database, query);
    return failure_of(url);
}

static inline struct err failure_of_part(struct pg_script *script)
{
    char url[256];
    pg_script_start(script);
    (void)snprintf(url, sizeof(url), "postgresql://app:" CANARY "@127.0.0.1:%u/app?sslmode=disable",
                   script->port);
    struct err err = failure_of(url);
    pg_script_stop(script);
    assert_text_has(err.text, "127.0.0.1:");
    assert_text_has(err.text, "database 'app' user 'app'");
    return err;
}

static inline struct db *connected_to_part(struct pg_script *script)
{
    char url[256];
    struct db *db = NULL;
    struct err err = ERR_INIT;
    pg_script_start(script);
    (void)snprintf(url, sizeof(url), "postgresql://app:" CANARY "@127.0.0.1:%u/app?sslmode=disable",
                   script->port);
    if (connect_url(url, LONG_MS, &db, &err) != 0)
        fail_msg("%s", err.text);
    return db;
}

#endif
