/* bootstrap/plan.c: where the DDL comes from, and what is done with each statement. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/redact.h"
#include "base/str.h"
#include "bootstrap/apply.h"

enum {
    COMMAND_STDERR_BYTES = 4096,  /* the end of a failed command's stderr */
    TRANSCRIPT_BYTES = 64 * 1024, /* the end of what a command wrote, where that is kept */
    COMMAND_LINE_BYTES = 512,
    SAID_BYTES = 400, /* of a command's last words, in an error */
};

void plan_release(struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        sql_release(&plan->sources[i].script);
        buf_release(&plan->sources[i].text);
        free(plan->sources[i].name);
    }
    free(plan->sources);
    sql_rows_release(&plan->rows);
    names_release(&plan->extensions);
    *plan = PLAN_INIT;
}

/* ---- what happens to a statement ------------------------------------------------------------- */

enum plan_action plan_action_of(const struct database_settings *settings, const struct plan *plan,
                                const struct sql_statement *statement)
{
    switch (statement->class_) {
    case SQL_PLAIN:
    case SQL_UNPARSED:
    case SQL_SAVEPOINT:
    case SQL_COPY_DATA:
    case SQL_VERSION_OTHER:
        return PLAN_SEND;
    case SQL_SET:
    case SQL_CONCURRENTLY:
        return PLAN_SEND_REWRITTEN;
    case SQL_OWNER_TO:
        return settings->owner ? PLAN_SKIP : PLAN_SEND;
    case SQL_EXTENSION:
        return settings->owner ? PLAN_AS_LOGIN : PLAN_SEND;
    case SQL_VERSION_TABLE:
        return plan->makes_version_table && !statement->reason ? PLAN_VERSION_TABLE : PLAN_SKIP;
    case SQL_BEGIN: /* folded into our transaction; refused elsewhere where they may not be */
    case SQL_COMMIT:
    case SQL_ROLLBACK:
    case SQL_CANNOT:
    case SQL_SET_DROPPED:
    case SQL_VERSION_INSERT: /* the rows are checked, and made by the stamp */
    case SQL_VERSION_UPDATE:
    case SQL_VERSION_DELETE:
        break;
    }
    return PLAN_SKIP;
}

/* ---- checks ---------------------------------------------------------------------------------- */

static int refuse_statement(const struct plan *plan, const struct plan_source *source,
                            const struct sql_statement *s, const char *what, struct err *err)
{
    unsigned line, column;
    sql_position(&source->script, s->offset, &line, &column);
    err_set(err, plan->emitted ? ERR_DB_COMMAND : ERR_FILE, "%s:%u:%u: %s: %s", source->name, line,
            column, s->reason ? s->reason : "this statement", what);
    err_at(err, source->name, line, column);
    return err_hint(err, "Everything is run in one transaction, so that the database is made and "
                         "stamped, or untouched: take the statement out.");
}

/* The one place where pg_dump begins a transaction: around what it writes into large objects, which are
 * open for no longer than that. */
static bool begins_large_object(const struct sql_script *script, const struct sql_statement *s)
{
    static const char opens[] = "SELECT pg_catalog.lo_open(";
    size_t length = strlen(opens);
    const struct sql_statement *next = s + 1;
    return s->class_ == SQL_BEGIN && next < script->statements + script->count &&
           next->class_ == SQL_PLAIN && next->length > length &&
           memcmp(script->text + next->offset, opens, length) == 0;
}

/* A script of Alembic's has its own BEGIN and COMMIT, which are folded into ours. One that stops
 * between the two was cut off. */
static int check_transaction(const struct plan *plan, const struct plan_source *source,
                             const struct sql_statement *s, const struct sql_statement **open,
                             struct err *err)
{
    bool ends = s->class_ == SQL_COMMIT && *open;
    bool may = plan->emitted || ends || begins_large_object(&source->script, s);
    if (!may || s->class_ == SQL_ROLLBACK)
        return refuse_statement(plan, source, s, "may not stand in what makes the database", err);
    *open = s->class_ == SQL_BEGIN ? s : NULL;
    return 0;
}

static int note_statement(const struct database_settings *settings, struct plan *plan,
                          const struct sql_statement *s, struct err *err)
{
    enum plan_action action = plan_action_of(settings, plan, s);
    if (action != PLAN_SKIP)
        plan->statements += s->repeat;
    plan->settings_left_out += s->class_ == SQL_SET_DROPPED;
    plan->owners_left_out += s->class_ == SQL_OWNER_TO && action == PLAN_SKIP;
    plan->made_plain += s->class_ == SQL_CONCURRENTLY;
    if (s->version_width != SQL_WIDTH_UNSAID)
        plan->version_width = s->version_width;
    if (s->class_ == SQL_EXTENSION && s->reason)
        return names_add(&plan->extensions, s->reason, err);
    return 0;
}

static int check_source(const struct database_settings *settings, struct plan *plan,
                        struct plan_source *source, struct err *err)
{
    const struct sql_statement *open = NULL;
    for (size_t i = 0; i < source->script.count; i++) {
        const struct sql_statement *s = &source->script.statements[i];
        int rc = 0;
        if (s->class_ == SQL_CANNOT || (s->class_ == SQL_CONCURRENTLY && !plan->emitted))
            rc = refuse_statement(plan, source, s, "cannot run inside a transaction", err);
        else if (s->class_ == SQL_BEGIN || s->class_ == SQL_COMMIT || s->class_ == SQL_ROLLBACK)
            rc = check_transaction(plan, source, s, &open, err);
        if (s->class_ == SQL_VERSION_TABLE && !s->reason)
            plan->makes_version_table = true;
        if (rc != 0 || note_statement(settings, plan, s, err) != 0)
            return -1;
    }
    if (open)
        return refuse_statement(plan, source, open,
                                "is not followed by a COMMIT: the output stops "
                                "short",
                                err);
    int rc = sql_rows_play(&plan->rows, &source->script, err);
    if (rc != 0 && plan->emitted && err->kind == ERR_FILE)
        err->kind = ERR_DB_COMMAND;
    return rc;
}

static int check_plan(const struct database_settings *settings, struct plan *plan, struct err *err)
{
    enum err_kind kind = plan->emitted ? ERR_DB_COMMAND : ERR_FILE;
    size_t total = 0;
    for (size_t i = 0; i < plan->count; i++) {
        if (check_source(settings, plan, &plan->sources[i], err) != 0)
            return -1;
        total += plan->sources[i].script.total;
    }
    const char *first = plan->count ? plan->sources[0].name : "create.sql";
    if (total == 0)
        return err_set(err, kind, "%s: there is no SQL statement in it", first);
    if (!plan->rows.touched)
        return 0;
    return stamp_check_rows(settings, &plan->rows, kind, first, err);
}

/* ---- reading --------------------------------------------------------------------------------- */

static int read_source(const struct database_settings *settings, struct plan *plan,
                       struct plan_source *source, struct err *err)
{
    struct sql_settings sql = {
        .version_schema = settings->schema, .version_table = settings->table, .fold_plain = true};
    int rc = sql_read(source->name, buf_text(&source->text), source->text.len, &sql,
                      &source->script, err);
    if (rc != 0 && plan->emitted && err->kind == ERR_FILE)
        err->kind = ERR_DB_COMMAND;
    return rc;
}

static int load_file(const struct database_settings *settings, const char *path, struct plan *plan,
                     struct err *err)
{
    struct plan_source *source = &plan->sources[plan->count];
    source->text = BUF_INIT(SQL_FILE_MAX_BYTES);
    source->name = mem_dup(path);
    AUTO_FREE char *joined = file_join(settings->folder ? settings->folder : ".", path);
    plan->count++;
    if (!source->name || !joined)
        return err_nomem(err);
    if (file_read_all(joined, &source->text, err) != 0)
        return err_wrap(err, "create.sql");
    return read_source(settings, plan, source, err);
}

static int load_files(const struct database_settings *settings, struct plan *plan, struct err *err)
{
    size_t count = 0;
    while (settings->create_list[count])
        count++;
    plan->sources = mem_new(count + 1, sizeof(*plan->sources));
    if (!plan->sources)
        return err_nomem(err);
    for (size_t i = 0; i < count; i++) {
        if (load_file(settings, settings->create_list[i], plan, err) != 0)
            return -1;
    }
    return 0;
}

/* The exception of Python's last traceback, which is the first line behind it that is not indented:
 * SQLAlchemy's text goes on with the statement and a link. NULL: there is none. */
static const char *find_exception(const char *text)
{
    static const char head[] = "Traceback (most recent call last):\n";
    const char *last = NULL;
    for (const char *at = text; (at = strstr(at, head)) != NULL; at += sizeof(head) - 1)
        last = at + sizeof(head) - 1;
    while (last && (*last == ' ' || *last == '\n')) {
        const char *newline = strchr(last, '\n');
        last = newline ? newline + 1 : NULL;
    }
    return last && *last ? last : NULL;
}

/* Why it failed: Alembic's FAILED: line, an exception, else the last line that is not blank. */
static void add_last_words(const struct buf *text, struct buf *out)
{
    const char *start = buf_text(text), *failed = strstr(start, "FAILED:");
    size_t length = text->len;
    if (!failed)
        failed = find_exception(start);
    if (failed) {
        start = failed;
        length = strcspn(failed, "\r\n");
    } else {
        str_trim(&start, &length);
        const char *newline = length ? memrchr(start, '\n', length) : NULL;
        if (newline) {
            length -= (size_t)(newline + 1 - start);
            start = newline + 1;
        }
    }
    if (length > 0)
        buf_addf(out, ": %.*s", (int)(length < SAID_BYTES ? length : SAID_BYTES), start);
}

static void add_line(const char *const *argv, struct buf *out)
{
    for (size_t i = 0; argv[i]; i++) {
        if (i > 0)
            buf_addc(out, ' ');
        str_add_shell(out, argv[i], strlen(argv[i]));
    }
}

static void add_to_transcript(const struct buf *line, const struct buf *words, struct buf *out)
{
    if (!out)
        return;
    buf_addf(out, "$ %s\n", buf_text(line));
    redact_add(out, buf_text(words), words->len);
    if (words->len > 0 && buf_text(words)[words->len - 1] != '\n')
        buf_addc(out, '\n');
}

int plan_run_command(const struct database_settings *settings, const char *what,
                     const char *const *argv, struct buf *output, int64_t deadline_ms,
                     struct err *err)
{
    AUTO_BUF line = BUF_INIT(COMMAND_LINE_BYTES);
    AUTO_BUF words = BUF_INIT(settings->transcript ? TRANSCRIPT_BYTES : COMMAND_STDERR_BYTES);
    AUTO_BUF said = BUF_INIT(COMMAND_STDERR_BYTES);
    static const char *const nothing[] = {NULL};
    add_line(argv, &line);
    struct proc_request request = {.argv = argv,
                                   .environment = settings->command_environment,
                                   .folder = settings->folder,
                                   .output = output,
                                   .error_output = &words,
                                   .show_stderr = !settings->transcript,
                                   .deadline_ms = deadline_ms,
                                   .what = what};
    if (!request.environment)
        request.environment = nothing;
    struct proc_result result;
    int started = proc_run(&request, ERR_DB_COMMAND, &result, err);
    add_to_transcript(&line, &words, settings->transcript);
    if (started != 0)
        return err_wrap(err, "%s: %s", what, buf_text(&line));
    if (result.exit_code == 0)
        return 0;
    proc_describe(&result, &said);
    if (output && strstr(buf_text(output), "FAILED:"))
        add_last_words(output, &said);
    else
        add_last_words(&words, &said);
    return err_set(err, ERR_DB_COMMAND, "%s: '%s' %s", what, buf_text(&line), buf_text(&said));
}

static int load_emitted(const struct database_settings *settings, int64_t deadline_ms,
                        struct plan *plan, struct err *err)
{
    plan->emitted = true;
    plan->sources = mem_new(1, sizeof(*plan->sources));
    if (!plan->sources)
        return err_nomem(err);
    struct plan_source *source = &plan->sources[plan->count++];
    source->text = BUF_INIT(PLAN_OUTPUT_MAX_BYTES);
    source->name = mem_dup("create.emit");
    if (!source->name)
        return err_nomem(err);
    if (settings->emitted)
        buf_add(&source->text, buf_text(settings->emitted), settings->emitted->len);
    else if (plan_run_command(settings, "create.emit", settings->create_list, &source->text,
                              deadline_ms, err) != 0)
        return -1;
    return read_source(settings, plan, source, err);
}

int plan_load(const struct database_settings *settings, int64_t deadline_ms, struct plan *out,
              struct err *err)
{
    struct plan plan = PLAN_INIT;
    int rc = settings->create == CREATE_EMIT ? load_emitted(settings, deadline_ms, &plan, err)
                                             : load_files(settings, &plan, err);
    if (rc == 0)
        rc = check_plan(settings, &plan, err);
    if (rc == 0)
        *out = plan;
    else
        plan_release(&plan);
    return rc;
}

void plan_log_notes(const struct plan *plan)
{
    if (plan->settings_left_out)
        log_msg(LOG_INFO,
                "left out of the script: %zu settings of timeouts, role or transaction "
                "(the contract's hold)",
                plan->settings_left_out);
    if (plan->owners_left_out)
        log_msg(LOG_INFO, "left out of the script: %zu OWNER TO (database.owner owns everything)",
                plan->owners_left_out);
    if (plan->made_plain)
        log_msg(LOG_INFO,
                "run without CONCURRENTLY, since nobody else sees these tables: %zu "
                "statements",
                plan->made_plain);
}
