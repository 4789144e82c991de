/* rotate/rotate.h: a secret is replaced while the application goes on.
 *
 * Every strategy is the same machine (machine.c): stage, set, test, promote, propagate, soak, retire,
 * done. Its state is a record beside the secret, in the store that holds it, never on the machine that
 * rotates: whoever comes later, anywhere, can go on. The next secret is in the record before the world
 * outside changes, so that a crash can lose time, never a password.
 *
 * This folder knows no contract: agent/ says what is to be rotated (struct rotate_spec) and lends what
 * it can do (struct rotate_context). Nothing here prints. Errors: ERR_ROTATION (open at a step, held by
 * somebody else, changed by somebody else meanwhile), and those of vault/ and bootstrap/. */
#ifndef ROTATE_ROTATE_H
#define ROTATE_ROTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "vault/document.h"
#include "vault/vault.h"

/* word in the contract and in records, how the new secret comes to be */
#define ROTATE_STRATEGIES(X)                 \
    X(ROTATE_PG_TWO_LOGIN, "pg-two-login")   \
    X(ROTATE_PG_LOGIN, "pg-login")           \
    X(ROTATE_VAULT_STATIC, "vault-static")   \
    X(ROTATE_VAULT_ROOT, "vault-root")       \
    X(ROTATE_VAULT_DYNAMIC, "vault-dynamic") \
    X(ROTATE_RANDOM, "random")               \
    X(ROTATE_HOOK, "hook")                   \
    X(ROTATE_MANUAL, "manual")               \
    X(ROTATE_TOKEN, "token")

enum rotate_strategy {
#define X(name, word) name,
    ROTATE_STRATEGIES(X)
#undef X
        ROTATE_STRATEGY_COUNT
};

/* ---- what is rotated ---------------------------------------------------------------------------- */

enum rotate_place_kind {
    ROTATE_IN_KV,     /* fields of one secret of KV version 2 */
    ROTATE_IN_SEALED, /* names of the sealed store */
    ROTATE_NOWHERE,   /* an engine's, or nobody can read it: nothing is promoted */
};

/* Where the value lies that a rotation writes: the field `value`, or the fields of which `compose`
 * makes user and password. NOWHERE: the fields that an engine's log-in has, for value_with. */
struct rotate_place {
    enum rotate_place_kind kind;
    const char *path;           /* in KV, as in a reference: "secret/acme/prod/db"; else NULL */
    const char *value_field;    /* the whole value's; NULL where it is composed */
    bool value_is_url;          /* of it only user and password change */
    const char *user_field;     /* NULL: the user does not change */
    const char *password_field; /* NULL where value_field is not */
};

struct rotate_after {
    const char *const *command; /* argv, or NULL */
    int signal;                 /* 0: none */
    const char *pidfile;
};

enum rotate_encoding { ROTATE_BASE64, ROTATE_BASE64URL, ROTATE_HEX };

/* One variable's `rotate`. Strings are borrowed. */
struct rotate_spec {
    const char *variable;
    enum rotate_strategy strategy;
    struct rotate_place place;
    const char *records; /* KV path for the record where the place is none of KV; else NULL */
    int64_t every_ms, grace_ms;                     /* 0: unsaid */
    int64_t timeout_ms;                             /* of one call of a hook or a command */
    const char *const *depends_on, *const *mirrors; /* names; references; NULL-terminated or NULL */
    const struct rotate_after *after;
    size_t after_count;
    const char *const *test_command; /* argv, or NULL */
    /* by strategy */
    const char *logins[2], *owner, *login;
    const char *admin; /* the variable with the admin's URL, or NULL */
    bool plain;        /* the password goes to the server as it is */
    const char *mount, *role, *connection;
    const char *const *hook, *const *environment; /* argv; names handed to it */
    const struct document *config;                /* the hook's; NULL: {} */
    const char *config_json;                      /* the same as its JSON text */
    const char *const *steps;
    size_t bytes, length, keep;
    enum rotate_encoding encoding;
    const char *alphabet;
    const char *separator; /* of a list of former values */
};

/* ---- what agent lends -------------------------------------------------------------------------- */

struct rotate_context {
    void *owner; /* handed to the functions */

    /* Vault, opened at the first call. */
    int (*vault)(void *owner, struct vault **out, struct err *err);

    /* VARIABLE's value now, as its source has it. *out is the caller's. */
    int (*value_of)(void *owner, const char *variable, struct secret *out, struct err *err);

    /* What the application would get for VARIABLE if its place had FIELDS (group NULL, by the names of
     * the store; what is not among them is as it is now): composed, and held against the contract
     * (ERR_VIOLATION, value-free). */
    int (*value_with)(void *owner, const char *variable, const struct document *fields,
                      struct secret *out, struct err *err);

    /* Of `manual`: show STEPS and read the new value, without echo or from --value-stdin. */
    int (*ask_value)(void *owner, const struct rotate_spec *spec, struct secret *out,
                     struct err *err);

    /* Something for people while it goes on (value-free). */
    void (*say)(void *owner, const struct rotate_spec *spec, const char *text);

    const char *folder;             /* the contract's: relative paths start there */
    const char *const *environment; /* of hooks and commands: NULL-terminated NAME=value */
    const char *sealed_path;        /* the sealed store */
    const char *profile;            /* or NULL */
    const char *by;                 /* who: the token's display name or the system's user */
    const char *reason;             /* or NULL */
    int64_t deadline_ms;            /* of the whole command */
    bool wait;                      /* --wait: until grace is over */
    bool terminate;                 /* --terminate: sessions that outlive their login */
    bool revoke_others;             /* --revoke-others */
    bool no_grace;                  /* --no-grace: the former ends at once */
};

/* ---- steps ------------------------------------------------------------------------------------- */

/* In their order; the word is that of records, --status and --json. */
#define ROTATE_STEPS(X)                                                                    \
    X(ROTATE_IDLE, "none")                                                                 \
    X(ROTATE_STAGE, "stage")                                                               \
    X(ROTATE_SET, "set")                                                                   \
    X(ROTATE_TEST, "test")                                                                 \
    X(ROTATE_PROMOTE, "promote")                                                           \
    X(ROTATE_PROPAGATE, "propagate")                                                       \
    X(ROTATE_SOAK, "soak")                                                                 \
    X(ROTATE_RETIRE, "retire")                                                             \
    X(ROTATE_RESTORE, "restore")   /* before promote: what was taken away is given back */ \
    X(ROTATE_ROLLBACK, "rollback") /* behind promote: the former is current again */       \
    X(ROTATE_DONE, "done")

enum rotate_step {
#define X(name, word) name,
    ROTATE_STEPS(X)
#undef X
        ROTATE_STEP_COUNT
};

const char *rotate_step_word(enum rotate_step step);
const char *rotate_strategy_word(enum rotate_strategy strategy);
/* ROTATE_STRATEGY_COUNT: there is none of that name. */
enum rotate_strategy rotate_strategy_find(const char *word);

/* ---- doing it ---------------------------------------------------------------------------------- */

enum rotate_how {
    ROTATE_HOW_BEGIN,    /* a new one; an open one is refused with who and since when */
    ROTATE_HOW_RESUME,   /* go on with an open one; nothing open: nothing to do */
    ROTATE_HOW_ABORT,    /* back to what was, before promote */
    ROTATE_HOW_ROLLBACK, /* back to the former, behind promote, where it still works */
    ROTATE_HOW_INIT,     /* what the strategy needs the first time */
};

enum rotate_ending {
    ROTATE_ENDED_DONE,          /* the former works no more, and the record is gone */
    ROTATE_ENDED_SOAKING,       /* promoted; the former works until grace is over */
    ROTATE_ENDED_NOTHING,       /* there was nothing to resume or to abort */
    ROTATE_ENDED_UNDONE,        /* aborted, rolled back, or the test failed: what was is */
    ROTATE_ENDED_WITH_WARNINGS, /* finished or soaking, but something is left: exit 1 */
    ROTATE_ENDED_OPEN,          /* parked at a step: exit 7 */
};

/* What became of one. Zero it; rotate_result_release. Value-free. */
struct rotate_result {
    const char *variable;
    enum rotate_ending ending;
    enum rotate_step step; /* where it stands */
    char id[40];           /* "" where none was begun */
    char by[256];          /* who holds it, where that is somebody else */
    char started[32];      /* RFC 3339 */
    int64_t duration_ms;
    int64_t soak_until;  /* Unix seconds; 0: no */
    int64_t gap_ms;      /* between set and promote, where the former stopped at set; -1: none */
    unsigned sessions;   /* that outlived their login */
    struct buf warnings; /* a line each */
    struct err err;      /* ERR_NONE: none */
};
void rotate_result_release(struct rotate_result *result);

/* Do it, to its end or to where it stops. 0 for DONE, SOAKING, NOTHING and what was asked to be undone;
 * else -1, with result->err the same as *err. *result is set in any case. */
MUST_USE int rotate_do(const struct rotate_spec *spec, const struct rotate_context *context,
                       enum rotate_how how, struct rotate_result *result, struct err *err);

/* Ask VAULT ahead for what rotating SPEC reads, for MORE (paths; NULL-terminated, or NULL) and, with
 * SELF, for whose token it is, in one round trip. It only saves time. */
void rotate_ask_ahead(const struct rotate_spec *spec, struct vault *vault, const char *const *more,
                      bool self, int64_t deadline_ms);

/* What it would do (--dry-run), as lines for people: steps, who is touched, overlap or gap, Vault's
 * capabilities that are needed and whether we have them, with the policy. Changes nothing. *ready:
 * nothing stands in its way. */
MUST_USE int rotate_plan(const struct rotate_spec *spec, const struct rotate_context *context,
                         struct buf *out, bool *ready, struct err *err);

/* The order in which SPECS are rotated: what one depends on before it. ORDER gets COUNT indices.
 * Errors: ERR_CONTRACT (a cycle). */
MUST_USE int rotate_order(const struct rotate_spec *specs, size_t count, size_t *order,
                          struct err *err);

/* ---- looking at it ------------------------------------------------------------------------------ */

enum rotate_state {
    ROTATE_STATE_OK,
    ROTATE_STATE_DUE,
    ROTATE_STATE_OVERDUE,
    ROTATE_STATE_OPEN,
    ROTATE_STATE_SOAKING,
    ROTATE_STATE_UNKNOWN,
};
const char *rotate_state_word(enum rotate_state state); /* "ok", "due", ... */

struct rotate_status {
    enum rotate_state state;
    enum rotate_step step;             /* of an open or soaking one */
    int64_t last_rotated;              /* Unix seconds; 0: not known */
    bool since_created;                /* it is the age of the KV version: agent never rotated it */
    int64_t due;                       /* Unix seconds; 0: no period, or not known */
    int64_t soak_until;                /* Unix seconds; 0: not soaking */
    char by[256], started[32], id[40]; /* of an open one */
    struct err err;                    /* UNKNOWN: why */
};

/* All of them, their requests in flight together where the store allows that. -1: no log-in, no memory. */
MUST_USE int rotate_look(const struct rotate_spec *specs, size_t count,
                         const struct rotate_context *context, struct rotate_status *out,
                         struct err *err);

/* A record that no command looks at: of a variable that was renamed while its rotation was open, that lies
 * elsewhere now, or is rotated no more. It has secrets in it. */
struct rotate_stray {
    char *place;                 /* "'secret/app.pending/OLD' at 'https://…'" */
    char *variable;              /* whose it was */
    struct rotate_status status; /* state, step, by, started; err: it could not be read */
};

enum { ROTATE_STRAYS_MAX = 32 }; /* that are read */

/* Zero it; rotate_strays_release. */
struct rotate_strays {
    struct rotate_stray *list;
    size_t count, capacity;
    size_t more;       /* beyond ROTATE_STRAYS_MAX */
    struct err denied; /* ERR_NONE: wherever one may lie was looked at; else why not */
};
void rotate_strays_release(struct rotate_strays *strays);

/* Look for them beside SPECS, which are all that the contract rotates: in the folders of their records, and
 * where a record's folder is named for its variable, in those beside it. What one has is read, nothing is
 * changed. -1: the store could not be asked, no memory. */
MUST_USE int rotate_find_strays(const struct rotate_spec *specs, size_t count,
                                const struct rotate_context *context, struct rotate_strays *out,
                                struct err *err);

/* One receipt: what is known of a rotation that ended. Value-free. */
struct rotate_receipt {
    char id[40], by[256], at[32];  /* at: RFC 3339, its end */
    char strategy[24], result[24]; /* "done", "aborted", "rolled back", "failed" */
    char reason[512];
    int64_t duration_ms;
};

/* Newest first, at most MOST of them; the caller frees *out. */
MUST_USE int rotate_history(const struct rotate_spec *spec, const struct rotate_context *context,
                            size_t most, struct rotate_receipt **out, size_t *count,
                            struct err *err);

/* The machine's table as text for people (`agent help rotation`, docs). */
void rotate_machine_write(struct buf *out);

#endif
