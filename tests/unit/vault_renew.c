/* Keeping a token and leases alive, and identities on their way to another process. */
#include "tests/lib/unit.h"

#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "tests/lib/script_server.h"
#include "vault/internal.h"
#include "vault/renew.h"

#define CANARY "canary-secret-id-5d20"

enum { LONG_MS = 60000, MINUTE_MS = 60000 };

static const char session[] = "{\"auth\":{\"client_token\":\"made-token\",\"lease_duration\":600,"
                              "\"renewable\":true,\"num_uses\":0}}";
static const char not_found[] = "{\"errors\":[\"lease not found\"]}";

/* What the server says to each path, and what has to be in the body of the request. */
struct page {
    const char *path;
    int status;
    const char *body, *wants;
};

static bool serves(struct script_turn *turn)
{
    const struct page *page = turn->context;

    for (int i = 0; page[i].path; i++) {
        if (!str_eq(turn->path, page[i].path))
            continue;
        (void)atomic_fetch_add(&turn->counts->by_key[i], 1);
        if (page[i].wants && !strstr(turn->body, page[i].wants))
            return script_answer(turn, 418, "", "{\"errors\":[\"another body was expected\"]}");
        return script_answer(turn, page[i].status, "", page[i].body);
    }
    return script_answer(turn, 404, "", "{\"errors\":[]}");
}

struct meeting {
    struct script_server *server;
    struct script_counts *counts;
    struct vault *vault;
};

static struct meeting meet(const struct page *pages, const struct vault_settings *more)
{
    struct vault_settings settings = more ? *more : (struct vault_settings){0};
    union {
        const struct page *in;
        void *out;
    } unconst = {.in = pages};
    struct err err = ERR_INIT;
    struct meeting m;

    m.server = script_start(serves, unconst.out, CANARY);
    m.counts = script_counts_of(m.server);
    settings.address = script_url(m.server);
    if (vault_open(&settings, &m.vault, &err) != 0)
        fail_msg("%s", err.text);
    return m;
}

static void part(struct meeting *m)
{
    vault_free(m->vault);
    script_stop(m->server);
}

static int clean(void **state)
{
    (void)state;
    clearenv();
    return setenv("VAULT_TOKEN", "given-token", 1);
}

/* ---- renewing ------------------------------------------------------------------------------- */

static void a_lease_is_renewed_for_what_is_asked(void **state)
{
    static const struct page pages[] = {
        {"/v1/sys/leases/renew", 200,
         "{\"lease_id\":\"db/creds/a/1\",\"lease_duration\":60,\"renewable\":true}",
         "\"increment\":\"60\""},
        {NULL, 0, NULL, NULL}};
    struct meeting m = meet(pages, NULL);
    struct vault_term term;
    struct err err = ERR_INIT;

    (void)state;
    int64_t before = clock_now_ms();
    if (vault_lease_renew(m.vault, "db/creds/a/1", MINUTE_MS - 1, clock_in_ms(LONG_MS), &term,
                          &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(term.duration_ms, MINUTE_MS);
    assert_true(term.renewable);
    assert_false(term.is_short);
    assert_true(term.asked_at_ms >= before && term.asked_at_ms <= clock_now_ms());
    assert_int_equal(term.expires_ms, term.asked_at_ms + MINUTE_MS);
    part(&m);
}

static void a_renewal_of_less_than_was_asked_is_short(void **state)
{
    static const struct page pages[] = {
        {"/v1/sys/leases/renew", 200,
         "{\"lease_id\":\"l\",\"lease_duration\":12,\"renewable\":true,"
         "\"warnings\":[\"TTL of 20s exceeded the effective max_ttl\"]}",
         NULL},
        {NULL, 0, NULL, NULL}};
    struct meeting m = meet(pages, NULL);
    struct vault_term term;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(vault_lease_renew(m.vault, "l", 20000, clock_in_ms(LONG_MS), &term, &err), 0);
    assert_true(term.is_short);
    assert_int_equal(m.vault->warning_count, 1);
    assert_int_equal(vault_lease_renew(m.vault, "l", 0, clock_in_ms(LONG_MS), &term, &err), 0);
    assert_false(term.is_short);                 /* nothing was asked for */
    assert_int_equal(m.vault->warning_count, 1); /* which was said before */
    part(&m);
}

static void a_lease_that_is_gone_is_told_from_a_vault_that_is_away(void **state)
{
    static const struct page gone[] = {{"/v1/sys/leases/renew", 400, not_found, NULL},
                                       {NULL, 0, NULL, NULL}};
    static const struct page sealed[] = {
        {"/v1/sys/leases/renew", 503, "{\"errors\":[\"Vault is sealed\"]}", NULL},
        {NULL, 0, NULL, NULL}};
    static const struct page denied[] = {
        {"/v1/sys/leases/renew", 403, "{\"errors\":[\"permission denied\"]}", NULL},
        {NULL, 0, NULL, NULL}};
    const struct {
        const struct page *pages;
        enum err_kind kind;
    } cases[] = {
        {gone, ERR_SOURCE_MISSING}, {sealed, ERR_SOURCE_DOWN}, {denied, ERR_SOURCE_DENIED}};

    (void)state;
    setenv("VAULT_MAX_RETRIES", "0", 1);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct meeting m = meet(cases[i].pages, NULL);
        struct vault_term term = {.duration_ms = 1};
        struct err err = ERR_INIT;
        assert_int_equal(vault_lease_renew(m.vault, "db/creds/a/1", MINUTE_MS, clock_in_ms(LONG_MS),
                                           &term, &err),
                         -1);
        assert_int_equal(err.kind, cases[i].kind);
        assert_text_has(err.text, "lease 'db/creds/a/1'");
        assert_int_equal(term.duration_ms, 1); /* untouched */
        part(&m);
    }
}

static void a_token_that_was_given_is_looked_at_and_renewed(void **state)
{
    static const struct page pages[] = {
        {"/v1/auth/token/lookup-self", 200, "{\"data\":{\"ttl\":90,\"renewable\":true}}", NULL},
        {"/v1/auth/token/renew-self", 200,
         "{\"auth\":{\"lease_duration\":120,\"renewable\":false}}", "\"increment\":\"180\""},
        {NULL, 0, NULL, NULL}};
    struct meeting m = meet(pages, NULL);
    struct vault_identity identity;
    struct vault_term term;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(vault_token_term(m.vault, clock_in_ms(LONG_MS), &term, &err), 0);
    assert_int_equal(term.duration_ms, 90000);
    assert_true(term.renewable);
    assert_int_equal(
        vault_token_renew_self(m.vault, 3 * MINUTE_MS, clock_in_ms(LONG_MS), &term, &err), 0);
    assert_true(term.is_short);
    assert_false(term.renewable);
    vault_identity(m.vault, &identity);
    assert_false(identity.logged_in);
    assert_int_equal(identity.expires_ms, term.expires_ms);
    part(&m);
}

static void a_lease_that_may_not_be_revoked_is_left_to_expire(void **state)
{
    static const struct page allowed[] = {{"/v1/sys/leases/revoke", 204, "", "\"lease_id\":\"l\""},
                                          {NULL, 0, NULL, NULL}};
    static const struct page gone[] = {{"/v1/sys/leases/revoke", 400, not_found, NULL},
                                       {NULL, 0, NULL, NULL}};
    static const struct page denied[] = {
        {"/v1/sys/leases/revoke", 403, "{\"errors\":[\"permission denied\"]}", NULL},
        {NULL, 0, NULL, NULL}};
    const struct {
        const struct page *pages;
        bool ended;
    } cases[] = {{allowed, true}, {gone, true}, {denied, false}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct meeting m = meet(cases[i].pages, NULL);
        assert_int_equal(vault_lease_revoke_quietly(m.vault, "l"), cases[i].ended);
        assert_int_equal(atomic_load(&m.counts->by_key[0]), 1);
        part(&m);
    }
}

/* ---- identities ----------------------------------------------------------------------------- */

static const struct vault_settings approle = {
    .method = VAULT_AUTH_APPROLE, .role_id = "r", .secret_id = "env:SECRET"};

static int clean_for_login(void **state)
{
    (void)state;
    clearenv();
    return setenv("SECRET", CANARY, 1);
}

static void a_new_log_in_that_fails_leaves_the_former_token(void **state)
{
    static const struct page pages[] = {{"/v1/auth/approle/login", 200, session, CANARY},
                                        {NULL, 0, NULL, NULL}};
    struct meeting m = meet(pages, &approle);
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(vault_log_in_again(m.vault, clock_in_ms(LONG_MS), &err), 0);
    assert_int_equal(vault_log_in_again(m.vault, clock_in_ms(LONG_MS), &err), 0);
    assert_int_equal(atomic_load(&m.counts->by_key[0]), 2);
    setenv("SECRET", "another", 1);
    assert_int_equal(vault_log_in_again(m.vault, clock_in_ms(LONG_MS), &err), -1);
    assert_string_equal(secret_reveal(&m.vault->token), "made-token");
    part(&m);
}

static void a_token_that_was_given_cannot_be_made_anew(void **state)
{
    static const struct page pages[] = {{NULL, 0, NULL, NULL}};
    struct meeting m = meet(pages, NULL);
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(vault_log_in_again(m.vault, clock_in_ms(LONG_MS), &err), 0);
    assert_int_equal(vault_log_in_again(m.vault, clock_in_ms(LONG_MS), &err), -1);
    assert_int_equal(err.kind, ERR_SOURCE_DENIED);
    assert_text_has(err.text, "given to us");
    part(&m);
}

static void an_identity_goes_to_another_process_without_a_log_in(void **state)
{
    static const struct page pages[] = {
        {"/v1/auth/approle/login", 200, session, NULL},
        {"/v1/secret/data/a", 200,
         "{\"lease_id\":\"\",\"data\":{\"data\":{\"f\":\"v\"},\"metadata\":{\"version\":1}}}",
         NULL},
        {NULL, 0, NULL, NULL}};
    struct meeting m = meet(pages, &approle);
    struct vault_session made = {0};
    struct vault_read read = {.path = "secret/data/a"};
    struct vault *other = NULL;
    struct err err = ERR_INIT;
    struct vault_settings settings = approle;

    (void)state;
    assert_int_equal(vault_log_in_again(m.vault, clock_in_ms(LONG_MS), &err), 0);
    assert_int_equal(vault_session_get(m.vault, &made, &err), 0);
    assert_string_equal(made.method, "approle");
    assert_true(made.renewable && made.logged_in);
    assert_int_equal(made.duration_ms, 600000);
    settings.address = script_url(m.server);
    assert_int_equal(vault_open(&settings, &other, &err), 0);
    assert_int_equal(vault_session_use(other, &made, &err), 0);
    vault_session_release(&made);
    assert_int_equal(vault_read_all(other, &read, 1, clock_in_ms(LONG_MS), &err), 0);
    assert_int_equal(atomic_load(&m.counts->by_key[0]), 1);
    assert_int_equal(vault_log_in_again(other, clock_in_ms(LONG_MS), &err), 0); /* it knows how */
    vault_read_release(&read);
    vault_free(other);
    part(&m);
}

static void an_identity_of_an_unknown_way_is_refused(void **state)
{
    static const struct page pages[] = {{NULL, 0, NULL, NULL}};
    struct meeting m = meet(pages, NULL);
    struct vault_session made = {.method = "oracle"};
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(vault_session_use(m.vault, &made, &err), -1);
    assert_int_equal(err.kind, ERR_SOURCE_DATA);
    part(&m);
}

/* ---- wrapped secret ids --------------------------------------------------------------------- */

static const struct vault_settings wrapped = {.method = VAULT_AUTH_APPROLE,
                                              .role_id = "r",
                                              .secret_id = "env:WRAPPED",
                                              .secret_id_wrapped = true,
                                              .role = "app"};
#define LOOKUP(path) "{\"data\":{\"creation_path\":\"" path "\",\"creation_ttl\":60}}"
#define UNWRAPPED    "{\"data\":{\"secret_id\":\"" CANARY "\",\"secret_id_accessor\":\"x\"}}"

static int clean_for_wrapped(void **state)
{
    (void)state;
    clearenv();
    return setenv("WRAPPED", "wrapping-token\n", 1);
}

static void a_wrapped_secret_id_is_unwrapped_once_and_kept(void **state)
{
    static const struct page pages[] = {
        {"/v1/sys/wrapping/lookup", 200, LOOKUP("auth/approle/role/app/secret-id"),
         "\"token\":\"wrapping-token\""},
        {"/v1/sys/wrapping/unwrap", 200, UNWRAPPED, NULL},
        {"/v1/auth/approle/login", 200, session, "\"secret_id\":\"" CANARY "\""},
        {NULL, 0, NULL, NULL}};
    struct meeting m = meet(pages, &wrapped);
    struct err err = ERR_INIT;

    (void)state;
    for (int i = 0; i < 2; i++)
        if (vault_log_in_again(m.vault, clock_in_ms(LONG_MS), &err) != 0)
            fail_msg("%s", err.text);
    assert_int_equal(atomic_load(&m.counts->by_key[0]), 1);
    assert_int_equal(atomic_load(&m.counts->by_key[1]), 1);
    assert_int_equal(atomic_load(&m.counts->by_key[2]), 2);
    part(&m);
}

static void what_was_wrapped_elsewhere_is_not_unwrapped(void **state)
{
    static const char *const paths[] = {
        LOOKUP("auth/approle/role/other/secret-id"), LOOKUP("auth/approle2/role/app/secret-id"),
        LOOKUP("auth/approle/role/app/secret-id/x"), LOOKUP("sys/wrapping/wrap"),
        LOOKUP("auth/approle/role/app/role-id"),     LOOKUP("cubbyhole/response")};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        const struct page pages[] = {{"/v1/sys/wrapping/lookup", 200, paths[i], NULL},
                                     {"/v1/sys/wrapping/unwrap", 200, UNWRAPPED, NULL},
                                     {NULL, 0, NULL, NULL}};
        struct meeting m = meet(pages, &wrapped);
        struct err err = ERR_INIT;
        assert_int_equal(vault_log_in_again(m.vault, clock_in_ms(LONG_MS), &err), -1);
        assert_int_equal(err.kind, ERR_SOURCE_DENIED);
        assert_text_has(err.text, "not at 'auth/approle/role/app/secret-id'");
        assert_text_lacks(err.text, "wrapping-token");
        assert_int_equal(atomic_load(&m.counts->by_key[1]), 0);
        part(&m);
    }
}

static void a_spent_wrapping_token_is_an_alarm(void **state)
{
    static const struct page at_once[] = {
        {"/v1/sys/wrapping/lookup", 400,
         "{\"errors\":[\"wrapping token is not valid or does not exist\"]}", NULL},
        {NULL, 0, NULL, NULL}};
    static const struct page between[] = {
        {"/v1/sys/wrapping/lookup", 200, LOOKUP("auth/approle/role/app/secret-id"), NULL},
        {"/v1/sys/wrapping/unwrap", 400,
         "{\"errors\":[\"wrapping token is not valid or does not exist\"]}", NULL},
        {NULL, 0, NULL, NULL}};
    const struct page *const cases[] = {at_once, between};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct meeting m = meet(cases[i], &wrapped);
        struct err err = ERR_INIT;
        assert_int_equal(vault_log_in_again(m.vault, clock_in_ms(LONG_MS), &err), -1);
        assert_int_equal(err.kind, ERR_SOURCE_DENIED);
        assert_text_has(err.text, "unwrapped already");
        assert_text_has(err.hint, "Somebody else may have the secret id");
        part(&m);
    }
}

/* The server acts on the request and says nothing: the secret id is lost, and not asked for twice. */
static bool drops_what_it_unwraps(struct script_turn *turn)
{
    if (str_eq(turn->path, "/v1/sys/wrapping/lookup"))
        return script_answer(turn, 200, "", LOOKUP("auth/approle/role/app/secret-id"));
    (void)atomic_fetch_add(&turn->counts->by_key[0], 1);
    return false;
}

static void a_lost_answer_to_the_unwrapping_is_said_and_not_repeated(void **state)
{
    struct script_server *server = script_start(drops_what_it_unwraps, NULL, CANARY);
    struct vault_settings settings = wrapped;
    struct vault *v = NULL;
    struct err err = ERR_INIT;

    (void)state;
    settings.address = script_url(server);
    assert_int_equal(vault_open(&settings, &v, &err), 0);
    assert_int_equal(vault_log_in_again(v, clock_in_ms(LONG_MS), &err), -1);
    assert_text_has(err.hint, "issue a new one");
    assert_int_equal(atomic_load(&script_counts_of(server)->by_key[0]), 1);
    vault_free(v);
    script_stop(server);
}

#define clean_test(f)   cmocka_unit_test_setup(f, clean)
#define login_test(f)   cmocka_unit_test_setup(f, clean_for_login)
#define wrapped_test(f) cmocka_unit_test_setup(f, clean_for_wrapped)

int main(void)
{
    const struct CMUnitTest tests[] = {
        clean_test(a_lease_is_renewed_for_what_is_asked),
        clean_test(a_renewal_of_less_than_was_asked_is_short),
        clean_test(a_lease_that_is_gone_is_told_from_a_vault_that_is_away),
        clean_test(a_token_that_was_given_is_looked_at_and_renewed),
        clean_test(a_lease_that_may_not_be_revoked_is_left_to_expire),
        login_test(a_new_log_in_that_fails_leaves_the_former_token),
        clean_test(a_token_that_was_given_cannot_be_made_anew),
        login_test(an_identity_goes_to_another_process_without_a_log_in),
        clean_test(an_identity_of_an_unknown_way_is_refused),
        wrapped_test(a_wrapped_secret_id_is_unwrapped_once_and_kept),
        wrapped_test(what_was_wrapped_elsewhere_is_not_unwrapped),
        wrapped_test(a_spent_wrapping_token_is_an_alarm),
        wrapped_test(a_lost_answer_to_the_unwrapping_is_said_and_not_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
