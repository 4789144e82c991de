/* Sources: every form, what is put into it, and what is none. */
#include "tests/unit/envcontract_load.h"

#define V(source)  "{'contract': 1, 'vars': {'A': {'source': " source "}}}"
#define AUTH(keys) "{'contract': 1, 'vars': {}, 'vault': {'auth': {'method': 'token', " keys "}}}"

static void what_is_no_source_is_said_at_its_place(void **state)
{
    static const struct wrong list[] = {
        {V("'vault:secret/db'"), 1, 42, "/vars/A/source", "has no '#' and field",
         "vault:PATH#FIELD"},
        {V("'valt:secret/db#x'"), 1, 42, "/vars/A/source", "none of the forms of a reference",
         NULL},
        {V("'canary-secret'"), 1, 42, "/vars/A/source", "none of the forms of a reference", NULL},
        {V("7"), 1, 42, "/vars/A/source", "'source' cannot be a number", "A source is env"},
        {V("{}"), 1, 42, "/vars/A/source", "has from 1 to 16 parts", NULL},
        {V("{'command': []}"), 1, 54, "/vars/A/source/command", "'command' is an empty list", NULL},
        {V("{'command': ['x', 1]}"), 1, 60, "/vars/A/source/command/1", "this one is a number",
         NULL},
        {V("{'command': ['x', '{y} {profile}']}"), 1, 60, "/vars/A/source/command/1",
         "'{profile}' in a contract without 'profile'", NULL},
        {V("'env:{nam}'"), 1, 42, "/vars/A/source", "'{nam}' is not known in a source",
         "{profile}, {name} and {lower_name}"},
        {V("'vault:a/{profile}#x'"), 1, 42, "/vars/A/source",
         "'{profile}' in a contract without 'profile'", NULL},
        {"{'contract': 1, 'vars': {'A': {'source': {'a-b': 'env'}, 'compose': '{a}'}}}", 1, 43,
         "/vars/A/source/a-b", "'a-b' cannot be the name of a part", NULL},
    };

    (void)state;
    for (size_t i = 0; i + 1 < ARRAY_LEN(list); i++)
        assert_wrong(&list[i]);
    const struct wrong *w = &list[ARRAY_LEN(list) - 1]; /* more than one follows from it */
    struct loaded l = load_text(w->text);
    const struct finding *f = find_finding(&l, w->message);
    assert_int_equal(f->column, w->column);
    assert_string_equal(f->pointer, w->pointer);
    unload(&l);
}

static void a_message_shows_nothing_of_what_may_be_a_secret(void **state)
{
    struct loaded l = load_text(V("'canary-secret'"));

    (void)state;
    assert_text_lacks(l.findings.list[0].message, "canary");
    assert_text_lacks(l.findings.list[0].hint, "canary");
    unload(&l);
    l = load_text(AUTH("'token': 'canary-token'"));
    assert_int_equal(l.findings.count, 1);
    assert_text_lacks(l.findings.list[0].message, "canary");
    assert_text_lacks(l.findings.list[0].hint, "canary");
    unload(&l);
}

static void every_form_of_a_source_is_taken_apart(void **state)
{
    struct loaded l = load_text(
        "{'contract': 1, 'profile': {'var': 'R', 'values': ['dev']}, 'vars': {'R': {}, "
        "'ENV': {'source': 'env'}, 'OTHER': {'source': 'env:X_{name}'}, "
        "'VAULT': {'source': 'vault:secret/{profile}/db#{lower_name}'}, 'FILE': {'source': "
        "'file:a/b'}, "
        "'COMMAND': {'source': {'command': ['get', '{profile}/{name}', '{x}']}}, "
        "'NONE': {'source': 'none', 'required': false}, "
        "'MANY': {'source': {'one': 'env', 'two': {'command': ['c']}, 'three': "
        "'vault:a/{name}#b'}, "
        "'compose': '{one}{two}{three}'}}}");

    (void)state;
    assert_clean(&l);
    select_profile(&l, "dev");
    const struct contract_part *p = contract_find(l.contract, "ENV")->parts;
    assert_int_equal(p->ref.kind, REF_ENV);
    assert_string_equal(p->ref.path, "ENV");
    assert_string_equal(contract_find(l.contract, "R")->parts[0].ref.path, "R");
    assert_string_equal(contract_find(l.contract, "OTHER")->parts[0].ref.path, "X_OTHER");
    p = contract_find(l.contract, "VAULT")->parts;
    assert_string_equal(p->ref.path, "secret/dev/db");
    assert_string_equal(p->ref.field, "vault");
    p = contract_find(l.contract, "FILE")->parts;
    assert_int_equal(p->ref.kind, REF_FILE);
    assert_string_equal(p->ref.folder, l.folder);
    p = contract_find(l.contract, "COMMAND")->parts;
    assert_int_equal(p->ref.kind, REF_COMMAND);
    assert_string_equal(p->ref.argv[1], "dev/COMMAND");
    assert_string_equal(p->ref.argv[2], "{x}");
    assert_null(p->ref.argv[3]);
    assert_string_equal(p->ref.folder, l.folder);
    assert_int_equal(contract_find(l.contract, "NONE")->parts[0].ref.kind, REF_NONE);
    const struct contract_variable *many = contract_find(l.contract, "MANY");
    assert_int_equal(many->part_count, 3);
    assert_string_equal(many->parts[0].name, "one");
    assert_string_equal(many->parts[0].ref.path, "MANY");
    assert_string_equal(many->parts[1].ref.argv[0], "c");
    assert_string_equal(many->parts[2].ref.path, "a/MANY");
    unload(&l);
}

static void what_logs_in_is_a_reference(void **state)
{
    static const struct wrong list[] = {
        {AUTH("'token': 'hvs.x'"), 1, 76, "/vault/auth/token",
         "'token' takes a reference, not a secret itself", "history"},
        {AUTH("'token': 5"), 1, 76, "/vault/auth/token", "'token' takes a reference, not a number",
         NULL},
        {AUTH("'token': 'vault:a/b#c'"), 1, 76, "/vault/auth/token", "it cannot come from there",
         NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void long_sources_are_refused(void **state)
{
    AUTO_BUF text = BUF_INIT(1024 * 1024);
    struct loaded l;

    (void)state;
    buf_adds(&text, "{'contract': 1, 'base': {'source': 'file:");
    for (int i = 0; i < 600; i++)
        buf_adds(&text, "{name}");
    buf_adds(&text, "'}, 'vars': {'A': {}");
    for (int i = 0; i < 20000; i++)
        buf_addf(&text, ", 'A_LONG_NAME_%d': {}", i);
    buf_adds(&text, "}}");
    new_folder(&l);
    write_contract(&l, "contract.json", buf_text(&text));
    load(&l);
    assert_int_equal(l.findings.count, 1);
    assert_string_equal(find_finding(&l, "have more than 16777216 bytes together")->pointer,
                        "/base/source");
    unload(&l);

    buf_clear(&text);
    buf_adds(&text, "{'contract': 1, 'vars': {'A': {'source': 'file:");
    for (int i = 0; i < 4096; i++)
        buf_addc(&text, 'x');
    buf_adds(&text, "'}}}");
    new_folder(&l);
    write_contract(&l, "contract.json", buf_text(&text));
    load(&l);
    assert_int_equal(l.findings.count, 1);
    (void)find_finding(&l, "a source has at most 4096 bytes");
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_source_is_said_at_its_place),
        cmocka_unit_test(a_message_shows_nothing_of_what_may_be_a_secret),
        cmocka_unit_test(every_form_of_a_source_is_taken_apart),
        cmocka_unit_test(what_logs_in_is_a_reference),
        cmocka_unit_test(long_sources_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
