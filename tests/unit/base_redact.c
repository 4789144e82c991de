/* tests/unit/base_redact.c: secrets taken out of texts, in the shapes in which they turn up. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/redact.h"
#include "base/redact_stream.h"
#include "base/str.h"

enum { OUT_BYTES = 4096 };

static void learn(const char *value)
{
    struct secret s = secret_borrow(value, strlen(value));
    struct err err = ERR_INIT;
    if (redact_register(&s, &err) != 0)
        fail_msg("%s", err.text);
}

static void assert_redacted(const char *text, const char *expected)
{
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    redact_add(&out, text, strlen(text));
    assert_string_equal(buf_text(&out), expected);
}

static void a_text_without_secrets_stays(void **state)
{
    (void)state;
    learn("canary-one");
    assert_redacted("", "");
    assert_redacted("nothing in here", "nothing in here");
    assert_redacted("canary-on", "canary-on");
}

static void a_value_is_replaced_wherever_it_stands(void **state)
{
    (void)state;
    learn("canary-one");
    assert_redacted("canary-one", "***");
    assert_redacted("a canary-one b canary-one", "a *** b ***");
    assert_redacted("canary-onecanary-one.", "******.");
    assert_redacted("canary-canary-one", "canary-***");
}

static void its_encoded_forms_are_replaced_too(void **state)
{
    (void)state;
    static const char value[] = "p@ss/w\"rd\n\x01"
                                "9";
    learn(value);
    AUTO_BUF text = BUF_INIT(OUT_BYTES);
    str_add_percent(&text, value, strlen(value));
    buf_addc(&text, ' ');
    str_add_base64(&text, value, strlen(value));
    buf_addc(&text, ' ');
    str_add_json(&text, value, strlen(value));
    buf_addc(&text, ' ');
    str_add_sanitised(&text, value, strlen(value));
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    redact_add(&out, text.data, text.len);
    assert_text_lacks(buf_text(&out), "ss");
    assert_text_lacks(buf_text(&out), "rd");
    assert_text_has(buf_text(&out), "\"***\" ***"); /* JSON's quotes stay */
}

static void base64_is_found_without_its_padding(void **state)
{
    (void)state;
    static const char value[] = "canary-4";
    learn(value);
    assert_redacted("Y2FuYXJ5LTQ=", "***=");
    assert_redacted("Y2FuYXJ5LTQ.x", "***.x");
}

static void the_longer_of_two_that_start_alike_is_taken(void **state)
{
    (void)state;
    learn("prefix-of");
    learn("prefix-of-a-longer-one");
    assert_redacted("<prefix-of-a-longer-one>", "<***>");
    assert_redacted("<prefix-of-a>", "<***-a>");
}

static void nothing_of_two_that_overlap_is_left(void **state)
{
    (void)state;
    learn("abcdef-overlap");
    learn("overlap-ghijkl");
    assert_redacted("<abcdef-overlap-ghijkl>", "<***>");
}

static void short_and_unset_values_are_not_registered(void **state)
{
    (void)state;
    learn("short");
    learn("");
    struct secret none = SECRET_INIT;
    struct err err = ERR_INIT;
    assert_int_equal(redact_register(&none, &err), 0);
    assert_redacted("a short text", "a short text");
}

static void bytes_behind_a_nul_are_looked_at(void **state)
{
    (void)state;
    learn("canary-one");
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    redact_add(&out, "\0canary-one\0", 12);
    assert_int_equal(out.len, 5);
    assert_memory_equal(out.data, "\0***\0", 5);
}

static void a_value_that_ends_is_replaced_for_good(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct secret ends = SECRET_INIT;
    assert_int_equal(secret_set(&ends, "canary-that-ends", 16, &err), 0);
    assert_int_equal(redact_register(&ends, &err), 0);
    secret_release(&ends);
    AUTO_SECRET other = SECRET_INIT; /* has its bytes now */
    assert_int_equal(secret_set(&other, "something else..", 16, &err), 0);
    assert_redacted("<canary-that-ends>", "<***>");
    assert_redacted("<something else..>", "<something else..>");
}

static void what_is_registered_can_be_hidden_in_a_stream(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    size_t before = redact_short_count();
    learn("canary-in-a-stream");
    learn("short");
    assert_int_equal(redact_short_count(), before + 1);
    struct redact_set *set = redact_set_new(&err);
    assert_non_null(set);
    assert_int_equal(redact_add_known(set, &err), 0);
    assert_int_equal(redact_set_close(set, &err), 0);
    struct redact_stream s;
    assert_int_equal(redact_stream_init(&s, set, OUT_BYTES, &err), 0);
    size_t room;
    memcpy(redact_stream_room(&s, &room), "a canary-in-a-stream short", 26);
    redact_stream_take(&s, 26, &out);
    redact_stream_flush(&s, &out);
    assert_string_equal(buf_text(&out), "a *** short");
    redact_stream_release(&s);
    redact_set_free(set);
}

static int count_one(void *context, const struct secret *value)
{
    (void)value;
    ++*(size_t *)context;
    return 0;
}

static size_t forget(uint64_t before, size_t keep)
{
    struct err err = ERR_INIT;
    size_t count = 0;
    if (redact_forget(before, keep, &count, &err) != 0)
        fail_msg("%s", err.text);
    return count;
}

static void what_was_not_learnt_again_is_forgotten_and_shown_again(void **state)
{
    (void)state;
    learn("canary-of-the-start");
    redact_next_age();
    learn("canary-former");
    learn("canary-that-stays");
    redact_next_age();
    learn("canary-that-stays");
    learn("canary-new");
    assert_redacted("canary-former Y2FuYXJ5LWZvcm1lcg==", "*** ***==");
    assert_int_equal(forget(redact_age(), 0), 1);
    assert_redacted("canary-former Y2FuYXJ5LWZvcm1lcg==", "canary-former Y2FuYXJ5LWZvcm1lcg==");
    assert_redacted("canary-of-the-start canary-that-stays canary-new", "*** *** ***");
    assert_int_equal(forget(redact_age(), 0), 0);
}

static void the_youngest_can_be_kept(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        char value[] = "canary-number-0";
        value[sizeof value - 2] = (char)('0' + i);
        redact_next_age();
        learn(value);
    }
    redact_next_age();
    learn("canary-now");
    forget(redact_age(), 2);
    assert_redacted("canary-number-0 canary-number-3", "canary-number-0 canary-number-3");
    assert_redacted("canary-number-4 canary-number-5 canary-now", "*** *** ***");
    forget(redact_age(), 0);
}

/* A value that is another's encoded form too stays hidden when that one goes. */
static void others_keep_the_forms_that_they_share(void **state)
{
    (void)state;
    redact_next_age();
    learn("canary/shared");
    redact_next_age();
    learn("canary%2Fshared");
    assert_true(forget(redact_age(), 0) > 0);
    assert_redacted("canary/shared canary%2Fshared", "canary/shared ***");
}

/* As many changes as there are in years, and no more memory than one takes. */
static void a_thousand_changes_take_no_more_room_than_one(void **state)
{
    (void)state;
    size_t most = 0;
    for (int i = 0; i < 1000; i++) {
        char value[32];
        (void)snprintf(value, sizeof value, "canary-change-%d", i);
        redact_next_age();
        learn(value);
        (void)forget(redact_age(), 0);
        size_t count = 0;
        (void)redact_each(count_one, &count);
        most = i == 0 ? count : most;
        assert_true(count <= most);
        assert_redacted(value, "***");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_without_secrets_stays),
        cmocka_unit_test(a_value_is_replaced_wherever_it_stands),
        cmocka_unit_test(its_encoded_forms_are_replaced_too),
        cmocka_unit_test(base64_is_found_without_its_padding),
        cmocka_unit_test(the_longer_of_two_that_start_alike_is_taken),
        cmocka_unit_test(nothing_of_two_that_overlap_is_left),
        cmocka_unit_test(short_and_unset_values_are_not_registered),
        cmocka_unit_test(bytes_behind_a_nul_are_looked_at),
        cmocka_unit_test(a_value_that_ends_is_replaced_for_good),
        cmocka_unit_test(what_is_registered_can_be_hidden_in_a_stream),
        cmocka_unit_test(what_was_not_learnt_again_is_forgotten_and_shown_again),
        cmocka_unit_test(the_youngest_can_be_kept),
        cmocka_unit_test(others_keep_the_forms_that_they_share),
        cmocka_unit_test(a_thousand_changes_take_no_more_room_than_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
