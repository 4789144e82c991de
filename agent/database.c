/* agent/database.c: job_database and job_graph: the contract's database section, made ready for
 * bootstrap/. */
#include <errno.h>
#include <sys/stat.h>

#include "agent/job.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"

enum {
    HEADS_OUTPUT_MAX_BYTES = 1024 * 1024,
    HEADS_COMMAND_MS = 120 * 1000,
};

void database_job_release(struct database_job *d)
{
    free(d->environment_list);
    environment_release(&d->environment);
    graph_free(d->graph);
    free(d->folder);
}

/* What every command of the database gets from our own environment. */
static const char *const basic_names[] = {"PATH", "HOME", "LANG", NULL};

static int pass_on(struct job *job, struct environment *to, const char *name, struct err *err)
{
    const struct contract_variable *variable = contract_find(job->contract, name);

    if (variable) {
        const struct secret *bytes = &job->values[variable - job->contract->variables].bytes;
        return secret_is_set(bytes) ? environment_set(to, name, bytes, err) : 0;
    }
    const char *text = environment_get(&job->environment, name);
    if (!text)
        return 0;
    struct secret bytes = secret_borrow(text, strlen(text));
    return environment_set(to, name, &bytes, err);
}

static int command_environment(struct job *job, struct database_job *d, struct err *err)
{
    const struct contract_database *database = &job->contract->database;
    static const char *const nothing[] = {NULL};

    if (environment_index(&d->environment, nothing, err) != 0)
        return -1;
    for (const char *const *name = basic_names; *name; name++)
        if (pass_on(job, &d->environment, *name, err) != 0)
            return -1;
    for (const char *const *name = database->env; name && *name; name++)
        if (pass_on(job, &d->environment, *name, err) != 0)
            return -1;
    for (const char *const *name = d->more_names; name && *name; name++)
        if (pass_on(job, &d->environment, *name, err) != 0)
            return -1;
    if (d->settings.url &&
        (environment_set(&d->environment, database->url, d->settings.url, err) != 0 ||
         environment_set(&d->environment, "DATABASE_URL", d->settings.url, err) != 0))
        return -1;
    d->environment_list = environment_list(&d->environment, err);
    return d->environment_list ? 0 : -1;
}

/* The contract names a command that asks Alembic for the heads. */
static int heads_by_command(const struct job *job, const struct database_job *d, struct graph **out,
                            struct err *err)
{
    AUTO_BUF output = BUF_INIT(HEADS_OUTPUT_MAX_BYTES);
    AUTO_BUF complaint = BUF_INIT(HEADS_OUTPUT_MAX_BYTES);
    const struct proc_request request = {
        .argv = job->contract->database.heads,
        .environment = d->environment_list,
        .folder = d->folder,
        .output = &output,
        .error_output = &complaint,
        .deadline_ms = clock_earlier(job->call->deadline_ms, clock_in_ms(HEADS_COMMAND_MS)),
        .what = "database.stamp.heads",
    };
    struct proc_result result;

    if (proc_run(&request, ERR_DB_COMMAND, &result, err) != 0)
        return -1;
    if (result.exit_code != 0) {
        AUTO_BUF how = BUF_INIT(HEADS_OUTPUT_MAX_BYTES);
        proc_describe(&result, &how);
        err_set(err, ERR_DB_COMMAND, "database.stamp.heads: '%s' %s", request.argv[0],
                buf_text(&how));
        return complaint.len > 0 ? err_hint(err, "It said: %s", buf_text(&complaint)) : -1;
    }
    return graph_from_heads_output(buf_text(&output), output.len, out, err);
}

static int folder_of(const struct job *job, struct database_job *d, struct err *err)
{
    const struct contract *contract = job->contract;

    struct stat there;

    d->folder = contract->database.cwd ? file_join(contract->folder, contract->database.cwd)
                                       : mem_dup(contract->folder);
    if (!d->folder)
        return err_nomem(err);
    int result = contract->database.cwd ? stat(d->folder, &there) : 0;
    if (!contract->database.cwd || (result == 0 && S_ISDIR(there.st_mode)))
        return 0;
    if (result == 0)
        errno = ENOTDIR;
    err_errno(err, ERR_FILE, "database.cwd '%s'", d->folder);
    return err_hint(err,
                    "It is the folder in which the commands of the database run; a relative one "
                    "starts from the contract's.");
}

static int read_graph(const struct job *job, const struct database_job *d, struct graph **out,
                      struct err *err)
{
    const struct contract_database *database = &job->contract->database;

    if (database->plain_revision)
        return graph_from_revision(database->plain_revision, out, err);
    if (database->heads)
        return heads_by_command(job, d, out, err);
    AUTO_FREE char *path = file_join(job->contract->folder, database->alembic);
    AUTO_FREE char *versions = database->alembic_dir
                                   ? file_join(job->contract->folder, database->alembic_dir)
                                   : NULL;
    if (!path || (database->alembic_dir && !versions))
        return err_nomem(err);
    struct graph_settings settings = {
        .path = path, .versions = versions, .working_folder = d->folder};
    if (graph_load(&settings, out, err) == 0)
        return 0;
    if (err->sys_errno == ENOENT && !err->hint[0])
        (void)err_hint(
            err, "database.stamp names it; a relative path starts from the contract's folder.");
    return -1;
}

static int require_database(const struct job *job, struct err *err)
{
    if (job->contract->database.present && job->contract->database.url)
        return 0;
    err_set(err, ERR_CONTRACT, "'%s' has no database", job->contract->path);
    return err_hint(err, "Add \"database\": {\"url\": \"DATABASE_URL\", ...}");
}

int job_graph(struct job *job, struct graph **out, struct err *err)
{
    AUTO_DATABASE_JOB d = DATABASE_JOB_INIT;

    if (require_database(job, err) != 0)
        return -1;
    if (!job->contract->database.alembic && !job->contract->database.heads) {
        err_set(err, ERR_CONTRACT, "'%s' names no migrations", job->contract->path);
        return err_hint(err, "Add \"stamp\": {\"alembic\": \"alembic.ini\"} to \"database\", or "
                             "say 'agent graph PATH'.");
    }
    if (folder_of(job, &d, err) != 0 || command_environment(job, &d, err) != 0)
        return -1;
    return read_graph(job, &d, out, err);
}

static enum create_form create_form_of(enum contract_create create)
{
    switch (create) {
    case CONTRACT_CREATE_SQL:
        return CREATE_SQL;
    case CONTRACT_CREATE_EMIT:
        return CREATE_EMIT;
    case CONTRACT_CREATE_COMMAND:
        return CREATE_COMMAND;
    case CONTRACT_CREATE_NONE:
        break;
    }
    return CREATE_NONE;
}

int job_resolve_for_database(struct job *job, struct err *err)
{
    const struct contract_database *database = &job->contract->database;
    size_t count = 0, room = 2;

    if (require_database(job, err) != 0)
        return -1;
    for (const char *const *name = database->env; name && *name; name++)
        room++;
    AUTO_FREE const char **names = mem_new(room + 1, sizeof(*names));
    if (!names)
        return err_nomem(err);
    names[count++] = database->url;
    if (database->authority_variable)
        names[count++] = database->authority_variable;
    for (const char *const *name = database->env; name && *name; name++)
        if (contract_find(job->contract, *name))
            names[count++] = *name;
    return job_resolve(job, names, err);
}

static int take_url(struct job *job, struct database_job *d, struct err *err)
{
    const struct contract_variable *variable = contract_find(job->contract,
                                                             job->contract->database.url);
    const struct contract_value *value = &job->values[variable - job->contract->variables];

    if (!secret_is_set(&value->bytes))
        return err_set(err, ERR_VIOLATION, "'%s' has no value%s%s", variable->name,
                       value->absent_because ? ": " : "",
                       value->absent_because ? value->absent_because : "");
    d->settings.url = &value->bytes;
    return 0;
}

int job_database_settings(struct job *job, struct database_job *out, struct err *err)
{
    const struct contract_database *from = &job->contract->database;

    if (require_database(job, err) != 0 || folder_of(job, out, err) != 0 ||
        command_environment(job, out, err) != 0)
        return -1;
    if ((from->alembic || from->heads || from->plain_revision) &&
        (read_graph(job, out, &out->graph, err) != 0 || graph_require_sound(out->graph, err) != 0))
        return -1;
    out->settings = (struct database_settings){
        .url = out->settings.url,
        .url_variable = from->url,
        .owner = from->owner,
        .create = create_form_of(from->create),
        .create_list = from->create_list,
        .folder = out->folder,
        .command_environment = out->environment_list,
        .table = from->table,
        .schema = from->schema,
        .plain_stamp = from->plain_revision != NULL,
        .graph = out->graph,
        .migrate = from->migrate,
        .expect = from->expect,
        .schemas = from->schemas,
        .wait_ms = from->wait_ms,
        .lock_timeout_ms = from->lock_timeout_ms,
        .lock_wait_ms = from->lock_wait_ms,
        .statement_timeout_ms = from->statement_timeout_ms,
        .connect_timeout_ms = from->connect_timeout_ms,
        .deadline_ms = job->call->deadline_ms,
    };
    return 0;
}

int job_database(struct job *job, struct database_job *out, struct err *err)
{
    if (job_resolve_for_database(job, err) != 0)
        return job_check_besides(job, err);
    if (job_check(job, err) != 0 || take_url(job, out, err) != 0)
        return -1;
    return job_database_settings(job, out, err);
}
