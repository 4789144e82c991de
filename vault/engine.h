/* vault/engine.h: what makes credentials: the database engine, leases, tokens, AppRole.
 *
 * MOUNT, ROLE and CONNECTION are names without slashes at the ends ("database", "app"); an
 * AppRole's mount is the name behind auth/ ("approle"). Effects are never sent twice (see
 * vault/write.h): where there is an OUTCOME, 0 with VAULT_IN_DOUBT means that nobody said what
 * became of it; VAULT_CONFLICT does not happen here. What makes something and hands it out
 * answers -1 with ERR_SOURCE_DOWN when the answer was lost, and the hint says what may be left
 * behind.
 *
 * Strings of answers are the caller's, released with the struct. Secrets go in bodies or in the
 * token's header, never into a URL or an error. Errors: as in vault/vault.h. Source: HTTP API,
 * "Database", "/sys/leases", "Token auth method", "AppRole". */
#ifndef VAULT_ENGINE_H
#define VAULT_ENGINE_H

#include "vault/document.h"
#include "vault/vault.h"
#include "vault/write.h"

/* ---- the database engine -------------------------------------------------------------------- */

/* What a reference's path names: "database/static-creds/app". */
struct vault_login {
    bool is_static;
    char *mount, *role;
};
/* ERR_CONTRACT: PATH makes no log-in. */
MUST_USE int vault_login_of(const char *path, struct vault_login *out, struct err *err);
void vault_login_release(struct vault_login *login);

/* A log-in that the engine gave. */
struct vault_creds {
    char *username;
    struct secret password;
    struct vault_lease lease; /* of creds; of a static role: its ttl, without an id */
    char *rotated;            /* last_vault_rotation as it was written; NULL: none */
    int64_t rotated_ns;       /* the same since 1970; 0: not known */
};
void vault_creds_release(struct vault_creds *creds);

/* Have the engine change a static role's password. The answer tells nothing: read it afterwards. */
MUST_USE int vault_static_rotate(struct vault *v, const char *mount, const char *role,
                                 int64_t deadline_ms, enum vault_written *outcome, struct err *err);
MUST_USE int vault_static_read(struct vault *v, const char *mount, const char *role,
                               int64_t deadline_ms, struct vault_creds *out, struct err *err);

/* Have the engine change its own password, which nobody can read afterwards. */
MUST_USE int vault_root_rotate(struct vault *v, const char *mount, const char *connection,
                               int64_t deadline_ms, enum vault_written *outcome, struct err *err);

/* Make a new log-in with a lease of its own. */
MUST_USE int vault_creds_new(struct vault *v, const char *mount, const char *role,
                             int64_t deadline_ms, struct vault_creds *out, struct err *err);

/* How a role is made. */
struct vault_role {
    char *connection;             /* db_name */
    char *username;               /* static; else NULL */
    struct vault_list creation;   /* statements; static: none */
    struct vault_list revocation; /* the same; empty: the engine's own */
    int64_t ttl_ms, max_ttl_ms;   /* 0: the mount's */
    int64_t period_ms;            /* static: between rotations */
};
MUST_USE int vault_role_lookup(struct vault *v, const char *mount, const char *role, bool is_static,
                               int64_t deadline_ms, struct vault_role *out, struct err *err);
void vault_role_release(struct vault_role *role);

/* The names of all roles of MOUNT: those that make log-ins, or the static ones. */
MUST_USE int vault_roles_list(struct vault *v, const char *mount, bool is_static,
                              int64_t deadline_ms, struct vault_list *out, struct err *err);

/* Where the engine connects to, as whom. The URL has a placeholder in place of the password. */
struct vault_connection {
    char *url, *username;            /* NULL: not told */
    struct vault_list allowed_roles; /* "*": all */
};
MUST_USE int vault_connection_lookup(struct vault *v, const char *mount, const char *connection,
                                     int64_t deadline_ms, struct vault_connection *out,
                                     struct err *err);
void vault_connection_release(struct vault_connection *connection);

/* ---- leases --------------------------------------------------------------------------------- */

/* The ids of all leases below PREFIX ("database/creds/app"). Needs sudo. */
MUST_USE int vault_leases_list(struct vault *v, const char *prefix, int64_t deadline_ms,
                               struct vault_list *out, struct err *err);

struct vault_lease_facts {
    bool is_there;                 /* false: it has ended, or never was */
    int64_t issued_at, expires_at; /* Unix seconds; 0: not told */
    int64_t ttl_ms;
    bool renewable;
};
MUST_USE int vault_lease_lookup(struct vault *v, const char *id, int64_t deadline_ms,
                                struct vault_lease_facts *out, struct err *err);

/* End a lease. SYNC: wait until the engine has done it; its own words are then in the error. 0 for
 * one that has ended, too. */
MUST_USE int vault_lease_revoke(struct vault *v, const char *id, bool sync, int64_t deadline_ms,
                                struct err *err);

/* ---- tokens --------------------------------------------------------------------------------- */

struct vault_token_facts {
    bool is_alive; /* false: expired, revoked, or never one; the rest is empty */
    char *accessor, *display_name, *path, *type, *role, *entity_id; /* NULL: not told */
    struct vault_list policies;
    struct document meta;
    int64_t ttl_ms; /* what is left; 0: it does not end */
    int64_t creation_ttl_ms, period_ms, explicit_max_ttl_ms;
    int64_t created_at; /* Unix seconds */
    bool renewable, orphan;
    int64_t uses_left; /* 0: no limit */
};
void vault_token_facts_release(struct vault_token_facts *facts);

/* Our own: who does this. */
MUST_USE int vault_self(struct vault *v, int64_t deadline_ms, struct vault_token_facts *out,
                        struct err *err);

/* TOKEN as ours may look it up, or else as it may look at itself. 0 also for a dead one. */
MUST_USE int vault_token_lookup(struct vault *v, const struct secret *token, int64_t deadline_ms,
                                struct vault_token_facts *out, struct err *err);
MUST_USE int vault_token_lookup_accessor(struct vault *v, const char *accessor, int64_t deadline_ms,
                                         struct vault_token_facts *out, struct err *err);

/* What a token is to be. NULL and 0: unsaid. */
struct vault_token_wish {
    const char *role; /* a token role: auth/token/create/ROLE */
    const char *display_name;
    const struct vault_list *policies; /* "root" and "default" are as Vault has them */
    const struct document *meta;       /* texts at the top */
    int64_t ttl_ms, period_ms, explicit_max_ttl_ms;
    bool not_renewable, orphan, no_default_policy;
};

/* The wish for another one like FACTS. It borrows from them. */
struct vault_token_wish vault_token_like(const struct vault_token_facts *facts);

MUST_USE int vault_token_create(struct vault *v, const struct vault_token_wish *wish,
                                int64_t deadline_ms, struct secret *token, char **accessor,
                                struct err *err);

/* End TOKEN, its children and its leases. 0 for a dead one, too. */
MUST_USE int vault_token_revoke(struct vault *v, const struct secret *token, int64_t deadline_ms,
                                struct err *err);
MUST_USE int vault_token_revoke_accessor(struct vault *v, const char *accessor, int64_t deadline_ms,
                                         struct err *err);

/* The accessors of all tokens. Wants sudo in the policy. */
MUST_USE int vault_token_accessors(struct vault *v, int64_t deadline_ms, struct vault_list *out,
                                   struct err *err);

/* ---- AppRole -------------------------------------------------------------------------------- */

MUST_USE int vault_role_id_read(struct vault *v, const char *mount, const char *role,
                                int64_t deadline_ms, struct secret *role_id, struct err *err);

/* A new secret id. META (texts at the top, or NULL) is what vault_secret_id_facts shows again. */
MUST_USE int vault_secret_id_new(struct vault *v, const char *mount, const char *role,
                                 const struct document *meta, int64_t deadline_ms,
                                 struct secret *secret_id, char **accessor, struct err *err);

struct vault_secret_id_facts {
    bool is_there; /* false: destroyed, expired, or never one */
    char *accessor;
    struct document meta;
    int64_t created_at, expires_at; /* Unix seconds; 0: none */
    int64_t uses_left;              /* 0: no limit */
};
void vault_secret_id_facts_release(struct vault_secret_id_facts *facts);
MUST_USE int vault_secret_id_lookup(struct vault *v, const char *mount, const char *role,
                                    const struct secret *secret_id, int64_t deadline_ms,
                                    struct vault_secret_id_facts *out, struct err *err);
MUST_USE int vault_secret_id_lookup_accessor(struct vault *v, const char *mount, const char *role,
                                             const char *accessor, int64_t deadline_ms,
                                             struct vault_secret_id_facts *out, struct err *err);
/* The accessors of all secret ids of ROLE. */
MUST_USE int vault_secret_ids_list(struct vault *v, const char *mount, const char *role,
                                   int64_t deadline_ms, struct vault_list *out, struct err *err);

/* 0 for one that is gone, too. */
MUST_USE int vault_secret_id_destroy(struct vault *v, const char *mount, const char *role,
                                     const struct secret *secret_id, int64_t deadline_ms,
                                     struct err *err);
MUST_USE int vault_secret_id_destroy_accessor(struct vault *v, const char *mount, const char *role,
                                              const char *accessor, int64_t deadline_ms,
                                              struct err *err);

/* Log in with both, and end the token that it gave. *accepted: whether Vault took them. */
MUST_USE int vault_approle_login_try(struct vault *v, const char *mount,
                                     const struct secret *role_id, const struct secret *secret_id,
                                     int64_t deadline_ms, bool *accepted, struct err *err);

#endif
