/* agent/doctor.h: `agent doctor`: what its parts share.
 *
 *   cmd_doctor.c       options; the parts one after another; text and JSON
 *   doctor.c           findings, and the time that each part has
 *   doctor_host.c      this process and this machine: limits, PID 1, libraries
 *   doctor_environ.c   the environment: what steers us, what is not used
 *   doctor_files.c     the sealed store, commands and hooks, places of files, run.status
 *   doctor_vault.c     Vault: reached, sealed, its clock, our token
 *   doctor_paths.c     each path of the contract: what our token may do there, and the policy that is missing
 *   doctor_values.c    every variable as `run` gets it, leases
 *   doctor_rotate.c    the rights of a rotation, records that the application could read
 *   doctor_database.c  the database step by step, its state, rights, psql
 *   doctor_envpy.c     Alembic's env.py, read and not run
 *
 * A part looks, and says what it found; none stops another one. Nothing is changed. What is made by
 * looking as `run` does (a log-in to Vault, a lease) is ended again. Findings are value-free. */
#ifndef AGENT_DOCTOR_H
#define AGENT_DOCTOR_H

#include "agent/job.h"

enum {
    DOCTOR_MS = 30 * 1000,         /* without --timeout */
    DOCTOR_TEXT_BYTES = 16 * 1024, /* of one message or hint */
};

enum doctor_severity { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_ERROR };

struct doctor_finding {
    enum doctor_severity severity;
    const char *subject, *message, *hint; /* hint: NULL, or lines */
};

/* Whether Vault can be asked. */
enum doctor_vault {
    DOCTOR_VAULT_UNUSED, /* nothing of the contract or the environment is in Vault */
    DOCTOR_VAULT_CLOSED, /* it could not be asked, and why was said */
    DOCTOR_VAULT_OPEN,   /* we have a token that lives */
};

struct doctor {
    struct invocation bounded; /* the call, with the deadline of the part that looks now */
    int64_t deadline_ms;       /* of all parts */
    bool rotates;              /* --rotate: it is about the token that rotates */
    struct job job;            /* of `bounded` */
    bool loaded;               /* job has a contract that may be used, in a profile */
    size_t taken_errors; /* of the job's findings, by the last time that they were taken over */
    enum doctor_vault vault_is;
    struct vault *vault; /* OPEN: the job's */
    bool is_root;        /* its token may do everything */

    struct arena arena; /* of the findings */
    struct doctor_finding *list;
    size_t count, capacity;
    size_t errors, warnings;
    bool no_memory;
};

/* ---- doctor.c ------------------------------------------------------------------------------------ */

void doctor_release(struct doctor *d);

/* The next part has at most MS, and the half of what is left, so that one that hangs leaves time for the
 * others. */
void doctor_part(struct doctor *d, int64_t ms);

/* Add a finding, unless the same was said already. Texts are copied; known secrets are taken out of them, foreign bytes are escaped. */
void doctor_say(struct doctor *d, enum doctor_severity severity, const char *subject,
                const char *hint, const char *format, ...) PRINTF(5, 6);

/* The same of an error, with its hint. */
void doctor_say_err(struct doctor *d, enum doctor_severity severity, const char *subject,
                    const struct err *err);

/* Take over what the job has found since the last time. True: there were errors among it. */
bool doctor_take_findings(struct doctor *d);

void doctor_write_text(const struct doctor *d, bool color, struct buf *out);
void doctor_write_json(const struct doctor *d,
                       struct json *json); /* "findings" of a begun object */

/* ---- the parts, in their order ---------------------------------------------------------------------- */

void doctor_look_at_host(struct doctor *d);
void doctor_look_at_environment(struct doctor *d);
void doctor_look_at_libraries(struct doctor *d);
void doctor_look_at_files(struct doctor *d);
void doctor_look_at_vault(struct doctor *d);
void doctor_look_at_paths(struct doctor *d);
void doctor_look_at_values(struct doctor *d);
void doctor_look_at_rotation(struct doctor *d);
void doctor_look_at_database(struct doctor *d);
void doctor_look_at_env_py(struct doctor *d);

/* Whether anything of the contract comes from KIND. */
bool doctor_uses(const struct doctor *d, enum ref_kind kind);

/* ---- doctor_paths.c ------------------------------------------------------------------------------- */

struct vault_need; /* vault/write.h */

/* What NEED would take: the policy's text and a request to try it with, as the lines of a hint. The token
 * is not in it. */
void doctor_add_remedy(struct doctor *d, const struct vault_need *need, struct buf *out);

/* ---- doctor_envpy.c ------------------------------------------------------------------------------- */

enum envpy_fault {
    ENVPY_FINE,
    ENVPY_NO_RUN,         /* it runs no migrations as far as can be read */
    ENVPY_NO_TRANSACTION, /* on a connection that begins none, and commits nothing */
    ENVPY_STATEMENT,  /* a statement before configure() began a transaction that nobody commits */
    ENVPY_OPEN_BEGIN, /* begin() without `with`, and no commit() */
};

/* Whether the env.py in TEXT stamps inside of a transaction that is committed, by reading alone. *line is
 * where it goes wrong, from 1. Errors: ERR_RESOURCE. */
MUST_USE int envpy_judge(const char *text, size_t length, enum envpy_fault *fault, unsigned *line,
                         struct err *err);

#endif
