/* agent/beside.h: what runs beside the application while agent stays as its parent: its output passed on
 * without secrets, the status told over HTTP, the service manager told. */
#ifndef AGENT_BESIDE_H
#define AGENT_BESIDE_H

#include "agent/job.h"
#include "agent/notify.h"
#include "agent/redaction.h"
#include "agent/status.h"

struct beside {
    struct redaction *redaction; /* NULL: --redact was not asked for */
    struct status *status;       /* NULL: run.status says nothing */
    struct status_facts facts;
    struct notify notify;
    unsigned starts;
};
#define BESIDE_INIT ((struct beside){.notify = NOTIFY_INIT, .facts = STATUS_FACTS_INIT})
#define AUTO_BESIDE CLEANUP(beside_release) struct beside

/* Open what is asked for, put its part into SETTINGS, and take NOTIFY_SOCKET and what belongs to it out of
 * JOB's environment. *B stays where it is. Errors: of each; nothing was started yet. */
MUST_USE int beside_open(struct beside *b, struct job *job, struct supervisor *s, bool redact,
                         struct supervise_settings *settings, struct err *err);

/* The leases, the token and the stale values of JOB, for the status. */
void beside_take_facts(struct beside *b, const struct job *job);

/* Take NOTIFY_SOCKET and what belongs to it out of JOB's environment. */
void beside_environment(struct job *job);

/* The application has ended for good: its last output goes out. */
void beside_finish(struct beside *b);
void beside_release(struct beside *b);

#endif
