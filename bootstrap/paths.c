/* bootstrap/paths.c: the ways to a schema, each in its own scratch database; see paths.h. */
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/redact.h"
#include "base/stop.h"
#include "base/str.h"
#include "bootstrap/apply.h"
#include "bootstrap/paths.h"

enum {
    TRANSCRIPT_MAX_BYTES = 1024 * 1024,    /* of all commands of a way; the end of it is kept */
    MASKED_MAX_BYTES = 8 * ERR_TEXT_BYTES, /* *** may be longer than what it hides */
    SHOWN_DIFFERENCES = 3,
    SCENE_MS = 60 * 1000, /* for reading catalogs when the ways are gone */
};

/* ---- a database and its settings -------------------------------------------------------------------- */

void scene_release(struct scene *scene)
{
    scratch_environment_release(&scene->environment);
}

int scene_open(const struct path *path, const char *database, struct buf *transcript,
               struct scene *out, struct err *err)
{
    const struct database_settings *from = path->guard->database;
    struct scene scene = {.scratch = path->scratch, .database = database, .settings = *from};
    if (scratch_environment(path->scratch, database, from->url_variable,
                            path->guard->command_environment, &scene.environment, err) != 0)
        return -1;
    *out = scene;
    out->settings.url = &out->environment.url;
    out->settings.command_environment = out->environment.list;
    out->settings.deadline_ms = path->deadline_ms;
    out->settings.transcript = transcript;
    if (path->kind == PATH_OFFLINE) {
        out->settings.create = CREATE_EMIT;
        out->settings.create_list = path->guard->offline_command;
    }
    if (path->emission && path->emission->text.len > 0)
        out->settings.emitted = &path->emission->text;
    return 0;
}

static int64_t statement_deadline(const struct scene *scene)
{
    return settings_deadline(&scene->settings, SCRATCH_STATEMENT_MS);
}

int scene_look(const struct scene *scene, struct database_report *report, struct look *look,
               struct err *err)
{
    AUTO_DB db = NULL;
    AUTO_REPORT own = REPORT_INIT;
    if (scratch_connect(scene->scratch, scene->database, scene->settings.deadline_ms, &db, err) !=
        0)
        return -1;
    return state_look(db, &scene->settings, statement_deadline(scene), report ? report : &own, look,
                      err);
}

int scene_catalog(const struct scene *scene, struct catalog *out, struct err *err)
{
    AUTO_DB db = NULL;
    if (scratch_connect(scene->scratch, scene->database, scene->settings.deadline_ms, &db, err) !=
        0)
        return -1;
    return catalog_read(db, &scene->settings, statement_deadline(scene), out, err);
}

/* Both from one new connection. */
static int scene_read(const struct scene *scene, struct catalog *catalog,
                      struct database_report *report, struct err *err)
{
    AUTO_DB db = NULL;
    if (scratch_connect(scene->scratch, scene->database, scene->settings.deadline_ms, &db, err) !=
        0)
        return -1;
    AUTO_CATALOG made = CATALOG_INIT;
    if (catalog_read(db, &scene->settings, statement_deadline(scene), &made, err) != 0 ||
        state_look(db, &scene->settings, statement_deadline(scene), report, NULL, err) != 0)
        return -1;
    *catalog = made;
    made = CATALOG_INIT; /* moved */
    return 0;
}

/* That it can't be left is no failure: whoever wants it reads it from the server. */
static void leave_catalog(const struct path *path, const struct catalog *catalog)
{
    AUTO_BUF packed = BUF_INIT(PATH_CATALOG_BYTES);
    struct err why = ERR_INIT;
    if (path->catalog < 0)
        return;
    catalog_pack(catalog, &packed);
    if (buf_check(&packed, ERR_RESOURCE, "a catalog", &why) != 0 ||
        file_write_all(path->catalog, path->name, buf_text(&packed), packed.len, &why) != 0)
        log_line(LOG_DEBUG, "the catalog is read once more", "why", why.text, NULL);
}

/* 0 when its worker left one that is whole. */
static int take_catalog(const struct path *path, struct catalog *out)
{
    AUTO_BUF packed = BUF_INIT(PATH_CATALOG_BYTES);
    struct err why = ERR_INIT;
    if (path->catalog < 0)
        return -1;
    if (memory_file_read(path->catalog, path->name, &packed, &why) == 0 && packed.len > 0 &&
        catalog_unpack(buf_text(&packed), packed.len, out, &why) == 0)
        return 0;
    if (why.kind != ERR_NONE)
        log_line(LOG_DEBUG, "the catalog is read once more", "why", why.text, NULL);
    return -1;
}

int path_catalog(const struct path *path, struct catalog *out, struct err *err)
{
    if (take_catalog(path, out) == 0)
        return 0;
    AUTO_SCENE scene = {0};
    struct path later = *path;
    later.deadline_ms = clock_in_ms(SCENE_MS); /* the ways may have used up all of their time */
    if (scene_open(&later, path->database, NULL, &scene, err) != 0 ||
        scene_catalog(&scene, out, err) != 0)
        return err_wrap(err, "read the catalog of %s", path->name);
    return 0;
}

static const char *change_of(const struct difference *d)
{
    if (!d->a)
        return "is new";
    return d->b ? "is another" : "is gone";
}

int scene_compare(const struct catalog *a, const struct catalog *b, bool strict_order,
                  const char *what, struct err *err)
{
    const struct compare_options options = {.strict_order = strict_order};
    struct differences d = {0};
    AUTO_BUF text = BUF_INIT(ERR_TEXT_BYTES);
    if (catalog_compare(a, b, &options, &d, err) != 0)
        return -1;
    size_t count = d.count;
    for (size_t i = 0; i < count && i < SHOWN_DIFFERENCES; i++)
        buf_addf(&text, "%s%s %s %s", i ? "; " : "", d.list[i].kind, d.list[i].object,
                 change_of(&d.list[i]));
    if (count > SHOWN_DIFFERENCES)
        buf_addf(&text, "; and %zu more", count - SHOWN_DIFFERENCES);
    differences_release(&d);
    if (count == 0)
        return 0;
    return err_set(err, ERR_VIOLATION, "%s: %s", what, buf_text(&text));
}

/* ---- what came of it --------------------------------------------------------------------------------- */

/* Errors may have a command's last words in them. */
static void mask(struct err *err)
{
    AUTO_BUF text = BUF_INIT(MASKED_MAX_BYTES);
    AUTO_BUF hint = BUF_INIT(MASKED_MAX_BYTES);
    redact_add(&text, err->text, strlen(err->text));
    redact_add(&hint, err->hint, strlen(err->hint));
    (void)snprintf(err->text, sizeof(err->text), "%s", buf_text(&text));
    (void)snprintf(err->hint, sizeof(err->hint), "%s", buf_text(&hint));
}

static void keep_rows(char *const *rows, struct path_outcome *outcome)
{
    outcome->row_count = 0;
    for (; rows && rows[outcome->row_count] && outcome->row_count < LOOK_MAX_ROWS;
         outcome->row_count++)
        (void)snprintf(outcome->rows[outcome->row_count], PATH_ROW_BYTES, "%s",
                       rows[outcome->row_count]);
}

static bool same_rows(char *const *a, char *const *b)
{
    size_t i = 0;
    for (; a && b && a[i] && b[i]; i++)
        if (!str_eq(a[i], b[i])) /* sorted, both of them */
            return false;
    return !(a && a[i]) && !(b && b[i]);
}

static void keep_output(const struct buf *transcript, struct path_outcome *outcome)
{
    size_t length = transcript->len, room = sizeof(outcome->output) - 1;
    const char *end = buf_text(transcript) + length;
    if (length > room)
        length = room;
    memcpy(outcome->output, end - length, length);
    outcome->output[length] = '\0';
    outcome->output_length = length;
}

static int hint_at_lost_stamp(struct err *err)
{
    return err_hint(err,
                    "Under SQLAlchemy 2 what a connect() block did is rolled back at its end: in "
                    "env.py, `with engine.begin() as connection:`, and nothing executed before "
                    "context.configure().");
}

/* The command ended with 0: is what it should have made there, for everybody? */
static int check_made(const struct scene *scene, const char *what, struct path_outcome *outcome,
                      struct err *err)
{
    AUTO_REPORT report = REPORT_INIT;
    AUTO_LOOK look = LOOK_INIT;
    if (scene_look(scene, &report, &look, err) != 0)
        return err_wrap(err, "look at what %s made", what);
    keep_rows(report.stamped, outcome);
    if (look_objects(&look) == 0 && look.rows.count == 0) {
        err_set(err, ERR_DB_COMMAND,
                "%s ended with 0 and left its scratch database empty: it did not use DATABASE_URL, "
                "or what it did was rolled back",
                what);
        return hint_at_lost_stamp(err);
    }
    if (scene->settings.plain_stamp || report.state == STATE_CURRENT)
        return 0; /* a plain stamp is agent's own: migrations know nothing of it */
    err_set(err, ERR_DB_STATE, "%s ended with 0 and left the database '%s': %s", what,
            state_word(report.state), report.why ? report.why : "no reason is known");
    if (report.state == STATE_LOST_STAMP || report.state == STATE_UNSTAMPED)
        return hint_at_lost_stamp(err);
    return -1;
}

/* ---- once more: nothing may happen -------------------------------------------------------------------- */

static int again(const struct path *path, const struct scene *scene, struct err *err)
{
    struct path_outcome *outcome = path->outcome;
    AUTO_CATALOG before = CATALOG_INIT;
    AUTO_CATALOG after = CATALOG_INIT;
    AUTO_REPORT first = REPORT_INIT;
    AUTO_REPORT second = REPORT_INIT;
    const struct database_settings *s = &scene->settings;
    if (scene_read(scene, &before, &first, err) != 0)
        return -1;
    outcome->idempotent_known = true;
    if (plan_run_command(s, "migrate again", s->migrate, NULL, s->deadline_ms, err) != 0) {
        outcome->ok = false;
        return -1;
    }
    if (scene_read(scene, &after, &second, err) != 0)
        return -1;
    leave_catalog(path, &after);
    if (!same_rows(first.stamped, second.stamped))
        return err_set(err, ERR_VIOLATION, "migrate again changed the version table");
    if (scene_compare(&before, &after, true, "migrate again was no no-op", err) != 0)
        return -1;
    outcome->idempotent = true;
    return 0;
}

/* ---- the project's own stamp, in an unstamped copy ----------------------------------------------------- */

static int drop_stamp(const struct scene *scene, struct err *err)
{
    AUTO_DB db = NULL;
    AUTO_BUF sql = BUF_INIT(OWN_SQL_MAX_BYTES);
    buf_adds(&sql, "DROP TABLE ");
    settings_add_version_table(&scene->settings, &sql);
    if (scratch_connect(scene->scratch, scene->database, scene->settings.deadline_ms, &db, err) !=
        0)
        return -1;
    return db_execute(db, buf_text(&sql), sql.len, statement_deadline(scene), NULL, NULL, err);
}

static int check_stamp(const struct scene *scene, struct err *err)
{
    AUTO_REPORT report = REPORT_INIT;
    if (scene_look(scene, &report, NULL, err) != 0)
        return -1;
    if (report.state == STATE_CURRENT)
        return 0;
    bool lost = report.state == STATE_LOST_STAMP || report.state == STATE_UNSTAMPED;
    err_set(err, ERR_DB_STATE, "guard.stamp ended with 0, and a new connection finds %s: %s",
            lost ? "no stamp: it was rolled back" : state_word(report.state),
            report.why ? report.why : "no reason is known");
    return lost ? hint_at_lost_stamp(err) : -1;
}

static int stamp_in_copy(struct path *path, struct buf *transcript, struct err *err)
{
    AUTO_SCENE copy = {0};
    const struct guard_settings *guard = path->guard;
    path->outcome->stamp_known = true;
    if (scratch_create(path->scratch, path->copy, path->database, path->deadline_ms, err) != 0 ||
        scene_open(path, path->copy, transcript, &copy, err) != 0 || drop_stamp(&copy, err) != 0 ||
        plan_run_command(&copy.settings, "guard.stamp", guard->stamp_command, NULL,
                         path->deadline_ms, err) != 0 ||
        check_stamp(&copy, err) != 0)
        return -1;
    path->outcome->stamp_ok = true;
    return 0;
}

/* ---- the ways ------------------------------------------------------------------------------------------ */

static int migrate(struct path *path, struct scene *scene, struct err *err)
{
    const struct database_settings *s = &scene->settings;
    if (plan_run_command(s, "migrate", s->migrate, NULL, s->deadline_ms, err) != 0)
        return -1;
    return check_made(scene, "migrate", path->outcome, err);
}

/* As `agent bootstrap` does it, whole. */
static int create(struct path *path, struct scene *scene, struct err *err)
{
    AUTO_REPORT report = REPORT_INIT;
    if (bootstrap_run(&scene->settings, false, &report, err) == 0) {
        keep_rows(report.stamped, path->outcome);
        return 0;
    }
    if (scene->settings.create == CREATE_COMMAND && report.state_known &&
        report.state == STATE_FRESH && !stop_requested())
        run_append(err, "create.command did not use DATABASE_URL, or what it did was rolled back");
    return -1;
}

static int go(struct path *path, struct scene *scene, struct err *err)
{
    switch (path->kind) {
    case PATH_MIGRATE:
        return migrate(path, scene, err);
    case PATH_STAIRS:
        return stairs_run(scene, err);
    case PATH_EACH:
        return each_run(scene, path->guard->each_folder, err);
    case PATH_CREATE:
    case PATH_OFFLINE:
        break;
    }
    return create(path, scene, err);
}

static int leave_replayed(const struct path *path, const struct scene *scene, struct err *err)
{
    AUTO_CATALOG catalog = CATALOG_INIT;
    if (scene_catalog(scene, &catalog, err) != 0)
        return -1;
    leave_catalog(path, &catalog);
    return 0;
}

/* What it wrote when it was run ahead; its output is the script that is run now. */
static void tell_emission(const struct path *path, struct buf *transcript)
{
    const struct emission *e = path->emission;
    if (!e || e->text.len == 0)
        return;
    buf_addc(transcript, '$');
    for (size_t i = 0; e->argv[i]; i++) {
        buf_addc(transcript, ' ');
        str_add_shell(transcript, e->argv[i], strlen(e->argv[i]));
    }
    buf_addc(transcript, '\n');
    redact_add(transcript, buf_text(&e->said), e->said.len);
}

static int run(struct path *path, struct buf *transcript, struct err *err)
{
    AUTO_SCENE scene = {0};
    struct path_outcome *outcome = path->outcome;
    if (scratch_adopt_fork(path->scratch, path->deadline_ms, err) != 0 ||
        scratch_create(path->scratch, path->database, NULL, path->deadline_ms, err) != 0 ||
        scene_open(path, path->database, transcript, &scene, err) != 0)
        return -1;
    int64_t started = clock_now_ms();
    outcome->ran = true;
    tell_emission(path, transcript);
    outcome->ok = go(path, &scene, err) == 0;
    outcome->duration_ms = clock_now_ms() - started;
    if (!outcome->ok)
        return -1;
    if (path->copy && stamp_in_copy(path, transcript, &outcome->stamp_err) != 0)
        mask(&outcome->stamp_err);
    if (path->kind == PATH_OFFLINE)
        return leave_replayed(path, &scene, err);
    if (!path->only_make && (path->kind == PATH_MIGRATE || path->kind == PATH_CREATE))
        return again(path, &scene, err);
    return 0;
}

void path_run(struct path *path)
{
    AUTO_BUF transcript = BUF_INIT(TRANSCRIPT_MAX_BYTES);
    struct err err = ERR_INIT;
    if (run(path, &transcript, &err) != 0) {
        mask(&err);
        path->outcome->err = err;
    }
    keep_output(&transcript, path->outcome);
    path->outcome->ended = true;
}
