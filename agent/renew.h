/* agent/renew.h: what the application was given is kept valid, for as long as it runs.
 *
 * Values are fetched, renewed and replaced by children (agent/worker.h); here in the parent is what they
 * handed over, and when the next of it is due (vault/schedule.h). The rules:
 *
 *   - The token and every lease are renewed at two thirds of their time. When a renewal was short, or can't
 *     be, new ones are made while the old ones still work; with a new token all that hung on the old one is.
 *   - New values are held against the contract as at the start, and a database's URL is tried with a login,
 *     before they are handed over. What fails is revoked again, and the application keeps what it has.
 *   - A lease that was replaced is revoked when the application that held it has ended; otherwise it is left to
 *     expire: who reads files or gets a signal may use it until then.
 *   - A static role's password is read again when it has been rotated; what KV has every run.refresh.
 *   - Vault away, sealed or overloaded ends nothing: it is asked again later, and every RENEW_SAY_MS it is
 *     said how long what we hold stays valid. */
#ifndef AGENT_RENEW_H
#define AGENT_RENEW_H

#include "agent/change.h"
#include "agent/job.h"
#include "agent/status.h"
#include "agent/supervise.h"

enum {
    RENEW_SAY_MS = 60 * 1000,
    RENEW_LOOK_MS = 1000, /* behind the start: how long does a token last that we were given? */
    RENEW_WORK_MS = 30 * 1000,   /* one attempt */
    RENEW_CHANGE_MS = 60 * 1000, /* one that makes new ones, with its logins */
    RENEW_LOGIN_MS = 5 * 1000,   /* of them a login to a database */
};

struct renew;

/* JOB (its contract loaded, where there is one) and S live longer. HIDES: what is secret has to be known in
 * this process too, since output passes through it. Errors: ERR_RESOURCE. */
MUST_USE int renew_new(struct job *job, struct supervisor *s, bool hides, struct renew **out,
                       struct err *err);
void renew_free(struct renew *r);
void renew_auto_free(struct renew **r);
#define AUTO_RENEW CLEANUP(renew_auto_free) struct renew *

/* Have PREPARE done with the job by a child, which says its findings itself: the job has then its values,
 * without a contract its environment. A token that nothing hangs on is revoked already. The error is
 * PREPARE's, or says what became of the child; a signal that ends it: ERR_STOPPED. */
typedef int renew_prepare_function(struct job *job, struct err *err);
MUST_USE int renew_prepare(struct renew *r, renew_prepare_function *prepare, struct err *err);

/* Whether there is something to keep valid. */
bool renew_has_leases(const struct renew *r);

/* From now on, while the supervisor runs. CHANGE and FACTS outlive that. */
void renew_begin(struct renew *r, struct change *change, struct status_facts *facts);

/* The application has ended, and is started anew: former leases are revoked. */
void renew_application_restarts(struct renew *r);

/* All is over: our tokens are revoked, with the leases that hang on them; those that we made with a token
 * that we were given are, where its policy allows that. KEEP: nothing is. Some seconds at most. */
void renew_end(struct renew *r, bool keep);

#endif
