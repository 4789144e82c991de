/* agent/inline.h: a start without a contract: values of the environment that are references. */
#ifndef AGENT_INLINE_H
#define AGENT_INLINE_H

#include "agent/job.h"

/* One request for each variable (`variable` is its name, in job->arena). One that was named and is no
 * reference has REF_ENV and its value as it is, borrowed. */
struct inline_values {
    struct source_request *requests;
    size_t count;
};
#define INLINE_VALUES_INIT ((struct inline_values){0})
#define AUTO_INLINE_VALUES CLEANUP(inline_values_release) struct inline_values
void inline_values_release(struct inline_values *values);

/* ERR_USAGE unless CALL can do without a contract: OPTION (or NULL) and --profile can't. */
MUST_USE int inline_allowed(const struct invocation *call, const char *option, struct err *err);

/* Index the environment and resolve: with NAMES (NULL-terminated) those alone, else every value that
 * is a reference. Each has to be there: an absent one is an error too (ERR_SOURCE_MISSING), and so is
 * what was meant as a reference and is none (ERR_CONTRACT), before anything is asked. Several problems
 * are findings as well. The requests are *out's on failure too, for who shows them. Errors besides:
 * ERR_USAGE (no such variable), the sources'. */
MUST_USE int inline_resolve(struct job *job, const char *const *names, struct inline_values *out,
                            struct err *err);

/* Refuses a reference as the value of NAME where NAME is the dynamic loader's (LD_PRELOAD, LD_AUDIT, ...):
 * what is at the other end would decide what code is loaded. ERR_CONTRACT. */
MUST_USE int inline_check_name(const char *name, struct err *err);

/* ERR_USAGE: there is no contract, and no value is a reference. */
int inline_nothing(const struct invocation *call, struct err *err);

#endif
