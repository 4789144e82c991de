/* base/stop.h: SIGINT, SIGTERM and SIGHUP as something that a wait can see, for commands that have to
 * clean up behind themselves.
 *
 * No signal handler does any work: the signals are blocked and read from a descriptor. Between
 * stop_begin and stop_end every wait of base/ and of bootstrap/ (proc_run, a connection, a backoff)
 * ends early when one has come, with an error that says so, and every later one fails at once, so
 * that the way out to the clean-up is short. The clean-up itself puts stop_shield around what it
 * does: its waits are plain ones. A forked worker has the same, for the signals that it gets. */
#ifndef BASE_STOP_H
#define BASE_STOP_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

enum {
    STOP_EXIT_BASE = 128
}; /* the exit code of a command that a signal ended, as shells say it */

/* Errors: ERR_RESOURCE. Calls nest: the outermost counts. */
MUST_USE int stop_begin(struct err *err);
/* The signals have their old meaning again. One that came and was not seen yet ends the process. */
void stop_end(void);

/* Whether one has come: a look, no wait. Always false outside of begin and end, and in a shield. */
bool stop_requested(void);
/* To be polled for reading beside other descriptors; -1 where there is nothing (more) to see. */
int stop_fd(void);
/* The signal that was seen first, 0: none. Still known after stop_end. */
int stop_signal(void);
/* ERR_STOPPED, "stopped by SIGTERM". */
int stop_error(struct err *err);

/* While ON, requests to Vault end early too. For a command that only reads: one that writes has to
 * know what came of it, and looks between its steps. */
void stop_hurry(bool on);
bool stop_hurried(void);   /* stop_requested while ON, else false */
int stop_hurried_fd(void); /* stop_fd while ON, else -1 */

/* While ON, waits do not look. Shields nest. */
void stop_shield(bool on);

#endif
