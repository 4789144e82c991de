/* agent/probe.h: `run --probe PATH`: ask a run.status from outside, for the exec probes of an orchestrator. */
#ifndef AGENT_PROBE_H
#define AGENT_PROBE_H

#include "agent/cmd.h"

/* WHAT is /ready, /live or /metrics of the contract's run.status; or where one listens (unix:PATH, ADDR:PORT,
 * the path of a socket), which is asked for /ready. Prints the answer; returns the exit code: 0 it is so, 1 it
 * is not or nobody answers, 2 the call or the contract is wrong. */
int probe_run(const struct invocation *call, const char *what);

#endif
