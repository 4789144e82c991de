/* agent/guard.c: see agent/guard.h. */
#include "agent/guard.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

void guard_job_release(struct guard_job *g)
{
    database_job_release(&g->database);
    free(g->stamp);
    free(g->offline);
    free(g->ignore);
}

static size_t length_of(const char *const *list)
{
    size_t count = 0;

    while (list && list[count])
        count++;
    return count;
}

/* ---- commands that follow from database.migrate ------------------------------------------------ */

/* Where `alembic -c x upgrade heads` says "upgrade"; SIZE_MAX: it is not Alembic's. */
static size_t place_of_upgrade(const char *const *migrate)
{
    for (size_t i = 0; migrate && migrate[i]; i++)
        if (str_eq(migrate[i], "upgrade") && migrate[i + 1])
            return i;
    return SIZE_MAX;
}

/* The first COUNT words of FROM, and two more (the second may be NULL). */
static const char **extend(const char *const *from, size_t count, const char *one, const char *two)
{
    const char **list = mem_new(count + 3, sizeof(*list));

    if (!list)
        return NULL;
    for (size_t i = 0; i < count; i++)
        list[i] = from[i];
    list[count] = one;
    list[count + 1] = two;
    return list;
}

static int set_stamp(const struct contract *contract, struct guard_job *g, struct err *err)
{
    static const char *const plain[] = {"alembic", NULL};
    const char *const *migrate = contract->database.migrate;
    size_t place = place_of_upgrade(migrate);

    if (contract->guard.stamp) {
        g->settings.stamp_command = contract->guard.stamp;
        return 0;
    }
    if (place == SIZE_MAX || place == 0) { /* also where migrate is a script of the project's */
        migrate = plain;
        place = 1;
    }
    g->stamp = extend(migrate, place, "stamp", "heads");
    g->settings.stamp_command = g->stamp;
    return g->stamp ? 0 : err_nomem(err);
}

static int set_offline(const struct contract *contract, struct guard_job *g, struct err *err)
{
    const char *const *migrate = contract->database.migrate;

    g->settings.offline_command = contract->database.offline;
    if (contract->database.offline || place_of_upgrade(migrate) == SIZE_MAX)
        return 0;
    g->offline = extend(migrate, length_of(migrate), "--sql", NULL);
    g->settings.offline_command = g->offline;
    g->settings.offline_is_guess = true;
    return g->offline ? 0 : err_nomem(err);
}

/* ---- where --------------------------------------------------------------------------------------- */

static const char *server_of(const struct job *job, const struct guard_options *options)
{
    if (options->server || options->ephemeral)
        return options->server;
    return job->contract->guard.server;
}

static bool is_ephemeral(const struct job *job, const struct guard_options *options)
{
    if (options->server || options->ephemeral)
        return options->ephemeral;
    return job->contract->guard.ephemeral;
}

static int check_options(const struct job *job, const struct guard_options *options,
                         struct err *err)
{
    const char *server = server_of(job, options);

    if (options->server && options->ephemeral)
        return err_set(err, ERR_USAGE, "--server and --ephemeral are two places: say one");
    if (!server && !is_ephemeral(job, options)) {
        err_set(err, ERR_USAGE, "there is no place for scratch databases");
        return err_hint(err, "--ephemeral starts a server of its own; --server NAME names the "
                             "variable with a server's URL (in the contract: guard.server).");
    }
    if (!server || contract_find(job->contract, server))
        return 0;
    err_set(err, ERR_USAGE, "--server: '%s' is no variable of the contract", server);
    const char *nearest = contract_nearest_name(job->contract, server);
    if (nearest)
        return err_hint(err, "Did you mean '%s'?", nearest);
    return err_hint(err,
                    "Name a variable whose value is a server's URL: a URL itself would show its "
                    "password to everybody on this machine.");
}

static int set_place(struct job *job, const struct guard_options *options, struct guard_job *g,
                     struct err *err)
{
    const char *server = server_of(job, options);
    const struct contract_variable *url = contract_find(job->contract, job->contract->database.url);

    g->settings.ephemeral = is_ephemeral(job, options);
    g->settings.ephemeral_user = options->ephemeral_user;
    g->settings.scheme = url ? contract_url_scheme(job->contract, url) : NULL;
    if (!server)
        return 0;
    const struct contract_variable *variable = contract_find(job->contract, server);
    const struct contract_value *value = &job->values[variable - job->contract->variables];
    if (!secret_is_set(&value->bytes))
        return err_set(err, ERR_VIOLATION, "'%s' has no value%s%s", server,
                       value->absent_because ? ": " : "",
                       value->absent_because ? value->absent_because : "");
    g->settings.server_url = &value->bytes;
    g->settings.server_variable = server;
    return 0;
}

/* ---- all of it ------------------------------------------------------------------------------------ */

static int refuse_profile(const struct job *job, struct err *err)
{
    const char *profile = job->contract->profile;

    for (const char *const *name = job->contract->guard.refuse_profiles; name && *name; name++)
        if (str_eq(*name, profile)) {
            err_set(err, ERR_USAGE, "guard is refused in profile '%s' (guard.refuse_profiles)",
                    profile);
            return err_hint(err,
                            "Run it in CI or on a developer's machine, with another --profile.");
        }
    return 0;
}

/* Of the names for commands those that the contract declares; others come from our environment. */
static int resolve(struct job *job, const struct guard_options *options, struct err *err)
{
    const char *const *const lists[] = {job->contract->database.env, job->contract->guard.env};
    size_t count = 0, room = 2 + length_of(lists[0]) + length_of(lists[1]);
    AUTO_FREE const char **names = mem_new(room, sizeof(*names));

    if (!names)
        return err_nomem(err);
    if (server_of(job, options))
        names[count++] = server_of(job, options);
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        for (const char *const *name = lists[i]; name && *name; name++)
            if (contract_find(job->contract, *name))
                names[count++] = *name;
    if (count > 0 && job_resolve(job, names, err) != 0)
        return -1;
    return job_check(job, err);
}

static int set_ignore(const struct contract_guard *from, struct guard_job *g, struct err *err)
{
    g->ignore = mem_new(from->ignore_count + 1, sizeof(*g->ignore));
    if (!g->ignore)
        return err_nomem(err);
    for (size_t i = 0; i < from->ignore_count; i++)
        g->ignore[i] = (struct guard_ignore){.kind = from->ignore[i].kind,
                                             .object = from->ignore[i].object,
                                             .until = from->ignore[i].until,
                                             .why = from->ignore[i].why};
    g->settings.ignore = g->ignore;
    g->settings.ignore_count = from->ignore_count;
    return 0;
}

static int fill(struct job *job, const struct guard_options *options, struct guard_job *g,
                struct err *err)
{
    const struct contract_guard *from = &job->contract->guard;

    g->settings.database = &g->database.settings;
    g->settings.command_environment = g->database.environment_list;
    g->settings.strict = options->strict || from->strict;
    g->settings.strict_order = options->strict_order || from->strict_order;
    g->settings.stairway = options->stairway;
    g->settings.each_folder = options->each;
    g->settings.jobs = options->jobs ? options->jobs[0] - '0' : from->jobs;
    g->settings.timeout_ms = from->timeout_ms;
    if (set_place(job, options, g, err) != 0 || set_stamp(job->contract, g, err) != 0 ||
        set_offline(job->contract, g, err) != 0)
        return -1;
    return set_ignore(from, g, err);
}

int job_adopt(struct job *job, const struct guard_options *options, bool trust,
              struct guard_job *out, struct err *err)
{
    const struct contract_database *database = &job->contract->database;
    struct guard_options chosen = *options;

    out->settings.database = &out->database.settings;
    if (trust)
        return job_database(job, &out->database, err);
    out->database.more_names = job->contract->guard.env;
    if (!server_of(job, options) && !is_ephemeral(job, options))
        chosen.server = database->admin_url ? database->admin_url : database->url;
    if (job_resolve_for_database(job, err) != 0 || check_options(job, &chosen, err) != 0 ||
        resolve(job, &chosen, err) != 0 || job_database(job, &out->database, err) != 0)
        return -1;
    return fill(job, &chosen, out, err);
}

int job_guard(struct job *job, const struct guard_options *options, struct guard_job *out,
              struct err *err)
{
    if (refuse_profile(job, err) != 0 || check_options(job, options, err) != 0 ||
        resolve(job, options, err) != 0)
        return -1;
    out->database.more_names = job->contract->guard.env;
    if (job_database_settings(job, &out->database, err) != 0)
        return -1;
    return fill(job, options, out, err);
}
