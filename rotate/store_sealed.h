/* rotate/store_sealed.h: the parts of the store in the sealed file; it never leaves the folder.
 *
 *   store_sealed.c        the values and the record
 *   store_sealed_done.c   what stays of a rotation: receipts */
#ifndef ROTATE_STORE_SEALED_H
#define ROTATE_STORE_SEALED_H

#include "rotate/store.h"
#include "vault/sealed.h"

enum { SEALED_RECORD_NAME_BYTES = 2 * SEALED_NAME_BYTES };

/* The file as it was read; what is changed in it is saved under the lock. */
struct sealed_opened {
    struct sealed *store;
    int lock; /* -1: none */
};
#define SEALED_OPENED_INIT ((struct sealed_opened){.lock = -1})
#define AUTO_SEALED_OPENED CLEANUP(sealed_opened_release) struct sealed_opened
void sealed_opened_release(struct sealed_opened *opened);

/* The store as it is now, opened; under its lock where it is to be changed. */
MUST_USE int sealed_open_for(struct rotation *r, bool change, struct sealed_opened *out,
                             struct err *err);

/* The same without a rotation, to be read. */
MUST_USE int sealed_open_to_look(const struct rotate_context *context, struct sealed_opened *out,
                                 struct err *err);

/* Append the variable's name and SUFFIX. */
MUST_USE int sealed_name_of(const struct rotate_spec *spec, const char *suffix, struct buf *out,
                            struct err *err);

/* The document that stands under NAME; *there is false where there is none. */
MUST_USE int sealed_read_document(const struct sealed *store, const char *name,
                                  struct document *out, bool *there, struct err *err);
MUST_USE int sealed_set_document(struct sealed *store, const char *name, const struct document *doc,
                                 struct err *err);

/* When the variable was rotated last, as the receipts in ALL say; 0: never. */
int64_t sealed_last_rotated(const struct document *all);

int sealed_note_done(struct rotation *r, const struct rotate_receipt *receipt, struct err *err);
int sealed_history(struct rotation *r, size_t most, struct rotate_receipt **out, size_t *count,
                   struct err *err);

#endif
