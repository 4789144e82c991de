/* A rotation's record in the sealed store: check-and-set, what may be read, what stays. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "rotate/internal.h"
#include "vault/sealed.h"

static char folder[] = "/tmp/agent-test-rotate.XXXXXX";
static char *store_path, *key_path;
static struct err err;

static const struct rotate_spec spec = {
    .variable = "KEY",
    .strategy = ROTATE_RANDOM,
    .place = {.kind = ROTATE_IN_SEALED, .value_field = "KEY"},
};
static struct rotate_context context = {.by = "anna", .deadline_ms = CLOCK_NEVER};

/* One runner; each test may have several. */
struct runner {
    struct rotate_result result;
    struct rotation r;
};

static void start(struct runner *runner)
{
    *runner = (struct runner){
        .r = {.spec = &spec, .context = &context, .store = &store_sealed, .result = NULL}};
    runner->r.result = &runner->result;
    assert_int_equal(record_begin(&spec, &context, &runner->r.record, &err), 0);
    assert_int_equal(record_set_step(&runner->r.record, ROTATE_SET, &err), 0);
}

static void end(struct runner *runner)
{
    store_sealed.release(&runner->r);
    document_release(&runner->r.current);
    record_release(&runner->r.record);
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    store_path = file_join(folder, "sealed.json");
    key_path = file_join(folder, "keys/mine");
    context.sealed_path = store_path;
    return !store_path || !key_path || setenv("AGENT_SEALED_KEY_FILE", key_path, 1) != 0;
}

static int remove_folder(void **state)
{
    (void)state;
    free(store_path);
    free(key_path);
    return file_remove_tree(folder, &err);
}

static void set(struct sealed *store, const char *name, const char *value)
{
    struct secret bytes = secret_borrow(value, strlen(value));
    bool changed;

    assert_int_equal(sealed_set(store, name, &bytes, false, &changed, &err), 0);
}

/* A store with KEY, KEY_PREVIOUS and OTHER. */
static int make_store(void **state)
{
    char public_key[SEALED_PUBLIC_BYTES];
    struct sealed *store = NULL;
    bool made;

    (void)state;
    (void)unlink(store_path);
    err_clear(&err);
    assert_int_equal(sealed_key_make(key_path, public_key, &made, &err), 0);
    assert_int_equal(sealed_new(store_path, &store, &err), 0);
    assert_int_equal(sealed_add_recipient(store, "anna", public_key, &err), 0);
    assert_int_equal(sealed_rekey(store, &err), 0);
    set(store, "KEY", "the first key");
    set(store, "KEY_PREVIOUS", "the one before");
    set(store, "OTHER", "of another variable");
    assert_int_equal(sealed_save(store, &err), 0);
    sealed_free(store);
    return 0;
}

static struct sealed *unlocked(void)
{
    const struct sealed_access access = {0};
    struct sealed *store = NULL;

    assert_int_equal(sealed_load(store_path, &store, &err), 0);
    assert_int_equal(sealed_unlock(store, &access, &err), 0);
    return store;
}

static void assert_value(const char *name, const char *wanted)
{
    struct sealed *store = unlocked();
    AUTO_SECRET value = SECRET_INIT;

    assert_int_equal(sealed_get(store, name, &value, &err), 0);
    assert_string_equal(secret_reveal(&value), wanted);
    sealed_free(store);
}

static bool stands(const char *name)
{
    struct sealed *store = unlocked();
    bool has = sealed_has(store, name);

    sealed_free(store);
    return has;
}

static void write_elsewhere(const char *name, const char *value)
{
    struct sealed *store = unlocked();

    set(store, name, value);
    assert_int_equal(sealed_save(store, &err), 0);
    sealed_free(store);
}

static enum store_written create(struct runner *runner)
{
    enum store_written outcome = STORE_IN_DOUBT;

    assert_int_equal(store_sealed.create_record(&runner->r, &outcome, &err), 0);
    return outcome;
}

static enum store_written write_again(struct runner *runner)
{
    enum store_written outcome = STORE_IN_DOUBT;

    assert_int_equal(store_sealed.write_record(&runner->r, &outcome, &err), 0);
    return outcome;
}

/* ---- the record --------------------------------------------------------------------------------- */

static void a_record_is_made_once(void **state)
{
    struct runner first, second;

    (void)state;
    start(&first);
    start(&second);
    assert_int_equal(create(&first), STORE_WRITTEN);
    assert_int_equal(create(&second), STORE_CONFLICT);
    assert_int_equal(first.r.record.version, 1);
    end(&first);
    end(&second);
}

static void a_write_is_held_against_the_version_that_was_read(void **state)
{
    struct runner first, second;

    (void)state;
    start(&first);
    start(&second);
    assert_int_equal(create(&first), STORE_WRITTEN);
    assert_int_equal(store_sealed.read_record(&second.r, &err), 0);
    assert_true(second.r.record.open);
    assert_string_equal(record_id(&second.r.record), record_id(&first.r.record));
    assert_int_equal(write_again(&second), STORE_WRITTEN);
    assert_int_equal(second.r.record.version, 2);
    assert_int_equal(write_again(&first), STORE_CONFLICT);
    assert_int_equal(write_again(&second), STORE_WRITTEN);
    end(&first);
    end(&second);
}

static void only_ours_is_erased(void **state)
{
    struct runner first, second;

    (void)state;
    start(&first);
    start(&second);
    assert_int_equal(create(&first), STORE_WRITTEN);
    assert_int_equal(store_sealed.erase_record(&second.r, &err), 0);
    assert_true(stands("KEY.pending"));
    assert_int_equal(store_sealed.erase_record(&first.r, &err), 0);
    assert_false(stands("KEY.pending"));
    assert_int_equal(store_sealed.erase_record(&first.r, &err), 0);
    end(&first);
    end(&second);
}

static void garbage_is_left_alone_and_named(void **state)
{
    static const char *const texts[] = {"no JSON", "{}", "[1]", "{\"format\":99}",
                                        "{\"format\":1,\"id\":\"x\"}"};
    struct runner runner;

    (void)state;
    start(&runner);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        write_elsewhere("KEY.pending", texts[i]);
        assert_int_equal(store_sealed.read_record(&runner.r, &err), -1);
        assert_int_equal(err.kind, ERR_ROTATION);
        assert_text_has(err.text, "KEY.pending");
        assert_text_has(err.hint, i == 3 ? "later" : "Nothing was changed");
        assert_value("KEY.pending", texts[i]);
    }
    end(&runner);
}

/* ---- the values --------------------------------------------------------------------------------- */

static void what_the_rotation_has_no_business_with_stays_closed(void **state)
{
    struct runner runner;
    unsigned version = 0;

    (void)state;
    start(&runner);
    assert_int_equal(store_sealed.read_current(&runner.r, &runner.r.current, &version, &err), 0);
    assert_string_equal(document_text(&runner.r.current, NULL, "KEY"), "the first key");
    assert_string_equal(document_text(&runner.r.current, NULL, "KEY_PREVIOUS"), "the one before");
    assert_null(document_get(&runner.r.current, NULL, "OTHER"));
    end(&runner);
}

static enum store_written promote(struct runner *runner, const char *value)
{
    AUTO_DOCUMENT fields = DOCUMENT_INIT;
    enum store_written outcome = STORE_IN_DOUBT;

    assert_int_equal(document_set_text(&fields, NULL, "KEY", value, &err), 0);
    assert_int_equal(store_sealed.promote(&runner->r, &fields, 1, &outcome, &err), 0);
    return outcome;
}

static void read_current(struct runner *runner)
{
    unsigned version = 0;

    document_release(&runner->r.current);
    assert_int_equal(store_sealed.read_current(&runner->r, &runner->r.current, &version, &err), 0);
}

static void promote_is_held_against_the_values_that_were_read(void **state)
{
    struct runner runner;

    (void)state;
    start(&runner);
    read_current(&runner);
    write_elsewhere("OTHER", "changed meanwhile, and no affair of ours");
    assert_int_equal(promote(&runner, "the second"), STORE_WRITTEN);
    assert_value("KEY", "the second");
    assert_value("OTHER", "changed meanwhile, and no affair of ours");
    read_current(&runner);
    write_elsewhere("KEY", "changed by hand");
    assert_int_equal(promote(&runner, "the third"), STORE_CONFLICT);
    assert_value("KEY", "changed by hand");
    end(&runner);
}

static void the_first_value_is_made_where_there_is_none(void **state)
{
    struct sealed *store = unlocked();
    struct runner runner;

    (void)state;
    assert_int_equal(sealed_remove(store, "KEY", &err), 0);
    assert_int_equal(sealed_save(store, &err), 0);
    sealed_free(store);
    start(&runner);
    read_current(&runner);
    assert_int_equal(promote(&runner, "the first one"), STORE_WRITTEN);
    assert_value("KEY", "the first one");
    end(&runner);
}

/* ---- what stays --------------------------------------------------------------------------------- */

static void note(struct runner *runner, int number, const char *result)
{
    struct rotate_receipt receipt = {.at = "2026-11-26T01:02:03Z",
                                     .by = "anna",
                                     .strategy = "random",
                                     .duration_ms = 1000 + number};

    (void)snprintf(receipt.id, sizeof(receipt.id), "id-%d", number);
    (void)snprintf(receipt.result, sizeof(receipt.result), "%s", result);
    assert_int_equal(store_sealed.note_done(&runner->r, &receipt, &err), 0);
}

static size_t history(struct runner *runner, size_t most, struct rotate_receipt **out)
{
    size_t count = 0;

    assert_int_equal(store_sealed.history(&runner->r, most, out, &count, &err), 0);
    return count;
}

static void fifty_receipts_are_kept_and_none_twice(void **state)
{
    struct rotate_receipt *receipts = NULL;
    struct runner runner;

    (void)state;
    start(&runner);
    for (int number = 1; number <= ROTATE_RECEIPTS_KEPT + 2; number++) {
        note(&runner, number, "done");
        note(&runner, number, "done"); /* a crash lay between, and it was resumed */
    }
    assert_int_equal(history(&runner, SIZE_MAX, &receipts), ROTATE_RECEIPTS_KEPT);
    assert_string_equal(receipts[0].id, "id-52");
    assert_string_equal(receipts[ROTATE_RECEIPTS_KEPT - 1].id, "id-3");
    assert_int_equal(receipts[0].duration_ms, 1052);
    free(receipts);
    assert_int_equal(history(&runner, 1, &receipts), 1);
    assert_string_equal(receipts[0].id, "id-52");
    free(receipts);
    end(&runner);
}

static void look(struct rotate_status *out)
{
    const struct rotate_spec *specs[] = {&spec};
    struct rotate_status *const list[] = {out};

    *out = (struct rotate_status){.state = ROTATE_STATE_UNKNOWN};
    assert_int_equal(store_sealed.look(specs, list, 1, &context, &err), 0);
}

static void what_was_undone_makes_nothing_younger(void **state)
{
    struct rotate_status status;
    struct runner runner;

    (void)state;
    start(&runner);
    note(&runner, 1, "aborted");
    look(&status);
    assert_int_equal(status.last_rotated, 0);
    note(&runner, 2, "done");
    note(&runner, 3, "rolled back");
    look(&status);
    assert_int_equal(status.last_rotated, 1795654923);
    end(&runner);
}

static void what_is_open_is_seen(void **state)
{
    struct rotate_status status;
    struct runner runner;

    (void)state;
    start(&runner);
    assert_int_equal(create(&runner), STORE_WRITTEN);
    look(&status);
    assert_int_equal(status.state, ROTATE_STATE_OPEN);
    assert_int_equal(status.step, ROTATE_SET);
    assert_string_equal(status.by, "anna");
    write_elsewhere("KEY.pending", "garbage");
    look(&status);
    assert_int_equal(status.state, ROTATE_STATE_OPEN);
    assert_int_equal(status.err.kind, ERR_ROTATION);
    end(&runner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_record_is_made_once, make_store),
        cmocka_unit_test_setup(a_write_is_held_against_the_version_that_was_read, make_store),
        cmocka_unit_test_setup(only_ours_is_erased, make_store),
        cmocka_unit_test_setup(garbage_is_left_alone_and_named, make_store),
        cmocka_unit_test_setup(what_the_rotation_has_no_business_with_stays_closed, make_store),
        cmocka_unit_test_setup(promote_is_held_against_the_values_that_were_read, make_store),
        cmocka_unit_test_setup(the_first_value_is_made_where_there_is_none, make_store),
        cmocka_unit_test_setup(fifty_receipts_are_kept_and_none_twice, make_store),
        cmocka_unit_test_setup(what_was_undone_makes_nothing_younger, make_store),
        cmocka_unit_test_setup(what_is_open_is_seen, make_store),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
