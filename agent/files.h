/* agent/files.h: the files of the contract, written for the application. */
#ifndef AGENT_FILES_H
#define AGENT_FILES_H

#include "agent/job.h"

/* Resolve what the files are made of and the application does not get by itself. Behind job_resolve, before
 * job_check. */
MUST_USE int files_resolve(struct job *job, struct err *err);

/* Write those that are not there yet as they have to be; *CHANGED says how many (may be NULL). All are
 * rendered before the first is written. Errors: contract_render_file's; ERR_FILE, with the path: a
 * symbolic link at the place, an owner that is nobody, what the system said. A file is whole all the same:
 * the old one or the new one. */
MUST_USE int files_write(const struct job *job, size_t *changed, struct err *err);

#endif
