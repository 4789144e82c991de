/* agent/job.h: what the commands share on the way from a contract to checked values.
 *
 *   job_load     contract and profile (job_open: the contract alone)
 *   job_resolve  every wanted variable from its source, all requests together
 *   job_check    values against the contract
 *   job_graph    the revision graph that the contract's stamp names
 *   job_database what bootstrap/ needs to know
 *
 * A job lives as long as its command; release with AUTO_JOB. Problems collect in `findings`, so
 * that all of them are said at once; a step that fails for them returns -1 with their count. */
#ifndef AGENT_JOB_H
#define AGENT_JOB_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/cmd.h"
#include "agent/environment.h"
#include "base/arena.h"
#include "bootstrap/bootstrap.h"
#include "envcontract/contract.h"
#include "migrations/graph.h"
#include "vault/source.h"

struct stale_copies;
struct trace;

struct job {
    const struct invocation *call;
    const char *const *given_environment; /* in place of the process's own (--env-file), or NULL */
    const char *given_by;                 /* the file that it is from, or NULL */
    struct environment environment;       /* indexed */
    struct contract *contract;
    struct findings findings;
    struct vault_settings vault;
    struct vault_kv_mount *kv_mounts;
    struct source_set *sources;    /* NULL until something had to be asked */
    struct contract_value *values; /* parallel to contract->variables */
    struct stale_copies *copies;   /* agent/stale.h; NULL until one is used or made */
    struct arena arena;            /* texts that the values point at */
    bool has_unchecked;            /* something was resolved since the last check */
    bool names_unchecked;          /* all that the application gets was */
    struct trace *traces; /* agent/explain.h: parallel to values, in the arena; NULL: not wanted */
};

#define JOB_INIT(invocation) ((struct job){.call = (invocation)})
#define AUTO_JOB             CLEANUP(job_release) struct job
void job_release(struct job *job);

/* Whether a contract was named, or lies here. */
bool job_has_contract(const struct invocation *call);
const char *job_contract_path(const struct invocation *call);

/* Read the contract alone; no profile is selected. Errors as job_load's. */
MUST_USE int job_open(struct job *job, struct err *err);

/* Read the contract and select the profile. Errors: ERR_CONTRACT when it has problems (they are in
 * job->findings), ERR_FILE, ERR_USAGE. */
MUST_USE int job_load(struct job *job, struct err *err);

/* Resolve NAMES (NULL-terminated), or with NULL every variable that the application gets. What was
 * resolved before is not asked for again. -1 when a source failed (each is a finding of the rule
 * `source`) or a name is not in the contract. */
MUST_USE int job_resolve(struct job *job, const char *const *names, struct err *err);

/* NAME in the environment; where that has no value, the first alias of VARIABLE that has one. */
const char *job_environment(const struct job *job, const struct contract_variable *variable,
                            const char *name);

/* The environment in place of the sources (--env-only, --env-file). */
MUST_USE int job_take_environment(struct job *job, struct err *err);

/* Whether VARIABLE is the profile's, and a profile was chosen: that is then its value, wherever the
 * choice came from (they can't differ). */
bool job_is_profile_variable(const struct job *job, const struct contract_variable *variable);
struct contract_value job_profile_value(const struct job *job);

/* -1, ERR_VIOLATION, when what was resolved breaks the contract; ERR_SOURCE_MISSING when a source has
 * not what is required. What was checked before is not
 * checked (and said) again, so resolve all first. */
MUST_USE int job_check(struct job *job, struct err *err);

/* Behind a job_resolve that failed with ERR: check what was resolved all the same, so that all
 * problems are said at once. -1 always. ERR stays, since what could not be fetched decides the exit
 * code, unless the check itself could not be made. */
int job_check_besides(struct job *job, struct err *err);

/* The contract alone, in every profile (--lint). */
MUST_USE int job_lint(struct job *job, struct err *err);

/* -1, KIND, "WHAT: N problems", when there are errors among the findings. */
MUST_USE int job_refuse_problems(const struct job *job, enum err_kind kind, const char *what,
                                 struct err *err);

/* Say findings (on stderr), then the error; returns its exit code. */
int job_failed(const struct job *job, const struct err *err);
void job_say_findings(const struct job *job);

/* The same of FINDINGS that are no job's. */
MUST_USE int problems_refuse(const struct invocation *call, const struct findings *findings,
                             enum err_kind kind, const char *what, struct err *err);
void problems_say(const struct invocation *call, const struct findings *findings);

MUST_USE int job_graph(struct job *job, struct graph **out, struct err *err);

/* The sources' set, opened at need. */
MUST_USE int job_sources(struct job *job, struct err *err);

/* Everything that database_settings points at. */
struct database_job {
    struct database_settings settings;
    struct graph *graph;
    struct environment environment; /* of the database's commands */
    const char **environment_list;
    const char *const *more_names; /* that its commands get besides database.env, or NULL */
    char *folder;
};
#define DATABASE_JOB_INIT ((struct database_job){0})
#define AUTO_DATABASE_JOB CLEANUP(database_job_release) struct database_job
void database_job_release(struct database_job *d);

/* Resolve the database's URL and those names for its commands that the contract declares. */
MUST_USE int job_resolve_for_database(struct job *job, struct err *err);

/* Everything but the URL, which is in out->settings already, or stays out: nothing is resolved. */
MUST_USE int job_database_settings(struct job *job, struct database_job *out, struct err *err);

/* Resolve and check the database's URL and what its commands get, read the graph. */
MUST_USE int job_database(struct job *job, struct database_job *out, struct err *err);

#endif
