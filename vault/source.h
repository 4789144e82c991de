/* vault/source.h: references → values, from wherever they point.
 *
 * A source_set resolves many references in one go: each distinct path is one request and one lease,
 * Vault's requests are in flight together, commands and files are read in order. Vault is opened at
 * the first reference that needs it, so a contract without one needs no Vault; so is the sealed
 * store. */
#ifndef VAULT_SOURCE_H
#define VAULT_SOURCE_H

#include "base/ref.h"
#include "vault/vault.h"

enum {
    SOURCE_FILE_MAX_BYTES = 1024 * 1024,
    SOURCE_COMMAND_MAX_BYTES = 1024 * 1024,
    SOURCE_COMMAND_MS = 60 * 1000,
};

struct source_set;

/* ENVIRONMENT is what `env` references and commands see: NULL-terminated "NAME=value". SETTINGS may
 * be NULL: then the environment alone says where Vault is. Both are borrowed. */
MUST_USE int source_set_new(const struct vault_settings *settings, const char *const *environment,
                            struct source_set **out, struct err *err);

enum source_state {
    SOURCE_ABSENT, /* nothing there: no such variable, path, field or file */
    SOURCE_SET,
    SOURCE_FAILED, /* see err: down, denied, unusable */
};

struct source_request {
    struct ref ref;       /* REF_NONE is ABSENT */
    const char *variable; /* for messages */
    /* answer */
    enum source_state state;
    struct secret value;
    unsigned version;                /* KV v2, else 0 */
    const struct vault_lease *lease; /* the set's; NULL where there is none */
    struct err err; /* FAILED: why. ABSENT: what was looked for and what is there instead (the
                          names of the fields), as ERR_SOURCE_MISSING, for whoever requires it */
};

/* Resolve all. 0 when none FAILED; else -1 with the first failure. Values are the caller's. */
MUST_USE int source_resolve(struct source_set *set, struct source_request *requests, size_t count,
                            int64_t deadline_ms, struct err *err);

/* Every lease that the set holds, for "a lease will end" and for renewal. */
struct source_lease {
    const char *path;
    const struct vault_lease *lease;
};
size_t source_leases(const struct source_set *set, struct source_lease *out, size_t room);

/* Every path of Vault's that was read, with its fields: for whoever hands them to another process. */
size_t source_reads(const struct source_set *set, const struct vault_read **out, size_t room);

/* READ was answered before, to another set: it is this one's now (moved), and its path is not asked for
 * again until source_forget. *READ is untouched on failure. */
MUST_USE int source_adopt(struct source_set *set, struct vault_read *read, struct err *err);

struct vault *source_vault(struct source_set *set); /* NULL when none was needed */
/* The same, opened now where none was needed yet. */
MUST_USE int source_open_vault(struct source_set *set, struct vault **out, struct err *err);

/* Forget what was read, so that it is asked for again: for whoever changes it. A lease that can be ended
 * stays, and so does what it gave. */
MUST_USE int source_forget(struct source_set *set, int64_t deadline_ms, struct err *err);
void source_set_free(struct source_set *set); /* revokes nothing */

#endif
