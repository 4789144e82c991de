/* tests/unit/rotate_pg.h: a rotation's steps against a real server, with a place in memory.
 *
 * The steps are those of the strategy, in the order of the machine; what the engine and the stores do is
 * tested elsewhere. Passwords that were ever made are kept, to be looked for in the server's log. */
#ifndef TESTS_UNIT_ROTATE_PG_H
#define TESTS_UNIT_ROTATE_PG_H

#include "tests/lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "rotate/internal.h"
#include "tests/lib/pg.h"

#define FIRST_PASSWORD "canary-first-8d2c"
#define ADMIN_PASSWORD "canary-admin-77aa"
/* The admin makes the roles itself: from PostgreSQL 16 on only then, or by a grant, it may change them. */
#define AS_ADMIN  "SET SESSION AUTHORIZATION admin; "
#define AS_BEFORE "RESET SESSION AUTHORIZATION; "

enum { MADE_MAX = 64, WITHIN_MS = 30 * 1000 };

static struct pg *server;
static struct {
    struct document place; /* "url"; or "user" and "password" */
    char admin_url[512];
    unsigned admin_asked;
    char database[64];
    struct buf said;
    char *made[MADE_MAX]; /* passwords */
    size_t made_count;
} world;
static struct rotate_spec spec;
static struct rotate_context context;
static struct rotate_result result;
static struct err err;

/* Statements of a superuser, as one transaction, on a connection that is kept. */
static inline void sql(const char *database, const char *text)
{
    static struct {
        const char *database;
        struct db *db;
    } kept[] = {{"app", NULL}, {"other", NULL}};
    size_t i = str_eq(database, "app") ? 0 : 1;
    if (!text) { /* at the end */
        db_close(kept[0].db);
        db_close(kept[1].db);
        return;
    }
    if (!kept[i].db) {
        struct db_target target = {0};
        AUTO_FREE char *url = pg_socket_url(server, "postgres", database);
        struct secret secret = secret_borrow(url, strlen(url));
        struct err failed = ERR_INIT;
        if (db_target_parse(&secret, "X", &target, &failed) != 0 ||
            db_connect(&target, clock_in_ms(WITHIN_MS), &kept[i].db, &failed) != 0)
            fail_msg("%s", failed.text);
        db_target_release(&target);
        sql(database, "SET client_min_messages = warning");
    }
    struct err failed = ERR_INIT;
    if (db_execute(kept[i].db, text, strlen(text), clock_in_ms(WITHIN_MS), NULL, NULL, &failed) !=
        0)
        fail_msg("%s: %s", text, failed.text);
}

static inline void set_field(const char *name, const char *value)
{
    assert_int_equal(document_set_text(&world.place, NULL, name, value, &err), 0);
}

static inline int read_current(struct rotation *r, struct document *out, unsigned *version,
                               struct err *e)
{
    (void)r;
    *version = 1;
    return document_copy(out, &world.place, e);
}

static const struct store memory_store = {.read_current = read_current};

static inline int value_of(void *owner, const char *variable, struct secret *out, struct err *e)
{
    (void)owner;
    assert_string_equal(variable, "ADMIN_URL");
    world.admin_asked++;
    return secret_set(out, world.admin_url, strlen(world.admin_url), e);
}

static inline const char *field_of(const struct document *fields, const char *name)
{
    const char *text = document_text(fields, NULL, name);
    return text ? text : document_text(&world.place, NULL, name);
}

/* As the application would get it: composed where the place has a user. */
static inline int value_with(void *owner, const char *variable, const struct document *fields,
                             struct secret *out, struct err *e)
{
    (void)owner;
    assert_string_equal(variable, "DATABASE_URL");
    if (!spec.place.user_field) {
        const char *value = field_of(fields, spec.place.value_field);
        return secret_set(out, value, strlen(value), e);
    }
    AUTO_FREE char *url = pg_tcp_url(server, field_of(fields, "user"), field_of(fields, "password"),
                                     world.database, "");
    return secret_set(out, url, strlen(url), e);
}

static inline void say(void *owner, const struct rotate_spec *of, const char *text)
{
    (void)owner;
    (void)of;
    buf_addf(&world.said, "%s\n", text);
}

static inline void set_world(enum rotate_strategy strategy)
{
    document_release(&world.place);
    buf_release(&world.said);
    world.said = BUF_INIT(64 * 1024);
    (void)snprintf(world.database, sizeof(world.database), "app");
    world.admin_asked = 0;
    AUTO_FREE char *admin = pg_tcp_url(server, "admin", ADMIN_PASSWORD, "postgres", "");
    (void)snprintf(world.admin_url, sizeof(world.admin_url), "%s", admin);
    spec = (struct rotate_spec){
        .variable = "DATABASE_URL",
        .strategy = strategy,
        .place = {.kind = ROTATE_IN_KV,
                  .path = "secret/acme",
                  .user_field = "user",
                  .password_field = "password"},
        .logins = {"app_a", "app_b"},
        .owner = strategy == ROTATE_PG_TWO_LOGIN ? "app_rw" : NULL,
        .login = "app_one",
        .admin = "ADMIN_URL",
    };
    context = (struct rotate_context){
        .value_of = value_of,
        .value_with = value_with,
        .say = say,
        .deadline_ms = clock_in_ms(WITHIN_MS),
    };
    result = (struct rotate_result){.warnings = BUF_INIT(64 * 1024)};
    err = ERR_INIT;
}

static inline void begin(struct rotation *r, const struct strategy *strategy)
{
    *r = (struct rotation){.spec = &spec,
                           .context = &context,
                           .store = &memory_store,
                           .strategy = strategy,
                           .result = &result};
    err = ERR_INIT;
    assert_int_equal(read_current(r, &r->current, &r->current_version, &err), 0);
    assert_int_equal(record_begin(&spec, &context, &r->record, &err), 0);
}

static inline void end(struct rotation *r)
{
    rotation_admin_end(r);
    document_release(&r->current);
    record_release(&r->record);
    buf_release(&result.warnings);
    result = (struct rotate_result){.warnings = BUF_INIT(64 * 1024)};
}

static inline void note_password(const struct rotation *r)
{
    const struct secret *password = record_field(&r->record, "password");
    if (password && world.made_count < MADE_MAX)
        world.made[world.made_count++] = mem_dup(secret_reveal(password));
}

static inline void must(int code, const char *what)
{
    if (code != 0)
        fail_msg("%s: %s (%s)", what, err.text, err.hint);
}

/* FIELDS of the record are what the place has: promote. */
static inline void promote(struct rotation *r, const char *group)
{
    for (size_t i = 0; i < r->record.data.count; i++) {
        const struct document_entry *e = &r->record.data.list[i];
        if (str_eq(e->group, group))
            assert_int_equal(document_set(&world.place, NULL, e->name, &e->value, &err), 0);
    }
}

/* Stage, set, test, promote. */
static inline void rotate_until_promoted(struct rotation *r, const struct strategy *strategy)
{
    begin(r, strategy);
    must(strategy->stage(r, &err), "stage");
    note_password(r);
    must(strategy->set(r, &err), "set");
    must(strategy->test(r, &err), "test");
    promote(r, "fields");
}

static inline bool logs_in(const char *user, const char *password)
{
    struct db *db = NULL;
    struct db_target target = {0};
    AUTO_FREE char *url = pg_tcp_url(server, user, password, world.database, "");
    struct secret secret = secret_borrow(url, strlen(url));
    struct err refused = ERR_INIT;
    assert_int_equal(db_target_parse(&secret, "X", &target, &refused), 0);
    int code = db_connect(&target, clock_in_ms(WITHIN_MS), &db, &refused);
    db_target_release(&target);
    db_close(db);
    if (code != 0 && refused.kind != ERR_DB_REFUSED)
        fail_msg("%s", refused.text);
    return code == 0;
}

static inline struct db *session_of(const char *user, const char *password)
{
    struct db *db = NULL;
    struct db_target target = {0};
    AUTO_FREE char *url = pg_tcp_url(server, user, password, world.database, "");
    struct secret secret = secret_borrow(url, strlen(url));
    must(db_target_parse(&secret, "X", &target, &err), "target");
    must(db_connect(&target, clock_in_ms(WITHIN_MS), &db, &err), "session");
    db_target_release(&target);
    return db;
}

static inline const char *current(const char *name)
{
    return document_text(&world.place, NULL, name);
}

/* What the server wrote down, whatever it was asked: no password is in it. (The superuser's own are set
 * by statements of the test.) */
static inline void assert_log_is_clean(void)
{
    char path[1024];
    AUTO_BUF text = BUF_INIT(64 * 1024 * 1024);
    (void)snprintf(path, sizeof(path), "%s/log", pg_socket_folder(server));
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    for (int c = fgetc(file); c != EOF; c = fgetc(file))
        buf_addc(&text, (char)c);
    (void)fclose(file);
    assert_text_has(buf_text(&text), "SCRAM-SHA-256$4096:"); /* it did log the statements */
    assert_true(world.made_count > 0);
    for (size_t i = 0; i < world.made_count; i++)
        assert_text_lacks(buf_text(&text), world.made[i]);
}

static inline int stop_server(void **state)
{
    (void)state;
    sql("", NULL);
    for (size_t i = 0; i < world.made_count; i++)
        free(world.made[i]);
    document_release(&world.place);
    buf_release(&world.said);
    pg_stop(server);
    return 0;
}

#endif
