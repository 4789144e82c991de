/* tests/unit/base_redact_stream.c: secrets in a stream, whatever the pieces it comes in. */
#include "tests/lib/unit.h"

#include <string.h>

#include "base/mem.h"
#include "base/redact.h"
#include "base/redact_forms.h"
#include "base/redact_stream.h"

enum {
    OUT_BYTES = 1024 * 1024,
    ROOM_BYTES = 4096,
    PATTERNS_MAX = 4096,
    TEXT_BYTES = 2000,
    ROUNDS = 300,
    SPLITS = 6,
};

static struct redact_set *new_set(const struct secret *values, size_t count)
{
    struct err err = ERR_INIT;
    struct redact_set *set = redact_set_new(&err);
    assert_non_null(set);
    for (size_t i = 0; i < count; i++)
        if (redact_set_add(set, &values[i], &err) != 0)
            fail_msg("%s", err.text);
    if (redact_set_close(set, &err) != 0)
        fail_msg("%s", err.text);
    return set;
}

static struct redact_set *set_of(const char *const *texts)
{
    struct secret values[16];
    size_t count = 0;
    for (; texts[count]; count++)
        values[count] = secret_borrow(texts[count], strlen(texts[count]));
    return new_set(values, count);
}

static void start(struct redact_stream *s, const struct redact_set *set)
{
    struct err err = ERR_INIT;
    if (redact_stream_init(s, set, ROOM_BYTES, &err) != 0)
        fail_msg("%s", err.text);
}

static void feed(struct redact_stream *s, const char *bytes, size_t length, struct buf *out)
{
    while (length > 0) {
        size_t room;
        char *to = redact_stream_room(s, &room);
        assert_true(room >= ROOM_BYTES);
        size_t piece = length < room ? length : room;
        memcpy(to, bytes, piece);
        redact_stream_take(s, piece, out);
        bytes += piece;
        length -= piece;
    }
}

/* PIECES are written one after another, and the stream ends. */
static void assert_becomes(const char *const *values, const char *const *pieces,
                           const char *expected)
{
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    struct redact_set *set = set_of(values);
    struct redact_stream s;
    start(&s, set);
    for (; *pieces; pieces++)
        feed(&s, *pieces, strlen(*pieces), &out);
    redact_stream_flush(&s, &out);
    assert_string_equal(buf_text(&out), expected);
    redact_stream_release(&s);
    redact_set_free(set);
}

#define VALUES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define PIECES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void a_value_is_hidden_in_one_piece_and_in_many(void **state)
{
    (void)state;
    assert_becomes(VALUES("canary-one"), PIECES("x canary-one y\n"), "x *** y\n");
    assert_becomes(VALUES("canary-one"), PIECES("x can", "ary-", "one y\n"), "x *** y\n");
    assert_becomes(VALUES("canary-one"), PIECES("c", "a", "n", "a", "r", "y", "-", "o", "n", "e"),
                   "***");
    assert_becomes(VALUES("canary-one"), PIECES("canary-on", "canary-", "one"), "canary-on***");
}

static void a_beginning_that_goes_on_otherwise_is_put_out(void **state)
{
    (void)state;
    assert_becomes(VALUES("canary-one"), PIECES("canary-", "two\n"), "canary-two\n");
    assert_becomes(VALUES("canary-one"), PIECES("canary-on"), "canary-on");
}

static void overlapping_values_become_one_and_touching_ones_two(void **state)
{
    (void)state;
    assert_becomes(VALUES("abcdefgh", "efghijkl"), PIECES("-abcdefghijkl-"), "-***-");
    assert_becomes(VALUES("abcdefgh", "ijklmnop"), PIECES("-abcdefghijklmnop-"), "-******-");
    assert_becomes(VALUES("abcdefgh", "bcdefg"), PIECES("-abcdefgh-bcdefg-"), "-***-***-");
    assert_becomes(VALUES("abcdefghijkl", "efghij"), PIECES("abcdefghij", "k!"), "abcd***k!");
    assert_becomes(VALUES("aaaaaa"), PIECES("aaaaaaaaaaaa", "aaa", "b"), "***b");
}

/* The whole line is put out while the next line may yet become a secret. */
static void only_what_may_begin_a_secret_is_held(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    struct redact_set *set = set_of(VALUES("canary-one"));
    struct redact_stream s;
    start(&s, set);
    feed(&s, "a line\n", 7, &out);
    assert_string_equal(buf_text(&out), "a line\n");
    assert_false(redact_stream_is_holding(&s));
    feed(&s, "see can", 7, &out);
    assert_string_equal(buf_text(&out), "a line\nsee ");
    assert_true(redact_stream_is_holding(&s));
    redact_stream_flush(&s, &out);
    assert_string_equal(buf_text(&out), "a line\nsee can");
    assert_false(redact_stream_is_holding(&s));
    redact_stream_release(&s);
    redact_set_free(set);
}

static void what_comes_after_a_flush_is_still_hidden(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    struct redact_set *set = set_of(VALUES("canary-one"));
    struct redact_stream s;
    start(&s, set);
    feed(&s, "canary", 6, &out);
    redact_stream_flush(&s, &out);
    feed(&s, "-one.\n", 6, &out);
    assert_string_equal(buf_text(&out), "canary***.\n");
    redact_stream_release(&s);
    redact_set_free(set);
}

static void a_long_value_is_hidden_as_one_and_in_part(void **state)
{
    (void)state;
    enum { LONG_BYTES = 5000 };
    char value[LONG_BYTES + 1] = {0};
    for (size_t i = 0; i < LONG_BYTES; i++)
        value[i] = (char)('a' + (i * 7 + i / 26) % 26);
    assert_becomes(VALUES(value), PIECES("<", value, ">"), "<***>");
    char part[REDACT_PATTERN_BYTES + 1] = {0};
    memcpy(part, value, REDACT_PATTERN_BYTES);
    assert_becomes(VALUES(value), PIECES("<", part, ">"), "<***>");
}

static void another_set_takes_over_with_what_is_held(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    struct redact_set *before = set_of(VALUES("former-one"));
    struct redact_set *after = set_of(VALUES("canary-two", "form-of-it"));
    struct redact_stream s;
    start(&s, before);
    feed(&s, "former-one canary-two form", 26, &out);
    assert_string_equal(buf_text(&out), "*** canary-two ");
    redact_stream_use(&s, after, &out);
    redact_set_free(before);
    assert_string_equal(buf_text(&out), "*** canary-two ");
    feed(&s, "-of-it canary-two", 17, &out);
    redact_stream_flush(&s, &out);
    assert_string_equal(buf_text(&out), "*** canary-two *** ***");
    redact_stream_release(&s);
    redact_set_free(after);
}

/* A match that waits for a longer one is hidden by the set that found it. */
static void what_was_found_stays_hidden_under_another_set(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUT_BYTES);
    struct redact_set *before = set_of(VALUES("former-one", "xformer-one-and-more"));
    struct redact_set *after = set_of(VALUES("canary-two"));
    struct redact_stream s;
    start(&s, before);
    feed(&s, "xformer-one", 11, &out);
    assert_string_equal(buf_text(&out), "");
    redact_stream_use(&s, after, &out);
    redact_set_free(before);
    redact_stream_flush(&s, &out);
    assert_string_equal(buf_text(&out), "x***");
    redact_stream_release(&s);
    redact_set_free(after);
}

/* ---- against a reference that is too simple to be wrong ------------------------------------------ */

static uint32_t seed;

static uint32_t below(uint32_t bound)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % bound;
}

struct patterns {
    char *list[PATTERNS_MAX];
    size_t lengths[PATTERNS_MAX], count;
};

static int collect(void *owner, const char *form, size_t length, struct err *err)
{
    struct patterns *p = owner;
    (void)err;
    if (length < REDACT_MIN_BYTES || length > REDACT_PATTERN_BYTES)
        return 0;
    assert_true(p->count < PATTERNS_MAX);
    p->list[p->count] = mem_dup_n(form, length);
    assert_non_null(p->list[p->count]);
    p->lengths[p->count++] = length;
    return 0;
}

/* Every pattern at every place: HIDES says of each byte whether it is in one, JOINS whether one has it
 * and the byte before it. */
static void reference(const struct patterns *p, const char *text, size_t length, struct buf *out)
{
    bool hides[TEXT_BYTES] = {false}, joins[TEXT_BYTES] = {false};
    for (size_t at = 0; at < length; at++)
        for (size_t i = 0; i < p->count; i++) {
            if (p->lengths[i] > length - at || memcmp(text + at, p->list[i], p->lengths[i]) != 0)
                continue;
            for (size_t k = 0; k < p->lengths[i]; k++) {
                hides[at + k] = true;
                joins[at + k] = joins[at + k] || k > 0;
            }
        }
    for (size_t at = 0; at < length; at++) {
        if (!hides[at])
            buf_addc(out, text[at]);
        else if (!joins[at])
            buf_adds(out, "***");
    }
}

/* A text of pieces of patterns and of noise out of few letters, so that beginnings are everywhere. */
static size_t make_text(const struct patterns *p, unsigned letters, char text[static TEXT_BYTES])
{
    size_t length = 0, wanted = 1 + below(TEXT_BYTES - 1);
    while (length < wanted) {
        if (p->count > 0 && below(3) > 0) {
            size_t which = below((uint32_t)p->count);
            size_t from = below(4) ? 0 : below((uint32_t)p->lengths[which]);
            size_t end = below(3) ? p->lengths[which]
                                  : from + below((uint32_t)(p->lengths[which] - from + 1));
            for (size_t k = from; k < end && length < wanted; k++)
                text[length++] = p->list[which][k];
        } else {
            text[length++] = (char)(letters == 256 ? below(256) : 'a' + below(letters));
        }
    }
    return length;
}

static void run_round(void)
{
    char bytes[8][40];
    struct secret values[8];
    static struct patterns p;
    struct err err = ERR_INIT;
    unsigned letters = (unsigned[]){1, 2, 3, 26, 256}[below(5)];
    size_t count = 1 + below(8);

    p.count = 0;
    for (size_t i = 0; i < count; i++) {
        size_t length = below(sizeof bytes[0] - 1);
        for (size_t k = 0; k < length; k++)
            bytes[i][k] = (char)(letters == 256 ? 1 + below(255) : 'a' + below(letters));
        bytes[i][length] = '\0';
        values[i] = secret_borrow(bytes[i], length);
        if (length >= REDACT_MIN_BYTES)
            assert_int_equal(redact_each_form(bytes[i], length, collect, &p, &err), 0);
    }
    struct redact_set *set = new_set(values, count);
    static char text[TEXT_BYTES];
    size_t length = make_text(&p, letters, text);
    AUTO_BUF expected = BUF_INIT(OUT_BYTES);
    reference(&p, text, length, &expected);
    for (int split = 0; split < SPLITS; split++) {
        AUTO_BUF out = BUF_INIT(OUT_BYTES);
        struct redact_stream s;
        uint32_t longest = (uint32_t[]){1, 2, 7, 50, 500, TEXT_BYTES}[split];
        start(&s, set);
        for (size_t at = 0; at < length;) {
            size_t piece = 1 + below(longest);
            piece = piece < length - at ? piece : length - at;
            feed(&s, text + at, piece, &out);
            at += piece;
        }
        redact_stream_flush(&s, &out);
        assert_int_equal(out.len, expected.len);
        assert_memory_equal(buf_text(&out), buf_text(&expected), out.len);
        redact_stream_release(&s);
    }
    redact_set_free(set);
    for (size_t i = 0; i < p.count; i++)
        free(p.list[i]);
}

static void any_splits_give_what_the_reference_gives(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        seed = round;
        run_round();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_hidden_in_one_piece_and_in_many),
        cmocka_unit_test(a_beginning_that_goes_on_otherwise_is_put_out),
        cmocka_unit_test(overlapping_values_become_one_and_touching_ones_two),
        cmocka_unit_test(only_what_may_begin_a_secret_is_held),
        cmocka_unit_test(what_comes_after_a_flush_is_still_hidden),
        cmocka_unit_test(a_long_value_is_hidden_as_one_and_in_part),
        cmocka_unit_test(another_set_takes_over_with_what_is_held),
        cmocka_unit_test(what_was_found_stays_hidden_under_another_set),
        cmocka_unit_test(any_splits_give_what_the_reference_gives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
