/* doctor_files.c: what lies in the file system: the sealed store and its key, token files, commands,
 * the places of the contract's files, stale copies, run.status. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/doctor.h"
#include "agent/status.h"
#include "base/clock.h"
#include "base/endpoint.h"
#include "base/file.h"
#include "base/proc.h"
#include "base/str.h"
#include "vault/sealed.h"
#include "vault/stale.h"

enum {
    OTHERS_READ = 044,
    MODE_BITS = 07777,
    PROBE_MS = 2000,
    SUBJECT_BYTES = 1024,
};

static void no_memory(struct doctor *d)
{
    d->no_memory = true;
}

/* ---- the sealed store -------------------------------------------------------------------------------- */

static void look_at_key(struct doctor *d)
{
    AUTO_FREE char *path = NULL;
    char public_key[SEALED_PUBLIC_BYTES];
    struct err err = ERR_INIT;

    if (sealed_key_path(&path, &err) != 0 || sealed_key_public(path, public_key, &err) != 0) {
        const char *passphrase = getenv("AGENT_SEALED_PASSPHRASE_FILE");
        doctor_say_err(d, passphrase && *passphrase ? DOCTOR_WARNING : DOCTOR_ERROR, "sealed key",
                       &err);
        return;
    }
    doctor_say(d, DOCTOR_OK, "sealed key", NULL, "'%s' is there, and nobody else can read it",
               path);
}

static void look_at_sealed(struct doctor *d)
{
    AUTO_FREE char *path = NULL;
    struct sealed *store = NULL;
    struct err err = ERR_INIT;

    if (!doctor_uses(d, REF_SEALED))
        return;
    if (sealed_path(d->job.contract->folder, &path, &err) != 0 ||
        sealed_load(path, &store, &err) != 0) {
        doctor_say_err(d, DOCTOR_ERROR, "sealed store", &err);
        return;
    }
    doctor_say(d, DOCTOR_OK, "sealed store", NULL, "'%s' has %zu names for %zu recipients", path,
               sealed_count(store), sealed_recipient_count(store));
    sealed_free(store);
    look_at_key(d);
}

/* ---- the token's file -------------------------------------------------------------------------------- */

static void look_at_token_file(struct doctor *d)
{
    AUTO_FREE char *path = NULL;
    const char *home = getenv("HOME"), *named = d->bounded.common.token_file;
    struct stat st;

    path = named ? file_join("", named) : file_join(home ? home : "", ".vault-token");
    if (!path) {
        no_memory(d);
        return;
    }
    if ((!named && !home) || stat(path, &st) != 0 || (st.st_mode & OTHERS_READ) == 0)
        return; /* where one that is named is not there, the log-in says so */
    doctor_say(d, DOCTOR_WARNING, "token file", "chmod 600 it, and replace the token.",
               "'%s' can be read by others (mode %04o)", path, st.st_mode & MODE_BITS);
}

/* ---- commands ---------------------------------------------------------------------------------------- */

/* A command of the contract: it is there, may be executed, and nobody else may change it. */
static void look_at_command(struct doctor *d, enum doctor_severity severity, const char *subject,
                            const char *const *argv, const char *folder)
{
    if (!argv || !argv[0])
        return;
    AUTO_FREE char *path = NULL;
    struct err err = ERR_INIT;
    if (proc_find(argv[0], (const char *const *)environ, folder, ERR_FILE, &path, &err) != 0) {
        (void)err_hint(&err, "%s",
                       err.sys_errno == EACCES
                           ? "chmod +x it."
                           : "Is it in this image, and is the path from the contract's "
                             "folder, or in PATH?");
        doctor_say_err(d, severity, subject, &err);
        return;
    }
    AUTO_FREE char *place = strchr(argv[0], '/') ? file_join(folder ? folder : "", path)
                                                 : file_join("", path);
    if (!place) {
        no_memory(d);
        return;
    }
    AUTO_FD fd = open(place, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno != EACCES) { /* one that may be executed and not read is fine */
        (void)err_errno(&err, ERR_FILE, "open '%s'", place);
        doctor_say_err(d, severity, subject, &err);
        return;
    }
    if (fd >= 0 && file_check_mode(fd, place, false, &err) != 0) {
        doctor_say_err(d, severity, subject, &err);
        return;
    }
    doctor_say(d, DOCTOR_OK, subject, NULL, "'%s' can be run", place);
}

static void look_at_schema_files(struct doctor *d, const char *const *files)
{
    for (; files && *files; files++) {
        AUTO_FREE char *path = file_join(d->job.contract->folder, *files);
        struct err err = ERR_INIT;
        if (!path) {
            no_memory(d);
            return;
        }
        if (access(path, R_OK) == 0)
            continue;
        (void)err_errno(&err, ERR_FILE, "read '%s'", path);
        (void)err_hint(&err, "bootstrap makes the database from it.");
        doctor_say_err(d, DOCTOR_ERROR, "database.create", &err);
    }
}

static void look_at_database_commands(struct doctor *d)
{
    const struct contract *contract = d->job.contract;
    const struct contract_database *database = &contract->database;
    AUTO_FREE char *folder = file_join(contract->folder, database->cwd ? database->cwd : "");

    if (!folder) {
        no_memory(d);
        return;
    }
    if (database->create == CONTRACT_CREATE_SQL)
        look_at_schema_files(d, database->create_list);
    else
        look_at_command(d, DOCTOR_ERROR, "database.create", database->create_list, folder);
    look_at_command(d, DOCTOR_ERROR, "database.stamp.heads", database->heads, folder);
    look_at_command(d, DOCTOR_WARNING, "database.migrate", database->migrate, folder);
    look_at_command(d, DOCTOR_WARNING, "database.offline", database->offline, folder);
    look_at_command(d, DOCTOR_WARNING, "guard.stamp", contract->guard.stamp, folder);
}

/* One variable's: what a rotation calls. The application's image need not have them. */
static void look_at_hooks(struct doctor *d, const struct contract_variable *variable)
{
    const struct contract_rotation *rotation = NULL;
    const char *folder = d->job.contract->folder;
    enum doctor_severity severity = d->rotates ? DOCTOR_ERROR : DOCTOR_WARNING;
    AUTO_BUF subject = BUF_INIT(SUBJECT_BYTES);
    struct err err = ERR_INIT;

    if (contract_rotation_of(d->job.contract, variable, &rotation, &err) != 0) {
        doctor_say_err(d, severity, variable->name, &err);
        return;
    }
    if (!rotation)
        return;
    buf_addf(&subject, "hook of %s", variable->name);
    look_at_command(d, severity, buf_text(&subject), rotation->hook, folder);
    look_at_command(d, severity, buf_text(&subject), rotation->test_command, folder);
    for (size_t i = 0; i < rotation->after_count; i++)
        look_at_command(d, severity, buf_text(&subject), rotation->after[i].command, folder);
}

static void look_at_commands(struct doctor *d)
{
    const struct contract *contract = d->job.contract;

    look_at_command(d, DOCTOR_ERROR, "run.on_change", contract->run.change_hook, contract->folder);
    if (contract->database.present)
        look_at_database_commands(d);
    for (size_t i = 0; i < contract->variable_count; i++) {
        const struct contract_variable *variable = &contract->variables[i];
        for (size_t k = 0; k < variable->part_count; k++)
            if (variable->parts[k].ref.kind == REF_COMMAND)
                look_at_command(d, DOCTOR_ERROR, variable->name, variable->parts[k].ref.argv,
                                variable->parts[k].ref.folder);
        look_at_hooks(d, variable);
    }
}

/* ---- the contract's files ---------------------------------------------------------------------------- */

static void look_at_file(struct doctor *d, const struct contract_file *file)
{
    AUTO_FREE char *path = file_join(d->job.contract->folder, file->path);
    AUTO_FREE char *folder = path ? file_folder(path) : NULL;
    AUTO_BUF subject = BUF_INIT(SUBJECT_BYTES);
    struct err err = ERR_INIT;
    struct stat st;

    if (!folder) {
        no_memory(d);
        return;
    }
    buf_addf(&subject, "file %s", file->path);
    if (access(folder, W_OK | X_OK) != 0) {
        (void)err_errno(&err, ERR_FILE, "make a file in '%s'", folder);
        (void)err_hint(&err, "%s",
                       errno == ENOENT ? "Make the folder, or mount it."
                                       : "Mount it writable, and let this user write there.");
        doctor_say_err(d, DOCTOR_ERROR, buf_text(&subject), &err);
        return;
    }
    if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        doctor_say(d, DOCTOR_ERROR, buf_text(&subject),
                   "Name the place itself in 'files', or take what is there away.",
                   "'%s' is %s, and is not replaced", path,
                   S_ISLNK(st.st_mode) ? "a symbolic link" : "no regular file");
        return;
    }
    if (file->owner && geteuid() != 0) {
        doctor_say(d, DOCTOR_ERROR, buf_text(&subject),
                   "Start agent as root, or leave 'owner' out.",
                   "only root gives files away, and agent is user %u", (unsigned)geteuid());
        return;
    }
    doctor_say(d, DOCTOR_OK, buf_text(&subject), NULL, "can be written with mode %04o", file->mode);
}

static void look_at_stale(struct doctor *d)
{
    const struct contract *contract = d->job.contract;
    struct stale *store = NULL;
    struct err err = ERR_INIT;

    if (!contract->stale_dir || !contract->stale_key_file)
        return;
    AUTO_FREE char *folder = file_join(contract->folder, contract->stale_dir);
    AUTO_FREE char *key = file_join(contract->folder, contract->stale_key_file);
    AUTO_FREE char *above = folder ? file_folder(folder) : NULL;
    if (!above || !key) {
        no_memory(d);
        return;
    }
    if (access(folder, F_OK) != 0 && access(above, W_OK | X_OK) == 0) {
        doctor_say(d, DOCTOR_OK, "run.stale", NULL, "'%s' is not there yet, and will be made",
                   folder);
        return;
    }
    if (stale_open(folder, key, false, &store, &err) != 0)
        doctor_say_err(d, DOCTOR_ERROR, "run.stale", &err);
    else
        doctor_say(d, DOCTOR_OK, "run.stale", NULL, "copies are kept in '%s'", folder);
    stale_free(store);
}

/* ---- run.status -------------------------------------------------------------------------------------- */

/* Somebody has the place. Another agent of this contract is a reason to stop and think, no fault. */
static void say_taken(struct doctor *d, const struct endpoint *where, const char *text)
{
    AUTO_BUF body = BUF_INIT(STATUS_ANSWER_BYTES);
    struct err err = ERR_INIT;
    int64_t deadline = clock_earlier(d->bounded.deadline_ms, clock_in_ms(PROBE_MS));
    bool agents = status_probe(where, "/live", deadline, &body, &err) > 0;

    doctor_say(d, agents ? DOCTOR_WARNING : DOCTOR_ERROR, "run.status",
               agents ? "A second one on this machine needs another place."
                      : "Give run.status another place, or end what listens there.",
               "'%s' is taken%s", text, agents ? ": an agent that runs answers there" : "");
}

static int try_bind(const struct endpoint *where)
{
    const int on = 1;
    AUTO_FD fd = socket(where->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
        return -1;
    return bind(fd, (const struct sockaddr *)&where->address, where->length);
}

static bool somebody_listens(const struct endpoint *where)
{
    AUTO_FD fd = socket(where->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd >= 0 && connect(fd, (const struct sockaddr *)&where->address, where->length) == 0;
}

static void look_at_status(struct doctor *d)
{
    const char *text = d->job.contract->run.status;
    struct endpoint where;
    struct err err = ERR_INIT;
    int result;

    if (!text)
        return;
    if (endpoint_parse(text, d->job.contract->folder, &where, &err) != 0) {
        doctor_say_err(d, DOCTOR_ERROR, "run.status", &err);
        return;
    }
    if (where.is_unix) { /* binding would make it */
        AUTO_FREE char *folder = file_folder(endpoint_path(&where));
        if (!folder) {
            no_memory(d);
            return;
        }
        result = somebody_listens(&where) ? (errno = EADDRINUSE, -1) : access(folder, W_OK | X_OK);
    } else {
        result = try_bind(&where);
    }
    if (result == 0) {
        doctor_say(d, DOCTOR_OK, "run.status", NULL, "'%s' can be listened at", text);
    } else if (errno == EADDRINUSE) {
        say_taken(d, &where, text);
    } else {
        (void)err_errno(&err, ERR_FILE, "listen at '%s'", text);
        doctor_say_err(d, DOCTOR_ERROR, "run.status", &err);
    }
}

void doctor_look_at_files(struct doctor *d)
{
    look_at_token_file(d);
    if (!d->loaded)
        return;
    look_at_sealed(d);
    look_at_commands(d);
    for (size_t i = 0; i < d->job.contract->file_count; i++)
        look_at_file(d, &d->job.contract->files[i]);
    look_at_stale(d);
    look_at_status(d);
}
