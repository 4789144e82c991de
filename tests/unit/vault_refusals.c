/* Logging in, being refused, and what is said about it, with a server that answers by script. */
#include "tests/lib/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "tests/lib/script_server.h"
#include "vault/internal.h"
#include "vault/source.h"

#define CANARY        "canary-token-3f52"
#define CANARY_SECRET "canary-secret-id-0b6e"

enum { LONG_MS = 60000 };

static const char versioned[] =
    "{\"lease_id\":\"\",\"data\":{\"data\":{\"f\":\"value\",\"g\":1,\"o\":{}},"
    "\"metadata\":{\"version\":7}},\"warnings\":null}";
static const char plain[] = "{\"lease_id\":\"\",\"data\":{\"f\":\"plain\"},\"warnings\":null}";
static const char denied[] = "{\"errors\":[\"1 error occurred:\\n\\t* permission denied\\n\\n\"]}";
static const char nothing[] = "{\"errors\":[]}";

static int clean(void **state)
{
    (void)state;
    clearenv();
    return setenv("VAULT_TOKEN", CANARY, 1);
}

/* What is answered to a path; what is in none of them is refused. */
struct page {
    const char *path;
    int status;
    const char *body;
    int times; /* 0: always */
};

static bool looks_up(struct script_turn *turn)
{
    const struct page *page = turn->context;

    for (int i = 0; page->path; page++, i++) {
        if (!str_eq(turn->path, page->path))
            continue;
        int seen = atomic_fetch_add(&turn->counts->by_key[i], 1);
        if (page->times == 0 || seen < page->times)
            return script_answer(turn, page->status, "", page->body);
    }
    return script_answer(turn, 403, "", denied);
}

struct meeting {
    struct script_server *server;
    struct script_counts *counts;
    struct vault *vault;
    struct err err;
    int result;
};

static struct meeting meet(const struct page *pages, const struct vault_settings *more,
                           struct vault_read *read, int64_t ms)
{
    struct meeting m = {.err = ERR_INIT};
    struct vault_settings settings = more ? *more : (struct vault_settings){0};
    union {
        const struct page *in;
        void *out;
    } unconst = {.in = pages};

    m.server = script_start(looks_up, unconst.out, CANARY_SECRET);
    m.counts = script_counts_of(m.server);
    settings.address = script_url(m.server);
    if (vault_open(&settings, &m.vault, &m.err) != 0)
        fail_msg("%s", m.err.text);
    m.result = vault_read_all(m.vault, read, 1, clock_in_ms(ms), &m.err);
    return m;
}

static void part(struct meeting *m, struct vault_read *read)
{
    vault_read_release(read);
    vault_free(m->vault);
    script_stop(m->server);
}

static void assert_value(const struct vault_read *read, const char *expected)
{
    const struct vault_field *field = vault_read_field(read, "f");

    assert_non_null(field);
    assert_string_equal(secret_reveal(&field->value), expected);
}

/* ---- spellings ------------------------------------------------------------------------------ */

static void a_refused_look_leaves_the_other_spelling_to_be_tried(void **state)
{
    static const struct page pages[] = {{"/v1/kv1/a", 200, plain, 0}, {NULL, 0, NULL, 0}};
    struct vault_read read = {.path = "kv1/a"};

    (void)state;
    struct meeting m = meet(pages, NULL, &read, LONG_MS);
    assert_int_equal(m.result, 0);
    assert_value(&read, "plain");
    part(&m, &read);
}

static void a_failed_look_is_not_kept(void **state)
{
    static const struct page pages[] = {
        {"/v1/kv1/a", 200, plain, 0},
        {"/v1/sys/internal/ui/mounts/kv1/a", 403, denied, 1},
        {"/v1/sys/internal/ui/mounts/kv1/b", 200,
         "{\"data\":{\"path\":\"kv1/\",\"type\":\"kv\",\"options\":null}}", 0},
        {"/v1/kv1/b", 200, plain, 0},
        {NULL, 0, NULL, 0}};
    struct vault_read read = {.path = "kv1/a"}, second = {.path = "kv1/b"};
    struct err err = ERR_INIT;

    (void)state;
    struct meeting m = meet(pages, NULL, &read, LONG_MS);
    assert_int_equal(m.result, 0);
    assert_int_equal(vault_read_all(m.vault, &second, 1, clock_in_ms(LONG_MS), &err), 0);
    assert_int_equal(atomic_load(&m.counts->by_key[2]), 1);
    vault_read_release(&second);
    part(&m, &read);
}

/* KV version 1 may have a secret of that very name: it is another one. */
static void a_guess_that_finds_something_of_version_1_is_not_the_secret(void **state)
{
    static const struct page pages[] = {
        {"/v1/kv1/data/a", 200, "{\"data\":{\"f\":\"another\"}}", 0},
        {"/v1/kv1/a", 200, plain, 0},
        {NULL, 0, NULL, 0}};
    struct vault_read read = {.path = "kv1/a"};

    (void)state;
    struct meeting m = meet(pages, NULL, &read, LONG_MS);
    assert_int_equal(m.result, 0);
    assert_value(&read, "plain");
    part(&m, &read);
}

static void a_mount_of_two_segments_is_found(void **state)
{
    static const struct page pages[] = {
        {"/v1/team/data/kv/app", 404, "{\"errors\":[\"no handler for route\"]}", 0},
        {"/v1/sys/internal/ui/mounts/team/kv/app", 200,
         "{\"data\":{\"path\":\"team/kv/\",\"type\":\"kv\",\"options\":{\"version\":\"2\"}}}", 0},
        {"/v1/team/kv/data/app", 200, versioned, 0},
        {NULL, 0, NULL, 0}};
    struct vault_read read = {.path = "team/kv/app"};

    (void)state;
    struct meeting m = meet(pages, NULL, &read, LONG_MS);
    assert_int_equal(m.result, 0);
    assert_value(&read, "value");
    assert_int_equal(atomic_load(&m.counts->requests), 3);
    part(&m, &read);
}

static void a_login_is_never_asked_for_on_a_guess(void **state)
{
    static const char lease[] = "{\"lease_id\":\"database/creds/app/x\",\"lease_duration\":30,"
                                "\"renewable\":true,\"data\":{\"f\":\"value\"},\"warnings\":null}";
    static const struct page pages[] = {{"/v1/database/creds/app", 200, lease, 0},
                                        {NULL, 0, NULL, 0}};
    struct vault_read read = {.path = "database/creds/app"};

    (void)state;
    int64_t before = clock_now_ms();
    struct meeting m = meet(pages, NULL, &read, LONG_MS);
    assert_int_equal(m.result, 0);
    assert_int_equal(atomic_load(&m.counts->requests), 1);
    assert_string_equal(read.lease.id, "database/creds/app/x");
    assert_int_equal(read.lease.duration_ms, 30000);
    assert_true(read.lease.renewable);
    assert_true(read.lease.expires_ms >= before + 30000);
    part(&m, &read);
}

static void assert_reads(const struct page *pages, const char *path)
{
    struct vault_read read = {.path = path};
    struct meeting m = meet(pages, NULL, &read, LONG_MS);

    assert_int_equal(m.result, 0);
    assert_value(&read, "value");
    part(&m, &read);
}

/* A policy for what lies below "kv/data" alone refuses the path that would make a log-in elsewhere. */
static void a_secret_below_creds_is_read_with_its_own_policy_alone(void **state)
{
    static const struct page pages[] = {
        {"/v1/sys/internal/ui/mounts/kv/creds/app", 200,
         "{\"data\":{\"path\":\"kv/\",\"type\":\"kv\",\"options\":{\"version\":\"2\"}}}", 0},
        {"/v1/kv/data/creds/app", 200, versioned, 0},
        {NULL, 0, NULL, 0}};

    (void)state;
    assert_reads(pages, "kv/creds/app");
}

static void a_refused_log_in_names_itself_whatever_the_mount_is(void **state)
{
    static const struct page cases[][2] = {
        {{"/v1/sys/internal/ui/mounts/database/creds/app", 200,
          "{\"data\":{\"path\":\"database/\",\"type\":\"database\",\"options\":null}}", 0},
         {NULL, 0, NULL, 0}},
        {{NULL, 0, NULL, 0}}, /* the look is refused as well */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct vault_read read = {.path = "database/creds/app"};
        struct meeting m = meet(cases[i], NULL, &read, LONG_MS);
        assert_int_equal(m.err.kind, ERR_SOURCE_DENIED);
        assert_text_has(m.err.text, "read 'database/creds/app'");
        assert_text_has(m.err.hint, "path \"database/creds/app\" { capabilities");
        assert_text_lacks(m.err.hint, "database/data");
        part(&m, &read);
    }
}

/* KV version 2 at "team/data": what looks spelled out lacks its data/. */
static void a_mount_that_is_called_data_is_found(void **state)
{
    static const struct page pages[] = {
        {"/v1/team/data/app", 404,
         "{\"data\":null,\"warnings\":[\"Invalid path for a versioned K/V secrets engine\"]}", 0},
        {"/v1/sys/internal/ui/mounts/team/data/app", 200,
         "{\"data\":{\"path\":\"team/data/\",\"type\":\"kv\",\"options\":{\"version\":\"2\"}}}", 0},
        {"/v1/team/data/data/app", 200, versioned, 0},
        {NULL, 0, NULL, 0}};

    (void)state;
    assert_reads(pages, "team/data/app");
}

static void a_static_login_lasts_until_its_rotation(void **state)
{
    static const char body[] = "{\"lease_id\":\"\",\"lease_duration\":0,\"renewable\":false,"
                               "\"data\":{\"f\":\"value\",\"ttl\":77},\"warnings\":null}";
    static const struct page pages[] = {{"/v1/database/static-creds/app", 200, body, 0},
                                        {NULL, 0, NULL, 0}};
    struct vault_read read = {.path = "database/static-creds/app"};

    (void)state;
    struct meeting m = meet(pages, NULL, &read, LONG_MS);
    assert_int_equal(m.result, 0);
    assert_null(read.lease.id);
    assert_int_equal(read.lease.duration_ms, 77000);
    assert_false(read.lease.renewable);
    part(&m, &read);
}

/* Within the last second, and for as long as the rotation is late: the next one may come at any moment. */
static void a_static_login_that_is_overdue_is_no_lasting_one(void **state)
{
    static const char body[] =
        "{\"lease_id\":\"\",\"lease_duration\":0,\"renewable\":false,\"data\":"
        "{\"f\":\"value\",\"last_vault_rotation\":\"2026-11-26T11:39:23Z\","
        "\"ttl\":0},\"warnings\":null}";
    static const struct page pages[] = {{"/v1/database/static-creds/app", 200, body, 0},
                                        {NULL, 0, NULL, 0}};
    struct vault_read read = {.path = "database/static-creds/app"};

    (void)state;
    struct meeting m = meet(pages, NULL, &read, LONG_MS);
    assert_int_equal(m.result, 0);
    assert_int_equal(read.lease.duration_ms, 1000);
    assert_true(read.lease.expires_ms < CLOCK_NEVER);
    part(&m, &read);
}

static void a_hint_of_kv_v1_is_no_lease(void **state)
{
    static const char body[] = "{\"lease_id\":\"\",\"lease_duration\":2764800,\"renewable\":false,"
                               "\"data\":{\"f\":\"value\",\"ttl\":\"30\"},\"warnings\":null}";
    static const struct page pages[] = {{"/v1/kv1/data/a", 200, body, 0}, {NULL, 0, NULL, 0}};
    struct vault_read read = {.path = "kv1/data/a"};

    (void)state;
    struct meeting m = meet(pages, NULL, &read, LONG_MS);
    assert_int_equal(m.result, 0);
    assert_int_equal(read.lease.duration_ms, 0);
    assert_true(read.lease.expires_ms == CLOCK_NEVER);
    part(&m, &read);
}

static void deleted_and_destroyed_versions_are_told_from_missing_ones(void **state)
{
    static const struct {
        const char *body, *says;
    } cases[] = {
        {"{\"data\":{\"data\":null,\"metadata\":{\"version\":3,\"destroyed\":false,"
         "\"deletion_time\":\"2026-11-01T00:00:00Z\"}}}",
         "version 3 was deleted at 2026-11-01T00:00:00Z"},
        {"{\"data\":{\"data\":null,\"metadata\":{\"version\":4,\"destroyed\":true,"
         "\"deletion_time\":\"\"}}}",
         "version 4 was destroyed"},
        {nothing, "answered 404: there is nothing at that path"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct page pages[] = {{"/v1/secret/data/a", 404, cases[i].body, 0},
                                     {NULL, 0, NULL, 0}};
        struct vault_read read = {.path = "secret/data/a"};
        struct meeting m = meet(pages, NULL, &read, LONG_MS);
        assert_int_equal(m.err.kind, ERR_SOURCE_MISSING);
        assert_text_has(m.err.text, cases[i].says);
        part(&m, &read);
    }
}

/* Whoever asked ahead and did not read leaves nothing that is older than the next one's answer. */
static void what_is_asked_ahead_twice_is_kept_once(void **state)
{
    static const char newer[] = "{\"lease_id\":\"\",\"data\":{\"data\":{\"f\":\"newer\"},"
                                "\"metadata\":{\"version\":8}},\"warnings\":null}";
    static const struct page pages[] = {{"/v1/secret/data/b", 200, versioned, 0},
                                        {"/v1/secret/data/a", 200, versioned, 2},
                                        {"/v1/secret/data/a", 200, newer, 0},
                                        {NULL, 0, NULL, 0}};
    static const char *const paths[] = {"secret/a"};
    static const char *const expected[] = {"value", "newer"};
    struct vault_read read = {.path = "secret/data/b"};
    struct err err = ERR_INIT;

    (void)state;
    struct meeting m = meet(pages, NULL, &read, LONG_MS);
    vault_ask_ahead(m.vault, paths, 1, false, clock_in_ms(LONG_MS));
    vault_ask_ahead(m.vault, paths, 1, false, clock_in_ms(LONG_MS));
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        struct vault_read again = {.path = "secret/data/a"};
        assert_int_equal(vault_read_all(m.vault, &again, 1, clock_in_ms(LONG_MS), &err), 0);
        assert_value(&again, expected[i]);
        vault_read_release(&again);
    }
    part(&m, &read);
}

/* ---- refused -------------------------------------------------------------------------------- */

static void a_denied_path_names_the_policy_that_would_allow_it(void **state)
{
    static const struct page pages[] = {
        {"/v1/auth/token/lookup-self", 200, "{\"data\":{\"policies\":[\"default\",\"app\"]}}", 0},
        {NULL, 0, NULL, 0}};
    struct vault_read read = {.path = "secret/acme/db"};

    (void)state;
    struct meeting m = meet(pages, NULL, &read, LONG_MS);
    assert_int_equal(m.err.kind, ERR_SOURCE_DENIED);
    assert_text_has(m.err.text, "403");
    assert_text_has(m.err.text, "permission denied");
    assert_text_has(m.err.hint, "path \"secret/data/acme/db\" { capabilities = [\"read\"] }");
    assert_text_has(m.err.hint, "path \"secret/acme/db\" { capabilities = [\"read\"] }");
    assert_text_has(m.err.hint, "default, app");
    part(&m, &read);
}

/* It decides whether a variable that is not required stays unset or is an error. */
static void nothing_at_the_guess_outweighs_a_refusal_of_the_other_spelling(void **state)
{
    static const struct page pages[] = {{"/v1/secret/data/none", 404, nothing, 0},
                                        {NULL, 0, NULL, 0}};
    struct vault_read read = {.path = "secret/none"};

    (void)state;
    struct meeting m = meet(pages, NULL, &read, LONG_MS);
    assert_int_equal(m.err.kind, ERR_SOURCE_MISSING);
    assert_text_has(m.err.text, "'secret/data/none'");
    assert_text_has(m.err.text, "404");
    part(&m, &read);
}

static void what_was_asked_already_is_not_asked_again(void **state)
{
    static const struct page pages[] = {
        {"/v1/secret/data/none", 404, nothing, 0},
        {"/v1/sys/internal/ui/mounts/secret/none", 200,
         "{\"data\":{\"path\":\"secret/\",\"type\":\"kv\",\"options\":{\"version\":\"2\"}}}", 0},
        {NULL, 0, NULL, 0}};
    struct vault_read read = {.path = "secret/none"};

    (void)state;
    struct meeting m = meet(pages, NULL, &read, LONG_MS);
    assert_int_equal(m.err.kind, ERR_SOURCE_MISSING);
    assert_text_has(m.err.text, "'secret/data/none'");
    assert_int_equal(atomic_load(&m.counts->requests), 2);
    part(&m, &read);
}

static void a_token_that_read_another_path_is_not_looked_at(void **state)
{
    static const struct page pages[] = {
        {"/v1/secret/data/a", 200, "{\"data\":{\"data\":{},\"metadata\":{\"version\":1}}}", 0},
        {NULL, 0, NULL, 0}};
    struct vault_read read = {.path = "secret/data/a"};
    struct vault_read both[] = {{.path = "secret/data/a"}, {.path = "secret/data/b"}};
    struct err err = ERR_INIT;

    (void)state;
    struct meeting m = meet(pages, NULL, &read, LONG_MS);
    assert_int_equal(vault_read_all(m.vault, both, 2, clock_in_ms(LONG_MS), &err), -1);
    assert_text_has(err.text, "403");
    assert_text_lacks(err.text, "expired");
    assert_int_equal(atomic_load(&m.counts->requests), 3);
    vault_read_release(&both[0]);
    vault_read_release(&both[1]);
    part(&m, &read);
}

static void a_dead_token_is_told_from_a_denied_path(void **state)
{
    static const struct page pages[] = {{NULL, 0, NULL, 0}};
    struct vault_read read = {.path = "secret/data/db"};

    (void)state;
    struct meeting m = meet(pages, NULL, &read, LONG_MS);
    assert_int_equal(m.err.kind, ERR_SOURCE_DENIED);
    assert_text_has(m.err.text, "expired");
    assert_text_has(m.err.text, "no policy that lets it look even itself up");
    assert_text_has(m.err.hint, "new token");
    assert_text_has(m.err.hint, "If it still is one: A policy would allow it with: path "
                                "\"secret/data/db\" { capabilities = [\"read\"] }");
    assert_int_equal(atomic_load(&m.counts->requests), 2);
    part(&m, &read);
}

static void a_token_that_a_server_repeats_is_not_shown(void **state)
{
    static const struct page pages[] = {
        {"/v1/secret/data/db", 400, "{\"errors\":[\"bad token " CANARY " in header\"]}", 0},
        {NULL, 0, NULL, 0}};
    struct vault_read read = {.path = "secret/data/db"};

    (void)state;
    struct meeting m = meet(pages, NULL, &read, LONG_MS);
    assert_text_has(m.err.text, "bad token *** in header");
    assert_text_lacks(m.err.text, CANARY);
    part(&m, &read);
}

static void foreign_words_are_shown_as_such(void **state)
{
    static const struct page pages[] = {
        {"/v1/secret/data/db", 400, "Client sent an HTTP request to an HTTPS server.\n", 0},
        {NULL, 0, NULL, 0}};
    struct vault_read read = {.path = "secret/data/db"};

    (void)state;
    struct meeting m = meet(pages, NULL, &read, LONG_MS);
    assert_text_has(m.err.text, "Client sent an HTTP request to an HTTPS server.");
    assert_text_has(m.err.hint, "https://");
    part(&m, &read);
}

/* ---- logging in ----------------------------------------------------------------------------- */

static const char session[] = "{\"auth\":{\"client_token\":\"made-token\",\"lease_duration\":600,"
                              "\"renewable\":true,\"num_uses\":0}}";

static const struct vault_settings approle = {
    .method = VAULT_AUTH_APPROLE, .role_id = "env:ROLE", .secret_id = "env:SECRET"};

static int clean_for_login(void **state)
{
    (void)state;
    clearenv();
    setenv("ROLE", "role-1", 1);
    return setenv("SECRET", " " CANARY_SECRET "\n", 1);
}

static void a_log_in_comes_first_and_once_and_ends_with_a_revocation(void **state)
{
    static const struct page pages[] = {{"/v1/auth/approle/login", 200, session, 0},
                                        {"/v1/secret/data/a", 200, versioned, 0},
                                        {"/v1/auth/token/revoke-self", 204, "", 0},
                                        {NULL, 0, NULL, 0}};
    struct vault_read read = {.path = "secret/data/a"};
    struct vault_identity identity;
    struct err err = ERR_INIT;

    (void)state;
    struct meeting m = meet(pages, &approle, &read, LONG_MS);
    if (m.result != 0)
        fail_msg("%s", m.err.text);
    vault_identity(m.vault, &identity);
    assert_true(identity.logged_in);
    assert_string_equal(identity.method, "approle");
    assert_true(identity.expires_ms <= clock_in_ms(600000));
    assert_int_equal(atomic_load(&m.counts->canaries),
                     1); /* the secret id went to the log-in only */
    assert_int_equal(vault_read_all(m.vault, &read, 1, clock_in_ms(LONG_MS), &err), 0);
    assert_int_equal(atomic_load(&m.counts->by_key[0]), 1);
    assert_int_equal(vault_revoke_own_token(m.vault, &err), 0);
    assert_int_equal(vault_revoke_own_token(m.vault, &err), 0);
    assert_int_equal(atomic_load(&m.counts->by_key[2]), 1);
    part(&m, &read);
}

/* It can't be: the server would answer 400, at the end of every run. */
static void a_batch_token_is_not_revoked(void **state)
{
    static const char batch[] = "{\"auth\":{\"client_token\":\"made-token\",\"lease_duration\":600,"
                                "\"renewable\":false,\"token_type\":\"batch\",\"num_uses\":0}}";
    static const struct page pages[] = {{"/v1/auth/approle/login", 200, batch, 0},
                                        {"/v1/secret/data/a", 200, versioned, 0},
                                        {NULL, 0, NULL, 0}};
    struct vault_read read = {.path = "secret/data/a"};
    struct vault_identity identity;
    struct err err = ERR_INIT;

    (void)state;
    struct meeting m = meet(pages, &approle, &read, LONG_MS);
    vault_identity(m.vault, &identity);
    assert_true(identity.logged_in && identity.is_batch);
    assert_int_equal(vault_revoke_own_token(m.vault, &err), 0);
    assert_int_equal(atomic_load(&m.counts->requests), 2);
    vault_identity(m.vault, &identity);
    assert_false(identity.logged_in || identity.is_batch);
    part(&m, &read);
}

static void a_token_of_a_log_in_that_ended_is_replaced_once(void **state)
{
    static const struct page pages[] = {{"/v1/auth/approle/login", 200, session, 0},
                                        {"/v1/secret/data/a", 200, versioned, 1},
                                        {"/v1/secret/data/a", 403, denied, 2},
                                        {"/v1/secret/data/a", 200, versioned, 0},
                                        {NULL, 0, NULL, 0}};
    struct vault_read read = {.path = "secret/data/a"};
    struct err err = ERR_INIT;

    (void)state;
    struct meeting m = meet(pages, &approle, &read, LONG_MS);
    assert_int_equal(m.result, 0);
    /* 403, lookup-self refused, a new log-in, 403 again: that is the end of it. */
    assert_int_equal(vault_read_all(m.vault, &read, 1, clock_in_ms(LONG_MS), &err), -1);
    assert_int_equal(err.kind, ERR_SOURCE_DENIED);
    assert_int_equal(atomic_load(&m.counts->by_key[0]), 2);
    assert_text_lacks(err.text, "expired");
    assert_int_equal(vault_read_all(m.vault, &read, 1, clock_in_ms(LONG_MS), &err), 0);
    part(&m, &read);
}

static void a_refused_log_in_is_told_without_the_secret(void **state)
{
    static const struct {
        int status;
        const char *body, *hint;
    } cases[] = {
        {400, "{\"errors\":[\"invalid role or secret ID " CANARY_SECRET "\"]}", "used up"},
        {403, denied, "mounted there"},
        {404, "{\"errors\":[\"no handler for route\"]}", "mounted there"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct page pages[] = {{"/v1/auth/approle/login", cases[i].status, cases[i].body, 0},
                                     {NULL, 0, NULL, 0}};
        struct vault_read read = {.path = "secret/data/a"};
        struct meeting m = meet(pages, &approle, &read, LONG_MS);
        assert_int_equal(m.err.kind, ERR_SOURCE_DENIED);
        assert_text_has(m.err.text, "log in to Vault (AppRole)");
        assert_text_has(m.err.hint, cases[i].hint);
        assert_text_lacks(m.err.text, CANARY_SECRET);
        assert_int_equal(atomic_load(&m.counts->requests), 1);
        part(&m, &read);
    }
}

static void an_answer_to_a_log_in_that_is_none_is_named(void **state)
{
    static const struct {
        const char *body, *says;
    } cases[] = {
        {"{\"auth\":null}", "no client_token"},
        {"{\"auth\":{\"client_token\":7}}", "no client_token"},
        {"{\"auth\":{\"client_token\":\"a\\r\\nX: y\"}}", "can't be sent in a header"},
        {"{\"auth\":{\"client_token\":\"\",\"mfa_requirement\":{\"mfa_request_id\":\"x\"}}}",
         "second factor"},
        {"", "not JSON"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct page pages[] = {{"/v1/auth/approle/login", 200, cases[i].body, 0},
                                     {NULL, 0, NULL, 0}};
        struct vault_read read = {.path = "secret/data/a"};
        struct meeting m = meet(pages, &approle, &read, LONG_MS);
        assert_int_equal(m.result, -1);
        assert_text_has(m.err.text, cases[i].says);
        assert_text_has(m.err.text, "log in at 'auth/approle/login' at 'http://127.0.0.1:");
        part(&m, &read);
    }
}

static void a_user_logs_in_with_a_password_of_the_environment(void **state)
{
    static const struct page pages[] = {{"/v1/auth/people/login/ann%40acme", 200, session, 0},
                                        {"/v1/secret/data/a", 200, versioned, 0},
                                        {NULL, 0, NULL, 0}};
    const struct vault_settings userpass = {.method = VAULT_AUTH_USERPASS,
                                            .auth_mount = "people/",
                                            .username = "ann@acme",
                                            .password = "env:SECRET"};
    struct vault_read read = {.path = "secret/data/a"};

    (void)state;
    struct meeting m = meet(pages, &userpass, &read, LONG_MS);
    if (m.result != 0)
        fail_msg("%s", m.err.text);
    part(&m, &read);
}

static void a_token_of_few_uses_is_not_spent_on_a_look(void **state)
{
    static const char few[] = "{\"auth\":{\"client_token\":\"made-token\",\"num_uses\":1}}";
    static const struct page pages[] = {{"/v1/auth/approle/login", 200, few, 0},
                                        {"/v1/secret/data/a", 200, versioned, 0},
                                        {NULL, 0, NULL, 0}};
    struct vault_read read = {.path = "secret/a"};

    (void)state;
    struct meeting m = meet(pages, &approle, &read, LONG_MS);
    assert_int_equal(m.result, 0);
    assert_int_equal(atomic_load(&m.counts->requests), 2);
    part(&m, &read);
}

static void a_given_token_is_not_revoked(void **state)
{
    static const struct page pages[] = {{"/v1/secret/data/a", 200, versioned, 0},
                                        {NULL, 0, NULL, 0}};
    struct vault_read read = {.path = "secret/data/a"};
    struct err err = ERR_INIT;

    (void)state;
    setenv("VAULT_TOKEN", "given", 1);
    struct meeting m = meet(pages, NULL, &read, LONG_MS);
    assert_int_equal(m.result, 0);
    assert_int_equal(vault_revoke_own_token(m.vault, &err), 0);
    assert_int_equal(atomic_load(&m.counts->requests), 1);
    part(&m, &read);
}

/* ---- sources -------------------------------------------------------------------------------- */

static struct source_request field_of(const char *path, const char *field, const char *variable)
{
    return (struct source_request){.ref = {.kind = REF_VAULT, .path = path, .field = field},
                                   .variable = variable};
}

static void variables_share_a_path_and_each_has_its_own_outcome(void **state)
{
    static struct page pages[] = {{"/v1/secret/data/a", 200, NULL, 0},
                                  {"/v1/secret/data/none", 404, NULL, 0},
                                  {NULL, 0, NULL, 0}};
    struct source_request requests[] = {
        field_of("secret/data/a", "f", "F"),    field_of("secret/data/a", "g", "G"),
        field_of("secret/data/a", "o", "O"),    field_of("secret/data/a", "h", "H"),
        field_of("secret/data/none", "f", "N"), field_of("secret/data/a", "f", "F2"),
    };
    struct source_set *set = NULL;
    struct err err = ERR_INIT;

    (void)state;
    pages[0].body = versioned;
    pages[1].body = nothing;
    struct script_server *server = script_start(looks_up, pages, NULL);
    const struct vault_settings settings = {.address = script_url(server)};
    assert_int_equal(source_set_new(&settings, NULL, &set, &err), 0);
    assert_int_equal(source_resolve(set, requests, ARRAY_LEN(requests), clock_in_ms(LONG_MS), &err),
                     -1);
    assert_text_has(err.text, "O: ");
    assert_string_equal(secret_reveal(&requests[0].value), "value");
    assert_int_equal(requests[0].version, 7);
    assert_null(requests[0].lease);
    assert_string_equal(secret_reveal(&requests[1].value), "1");
    assert_int_equal(requests[2].state, SOURCE_FAILED);
    assert_text_has(requests[2].err.text, "'o'");
    assert_text_has(requests[2].err.text, "object");
    assert_int_equal(requests[3].state, SOURCE_ABSENT);
    assert_text_has(requests[3].err.text, "no field 'h'; it has: f, g, o");
    assert_int_equal(requests[4].state, SOURCE_ABSENT);
    assert_string_equal(secret_reveal(&requests[5].value), "value");
    assert_int_equal(atomic_load(&script_counts_of(server)->by_key[0]), 1);
    /* Asked again, the set answers by itself. */
    secret_release(&requests[0].value);
    assert_int_equal(source_resolve(set, requests, 1, clock_in_ms(LONG_MS), &err), 0);
    assert_int_equal(atomic_load(&script_counts_of(server)->by_key[0]), 1);
    for (size_t i = 0; i < ARRAY_LEN(requests); i++)
        secret_release(&requests[i].value);
    assert_int_equal(source_leases(set, NULL, 0), 0);
    source_set_free(set);
    script_stop(server);
}

static void being_refused_is_never_absent(void **state)
{
    static struct page pages[] = {{NULL, 0, NULL, 0}};
    struct source_request request = field_of("secret/data/a", "f", "F");
    struct source_set *set = NULL;
    struct err err = ERR_INIT;

    (void)state;
    struct script_server *server = script_start(looks_up, pages, NULL);
    const struct vault_settings settings = {.address = script_url(server)};
    assert_int_equal(source_set_new(&settings, NULL, &set, &err), 0);
    assert_int_equal(source_resolve(set, &request, 1, clock_in_ms(LONG_MS), &err), -1);
    assert_int_equal(request.state, SOURCE_FAILED);
    assert_int_equal(err.kind, ERR_SOURCE_DENIED);
    source_set_free(set);
    script_stop(server);
}

#define clean_test(f) cmocka_unit_test_setup(f, clean)
#define login_test(f) cmocka_unit_test_setup(f, clean_for_login)

int main(void)
{
    const struct CMUnitTest tests[] = {
        clean_test(a_refused_look_leaves_the_other_spelling_to_be_tried),
        clean_test(a_failed_look_is_not_kept),
        clean_test(a_guess_that_finds_something_of_version_1_is_not_the_secret),
        clean_test(a_mount_of_two_segments_is_found),
        clean_test(a_login_is_never_asked_for_on_a_guess),
        clean_test(a_secret_below_creds_is_read_with_its_own_policy_alone),
        clean_test(a_refused_log_in_names_itself_whatever_the_mount_is),
        clean_test(a_mount_that_is_called_data_is_found),
        clean_test(a_static_login_lasts_until_its_rotation),
        clean_test(a_static_login_that_is_overdue_is_no_lasting_one),
        clean_test(a_hint_of_kv_v1_is_no_lease),
        clean_test(deleted_and_destroyed_versions_are_told_from_missing_ones),
        clean_test(what_is_asked_ahead_twice_is_kept_once),
        clean_test(a_denied_path_names_the_policy_that_would_allow_it),
        clean_test(nothing_at_the_guess_outweighs_a_refusal_of_the_other_spelling),
        clean_test(a_token_that_read_another_path_is_not_looked_at),
        clean_test(what_was_asked_already_is_not_asked_again),
        clean_test(a_dead_token_is_told_from_a_denied_path),
        clean_test(a_token_that_a_server_repeats_is_not_shown),
        clean_test(foreign_words_are_shown_as_such),
        login_test(a_log_in_comes_first_and_once_and_ends_with_a_revocation),
        login_test(a_batch_token_is_not_revoked),
        login_test(a_token_of_a_log_in_that_ended_is_replaced_once),
        login_test(a_refused_log_in_is_told_without_the_secret),
        login_test(an_answer_to_a_log_in_that_is_none_is_named),
        login_test(a_user_logs_in_with_a_password_of_the_environment),
        login_test(a_token_of_few_uses_is_not_spent_on_a_look),
        clean_test(a_given_token_is_not_revoked),
        clean_test(variables_share_a_path_and_each_has_its_own_outcome),
        clean_test(being_refused_is_never_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
