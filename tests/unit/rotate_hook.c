/* tests/unit/rotate_hook.c: what a hook's answers mean, and that a key is recorded before anything else is done. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "rotate/place.h"

enum { PATH_BYTES = 256, SAID_BYTES = 16 * 1024, PATIENCE_MS = 60 * 1000 };

struct fixture {
    char folder[PATH_BYTES], script[PATH_BYTES + 8];
    struct rotate_spec spec;
    struct rotate_context context;
    struct rotate_result result;
    struct rotation r;
    struct buf said;
    unsigned writes;       /* of the record */
    struct document first; /* the record as it was written first */
};

static const char *const environment[] = {"PATH=/usr/bin:/bin", NULL};
static const char *const argv[] = {"./hook", NULL};

/* ---- a store in memory --------------------------------------------------------------------------- */

static int read_place(struct rotation *r, struct document *out, unsigned *version, struct err *err)
{
    (void)r;
    *version = 1;
    return document_set_text(out, NULL, "key", "former-key", err);
}

static int write_record(struct rotation *r, enum store_written *outcome, struct err *err)
{
    struct fixture *f = r->context->owner;

    *outcome = STORE_WRITTEN;
    return f->writes++ == 0 ? document_copy(&f->first, &r->record.data, err) : 0;
}

static const struct store store_in_memory = {
    .read_current = read_place, .create_record = write_record, .write_record = write_record};

static void say(void *owner, const struct rotate_spec *spec, const char *text)
{
    struct fixture *f = owner;

    (void)spec;
    buf_addf(&f->said, "%s\n", text);
}

/* ---- a hook -------------------------------------------------------------------------------------- */

static int set_up(void **state)
{
    static struct fixture f;
    struct err err = ERR_INIT;

    f = (struct fixture){.folder = "/tmp/agent-unit-XXXXXX",
                         .said = BUF_INIT(SAID_BYTES),
                         .result = {.warnings = BUF_INIT(SAID_BYTES)}};
    if (!mkdtemp(f.folder))
        return -1;
    (void)snprintf(f.script, sizeof f.script, "%s/hook", f.folder);
    f.spec = (struct rotate_spec){.variable = "KEY",
                                  .strategy = ROTATE_HOOK,
                                  .hook = argv,
                                  .bytes = 16,
                                  .encoding = ROTATE_HEX,
                                  .timeout_ms = PATIENCE_MS,
                                  .place = {.kind = ROTATE_IN_KV, .value_field = "key"}};
    f.context = (struct rotate_context){.owner = &f,
                                        .say = say,
                                        .folder = f.folder,
                                        .environment = environment,
                                        .deadline_ms = CLOCK_NEVER};
    f.r = (struct rotation){.spec = &f.spec,
                            .context = &f.context,
                            .store = &store_in_memory,
                            .result = &f.result,
                            .attempt = 1};
    *state = &f;
    return record_begin(&f.spec, &f.context, &f.r.record, &err);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;

    document_release(&f->r.current);
    document_release(&f->first);
    record_release(&f->r.record);
    buf_release(&f->said);
    rotate_result_release(&f->result);
    return file_remove_tree(f->folder, &err);
}

/* A shell script in which $step is the step; it notes each. */
static void hook_does(const struct fixture *f, const char *body)
{
    FILE *file = fopen(f->script, "we");
    assert_non_null(file);
    assert_true(fprintf(file,
                        "#!/bin/sh\ntold=$(cat)\nstep=${told#*\\\"step\\\":\\\"}\n"
                        "step=${step%%%%\\\"*}\necho \"$step\" >>steps\n%s\n",
                        body) > 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(f->script, 0755), 0);
}

static void assert_steps(const struct fixture *f, const char *wanted)
{
    AUTO_BUF steps = BUF_INIT(SAID_BYTES);
    AUTO_BUF path = BUF_INIT(PATH_BYTES + 8);
    struct err err = ERR_INIT;

    buf_addf(&path, "%s/steps", f->folder);
    assert_int_equal(file_read_all(buf_text(&path), &steps, &err), 0);
    assert_string_equal(buf_text(&steps), wanted);
}

/* ---- the tests ----------------------------------------------------------------------------------- */

static void what_create_hands_out_is_recorded_before_set(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;

    hook_does(f,
              "case $step in create) echo '{\"secret\": {\"key\": \"made-key\", \"id\": \"7\"}}';;"
              " set) exit 1;; esac");
    assert_int_equal(strategy_hook.set(&f->r, &err), -1);
    assert_steps(f, "create\nset\n");
    assert_int_equal(f->writes, 1);
    assert_string_equal(document_text(&f->first, "fields", "key"), "made-key");
    assert_string_equal(document_text(&f->first, "fields", "id"), "7");
    assert_string_equal(document_text(&f->first, "former", "key"), "former-key");

    err_clear(&err);
    hook_does(f, "");
    assert_int_equal(strategy_hook.set(&f->r, &err), 0);
    assert_steps(f, "create\nset\nset\n");
}

static void what_it_does_not_make_is_generated_and_recorded(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;

    hook_does(f, "exit 78");
    assert_int_equal(strategy_hook.set(&f->r, &err), 0);
    assert_int_equal(secret_length(record_field(&f->r.record, "key")), 32);
    assert_int_equal(f->writes, 1);
}

static void exit_codes_are_told_apart(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *body;
        int result;
        enum err_kind kind;
        const char *text;
    } table[] = {
        {"exit 0", 0, ERR_NONE, ""},
        {"exit 10", 0, ERR_NONE, ""},
        {"exit 78", 0, ERR_NONE, ""},
        {"echo '{\"message\": \"423 locked\"}'; exit 20", -1, ERR_SOURCE_DOWN, "later: 423 locked"},
        {"exit 20", -1, ERR_SOURCE_DOWN, "step 'test': it says try again later"},
        {"echo '{\"message\": \"401\"}'; exit 1", -1, ERR_SOURCE_DATA, "exit code 1: 401"},
        {"exit 127", -1, ERR_SOURCE_DATA, "exit code 127"},
        {"echo nonsense; exit 3", -1, ERR_SOURCE_DATA, "exit code 3"},
        {"echo '{\"other\": \"x\"}'", -1, ERR_SOURCE_DATA, "the member 'other'"},
        {"echo '{\"message\": 5}'", -1, ERR_SOURCE_DATA,
         "the member 'message', which is no string"},
        {"echo '{\"secret\": {}}'", -1, ERR_SOURCE_DATA, "the object 'secret'"},
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct err err = ERR_INIT;
        hook_does(f, table[i].body);
        assert_int_equal(strategy_hook.test(&f->r, &err), table[i].result);
        assert_int_equal(err.kind, table[i].kind);
        assert_text_has(err.text, table[i].text);
    }
}

static void a_former_that_could_not_be_ended_is_left_and_said(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;

    hook_does(f, "echo '{\"message\": \"in use\"}'; exit 1");
    assert_int_equal(strategy_hook.retire(&f->r, &err), -1);
    assert_int_equal(err.kind, ERR_VIOLATION);
    assert_text_has(err.text, "in use");
}

static void messages_are_shown_and_have_no_secret_in_them(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;

    hook_does(
        f, "case $step in create) echo '{\"secret\": {\"key\": \"shown-once-key\"}, \"message\": "
           "\"made shown-once-key for former-key\"}';; esac");
    assert_int_equal(strategy_hook.set(&f->r, &err), 0);
    assert_text_has(buf_text(&f->said), "create: made *** for ***\n");
}

static void parts_of_a_secret_are_hidden_too(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    struct secret key = secret_borrow("-----BEGIN KEY-----\nfirst-line-of-it\nlast-line-of-it\n",
                                      53);
    struct secret url = secret_borrow("redis://user:pass%2Fword-it@host:6379", 37);

    assert_int_equal(place_stage(&f->r, "key", &key, &err), 0);
    assert_int_equal(place_stage(&f->r, "url", &url, &err), 0);
    hook_does(f, "echo '{\"message\": \"last-line-of-it, pass/word-it, pass%2Fword-it\"}'");
    assert_int_equal(strategy_hook.test(&f->r, &err), 0);
    assert_text_has(buf_text(&f->said), "test: ***, ***, ***\n");
}

static void of_a_url_user_and_password_may_be_made(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;

    f->spec.place.value_is_url = true;
    assert_int_equal(
        document_set_text(&f->r.current, NULL, "key", "postgresql://a:b@host/db?x=y", &err), 0);
    hook_does(f, "case $step in create) echo '{\"secret\": {\"user\": \"new\", \"password\": "
                 "\"p@ss\"}}';; esac");
    assert_int_equal(strategy_hook.set(&f->r, &err), 0);
    assert_string_equal(secret_reveal(record_field(&f->r.record, "key")),
                        "postgresql://new:p%40ss@host/db?x=y");
    assert_null(record_field(&f->r.record, "password"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_create_hands_out_is_recorded_before_set),
        TEST(what_it_does_not_make_is_generated_and_recorded),
        TEST(exit_codes_are_told_apart),
        TEST(a_former_that_could_not_be_ended_is_left_and_said),
        TEST(messages_are_shown_and_have_no_secret_in_them),
        TEST(parts_of_a_secret_are_hidden_too),
        TEST(of_a_url_user_and_password_may_be_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
