/* agent/leave.h: what becomes of Vault's token and leases when agent goes. */
#ifndef AGENT_LEAVE_H
#define AGENT_LEAVE_H

#include "agent/job.h"

/* Nobody renews behind us: say when each lease ends, and when the token does that they hang on. A
 * token that we made by logging in, and that no lease hangs on, is revoked; a failure is a warning. */
void leave_vault(const struct job *job);

/* The first half of it: when what was leased ends. There are sources. */
void leave_say_ends(const struct job *job);

/* Nobody has what was fetched (it was looked at only, or the command failed): a token that we made
 * is revoked with every lease that hangs on it. Of one that was given, and of a batch token, each lease
 * is ended, or, where the policies forbid that, left to expire, which is said. A failure is a warning. */
void leave_vault_unused(const struct job *job);

/* What was leased was for this command alone, and it ends: each lease is ended by its id, then the token
 * that we made. A failure is a warning: a lease ends by itself. */
void leave_vault_ended(const struct job *job);

#endif
