/* profile, vault and database: what they say, and what is wrong with them. */
#include "tests/unit/envcontract_load.h"

#define TOP(keys) "{'contract': 1, 'vars': {'R': {}}, " keys "}"
#define DATABASE(keys) \
    "{'contract': 1, 'vars': {'U': {'type': 'postgres-url'}, 'S': {}},\n'database': {" keys "}}"

static void wrong_profiles_are_said_at_their_place(void **state)
{
    static const struct wrong list[] = {
        {TOP("'profile': {'values': ['a']}"), 1, 36, "/profile", "'profile' has no 'var'", NULL},
        {TOP("'profile': {'var': 'R'}"), 1, 36, "/profile", "'profile' has no 'values'", NULL},
        {TOP("'profile': {'var': 'Q', 'values': ['a']}"), 1, 55, "/profile/var",
         "'Q' is no variable of the contract", NULL},
        {TOP("'profile': {'var': 'R', 'values': []}"), 1, 70, "/profile/values",
         "a contract has from 1 to 32 profiles", NULL},
        {TOP("'profile': {'var': 'R', 'values': ['a', 'b', 'a']}"), 1, 70, "/profile/values",
         "the profile 'a' is named twice", NULL},
        {TOP("'profile': {'var': 'R', 'values': ['prod', 'dev'], 'default': 'prd'}"), 1, 98,
         "/profile/default", "'prd' is no profile", "Did you mean 'prod'?"},
        {TOP("'strict_profiles': ['prod']"), 1, 56, "/strict_profiles/0",
         "the profile 'prod' in a contract without 'profile'", NULL},
        {TOP("'profile': {'var': 'R', 'values': ['prod']}, 'strict_profiles': ['x']"), 1, 101,
         "/strict_profiles/0", "'x' is no profile", NULL},
        {TOP("'vault': {'profiles': {'prod': {}}}"), 1, 59, "/vault/profiles/prod",
         "without 'profile'", NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void more_profiles_than_the_ceiling_are_refused(void **state)
{
    AUTO_BUF text = BUF_INIT(4096);
    struct loaded l;

    (void)state;
    buf_adds(&text, "{'contract': 1, 'vars': {'R': {}}, 'profile': {'var': 'R', 'values': ['p'");
    for (int i = 0; i < 32; i++)
        buf_addf(&text, ", 'p%d'", i);
    buf_adds(&text, "]}}");
    new_folder(&l);
    write_contract(&l, "contract.json", buf_text(&text));
    load(&l);
    assert_int_equal(l.findings.count, 1);
    (void)find_finding(&l, "a contract has from 1 to 32 profiles");
    unload(&l);
}

static void a_log_in_has_what_its_method_needs(void **state)
{
    static const struct wrong list[] = {
        {TOP("'vault': {'auth': {'mount': 'x'}}"), 1, 46, "/vault/auth", "'auth' has no 'method'",
         "approle"},
        {TOP("'vault': {'auth': {'method': 'userpass', 'username': 'u'}}"), 1, 46, "/vault/auth",
         "the method 'userpass' needs 'password'", NULL},
        {"{'contract': 1, 'profile': {'var': 'R', 'values': ['dev']}, 'vars': {'R': {}},\n"
         "'vault': {'profiles': {'dev': {'auth': {'method': 'userpass', 'password': 'env:P'}}}}}",
         2, 32, "/vault/profiles/dev/auth", "the method 'userpass' needs 'username'", NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void what_is_no_address_of_vault_is_said_at_its_place(void **state)
{
    static const struct wrong list[] = {
        {TOP("'vault': {'address': 'vault.acme:8200'}"), 1, 57, "/vault/address",
         "'address': no scheme", "https://vault.example:8200"},
        {TOP("'vault': {'address': 'ftp://v'}"), 1, 57, "/vault/address",
         "'address' has to start with https://, http:// or unix://", NULL},
        {TOP("'vault': {'address': 'https://'}"), 1, 57, "/vault/address", "no address of one host",
         NULL},
        {TOP("'vault': {'address': 'https://v:1,w:2'}"), 1, 57, "/vault/address",
         "no address of one host", NULL},
        {TOP("'vault': {'address': 'https://v:99999'}"), 1, 57, "/vault/address", "port", NULL},
        {TOP("'vault': {'address': 'https://u:canary@v'}"), 1, 57, "/vault/address",
         "has a user name, a query or a fragment", NULL},
        {TOP("'vault': {'address': 'unix://run/v'}"), 1, 57, "/vault/address",
         "no absolute path of a socket", NULL},
        {TOP("'vault': {'addresses': ['https://v', 'w:8200']}"), 1, 73, "/vault/addresses/1",
         "'addresses': no scheme", NULL},
        {TOP("'vault': {'redirect_hosts': ['v2:8200']}"), 1, 65, "/vault/redirect_hosts/0",
         "'redirect_hosts': no scheme", NULL},
        {TOP("'vault': {'redirect_hosts': ['unix:///v']}"), 1, 65, "/vault/redirect_hosts/0",
         "has to start with https:// or http://", NULL},
        {TOP("'vault': {'kv': {'/': 2}}"), 1, 53, "/vault/kv/~1", "a mount without a name", NULL},
        {TOP("'vault': {'namespace': 'a b'}"), 1, 59, "/vault/namespace", "no header can have",
         NULL},
        {TOP("'vault': {'tls_server_name': 'v:8200'}"), 1, 65, "/vault/tls_server_name",
         "not the name of a host", "without a scheme and a port"},
        {TOP("'vault': {'timeout': '0s'}"), 1, 57, "/vault/timeout",
         "'timeout' has to be longer than zero", "10s without the key"},
        {"{'contract': 1, 'profile': {'var': 'R', 'values': ['dev']}, 'vars': {'R': {}},\n"
         "'vault': {'profiles': {'dev': {'deadline': '0ms'}}}}",
         2, 44, "/vault/profiles/dev/deadline", "'deadline' has to be longer than zero",
         "60s without the key"},
        {"{'contract': 1, 'profile': {'var': 'R', 'values': ['dev']}, 'vars': {'R': {}},\n"
         "'vault': {'profiles': {'dev': {'address': 'v'}}}}",
         2, 43, "/vault/profiles/dev/address", "'address': no scheme", NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void a_duration_of_zero_is_refused_where_it_says_nothing(void **state)
{
    static const struct wrong list[] = {
        {"{'contract': 1, 'vars': {'U': {'type': 'postgres-url'}},\n"
         "'database': {'url': 'U', 'connect_timeout': '0s'}}",
         2, 45, "/database/connect_timeout", "'connect_timeout' has to be longer than zero",
         "5s without the key"},
        {TOP("'guard': {'timeout': '0h0m'}"), 1, 57, "/guard/timeout",
         "'timeout' has to be longer than zero", "30m without the key"},
        {TOP("'run': {'refresh': '0s'}"), 1, 55, "/run/refresh",
         "'refresh' has to be longer than zero", "it is \"off\""},
        {"{'contract': 1, 'vars': {'A': {'secret': true, 'source': 'vault:kv/a#b',\n"
         "'rotate': {'strategy': 'random', 'every': '0d'}}}}",
         2, 43, "/vars/A/rotate/every", "'every' has to be longer than zero", "due by its age"},
        {"{'contract': 1, 'vars': {'A': {'secret': true, 'source': 'vault:kv/a#b',\n"
         "'rotate': {'strategy': 'hook', 'hook': ['h'], 'timeout': '0ms'}}}}",
         2, 58, "/vars/A/rotate/timeout", "'timeout' has to be longer than zero",
         "60s without the key"},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

/* Do not wait, no limit (as PostgreSQL has it), at once, all together, no copy. */
static void a_duration_of_zero_is_taken_where_it_says_something(void **state)
{
    struct loaded l = load_text(
        "{'contract': 1, 'records': 'vault:kv/r', 'vars': {'U': {'type': 'postgres-url'},\n"
        "'A': {'source': 'vault:kv/a#b', 'secret': true, 'stale_ok': '0s', 'rotate': "
        "{'strategy': 'hook', 'hook': ['h'], 'every': '1d', 'grace': '0s'}}},\n"
        "'database': {'url': 'U', 'wait': '0s', 'lock_timeout': '0s', 'lock_wait': '0s', "
        "'statement_timeout': '0s'}, 'run': {'stop_timeout': '0s', 'splay': '0s', 'stale': {'dir': "
        "'/s', 'key_file': '/k'}}}");

    (void)state;
    assert_int_equal(l.findings.count, 0);
    unload(&l);
}

static void what_the_environment_can_bring_is_not_asked_for(void **state)
{
    static const char *const methods[] = {"token", "approle", "kubernetes", "jwt", "cert"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        AUTO_BUF text = BUF_INIT(256);
        buf_addf(&text, "{'contract': 1, 'vault': {'auth': {'method': '%s'}}, 'vars': {}}",
                 methods[i]);
        struct loaded l = load_text(buf_text(&text));
        assert_int_equal(l.findings.count, 0);
        unload(&l);
    }
}

static void vault_is_read_off_with_its_profile_over_it(void **state)
{
    struct loaded l = load_text(
        "{'contract': 1, 'profile': {'var': 'R', 'values': ['dev', 'prod']}, 'vars': {'R': {}},\n"
        "'vault': {'address': 'https://vault.{profile}.acme', 'namespace': 'ns', 'timeout': '5s', "
        "'deadline': '1m', 'retries': 3, 'kv': {'secret': 2, '/old/': 1}, 'ca_cert': '/ca.pem', "
        "'ca_path': '/ca', 'tls_server_name': 'v', 'redirect_hosts': ['https://v2:8200'], "
        "'auth': {'method': 'approle', 'mount': 'ar', 'role_id': 'env:ROLE_{profile}', "
        "'secret_id': "
        "'file:/run/s'}, "
        "'profiles': {'dev': {'address': 'http://127.0.0.1:8200', 'allow_http': true, 'namespace': "
        "null, "
        "'retries': 0, "
        "'auth': {'method': 'userpass', 'username': 'u', 'password': 'env:P'}}}}}");
    const struct contract_vault *v = &l.contract->vault;

    (void)state;
    assert_clean(&l);
    select_profile(&l, "prod");
    assert_true(v->present);
    assert_string_equal(v->address, "https://vault.prod.acme");
    assert_string_equal(v->name_space, "ns");
    assert_int_equal(v->timeout_ms, 5000);
    assert_int_equal(v->deadline_ms, 60000);
    assert_int_equal(v->retries, 3);
    assert_false(v->no_retries);
    assert_int_equal(v->kv_mount_count, 2);
    assert_string_equal(v->kv_mounts[1], "old");
    assert_int_equal(v->kv_versions[1], 1);
    assert_string_equal(v->ca_cert, "/ca.pem");
    assert_string_equal(v->ca_path, "/ca");
    assert_string_equal(v->tls_server_name, "v");
    assert_string_equal(v->redirect_hosts[0], "https://v2:8200");
    assert_string_equal(v->auth_method, "approle");
    assert_string_equal(v->auth_mount, "ar");
    assert_string_equal(v->role_id, "env:ROLE_prod");
    assert_string_equal(v->secret_id, "file:/run/s");
    assert_false(v->allow_http);
    select_profile(&l, "dev");
    assert_string_equal(v->address, "http://127.0.0.1:8200");
    assert_null(v->name_space);
    assert_true(v->allow_http);
    assert_string_equal(v->auth_method, "userpass");
    assert_string_equal(v->username, "u");
    assert_string_equal(v->password, "env:P");
    assert_null(v->role_id);
    assert_true(v->no_retries);
    unload(&l);
}

static void every_way_in_is_read_off(void **state)
{
    struct loaded l = load_text(
        "{'contract': 1, 'profile': {'var': 'R', 'values': ['dev', 'prod']}, 'vars': {'R': {}},\n"
        "'vault': {'auth': {'method': 'kubernetes', 'role': 'app-{profile}', "
        "'jwt': 'file:/run/{profile}/jwt'}, 'profiles': {'prod': {'auth': {'method': 'cert', "
        "'role': 'web', 'cert': 'file:tls.crt', 'key': 'env:KEY', 'secret_id_wrapped': true}}}}}");
    const struct contract_vault *v = &l.contract->vault;

    (void)state;
    assert_clean(&l);
    select_profile(&l, "dev");
    assert_string_equal(v->auth_method, "kubernetes");
    assert_string_equal(v->role, "app-dev");
    assert_string_equal(v->jwt, "file:/run/dev/jwt");
    assert_false(v->secret_id_wrapped);
    assert_null(v->addresses);
    select_profile(&l, "prod");
    assert_string_equal(v->auth_method, "cert");
    assert_string_equal(v->role, "web");
    assert_string_equal(v->cert, "file:tls.crt");
    assert_string_equal(v->key, "env:KEY");
    assert_true(v->secret_id_wrapped);
    assert_null(v->jwt);
    unload(&l);
}

static void nodes_of_a_profile_replace_those_of_all(void **state)
{
    struct loaded l = load_text(
        "{'contract': 1, 'profile': {'var': 'R', 'values': ['dev', 'prod', 'test']}, "
        "'vars': {'R': {}},\n"
        "'vault': {'address': 'https://a.{profile}', 'addresses': ['https://b.{profile}', "
        "'https://c'], 'profiles': {'dev': {'address': 'https://dev'}, "
        "'test': {'addresses': ['https://t1', 'https://t2']}}}}");
    const struct contract_vault *v = &l.contract->vault;

    (void)state;
    assert_clean(&l);
    select_profile(&l, "prod");
    assert_string_equal(v->address, "https://a.prod");
    assert_string_equal(v->addresses[0], "https://b.prod");
    assert_string_equal(v->addresses[1], "https://c");
    assert_null(v->addresses[2]);
    select_profile(&l, "dev");
    assert_string_equal(v->address, "https://dev");
    assert_null(v->addresses);
    select_profile(&l, "test");
    assert_null(v->address);
    assert_string_equal(v->addresses[1], "https://t2");
    unload(&l);
}

static void a_stale_value_needs_a_place_where_copies_are(void **state)
{
    static const struct wrong list[] = {
        {"{'contract': 1, 'vars': {'A': {'stale_ok': '1h'}}}", 1, 32, "/vars/A/stale_ok",
         "'stale_ok' in a contract without 'run.stale'", "key_file"},
        {"{'contract': 1, 'vars': {}, 'run': {'stale': {'dir': '/d'}}}", 1, 46, "/run/stale",
         "'run.stale' without 'key_file'", "first use"},
        {"{'contract': 1, 'vars': {}, 'run': {'stale': {'key_file': '/d'}}}", 1, 46, "/run/stale",
         "'run.stale' without 'dir'", NULL},
    };
    struct loaded l = load_text("{'contract': 1, 'vars': {'A': {'stale_ok': '1h'}, 'B': {}}, "
                                "'run': {'stale': {'dir': 'copies', 'key_file': '/k'}}}");

    (void)state;
    assert_clean(&l);
    select_profile(&l, NULL);
    assert_int_equal(contract_find(l.contract, "A")->stale_ok_ms, 3600 * 1000);
    assert_int_equal(contract_find(l.contract, "B")->stale_ok_ms, 0);
    assert_string_equal(l.contract->stale_dir, "copies");
    assert_string_equal(l.contract->stale_key_file, "/k");
    unload(&l);
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void wrong_databases_are_said_at_their_place(void **state)
{
    static const struct wrong list[] = {
        {DATABASE(""), 2, 1, "/database", "'database' has no 'url'", NULL},
        {DATABASE("'url': 'V'"), 2, 21, "/database/url", "'V' is no variable", NULL},
        {DATABASE("'url': 'S'"), 2, 21, "/database/url", "the variable 'S' is no postgres-url",
         NULL},
        {DATABASE("'url': 'U', 'admin_url': 'S'"), 2, 39, "/database/admin_url",
         "the variable 'S' is no postgres-url", NULL},
        {DATABASE("'url': 'U', 'create': {}"), 2, 26, "/database/create", "'create' says nothing",
         "Exactly one"},
        {DATABASE("'url': 'U', 'create': {'sql': ['a'], 'emit': ['b']}"), 2, 26, "/database/create",
         "'create' says it in several ways", NULL},
        {DATABASE("'url': 'U', 'create': {'sql': []}"), 2, 44, "/database/create/sql",
         "'sql' is an empty list", NULL},
        {DATABASE("'url': 'U', 'create': {'command': ['x']}"), 2, 37, "/database/create/command",
         "'create.command' without 'expect'", "\"expect\""},
        {DATABASE("'url': 'U', 'accept': ['current', 'unknown-revison']"), 2, 48,
         "/database/accept/1", "'unknown-revison' is not known as accept",
         "Did you mean 'unknown-revision'?"},
        {DATABASE("'url': 'U', 'stamp': {'style': 'plain'}"), 2, 45, "/database/stamp/style",
         "a plain stamp without 'revision'", "revision"},
        {DATABASE("'url': 'U', 'stamp': {'style': 'plain', 'revision': '7', 'heads': ['x']}"), 2,
         71, "/database/stamp/heads", "a key of Alembic's in a plain stamp", NULL},
        {DATABASE("'url': 'U', 'stamp': {'revision': 'abc'}"), 2, 48, "/database/stamp/revision",
         "a 'revision' other than heads is not in this version", NULL},
        {DATABASE("'url': 'U', 'stamp': {'dir': 'versions'}"), 2, 36, "/database/stamp/dir",
         "'dir' without 'alembic'", "script folder"},
        {DATABASE("'url': 'U', 'authority': {'var': 'U'}"), 2, 26, "/database/authority",
         "'authority' has no 'hosts'", NULL},
        {DATABASE("'url': 'U', 'lock_timout': '1s'"), 2, 26, "/database/lock_timout",
         "unknown key 'lock_timout'", "'lock_timeout'"},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void the_database_has_its_defaults(void **state)
{
    struct loaded l = load_text(DATABASE("'url': 'U'"));
    const struct contract_database *d = &l.contract->database;

    (void)state;
    assert_clean(&l);
    select_profile(&l, NULL);
    assert_true(d->present);
    assert_string_equal(d->position.pointer, "/database");
    assert_int_equal(d->position.line, 2);
    assert_string_equal(d->url, "U");
    assert_null(d->admin_url);
    assert_int_equal(d->create, CONTRACT_CREATE_NONE);
    assert_string_equal(d->accept[0], "current");
    assert_null(d->accept[1]);
    assert_null(d->env[0]);
    assert_null(d->expect[0]);
    assert_null(d->cwd);
    assert_null(d->schemas);
    assert_string_equal(d->table, "alembic_version");
    assert_string_equal(d->schema, "public");
    assert_int_equal(d->wait_ms, 60 * 1000);
    assert_int_equal(d->lock_timeout_ms, 30 * 1000);
    assert_int_equal(d->lock_wait_ms, 600 * 1000);
    assert_int_equal(d->statement_timeout_ms, 300 * 1000);
    assert_int_equal(d->connect_timeout_ms, 5 * 1000);
    unload(&l);
}

static void every_key_of_the_database_reaches_the_model(void **state)
{
    struct loaded l = load_text(DATABASE(
        "'url': 'U', 'admin_url': 'U', 'owner': 'o', 'create': {'command': ['make', 'it']}, "
        "'accept': ['behind'], 'env': ['E'], 'offline': ['off'], 'cwd': 'backend', "
        "'stamp': {'alembic': 'alembic.ini', 'style': 'alembic', 'dir': 'versions', 'table': 't', "
        "'schema': 's', 'revision': 'heads', 'heads': ['h']}, 'migrate': ['m', 'n'], "
        "'expect': ['users', 'a.b'], 'schemas': ['s'], 'wait': '1s', 'lock_timeout': '2s', "
        "'lock_wait': '3s', 'statement_timeout': '4s', 'connect_timeout': '500ms'"));
    const struct contract_database *d = &l.contract->database;

    (void)state;
    assert_clean(&l);
    select_profile(&l, NULL);
    assert_string_equal(d->owner, "o");
    assert_int_equal(d->create, CONTRACT_CREATE_COMMAND);
    assert_string_equal(d->create_list[1], "it");
    assert_string_equal(d->accept[0], "behind");
    assert_string_equal(d->env[0], "E");
    assert_string_equal(d->offline[0], "off");
    assert_string_equal(d->cwd, "backend");
    assert_string_equal(d->alembic, "alembic.ini");
    assert_string_equal(d->alembic_dir, "versions");
    assert_string_equal(d->table, "t");
    assert_string_equal(d->schema, "s");
    assert_string_equal(d->heads[0], "h");
    assert_string_equal(d->migrate[1], "n");
    assert_string_equal(d->expect[1], "a.b");
    assert_string_equal(d->schemas[0], "s");
    assert_int_equal(d->wait_ms, 1000);
    assert_int_equal(d->lock_timeout_ms, 2000);
    assert_int_equal(d->lock_wait_ms, 3000);
    assert_int_equal(d->statement_timeout_ms, 4000);
    assert_int_equal(d->connect_timeout_ms, 500);
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_profiles_are_said_at_their_place),
        cmocka_unit_test(more_profiles_than_the_ceiling_are_refused),
        cmocka_unit_test(a_log_in_has_what_its_method_needs),
        cmocka_unit_test(what_is_no_address_of_vault_is_said_at_its_place),
        cmocka_unit_test(a_duration_of_zero_is_refused_where_it_says_nothing),
        cmocka_unit_test(a_duration_of_zero_is_taken_where_it_says_something),
        cmocka_unit_test(what_the_environment_can_bring_is_not_asked_for),
        cmocka_unit_test(vault_is_read_off_with_its_profile_over_it),
        cmocka_unit_test(every_way_in_is_read_off),
        cmocka_unit_test(nodes_of_a_profile_replace_those_of_all),
        cmocka_unit_test(a_stale_value_needs_a_place_where_copies_are),
        cmocka_unit_test(wrong_databases_are_said_at_their_place),
        cmocka_unit_test(the_database_has_its_defaults),
        cmocka_unit_test(every_key_of_the_database_reaches_the_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
