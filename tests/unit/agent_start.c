/* tests/unit/agent_start.c: what the application's environment is made of. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>

#include "agent/start.h"

/* A job with an environment and a contract of these variables, whose values are borrowed. */
struct made {
    struct contract contract;
    struct contract_variable variables[4];
    struct contract_value values[4];
    struct job job;
};

static void make(struct made *m, const char *const *environment)
{
    struct err err = ERR_INIT;

    *m = (struct made){0};
    m->contract.variables = m->variables;
    m->job.contract = &m->contract;
    m->job.values = m->values;
    assert_int_equal(environment_index(&m->job.environment, environment, &err), 0);
}

static void declare(struct made *m, const char *name, const char *value, bool for_agent_only)
{
    size_t at = m->contract.variable_count++;

    m->variables[at] = (struct contract_variable){.name = name, .for_agent_only = for_agent_only};
    if (value)
        m->values[at].bytes = secret_borrow(value, strlen(value));
}

static const char *after(struct made *m, const char *name)
{
    return environment_get(&m->job.environment, name);
}

static void start(struct made *m)
{
    struct err err = ERR_INIT;

    assert_int_equal(start_environment(&m->job, &err), 0);
}

static void release(struct made *m)
{
    environment_release(&m->job.environment);
}

static bool is_there(struct made *m, const char *entry)
{
    struct err err = ERR_INIT;
    const char **list = environment_list(&m->job.environment, &err);
    bool found = false;

    assert_non_null(list);
    for (const char **at = list; *at; at++)
        found = found || strcmp(*at, entry) == 0;
    free(list);
    return found;
}

static void the_contracts_values_replace_those_of_the_environment(void **state)
{
    (void)state;
    static const char *const environment[] = {"A=old", "OTHER=1", NULL};
    struct made m;
    make(&m, environment);
    declare(&m, "A", "new", false);
    declare(&m, "B", "more", false);
    start(&m);
    assert_string_equal(after(&m, "A"), "new");
    assert_string_equal(after(&m, "B"), "more");
    assert_true(is_there(&m, "OTHER=1"));
    release(&m);
}

static void a_declared_variable_without_a_value_is_taken_out(void **state)
{
    (void)state;
    static const char *const environment[] = {"GONE=old", "MINE=old", NULL};
    struct made m;
    make(&m, environment);
    declare(&m, "GONE", NULL, false);
    declare(&m, "MINE", "a value", true);
    start(&m);
    assert_false(is_there(&m, "GONE=old"));
    assert_false(is_there(&m, "MINE=old"));
    assert_false(is_there(&m, "MINE=a value"));
    release(&m);
}

static void what_only_agent_uses_is_handed_on_by_no_name(void **state)
{
    (void)state;
    static const char *const environment[] = {"OLD=1",       "SOURCE=2", "PART=3", "HOST=4",
                                              "SECRET_ID=5", "BOTH=6",   NULL};
    static const char *const aliases[] = {"OLD", NULL};
    struct contract_part one[] = {{.ref = {.kind = REF_ENV, .path = "SOURCE"}}};
    struct contract_part two[] = {{.name = "p", .ref = {.kind = REF_ENV, .path = "PART"}},
                                  {.name = "h", .ref = {.kind = REF_ENV, .path = "HOST"}}};
    struct made m;
    make(&m, environment);
    declare(&m, "MINE", "a value", true);
    declare(&m, "URL", "a value", true);
    declare(&m, "OUR_HOST", "4", false);
    declare(&m, "BOTH", "6", false);
    m.variables[0].aliases = aliases;
    m.variables[0].parts = one;
    m.variables[0].part_count = 1;
    m.variables[1].parts = two;
    m.variables[1].part_count = 2;
    m.variables[2].parts = &two[1];
    m.variables[2].part_count = 1;
    m.contract.vault.secret_id = "env:SECRET_ID";
    m.contract.vault.token = "env:BOTH";
    start(&m);
    assert_false(is_there(&m, "OLD=1"));
    assert_false(is_there(&m, "SOURCE=2"));
    assert_false(is_there(&m, "PART=3"));
    assert_false(is_there(&m, "SECRET_ID=5"));
    assert_true(is_there(&m, "HOST=4"));
    assert_true(is_there(&m, "BOTH=6"));
    release(&m);
}

static void vaults_credentials_are_not_handed_on(void **state)
{
    (void)state;
    static const char *const environment[] = {"VAULT_TOKEN=t", "BAO_TOKEN=t", "VAULT_SECRET_ID=s",
                                              "VAULT_ADDR=http://v", NULL};
    struct made m;
    make(&m, environment);
    m.job.contract = NULL; /* without a contract, too */
    start(&m);
    assert_false(is_there(&m, "VAULT_TOKEN=t"));
    assert_false(is_there(&m, "BAO_TOKEN=t"));
    assert_false(is_there(&m, "VAULT_SECRET_ID=s"));
    assert_true(is_there(&m, "VAULT_ADDR=http://v"));
    release(&m);
}

static void a_credential_that_the_contract_gives_the_application_is_handed_on(void **state)
{
    (void)state;
    static const char *const environment[] = {"VAULT_TOKEN=ours", NULL};
    struct made m;
    make(&m, environment);
    declare(&m, "VAULT_TOKEN", "the application's own", false);
    start(&m);
    assert_true(is_there(&m, "VAULT_TOKEN=the application's own"));
    release(&m);
}

static void unset_wins_over_everything(void **state)
{
    (void)state;
    static const char *const environment[] = {"A=1", "B=2", NULL};
    static const char *const unset[] = {"A", "C", NULL};
    struct made m;
    make(&m, environment);
    declare(&m, "C", "3", false);
    m.contract.run_unset = unset;
    start(&m);
    assert_false(is_there(&m, "A=1"));
    assert_true(is_there(&m, "B=2"));
    assert_false(is_there(&m, "C=3"));
    release(&m);
}

static void only_the_contract_leaves_a_basic_set(void **state)
{
    (void)state;
    static const char *const environment[] = {"PATH=/bin", "PATHS=x", "HOME=/", "OTHER=1", NULL};
    struct made m;
    make(&m, environment);
    declare(&m, "A", "1", false);
    m.contract.run_only_contract = true;
    start(&m);
    assert_true(is_there(&m, "PATH=/bin"));
    assert_true(is_there(&m, "HOME=/"));
    assert_true(is_there(&m, "A=1"));
    assert_false(is_there(&m, "PATHS=x"));
    assert_false(is_there(&m, "OTHER=1"));
    release(&m);
}

static void the_profiles_variable_has_the_chosen_name(void **state)
{
    (void)state;
    static const char *const environment[] = {NULL};
    struct made m;
    make(&m, environment);
    m.contract.profile_variable = "ROLE";
    m.contract.profile = "prod";
    start(&m);
    assert_string_equal(after(&m, "ROLE"), "prod");
    release(&m);
}

static void a_command_that_is_not_there_is_127(void **state)
{
    (void)state;
    static const char *const environment[] = {"PATH=/usr/bin:/bin", NULL};
    char name[] = "no-such-command-anywhere";
    char *argv[] = {name, NULL};
    struct err err = ERR_INIT;
    int code = 0;
    struct made m;
    make(&m, environment);
    assert_int_equal(start_exec(&m.job, argv, &code, &err), -1);
    assert_int_equal(code, EXIT_RUN_NOT_FOUND);
    assert_non_null(strstr(err.text, name));
    release(&m);
}

static void a_folder_is_126(void **state)
{
    (void)state;
    static const char *const environment[] = {NULL};
    char name[] = "/tmp";
    char *argv[] = {name, NULL};
    struct err err = ERR_INIT;
    int code = 0;
    struct made m;
    make(&m, environment);
    assert_int_equal(start_exec(&m.job, argv, &code, &err), -1);
    assert_int_equal(code, EXIT_RUN_CANNOT);
    release(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_contracts_values_replace_those_of_the_environment),
        cmocka_unit_test(a_declared_variable_without_a_value_is_taken_out),
        cmocka_unit_test(what_only_agent_uses_is_handed_on_by_no_name),
        cmocka_unit_test(vaults_credentials_are_not_handed_on),
        cmocka_unit_test(a_credential_that_the_contract_gives_the_application_is_handed_on),
        cmocka_unit_test(unset_wins_over_everything),
        cmocka_unit_test(only_the_contract_leaves_a_basic_set),
        cmocka_unit_test(the_profiles_variable_has_the_chosen_name),
        cmocka_unit_test(a_command_that_is_not_there_is_127),
        cmocka_unit_test(a_folder_is_126),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
