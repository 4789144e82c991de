/* A wrapped secret id, a log-in, a read, a renewal and a hand-over, while each allocation fails in turn. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/str.h"
#include "tests/lib/heap.h"
#include "tests/lib/script_server.h"
#include "vault/internal.h"
#include "vault/renew.h"

#define CANARY "canary-secret-id-71af"

enum { LONG_MS = 20000, SLICE = 7, ALLOCATIONS_MAX = 20000 };

static const struct {
    const char *path, *body;
} pages[] = {
    {"/v1/sys/wrapping/lookup",
     "{\"data\":{\"creation_path\":\"auth/approle/role/app/secret-id\"}}"},
    {"/v1/sys/wrapping/unwrap", "{\"data\":{\"secret_id\":\"" CANARY "\"}}"},
    {"/v1/auth/approle/login",
     "{\"auth\":{\"client_token\":\"made\",\"lease_duration\":600,\"renewable\":true}}"},
    {"/v1/secret/data/a", "{\"data\":{\"data\":{\"f\":\"v\"},\"metadata\":{\"version\":1}}}"},
    {"/v1/auth/token/renew-self", "{\"auth\":{\"lease_duration\":600,\"renewable\":true}}"},
};

static bool serves(struct script_turn *turn)
{
    for (size_t i = 0; i < ARRAY_LEN(pages); i++)
        if (str_eq(turn->path, pages[i].path))
            return script_answer(turn, 200, "X-Vault-Index: here\r\n", pages[i].body);
    return script_answer(turn, 404, "", "{\"errors\":[]}");
}

static int go(const char *url, struct vault **v, struct vault_read *read,
              struct vault_session *session, struct err *err)
{
    const char *const addresses[] = {url, NULL};
    const struct vault_settings settings = {.addresses = addresses,
                                            .method = VAULT_AUTH_APPROLE,
                                            .role = "app",
                                            .role_id = "r",
                                            .secret_id = "env:WRAPPED",
                                            .secret_id_wrapped = true};
    struct vault_term term;

    if (vault_open(&settings, v, err) != 0 ||
        vault_read_all(*v, read, 1, clock_in_ms(LONG_MS), err) != 0 ||
        vault_token_renew_self(*v, 600000, clock_in_ms(LONG_MS), &term, err) != 0)
        return -1;
    return vault_session_get(*v, session, err);
}

/* True: it got through. */
static bool survives(const char *url, long successes)
{
    struct vault_read read = {.path = "secret/data/a"};
    struct vault_session session = {0};
    struct vault *v = NULL;
    struct err err = ERR_INIT;

    heap_fail_after(successes);
    int result = go(url, &v, &read, &session, &err);
    bool failed = heap_successes < 0; /* one allocation did */
    heap_fail_after(-1);
    if (result != 0 && (err.kind != ERR_RESOURCE || !err.text[0]))
        fail_msg("allocation %ld: kind %d: %s", successes, (int)err.kind, err.text);
    assert_text_lacks(err.text, CANARY);
    assert_true(result == 0 || (failed && !session.method[0]));
    vault_read_release(&read);
    vault_session_release(&session);
    vault_free(v);
    return result == 0 && !failed;
}

static void memory_that_runs_out_anywhere_on_the_way_in_is_said(void **state)
{
    long k = 0, step = getenv("AGENT_LONG") ? 1 : SLICE;

    (void)state;
    NEEDS_HEAP();
    struct script_server *server = script_start(serves, NULL, "no such thing");
    const char *url = script_url(server);
    setenv("WRAPPED", "wrapping-token", 1);
    assert_true(survives(url, ALLOCATIONS_MAX)); /* libraries are open from here on */
    while (k < ALLOCATIONS_MAX && !survives(url, k))
        k += step;
    assert_true(k > 100 && k < ALLOCATIONS_MAX);
    script_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_that_runs_out_anywhere_on_the_way_in_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
