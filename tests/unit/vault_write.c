/* Writing KV version 2, on a real OpenBao. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "tests/lib/bao.h"
#include "tests/unit/vault_client.h"
#include "vault/internal.h"
#include "vault/write.h"

#define CANARY "canary-value-6d18"

static struct bao *server;

static int start_server(void **state)
{
    (void)state;
    server = bao_start(false);
    free(bao_run(server, "secrets", "enable", "-path=old", "-version=1", "kv", NULL));
    free(bao_run(server, "secrets", "enable", "-path=team/kv", "-version=2", "kv", NULL));
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    bao_stop(server);
    return 0;
}

static int clean(void **state)
{
    (void)state;
    clearenv();
    setenv("VAULT_TOKEN", BAO_ROOT_TOKEN, 1);
    return setenv("VAULT_ADDR", bao_address(server), 1);
}

static struct vault *open_it(void)
{
    return open_at(NULL);
}

/* A client whose token has a policy of POLICY alone. */
static struct vault *open_with_policy(const char *policy)
{
    bao_policy(server, "narrow", policy);
    char *token = bao_run(server, "token", "create", "-policy=narrow", "-ttl=5m", "-field=token",
                          NULL);
    setenv("VAULT_TOKEN", token, 1);
    free(token);
    return open_it();
}

/* Write it whatever is there, with bao itself: TEXT is not shaped by us. */
static void put_raw(const char *path, const char *text)
{
    char name[256], at[300];

    (void)snprintf(name, sizeof name, "%s/value.json", bao_folder(server));
    FILE *file = fopen(name, "we");
    assert_non_null(file);
    assert_true(fprintf(file, "{\"data\":%s}", text) > 0);
    assert_int_equal(fclose(file), 0);
    (void)snprintf(at, sizeof at, "@%s", name);
    free(bao_run(server, "write", path, at, NULL));
}

static char *get_raw(const char *path)
{
    return bao_run(server, "kv", "get", "-format=json", path, NULL);
}

static struct vault_kv read_it(struct vault *v, const char *path)
{
    struct vault_kv kv = {0};
    struct err err = ERR_INIT;

    if (vault_kv_read(v, path, soon(), &kv, &err) != 0)
        fail_msg("%s", err.text);
    return kv;
}

/* ---- put and read --------------------------------------------------------------------------- */

static void what_is_written_is_read_again(void **state)
{
    struct vault *v = open_it();
    unsigned version = 0;

    (void)state;
    assert_int_equal(
        put(v, "secret/a", "{\"p\":\"" CANARY "\",\"n\":7,\"g\":{\"x\":true}}", 0, &version),
        VAULT_WRITTEN);
    assert_int_equal(version, 1);
    AUTO_VAULT_KV kv = read_it(v, "secret/data/a"); /* in its other spelling */
    assert_int_equal(kv.state, VAULT_KV_THERE);
    assert_int_equal(kv.version, 1);
    assert_true(kv.written_at > 1600000000);
    assert_string_equal(document_text(&kv.data, NULL, "p"), CANARY);
    assert_string_equal(document_text(&kv.data, "g", "x"), "true");
    assert_false(kv.data.is_partial);
    assert_int_equal(put(v, "team/kv/deep/er", "{\"f\":\"1\"}", 0, &version), VAULT_WRITTEN);
    AUTO_VAULT_KV deep = read_it(v, "team/kv/deep/er");
    assert_string_equal(document_text(&deep.data, NULL, "f"), "1");
    vault_free(v);
}

static void of_two_who_write_the_same_version_one_is_told(void **state)
{
    struct vault *v = open_it();
    unsigned version = 0;

    (void)state;
    assert_int_equal(put(v, "secret/cas", "{\"f\":\"1\"}", 0, &version), VAULT_WRITTEN);
    assert_int_equal(put(v, "secret/cas", "{\"f\":\"x\"}", 0, &version), VAULT_CONFLICT);
    assert_int_equal(put(v, "secret/cas", "{\"f\":\"2\"}", 1, &version), VAULT_WRITTEN);
    assert_int_equal(version, 2);
    assert_int_equal(put(v, "secret/cas", "{\"f\":\"x\"}", 1, &version), VAULT_CONFLICT);
    AUTO_VAULT_KV kv = read_it(v, "secret/cas");
    assert_string_equal(document_text(&kv.data, NULL, "f"), "2");
    vault_free(v);
}

static void what_is_not_there_is_told_apart_with_the_counter_to_go_on_from(void **state)
{
    struct vault *v = open_it();
    enum vault_written outcome;
    struct err err = ERR_INIT;
    unsigned version = 0;

    (void)state;
    AUTO_VAULT_KV none = read_it(v, "secret/state");
    assert_int_equal(none.state, VAULT_KV_MISSING);
    assert_int_equal(none.version, 0);
    assert_int_equal(put(v, "secret/state", "{\"f\":\"1\"}", 0, &version), VAULT_WRITTEN);
    free(bao_run(server, "kv", "delete", "-mount=secret", "state", NULL));
    AUTO_VAULT_KV deleted = read_it(v, "secret/state");
    assert_int_equal(deleted.state, VAULT_KV_DELETED);
    assert_int_equal(deleted.version, 1);
    assert_int_equal(put(v, "secret/state", "{\"f\":\"x\"}", 0, &version), VAULT_CONFLICT);
    assert_int_equal(put(v, "secret/state", "{\"f\":\"2\"}", 1, &version), VAULT_WRITTEN);
    free(bao_run(server, "kv", "destroy", "-mount=secret", "-versions=2", "state", NULL));
    AUTO_VAULT_KV destroyed = read_it(v, "secret/state");
    assert_int_equal(destroyed.state, VAULT_KV_DESTROYED);
    assert_int_equal(destroyed.version, 2);
    assert_int_equal(vault_kv_erase(v, "secret/state", soon(), &outcome, &err), 0);
    assert_int_equal(outcome, VAULT_WRITTEN);
    AUTO_VAULT_KV erased = read_it(v, "secret/state");
    assert_int_equal(erased.state, VAULT_KV_MISSING);
    assert_int_equal(put(v, "secret/state", "{\"f\":\"3\"}", 0, &version), VAULT_WRITTEN);
    vault_free(v);
}

static void erasing_what_is_not_there_is_done_already(void **state)
{
    struct vault *v = open_it();
    enum vault_written outcome = VAULT_IN_DOUBT;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(vault_kv_erase(v, "secret/never", soon(), &outcome, &err), 0);
    assert_int_equal(outcome, VAULT_WRITTEN);
    vault_free(v);
}

static void a_mount_without_check_and_set_is_refused_with_the_reason(void **state)
{
    const struct vault_kv_mount mounts[] = {{"said", 1}};
    const struct vault_settings settings = {.kv_mounts = mounts, .kv_mount_count = 1};
    const char *const paths[] = {"old/a", "said/a"};
    AUTO_DOCUMENT doc = parsed("{\"f\":\"" CANARY "\"}");
    enum vault_written outcome;
    unsigned version;
    struct vault *v = NULL;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(vault_open(&settings, &v, &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct vault_kv kv;
        assert_int_equal(vault_kv_put(v, paths[i], &doc, 0, soon(), &outcome, &version, &err), -1);
        assert_int_equal(err.kind, ERR_CONTRACT);
        assert_text_has(err.text, "check-and-set");
        assert_text_has(err.hint, "enable-versioning");
        assert_int_equal(vault_kv_read(v, paths[i], soon(), &kv, &err), -1);
        assert_int_equal(err.kind, ERR_CONTRACT);
    }
    vault_free(v);
}

static void one_version_is_read_and_all_are_listed(void **state)
{
    struct vault *v = open_it();
    struct vault_kv_history history = {0};
    enum vault_written outcome;
    unsigned version = 0;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(vault_kv_versions(v, "secret/v", soon(), &history, &err), 0);
    assert_int_equal(history.newest, 0);
    assert_int_equal(vault_kv_set_max_versions(v, "secret/v", 3, soon(), &outcome, &err), 0);
    assert_int_equal(outcome, VAULT_WRITTEN);
    for (unsigned i = 0; i < 12; i++)
        assert_int_equal(put(v, "secret/v", "{\"f\":\"x\"}", i, &version), VAULT_WRITTEN);
    free(bao_run(server, "kv", "delete", "-mount=secret", "-versions=11", "v", NULL));
    if (vault_kv_versions(v, "secret/v", soon(), &history, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(history.newest, 12);
    assert_int_equal(history.count, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(history.list[i].version, 10 + i);
        assert_true(history.list[i].deleted == (i == 1));
        assert_true(history.list[i].written_at > 1600000000);
    }
    vault_kv_history_release(&history);
    struct vault_kv kv = {0};
    assert_int_equal(vault_kv_read_version(v, "secret/v", 10, soon(), &kv, &err), 0);
    assert_int_equal(kv.version, 10);
    vault_kv_release(&kv);
    assert_int_equal(vault_kv_read_version(v, "secret/v", 2, soon(), &kv, &err), 0);
    assert_int_equal(kv.state, VAULT_KV_MISSING);
    vault_free(v);
}

/* ---- patch ---------------------------------------------------------------------------------- */

#define ODD                                                                                     \
    "{\"user\":\"u\",\"ratio\":1.50,\"big\":12345678901234567890123,\"sci\":1e3,\"null\":null," \
    "\"list\":[1,{\"a\":[\"}\",\"\\\"\"]}],\"deep\":{\"a\":{\"b\":2}},\"password\":\"" CANARY   \
    "\","                                                                                       \
    "\"<&>\":\"\\u2028\"}"

/* As OpenBao shows them: it makes floating point of numbers when they are first written. */
static void assert_siblings_stayed(const char *path)
{
    static const char *const parts[] = {"\"user\": \"u\"", "\"ratio\": 1.5",
                                        "\"sci\": 1000",   "1.2345678901234568e+22",
                                        "\"null\": null",  "\"b\": 2",
                                        "\"extra\": 5",    "\"password\": \"new\\\"word\"",
                                        "\"}\"",           "\\u003c\\u0026\\u003e\": \"\\u2028\""};
    char *text = get_raw(path);

    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (!strstr(text, parts[i]))
            fail_msg("%s lost: %s", parts[i], text);
    assert_text_lacks(text, CANARY);
    free(text);
}

static void replace_in(struct vault *v, const char *path, unsigned cas)
{
    AUTO_DOCUMENT fields = parsed("{\"password\":\"new\\\"word\",\"extra\":5}");
    enum vault_written outcome = VAULT_IN_DOUBT;
    unsigned version = 0;
    struct err err = ERR_INIT;

    assert_int_equal(vault_kv_patch(v, path, &fields, cas + 1, soon(), &outcome, &version, &err),
                     0);
    assert_int_equal(outcome, VAULT_CONFLICT);
    if (vault_kv_patch(v, path, &fields, cas, soon(), &outcome, &version, &err) != 0)
        fail_msg("%s %s", err.text, err.hint);
    assert_int_equal(outcome, VAULT_WRITTEN);
    assert_int_equal(version, cas + 1);
}

static void a_patch_replaces_its_fields_and_no_byte_of_others(void **state)
{
    struct vault *v = open_it();

    (void)state;
    put_raw("secret/data/patched", ODD);
    replace_in(v, "secret/patched", 1);
    assert_siblings_stayed("secret/patched");
    vault_free(v);
}

static void without_the_right_to_patch_the_others_stay_as_well(void **state)
{
    put_raw("secret/data/put", ODD);
    struct vault *v = open_with_policy(
        "path \"secret/data/put\" { capabilities = [\"read\", \"update\"] }\n");

    (void)state;
    replace_in(v, "secret/put", 1);
    assert_siblings_stayed("secret/put");
    vault_free(v);
}

static void fields_of_nothing_are_not_replaced(void **state)
{
    AUTO_DOCUMENT fields = parsed("{\"f\":\"" CANARY "\"}");
    AUTO_DOCUMENT group = parsed("{\"g\":{}}");
    enum vault_written outcome;
    unsigned version;
    struct err err = ERR_INIT;
    struct vault *v = open_it();

    (void)state;
    assert_int_equal(vault_kv_patch(v, "secret/no", &fields, 1, soon(), &outcome, &version, &err),
                     -1);
    assert_int_equal(err.kind, ERR_SOURCE_MISSING);
    assert_int_equal(vault_kv_patch(v, "secret/no", &group, 1, soon(), &outcome, &version, &err),
                     -1);
    assert_int_equal(err.kind, ERR_DEFECT);
    vault_free(v);
    v = open_with_policy("path \"secret/data/no\" { capabilities = [\"read\", \"update\"] }\n");
    assert_int_equal(vault_kv_patch(v, "secret/no", &fields, 1, soon(), &outcome, &version, &err),
                     -1);
    assert_int_equal(err.kind, ERR_SOURCE_MISSING);
    assert_text_lacks(err.text, "canary");
    vault_free(v);
}

static void a_refusal_says_which_policy_would_allow_it(void **state)
{
    AUTO_DOCUMENT fields = parsed("{\"f\":\"" CANARY "\"}");
    enum vault_written outcome;
    unsigned version;
    struct err err = ERR_INIT;

    (void)state;
    put_raw("secret/data/shut", "{\"f\":1}");
    struct vault *v = open_with_policy(
        "path \"secret/data/shut\" { capabilities = [\"create\", \"read\"] }\n");
    assert_int_equal(vault_kv_put(v, "secret/shut", &fields, 1, soon(), &outcome, &version, &err),
                     -1);
    assert_int_equal(err.kind, ERR_SOURCE_DENIED);
    assert_text_has(err.hint,
                    "path \"secret/data/shut\" { capabilities = [\"create\", \"update\"]");
    assert_text_has(err.hint, "its policies: default, narrow");
    assert_text_lacks(err.text, "canary");
    assert_int_equal(vault_kv_patch(v, "secret/shut", &fields, 1, soon(), &outcome, &version, &err),
                     -1);
    assert_int_equal(err.kind, ERR_SOURCE_DENIED);
    vault_free(v);
    setenv("VAULT_TOKEN", "canary-dead-token", 1);
    v = open_it();
    assert_int_equal(vault_kv_put(v, "secret/shut", &fields, 1, soon(), &outcome, &version, &err),
                     -1);
    assert_text_has(err.text, "the token has expired");
    assert_text_lacks(err.text, "canary");
    vault_free(v);
}

static void assert_custom(struct vault *v, const char *path, const char *name, const char *text)
{
    struct vault_kv_history history = {0};
    struct err err = ERR_INIT;

    if (vault_kv_versions(v, path, soon(), &history, &err) != 0)
        fail_msg("%s", err.text);
    const char *there = document_text(&history.custom, NULL, name);
    if (!str_eq(there, text))
        fail_msg("%s is %s, not %s", name, there ? there : "not there", text ? text : "not there");
    vault_kv_history_release(&history);
}

static void mark(struct vault *v, const char *path, const char *name, const char *text)
{
    const struct vault_pair pairs[] = {{name, text}};
    enum vault_written outcome = VAULT_IN_DOUBT;
    struct err err = ERR_INIT;

    if (vault_kv_custom_patch(v, path, pairs, 1, soon(), &outcome, &err) != 0)
        fail_msg("%s %s", err.text, err.hint);
    assert_int_equal(outcome, VAULT_WRITTEN);
}

/* The other tests speak HTTP/1.1; with TLS it is HTTP/2. */
static void it_is_the_same_over_http_2(void **state)
{
    struct bao *over_tls = bao_start(true);
    AUTO_DOCUMENT fields = parsed("{\"f\":\"2\"}");
    enum vault_written outcome = VAULT_IN_DOUBT;
    unsigned version = 0;
    struct err err = ERR_INIT;

    (void)state;
    setenv("VAULT_ADDR", bao_address(over_tls), 1);
    setenv("VAULT_CACERT", bao_ca_file(over_tls), 1);
    struct vault *v = open_it();
    assert_int_equal(put(v, "secret/a", "{\"f\":\"1\",\"g\":\"x\"}", 0, &version), VAULT_WRITTEN);
    assert_int_equal(put(v, "secret/a", "{\"f\":\"x\"}", 0, &version), VAULT_CONFLICT);
    assert_int_equal(vault_kv_patch(v, "secret/a", &fields, 1, soon(), &outcome, &version, &err),
                     0);
    assert_int_equal(outcome, VAULT_WRITTEN);
    AUTO_VAULT_KV kv = read_it(v, "secret/a");
    assert_string_equal(document_text(&kv.data, NULL, "f"), "2");
    assert_string_equal(document_text(&kv.data, NULL, "g"), "x");
    mark(v, "secret/a", "agent.A", "now");
    assert_int_equal(vault_kv_erase(v, "secret/a", soon(), &outcome, &err), 0);
    AUTO_VAULT_KV erased = read_it(v, "secret/a");
    assert_int_equal(erased.state, VAULT_KV_MISSING);
    vault_free(v);
    bao_stop(over_tls);
}

/* ---- custom metadata ------------------------------------------------------------------------ */

static void custom_metadata_is_set_beside_what_others_set(void **state)
{
    struct vault *root = open_it();
    unsigned version;

    (void)state;
    mark(root, "secret/before", "agent.A", "first"); /* there is no secret yet */
    assert_custom(root, "secret/before", "agent.A", "first");
    assert_int_equal(put(root, "secret/before", "{\"f\":\"1\"}", 0, &version), VAULT_WRITTEN);
    free(bao_run(server, "kv", "metadata", "put", "-mount=secret", "-custom-metadata=owner=team",
                 "-max-versions=7", "m", NULL));
    mark(root, "secret/m", "agent.A", "{\"at\":\"now\"}");
    assert_custom(root, "secret/m", "owner", "team");
    struct vault *narrow = open_with_policy(
        "path \"secret/metadata/m\" { capabilities = [\"read\", \"update\"] }\n");
    mark(narrow, "secret/m", "agent.B", "two");
    mark(narrow, "secret/m", "agent.A", NULL);
    mark(root, "secret/m", "agent.B", "three");
    assert_custom(root, "secret/m", "owner", "team");
    assert_custom(root, "secret/m", "agent.A", NULL);
    assert_custom(root, "secret/m", "agent.B", "three");
    mark(root, "secret/m", "agent.B", NULL);
    assert_custom(root, "secret/m", "agent.B", NULL);
    char *kept = bao_run(server, "read", "-field=max_versions", "secret/metadata/m", NULL);
    assert_string_equal(kept, "7");
    free(kept);
    vault_free(narrow);
    vault_free(root);
}

static void custom_metadata_that_does_not_fit_is_not_sent(void **state)
{
    char text[VAULT_CUSTOM_MAX_BYTES + 2];
    const struct vault_pair pairs[] = {{"x", text}};
    enum vault_written outcome;
    struct err err = ERR_INIT;
    struct vault *v = open_it();

    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_int_equal(vault_kv_custom_patch(v, "secret/m", pairs, 1, soon(), &outcome, &err), -1);
    assert_int_equal(err.kind, ERR_DEFECT);
    text[0] = '\0';
    assert_int_equal(vault_kv_custom_patch(v, "secret/m", pairs, 1, soon(), &outcome, &err), -1);
    memset(text, 'x', sizeof text);
    text[VAULT_CUSTOM_MAX_BYTES] = '\0';
    mark(v, "secret/full", "x", text);
    vault_free(v);
}

/* ---- capabilities --------------------------------------------------------------------------- */

static void the_policy_that_is_printed_is_enough(void **state)
{
    enum { CR = VAULT_CAN_CREATE | VAULT_CAN_READ, RU = VAULT_CAN_READ | VAULT_CAN_UPDATE };
    struct vault_need needs[] = {
        {"secret/app.pending/X", VAULT_NEED_DATA, CR | VAULT_CAN_UPDATE, 0, 0},
        {"secret/app.pending/X", VAULT_NEED_METADATA, VAULT_CAN_DELETE, 0, 0},
        {"secret/data/app", VAULT_NEED_DATA, VAULT_CAN_PATCH, RU, 0},
        {"secret/app", VAULT_NEED_DATA, VAULT_CAN_READ, 0, 0},
        {"team/kv/app", VAULT_NEED_METADATA, VAULT_CAN_LIST, 0, 0},
        {"database/rotate-role/app", VAULT_NEED_PLAIN, VAULT_CAN_UPDATE, 0, 0},
    };
    AUTO_BUF policy = BUF_INIT(64 * 1024);
    struct err err = ERR_INIT;

    (void)state;
    struct vault *v = open_with_policy("path \"secret/data/app\" { capabilities = [\"read\", "
                                       "\"update\"] }\n path \"team/kv/data/x\" { capabilities = "
                                       "[\"read\"] }\n");
    if (vault_capabilities(v, needs, ARRAY_LEN(needs), soon(), &err) != 0)
        fail_msg("%s", err.text);
    assert_false(vault_need_is_met(&needs[0]));
    assert_true(vault_need_is_met(&needs[2])); /* otherwise */
    assert_true(vault_need_is_met(&needs[3]));
    assert_int_equal(needs[2].had, RU);
    assert_false(vault_need_is_met(&needs[5]));
    assert_int_equal(vault_policy_text(v, needs, ARRAY_LEN(needs), &policy, &err), 0);
    assert_text_has(buf_text(&policy), "path \"secret/data/app.pending/X\" {\n  capabilities = "
                                       "[\"create\", \"read\", \"update\"]\n}\n");
    assert_text_has(buf_text(&policy),
                    "path \"secret/data/app\" {\n  capabilities = [\"read\", \"patch\"]\n}\n");
    assert_text_has(buf_text(&policy), "path \"team/kv/metadata/app\"");
    vault_free(v);
    clean(NULL);
    v = open_with_policy(buf_text(&policy));
    assert_int_equal(vault_capabilities(v, needs, ARRAY_LEN(needs), soon(), &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(needs); i++)
        assert_true(vault_need_is_met(&needs[i]));
    vault_free(v);
    clean(NULL);
    v = open_it(); /* root may do anything */
    assert_int_equal(vault_capabilities(v, needs, ARRAY_LEN(needs), soon(), &err), 0);
    assert_true(vault_need_is_met(&needs[0]) && vault_need_is_met(&needs[5]));
    vault_free(v);
}

static void a_log_in_that_ends_between_two_writes_is_made_again(void **state)
{
    static const char policy[] =
        "path \"secret/data/relog\" { capabilities = [\"create\", \"read\", "
        "\"update\"] }\n";
    unsigned version = 0;
    struct err err = ERR_INIT;

    (void)state;
    struct vault *v = open_with_policy(policy); /* writes the policy */
    vault_free(v);
    free(bao_run(server, "auth", "enable", "userpass", NULL));
    free(bao_run(server, "write", "auth/userpass/users/u", "password=canary-pass-99",
                 "token_policies=narrow", NULL));
    unsetenv("VAULT_TOKEN");
    setenv("PASS", "canary-pass-99", 1);
    const struct vault_settings settings = {
        .method = VAULT_AUTH_USERPASS, .username = "u", .password = "env:PASS"};
    assert_int_equal(vault_open(&settings, &v, &err), 0);
    assert_int_equal(put(v, "secret/relog", "{\"f\":\"1\"}", 0, &version), VAULT_WRITTEN);
    char token[128];
    (void)snprintf(token, sizeof token, "%s", secret_reveal(&v->token));
    free(bao_run(server, "token", "revoke", token, NULL));
    assert_int_equal(put(v, "secret/relog", "{\"f\":\"2\"}", 1, &version), VAULT_WRITTEN);
    assert_int_equal(version, 2);
    vault_free(v);
}

#define clean_test(f) cmocka_unit_test_setup(f, clean)

int main(void)
{
    const struct CMUnitTest tests[] = {
        clean_test(what_is_written_is_read_again),
        clean_test(of_two_who_write_the_same_version_one_is_told),
        clean_test(what_is_not_there_is_told_apart_with_the_counter_to_go_on_from),
        clean_test(erasing_what_is_not_there_is_done_already),
        clean_test(a_mount_without_check_and_set_is_refused_with_the_reason),
        clean_test(one_version_is_read_and_all_are_listed),
        clean_test(a_patch_replaces_its_fields_and_no_byte_of_others),
        clean_test(without_the_right_to_patch_the_others_stay_as_well),
        clean_test(fields_of_nothing_are_not_replaced),
        clean_test(a_refusal_says_which_policy_would_allow_it),
        clean_test(it_is_the_same_over_http_2),
        clean_test(custom_metadata_is_set_beside_what_others_set),
        clean_test(custom_metadata_that_does_not_fit_is_not_sent),
        clean_test(the_policy_that_is_printed_is_enough),
        clean_test(a_log_in_that_ends_between_two_writes_is_made_again),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
