/* The contract, what it includes, and the whole example of the specification. */
#include "tests/unit/envcontract_load.h"

#include <limits.h>

static void variables_come_in_the_order_of_the_file_and_those_of_includes_behind(void **state)
{
    struct loaded l;

    (void)state;
    new_folder(&l);
    write_contract(&l, "contract.json",
                   "{'contract': 1, 'include': ['more.json'], 'vars': {'Z': {}, 'B': {}}}");
    write_contract(&l, "more.json", "{'contract': 1, 'vars': {'C': {}, 'A': {'doc': 'x'}}}");
    load(&l);
    assert_clean(&l);
    select_profile(&l, NULL);
    assert_int_equal(l.contract->variable_count, 4);
    assert_string_equal(l.contract->variables[0].name, "Z");
    assert_string_equal(l.contract->variables[1].name, "B");
    assert_string_equal(l.contract->variables[2].name, "C");
    assert_string_equal(l.contract->variables[3].name, "A");
    const struct contract_variable *a = contract_find(l.contract, "A");
    assert_ptr_equal(a, &l.contract->variables[3]);
    assert_text_has(a->position.file, "/more.json");
    assert_string_equal(a->position.pointer, "/vars/A");
    assert_int_equal(a->position.line, 1);
    assert_int_equal(a->position.column, 35);
    assert_string_equal(a->doc, "x");
    assert_null(contract_find(l.contract, "Q"));
    unload(&l);
}

static void a_variable_that_two_files_declare_is_an_error_with_both_places(void **state)
{
    struct loaded l;

    (void)state;
    new_folder(&l);
    write_contract(&l, "contract.json",
                   "{'contract': 1, 'include': ['more.json', 'other.json'],\n 'vars': {'A': {}}}");
    write_contract(&l, "more.json", "{'contract': 1,\n 'vars': {'B': {}, 'A': {}}}");
    write_contract(&l, "other.json", "{'contract': 1,\n\n 'vars': {'A': {}}}");
    load(&l);
    assert_int_equal(l.findings.count, 2);
    assert_text_has(l.findings.list[0].file, "/more.json");
    assert_int_equal(l.findings.list[0].line, 2);
    assert_int_equal(l.findings.list[0].column, 20);
    assert_text_has(l.findings.list[0].message, "'A' is declared twice; the first is in ");
    assert_text_has(l.findings.list[0].message, "/contract.json, line 2, column 11");
    assert_text_has(l.findings.list[1].file, "/other.json");
    assert_text_has(l.findings.list[1].message, "/contract.json, line 2, column 11");
    select_profile(&l, NULL);
    assert_int_equal(l.contract->variable_count, 2);
    unload(&l);
}

static void problems_of_an_included_file_name_it(void **state)
{
    static const struct {
        const char *included, *message;
        unsigned line, column;
    } list[] = {
        {"{'contract': 1,\n 'vars': {'A': {'tpye': 'int'}}}", "unknown key 'tpye'", 2, 17},
        {"{'contract': 1,\n 'profile': {}}", "unknown key 'profile' in an included file", 2, 2},
        {"{'contract': 1,\n 'groups': [{}]}", "a group says nothing", 2, 13},
        {"{'vars': {}}", "'contract' is missing", 1, 1},
        {"{'contract': 1,,}", "a key in double quotes should be here", 1, 16},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        struct loaded l;
        new_folder(&l);
        write_contract(&l, "contract.json",
                       "{'contract': 1, 'include': ['more.json'], 'vars': {}}");
        write_contract(&l, "more.json", list[i].included);
        load(&l);
        assert_int_equal(l.findings.count, 1);
        const struct finding *f = find_finding(&l, list[i].message);
        assert_text_has(f->file, "/more.json");
        assert_int_equal(f->line, list[i].line);
        assert_int_equal(f->column, list[i].column);
        unload(&l);
    }
}

static void an_include_that_cannot_be_read_is_said_where_it_is_named(void **state)
{
    static const struct wrong list[] = {
        {"{'contract': 1, 'vars': {}, 'include': ['more.json']}", 1, 41, "/include/0",
         "more.json': No such file", NULL},
        {"{'contract': 1, 'vars': {}, 'include': ['contract.json']}", 1, 41, "/include/0",
         "this file is included already", NULL},
        {"{'contract': 1, 'vars': {}, 'include': ['']}", 1, 41, "/include/0",
         "an empty string in 'include'", NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void the_ceiling_of_bytes_is_for_all_files_together(void **state)
{
    size_t length = CONTRACT_MAX_BYTES;
    char *text = malloc(length);
    struct loaded l;

    (void)state;
    assert_non_null(text);
    memset(text, ' ', length);
    new_folder(&l);
    write_contract(&l, "contract.json", "{'contract': 1, 'include': ['more.json'], 'vars': {}}");
    write_file(l.folder, "more.json", text, length);
    free(text);
    load(&l);
    assert_int_equal(l.findings.count, 1);
    assert_string_equal(l.findings.list[0].pointer, "/include/0");
    assert_text_has(l.findings.list[0].message, "more.json");
    unload(&l);
}

static void names_that_no_environment_can_have_are_refused(void **state)
{
    static const struct wrong list[] = {
        {"{'contract': 1, 'vars': {'A-B': {}}}", 1, 26, "/vars/A-B",
         "'A-B' cannot be the name of a variable", "Letters, digits and underscores"},
        {"{'contract': 1, 'vars': {'1A': {}}}", 1, 26, "/vars/1A", "cannot be the name", NULL},
        {"{'contract': 1, 'vars': {'': {}}}", 1, 26, "/vars/", "cannot be the name", NULL},
        {"{'contract': 1, 'vars': {'A=B': {}}}", 1, 26, "/vars/A=B", "cannot be the name", NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void the_nearest_name_is_proposed(void **state)
{
    struct loaded l = load_text("{'contract': 1, 'vars': {'DATABASE_URL': {}, 'REDIS_URL': {}}}");

    (void)state;
    assert_string_equal(contract_nearest_name(l.contract, "DATABSE_URL"), "DATABASE_URL");
    assert_null(contract_nearest_name(l.contract, "SOMETHING_ELSE"));
    unload(&l);
}

static void a_text_that_is_no_json_gives_an_empty_model(void **state)
{
    struct loaded l = load_text("{'contract': 1, ");

    (void)state;
    assert_int_equal(l.findings.errors, 1);
    select_profile(&l, NULL);
    assert_int_equal(l.contract->variable_count, 0);
    assert_null(contract_nearest_name(l.contract, "A"));
    unload(&l);
}

static void run_is_read_off(void **state)
{
    struct loaded l = load_text(
        "{'contract': 1, 'project': 'acme', 'vars': {}, 'run': {'unset': ['A', 'B'], "
        "'only_contract': true, 'on_change': 'restart'}}");

    (void)state;
    assert_clean(&l);
    assert_string_equal(l.contract->project, "acme");
    assert_true(l.contract->run_only_contract);
    assert_string_equal(l.contract->run_unset[0], "A");
    assert_string_equal(l.contract->run_unset[1], "B");
    assert_null(l.contract->run_unset[2]);
    assert_string_equal(l.contract->folder, l.folder);
    unload(&l);
}

/* A hundred thousand variables that refer to one another: look-ups that walk would need hours. */
static void a_hundred_thousand_variables_load(void **state)
{
    enum { MANY = 100 * 1000 };
    AUTO_BUF text = BUF_INIT(CONTRACT_MAX_BYTES);
    struct loaded l;

    (void)state;
    buf_adds(&text, "{\"contract\": 1, \"vars\": {\"V0\": {}");
    for (int i = 1; i < MANY; i++)
        buf_addf(&text, ",\"V%d\":{\"required\":{\"V%d\":1}}", i, MANY - i);
    buf_adds(&text, "}}");
    assert_false(text.too_long);
    new_folder(&l);
    write_file(l.folder, "contract.json", text.data, text.len);
    load(&l);
    assert_clean(&l);
    select_profile(&l, NULL);
    assert_int_equal(l.contract->variable_count, MANY);
    assert_string_equal(contract_find(l.contract, "V77777")->name, "V77777");
    unload(&l);
}

/* ---- the example of the specification ------------------------------------------------------ */

/* tests/golden/ has it as it is written there, and reduced to what this version has. */
static struct loaded load_example(const char *name)
{
    struct loaded l = {.folder = "tests/golden/contract"};

    assert_in_range(snprintf(l.path, sizeof l.path, "%s/%s", l.folder, name), 1, sizeof l.path - 1);
    load(&l);
    return l;
}

static void unload_example(struct loaded *l)
{
    findings_release(&l->findings);
    contract_free(l->contract);
}

static void the_example_loads_clean_in_every_profile(void **state)
{
    static const char *const profiles[] = {"dev", "staging", "prod"};
    struct loaded l = load_example("example.json");

    (void)state;
    assert_clean(&l);
    for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
        select_profile(&l, profiles[i]);
        assert_clean(&l);
        assert_int_equal(l.contract->variable_count, 15);
        assert_string_equal(l.contract->profile, profiles[i]);
    }
    assert_true(l.contract->profile_is_strict);
    if (contract_lint(l.contract, &l.findings, &l.err) != 0)
        fail_msg("%s", l.err.text);
    assert_clean(&l);
    unload_example(&l);
}

static void the_whole_example_is_sound(void **state)
{
    static const char *const profiles[] = {"prod", "staging", "dev"};
    struct loaded l = load_example("whole-example.json");

    (void)state;
    assert_clean(&l);
    for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
        select_profile(&l, profiles[i]);
        assert_clean(&l);
    }
    unload_example(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_come_in_the_order_of_the_file_and_those_of_includes_behind),
        cmocka_unit_test(a_variable_that_two_files_declare_is_an_error_with_both_places),
        cmocka_unit_test(problems_of_an_included_file_name_it),
        cmocka_unit_test(an_include_that_cannot_be_read_is_said_where_it_is_named),
        cmocka_unit_test(the_ceiling_of_bytes_is_for_all_files_together),
        cmocka_unit_test(names_that_no_environment_can_have_are_refused),
        cmocka_unit_test(the_nearest_name_is_proposed),
        cmocka_unit_test(a_text_that_is_no_json_gives_an_empty_model),
        cmocka_unit_test(run_is_read_off),
        cmocka_unit_test(a_hundred_thousand_variables_load),
        cmocka_unit_test(the_example_loads_clean_in_every_profile),
        cmocka_unit_test(the_whole_example_is_sound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
