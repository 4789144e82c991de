/* bootstrap/commit.c: the stamp, COMMIT, what became of it, and the second look. */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "bootstrap/apply.h"

/* ---- the stamp, and the checks before COMMIT ------------------------------------------------- */

static void add_role(struct buf *sql, const char *role, size_t *count)
{
    buf_adds(sql, "SET LOCAL ROLE ");
    if (role)
        db_add_identifier(sql, role);
    else
        buf_adds(sql, "NONE");
    buf_adds(sql, ";\n");
    ++*count;
}

int commit_add_stamp(const struct run *run, const struct db *db, bool table_made, struct buf *sql,
                     struct stamp_indexes *at, struct err *err)
{
    const struct database_settings *s = run->settings;
    struct db_info info;
    size_t count = 0;
    db_info(db, &info);
    if (s->owner)
        add_role(sql, s->owner, &count);
    if (!table_made) {
        stamp_add_table(s, run->plan.version_width, sql);
        count++;
    }
    stamp_add_rows(s, sql);
    count++;
    if (s->owner)
        add_role(sql, NULL, &count);
    at->owners = SIZE_MAX;
    if (s->owner) {
        rights_add_owner_query(s, sql);
        at->owners = count++;
    }
    buf_adds(sql, info.server_version >= XACT_ID_LEAST
                      ? "SELECT pg_catalog.pg_current_xact_id_if_assigned()::text;\n"
                      : "SELECT pg_catalog.txid_current_if_assigned()::text;\n");
    at->xid = count++;
    at->look = count;
    at->count = count + LOOK_RESULTS;
    /* what an owner made may be hidden from us: only a look at catalogs can say so */
    at->is_short = run->made.is_empty && !s->owner;
    if (at->is_short)
        confirm_add_inside_sql(s, sql);
    else
        state_look_sql(s, sql);
    return buf_check(sql, ERR_CONTRACT, "the names in the contract", err);
}

/* The look that came with the stamp, or a whole one where a short one is not enough. */
static int read_inside(struct run *run, struct db *db, const struct db_results *results,
                       const struct stamp_indexes *at, struct database_report *inside,
                       struct err *err)
{
    struct look *look = &run->made;
    if (!at->is_short) {
        look_release(look);
        return state_look_read(results, at->look, look, err) == 0
                   ? state_classify(run->settings, look, inside, err)
                   : -1;
    }
    if (confirm_read_inside(results, at->look, look, err) != 0 ||
        state_classify(run->settings, look, inside, err) != 0)
        return -1;
    if (inside->state == STATE_CURRENT && !look->is_doubtful)
        return 0;
    look_release(look);
    return state_look(db, run->settings, run_deadline(run, 1), inside, look, err);
}

static void add_list(struct buf *out, char *const *list)
{
    for (size_t i = 0; list && list[i]; i++)
        buf_addf(out, "%s%s", i ? ", " : "", list[i]);
}

/* What COMMIT would leave is `current`, or it is not sent. */
static int check_made(struct run *run, struct db *db, const struct db_results *results,
                      const struct stamp_indexes *at, struct err *err)
{
    const struct look *look = &run->made;
    AUTO_REPORT inside = REPORT_INIT;
    AUTO_BUF names = BUF_INIT(ERR_TEXT_BYTES);
    if (read_inside(run, db, results, at, &inside, err) != 0)
        return -1;
    const char *form = run->settings->create == CREATE_SQL    ? "create.sql"
                       : run->settings->create == CREATE_EMIT ? "create.emit"
                                                              : "create.command";
    if (look_objects(look) == 0)
        return err_set(err, ERR_DB_COMMAND, "%s made no table, view, type or function: not stamped",
                       form);
    if (look->missing.count > 0) {
        add_list(&names, look->missing.list);
        return err_set(err, ERR_DB_STATE,
                       "%s did not make what database.expect names: %s: not stamped", form,
                       buf_text(&names));
    }
    if (inside.state != STATE_CURRENT)
        return err_set(err, ERR_DB_STATE, "%s would leave the database '%s', not 'current': %s",
                       form, state_word(inside.state),
                       inside.why ? inside.why : "no reason is known");
    return 0;
}

int commit_check_stamp(struct run *run, struct db *db, const struct db_results *results,
                       const struct stamp_indexes *at, char *xid, struct err *err)
{
    if (results->count != at->count)
        return err_set(err, ERR_DEFECT, "the stamp gave %zu results, not %zu", results->count,
                       at->count);
    if (at->owners != SIZE_MAX && rights_check_owners(run, &results->list[at->owners], err) != 0)
        return -1;
    if (check_made(run, db, results, at, err) != 0)
        return -1;
    (void)snprintf(xid, XID_BYTES, "%s", db_cell(&results->list[at->xid], 0, 0));
    return 0;
}

int commit_stamp(struct run *run, struct db *db, bool made, char *xid, struct err *err)
{
    AUTO_BUF sql = BUF_INIT(OWN_SQL_MAX_BYTES);
    struct stamp_indexes at;
    struct db_results results;
    if (commit_add_stamp(run, db, made, &sql, &at, err) != 0)
        return -1;
    if (db_query(db, buf_text(&sql), run_deadline(run, at.count), &results, NULL, err) != 0)
        return err_wrap(err, "stamp");
    int rc = commit_check_stamp(run, db, &results, &at, xid, err);
    db_results_free(&results);
    return rc;
}

/* ---- nothing was changed --------------------------------------------------------------------- */

static bool worth_another_attempt(const struct err *err, bool lost)
{
    static const char *const states[] = {"40001", "40P01", "55P03"};
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        if (strcmp(err->sqlstate, states[i]) == 0)
            return true;
    }
    return lost && err->kind == ERR_DB_DOWN;
}

int commit_try_again(struct run *run, bool lost, enum outcome *outcome, const struct err *err)
{
    if (!worth_another_attempt(err, lost) || ++run->attempts >= TRANSACTION_ATTEMPTS)
        return -1;
    log_msg(LOG_WARN, "%s; trying again", err->text);
    *outcome = OUTCOME_AGAIN;
    return 0;
}

/* Look from a new connection what is there after a lost one. */
static void say_what_is_there(struct run *run, struct err *err)
{
    struct err second = ERR_INIT;
    AUTO_DB db = NULL;
    if (run_open(run, &db, &second) != 0 ||
        state_look(db, run->settings, run_deadline(run, 1), run->report, NULL, &second) != 0) {
        run_append(err, "COMMIT was not sent, so the server undoes it; it could not be asked: %s",
                   second.text);
        return;
    }
    if (run->report->state == STATE_FRESH)
        run_append(err, "nothing was changed (looked at from a new connection)");
    else
        run_append(err, "COMMIT was not sent; the database is now '%s'",
                   state_word(run->report->state));
}

int commit_give_up(struct run *run, struct db **db, enum outcome *outcome, struct err *err)
{
    struct err undo = ERR_INIT;
    bool lost = db_is_lost(*db);
    db_beside_end(*db);
    if (!lost && lock_rollback(run, *db, &undo) == 0) {
        run_append(err, "nothing was changed (rolled back)");
    } else {
        lost = true;
        run_close(db);
        say_what_is_there(run, err);
    }
    return commit_try_again(run, lost, outcome, err);
}

/* ---- a COMMIT without an answer -------------------------------------------------------------- */

enum verdict {
    VERDICT_COMMITTED,
    VERDICT_ABORTED,
    VERDICT_IN_PROGRESS,
    VERDICT_BEHIND, /* a standby without it: it may be on its way there, or not applied yet */
    VERDICT_UNKNOWN
};

/* Nothing of the transaction is there. Before create.command's there was what the command had made. */
static bool is_as_before(const struct run *run)
{
    enum database_state state = run->report->state;
    return state == STATE_FRESH ||
           (run->command_done && (state == STATE_UNSTAMPED || state == STATE_LOST_STAMP));
}

/* The stamp decides where the server does not know the id (any more, or yet: a failover), and also where
 * it knows one as committed: a server that was promoted without our transaction gives its id to others. */
static int ask_stamp(struct run *run, struct db *db, enum verdict *verdict, struct err *err)
{
    if (state_look(db, run->settings, run_deadline(run, 1), run->report, NULL, err) != 0)
        return -1;
    if (run->report->state == STATE_CURRENT)
        *verdict = VERDICT_COMMITTED;
    else if (run->report->in_recovery)
        *verdict = VERDICT_BEHIND;
    else
        *verdict = is_as_before(run) ? VERDICT_ABORTED : VERDICT_UNKNOWN;
    return 0;
}

/* Where somebody has gone on from what we made, the second look says what it finds. */
static int confirm_committed(struct run *run, struct db *db, enum verdict *verdict, struct err *err)
{
    if (ask_stamp(run, db, verdict, err) != 0)
        return -1;
    if (*verdict == VERDICT_UNKNOWN)
        *verdict = VERDICT_COMMITTED;
    return 0;
}

static int ask_status(struct run *run, struct db *db, const char *xid, enum verdict *verdict,
                      struct err *err)
{
    AUTO_BUF sql = BUF_INIT(OWN_SQL_MAX_BYTES);
    struct db_results results;
    struct db_info info;
    if (*xid == '\0')
        return ask_stamp(run, db, verdict, err);
    db_info(db, &info);
    buf_adds(&sql, info.server_version >= XACT_ID_LEAST ? "SELECT pg_catalog.pg_xact_status("
                                                        : "SELECT pg_catalog.txid_status(");
    db_add_literal(&sql, xid);
    buf_adds(&sql, info.server_version >= XACT_ID_LEAST ? "::xid8);" : "::bigint);");
    if (db_query(db, buf_text(&sql), run_deadline(run, 1), &results, NULL, err) != 0)
        return strcmp(err->sqlstate, "22023") == 0 ? ask_stamp(run, db, verdict, err) : -1;
    const char *status = results.count ? db_cell(&results.list[0], 0, 0) : "";
    int rc = 0;
    if (strcmp(status, "committed") == 0)
        rc = confirm_committed(run, db, verdict, err);
    else if (strcmp(status, "aborted") == 0)
        *verdict = VERDICT_ABORTED;
    else if (strcmp(status, "in progress") == 0)
        *verdict = VERDICT_IN_PROGRESS;
    else
        rc = ask_stamp(run, db, verdict, err);
    db_results_free(&results);
    return rc;
}

static int still_in_doubt(struct run *run, const char *xid, const struct err *last, struct err *err)
{
    run->report->state = STATE_IN_DOUBT;
    run->report->state_known = true;
    err_set(err, ERR_DB_IN_DOUBT,
            "%s: the connection broke after COMMIT was sent, and it is not known whether "
            "transaction %s was committed: %s",
            run->place, *xid ? xid : "(no id)", last->text);
    return err_hint(err,
                    "Run `agent verify` when the server can be reached: it tells by the stamp. "
                    "Running bootstrap again is safe in any case.");
}

/* Ask on new connections until there is an answer or time is up. */
static int resolve(struct run *run, const char *xid, enum verdict *verdict, struct err *err)
{
    static const char *const words[] = {
        [VERDICT_IN_PROGRESS] = "the server says that it is still in progress",
        [VERDICT_BEHIND] = "the server that answers is a standby, and has not heard of it (yet)",
        [VERDICT_UNKNOWN] =
            "the server does not know it, and the database is neither fresh nor current"};
    struct err last = ERR_INIT;
    struct backoff backoff = {.base_ms = POLL_BASE_MS, .cap_ms = POLL_CAP_MS};
    int64_t deadline = settings_deadline(run->settings, run->settings->wait_ms);
    for (;;) {
        AUTO_DB db = NULL;
        int rc = run_open(run, &db, &last);
        if (rc == 0)
            rc = ask_status(run, db, xid, verdict, &last);
        if (rc == 0 && (*verdict == VERDICT_COMMITTED || *verdict == VERDICT_ABORTED))
            return 0;
        if (rc == 0)
            err_set(&last, ERR_DB_IN_DOUBT, "%s", words[*verdict]);
        log_progress(&run->progress, "COMMIT was sent and not answered: asking what became of it");
        if ((rc == 0 && *verdict == VERDICT_UNKNOWN) || !backoff_wait(&backoff, 0, deadline))
            return still_in_doubt(run, xid, &last, err);
    }
}

int commit_send(struct run *run, struct db **db, const char *xid, enum outcome *outcome,
                struct err *err)
{
    bool in_doubt = false;
    enum verdict verdict = VERDICT_UNKNOWN;
    if (db_commit(*db, run_deadline(run, 1), &in_doubt, err) == 0) {
        *outcome = OUTCOME_DONE;
        return 0;
    }
    if (!in_doubt && !db_is_lost(*db)) { /* an answer that was not COMMIT ended the transaction */
        err_wrap(err, "commit");
        run_append(err, "nothing was changed (the server rolled back)");
        return commit_try_again(run, false, outcome, err);
    }
    if (!in_doubt) /* it broke before COMMIT was sent */
        return commit_give_up(run, db, outcome, err);
    log_msg(LOG_WARN, "%s; asking the server what became of the transaction", err->text);
    run_close(db);
    if (resolve(run, xid, &verdict, err) != 0)
        return -1;
    if (verdict == VERDICT_COMMITTED) {
        *outcome = OUTCOME_DONE;
        return 0;
    }
    if (++run->attempts >= TRANSACTION_ATTEMPTS)
        return err_set(err, ERR_DB_DOWN,
                       "%s: the connection broke at COMMIT %u times, and the server "
                       "undid the transaction each time; nothing was changed",
                       run->place, run->attempts);
    *outcome = OUTCOME_AGAIN;
    return 0;
}

/* ---- the second look ------------------------------------------------------------------------- */

/* The place of the look in its message, and how many results that has. */
static void add_second_look(const struct run *run, int server_version, struct buf *sql, size_t *at,
                            size_t *count)
{
    *at = 0;
    lock_add_wait(run, server_version, sql, at);
    confirm_add_sql(run->settings, sql);
    buf_adds(sql, "COMMIT;\n");
    *count = *at + 2;
}

static int server_version_of(const struct db *db)
{
    struct db_info info;
    db_info(db, &info);
    return info.server_version;
}

void commit_begin_verify(struct run *run, struct db *db)
{
    AUTO_BUF sql = BUF_INIT(OWN_SQL_MAX_BYTES);
    struct err err = ERR_INIT;
    struct db_info info;
    size_t at, count;
    db_info(db, &info);
    if (info.pooled) /* its connections are shared with others, who would wait with us */
        return;
    add_second_look(run, info.server_version, &sql, &at, &count);
    if (buf_check(&sql, ERR_CONTRACT, "the names in the contract", &err) != 0 ||
        db_beside_begin(db, &run->target, buf_text(&sql),
                        settings_deadline(run->settings, run->settings->connect_timeout_ms),
                        &err) != 0)
        log_line(LOG_DEBUG, "the second look is not begun yet", "why", err.text, NULL);
}

/* What commit_begin_verify began: 0 when it found the database current. */
static int collect_verify(struct run *run, struct db *first, struct err *err)
{
    AUTO_DB db = NULL;
    AUTO_BUF unused = BUF_INIT(OWN_SQL_MAX_BYTES);
    struct db_results results = {0};
    size_t at, count;
    add_second_look(run, server_version_of(first), &unused, &at, &count);
    if (db_beside_collect(first, run_deadline(run, 1), &db, &results, err) != 0)
        return -1;
    int rc = results.count == count
                 ? confirm_read(&results, at, &run->made, err)
                 : err_set(err, ERR_DEFECT, "the second look gave %zu results", results.count);
    db_results_free(&results);
    if (rc != 0 || state_classify(run->settings, &run->made, run->report, err) != 0 ||
        report_set_connection(run->report, db, err) != 0)
        return -1;
    return run->report->state == STATE_CURRENT
               ? 0
               : err_set(err, ERR_DB_STATE, "it finds '%s'", state_word(run->report->state));
}

static int look_again(struct run *run, struct err *err)
{
    AUTO_DB db = NULL;
    if (run_open(run, &db, err) != 0 ||
        state_look(db, run->settings, run_deadline(run, 1), run->report, NULL, err) != 0)
        return -1;
    if (run->report->state != STATE_CURRENT && run->report->in_recovery)
        return err_set(err, ERR_DB_DOWN, "%s: a standby answers, and finds the database '%s' (yet)",
                       run->place, state_word(run->report->state));
    return report_set_connection(run->report, db, err);
}

static int found_otherwise(struct run *run, struct err *err)
{
    struct database_report *r = run->report;
    err_set(err, ERR_DB_STATE, "%s: %sa new connection finds the database '%s': %s", run->place,
            r->created ? "it was committed, but " : "", state_word(r->state),
            r->why ? r->why : "no reason is known");
    if (!r->created || r->state != STATE_FRESH)
        return -1;
    r->created = false;
    return err_hint(err, "After a fail-over to a server that had not received it (asynchronous "
                         "replication), run agent bootstrap again: it makes it there.");
}

int commit_verify(struct run *run, struct db **first, struct err *err)
{
    struct backoff backoff = {.base_ms = POLL_BASE_MS, .cap_ms = POLL_CAP_MS};
    int64_t until = settings_deadline(run->settings, run->settings->wait_ms);
    if (*first && db_has_beside(*first)) {
        if (collect_verify(run, *first, err) == 0) {
            run->report->verified = true;
            return 0;
        }
        log_line(LOG_DEBUG, "the second look is made anew", "why", err->text, NULL);
    }
    run_close(first);
    while (look_again(run, err) != 0) {
        if (err->kind == ERR_DB_DOWN && backoff_wait(&backoff, 0, until))
            continue;
        err_wrap(err, "committed, but not verified from a new connection");
        return err_hint(err, "Run `agent verify` when the server can be reached.");
    }
    if (run->report->state != STATE_CURRENT)
        return found_otherwise(run, err);
    run->report->verified = true;
    return 0;
}
