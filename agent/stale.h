/* agent/stale.h: `stale_ok`: a start without the source, on the value that it gave last. */
#ifndef AGENT_STALE_H
#define AGENT_STALE_H

#include "agent/job.h"

struct stale_copies;
void stale_copies_free(struct stale_copies *copies); /* NULL is fine */

/* The variable INDEX, some of whose REQUESTS failed. 1: all of those could not be reached, and
 * there is a copy that may be used: it is the value now, and a warning says how old it is. 0: the
 * failure stands; *why says why no copy was used, in the job's arena, or is NULL where stale_ok is
 * not said. */
MUST_USE int stale_use(struct job *job, size_t index, const struct source_request *requests,
                       const char **why, struct err *err);

/* Remember that the value INDEX came from its source, to be kept when it has been checked. */
MUST_USE int stale_note(struct job *job, size_t index, const struct source_request *requests,
                        struct err *err);

/* Keep what was remembered, once it has been checked. LEASES_LIVE: what was leased stays valid when
 * this command ends; where it is revoked, no copy of it is kept. That something can't be kept is a
 * warning: the start itself is well. */
void stale_refresh(struct job *job, bool leases_live);

#endif
