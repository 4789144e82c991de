/* vault/vault.h: the client of Vault's HTTP API (OpenBao speaks the same one).
 *
 * A struct vault is one server, one identity and one set of kept connections: over TLS one
 * connection with HTTP/2 where the server has it, over plain HTTP at most VAULT_PLAIN_CONNECTIONS.
 * Nothing is sent before the first request; the log-in happens then, once.
 *
 * Settings come from the contract; VAULT_* and BAO_* are applied over them as their own command
 * line does (BAO_X wins when it is there, even when it is empty; booleans and durations in Go's
 * forms). Redirects are never left to libcurl: one hop, to the same origin or one that the settings
 * name, https stays https. Texts of the server pass the sanitiser; a blank one is replaced by what
 * the status usually means.
 *
 * Errors: ERR_SOURCE_DOWN (not reached, sealed, overloaded; retries are used up), ERR_SOURCE_DENIED
 * (401, 403, a refused log-in), ERR_SOURCE_MISSING (404, deleted, destroyed), ERR_SOURCE_DATA (an
 * answer that can't be used), ERR_CONTRACT or ERR_USAGE (settings), ERR_RESOURCE.
 * Each names the address, the path and what came back. */
#ifndef VAULT_VAULT_H
#define VAULT_VAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"

enum {
    VAULT_PLAIN_CONNECTIONS = 6,
    VAULT_BODY_MAX_BYTES = 4 * 1024 * 1024,
    VAULT_HEADER_MAX_BYTES = 64 * 1024,
    VAULT_JSON_MAX_DEPTH = 64,
};

enum vault_auth_method {
    VAULT_AUTH_DEFAULT, /* VAULT_AUTH_METHOD's, else a token, or AppRole where a role id is there */
    VAULT_AUTH_TOKEN,
    VAULT_AUTH_APPROLE,
    VAULT_AUTH_USERPASS,
    VAULT_AUTH_KUBERNETES,
    VAULT_AUTH_JWT,
    VAULT_AUTH_CERT,
};

/* The method that a contract calls WORD. False: it is none. */
bool vault_auth_method_of(const char *word, enum vault_auth_method *out);

struct vault_kv_mount {
    const char *mount; /* "secret", without slashes at the ends */
    unsigned version;  /* 1 or 2 */
};

/* All strings are borrowed. NULL and 0 mean unsaid. What the contract calls a source (secret_id,
 * password, jwt, token) is env:NAME, file:PATH or sealed:NAME; mount, role, role_id and username may be
 * literals too; cert and key are a path, file:PATH, or env:NAME with a path or PEM in it. */
struct vault_settings {
    const char *address;          /* VAULT_ADDR wins over it and over the next */
    const char *const *addresses; /* more nodes of the same Vault, NULL-terminated, or NULL */
    const char *name_space;       /* X-Vault-Namespace; VAULT_NAMESPACE wins */
    enum vault_auth_method method;
    const char *auth_mount, *role, *role_id, *secret_id, *username, *password, *jwt, *token;
    bool secret_id_wrapped; /* secret_id is a wrapping token */
    const char *cert, *key; /* the client's certificate; VAULT_CLIENT_CERT and its like win */
    const char *token_file; /* --token-file: wins over every other token */
    const char *ca_cert, *ca_path, *tls_server_name;
    const char *const *redirect_hosts; /* origins, NULL-terminated, or NULL */
    const struct vault_kv_mount *kv_mounts;
    size_t kv_mount_count;
    bool allow_http;     /* plain HTTP to what is not loopback, with a warning */
    bool strict_profile; /* VAULT_SKIP_VERIFY is refused; VAULT_TOKEN does not beat auth */
    int64_t timeout_ms;  /* one request; 0: 10 s */
    int64_t deadline_ms; /* all retries of one call, as a duration; 0: 60 s */
    int retries;         /* at most this many within the deadline; 0: no limit but it */
    bool no_retries;     /* none at all */
    const char *folder;  /* where relative paths of files start */
};

struct vault;

/* Read the environment over the settings and check them. Sends nothing. */
MUST_USE int vault_open(const struct vault_settings *settings, struct vault **out, struct err *err);

enum vault_value_type { VAULT_STRING, VAULT_INTEGER, VAULT_BOOL, VAULT_NULL, VAULT_OTHER };

/* One field of an answer's data. What is no string, exact integer or boolean has no value: using it
 * is an error that names field and type. */
struct vault_field {
    char *name;
    enum vault_value_type type;
    const char *type_name; /* "number", "object", "array", "null", for messages */
    struct secret value;
};

struct vault_lease {
    char *id;            /* NULL: none */
    int64_t duration_ms; /* of the lease; for static roles the time to the next rotation */
    int64_t expires_ms;  /* base/clock.h */
    bool renewable;
};

/* A path to read, and what came back. Zero it, set path, release it with vault_read_release. */
struct vault_read {
    const char *
        path; /* as in a reference: "secret/acme/db", with or without data/; "database/creds/app" */
    /* answer */
    struct vault_field *fields;
    size_t field_count;
    unsigned version;      /* KV v2; 0 elsewhere */
    int64_t written_at_ns; /* of that version: Unix nanoseconds; 0: not told */
    struct vault_lease lease;
    struct err err; /* ERR_NONE: fields hold the answer */
};

/* Read every path, all in flight together; each path once. Logs in first where needed. 0 when every
 * one was answered, else -1 with the first failure in *err and each one's own in reads[i].err. */
MUST_USE int vault_read_all(struct vault *v, struct vault_read *reads, size_t count,
                            int64_t deadline_ms, struct err *err);

const struct vault_field *vault_read_field(const struct vault_read *read, const char *name);
void vault_read_release(struct vault_read *read);

/* Ask for PATHS (as in references; secrets of KV), and with SELF for the token itself, all in flight
 * together, and keep the answers: the next read of each takes its own from there, once, within some
 * seconds. It only saves time: what fails, or makes a log-in, is left to the read itself. */
void vault_ask_ahead(struct vault *v, const char *const *paths, size_t count, bool self,
                     int64_t deadline_ms);

/* ---- without values ------------------------------------------------------------------------- */

enum vault_outline_state {
    VAULT_OUTLINE_UNKNOWN, /* could not be looked at: see err */
    VAULT_OUTLINE_THERE,
    VAULT_OUTLINE_MISSING,
    VAULT_OUTLINE_DELETED,   /* the newest version; it can be undeleted */
    VAULT_OUTLINE_DESTROYED, /* the newest version, for good */
};

struct vault_outline_pair {
    char *name, *text; /* text may be NULL */
};

/* What is at a path, without its values. Zero it, set path, release it with vault_outline_release. */
struct vault_outline {
    const char *path; /* as in a reference */
    /* answer */
    enum vault_outline_state state;
    bool names_known;                 /* of the fields; false: only that there are some */
    struct vault_outline_pair *names; /* the text is "object" for what is no value */
    size_t name_count;
    unsigned version; /* KV v2; 0 elsewhere */
    int64_t
        written_at; /* Unix seconds: the version, or a static role's last rotation; 0: unknown */
    struct vault_outline_pair *customs; /* custom metadata */
    size_t custom_count;
    struct err err; /* UNKNOWN: why, with the policy that would allow it */
};

/* Look at every path (distinct ones), all in flight together: KV v2 by subkeys, else by metadata; a
 * path that makes or names a log-in by its role. No value is asked for, no log-in made. 0 also when
 * some could not be looked at. -1: no log-in, no memory. */
MUST_USE int vault_outline_all(struct vault *v, struct vault_outline *outlines, size_t count,
                               int64_t deadline_ms, struct err *err);

/* When agent rotated VARIABLE there, as its custom metadata `agent.<VARIABLE>` says; 0: it does not. */
int64_t vault_outline_rotated_at(const struct vault_outline *o, const char *variable);
void vault_outline_release(struct vault_outline *o);

/* How long the identity that was used lasts. */
struct vault_identity {
    bool logged_in;      /* we made the token ourselves */
    int64_t expires_ms;  /* CLOCK_NEVER where it has no end or it is not known */
    const char *method;  /* "token", "agent" (an agent of Vault's has one), or as in a contract */
    bool renewable;      /* of a token that we made; else not known */
    int64_t duration_ms; /* what it was made for; 0: no end, or not known */
    bool is_batch; /* of a token that we made: it can't be revoked, and leases do not end with it */
};
void vault_identity(const struct vault *v, struct vault_identity *out);

/* End a token that we made by logging in, with every lease made with it. Does nothing (0) for a
 * token that was given to us, and for a batch token, which ends with its time. At most VAULT_REVOKE_MS. */
enum { VAULT_REVOKE_MS = 2000 };
MUST_USE int vault_revoke_own_token(struct vault *v, struct err *err);

const char *vault_address(const struct vault *v); /* of the node that is spoken to now */

/* ---- the server and the library ------------------------------------------------------------- */

enum { VAULT_VERSION_BYTES = 64 };

/* What a node says of itself to everybody. */
struct vault_health {
    bool initialized, sealed, standby;
    char version[VAULT_VERSION_BYTES]; /* "": not told */
    int64_t server_time;               /* Unix seconds; 0: not told */
};

/* Ask it, without a token and without logging in, until DEADLINE_MS. 0 also when it is sealed or a
 * standby. Source: HTTP API, "/sys/health". */
MUST_USE int vault_health(struct vault *v, int64_t deadline_ms, struct vault_health *out,
                          struct err *err);

/* Append which libcurl is here, and which is the oldest that will do. Opens it. Errors: ERR_RESOURCE,
 * it is not here, or too old. */
MUST_USE int vault_library_version(struct buf *out, struct err *err);
void vault_free(struct vault *v);

#endif
