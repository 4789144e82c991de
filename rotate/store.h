/* rotate/store.h: what the stores' files share; it never leaves the folder.
 *
 *   store.c         which store; receipts and marks as texts
 *   store_kv.c      the place and the record in KV; store_kv_done.c: metadata, receipts, policy
 *   store_sealed.c  both in the sealed file, with store_sealed_done.c */
#ifndef ROTATE_STORE_H
#define ROTATE_STORE_H

#include "rotate/internal.h"

/* ---- texts (store.c) ----------------------------------------------------------------------------- */

/* {"at", "id", "by"}: who replaced it last, at most MOST bytes: BY is cut where it is too long. */
MUST_USE int store_mark(const struct rotate_receipt *receipt, size_t most, struct buf *out,
                        struct err *err);

/* A receipt as the document that is kept of it, and back. What another version put there is passed
 * over; what is missing is "". */
MUST_USE int receipt_write(const struct rotate_receipt *receipt, struct document *out,
                           struct err *err);
void receipt_read(const struct document *doc, struct rotate_receipt *out);

/* Unix seconds of "2026-11-26T01:02:03Z"; 0: it is none. */
int64_t store_time(const char *rfc3339);

/* What the record in DATA says of an open rotation: step, id, by, started, soak_until, state. */
void store_status_of_record(const struct document *data, struct rotate_status *out);

#endif
