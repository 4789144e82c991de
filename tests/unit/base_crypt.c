/* What lies on disk: sealed for a purpose, wrapped for a key, by a passphrase. */
#include "tests/lib/unit.h"

#include <string.h>

#include "base/crypt.h"

static struct err err;

static struct secret text(const char *bytes)
{
    return secret_borrow(bytes, strlen(bytes));
}

static void seal(const struct secret *key, const char *purpose, const char *value, struct buf *out)
{
    AUTO_BUF p = BUF_INIT(64);
    struct secret v = text(value);

    buf_adds(&p, purpose);
    assert_int_equal(crypt_seal(key, &p, &v, out, &err), 0);
}

static int open_as(const struct secret *key, const char *purpose, const struct buf *sealed,
                   struct secret *out)
{
    AUTO_BUF p = BUF_INIT(64);

    buf_adds(&p, purpose);
    return crypt_open(key, &p, buf_text(sealed), sealed->len, out, &err);
}

static void a_value_opens_for_its_key_and_purpose_alone(void **state)
{
    AUTO_SECRET key = SECRET_INIT, other = SECRET_INIT, out = SECRET_INIT;
    AUTO_BUF sealed = BUF_INIT(1024);

    (void)state;
    assert_int_equal(crypt_new_key(&key, &err), 0);
    assert_int_equal(crypt_new_key(&other, &err), 0);
    assert_false(secret_equal(&key, &other));
    seal(&key, "A", "the value", &sealed);
    assert_int_equal(open_as(&key, "A", &sealed, &out), 0);
    assert_string_equal(secret_reveal(&out), "the value");
    secret_release(&out);
    assert_int_equal(open_as(&key, "B", &sealed, &out), -1);
    assert_int_equal(err.kind, ERR_SOURCE_DATA);
    assert_int_equal(open_as(&other, "A", &sealed, &out), -1);
    assert_false(secret_is_set(&out));
}

static void every_changed_bit_and_every_length_is_found(void **state)
{
    AUTO_SECRET key = SECRET_INIT, out = SECRET_INIT;
    AUTO_BUF sealed = BUF_INIT(1024);

    (void)state;
    assert_int_equal(crypt_new_key(&key, &err), 0);
    seal(&key, "A", "v", &sealed);
    for (size_t bit = 0; bit < sealed.len * 8; bit++) {
        sealed.data[bit / 8] = (char)(sealed.data[bit / 8] ^ (1 << bit % 8));
        assert_int_equal(open_as(&key, "A", &sealed, &out), -1);
        sealed.data[bit / 8] = (char)(sealed.data[bit / 8] ^ (1 << bit % 8));
    }
    for (size_t whole = sealed.len; sealed.len-- > 0;)
        assert_true(whole > sealed.len && open_as(&key, "A", &sealed, &out) == -1);
}

static void lengths_are_hidden_up_to_the_padding(void **state)
{
    AUTO_SECRET key = SECRET_INIT, out = SECRET_INIT;
    AUTO_BUF empty = BUF_INIT(1024), same = BUF_INIT(1024), longer = BUF_INIT(1024);

    (void)state;
    assert_int_equal(crypt_new_key(&key, &err), 0);
    seal(&key, "A", "", &empty);
    seal(&key, "A", "0123456789012345678901234567890", &same);
    seal(&key, "A", "01234567890123456789012345678901", &longer);
    assert_int_equal(empty.len, same.len);
    assert_int_equal(longer.len, same.len + CRYPT_PADDING_BYTES);
    assert_int_equal(longer.len, 32 + CRYPT_OVERHEAD_BYTES);
    assert_int_equal(open_as(&key, "A", &empty, &out), 0);
    assert_true(secret_is_set(&out));
    assert_int_equal(secret_length(&out), 0);
}

static void the_same_value_is_never_sealed_to_the_same_bytes(void **state)
{
    AUTO_SECRET key = SECRET_INIT;
    AUTO_BUF one = BUF_INIT(1024), other = BUF_INIT(1024);

    (void)state;
    assert_int_equal(crypt_new_key(&key, &err), 0);
    seal(&key, "A", "v", &one);
    seal(&key, "A", "v", &other);
    assert_memory_not_equal(one.data, other.data, one.len);
}

static void a_wrapped_key_opens_with_the_private_half_alone(void **state)
{
    AUTO_SECRET key = SECRET_INIT, mine = SECRET_INIT, others = SECRET_INIT, out = SECRET_INIT;
    uint8_t public_key[CRYPT_KEY_BYTES], again[CRYPT_KEY_BYTES], unused[CRYPT_KEY_BYTES];
    uint8_t wrapped[CRYPT_WRAPPED_BYTES];

    (void)state;
    assert_int_equal(crypt_new_key(&key, &err), 0);
    assert_int_equal(crypt_new_pair(&mine, public_key, &err), 0);
    assert_int_equal(crypt_new_pair(&others, unused, &err), 0);
    assert_int_equal(crypt_public(&mine, again, &err), 0);
    assert_memory_equal(again, public_key, sizeof again);
    assert_int_equal(crypt_wrap(&key, public_key, wrapped, &err), 0);
    assert_int_equal(crypt_unwrap(wrapped, &others, &out, &err), -1);
    assert_int_equal(err.kind, ERR_SOURCE_DATA);
    assert_int_equal(crypt_unwrap(wrapped, &mine, &out, &err), 0);
    assert_true(secret_equal(&out, &key));
    memset(unused, 0, sizeof unused); /* a point of low order: the wrapped key would be known */
    assert_int_equal(crypt_wrap(&key, unused, wrapped, &err), -1);
    assert_text_has(err.text, "public key");
}

static void a_passphrase_and_its_salt_make_one_key(void **state)
{
    AUTO_SECRET one = SECRET_INIT, again = SECRET_INIT, other = SECRET_INIT, salted = SECRET_INIT;
    struct crypt_cost cost;
    struct secret passphrase = text("correct horse"), wrong = text("correct horsf");

    (void)state;
    assert_int_equal(crypt_new_cost(&cost, &err), 0);
    assert_int_equal(cost.memory_kib, CRYPT_MEMORY_KIB);
    cost.passes = 1;
    cost.memory_kib = CRYPT_MEMORY_LEAST_KIB;
    assert_int_equal(crypt_passphrase_key(&passphrase, &cost, &one, &err), 0);
    assert_int_equal(crypt_passphrase_key(&passphrase, &cost, &again, &err), 0);
    assert_int_equal(crypt_passphrase_key(&wrong, &cost, &other, &err), 0);
    cost.salt[0] ^= 1;
    assert_int_equal(crypt_passphrase_key(&passphrase, &cost, &salted, &err), 0);
    assert_true(secret_equal(&one, &again));
    assert_false(secret_equal(&one, &other));
    assert_false(secret_equal(&one, &salted));
}

static void a_tag_needs_the_key(void **state)
{
    AUTO_SECRET key = SECRET_INIT, other = SECRET_INIT;
    AUTO_BUF bytes = BUF_INIT(64);
    uint8_t one[CRYPT_TAG_BYTES], again[CRYPT_TAG_BYTES], else_[CRYPT_TAG_BYTES];

    (void)state;
    buf_adds(&bytes, "list");
    assert_int_equal(crypt_new_key(&key, &err), 0);
    assert_int_equal(crypt_new_key(&other, &err), 0);
    assert_int_equal(crypt_tag(&key, &bytes, one, &err), 0);
    assert_int_equal(crypt_tag(&key, &bytes, again, &err), 0);
    assert_int_equal(crypt_tag(&other, &bytes, else_, &err), 0);
    assert_true(crypt_same(one, again, sizeof one));
    assert_false(crypt_same(one, else_, sizeof one));
}

static void base64_has_one_spelling(void **state)
{
    static const char *const refused[] = {
        "YQ", "YR==", "YQ==\n", " YQ==", "Y-==", "YQ===", "YWI==", "Y\xff==", "\xff\xff\xff\xff"};
    char out[8];
    size_t written;

    (void)state;
    AUTO_BUF text64 = BUF_INIT(64);
    crypt_add_base64(&text64, "a", 1);
    assert_string_equal(buf_text(&text64), "YQ==");
    assert_int_equal(crypt_from_base64("YQ==", 4, out, sizeof out, &written), 0);
    assert_int_equal(written, 1);
    assert_int_equal(out[0], 'a');
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        assert_int_equal(
            crypt_from_base64(refused[i], strlen(refused[i]), out, sizeof out, &written), -1);
    assert_int_equal(crypt_from_base64("YWJj", 4, out, 2, &written), -1);
}

static void a_key_of_another_length_is_refused(void **state)
{
    AUTO_BUF out = BUF_INIT(1024), purpose = BUF_INIT(8);
    struct secret value = text("v"), short_key = text("short");

    (void)state;
    assert_int_equal(crypt_seal(&short_key, &purpose, &value, &out, &err), -1);
    assert_int_equal(err.kind, ERR_DEFECT);
    assert_int_equal(out.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_opens_for_its_key_and_purpose_alone),
        cmocka_unit_test(every_changed_bit_and_every_length_is_found),
        cmocka_unit_test(lengths_are_hidden_up_to_the_padding),
        cmocka_unit_test(the_same_value_is_never_sealed_to_the_same_bytes),
        cmocka_unit_test(a_wrapped_key_opens_with_the_private_half_alone),
        cmocka_unit_test(a_passphrase_and_its_salt_make_one_key),
        cmocka_unit_test(a_tag_needs_the_key),
        cmocka_unit_test(base64_has_one_spelling),
        cmocka_unit_test(a_key_of_another_length_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
