/* The dialogue with a server that answers by script: round trips, retries, redirects, and answers
 * that are none. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "tests/lib/script_server.h"
#include "vault/internal.h"

#define CANARY "canary-token-91d0"

enum { SHORT_MS = 1500, LONG_MS = 60000, MANY = 20 };

static const char versioned[] = "{\"lease_id\":\"\",\"data\":{\"data\":{\"f\":\"value\"},"
                                "\"metadata\":{\"version\":7}},\"warnings\":null}";
static const char plain[] = "{\"lease_id\":\"\",\"data\":{\"f\":\"plain\"},\"warnings\":null}";
static const char mount_v2[] =
    "{\"data\":{\"path\":\"secret/\",\"type\":\"kv\",\"options\":{\"version\":\"2\"}}}";
static const char nothing[] = "{\"errors\":[]}";

static int clean(void **state)
{
    (void)state;
    clearenv();
    return setenv("VAULT_TOKEN", CANARY, 1);
}

static struct vault *open_at(const char *url, const struct vault_settings *more)
{
    struct vault_settings settings = more ? *more : (struct vault_settings){0};
    struct vault *v = NULL;
    struct err err = ERR_INIT;

    settings.address = url;
    if (vault_open(&settings, &v, &err) != 0)
        fail_msg("%s", err.text);
    return v;
}

/* Read PATH from a server that does as HANDLER says, within MS. Its counts are the caller's until
 * stop(). */
struct meeting {
    struct script_server *server;
    struct script_counts *counts;
    struct vault *vault;
    struct vault_read read;
    struct err err;
    int result;
};

static struct meeting meet(script_handler *handler, void *context, const char *path, int64_t ms)
{
    struct meeting m = {.read = {.path = path}, .err = ERR_INIT};

    m.server = script_start(handler, context, CANARY);
    m.counts = script_counts_of(m.server);
    m.vault = open_at(script_url(m.server), NULL);
    m.result = vault_read_all(m.vault, &m.read, 1, clock_in_ms(ms), &m.err);
    return m;
}

static void part(struct meeting *m)
{
    vault_read_release(&m->read);
    vault_free(m->vault);
    script_stop(m->server);
}

static bool is_look(const struct script_turn *turn)
{
    return strstr(turn->path, "/sys/internal/ui/mounts/") != NULL;
}

static void assert_value(const struct vault_read *read, const char *expected)
{
    const struct vault_field *field = vault_read_field(read, "f");

    assert_non_null(field);
    assert_string_equal(secret_reveal(&field->value), expected);
}

/* ---- round trips ---------------------------------------------------------------------------- */

/* Nothing is answered before all reads and the one look are there. */
static bool answers_all_at_once(struct script_turn *turn)
{
    script_wait_for(turn, *(const int *)turn->context);
    return script_answer(turn, 200, "", is_look(turn) ? mount_v2 : versioned);
}

static void one_path_and_the_look_at_its_mount_fly_together(void **state)
{
    int expected = 2;

    (void)state;
    struct meeting m = meet(answers_all_at_once, &expected, "secret/acme/db", LONG_MS);
    assert_int_equal(m.result, 0);
    assert_value(&m.read, "value");
    assert_int_equal(m.read.version, 7);
    assert_int_equal(atomic_load(&m.counts->requests), 2);
    part(&m);
}

static void several_paths_of_a_mount_share_one_flight_and_one_look(void **state)
{
    static const char *const paths[] = {"secret/a", "secret/b", "secret/a", "secret/c", "secret/b"};
    struct vault_read reads[ARRAY_LEN(paths)] = {{0}};
    int expected = 4; /* three distinct paths, and the look */
    struct err err = ERR_INIT;

    (void)state;
    struct script_server *server = script_start(answers_all_at_once, &expected, CANARY);
    struct vault *v = open_at(script_url(server), NULL);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        reads[i].path = paths[i];
    assert_int_equal(vault_read_all(v, reads, ARRAY_LEN(paths), clock_in_ms(LONG_MS), &err), 0);
    assert_int_equal(atomic_load(&script_counts_of(server)->requests), 4);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        assert_value(&reads[i], "value");
        vault_read_release(&reads[i]);
    }
    vault_free(v);
    script_stop(server);
}

/* The look is never answered: a guess that was right must not wait for it. */
static bool keeps_silent_about_mounts(struct script_turn *turn)
{
    if (is_look(turn))
        pause();
    return script_answer(turn, 200, "", versioned);
}

static void a_right_guess_does_not_wait_for_the_look(void **state)
{
    (void)state;
    struct meeting m = meet(keeps_silent_about_mounts, NULL, "secret/acme/db", LONG_MS);
    assert_int_equal(m.result, 0);
    assert_value(&m.read, "value");
    part(&m);
}

static bool answers_fast(struct script_turn *turn)
{
    return script_answer(turn, 200, "", is_look(turn) ? mount_v2 : versioned);
}

static bool counts_looks_for_others(struct script_turn *turn)
{
    if (is_look(turn) && str_ends(turn->path, "/other"))
        atomic_fetch_add(&turn->counts->by_key[0], 1);
    return answers_fast(turn);
}

static void a_known_mount_is_not_looked_at_again(void **state)
{
    struct vault_read read = {.path = "secret/other"};
    struct err err = ERR_INIT;

    (void)state;
    struct meeting m = meet(counts_looks_for_others, NULL, "secret/acme/db", LONG_MS);
    assert_int_equal(vault_read_all(m.vault, &read, 1, clock_in_ms(LONG_MS), &err), 0);
    /* The next request's answer comes after whatever that one had sent. */
    assert_int_equal(vault_read_all(m.vault, &read, 1, clock_in_ms(LONG_MS), &err), 0);
    assert_int_equal(atomic_load(&m.counts->by_key[0]), 0);
    vault_read_release(&read);
    part(&m);
}

static void many_paths_use_at_most_six_connections(void **state)
{
    struct vault_read reads[MANY] = {{0}};
    char paths[MANY][16];
    struct err err = ERR_INIT;

    (void)state;
    struct script_server *server = script_start(answers_fast, NULL, CANARY);
    struct vault *v = open_at(script_url(server), NULL);
    for (size_t i = 0; i < MANY; i++) {
        (void)snprintf(paths[i], sizeof paths[i], "secret/p%zu", i);
        reads[i].path = paths[i];
    }
    assert_int_equal(vault_read_all(v, reads, MANY, clock_in_ms(LONG_MS), &err), 0);
    int connections = atomic_load(&script_counts_of(server)->connections);
    assert_in_range(connections, 1, VAULT_PLAIN_CONNECTIONS);
    assert_in_range(atomic_load(&script_counts_of(server)->requests), MANY, MANY + 1);
    for (size_t i = 0; i < MANY; i++)
        vault_read_release(&reads[i]);
    vault_free(v);
    script_stop(server);
}

static bool answers_exactly(struct script_turn *turn)
{
    if (str_eq(turn->path, turn->context))
        return script_answer(turn, 200, "", strstr(turn->path, "/data/") ? versioned : plain);
    return script_answer(turn, 404, "", nothing);
}

static void what_is_spelled_out_or_declared_is_asked_once(void **state)
{
    static const struct vault_kv_mount mounts[] = {{"old", 1}, {"team", 2}, {"team/kv", 2}};
    const struct vault_settings declared = {.kv_mounts = mounts, .kv_mount_count = 3};
    static const struct {
        const char *path, *request;
    } cases[] = {
        {"secret/data/acme", "/v1/secret/data/acme"}, {"old/acme", "/v1/old/acme"},
        {"team/kv/acme", "/v1/team/kv/data/acme"},    {"team/other", "/v1/team/data/other"},
        {"db/creds/app", "/v1/db/creds/app"},         {"team/kv/data/x", "/v1/team/kv/data/x"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char request[64];
        struct vault_read read = {.path = cases[i].path};
        struct err err = ERR_INIT;
        (void)snprintf(request, sizeof request, "%s", cases[i].request);
        struct script_server *server = script_start(answers_exactly, request, CANARY);
        struct vault *v = open_at(script_url(server), &declared);
        if (vault_read_all(v, &read, 1, clock_in_ms(LONG_MS), &err) != 0)
            fail_msg("%s: %s", cases[i].path, err.text);
        assert_int_equal(atomic_load(&script_counts_of(server)->requests), 1);
        vault_read_release(&read);
        vault_free(v);
        script_stop(server);
    }
}

/* ---- trying again --------------------------------------------------------------------------- */

struct plan {
    int status, times; /* this often, then 200 */
    const char *headers, *body;
};

static bool fails_first(struct script_turn *turn)
{
    const struct plan *plan = turn->context;

    if (atomic_fetch_add(&turn->counts->by_key[0], 1) < plan->times)
        return script_answer(turn, plan->status, plan->headers, plan->body);
    return script_answer(turn, 200, "", versioned);
}

static void what_passes_is_tried_again(void **state)
{
    static const int statuses[] = {412, 429, 500, 502, 503, 504};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        struct plan plan = {statuses[i], 2, "", nothing};
        struct meeting m = meet(fails_first, &plan, "secret/data/a", LONG_MS);
        if (m.result != 0)
            fail_msg("%d: %s", statuses[i], m.err.text);
        assert_int_equal(atomic_load(&m.counts->requests), 3);
        part(&m);
    }
}

static void what_stays_is_not_tried_again(void **state)
{
    static const struct {
        int status;
        enum err_kind kind;
    } cases[] = {{400, ERR_SOURCE_DENIED}, {404, ERR_SOURCE_MISSING}, {405, ERR_SOURCE_DENIED},
                 {472, ERR_SOURCE_DENIED}, {501, ERR_SOURCE_DOWN},    {301, ERR_SOURCE_DATA}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct plan plan = {cases[i].status, 99, "", ""};
        struct meeting m = meet(fails_first, &plan, "secret/data/a", LONG_MS);
        assert_int_equal(m.result, -1);
        assert_int_equal(m.err.kind, cases[i].kind);
        assert_int_equal(m.err.http_status, cases[i].status);
        assert_text_has(m.err.text, "secret/data/a");
        assert_text_has(m.err.text, "http://127.0.0.1:");
        assert_int_equal(atomic_load(&m.counts->requests), 1);
        part(&m);
    }
}

static void an_inner_error_is_tried_three_times(void **state)
{
    struct plan plan = {500, 99, "", "{\"errors\":[\"syntax error in creation statement\"]}"};

    (void)state;
    struct meeting m = meet(fails_first, &plan, "secret/data/a", LONG_MS);
    assert_int_equal(m.err.kind, ERR_SOURCE_DOWN);
    assert_text_has(m.err.text, "syntax error in creation statement");
    assert_text_has(m.err.text, "(3 attempts)");
    assert_int_equal(atomic_load(&m.counts->requests), 3);
    part(&m);
}

static void retry_after_is_waited_for(void **state)
{
    struct plan plan = {429, 1, "Retry-After: 1\r\n", nothing};

    (void)state;
    int64_t start = clock_now_ms();
    struct meeting m = meet(fails_first, &plan, "secret/data/a", LONG_MS);
    assert_int_equal(m.result, 0);
    assert_true(clock_now_ms() - start >= 1000);
    part(&m);
}

static void a_retry_after_beyond_the_deadline_ends_it_at_once(void **state)
{
    struct plan plan = {503, 99, "Retry-After: 3600\r\n", nothing};

    (void)state;
    struct meeting m = meet(fails_first, &plan, "secret/data/a", LONG_MS);
    assert_int_equal(m.err.kind, ERR_SOURCE_DOWN);
    assert_int_equal(atomic_load(&m.counts->requests), 1);
    assert_text_has(m.err.hint, "1h");
    part(&m);
}

static void a_sealed_vault_is_said_as_sealed(void **state)
{
    struct plan plan = {503, 99, "", "{\"errors\":[\"Vault is sealed\"]}"};

    (void)state;
    struct meeting m = meet(fails_first, &plan, "secret/data/a", SHORT_MS);
    assert_int_equal(m.err.kind, ERR_SOURCE_DOWN);
    assert_text_has(m.err.text, "Vault is sealed");
    assert_text_has(m.err.hint, "unseal");
    part(&m);
}

static void the_number_of_retries_can_be_bounded(void **state)
{
    struct plan plan = {503, 99, "", nothing};

    (void)state;
    setenv("VAULT_MAX_RETRIES", "1", 1);
    struct meeting m = meet(fails_first, &plan, "secret/data/a", LONG_MS);
    assert_int_equal(m.err.kind, ERR_SOURCE_DOWN);
    assert_int_equal(atomic_load(&m.counts->requests), 2);
    part(&m);
}

static void a_time_that_is_over_is_said_at_once(void **state)
{
    struct plan plan = {200, 0, "", versioned};

    (void)state;
    struct meeting m = meet(fails_first, &plan, "secret/data/a", -1);
    assert_int_equal(m.err.kind, ERR_SOURCE_DOWN);
    assert_int_equal(atomic_load(&m.counts->requests), 0);
    assert_text_has(m.err.text, "the time for it was over before its turn");
    part(&m);
}

static void nobody_there_is_tried_until_the_deadline(void **state)
{
    struct vault_read read = {.path = "secret/a"};
    struct err err = ERR_INIT;
    char url[64];

    (void)state;
    struct script_server *server = script_start(answers_fast, NULL, CANARY);
    (void)snprintf(url, sizeof url, "%s", script_url(server));
    script_stop(server);
    struct vault *v = open_at(url, NULL);
    assert_int_equal(vault_read_all(v, &read, 1, clock_in_ms(SHORT_MS), &err), -1);
    assert_int_equal(err.kind, ERR_SOURCE_DOWN);
    assert_text_has(err.text, "Connection refused");
    assert_text_has(err.text, "attempts)");
    vault_read_release(&read);
    vault_free(v);
}

/* ---- redirects ------------------------------------------------------------------------------ */

static bool redirects(struct script_turn *turn)
{
    char headers[1024];
    const struct plan *plan = turn->context;

    if (str_eq(turn->path, "/v1/moved"))
        return script_answer(turn, 200, "", versioned);
    (void)snprintf(headers, sizeof headers, "Location: %s\r\n", plan->body);
    return script_answer(turn, plan->status, plan->body[0] ? headers : "", "");
}

/* Another origin: counts who comes, and would answer. */
static bool is_elsewhere(struct script_turn *turn)
{
    return script_answer(turn, 200, "", versioned);
}

static void no_redirect_takes_the_token_to_another_origin(void **state)
{
    static const int statuses[] = {301, 302, 303, 307, 308};
    static const char *const shapes[] = {"%s/v1/x",        "%s",
                                         "//%s/v1/x",      "http://user:pw@%s/v1/x",
                                         "HTTP://%s/v1/x", "http://%s\\@127.0.0.1/v1/x"};
    struct script_server *other = script_start(is_elsewhere, NULL, CANARY);
    const char *url = script_url(other), *host = url + strlen("http://");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
        for (size_t k = 0; k < ARRAY_LEN(shapes); k++) {
            char location[256];
            int written = strncmp(shapes[k], "%s", 2) == 0
                              ? snprintf(location, sizeof location, k ? "%s" : "%s/v1/x", url)
                              : snprintf(location, sizeof location, "%.*s%s%s",
                                         (int)(strstr(shapes[k], "%s") - shapes[k]), shapes[k],
                                         host, strstr(shapes[k], "%s") + 2);
            assert_true(written > 0);
            struct plan plan = {statuses[i], 0, "", location};
            struct meeting m = meet(redirects, &plan, "secret/data/a", SHORT_MS);
            assert_int_equal(m.result, -1);
            assert_int_equal(m.err.kind, ERR_SOURCE_DATA);
            assert_text_has(m.err.text, "redirect");
            assert_text_lacks(m.err.text, "user:pw");
            part(&m);
        }
    assert_int_equal(atomic_load(&script_counts_of(other)->canaries), 0);
    assert_int_equal(atomic_load(&script_counts_of(other)->requests), 0);
    script_stop(other);
}

static void redirects_without_a_usable_place_are_named(void **state)
{
    static const char *const places[] = {
        "",        "file:///etc/passwd", "gopher://127.0.0.1/x", "https://127.0.0.1:1/v1/x",
        "http://", "\\\\evil\\x"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        struct plan plan = {307, 0, "", places[i]};
        struct meeting m = meet(redirects, &plan, "secret/data/a", SHORT_MS);
        assert_int_equal(m.result, -1);
        assert_text_has(m.err.text, "secret/data/a");
        part(&m);
    }
}

static void a_redirect_inside_the_origin_is_followed_once(void **state)
{
    struct plan once = {307, 0, "", "/v1/moved"}, for_ever = {308, 0, "", "/v1/again"};

    (void)state;
    struct meeting m = meet(redirects, &once, "secret/data/a", LONG_MS);
    assert_int_equal(m.result, 0);
    assert_value(&m.read, "value");
    assert_int_equal(atomic_load(&m.counts->requests), 2);
    part(&m);
    m = meet(redirects, &for_ever, "secret/data/a", LONG_MS);
    assert_int_equal(m.result, -1);
    assert_text_has(m.err.text, "after another one");
    assert_int_equal(atomic_load(&m.counts->requests), 2);
    part(&m);
}

static void a_node_that_the_contract_names_is_followed_with_the_token(void **state)
{
    struct script_server *other = script_start(is_elsewhere, NULL, CANARY);
    char location[128];
    const char *const hosts[] = {"https://unrelated:1", script_url(other), NULL};
    const struct vault_settings settings = {.redirect_hosts = hosts};
    struct vault_read read = {.path = "secret/data/a"};
    struct err err = ERR_INIT;

    (void)state;
    (void)snprintf(location, sizeof location, "%s/v1/secret/data/a", script_url(other));
    struct plan plan = {307, 0, "", location};
    struct script_server *server = script_start(redirects, &plan, CANARY);
    struct vault *v = open_at(script_url(server), &settings);
    if (vault_read_all(v, &read, 1, clock_in_ms(LONG_MS), &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(atomic_load(&script_counts_of(other)->canaries), 1);
    vault_read_release(&read);
    vault_free(v);
    setenv("VAULT_DISABLE_REDIRECTS", "1", 1);
    read.path = "secret/data/a";
    v = open_at(script_url(server), &settings);
    assert_int_equal(vault_read_all(v, &read, 1, clock_in_ms(LONG_MS), &err), -1);
    vault_free(v);
    script_stop(server);
    script_stop(other);
}

/* ---- answers that are none ------------------------------------------------------------------ */

static bool sends_bytes(struct script_turn *turn)
{
    (void)script_send(turn, turn->context, strlen(turn->context));
    return false;
}

static void an_answer_that_is_none_is_named(void **state)
{
    static const struct {
        const char *bytes;
        enum err_kind kind;
    } cases[] = {
        {"", ERR_SOURCE_DOWN},
        {"garbage that no protocol knows\r\n\r\n", ERR_SOURCE_DATA},
        {"SSH-2.0-OpenSSH_9.2\r\n", ERR_SOURCE_DATA},
        {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnope", ERR_SOURCE_DATA},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ERR_SOURCE_DATA},
        {"HTTP/1.1 204 None\r\n\r\n", ERR_SOURCE_DATA},
        {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"data\":", ERR_SOURCE_DOWN},
        {"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"data\":[]}", ERR_SOURCE_DATA},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", ERR_SOURCE_DATA},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", ERR_SOURCE_DOWN},
        {"HTTP/1.1 200", ERR_SOURCE_DOWN},
    };

    (void)state;
    setenv("VAULT_MAX_RETRIES", "0", 1);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char bytes[256];
        (void)snprintf(bytes, sizeof bytes, "%s", cases[i].bytes);
        struct meeting m = meet(sends_bytes, bytes, "secret/data/a", LONG_MS);
        assert_int_equal(m.result, -1);
        if (m.err.kind != cases[i].kind)
            fail_msg("case %zu: kind %d: %s", i, (int)m.err.kind, m.err.text);
        assert_text_has(m.err.text, "secret/data/a");
        part(&m);
    }
}

static bool sends_for_ever(struct script_turn *turn)
{
    const char *kind = turn->context;
    char filler[4096];

    memset(filler, 'x', sizeof filler);
    if (str_eq(kind, "headers")) {
        (void)script_send(turn, "HTTP/1.1 200 OK\r\n", 17);
        while (script_send(turn, "X-Long: ", 8) && script_send(turn, filler, 1024) &&
               script_send(turn, "\r\n", 2))
            ;
    } else if (str_eq(kind, "interim")) {
        while (script_send(turn, "HTTP/1.1 103 Early\r\nX: y\r\n\r\n", 28))
            ;
    } else {
        (void)script_send(turn, "HTTP/1.1 200 OK\r\n\r\n", 19);
        while (script_send(turn, filler, sizeof filler))
            ;
    }
    return false;
}

static void endless_answers_end_at_the_ceiling(void **state)
{
    static const char *const kinds[] = {"headers", "interim", "body"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        char kind[16];
        (void)snprintf(kind, sizeof kind, "%s", kinds[i]);
        struct meeting m = meet(sends_for_ever, kind, "secret/data/a", LONG_MS);
        assert_int_equal(m.result, -1);
        if (m.err.kind != ERR_SOURCE_DATA)
            fail_msg("%s: %s", kind, m.err.text);
        assert_text_has(m.err.text, "longer than");
        assert_int_equal(atomic_load(&m.counts->requests), 1);
        part(&m);
    }
}

static bool says_nothing(struct script_turn *turn)
{
    (void)turn;
    pause();
    return false;
}

static bool trickles(struct script_turn *turn)
{
    (void)script_send(turn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", 41);
    while (script_send(turn, "x", 1))
        (void)usleep(20000);
    return false;
}

static void silence_and_trickles_end_with_the_time(void **state)
{
    script_handler *const handlers[] = {says_nothing, trickles};

    (void)state;
    setenv("VAULT_CLIENT_TIMEOUT", "300ms", 1);
    for (size_t i = 0; i < ARRAY_LEN(handlers); i++) {
        struct meeting m = meet(handlers[i], NULL, "secret/data/a", SHORT_MS);
        assert_int_equal(m.result, -1);
        assert_int_equal(m.err.kind, ERR_SOURCE_DOWN);
        assert_text_has(m.err.text, "timed out");
        assert_true(atomic_load(&m.counts->requests) > 1);
        part(&m);
    }
}

static bool cuts_first(struct script_turn *turn)
{
    static const char whole[] = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"data\":{\"data\":";

    if (turn->number == 1) {
        (void)script_send(turn, whole, sizeof whole - 1);
        return false;
    }
    return script_answer(turn, 200, "", versioned);
}

static void a_cut_answer_is_asked_for_again(void **state)
{
    (void)state;
    struct meeting m = meet(cuts_first, NULL, "secret/data/a", LONG_MS);
    assert_int_equal(m.result, 0);
    assert_value(&m.read, "value");
    part(&m);
}

static bool records_head(struct script_turn *turn)
{
    const char *head = turn->head;
    bool fine = strcasestr(head, "\r\nX-Vault-Request: true\r\n") &&
                strcasestr(head, "\r\nX-Vault-Namespace: team\r\n") &&
                strcasestr(head, "\r\nX-Vault-Token: " CANARY "\r\n") &&
                !strcasestr(head, "Accept-Encoding") &&
                strncmp(head, "GET /v1/s/data/a%20b ", 21) == 0;

    return script_answer(turn, fine ? 200 : 400, "", versioned);
}

static void a_request_has_its_headers_and_no_others(void **state)
{
    (void)state;
    setenv("VAULT_NAMESPACE", "team", 1);
    struct meeting m = meet(records_head, NULL, "s/data/a b", LONG_MS);
    if (m.result != 0)
        fail_msg("%s", m.err.text);
    part(&m);
}

static void no_proxy_of_the_environment_sees_a_request(void **state)
{
    static const char *const names[] = {"http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy",
                                        "https_proxy"};
    struct script_server *proxy = script_start(is_elsewhere, NULL, CANARY);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        setenv(names[i], script_url(proxy), 1);
    struct meeting m = meet(answers_fast, NULL, "secret/a", LONG_MS);
    assert_int_equal(m.result, 0);
    assert_int_equal(atomic_load(&script_counts_of(proxy)->connections), 0);
    part(&m);
    script_stop(proxy);
}

static void a_rate_limit_spreads_requests(void **state)
{
    struct vault_read reads[3] = {{.path = "s/data/a"}, {.path = "s/data/b"}, {.path = "s/data/c"}};
    struct err err = ERR_INIT;

    (void)state;
    setenv("VAULT_RATE_LIMIT", "10:1", 1);
    struct script_server *server = script_start(answers_fast, NULL, CANARY);
    struct vault *v = open_at(script_url(server), NULL);
    int64_t start = clock_now_ms();
    assert_int_equal(vault_read_all(v, reads, 3, clock_in_ms(LONG_MS), &err), 0);
    assert_true(clock_now_ms() - start >= 190);
    for (size_t i = 0; i < 3; i++)
        vault_read_release(&reads[i]);
    vault_free(v);
    script_stop(server);
}

#define clean_test(f) cmocka_unit_test_setup(f, clean)

int main(void)
{
    const struct CMUnitTest tests[] = {
        clean_test(one_path_and_the_look_at_its_mount_fly_together),
        clean_test(several_paths_of_a_mount_share_one_flight_and_one_look),
        clean_test(a_right_guess_does_not_wait_for_the_look),
        clean_test(a_known_mount_is_not_looked_at_again),
        clean_test(many_paths_use_at_most_six_connections),
        clean_test(what_is_spelled_out_or_declared_is_asked_once),
        clean_test(what_passes_is_tried_again),
        clean_test(what_stays_is_not_tried_again),
        clean_test(an_inner_error_is_tried_three_times),
        clean_test(retry_after_is_waited_for),
        clean_test(a_retry_after_beyond_the_deadline_ends_it_at_once),
        clean_test(a_sealed_vault_is_said_as_sealed),
        clean_test(the_number_of_retries_can_be_bounded),
        clean_test(a_time_that_is_over_is_said_at_once),
        clean_test(nobody_there_is_tried_until_the_deadline),
        clean_test(no_redirect_takes_the_token_to_another_origin),
        clean_test(redirects_without_a_usable_place_are_named),
        clean_test(a_redirect_inside_the_origin_is_followed_once),
        clean_test(a_node_that_the_contract_names_is_followed_with_the_token),
        clean_test(an_answer_that_is_none_is_named),
        clean_test(endless_answers_end_at_the_ceiling),
        clean_test(silence_and_trickles_end_with_the_time),
        clean_test(a_cut_answer_is_asked_for_again),
        clean_test(a_request_has_its_headers_and_no_others),
        clean_test(no_proxy_of_the_environment_sees_a_request),
        clean_test(a_rate_limit_spreads_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
