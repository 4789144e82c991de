/* agent/explain.h: `fetch --explain`: where each variable's value came from, and no value.
 *
 * job->traces is what resolving leaves behind for it: set it (explain_begin) before job_resolve. */
#ifndef AGENT_EXPLAIN_H
#define AGENT_EXPLAIN_H

#include "agent/job.h"

/* One part of a value: what was asked for it and how that went. Strings are the job's or the
 * contract's. */
struct trace_part {
    const char *name;        /* of a source of several, or NULL */
    struct ref ref;          /* what was asked at last */
    const char *environment; /* the variable whose value that reference was, or NULL */
    enum source_state state;
    unsigned version;                /* KV v2, else 0 */
    const struct vault_lease *lease; /* the sources', or NULL */
};

struct trace {
    struct trace_part *parts; /* none: nothing had to be asked */
    size_t part_count;
};

/* Have job_resolve record what it does. The contract is loaded. */
MUST_USE int explain_begin(struct job *job, struct err *err);

/* REQUESTS, one for each part of the variable with that INDEX, were answered. Does nothing unless
 * explain_begin was called. */
MUST_USE int explain_record(struct job *job, size_t index, const struct source_request *requests,
                            struct err *err);

/* `agent fetch --explain`: resolve, check and show, to OUTPUT_FILE or (NULL) standard output. KEY_FILE:
 * of the fingerprints, else $AGENT_FINGERPRINT_KEY_FILE, else there are none. Returns the exit code. */
int explain_values(const struct invocation *call, const char *key_file, const char *output_file);

#endif
