/* tests/unit/envcontract_files.c: the section `files`, what it is made with, and the keys of `run` that
 * say where and when. */
#include "tests/unit/envcontract_load.h"

#include "envcontract/internal.h"

#define FILES(entry) "{'contract': 1, 'vars': {'A': {}, 'B': {}},\n'files': [" entry "]}"
#define RUN(keys)    "{'contract': 1, 'vars': {},\n'run': {" keys "}}"

static void wrong_files_are_said_at_their_place(void **state)
{
    static const struct wrong list[] = {
        {FILES("{'var': 'A'}"), 2, 11, "/files/0", "without 'path'", "contract's folder"},
        {FILES("{'path': 'x'}"), 2, 11, "/files/0", "neither 'var' nor 'template'", "{NAME}"},
        {FILES("{'path': 'x', 'var': 'A', 'template': 'y'}"), 2, 11, "/files/0",
         "both 'var' and 'template'", NULL},
        {FILES("{'path': 'x/', 'var': 'A'}"), 2, 20, "/files/0/path", "a folder's path", NULL},
        {FILES("{'path': 'x', 'var': 'C'}"), 2, 32, "/files/0/var", "'C' is no variable", NULL},
        {FILES("{'path': 'x', 'template': 'u={A}{D}'}"), 2, 37, "/files/0/template",
         "'D' is no variable", NULL},
        {FILES("{'path': 'x', 'template': '{A|ulr}'}"), 2, 37, "/files/0/template",
         "template: no such filter at byte 4", "url"},
        {FILES("{'path': 'x', 'var': 'A'}, {'path': 'x', 'var': 'B'}"), 2, 47, "/files/1/path",
         "'x' is written twice", NULL},
        {FILES("{'path': 'x', 'var': 'A', 'mode': '0800'}"), 2, 45, "/files/0/mode", "permissions",
         "octal"},
        {FILES("{'path': 'x', 'var': 'A', 'mode': '4755'}"), 2, 45, "/files/0/mode", "permissions",
         NULL},
        {FILES("{'path': 'x', 'var': 'A', 'mode': 400}"), 2, 45, "/files/0/mode", "permissions",
         "as a string"},
        {FILES("{'path': 'x', 'var': 'A', 'mode': '0660'}"), 2, 45, "/files/0/mode",
         "lets others write", NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void files_are_read_with_their_defaults(void **state)
{
    struct loaded l = load_text(
        FILES("{'path': '/run/a', 'var': 'A'}, {'path': 'b', 'template': '{A}:{B}', "
              "'mode': '440', 'owner': 'app', 'group': '1000'}"));
    const struct contract_file *files = l.contract->files;

    (void)state;
    assert_clean(&l);
    assert_int_equal(l.contract->file_count, 2);
    assert_string_equal(files[0].path, "/run/a");
    assert_string_equal(files[0].variable, "A");
    assert_int_equal(files[0].mode, 0400);
    assert_null(files[0].owner);
    assert_string_equal(files[0].names[0], "A");
    assert_null(files[0].names[1]);
    assert_int_equal(files[1].mode, 0440);
    assert_string_equal(files[1].owner, "app");
    assert_string_equal(files[1].group, "1000");
    assert_string_equal(files[1].names[1], "B");
    assert_null(files[1].names[2]);
    assert_string_equal(files[1].position.pointer, "/files/1");
    unload(&l);
}

/* ---- content ------------------------------------------------------------------------------------ */

struct content {
    const char *entry, *a, *b; /* the file, the values of A and B, NULL: none */
    const char *expected;      /* NULL: refused */
    const char *problem;
};

static void assert_content(const struct content *c)
{
    AUTO_BUF contract = BUF_INIT(4096);
    AUTO_BUF out = BUF_INIT(256);
    buf_addf(&contract, FILES("%s"), c->entry);
    struct loaded l = load_text(buf_text(&contract));
    assert_clean(&l);
    select_profile(&l, NULL);
    struct contract_value values[2] = {0};
    if (c->a)
        values[0].bytes = secret_borrow(c->a, strlen(c->a));
    if (c->b)
        values[1].bytes = secret_borrow(c->b, strlen(c->b));
    int result = contract_render_file(l.contract, &l.contract->files[0], values, &out, &l.err);
    if (c->expected) {
        if (result != 0)
            fail_msg("%s", l.err.text);
        assert_string_equal(buf_text(&out), c->expected);
    } else {
        assert_int_equal(result, -1);
        assert_text_has(l.err.text, c->problem);
        assert_text_has(l.err.text, "'f'");
        assert_int_equal(out.len, 0);
    }
    unload(&l);
}

static void a_file_is_a_value_or_a_template_filled_in(void **state)
{
    static const struct content list[] = {
        {"{'path': 'f', 'var': 'A'}", "a\nb", NULL, "a\nb", NULL},
        {"{'path': 'f', 'template': '[s]\\nuser={A}\\n{{}}'}", "me", NULL, "[s]\nuser=me\n{}",
         NULL},
        {"{'path': 'f', 'template': '{A|url} {B|base64}'}", "a b", "canary", "a%20b Y2FuYXJ5",
         NULL},
        {"{'path': 'f', 'template': '{A|json}'}", "a\"b", NULL, "\"a\\\"b\"", NULL},
        {"{'path': 'f', 'template': 'export X={A|shell}'}", "it's", NULL, "export X='it'\\''s'",
         NULL},
        {"{'path': 'f', 'template': '*:*:*:{A|pgpass}:{B|pgpass}'}", "u", "a:b\\c",
         "*:*:*:u:a\\:b\\\\c", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(list); i++)
        assert_content(&list[i]);
}

static void what_can_not_be_written_is_refused_without_its_value(void **state)
{
    static const struct content list[] = {
        {"{'path': 'f', 'var': 'A'}", NULL, NULL, NULL, "'A' has no value"},
        {"{'path': 'f', 'template': '{A}{B}'}", "canary", NULL, NULL, "'B' has no value"},
        {"{'path': 'f', 'template': '{A|pgpass}'}", "canary\nx", NULL, NULL, "line break"},
        {"{'path': 'f', 'template': '{A|json}'}", "canary\xff", NULL, NULL, "UTF-8"},
        {"{'path': 'f', 'template': '{A|url|url|url|url}'}",
         "++++++++++++++++++++++++++++++++++++++++++++++++++", NULL, NULL, "longer than 256 bytes"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(list); i++)
        assert_content(&list[i]);
}

/* ---- run ---------------------------------------------------------------------------------------- */

static void wrong_keys_of_run_are_said_at_their_place(void **state)
{
    static const struct wrong list[] = {
        {RUN("'status': 9100"), 2, 19, "/run/status", "unix:PATH or ADDR:PORT, not a number", NULL},
        {RUN("'status': 'localhost:9100'"), 2, 19, "/run/status", "is no address to listen on",
         "not looked up"},
        {RUN("'refresh': 'often'"), 2, 20, "/run/refresh", "duration", NULL},
        {RUN("'refresh': 5"), 2, 20, "/run/refresh", "or \"off\", not a number", NULL},
        {RUN("'splay': 'x'"), 2, 18, "/run/splay", "duration", NULL},
        {RUN("'keep_leases': 'x'"), 2, 24, "/run/keep_leases", "true or false", NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void the_keys_of_run_are_read_with_their_defaults(void **state)
{
    struct loaded l = load_text(RUN(""));
    const struct contract_run *run = &l.contract->run;

    (void)state;
    assert_int_equal(run->refresh_ms, 0);
    assert_int_equal(run->splay_ms, 30000);
    assert_false(run->keep_leases);
    assert_null(run->status);
    unload(&l);
    l = load_text(RUN("'refresh': '5m', 'splay': '0s', 'keep_leases': true, "
                      "'status': 'unix:agent.sock'"));
    assert_clean(&l);
    run = &l.contract->run;
    assert_int_equal(run->refresh_ms, 300000);
    assert_int_equal(run->splay_ms, 0);
    assert_true(run->keep_leases);
    assert_string_equal(run->status, "unix:agent.sock");
    unload(&l);
    l = load_text(RUN("'refresh': 'off', 'status': '127.0.0.1:9100'"));
    assert_clean(&l);
    assert_int_equal(l.contract->run.refresh_ms, 0);
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_files_are_said_at_their_place),
        cmocka_unit_test(files_are_read_with_their_defaults),
        cmocka_unit_test(a_file_is_a_value_or_a_template_filled_in),
        cmocka_unit_test(what_can_not_be_written_is_refused_without_its_value),
        cmocka_unit_test(wrong_keys_of_run_are_said_at_their_place),
        cmocka_unit_test(the_keys_of_run_are_read_with_their_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
