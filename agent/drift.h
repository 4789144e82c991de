/* agent/drift.h: `agent check --drift`: the contract against code, files and Vault. */
#ifndef AGENT_DRIFT_H
#define AGENT_DRIFT_H

#include "agent/job.h"
#include "envcontract/drift.h"

/* Look through FOLDERS (NULL-terminated), and with ASK_VAULT at what the selected profile's sources
 * have in Vault, without reading a value. What is found is in job->findings. Errors: ERR_CONTRACT,
 * ERR_USAGE (no profile), ERR_FILE, what Vault's log-in fails with, ERR_SOURCE_DOWN, and
 * ERR_VIOLATION when there are errors among the findings. */
MUST_USE int drift_check(struct job *job, const char *const *folders, bool ask_vault,
                         struct drift_counts *counts, struct err *err);

#endif
