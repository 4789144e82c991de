/* Where a token comes from. What is sent to log in is in vault_wire. */
#include "tests/lib/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "vault/internal.h"

static char folder[] = "/tmp/agent-test-auth.XXXXXX";

static char *in_folder(const char *name)
{
    char *path = file_join(folder, name);

    assert_non_null(path);
    return path;
}

static void write_file(const char *name, const char *bytes, size_t length, mode_t mode)
{
    AUTO_FREE char *path = in_folder(name);
    AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(write(fd, bytes, length), (ssize_t)length);
}

static void write_text(const char *name, const char *text)
{
    write_file(name, text, strlen(text), 0600);
}

static void remove_file(const char *name)
{
    AUTO_FREE char *path = in_folder(name);

    (void)unlink(path);
}

static int clean(void **state)
{
    (void)state;
    clearenv();
    remove_file(".vault-token");
    return setenv("HOME", folder, 1);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {".vault-token", "token", "other"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        remove_file(names[i]);
    return rmdir(folder);
}

static void assert_token(const struct vault_settings *settings, const char *expected)
{
    struct vault *v = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(vault_open(settings, &v, &err), 0);
    if (auth_ensure(v, clock_in_ms(0), &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(secret_reveal(&v->token), expected);
    assert_string_equal(v->method, "token");
    assert_null(v->http); /* nothing was sent */
    vault_free(v);
}

static struct err no_token(const struct vault_settings *settings)
{
    struct vault *v = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(vault_open(settings, &v, &err), 0);
    assert_int_equal(auth_ensure(v, clock_in_ms(0), &err), -1);
    assert_false(secret_is_set(&v->token));
    vault_free(v);
    return err;
}

static void tokens_beat_each_other_in_order(void **state)
{
    AUTO_FREE char *path = in_folder("token");
    const struct vault_settings none = {0}, flag = {.token_file = path};
    const struct vault_settings contract = {.token = "env:CI_TOKEN"};

    (void)state;
    write_text("token", "of-flag\n");
    write_text(".vault-token", "of-home\n");
    assert_token(&none, "of-home");
    setenv("CI_TOKEN", "of-contract", 1);
    assert_token(&contract, "of-contract");
    setenv("VAULT_TOKEN", "of-vault", 1);
    assert_token(&contract, "of-vault");
    setenv("BAO_TOKEN", "of-bao", 1);
    assert_token(&contract, "of-bao");
    setenv("BAO_TOKEN", "", 1); /* there and empty: VAULT_TOKEN is not asked */
    assert_token(&none, "of-home");
    setenv("BAO_TOKEN", "of-bao", 1);
    assert_token(&flag, "of-flag");
}

static void a_strict_profile_lets_the_contract_beat_the_environment(void **state)
{
    const struct vault_settings strict = {.token = "env:CI_TOKEN", .strict_profile = true};
    const struct vault_settings unsaid = {.strict_profile = true};

    (void)state;
    setenv("VAULT_TOKEN", "of-vault", 1);
    setenv("CI_TOKEN", "of-contract", 1);
    assert_token(&strict, "of-contract");
    assert_token(&unsaid, "of-vault");
}

static void another_path_for_the_home_token(void **state)
{
    AUTO_FREE char *path = in_folder("other");
    const struct vault_settings none = {0};

    (void)state;
    write_text(".vault-token", "of-home");
    write_text("other", "of-other");
    setenv("BAO_TOKEN_PATH", path, 1);
    assert_token(&none, "of-other");
}

static void white_space_around_a_token_is_taken_off(void **state)
{
    const struct vault_settings none = {0};

    (void)state;
    setenv("VAULT_TOKEN", " \t of-vault\r\n\n", 1);
    assert_token(&none, "of-vault");
}

static void every_byte_of_a_token_is_fit_for_a_header_or_refused(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        const char bytes[] = {'c', 'a', 'n', 'a', 'r', 'y', (char)c, 'x'};
        const char *text = bytes;
        size_t length = sizeof bytes;
        struct err err = ERR_INIT;
        int result = auth_check_header_value(&text, &length, "the token", &err);

        assert_int_equal(result, c > 0x20 && c < 0x7f ? 0 : -1);
        if (result == 0)
            continue;
        assert_text_has(err.text, "the token has a byte at position 7");
        assert_text_lacks(err.text, "canary");
    }
}

static void long_and_empty_tokens_are_named(void **state)
{
    static char text[VAULT_HEADER_VALUE_MAX_BYTES + 2];
    const struct vault_settings none = {0};

    (void)state;
    memset(text, 'a', sizeof text - 1);
    setenv("VAULT_TOKEN", text, 1);
    assert_text_has(no_token(&none).text, "VAULT_TOKEN is longer than 4096");
    setenv("VAULT_TOKEN", " \n", 1);
    assert_text_has(no_token(&none).text, "VAULT_TOKEN is empty");
}

static void a_bad_token_is_not_replaced_by_the_next(void **state)
{
    const struct vault_settings none = {0};

    (void)state;
    write_text(".vault-token", "of-home");
    setenv("VAULT_TOKEN", "can\nary", 1);
    assert_text_has(no_token(&none).text, "VAULT_TOKEN");
}

static void no_token_at_all_says_where_it_was_looked_for(void **state)
{
    const struct vault_settings none = {0},
                                contract = {.token = "env:CI_TOKEN", .method = VAULT_AUTH_TOKEN};
    (void)state;
    struct err err = no_token(&none);
    assert_int_equal(err.kind, ERR_SOURCE_DENIED);
    assert_text_has(err.text, "VAULT_TOKEN");
    assert_text_has(err.hint, "VAULT_ROLE_ID");
    assert_text_has(no_token(&contract).text, "vault.auth.token");
    assert_text_lacks(err.hint, "BAO_TOKEN");
    setenv("VAULT_TOKEN", "of-vault", 1);
    setenv("BAO_TOKEN", "", 1);
    assert_text_has(no_token(&none).hint, "BAO_TOKEN is there and empty, and so hides VAULT_TOKEN");
}

static void a_token_file_has_to_be_there_and_not_anybodys(void **state)
{
    AUTO_FREE char *path = in_folder("token"), *absent = in_folder("absent");
    const struct vault_settings missing = {.token_file = absent}, flag = {.token_file = path};
    const struct vault_settings a_folder = {.token_file = folder};

    (void)state;
    struct err err = no_token(&missing);
    assert_int_equal(err.kind, ERR_FILE);
    assert_text_has(err.text, absent);
    write_file("token", "canary", 6, 0666);
    err = no_token(&flag);
    assert_text_has(err.text, "written by anybody");
    assert_text_lacks(err.text, "canary");
    write_file("token", "canary\0x", 8, 0600);
    assert_text_has(no_token(&flag).text, "position 7");
    assert_text_has(no_token(&a_folder).text, "neither a file nor a pipe");
    remove_file("token");
}

static void every_mode_of_a_token_file_is_judged(void **state)
{
    AUTO_FREE char *path = in_folder("token");
    const struct vault_settings flag = {.token_file = path};

    (void)state;
    write_file("token", "canary", 6, 0600);
    for (unsigned mode = 0; mode < 010000; mode++) {
        assert_int_equal(chmod(path, mode), 0);
        if (mode & S_IWOTH && (geteuid() == 0 || mode & S_IRUSR)) {
            struct err err = no_token(&flag);
            assert_text_has(err.text, "may be written by anybody");
            assert_text_has(err.hint, "chmod o-w");
            assert_text_lacks(err.text, "canary");
        } else if (geteuid() == 0 || mode & S_IRUSR) {
            assert_token(&flag, "canary");
        } else {
            assert_text_has(no_token(&flag).text, "Permission denied");
        }
    }
    remove_file("token");
}

static void a_secret_in_a_contract_is_refused_and_not_shown(void **state)
{
    const struct vault_settings token = {.token = "canary-token"};
    const struct vault_settings secret_id = {
        .method = VAULT_AUTH_APPROLE, .role_id = "role", .secret_id = "canary-secret"};
    const struct vault_settings password = {
        .method = VAULT_AUTH_USERPASS, .username = "u", .password = "canary-password"};
    const struct vault_settings *const all[] = {&token, &secret_id, &password};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct err err = no_token(all[i]);
        assert_int_equal(err.kind, ERR_CONTRACT);
        assert_text_lacks(err.text, "canary");
        assert_text_has(err.hint, "not written into a contract");
    }
}

static void what_a_log_in_needs_is_asked_for_by_name(void **state)
{
    const struct vault_settings role = {.method = VAULT_AUTH_APPROLE};
    const struct vault_settings secret_id = {
        .method = VAULT_AUTH_APPROLE, .role_id = "r", .secret_id = "env:ABSENT"};
    const struct vault_settings user = {.method = VAULT_AUTH_USERPASS};
    const struct vault_settings password = {.method = VAULT_AUTH_USERPASS, .username = "u"};

    (void)state;
    assert_text_has(no_token(&role).text, "no role id");
    assert_text_has(no_token(&secret_id).text, "no secret id");
    assert_text_has(no_token(&user).text, "no user name");
    assert_text_has(no_token(&password).text, "no password");
}

static void every_way_in_asks_for_what_it_lacks(void **state)
{
    static const struct {
        struct vault_settings settings;
        const char *lacks, *hint;
    } cases[] = {
        {{.method = VAULT_AUTH_KUBERNETES}, "no role", "VAULT_ROLE"},
        {{.method = VAULT_AUTH_KUBERNETES, .role = "r"},
         "/var/run/secrets/kubernetes.io/serviceaccount/token",
         "automountServiceAccountToken"},
        {{.method = VAULT_AUTH_KUBERNETES, .role = "r", .jwt = "env:ABSENT"},
         "no service account's token",
         "vault.auth.jwt"},
        {{.method = VAULT_AUTH_JWT, .role = "r"}, "no JWT", "VAULT_JWT_FILE"},
        {{.method = VAULT_AUTH_JWT, .jwt = "env:ABSENT"}, "no JWT", "vault.auth.jwt"},
        {{.method = VAULT_AUTH_CERT}, "no client certificate", "VAULT_CLIENT_CERT"},
        {{.method = VAULT_AUTH_CERT, .address = "http://127.0.0.1:1"}, "needs TLS", ""},
        {{.method = VAULT_AUTH_APPROLE, .role_id = "r", .secret_id_wrapped = true},
         "no secret id",
         "vault.auth.secret_id"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = no_token(&cases[i].settings);
        assert_text_has(err.text, cases[i].lacks);
        assert_text_has(err.hint, cases[i].hint);
    }
}

/* Nothing was sent, and no token is there. */
static void assert_goes_without(const struct vault_settings *settings)
{
    struct vault *v = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(vault_open(settings, &v, &err), 0);
    if (auth_ensure(v, clock_in_ms(0), &err) != 0)
        fail_msg("%s", err.text);
    assert_false(secret_is_set(&v->token));
    assert_string_equal(v->method, "agent");
    assert_null(v->http);
    vault_free(v);
}

static void an_agent_of_vaults_needs_no_token_and_no_log_in(void **state)
{
    const struct vault_settings none = {0}, socket = {.address = "unix:///run/vault-agent.sock"};
    const struct vault_settings login = {.method = VAULT_AUTH_KUBERNETES, .role = "r"};
    const struct vault_settings strict = {
        .method = VAULT_AUTH_JWT, .role = "r", .strict_profile = true};
    const struct vault_settings contract = {.token = "env:CI_TOKEN"};

    (void)state;
    assert_goes_without(&socket);
    setenv("VAULT_AGENT_ADDR", "http://127.0.0.1:8100", 1);
    setenv("VAULT_ROLE_ID", "role", 1); /* is the agent's business */
    assert_goes_without(&none);
    assert_goes_without(&login);
    assert_goes_without(&contract);
    assert_text_has(no_token(&strict).text, "no JWT"); /* the contract says who we are */
    setenv("CI_TOKEN", "of-contract", 1);
    assert_token(&contract, "of-contract");
    setenv("VAULT_TOKEN", "of-vault", 1); /* who says a token wants that one */
    assert_token(&none, "of-vault");
}

static void the_environment_may_name_the_way_in(void **state)
{
    const struct vault_settings none = {0}, contract = {.method = VAULT_AUTH_JWT, .jwt = "env:T"};
    struct vault_config config;
    struct err err = ERR_INIT;

    (void)state;
    setenv("VAULT_AUTH_METHOD", "kubernetes", 1);
    assert_text_has(no_token(&none).text, "no role");
    assert_text_has(no_token(&contract).text, "no JWT"); /* the contract wins */
    setenv("VAULT_AUTH_METHOD", "kubernets", 1);
    assert_int_equal(vault_config_read(&none, &config, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
    assert_text_has(err.text, "VAULT_AUTH_METHOD");
    assert_text_has(err.hint, "kubernetes");
}

static void every_method_has_its_word(void **state)
{
    static const char *const words[] = {"token",      "approle", "userpass",
                                        "kubernetes", "jwt",     "cert"};
    enum vault_auth_method method, last = VAULT_AUTH_DEFAULT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        assert_true(vault_auth_method_of(words[i], &method));
        assert_true(method > last); /* as the enumeration has them */
        last = method;
    }
    assert_false(vault_auth_method_of("oidc", &method));
    assert_false(vault_auth_method_of(NULL, &method));
}

#define clean_test(f) cmocka_unit_test_setup(f, clean)

int main(void)
{
    const struct CMUnitTest tests[] = {
        clean_test(tokens_beat_each_other_in_order),
        clean_test(a_strict_profile_lets_the_contract_beat_the_environment),
        clean_test(another_path_for_the_home_token),
        clean_test(white_space_around_a_token_is_taken_off),
        clean_test(every_byte_of_a_token_is_fit_for_a_header_or_refused),
        clean_test(long_and_empty_tokens_are_named),
        clean_test(a_bad_token_is_not_replaced_by_the_next),
        clean_test(no_token_at_all_says_where_it_was_looked_for),
        clean_test(a_token_file_has_to_be_there_and_not_anybodys),
        clean_test(every_mode_of_a_token_file_is_judged),
        clean_test(a_secret_in_a_contract_is_refused_and_not_shown),
        clean_test(what_a_log_in_needs_is_asked_for_by_name),
        clean_test(every_way_in_asks_for_what_it_lacks),
        clean_test(an_agent_of_vaults_needs_no_token_and_no_log_in),
        clean_test(the_environment_may_name_the_way_in),
        clean_test(every_method_has_its_word),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
