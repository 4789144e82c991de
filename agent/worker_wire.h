/* agent/worker_wire.h: what a worker hands back, as bytes: written by the child, read by the parent.
 *
 * Both are the same program, one forked from the other, so numbers are as memory has them. A text's
 * bytes are behind their length. Nothing that comes is trusted for its length: a message that was cut
 * fails, and stays failed (as base/buf.h does), so it is looked at once, at its end. */
#ifndef AGENT_WORKER_WIRE_H
#define AGENT_WORKER_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/secret.h"

enum { WIRE_MAX_BYTES = SECRET_TABLE_MAX_BYTES }; /* of one message: it is read into the slab */

void wire_put_number(struct buf *out, int64_t number);
void wire_put_text(struct buf *out, const char *text); /* NULL is another than "" */
void wire_put_secret(struct buf *out, const struct secret *secret);
void wire_put_struct(struct buf *out, const void *bytes, size_t length); /* no pointers in it */

/* The same without a buffer, which would be a copy outside of the slab: how long it is, and written to a
 * place with room for it, whose end is returned. */
size_t wire_secret_bytes(const struct secret *secret);
char *wire_write_secret(char *to, const struct secret *secret);

struct wire {
    const char *at;
    size_t left;
    bool failed;
};

int64_t wire_number(struct wire *w); /* 0 when it failed */
/* How many of something follow, each of at least LEAST_BYTES; 0 when there can't be so many. */
size_t wire_count(struct wire *w, size_t least_bytes);
char *wire_text(struct wire *w); /* the caller frees; NULL: none, or failed */
/* *out is the caller's, and SECRET_INIT when it failed. */
void wire_secret(struct wire *w, struct secret *out);
void wire_struct(struct wire *w, void *bytes, size_t length); /* zeroed when it failed */

/* 0 when all of W was read and nothing failed. Else ERR_DEFECT or, without memory, ERR_RESOURCE. */
MUST_USE int wire_check(const struct wire *w, struct err *err);

#endif
