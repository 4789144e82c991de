/* Writing KV version 2: on a real OpenBao, and with a server that loses replies by script. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "tests/lib/bao.h"
#include "tests/lib/heap.h"
#include "tests/lib/script_server.h"
#include "vault/http_curl.h"
#include "vault/internal.h"
#include "vault/write.h"

#define CANARY       "canary-value-6d18"
#define CANARY_TOKEN "canary-token-6d18"

enum { LONG_MS = 60000, SHORT_MS = 1500 };

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

static struct vault *open_at(const char *url)
{
    const struct vault_settings settings = {.address = url};
    struct vault *v = NULL;
    struct err err = ERR_INIT;

    if (vault_open(&settings, &v, &err) != 0)
        fail_msg("%s", err.text);
    return v;
}

static struct vault *open_it(void)
{
    return open_at(NULL);
}

static int64_t soon(void)
{
    return clock_in_ms(LONG_MS);
}

/* A client whose token has a policy of POLICY alone. */
static struct vault *open_with_policy(const char *policy)
{
    char name[256];

    (void)snprintf(name, sizeof name, "%s/policy.hcl", bao_folder(server));
    FILE *file = fopen(name, "we");
    assert_non_null(file);
    assert_true(fprintf(file, "%s", policy) > 0);
    assert_int_equal(fclose(file), 0);
    free(bao_run(server, "policy", "write", "narrow", name, NULL));
    char *token = bao_run(server, "token", "create", "-policy=narrow", "-ttl=5m", "-field=token",
                          NULL);
    setenv("VAULT_TOKEN", token, 1);
    free(token);
    return open_it();
}

static struct document parsed(const char *text)
{
    struct document doc = DOCUMENT_INIT;
    struct err err = ERR_INIT;

    if (document_parse(text, strlen(text), "it", ERR_DEFECT, &doc, &err) != 0)
        fail_msg("%s", err.text);
    return doc;
}

static enum vault_written put(struct vault *v, const char *path, const char *text, unsigned cas,
                              unsigned *version)
{
    enum vault_written outcome = VAULT_IN_DOUBT;
    struct err err = ERR_INIT;
    AUTO_DOCUMENT doc = parsed(text);

    if (vault_kv_put(v, path, &doc, cas, soon(), &outcome, version, &err) != 0)
        fail_msg("%s", err.text);
    return outcome;
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

#define SHOWN                                                                                      \
    "{\"request_id\":\"data\",\"data\" : { \"data\": {\"ratio\":1.50,\"pass\\u0077ord\":\"" CANARY \
    "\",\"big\":12345678901234567890123, \"list\":[1,{\"a\":[\"}\",\"\\\"\"]}] "                   \
    ",\"n\\u0061me\":-0.0e1,"                                                                      \
    "\"e\":{},\"s\":\"\\ud83d\\ude00\\/\"}, \"metadata\":{\"version\":2}}}"

#define SENT                                                                                       \
    "{\"options\":{\"cas\":2},\"data\":{\"ratio\":1.50,\"pass\\u0077ord\":\"new\",\"big\":"        \
    "12345678901234567890123,\"list\":[1,{\"a\":[\"}\",\"\\\"\"]}],\"n\\u0061me\":-0.0e1,\"e\":{}" \
    ","                                                                                            \
    "\"s\":\"\\ud83d\\ude00\\/\",\"extra\":5}}"

static bool has_no_patch(struct script_turn *turn)
{
    if (str_eq(turn->method, "PATCH"))
        return script_answer(turn, *(const int *)turn->context, "", "{\"errors\":[]}");
    if (str_eq(turn->method, "GET"))
        return script_answer(turn, 200, "", SHOWN);
    return str_eq(turn->body, SENT)
               ? script_answer(turn, 200, "", "{\"data\":{\"version\":3}}")
               : script_answer(turn, 400, "", "{\"errors\":[\"another body\"]}");
}

static void other_fields_go_back_as_they_were_written(void **state)
{
    int statuses[] = {403, 405};
    const struct vault_kv_mount mounts[] = {{"secret", 2}};
    AUTO_DOCUMENT fields = parsed("{\"password\":\"new\",\"extra\":5}");

    (void)state;
    unsetenv("VAULT_ADDR");
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        struct script_server *script = script_start(has_no_patch, &statuses[i], CANARY);
        const struct vault_settings settings = {
            .address = script_url(script), .kv_mounts = mounts, .kv_mount_count = 1};
        enum vault_written outcome = VAULT_IN_DOUBT;
        struct err err = ERR_INIT;
        unsigned version = 0;
        struct vault *v = NULL;
        assert_int_equal(vault_open(&settings, &v, &err), 0);
        if (vault_kv_patch(v, "secret/a", &fields, 2, soon(), &outcome, &version, &err) != 0)
            fail_msg("%s", err.text);
        assert_int_equal(outcome, VAULT_WRITTEN);
        assert_int_equal(version, 3);
        vault_free(v);
        script_stop(script);
    }
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

/* ---- custom metadata ------------------------------------------------------------------------ */

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

/* ---- lost replies --------------------------------------------------------------------------- */

static const char written[] = "{\"data\":{\"version\":3}}";

/* What the server does at the first write, and then. */
struct loss {
    int status; /* 0: no answer at all; -1: a part of one */
    const char *body;
    int times; /* so often, then it answers */
};

static bool is_look(const struct script_turn *turn)
{
    return strstr(turn->path, "/sys/internal/ui/mounts/") != NULL;
}

static bool loses(struct script_turn *turn)
{
    static const char mount[] =
        "{\"data\":{\"path\":\"secret/\",\"type\":\"kv\",\"options\":{\"version\":\"2\"}}}";
    const struct loss *loss = turn->context;

    if (is_look(turn))
        return script_answer(turn, 200, "", mount);
    int writes = atomic_fetch_add(&turn->counts->by_key[0], 1);
    if (str_eq(turn->method, "PATCH") &&
        !strcasestr(turn->head, "content-type: application/merge-patch+json"))
        return script_answer(turn, 415, "", "{\"errors\":[]}");
    if (writes < loss->times && loss->status < 0) {
        (void)script_send(turn, loss->body, strlen(loss->body));
        return false;
    }
    if (writes < loss->times)
        return loss->status != 0 && script_answer(turn, loss->status, "", loss->body);
    return script_answer(turn, 200, "", written);
}

struct meeting {
    enum vault_written outcome;
    int result, writes;
    struct err err;
};

enum deed { PUT, PATCH, ERASE, CUSTOM, MAX_VERSIONS };

static int do_it(struct vault *v, enum deed deed, int64_t deadline, struct meeting *m)
{
    const struct vault_pair pairs[] = {{"k", "v"}};
    AUTO_DOCUMENT doc = parsed("{\"f\":\"" CANARY "\"}");
    unsigned version = 0;

    switch (deed) {
    case PUT:
        return vault_kv_put(v, "secret/a", &doc, 2, deadline, &m->outcome, &version, &m->err);
    case PATCH:
        return vault_kv_patch(v, "secret/a", &doc, 2, deadline, &m->outcome, &version, &m->err);
    case ERASE:
        return vault_kv_erase(v, "secret/a", deadline, &m->outcome, &m->err);
    case CUSTOM:
        return vault_kv_custom_patch(v, "secret/a", pairs, 1, deadline, &m->outcome, &m->err);
    case MAX_VERSIONS:
        return vault_kv_set_max_versions(v, "secret/a", 5, deadline, &m->outcome, &m->err);
    }
    return -1;
}

/* The mount is looked at first, so the write goes over a connection that is kept: libcurl itself
 * would send it again there. */
static struct meeting meet(const struct loss *loss, enum deed deed, int64_t ms)
{
    struct loss context = *loss;
    struct meeting m = {.outcome = VAULT_WRITTEN, .err = ERR_INIT};

    setenv("VAULT_TOKEN", CANARY_TOKEN, 1);
    unsetenv("VAULT_ADDR");
    struct script_server *script = script_start(loses, &context, CANARY);
    struct vault *v = open_at(script_url(script));
    m.result = do_it(v, deed, clock_in_ms(ms), &m);
    m.writes = atomic_load(&script_counts_of(script)->by_key[0]);
    vault_free(v);
    script_stop(script);
    assert_text_lacks(m.err.text, "canary");
    assert_text_lacks(m.err.hint, "canary");
    return m;
}

static void a_write_without_an_answer_is_a_doubt_and_is_not_sent_again(void **state)
{
    static const struct loss losses[] = {
        {0, NULL, 99},
        {-1, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"data\":", 99},
        {500, "{\"errors\":[\"storage is slow\"]}", 99},
        {502, "bad gateway", 99},
        {503, "no healthy upstream", 99},
        {504, "", 99},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(losses); i++)
        for (int deed = PUT; deed <= MAX_VERSIONS; deed++) {
            struct meeting m = meet(&losses[i], (enum deed)deed, LONG_MS);
            if (m.result != 0 || m.outcome != VAULT_IN_DOUBT || m.writes != 1)
                fail_msg("loss %zu deed %d: %d, outcome %d, %d writes: %s", i, deed, m.result,
                         (int)m.outcome, m.writes, m.err.text);
            assert_int_equal(m.err.kind, ERR_SOURCE_DOWN);
            assert_text_has(m.err.text, "secret/");
            assert_text_has(m.err.hint, "may have had its effect");
        }
}

static void what_is_known_to_have_had_no_effect_is_sent_again(void **state)
{
    static const struct loss losses[] = {
        {412, "{\"errors\":[]}", 1},
        {429, "{\"errors\":[\"request path: rate limit quota exceeded\"]}", 1},
        {503, "{\"errors\":[\"Vault is sealed\"]}", 2},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(losses); i++) {
        struct meeting m = meet(&losses[i], PUT, LONG_MS);
        if (m.result != 0 || m.outcome != VAULT_WRITTEN || m.writes != losses[i].times + 1)
            fail_msg("loss %zu: %d, outcome %d, %d writes: %s", i, m.result, (int)m.outcome,
                     m.writes, m.err.text);
    }
    const struct loss sealed = {503, "{\"errors\":[\"Vault is sealed\"]}", 99};
    struct meeting m = meet(&sealed, PUT, SHORT_MS);
    assert_int_equal(m.result, -1); /* and is no doubt when the time is over */
    assert_int_equal(m.err.kind, ERR_SOURCE_DOWN);
    assert_text_has(m.err.text, "sealed");
}

static void an_answer_that_is_not_vaults_is_a_doubt(void **state)
{
    static const struct loss page = {200, "<html>welcome</html>", 99};

    (void)state;
    struct meeting m = meet(&page, PUT, LONG_MS);
    assert_int_equal(m.result, 0);
    assert_int_equal(m.outcome, VAULT_IN_DOUBT);
    assert_text_has(m.err.text, "has no version");
}

static void what_never_arrived_is_no_doubt(void **state)
{
    static const struct loss none = {200, written, 0};
    struct meeting m = {.err = ERR_INIT};
    struct loss context = none;
    unsigned version;
    char url[64];

    (void)state;
    setenv("VAULT_TOKEN", CANARY_TOKEN, 1);
    unsetenv("VAULT_ADDR");
    struct script_server *script = script_start(loses, &context, CANARY);
    (void)snprintf(url, sizeof url, "%s", script_url(script));
    const struct vault_kv_mount mounts[] = {{"secret", 2}};
    const struct vault_settings settings = {
        .address = url, .kv_mounts = mounts, .kv_mount_count = 1};
    script_stop(script);
    struct vault *v = NULL;
    assert_int_equal(vault_open(&settings, &v, &m.err), 0);
    AUTO_DOCUMENT doc = parsed("{\"f\":\"" CANARY "\"}");
    assert_int_equal(
        vault_kv_put(v, "secret/a", &doc, 1, clock_in_ms(SHORT_MS), &m.outcome, &version, &m.err),
        -1);
    assert_int_equal(m.err.kind, ERR_SOURCE_DOWN);
    assert_text_has(m.err.text, "attempts)");
    assert_text_lacks(m.err.hint, "may have had its effect");
    vault_free(v);
}

/* A write with the heap failing at allocation K. Whatever comes of it is true of what the server
 * saw. */
static bool write_with_a_failing_heap(struct script_server *script, long k, bool from_there_on)
{
    const struct vault_kv_mount mounts[] = {{"secret", 2}};
    const struct vault_settings settings = {
        .address = script_url(script), .kv_mounts = mounts, .kv_mount_count = 1};
    enum vault_written outcome = VAULT_CONFLICT;
    atomic_int *writes = &script_counts_of(script)->by_key[0];
    struct vault *v = NULL;
    struct err err = ERR_INIT;
    unsigned version = 0;

    AUTO_DOCUMENT doc = parsed("{\"f\":\"" CANARY "\"}");
    assert_int_equal(vault_open(&settings, &v, &err), 0);
    int before = atomic_load(writes);
    if (from_there_on)
        heap_fail_from(k);
    else
        heap_fail_after(k);
    int result = vault_kv_put(v, "secret/a", &doc, 2, soon(), &outcome, &version, &err);
    bool failed = heap_successes < (from_there_on ? 1 : 0);
    heap_fail_after(-1);
    int seen = atomic_load(writes) - before;
    if (result != 0 || outcome == VAULT_IN_DOUBT) {
        assert_true(err.kind == ERR_RESOURCE || err.kind == ERR_SOURCE_DOWN ||
                    err.kind == ERR_SOURCE_DATA);
        assert_text_lacks(err.text, "canary");
    }
    if ((result != 0 && seen > 0) || seen > 1 || (outcome == VAULT_WRITTEN && seen != 1))
        fail_msg("allocation %ld: %d, outcome %d, %d writes: %s", k, result, (int)outcome, seen,
                 err.text);
    vault_free(v);
    return result == 0 && outcome == VAULT_WRITTEN && !failed;
}

static void memory_that_runs_out_never_hides_what_was_sent(void **state)
{
    static const struct loss none = {200, written, 0};
    struct loss context = none;

    (void)state;
    NEEDS_HEAP();
    setenv("VAULT_TOKEN", CANARY_TOKEN, 1);
    unsetenv("VAULT_ADDR");
    struct script_server *script = script_start(loses, &context, CANARY);
    for (int from_there_on = 0; from_there_on < 2; from_there_on++)
        for (long k = 0; !write_with_a_failing_heap(script, k, from_there_on == 1); k++)
            assert_true(k < 20000);
    script_stop(script);
}

static atomic_int *seen_writes;
static __typeof__(http_curl.multi_poll) curl_multi_poll_of_libcurl;

/* libcurl gives up once the second write has arrived. */
static CURLMcode fails_when_it_is_there(CURLM *multi, struct curl_waitfd extra[], unsigned count,
                                        int ms, int *ready)
{
    (void)ms;
    return atomic_load(seen_writes) > 1 ? CURLM_OUT_OF_MEMORY
                                        : curl_multi_poll_of_libcurl(multi, extra, count, 1, ready);
}

static bool holds_the_second(struct script_turn *turn)
{
    if (atomic_fetch_add(&turn->counts->by_key[0], 1) == 0)
        return script_answer(turn, 200, "", written);
    pause();
    return false;
}

static void a_failure_of_our_own_behind_a_write_is_a_doubt(void **state)
{
    const struct vault_kv_mount mounts[] = {{"secret", 2}};
    AUTO_DOCUMENT doc = parsed("{\"f\":\"" CANARY "\"}");
    enum vault_written outcome = VAULT_WRITTEN;
    struct vault *v = NULL;
    struct err err = ERR_INIT;
    unsigned version = 0;

    (void)state;
    unsetenv("VAULT_ADDR");
    struct script_server *script = script_start(holds_the_second, NULL, CANARY);
    const struct vault_settings settings = {
        .address = script_url(script), .kv_mounts = mounts, .kv_mount_count = 1};
    seen_writes = &script_counts_of(script)->by_key[0];
    assert_int_equal(vault_open(&settings, &v, &err), 0);
    assert_int_equal(put(v, "secret/a", "{\"f\":\"1\"}", 2, &version), VAULT_WRITTEN);
    curl_multi_poll_of_libcurl = http_curl.multi_poll;
    http_curl.multi_poll = fails_when_it_is_there;
    int result = vault_kv_put(v, "secret/a", &doc, 3, soon(), &outcome, &version, &err);
    http_curl.multi_poll = curl_multi_poll_of_libcurl;
    assert_int_equal(result, 0);
    assert_int_equal(outcome, VAULT_IN_DOUBT);
    assert_text_has(err.text, "wait for an answer");
    vault_free(v);
    script_stop(script);
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
        clean_test(other_fields_go_back_as_they_were_written),
        clean_test(fields_of_nothing_are_not_replaced),
        clean_test(a_refusal_says_which_policy_would_allow_it),
        clean_test(custom_metadata_is_set_beside_what_others_set),
        clean_test(custom_metadata_that_does_not_fit_is_not_sent),
        clean_test(the_policy_that_is_printed_is_enough),
        clean_test(a_log_in_that_ends_between_two_writes_is_made_again),
        clean_test(a_write_without_an_answer_is_a_doubt_and_is_not_sent_again),
        clean_test(what_is_known_to_have_had_no_effect_is_sent_again),
        clean_test(an_answer_that_is_not_vaults_is_a_doubt),
        clean_test(what_never_arrived_is_no_doubt),
        clean_test(a_failure_of_our_own_behind_a_write_is_a_doubt),
        clean_test(memory_that_runs_out_never_hides_what_was_sent),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
