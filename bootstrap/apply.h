/* bootstrap/apply.h: the parts of bootstrap_run; of this folder alone.
 *
 *   plan.c     files or a command's output → checked statements
 *   message.c  statements → messages of bounded size, with a map back to file and line
 *   stamp.c    the version table and its rows, as Alembic makes them
 *   lock.c     whose turn it is
 *   rights.c   what the role may do, and whose the objects are
 *   commit.c   COMMIT, what became of one whose answer was lost, and the second look
 *   confirm.c  the short looks before COMMIT and behind it
 *   command.c  commands that connect by themselves: create.command, migrate
 *   history.c  whether another server has what was made
 *   apply.c    the order of all that
 *   dryrun.c   the same as text */
#ifndef BOOTSTRAP_APPLY_H
#define BOOTSTRAP_APPLY_H

#include "base/clock.h"
#include "base/log.h"
#include "bootstrap/internal.h"
#include "migrations/sql.h"

enum {
    PLAN_OUTPUT_MAX_BYTES = SQL_FILE_MAX_BYTES, /* what an emit command may print */
    /* a script longer than this costs a round trip for each such piece, and no more memory */
    MESSAGE_BYTES = 4 * 1024 * 1024,
    OWN_SQL_MAX_BYTES = 1024 * 1024,                            /* looks, stamp, settings */
    MESSAGE_MAX_BYTES = SQL_FILE_MAX_BYTES + OWN_SQL_MAX_BYTES, /* one statement can be longer */
    POLL_BASE_MS = 50,        /* between two tries to connect; short, so that the last of a herd */
    POLL_CAP_MS = 400,        /* ends soon */
    TURN_BASE_MS = 200,       /* the same for the lock: each try costs a log-in */
    HOLDER_ASKED_MS = 1000,   /* who waits so long asks who the holder is, */
    HOLDER_AGAIN_MS = 5000,   /* and again */
    TRANSACTION_ATTEMPTS = 3, /* deadlock, lock timeout, lost connection */
    CHECK_INTERVAL_MS = 200,  /* how soon the server sees that we are dead */
    CLIENT_CHECK_LEAST = 140000, /* client_connection_check_interval */
    XACT_ID_LEAST = 130000,      /* pg_current_xact_id */
    TRANSACTION_TIMEOUT_LEAST = 170000,
    XID_BYTES = 24,
    TIMELINE_BYTES = 9, /* eight hexadecimal digits */
    LSN_BYTES = 18,     /* twice that, and a slash */
};

/* ---- plan.c ---------------------------------------------------------------------------------- */
struct plan_source {
    char *name; /* of the file, or "create.emit" */
    struct buf text;
    struct sql_script script;
};

struct plan {
    struct plan_source *sources;
    size_t count;
    bool emitted;
    size_t statements; /* that will be sent: without what is left out or folded into ours */
    size_t settings_left_out, owners_left_out, made_plain;
    bool makes_version_table; /* at the place where the script does */
    int version_width;        /* that the script gives the column, or SQL_WIDTH_UNSAID */
    struct sql_rows rows;     /* that the script's own version statements would leave */
    struct names extensions;  /* that it creates */
};
#define PLAN_INIT ((struct plan){.version_width = SQL_WIDTH_UNSAID})
void plan_release(struct plan *plan);

/* Read files, or run the emit command until DEADLINE, and check every statement. Errors: ERR_FILE
 * for files, ERR_DB_COMMAND for emit, with file and line. *out is set on success only. */
MUST_USE int plan_load(const struct database_settings *settings, int64_t deadline_ms,
                       struct plan *out, struct err *err);
/* Run ARGV as the contract says; it must exit 0, else ERR_DB_COMMAND with its last words. OUTPUT
 * NULL: its stdout goes to stderr. */
MUST_USE int plan_run_command(const struct database_settings *settings, const char *what,
                              const char *const *argv, struct buf *output, int64_t deadline_ms,
                              struct err *err);
void plan_log_notes(const struct plan *plan); /* what was left out or made plain, said once */

/* What happens to a statement. */
enum plan_action { PLAN_SEND, PLAN_SEND_REWRITTEN, PLAN_AS_LOGIN, PLAN_VERSION_TABLE, PLAN_SKIP };
enum plan_action plan_action_of(const struct database_settings *settings, const struct plan *plan,
                                const struct sql_statement *statement);

/* ---- message.c ------------------------------------------------------------------------------- */
struct message_part {
    size_t start;           /* byte in the text */
    size_t first_statement; /* of the message, from 0 */
    size_t source, entry;   /* SIZE_MAX: statements of ours */
    const char *what;       /* they are, for messages */
    bool verbatim;          /* bytes stand as in the source */
};

struct message {
    struct buf text;
    struct message_part *parts;
    size_t part_count, part_capacity;
    struct db_copy_data *copies;
    size_t copy_count, copy_capacity;
    size_t statements;
    bool other_encoding; /* it is not in UTF-8 */
};
#define MESSAGE_INIT ((struct message){.text = BUF_INIT(MESSAGE_MAX_BYTES)})
#define AUTO_MESSAGE CLEANUP(message_release) struct message
void message_release(struct message *message);

struct message_cursor {
    size_t source, entry;
    bool begun, version_table_made;
    bool other_encoding; /* the script has said that what follows is not in UTF-8 */
};

/* The next message of the plan, which may be empty; *more is false when it is the last one, behind which
 * the session reads UTF-8. */
MUST_USE int message_next(const struct database_settings *settings, const struct plan *plan,
                          struct message_cursor *cursor, struct message *message, bool *more,
                          struct err *err);

/* Statements of ours behind those of the script; WHAT (static) they are, for messages. */
MUST_USE int message_add_ours(struct message *message, const char *what, const char *sql,
                              size_t statements, struct err *err);

/* Put the place in the source before an error of sending MESSAGE. */
int message_explain(const struct plan *plan, const struct message *message,
                    const struct db_failure *failure, struct err *err);

/* ---- stamp.c --------------------------------------------------------------------------------- */
bool stamp_is_known(const struct database_settings *settings);
void stamp_add_table(const struct database_settings *settings, int width, struct buf *out);
void stamp_add_rows(const struct database_settings *settings,
                    struct buf *out); /* INSERT; or nothing */
/* Every head fits a column of WIDTH characters (0: any). ERR_FILE with the revision's file. */
MUST_USE int stamp_check_width(const struct database_settings *settings, size_t width,
                               struct err *err);
/* The ids are exactly the heads; KIND is the error's. */
MUST_USE int stamp_check_rows(const struct database_settings *settings, const struct sql_rows *rows,
                              enum err_kind kind, const char *whose, struct err *err);

/* ---- the run --------------------------------------------------------------------------------- */
enum { HOLDER_BYTES = 256 };

struct run {
    const struct database_settings *settings;
    struct database_report *report;
    struct db_target target;
    char *place; /* db_target_describe */
    struct plan plan;
    struct look made; /* what the first look found, then the one before COMMIT */
    bool planned, migrate;
    bool command_done;             /* create.command has ended well; its stamp is what is missing */
    char timeline[TIMELINE_BYTES]; /* where it was begun; "": not known */
    char made_until[LSN_BYTES];    /* the log when it had ended; "": not known */
    unsigned polls;           /* since the lock was found to be somebody else's; 0: not waiting */
    bool no_check_interval;   /* the server's platform has none */
    unsigned attempts;        /* of the transaction */
    int64_t lock_deadline_ms; /* lock_wait */
    int64_t busy_since_ms, ask_holder_ms; /* 0: not yet */
    int64_t waited_ms;
    char holder[HOLDER_BYTES]; /* of the lock, when we last asked */
    struct backoff turn;
    struct log_progress progress;
};

enum outcome {
    OUTCOME_DONE,  /* the report is filled */
    OUTCOME_BUSY,  /* the lock is somebody else's */
    OUTCOME_AGAIN, /* from the start: nothing was changed */
};

/* The target. */
MUST_USE int run_begin(struct run *run, struct err *err);
void run_end(struct run *run);
/* Connect, waiting for a server that is not there yet or full, up to settings->wait_ms. */
MUST_USE int run_open(struct run *run, struct db **out, struct err *err);
/* How long STATEMENTS statements may take. */
int64_t run_deadline(const struct run *run, size_t statements);
/* ERR_DB_STATE (or ERR_DB_DOWN, read-only) from the report. */
int run_refuse_state(const struct run *run, struct err *err);
/* The same where the session takes no writes: ERR_DB_DOWN, with whose fault it is. */
int run_refuse_read_only(const struct run *run, struct err *err);
int run_refuse_without_create(const struct run *run, struct err *err);
/* Add "; <text>" behind the error's text. */
int run_append(struct err *err, const char *format, ...) PRINTF(2, 3);
void run_close(struct db **db); /* and NULL it */

/* ---- lock.c ---------------------------------------------------------------------------------- */
enum { LOCK_CLASS = 0x61676e74 }; /* "agnt", the first of the two numbers of our advisory locks */
int32_t lock_object(const struct database_settings *settings);

struct turn {
    bool tried, had;           /* not tried: there is a version table */
    char holder[HOLDER_BYTES]; /* "pid 4711 (agent on 10.0.0.7) since 12:00:01Z"; "": not asked */
};

/* BEGIN, settings, the try for the lock and the look, in one message; the transaction is open
 * afterwards. The lock is only tried for where there is no version table, so that a start on a
 * database that is current neither has it nor waits for it. */
MUST_USE int lock_begin(struct run *run, struct db *db, struct turn *turn, struct look *look,
                        struct err *err);
/* The lock and another look, in that transaction, where it was not tried for. */
MUST_USE int lock_try(struct run *run, struct db *db, struct turn *turn, struct look *look,
                      struct err *err);
/* Ask who has the lock, when waiting takes long or little time is left: the views that know it cost
 * more than all else in a poll. */
MUST_USE int lock_learn_holder(struct run *run, struct db *db, struct err *err);
/* Whether somebody has the lock: a poll, with next to no work for the server. */
MUST_USE int lock_probe(struct run *run, struct db *db, bool *held, struct err *err);
/* The same lock for the session (create.command, migrate), and a look. */
MUST_USE int lock_session(struct run *run, struct db *db, struct turn *turn, struct look *look,
                          struct err *err);
/* BEGIN and settings, without a lock: the stamp on a connection that has the session's. */
void lock_add_begin(const struct run *run, int server_version, struct buf *out, size_t *statements);
/* BEGIN, and the wait for the end of the transaction that holds the lock. */
void lock_add_wait(const struct run *run, int server_version, struct buf *out, size_t *statements);
void lock_say_busy(struct run *run, const struct turn *turn);
/* The end of a transaction that changed nothing, before its connection is closed: a session of the
 * server's ends it by itself, a pooler would throw its session away. */
void lock_leave(struct run *run, struct db *db);
/* ROLLBACK, whose answer is looked at. */
MUST_USE int lock_rollback(struct run *run, struct db *db, struct err *err);

/* ---- rights.c -------------------------------------------------------------------------------- */
MUST_USE int rights_check(const struct run *run, const struct look *look, struct err *err);
MUST_USE int rights_check_extensions(struct run *run, struct db *db, const struct look *look,
                                     struct err *err);
/* One statement, one result: the objects whose owner is another than settings->owner. */
void rights_add_owner_query(const struct database_settings *settings, struct buf *out);
MUST_USE int rights_check_owners(const struct run *run, const struct db_rows *rows,
                                 struct err *err);

/* ---- commit.c -------------------------------------------------------------------------------- */
/* Version table, rows, and the checks, in the open transaction: afterwards nothing but COMMIT is
 * missing. commit_add_stamp gives the SQL, whose last AT->count results are what commit_check_stamp
 * reads. TABLE_MADE: the version table is there. XID (XID_BYTES) is the transaction's id. */
struct stamp_indexes {
    size_t owners, xid, look, count; /* places of the results; owners: SIZE_MAX without an owner */
    bool is_short;                   /* the look is confirm.c's */
};
MUST_USE int commit_add_stamp(const struct run *run, const struct db *db, bool table_made,
                              struct buf *sql, struct stamp_indexes *at, struct err *err);
MUST_USE int commit_check_stamp(struct run *run, struct db *db, const struct db_results *results,
                                const struct stamp_indexes *at, char *xid, struct err *err);
/* The same as a message of its own, behind what is not a script. */
MUST_USE int commit_stamp(struct run *run, struct db *db, bool made, char *xid, struct err *err);
/* COMMIT, and what became of it. DONE: committed (not yet looked at again). A connection that broke
 * is closed: *db is NULL then. */
MUST_USE int commit_send(struct run *run, struct db **db, const char *xid, enum outcome *outcome,
                         struct err *err);
/* Begin the second look beside DB, whose transaction has the lock: the connection is made while the
 * script runs; then it waits for the lock, which is free when COMMIT has made everything visible.
 * Where a second connection is not to be had commit_verify does it all afterwards. */
void commit_begin_verify(struct run *run, struct db *db);
/* The second look, from another session than the one that made it all: the one that was begun, or a
 * new one, for which *db is closed first, so that a server of few connections can give it. */
MUST_USE int commit_verify(struct run *run, struct db **db, struct err *err);
/* After a failure in the transaction: roll back, see that nothing was changed, and say so. Where
 * another attempt is worth it 0 with OUTCOME_AGAIN, else -1. *db as above. */
MUST_USE int commit_give_up(struct run *run, struct db **db, enum outcome *outcome,
                            struct err *err);

/* After a failure that changed nothing: 0 with OUTCOME_AGAIN where another attempt is worth it (and
 * left of TRANSACTION_ATTEMPTS), else -1. */
MUST_USE int commit_try_again(struct run *run, bool lost, enum outcome *outcome,
                              const struct err *err);

/* ---- confirm.c ------------------------------------------------------------------------------- */
/* Each one statement, one result, which fails where there is no version table. Read into MADE, which
 * holds what the whole look before it found. Errors: as state_look_read. */

/* In the transaction that made everything, where nothing was there before (look.is_empty): it is
 * `current` where the result says so and leaves no doubt (look.is_doubtful). */
void confirm_add_inside_sql(const struct database_settings *settings, struct buf *out);
MUST_USE int confirm_read_inside(const struct db_results *results, size_t at, struct look *made,
                                 struct err *err);
/* In a session of its own, behind COMMIT. */
void confirm_add_sql(const struct database_settings *settings, struct buf *out);
MUST_USE int confirm_read(const struct db_results *results, size_t at, struct look *made,
                          struct err *err);

/* ---- history.c ------------------------------------------------------------------------------- */
/* Before create.command is run, and when it has ended: note where the server's log is. */
void history_begin(struct run *run, struct db *db);
void history_note(struct run *run, struct db *db);
/* Whether this server, which takes writes, has all that was made by then. */
MUST_USE int history_has_all(const struct run *run, struct db *db, bool *has_all, struct err *err);

/* ---- command.c ------------------------------------------------------------------------------- */
MUST_USE int command_create(struct run *run, struct db **db, enum outcome *outcome,
                            struct err *err);
MUST_USE int command_migrate(struct run *run, struct db **db, enum outcome *outcome,
                             struct err *err);
/* The stamp in one transaction on the session that holds the lock; LOOK is how it was found. Not
 * looked at again: commit_verify. The hint of a failure is the caller's. */
MUST_USE int command_stamp(struct run *run, struct db **db, const struct look *look,
                           enum outcome *outcome, struct err *err);
/* A session lock needs a session: ERR_DB_REFUSED behind a pooler. */
MUST_USE int command_refuse_pooler(const struct run *run, const struct db *db, const char *what,
                                   struct err *err);

#endif
