/* agent/redaction.h: the application's output on its way to ours, with what is secret taken out
 * (`run --redact`).
 *
 * The application writes into two pipes, its stdout and its stderr, and the supervisor's loop passes on
 * what comes: in order for each of them, no faster than our own reader takes it, and no line later than it
 * was written; an ending that may begin a secret is held for REDACTION_HOLD_MS at most. The pipes stay
 * through restarts. A pipe is no terminal: the application sees that, as it does behind `| cat`.
 *
 * When our reader has gone, so has the application's: it gets SIGPIPE, as without us. What a file does not
 * take (a full disk) is lost, and said: the application goes on. */
#ifndef AGENT_REDACTION_H
#define AGENT_REDACTION_H

#include "agent/supervise.h"

enum {
    REDACTION_HOLD_MS = 100,
    REDACTION_END_MS = 2000, /* for the rest, where somebody keeps the pipe or does not read */
    /* Values that were replaced while the application runs on, which may put them out still: the oldest of
     * more are not hidden any more, which is said. With 30 bytes each they take 1.3 MB. */
    REDACTION_FORMER_MAX = 256,
};

struct redaction;

/* Make the pipes, and have S watch them. What is hidden is what base/redact.h knows by now. Values that are
 * too short are said, once. Errors: ERR_RESOURCE. */
MUST_USE int redaction_open(struct supervisor *s, struct redaction **out, struct err *err);

/* What the application gets as its 1 and 2 (struct supervise_settings). */
void redaction_fds(const struct redaction *r, int fds[static 3]);

/* Hide what base/redact.h knows now. IS_WHOLE: all that is current was registered in its present age, so that
 * what is older is former (and hidden still). On failure what was hidden before is hidden still. */
MUST_USE int redaction_renew(struct redaction *r, bool is_whole, struct err *err);

/* What was current at the last of these calls is what the next start gets. NULL: nothing. */
void redaction_delivered(struct redaction *r);

/* The application has ended, with all that it left behind, and is started anew: what only it can have had is
 * forgotten as soon as the last that it wrote has been read. NULL: nothing. */
void redaction_application_restarts(struct redaction *r);

/* The application has ended for good: pass on the rest, for REDACTION_END_MS at most. What is lost is
 * said. NULL: nothing. */
void redaction_finish(struct redaction *r);

void redaction_free(struct redaction *r); /* NULL is fine */

#endif
