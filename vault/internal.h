/* vault/internal.h: what the files of this folder share. It never leaves the folder.
 *
 *   settings.c  contract and environment -> struct vault_config (settings.h),
 *               with settings_node.c: its nodes
 *   http.c      one exchange over libcurl; many of them in flight (the only curl code),
 *               with http_request.c: what one asks, and http_failure.c: why it ended without an
 *               answer
 *   flight.c    calls: exchanges with retries, rate, one redirect and a deadline,
 *               with flight_again.c: what is tried again, on which node, and when
 *   answer.c    status and body of a call -> an error for people
 *   json.c      Vault's JSON -> fields, leases, texts
 *   auth.c      where a token comes from; logging in (auth.h),
 *               with auth_value.c: what the settings name; auth_login.c: the ways to log in;
 *               auth_wrapped.c: a secret id that comes wrapped
 *   path.c      paths of references -> paths of requests
 *   mount.c     mounts: of the contract, and found
 *   kv.c        which spelling of a path is read, and by which version of KV
 *               with kv_answer.c: what came back for it
 *   metadata.c  what is at a path, without its values
 *   distinct.c  each secret asked for once, in whatever spelling
 *   ahead.c     answers asked for before they are needed
 *   lease.c     leases, the identity's end, revoking it
 *   renew.c     keeping both alive (renew.h); schedule.c: when (schedule.h)
 *   vault.c     what others see
 *   document.c  JSON objects of texts (document.h)
 *   ask.c       one request and its answer, for what is written and made
 *   write.c     KV version 2 is written (write.h),
 *               with write_patch.c: some fields of a secret; write_metadata.c: beside it;
 *               span.c: JSON as it was written; capability.c: what a policy has to allow
 *   engine.c    the database engine and its leases (engine.h),
 *               with engine_token.c: tokens; engine_approle.c: secret ids
 *   source.c    references of every kind
 *               with source_command.c: what a command puts out
 *   sealed*.c   the sealed store (sealed_store.h) */
#ifndef VAULT_INTERNAL_H
#define VAULT_INTERNAL_H

#include <jansson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/ref.h"
#include "base/url.h"
#include "vault/document.h"
#include "vault/sealed.h"
#include "vault/vault.h"

enum {
    VAULT_HEADER_VALUE_MAX_BYTES = 4 * 1024, /* a token, a namespace */
    VAULT_PATH_MAX_BYTES = 4 * 1024,         /* of a request, encoded */
    VAULT_ADDRESS_MAX_BYTES = 4 * 1024,
    VAULT_NODES_MAX = 16,
    VAULT_FILE_MAX_BYTES = 1024 * 1024, /* a token's, a secret id's */
    VAULT_TIMEOUT_MS = 10 * 1000,
    VAULT_DEADLINE_MS = 60 * 1000,
};

/* ---- settings.c ----------------------------------------------------------------------------- */

/* One place where Vault is spoken to: a node of a cluster, what stands before all of them, or an
 * agent of Vault's on this machine. */
struct vault_node {
    const char *address;     /* as it was said, for messages */
    const char *base_url;    /* "https://vault:8200/prefix": no slash at the end */
    const char *socket_path; /* of unix://, else NULL */
    bool tls, loopback;
    const char *host_header, *connect_to; /* with a tls_server_name: curl's two halves of it */
};

/* What the settings and the environment come to. Strings are its own, in the arena. */
struct vault_config {
    struct arena strings;
    struct vault_node nodes[VAULT_NODES_MAX]; /* one at least */
    size_t node_count;
    bool address_is_default; /* nobody said one */
    bool is_agent;           /* it is VAULT_AGENT_ADDR's, which logs in by itself */
    bool tls;                /* one of them has it */
    const char *name_space;
    const char *ca_cert, *ca_path, *ca_bytes; /* at most one; of a folder its files' bytes, too */
    const char *client_cert, *client_key;
    struct secret client_cert_bytes, client_key_bytes;
    bool skip_verify;
    struct secret proxy; /* its URL may hold a password */
    bool proxy_is_usual; /* https_proxy: not for nodes on this machine */
    const char *no_proxy;
    bool no_redirects;
    const char *const *redirect_hosts;
    int64_t timeout_ms, deadline_ms;
    int retries; /* -1: as many as the deadline allows */
    double rate; /* requests a second; 0: no limit */
    double burst;
    enum vault_auth_method method;
    const char *auth_mount, *role, *role_id, *secret_id, *username, *password, *jwt;
    const char *token, *token_file;
    bool secret_id_wrapped;
    bool strict_profile;
    const char *folder;
    const struct vault_kv_mount *kv_mounts;
    size_t kv_mount_count;
};

MUST_USE int vault_config_read(const struct vault_settings *settings, struct vault_config *out,
                               struct err *err);
void vault_config_release(struct vault_config *config);

/* Whether LIST (no_proxy: names, addresses, networks, "*", with commas or blanks between them) has HOST,
 * which is without brackets. A name is that host and all under it (no_proxy.c). */
bool no_proxy_has(const char *list, const struct url_span *host);

/* The variable BAO_<suffix> when it is there, even empty, else VAULT_<suffix>. *name is which
 * (static until the next call). NULL when neither is there, or when it is empty. */
const char *vault_environment(const char *suffix, const char **name);

/* Whether two absolute URLs have the same scheme, host and port. */
bool vault_same_origin(const char *a, const char *b);

/* ---- http.c --------------------------------------------------------------------------------- */

struct http; /* a set of kept connections to one server */

/* One request and its answer. */
struct http_exchange {
    /* asked; borrowed until the exchange ends */
    const char *method; /* "GET", "POST", "PATCH", "DELETE" */
    const char *url;
    const struct vault_node *node; /* whose URL it is; NULL: of an origin that is none of them */
    const struct secret *token;    /* NULL: none */
    const char *index;             /* the server is at least as far as this, or says so; or NULL */
    bool from_leader;              /* a standby that is behind shall ask the leader instead */
    const struct secret *body;     /* JSON; NULL: none */
    bool is_patch;                 /* the body is a merge patch (RFC 7396) */
    bool patient;                  /* the server may think for long: no minimum speed */
    bool once;                     /* libcurl does not send it again by itself either */
    int64_t deadline_ms;
    /* answered */
    bool sent;  /* some of it may have reached the server */
    int status; /* 0: no answer, see err */
    struct buf answer;
    char *location;         /* where a 3xx points, absolute; NULL: it says nothing usable */
    char *index_now;        /* how far the server was; NULL: it does not say */
    int64_t retry_after_ms; /* 0: not said */
    struct err err;         /* status 0: why. ERR_SOURCE_DOWN alone is worth trying again */
    /* http.c's own */
    struct http_transfer *transfer; /* while it is in flight */
    struct http_exchange *next_ended;
};

MUST_USE int http_open(const struct vault_config *config, struct http **out, struct err *err);
void http_free(struct http *http);

/* Send it. -1: it could not even be tried. */
MUST_USE int http_start(struct http *http, struct http_exchange *exchange, struct err *err);

/* Wait until an exchange has ended, or UNTIL_MS. */
MUST_USE int http_wait(struct http *http, int64_t until_ms, struct err *err);

/* One that has ended, or NULL. */
struct http_exchange *http_next_ended(struct http *http);

/* Forget one in flight, or release the answer of one that has ended. */
void http_exchange_release(struct http *http, struct http_exchange *exchange);

/* ---- flight.c ------------------------------------------------------------------------------- */

struct flight;

enum call_state { CALL_IDLE, CALL_WAITING, CALL_IN_FLIGHT, CALL_DONE };

/* One request as a caller means it: tried again where that may help. Lives as long as the flight
 * that it was added to. */
struct call {
    /* asked */
    const char *method;
    char *path;                /* behind /v1/, encoded; owned */
    bool anonymous;            /* goes without the token */
    const struct secret *body; /* borrowed */
    const struct secret *sent; /* what of it a server may repeat in an error, or NULL */
    const struct secret *as;   /* the token that it goes with in place of ours, borrowed, or NULL */
    bool is_patch, patient;
    bool ahead;    /* it is asked ahead: an answer that was kept before is too old for it */
    bool once;     /* it changes something: again only where it is known to have had no effect */
    bool optional; /* the flight does not wait for it */
    void (*done)(struct flight *flight, struct call *call);
    void *owner;
    /* answered */
    enum call_state state;
    int status;      /* of the last answer; 0: none, see exchange.err */
    int64_t sent_ms; /* when the answered attempt started */
    bool lost;       /* it may have reached the server, and the flight failed before the answer */
    size_t node;     /* of the configuration's: where the last attempt went, or the next one goes */
    struct http_exchange exchange;
    /* flight.c's own */
    char *url;
    unsigned attempts;    /* requests sent */
    unsigned rounds;      /* delays behind it: each node was asked in each of them */
    unsigned nodes_asked; /* since the last delay */
    unsigned faults;      /* answers of 500 */
    unsigned behind;      /* answers of a standby that was behind */
    unsigned strays;      /* redirects that were not followed */
    unsigned index_age;   /* of the vault, when the last attempt started */
    bool redirected;
    int64_t due_ms;
    struct backoff backoff;
    struct call *next;
};

/* Calls on their way to one server, until each one that is needed has its last word. */
struct flight {
    struct vault *vault;
    int64_t deadline_ms;
    struct call *first;
    struct log_progress progress;
    struct err failure; /* of the flight itself: memory, curl */
};

/* PATH becomes the call's. */
void flight_add(struct flight *flight, struct call *call);

/* 0: every call that is not optional is done, whatever came back. -1: the flight itself failed. */
MUST_USE int flight_run(struct flight *flight, struct err *err);
void call_release(struct vault *v, struct call *call);

/* Perform one call alone. */
MUST_USE int flight_perform(struct vault *v, struct call *call, int64_t deadline_ms,
                            struct err *err);

bool flight_is_transient(int status); /* worth trying again */

/* Have CALL, which ended, wait for its next attempt (flight_again.c). False: this was the last. */
bool flight_try_again(struct flight *flight, struct call *call);

/* ---- json.c --------------------------------------------------------------------------------- */

/* Have jansson take its memory from here: wiped when it is given back. Before the first parse. */
void vault_json_use_memory(void);

/* Parse an answer's body within the limits. WHAT is for messages. Errors: ERR_SOURCE_DATA,
 * ERR_RESOURCE. The bytes of BODY may be changed. */
MUST_USE int vault_json_parse(struct buf *body, const char *what, json_t **out, struct err *err);
#define AUTO_JSON CLEANUP(vault_json_auto) json_t *
void vault_json_auto(json_t **json);

/* The texts of errors[], joined; "" when there are none. False: BODY is not Vault's JSON. */
bool vault_json_errors(struct buf *body, struct buf *out);

/* The fields of OBJECT as the caller's. Errors: ERR_SOURCE_DATA (not an object), ERR_RESOURCE. */
MUST_USE int vault_json_fields(const json_t *object, const char *what, struct vault_field **fields,
                               size_t *count, struct err *err);
void vault_fields_free(struct vault_field *fields, size_t count);

/* "2026-11-25T18:20:05.123456789Z" as nanoseconds since 1970; 0: it is none, or from before. */
int64_t vault_json_time_ns(const json_t *text);
int64_t vault_json_time(const json_t *text); /* the same in seconds */

/* Seconds in member NAME as ms; 0 when it is not there, no number or out of reason. */
int64_t vault_json_seconds(const json_t *object, const char *name);

/* {"name": "value", ...}; a value that is not set is left out. */
struct vault_member {
    const char *name;
    const struct secret *value;
};
MUST_USE int vault_json_body(const struct vault_member *members, size_t count, struct secret *out,
                             struct err *err);

/* ---- document.c ----------------------------------------------------------------------------- */

/* document_parse's second half: OBJECT's members. With KNOWN_ONLY as document_parse_known. */
MUST_USE int document_from_json(json_t *object, const char *what, enum err_kind kind,
                                bool known_only, struct document *out, struct err *err);

/* ---- answer.c ------------------------------------------------------------------------------- */

/* What CALL ended with, as an error: "read 'PATH' at 'ADDRESS': answered 403: permission denied".
 * TRIED is "read", "log in at". Always returns -1. */
int answer_error(struct vault *v, struct call *call, const char *tried, struct err *err);

/* Whether what CALL ended with, no 2xx, says that it changed nothing: it was never sent, or Vault
 * refused it before it acted on it. */
bool answer_says_no_effect(const struct call *call);

/* Log each of warnings[] that was not logged before. */
void answer_warnings(struct vault *v, const char *path, const json_t *json);

/* ---- path.c --------------------------------------------------------------------------------- */

/* Check PATH of a reference and append it with each segment encoded. Errors: ERR_CONTRACT. */
MUST_USE int path_encode(const char *path, struct buf *out, struct err *err);

/* Length of the first COUNT segments of PATH, without the slash behind them; the whole length when
 * it has no more. */
size_t path_prefix(const char *path, size_t count);
size_t path_segments(const char *path);

/* PATH with "data/" behind its first MOUNT_LENGTH bytes and a slash, encoded; unless it stands there
 * already. MOUNT_LENGTH 0: as it is. */
MUST_USE int path_request(const char *path, size_t mount_length, char **out, struct err *err);

/* PATH with WORD ("data", "metadata") behind its first MOUNT_LENGTH bytes, in place of "data" if that
 * stands there; not encoded. */
MUST_USE int path_beside(const char *path, size_t mount_length, const char *word, struct buf *out,
                         struct err *err);

/* Whether PATH lies in the mount whose name has LENGTH bytes. */
bool path_is_below(const char *path, const char *mount, size_t length);

/* "<mount>/creds/<role>", "static-creds", "static-cred": reading makes or names a login. */
bool path_is_login(const char *path);

/* ---- auth.c --------------------------------------------------------------------------------- */

/* Have a token: find it, or log in. Sends nothing when one was given. */
MUST_USE int auth_ensure(struct vault *v, int64_t deadline_ms, struct err *err);

/* Our own log-in again, for a token that has ended. */
MUST_USE int auth_again(struct vault *v, int64_t deadline_ms, struct err *err);

enum auth_verdict {
    AUTH_TOKEN_LIVES, /* it may look at itself: what was refused is not its to read */
    AUTH_TOKEN_DEAD,  /* expired, revoked, never one; or a live one without the default policy */
    AUTH_UNKNOWN,     /* could not be asked */
};

/* Of AUTH_TOKEN_DEAD: Vault answers 403 to each of them. */
#define AUTH_TOKEN_DEAD_SAYS                                                                    \
    "the token has expired, was revoked, is none of this Vault, or has no policy that lets it " \
    "look even itself up"
#define AUTH_TOKEN_DEAD_HINT "Get a new token, or let agent log in (vault.auth)."
/* Ask lookup-self. POLICIES gets the token's policies, joined. */
enum auth_verdict auth_look_at_token(struct vault *v, int64_t deadline_ms, struct buf *policies);

/* Trim TEXT in place and check that a header can carry it. SOURCE names where it is from. */
MUST_USE int auth_check_header_value(const char **text, size_t *length, const char *source,
                                     struct err *err);

/* ---- source.c ------------------------------------------------------------------------------- */

/* Read a regular file or a pipe whole; with GUARDED not one that anybody may write. sys_errno
 * ENOENT: it is not there. */
MUST_USE int source_read_file(const char *path, bool guarded, struct buf *out, struct err *err);

/* NAME's value in ENVIRONMENT (NULL-terminated NAME=value, or NULL), or NULL. */
const char *source_environment_get(const char *const *environment, const char *name);

/* What REF's command puts out, with PATH, HOME and LANG of ENVIRONMENT alone. */
MUST_USE int source_read_command(const struct ref *ref, const char *const *environment,
                                 int64_t deadline_ms, struct buf *out, struct err *err);

/* ---- mount.c -------------------------------------------------------------------------------- */

/* The longest mount that PATH lies in, of the contract or found before: the length of its name. */
bool mount_find(const struct vault *v, const char *path, size_t *length, unsigned *version);

/* Remember the mount whose name is PATH's first LENGTH bytes. VERSION is KV's; 1 for what is no KV
 * and read as it is written. -1: no memory. */
MUST_USE int mount_remember(struct vault *v, const char *path, size_t length, unsigned version);

/* ---- kv.c ----------------------------------------------------------------------------------- */

/* Read every path (distinct ones). Each one's outcome is in reads[i]->err. -1: nothing went. */
MUST_USE int kv_read_all(struct vault *v, struct vault_read *const *reads, size_t count,
                         int64_t deadline_ms, struct err *err);

/* ---- distinct.c ----------------------------------------------------------------------------- */

/* As kv_read_all, for READS of any paths: the same one twice, or a secret of KV v2 in both spellings,
 * costs one request and has one lease. -1: some have no outcome. */
MUST_USE int distinct_read_all(struct vault *v, struct vault_read *reads, size_t count,
                               int64_t deadline_ms, struct err *err);

/* ---- lease.c -------------------------------------------------------------------------------- */

/* The lease of an answer that was asked for at SENT_MS. LOGIN: the path is one of static-creds or
 * creds, whose data may hold "ttl". */
MUST_USE int lease_from_answer(const json_t *answer, bool login, int64_t sent_ms,
                               struct vault_lease *out, struct err *err);

/* ---- ahead.c -------------------------------------------------------------------------------- */

struct ahead; /* an answer that was asked for ahead */

/* Whether CALL's answer is there: then it has it. What was asked for ahead on a path that is written
 * is forgotten. */
bool ahead_take(struct vault *v, struct call *call);
void ahead_free(struct vault *v);

/* ---- vault.c -------------------------------------------------------------------------------- */

struct known_mount {
    char *path; /* "team/kv", without slashes at the ends */
    unsigned version;
};

struct vault {
    struct vault_config config;
    struct http *http;            /* NULL before the first request */
    struct sealed_source *sealed; /* where `sealed:` in auth comes from, borrowed; NULL: its own */
    struct secret token;
    struct secret secret_id; /* that was unwrapped, for the next log-in */
    const char *method;      /* as in a contract, or "agent"; NULL before auth_ensure */
    bool logged_in;
    bool few_uses; /* the token may be used a limited number of times: nothing speculative */
    bool token_renewable, token_is_batch;
    int64_t token_span_ms; /* what it was made for; 0: not known, or no end */
    int64_t token_expires_ms;
    struct known_mount *mounts;
    size_t mount_count, mount_capacity;
    size_t node;                         /* of the configuration's: where requests go now */
    bool node_was_left[VAULT_NODES_MAX]; /* that was said */
    char *index;                         /* X-Vault-Index of the newest answer, or NULL */
    unsigned index_age;                  /* how many there were */
    char **warnings;                     /* that were logged */
    size_t warning_count, warning_capacity;
    double rate_tokens;
    int64_t rate_filled_ms;
    struct ahead *ahead;
};

#endif
