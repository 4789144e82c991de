/* auth_login.c: the ways to log in: what each is sent, in a table, and what comes back.
 *
 * What identifies us is read anew for each log-in: the token of a Kubernetes service account and other
 * JWTs rotate where they lie. A secret id that came wrapped can't be, and is kept. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "vault/auth.h"

#define SERVICE_ACCOUNT_TOKEN "/var/run/secrets/kubernetes.io/serviceaccount/token"

/* What is sent to log in; released by auth_log_in. */
struct login {
    struct call call;
    struct secret word; /* the secret id, the password, the JWT */
    struct secret user; /* goes into the path, or unset */
    struct secret body;
};

struct login_method {
    enum vault_auth_method method;
    const char *word, *title; /* in contracts; for people */
    const char *mount;        /* where it usually is */
    int (*fill)(struct vault *v, struct login *login, int64_t deadline_ms, struct err *err);
};

int auth_lacks(const char *what, const char *how, struct err *err)
{
    (void)err_set(err, ERR_SOURCE_DENIED, "there is no %s to log in to Vault with", what);
    return err_hint(err, "%s", how);
}

/* ---- what each is sent ---------------------------------------------------------------------- */

static int read_secret_id(struct vault *v, struct secret *out, int64_t deadline_ms, struct err *err)
{
    const struct setting setting = {"secret_id", v->config.secret_id, false, TRIM};
    AUTO_SECRET given = SECRET_INIT;

    if (secret_is_set(&v->secret_id)) /* unwrapped before: that works once */
        return secret_set(out, secret_reveal(&v->secret_id), secret_length(&v->secret_id), err);
    if (auth_read_setting_or(v, &setting, "SECRET_ID", &given, err) != 0)
        return -1;
    /* Without a secret id: a role may be bound to networks alone. What is named has to be there. */
    bool needed = setting.text || v->config.secret_id_wrapped;
    if (secret_length(&given) == 0)
        return needed ? auth_lacks("secret id", "Set what vault.auth.secret_id names.", err) : 0;
    if (!v->config.secret_id_wrapped)
        return secret_set(out, secret_reveal(&given), secret_length(&given), err);
    if (auth_unwrap_secret_id(v, &given, deadline_ms, &v->secret_id, err) != 0)
        return -1;
    return secret_set(out, secret_reveal(&v->secret_id), secret_length(&v->secret_id), err);
}

static int fill_approle(struct vault *v, struct login *login, int64_t deadline_ms, struct err *err)
{
    AUTO_SECRET role_id = SECRET_INIT;

    if (auth_read_role_id(v, &role_id, err) != 0)
        return -1;
    if (secret_length(&role_id) == 0)
        return auth_lacks("role id", "Set VAULT_ROLE_ID, or what vault.auth.role_id names.", err);
    if (read_secret_id(v, &login->word, deadline_ms, err) != 0)
        return -1;
    const struct vault_member members[] = {{"role_id", &role_id}, {"secret_id", &login->word}};
    return vault_json_body(members, ARRAY_LEN(members), &login->body, err);
}

static int fill_userpass(struct vault *v, struct login *login, int64_t deadline_ms, struct err *err)
{
    const struct setting name = {"username", v->config.username, true, TRIM};
    const struct setting word = {"password", v->config.password, false, DROP_NEWLINE};
    const struct vault_member members[] = {{"password", &login->word}};

    (void)deadline_ms; /* nothing is asked for it */
    if ((name.text && auth_read_setting(v, &name, &login->user, err) != 0) ||
        (word.text && auth_read_setting(v, &word, &login->word, err) != 0))
        return -1;
    if (secret_length(&login->user) == 0)
        return auth_lacks("user name", "Set what vault.auth.username names.", err);
    if (secret_length(&login->word) == 0)
        return auth_lacks("password", "Set what vault.auth.password names.", err);
    return vault_json_body(members, ARRAY_LEN(members), &login->body, err);
}

static int read_role(const struct vault *v, struct secret *out, struct err *err)
{
    const struct setting setting = {"role", v->config.role, true, TRIM};

    return auth_read_setting_or(v, &setting, "ROLE", out, err);
}

static int fill_jwt(struct vault *v, struct login *login, int64_t deadline_ms, struct err *err)
{
    const struct setting setting = {"jwt", v->config.jwt, false, TRIM};
    AUTO_SECRET role = SECRET_INIT;

    (void)deadline_ms;
    if (read_role(v, &role, err) != 0 ||
        auth_read_setting_or(v, &setting, "JWT", &login->word, err) != 0)
        return -1;
    if (secret_length(&login->word) == 0)
        return auth_lacks("JWT", "Set what vault.auth.jwt names, or VAULT_JWT or VAULT_JWT_FILE.",
                          err);
    /* Without a role, the mount's default_role is taken. */
    const struct vault_member members[] = {{"role", &role}, {"jwt", &login->word}};
    return vault_json_body(members, ARRAY_LEN(members), &login->body, err);
}

static int fill_kubernetes(struct vault *v, struct login *login, int64_t deadline_ms,
                           struct err *err)
{
    const struct setting setting = {"jwt", v->config.jwt, false, TRIM};
    AUTO_SECRET role = SECRET_INIT;

    (void)deadline_ms;
    if (read_role(v, &role, err) != 0)
        return -1;
    if (secret_length(&role) == 0)
        return auth_lacks("role", "Set vault.auth.role, or VAULT_ROLE.", err);
    if (auth_read_setting_or(v, &setting, "JWT", &login->word, err) != 0)
        return -1;
    if (!setting.text && !secret_is_set(&login->word) &&
        auth_read_file(SERVICE_ACCOUNT_TOKEN, TRIM, &login->word, err) != 0) {
        (void)err_wrap(err, "the token of the pod's service account");
        return err_hint(err, "Is this a pod, with automountServiceAccountToken? Else name the "
                             "token with vault.auth.jwt.");
    }
    if (secret_length(&login->word) == 0)
        return auth_lacks("service account's token", "Set what vault.auth.jwt names.", err);
    const struct vault_member members[] = {{"role", &role}, {"jwt", &login->word}};
    return vault_json_body(members, ARRAY_LEN(members), &login->body, err);
}

static int fill_cert(struct vault *v, struct login *login, int64_t deadline_ms, struct err *err)
{
    const struct vault_config *config = &v->config;
    AUTO_SECRET role = SECRET_INIT;

    (void)deadline_ms;
    if (read_role(v, &role, err) != 0)
        return -1;
    if (!config->nodes[v->node].tls)
        return err_set(err, ERR_CONTRACT,
                       "a client certificate needs TLS, and Vault's address is not https://");
    if (!config->client_cert && !secret_is_set(&config->client_cert_bytes))
        return auth_lacks("client certificate",
                          "Name it with vault.auth.cert and vault.auth.key, or VAULT_CLIENT_CERT "
                          "and VAULT_CLIENT_KEY.",
                          err);
    /* Without a name, every role of the mount is tried. */
    const struct vault_member members[] = {{"name", &role}};
    return vault_json_body(members, ARRAY_LEN(members), &login->body, err);
}

static const struct login_method methods[] = {
    {VAULT_AUTH_APPROLE, "approle", "AppRole", "approle", fill_approle},
    {VAULT_AUTH_USERPASS, "userpass", "userpass", "userpass", fill_userpass},
    {VAULT_AUTH_KUBERNETES, "kubernetes", "Kubernetes", "kubernetes", fill_kubernetes},
    {VAULT_AUTH_JWT, "jwt", "JWT", "jwt", fill_jwt},
    {VAULT_AUTH_CERT, "cert", "client certificate", "cert", fill_cert},
};

const struct login_method *auth_login_method(enum vault_auth_method method)
{
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (methods[i].method == method)
            return &methods[i];
    return NULL;
}

const struct login_method *auth_login_word(const char *word)
{
    for (size_t i = 0; word && i < ARRAY_LEN(methods); i++)
        if (str_eq(methods[i].word, word))
            return &methods[i];
    return NULL;
}

const char *auth_login_name(const struct login_method *method)
{
    return method->word;
}

bool vault_auth_method_of(const char *word, enum vault_auth_method *out)
{
    const struct login_method *method = auth_login_word(word);

    if (!method && !str_eq(word, "token"))
        return false;
    *out = method ? method->method : VAULT_AUTH_TOKEN;
    return true;
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
    if (auth_take_token(v, &token, "the token that Vault gave", err) != 0) {
        err->kind = ERR_SOURCE_DATA;
        return -1;
    }
    int64_t lasts_ms = vault_json_seconds(auth, "lease_duration");
    v->token_span_ms = lasts_ms;
    v->token_expires_ms = lasts_ms > 0 ? call->sent_ms + lasts_ms
                                       : CLOCK_NEVER; /* 0: it does not end */
    v->token_renewable = json_is_true(json_object_get(auth, "renewable"));
    v->token_is_batch = str_eq(json_string_value(json_object_get(auth, "token_type")), "batch");
    v->few_uses = json_integer_value(json_object_get(auth, "num_uses")) > 0;
    answer_warnings(v, call->path, json);
    return 0;
}

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
        return take_login(v, call, err) == 0
                   ? 0
                   : err_wrap(err, "log in at '%s' at '%s'", call->path, vault_address(v));
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

int auth_mount(const struct vault *v, const char *usual, char **out, struct err *err)
{
    const struct setting setting = {"mount", v->config.auth_mount, true, TRIM};
    AUTO_SECRET mount = SECRET_INIT;

    if (setting.text && auth_read_setting(v, &setting, &mount, err) != 0)
        return -1;
    const char *name = secret_length(&mount) > 0 ? secret_reveal(&mount) : usual;
    if (str_starts(name, "auth/"))
        name += strlen("auth/");
    size_t length = strlen(name);
    while (length > 0 && name[length - 1] == '/')
        length--;
    *out = mem_dup_n(name, length);
    return *out ? 0 : err_nomem(err);
}

/* "auth/<mount>/login", with the user's name behind it where there is one. */
static int login_path(const struct vault *v, const char *usual_mount, struct login *login,
                      struct err *err)
{
    AUTO_BUF path = BUF_INIT(VAULT_PATH_MAX_BYTES);
    AUTO_FREE char *mount = NULL;

    if (auth_mount(v, usual_mount, &mount, err) != 0)
        return -1;
    buf_adds(&path, "auth/");
    if (path_encode(mount, &path, err) != 0)
        return err_wrap(err, "vault.auth.mount");
    buf_adds(&path, "/login");
    if (secret_is_set(&login->user)) {
        buf_addc(&path, '/');
        if (path_encode(secret_reveal(&login->user), &path, err) != 0)
            return err_wrap(err, "vault.auth.username");
    }
    if (buf_check(&path, ERR_CONTRACT, "the path to log in at", err) != 0)
        return -1;
    login->call.path = buf_take(&path);
    return login->call.path ? 0 : err_nomem(err);
}

int auth_log_in(struct vault *v, const struct login_method *method, int64_t deadline_ms,
                struct err *err)
{
    struct login login = {0};
    int result = -1;

    if (method->fill(v, &login, deadline_ms, err) == 0 &&
        login_path(v, method->mount, &login, err) == 0)
        result = send_login(v, &login, deadline_ms, err);
    call_release(v, &login.call);
    secret_release(&login.word);
    secret_release(&login.user);
    secret_release(&login.body);
    if (result != 0)
        return err_wrap(err, "log in to Vault (%s)", method->title);
    v->method = method->word;
    v->logged_in = true;
    return 0;
}
