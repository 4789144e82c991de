/* login.c: new connections with a credential, and the admin's; see rotate/internal.h, rotate/login.h.
 *
 * A login is proven by a connection that is made for it: open ones outlive a change of password, and a
 * reused one would prove nothing. The admin's is kept over the steps. */
#include "rotate/login.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/url.h"
#include "rotate/place.h"

int64_t login_deadline(const struct rotation *r, int64_t ms)
{
    return clock_earlier(r->context->deadline_ms, clock_in_ms(ms));
}

static int connect_to(const struct rotation *r, const struct db_target *target, struct db **out,
                      struct err *err)
{
    return db_connect(target, login_deadline(r, LOGIN_CONNECT_MS), out, err);
}

static int connect_url(const struct rotation *r, const struct secret *url, const char *variable,
                       struct db **out, struct err *err)
{
    struct db_target target = {0};
    if (db_target_parse(url, variable, &target, err) != 0)
        return -1;
    int result = connect_to(r, &target, out, err);
    db_target_release(&target);
    return result;
}

/* ---- the admin ------------------------------------------------------------------------------------ */

static int no_admin(const struct rotation *r, struct err *err)
{
    err_set(err, ERR_CONTRACT, "'%s' has no 'admin': nobody is named who may change its login",
            r->spec->variable);
    return err_hint(err, "\"admin\" in 'rotate', or \"admin_url\" in 'database', names the "
                         "variable with an administrator's URL.");
}

/* Asked for once: where its login is leased, each asking makes another. */
static int keep_admin_url(struct rotation *r, struct err *err)
{
    const char *variable = r->spec->admin;
    if (!variable)
        return no_admin(r, err);
    if (secret_is_set(&r->admin_url))
        return 0;
    if (r->context->value_of(r->context->owner, variable, &r->admin_url, err) != 0)
        return err_wrap(err, "the admin's URL '%s'", variable);
    return 0;
}

int login_admin_url(struct rotation *r, struct secret *out, struct err *err)
{
    if (keep_admin_url(r, err) != 0)
        return -1;
    return secret_set(out, secret_reveal(&r->admin_url), secret_length(&r->admin_url), err);
}

/* What was kept may have ended since, with its lease or by a rotation of its own: then it is asked for
 * again, once. */
static int connect_admin(struct rotation *r, struct db **out, struct err *err)
{
    bool was_kept = secret_is_set(&r->admin_url);
    if (keep_admin_url(r, err) != 0)
        return -1;
    if (connect_url(r, &r->admin_url, r->spec->admin, out, err) == 0)
        return 0;
    if (was_kept && login_was_refused(err)) {
        secret_release(&r->admin_url);
        err_clear(err);
        if (keep_admin_url(r, err) != 0)
            return -1;
        if (connect_url(r, &r->admin_url, r->spec->admin, out, err) == 0)
            return 0;
    }
    return err_wrap(err, "connect as the admin of '%s'", r->spec->admin);
}

int rotation_admin(struct rotation *r, struct db **out, struct err *err)
{
    if (r->admin && db_is_lost(r->admin)) {
        db_close(r->admin);
        r->admin = NULL;
    }
    if (!r->admin) {
        struct db *admin = NULL;
        if (connect_admin(r, &admin, err) != 0)
            return -1;
        r->admin = admin;
    }
    *out = r->admin;
    return 0;
}

void rotation_admin_end(struct rotation *r)
{
    db_close(r->admin);
    r->admin = NULL;
    secret_release(&r->admin_url);
}

int login_admin_of_database(struct rotation *r, const char *database, struct db **out,
                            struct err *err)
{
    struct db_target target = {0};
    AUTO_SECRET url = SECRET_INIT;
    if (login_admin_url(r, &url, err) != 0 ||
        db_target_parse(&url, r->spec->admin, &target, err) != 0)
        return -1;
    char *name = mem_dup(database);
    if (!name) {
        db_target_release(&target);
        return err_nomem(err);
    }
    free(target.database);
    target.database = name;
    int result = connect_to(r, &target, out, err);
    db_target_release(&target);
    return result == 0 ? 0 : err_wrap(err, "connect as the admin of '%s'", r->spec->admin);
}

/* ---- credentials ---------------------------------------------------------------------------------- */

int rotation_log_in(struct rotation *r, const struct secret *url, struct db **out, struct err *err)
{
    return connect_url(r, url, r->spec->variable, out, err);
}

/* The record's GROUP, or what is there now, as the fields of the place. */
static int fields_of(struct rotation *r, const char *group, struct document *out, struct err *err)
{
    const struct document *from = group ? &r->record.data : &r->current;
    for (size_t i = 0; i < from->count; i++) {
        const struct document_entry *e = &from->list[i];
        if (str_eq(e->group, group) && document_set(out, NULL, e->name, &e->value, err) != 0)
            return -1;
    }
    if (out->count > 0)
        return 0;
    return err_set(err, ERR_SOURCE_MISSING, "the record of '%s' has no %s values",
                   r->spec->variable, group ? group : "current");
}

static int value_of_group(struct rotation *r, const char *group, struct secret *out,
                          struct err *err)
{
    AUTO_DOCUMENT fields = DOCUMENT_INIT;
    if (fields_of(r, group, &fields, err) != 0)
        return -1;
    return r->context->value_with(r->context->owner, r->spec->variable, &fields, out, err);
}

int rotation_value(struct rotation *r, const char *group, struct secret *out, struct err *err)
{
    return value_of_group(r, group, out, err);
}

static bool is_postgres_url(const struct secret *value)
{
    struct url url;
    struct err ignored = ERR_INIT;
    return secret_is_set(value) &&
           url_parse(secret_reveal(value), secret_length(value), &url, ERR_CONTRACT, &ignored) ==
               0 &&
           url_is_postgres(&url);
}

int login_url(struct rotation *r, const char *group, const char *user, struct secret *out,
              struct err *err)
{
    AUTO_SECRET value = SECRET_INIT;
    AUTO_SECRET admin = SECRET_INIT;
    if (value_of_group(r, group, &value, err) != 0)
        return -1;
    if (is_postgres_url(&value)) {
        *out = value;
        value = SECRET_INIT; /* moved */
        return 0;
    }
    if (login_admin_url(r, &admin, err) != 0)
        return -1;
    return surgery_replace_login(&admin, user, &value, out, err);
}

int login_with(struct rotation *r, const char *group, const char *user, struct db **out,
               struct err *err)
{
    AUTO_SECRET url = SECRET_INIT;
    if (login_url(r, group, user, &url, err) != 0)
        return -1;
    return rotation_log_in(r, &url, out, err);
}

bool login_was_refused(const struct err *err)
{
    bool by_server = str_starts(err->sqlstate, "28");
    bool by_pooler = str_eq(err->sqlstate, "08P01") && str_eq(err->step, "auth");
    return err->kind == ERR_DB_REFUSED && (by_server || by_pooler);
}

/* libpq keeps sslmode's word, and for a socket there is none. This is the second look, at the
 * connection itself. */
int login_check_tls(const struct rotation *r, const struct secret *url, const struct db *db,
                    struct err *err)
{
    static const char *const asking[] = {"require", "verify-ca", "verify-full"};
    struct url parsed;
    struct db_info info;
    if (url_parse(secret_reveal(url), secret_length(url), &parsed, ERR_CONTRACT, err) != 0)
        return err_wrap(err, "%s", r->spec->variable);
    struct url_span mode = url_query(&parsed, "sslmode");
    db_info(db, &info);
    if (!mode.start || info.tls || !info.host || info.host[0] == '/' || info.host[0] == '\0')
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(asking); i++)
        if (url_span_is(&mode, asking[i]))
            return err_set(err, ERR_VIOLATION,
                           "the connection to %s:%s has no TLS, and the URL asks for it "
                           "(sslmode=%s)",
                           info.host, info.port, asking[i]);
    return 0;
}
