/* vault_common.c: see rotate/vault_common.h. */
#include "rotate/vault_common.h"

#include <string.h>

#include "base/str.h"
#include "rotate/login.h"
#include "rotate/place.h"

enum { URL_MAX_BYTES = 16 * 1024 };

/* How Vault writes user and password in a connection's URL. */
#define USER_HERE     "{{username}}"
#define PASSWORD_HERE "{{password}}"

int engine_vault(struct rotation *r, struct vault **out, struct err *err)
{
    return r->context->vault(r->context->owner, out, err);
}

/* ---- where the database is ----------------------------------------------------------------------- */

static bool is_url(const struct secret *value)
{
    return secret_is_set(value) && str_starts(secret_reveal(value), "postgres") &&
           strstr(secret_reveal(value), "://") != NULL;
}

/* What the application would get, where its contract composes it of user and password. */
static int composed_url(struct rotation *r, const struct vault_creds *creds, struct secret *out,
                        struct err *err)
{
    const struct rotate_place *place = &r->spec->place;
    AUTO_DOCUMENT fields = DOCUMENT_INIT;

    if (!place->password_field)
        return 0;
    if (document_set(&fields, NULL, place->password_field, &creds->password, err) != 0 ||
        (place->user_field &&
         document_set_text(&fields, NULL, place->user_field, creds->username, err) != 0))
        return -1;
    AUTO_SECRET value = SECRET_INIT;
    if (r->context->value_with(r->context->owner, r->spec->variable, &fields, &value, err) != 0)
        return -1;
    if (is_url(&value)) {
        *out = value;
        value = SECRET_INIT;
    }
    return 0;
}

static int replace_in(const struct secret *url, const struct vault_creds *creds, struct secret *out,
                      struct err *err)
{
    return surgery_replace_login(url, creds->username, &creds->password, out, err);
}

/* TEXT with each PLACEHOLDER replaced, percent-encoded. */
static void fill(struct buf *out, const char *text, const char *placeholder, const char *bytes,
                 size_t length)
{
    const char *at;

    while ((at = strstr(text, placeholder)) != NULL) {
        buf_add(out, text, (size_t)(at - text));
        str_add_percent(out, bytes, length);
        text = at + strlen(placeholder);
    }
    buf_adds(out, text);
}

/* What Vault itself connects with. A policy may not let us see it: then it is not known. */
static int vaults_url(struct rotation *r, const char *connection, const struct vault_creds *creds,
                      struct secret *out, struct err *err)
{
    CLEANUP(vault_connection_release) struct vault_connection found = {0};
    AUTO_BUF named = BUF_INIT(URL_MAX_BYTES), whole = BUF_INIT(URL_MAX_BYTES);
    struct err denied = ERR_INIT;
    struct vault *v;

    if (!connection || engine_vault(r, &v, err) != 0)
        return connection ? -1 : 0;
    if (vault_connection_lookup(v, r->spec->mount, connection, r->context->deadline_ms, &found,
                                &denied) != 0) {
        if (denied.kind == ERR_SOURCE_DENIED)
            return 0;
        *err = denied;
        return -1;
    }
    if (!found.url || !str_starts(found.url, "postgres") || !strstr(found.url, PASSWORD_HERE))
        return 0;
    fill(&named, found.url, USER_HERE, creds->username, strlen(creds->username));
    fill(&whole, buf_text(&named), PASSWORD_HERE, secret_reveal(&creds->password),
         secret_length(&creds->password));
    if (buf_check(&whole, ERR_SOURCE_DATA, "Vault's connection_url", err) != 0)
        return -1;
    return secret_set(out, buf_text(&whole), whole.len, err);
}

static int admins_url(struct rotation *r, const struct vault_creds *creds, struct secret *out,
                      struct err *err)
{
    AUTO_SECRET url = SECRET_INIT;

    /* Where the variable is its own admin, its value would be one more log-in. */
    if (!r->spec->admin || str_eq(r->spec->admin, r->spec->variable))
        return 0;
    if (r->context->value_of(r->context->owner, r->spec->admin, &url, err) != 0)
        return err_wrap(err, "the admin's URL '%s'", r->spec->admin);
    return is_url(&url) ? replace_in(&url, creds, out, err) : 0;
}

/* ---- trying it ----------------------------------------------------------------------------------- */

static int connect_with(struct rotation *r, const struct secret *url, enum engine_login *out,
                        struct err *err)
{
    AUTO_DB db = NULL;

    if (rotation_log_in(r, url, &db, err) == 0) {
        *out = ENGINE_LOGGED_IN;
        return 0;
    }
    if (!login_was_refused(err))
        return -1;
    *out = ENGINE_REFUSED;
    return 0;
}

/* Vault may sit where the database has another address. */
static int try_vaults(struct rotation *r, const struct secret *url, enum engine_login *out,
                      struct err *err)
{
    if (connect_with(r, url, out, err) == 0)
        return 0;
    if (err->kind != ERR_DB_DOWN)
        return -1;
    (void)err_wrap(err, "Vault's own address of the database was not reached from here");
    *out = ENGINE_NOT_TRIED;
    return 0;
}

int engine_try(struct rotation *r, const char *connection, const struct vault_creds *creds,
               enum engine_login *out, struct err *err)
{
    AUTO_SECRET url = SECRET_INIT;

    if (composed_url(r, creds, &url, err) != 0)
        return -1;
    if (!secret_is_set(&url) && admins_url(r, creds, &url, err) != 0)
        return -1;
    if (secret_is_set(&url))
        return connect_with(r, &url, out, err);
    if (vaults_url(r, connection, creds, &url, err) != 0)
        return -1;
    if (secret_is_set(&url))
        return try_vaults(r, &url, out, err);
    (void)err_set(
        err, ERR_VIOLATION,
        "nobody says where the database is (\"admin\" in 'rotate' would, or the right to read "
        "'%s/config/%s')",
        r->spec->mount, connection ? connection : "");
    *out = ENGINE_NOT_TRIED;
    return 0;
}

int engine_must_log_in(struct rotation *r, const char *what, const char *connection,
                       const struct vault_creds *creds, struct err *err)
{
    enum engine_login outcome = ENGINE_NOT_TRIED;

    if (engine_try(r, connection, creds, &outcome, err) != 0)
        return err_wrap(err, "log in with %s", what);
    if (outcome == ENGINE_REFUSED)
        return err_wrap(err, "%s does not work", what);
    if (outcome == ENGINE_NOT_TRIED)
        engine_warn(r, "%s was not tried: %s", what, err->text);
    err_clear(err);
    return 0;
}

/* ---- policies ------------------------------------------------------------------------------------ */

/* *lacking of NEEDS come to stand in MISSING. */
static int find_missing(struct rotation *r, struct vault_need *needs, size_t count,
                        struct vault_need missing[static ENGINE_NEEDS_MOST], size_t *lacking,
                        struct err *err)
{
    struct vault *v;

    if (engine_vault(r, &v, err) != 0 ||
        vault_capabilities(v, needs, count, r->context->deadline_ms, err) != 0)
        return -1;
    *lacking = 0;
    for (size_t i = 0; i < count && *lacking < ENGINE_NEEDS_MOST; i++)
        if (!vault_need_is_met(&needs[i]))
            missing[(*lacking)++] = needs[i];
    return 0;
}

int engine_check_needs(struct rotation *r, struct vault_need *needs, size_t count, struct err *err)
{
    struct vault_need missing[ENGINE_NEEDS_MOST];
    AUTO_BUF policy = BUF_INIT(ERR_HINT_BYTES);
    size_t lacking = 0;
    struct vault *v;

    if (find_missing(r, needs, count, missing, &lacking, err) != 0) {
        if (err->kind != ERR_SOURCE_DENIED) /* what may not be asked shows when it is done */
            return -1;
        err_clear(err);
        return 0;
    }
    if (lacking == 0)
        return 0;
    if (engine_vault(r, &v, err) != 0 || vault_policy_text(v, missing, lacking, &policy, err) != 0)
        return -1;
    (void)err_set(err, ERR_SOURCE_DENIED, "Vault's policy does not allow '%s'%s", missing[0].path,
                  lacking > 1 ? " and more" : "");
    return err_hint(err, "This would: %s", buf_text(&policy));
}

int engine_plan_needs(struct rotation *r, struct vault_need *needs, size_t count, struct buf *out,
                      bool *ready, struct err *err)
{
    struct vault_need missing[ENGINE_NEEDS_MOST];
    size_t lacking = 0;
    struct vault *v;

    if (find_missing(r, needs, count, missing, &lacking, err) != 0 || engine_vault(r, &v, err) != 0)
        return -1;
    if (lacking == 0) {
        buf_adds(out, "  Vault's policy allows what its engine is asked for\n");
        return 0;
    }
    *ready = false;
    buf_addf(out, "  Vault's policy does not allow %zu of %zu things there; this would:\n", lacking,
             count);
    return vault_policy_text(v, missing, lacking, out, err);
}
