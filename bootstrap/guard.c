/* bootstrap/guard.c: both ways to the schema, held against one another; see guard.h. */
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "bootstrap/apply.h"
#include "bootstrap/catalog.h"
#include "bootstrap/guard_report.h"
#include "bootstrap/paths.h"

enum {
    PATHS_MAX = 5,
    EXTRAS_MAX = 4,
    JOBS_MAX = 2,
};

/* The ways of one run, in the order in which they are started. */
struct ways {
    struct path list[PATHS_MAX];
    size_t count;
    struct path_outcome *outcomes; /* shared with the workers */
};

/* What is printed ahead of its turn. */
struct emissions {
    struct emission offline, create;
};

void guard_memory_free(struct guard_memory *memory)
{
    if (!memory)
        return;
    catalog_release(&memory->a);
    catalog_release(&memory->b);
    free(memory);
}

/* ---- what must be known -------------------------------------------------------------------------------- */

static int check_settings(const struct guard_settings *settings, struct err *err)
{
    const struct database_settings *d = settings->database;
    if (!d->migrate) {
        err_set(err, ERR_CONTRACT, "guard has one path only: database.migrate is not set");
        return err_hint(err, "\"migrate\": [\"alembic\", \"upgrade\", \"heads\"]");
    }
    if (d->create == CREATE_NONE) {
        err_set(err, ERR_CONTRACT, "guard has one path only: database.create is not set");
        return err_hint(err,
                        "\"create\": {\"sql\": [...]}, {\"emit\": [...]} or {\"command\": [...]}");
    }
    if (!stamp_is_known(d)) {
        err_set(err, ERR_CONTRACT, "database.stamp is not set: guard cannot tell what a stamp is");
        return err_hint(err, "\"stamp\": {\"alembic\": \"alembic.ini\"}");
    }
    if (settings->ephemeral == (settings->server_url != NULL)) {
        err_set(err, ERR_USAGE, "guard needs a place for its scratch databases");
        return err_hint(err, "--ephemeral starts a server of its own; --server NAME names the "
                             "variable with a server's URL.");
    }
    return 0;
}

/* ---- the ways ------------------------------------------------------------------------------------------- */

static int add_way(struct ways *ways, struct path path, const char *what, struct err *err)
{
    struct path *to = &ways->list[ways->count];
    path.outcome = &ways->outcomes[ways->count];
    path.catalog = memory_file_make(path.name, PATH_CATALOG_BYTES, err);
    *to = path;
    ways->count++;
    if (to->catalog < 0)
        return -1;
    if (scratch_reserve(path.scratch, what, &to->database, err) != 0)
        return -1;
    if (path.kind == PATH_CREATE && !path.guard->database->plain_stamp &&
        path.guard->stamp_command && scratch_reserve(path.scratch, "copy", &to->copy, err) != 0)
        return -1;
    return 0;
}

static int plan_ways(const struct guard_settings *settings, struct scratch *scratch,
                     struct emissions *emissions, int64_t deadline_ms, struct ways *ways,
                     struct err *err)
{
    const struct path common = {.guard = settings, .scratch = scratch, .deadline_ms = deadline_ms};
    struct path a = common, b = common, offline = common, stairs = common, each = common;
    ways->outcomes = outcomes_new(PATHS_MAX, err);
    if (!ways->outcomes)
        return -1;
    a.kind = PATH_MIGRATE;
    a.name = "path A";
    b.kind = PATH_CREATE;
    b.name = "path B";
    if (settings->database->create == CREATE_EMIT)
        b.emission = &emissions->create;
    offline.kind = PATH_OFFLINE;
    offline.name = "offline SQL";
    offline.emission = &emissions->offline;
    stairs.kind = PATH_STAIRS;
    stairs.name = "stairway";
    each.kind = PATH_EACH;
    each.name = "each revision";
    if (add_way(ways, a, "a", err) != 0 || add_way(ways, b, "b", err) != 0)
        return -1;
    if (settings->offline_command && add_way(ways, offline, "offline", err) != 0)
        return -1;
    if (settings->stairway && add_way(ways, stairs, "stairs", err) != 0)
        return -1;
    return settings->each_folder ? add_way(ways, each, "each", err) : 0;
}

static void ways_release(struct ways *ways)
{
    for (size_t i = 0; i < ways->count; i++)
        if (ways->list[i].catalog >= 0)
            (void)close(ways->list[i].catalog);
    outcomes_free(ways->outcomes, PATHS_MAX);
}

static const struct path *way_of(const struct ways *ways, enum path_kind kind)
{
    for (size_t i = 0; i < ways->count; i++)
        if (ways->list[i].kind == kind)
            return &ways->list[i];
    return NULL;
}

/* ---- what came of them, into the report ------------------------------------------------------------------ */

static int take_error(const struct err *from, char **to, struct err *err)
{
    AUTO_BUF text = BUF_INIT(ERR_TEXT_BYTES + ERR_HINT_BYTES + 2);
    if (from->kind == ERR_NONE)
        return 0;
    buf_addf(&text, "%s%s%s", from->text, from->hint[0] ? " " : "", from->hint);
    *to = buf_take(&text);
    return *to ? 0 : err_nomem(err);
}

static int take_path(const struct path *path, struct guard_path *to, struct err *err)
{
    const struct path_outcome *from = path->outcome;
    struct names rows = {0};
    to->ran = from->ran;
    to->ok = from->ok;
    to->duration_ms = from->duration_ms;
    to->idempotent_known = from->idempotent_known;
    to->idempotent = from->idempotent;
    for (size_t i = 0; i < from->row_count; i++)
        if (names_add(&rows, from->rows[i], err) != 0) {
            names_release(&rows);
            return -1;
        }
    to->stamp = names_take(&rows);
    to->output = mem_dup_n(from->output, from->output_length);
    if (!to->stamp || !to->output)
        return err_nomem(err);
    return take_error(&from->err, &to->error, err);
}

static int add_extra(struct guard_report *report, const char *name, bool ok, const struct err *why,
                     struct err *err)
{
    if (!report->extras)
        report->extras = mem_new(EXTRAS_MAX, sizeof(*report->extras));
    if (!report->extras)
        return err_nomem(err);
    struct guard_extra *extra = &report->extras[report->extra_count++];
    *extra = (struct guard_extra){.name = name, .ok = ok};
    return ok ? 0 : take_error(why, &extra->error, err);
}

/* ---- catalogs -------------------------------------------------------------------------------------------- */

/* What tells which revision touched an object last; NULL: there is no SQL of them. */
static const struct audit_settings *offline_of(const struct guard_settings *settings,
                                               const struct emissions *emissions,
                                               struct audit_settings *out)
{
    const struct database_settings *d = settings->database;
    const struct buf *sql = &emissions->offline.text;
    if (sql->len == 0 || !d->graph)
        return NULL;
    *out = (struct audit_settings){.graph = d->graph,
                                   .sql = buf_text(sql),
                                   .sql_length = sql->len,
                                   .sql_name = "database.offline",
                                   .version_schema = d->schema,
                                   .version_table = d->table};
    return out;
}

static int compare(const struct guard_settings *settings, const struct ways *ways,
                   const struct emissions *emissions, struct guard_report *report, struct err *err)
{
    struct audit_settings offline;
    const struct compare_options options = {.strict_order = settings->strict_order,
                                            .ignore = settings->ignore,
                                            .ignore_count = settings->ignore_count,
                                            .graph = settings->database->graph,
                                            .offline = offline_of(settings, emissions, &offline)};
    report->memory = mem_new(1, sizeof(*report->memory));
    if (!report->memory)
        return err_nomem(err);
    struct guard_memory *m = report->memory;
    if (path_catalog(way_of(ways, PATH_MIGRATE), &m->a, err) != 0 ||
        path_catalog(way_of(ways, PATH_CREATE), &m->b, err) != 0)
        return -1;
    return catalog_compare(&m->a, &m->b, &options, &report->differences, err);
}

/* The replay of the offline SQL, which must come to what A came to. */
static int take_offline(const struct guard_settings *settings, const struct ways *ways,
                        struct guard_report *report, struct err *err)
{
    const struct path *offline = way_of(ways, PATH_OFFLINE);
    AUTO_CATALOG catalog = CATALOG_INIT;
    struct err why = ERR_INIT;
    if (!offline || !report->a.ok || !report->memory)
        return 0;
    if (!offline->outcome->ok && settings->offline_is_guess) {
        log_msg(LOG_WARN, "the migrations' offline SQL is not compared: %s",
                offline->outcome->err.text);
        return 0;
    }
    if (!offline->outcome->ok)
        return add_extra(report, offline->name, false, &offline->outcome->err, err);
    if (path_catalog(offline, &catalog, err) != 0)
        return -1;
    bool equal = scene_compare(&report->memory->a, &catalog, true, "it differs from path A",
                               &why) == 0;
    if (!equal && why.kind != ERR_VIOLATION) {
        *err = why;
        return -1;
    }
    return add_extra(report, offline->name, equal, &why, err);
}

static int take_extras(const struct guard_settings *settings, const struct ways *ways,
                       struct guard_report *report, struct err *err)
{
    const struct path_outcome *b = way_of(ways, PATH_CREATE)->outcome;
    static const enum path_kind walks[] = {PATH_STAIRS, PATH_EACH};
    if (b->stamp_known &&
        add_extra(report, "project's stamp", b->stamp_ok, &b->stamp_err, err) != 0)
        return -1;
    if (take_offline(settings, ways, report, err) != 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(walks); i++) {
        const struct path *walk = way_of(ways, walks[i]);
        if (walk && add_extra(report, walk->name, walk->outcome->ok, &walk->outcome->err, err) != 0)
            return -1;
    }
    return 0;
}

static bool verdict(const struct guard_settings *settings, const struct guard_report *report)
{
    const struct differences *d = &report->differences;
    bool equal = report->a.ok && report->b.ok && report->a.idempotent && report->b.idempotent &&
                 d->semantic == 0;
    if (settings->strict && d->textual + d->cosmetic > 0)
        equal = false;
    for (size_t i = 0; i < report->extra_count; i++)
        equal = equal && report->extras[i].ok;
    return equal;
}

/* No path came as far as its command: it is the place that is wrong, not a path. */
static int require_place(const struct ways *ways, struct err *err)
{
    const struct path_outcome *a = way_of(ways, PATH_MIGRATE)->outcome;
    if (a->ran || way_of(ways, PATH_CREATE)->outcome->ran || a->err.kind == ERR_NONE)
        return 0;
    *err = a->err;
    return -1;
}

static int take_all(const struct guard_settings *settings, const struct ways *ways,
                    const struct emissions *emissions, struct guard_report *report, struct err *err)
{
    if (take_path(way_of(ways, PATH_MIGRATE), &report->a, err) != 0 ||
        take_path(way_of(ways, PATH_CREATE), &report->b, err) != 0)
        return -1;
    if (report->a.ok && report->b.ok && compare(settings, ways, emissions, report, err) != 0)
        return -1;
    if (take_extras(settings, ways, report, err) != 0)
        return -1;
    report->strict = settings->strict;
    report->equal = verdict(settings, report);
    return 0;
}

/* ---- the run ----------------------------------------------------------------------------------------------- */

static int take_leftovers(const struct scratch *scratch, struct guard_report *report,
                          struct err *err)
{
    struct names copy = {0};
    for (size_t i = 0; i < scratch->leftovers.count; i++)
        if (names_add(&copy, scratch->leftovers.list[i], err) != 0) {
            names_release(&copy);
            return -1;
        }
    report->leftovers = names_take(&copy);
    return report->leftovers ? 0 : err_nomem(err);
}

static int try_ways(const struct guard_settings *settings, struct scratch *scratch,
                    struct emissions *emissions, int64_t deadline_ms, struct guard_report *report,
                    struct err *err)
{
    struct ways ways = {0};
    int jobs = settings->jobs >= 1 && settings->jobs <= JOBS_MAX ? settings->jobs : JOBS_MAX;
    int result = take_leftovers(scratch, report, err);
    if (result == 0)
        result = plan_ways(settings, scratch, emissions, deadline_ms, &ways, err);
    if (result == 0)
        result = workers_run(ways.list, ways.count, jobs, deadline_ms, err);
    if (result == 0)
        result = require_place(&ways, err);
    if (result == 0)
        result = take_all(settings, &ways, emissions, report, err);
    ways_release(&ways);
    return result;
}

static int close_scratch(struct scratch *scratch, int result, struct err *err)
{
    struct err second = ERR_INIT;
    if (scratch_close(scratch, &second) == 0) {
        if (stop_requested()) { /* whatever it broke off first */
            result = stop_error(err);
            err_hint(err, "Nothing was left behind.");
        }
        return result;
    }
    if (result == 0)
        *err = second;
    else
        log_err(&second, err_exit_code(second.kind));
    return -1;
}

/* One after the other is what --jobs 1 asks for. */
static void print_ahead(const struct guard_settings *settings, struct emissions *emissions)
{
    const struct database_settings *d = settings->database;
    if (settings->jobs == 1)
        return;
    if (d->create == CREATE_EMIT)
        emission_start(settings, d->create_list, "create.emit", &emissions->create);
    if (settings->offline_command)
        emission_start(settings, settings->offline_command, "database.offline",
                       &emissions->offline);
}

static void emissions_release(struct emissions *emissions)
{
    emission_release(&emissions->offline);
    emission_release(&emissions->create);
}

static int run(const struct guard_settings *settings, struct guard_report *report, struct err *err)
{
    struct scratch scratch;
    CLEANUP(emissions_release)
    struct emissions emissions = {.offline = EMISSION_INIT, .create = EMISSION_INIT};
    int64_t deadline_ms = clock_earlier(settings->database->deadline_ms,
                                        clock_in_ms(settings->timeout_ms));
    print_ahead(settings, &emissions);
    if (scratch_open(settings, deadline_ms, &scratch, err) != 0)
        return -1;
    int result = try_ways(settings, &scratch, &emissions, deadline_ms, report, err);
    return close_scratch(&scratch, result, err);
}

int guard_run(const struct guard_settings *settings, struct guard_report *report, struct err *err)
{
    if (check_settings(settings, err) != 0 || stop_begin(err) != 0)
        return -1;
    int result = run(settings, report, err);
    if (result != 0 && stop_requested() && err->kind != ERR_STOPPED)
        stop_error(err);
    stop_end();
    return result;
}
