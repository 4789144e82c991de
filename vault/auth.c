/* auth.c: where a token comes from, and logging in.
 *
 * The order: --token-file; the environment's VAULT_TOKEN (in a strict profile only where the
 * contract names no way to log in); what the contract's auth says; ~/.vault-token; AppRole where a
 * role id is there. A token that is there and bad is not replaced by the next one: the same as with
 * Vault's own command line. An agent of Vault's (VAULT_AGENT_ADDR, or a socket) logs in by itself: with
 * it, the contract's way to log in is taken in a strict profile only, and having no token is fine. */
#include "vault/auth.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

enum { POLICIES_MAX = 16 };

#define HOME_TOKEN_NAME ".vault-token"

/* ---- a token that is there ------------------------------------------------------------------ */

int auth_take_token(struct vault *v, const struct secret *from, const char *source, struct err *err)
{
    const char *text = secret_reveal(from);
    size_t length = secret_length(from);

    if (auth_check_header_value(&text, &length, source, err) != 0)
        return -1;
    secret_release(&v->token);
    return secret_set(&v->token, text, length, err);
}

static int token_of_file(struct vault *v, const char *path, const char *source, struct err *err)
{
    AUTO_SECRET value = SECRET_INIT;
    char name[ERR_FILE_BYTES];

    if (auth_read_file(path, TRIM, &value, err) != 0)
        return err_wrap(err, "%s", source);
    (void)snprintf(name, sizeof name, "%s '%s'", source, path);
    return auth_take_token(v, &value, name, err);
}

static int token_of_environment(struct vault *v, struct err *err)
{
    const char *name, *text = vault_environment("TOKEN", &name);

    if (!text)
        return 0;
    AUTO_SECRET value = SECRET_INIT;
    if (secret_set(&value, text, strlen(text), err) != 0)
        return -1;
    return auth_take_token(v, &value, name, err);
}

static int token_of_contract(struct vault *v, struct err *err)
{
    const struct setting setting = {"token", v->config.token, false, TRIM};
    AUTO_SECRET value = SECRET_INIT;

    if (auth_read_setting(v, &setting, &value, err) != 0)
        return -1;
    return secret_is_set(&value)
               ? auth_take_token(v, &value, "the contract's vault.auth.token", err)
               : 0;
}

/* ~/.vault-token, or what BAO_TOKEN_PATH names; neither needs to be there. */
static int token_of_home(struct vault *v, struct err *err)
{
    const char *path = getenv("BAO_TOKEN_PATH"), *home = getenv("HOME");
    AUTO_FREE char *joined = NULL;
    struct stat st;

    if (!path || !*path) {
        if (!home || !*home)
            return 0;
        joined = file_join(home, HOME_TOKEN_NAME);
        if (!joined)
            return err_nomem(err);
        path = joined;
    }
    if (stat(path, &st) != 0 && (errno == ENOENT || errno == ENOTDIR || errno == EACCES))
        return 0;
    if (st.st_mode & (S_IRGRP | S_IROTH))
        log_line(LOG_WARN, "a token's file can be read by others", "path", path, NULL);
    return token_of_file(v, path, "the token's file", err);
}

static bool contract_names_login(const struct vault_config *config)
{
    return auth_login_method(config->method) || config->token || config->role_id;
}

/* An agent of Vault's adds a token of its own to requests that have none. */
static bool goes_without(const struct vault_config *config)
{
    return config->is_agent || config->nodes[0].socket_path;
}

static int no_token(const struct vault_config *config, struct err *err)
{
    if (goes_without(config))
        return 0;
    if (config->token)
        (void)err_set(err, ERR_SOURCE_DENIED,
                      "there is no token for Vault: what the contract's vault.auth.token names is "
                      "not set or empty");
    else
        (void)err_set(err, ERR_SOURCE_DENIED,
                      "there is no token for Vault: not in --token-file, BAO_TOKEN, VAULT_TOKEN or "
                      "~/%s, and no role id to log in with",
                      HOME_TOKEN_NAME);
    const char *bao = getenv("BAO_TOKEN"), *vault = getenv("VAULT_TOKEN");
    if (bao && !*bao && vault && *vault)
        (void)err_hint(err,
                       "BAO_TOKEN is there and empty, and so hides VAULT_TOKEN, as it does for "
                       "OpenBao's own command line: unset it.");
    return err_hint(err, "Set VAULT_TOKEN, or VAULT_ROLE_ID and VAULT_SECRET_ID, or say how to log "
                         "in in the contract's vault.auth.");
}

/* Where nothing names a way: the token at home, or AppRole where a role id is there. */
static int choose_usual(struct vault *v, const struct login_method **login, struct err *err)
{
    const struct vault_config *config = &v->config;
    bool open = config->method == VAULT_AUTH_DEFAULT && !goes_without(config);
    AUTO_SECRET role_id = SECRET_INIT;

    if (open && auth_read_role_id(v, &role_id, err) != 0)
        return -1;
    bool can_log_in = secret_is_set(&role_id);
    if (!can_log_in || !config->strict_profile || !config->role_id) {
        if (token_of_home(v, err) != 0)
            return -1;
        if (secret_is_set(&v->token))
            return 0;
    }
    if (!can_log_in)
        return no_token(config, err);
    *login = auth_login_method(VAULT_AUTH_APPROLE);
    return 0;
}

/* Find a token (v->token is set then), or which log-in to make; neither: it goes without. */
static int choose(struct vault *v, const struct login_method **login, struct err *err)
{
    const struct vault_config *config = &v->config;
    const struct login_method *named = auth_login_method(config->method);

    *login = NULL;
    if (config->token_file)
        return token_of_file(v, config->token_file, "--token-file", err);
    if (!config->strict_profile || !contract_names_login(config))
        if (token_of_environment(v, err) != 0 || secret_is_set(&v->token))
            return secret_is_set(&v->token) ? 0 : -1;
    if (named && (config->strict_profile || !config->is_agent)) {
        *login = named;
        return 0;
    }
    if (config->token) {
        if (token_of_contract(v, err) != 0)
            return -1;
        if (secret_is_set(&v->token) || config->method != VAULT_AUTH_DEFAULT)
            return secret_is_set(&v->token) ? 0 : no_token(config, err);
    }
    return choose_usual(v, login, err);
}

/* ---- a token, one way or another ------------------------------------------------------------ */

int auth_ensure(struct vault *v, int64_t deadline_ms, struct err *err)
{
    const struct login_method *login;

    if (v->method)
        return 0;
    if (choose(v, &login, err) != 0)
        return -1;
    if (login)
        return auth_log_in(v, login, deadline_ms, err);
    v->method = secret_is_set(&v->token) ? "token" : "agent";
    v->token_expires_ms = CLOCK_NEVER; /* not known, and not worth a request */
    return 0;
}

int auth_again(struct vault *v, int64_t deadline_ms, struct err *err)
{
    const struct login_method *login = auth_login_word(v->method);

    if (!login)
        return err_set(err, ERR_SOURCE_DENIED,
                       "our token for Vault was given to us, and nothing says how to log in");
    return auth_log_in(v, login, deadline_ms, err); /* until then, the former one is kept */
}

static void add_policies(const json_t *json, struct buf *out)
{
    const json_t *list = json_object_get(json_object_get(json, "data"), "policies");
    size_t count = json_array_size(list);

    for (size_t i = 0; i < count && i < POLICIES_MAX; i++) {
        const json_t *name = json_array_get(list, i);
        if (!json_is_string(name))
            continue;
        buf_addf(out, "%s%s", out->len ? ", " : "", json_string_value(name));
    }
}

enum auth_verdict auth_look_at_token(struct vault *v, int64_t deadline_ms, struct buf *policies)
{
    struct err ignored; /* the refusal that led here is what gets reported */
    struct call call = {.method = "GET", .path = mem_dup("auth/token/lookup-self")};
    enum auth_verdict verdict = AUTH_UNKNOWN;
    AUTO_JSON json = NULL;

    if (call.path && flight_perform(v, &call, deadline_ms, &ignored) == 0) {
        if (call.status == 403)
            verdict = AUTH_TOKEN_DEAD;
        if (call.status == 200)
            verdict = AUTH_TOKEN_LIVES;
        if (call.status == 200 &&
            vault_json_parse(&call.exchange.answer, "the token", &json, &ignored) == 0)
            add_policies(json, policies);
    }
    call_release(v, &call);
    return verdict;
}
