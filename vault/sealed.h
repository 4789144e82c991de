/* vault/sealed.h: the sealed store: secrets in a file that can be committed.
 *
 * `sealed.json` has each value by itself, sealed with the store's data key for the name that it
 * stands under: moved to another name it does not open. Names, and who can open it, are in the
 * clear, one to a line and sorted, so that diffs can be read and branches merge. The data key is
 * wrapped for each recipient's public key. The private half is a key file outside of the
 * repository, or comes out of a passphrase. The list of recipients is authenticated with the data
 * key: whoever adds a line to it without having the key gets nothing at the next rekey.
 *
 * What it does not give: who can write the file can put a whole store of their own in its place,
 * for the same public keys, and read what is set there later (a change of the recipients' lines
 * shows it); that a line was taken out, or put back to what an older commit has, is not seen; the
 * length of a value is hidden only up to 32 bytes; what was readable for a recipient that is
 * removed stays known to it.
 *
 * Changes are made under a lock of the store's folder and replace the file in one step. Errors:
 * ERR_SOURCE_MISSING (no store, no such name), ERR_FILE (what it says is wrong, with line and
 * column; a key file that others can read), ERR_SOURCE_DENIED (no key that opens it),
 * ERR_SOURCE_DATA (a line was changed), ERR_USAGE, ERR_RESOURCE. */
#ifndef VAULT_SEALED_H
#define VAULT_SEALED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"

enum {
    SEALED_MAX_BYTES = 16 * 1024 * 1024, /* of the file */
    SEALED_VALUE_MAX_BYTES = 256 * 1024,
    SEALED_MAX_NAMES = 64 * 1024,
    SEALED_NAME_BYTES = 255,
    SEALED_MAX_RECIPIENTS = 256,
    SEALED_LABEL_BYTES = 64,
    SEALED_PUBLIC_BYTES = 64, /* of a public key as text, its NUL too */
    SEALED_KEY_FILE_BYTES = 4 * 1024,
    SEALED_LOCK_MS = 30 * 1000, /* how long others' changes are waited for */
};

struct sealed;

/* Where things are. The caller frees. The store is $AGENT_SEALED, else sealed.json in FOLDER (may
 * be ""); the key file $AGENT_SEALED_KEY_FILE, else agent/sealed.key under $XDG_CONFIG_HOME or
 * ~/.config. Errors: ERR_USAGE (there is no HOME), ERR_RESOURCE. */
MUST_USE int sealed_path(const char *folder, char **out, struct err *err);
MUST_USE int sealed_key_path(char **out, struct err *err);

/* How to open it, beyond the key file. Zeroed: the key file, else a passphrase from
 * $AGENT_SEALED_PASSPHRASE_FILE or the terminal, where the store has one. */
struct sealed_access {
    const char *passphrase_file; /* then the key file is not looked at */
    bool ask_passphrase;         /* nor here: at the terminal */
    int64_t deadline_ms;         /* of asking; 0: none */
};

/* Read a passphrase: FILE, or NULL: the terminal (TWICE: a new one). */
MUST_USE int sealed_passphrase(const char *file, const char *label, bool twice, int64_t deadline_ms,
                               struct secret *out, struct err *err);

/* ---- the key file --------------------------------------------------------------------------- */

/* The public half of PATH's key, as text. Refused: a symlink, another owner than us or root, others
 * that can read it. Not there: ERR_SOURCE_DENIED. */
MUST_USE int sealed_key_public(const char *path, char out[static SEALED_PUBLIC_BYTES],
                               struct err *err);
/* As it; where nothing is there, a new key is made first (mode 0600, its folder 0700): *made. Of several
 * that are made at once the first counts, for all. */
MUST_USE int sealed_key_make(const char *path, char out[static SEALED_PUBLIC_BYTES], bool *made,
                             struct err *err);

/* ---- reading -------------------------------------------------------------------------------- */

/* Read the store; nothing is opened yet. */
MUST_USE int sealed_load(const char *path, struct sealed **out, struct err *err);
/* Read STORE's file again, to be opened by what opened STORE: nobody is asked for it twice. Where the
 * data key was changed meanwhile, *out is locked. */
MUST_USE int sealed_load_again(const struct sealed *store, struct sealed **out, struct err *err);
/* Open its data key. Does nothing the second time. */
MUST_USE int sealed_unlock(struct sealed *store, const struct sealed_access *access,
                           struct err *err);
void sealed_free(struct sealed *store); /* NULL is fine; keys are wiped */

size_t sealed_count(const struct sealed *store);
const char *sealed_name(const struct sealed *store, size_t index); /* sorted */
bool sealed_has(const struct sealed *store, const char *name);
/* One value; the store is unlocked. ERR_SOURCE_MISSING has the nearest name. */
MUST_USE int sealed_get(const struct sealed *store, const char *name, struct secret *out,
                        struct err *err);

struct sealed_recipient_view {
    const char *label;
    char public_key[SEALED_PUBLIC_BYTES];
    bool by_passphrase;
};
size_t sealed_recipient_count(const struct sealed *store);
void sealed_recipient(const struct sealed *store, size_t index, struct sealed_recipient_view *out);

/* `sealed:NAME` for a set of sources: the store beside FOLDER (NULL: here), opened once. Zero
 * it. */
struct sealed_source {
    struct sealed *store; /* NULL: not opened yet, or it could not be */
    bool tried;
    struct err err; /* why not */
};
MUST_USE int sealed_source_get(struct sealed_source *source, const char *folder, const char *name,
                               int64_t deadline_ms, struct secret *out, struct err *err);
/* Read the file again, opened by what opened it before. */
MUST_USE int sealed_source_renew(struct sealed_source *source, int64_t deadline_ms,
                                 struct err *err);
void sealed_source_release(struct sealed_source *source);

/* ---- changing ------------------------------------------------------------------------------- */

/* The lock that every change is made under: taken before the store is loaded, held until it is
 * saved. -1: the descriptor is none. Closing it gives it up. ERR_FILE when others hold it for too
 * long. */
MUST_USE int sealed_lock(const char *path, int64_t deadline_ms, int *fd, struct err *err);

/* A new store, unlocked, without recipients. */
MUST_USE int sealed_new(const char *path, struct sealed **out, struct err *err);
/* PUBLIC_KEY is its text. A label that is there, a key that is there: ERR_USAGE. */
MUST_USE int sealed_add_recipient(struct sealed *store, const char *label, const char *public_key,
                                  struct err *err);
MUST_USE int sealed_add_passphrase(struct sealed *store, const char *label,
                                   const struct secret *passphrase, struct err *err);
MUST_USE int sealed_remove_recipient(struct sealed *store, const char *label, struct err *err);
/* Whether the recipient whose key unlocked it is (still) there. */
bool sealed_keeps_us(const struct sealed *store);

/* A new data key, with which every value is sealed anew. After a change of the recipients this is
 * the only way to save. The store is unlocked. */
MUST_USE int sealed_rekey(struct sealed *store, struct err *err);

/* Set NAME. What it has already is left as it is, unless ANEW: *changed says. The store is
 * unlocked. */
MUST_USE int sealed_set(struct sealed *store, const char *name, const struct secret *value,
                        bool anew, bool *changed, struct err *err);
MUST_USE int sealed_remove(struct sealed *store, const char *name, struct err *err);
MUST_USE int sealed_save(const struct sealed *store, struct err *err);

/* What a rotation keeps beside the variable NAME stands there as NAME.pending and NAME.receipts: a
 * sealed document (vault/document.h). It is no variable: nothing exports it, and no one sets it by
 * hand. */
#define SEALED_PENDING  ".pending"
#define SEALED_RECEIPTS ".receipts"
bool sealed_is_record(const char *name);

/* ERR_USAGE unless NAME could be a variable's. */
MUST_USE int sealed_check_name(const char *name, struct err *err);

#endif
