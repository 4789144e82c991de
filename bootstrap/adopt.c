/* bootstrap/adopt.c: `bootstrap --adopt`: a stamp for a database that has none, once it is proved to be
 * what the stamp says.
 *
 * The lock is a session's, as for a command that makes the database: it is held while the expected
 * schema is made elsewhere and compared, so that nobody who keeps to it changes the database between
 * the proof and the stamp. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "bootstrap/apply.h"
#include "bootstrap/guard_report.h"
#include "bootstrap/paths.h"

/* ---- the expected schema ------------------------------------------------------------------------------ */

/* By database.create; where the contract has none, by its migrations. */
static int make_expected(const struct guard_settings *settings, struct scratch *scratch,
                         int64_t deadline_ms, struct catalog *out, struct err *err)
{
    struct path path = {.kind = settings->database->create == CREATE_NONE ? PATH_MIGRATE
                                                                          : PATH_CREATE,
                        .name = "the expected schema",
                        .guard = settings,
                        .scratch = scratch,
                        .deadline_ms = deadline_ms,
                        .only_make = true,
                        .catalog = -1,
                        .outcome = outcomes_new(1, err)};
    if (!path.outcome)
        return -1;
    int result = scratch_reserve(scratch, "expected", &path.database, err);
    if (result == 0)
        result = workers_run(&path, 1, 1, deadline_ms, err);
    if (result == 0 && !path.outcome->ok) {
        *err = path.outcome->err;
        result = err_wrap(err, "make the expected schema in a scratch database");
    }
    if (result == 0)
        result = path_catalog(&path, out, err);
    outcomes_free(path.outcome, 1);
    return result;
}

static int read_expected(const struct guard_settings *settings, struct catalog *out,
                         struct err *err)
{
    struct scratch scratch;
    struct err second = ERR_INIT;
    int64_t deadline_ms = clock_earlier(settings->database->deadline_ms,
                                        clock_in_ms(settings->timeout_ms));
    if (scratch_open(settings, deadline_ms, &scratch, err) != 0)
        return -1;
    for (size_t i = 0; i < scratch.leftovers.count; i++)
        log_msg(LOG_WARN, "an earlier run was killed and has left %s", scratch.leftovers.list[i]);
    int result = make_expected(settings, &scratch, deadline_ms, out, err);
    if (scratch_close(&scratch, &second) == 0)
        return result;
    if (result == 0)
        *err = second;
    else
        log_err(&second, err_exit_code(second.kind));
    return -1;
}

/* ---- the proof ------------------------------------------------------------------------------------------ */

static int refuse_differences(const struct run *run, const struct differences *d, struct err *err)
{
    err_set(err, ERR_VIOLATION,
            "%s: not stamped: its schema is not the expected one: %zu semantic, %zu textual, %zu "
            "cosmetic differences",
            run->place, d->semantic, d->textual, d->cosmetic);
    return err_hint(err, "Mend the database, or the contract; --trust stamps it as it is, once the "
                         "expected tables are there.");
}

/* What the contract lets pass, and rights on what PostgreSQL or an extension has brought: between two
 * scratch databases they are the project's doing, in a real one they are the administrator's. */
static struct guard_ignore *ignored(const struct guard_settings *settings)
{
    struct guard_ignore *list = mem_new(settings->ignore_count + 1, sizeof(*list));
    for (size_t i = 0; list && i < settings->ignore_count; i++)
        list[i] = settings->ignore[i];
    if (list)
        list[settings->ignore_count] = (struct guard_ignore){
            .kind = "rights", .object = "*", .until = "9999-12-31", .why = "the administrator's"};
    return list;
}

static int prove(const struct guard_settings *settings, struct run *run, struct db *db,
                 struct guard_report *guard, struct err *err)
{
    AUTO_FREE struct guard_ignore *ignore = ignored(settings);
    const struct compare_options options = {.strict_order = settings->strict_order,
                                            .ignore = ignore,
                                            .ignore_count = settings->ignore_count + 1,
                                            .graph = settings->database->graph};
    struct guard_memory *m = mem_new(1, sizeof(*m));
    struct differences *d = &guard->differences;
    if (!m || !ignore) {
        free(m);
        return err_nomem(err);
    }
    guard->memory = m;
    if (read_expected(settings, &m->b, err) != 0)
        return -1;
    if (catalog_read(db, settings->database, run_deadline(run, 1), &m->a, err) != 0)
        return err_wrap(err, "read the catalog of %s", run->place);
    if (!str_eq(m->a.context, m->b.context))
        log_msg(LOG_WARN,
                "the two servers differ, and may write the same thing in two ways: %s; %s",
                m->a.context, m->b.context);
    if (catalog_compare(&m->a, &m->b, &options, d, err) != 0)
        return -1;
    if (d->semantic > 0 || (settings->strict && d->textual + d->cosmetic > 0))
        return refuse_differences(run, d, err);
    guard->equal = true;
    return 0;
}

static int trust_expected(const struct run *run, const struct look *look, struct err *err)
{
    AUTO_BUF names = BUF_INIT(ERR_TEXT_BYTES);
    const char *const *expect = run->settings->expect;
    if (!expect || !expect[0]) {
        err_set(err, ERR_CONTRACT, "--trust has nothing to go by: database.expect names no table");
        return err_hint(err, "Add \"expect\": [tables] to 'database', or leave --trust away.");
    }
    for (size_t i = 0; i < look->missing.count; i++)
        buf_addf(&names, "%s%s", i ? ", " : "", look->missing.list[i]);
    if (look->missing.count == 0)
        return 0;
    err_set(err, ERR_DB_STATE, "%s: not stamped: what database.expect names is missing: %s",
            run->place, buf_text(&names));
    return err_hint(err,
                    "Make what is missing, or drop what is there and run agent bootstrap; without "
                    "--trust the differences are listed.");
}

/* ---- the run --------------------------------------------------------------------------------------------- */

/* A table of that name which is not Alembic's can't be given rows, and is not ours to replace. */
static int check_version_table(const struct run *run, const struct look *look, struct err *err)
{
    AUTO_BUF table = BUF_INIT(ERR_TEXT_BYTES);
    if (!look->version_exists || look->version_is_alembics)
        return 0;
    settings_describe_version_table(run->settings, &table);
    err_set(err, ERR_DB_STATE, "%s: '%s' is there and is no version table", run->place,
            buf_text(&table));
    return err_hint(err, HINT_NO_VERSION_TABLE);
}

static int stamp(const struct guard_settings *settings, bool trust, struct run *run, struct db **db,
                 const struct look *look, struct guard_report *guard, struct err *err)
{
    enum outcome outcome = OUTCOME_DONE;
    size_t width = look->version_exists ? look->version_width : VERSION_WIDTH;
    if (check_version_table(run, look, err) != 0 ||
        stamp_check_width(run->settings, width, err) != 0 ||
        (trust ? trust_expected(run, look, err) : prove(settings, run, *db, guard, err)) != 0)
        return -1;
    if (command_stamp(run, db, look, &outcome, err) != 0)
        return -1;
    if (outcome != OUTCOME_DONE)
        return err_set(err, ERR_DB_DOWN, "%s: the connection broke, and nothing was stamped",
                       run->place);
    return commit_verify(run, db, err);
}

static int adopt(const struct guard_settings *settings, bool trust, struct run *run,
                 struct guard_report *guard, struct err *err)
{
    struct turn turn;
    AUTO_LOOK look = LOOK_INIT;
    AUTO_DB db = NULL;
    struct database_report *r = run->report;
    if (run_open(run, &db, err) != 0 || report_set_connection(r, db, err) != 0 ||
        command_refuse_pooler(run, db, "--adopt", err) != 0 ||
        lock_session(run, db, &turn, &look, err) != 0 ||
        command_refuse_pooler(run, db, "--adopt", err) != 0)
        return -1;
    r->state_before = r->state;
    if (r->state == STATE_CURRENT) {
        r->verified = true;
        return 0;
    }
    if (r->state != STATE_UNSTAMPED && r->state != STATE_LOST_STAMP)
        return run_refuse_state(run, err);
    if (!turn.had)
        return err_set(err, ERR_DB_LOCK, "%s: somebody else is at work on it: %s", run->place,
                       turn.holder);
    if (r->read_only)
        return run_refuse_read_only(run, err);
    return stamp(settings, trust, run, &db, &look, guard, err);
}

int adopt_run(const struct guard_settings *settings, bool trust, struct database_report *report,
              struct guard_report *guard, struct err *err)
{
    const struct database_settings *d = settings->database;
    int64_t started = clock_now_ms();
    if (!trust && d->create == CREATE_NONE && !d->migrate)
        return err_set(
            err, ERR_CONTRACT,
            "the contract says neither what makes the database (database.create) nor what "
            "migrates it (database.migrate): there is nothing to compare with");
    struct run run = {.settings = d,
                      .report = report,
                      .plan = PLAN_INIT,
                      .turn = {.base_ms = POLL_BASE_MS, .cap_ms = POLL_CAP_MS},
                      .lock_deadline_ms = settings_deadline(d, d->lock_wait_ms)};
    if (stop_begin(err) != 0)
        return -1;
    int result = run_begin(&run, err);
    if (result == 0)
        result = adopt(settings, trust, &run, guard, err);
    if (result != 0 && stop_requested())
        stop_error(err);
    report->waited_ms = run.waited_ms;
    report->duration_ms = clock_now_ms() - started;
    run_end(&run);
    stop_end();
    return result;
}
