/* How a variable is rotated, as whoever rotates it reads it. */
#include "tests/unit/envcontract_load.h"

#include "base/str.h"

#define CONTRACT(more, vars)                                                    \
    "{'contract': 1, 'profile': {'var': 'P', 'values': ['dev', 'prod']}, " more \
    "'vars': {'P': {}, 'ADMIN': {'type': 'postgres-url'}, " vars "}}"

static const struct contract_rotation *rotation_of(struct loaded *l, const char *name)
{
    const struct contract_rotation *rotation = NULL;
    struct contract_variable *variable = contract_find(l->contract, name);

    assert_non_null(variable);
    if (contract_rotation_of(l->contract, variable, &rotation, &l->err) != 0)
        fail_msg("%s", l->err.text);
    return rotation;
}

static void what_is_said_is_read(void **state)
{
    struct loaded l = load_text(CONTRACT(
        "'records': 'vault:kv/.agent/{profile}/{name}', ",
        "'A': {'type': 'url', 'secret': true, 'source': 'vault:kv/a#b', 'rotate': {"
        "'strategy': 'hook', 'hook': ['h', '-x'], 'env': ['E'], 'every': '30d', 'grace': '1h', "
        "'timeout': '5s', 'depends_on': ['ADMIN'], 'mirrors': ['vault:kv/{profile}/m#{name}'], "
        "'after': [{'command': ['c']}, {'signal': 'HUP', 'pidfile': 'p'}], "
        "'test': {'command': ['t', '1']}}}"));
    const struct contract_rotation *r;

    (void)state;
    assert_clean(&l);
    select_profile(&l, "prod");
    r = rotation_of(&l, "A");
    assert_string_equal(r->strategy, "hook");
    assert_string_equal(r->hook[1], "-x");
    assert_string_equal(r->env[0], "E");
    assert_int_equal(r->every_ms, 30LL * 24 * 3600 * 1000);
    assert_int_equal(r->grace_ms, 3600 * 1000);
    assert_int_equal(r->timeout_ms, 5000);
    assert_string_equal(r->depends_on[0], "ADMIN");
    assert_string_equal(r->mirrors[0], "vault:kv/prod/m#A");
    assert_null(r->mirrors[1]);
    assert_int_equal(r->after_count, 2);
    assert_string_equal(r->after[0].command[0], "c");
    assert_string_equal(r->after[1].signal, "HUP");
    assert_string_equal(r->after[1].pidfile, "p");
    assert_string_equal(r->test_command[1], "1");
    assert_string_equal(r->records, "kv/.agent/prod/A");
    assert_true(r->value_is_url);
    assert_null(r->admin);
    unload(&l);
}

static void each_strategy_has_its_own(void **state)
{
    struct loaded l = load_text(CONTRACT(
        "'database': {'url': 'ADMIN', 'admin_url': 'ADMIN'}, ",
        "'A': {'source': 'vault:kv/a#b', 'rotate': {'strategy': 'pg-two-login', "
        "'logins': ['x', 'y'], 'owner': 'o', 'password': 'plain'}}, "
        "'B': {'type': 'list', 'separator': ';', 'source': 'vault:kv/a#c', 'rotate': "
        "{'strategy': 'random', 'length': 40, 'alphabet': 'abc', 'keep': 3}}, "
        "'C': {'source': 'vault:kv/a#d', 'rotate': {'strategy': 'manual', 'steps': ['s']}}"));
    const struct contract_rotation *r;

    (void)state;
    assert_clean(&l);
    select_profile(&l, "dev");
    r = rotation_of(&l, "A");
    assert_string_equal(r->logins[1], "y");
    assert_string_equal(r->owner, "o");
    assert_true(r->plain_password);
    assert_string_equal(r->admin, "ADMIN"); /* the database's */
    assert_null(r->records);
    r = rotation_of(&l, "B");
    assert_int_equal(r->length, 40);
    assert_string_equal(r->alphabet, "abc");
    assert_int_equal(r->keep, 3);
    assert_string_equal(r->separator, ";");
    assert_false(r->value_is_url);
    r = rotation_of(&l, "C");
    assert_string_equal(r->steps[0], "s");
    assert_null(rotation_of(&l, "P"));
    unload(&l);
}

static void a_profile_replaces_it_whole_or_takes_it_away(void **state)
{
    struct loaded l = load_text(CONTRACT(
        "", "'A': {'source': 'vault:kv/a#b', 'rotate': {'strategy': 'random', 'bytes': 32}, "
            "'profiles': {'dev': {'rotate': null}, "
            "'prod': {'rotate': {'strategy': 'random', 'length': 50}}}}"));

    (void)state;
    assert_clean(&l);
    select_profile(&l, "dev");
    assert_null(rotation_of(&l, "A"));
    select_profile(&l, "prod");
    const struct contract_rotation *r = rotation_of(&l, "A");
    assert_int_equal(r->bytes, 0);
    assert_int_equal(r->length, 50);
    unload(&l);
}

static void a_config_is_handed_on_as_it_was_written(void **state)
{
    static const struct {
        const char *written, *wanted;
    } cases[] = {
        {"{}", "{}"},
        {"{ 'a' : 1 , 'b' : [ ] }", "{'a':1,'b':[]}"},
        {"{'a': {'b': [1, [2, {}], 'x'], 'c': null}, 'd': true}",
         "{'a':{'b':[1,[2,{}],'x'],'c':null},'d':true}"},
        {"{'n': 1.50e3, 'm': -0, 'big': 123456789012345678901234567890}",
         "{'n':1.50e3,'m':-0,'big':123456789012345678901234567890}"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_BUF text = BUF_INIT(4096), wanted = BUF_INIT(4096);
        buf_addf(&text,
                 CONTRACT("", "'A': {'source': 'vault:kv/a#b', 'rotate': {'strategy': 'hook', "
                              "'hook': ['h'], 'config': %s}}"),
                 cases[i].written);
        struct loaded l = load_text(buf_text(&text));
        assert_clean(&l);
        select_profile(&l, "prod");
        for (const char *c = cases[i].wanted; *c; c++)
            buf_addc(&wanted, *c == '\'' ? '"' : *c);
        assert_string_equal(rotation_of(&l, "A")->config, buf_text(&wanted));
        unload(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_is_read),
        cmocka_unit_test(each_strategy_has_its_own),
        cmocka_unit_test(a_profile_replaces_it_whole_or_takes_it_away),
        cmocka_unit_test(a_config_is_handed_on_as_it_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
