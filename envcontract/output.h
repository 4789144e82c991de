/* envcontract/output.h: what output.c and the files of single formats share. It never leaves the
 * folder. */
#ifndef ENVCONTRACT_OUTPUT_H
#define ENVCONTRACT_OUTPUT_H

#include "envcontract/internal.h"

/* Why the format can't carry the value, as the end of a sentence, or NULL. */
typedef const char *refusal;

/* A value on its way out. The bytes have no NUL, and the name is an identifier. */
struct outgoing {
    const char *name, *bytes;
    size_t length;
    bool secret;
};

bool output_is_utf8(const struct outgoing *value);
/* Letters, digits and marks that mean nothing to any reader, docker and shells included. */
bool output_is_plain(const struct outgoing *value);
bool output_has(const struct outgoing *value, char c);

/* output_github.c. *failed with *err set: this machine gave no random bytes. */
refusal output_github(struct value_writer *w, const struct outgoing *value, bool *failed,
                      struct err *err);

/* output_kubernetes.c */
MUST_USE int output_kubernetes_begin(struct value_writer *w, struct err *err);
refusal output_kubernetes(struct value_writer *w, const struct outgoing *value);
void output_kubernetes_end(struct value_writer *w);

/* output_systemd.c */
refusal output_systemd(struct value_writer *w, const struct outgoing *value);

#endif
