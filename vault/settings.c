/* settings.c: the contract's settings with the environment over them → struct vault_config.
 *
 * The variables mean what they mean to Vault's and OpenBao's own command line: BAO_X wins over
 * VAULT_X when it is there, even when it is empty, and an empty one is as good as none; booleans and
 * durations are Go's. Source: api/env.go and api/client.go of OpenBao, and measurements. */
#include "vault/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/str.h"

enum { NAME_BYTES = 64 };

const char *vault_environment(const char *suffix, const char **name)
{
    static char names[2][NAME_BYTES];

    (void)snprintf(names[0], NAME_BYTES, "BAO_%s", suffix);
    (void)snprintf(names[1], NAME_BYTES, "VAULT_%s", suffix);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *value = getenv(names[i]);
        if (!value)
            continue;
        if (name)
            *name = names[i];
        return *value ? value : NULL;
    }
    return NULL;
}

int settings_keep(struct settings_reading *r, const char **to, const char *text)
{
    if (!text)
        return 0;
    char *copy = arena_dup(&r->config->strings, text);
    if (!copy)
        return err_nomem(r->err);
    *to = copy;
    return 0;
}

int settings_read_bool(const char *suffix, bool *out, struct err *err)
{
    const char *name, *text = vault_environment(suffix, &name);

    if (!text)
        return 0;
    if (str_to_go_bool(text, out) != 0) {
        (void)err_set(err, ERR_USAGE, "%s is neither true nor false", name);
        return err_hint(err, "Write 1, t, true, 0, f or false.");
    }
    return 0;
}

/* ---- TLS ------------------------------------------------------------------------------------ */

/* A path of the contract starts at its folder, one of the environment at the working directory. */
static int keep_path(struct settings_reading *r, const char **to, const char *path,
                     bool of_contract)
{
    if (!path)
        return 0;
    AUTO_FREE char *joined = file_join(of_contract ? r->config->folder : "", path);
    if (!joined)
        return err_nomem(r->err);
    return settings_keep(r, to, joined);
}

static int must_be_readable(struct settings_reading *r, const char *path, const char *what)
{
    if (!path || access(path, R_OK) == 0)
        return 0;
    (void)err_errno(r->err, ERR_FILE, "read %s '%s'", what, path);
    return err_at(r->err, path, 0, 0);
}

/* The environment's file beats its bytes, these its folder; any of them beats the contract's. */
static int read_authorities(struct settings_reading *r)
{
    struct vault_config *config = r->config;
    const char *file = vault_environment("CACERT", NULL);
    const char *bytes = vault_environment("CACERT_BYTES", NULL);
    const char *folder = vault_environment("CAPATH", NULL);
    int result;

    if (file)
        result = keep_path(r, &config->ca_cert, file, false);
    else if (bytes)
        result = settings_keep(r, &config->ca_bytes, bytes);
    else if (folder)
        result = keep_path(r, &config->ca_path, folder, false);
    else if (r->settings->ca_cert)
        result = keep_path(r, &config->ca_cert, r->settings->ca_cert, true);
    else
        result = keep_path(r, &config->ca_path, r->settings->ca_path, true);
    if (result != 0)
        return -1;
    if (config->ca_path)
        return settings_read_folder(r, config->ca_path);
    return must_be_readable(r, config->ca_cert, "the file of certificate authorities");
}

static int keep_secret(struct settings_reading *r, struct secret *to, const char *text)
{
    return text ? secret_set(to, text, strlen(text), r->err) : 0;
}

/* The contract's cert or key: a path, file:PATH, or env:NAME, whose value is a path or PEM. */
static int read_identity(struct settings_reading *r, const char *text, const char **path,
                         struct secret *bytes)
{
    bool of_contract = true;

    if (!text)
        return 0;
    const char *name = ref_behind(text, REF_ENV), *file = ref_behind(text, REF_FILE);
    if (file) {
        text = file;
    } else if (name) {
        text = getenv(name);
        of_contract = false;
        if (text && strstr(text, "-----BEGIN"))
            return keep_secret(r, bytes, text);
    }
    return text && *text ? keep_path(r, path, text, of_contract) : 0;
}

/* Where the environment names either of the two, the contract's are not looked at. */
static int read_client_certificate(struct settings_reading *r)
{
    struct vault_config *config = r->config;

    if (settings_keep(r, &config->client_cert, vault_environment("CLIENT_CERT", NULL)) != 0 ||
        settings_keep(r, &config->client_key, vault_environment("CLIENT_KEY", NULL)) != 0)
        return -1;
    if (!config->client_cert && keep_secret(r, &config->client_cert_bytes,
                                            vault_environment("CLIENT_CERT_BYTES", NULL)) != 0)
        return -1;
    if (!config->client_key &&
        keep_secret(r, &config->client_key_bytes, vault_environment("CLIENT_KEY_BYTES", NULL)) != 0)
        return -1;
    bool has_cert = config->client_cert || secret_is_set(&config->client_cert_bytes);
    bool has_key = config->client_key || secret_is_set(&config->client_key_bytes);
    if (has_cert != has_key)
        return err_set(r->err, ERR_USAGE,
                       "VAULT_CLIENT_CERT and VAULT_CLIENT_KEY need each other, and %s is not set",
                       has_cert ? "VAULT_CLIENT_KEY" : "VAULT_CLIENT_CERT");
    if (!has_cert &&
        (read_identity(r, r->settings->cert, &config->client_cert, &config->client_cert_bytes) ||
         read_identity(r, r->settings->key, &config->client_key, &config->client_key_bytes)))
        return -1;
    if (must_be_readable(r, config->client_cert, "the client's certificate") != 0)
        return -1;
    return must_be_readable(r, config->client_key, "the client's key");
}

static int read_tls(struct settings_reading *r)
{
    struct vault_config *config = r->config;

    if (!config->tls)
        return 0;
    if (read_authorities(r) != 0 || read_client_certificate(r) != 0)
        return -1;
    const char *name = vault_environment("TLS_SERVER_NAME", NULL);
    if (settings_name_servers(r, name ? name : r->settings->tls_server_name) != 0)
        return -1;
    if (settings_read_bool("SKIP_VERIFY", &config->skip_verify, r->err) != 0)
        return -1;
    if (!config->skip_verify)
        return 0;
    if (r->settings->strict_profile) {
        (void)err_set(r->err, ERR_USAGE, "VAULT_SKIP_VERIFY is refused in a strict profile");
        return err_hint(r->err, "Name the authority of Vault's certificate with VAULT_CACERT or "
                                "vault.ca_cert.");
    }
    log_line(LOG_WARN,
             "Vault's certificate is not verified (VAULT_SKIP_VERIFY): anybody on the way "
             "can read and change what it says",
             "address", config->nodes[0].address, NULL);
    return 0;
}

/* ---- proxies, limits ------------------------------------------------------------------------ */

static const char *first_of(const char *const *names, const char **name)
{
    for (; *names; names++) {
        const char *value = getenv(*names);
        if (value && *value) {
            *name = *names;
            return value;
        }
    }
    return NULL;
}

/* A proxy of the environment that everybody uses is not for what runs on this machine. */
static bool all_are_near(const struct vault_config *config)
{
    for (size_t i = 0; i < config->node_count; i++)
        if (config->nodes[i].connect_to || !config->nodes[i].loopback)
            return false;
    return true;
}

/* What libcurl could not use it would show whole, password included, at each of many attempts. As with
 * it, http:// is meant where there is no scheme. */
static int check_proxy(const char *name, const char *text, struct err *err)
{
    static const char *const schemes[] = {"http",    "https",  "socks4",
                                          "socks4a", "socks5", "socks5h"};
    static const char hint[] = "It looks like http://proxy.example:3128.";
    AUTO_BUF whole = BUF_INIT(VAULT_ADDRESS_MAX_BYTES), login = BUF_INIT(VAULT_ADDRESS_MAX_BYTES);
    bool known = false;
    struct url url;

    if (!strstr(text, "://"))
        buf_adds(&whole, "http://");
    buf_adds(&whole, text);
    if (buf_check(&whole, ERR_USAGE, name, err) != 0)
        return -1;
    if (url_parse(buf_text(&whole), whole.len, &url, ERR_USAGE, err) != 0) {
        (void)err_wrap(err, "%s", name);
        return err_hint(err, hint);
    }
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        known = known || url_scheme_is(&url, schemes[i]);
    /* A NUL in its user or password makes libcurl go without the proxy, in silence. */
    if (known && url.host.length > 0 && !url.has_host_list && url_decode(&url.user, &login) == 0 &&
        url_decode(&url.password, &login) == 0)
        return 0;
    (void)err_set(err, ERR_USAGE, "%s is no URL of a proxy", name);
    return err_hint(err, hint);
}

/* http_proxy is never used: a proxy of plain http sees the token. */
static int read_proxy(struct settings_reading *r)
{
    static const char *const usual[] = {"https_proxy", "HTTPS_PROXY", NULL};
    static const char *const exceptions[] = {"no_proxy", "NO_PROXY", NULL};
    const char *name, *text = vault_environment("PROXY_ADDR", &name);
    struct vault_config *config = r->config;

    if (!text)
        text = vault_environment("HTTP_PROXY", &name);
    for (size_t i = 0; text && i < config->node_count; i++) {
        if (config->nodes[i].tls)
            continue;
        (void)err_set(r->err, ERR_USAGE,
                      "%s is set and Vault's address is not https: the proxy would see the token",
                      name);
        return err_hint(r->err, "Use an https:// address, or unset %s.", name);
    }
    if (!config->tls)
        return 0;
    if (!text) {
        text = all_are_near(config) ? NULL : first_of(usual, &name);
        config->proxy_is_usual = text != NULL;
        const char *unused;
        if (text && settings_keep(r, &config->no_proxy, first_of(exceptions, &unused)) != 0)
            return -1;
    }
    if (text && check_proxy(name, text, r->err) != 0)
        return -1;
    return keep_secret(r, &config->proxy, text);
}

/* "10" or "10:20": requests a second, and how many may come at once (the rate, rounded). */
static int read_rate(struct settings_reading *r)
{
    const char *name, *text = vault_environment("RATE_LIMIT", &name);

    if (!text)
        return 0;
    char *end;
    errno = 0;
    double rate = strtod(text, &end);
    double burst = rate < 1 ? 1 : (double)(int64_t)(rate < 1e9 ? rate : 1e9);
    int64_t said;
    if (end != text && *end == ':' && str_to_int64(end + 1, strlen(end + 1), &said) == 0 &&
        said > 0) {
        burst = (double)said;
        end += strlen(end);
    }
    /* Written so that a NaN is refused as well. */
    if (end == text || *end != '\0' || errno != 0 || !(rate > 0))
        return err_set(r->err, ERR_USAGE, "%s is not a rate: write 10, or 10:20 with a burst",
                       name);
    r->config->rate = rate;
    r->config->burst = burst;
    return 0;
}

static int read_limits(struct settings_reading *r)
{
    const struct vault_settings *settings = r->settings;
    struct vault_config *config = r->config;

    config->timeout_ms = settings->timeout_ms > 0 ? settings->timeout_ms : VAULT_TIMEOUT_MS;
    config->deadline_ms = settings->deadline_ms > 0 ? settings->deadline_ms : VAULT_DEADLINE_MS;
    config->retries = settings->no_retries ? 0 : settings->retries > 0 ? settings->retries : -1;
    const char *name, *text = vault_environment("CLIENT_TIMEOUT", &name);
    if (text && (str_to_go_duration(text, strlen(text), &config->timeout_ms) != 0 ||
                 config->timeout_ms <= 0))
        return err_set(r->err, ERR_USAGE, "%s is not a duration: write 60, 60s or 1m", name);
    text = vault_environment("MAX_RETRIES", &name);
    if (text) {
        int64_t retries;
        if (str_to_int64(text, strlen(text), &retries) != 0 || retries < 0 || retries > INT_MAX)
            return err_set(r->err, ERR_USAGE, "%s is not a number of retries", name);
        config->retries = (int)retries;
    }
    if (settings_read_bool("DISABLE_REDIRECTS", &config->no_redirects, r->err) != 0)
        return -1;
    return read_rate(r);
}

static int read_namespace(struct settings_reading *r)
{
    const char *name, *text = vault_environment("NAMESPACE", &name);

    if (!text) {
        text = r->settings->name_space;
        name = "the contract's vault.namespace";
    }
    if (!text || !*text)
        return 0;
    size_t length = strlen(text);
    if (auth_check_header_value(&text, &length, name, r->err) != 0)
        return -1;
    char *copy = arena_dup_n(&r->config->strings, text, length);
    if (!copy)
        return err_nomem(r->err);
    r->config->name_space = copy;
    return 0;
}

/* Without a method in the contract, VAULT_AUTH_METHOD may name one, as others have it too. */
static int read_method(struct settings_reading *r)
{
    const char *name, *word = vault_environment("AUTH_METHOD", &name);

    r->config->method = r->settings->method;
    if (r->config->method != VAULT_AUTH_DEFAULT || !word ||
        vault_auth_method_of(word, &r->config->method))
        return 0;
    (void)err_set(r->err, ERR_USAGE, "%s names no way to log in that is known here", name);
    return err_hint(r->err, "One of token, approle, userpass, kubernetes, jwt, cert.");
}

static int keep_login(struct settings_reading *r)
{
    const struct vault_settings *s = r->settings;
    struct vault_config *c = r->config;
    const struct {
        const char **to, *from;
    } texts[] = {
        {&c->auth_mount, s->auth_mount},
        {&c->role, s->role},
        {&c->role_id, s->role_id},
        {&c->secret_id, s->secret_id},
        {&c->username, s->username},
        {&c->password, s->password},
        {&c->jwt, s->jwt},
        {&c->token, s->token},
        {&c->token_file, s->token_file},
    };

    c->secret_id_wrapped = s->secret_id_wrapped;
    c->strict_profile = s->strict_profile;
    c->redirect_hosts = s->redirect_hosts;
    c->kv_mounts = s->kv_mounts;
    c->kv_mount_count = s->kv_mount_count;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (settings_keep(r, texts[i].to, texts[i].from) != 0)
            return -1;
    return read_method(r);
}

int vault_config_read(const struct vault_settings *settings, struct vault_config *out,
                      struct err *err)
{
    struct vault_config config = {.strings = ARENA_INIT};
    struct settings_reading r = {settings, &config, err};

    if (settings_keep(&r, &config.folder, settings->folder ? settings->folder : "") != 0 ||
        settings_read_nodes(&r) != 0 || read_namespace(&r) != 0 || read_tls(&r) != 0 ||
        read_proxy(&r) != 0 || read_limits(&r) != 0 || keep_login(&r) != 0) {
        vault_config_release(&config);
        return -1;
    }
    *out = config;
    return 0;
}

void vault_config_release(struct vault_config *config)
{
    secret_release(&config->client_cert_bytes);
    secret_release(&config->client_key_bytes);
    secret_release(&config->proxy);
    arena_release(&config->strings);
    *config = (struct vault_config){0};
}
