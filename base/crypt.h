/* base/crypt.h: the cryptography of what lies on disk: the sealed store and the stale copies.
 * Nothing here is of our making: it is libsodium's, named by purpose.
 *
 *   values            XChaCha20-Poly1305 with a random nonce; what a value is for (its name) is
 *                     authenticated with it, so that it opens in no other place
 *   key pairs         X25519; a data key is wrapped for a public key by crypto_box_seal
 *   passphrases       Argon2id makes the private key of such a pair, so that a data key can be
 *                     wrapped anew for a passphrase that nobody has to type for it
 *   lists             keyed BLAKE2b
 *
 * Keys and values are struct secret; working memory is wiped. Lengths are hidden up to
 * CRYPT_PADDING_BYTES. Errors: ERR_RESOURCE, and what each function says. */
#ifndef BASE_CRYPT_H
#define BASE_CRYPT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"

enum {
    CRYPT_KEY_BYTES = 32,      /* of a data key, and of either half of a pair */
    CRYPT_KEY_TEXT_BYTES = 45, /* of a key as base64, its NUL too */
    CRYPT_WRAPPED_BYTES = CRYPT_KEY_BYTES + 48,
    CRYPT_SALT_BYTES = 16,
    CRYPT_TAG_BYTES = 32,
    CRYPT_PADDING_BYTES = 32,
    CRYPT_OVERHEAD_BYTES = 24 + 16 + CRYPT_PADDING_BYTES, /* at most; of a sealed value */
    /* What a passphrase costs: RFC 9106, 4, the second recommended choice; and what is accepted in
     * a file that somebody else may have written. */
    CRYPT_PASSES = 3,
    CRYPT_PASSES_MAX = 10,
    CRYPT_MEMORY_KIB = 64 * 1024,
    CRYPT_MEMORY_LEAST_KIB = 8 * 1024,
    CRYPT_MEMORY_MAX_KIB = 1024 * 1024,
};

MUST_USE int crypt_random(void *bytes, size_t length, struct err *err);
MUST_USE int crypt_new_key(struct secret *out, struct err *err);

/* A new pair, and the public half of a private one. */
MUST_USE int crypt_new_pair(struct secret *private_key, uint8_t public_key[static CRYPT_KEY_BYTES],
                            struct err *err);
MUST_USE int crypt_public(const struct secret *private_key,
                          uint8_t public_key[static CRYPT_KEY_BYTES], struct err *err);

/* How a private key comes out of a passphrase. */
struct crypt_cost {
    uint8_t salt[CRYPT_SALT_BYTES];
    unsigned passes, memory_kib;
};
MUST_USE int crypt_new_cost(struct crypt_cost *out, struct err *err);
MUST_USE int crypt_passphrase_key(const struct secret *passphrase, const struct crypt_cost *cost,
                                  struct secret *private_key, struct err *err);

/* KEY for whoever has the private half of PUBLIC_KEY. Unwrapping: ERR_SOURCE_DATA, "it does not
 * open": it is for another key, or was changed. */
MUST_USE int crypt_wrap(const struct secret *key, const uint8_t public_key[static CRYPT_KEY_BYTES],
                        uint8_t out[static CRYPT_WRAPPED_BYTES], struct err *err);
MUST_USE int crypt_unwrap(const uint8_t wrapped[static CRYPT_WRAPPED_BYTES],
                          const struct secret *private_key, struct secret *key, struct err *err);

/* Append VALUE, sealed for PURPOSE (any bytes), to OUT; buf_check tells whether it had room. */
MUST_USE int crypt_seal(const struct secret *key, const struct buf *purpose,
                        const struct secret *value, struct buf *out, struct err *err);
/* ERR_SOURCE_DATA, "it does not open": another key, another purpose, or changed bytes. */
MUST_USE int crypt_open(const struct secret *key, const struct buf *purpose, const void *bytes,
                        size_t length, struct secret *value, struct err *err);

/* What only who has KEY can make of BYTES. */
MUST_USE int crypt_tag(const struct secret *key, const struct buf *bytes,
                       uint8_t out[static CRYPT_TAG_BYTES], struct err *err);
bool crypt_same(const void *a, const void *b, size_t length); /* in constant time */

/* Standard base64 with padding, one spelling for each value. -1: it is not, or has more than ROOM
 * bytes. For secrets too: the time does not depend on what they are. */
MUST_USE int crypt_from_base64(const char *text, size_t length, void *out, size_t room,
                               size_t *written);
/* As it. The caller's BUF is wiped when released. */
void crypt_add_base64(struct buf *out, const void *bytes, size_t length);
/* A public key, without memory. */
void crypt_key_text(const uint8_t key[static CRYPT_KEY_BYTES],
                    char out[static CRYPT_KEY_TEXT_BYTES]);

#endif
