/* vault/renew.h: keeping a token and leases alive, and handing an identity to another process.
 *
 * When to do it is vault/schedule.h's. Here is what is asked of Vault.
 *
 * Errors of a renewal: ERR_SOURCE_DOWN (not reached, sealed, overloaded: later), ERR_SOURCE_MISSING
 * (it has ended, or can't be renewed: get a new one), ERR_SOURCE_DENIED (our token has ended or may
 * not do that), ERR_SOURCE_DATA, ERR_RESOURCE. */
#ifndef VAULT_RENEW_H
#define VAULT_RENEW_H

#include "vault/vault.h"

/* How long a token or a lease lasts. */
struct vault_term {
    int64_t
        asked_at_ms; /* base/clock.h: it counts from here, which is never later than Vault has it */
    int64_t duration_ms; /* 0: it does not end */
    int64_t expires_ms;  /* CLOCK_NEVER: it does not end */
    bool renewable;
    bool is_short; /* less than was asked for: its maximum is near, get a new one now */
};

/* Renew our token for INCREMENT_MS (whole seconds, rounded up; 0: as long as Vault likes). Logs in
 * first where that was not done yet. Also for tokens that were given to us. */
MUST_USE int vault_token_renew_self(struct vault *v, int64_t increment_ms, int64_t deadline_ms,
                                    struct vault_term *out, struct err *err);

/* How long our token lasts, and whether it can be renewed: for one that was given to us, which did
 * not say. Where its policies don't allow it to look: ERR_SOURCE_DENIED. */
MUST_USE int vault_token_term(struct vault *v, int64_t deadline_ms, struct vault_term *out,
                              struct err *err);

/* Renew the lease ID for INCREMENT_MS from now. Source: HTTP API, sys/leases/renew: the increment
 * counts from now, so a small one shortens the lease; the values that it is of stay the same. */
MUST_USE int vault_lease_renew(struct vault *v, const char *id, int64_t increment_ms,
                               int64_t deadline_ms, struct vault_term *out, struct err *err);

/* End the lease ID. 0 also where there is none any more. At most VAULT_REVOKE_MS. ERR_SOURCE_DENIED: our
 * policies do not allow it (Vault's default policy does not). */
MUST_USE int vault_lease_end(struct vault *v, const char *id, int64_t deadline_ms, struct err *err);

/* The same; what fails is logged and the lease left to expire. True: it has ended. */
bool vault_lease_revoke_quietly(struct vault *v, const char *id);

/* Log in anew, whatever token there is, for one that reaches its end. The leases of the former one
 * end with it. ERR_SOURCE_DENIED also when our token was given to us, and nothing says how to log in. */
MUST_USE int vault_log_in_again(struct vault *v, int64_t deadline_ms, struct err *err);

/* An identity on its way to another process, which then need not log in: each field is the caller's to
 * copy. Zeroed is fine; release it with vault_session_release. */
struct vault_session {
    struct secret token;
    struct secret secret_id; /* unwrapped, which works once only; unset: it is read where it lies */
    char method[16];         /* "approle"; "" for none yet */
    bool logged_in, renewable, is_batch;
    int64_t duration_ms, expires_ms;
};

/* Copies; *out is untouched on failure. */
MUST_USE int vault_session_get(const struct vault *v, struct vault_session *out, struct err *err);
MUST_USE int vault_session_use(struct vault *v, const struct vault_session *session,
                               struct err *err);
void vault_session_release(struct vault_session *session);

#endif
