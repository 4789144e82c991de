/* One request and what became of it, with a server that loses replies by script. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "tests/lib/heap.h"
#include "tests/lib/script_server.h"
#include "tests/unit/vault_client.h"
#include "vault/http_curl.h"
#include "vault/internal.h"
#include "vault/write.h"

#define CANARY       "canary-value-6d18"
#define CANARY_TOKEN "canary-token-6d18"

enum { SHORT_MS = 1500 };

static int clean(void **state)
{
    (void)state;
    clearenv();
    return setenv("VAULT_TOKEN", CANARY_TOKEN, 1);
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
    vault_free(v);
    script_settle(script); /* what was sent may not have been read yet */
    int seen = atomic_load(writes) - before;
    if (result != 0 || outcome == VAULT_IN_DOUBT) {
        assert_true(err.kind == ERR_RESOURCE || err.kind == ERR_SOURCE_DOWN ||
                    err.kind == ERR_SOURCE_DATA);
        assert_text_lacks(err.text, "canary");
    }
    if ((result != 0 && seen > 0) || seen > 1 || (outcome == VAULT_WRITTEN && seen != 1))
        fail_msg("allocation %ld: %d, outcome %d, %d writes: %s", k, result, (int)outcome, seen,
                 err.text);
    return result == 0 && outcome == VAULT_WRITTEN && !failed;
}

static void memory_that_runs_out_never_hides_what_was_sent(void **state)
{
    static const struct loss none = {200, written, 0};
    struct loss context = none;

    (void)state;
    NEEDS_HEAP();
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

/* ---- put together ---------------------------------------------------------------------------- */

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

#define clean_test(f) cmocka_unit_test_setup(f, clean)

int main(void)
{
    const struct CMUnitTest tests[] = {
        clean_test(a_write_without_an_answer_is_a_doubt_and_is_not_sent_again),
        clean_test(what_is_known_to_have_had_no_effect_is_sent_again),
        clean_test(an_answer_that_is_not_vaults_is_a_doubt),
        clean_test(what_never_arrived_is_no_doubt),
        clean_test(a_failure_of_our_own_behind_a_write_is_a_doubt),
        clean_test(memory_that_runs_out_never_hides_what_was_sent),
        clean_test(other_fields_go_back_as_they_were_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
