/* tests/unit/envcontract_drift.c: what the contract declares against what folders use. */
#include "tests/unit/envcontract_load.h"

#include "base/buf.h"
#include "envcontract/drift.h"
#include "envcontract/drift_read.h"
#include "tests/lib/heap.h"

/* A contract, and beside it a folder `code`. */
struct site {
    struct loaded l;
    char code[96];
    struct drift_counts counts;
};

static void site_begin(struct site *s, const char *contract)
{
    *s = (struct site){.l = load_text(contract)};
    assert_clean(&s->l);
    (void)snprintf(s->code, sizeof s->code, "%s/code", s->l.folder);
    assert_int_equal(mkdir(s->code, 0700), 0);
}

static void add_file(const struct site *s, const char *name, const char *text)
{
    write_file(s->code, name, text, strlen(text));
}

static int look(struct site *s)
{
    const char *const folders[] = {s->code, NULL};

    return drift_look(s->l.contract, folders, &s->l.findings, &s->counts, &s->l.err);
}

static void site_end(struct site *s)
{
    struct err err = ERR_INIT;

    assert_int_equal(file_remove_tree(s->code, &err), 0);
    unload(&s->l);
}

/* "A unknown error; B drift warning", in the order of the findings. */
static void assert_findings(const struct site *s, const char *expected)
{
    char text[4096] = "";
    size_t used = 0;

    for (size_t i = 0; i < s->l.findings.count; i++) {
        const struct finding *f = &s->l.findings.list[i];
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s %s %s", used ? "; " : "",
                                 f->variable ? f->variable : "-", f->rule,
                                 f->severity == FINDING_ERROR ? "error" : "warning");
        assert_true(used < sizeof text);
    }
    assert_string_equal(text, expected);
}

static void a_name_that_is_read_must_be_declared(void **state)
{
    (void)state;
    struct site s;

    site_begin(&s, "{'contract': 1, 'vars': {'PORT': {}, 'HOST': {}}}");
    add_file(
        &s, "a.py",
        "import os\nos.environ['PORT']\nos.environ['PROT']\nos.environ['PROT']\nos.environ[x]\n");
    assert_int_equal(look(&s), 0);
    assert_findings(&s, "HOST drift warning; PROT unknown error; - drift warning");
    const struct finding *f = find_finding(&s.l, "does not declare it");
    assert_text_has(f->message, "is read here (and 1 more time)");
    assert_text_has(f->hint, "'PORT'");
    assert_text_has(f->file, "code/a.py");
    assert_int_equal(f->line, 3);
    assert_int_equal(f->column, 13);
    assert_null(f->pointer);
    assert_int_equal(s.counts.files, 1);
    assert_int_equal(s.counts.declared, 2);
    site_end(&s);
}

static void the_level_of_unknown_names_counts(void **state)
{
    (void)state;
    struct site s;

    site_begin(
        &s, "{'contract': 1, 'vars': {'A': {}}, 'unknown': {'prefix': ['X_'], 'level': 'warning',"
            " 'ignore': ['X_*']}}");
    add_file(&s, "a.sh", "echo $A $B $X_C\n");
    assert_int_equal(look(&s), 0);
    assert_findings(&s, "B unknown warning");
    site_end(&s);
}

static void an_old_name_is_a_warning_and_a_use(void **state)
{
    (void)state;
    struct site s;

    site_begin(&s,
               "{'contract': 1, 'vars': {'NEW_NAME': {'aliases': [{'name': 'OLD_NAME', 'remove': "
               "'2099-01-01'}]}}}");
    add_file(&s, "a.js", "process.env.OLD_NAME\n");
    assert_int_equal(look(&s), 0);
    assert_findings(&s, "OLD_NAME alias warning");
    assert_text_has(find_finding(&s.l, "old name")->message, "'NEW_NAME'");
    site_end(&s);
}

static void what_is_deprecated_may_be_used_no_more(void **state)
{
    (void)state;
    struct site s;

    site_begin(&s, "{'contract': 1, 'vars': {'GONE': {'required': false, 'deprecated': {'since': "
                   "'2026-01-01'}}}}");
    assert_int_equal(look(&s), 0);
    assert_findings(&s, "");
    site_end(&s);
}

static void a_given_name_uses_a_variable_and_a_env_file_does_not(void **state)
{
    (void)state;
    struct site s;

    site_begin(&s, "{'contract': 1, 'vars': {'A': {}, 'B': {}}}");
    add_file(&s, "Dockerfile", "ENV A=1 POSTGRES_DB=x\n");
    add_file(&s, ".env", "B=1\nC=1\n");
    assert_int_equal(look(&s), 0);
    assert_findings(&s, "B drift warning; C unknown error");
    site_end(&s);
}

static void a_contract_is_found_the_same_in_any_order_of_files(void **state)
{
    (void)state;
    struct site s;

    site_begin(&s, "{'contract': 1, 'vars': {'A': {}}}");
    add_file(&s, "z.sh", "echo $A $Z\n");
    add_file(&s, "b.sh", "echo $Y $Z\n");
    add_file(&s, "a.sh", "echo $X\n");
    assert_int_equal(look(&s), 0);
    assert_findings(&s, "X unknown error; Y unknown error; Z unknown error");
    assert_text_has(s.l.findings.list[2].file, "code/b.sh");
    site_end(&s);
}

static void a_folder_that_is_not_there_is_an_error_of_the_call(void **state)
{
    (void)state;
    struct site s;

    site_begin(&s, "{'contract': 1, 'vars': {}}");
    const char *const folders[] = {s.code, "/nowhere/at/all", NULL};
    assert_int_equal(drift_look(s.l.contract, folders, &s.l.findings, &s.counts, &s.l.err), -1);
    assert_int_equal(s.l.err.kind, ERR_FILE);
    assert_text_has(s.l.err.text, "'/nowhere/at/all'");
    assert_string_equal(s.l.err.file, "/nowhere/at/all");
    assert_text_has(s.l.err.hint, "Name a folder");
    site_end(&s);
}

static void what_cannot_be_read_is_said(void **state)
{
    (void)state;
    struct site s;
    char path[128];

    site_begin(&s, "{'contract': 1, 'vars': {}}");
    add_file(&s, "big.py", "");
    (void)snprintf(path, sizeof path, "%s/big.py", s.code);
    assert_int_equal(truncate(path, DRIFT_MAX_FILE_BYTES + 1), 0);
    (void)snprintf(path, sizeof path, "%s/pipe.py", s.code);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(look(&s), 0);
    assert_findings(&s, "- drift warning");
    assert_text_has(s.l.findings.list[0].message, "is longer than 1048576 bytes");
    assert_int_equal(s.counts.files, 0);
    site_end(&s);
}

static void folders_that_lie_too_deep_are_said(void **state)
{
    (void)state;
    struct site s;
    char path[512];
    size_t length;

    site_begin(&s, "{'contract': 1, 'vars': {}}");
    length = (size_t)snprintf(path, sizeof path, "%s", s.code);
    for (size_t i = 0; i <= DRIFT_MAX_DEPTH; i++) {
        memcpy(path + length, "/d", sizeof "/d");
        length += 2;
        assert_int_equal(mkdir(path, 0700), 0);
    }
    assert_int_equal(look(&s), 0);
    assert_findings(&s, "- drift warning");
    assert_text_has(s.l.findings.list[0].message, "64 folders deep");
    for (; length > strlen(s.code); path[length -= 2] = '\0')
        assert_int_equal(rmdir(path), 0);
    site_end(&s);
}

static void many_findings_end_with_how_many_more(void **state)
{
    (void)state;
    struct site s;
    struct buf text = BUF_INIT(DRIFT_MAX_FILE_BYTES);

    site_begin(&s, "{'contract': 1, 'vars': {}}");
    for (int i = 0; i < DRIFT_MAX_SHOWN + 5; i++)
        buf_addf(&text, "echo $NAME_%d\n", i);
    add_file(&s, "a.sh", buf_text(&text));
    buf_release(&text);
    assert_int_equal(look(&s), 0);
    assert_int_equal(s.l.findings.count, DRIFT_MAX_SHOWN + 1);
    assert_non_null(find_finding(&s.l, "5 more names are used and not declared"));
    site_end(&s);
}

static void a_need_is_of_the_selected_profile(void **state)
{
    (void)state;
    struct loaded l = load_text("{'contract': 1, 'profile': {'var': 'ROLE', 'values': ['a', 'b']}, "
                                "'vars': {'ROLE': {'type': 'enum', "
                                "'values': ['a', 'b']}, 'X': {'source': 'vault:kv/x#v', "
                                "'required': false, 'profiles': {'b': "
                                "{'required': true, 'rotate': "
                                "{'strategy': 'manual', 'every': '2d', 'steps': ['x']}}}}, 'Y': "
                                "{'required': {'ROLE': 'a'}}}}");

    assert_clean(&l);
    select_profile(&l, "a");
    struct drift_need need = drift_need(l.contract, contract_find(l.contract, "X"));
    assert_false(need.required);
    assert_int_equal(need.every_ms, 0);
    need = drift_need(l.contract, contract_find(l.contract, "Y"));
    assert_false(need.required);
    assert_true(need.conditional);
    select_profile(&l, "b");
    need = drift_need(l.contract, contract_find(l.contract, "X"));
    assert_true(need.required);
    assert_int_equal(need.every_ms, 2 * 24 * 3600 * 1000);
    unload(&l);
}

/* The failure is said, or it did no harm: never a finding fewer. */
static void no_memory_is_never_a_contract_without_drift(void **state)
{
    (void)state;
    struct site s;
    bool whole = false;

    NEEDS_HEAP();
    site_begin(
        &s, "{'contract': 1, 'vars': {'A': {'aliases': [{'name': 'B', 'remove': '2099-01-01'}]}, "
            "'C': {}}, 'files': [{'path': '/x', 'template': '{C}'}]}");
    add_file(&s, "a.py",
             "import os\nos.environ['X']\nos.environ[y]\nclass S(BaseSettings):\n  b: int\n");
    add_file(&s, "b.sh", "echo $Y ${Z:-1}\n");
    assert_int_equal(look(&s), 0);
    size_t findings = s.l.findings.count;
    assert_int_equal(findings, 5);
    for (long allocations = 0; !whole; allocations++) {
        findings_release(&s.l.findings);
        contract_free(s.l.contract);
        s.l.contract = NULL;
        load(&s.l);
        heap_fail_after(allocations);
        int result = look(&s);
        whole = heap_successes >= 0; /* it never came to the failure */
        heap_fail_after(-1);
        if (result == 0 ? s.l.findings.count != findings : s.l.err.kind != ERR_RESOURCE) {
            print_findings(&s.l);
            fail_msg("after %ld allocations: %d, %s", allocations, result, s.l.err.text);
        }
    }
    site_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_that_is_read_must_be_declared),
        cmocka_unit_test(the_level_of_unknown_names_counts),
        cmocka_unit_test(an_old_name_is_a_warning_and_a_use),
        cmocka_unit_test(what_is_deprecated_may_be_used_no_more),
        cmocka_unit_test(a_given_name_uses_a_variable_and_a_env_file_does_not),
        cmocka_unit_test(a_contract_is_found_the_same_in_any_order_of_files),
        cmocka_unit_test(a_folder_that_is_not_there_is_an_error_of_the_call),
        cmocka_unit_test(what_cannot_be_read_is_said),
        cmocka_unit_test(folders_that_lie_too_deep_are_said),
        cmocka_unit_test(many_findings_end_with_how_many_more),
        cmocka_unit_test(a_need_is_of_the_selected_profile),
        cmocka_unit_test(no_memory_is_never_a_contract_without_drift),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
