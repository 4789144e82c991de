/* tests/unit/rotate_program.c: programs of a contract: what they see, what they may put out, how they are refused. */
#include "tests/lib/unit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "rotate/place.h"
#include "rotate/program.h"

enum { PATH_BYTES = 256, TEXT_BYTES = 64 * 1024, PATIENCE_MS = 60 * 1000 };

/* A folder with a script in it, and a rotation whose contract lies there. */
struct fixture {
    char folder[PATH_BYTES], script[PATH_BYTES + 8];
    struct rotate_spec spec;
    struct rotate_context context;
    struct rotation r;
};

static const char *const environment[] = {"PATH=/usr/bin:/bin", "HOME=/nowhere",    "LANG=C.UTF-8",
                                          "LISTED=yes",         "NOT_LISTED=never", NULL};
static const char *const argv[] = {"./hook", "an argument", NULL};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){.folder = "/tmp/agent-unit-XXXXXX"};
    if (!mkdtemp(f.folder))
        return -1;
    (void)snprintf(f.script, sizeof f.script, "%s/hook", f.folder);
    f.spec = (struct rotate_spec){.variable = "KEY",
                                  .strategy = ROTATE_HOOK,
                                  .timeout_ms = PATIENCE_MS,
                                  .place = {.kind = ROTATE_IN_KV, .value_field = "key"}};
    f.context = (struct rotate_context){
        .folder = f.folder, .environment = environment, .deadline_ms = CLOCK_NEVER};
    f.r = (struct rotation){.spec = &f.spec, .context = &f.context};
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;

    document_release(&f->r.current);
    record_release(&f->r.record);
    return file_remove_tree(f->folder, &err);
}

static void write_script(const struct fixture *f, const char *text, mode_t mode)
{
    FILE *file = fopen(f->script, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(f->script, mode), 0);
}

static int run(struct fixture *f, const struct secret *input, int *code, struct secret *output,
               struct err *err)
{
    static const char *const names[] = {"LISTED", "NOT_SET", NULL};
    const struct program program = {
        .argv = argv, .environment = names, .input = input, .what = "hook step 'set'"};

    return program_run(&f->r, &program, code, output, err);
}

static void runs(struct fixture *f, const char *text, int *code, struct secret *output)
{
    struct err err = ERR_INIT;
    struct secret input = secret_borrow("{}", 2);

    write_script(f, text, 0755);
    if (run(f, &input, code, output, &err) != 0)
        fail_msg("%s", err.text);
}

static void refused(struct fixture *f, enum err_kind kind, const char *text, const char *hint)
{
    struct err err = ERR_INIT;
    int code = -1;

    assert_int_equal(run(f, NULL, &code, NULL, &err), -1);
    assert_int_equal(err.kind, kind);
    assert_text_has(err.text, "hook step 'set'");
    assert_text_has(err.text, text);
    assert_text_has(err.hint, hint);
    assert_int_equal(code, -1);
}

/* ---- what it sees -------------------------------------------------------------------------------- */

static void it_sees_a_small_environment_and_what_is_listed(void **state)
{
    AUTO_SECRET output = SECRET_INIT;
    int code = -1;

    runs(*state, "#!/bin/sh\nenv; echo args $#: \"$1\"; pwd -P\n", &code, &output);
    const char *text = secret_reveal(&output);
    assert_int_equal(code, 0);
    assert_text_has(text, "PATH=/usr/bin:/bin\n");
    assert_text_has(text, "HOME=/nowhere\n");
    assert_text_has(text, "LANG=C.UTF-8\n");
    assert_text_has(text, "LISTED=yes\n");
    assert_text_lacks(text, "never");
    assert_text_has(text, "args 1: an argument\n");
    assert_text_has(text, ((struct fixture *)*state)->folder);
}

static void it_gets_its_input_whole_and_its_exit_code_comes_back(void **state)
{
    AUTO_BUF text = BUF_INIT(TEXT_BYTES * 4);
    AUTO_SECRET output = SECRET_INIT;
    struct err err = ERR_INIT;
    int code = -1;

    for (int i = 0; i < TEXT_BYTES; i++)
        buf_adds(&text, "abc");
    struct secret input = secret_borrow(buf_text(&text), text.len);
    write_script(*state, "#!/bin/sh\nwc -c\nexit 78\n", 0755);
    assert_int_equal(run(*state, &input, &code, &output, &err), 0);
    assert_int_equal(code, 78);
    assert_string_equal(secret_reveal(&output), "196608\n");
}

/* ---- what it may not ----------------------------------------------------------------------------- */

static void it_may_not_be_missing_or_writable_by_others(void **state)
{
    struct fixture *f = *state;

    refused(f, ERR_FILE, "No such file", "contract's folder");
    write_script(f, "#!/bin/sh\n", 0644);
    refused(f, ERR_FILE, "Permission denied", "chmod +x");
    write_script(f, "#!/bin/sh\n", 0757); /* of the group: base_proc_start, base_file */
    refused(f, ERR_FILE, "written by others", "");
}

static void it_may_not_flood(void **state)
{
    write_script(*state, "#!/bin/sh\nexec cat /dev/zero\n", 0755);
    refused(*state, ERR_SOURCE_DATA, "more than 1048576 bytes", "");
}

static void it_may_not_hang(void **state)
{
    struct fixture *f = *state;

    f->spec.timeout_ms = 50;
    write_script(f, "#!/bin/sh\nsleep 600 &\nsleep 600\n", 0755);
    refused(f, ERR_SOURCE_DOWN, "ran out of time", "is not known");
}

static void its_death_is_no_answer(void **state)
{
    write_script(*state, "#!/bin/sh\nkill -KILL $$\n", 0755);
    refused(*state, ERR_SOURCE_DATA, "SIGKILL", "");
}

/* ---- what it is told ----------------------------------------------------------------------------- */

/* A place that is as CURRENT has it. */
static int read_place(struct rotation *r, struct document *out, unsigned *version, struct err *err)
{
    *version = 1;
    (void)r;
    if (document_set_text(out, NULL, "other", "of somebody else", err) != 0)
        return -1;
    return document_set_text(out, NULL, "key", "former-key", err);
}

static const struct store one_place = {.read_current = read_place};

static void told(struct fixture *f, const char *step, bool current, bool pending,
                 struct document *out)
{
    AUTO_SECRET text = SECRET_INIT;
    struct err err = ERR_INIT;

    if (program_input(&f->r, step, current, pending, &text, &err) != 0 ||
        document_parse(secret_reveal(&text), secret_length(&text), "it", ERR_DEFECT, out, &err) !=
            0)
        fail_msg("%s", err.text);
}

static void a_step_is_told_what_it_needs_also_when_it_is_resumed(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    AUTO_DOCUMENT create = DOCUMENT_INIT, set = DOCUMENT_INIT, promote = DOCUMENT_INIT;
    int64_t number = 0;

    f->r.store = &one_place;
    f->r.resumed = true;
    f->r.attempt = 1;
    f->context.profile = "prod";
    f->spec.config_json = "{\"a\": \"b\"}";
    assert_int_equal(record_begin(&f->spec, &f->context, &f->r.record, &err), 0);
    told(f, "create", true, false, &create);
    assert_string_equal(document_text(&create, "current", "key"), "former-key");
    assert_null(document_get(&create, "current", "other"));
    assert_null(document_get(&create, "pending", "key"));
    assert_true(document_number(&create, NULL, "attempt", &number) && number == 2);
    assert_string_equal(document_text(&create, NULL, "id"), record_id(&f->r.record));
    assert_string_equal(document_text(&create, NULL, "profile"), "prod");
    assert_string_equal(document_text(&create, "config", "a"), "b");

    struct secret made = secret_borrow("made-key", 8);
    assert_int_equal(place_stage(&f->r, "key", &made, &err), 0);
    f->r.resumed = false;
    told(f, "set", true, true, &set);
    assert_string_equal(document_text(&set, "current", "key"), "former-key");
    assert_string_equal(document_text(&set, "pending", "key"), "made-key");
    assert_true(document_number(&set, NULL, "attempt", &number) && number == 1);
    told(f, "promote", false, false, &promote);
    assert_null(document_get(&promote, "current", "key"));
    assert_null(document_get(&promote, "pending", "key"));
    assert_true(document_has_group(&promote, "pending"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_sees_a_small_environment_and_what_is_listed),
        TEST(it_gets_its_input_whole_and_its_exit_code_comes_back),
        TEST(it_may_not_be_missing_or_writable_by_others),
        TEST(it_may_not_flood),
        TEST(it_may_not_hang),
        TEST(its_death_is_no_answer),
        TEST(a_step_is_told_what_it_needs_also_when_it_is_resumed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
