/* crypt.c: see base/crypt.h. */
#include "base/crypt.h"

#include <sodium.h>
#include <string.h>

#include "base/mem.h"

enum {
    NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    MAC_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    KIB_BYTES = 1024,
    BASE64_FORM = sodium_base64_VARIANT_ORIGINAL,
};

_Static_assert(CRYPT_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "data keys");
_Static_assert(CRYPT_KEY_BYTES == crypto_box_SECRETKEYBYTES, "private keys");
_Static_assert(CRYPT_KEY_BYTES == crypto_box_PUBLICKEYBYTES, "public keys");
_Static_assert(CRYPT_KEY_BYTES == crypto_box_SEEDBYTES, "what a passphrase makes");
_Static_assert(CRYPT_KEY_TEXT_BYTES == sodium_base64_ENCODED_LEN(CRYPT_KEY_BYTES, BASE64_FORM),
               "keys as text");
_Static_assert(CRYPT_WRAPPED_BYTES == CRYPT_KEY_BYTES + crypto_box_SEALBYTES, "wrapped keys");
_Static_assert(CRYPT_SALT_BYTES == crypto_pwhash_argon2id_SALTBYTES, "salts");
_Static_assert(CRYPT_OVERHEAD_BYTES == NONCE_BYTES + MAC_BYTES + CRYPT_PADDING_BYTES, "overhead");

/* Chooses the fastest implementation and the source of randomness; costs nothing the second
 * time. */
static int start(struct err *err)
{
    return sodium_init() < 0 ? err_set(err, ERR_RESOURCE, "libsodium could not be started") : 0;
}

static const uint8_t *bytes_of(const struct secret *s)
{
    return (const uint8_t *)secret_reveal(s);
}

static int check_key(const struct secret *key, struct err *err)
{
    if (secret_is_set(key) && secret_length(key) == CRYPT_KEY_BYTES)
        return start(err);
    return err_set(err, ERR_DEFECT, "a key has %zu bytes, not %d", secret_length(key),
                   CRYPT_KEY_BYTES);
}

/* RAW, CRYPT_KEY_BYTES long, moves into the slab. */
static int keep_key(uint8_t *raw, struct secret *out, struct err *err)
{
    int result = secret_set(out, (const char *)raw, CRYPT_KEY_BYTES, err);

    sodium_memzero(raw, CRYPT_KEY_BYTES);
    return result;
}

int crypt_random(void *bytes, size_t length, struct err *err)
{
    if (start(err) != 0)
        return -1;
    randombytes_buf(bytes, length);
    return 0;
}

int crypt_new_key(struct secret *out, struct err *err)
{
    uint8_t raw[CRYPT_KEY_BYTES];

    return crypt_random(raw, sizeof raw, err) != 0 ? -1 : keep_key(raw, out, err);
}

int crypt_new_pair(struct secret *private_key, uint8_t public_key[static CRYPT_KEY_BYTES],
                   struct err *err)
{
    uint8_t raw[CRYPT_KEY_BYTES], half[CRYPT_KEY_BYTES];

    if (start(err) != 0)
        return -1;
    (void)crypto_box_keypair(half, raw); /* always 0 */
    if (keep_key(raw, private_key, err) != 0)
        return -1;
    memcpy(public_key, half, sizeof half);
    return 0;
}

int crypt_public(const struct secret *private_key, uint8_t public_key[static CRYPT_KEY_BYTES],
                 struct err *err)
{
    if (check_key(private_key, err) != 0)
        return -1;
    (void)crypto_scalarmult_base(public_key, bytes_of(private_key)); /* always 0 */
    return 0;
}

/* ---- passphrases ----------------------------------------------------------------------------- */

int crypt_new_cost(struct crypt_cost *out, struct err *err)
{
    struct crypt_cost cost = {.passes = CRYPT_PASSES, .memory_kib = CRYPT_MEMORY_KIB};

    if (crypt_random(cost.salt, sizeof cost.salt, err) != 0)
        return -1;
    *out = cost;
    return 0;
}

int crypt_passphrase_key(const struct secret *passphrase, const struct crypt_cost *cost,
                         struct secret *private_key, struct err *err)
{
    uint8_t seed[CRYPT_KEY_BYTES], raw[CRYPT_KEY_BYTES], half[CRYPT_KEY_BYTES];

    if (start(err) != 0)
        return -1;
    if (crypto_pwhash_argon2id(seed, sizeof seed, secret_reveal(passphrase),
                               secret_length(passphrase), cost->salt, cost->passes,
                               (size_t)cost->memory_kib * KIB_BYTES,
                               crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0)
        return err_errno(err, ERR_RESOURCE, "derive a key from the passphrase with %u KiB",
                         cost->memory_kib);
    (void)crypto_box_seed_keypair(half, raw, seed); /* always 0 */
    sodium_memzero(seed, sizeof seed);
    return keep_key(raw, private_key, err);
}

/* ---- data keys for recipients ---------------------------------------------------------------- */

int crypt_wrap(const struct secret *key, const uint8_t public_key[static CRYPT_KEY_BYTES],
               uint8_t out[static CRYPT_WRAPPED_BYTES], struct err *err)
{
    if (check_key(key, err) != 0)
        return -1;
    if (crypto_box_seal(out, bytes_of(key), CRYPT_KEY_BYTES, public_key) == 0)
        return 0;
    err_set(err, ERR_FILE, "nothing can be sealed for that public key");
    return err_hint(err, "It is none that 'agent seal init' made.");
}

static int does_not_open(struct err *err)
{
    return err_set(err, ERR_SOURCE_DATA, "it does not open");
}

int crypt_unwrap(const uint8_t wrapped[static CRYPT_WRAPPED_BYTES],
                 const struct secret *private_key, struct secret *key, struct err *err)
{
    uint8_t raw[CRYPT_KEY_BYTES], half[CRYPT_KEY_BYTES];

    if (crypt_public(private_key, half, err) != 0)
        return -1;
    if (crypto_box_seal_open(raw, wrapped, CRYPT_WRAPPED_BYTES, half, bytes_of(private_key)) != 0)
        return does_not_open(err);
    return keep_key(raw, key, err);
}

/* ---- values ---------------------------------------------------------------------------------- */

/* VALUE with what hides its length, in OUT. */
static int pad(const struct secret *value, struct buf *out, struct err *err)
{
    size_t length = secret_length(value), padded;

    buf_add(out, secret_reveal(value), length);
    char *room = buf_reserve(out, CRYPT_PADDING_BYTES);
    if (!room)
        return err_nomem(err);
    if (sodium_pad(&padded, (unsigned char *)out->data, length, CRYPT_PADDING_BYTES,
                   length + CRYPT_PADDING_BYTES) != 0)
        return err_set(err, ERR_DEFECT, "a value of %zu bytes could not be padded", length);
    buf_commit(out, padded - length);
    return 0;
}

int crypt_seal(const struct secret *key, const struct buf *purpose, const struct secret *value,
               struct buf *out, struct err *err)
{
    AUTO_BUF padded = BUF_INIT(SECRET_MAX_BYTES + CRYPT_PADDING_BYTES);
    uint8_t nonce[NONCE_BYTES];
    unsigned long long written = 0;

    if (check_key(key, err) != 0 || pad(value, &padded, err) != 0)
        return -1;
    randombytes_buf(nonce, sizeof nonce);
    buf_add(out, nonce, sizeof nonce);
    uint8_t *sealed = (uint8_t *)buf_reserve(out, padded.len + MAC_BYTES);
    if (!sealed)
        return buf_check(out, ERR_FILE, "a sealed value", err);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, &written, (const uint8_t *)padded.data,
                                                     padded.len, (const uint8_t *)buf_text(purpose),
                                                     purpose->len, NULL, nonce,
                                                     bytes_of(key)); /* always 0 */
    buf_commit(out, (size_t)written);
    return 0;
}

int crypt_open(const struct secret *key, const struct buf *purpose, const void *bytes,
               size_t length, struct secret *value, struct err *err)
{
    AUTO_BUF padded = BUF_INIT(SECRET_MAX_BYTES + CRYPT_PADDING_BYTES);
    const uint8_t *nonce = bytes;
    unsigned long long written = 0;
    size_t unpadded;

    if (check_key(key, err) != 0)
        return -1;
    if (length < NONCE_BYTES + MAC_BYTES || length - NONCE_BYTES - MAC_BYTES > padded.max)
        return does_not_open(err);
    uint8_t *room = (uint8_t *)buf_reserve(&padded, length - NONCE_BYTES - MAC_BYTES);
    if (!room)
        return err_nomem(err);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            room, &written, NULL, nonce + NONCE_BYTES, length - NONCE_BYTES,
            (const uint8_t *)buf_text(purpose), purpose->len, nonce, bytes_of(key)) != 0)
        return does_not_open(err);
    buf_commit(&padded, (size_t)written);
    if (sodium_unpad(&unpadded, room, padded.len, CRYPT_PADDING_BYTES) != 0)
        return does_not_open(err);
    return secret_set(value, padded.data, unpadded, err);
}

int crypt_tag(const struct secret *key, const struct buf *bytes,
              uint8_t out[static CRYPT_TAG_BYTES], struct err *err)
{
    if (check_key(key, err) != 0)
        return -1;
    (void)crypto_generichash(out, CRYPT_TAG_BYTES, (const uint8_t *)buf_text(bytes), bytes->len,
                             bytes_of(key), CRYPT_KEY_BYTES); /* always 0 for these lengths */
    return 0;
}

bool crypt_same(const void *a, const void *b, size_t length)
{
    return sodium_memcmp(a, b, length) == 0;
}

/* ---- base64 ---------------------------------------------------------------------------------- */

int crypt_from_base64(const char *text, size_t length, void *out, size_t room, size_t *written)
{
    size_t bytes;
    unsigned char high = 0;

    for (size_t i = 0; i < length; i++)
        high |= (unsigned char)text[i];
    if (high & 0x80) /* libsodium 1.0.18 takes 0xFF for a letter where char has a sign */
        return -1;
    if (sodium_base642bin(out, room, text, length, NULL, &bytes, NULL, BASE64_FORM) != 0)
        return -1;
    *written = bytes;
    return 0;
}

void crypt_add_base64(struct buf *out, const void *bytes, size_t length)
{
    size_t with_nul = sodium_base64_ENCODED_LEN(length, BASE64_FORM);
    char *room = buf_reserve(out, with_nul);

    if (!room)
        return; /* sticks: buf_check */
    (void)sodium_bin2base64(room, with_nul, bytes, length, BASE64_FORM);
    buf_commit(out, with_nul - 1);
}

void crypt_key_text(const uint8_t key[static CRYPT_KEY_BYTES],
                    char out[static CRYPT_KEY_TEXT_BYTES])
{
    (void)sodium_bin2base64(out, CRYPT_KEY_TEXT_BYTES, key, CRYPT_KEY_BYTES, BASE64_FORM);
}
