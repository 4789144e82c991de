/* vault/write.h: writing KV version 2, and what that needs of a policy.
 *
 * Paths are as in a reference ("secret/acme/db", with or without data/); the mount is the
 * contract's or is looked up. A KV version 1 mount has no check-and-set: ERR_CONTRACT, with that
 * reason.
 *
 * A write is never sent twice unless the first one is known to have had no effect: no connection
 * was made, or the server said so (412, 429, sealed). So it ends in one of four ways: -1, it had
 * no effect and err says why; 0 with VAULT_WRITTEN; 0 with VAULT_CONFLICT, the version was not
 * CAS; 0 with VAULT_IN_DOUBT: it was sent and nobody said what became of it. Then err says what
 * happened, and the caller reads back.
 *
 * Deadlines are base/clock.h's, retries included. Errors beside those: as in vault/vault.h.
 * Source: HTTP API, "KV secrets engine, version 2". */
#ifndef VAULT_WRITE_H
#define VAULT_WRITE_H

#include "base/buf.h"
#include "vault/document.h"
#include "vault/vault.h"

enum vault_written { VAULT_WRITTEN, VAULT_CONFLICT, VAULT_IN_DOUBT };

enum {
    VAULT_CUSTOM_MAX_BYTES = 512, /* of a custom metadata's text; at least one */
};

/* ---- reading for writing -------------------------------------------------------------------- */

enum vault_kv_state {
    VAULT_KV_THERE,
    VAULT_KV_MISSING,   /* version is 0 */
    VAULT_KV_DELETED,   /* the newest version; it can be undeleted */
    VAULT_KV_DESTROYED, /* the newest version, for good */
};

struct vault_kv {
    enum vault_kv_state state;
    unsigned version;     /* what the next write has as cas, also where the newest is deleted */
    int64_t written_at;   /* Unix seconds; 0: not known */
    struct document data; /* THERE: document_parse_known's */
};
#define AUTO_VAULT_KV CLEANUP(vault_kv_release) struct vault_kv
void vault_kv_release(struct vault_kv *kv);

/* What is at PATH now. 0 also when nothing is. */
MUST_USE int vault_kv_read(struct vault *v, const char *path, int64_t deadline_ms,
                           struct vault_kv *out, struct err *err);

/* The same of one version, from 1. MISSING: there is none, or no longer. */
MUST_USE int vault_kv_read_version(struct vault *v, const char *path, unsigned version,
                                   int64_t deadline_ms, struct vault_kv *out, struct err *err);

struct vault_kv_version {
    unsigned version;
    int64_t written_at; /* Unix seconds; 0: not known */
    bool deleted, destroyed;
};

struct vault_kv_history {
    struct vault_kv_version *list; /* oldest first */
    size_t count;
    unsigned newest;        /* 0: there is none */
    struct document custom; /* the custom metadata, at the top */
};
void vault_kv_history_release(struct vault_kv_history *history);

/* The versions and the custom metadata of PATH. 0 and an empty one where there is nothing. */
MUST_USE int vault_kv_versions(struct vault *v, const char *path, int64_t deadline_ms,
                               struct vault_kv_history *out, struct err *err);

struct vault_list {
    char **items;
    size_t count;
};
void vault_list_release(struct vault_list *list);

/* What lies beneath a path: names of secrets, and of folders, with a slash behind. Zero it, set path,
 * release found. */
struct vault_names {
    const char *path; /* a mount, or as in a reference */
    /* answer */
    struct vault_list found; /* empty where nothing is */
    struct err err;          /* it could not be listed: why, with the policy that would allow it */
};

/* Of all of them (distinct ones), in flight together. 0 also when some could not be listed. */
MUST_USE int vault_kv_names(struct vault *v, struct vault_names *names, size_t count,
                            int64_t deadline_ms, struct err *err);

/* ---- writing -------------------------------------------------------------------------------- */

/* Write DOC as the next version. CAS: the version that it follows, 0: only where there is none.
 * *version is the new one's (WRITTEN). */
MUST_USE int vault_kv_put(struct vault *v, const char *path, const struct document *doc,
                          unsigned cas, int64_t deadline_ms, enum vault_written *outcome,
                          unsigned *version, struct err *err);

/* Replace the fields of DOC (no groups) in version CAS; every other one stays as Vault shows it,
 * to the byte. Where `patch` is not allowed: read, replace, write with the same CAS. Nothing
 * there: ERR_SOURCE_MISSING. */
MUST_USE int vault_kv_patch(struct vault *v, const char *path, const struct document *doc,
                            unsigned cas, int64_t deadline_ms, enum vault_written *outcome,
                            unsigned *version, struct err *err);

/* Custom metadata of PATH: set PAIRS, or take out those without a text; the others stay. */
struct vault_pair {
    const char *name, *text; /* 1 to VAULT_CUSTOM_MAX_BYTES, or NULL */
};
MUST_USE int vault_kv_custom_patch(struct vault *v, const char *path,
                                   const struct vault_pair *pairs, size_t count,
                                   int64_t deadline_ms, enum vault_written *outcome,
                                   struct err *err);

/* All versions and the metadata of PATH, for good. WRITTEN also when nothing was there. It has no
 * check-and-set: who repeats it after a doubt looks first at what stands there. */
MUST_USE int vault_kv_erase(struct vault *v, const char *path, int64_t deadline_ms,
                            enum vault_written *outcome, struct err *err);

/* Keep COUNT versions of PATH. */
MUST_USE int vault_kv_set_max_versions(struct vault *v, const char *path, unsigned count,
                                       int64_t deadline_ms, enum vault_written *outcome,
                                       struct err *err);

/* ---- what it needs -------------------------------------------------------------------------- */

enum {
    VAULT_CAN_CREATE = 1 << 0,
    VAULT_CAN_READ = 1 << 1,
    VAULT_CAN_UPDATE = 1 << 2,
    VAULT_CAN_PATCH = 1 << 3,
    VAULT_CAN_DELETE = 1 << 4,
    VAULT_CAN_LIST = 1 << 5,
    VAULT_CAN_SUDO = 1 << 6,
};

enum vault_need_kind {
    VAULT_NEED_DATA,     /* a KV path's values */
    VAULT_NEED_METADATA, /* a KV path's metadata */
    VAULT_NEED_PLAIN,    /* as it is written: "database/rotate-role/app" */
};

struct vault_need {
    const char *path;
    enum vault_need_kind kind;
    unsigned wanted, or_else; /* VAULT_CAN_*; or_else would do too; 0: nothing else would */
    unsigned had;             /* answer */
};

/* What our token may do there. Asks in one request. */
MUST_USE int vault_capabilities(struct vault *v, struct vault_need *needs, size_t count,
                                int64_t deadline_ms, struct err *err);

bool vault_need_is_met(const struct vault_need *need);

/* Append the policy (HCL) that allows what NEEDS want, one rule a path. The mounts are those that
 * are known by now; elsewhere the first segment is taken for one. Errors: ERR_CONTRACT (a path),
 * ERR_RESOURCE. */
MUST_USE int vault_policy_text(struct vault *v, const struct vault_need *needs, size_t count,
                               struct buf *out, struct err *err);

#endif
