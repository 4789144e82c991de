/* Keys and kinds: each mistake at its place, with what was meant. */
#include "tests/unit/envcontract_load.h"

/* A contract whose one variable A has these keys; they begin at column 33. */
#define V(keys)   "{'contract': 1, 'vars': {'A': {" keys "}}}"
#define TOP(keys) "{'contract': 1, 'vars': {}, " keys "}"

static void unknown_keys_get_the_nearest_known_one(void **state)
{
    static const struct wrong list[] = {
        {TOP("'projet': 'a'"), 1, 29, "/projet", "unknown key 'projet' in the contract",
         "Did you mean 'project'?"},
        {V("'tpye': 'int'"), 1, 32, "/vars/A/tpye", "unknown key 'tpye' in a variable", "'type'"},
        {V("'url': {'shceme': ['https']}, 'type': 'url'"), 1, 40, "/vars/A/url/shceme",
         "unknown key 'shceme' in 'url'", "'scheme'"},
        {V("'path': {'zzz': 1}, 'type': 'path'"), 1, 41, "/vars/A/path/zzz",
         "unknown key 'zzz' in 'path'", "Known here are must_exist, dir, readable."},
        {TOP("'vault': {'adress': 'x'}"), 1, 39, "/vault/adress", "unknown key 'adress' in 'vault'",
         "'address'"},
        {TOP("'vault': {'auth': {'method': 'token', 'tokn': 'env:T'}}"), 1, 67, "/vault/auth/tokn",
         "unknown key 'tokn' in 'auth'", "'token'"},
        {TOP("'run': {'stop_timout': '1s'}"), 1, 37, "/run/stop_timout",
         "unknown key 'stop_timout' in 'run'", "'stop_timeout'"},
        {TOP("'guard': {'ignore': [{'untl': 'w', 'kind': 'k', 'object': 'o', 'until': "
             "'2027-01-31', 'why': 'w'}]}"),
         1, 51, "/guard/ignore/0/untl", "unknown key 'untl' in 'ignore'", "'until'"},
        {TOP("'files': [{'path': 'x', 'template': 'y', 'mod': '0400'}]"), 1, 70, "/files/0/mod",
         "unknown key 'mod' in 'files'", "'mode'"},
        {TOP("'docs': {'DB_AUTHORITY.md': {'sectons': []}}"), 1, 58,
         "/docs/DB_AUTHORITY.md/sectons", "unknown key 'sectons' in 'docs'", "'sections'"},
        {V("'rotate': {'strategy': 'none', 'why': 'w', 'evry': '1d'}"), 1, 75,
         "/vars/A/rotate/evry", "unknown key 'evry' in 'rotate'", "'every'"},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void a_way_to_log_in_that_is_none_says_so(void **state)
{
    static const struct wrong list[] = {
        {TOP("'vault': {'auth': {'method': 'kubernets', 'role': 'r'}}"), 1, 58,
         "/vault/auth/method", "'kubernets'", "'kubernetes'"},
        {TOP("'vault': {'auth': {'method': 'approle', 'role_id': 'x', 'secret_id': 'file:/s', "
             "'secret_id_wrapped': 'yes'}}"),
         1, 130, "/vault/auth/secret_id_wrapped", "takes true or false, not a string", NULL},
        {TOP("'vault': {'auth': {'method': 'jwt', 'jwt': 'eyJhbGciOiJub25lIn0.e30.'}}"), 1, 72,
         "/vault/auth/jwt", "'jwt'", NULL},
        {TOP("'vault': {'auth': {'method': 'token', 'token': 'sealed:T-1'}}"), 1, 76,
         "/vault/auth/token", "'sealed:' with what cannot be a name", NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void a_key_of_another_kind_says_what_it_takes(void **state)
{
    static const struct wrong list[] = {
        {"[]", 1, 1, "", "a contract is an object, not a list", "{\"contract\": 1"},
        {"{'vars': {}}", 1, 1, "", "'contract' is missing", NULL},
        {"{'contract': 1}", 1, 1, "", "'vars' is missing", NULL},
        {"{'contract': 2, 'vars': {}}", 1, 14, "/contract", "contracts of version 1",
         "newer agent"},
        {"{'contract': '1', 'vars': {}}", 1, 14, "/contract",
         "'contract' takes the number 1, not a string", NULL},
        {"{'contract': 1, 'vars': []}", 1, 25, "/vars", "'vars' takes an object, not a list", NULL},
        {"{'contract': 1, 'vars': {'A': 'x'}}", 1, 31, "/vars/A",
         "a variable is an object, not a string", NULL},
        {TOP("'project': 1"), 1, 40, "/project", "'project' takes a string, not a number", NULL},
        {TOP("'project': ''"), 1, 40, "/project", "'project' is empty", NULL},
        {TOP("'project': null"), 1, 40, "/project", "'project' takes a string, not null", NULL},
        {TOP("'vault': {'timeout': 10}"), 1, 50, "/vault/timeout",
         "'timeout' takes a duration such as \"30s\", not a number", NULL},
        {TOP("'vault': {'timeout': '10'}"), 1, 50, "/vault/timeout", "'timeout' is not a duration",
         "500ms, 30s"},
        {TOP("'vault': {'kv': {'secret': 3}}"), 1, 56, "/vault/kv/secret", "is 1 or 2", NULL},
        {TOP("'vault': {'retries': 1.5}"), 1, 50, "/vault/retries",
         "'retries' takes a whole number from 0, not a number", NULL},
        {TOP("'run': {'unset': 'A'}"), 1, 46, "/run/unset", "'unset' takes a list of strings",
         NULL},
        {TOP("'guard': {'jobs': 'two'}"), 1, 47, "/guard/jobs", "'jobs' takes a whole number",
         NULL},
        {TOP("'files': [1]"), 1, 39, "/files/0", "an entry of 'files' is an object, not a number",
         NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void a_variables_key_of_another_kind_says_what_it_takes(void **state)
{
    static const struct wrong list[] = {
        {V("'secret': 'yes'"), 1, 42, "/vars/A/secret",
         "'secret' takes true or false, not a string", NULL},
        {V("'type': 'strin'"), 1, 40, "/vars/A/type", "'strin' is not known as a type",
         "Did you mean 'string'?"},
        {V("'type': 'qqq'"), 1, 40, "/vars/A/type", "'qqq' is not known",
         "One of string, enum, bool"},
        {V("'type': 3"), 1, 40, "/vars/A/type", "'type' takes a type's name, not a number", NULL},
        {V("'expose': 'all'"), 1, 42, "/vars/A/expose", "'all' is not known as expose",
         "One of app, agent."},
        {V("'values': 'a'"), 1, 42, "/vars/A/values",
         "'values' takes a list of strings or numbers, not a string", NULL},
        {V("'values': ['a', []]"), 1, 48, "/vars/A/values/1", "this one is a list", NULL},
        {V("'values': []"), 1, 42, "/vars/A/values", "'values' is an empty list", NULL},
        {V("'length': [5]"), 1, 42, "/vars/A/length", "'length' takes [min, max]", "[8, 64]"},
        {V("'length': [5, 4]"), 1, 42, "/vars/A/length", "'length' ends below its begin", NULL},
        {V("'length': [1, 2, 3]"), 1, 42, "/vars/A/length", "'length' takes [min, max]", NULL},
        {V("'type': 'base64', 'min_bytes': -1"), 1, 63, "/vars/A/min_bytes",
         "'min_bytes' is not a number from 0", NULL},
        {V("'type': 'int', 'min': true"), 1, 54, "/vars/A/min",
         "'min' takes a number or a string, not true", NULL},
        {V("'pattern': '(a'"), 1, 43, "/vars/A/pattern", "missing closing parenthesis", NULL},
        {V("'default': []"), 1, 43, "/vars/A/default",
         "'default' takes a string, a number, true or false", NULL},
        {V("'type': 'url', 'url': []"), 1, 54, "/vars/A/url", "'url' takes an object, not a list",
         NULL},
        {V("'type': 'url', 'url': {'port': 70000}"), 1, 63, "/vars/A/url/port",
         "a port is a number from 1 to 65535", NULL},
        {V("'type': 'url', 'url': {'port': [80, '81']}"), 1, 68, "/vars/A/url/port/1",
         "'port' takes a port or a list of ports, not a string", NULL},
        {V("'type': 'url', 'url': {'password': 'requird'}"), 1, 67, "/vars/A/url/password",
         "'requird' is not known as password", "Did you mean 'required'?"},
        {V("'type': 'url', 'url': {'password': ['a']}"), 1, 67, "/vars/A/url/password",
         "'password' takes \"required\" or \"forbidden\", not a list", NULL},
        {V("'type': 'url', 'url': {'query': {'a': 1}}"), 1, 70, "/vars/A/url/query/a",
         "a parameter takes true (there), false (not there)", NULL},
        {V("'type': 'url', 'url': {'host': ['a', '']}"), 1, 69, "/vars/A/url/host/1",
         "an empty string in 'host'", NULL},
        {V("'type': 'path', 'path': {'dir': 'yes'}"), 1, 64, "/vars/A/path/dir",
         "'dir' takes true or false", NULL},
        {V("'profiles': {'x': {}}"), 1, 45, "/vars/A/profiles/x", "in a contract without 'profile'",
         NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void all_problems_come_at_once_in_the_order_of_the_file(void **state)
{
    struct loaded l = load_text("{'contract': 1, 'projet': 1,\n 'vars': {'A': {'type': 'x'},\n"
                                "  'B': {'secret': true, 'default': 'y'}},\n 'rules': 1,\n"
                                " 'run': {'unset': 1}}");

    (void)state;
    assert_int_equal(l.findings.count, 6);
    for (size_t i = 1; i < l.findings.count; i++)
        assert_true(l.findings.list[i - 1].line <= l.findings.list[i].line);
    assert_string_equal(find_finding(&l, "'x' is not known as a type")->variable, "A");
    assert_string_equal(find_finding(&l, "without a source")->variable, "B");
    assert_null(find_finding(&l, "'rules'")->variable);
    unload(&l);
}

static void beyond_a_thousand_problems_one_says_that_there_are_more(void **state)
{
    AUTO_BUF text = BUF_INIT(1024 * 1024);
    struct loaded l;

    (void)state;
    buf_adds(&text, "{\"contract\": 1, \"vars\": {}");
    for (int i = 0; i < 5000; i++)
        buf_addf(&text, ", \"k%d\": 1", i);
    buf_adds(&text, "}");
    new_folder(&l);
    write_file(l.folder, "contract.json", text.data, text.len);
    load(&l);
    assert_int_equal(l.findings.count, 1001);
    (void)find_finding(&l, "1000 problems: what is beyond them is not shown");
    unload(&l);
}

static void a_pointer_that_is_too_long_names_a_parent(void **state)
{
    char key[256];
    AUTO_BUF text = BUF_INIT(64 * 1024);
    struct loaded l;

    (void)state;
    memset(key, '~', sizeof key - 1); /* each is two bytes in a pointer */
    key[sizeof key - 1] = '\0';
    buf_addf(&text,
             "{'contract': 1, 'vars': {'A': {'type': 'url', 'profiles': {'%s': {'url': {'query': "
             "{'%s': 1}}}}}}}",
             key, key);
    new_folder(&l);
    write_contract(&l, "contract.json", buf_text(&text));
    load(&l);
    const struct finding *f = find_finding(&l, "a parameter takes true");
    assert_true(strlen(f->pointer) <= 1024);
    assert_string_equal(f->pointer + strlen(f->pointer) - strlen("/url/query"), "/url/query");
    assert_string_equal(f->variable, "A");
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_keys_get_the_nearest_known_one),
        cmocka_unit_test(a_way_to_log_in_that_is_none_says_so),
        cmocka_unit_test(a_key_of_another_kind_says_what_it_takes),
        cmocka_unit_test(a_variables_key_of_another_kind_says_what_it_takes),
        cmocka_unit_test(all_problems_come_at_once_in_the_order_of_the_file),
        cmocka_unit_test(beyond_a_thousand_problems_one_says_that_there_are_more),
        cmocka_unit_test(a_pointer_that_is_too_long_names_a_parent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
