/* Several nodes of one Vault, of which some can't answer, and how far each of them is. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/lib/script_server.h"
#include "vault/internal.h"

#define CANARY "canary-token-4b7e"

enum { SHORT_MS = 1500, LONG_MS = 60000, NODES = 3 };

static const char versioned[] = "{\"lease_id\":\"\",\"data\":{\"data\":{\"f\":\"value\"},"
                                "\"metadata\":{\"version\":7}},\"warnings\":null}";
static const char leaderless[] =
    "{\"errors\":[\"local node not active but active cluster node not found\"]}";

static int clean(void **state)
{
    (void)state;
    clearenv();
    return setenv("VAULT_TOKEN", CANARY, 1);
}

/* What one node says: STATUS this often, then the secret. */
struct plan {
    int status, times;
    const char *headers, *body;
};

static bool answers(struct script_turn *turn)
{
    const struct plan *plan = turn->context;

    if (atomic_fetch_add(&turn->counts->by_key[0], 1) < plan->times)
        return script_answer(turn, plan->status, plan->headers, plan->body);
    return script_answer(turn, 200, "", versioned);
}

/* A Vault of as many nodes as there are plans; a NULL: one that is away. */
struct cluster {
    struct script_server *servers[NODES];
    char *urls[NODES + 1];
    struct vault *vault;
};

static void cluster_open(struct cluster *c, script_handler *handler, struct plan *const *plans,
                         size_t count)
{
    struct vault_settings settings = {0};
    const char *addresses[NODES + 1] = {NULL};
    struct err err = ERR_INIT;

    *c = (struct cluster){0};
    for (size_t i = 0; i < count; i++) {
        static struct plan none;
        c->servers[i] = script_start(handler, plans[i] ? plans[i] : &none, CANARY);
        c->urls[i] = mem_dup(script_url(c->servers[i]));
        assert_non_null(c->urls[i]);
        addresses[i] = c->urls[i];
    }
    for (size_t i = 0; i < count; i++)
        if (!plans[i]) { /* the others' ports were taken by then */
            script_stop(c->servers[i]);
            c->servers[i] = NULL;
        }
    settings.addresses = addresses;
    if (vault_open(&settings, &c->vault, &err) != 0)
        fail_msg("%s", err.text);
}

static void cluster_close(struct cluster *c)
{
    vault_free(c->vault);
    for (size_t i = 0; i < NODES; i++) {
        if (c->servers[i])
            script_stop(c->servers[i]);
        free(c->urls[i]);
    }
}

static int requests(const struct cluster *c, size_t node)
{
    return atomic_load(&script_counts_of(c->servers[node])->requests);
}

static int read_once(struct cluster *c, const char *path, int64_t ms, struct err *err)
{
    struct vault_read read = {.path = path};
    int result = vault_read_all(c->vault, &read, 1, clock_in_ms(ms), err);

    assert_true(result != 0 || vault_read_field(&read, "f"));
    vault_read_release(&read);
    return result;
}

static void reads_fine(struct cluster *c)
{
    struct err err = ERR_INIT;

    if (read_once(c, "secret/data/a", LONG_MS, &err) != 0)
        fail_msg("%s", err.text);
}

/* ---- nodes ---------------------------------------------------------------------------------- */

static void a_node_that_is_away_is_left_for_the_next_at_once(void **state)
{
    struct plan good = {0};
    struct plan *plans[] = {NULL, &good};
    struct cluster c;

    (void)state;
    setenv("VAULT_MAX_RETRIES", "0", 1); /* another node is no retry */
    cluster_open(&c, answers, plans, 2);
    reads_fine(&c);
    assert_string_equal(vault_address(c.vault), c.urls[1]); /* and stays left */
    reads_fine(&c);
    assert_int_equal(requests(&c, 1), 2);
    cluster_close(&c);
}

static void standbys_and_sealed_nodes_are_skipped(void **state)
{
    static const int statuses[] = {472, 473, 474, 501, 502, 503, 504, 530};

    (void)state;
    setenv("VAULT_MAX_RETRIES", "0", 1);
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        struct plan bad = {statuses[i], 99, "", "{\"errors\":[\"Vault is sealed\"]}"}, good = {0};
        struct plan *plans[] = {&bad, &bad, &good};
        struct cluster c;
        cluster_open(&c, answers, plans, 3);
        reads_fine(&c);
        assert_int_equal(requests(&c, 0), 1);
        assert_int_equal(requests(&c, 1), 1);
        cluster_close(&c);
    }
}

static void between_two_leaders_it_is_asked_again_until_there_is_one(void **state)
{
    struct plan electing = {500, 5, "", leaderless};
    struct plan *alone[] = {&electing};
    struct cluster c;

    (void)state;
    cluster_open(&c, answers, alone, 1); /* other answers of 500 end after three */
    reads_fine(&c);
    assert_int_equal(requests(&c, 0), 6);
    cluster_close(&c);
}

static void a_mount_that_is_being_upgraded_is_waited_for(void **state)
{
    struct plan upgrading = {400, 2, "",
                             "{\"errors\":[\"Waiting for the primary to upgrade from non-versioned "
                             "to versioned data. This backend will be unavailable for a brief "
                             "period and will resume service when the primary is finished.\"]}"};
    struct plan *alone[] = {&upgrading};
    struct cluster c;

    (void)state;
    cluster_open(&c, answers, alone, 1);
    reads_fine(&c);
    assert_int_equal(requests(&c, 0), 3);
    cluster_close(&c);
}

static void a_fault_and_a_quota_are_no_reason_to_move(void **state)
{
    struct plan fault = {500, 99, "", "{\"errors\":[\"bad creation statement\"]}"};
    struct plan quota = {429, 1, "", "{\"errors\":[\"request path: quota exceeded\"]}"};
    struct plan good = {0};
    struct plan *plans[][2] = {{&fault, &good}, {&quota, &good}};
    static const int expected[] = {3, 2};
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
        struct cluster c;
        cluster_open(&c, answers, plans[i], 2);
        (void)read_once(&c, "secret/data/a", LONG_MS, &err);
        assert_int_equal(requests(&c, 0), expected[i]);
        assert_int_equal(requests(&c, 1), 0);
        cluster_close(&c);
    }
}

static void with_no_node_left_it_is_tried_until_the_deadline_and_said(void **state)
{
    struct plan sealed = {503, 9999, "", "{\"errors\":[\"Vault is sealed\"]}"};
    struct plan *plans[] = {&sealed, NULL, &sealed};
    struct err err = ERR_INIT;
    struct cluster c;

    (void)state;
    cluster_open(&c, answers, plans, 3);
    assert_int_equal(read_once(&c, "secret/data/a", SHORT_MS, &err), -1);
    assert_int_equal(err.kind, ERR_SOURCE_DOWN);
    assert_text_has(err.text, "attempts)");
    assert_true(requests(&c, 0) >= 2 && requests(&c, 2) >= 2);
    assert_true(requests(&c, 0) < 20); /* and not in a hot loop */
    cluster_close(&c);
}

static void nodes_that_come_back_later_are_found(void **state)
{
    struct plan first = {503, 2, "", "{\"errors\":[\"Vault is sealed\"]}"}, second = first;
    struct plan *plans[] = {&first, &second};
    struct cluster c;

    (void)state;
    cluster_open(&c, answers, plans, 2);
    reads_fine(&c);
    cluster_close(&c);
}

static bool redirects(struct script_turn *turn)
{
    const struct plan *plan = turn->context;
    char headers[256];

    if (!plan->body)
        return script_answer(turn, 200, "", versioned);
    (void)snprintf(headers, sizeof headers, "Location: %s%s\r\n", plan->body, turn->path);
    return script_answer(turn, 307, headers, "");
}

static void a_standby_that_names_another_node_is_followed_and_left(void **state)
{
    struct plan leads = {0}, follows = {0};
    struct script_server *leader = script_start(redirects, &leads, CANARY);
    follows.body = script_url(leader);
    struct script_server *standby = script_start(redirects, &follows, CANARY);
    const char *const addresses[] = {script_url(standby), script_url(leader), NULL};
    const struct vault_settings settings = {.addresses = addresses};
    struct cluster c = {0};
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(vault_open(&settings, &c.vault, &err), 0);
    reads_fine(&c);
    reads_fine(&c);
    assert_int_equal(atomic_load(&script_counts_of(standby)->requests), 1);
    assert_int_equal(atomic_load(&script_counts_of(leader)->canaries), 2);
    vault_free(c.vault);
    script_stop(standby);
    script_stop(leader);
}

static void a_standby_that_names_a_stranger_is_left_and_in_the_end_reported(void **state)
{
    struct plan good = {0}, stranger = {.body = "http://127.0.0.1:1"};
    struct plan *helped[] = {&stranger, &good}, *lost[] = {&stranger, &stranger};
    struct err err = ERR_INIT;
    struct cluster c;

    (void)state;
    setenv("VAULT_MAX_RETRIES", "0", 1);
    cluster_open(&c, redirects, helped, 2);
    reads_fine(&c);
    cluster_close(&c);
    unsetenv("VAULT_MAX_RETRIES");
    cluster_open(&c, redirects, lost, 2);
    assert_int_equal(read_once(&c, "secret/data/a", LONG_MS, &err), -1);
    assert_text_has(err.text, "a redirect to http://127.0.0.1:1, which is not followed");
    assert_int_equal(requests(&c, 0) + requests(&c, 1), 12);
    cluster_close(&c);
}

static void addresses_are_counted_once_and_bounded(void **state)
{
    const char *twice[] = {"https://b", "https://a", "https://b", NULL};
    const char *many[VAULT_NODES_MAX + 2] = {NULL};
    char names[VAULT_NODES_MAX + 1][16];
    const struct vault_settings fine = {.address = "https://a", .addresses = twice};
    const struct vault_settings too_many = {.addresses = many};
    struct vault_config config;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(vault_config_read(&fine, &config, &err), 0);
    assert_int_equal(config.node_count, 2);
    assert_string_equal(config.nodes[0].address, "https://a");
    vault_config_release(&config);
    for (size_t i = 0; i <= VAULT_NODES_MAX; i++) {
        (void)snprintf(names[i], sizeof names[i], "https://n%zu", i);
        many[i] = names[i];
    }
    assert_int_equal(vault_config_read(&too_many, &config, &err), -1);
    assert_int_equal(err.kind, ERR_CONTRACT);
    assert_text_has(err.text, "at most 16");
    setenv("VAULT_ADDR", "https://one", 1); /* wins over all of them */
    assert_int_equal(vault_config_read(&fine, &config, &err), 0);
    assert_int_equal(config.node_count, 1);
    vault_config_release(&config);
}

/* ---- how far a node is ---------------------------------------------------------------------- */

static bool has_header(const struct script_turn *turn, const char *line)
{
    return strstr(turn->head, line) != NULL;
}

/* Counts what came in by_key: 1 without an index, 2 with the first, 3 with the second. */
static bool says_how_far_it_is(struct script_turn *turn)
{
    int before = atomic_fetch_add(&turn->counts->by_key[0], 1);

    if (!has_header(turn, "X-Vault-Index:"))
        (void)atomic_fetch_add(&turn->counts->by_key[1], 1);
    if (has_header(turn, "X-Vault-Index: first"))
        (void)atomic_fetch_add(&turn->counts->by_key[2], 1);
    if (has_header(turn, "X-Vault-Index: second"))
        (void)atomic_fetch_add(&turn->counts->by_key[3], 1);
    return script_answer(turn, 200,
                         before == 0 ? "x-vault-index: first \r\n" : "X-Vault-Index: second\r\n",
                         versioned);
}

static void an_index_is_carried_to_later_requests(void **state)
{
    struct plan none = {0}, *plans[] = {&none};
    struct cluster c;

    (void)state;
    cluster_open(&c, says_how_far_it_is, plans, 1);
    for (int i = 0; i < 3; i++)
        reads_fine(&c);
    struct script_counts *counts = script_counts_of(c.servers[0]);
    for (int key = 1; key <= 3; key++)
        assert_int_equal(atomic_load(&counts->by_key[key]), 1);
    cluster_close(&c);
}

/* Behind what it is asked with, as OpenBao says it, unless it may ask the leader. */
static bool is_behind(struct script_turn *turn)
{
    (void)atomic_fetch_add(&turn->counts->by_key[0], 1);
    if (!has_header(turn, "X-Vault-Index:"))
        return script_answer(turn, 200, "X-Vault-Index: far\r\n", versioned);
    if (!has_header(turn, "X-Vault-Inconsistent: forward-active-node"))
        return script_answer(turn, 429, "", "{\"errors\":[]}");
    return script_answer(turn, 200, "", versioned);
}

static void a_standby_that_is_behind_is_asked_to_ask_the_leader(void **state)
{
    struct plan none = {0}, *plans[] = {&none};
    struct cluster c;

    (void)state;
    cluster_open(&c, is_behind, plans, 1);
    reads_fine(&c);
    reads_fine(&c);
    assert_int_equal(requests(&c, 0), 3);
    cluster_close(&c);
}

static void a_node_that_stays_behind_is_given_up_after_a_while(void **state)
{
    struct plan behind = {412, 99, "", ""}, *plans[] = {&behind};
    struct err err = ERR_INIT;
    struct cluster c;

    (void)state;
    cluster_open(&c, answers, plans, 1);
    assert_int_equal(read_once(&c, "secret/data/a", LONG_MS, &err), -1);
    assert_int_equal(err.http_status, 412);
    assert_text_has(err.text, "behind");
    assert_int_equal(requests(&c, 0), 6);
    cluster_close(&c);
}

/* Reads that were asked together answer in any order: the first to come counts for all of them. */
static bool answers_together(struct script_turn *turn)
{
    char headers[64];
    int before = atomic_fetch_add(&turn->counts->by_key[0], 1);

    if (before < 2)
        script_wait_for(turn, 2);
    else if (has_header(turn, "X-Vault-Index: of-"))
        (void)atomic_fetch_add(&turn->counts->by_key[1], 1);
    (void)snprintf(headers, sizeof headers, "X-Vault-Index: of-%d\r\n", before);
    return script_answer(turn, 200, headers, versioned);
}

static void reads_that_fly_together_leave_one_index(void **state)
{
    struct plan none = {0}, *plans[] = {&none};
    struct vault_read reads[] = {{.path = "secret/data/a"}, {.path = "secret/data/b"}};
    struct err err = ERR_INIT;
    struct cluster c;

    (void)state;
    cluster_open(&c, answers_together, plans, 1);
    assert_int_equal(vault_read_all(c.vault, reads, 2, clock_in_ms(LONG_MS), &err), 0);
    assert_int_equal(c.vault->index_age, 1); /* the other may be older, and was not taken */
    reads_fine(&c);
    assert_int_equal(atomic_load(&script_counts_of(c.servers[0])->by_key[1]), 1);
    vault_read_release(&reads[0]);
    vault_read_release(&reads[1]);
    cluster_close(&c);
}

#define clean_test(f) cmocka_unit_test_setup(f, clean)

int main(void)
{
    const struct CMUnitTest tests[] = {
        clean_test(a_node_that_is_away_is_left_for_the_next_at_once),
        clean_test(standbys_and_sealed_nodes_are_skipped),
        clean_test(between_two_leaders_it_is_asked_again_until_there_is_one),
        clean_test(a_mount_that_is_being_upgraded_is_waited_for),
        clean_test(a_fault_and_a_quota_are_no_reason_to_move),
        clean_test(with_no_node_left_it_is_tried_until_the_deadline_and_said),
        clean_test(nodes_that_come_back_later_are_found),
        clean_test(a_standby_that_names_another_node_is_followed_and_left),
        clean_test(a_standby_that_names_a_stranger_is_left_and_in_the_end_reported),
        clean_test(addresses_are_counted_once_and_bounded),
        clean_test(an_index_is_carried_to_later_requests),
        clean_test(a_standby_that_is_behind_is_asked_to_ask_the_leader),
        clean_test(a_node_that_stays_behind_is_given_up_after_a_while),
        clean_test(reads_that_fly_together_leave_one_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
