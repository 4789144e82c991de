/* agent/writing.h: values written out in one format, by `fetch` and `seal export`: every one that the
 * format can't carry is a finding, so that all are said at once. */
#ifndef AGENT_WRITING_H
#define AGENT_WRITING_H

#include "agent/cmd.h"
#include "envcontract/contract.h"

struct writing {
    const struct invocation *call;
    struct value_writer *to;
    struct findings *findings; /* without errors so far */
};

/* NAME and its value; WHERE it is declared, or NULL. -1 only on what is no matter of the value. */
MUST_USE int writing_add(const struct writing *w, const char *name,
                         const struct contract_position *where, const struct secret *bytes,
                         bool secret, struct err *err);

/* Errors: ERR_VIOLATION, where there is a value that could not be written: each is in the findings. */
MUST_USE int writing_end(const struct writing *w, struct err *err);

#endif
