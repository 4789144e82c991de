/* rotate/internal.h: what the files of this folder share. It never leaves the folder.
 *
 *   machine.c      (state, event) -> (action, state): one pure table, no I/O
 *   engine.c       do an action, record where we are, again; engine_steps.c: the actions
 *   record.c       what is open: a document with known members
 *   store.c        which store, and what both have in common; store_kv.c, store_sealed.c
 *   propagate.c    after and mirrors, each with its done mark
 *   status.c       --status, --due; history.c: receipts; stray.c: records that belong to no variable
 *   plan.c         --dry-run; order.c: what is rotated first
 *   surgery.c      user and password of a URL replaced, every other byte as it was
 *   login.c        new connections with a credential, the admin's connection
 *   pg_two_login.c pg-two-login, pg_init.c: its --init; pg_login.c: pg-login. pg_roles.c, pg_owned.c and
 *                  pg_place.c: their SQL, what is in the way, what goes where
 *   vault_engine.c vault-static; vault_root.c, vault_dynamic.c; vault_common.c: what they share
 *   vault_token.c  token; vault_secret_id.c: where it is an AppRole's secret id
 *   place.c        the fields that are written, and their former values in the record
 *   generate.c     what bytes, as, length and alphabet ask for; random.c; manual.c
 *   hook.c         the dialogue; program.c: running it; program_input.c: what it is told */
#ifndef ROTATE_INTERNAL_H
#define ROTATE_INTERNAL_H

#include "base/clock.h"
#include "base/log.h"
#include "bootstrap/db.h"
#include "rotate/rotate.h"
#include "vault/write.h"

enum {
    ROTATE_ID_BYTES = 40,     /* "20261126-3f0c…": of a rotation, its NUL too */
    ROTATE_RECORD_FORMAT = 1, /* a record of a later one is left alone */
    ROTATE_RECORD_MAX_BYTES = 1024 * 1024,
    ROTATE_RECEIPTS_KEPT = 50,
    ROTATE_OUTPUT_MAX_BYTES = 1024 * 1024, /* of a hook, a test command */
};

/* ---- machine.c ---------------------------------------------------------------------------------- */

/* What an action came to, or what is wanted. The text is for `agent help rotation`. */
#define ROTATE_EVENTS(X)                                                                       \
    X(EVENT_BEGIN, "begin")       /* nothing is open, and a rotation is wanted */              \
    X(EVENT_RESUME, "resume")     /* the record says where we are */                           \
    X(EVENT_DONE, "done")         /* the step was done, or had been done already */            \
    X(EVENT_FAILED, "failed")     /* it answered no, for good */                               \
    X(EVENT_LATER, "later")       /* not reached, busy, in doubt: as it is, try again later */ \
    X(EVENT_CONFLICT, "conflict") /* somebody else holds it, or changed it meanwhile */        \
    X(EVENT_WAITING, "waiting")   /* grace is not over */                                      \
    X(EVENT_ABORT, "abort")                                                                    \
    X(EVENT_ROLLBACK, "rollback")

enum rotate_event {
#define X(name, word) name,
    ROTATE_EVENTS(X)
#undef X
        EVENT_COUNT
};

enum rotate_action {
    ACT_NONE,   /* no such cell */
    ACT_STEP,   /* do the step of the next state */
    ACT_END,    /* stop here; the next state is what stays recorded */
    ACT_REFUSE, /* what is wanted can't be had here: nothing is changed */
};

struct machine_move {
    enum rotate_action action;
    enum rotate_step next;
    enum rotate_ending ending; /* of ACT_END and ACT_REFUSE */
    const char *why;           /* for people */
};

/* A cell that cannot come up is ACT_REFUSE with ROTATE_ENDED_OPEN: the record stays as it is. */
struct machine_move machine_move(enum rotate_step state, enum rotate_event event);

/* ---- record.c ----------------------------------------------------------------------------------- */

/* An open rotation. DATA has the members of the specification: id, variable, strategy, step, started,
 * by, reason, base_version, the groups "fields" (what is to be current, by the names of the store)
 * and "former" (the same fields as they were, where there were any); and ours: format, "runner" and
 * "sequence" (whose write, and which of its), the groups "marks" (propagate: "after.0", "mirrors.1")
 * and "state" (a strategy's own: which login, an accessor; ours: soak_until, set_at). */
struct record {
    struct document data;
    unsigned version; /* of it in the store, for the next check-and-set; 0: not written yet */
    bool open;        /* it is in the store */
};
#define RECORD_INIT ((struct record){0})
void record_release(struct record *record);

/* A new one for SPEC: id, variable, strategy, started, by, reason, runner; step ROTATE_STAGE. */
MUST_USE int record_begin(const struct rotate_spec *spec, const struct rotate_context *context,
                          struct record *out, struct err *err);

/* What the store has, as a record: its members checked. Errors: ERR_ROTATION (written by a later agent,
 * garbage, of another variable or strategy), each with where it lies and what to do. PLACE is for the text. */
MUST_USE int record_check(const struct rotate_spec *spec, const char *place,
                          const struct document *data, struct err *err);

const char *record_id(const struct record *record);
int64_t record_started(const struct record *record); /* Unix seconds; 0: not readable */
/* Another runner goes on with it. */
MUST_USE int record_take_over(struct record *record, const struct rotate_context *context,
                              struct err *err);
/* Number the next write of this runner. */
MUST_USE int record_next_write(struct record *record, struct err *err);
/* Whether both are the same write of the same runner. */
bool record_same_write(const struct document *a, const struct document *b);
enum rotate_step record_step(const struct record *record);
MUST_USE int record_set_step(struct record *record, enum rotate_step step, struct err *err);

/* Members of "state"; a text is no secret. NULL, 0: not there. */
const char *record_state(const struct record *record, const char *name);
int64_t record_state_number(const struct record *record, const char *name);
MUST_USE int record_state_set(struct record *record, const char *name, const char *text,
                              struct err *err);
MUST_USE int record_state_set_number(struct record *record, const char *name, int64_t number,
                                     struct err *err);

const struct secret *record_field(const struct record *record, const char *name);  /* "fields" */
const struct secret *record_former(const struct record *record, const char *name); /* "former" */

/* ---- store.c ------------------------------------------------------------------------------------ */

struct rotation;

enum store_written { STORE_WRITTEN, STORE_CONFLICT, STORE_IN_DOUBT };

/* Where the secret and its record lie. Two of them: KV, and the sealed store. -1 is a failure whose
 * effect is known to be none; STORE_IN_DOUBT comes with err set: read back. */
struct store {
    /* The place's own fields as they are (group NULL). *version: for promote; 0 where nothing is there
     * yet (no error). */
    int (*read_current)(struct rotation *r, struct document *out, unsigned *version,
                        struct err *err);
    /* r->record from the store: open says whether there is one. */
    int (*read_record)(struct rotation *r, struct err *err);
    /* Create-only: CONFLICT when one is there. */
    int (*create_record)(struct rotation *r, enum store_written *outcome, struct err *err);
    /* By check-and-set on r->record.version, which moves on. */
    int (*write_record)(struct rotation *r, enum store_written *outcome, struct err *err);
    int (*erase_record)(struct rotation *r, struct err *err);
    /* FIELDS become current where the version still is BASE_VERSION; other fields stay as they are. */
    int (*promote)(struct rotation *r, const struct document *fields, unsigned base_version,
                   enum store_written *outcome, struct err *err);
    /* {"at", "id", "by"} as `agent.<NAME>`, and a receipt. */
    int (*note_done)(struct rotation *r, const struct rotate_receipt *receipt, struct err *err);
    /* Newest first, at most MOST. */
    int (*history)(struct rotation *r, size_t most, struct rotate_receipt **out, size_t *count,
                   struct err *err);
    /* For --status: of COUNT secrets of this store at once, when they were rotated or created, without
     * a value, and what is open. What can't be told of one is in its OUT->err. */
    int (*look)(const struct rotate_spec *const *specs, struct rotate_status *const *out,
                size_t count, const struct rotate_context *context, struct err *err);
    /* For --dry-run: what Vault's policy has to allow, and whether it does. */
    int (*plan)(struct rotation *r, struct buf *out, bool *ready, struct err *err);
    /* "'secret/acme/prod/db.pending/DATABASE_URL' at 'https://…'", for messages */
    void (*describe_record)(struct rotation *r, struct buf *out);
    void (*release)(struct rotation *r); /* r->store_private; may be NULL */
};
extern const struct store store_kv, store_sealed;
const struct store *store_of(const struct rotate_spec *spec);

/* ---- strategies --------------------------------------------------------------------------------- */

/* One rotation on its way. */
struct rotation {
    const struct rotate_spec *spec;
    const struct rotate_context *context;
    const struct store *store;
    const struct strategy *strategy;
    struct record record;
    struct document current; /* the place's fields, read just before (group NULL) */
    unsigned current_version;
    int64_t begun_ms;        /* when this runner staged it; 0: another one did */
    bool resumed;            /* the step may have been done already: probe */
    unsigned attempt;        /* of this step, from 1 */
    struct db *admin;        /* login.c: kept over the steps */
    struct secret admin_url; /* login.c: as it was asked for, once where it goes on working */
    bool ours;               /* the record's last write was this runner's */
    bool is_init;            /* the first value may be made */
    bool wants_first;        /* init: what is there is not the strategy's, so one is published */
    int64_t set_ms;          /* when set was done, here; 0: not here */
    struct err failure; /* for what it goes back, or goes on with warnings; ERR_NONE: nothing */
    void *store_private, *private;
    struct rotate_result *result;
};

/* What a strategy does in a step. Each may be repeated after a crash at any point: it finds out itself
 * what was done already. NULL where there is nothing to do (then it counts as done). On -1: err's kind
 * decides (engine.c): err_try_again() kinds are EVENT_LATER, ERR_ROTATION is EVENT_CONFLICT, others are
 * EVENT_FAILED. */
struct strategy {
    enum rotate_strategy kind;
    const char *overlap; /* for --dry-run: "both logins work until grace is over" */
    bool gap;            /* the former stops at set: the time to promote is measured and shown */
    bool reads_current;  /* stage needs the current fields */
    bool promotes;       /* record's "fields" become current */
    bool ends_former;    /* at retire, and not before */

    /* Before the record is written: look whether it can be done at all (a preflight), then fill the
     * record's "fields", "former", "state". Nothing outside changes. A provider that shows a key only once
     * gets an intent ("state") with a unique name, and no fields. */
    int (*stage)(struct rotation *r, struct err *err);
    /* The other side accepts it. May add to "fields" what only now is known, and then calls
     * engine_keep_record before anything else. */
    int (*set)(struct rotation *r, struct err *err);
    /* Use it as the application would. The contract's check and test.command are the engine's. */
    int (*test)(struct rotation *r, struct err *err);
    /* Before promote: give back what set took away (abort, a failed test). */
    int (*restore)(struct rotation *r, struct err *err);
    /* First thing of propagate, once: it was published. NULL: nobody has to know. */
    int (*promoted)(struct rotation *r, struct err *err);
    /* The former stops working, and is proven to. ERR_VIOLATION: it is left; the text says what. */
    int (*retire)(struct rotation *r, struct err *err);
    /* Behind promote: the former works again, or still. The record's "fields" and "former" were
     * not exchanged yet; promote of "former" follows. NULL: it can't be rolled back. */
    int (*rollback)(struct rotation *r, struct err *err);
    /* --init: what it needs the first time; says what it made through context->say. NULL: nothing. */
    int (*init)(struct rotation *r, struct err *err);
    /* Lines of --dry-run: who is touched, what stands in the way (*ready = false). May be NULL. */
    int (*plan)(struct rotation *r, struct buf *out, bool *ready, struct err *err);
    void (*release)(struct rotation *r); /* r->private; may be NULL */
};
extern const struct strategy strategy_pg_two_login, strategy_pg_login, strategy_vault_static,
    strategy_vault_root, strategy_vault_dynamic, strategy_random, strategy_hook, strategy_manual,
    strategy_token;
const struct strategy *strategy_of(enum rotate_strategy kind);

/* ---- engine.c ----------------------------------------------------------------------------------- */

/* Write the record as it is now (check-and-set), reading back our id where the reply was lost. */
MUST_USE int engine_keep_record(struct rotation *r, struct err *err);

/* The step that follows STEP when it was done, past those that have nothing to do here. */
enum rotate_step engine_step_behind(const struct rotation *r, enum rotate_step step);

/* A line for people, and for the result: something is left, the ending is WITH_WARNINGS. */
void engine_warn(struct rotation *r, const char *format, ...) PRINTF(2, 3);
void engine_say(struct rotation *r, const char *format, ...) PRINTF(2, 3);

/* ---- engine_steps.c ----------------------------------------------------------------------------- */

/* Do STEP once. EVENT_DONE or EVENT_WAITING, else err says why not. */
enum rotate_event step_do(struct rotation *r, enum rotate_step step, struct err *err);

/* Whether there is nothing to do in STEP here. */
bool step_is_empty(const struct rotation *r, enum rotate_step step);

/* What an error means for the machine. */
enum rotate_event step_event(const struct err *err);

/* Whether the record's "fields" are current; also what is there is in r->current. */
MUST_USE int step_is_promoted(struct rotation *r, bool *promoted, struct err *err);

/* ---- propagate.c -------------------------------------------------------------------------------- */

/* Whether each of `after` and `mirrors` has its mark; also where there are none. */
bool propagate_is_done(const struct rotation *r);

/* Do what of `after` and `mirrors` has no mark yet, with the record's GROUP; each gets its own mark,
 * recorded at once. -1: some failed (the text names each), all were tried. */
MUST_USE int propagate_all(struct rotation *r, const char *group, struct err *err);

/* ---- login.c, surgery.c ------------------------------------------------------------------------- */

/* The admin's connection (spec->admin), made at the first call, kept. */
MUST_USE int rotation_admin(struct rotation *r, struct db **out, struct err *err);

/* At the end: the connection, and what was kept for it. */
void rotation_admin_end(struct rotation *r);

/* A new connection with what the application would get for URL. The caller closes it. */
MUST_USE int rotation_log_in(struct rotation *r, const struct secret *url, struct db **out,
                             struct err *err);

/* The value that the application gets with the record's "fields" ("former": with those). */
MUST_USE int rotation_value(struct rotation *r, const char *group, struct secret *out,
                            struct err *err);

/* URL with USER (NULL: as it is) and PASSWORD in place of its own, percent-encoded; every other byte
 * as it was. Errors: ERR_CONTRACT, value-free. */
MUST_USE int surgery_replace_login(const struct secret *url, const char *user,
                                   const struct secret *password, struct secret *out,
                                   struct err *err);

/* ---- generate.c --------------------------------------------------------------------------------- */

/* A password of LENGTH characters of an alphabet that needs no quoting anywhere; at least 128 bits. */
MUST_USE int generate_password(size_t length, const char *alphabet, struct secret *out,
                               struct err *err);
MUST_USE int generate_key(size_t bytes, enum rotate_encoding encoding, struct secret *out,
                          struct err *err);

/* A program of the contract (hook, test.command, after): argv, no shell, minimal environment, JSON on
 * stdin, time limit, group killed, stderr logged line by line with this rotation's secrets masked.
 * hook.c */
struct program {
    const char *const *argv;
    const char *const *environment; /* names handed on, or NULL */
    const struct secret *input;     /* or NULL */
    const char *what;               /* "hook step 'set'", for messages */
};
/* *exit_code is what it said; *output (may be NULL) its stdout. -1: not started, killed, too much. */
MUST_USE int program_run(struct rotation *r, const struct program *program, int *exit_code,
                         struct secret *output, struct err *err);

/* The JSON object that hooks and test commands read: version, name, step, id, profile, attempt, config,
 * and "current" and "pending" (the record's "former" and "fields") where they are wanted, else {}. */
MUST_USE int program_input(struct rotation *r, const char *step, bool current, bool pending,
                           struct secret *out, struct err *err);

#endif
