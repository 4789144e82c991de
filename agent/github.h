/* agent/github.h: the two ways in which a step of GitHub Actions talks to its runner: the file that
 * $GITHUB_ENV names, and commands on standard output. */
#ifndef AGENT_GITHUB_H
#define AGENT_GITHUB_H

#include "base/buf.h"
#include "base/err.h"

/* Whether there is such a file and it can be written. Errors: ERR_USAGE (no runner), ERR_FILE. */
MUST_USE int github_env_check(struct err *err);

/* Print MASKS, then append TEXT to the file; on failure the file is as it was, or the error says that
 * it is not. Errors: as above, ERR_RESOURCE. */
MUST_USE int github_env_append(const struct buf *masks, const struct buf *text, struct err *err);

#endif
