/* tests/unit/rotate_generate.c: what is generated has the shape, the length and the randomness asked for. */
#include "tests/lib/unit.h"

#include <string.h>

#include "rotate/generate.h"

enum { DRAWS = 4000, LENGTH = 64 };

static struct rotate_spec spec_of(size_t bytes, enum rotate_encoding encoding, size_t length,
                                  const char *alphabet)
{
    return (struct rotate_spec){.variable = "SESSION_KEY",
                                .strategy = ROTATE_RANDOM,
                                .bytes = bytes,
                                .encoding = encoding,
                                .length = length,
                                .alphabet = alphabet};
}

static void generated(const struct rotate_spec *spec, struct secret *out)
{
    struct err err = ERR_INIT;
    if (generate_value(spec, out, &err) != 0)
        fail_msg("%s", err.text);
}

static void assert_made_of(const struct secret *value, const char *characters)
{
    assert_int_equal(strspn(secret_reveal(value), characters), secret_length(value));
}

static void refused(const struct rotate_spec *spec, const char *text, const char *hint)
{
    struct err err = ERR_INIT;
    AUTO_SECRET value = SECRET_INIT;

    assert_int_equal(generate_value(spec, &value, &err), -1);
    assert_int_equal(err.kind, ERR_CONTRACT);
    assert_false(secret_is_set(&value));
    assert_text_has(err.text, "SESSION_KEY");
    assert_text_has(err.text, text);
    assert_text_has(err.hint, hint);
}

#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static void bytes_are_encoded_as_the_contract_says(void **state)
{
    (void)state;
    static const struct {
        enum rotate_encoding encoding;
        size_t bytes, characters;
        const char *alphabet;
    } table[] = {
        {ROTATE_BASE64, 48, 64, ALNUM "+/"},      {ROTATE_BASE64, 32, 44, ALNUM "+/="},
        {ROTATE_BASE64URL, 32, 43, ALNUM "-_"},   {ROTATE_BASE64URL, 16, 22, ALNUM "-_"},
        {ROTATE_HEX, 16, 32, "0123456789abcdef"}, {ROTATE_HEX, 33, 66, "0123456789abcdef"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct rotate_spec spec = spec_of(table[i].bytes, table[i].encoding, 0, NULL);
        AUTO_SECRET value = SECRET_INIT;
        generated(&spec, &value);
        assert_int_equal(secret_length(&value), table[i].characters);
        assert_made_of(&value, table[i].alphabet);
    }
}

static void nothing_said_is_32_bytes(void **state)
{
    (void)state;
    struct rotate_spec spec = spec_of(0, ROTATE_HEX, 0, NULL);
    AUTO_SECRET value = SECRET_INIT;

    generated(&spec, &value);
    assert_int_equal(secret_length(&value), 64);
}

static void every_hex_digit_stands_for_its_four_bits(void **state)
{
    (void)state;
    struct rotate_spec spec = spec_of(4096, ROTATE_HEX, 0, NULL);
    AUTO_SECRET value = SECRET_INIT;

    generated(&spec, &value);
    for (const char *digit = "0123456789abcdef"; *digit; digit++)
        assert_non_null(strchr(secret_reveal(&value), *digit));
}

static void a_password_needs_no_quoting_anywhere(void **state)
{
    (void)state;
    struct rotate_spec spec = spec_of(0, ROTATE_BASE64, LENGTH, NULL);
    AUTO_SECRET value = SECRET_INIT;

    generated(&spec, &value);
    assert_int_equal(secret_length(&value), LENGTH);
    assert_made_of(&value, ALNUM);
}

/* 62 does not divide 256: a plain remainder would give the first eight letters a quarter more. */
static void every_character_is_as_likely_as_the_others(void **state)
{
    (void)state;
    struct rotate_spec spec = spec_of(0, ROTATE_BASE64, LENGTH, NULL);
    size_t seen[256] = {0};

    for (int i = 0; i < DRAWS; i++) {
        AUTO_SECRET value = SECRET_INIT;
        generated(&spec, &value);
        for (size_t k = 0; k < LENGTH; k++)
            seen[(unsigned char)secret_reveal(&value)[k]]++;
    }
    /* 4129 of each are to be expected, with a deviation of 64: a tenth off is beyond six of them. */
    double expected = (double)DRAWS * LENGTH / 62;
    for (const char *at = ALNUM; *at; at++) {
        double share = (double)seen[(unsigned char)*at] / expected;
        assert_true(share > 0.9 && share < 1.1);
    }
}

static void two_are_never_the_same(void **state)
{
    (void)state;
    struct rotate_spec spec = spec_of(0, ROTATE_BASE64, 22, NULL);
    AUTO_SECRET a = SECRET_INIT, b = SECRET_INIT;

    generated(&spec, &a);
    generated(&spec, &b);
    assert_false(secret_equal(&a, &b));
}

static void too_little_randomness_says_how_much_it_takes(void **state)
{
    (void)state;
    struct rotate_spec spec = spec_of(0, ROTATE_BASE64, 21, NULL);
    refused(&spec, "21 characters out of 62 has less than 128 bits", "\"length\": 22");
    spec = spec_of(0, ROTATE_BASE64, 127, "ab");
    refused(&spec, "127 characters out of 2", "\"length\": 128");
    spec = spec_of(0, ROTATE_BASE64, 31, "0123456789abcdef");
    refused(&spec, "31 characters out of 16", "\"length\": 32");
    spec = spec_of(15, ROTATE_HEX, 0, NULL);
    refused(&spec, "a key of 15 bytes has less than 128 bits", "at least 16");
}

static void just_enough_is_enough(void **state)
{
    (void)state;
    struct rotate_spec specs[] = {
        spec_of(0, ROTATE_BASE64, 22, NULL),
        spec_of(0, ROTATE_BASE64, 128, "ab"),
        spec_of(0, ROTATE_BASE64, 32, "0123456789abcdef"),
        spec_of(16, ROTATE_HEX, 0, NULL),
    };
    for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
        AUTO_SECRET value = SECRET_INIT;
        generated(&specs[i], &value);
    }
}

static void an_alphabet_that_is_none_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *alphabet, *text;
    } table[] = {
        {"", "less than two"},
        {"a", "less than two"},
        {"abca", "twice"},
        {"ab c", "no visible one"},
        {"ab\n", "no visible one"},
        {"ab\x7f", "no visible one"},
        {"ab\xc3\xa4", "no visible one"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct rotate_spec spec = spec_of(0, ROTATE_BASE64, 400, table[i].alphabet);
        refused(&spec, table[i].text, "alphabet");
    }
}

static void an_endless_one_is_refused(void **state)
{
    (void)state;
    struct rotate_spec spec = spec_of(0, ROTATE_BASE64, (size_t)GENERATE_MAX_BYTES + 1, NULL);
    refused(&spec, "longer than", "");
    spec = spec_of((size_t)GENERATE_MAX_BYTES + 1, ROTATE_HEX, 0, NULL);
    refused(&spec, "longer than", "");
    spec = spec_of(SIZE_MAX, ROTATE_HEX, 0, NULL);
    refused(&spec, "longer than", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_encoded_as_the_contract_says),
        cmocka_unit_test(nothing_said_is_32_bytes),
        cmocka_unit_test(every_hex_digit_stands_for_its_four_bits),
        cmocka_unit_test(a_password_needs_no_quoting_anywhere),
        cmocka_unit_test(every_character_is_as_likely_as_the_others),
        cmocka_unit_test(two_are_never_the_same),
        cmocka_unit_test(too_little_randomness_says_how_much_it_takes),
        cmocka_unit_test(just_enough_is_enough),
        cmocka_unit_test(an_alphabet_that_is_none_is_refused),
        cmocka_unit_test(an_endless_one_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
