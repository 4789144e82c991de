/* bootstrap/db_params.c: target → libpq's keywords, complete, so that nothing else decides.
 *
 * An empty value counts as unsaid in libpq, which then looks at its environment and at files under
 * the home directory; so files that nobody named are given a name that can't exist. (/dev/null itself
 * draws a warning on stderr as a password file.) */
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/url.h"
#include "bootstrap/db_internal.h"
#include "bootstrap/db_params.h"

enum { PARAM_BYTES = 64 * 1024 };

static const char no_file[] = "/dev/null/none";

void db_params_release(struct db_params *params)
{
    for (size_t i = 0; i < params->count; i++) {
        if (params->owned[i])
            mem_wipe(params->owned[i], strlen(params->owned[i]));
        free(params->owned[i]);
    }
    *params = DB_PARAMS_INIT;
}

const char *db_params_get(const struct db_params *params, const char *keyword)
{
    for (size_t i = 0; i < params->count; i++)
        if (str_eq(params->keywords[i], keyword))
            return params->values[i];
    return NULL;
}

void db_params_replace(struct db_params *params, const char *keyword, const char *value)
{
    for (size_t i = 0; i < params->count; i++)
        if (str_eq(params->keywords[i], keyword))
            params->values[i] = value;
}

/* OWNED, or NULL for a value that outlives the params, is the copy that VALUE points to. */
static int add(struct db_params *params, const char *keyword, const char *value, char *owned,
               struct err *err)
{
    if (params->count >= DB_MAX_PARAMS) {
        free(owned);
        return err_set(err, ERR_DEFECT, "more than %d connection parameters", DB_MAX_PARAMS);
    }
    params->keywords[params->count] = keyword;
    params->values[params->count] = value;
    params->owned[params->count++] = owned;
    return 0;
}

/* Add KEYWORD unless it is there, or VALUE is NULL or empty. */
static int add_default(struct db_params *params, const char *keyword, const char *value,
                       struct err *err)
{
    if (!value || !*value || db_params_get(params, keyword))
        return 0;
    char *copy = mem_dup(value);
    if (!copy)
        return err_nomem(err);
    return add(params, keyword, copy, copy, err);
}

static int add_from_query(struct db_params *params, const struct url *url, const char *name,
                          const char *keyword, struct err *err)
{
    AUTO_BUF text = BUF_INIT(PARAM_BYTES);
    struct url_span span = url_query(url, name);
    if (!span.start || span.length == 0)
        return 0;
    if (url_decode(&span, &text) != 0)
        return err_set(err, ERR_CONTRACT, "the URL's '%s' has a bad escape or a NUL byte", name);
    if (buf_check(&text, ERR_CONTRACT, name, err) != 0)
        return -1;
    return add_default(params, keyword, buf_text(&text), err);
}

/* What a URL may say beyond the address. Not connect_timeout, service, passfile and the GSS keys:
 * time, place and password are ours to give. */
static int add_query(struct db_params *params, const struct db_target *target, struct err *err)
{
    static const char *const names[] = {
        "sslmode",
        "sslrootcert",
        "sslcert",
        "sslkey",
        "sslpassword",
        "sslcrl",
        "sslcrldir",
        "sslsni",
        "ssl_min_protocol_version",
        "require_auth",
        "ssl_max_protocol_version",
        "sslnegotiation",
        "options",
        "target_session_attrs",
        "application_name",
        "keepalives",
        "keepalives_idle",
        "keepalives_interval",
        "keepalives_count",
        "tcp_user_timeout",
        "requirepeer",
    };
    struct url url = {.query = {.start = target->query, .length = strlen(target->query)}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (add_from_query(params, &url, names[i], names[i], err) != 0)
            return -1;
    struct url_span binding = url_query(&url, "channel_binding");
    if (binding.start && url_span_is(&binding, "require") &&
        add_default(params, "channel_binding", "require", err) != 0)
        return -1;
    /* JDBC's word, which libpq takes in a URL, too; then asyncpg's: the driver's name is stripped from
     * the scheme, its parameters stay. */
    struct url_span tls = url_query(&url, "ssl");
    if (url_span_is(&tls, "true"))
        return add_default(params, "sslmode", "require", err);
    return add_from_query(params, &url, "ssl", "sslmode", err);
}

/* Files and tuning from the environment; addresses, logins and weaker TLS never. */
static int add_environment(struct db_params *params, struct err *err)
{
    static const struct {
        const char *variable, *keyword;
    } files[] = {
        {"PGSSLROOTCERT", "sslrootcert"}, {"PGSSLCERT", "sslcert"},
        {"PGSSLKEY", "sslkey"},           {"PGSSLCRL", "sslcrl"},
        {"PGSSLCRLDIR", "sslcrldir"},     {"PGAPPNAME", "application_name"},
    };
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        if (add_default(params, files[i].keyword, getenv(files[i].variable), err) != 0)
            return -1;
    const char *mode = getenv("PGSSLMODE");
    bool stronger = mode && (str_starts(mode, "verify-") || str_eq(mode, "require"));
    if (stronger && add_default(params, "sslmode", mode, err) != 0)
        return -1;
    const char *binding = getenv("PGCHANNELBINDING");
    return binding && str_eq(binding, "require")
               ? add_default(params, "channel_binding", "require", err)
               : 0;
}

static const char *system_certificates(void)
{
    static const char *const bundles[] = {
        "/etc/ssl/certs/ca-certificates.crt", /* Debian, Alpine, Arch */
        "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, RHEL */
        "/etc/ssl/ca-bundle.pem",             /* SUSE */
        "/etc/ssl/cert.pem",
    };
    for (size_t i = 0; i < ARRAY_LEN(bundles); i++)
        if (access(bundles[i], R_OK) == 0)
            return bundles[i];
    return NULL;
}

/* verify-ca and verify-full without a file of the user's: the system's, as a browser would. libpq
 * below 16 takes the word "system" for a file's name. */
static int add_root_certificates(struct db_params *params, struct err *err)
{
    const char *mode = db_params_get(params, "sslmode");
    const char *named = db_params_get(params, "sslrootcert");
    if (named && !str_eq(named, "system"))
        return 0;
    if (!named && !str_starts(mode, "verify-"))
        return add_default(params, "sslrootcert", no_file, err);
    const char *bundle = system_certificates();
    if (!bundle) {
        err_set(err, ERR_DB_REFUSED, "TLS: sslmode=%s and no certificates to verify with", mode);
        err->step = "tls";
        return err_hint(err, "Install ca-certificates, or name a file with sslrootcert.");
    }
    if (!named)
        return add_default(params, "sslrootcert", bundle, err);
    db_params_replace(params, "sslrootcert", bundle);
    return 0;
}

/* libpq would look for the key under the home directory. */
static int require_key(const struct db_params *params, struct err *err)
{
    if (!db_params_get(params, "sslcert") || db_params_get(params, "sslkey"))
        return 0;
    err_set(err, ERR_CONTRACT, "TLS: sslcert is named, and its key is not");
    err->step = "tls";
    return err_hint(err, "Name the key with sslkey in the URL, or PGSSLKEY; it may be in the same "
                         "file.");
}

static int add_defaults(struct db_params *params, const struct db_target *target, const char *host,
                        struct err *err)
{
    const struct {
        const char *keyword, *value;
    } defaults[] = {
        {"application_name", target->application_name},
        {"sslmode", db_host_is_local(host) || !*host ? "prefer" : "require"},
        {"channel_binding", "prefer"},
        {"target_session_attrs", "any"},
        {"gssencmode", "disable"}, /* its library crashes when memory runs out */
        {"client_encoding", "UTF8"},
        {"passfile", no_file},
        {"sslcert", no_file},
        {"sslkey", no_file},
        {"sslpassword", "-"}, /* unsaid, OpenSSL would ask for a key's at the terminal */
        {"sslcrl", no_file},
        {"keepalives", "1"},
        {"keepalives_idle", "15"},
        {"keepalives_interval", "5"},
        {"keepalives_count", "3"},
        {"tcp_user_timeout", "30000"}, /* ms: a link that is cut shows in half a minute */
    };
    for (size_t i = 0; i < ARRAY_LEN(defaults); i++)
        if (add_default(params, defaults[i].keyword, defaults[i].value, err) != 0)
            return -1;
    return add_root_certificates(params, err);
}

int db_params_build(const struct db_target *target, const char *host, const char *port,
                    const char *address, struct db_params *out, struct err *err)
{
    AUTO_DB_PARAMS params = DB_PARAMS_INIT;
    if (add_default(&params, "host", host, err) != 0 ||
        add_default(&params, "hostaddr", address, err) != 0 ||
        add_default(&params, "port", port, err) != 0 ||
        add_default(&params, "user", target->user, err) != 0 ||
        add_default(&params, "dbname", target->database, err) != 0)
        return -1;
    if (secret_length(&target->password) > 0 &&
        add(&params, "password", secret_reveal(&target->password), NULL, err) != 0)
        return -1;
    if (add_query(&params, target, err) != 0 || add_environment(&params, err) != 0 ||
        require_key(&params, err) != 0 || add_defaults(&params, target, host, err) != 0)
        return -1;
    *out = params;
    params = DB_PARAMS_INIT; /* moved */
    return 0;
}

/* ---- the environment, without PG* while libpq reads it ------------------------------------------- */

int db_environment_hide(struct hidden_environment *hidden, struct err *err)
{
    size_t count = 0, kept = 0;
    while (environ && environ[count])
        count++;
    char **shown = mem_new(count + 1, sizeof(*shown));
    if (!shown)
        return err_nomem(err);
    for (size_t i = 0; i < count; i++)
        if (!str_starts(environ[i], "PG"))
            shown[kept++] = environ[i];
    *hidden = (struct hidden_environment){.ours = environ, .shown = shown};
    environ = shown;
    return 0;
}

void db_environment_show(struct hidden_environment *hidden)
{
    if (!hidden->shown)
        return;
    environ = hidden->ours;
    free(hidden->shown);
    *hidden = (struct hidden_environment){0};
}
