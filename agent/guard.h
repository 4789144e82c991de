/* agent/guard.h: the contract's guard section and the command line's options, made ready for
 * bootstrap/guard.h: shared by `guard` and `bootstrap --adopt`. */
#ifndef AGENT_GUARD_H
#define AGENT_GUARD_H

#include "agent/job.h"
#include "bootstrap/guard.h"

/* What the command line said; it wins over the contract. */
struct guard_options {
    const char *server; /* a variable's name, or NULL */
    const char *ephemeral_user;
    const char *jobs; /* "1", "2" or NULL */
    const char *each; /* a folder, or NULL */
    bool ephemeral, strict, strict_order, stairway;
};

/* Everything that guard_settings points at. */
struct guard_job {
    struct database_job database;
    struct guard_settings settings;
    const char **stamp, **offline; /* made from database.migrate */
    struct guard_ignore *ignore;
};
#define GUARD_JOB_INIT ((struct guard_job){0})
#define AUTO_GUARD_JOB CLEANUP(guard_job_release) struct guard_job
void guard_job_release(struct guard_job *g);

/* Where the scratch databases go is resolved, and what the commands get, and nothing else: never the
 * database's own URL. Errors: ERR_USAGE in a profile that guard.refuse_profiles names; as job.h's. */
MUST_USE int job_guard(struct job *job, const struct guard_options *options, struct guard_job *out,
                       struct err *err);

/* For `bootstrap --adopt`: as job_database, and a place for the expected schema: where nobody names one,
 * the server of database.admin_url, else the database's own. With TRUST none is needed. */
MUST_USE int job_adopt(struct job *job, const struct guard_options *options, bool trust,
                       struct guard_job *out, struct err *err);

#endif
