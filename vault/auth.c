/* auth.c: where a token comes from, and logging in.
 *
 * The order: --token-file; the environment's VAULT_TOKEN (in a strict profile only where the
 * contract names no way to log in); what the contract's auth says; ~/.vault-token; AppRole where a
 * role id is there. A token that is there and bad is not replaced by the next one: the same as with
 * Vault's own command line. */
#include "vault/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

enum { NAME_BYTES = 128, POLICIES_MAX = 16 };

#define HOME_TOKEN_NAME ".vault-token"

/* ---- values --------------------------------------------------------------------------------- */

int auth_check_header_value(const char **text, size_t *length, const char *source, struct err *err)
{
    str_trim(text, length);
    if (*length == 0)
        return err_set(err, ERR_USAGE, "%s is empty", source);
    if (*length > VAULT_HEADER_VALUE_MAX_BYTES)
        return err_set(err, ERR_USAGE, "%s is longer than %d bytes", source,
                       VAULT_HEADER_VALUE_MAX_BYTES);
    for (size_t i = 0; i < *length; i++) {
        unsigned char c = (unsigned char)(*text)[i];
        if (c < 0x21 || c > 0x7e) {
            (void)err_set(err, ERR_USAGE,
                          "%s has a byte at position %zu that can't be sent in a header", source,
                          i + 1);
            return err_hint(err, "Blanks, control bytes and what is not ASCII are refused inside.");
        }
    }
    return 0;
}

/* How a value is cleaned: tokens and ids lose the white space around them, a password one newline
 * at its end, which editors and `echo` add. */
enum cleaning { TRIM, DROP_NEWLINE };

static int keep(const char *text, size_t length, enum cleaning how, struct secret *out,
                struct err *err)
{
    if (how == TRIM)
        str_trim(&text, &length);
    else if (length > 0 && text[length - 1] == '\n')
        length -= length > 1 && text[length - 2] == '\r' ? 2 : 1;
    return secret_set(out, text, length, err);
}

static int from_file(const char *path, enum cleaning how, struct secret *out, struct err *err)
{
    AUTO_BUF content = BUF_INIT(VAULT_FILE_MAX_BYTES);

    if (source_read_file(path, true, &content, err) != 0)
        return -1;
    return keep(buf_text(&content), content.len, how, out, err);
}

static int from_sealed(const struct vault *v, const char *name, enum cleaning how,
                       struct secret *out, struct err *err)
{
    struct sealed_source own = {0};
    AUTO_SECRET value = SECRET_INIT;
    int result = sealed_source_get(v->sealed ? v->sealed : &own, v->config.folder, name,
                                   CLOCK_NEVER, &value, err);

    sealed_source_release(&own);
    return result != 0 ? -1 : keep(secret_reveal(&value), secret_length(&value), how, out, err);
}

/* A setting of the contract: NAME is its key, TEXT env:NAME, file:PATH, sealed:NAME or, where that may
 * stand in a contract, the value. *out stays unset when the variable is not set or empty. */
struct setting {
    const char *name, *text;
    bool literal_is_fine;
    enum cleaning how;
};

static int read_setting(const struct vault *v, const struct setting *setting, struct secret *out,
                        struct err *err)
{
    const char *text = setting->text;

    if (str_starts(text, "env:")) {
        const char *value = getenv(text + strlen("env:"));
        return value && *value ? keep(value, strlen(value), setting->how, out, err) : 0;
    }
    if (str_starts(text, "file:")) {
        AUTO_FREE char *path = file_join(v->config.folder, text + strlen("file:"));
        if (!path)
            return err_nomem(err);
        return from_file(path, setting->how, out, err) == 0
                   ? 0
                   : err_wrap(err, "the contract's vault.auth.%s", setting->name);
    }
    if (str_starts(text, "sealed:"))
        return from_sealed(v, text + strlen("sealed:"), setting->how, out, err) == 0
                   ? 0
                   : err_wrap(err, "the contract's vault.auth.%s", setting->name);
    if (setting->literal_is_fine)
        return keep(text, strlen(text), setting->how, out, err);
    (void)err_set(err, ERR_CONTRACT,
                  "the contract's vault.auth.%s is none of env:NAME, file:PATH and sealed:NAME",
                  setting->name);
    return err_hint(err, "A secret is not written into a contract.");
}

/* The setting, or where the contract has none VAULT_<suffix> or the file that VAULT_<suffix>_FILE
 * names, as others do it too. */
static int read_setting_or(const struct vault *v, const struct setting *setting, const char *suffix,
                           struct secret *out, struct err *err)
{
    char file_suffix[NAME_BYTES];
    const char *name, *value;

    if (setting->text)
        return read_setting(v, setting, out, err);
    value = vault_environment(suffix, NULL);
    if (value)
        return keep(value, strlen(value), setting->how, out, err);
    (void)snprintf(file_suffix, sizeof file_suffix, "%s_FILE", suffix);
    value = vault_environment(file_suffix, &name);
    if (!value)
        return 0;
    return from_file(value, setting->how, out, err) == 0 ? 0 : err_wrap(err, "%s", name);
}

static int read_role_id(const struct vault *v, struct secret *out, struct err *err)
{
    const struct setting setting = {"role_id", v->config.role_id, true, TRIM};

    return read_setting_or(v, &setting, "ROLE_ID", out, err);
}

/* ---- a token that is there ------------------------------------------------------------------ */

static int take_token(struct vault *v, const struct secret *from, const char *source,
                      struct err *err)
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

    if (from_file(path, TRIM, &value, err) != 0)
        return err_wrap(err, "%s", source);
    (void)snprintf(name, sizeof name, "%s '%s'", source, path);
    return take_token(v, &value, name, err);
}

static int token_of_environment(struct vault *v, struct err *err)
{
    const char *name, *text = vault_environment("TOKEN", &name);

    if (!text)
        return 0;
    AUTO_SECRET value = SECRET_INIT;
    if (secret_set(&value, text, strlen(text), err) != 0)
        return -1;
    return take_token(v, &value, name, err);
}

static int token_of_contract(struct vault *v, struct err *err)
{
    const struct setting setting = {"token", v->config.token, false, TRIM};
    AUTO_SECRET value = SECRET_INIT;

    if (read_setting(v, &setting, &value, err) != 0)
        return -1;
    return secret_is_set(&value) ? take_token(v, &value, "the contract's vault.auth.token", err)
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
    return config->method == VAULT_AUTH_APPROLE || config->method == VAULT_AUTH_USERPASS ||
           config->token || config->role_id;
}

static int no_token(const struct vault_config *config, struct err *err)
{
    if (config->token)
        (void)err_set(err, ERR_SOURCE_DENIED,
                      "there is no token for Vault: what the contract's vault.auth.token names is "
                      "not set or empty");
    else
        (void)err_set(err, ERR_SOURCE_DENIED,
                      "there is no token for Vault: not in --token-file, BAO_TOKEN, VAULT_TOKEN or "
                      "~/%s, and no role id to log in with",
                      HOME_TOKEN_NAME);
    return err_hint(err, "Set VAULT_TOKEN, or VAULT_ROLE_ID and VAULT_SECRET_ID, or say how to log "
                         "in in the contract's vault.auth.");
}

/* Find a token (v->token is set then), or which log-in to make. */
static int choose(struct vault *v, enum vault_auth_method *method, struct err *err)
{
    const struct vault_config *config = &v->config;
    bool open = config->method == VAULT_AUTH_DEFAULT;
    AUTO_SECRET role_id = SECRET_INIT;

    *method = VAULT_AUTH_TOKEN;
    if (config->token_file)
        return token_of_file(v, config->token_file, "--token-file", err);
    if (!config->strict_profile || !contract_names_login(config))
        if (token_of_environment(v, err) != 0 || secret_is_set(&v->token))
            return secret_is_set(&v->token) ? 0 : -1;
    if (config->method == VAULT_AUTH_APPROLE || config->method == VAULT_AUTH_USERPASS) {
        *method = config->method;
        return 0;
    }
    if (config->token) {
        if (token_of_contract(v, err) != 0)
            return -1;
        if (secret_is_set(&v->token) || !open)
            return secret_is_set(&v->token) ? 0 : no_token(config, err);
    }
    if (open && read_role_id(v, &role_id, err) != 0)
        return -1;
    bool can_log_in = secret_is_set(&role_id);
    if (can_log_in && config->strict_profile && config->role_id) {
        *method = VAULT_AUTH_APPROLE;
        return 0;
    }
    if (token_of_home(v, err) != 0)
        return -1;
    if (secret_is_set(&v->token))
        return 0;
    if (!can_log_in)
        return no_token(config, err);
    *method = VAULT_AUTH_APPROLE;
    return 0;
}

/* ---- logging in ----------------------------------------------------------------------------- */

static int take_login(struct vault *v, struct call *call, struct err *err)
{
    AUTO_JSON json = NULL;
    AUTO_SECRET token = SECRET_INIT;

    if (vault_json_parse(&call->exchange.answer, "the answer to the log-in", &json, err) != 0)
        return -1;
    const json_t *auth = json_object_get(json, "auth");
    const json_t *text = json_object_get(auth, "client_token");
    if (json_object_get(auth, "mfa_requirement") &&
        !json_is_null(json_object_get(auth, "mfa_requirement")))
        return err_set(err, ERR_SOURCE_DENIED,
                       "the log-in wants a second factor, which is not in this version");
    if (!json_is_string(text))
        return err_set(err, ERR_SOURCE_DATA, "the answer to the log-in has no client_token");
    if (secret_set(&token, json_string_value(text), json_string_length(text), err) != 0)
        return -1;
    if (take_token(v, &token, "the token that Vault gave", err) != 0) {
        err->kind = ERR_SOURCE_DATA;
        return -1;
    }
    int64_t lasts_ms = vault_json_seconds(auth, "lease_duration");
    v->token_expires_ms = lasts_ms > 0 ? call->sent_ms + lasts_ms
                                       : CLOCK_NEVER; /* 0: it does not end */
    v->few_uses = json_integer_value(json_object_get(auth, "num_uses")) > 0;
    answer_warnings(v, call->path, json);
    return 0;
}

/* What is sent to log in; released by log_in(). */
struct login {
    struct call call;
    struct secret word; /* the secret id, the password */
    struct secret body;
};

static int send_login(struct vault *v, struct login *login, int64_t deadline_ms, struct err *err)
{
    struct call *call = &login->call;

    call->body = &login->body;
    call->sent = &login->word;
    call->method = "POST";
    call->anonymous = true;
    if (flight_perform(v, call, deadline_ms, err) != 0)
        return -1;
    if (call->status == 200)
        return take_login(v, call, err);
    (void)answer_error(v, call, "log in at", err);
    if (call->status == 400)
        (void)err_hint(err, "What was sent is wrong, has expired or was used up.");
    if (call->status == 403 || call->status == 404)
        (void)err_hint(err, "Is that way to log in mounted there? vault.auth.mount names another "
                            "place.");
    if (err->kind == ERR_SOURCE_MISSING)
        err->kind = ERR_SOURCE_DENIED;
    return -1;
}

/* "auth/<mount>/login", with the user's name behind it where there is one. */
static int login_path(const struct vault *v, const char *usual_mount, const struct secret *user,
                      char **out, struct err *err)
{
    const struct setting setting = {"mount", v->config.auth_mount, true, TRIM};
    AUTO_SECRET mount = SECRET_INIT;
    AUTO_BUF path = BUF_INIT(VAULT_PATH_MAX_BYTES);

    if (setting.text && read_setting(v, &setting, &mount, err) != 0)
        return -1;
    const char *name = secret_length(&mount) > 0 ? secret_reveal(&mount) : usual_mount;
    size_t length = strlen(name);
    while (length > 0 && name[length - 1] == '/')
        length--;
    AUTO_FREE char *trimmed = mem_dup_n(name, length);
    if (!trimmed)
        return err_nomem(err);
    buf_adds(&path, "auth/");
    if (path_encode(str_starts(trimmed, "auth/") ? trimmed + strlen("auth/") : trimmed, &path, err))
        return err_wrap(err, "vault.auth.mount");
    buf_adds(&path, "/login");
    if (user) {
        buf_addc(&path, '/');
        if (path_encode(secret_reveal(user), &path, err) != 0)
            return err_wrap(err, "vault.auth.username");
    }
    if (buf_check(&path, ERR_CONTRACT, "the path to log in at", err) != 0)
        return -1;
    *out = buf_take(&path);
    return *out ? 0 : err_nomem(err);
}

static int unset(const char *what, const char *how, struct err *err)
{
    (void)err_set(err, ERR_SOURCE_DENIED, "there is no %s to log in to Vault with", what);
    return err_hint(err, "%s", how);
}

static int log_in_approle(struct vault *v, struct login *login, int64_t deadline_ms,
                          struct err *err)
{
    const struct setting setting = {"secret_id", v->config.secret_id, false, TRIM};
    AUTO_SECRET role_id = SECRET_INIT;
    const struct vault_member members[] = {{"role_id", &role_id}, {"secret_id", &login->word}};

    if (read_role_id(v, &role_id, err) != 0 ||
        read_setting_or(v, &setting, "SECRET_ID", &login->word, err) != 0)
        return -1;
    if (secret_length(&role_id) == 0)
        return unset("role id", "Set VAULT_ROLE_ID, or what vault.auth.role_id names.", err);
    /* Without a secret id: a role may be bound to networks alone. What is named has to be there. */
    if (setting.text && secret_length(&login->word) == 0)
        return unset("secret id", "Set what vault.auth.secret_id names.", err);
    if (login_path(v, "approle", NULL, &login->call.path, err) != 0 ||
        vault_json_body(members, ARRAY_LEN(members), &login->body, err) != 0)
        return -1;
    return send_login(v, login, deadline_ms, err);
}

static int log_in_userpass(struct vault *v, struct login *login, int64_t deadline_ms,
                           struct err *err)
{
    const struct setting name = {"username", v->config.username, true, TRIM};
    const struct setting word = {"password", v->config.password, false, DROP_NEWLINE};
    const struct vault_member members[] = {{"password", &login->word}};
    AUTO_SECRET username = SECRET_INIT;

    if ((name.text && read_setting(v, &name, &username, err) != 0) ||
        (word.text && read_setting(v, &word, &login->word, err) != 0))
        return -1;
    if (secret_length(&username) == 0)
        return unset("user name", "Set what vault.auth.username names.", err);
    if (secret_length(&login->word) == 0)
        return unset("password", "Set what vault.auth.password names.", err);
    if (login_path(v, "userpass", &username, &login->call.path, err) != 0 ||
        vault_json_body(members, ARRAY_LEN(members), &login->body, err) != 0)
        return -1;
    return send_login(v, login, deadline_ms, err);
}

static int log_in(struct vault *v, bool userpass, int64_t deadline_ms, struct err *err)
{
    struct login login = {0};
    int result = userpass ? log_in_userpass(v, &login, deadline_ms, err)
                          : log_in_approle(v, &login, deadline_ms, err);

    call_release(v, &login.call);
    secret_release(&login.word);
    secret_release(&login.body);
    if (result != 0)
        return err_wrap(err, "log in to Vault (%s)", userpass ? "userpass" : "AppRole");
    v->method = userpass ? "userpass" : "approle";
    v->logged_in = true;
    return 0;
}

int auth_ensure(struct vault *v, int64_t deadline_ms, struct err *err)
{
    enum vault_auth_method method;

    if (v->method)
        return 0;
    if (choose(v, &method, err) != 0)
        return -1;
    if (method != VAULT_AUTH_TOKEN)
        return log_in(v, method == VAULT_AUTH_USERPASS, deadline_ms, err);
    v->method = "token";
    v->token_expires_ms = CLOCK_NEVER; /* not known, and not worth a request */
    return 0;
}

int auth_again(struct vault *v, int64_t deadline_ms, struct err *err)
{
    secret_release(&v->token);
    return log_in(v, str_eq(v->method, "userpass"), deadline_ms, err);
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
