/* tests/unit/rotate_random.c: what random and manual write into the record, and what is kept of former values. */
#include "tests/lib/unit.h"

#include <string.h>

#include "rotate/place.h"

enum { SAID_BYTES = 4 * 1024 };

struct fixture {
    struct rotate_spec spec;
    struct rotate_context context;
    struct rotate_result result;
    struct rotation r;
    struct buf said;
    const char *typed; /* by a person */
};

static void say(void *owner, const struct rotate_spec *spec, const char *text)
{
    (void)spec;
    buf_adds(&((struct fixture *)owner)->said, text);
}

static int ask(void *owner, const struct rotate_spec *spec, struct secret *out, struct err *err)
{
    const char *typed = ((struct fixture *)owner)->typed;

    (void)spec;
    return secret_set(out, typed, strlen(typed), err);
}

static int set_up(void **state)
{
    static struct fixture f;
    struct err err = ERR_INIT;

    f = (struct fixture){.said = BUF_INIT(SAID_BYTES),
                         .result = {.warnings = BUF_INIT(SAID_BYTES)}};
    f.spec = (struct rotate_spec){.variable = "KEY",
                                  .strategy = ROTATE_RANDOM,
                                  .bytes = 16,
                                  .encoding = ROTATE_HEX,
                                  .place = {.kind = ROTATE_IN_KV, .value_field = "key"}};
    f.context = (struct rotate_context){
        .owner = &f, .say = say, .ask_value = ask, .deadline_ms = CLOCK_NEVER};
    f.r = (struct rotation){.spec = &f.spec, .context = &f.context, .result = &f.result};
    *state = &f;
    return record_begin(&f.spec, &f.context, &f.r.record, &err);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    document_release(&f->r.current);
    record_release(&f->r.record);
    buf_release(&f->said);
    rotate_result_release(&f->result);
    return 0;
}

static void current_is(struct fixture *f, const char *name, const char *text)
{
    struct err err = ERR_INIT;
    assert_int_equal(document_set_text(&f->r.current, NULL, name, text, &err), 0);
}

static const char *text_of(const struct secret *value)
{
    assert_non_null(value);
    return secret_reveal(value);
}

static void staged(struct fixture *f, const struct strategy *strategy)
{
    struct err err = ERR_INIT;
    if (strategy->stage(&f->r, &err) != 0)
        fail_msg("%s", err.text);
}

static void not_staged(struct fixture *f, const struct strategy *strategy, enum err_kind kind,
                       const char *text)
{
    struct err err = ERR_INIT;
    assert_int_equal(strategy->stage(&f->r, &err), -1);
    assert_int_equal(err.kind, kind);
    assert_text_has(err.text, text);
}

/* ---- random -------------------------------------------------------------------------------------- */

static void a_value_is_staged_with_its_former(void **state)
{
    struct fixture *f = *state;

    current_is(f, "key", "former");
    current_is(f, "other", "stays");
    staged(f, &strategy_random);
    assert_int_equal(secret_length(record_field(&f->r.record, "key")), 32);
    assert_string_equal(text_of(record_former(&f->r.record, "key")), "former");
    assert_null(record_field(&f->r.record, "other"));
    assert_null(record_field(&f->r.record, "KEY_PREVIOUS"));
}

static void the_first_value_has_no_former(void **state)
{
    struct fixture *f = *state;

    f->spec.keep = 1;
    staged(f, &strategy_random);
    assert_non_null(record_field(&f->r.record, "key"));
    assert_null(record_former(&f->r.record, "key"));
    assert_null(record_field(&f->r.record, "KEY_PREVIOUS"));
}

static void kept_values_are_a_list_with_the_newest_first(void **state)
{
    struct fixture *f = *state;
    static const struct {
        size_t keep;
        const char *separator, *earlier, *published;
    } table[] = {
        {1, NULL, NULL, "former"},
        {1, NULL, "b,c", "former"},
        {2, NULL, NULL, "former"},
        {2, NULL, "b,c", "former,b"},
        {3, NULL, "b,c", "former,b,c"},
        {3, NULL, "b,c,d,e", "former,b,c"},
        {3, " | ", "b | c | d", "former | b | c"},
        {4, NULL, ",b,,c,", "former,b,c"},
        {9, "", "b", "former,b"},
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        f->spec.keep = table[i].keep;
        f->spec.separator = table[i].separator;
        document_release(&f->r.current);
        current_is(f, "key", "former");
        if (table[i].earlier)
            current_is(f, "KEY_PREVIOUS", table[i].earlier);
        staged(f, &strategy_random);
        assert_string_equal(text_of(record_field(&f->r.record, "KEY_PREVIOUS")),
                            table[i].published);
    }
}

static void a_value_with_the_separator_in_it_is_no_item_of_a_list(void **state)
{
    struct fixture *f = *state;

    f->spec.keep = 2;
    current_is(f, "key", "for,mer");
    not_staged(f, &strategy_random, ERR_CONTRACT, "has the separator ',' in it");
    f->spec.keep = 1;
    staged(f, &strategy_random);
    assert_string_equal(text_of(record_field(&f->r.record, "KEY_PREVIOUS")), "for,mer");
}

static void a_rollback_publishes_what_was_published_or_else_the_withdrawn_value(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;

    f->spec.keep = 1;
    current_is(f, "key", "former");
    staged(f, &strategy_random);
    assert_null(record_former(&f->r.record, "KEY_PREVIOUS"));
    assert_int_equal(strategy_random.rollback(&f->r, &err), 0);
    assert_string_equal(text_of(record_former(&f->r.record, "KEY_PREVIOUS")),
                        text_of(record_field(&f->r.record, "key")));

    current_is(f, "KEY_PREVIOUS", "earlier");
    staged(f, &strategy_random);
    assert_int_equal(strategy_random.rollback(&f->r, &err), 0);
    assert_string_equal(text_of(record_former(&f->r.record, "KEY_PREVIOUS")), "earlier");
}

static void of_a_url_the_password_is_generated(void **state)
{
    struct fixture *f = *state;

    f->spec.place.value_is_url = true;
    not_staged(f, &strategy_random, ERR_CONTRACT, "has none yet");
    current_is(f, "key", "redis://user:former@host:6379/0");
    staged(f, &strategy_random);
    const char *url = text_of(record_field(&f->r.record, "key"));
    assert_int_equal(strncmp(url, "redis://user:", 13), 0);
    assert_string_equal(url + 13 + 32, "@host:6379/0");
    assert_text_lacks(url, "former");
}

static void of_a_composed_value_the_password_is_generated(void **state)
{
    struct fixture *f = *state;

    f->spec.place = (struct rotate_place){
        .kind = ROTATE_IN_KV, .user_field = "user", .password_field = "password"};
    current_is(f, "user", "app");
    current_is(f, "password", "former");
    staged(f, &strategy_random);
    assert_null(record_field(&f->r.record, "user"));
    assert_int_equal(secret_length(record_field(&f->r.record, "password")), 32);
}

/* ---- manual -------------------------------------------------------------------------------------- */

static void what_a_person_made_is_staged(void **state)
{
    struct fixture *f = *state;

    current_is(f, "key", "former");
    f->typed = "made";
    staged(f, &strategy_manual);
    assert_string_equal(text_of(record_field(&f->r.record, "key")), "made");
    assert_string_equal(text_of(record_former(&f->r.record, "key")), "former");
}

static void what_is_no_new_value_is_refused(void **state)
{
    struct fixture *f = *state;

    current_is(f, "key", "former");
    f->typed = "";
    not_staged(f, &strategy_manual, ERR_USAGE, "no value was given");
    f->typed = "former";
    not_staged(f, &strategy_manual, ERR_VIOLATION, "its present value");
    assert_null(record_field(&f->r.record, "key"));
}

static void what_is_left_to_a_person_is_said(void **state)
{
    static const char *const steps[] = {"make a key", "delete the old key", NULL};
    struct fixture *f = *state;
    struct err err = ERR_INIT;

    f->spec.steps = steps;
    assert_int_equal(strategy_manual.retire(&f->r, &err), 0);
    assert_text_has(buf_text(&f->said), "by hand");
    assert_text_has(buf_text(&f->said), "delete the old key");
    assert_int_equal(f->result.warnings.len, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_value_is_staged_with_its_former),
        TEST(the_first_value_has_no_former),
        TEST(kept_values_are_a_list_with_the_newest_first),
        TEST(a_value_with_the_separator_in_it_is_no_item_of_a_list),
        TEST(a_rollback_publishes_what_was_published_or_else_the_withdrawn_value),
        TEST(of_a_url_the_password_is_generated),
        TEST(of_a_composed_value_the_password_is_generated),
        TEST(what_a_person_made_is_staged),
        TEST(what_is_no_new_value_is_refused),
        TEST(what_is_left_to_a_person_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
