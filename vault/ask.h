/* vault/ask.h: one request and its answer, for what is written and made. It never leaves the
 * folder.
 *
 * An ask is filled in (ask_path, ask_body), sent, looked at, released. Sending logs in first
 * where needed, and once more when our own log-in has ended by then. */
#ifndef VAULT_ASK_H
#define VAULT_ASK_H

#include "base/json.h"
#include "vault/internal.h"
#include "vault/write.h"

enum { ASK_BODY_MAX_BYTES = SECRET_MAX_BYTES };

struct ask {
    struct call call;         /* method, once, patient, is_patch and as are the caller's to set */
    const char *tried;        /* "write", for messages */
    const char *needs;        /* capabilities of a policy, as HCL has them: "\"read\"" */
    bool refusal_is_expected; /* 403 is not looked into: there is another way */
    struct secret body;
    /* answered */
    json_t *json;
    enum auth_verdict token; /* 403: what the token is */
    struct buf policies;
};

/* METHOD for TRIED with NEEDS of a policy. */
#define ASK_INIT(method_, tried_, needs_)        \
    ((struct ask){.call = {.method = (method_)}, \
                  .tried = (tried_),             \
                  .needs = (needs_),             \
                  .token = AUTH_TOKEN_LIVES,     \
                  .policies = BUF_INIT(ERR_HINT_BYTES)})

/* The path of the request: PARTS, NULL behind the last, with slashes between them, each encoded
 * (slashes inside of one stay). Errors: ERR_CONTRACT. */
MUST_USE int ask_path(struct ask *ask, struct err *err, const char *part, ...) SENTINEL;

/* A finished JSON text becomes the body. */
MUST_USE int ask_body(struct ask *ask, struct buf *text, struct err *err);

/* Send it until DEADLINE_MS. 0: it has its last word, whatever that is. */
MUST_USE int ask_send(struct vault *v, struct ask *ask, int64_t deadline_ms, struct err *err);

/* The answer's JSON, parsed once; NULL: it is none. */
json_t *ask_json(struct ask *ask);
json_t *ask_member(struct ask *ask, const char *name); /* of the JSON: "data", "auth"; or NULL */

/* Whether the answer is 404 and says no word: nothing is there. */
bool ask_is_missing(struct ask *ask);

/* Whether one of the answer's errors has WORDS in it. */
bool ask_has_error(struct ask *ask, const char *words);

/* What it ended with, as an error. Always returns -1. */
int ask_error(struct vault *v, struct ask *ask, struct err *err);

/* The answer can't be used: WHY ("has no password"). Always returns -1. */
int ask_unusable(struct vault *v, struct ask *ask, const char *why, struct err *err);

/* What became of a write (vault/write.h). */
MUST_USE int ask_outcome(struct vault *v, struct ask *ask, enum vault_written *outcome,
                         struct err *err);

/* Send it, and -1 unless the answer is 200 (or 204). */
MUST_USE int ask_for(struct vault *v, struct ask *ask, int64_t deadline_ms, struct err *err);

void ask_release(struct vault *v, struct ask *ask);

/* The answer's texts as the caller's: *out is NULL where there is none or it is empty. */
MUST_USE int ask_take_text(const json_t *object, const char *name, char **out, struct err *err);

/* ---- KV's paths (kv_path.c) ------------------------------------------------------------------ */

/* Which of KV version 2's mounts PATH lies in. Asks, where that is not known. */
MUST_USE int kv_settle(struct vault *v, const char *path, int64_t deadline_ms, size_t *mount_length,
                       struct err *err);

/* The path of the request about PATH with WORD ("data", "metadata") in its place, and QUERY
 * behind it ("" or "?version=3"). */
MUST_USE int kv_path(struct vault *v, struct ask *ask, const char *path, const char *word,
                     const char *query, int64_t deadline_ms, struct err *err);

/* ---- write.c -------------------------------------------------------------------------------- */

/* Send DATA, a JSON object, with CAS: whole (POST), or with PATCH its members alone. ASK has
 * METHOD and what else is to be said of it; its answer stays in there. */
MUST_USE int kv_send(struct vault *v, struct ask *ask, const char *path, const struct secret *data,
                     unsigned cas, int64_t deadline_ms, struct err *err);

/* The version that a write that was answered made. */
MUST_USE int kv_written_version(struct vault *v, struct ask *ask, enum vault_written *outcome,
                                unsigned *version, struct err *err);

/* A number of a version; 0: it is none. */
unsigned kv_version_number(const json_t *number);

#endif
