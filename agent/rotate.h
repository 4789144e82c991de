/* agent/rotate.h: `agent rotate`: what its parts share.
 *
 *   cmd_rotate.c      options; which secrets, one after another
 *   rotate_specs.c    contract -> what is rotated, and where its value lies
 *   rotate_lend.c     what rotate/ borrows: Vault, values, who we are, a typed value
 *   rotate_value.c    a variable's value as its source has it, or would have it
 *   rotate_show.c     receipts, status, history as text and JSON
 *   rotate_stray.c    records that belong to no variable
 *   rotate_metrics.c  the same for Prometheus */
#ifndef AGENT_ROTATE_H
#define AGENT_ROTATE_H

#include "agent/job.h"
#include "rotate/rotate.h"

struct rotate_options {
    bool due, status, history, init, resume, abort, rollback; /* at most one of them */
    bool dry_run, wait, terminate, revoke_others, no_grace, value_stdin;
    const char *reason, *metrics;
};

/* Everything that one call works with. */
struct rotate_job {
    struct job *job;
    const struct rotate_options *options;
    struct rotate_spec *specs; /* in the order in which they are rotated */
    size_t count;
    struct rotate_context context;
    char *sealed_path;
    char by[256];
    const struct rotate_spec *ahead; /* what it reads was asked for already; or NULL */
    struct environment environment;  /* of the programs of the secret that is rotated now */
    const char **environment_list;
    struct rotate_strays strays; /* that were found */
};
#define ROTATE_JOB_INIT(a_job, the_options) \
    ((struct rotate_job){.job = (a_job), .options = (the_options)})
#define AUTO_ROTATE_JOB CLEANUP(rotate_job_release) struct rotate_job
void rotate_job_release(struct rotate_job *r);

/* ---- rotate_specs.c ------------------------------------------------------------------------------ */

/* NAMES (COUNT of them), or with 0 each variable that the contract rotates in this profile; then put in
 * order. Errors: ERR_USAGE (no such variable), ERR_CONTRACT (it is not rotated, or not here). */
MUST_USE int rotate_specs(struct rotate_job *r, const char *const *names, size_t count,
                          struct err *err);

/* ---- rotate_lend.c ------------------------------------------------------------------------------- */

/* Fill r->context. */
MUST_USE int rotate_lend(struct rotate_job *r, struct err *err);

/* Find out who does it, for records and receipts: the token's display name, else user@host. */
MUST_USE int rotate_find_out_who(struct rotate_job *r, struct err *err);

/* Ask for what rotating SPEC reads of Vault in one round trip, once. */
void rotate_lend_ahead(struct rotate_job *r, const struct rotate_spec *spec);

/* The environment of SPEC's programs: ours, and the variables of the contract that `env` names. */
MUST_USE int rotate_lend_environment(struct rotate_job *r, const struct rotate_spec *spec,
                                     struct err *err);

/* ---- rotate_value.c ------------------------------------------------------------------------------ */

/* VARIABLE's value from its source, asked anew. */
MUST_USE int rotate_value_of(struct rotate_job *r, const char *variable, struct secret *out,
                             struct err *err);

/* What it would be if its place had FIELDS; held against the contract. */
MUST_USE int rotate_value_with(struct rotate_job *r, const char *variable,
                               const struct document *fields, struct secret *out, struct err *err);

/* ---- rotate_show.c ------------------------------------------------------------------------------- */

/* RESULTS, COUNT of them, and what the whole came to. Returns EXIT_CODE, or that of the failure to print. */
int rotate_show_results(const struct rotate_job *r, const struct rotate_result *results,
                        size_t count, const struct err *first, int exit_code);
int rotate_show_status(const struct rotate_job *r, const struct rotate_status *status,
                       const struct err *first, int exit_code);
int rotate_show_history(const struct rotate_job *r, const struct rotate_receipt *receipts,
                        size_t count);
int rotate_show_plan(const struct rotate_job *r, const struct buf *text, bool ready);

/* ---- rotate_stray.c ------------------------------------------------------------------------------ */

/* Look for records that belong to no variable of the contract (r->specs has all), and say them: warnings. */
void rotate_look_for_strays(struct rotate_job *r);

/* What is said of one, and what to do. */
void rotate_describe_stray(const struct rotate_job *r, const struct rotate_stray *stray,
                           struct buf *message, struct buf *hint);

/* ---- rotate_metrics.c ---------------------------------------------------------------------------- */

/* Write --metrics: STATUS of every secret, and how its last rotation ended. */
MUST_USE int rotate_write_metrics(const struct rotate_job *r, const struct rotate_status *status,
                                  struct err *err);

/* The same as text. LAST has a receipt each; one without an id: never. NOW is in Unix seconds. */
MUST_USE int rotate_metrics_text(const struct rotate_spec *specs,
                                 const struct rotate_status *status,
                                 const struct rotate_receipt *last, size_t count, int64_t now,
                                 struct buf *out, struct err *err);

#endif
