/* vault/sealed_store.h: the sealed store's parts, between the files of it. It never leaves the
 * folder.
 *
 *   sealed.c           what others see: names, values, recipients
 *   sealed_text.c      text -> store, each problem with its place; store -> text
 *   sealed_key.c       key files, passphrases, opening the data key
 *   sealed_lock.c      where it is, the lock */
#ifndef VAULT_SEALED_STORE_H
#define VAULT_SEALED_STORE_H

#include "base/arena.h"
#include "base/crypt.h"
#include "vault/sealed.h"

enum {
    /* As they are in the file: base64 of nonce, padded value, MAC. */
    SEALED_RAW_MAX_BYTES = SEALED_VALUE_MAX_BYTES + CRYPT_OVERHEAD_BYTES,
};

struct sealed_recipient {
    const char *label;
    uint8_t public_key[CRYPT_KEY_BYTES];
    uint8_t wrapped[CRYPT_WRAPPED_BYTES]; /* the data key */
    bool by_passphrase;
    struct crypt_cost cost; /* by passphrase only */
    unsigned line;
};

struct sealed_entry {
    const char *name;
    const char *text; /* base64 */
    size_t text_length;
    unsigned line, column; /* of the text; 0: not from a file */
};

struct sealed {
    struct arena arena;
    const char *path;
    struct sealed_recipient *recipients; /* sorted by label */
    size_t recipient_count, recipient_capacity;
    struct sealed_entry *entries; /* sorted by name */
    size_t entry_count, entry_capacity;
    uint8_t tag[CRYPT_TAG_BYTES];       /* of the list of recipients */
    struct secret key;                  /* the data key; not set: locked */
    uint8_t opened_by[CRYPT_KEY_BYTES]; /* the public key that it was unlocked with */
};

/* ---- sealed_text.c --------------------------------------------------------------------------- */

/* STORE's recipients, entries and tag from TEXT. ERR_FILE with line and column. */
MUST_USE int sealed_read_text(struct sealed *store, const struct buf *text, struct err *err);
void sealed_write_text(const struct sealed *store, struct buf *out);
bool sealed_is_name(const char *name, size_t length); /* a variable's, or a record's */
bool sealed_is_variable(const char *name, size_t length);
bool sealed_is_label(const char *label, size_t length);

/* ---- sealed_key.c ---------------------------------------------------------------------------- */

void sealed_public_text(const uint8_t public_key[static CRYPT_KEY_BYTES],
                        char out[static SEALED_PUBLIC_BYTES]);
MUST_USE int sealed_public_parse(const char *text, uint8_t out[static CRYPT_KEY_BYTES],
                                 struct err *err);
/* ERR_SOURCE_DENIED with sys_errno ENOENT when there is no file. */
MUST_USE int sealed_key_read(const char *path, struct secret *private_key, struct err *err);

/* ---- sealed.c -------------------------------------------------------------------------------- */

/* What stands in the list of recipients, for its tag. */
MUST_USE int sealed_list_tag(const struct sealed *store, const struct secret *key,
                             uint8_t out[static CRYPT_TAG_BYTES], struct err *err);

#endif
