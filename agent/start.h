/* agent/start.h: the environment that the application gets, and the exec that starts it. */
#ifndef AGENT_START_H
#define AGENT_START_H

#include "agent/job.h"

/* Put the contract's values into job->environment: what the application gets is set, what only
 * agent uses, by whatever name it is there, Vault's own credentials and run.unset are taken out, a
 * declared variable without a value is taken out too (the source is canonical). */
MUST_USE int start_environment(struct job *job, struct err *err);

/* Become ARGV with job->environment. Returns only on failure: *exit_code is 126 (not executable) or
 * 127 (not found), or 125 for what is agent's own failure. */
int start_exec(const struct job *job, char **argv, int *exit_code, struct err *err);

/* The first descriptor that the application does not get. It has 0, 1 and 2; where systemd activates
 * by socket, those as well that LISTEN_FDS counts, when LISTEN_PID says that they are this process's. */
int start_first_closed(const char *const *environment);

/* The two ways in which that fails, for whoever starts it by other means. The file that NAME means
 * with the PATH of ENVIRONMENT; the caller frees. */
MUST_USE int start_find(const char *name, const char *const *environment, char **out,
                        int *exit_code, struct err *err);
/* What REASON, the errno of an execve of FILE, comes to. Returns -1. */
int start_refused(const char *file, int reason, int *exit_code, struct err *err);

#endif
