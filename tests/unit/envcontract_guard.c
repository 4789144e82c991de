/* The guard's section: what it says, and what is wrong with it. */
#include "tests/unit/envcontract_load.h"

#define GUARD(keys) \
    "{'contract': 1, 'vars': {'U': {'type': 'postgres-url'}, 'S': {}},\n'guard': {" keys "}}"
#define IGNORE(keys) GUARD("'ignore': [{" keys "}]")

static void wrong_guards_are_said_at_their_place(void **state)
{
    static const struct wrong list[] = {
        {GUARD("'server': 'S'"), 2, 21, "/guard/server", "the variable 'S' is no postgres-url",
         "postgres-url"},
        {GUARD("'server': 'X'"), 2, 21, "/guard/server", "'X' is no variable of the contract",
         NULL},
        {GUARD("'server': 'U', 'ephemeral': true"), 2, 26, "/guard/ephemeral",
         "'guard' has 'server' and 'ephemeral'", NULL},
        {GUARD("'jobs': 0"), 2, 19, "/guard/jobs", "'jobs' is 1 or 2", NULL},
        {GUARD("'jobs': 3"), 2, 19, "/guard/jobs", "'jobs' is 1 or 2", NULL},
        {IGNORE("'object': 'o', 'until': '2027-01-31', 'why': 'w'"), 2, 22, "/guard/ignore/0",
         "without 'kind'", NULL},
        {IGNORE("'kind': 'k', 'until': '2027-01-31', 'why': 'w'"), 2, 22, "/guard/ignore/0",
         "without 'object'", NULL},
        {IGNORE("'kind': 'k', 'object': 'o', 'why': 'w'"), 2, 22, "/guard/ignore/0",
         "without 'until'", NULL},
        {IGNORE("'kind': 'k', 'object': 'o', 'until': '2027-01-31'"), 2, 22, "/guard/ignore/0",
         "without 'why'", NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void a_day_that_there_is_not_is_no_end(void **state)
{
    static const char *const days[] = {"tomorrow",   "2027-1-31",  "2027-13-01", "2027-00-10",
                                       "2027-04-31", "2027-02-29", "20270131",   "2027-01-31T00:00",
                                       "-027-01-31", "2027/01/31"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(days); i++) {
        AUTO_BUF text = BUF_INIT(4096);
        buf_addf(&text, IGNORE("'kind': 'k', 'object': 'o', 'until': '%s', 'why': 'w'"), days[i]);
        struct loaded l = load_text(buf_text(&text));
        assert_int_equal(l.findings.errors, 1);
        assert_text_has(l.findings.list[0].message, "is no date");
        unload(&l);
    }
}

static void the_guard_has_its_defaults(void **state)
{
    struct loaded l = load_text("{'contract': 1, 'vars': {}}");
    const struct contract_guard *g = &l.contract->guard;

    (void)state;
    assert_clean(&l);
    select_profile(&l, NULL);
    assert_null(g->server);
    assert_null(g->stamp);
    assert_null(g->env[0]);
    assert_string_equal(g->refuse_profiles[0], "prod");
    assert_string_equal(g->refuse_profiles[1], "production");
    assert_null(g->refuse_profiles[2]);
    assert_int_equal(g->ignore_count, 0);
    assert_false(g->ephemeral || g->strict || g->strict_order);
    assert_int_equal(g->jobs, 2);
    assert_int_equal(g->timeout_ms, 30 * 60 * 1000);
    unload(&l);
}

static void every_key_of_the_guard_reaches_the_model(void **state)
{
    struct loaded l = load_text(
        GUARD("'server': 'U', 'stamp': ['a', 'stamp'], 'env': ['E'], 'refuse_profiles': ['live'], "
              "'strict': true, 'strict_order': true, 'jobs': 1, 'timeout': '90s', 'ignore': "
              "[{'kind': 'index', 'object': 'public.ix_*', 'until': '2028-02-29', 'why': 'w'}, "
              "{'kind': '*', 'object': 'x', 'until': '2027-01-31', 'why': 'v'}]"));
    const struct contract_guard *g = &l.contract->guard;

    (void)state;
    assert_clean(&l);
    select_profile(&l, NULL);
    assert_string_equal(g->server, "U");
    assert_string_equal(g->stamp[1], "stamp");
    assert_string_equal(g->env[0], "E");
    assert_string_equal(g->refuse_profiles[0], "live");
    assert_null(g->refuse_profiles[1]);
    assert_true(g->strict && g->strict_order);
    assert_false(g->ephemeral);
    assert_int_equal(g->jobs, 1);
    assert_int_equal(g->timeout_ms, 90 * 1000);
    assert_int_equal(g->ignore_count, 2);
    assert_string_equal(g->ignore[0].kind, "index");
    assert_string_equal(g->ignore[0].object, "public.ix_*");
    assert_string_equal(g->ignore[0].until, "2028-02-29");
    assert_string_equal(g->ignore[1].why, "v");
    unload(&l);
}

static void how_a_url_begins_is_read_off_its_variable(void **state)
{
    struct loaded l = load_text(
        "{'contract': 1, 'vars': {"
        "'A': {'type': 'postgres-url', 'source': {'h': 'env:H'}, "
        "'compose': 'postgresql+asyncpg://{h}/x'}, "
        "'B': {'type': 'postgres-url', 'url': {'scheme': 'postgresql+psycopg'}}, "
        "'C': {'type': 'postgres-url', 'url': {'scheme': ['postgres', 'postgresql']}}, "
        "'D': {'type': 'postgres-url'}}}");

    (void)state;
    assert_clean(&l);
    select_profile(&l, NULL);
    assert_string_equal(contract_url_scheme(l.contract, contract_find(l.contract, "A")),
                        "postgresql+asyncpg");
    assert_string_equal(contract_url_scheme(l.contract, contract_find(l.contract, "B")),
                        "postgresql+psycopg");
    assert_null(contract_url_scheme(l.contract, contract_find(l.contract, "C")));
    assert_null(contract_url_scheme(l.contract, contract_find(l.contract, "D")));
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_guards_are_said_at_their_place),
        cmocka_unit_test(a_day_that_there_is_not_is_no_end),
        cmocka_unit_test(the_guard_has_its_defaults),
        cmocka_unit_test(every_key_of_the_guard_reaches_the_model),
        cmocka_unit_test(how_a_url_begins_is_read_off_its_variable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
