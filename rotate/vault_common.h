/* rotate/vault_common.h: what the strategies that Vault does share: its connection, a log-in that it
 * made, what a policy has to allow. */
#ifndef ROTATE_VAULT_COMMON_H
#define ROTATE_VAULT_COMMON_H

#include "rotate/internal.h"
#include "vault/engine.h"

enum {
    ENGINE_PATH_BYTES = 1024,
    ENGINE_NEEDS_MOST = 6,
};

#define AUTO_CREDS CLEANUP(vault_creds_release) struct vault_creds
#define AUTO_ROLE  CLEANUP(vault_role_release) struct vault_role
#define AUTO_LIST  CLEANUP(vault_list_release) struct vault_list

/* The client that agent has, opened at the first call. */
MUST_USE int engine_vault(struct rotation *r, struct vault **out, struct err *err);

enum engine_login {
    ENGINE_LOGGED_IN,
    ENGINE_REFUSED,   /* the server said no to these credentials; err says its words */
    ENGINE_NOT_TRIED, /* nobody says where the database is, or only Vault can reach it; err says so */
};

/* A new connection with CREDS, which is closed again: where the application connects to, else where Vault's
 * CONNECTION does, else where the admin does. -1: neither yes nor no (the database is down, ...). */
MUST_USE int engine_try(struct rotation *r, const char *connection, const struct vault_creds *creds,
                        enum engine_login *out, struct err *err);

/* The end of a test: nothing for one that logged in, a line where it was not tried, else an error. WHAT is
 * "the new password of static role 'app'". */
MUST_USE int engine_must_log_in(struct rotation *r, const char *what, const char *connection,
                                const struct vault_creds *creds, struct err *err);

/* Prove that ROLE still makes log-ins that work: a new one, a connection with it, its end. A lease that a
 * runner that died left behind is ended first. CONNECTION may be NULL: it is asked for. */
MUST_USE int engine_prove_role(struct rotation *r, const char *role, const char *connection,
                               struct err *err);

/* Before anything is begun: ERR_SOURCE_DENIED with the policy that would allow it, where NEEDS are not met. */
MUST_USE int engine_check_needs(struct rotation *r, struct vault_need *needs, size_t count,
                                struct err *err);

/* Lines of a plan: whether the policy allows NEEDS, and what would. */
MUST_USE int engine_plan_needs(struct rotation *r, struct vault_need *needs, size_t count,
                               struct buf *out, bool *ready, struct err *err);

#endif
