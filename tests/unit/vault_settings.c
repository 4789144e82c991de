/* The contract's settings with the environment over them. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "vault/internal.h"

extern char **environ;

/* No variable of ours or of a proxy from outside. */
static int clean_environment(void **state)
{
    (void)state;
    clearenv();
    return setenv("PATH", "/usr/bin:/bin", 1);
}

/* ---- a folder with files, gone with the test ------------------------------------------------- */

#define CERTIFICATE(body) "-----BEGIN CERTIFICATE-----\n" body "\n-----END CERTIFICATE-----\n"

enum { MADE_MAX = 8 };

static char folder[] = "/tmp/agent-settings-XXXXXX", made[MADE_MAX][64];

static int with_folder(void **state)
{
    (void)clean_environment(state);
    (void)snprintf(folder, sizeof folder, "/tmp/agent-settings-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int without_folder(void **state)
{
    (void)state;
    for (size_t i = 0; i < MADE_MAX; i++) {
        if (*made[i] && unlink(made[i]) != 0)
            return -1;
        *made[i] = '\0';
    }
    return rmdir(folder);
}

static void make_file(size_t index, const char *name, const char *content)
{
    (void)snprintf(made[index], sizeof made[index], "%s/%s", folder, name);
    FILE *file = fopen(made[index], "we");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void make_link(size_t index, const char *name, const char *to)
{
    (void)snprintf(made[index], sizeof made[index], "%s/%s", folder, name);
    assert_int_equal(symlink(to, made[index]), 0);
}

static void read_fine(const struct vault_settings *settings, struct vault_config *config)
{
    struct err err = ERR_INIT;

    if (vault_config_read(settings, config, &err) != 0)
        fail_msg("%s", err.text);
}

static struct err read_refused(const struct vault_settings *settings)
{
    struct vault_config config;
    struct err err = ERR_INIT;

    assert_int_equal(vault_config_read(settings, &config, &err), -1);
    assert_true(strlen(err.text) > 0);
    return err;
}

static void assert_address(const struct vault_settings *settings, const char *expected)
{
    struct vault_config config;

    read_fine(settings, &config);
    assert_string_equal(config.nodes[0].base_url, expected);
    vault_config_release(&config);
}

static void addresses_beat_each_other_in_order(void **state)
{
    const struct vault_settings contract = {.address = "https://contract:1"}, none = {0};

    (void)state;
    assert_address(&none, "https://127.0.0.1:8200");
    assert_address(&contract, "https://contract:1");
    setenv("VAULT_ADDR", "https://vault:2", 1);
    assert_address(&contract, "https://vault:2");
    setenv("BAO_ADDR", "https://bao:3/", 1);
    assert_address(&contract, "https://bao:3");
    setenv("BAO_ADDR", "", 1); /* there and empty: as good as none, and VAULT_ADDR is not asked */
    assert_address(&none, "https://127.0.0.1:8200");
    setenv("VAULT_AGENT_ADDR", "https://agent:4/prefix//", 1);
    assert_address(&contract, "https://agent:4/prefix");
}

static void bad_addresses_are_named_by_their_origin(void **state)
{
    static const char *const bad[] = {"127.0.0.1:8310",     "ftp://x",       "https://",
                                      "https://u:canary@x", "https://x?a=b", "unix://relative",
                                      "https://a b",        "://",           "https://x#f"};
    const struct vault_settings none = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const struct vault_settings contract = {.address = bad[i]};
        setenv("VAULT_ADDR", bad[i], 1);
        struct err err = read_refused(&none);
        assert_int_equal(err.kind, ERR_USAGE);
        assert_text_has(err.text, "VAULT_ADDR");
        assert_text_lacks(err.text, "canary");
        unsetenv("VAULT_ADDR");
        err = read_refused(&contract);
        assert_int_equal(err.kind, ERR_CONTRACT);
        assert_text_has(err.text, "vault.address");
    }
}

static void plain_http_leaves_the_machine_only_when_allowed(void **state)
{
    static const char *const near[] = {"http://127.0.0.1:8200", "http://localhost",
                                       "http://[::1]:1", "unix:///run/vault.sock"};
    const struct vault_settings far = {.address = "http://vault:8200"};
    const struct vault_settings allowed = {.address = "http://vault:8200", .allow_http = true};
    struct vault_config config;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(near); i++) {
        const struct vault_settings settings = {.address = near[i]};
        read_fine(&settings, &config);
        vault_config_release(&config);
    }
    struct err err = read_refused(&far);
    assert_text_has(err.text, "plain http");
    assert_text_has(err.hint, "allow_http");
    read_fine(&allowed, &config);
    vault_config_release(&config);
}

static void a_redirect_leaves_the_machine_in_plain_http_only_when_allowed(void **state)
{
    static const char *const far[] = {"https://a:8200", "http://vault-2:8200", NULL};
    static const char *const near[] = {"http://127.0.0.1:8200", "http://localhost:1", NULL};
    struct vault_settings settings = {.address = "http://127.0.0.1:8200", .redirect_hosts = far};
    struct vault_config config;

    (void)state;
    struct err err = read_refused(&settings);
    assert_text_has(err.text, "redirect_hosts is plain http");
    assert_text_has(err.hint, "allow_http");
    settings.allow_http = true;
    read_fine(&settings, &config);
    vault_config_release(&config);
    settings = (struct vault_settings){.address = "http://127.0.0.1:8200", .redirect_hosts = near};
    read_fine(&settings, &config);
    vault_config_release(&config);
    /* from there nothing goes on without TLS */
    settings = (struct vault_settings){.address = "https://vault:8200", .redirect_hosts = far};
    read_fine(&settings, &config);
    vault_config_release(&config);
}

static void a_socket_is_spoken_to_as_localhost(void **state)
{
    const struct vault_settings settings = {.address = "unix:///run/vault.sock"};
    struct vault_config config;

    (void)state;
    read_fine(&settings, &config);
    assert_string_equal(config.nodes[0].base_url, "http://localhost");
    assert_string_equal(config.nodes[0].socket_path, "/run/vault.sock");
    vault_config_release(&config);
}

static void booleans_are_gos(void **state)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    const struct vault_settings none = {0}, strict = {.strict_profile = true};
    struct vault_config config;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        setenv("VAULT_SKIP_VERIFY", yes[i], 1);
        read_fine(&none, &config);
        assert_true(config.skip_verify);
        vault_config_release(&config);
        struct err err = read_refused(&strict);
        assert_text_has(err.text, "strict");
    }
    setenv("VAULT_SKIP_VERIFY", "false", 1);
    read_fine(&strict, &config);
    assert_false(config.skip_verify);
    vault_config_release(&config);
    setenv("VAULT_SKIP_VERIFY", "yes", 1);
    struct err err = read_refused(&none);
    assert_text_has(err.text, "VAULT_SKIP_VERIFY");
}

static void limits_take_gos_durations(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } durations[] = {{"2", 2000}, {"60s", 60000}, {"5m", 300000}};
    const struct vault_settings none = {0}, said = {.timeout_ms = 7, .retries = 4};
    const struct vault_settings never = {.no_retries = true};
    struct vault_config config;

    (void)state;
    read_fine(&none, &config);
    assert_int_equal(config.retries, -1);
    vault_config_release(&config);
    read_fine(&never, &config);
    assert_int_equal(config.retries, 0);
    vault_config_release(&config);
    read_fine(&said, &config);
    assert_int_equal(config.timeout_ms, 7);
    assert_int_equal(config.retries, 4);
    vault_config_release(&config);
    setenv("VAULT_MAX_RETRIES", "0", 1);
    for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
        setenv("VAULT_CLIENT_TIMEOUT", durations[i].text, 1);
        read_fine(&said, &config);
        assert_int_equal(config.timeout_ms, durations[i].ms);
        assert_int_equal(config.retries, 0);
        vault_config_release(&config);
    }
    setenv("VAULT_CLIENT_TIMEOUT", "soon", 1);
    assert_text_has(read_refused(&none).text, "VAULT_CLIENT_TIMEOUT");
    unsetenv("VAULT_CLIENT_TIMEOUT");
    setenv("VAULT_MAX_RETRIES", "-1", 1);
    assert_text_has(read_refused(&none).text, "VAULT_MAX_RETRIES");
}

static void rates_have_a_burst(void **state)
{
    static const char *const bad[] = {"0", "-1", "x", "10:", "10:0", "nan", "10:x"};
    const struct vault_settings none = {0};
    struct vault_config config;

    (void)state;
    setenv("VAULT_RATE_LIMIT", "10.5", 1);
    read_fine(&none, &config);
    assert_true(config.rate > 10.4 && config.rate < 10.6 && config.burst > 9.9 &&
                config.burst < 10.1);
    vault_config_release(&config);
    setenv("VAULT_RATE_LIMIT", "2:40", 1);
    read_fine(&none, &config);
    assert_true(config.burst > 39.9 && config.burst < 40.1);
    vault_config_release(&config);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        setenv("VAULT_RATE_LIMIT", bad[i], 1);
        assert_text_has(read_refused(&none).text, "VAULT_RATE_LIMIT");
    }
}

static void http_proxy_is_never_used(void **state)
{
    const struct vault_settings tls = {.address = "https://vault:8200"};
    const struct vault_settings plain = {.address = "http://127.0.0.1:8200"};
    const struct vault_settings near = {.address = "https://127.0.0.1:8200"};
    struct vault_config config;

    (void)state;
    setenv("http_proxy", "http://proxy:1", 1);
    setenv("HTTP_PROXY", "http://proxy:1", 1);
    setenv("ALL_PROXY", "http://proxy:1", 1);
    read_fine(&tls, &config);
    assert_false(secret_is_set(&config.proxy));
    vault_config_release(&config);
    setenv("https_proxy", "http://u:canary@proxy:2", 1);
    setenv("no_proxy", "example.org", 1);
    read_fine(&plain, &config);
    assert_false(secret_is_set(&config.proxy));
    vault_config_release(&config);
    read_fine(&near, &config);
    assert_false(secret_is_set(&config.proxy));
    vault_config_release(&config);
    read_fine(&tls, &config);
    assert_string_equal(secret_reveal(&config.proxy), "http://u:canary@proxy:2");
    assert_string_equal(config.no_proxy, "example.org");
    vault_config_release(&config);
    setenv("VAULT_HTTP_PROXY", "http://proxy:3", 1);
    read_fine(&tls, &config);
    assert_string_equal(secret_reveal(&config.proxy), "http://proxy:3");
    assert_null(config.no_proxy);
    vault_config_release(&config);
    setenv("VAULT_PROXY_ADDR", "http://proxy:4", 1);
    read_fine(&tls, &config);
    assert_string_equal(secret_reveal(&config.proxy), "http://proxy:4");
    vault_config_release(&config);
    assert_text_has(read_refused(&plain).text, "VAULT_PROXY_ADDR");
}

/* libcurl would show it, password included, and try again for a minute. */
static void what_is_no_proxy_is_refused_without_being_shown(void **state)
{
    static const char *const wrong[] = {
        "http://u:canary@ho st:1",
        "http://u:canary@host:99999",
        "htp://u:canary@host:1",
        "http://u:canary@",
        "u:canary@a,b",
        "http://u:canary%zz@host:1",
        "http://u:canary%00@h",
        "http://%00:canary@h",
    };
    static const char *const fine[] = {"proxy:3128", "u:canary@proxy", "socks5h://[::1]:1",
                                       "https://proxy"};
    const struct vault_settings tls = {.address = "https://vault"};
    struct vault_config config;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        setenv("VAULT_PROXY_ADDR", wrong[i], 1);
        struct err err = read_refused(&tls);
        assert_int_equal(err.kind, ERR_USAGE);
        assert_text_has(err.text, "VAULT_PROXY_ADDR");
        assert_text_lacks(err.text, "canary");
        assert_text_has(err.hint, "http://proxy.example:3128");
    }
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        setenv("VAULT_PROXY_ADDR", fine[i], 1);
        read_fine(&tls, &config);
        assert_string_equal(secret_reveal(&config.proxy), fine[i]);
        vault_config_release(&config);
    }
}

static void authorities_have_an_order_and_must_be_there(void **state)
{
    const struct vault_settings contract = {.ca_cert = "own.pem", .folder = "/nowhere/to/be/found"};
    struct vault_config config;

    (void)state;
    assert_text_has(read_refused(&contract).text, "/nowhere/to/be/found/own.pem");
    make_file(0, "ca.pem", "# ours\n" CERTIFICATE("one"));
    setenv("VAULT_CAPATH", folder, 1);
    read_fine(&contract, &config);
    assert_string_equal(config.ca_path, folder);
    assert_null(config.ca_cert);
    vault_config_release(&config);
    setenv("VAULT_CACERT_BYTES", "PEM", 1);
    read_fine(&contract, &config);
    assert_string_equal(config.ca_bytes, "PEM");
    assert_null(config.ca_path);
    vault_config_release(&config);
    setenv("VAULT_CACERT", "/nowhere.pem", 1);
    struct err err = read_refused(&contract);
    assert_int_equal(err.kind, ERR_FILE);
    assert_text_has(err.text, "/nowhere.pem");
}

/* OpenSSL finds those whose names are hashes, Vault's command line reads all: so the others are bytes. */
static void a_folder_of_authorities_is_read_as_vaults_command_line_reads_it(void **state)
{
    const struct vault_settings contract = {.ca_path = folder};
    struct vault_config config;

    (void)state;
    struct err err = read_refused(&contract);
    assert_int_equal(err.kind, ERR_FILE);
    assert_text_has(err.text, folder);
    assert_text_has(err.hint, "BEGIN CERTIFICATE");
    make_file(0, "README", "no certificate");
    make_file(1, ".hidden", CERTIFICATE("hidden"));
    make_file(2, "key.pem", "-----BEGIN PRIVATE KEY-----\nk\n-----END PRIVATE KEY-----\n");
    assert_text_has(read_refused(&contract).text, "no certificate in it");
    make_file(3, "0123abcd.0", CERTIFICATE("hashed"));
    read_fine(&contract, &config);
    assert_string_equal(config.ca_path, folder);
    assert_null(config.ca_bytes);
    vault_config_release(&config);
    make_link(4, "hashed.pem", "0123abcd.0"); /* found by its hash already */
    make_file(5, "two", CERTIFICATE("one") "between\n" CERTIFICATE("two"));
    make_file(6, "0123abcd.r0", "a list of revocations");
    make_link(7, "broken", "nowhere");
    read_fine(&contract, &config);
    assert_string_equal(config.ca_path, folder);
    assert_string_equal(config.ca_bytes, CERTIFICATE("one") CERTIFICATE("two"));
    vault_config_release(&config);
    setenv("VAULT_CAPATH", "/dev/null", 1);
    err = read_refused(&contract);
    assert_text_has(err.text, "/dev/null");
    assert_text_has(err.hint, "VAULT_CACERT");
}

static void certificate_and_key_need_each_other(void **state)
{
    const struct vault_settings none = {0};

    (void)state;
    setenv("VAULT_CLIENT_CERT", "/bin/sh", 1);
    assert_text_has(read_refused(&none).text, "VAULT_CLIENT_KEY is not set");
    unsetenv("VAULT_CLIENT_CERT");
    setenv("VAULT_CLIENT_KEY_BYTES", "canary", 1);
    struct err err = read_refused(&none);
    assert_text_has(err.text, "VAULT_CLIENT_CERT is not set");
    assert_text_lacks(err.text, "canary");
}

static void a_contracts_certificate_is_a_path_or_pem_of_the_environment(void **state)
{
    static const char pem[] = "-----BEGIN CERTIFICATE-----\ncanary\n-----END CERTIFICATE-----\n";
    const struct vault_settings paths = {.cert = "bin/sh", .key = "file:bin/sh", .folder = "/"};
    const struct vault_settings named = {.cert = "env:C", .key = "env:K", .folder = "/nowhere"};
    const struct vault_settings absent = {.cert = "/absent.pem", .key = "/bin/sh"};
    struct vault_config config;

    (void)state;
    read_fine(&paths, &config);
    assert_string_equal(config.client_cert, "/bin/sh");
    assert_string_equal(config.client_key, "/bin/sh");
    vault_config_release(&config);
    setenv("C", pem, 1);
    setenv("K", "/bin/sh", 1);
    read_fine(&named, &config);
    assert_string_equal(secret_reveal(&config.client_cert_bytes), pem);
    assert_string_equal(config.client_key, "/bin/sh");
    vault_config_release(&config);
    assert_text_has(read_refused(&absent).text, "/absent.pem");
    setenv("VAULT_CLIENT_CERT", "/bin/ls", 1);
    setenv("VAULT_CLIENT_KEY", "/bin/ls", 1);
    read_fine(&paths, &config); /* the environment's pair wins, whole */
    assert_string_equal(config.client_key, "/bin/ls");
    vault_config_release(&config);
}

static void the_usual_proxy_is_not_for_what_is_near(void **state)
{
    static const char *const mixed[] = {"https://127.0.0.1:1", "https://vault.far", NULL};
    static const char *const near[] = {"https://127.0.0.1:1", "https://localhost", NULL};
    static const char *const plain[] = {"https://vault.far", "http://127.0.0.1:1", NULL};
    const struct vault_settings both = {.addresses = mixed}, here = {.addresses = near};
    const struct vault_settings one_plain = {.addresses = plain};
    struct vault_config config;

    (void)state;
    setenv("https_proxy", "http://proxy:3128", 1);
    read_fine(&both, &config);
    assert_true(secret_is_set(&config.proxy) && config.proxy_is_usual);
    vault_config_release(&config);
    read_fine(&here, &config);
    assert_false(secret_is_set(&config.proxy));
    vault_config_release(&config);
    setenv("VAULT_PROXY_ADDR", "http://proxy:3128", 1); /* said for Vault: for every node of it */
    read_fine(&both, &config);
    assert_false(config.proxy_is_usual);
    vault_config_release(&config);
    assert_text_has(read_refused(&one_plain).text, "the proxy would see the token");
}

static void a_server_name_goes_into_the_url_and_the_address_into_the_connection(void **state)
{
    const struct vault_settings settings = {.address = "https://10.0.0.1:8200/x",
                                            .tls_server_name = "vault.internal"};
    const struct vault_settings six = {.address = "https://[::1]", .tls_server_name = "v"};
    struct vault_config config;

    (void)state;
    read_fine(&settings, &config);
    assert_string_equal(config.nodes[0].base_url, "https://vault.internal:8200/x");
    assert_string_equal(config.nodes[0].connect_to, "vault.internal:8200:10.0.0.1:8200");
    assert_string_equal(config.nodes[0].host_header, "10.0.0.1:8200");
    vault_config_release(&config);
    read_fine(&six, &config);
    assert_string_equal(config.nodes[0].connect_to, "v:443:[::1]:443");
    vault_config_release(&config);
    setenv("VAULT_TLS_SERVER_NAME", "bad name\r\nX: y", 1);
    assert_text_has(read_refused(&settings).text, "server name");
}

static void a_namespace_is_checked_before_it_is_sent(void **state)
{
    const struct vault_settings none = {0};
    struct vault_config config;

    (void)state;
    setenv("VAULT_NAMESPACE", " team1/sub/\n", 1);
    read_fine(&none, &config);
    assert_string_equal(config.name_space, "team1/sub/");
    vault_config_release(&config);
    setenv("VAULT_NAMESPACE", "a\r\nX-Vault-Token: b", 1);
    assert_text_has(read_refused(&none).text, "VAULT_NAMESPACE");
}

static void origins_are_compared_without_case_and_with_usual_ports(void **state)
{
    (void)state;
    assert_true(vault_same_origin("https://A.b", "https://a.B:443/path"));
    assert_true(vault_same_origin("http://a:80", "http://a/"));
    assert_false(vault_same_origin("https://a", "http://a"));
    assert_false(vault_same_origin("https://a", "https://a:8200"));
    assert_false(vault_same_origin("https://a", "https://a.evil"));
    assert_false(vault_same_origin("https://a", "nonsense"));
}

static void srv_lookup_is_refused_rather_than_ignored(void **state)
{
    const struct vault_settings without = {.address = "https://vault"};
    const struct vault_settings with = {.address = "https://vault:1"};
    struct vault_config config;

    (void)state;
    setenv("VAULT_SRV_LOOKUP", "true", 1);
    assert_text_has(read_refused(&without).text, "not in this version");
    read_fine(&with, &config);
    vault_config_release(&config);
}

#define clean_test(f)  cmocka_unit_test_setup(f, clean_environment)
#define folder_test(f) cmocka_unit_test_setup_teardown(f, with_folder, without_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        clean_test(addresses_beat_each_other_in_order),
        clean_test(bad_addresses_are_named_by_their_origin),
        clean_test(plain_http_leaves_the_machine_only_when_allowed),
        clean_test(a_redirect_leaves_the_machine_in_plain_http_only_when_allowed),
        clean_test(a_socket_is_spoken_to_as_localhost),
        clean_test(booleans_are_gos),
        clean_test(limits_take_gos_durations),
        clean_test(rates_have_a_burst),
        clean_test(http_proxy_is_never_used),
        clean_test(what_is_no_proxy_is_refused_without_being_shown),
        folder_test(authorities_have_an_order_and_must_be_there),
        folder_test(a_folder_of_authorities_is_read_as_vaults_command_line_reads_it),
        clean_test(certificate_and_key_need_each_other),
        clean_test(a_contracts_certificate_is_a_path_or_pem_of_the_environment),
        clean_test(the_usual_proxy_is_not_for_what_is_near),
        clean_test(a_server_name_goes_into_the_url_and_the_address_into_the_connection),
        clean_test(a_namespace_is_checked_before_it_is_sent),
        clean_test(origins_are_compared_without_case_and_with_usual_ports),
        clean_test(srv_lookup_is_refused_rather_than_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
