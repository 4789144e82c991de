/* rotate/store_kv.h: the parts of the store in KV; it never leaves the folder.
 *
 *   store_kv.c        the secret and its record
 *   store_kv_done.c   what stays of a rotation: metadata, receipts
 *   store_kv_look.c   --status and --dry-run: what is there, what a policy allows */
#ifndef ROTATE_STORE_KV_H
#define ROTATE_STORE_KV_H

#include "rotate/store.h"

#define KV_PENDING  ".pending"
#define KV_RECEIPTS ".receipts"

enum {
    KV_PATH_BYTES = 4 * 1024,
    KV_RECORD_NEEDS = VAULT_CAN_CREATE | VAULT_CAN_READ | VAULT_CAN_UPDATE,
};

/* The path beside which the record lies: the secret's, else `records`. */
const char *kv_base(const struct rotate_spec *spec);

/* Append <base><suffix>/<NAME>. */
MUST_USE int kv_beside(const struct rotate_spec *spec, const char *suffix, struct buf *out,
                       struct err *err);

/* Add to a refusal the policy that would allow NEED. Always -1. */
int kv_denied(struct vault *v, const struct vault_need *need, struct err *err);

int kv_note_done(struct rotation *r, const struct rotate_receipt *receipt, struct err *err);
int kv_history(struct rotation *r, size_t most, struct rotate_receipt **out, size_t *count,
               struct err *err);
int kv_look(const struct rotate_spec *const *specs, struct rotate_status *const *out, size_t count,
            const struct rotate_context *context, struct err *err);
int kv_plan(struct rotation *r, struct buf *out, bool *ready, struct err *err);

#endif
