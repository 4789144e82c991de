/* agent/cmd_audit.c: `agent audit`: the record of what each migration does, written or compared.
 *
 * The migrations are not run: Alembic prints their SQL, with a DATABASE_URL that leads nowhere, so
 * that an env.py which wants one is content and one that would connect can't. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/cmd.h"
#include "agent/job.h"
#include "base/annotate.h"
#include "base/clock.h"
#include "base/diff.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"
#include "migrations/audit.h"

enum {
    OFFLINE_COMMAND_MS = 10 * 60 * 1000,
    OFFLINE_STDERR_BYTES = 64 * 1024, /* the end of it, for a report */
    OFFLINE_SHOWN_LINES = 80, /* of that: since 3.13 Python marks what it shows of a traceback */
    REASON_BYTES = 4096,      /* of a command's last words */
    EXPLANATION_BYTES = 8192,
    AUDIT_FILE_MODE = 0644, /* a record for all to read: nothing of it is secret */
    AUDIT_FOLDER_MODE = 0755,
};

static const char *audit_out, *audit_each, *audit_format;
static bool audit_check;

static const struct opt audit_options[] = {
    {"--out", 'o', OPT_STRING, "DIR", NULL, "the folder of the record", &audit_out},
    {"--check", 0, OPT_FLAG, NULL, NULL, "write nothing: compare with what is in DIR",
     &audit_check},
    {"--each", 0, OPT_STRING, "DIR", NULL, "show what guard --each recorded in DIR beside it",
     &audit_each},
    {"--format", 0, OPT_CHOICE, "FORMAT", "text|json|github", "how to say what was done",
     &audit_format},
    {0},
};

/* ---- the offline SQL ------------------------------------------------------------------------- */

/* A URL of the contract's own scheme to a host that RFC 6761 keeps from ever being one. */
static const char *nowhere(const struct job *job, struct arena *arena)
{
    const struct contract_variable *url = contract_find(job->contract, job->contract->database.url);
    const char *scheme = url ? contract_url_scheme(job->contract, url) : NULL;

    return arena_printf(arena, "%s://nobody@offline.invalid/offline",
                        scheme ? scheme : "postgresql");
}

/* The migrations are the same in every profile: where none is said, any will do. */
static int open_contract(struct job *job, struct err *err)
{
    if (job_open(job, err) != 0)
        return -1;
    struct contract *contract = job->contract;
    const char *wanted = job->call->common.profile;
    const char *given = contract->profile_variable
                            ? environment_get(&job->environment, contract->profile_variable)
                            : NULL;
    if (!wanted && !given && contract->profile_variable)
        wanted = contract->profile_values[0];
    if (contract_select(contract, wanted, given, &job->findings, err) != 0)
        return -1;
    return job_refuse_problems(job, ERR_CONTRACT, job_contract_path(job->call), err);
}

/* No source is asked. What the contract hands to the database's commands is what this process was
 * given itself. */
static int take_own_values(struct job *job, struct err *err)
{
    const char *const *name = job->contract->database.env;

    job->values = mem_new(job->contract->variable_count + 1, sizeof(*job->values));
    if (!job->values)
        return err_nomem(err);
    for (; name && *name; name++) {
        const struct contract_variable *variable = contract_find(job->contract, *name);
        const char *own = environment_get(&job->environment, *name);
        if (variable && own)
            job->values[variable - job->contract->variables].bytes = secret_borrow(own,
                                                                                   strlen(own));
    }
    return 0;
}

/* database.offline, or Alembic on the contract's alembic.ini. WORDS has room for the latter. */
static int offline_command(const struct job *job, struct arena *arena, const char **words,
                           const char *const **out, struct err *err)
{
    const struct contract_database *database = &job->contract->database;
    struct stat st;

    *out = database->offline;
    if (database->offline)
        return 0;
    AUTO_FREE char *joined = file_join(job->contract->folder, database->alembic);
    if (!joined)
        return err_nomem(err);
    AUTO_FREE char *path = realpath(joined, NULL); /* the command runs in database.cwd */
    if (!path || stat(path, &st) != 0) {
        err_errno(err, ERR_FILE, "open '%s'", joined);
        return err_at(err, joined, 0, 0);
    }
    if (S_ISDIR(st.st_mode)) {
        err_set(err, ERR_CONTRACT,
                "stamp.alembic is the folder '%s', which Alembic has no "
                "settings in",
                joined);
        return err_hint(err,
                        "Name the command that prints the migrations as SQL: database.offline");
    }
    const char *const list[] = {"alembic", "-c", arena_dup(arena, path), "upgrade", "heads",
                                "--sql",   NULL};
    memcpy(words, list, sizeof(list));
    *out = words;
    return words[2] ? 0 : err_nomem(err);
}

/* The last lines of what the command said, one log line each. */
static void show_output(const struct buf *output)
{
    const char *end = buf_text(output) + output->len, *start = end;

    for (size_t lines = 0; start > buf_text(output); start--) {
        lines += start[-1] == '\n' && start != end;
        if (lines == OFFLINE_SHOWN_LINES)
            break;
    }
    while (start < end) {
        const char *newline = memchr(start, '\n', (size_t)(end - start));
        size_t length = (size_t)((newline ? newline : end) - start);
        if (length > 0)
            log_msg(LOG_WARN, "database.offline: %.*s", (int)length, start);
        start += length + (newline != NULL);
    }
}

/* Alembic says why on stdout ("FAILED: ..."); a program that broke, on the last line of stderr. */
static void add_reason(const struct buf *output, const struct buf *complaint, struct buf *out)
{
    const char *failed = strstr(buf_text(output), "FAILED:");
    const char *start = failed ? failed : buf_text(complaint);
    size_t length = failed ? strcspn(failed, "\r\n") : complaint->len;

    str_trim(&start, &length);
    const char *newline = length > 0 ? memrchr(start, '\n', length) : NULL;
    if (newline) {
        length -= (size_t)(newline + 1 - start);
        start = newline + 1;
    }
    if (length > 0)
        buf_addf(out, ": %.*s", (int)(length < REASON_BYTES ? length : REASON_BYTES), start);
}

static int run_offline(const struct job *job, const struct database_job *d, const char *const *argv,
                       struct buf *sql, struct err *err)
{
    AUTO_BUF output = BUF_INIT(AUDIT_SQL_MAX_BYTES), complaint = BUF_INIT(OFFLINE_STDERR_BYTES);
    const struct proc_request request = {
        .argv = argv,
        .environment = d->environment_list,
        .folder = d->folder,
        .output = &output,
        .error_output = &complaint,
        .deadline_ms = clock_earlier(job->call->deadline_ms, clock_in_ms(OFFLINE_COMMAND_MS)),
        .what = "database.offline",
    };
    struct proc_result result;

    if (proc_run(&request, ERR_DB_COMMAND, &result, err) != 0) {
        show_output(&complaint);
        return -1;
    }
    if (result.exit_code != 0 || strstr(buf_text(&output), "\nFAILED:")) {
        AUTO_BUF how = BUF_INIT(EXPLANATION_BYTES);
        show_output(&complaint);
        if (result.exit_code != 0)
            proc_describe(&result, &how);
        else
            buf_adds(&how, "failed");
        add_reason(&output, &complaint, &how);
        err_set(err, ERR_DB_COMMAND, "database.offline: '%s' %s", argv[0], buf_text(&how));
        return err_hint(err, "A migration that asks the database as it runs can't be printed as "
                             "SQL: let it look at context.is_offline_mode(), and say there what it "
                             "would do.");
    }
    buf_move(sql, &output);
    return buf_check(sql, ERR_DB_COMMAND, "database.offline", err);
}

static int read_migrations(struct job *job, struct audit **out, struct err *err)
{
    AUTO_DATABASE_JOB d = DATABASE_JOB_INIT;
    AUTO_ARENA arena = ARENA_INIT;
    AUTO_BUF sql = BUF_INIT(AUDIT_SQL_MAX_BYTES);
    const char *words[8];
    const char *const *argv;
    const struct contract_database *database = &job->contract->database;

    if (database->present && !database->alembic) {
        err_set(err, ERR_CONTRACT, "'%s' names no migration files", job->contract->path);
        return err_hint(err, "Add \"stamp\": {\"alembic\": \"alembic.ini\"} to \"database\".");
    }
    const char *url = nowhere(job, &arena);
    if (!url)
        return err_nomem(err);
    if (take_own_values(job, err) != 0)
        return -1;
    struct secret no_secret = secret_borrow(url, strlen(url));
    d.settings.url = &no_secret;
    if (job_database_settings(job, &d, err) != 0 || graph_require_sound(d.graph, err) != 0 ||
        offline_command(job, &arena, words, &argv, err) != 0)
        return -1;
    if (d.graph->count > 0 && run_offline(job, &d, argv, &sql, err) != 0)
        return -1;
    const struct audit_settings settings = {
        .graph = d.graph,
        .sql = buf_text(&sql),
        .sql_length = sql.len,
        .sql_name = "database.offline",
        .version_schema = d.settings.schema,
        .version_table = d.settings.table,
        .each_folder = audit_each,
    };
    return audit_make(&settings, out, err);
}

/* ---- the folder ------------------------------------------------------------------------------ */

struct record {
    struct arena arena;
    const char **stale; /* names, in the order of their discovery */
    size_t stale_count, stale_capacity;
    size_t written, unchanged;
    struct buf diff;
};

static void record_release(struct record *r)
{
    free(r->stale);
    buf_release(&r->diff);
    arena_release(&r->arena);
}

#define AUTO_RECORD CLEANUP(record_release) struct record

static int note_stale(struct record *r, const char *name, struct err *err)
{
    const char *kept = arena_dup(&r->arena, name);

    if (!kept || mem_grow(&r->stale, r->stale_count, &r->stale_capacity, sizeof(*r->stale)) != 0)
        return err_nomem(err);
    r->stale[r->stale_count++] = kept;
    return 0;
}

/* What PATH holds. *there is false where there is no such file. */
static int read_present(const char *path, struct buf *out, bool *there, struct err *err)
{
    struct stat st;

    *there = lstat(path, &st) == 0;
    if (!*there)
        return errno == ENOENT ? 0 : err_errno(err, ERR_FILE, "look at '%s'", path);
    return file_read_all(path, out, err);
}

/* As it is, not through a temporary name and not synced: what a crash leaves half-written is told
 * by --check and made again from the migrations, and hundreds of syncs would take seconds. */
static int write_file(const char *path, const struct audit_file *file, struct err *err)
{
    AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, AUDIT_FILE_MODE);

    if (fd < 0 || fchmod(fd, AUDIT_FILE_MODE) != 0)
        return err_errno(err, ERR_FILE, "write '%s'", path);
    if (file_write_all(fd, path, file->text, file->length, err) != 0)
        return -1;
    if (close(TAKE_FD(fd)) != 0) /* a full disk may be told here alone */
        return err_errno(err, ERR_FILE, "write '%s'", path);
    return 0;
}

static int take_file(const struct audit_file *file, struct record *r, struct err *err)
{
    AUTO_BUF present = BUF_INIT(AUDIT_FILE_MAX_BYTES);
    AUTO_FREE char *path = file_join(audit_out, file->name);
    bool there;

    if (!path)
        return err_nomem(err);
    if (read_present(path, &present, &there, err) != 0)
        return -1;
    if (there && present.len == file->length &&
        memcmp(buf_text(&present), file->text, file->length) == 0) {
        r->unchanged++;
        return 0;
    }
    if (!audit_check) {
        r->written++;
        return write_file(path, file, err);
    }
    struct diff_text old = {
        .name = there ? path : NULL, .text = buf_text(&present), .length = present.len};
    struct diff_text new = {.name = path, .text = file->text, .length = file->length};
    if (diff_unified(&old, &new, &r->diff, err) != 0)
        return -1;
    return note_stale(r, file->name, err);
}

static bool is_of(const struct audit *audit, const char *name)
{
    for (size_t i = 0; i < audit->file_count; i++)
        if (str_eq(audit->files[i].name, name))
            return true;
    return false;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Files of revisions that are no more, or have another number now. */
static int find_strangers(const struct audit *audit, struct record *r, struct err *err)
{
    size_t first = r->stale_count;
    DIR *folder = opendir(audit_out);

    if (!folder)
        return errno == ENOENT ? 0 : err_errno(err, ERR_FILE, "open folder '%s'", audit_out);
    int rc = 0;
    for (const struct dirent *e; rc == 0 && (e = readdir(folder));)
        if (audit_is_revision_file(e->d_name) && !is_of(audit, e->d_name))
            rc = note_stale(r, e->d_name, err);
    (void)closedir(folder); /* it was only read */
    if (rc == 0 && r->stale_count > first)
        qsort(r->stale + first, r->stale_count - first, sizeof(*r->stale), compare_names);
    return rc;
}

/* The folder, and those above it. */
static int make_folder(const char *path, struct err *err)
{
    AUTO_FREE char *copy = mem_dup(path);

    if (!copy)
        return err_nomem(err);
    for (char *slash = copy + 1; *copy && slash; *slash++ = '/') {
        slash = strchr(slash, '/');
        if (slash)
            *slash = '\0';
        int made = mkdir(copy, AUDIT_FOLDER_MODE);
        if ((made != 0 && errno != EEXIST) || (made == 0 && chmod(copy, AUDIT_FOLDER_MODE) != 0))
            return err_errno(err, ERR_FILE, "make folder '%s'", copy);
        if (!slash)
            break;
    }
    return 0;
}

static int take_files(const struct audit *audit, struct record *r, struct err *err)
{
    if (!audit_check && make_folder(audit_out, err) != 0)
        return -1;
    for (size_t i = 0; i < audit->file_count; i++)
        if (take_file(&audit->files[i], r, err) != 0)
            return -1;
    if (find_strangers(audit, r, err) != 0)
        return -1;
    return buf_check(&r->diff, ERR_RESOURCE, "the diff", err);
}

/* ---- the result ------------------------------------------------------------------------------ */

static int show_json(const struct audit *audit, const struct record *r, int code)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct json json = JSON_INIT(&out);

    document_begin(&json, "audit", code == 0);
    json_add_int(&json, "revisions", (int64_t)audit->revision_count);
    json_add_int(&json, "written", (int64_t)r->written);
    json_add_int(&json, "unchanged", (int64_t)r->unchanged);
    json_add_strings(&json, "stale", r->stale, r->stale_count);
    return document_print(&json, code);
}

static int show_github(const struct record *r, int code)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);

    for (size_t i = 0; i < r->stale_count; i++) {
        AUTO_FREE char *path = file_join(audit_out, r->stale[i]);
        const struct annotation annotation = {
            .level = code == 0 ? ANNOTATION_WARNING : ANNOTATION_ERROR,
            .file = path,
            .title = "agent audit",
            .message = "is not what the migrations say: run agent audit again, and remove what "
                       "belongs to no migration",
        };
        annotate_github(&annotation, &out);
    }
    return text_print(&out, code);
}

static int show_text(const struct audit *audit, const struct record *r, int code)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);

    if (audit_check) {
        buf_add(&out, buf_text(&r->diff), r->diff.len);
        for (size_t i = 0; i < r->stale_count; i++)
            if (!is_of(audit, r->stale[i]))
                buf_addf(&out, "%s/%s: belongs to no migration\n", audit_out, r->stale[i]);
    }
    buf_addf(&out, "%s: %zu migrations, %zu files ", audit_out, audit->revision_count,
             audit_check ? r->stale_count : r->written);
    buf_adds(&out, audit_check ? "differ" : "written");
    buf_addf(&out, ", %zu unchanged\n", r->unchanged);
    return text_print(&out, code);
}

static int show(const struct invocation *call, const struct audit *audit, const struct record *r)
{
    int code = audit_check && r->stale_count > 0 ? err_exit_code(ERR_VIOLATION) : 0;

    for (size_t i = 0; i < r->stale_count && !audit_check; i++)
        log_line(LOG_WARN, "a file that belongs to no migration was left", "file", r->stale[i],
                 NULL);
    if (call->common.json || str_eq(audit_format, "json"))
        return show_json(audit, r, code);
    if (str_eq(audit_format, "github"))
        return show_github(r, code);
    return show_text(audit, r, code);
}

/* NULL: *err says why. */
static struct audit *look(const struct invocation *call, struct job *job, struct err *err)
{
    struct audit *audit = NULL;

    if (command_words_at_most(call, 0, err) != 0)
        return NULL;
    if (!audit_out || *audit_out == '\0') {
        err_set(err, ERR_USAGE, "--out is missing: the folder of the record");
        err_hint(err, "agent audit --out docs/migrations");
        return NULL;
    }
    if (open_contract(job, err) != 0 || read_migrations(job, &audit, err) != 0)
        return NULL;
    return audit;
}

static int audit_command(const struct invocation *call)
{
    AUTO_JOB job = JOB_INIT(call);
    AUTO_RECORD record = {.diff = BUF_INIT(OUTPUT_MAX_BYTES)};
    struct err err = ERR_INIT;
    struct audit *audit = look(call, &job, &err);
    int code;

    if (audit && take_files(audit, &record, &err) == 0) {
        code = show(call, audit, &record);
    } else {
        job_say_findings(&job);
        code = command_failed(call, &err);
    }
    audit_free(audit);
    return code;
}

const struct command command_audit = {
    .name = "audit",
    .arguments = "--out DIR",
    .summary = "a CSV and a summary for each migration, an inventory",
    .details = "Writes NNN_<revision>.csv and NNN_<revision>.md for every migration, INVENTORY.md\n"
               "and the graph's pictures: what each migration locks, rewrites and loses, and\n"
               "whether it can be undone. It comes from the migrations' own SQL, which Alembic\n"
               "prints without a database; the same migrations give the same bytes everywhere.\n"
               "With --check nothing is written: exit 1, with a diff, when DIR is not up to date.",
    .options = audit_options,
    .run = audit_command,
};
