/* bootstrap/command.c: commands that connect by themselves: create.command and migrate.
 *
 * They can't share our transaction. A session lock on a connection of ours keeps others away while
 * they run: it is not a transaction's, so that CREATE INDEX CONCURRENTLY in them does not wait for
 * us. A session lock needs a session of the server's, which a pooler in transaction mode is not. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "bootstrap/apply.h"

#define MADE_AND_NOT_STAMPED                                                                      \
    "What create.command made is there: drop it and run bootstrap again, or, when the schema is " \
    "whole, `agent bootstrap --adopt`."

static bool is_pooled(const struct db *db)
{
    struct db_info info;
    db_info(db, &info);
    return info.pooled;
}

/* One message on DB: BEGIN and its settings. */
static int begin(struct run *run, struct db *db, struct err *err)
{
    AUTO_BUF sql = BUF_INIT(OWN_SQL_MAX_BYTES);
    struct db_info info;
    size_t count = 0;
    db_info(db, &info);
    lock_add_begin(run, info.server_version, &sql, &count);
    if (buf_check(&sql, ERR_DEFECT, "BEGIN", err) != 0)
        return -1;
    return db_execute(db, buf_text(&sql), sql.len, run_deadline(run, count), NULL, NULL, err);
}

/* On DB or, where that is lost with its server, on a new connection: to another one, may be. */
static int look_again(struct run *run, struct db *db, struct err *err)
{
    AUTO_DB other = NULL;
    if (state_look(db, run->settings, run_deadline(run, 1), run->report, NULL, err) == 0)
        return 0;
    if (!db_is_lost(db) || run_open(run, &other, err) != 0 ||
        report_set_connection(run->report, other, err) != 0)
        return -1;
    return state_look(other, run->settings, run_deadline(run, 1), run->report, NULL, err);
}

/* After a command that failed: what it left, and how to go on. */
static int explain_failure(struct run *run, struct db *db, struct err *err)
{
    struct err second = ERR_INIT;
    if (look_again(run, db, &second) != 0) {
        run->report->state_known = false; /* what it was before says nothing any more */
        run_append(err, "what it left could not be looked at: %s", second.text);
        return err_hint(err, "Ask `agent verify` when the server can be reached.");
    }
    if (run->report->state == STATE_FRESH) {
        run_append(err, "it left nothing in the database");
        return err_hint(err, "Mend the command and run bootstrap again.");
    }
    run_append(err, "the database is now '%s': %s", state_word(run->report->state),
               run->report->why ? run->report->why : "");
    return err_hint(err,
                    "The command does not share bootstrap's transaction, so what it made stays: "
                    "drop it and run bootstrap again, or, when the schema is whole, `agent "
                    "bootstrap --adopt`.");
}

int command_stamp(struct run *run, struct db **db, const struct look *look, enum outcome *outcome,
                  struct err *err)
{
    char xid[XID_BYTES] = "";
    if (look->rows.count > 0)
        return err_set(err, ERR_DB_STATE,
                       "%s: there are rows in the version table that are not the heads: %s",
                       run->place, run->report->why ? run->report->why : "");
    if (begin(run, *db, err) != 0)
        return -1;
    if (commit_stamp(run, *db, look->version_exists, xid, err) == 0)
        return commit_send(run, db, xid, outcome, err);
    if (db_is_lost(*db)) {
        run_append(err, "the stamp was not committed");
        return commit_try_again(run, true, outcome, err);
    }
    struct err undo = ERR_INIT;
    run_append(err, lock_rollback(run, *db, &undo) == 0 ? "the stamp was rolled back"
                                                        : "the stamp was not committed");
    return -1;
}

static int stamp_made(struct run *run, struct db **db, const struct look *look,
                      enum outcome *outcome, struct err *err)
{
    if (command_stamp(run, db, look, outcome, err) == 0)
        return 0;
    return err_hint(err, MADE_AND_NOT_STAMPED);
}

static int run_command(struct run *run, struct db *db, const struct look *look, struct err *err)
{
    const struct database_settings *s = run->settings;
    size_t width = look->version_exists ? look->version_width : VERSION_WIDTH;
    if (rights_check(run, look, err) != 0 || stamp_check_width(s, width, err) != 0)
        return -1;
    log_progress_end(&run->progress);
    history_begin(run, db);
    if (plan_run_command(s, "create.command", s->create_list, NULL, s->deadline_ms, err) != 0)
        return explain_failure(run, db, err);
    history_note(run, db);
    run->command_done = true;
    return 0;
}

/* The stamp was lost with its connection, and this may be another server, which has received some of
 * what the command made and may have lost the rest: only what is known to be whole is stamped. */
static int check_history(struct run *run, struct db *db, struct err *err)
{
    bool has_all = false;
    if (run->report->state == STATE_CURRENT) /* its own stamp came behind all else */
        return 0;
    if (history_has_all(run, db, &has_all, err) != 0)
        return -1;
    if (has_all)
        return 0;
    if (run->report->state == STATE_FRESH) {
        log_msg(LOG_WARN,
                "%s: this server has nothing of what create.command made (a fail-over); it is run "
                "again",
                run->place);
        run->command_done = false;
        return 0;
    }
    err_set(err, ERR_DB_STATE,
            "%s: create.command ended well, and before the stamp another server took over: whether "
            "this one has received all that was made is not known; the database is '%s'",
            run->place, state_word(run->report->state));
    return err_hint(err, MADE_AND_NOT_STAMPED);
}

static int run_create(struct run *run, struct db **db, const struct look *look,
                      enum outcome *outcome, struct err *err)
{
    AUTO_LOOK after = LOOK_INIT;
    if (!run->command_done && run_command(run, *db, look, err) != 0)
        return -1;
    if (state_look(*db, run->settings, run_deadline(run, 1), run->report, &after, err) != 0) {
        err_wrap(err, "create.command has ended, and is not stamped");
        return db_is_lost(*db) ? commit_try_again(run, true, outcome, err) : -1;
    }
    /* it may have stamped by itself */
    if (run->report->state != STATE_CURRENT && stamp_made(run, db, &after, outcome, err) != 0)
        return -1;
    if (*outcome != OUTCOME_DONE)
        return 0;
    run->report->created = run->report->by_command = true;
    run->report->statements = 1;
    return commit_verify(run, db, err);
}

int command_refuse_pooler(const struct run *run, const struct db *db, const char *what,
                          struct err *err)
{
    if (!is_pooled(db))
        return 0;
    err_set(err, ERR_DB_REFUSED,
            "%s: a pooler is in between, and %s needs a session of the server's "
            "for its lock",
            run->place, what);
    return err_hint(err, "Give database.url a direct address (not the pooler's).");
}

int command_create(struct run *run, struct db **db, enum outcome *outcome, struct err *err)
{
    struct turn turn;
    AUTO_LOOK look = LOOK_INIT;
    if (command_refuse_pooler(run, *db, "create.command", err) != 0)
        return -1;
    if (lock_session(run, *db, &turn, &look, err) != 0)
        return -1;
    if (command_refuse_pooler(run, *db, "create.command", err) != 0)
        return -1;
    *outcome = OUTCOME_DONE;
    if (run->report->state == STATE_CURRENT && !run->command_done) {
        run->report->verified = true;
        return 0;
    }
    /* the holder's command is at work, and its half-made schema is nobody else's to judge */
    if (!turn.had) {
        lock_say_busy(run, &turn);
        *outcome = OUTCOME_BUSY;
        return 0;
    }
    if (run->command_done && check_history(run, *db, err) != 0)
        return commit_try_again(run, db_is_lost(*db), outcome, err);
    if (run->report->state != STATE_FRESH && !run->command_done)
        return run_refuse_state(run, err);
    return run_create(run, db, &look, outcome, err);
}

/* ---- migrate --------------------------------------------------------------------------------- */

static int run_migrate(struct run *run, struct db **db, struct err *err)
{
    const struct database_settings *s = run->settings;
    struct err failed = ERR_INIT;
    log_progress_end(&run->progress);
    int rc = plan_run_command(s, "migrate", s->migrate, NULL, s->deadline_ms, &failed);
    if (commit_verify(run, db, err) == 0) {
        if (rc != 0) /* somebody else did it at the same time */
            log_msg(LOG_WARN, "%s; the database is current all the same", failed.text);
        return 0;
    }
    if (rc == 0)
        return err_wrap(err, "migrate ended well");
    run_append(&failed, "%s", err->text);
    *err = failed;
    return -1;
}

int command_migrate(struct run *run, struct db **db, enum outcome *outcome, struct err *err)
{
    struct turn turn = {.had = true};
    AUTO_LOOK look = LOOK_INIT;
    if (is_pooled(*db))
        log_msg(LOG_WARN, "a pooler is in between: migrate is run without a lock");
    else if (lock_session(run, *db, &turn, &look, err) != 0)
        return -1;
    *outcome = OUTCOME_DONE;
    if (run->report->state == STATE_CURRENT) {
        run->report->verified = true;
        return 0;
    }
    if (!turn.had) {
        lock_say_busy(run, &turn);
        *outcome = OUTCOME_BUSY;
        return 0;
    }
    if (run->report->state != STATE_BEHIND || !run->settings->migrate)
        return run_refuse_state(run, err);
    return run_migrate(run, db, err);
}
