/* bootstrap/apply.c: making a database, in one transaction; see bootstrap.h and apply.h. */
#include <stdarg.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "bootstrap/apply.h"

/* ---- what the parts share -------------------------------------------------------------------- */

int run_append(struct err *err, const char *format, ...)
{
    AUTO_BUF more = BUF_INIT(ERR_TEXT_BYTES);
    AUTO_BUF text = BUF_INIT(OWN_SQL_MAX_BYTES);
    va_list args;
    va_start(args, format);
    buf_addv(&more, format, args);
    va_end(args);
    /* the first part is cut before the second: what became of the database must be read */
    size_t behind = more.len < ERR_TEXT_BYTES / 2 ? more.len : ERR_TEXT_BYTES / 2;
    size_t room = ERR_TEXT_BYTES - sizeof("; ") - behind;
    buf_addf(&text, "%.*s; %s", (int)room, err->text, buf_text(&more));
    (void)snprintf(err->text, sizeof(err->text), "%s", buf_text(&text));
    return -1;
}

void run_close(struct db **db)
{
    db_close(*db);
    *db = NULL;
}

int64_t run_deadline(const struct run *run, size_t statements)
{
    int64_t one = run->settings->statement_timeout_ms, count = (int64_t)statements + 1;
    if (one <= 0 || count > INT64_MAX / 2 / one)
        return run->settings->deadline_ms; /* no timeout, or practically none */
    return settings_deadline(run->settings, one * count);
}

int run_refuse_read_only(const struct run *run, struct err *err)
{
    const struct database_report *r = run->report;
    if (!r->in_recovery) {
        err_set(err, ERR_DB_DOWN,
                "%s: the session is read-only, and there is something to write (the database is "
                "'%s')",
                run->place, state_word(r->state));
        return err_hint(err, "See default_transaction_read_only, of the role and of the database.");
    }
    err_set(err, ERR_DB_DOWN,
            "%s: this server is a standby (%s:%s), and there is something to write (the database "
            "is '%s')",
            run->place, r->host ? r->host : "", r->port ? r->port : "", state_word(r->state));
    return err_hint(err, "Connect to the primary: with both hosts in the URL, "
                         "target_session_attrs=read-write finds it, also after a fail-over.");
}

int run_refuse_state(const struct run *run, struct err *err)
{
    const struct database_report *r = run->report;
    bool would_write = r->state == STATE_FRESH || (r->state == STATE_BEHIND && run->migrate);
    if (r->read_only && would_write)
        return run_refuse_read_only(run, err);
    err_set(err, ERR_DB_STATE, "%s: the database is '%s': %s", run->place, state_word(r->state),
            r->why ? r->why : "no reason is known");
    return r->hint ? err_hint(err, "%s", r->hint) : -1;
}

/* Files are read, and an emit command is run, when it is our turn: who finds that there is nothing to
 * do, or waits, needs no SQL. What is wrong with it is found before any of it is sent. */
static int load_plan(struct run *run, struct err *err)
{
    if (run->planned)
        return 0;
    if (run->settings->create == CREATE_EMIT)
        log_progress(&run->progress, "running create.emit");
    if (plan_load(run->settings, run_deadline(run, 0), &run->plan, err) != 0)
        return -1;
    run->planned = true;
    plan_log_notes(&run->plan);
    return 0;
}

static bool may_wait(const struct run *run)
{
    return run->settings->wait_ms > 0;
}

/* One attempt: each has connect_timeout, all of them wait; where that is 0 there is one. */
static int64_t attempt_deadline(const struct run *run, int64_t until)
{
    int64_t one = run->settings->connect_timeout_ms;
    if (!may_wait(run))
        until = run->settings->deadline_ms;
    return one > 0 ? clock_earlier(until, clock_in_ms(one)) : until;
}

/* Nobody is to wait for a server to learn that a file is wrong. */
static int use_the_time(struct run *run, struct err *err)
{
    bool is_full = strcmp(err->sqlstate, "53300") == 0; /* soon over: it is there, and busy */
    return is_full || run->settings->create != CREATE_SQL ? 0 : load_plan(run, err);
}

int run_open(struct run *run, struct db **out, struct err *err)
{
    struct backoff backoff = {.base_ms = POLL_BASE_MS, .cap_ms = POLL_CAP_MS};
    int64_t started = clock_now_ms(),
            until = settings_deadline(run->settings, run->settings->wait_ms);
    struct err answer = ERR_INIT; /* of the last attempt that time did not cut short */
    bool waited = false;
    for (;;) {
        int rc = db_connect(&run->target, attempt_deadline(run, until), out, err);
        if (waited)
            run->waited_ms += clock_now_ms() - started;
        if (rc == 0)
            return 0;
        if (!may_wait(run) || !db_should_wait(err) || (!waited && use_the_time(run, err) != 0))
            return -1;
        started = clock_now_ms();
        waited = true;
        if (strcmp(err->sqlstate, "53300") == 0)
            log_progress(&run->progress, "the server has no connection left, waiting: %s",
                         err->text);
        else if (err->sqlstate[0] || (err->step && strcmp(err->step, "database") == 0))
            log_progress(&run->progress, "the database is not ready yet: %s", err->text);
        else
            log_progress(&run->progress, "the database is not listening yet: %s", err->text);
        if (clock_left_ms(until) > 0 || answer.kind == ERR_NONE)
            answer = *err;
        if (!backoff_wait(&backoff, 0, until)) {
            *err = answer;
            return err_wrap(err, "waited in vain (database.wait)");
        }
    }
}

/* ---- the transaction ------------------------------------------------------------------------- */

/* 42501 names the object, not who was refused: say as whom it ran, and the usual missing GRANT. 3F000 does
 * not say which setting took the schema away. */
static void hint_at_statement(const struct run *run, struct err *err)
{
    const char *role = run->settings->owner ? run->settings->owner : run->report->user;
    if (str_eq(err->sqlstate, "3F000"))
        err_hint(
            err,
            "Let what makes the database make the schema first (CREATE SCHEMA). What names none "
            "goes where search_path says, which ALTER ROLE or DATABASE ... SET may have "
            "changed.");
    if (strcmp(err->sqlstate, "42501") != 0 || !role)
        return;
    err_hint(err, "The statement ran as '%s'.", role);
    if (strstr(err->text, "denied for database"))
        err_hint(err, "Run as an administrator: GRANT CREATE ON DATABASE \"%s\" TO \"%s\";",
                 run->target.database, role);
}

/* One message of the script; with the last one goes the stamp. */
static int send_message(struct run *run, struct db *db, const struct message *m, size_t last,
                        struct db_results *results, struct err *err)
{
    struct db_failure failure = {0};
    if (db_execute_last(db, buf_text(&m->text), m->text.len, m->copies, m->copy_count, last,
                        run_deadline(run, m->statements), results, &failure, err) == 0)
        return 0;
    if (failure.connection_lost)
        return -1;
    hint_at_statement(run, err);
    return message_explain(&run->plan, m, &failure, err);
}

static int add_stamp(struct run *run, struct db *db, bool table_made, struct message *message,
                     struct stamp_indexes *at, struct err *err)
{
    AUTO_BUF sql = BUF_INIT(OWN_SQL_MAX_BYTES);
    if (commit_add_stamp(run, db, table_made, &sql, at, err) != 0)
        return -1;
    return message_add_ours(message, "stamp", buf_text(&sql), at->count, err);
}

/* The script, the stamp and the checks: what is left is COMMIT. */
static int send_script(struct run *run, struct db *db, bool table_made, char *xid, struct err *err)
{
    AUTO_MESSAGE message = MESSAGE_INIT;
    struct message_cursor cursor = {.version_table_made = table_made};
    struct stamp_indexes at;
    size_t sent = 0;
    for (bool more = true; more; sent += message.statements) {
        struct db_results results;
        if (message_next(run->settings, &run->plan, &cursor, &message, &more, err) != 0)
            return -1;
        if (!more && add_stamp(run, db, cursor.version_table_made, &message, &at, err) != 0)
            return -1;
        log_progress(&run->progress, "running the schema: %zu of %zu statements are done", sent,
                     run->plan.statements);
        if (send_message(run, db, &message, more ? 1 : at.count, &results, err) != 0)
            return -1;
        int rc = more ? 0 : commit_check_stamp(run, db, &results, &at, xid, err);
        db_results_free(&results);
        if (rc != 0)
            return -1;
    }
    return 0;
}

/* Everything between BEGIN and COMMIT. */
static int fill(struct run *run, struct db *db, const struct look *look, char *xid, struct err *err)
{
    const struct database_settings *s = run->settings;
    size_t width = look->version_exists ? look->version_width : VERSION_WIDTH;
    if (load_plan(run, err) != 0)
        return -1;
    if (run->plan.version_width != SQL_WIDTH_UNSAID)
        width = (size_t)run->plan.version_width;
    if (rights_check(run, look, err) != 0 || stamp_check_width(s, width, err) != 0 ||
        rights_check_extensions(run, db, look, err) != 0)
        return -1;
    commit_begin_verify(run, db);
    return send_script(run, db, look->version_exists, xid, err);
}

/* What the login makes belongs to it: say when it will not live for long. */
static void warn_expiry(const struct run *run, const struct look *look)
{
    if (run->settings->owner || !look->user_ends)
        return;
    log_msg(LOG_WARN,
            "what is made now belongs to the login '%s', which ends at %s; nobody can alter it "
            "later: set database.owner",
            look->user, look->user_ends);
}

static int make(struct run *run, struct db **db, struct look *look, enum outcome *outcome,
                struct err *err)
{
    char xid[XID_BYTES] = "";
    look_release(&run->made);
    run->made = *look;
    *look = LOOK_INIT; /* moved */
    warn_expiry(run, &run->made);
    if (fill(run, *db, &run->made, xid, err) != 0)
        return commit_give_up(run, db, outcome, err);
    if (commit_send(run, db, xid, outcome, err) != 0 || *outcome != OUTCOME_DONE)
        return *outcome == OUTCOME_AGAIN ? 0 : -1;
    run->report->created = true;
    run->report->statements = run->plan.statements;
    return commit_verify(run, db, err);
}

/* ---- one try, and the next ------------------------------------------------------------------- */

int run_refuse_without_create(const struct run *run, struct err *err)
{
    err_set(err, ERR_DB_STATE,
            "%s: the database is fresh, and the contract does not say what makes it", run->place);
    return err_hint(err,
                    "Set database.create: {\"sql\": [...]}, {\"emit\": [...]} or {\"command\": "
                    "[...]}.");
}

/* What the look found: *go is false when there is nothing (more) to do. */
static int judge(struct run *run, bool *go, struct err *err)
{
    struct database_report *r = run->report;
    *go = false;
    if (run->attempts == 0 && run->polls == 0)
        r->state_before = r->state;
    if (r->state == STATE_CURRENT) {
        r->verified = true;
        if (run->polls > 0)
            log_msg(LOG_INFO, "the database was made by somebody else meanwhile");
        return 0;
    }
    /* a command that somebody else runs leaves half-made states on its way: only the lock tells */
    bool may_be_at_work = run->settings->create == CREATE_COMMAND &&
                          (r->state == STATE_UNSTAMPED || r->state == STATE_LOST_STAMP);
    bool migrates = r->state == STATE_BEHIND && run->migrate;
    if (r->read_only || (r->state != STATE_FRESH && !migrates && !may_be_at_work))
        return run_refuse_state(run, err);
    if (r->state == STATE_FRESH && run->settings->create == CREATE_NONE)
        return run_refuse_without_create(run, err);
    *go = true;
    return 0;
}

/* An empty version table is no reason not to make the rest; nor was the lock tried for. */
static int try_late(struct run *run, struct db *db, struct turn *turn, struct look *look, bool *go,
                    struct err *err)
{
    if (!*go || turn->tried || run->report->state != STATE_FRESH)
        return 0;
    if (lock_try(run, db, turn, look, err) != 0)
        return -1;
    return judge(run, go, err);
}

static int in_transaction(struct run *run, struct db **db, enum outcome *outcome, struct err *err)
{
    struct turn turn;
    AUTO_LOOK look = LOOK_INIT;
    bool go;
    if (lock_begin(run, *db, &turn, &look, err) != 0 ||
        report_set_connection(run->report, *db, err) != 0 || judge(run, &go, err) != 0 ||
        try_late(run, *db, &turn, &look, &go, err) != 0) {
        lock_leave(run, *db);
        return commit_try_again(run, db_is_lost(*db), outcome, err);
    }
    if (go && run->report->state == STATE_BEHIND)
        return lock_rollback(run, *db, err) == 0 ? command_migrate(run, db, outcome, err) : -1;
    if (go && turn.had)
        return make(run, db, &look, outcome, err);
    if (go && lock_learn_holder(run, *db, err) != 0) {
        lock_leave(run, *db);
        return commit_try_again(run, db_is_lost(*db), outcome, err);
    }
    lock_leave(run, *db);
    if (go) {
        lock_say_busy(run, &turn);
        *outcome = OUTCOME_BUSY;
    }
    return 0;
}

/* A command takes a lock of the session's, which is no transaction's. */
static int in_session(struct run *run, struct db **db, enum outcome *outcome, struct err *err)
{
    bool go;
    if (state_look(*db, run->settings, run_deadline(run, 1), run->report, NULL, err) != 0 ||
        report_set_connection(run->report, *db, err) != 0 || judge(run, &go, err) != 0)
        return commit_try_again(run, db_is_lost(*db), outcome, err);
    if (!go)
        return 0;
    if (run->report->state == STATE_BEHIND)
        return command_migrate(run, db, outcome, err);
    return command_create(run, db, outcome, err);
}

static int attempt(struct run *run, enum outcome *outcome, struct err *err)
{
    AUTO_DB db = NULL;
    bool held = false;
    *outcome = OUTCOME_DONE;
    if (run_open(run, &db, err) != 0)
        return -1;
    if (run->polls > 0 && lock_probe(run, db, &held, err) != 0)
        return commit_try_again(run, db_is_lost(db), outcome, err);
    if (held) { /* a look would find what it found before */
        lock_say_busy(run, &(struct turn){0});
        *outcome = OUTCOME_BUSY;
        return 0;
    }
    return run->settings->create == CREATE_COMMAND ? in_session(run, &db, outcome, err)
                                                   : in_transaction(run, &db, outcome, err);
}

static int wait_for_turn(struct run *run, enum outcome outcome, struct err *err)
{
    int64_t since = clock_now_ms();
    bool busy = outcome == OUTCOME_BUSY;
    run->polls = busy ? run->polls + 1 : 0;
    int64_t until = busy ? run->lock_deadline_ms : run->settings->deadline_ms;
    if (!backoff_wait(&run->turn, 0, until)) {
        if (!busy)
            return err_set(err, ERR_DB_DOWN, "%s: no time is left for another attempt", run->place);
        err_set(err, ERR_DB_LOCK,
                "%s: our turn did not come in time (database.lock_wait); the lock is held by %s",
                run->place, run->holder);
        return err_hint(err, "Somebody else makes the database: try again when that has ended. "
                             "pg_stat_activity shows what it does.");
    }
    run->waited_ms += clock_now_ms() - since;
    return 0;
}

static int run_loop(struct run *run, struct err *err)
{
    for (;;) {
        enum outcome outcome;
        if (attempt(run, &outcome, err) != 0)
            return -1;
        if (outcome == OUTCOME_DONE)
            return 0;
        if (wait_for_turn(run, outcome, err) != 0)
            return -1;
    }
}

/* Without a stamp no later look could tell what was made from what somebody left half-way. */
static int require_stamp(const struct run *run, struct err *err)
{
    const struct database_settings *s = run->settings;
    if (!stamp_is_known(s)) {
        err_set(err, ERR_CONTRACT, "database.stamp is not set: there is nothing to stamp with");
        return err_hint(
            err, "Name Alembic's configuration: \"stamp\": {\"alembic\": \"alembic.ini\"}; or "
                 "{\"style\": \"plain\", \"revision\": \"1\"}.");
    }
    if (s->graph->effective_head_count == 0) {
        err_set(err, ERR_FILE, "there is no revision yet, so there is nothing to stamp with");
        return err_hint(err, "Make the first one: `alembic revision -m first`.");
    }
    return 0;
}

int run_begin(struct run *run, struct err *err)
{
    if (require_stamp(run, err) != 0)
        return -1;
    AUTO_BUF place = BUF_INIT(ERR_TEXT_BYTES);
    if (db_target_parse(run->settings->url, run->settings->url_variable, &run->target, err) != 0)
        return -1;
    db_target_describe(&run->target, &place);
    run->place = buf_take(&place);
    return run->place ? 0 : err_nomem(err);
}

void run_end(struct run *run)
{
    log_progress_end(&run->progress);
    plan_release(&run->plan);
    look_release(&run->made);
    db_target_release(&run->target);
    free(run->place);
}

int bootstrap_run(const struct database_settings *settings, bool migrate,
                  struct database_report *report, struct err *err)
{
    int64_t started = clock_now_ms();
    struct run run = {.settings = settings,
                      .report = report,
                      .plan = PLAN_INIT,
                      .made = LOOK_INIT,
                      .migrate = migrate,
                      .turn = {.base_ms = TURN_BASE_MS, .cap_ms = POLL_CAP_MS},
                      .lock_deadline_ms = settings_deadline(settings, settings->lock_wait_ms)};
    int rc = run_begin(&run, err);
    if (rc == 0)
        rc = run_loop(&run, err);
    report->waited_ms = run.waited_ms;
    report->duration_ms = clock_now_ms() - started;
    run_end(&run);
    return rc;
}
