/* What a schema cannot say about `rotate`, each at its place. */
#include "tests/unit/envcontract_load.h"

#define V(keys) "{'contract': 1, 'vars': {'A': {" keys "}}}"
#define KV      "'secret': true, 'source': 'vault:kv/app#a', "
#define STALE(ok)                                                           \
    "{'contract': 1, 'vars': {'A': {" KV "'stale_ok': '" ok                 \
    "', 'rotate': {'strategy': 'random', 'every': '1d', 'grace': '1h'}}}, " \
    "'run': {'stale': {'dir': '/d', 'key_file': '/k'}}}"
/* Of a strategy and its keys; the value of 'rotate' begins at column 79. */
#define R(keys) V(KV "'rotate': {" keys "}")

static void a_strategy_is_known_and_has_its_own_keys(void **state)
{
    static const struct wrong list[] = {
        {R("'strategy': 'randon'"), 1, 99, "/vars/A/rotate/strategy",
         "'randon' is not known as strategy", "'random'"},
        {R("'every': '1d'"), 1, 76, "/vars/A/rotate", "'rotate' has no 'strategy'", "random"},
        {R("'strategy': 'random', 'logins': ['a', 'b']"), 1, 109, "/vars/A/rotate/logins",
         "this strategy has no such key", "another strategy"},
        {R("'strategy': 'hook', 'hook': ['h'], 'why': 'x'"), 1, 122, "/vars/A/rotate/why",
         "this strategy has no such key", NULL},
        {R("'strategy': 'none', 'steps': ['x']"), 1, 107, "/vars/A/rotate/steps",
         "this strategy has no such key", NULL},
        {R("'strategy': 'random', 'as': 'base46'"), 1, 115, "/vars/A/rotate/as",
         "'base46' is not known as as", "'base64'"},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void every_strategy_has_its_keys(void **state)
{
    static const char *const list[] = {
        R("'strategy': 'pg-two-login', 'logins': ['a', 'b'], 'owner': 'o', 'admin': 'B'"),
        R("'strategy': 'pg-login', 'login': 'a', 'owner': 'o', 'password': 'plain'"),
        R("'strategy': 'random', 'bytes': 32, 'as': 'hex', 'keep': 1"),
        R("'strategy': 'random', 'length': 32, 'alphabet': 'abc'"),
        R("'strategy': 'hook', 'hook': ['h'], 'env': ['X'], 'timeout': '1m', 'config': {'a': 1}"),
        R("'strategy': 'hook', 'hook': ['h'], 'bytes': 32, 'as': 'hex'"),
        R("'strategy': 'hook', 'hook': ['h'], 'length': 32, 'alphabet': 'abc'"),
        R("'strategy': 'vault-static', 'mount': 'm', 'role': 'r', 'admin': 'B'"),
        R("'strategy': 'vault-dynamic', 'mount': 'm', 'role': 'r', 'admin': 'B'"),
        R("'strategy': 'vault-root', 'mount': 'm', 'connection': 'c', 'admin': 'B'"),
        R("'strategy': 'manual', 'steps': ['x'], 'test': {'command': ['t']}"),
        R("'strategy': 'none', 'why': 'x'"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        char text[1024];
        (void)snprintf(text, sizeof text, "%.*s, 'B': {'type': 'postgres-url'}}}",
                       (int)(strlen(list[i]) - 2), list[i]);
        struct loaded l = load_text(text);
        assert_clean(&l);
        unload(&l);
    }
}

static void what_a_strategy_cannot_do_without_is_asked_for(void **state)
{
    static const struct wrong list[] = {
        {R("'strategy': 'hook'"), 1, 76, "/vars/A/rotate", "needs 'hook'", NULL},
        {R("'strategy': 'pg-two-login', 'logins': ['a', 'b']"), 1, 76, "/vars/A/rotate",
         "needs 'owner'", NULL},
        {R("'strategy': 'pg-two-login', 'owner': 'o'"), 1, 76, "/vars/A/rotate", "needs 'logins'",
         NULL},
        {R("'strategy': 'vault-static', 'mount': 'm'"), 1, 76, "/vars/A/rotate", "needs 'role'",
         NULL},
        {R("'strategy': 'vault-root', 'connection': 'c'"), 1, 76, "/vars/A/rotate", "needs 'mount'",
         NULL},
        {R("'strategy': 'pg-two-login', 'owner': 'o', 'logins': ['a']"), 1, 139,
         "/vars/A/rotate/logins", "not two different names", NULL},
        {R("'strategy': 'pg-two-login', 'owner': 'o', 'logins': ['a', 'a']"), 1, 139,
         "/vars/A/rotate/logins", "not two different names", NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void periods_lie_in_one_another(void **state)
{
    static const struct wrong list[] = {
        {R("'strategy': 'random', 'every': '1d', 'grace': '24h'"), 1, 133, "/vars/A/rotate/grace",
         "'grace' is not shorter than 'every'", NULL},
        {STALE("2h"), 1, 88, "/vars/A/stale_ok", "'stale_ok' is longer than 'grace'", NULL},
    };
    struct loaded l = load_text(STALE("1h"));

    (void)state;
    assert_clean(&l);
    unload(&l);
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void what_cannot_be_written_is_not_rotated(void **state)
{
    static const struct wrong list[] = {
        {V("'secret': true, 'source': 'env', 'rotate': {'strategy': 'random'}"), 1, 58,
         "/vars/A/source", "the environment, a file or a command is not rotated", "none"},
        {V("'secret': true, 'source': 'file:/x', 'rotate': {'strategy': 'hook', 'hook': ['h']}"), 1,
         58, "/vars/A/source", "is not rotated", NULL},
        {V("'source': {'command': ['x']}, 'rotate': {'strategy': 'manual'}"), 1, 42,
         "/vars/A/source", "is not rotated", NULL},
        {V("'rotate': {'strategy': 'manual'}"), 1, 32, "/vars/A/rotate", "is not rotated", NULL},
        {V("'source': {'user': 'env', 'host': 'vault:kv/a#h'}, 'compose': '{user}{host}', "
           "'rotate': {'strategy': 'pg-login'}"),
         1, 42, "/vars/A/source", "is not rotated", NULL},
    };
    static const char *const right[] = {
        V("'secret': true, 'source': 'env', 'rotate': {'strategy': 'none', 'why': 'x'}"),
        V("'source': {'user': 'vault:kv/a#u', 'host': 'env'}, 'compose': '{user}{host}', "
          "'rotate': {'strategy': 'pg-login'}"),
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
    assert_all_right(right, ARRAY_LEN(right));
}

static void a_profile_that_takes_the_value_from_elsewhere_rotates_nothing(void **state)
{
#define PROFILED(dev)                                                              \
    "{'contract': 1, 'profile': {'var': 'R', 'values': ['dev', 'prod']}, 'vars': " \
    "{'R': {}, 'A': {" KV "'rotate': {'strategy': 'random'},\n'profiles': {'dev': {" dev "}}}}}"
    static const struct wrong both = {
        PROFILED("'source': 'env', 'rotate': {'strategy': 'hook', 'hook': ['h']}"),
        2,
        32,
        "/vars/A/profiles/dev/source",
        "is not rotated (in profile 'dev')",
        NULL};
    struct loaded l = load_text(PROFILED("'source': 'env'"));

    (void)state;
    assert_clean(&l);
    unload(&l);
    assert_wrong(&both);
}

static void a_source_without_a_place_for_the_record_needs_records(void **state)
{
    static const struct wrong list[] = {
        {V("'source': 'vault:database/creds/x#password', 'rotate': {'strategy': 'vault-dynamic', "
           "'mount': 'm', 'role': 'r'}"),
         1, 77, "/vars/A/rotate", "a source that is not one KV path, and no 'records'", "records"},
        {V("'source': {'user': 'vault:kv/a#u', 'password': 'vault:kv/b#p'}, "
           "'compose': '{user}{password}', 'rotate': {'strategy': 'pg-login'}"),
         1, 127, "/vars/A/rotate", "no 'records'", NULL},
        {V("'source': 'none', 'rotate': {'strategy': 'vault-root', 'mount': 'm', 'connection': "
           "'c'}"),
         1, 50, "/vars/A/rotate", "no 'records'", NULL},
    };
    struct loaded l = load_text(
        "{'contract': 1, 'records': 'vault:kv/.agent/{name}', 'vars': {'A': "
        "{'source': 'vault:database/creds/x#password', 'rotate': "
        "{'strategy': 'vault-dynamic', 'mount': 'm', 'role': 'r'}}}}");

    (void)state;
    assert_clean(&l);
    unload(&l);
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void what_a_strategy_writes_has_a_place(void **state)
{
#define KEPT(keys) "{'contract': 1, 'records': 'vault:kv/.agent/{name}', 'vars': {'A': {" keys "}}}"
    static const char why[] = "this strategy writes the new value, and there is no place for it";
    static const struct wrong list[] = {
        {KEPT("'source': 'vault:kv/creds/x#a', 'rotate': {'strategy': 'random'}"), 1, 79,
         "/vars/A/source", why, "vault-dynamic"},
        {KEPT("'source': 'vault:db/static-creds/x#password', 'rotate': {'strategy': 'hook', "
              "'hook': ['h']}"),
         1, 79, "/vars/A/source", why, NULL},
        {KEPT("'source': {'user': 'vault:kv/a#u', 'password': 'vault:db/creds/b#p'}, "
              "'compose': '{user}{password}', 'rotate': {'strategy': 'pg-login'}"),
         1, 79, "/vars/A/source", why, NULL},
        {KEPT("'source': 'none', 'rotate': {'strategy': 'manual'}"), 1, 79, "/vars/A/source", why,
         NULL},
    };
    static const char *const right[] = {
        KEPT("'source': 'vault:db/creds/x#password', 'rotate': {'strategy': 'vault-dynamic', "
             "'mount': 'db', 'role': 'x'}"),
        KEPT("'source': 'vault:kv/creds/of/x#a', 'rotate': {'strategy': 'random'}"),
        KEPT("'source': 'vault:creds/x#a', 'rotate': {'strategy': 'random'}"),
        V("'source': 'vault:kv/creds/of/x#a', 'rotate': {'strategy': 'random'}"),
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
    assert_all_right(right, ARRAY_LEN(right));
}

static void the_names_in_it_exist(void **state)
{
    static const struct wrong list[] = {
        {"{'contract': 1, 'vars': {'MAIL': {" KV
         "'rotate': {'strategy': 'random', 'depends_on': ['MIAL']}}}}",
         1, 127, "/vars/MAIL/rotate/depends_on/0", "'MIAL' is no variable", "'MAIL'"},
        {R("'strategy': 'pg-login', 'admin': 'B'"), 1, 120, "/vars/A/rotate/admin",
         "'B' is no variable", NULL},
        {R("'strategy': 'pg-login', 'admin': 'A'"), 1, 120, "/vars/A/rotate/admin",
         "'A' is no postgres-url", NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

#define OWN(name)         "'secret': true, 'source': 'vault:kv/app#" name "', "
#define LOGIN(name, keys) "'" name "': {'type': 'postgres-url', " OWN(name) "'rotate': {" keys "}}"
#define TWO(keys)         "'strategy': 'pg-two-login', 'owner': 'o', 'logins': ['app_a', 'app_b']" keys
#define ADMINS            ", 'X': {'type': 'postgres-url'}, 'Y': {'type': 'postgres-url'}}}"

static void a_login_is_rotated_by_one_variable(void **state)
{
    static const struct {
        const char *text;
        size_t problems;
    } list[] = {
        {"{'contract': 1, 'vars': {" LOGIN("A", TWO("")) ", " LOGIN("B", TWO("")) ADMINS, 2},
        {"{'contract': 1, 'vars': {" LOGIN("A", TWO("")) ", " LOGIN(
             "B", "'strategy': 'pg-login', 'login': 'app_b'") ADMINS,
         1},
        {"{'contract': 1, 'database': {'url': 'X', 'admin_url': 'X'}, 'vars': {" LOGIN(
             "A", TWO("")) ", " LOGIN("B", TWO(", 'admin': 'X'")) ADMINS,
         2},
        /* another server has roles of its own */
        {"{'contract': 1, 'vars': {" LOGIN("A", TWO(", 'admin': 'X'")) ", " LOGIN(
             "B", TWO(", 'admin': 'Y'")) ADMINS,
         0},
        {"{'contract': 1, 'vars': {" LOGIN("A", TWO("")) ", " LOGIN(
             "B", "'strategy': 'pg-login', 'login': 'app_c'") ADMINS,
         0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        struct loaded l = load_text(list[i].text);
        if (l.findings.count != list[i].problems) {
            print_findings(&l);
            fail_msg("%s", list[i].text);
        }
        if (list[i].problems > 0)
            assert_non_null(find_finding(&l, "the login 'app_b' is rotated by 'A' already"));
        unload(&l);
    }
}

/* A: prod has other logins, or the same; B is rotated in prod alone. */
static void a_login_of_two_profiles_is_rotated_by_one_variable_in_each(void **state)
{
#define IN_PROD(of_a)                                                                             \
    "{'contract': 1, 'profile': {'var': 'P', 'values': ['dev', 'prod']}, 'vars': {'P': {'type': " \
    "'enum', 'values': ['dev', 'prod']}, 'A': {'type': 'postgres-url', " KV                       \
    "'rotate': {" TWO("") "}, 'profiles': {" of_a "}}, 'B': {'type': 'postgres-url', " OWN(       \
        "B") "'rotate': {'strategy': 'none', 'why': 'x'}, 'profiles': "                           \
             "{'prod': {'rotate': {" TWO("") "}}}}}}"
    struct loaded apart = load_text(IN_PROD(
        "'prod': {'rotate': {'strategy': 'pg-two-login', 'owner': 'o', 'logins': ['c', 'd']}}"));
    struct loaded together = load_text(IN_PROD(""));

    (void)state;
    assert_clean(&apart);
    assert_int_equal(together.findings.count, 2);
    assert_non_null(find_finding(&together, "the login 'app_a' is rotated by 'A' already"));
    unload(&apart);
    unload(&together);
}

#define AFTER(name, names) \
    "'" name "': {" OWN(name) "'rotate': {'strategy': 'random', 'depends_on': [" names "]}}"

static void nothing_is_rotated_after_itself(void **state)
{
    struct loaded l = load_text(
        "{'contract': 1, 'vars': {\n" AFTER("A", "'A'") ",\n" AFTER("B", "'C'") ",\n" AFTER(
            "C", "'D', 'F'") ",\n" AFTER("D", "'B'") ",\n" AFTER("E", "'B'") ",\n" AFTER("F",
                                                                                         "") "}}");

    (void)state;
    assert_int_equal(l.findings.count, 2);
    assert_text_has(find_finding(&l, "a cycle, each after the next one: A, A")->pointer,
                    "/vars/A/rotate/depends_on/0");
    assert_text_has(find_finding(&l, "a cycle, each after the next one: B, C, D, B")->pointer,
                    "/vars/B/rotate/depends_on/0");
    unload(&l);
}

static void an_order_is_no_cycle(void **state)
{
    struct loaded l = load_text("{'contract': 1, 'vars': {" AFTER("A", "'B', 'C'") ", " AFTER(
        "B", "'C'") ", " AFTER("C", "") "}}");

    (void)state;
    assert_clean(&l);
    unload(&l);
}

static void where_a_rotation_writes_and_what_it_does_then_is_said_whole(void **state)
{
    static const char after[] = "an entry of 'after' that is neither a command nor a signal";
    static const char mirror[] = "a mirror that is no place to write to";
    static const struct {
        const char *keys, *message; /* NULL: it is right */
    } list[] = {
        {"'after': [{}]", after},
        {"'after': [{'signal': 'HUP'}]", after},
        {"'after': [{'pidfile': 'p'}]", after},
        {"'after': [{'command': ['x'], 'signal': 'HUP', 'pidfile': 'p'}]", after},
        {"'after': [{'signal': 'HUPP', 'pidfile': 'p'}]", "'HUPP' is no signal"},
        {"'after': [{'signal': 'HUP', 'pidfile': 'p'}, {'command': ['x']}]", NULL},
        {"'test': {}", "'test' has no 'command'"},
        {"'mirrors': ['env:X']", mirror},
        {"'mirrors': ['vault:kv/x']", mirror},
        {"'mirrors': ['none']", mirror},
        {"'mirrors': ['file:x']", mirror},
        {"'mirrors': ['sealed:1a']", "'sealed:' with what cannot be a name"},
        {"'mirrors': ['vault:kv/{nam}#x']", "'{nam}' is not known in a source"},
        {"'mirrors': ['vault:kv/{name}#x', 'sealed:{name}_2']", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        char text[512];
        (void)snprintf(text, sizeof text, R("'strategy': 'random', %s"), list[i].keys);
        struct loaded l = load_text(text);
        assert_int_equal(l.findings.count, list[i].message != NULL);
        if (list[i].message)
            assert_text_has(l.findings.list[0].message, list[i].message);
        unload(&l);
    }
}

#define RECORDS(text) "{'contract': 1, 'records': '" text "', 'vars': {}}"

static void records_lie_in_vault(void **state)
{
    static const struct wrong list[] = {
        {RECORDS("env:X"), 1, 28, "/records", "'records' is no path in Vault", "without a field"},
        {RECORDS("vault:kv/a#b"), 1, 28, "/records", "'records' is no path in Vault", NULL},
        {RECORDS("vault:"), 1, 28, "/records", "'records' is no path in Vault", NULL},
        {RECORDS("vault:kv/../a"), 1, 28, "/records", "'records' is no path in Vault", NULL},
        {RECORDS("sealed:A"), 1, 28, "/records", "'records' is no path in Vault", NULL},
        {RECORDS("vault:kv/{nam}"), 1, 28, "/records", "'{nam}' is not known in a source",
         "{name}"},
    };
    struct loaded l = load_text(RECORDS("vault:kv/.agent/{name}"));

    (void)state;
    assert_clean(&l);
    unload(&l);
    assert_all_wrong(list, ARRAY_LEN(list));
}

#define KV_1(kv, source, rotate)                                                        \
    "{'contract': 1, 'profile': {'var': 'P', 'values': ['dev', 'prod']}, 'vault': {" kv \
    "}, 'vars': {'P': {}, 'A': {'secret': true, 'source': " source                      \
    ", 'rotate': {'strategy': '" rotate "'}}}}"

static void without_check_and_set_nothing_is_rotated(void **state)
{
    static const struct {
        const char *text;
        bool wrong;
    } list[] = {
        {KV_1("'kv': {'old': 1}", "'vault:old/a#b'", "random"), true},
        {KV_1("'kv': {'old': 1}", "'vault:old/a#b'", "none"), false},
        {KV_1("'kv': {'old': 2}", "'vault:old/a#b'", "random"), false},
        {KV_1("'kv': {'ol': 1}", "'vault:old/a#b'", "random"), false},
        {KV_1("'kv': {'old': 1}",
              "{'user': 'vault:new/a#u', 'host': 'vault:old/a#h'}, 'compose': "
              "'{user}{host}'",
              "random"),
         false}, /* what is not written may lie there */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        struct loaded l = load_text(list[i].text);
        assert_int_equal(l.findings.count, list[i].wrong);
        if (list[i].wrong)
            assert_text_has(l.findings.list[0].message, "KV version 1, which has no check-and-set");
        unload(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_strategy_is_known_and_has_its_own_keys),
        cmocka_unit_test(every_strategy_has_its_keys),
        cmocka_unit_test(what_a_strategy_cannot_do_without_is_asked_for),
        cmocka_unit_test(periods_lie_in_one_another),
        cmocka_unit_test(what_cannot_be_written_is_not_rotated),
        cmocka_unit_test(a_profile_that_takes_the_value_from_elsewhere_rotates_nothing),
        cmocka_unit_test(a_source_without_a_place_for_the_record_needs_records),
        cmocka_unit_test(what_a_strategy_writes_has_a_place),
        cmocka_unit_test(the_names_in_it_exist),
        cmocka_unit_test(a_login_is_rotated_by_one_variable),
        cmocka_unit_test(a_login_of_two_profiles_is_rotated_by_one_variable_in_each),
        cmocka_unit_test(nothing_is_rotated_after_itself),
        cmocka_unit_test(an_order_is_no_cycle),
        cmocka_unit_test(where_a_rotation_writes_and_what_it_does_then_is_said_whole),
        cmocka_unit_test(records_lie_in_vault),
        cmocka_unit_test(without_check_and_set_nothing_is_rotated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
