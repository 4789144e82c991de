/* doctor_envpy.c: Alembic's env.py, read and not run: does what it stamps get committed?
 *
 * Alembic commits only what it began itself. Where a connection has a transaction already, because a
 * statement was executed before configure() or begin() was called, context.begin_transaction() leaves
 * it alone; if nobody commits it, tables and stamp are rolled back when the connection is closed, and
 * the command ends with 0. The same happens without begin_transaction() on a connection that commits
 * nothing by itself. Source: measured with Alembic 1.20 and SQLAlchemy 2.
 *
 * It is a reading by words, so what it finds is a warning. Comments and strings are blanked first; a call
 * is looked for by its whole name. */
#include "agent/doctor.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"

enum { ENVPY_MAX_BYTES = 1024 * 1024 };

/* ---- reading ---------------------------------------------------------------------------------------------- */

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The length of the string that begins at TEXT with its quotes. */
static size_t string_length(const char *text, size_t length)
{
    bool triple = length >= 3 && text[1] == text[0] && text[2] == text[0];
    size_t quotes = triple ? 3 : 1, i = quotes;

    while (i < length) {
        if (text[i] == '\\') {
            i += 2;
            continue;
        }
        if (!triple && text[i] == '\n')
            return i;
        if (text[i] == text[0] &&
            (!triple || (i + 2 < length && text[i + 1] == text[0] && text[i + 2] == text[0])))
            return i + quotes;
        i++;
    }
    return length;
}

/* Comments and strings become blanks; lines stay where they are. */
static void blank(char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        size_t end;
        if (text[i] == '#')
            end = i + strcspn(text + i, "\n");
        else if (text[i] == '"' || text[i] == '\'')
            end = i + string_length(text + i, length - i);
        else {
            i++;
            continue;
        }
        for (; i < end && i < length; i++)
            if (text[i] != '\n')
                text[i] = ' ';
    }
}

/* The first call of NAME in TEXT from FROM up to END; NULL: there is none. */
static const char *find_call(const char *text, const char *from, const char *end, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = from; (at = strstr(at, name)) != NULL && at < end; at += length) {
        const char *behind = at + length;
        behind += strspn(behind, " \t");
        if ((at == text || !is_word(at[-1])) && *behind == '(')
            return at;
    }
    return NULL;
}

static const char *find_last_call(const char *text, const char *end, const char *name)
{
    const char *last = NULL;

    for (const char *at = find_call(text, text, end, name); at;
         at = find_call(text, at + 1, end, name))
        last = at;
    return last;
}

/* Where the statement begins that AT lies in: behind the last newline outside of all brackets. */
static const char *statement_of(const char *text, const char *at)
{
    const char *start = text;
    int depth = 0;

    for (const char *p = text; p < at; p++) {
        if (*p && strchr("([{", *p))
            depth++;
        else if (*p && strchr(")]}", *p) && depth > 0)
            depth--;
        else if (*p == '\n' && depth == 0 && (p == text || p[-1] != '\\'))
            start = p + 1;
    }
    return start + strspn(start, " \t\n");
}

/* Whether the call at AT is what a `with` holds. */
static bool is_in_with(const char *text, const char *at)
{
    const char *statement = statement_of(text, at);

    if (str_starts(statement, "async "))
        statement += strlen("async ");
    return str_starts(statement, "with ") || str_starts(statement, "with(");
}

static unsigned line_of(const char *text, const char *at)
{
    unsigned line = 1;

    for (const char *p = text; p < at; p++)
        line += *p == '\n';
    return line;
}

/* ---- judging ---------------------------------------------------------------------------------------------- */

struct reading {
    const char *text, *end; /* blanked */
    bool autocommits;       /* of the connection: nothing is left to be committed */
};

/* Where the function begins that AT lies in. */
static const char *function_of(const struct reading *r, const char *at)
{
    const char *start = r->text;

    for (const char *p = r->text; (p = strstr(p, "def ")) != NULL && p < at; p += strlen("def "))
        if (p == r->text || !is_word(p[-1]))
            start = p;
    return start;
}

/* Offline: SQL is printed, on no connection. */
static bool is_offline(const char *configure, const char *run)
{
    const char *open = strchr(configure, '(');
    int depth = 0;

    for (const char *p = open; p && p < run; p++) {
        depth += *p == '(' ? 1 : *p == ')' ? -1 : 0;
        if (depth == 0)
            return true; /* no connection was named in its arguments */
        if (!str_starts(p, "connection") || is_word(p[-1]))
            continue;
        const char *behind = p + strlen("connection");
        behind += strspn(behind, " \t\n");
        if (strchr("=,)", *behind))
            return false;
    }
    return false;
}

/* begin() that a `with` ends: it commits whatever is in it. */
static bool has_with_begin(const struct reading *r)
{
    for (const char *at = find_call(r->text, r->text, r->end, "begin"); at;
         at = find_call(r->text, at + 1, r->end, "begin"))
        if (is_in_with(r->text, at))
            return true;
    return false;
}

static enum envpy_fault judge_before(const struct reading *r, const char *configure,
                                     const char *run, const char **at)
{
    static const char *const statements[] = {"execute", "exec_driver_sql", "scalar", "scalars"};
    const char *from = function_of(r, configure);
    bool commits_later = find_call(r->text, run, r->end, "commit") != NULL;

    if (commits_later)
        return ENVPY_FINE;
    for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
        const char *found = find_call(r->text, from, configure, statements[i]);
        if (found && !find_call(r->text, found, configure, "commit") &&
            !find_call(r->text, found, configure, "rollback")) {
            *at = found;
            return ENVPY_STATEMENT;
        }
    }
    for (const char *found = find_call(r->text, from, run, "begin"); found;
         found = find_call(r->text, found + 1, run, "begin"))
        if (!is_in_with(r->text, found)) {
            *at = found;
            return ENVPY_OPEN_BEGIN;
        }
    return ENVPY_FINE;
}

static enum envpy_fault judge_run(const struct reading *r, const char *run, const char **at)
{
    const char *configure = find_last_call(r->text, run, "configure");

    *at = run;
    if (!configure || is_offline(configure, run) || r->autocommits || has_with_begin(r))
        return ENVPY_FINE;
    enum envpy_fault fault = judge_before(r, configure, run, at);
    if (fault != ENVPY_FINE)
        return fault;
    bool begins = find_call(r->text, configure, run, "begin_transaction") != NULL;
    bool commits = find_call(r->text, run, r->end, "commit") != NULL;
    return begins || commits ? ENVPY_FINE : ENVPY_NO_TRANSACTION;
}

int envpy_judge(const char *text, size_t length, enum envpy_fault *fault, unsigned *line,
                struct err *err)
{
    AUTO_BUF copy = BUF_INIT(ENVPY_MAX_BYTES);

    buf_add(&copy, text, length);
    buf_addc(&copy, '\n');
    if (buf_check(&copy, ERR_FILE, "env.py", err) != 0)
        return -1;
    struct reading r = {.autocommits = strstr(buf_text(&copy), "AUTOCOMMIT") != NULL};
    blank(copy.data, copy.len);
    r.text = copy.data;
    r.end = copy.data + copy.len;
    enum envpy_fault found = ENVPY_NO_RUN;
    const char *at = r.text;
    for (const char *run = find_call(r.text, r.text, r.end, "run_migrations");
         run && found <= ENVPY_NO_RUN; run = find_call(r.text, run + 1, r.end, "run_migrations")) {
        const char *statement = statement_of(r.text, run);
        if (!str_starts(statement, "def ") && !str_starts(statement, "async def "))
            found = judge_run(&r, run, &at);
    }
    *fault = found;
    *line = line_of(r.text, at);
    return 0;
}

/* ---- in doctor -------------------------------------------------------------------------------------------- */

/* The script folder: what stamp.alembic is, or the folder above that of a revision. NULL: it is not known
 * where, or there is no memory. */
static char *find_env_py(const struct doctor *d, const struct graph *graph)
{
    const struct contract *contract = d->job.contract;
    AUTO_FREE char *named = file_join(contract->folder, contract->database.alembic);
    AUTO_FREE char *direct = named ? file_join(named, "env.py") : NULL;

    if (direct && access(direct, F_OK) == 0)
        return TAKE_POINTER(direct);
    if (!graph || graph->count == 0 || !graph->revisions[0].file)
        return NULL;
    AUTO_FREE char *folder = file_folder(graph->revisions[0].file);
    for (int i = 0; folder && i < 3; i++) { /* versions may have folders of its own */
        AUTO_FREE char *path = file_join(folder, "env.py");
        if (path && access(path, F_OK) == 0)
            return TAKE_POINTER(path);
        char *above = file_folder(folder);
        free(folder);
        folder = above;
    }
    return NULL;
}

static void release_graph(struct graph **graph)
{
    graph_free(*graph);
}

static void say_fault(struct doctor *d, enum envpy_fault fault, const char *path, unsigned line)
{
    static const struct {
        const char *message, *hint;
    } words[] = {
        [ENVPY_NO_RUN] =
            {"runs no migrations that could be read: where it stamps was not found out", NULL},
        [ENVPY_NO_TRANSACTION] = {"runs migrations without context.begin_transaction(), on a "
                                  "connection that commits nothing by itself: the stamp would be "
                                  "rolled back, with exit 0",
                                  "Put `with context.begin_transaction():` around it."},
        [ENVPY_STATEMENT] =
            {"executes a statement before configure(): that begins a transaction "
             "which Alembic does not commit, and the stamp would be rolled back, "
             "with exit 0",
             "Take the connection by `with engine.begin() as connection:`, or commit() "
             "behind the statement."},
        [ENVPY_OPEN_BEGIN] =
            {"begins a transaction that nothing commits: the stamp would be rolled "
             "back, with exit 0",
             "Write `with connection.begin():`, or call commit() at the end."},
    };

    if (fault == ENVPY_FINE)
        doctor_say(d, DOCTOR_OK, "env.py", NULL,
                   "'%s' stamps inside of a transaction that is committed (read, not run)", path);
    else
        doctor_say(d, DOCTOR_WARNING, "env.py", words[fault].hint, "'%s', line %u, %s", path, line,
                   words[fault].message);
}

void doctor_look_at_env_py(struct doctor *d)
{
    CLEANUP(release_graph) struct graph *graph = NULL;
    AUTO_BUF text = BUF_INIT(ENVPY_MAX_BYTES - 1);
    struct err err = ERR_INIT;
    enum envpy_fault fault;
    unsigned line;

    if (!d->loaded || !d->job.contract->database.present || !d->job.contract->database.alembic)
        return;
    if (job_graph(&d->job, &graph, &err) != 0 && !d->job.contract->database.url)
        doctor_say_err(d, DOCTOR_ERROR, "migrations", &err);
    AUTO_FREE char *path = find_env_py(d, graph);
    if (!path) {
        doctor_say(
            d, DOCTOR_WARNING, "env.py", NULL,
            "was not found beside the revisions: whether it commits what it stamps is not known");
        return;
    }
    if (file_read_all(path, &text, &err) != 0 ||
        envpy_judge(buf_text(&text), text.len, &fault, &line, &err) != 0)
        doctor_say_err(d, DOCTOR_WARNING, "env.py", &err);
    else
        say_fault(d, fault, path, line);
}
