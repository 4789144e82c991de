/* base/fingerprint.h: whether two hosts have the same value, without showing it.
 *
 * A fingerprint is keyed BLAKE2b of name and value, cut to FINGERPRINT_BYTES. Who has not the key
 * learns nothing from it, not even of a value of few possibilities; who has it can try values, so the
 * key is a secret like those that it is used on. With another name or key the same value has another
 * fingerprint. */
#ifndef BASE_FINGERPRINT_H
#define BASE_FINGERPRINT_H

#include "base/secret.h"

enum {
    FINGERPRINT_BYTES = 8, /* enough against chance; nobody without the key can aim at one */
    FINGERPRINT_TEXT_BYTES = 2 * FINGERPRINT_BYTES + 1,
    FINGERPRINT_KEY_MIN_BYTES = 32,
    FINGERPRINT_KEY_MAX_BYTES = 4096,
};

/* Read a key: the bytes of the file PATH without white space at the ends. Errors: ERR_FILE (not there,
 * too short or long, others may read or write it), ERR_RESOURCE. */
MUST_USE int fingerprint_key_read(const char *path, struct secret *out, struct err *err);

/* Lower-case hex, NUL-terminated. */
MUST_USE int fingerprint_of(const struct secret *key, const char *name, const struct secret *value,
                            char out[static FINGERPRINT_TEXT_BYTES], struct err *err);

#endif
