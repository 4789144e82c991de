/* doctor_database.c: the database step by step: the URL, the connection, what is in between, what the
 * login may do, the state; and what psql says of it. */
#include "agent/doctor.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/proc.h"
#include "base/str.h"
#include "bootstrap/db.h"

enum {
    CONNECT_MS = 10 * 1000,
    PSQL_MS = 10 * 1000,
    PSQL_OUTPUT_BYTES = 64 * 1024,
    URL_BYTES = 64 * 1024,
    OLDEST_SERVER = 130000, /* the oldest that is still tested */
};

/* ---- the URL ------------------------------------------------------------------------------------------- */

/* The value of database.url, or NULL: it has none, which was said with the variables. */
static const struct secret *url_of(struct doctor *d)
{
    const struct contract *contract = d->job.contract;
    const struct contract_variable *variable = contract_find(contract, contract->database.url);
    struct contract_value *value = &d->job.values[variable - contract->variables];
    struct err err = ERR_INIT;

    if (!value->resolved && d->vault_is != DOCTOR_VAULT_CLOSED &&
        job_resolve_for_database(&d->job, &err) != 0 && !doctor_take_findings(d))
        doctor_say_err(d, DOCTOR_ERROR, "database", &err);
    if (secret_is_set(&value->bytes))
        return &value->bytes;
    doctor_say(d, DOCTOR_WARNING, "database", "Mend what is said of it first.",
               "not looked at: '%s' has no value", variable->name);
    return NULL;
}

static bool is_here(const struct db_target *target)
{
    return !target->host || target->host[0] == '/' || str_eq(target->host, "localhost") ||
           str_starts(target->host, "127.") || str_eq(target->host, "::1");
}

/* ---- the connection ------------------------------------------------------------------------------------- */

static void say_connection(struct doctor *d, const struct db_target *target, const struct db *db)
{
    struct db_info info;

    db_info(db, &info);
    doctor_say(d, DOCTOR_OK, "database", NULL,
               "PostgreSQL %s at '%s:%s', database '%s' as '%s', %s", info.server_version_text,
               info.host, info.port, info.database, info.user,
               info.tls_version ? info.tls_version
               : info.tls       ? "TLS"
                                : "without TLS");
    if (info.server_version < OLDEST_SERVER)
        doctor_say(d, DOCTOR_WARNING, "database", "Upgrade the server: 13 is the oldest tested.",
                   "PostgreSQL %s is older than what agent is tested with",
                   info.server_version_text);
    if (!info.tls && !is_here(target))
        doctor_say(d, DOCTOR_WARNING, "database", "Say sslmode=verify-full in the URL.",
                   "the connection to another machine has no TLS: what it carries can be read");
}

/* Our column k of the answer is '1'. */
static bool is_true(const struct db_rows *rows, size_t column)
{
    return db_cell(rows, 0, column)[0] == '1';
}

static void say_login(struct doctor *d, const struct db_rows *rows)
{
    if (is_true(rows, 1))
        doctor_say(d, DOCTOR_ERROR, "database", "Point the URL at the primary.",
                   "it is a standby: nothing can be written to it");
    else if (is_true(rows, 2))
        doctor_say(
            d, DOCTOR_WARNING, "database",
            "Is default_transaction_read_only set for the role or the database, or the disk full?",
            "transactions begin read-only: bootstrap refuses it");
    if (is_true(rows, 3))
        doctor_say(d, DOCTOR_WARNING, "database",
                   "Give it a role of its own, with what it needs (database.owner).",
                   "the application's login is a superuser");
}

/* What only a question tells: who is behind the connection, and as what it is there. */
static void look_behind(struct doctor *d, struct db *db)
{
    static const char sql[] =
        "SELECT pg_catalog.pg_backend_pid(), pg_catalog.pg_is_in_recovery()::int, "
        "(pg_catalog.current_setting('transaction_read_only') = 'on')::int, "
        "(SELECT rolsuper::int FROM pg_catalog.pg_roles WHERE rolname = current_user)";
    struct db_results results = {0};
    struct db_info info;
    struct err err = ERR_INIT;
    int64_t pid;

    if (db_query(db, sql, d->bounded.deadline_ms, &results, NULL, &err) != 0) {
        doctor_say_err(d, DOCTOR_ERROR, "database", &err);
        return;
    }
    const struct db_rows *rows = results.count > 0 ? &results.list[0] : NULL;
    if (rows && rows->row_count == 1 && rows->column_count == 4) {
        const char *text = db_cell(rows, 0, 0);
        if (str_to_int64(text, strlen(text), &pid) == 0)
            db_note_backend_pid(db, (int)pid);
        say_login(d, rows);
    }
    db_results_free(&results);
    db_info(db, &info);
    if (info.pooled)
        doctor_say(d, DOCTOR_WARNING, "database",
                   "Where agent makes or changes the database, give database.url a direct address.",
                   "a pooler is in between: bootstrap with a command, --adopt and guard refuse it");
}

/* False: there is nothing to be asked. */
static bool connect_and_look(struct doctor *d, const struct db_target *target)
{
    AUTO_DB db = NULL;
    AUTO_BUF step = BUF_INIT(ERR_TEXT_BYTES);
    struct err err = ERR_INIT;
    int64_t deadline = clock_earlier(d->bounded.deadline_ms, clock_in_ms(CONNECT_MS));

    if (db_connect(target, deadline, &db, &err) != 0) {
        buf_addf(&step, "database, step %s", err.step ? err.step : "connect");
        doctor_say_err(d, DOCTOR_ERROR, buf_text(&step), &err);
        return false;
    }
    say_connection(d, target, db);
    look_behind(d, db);
    return true;
}

/* ---- the state -------------------------------------------------------------------------------------------- */

static bool is_accepted(const struct contract_database *database, const char *state)
{
    for (const char *const *word = database->accept; word && *word; word++)
        if (str_eq(*word, state))
            return true;
    return false;
}

static void say_rights(struct doctor *d, const struct database_report *report)
{
    for (char **line = report->rights; line && *line; line++)
        doctor_say(d, DOCTOR_OK, "database rights", NULL, "%s", *line);
}

/* `run --bootstrap` starts nothing in a state that is not accepted, but for a fresh one, which it makes. */
static void say_state(struct doctor *d, const struct database_report *report)
{
    const struct contract_database *database = &d->job.contract->database;
    const char *word = state_word(report->state);

    if (is_accepted(database, word))
        doctor_say(d, DOCTOR_OK, "database state", NULL, "%s: %s", word, report->why);
    else if (report->lacks)
        doctor_say(d, DOCTOR_ERROR, "database rights", report->lacks_hint,
                   "it is fresh, and can't be made: %s", report->lacks);
    else if (report->state == STATE_FRESH)
        doctor_say(d, DOCTOR_WARNING, "database state",
                   "`agent bootstrap`, or `agent run --bootstrap`, makes it.", "%s: %s", word,
                   report->why);
    else
        doctor_say(d, DOCTOR_ERROR, "database state", report->hint, "%s: %s", word, report->why);
    say_rights(d, report);
}

static void look_at_state(struct doctor *d, const struct secret *url)
{
    AUTO_DATABASE_JOB database = {.settings = {.url = url}};
    AUTO_REPORT report = REPORT_INIT;
    struct err err = ERR_INIT;

    if (job_database_settings(&d->job, &database, &err) != 0)
        doctor_say_err(d, DOCTOR_ERROR, "migrations", &err);
    else if (verify_run(&database.settings, &report, &err) != 0)
        doctor_say_err(d, DOCTOR_ERROR, "database state", &err);
    else
        say_state(d, &report);
}

/* ---- psql ------------------------------------------------------------------------------------------------- */

/* What of the URL's query is about the connection's safety; no other word of it goes to psql. */
static void add_query(const char *query, struct buf *out)
{
    char separator = '?';

    while (query && *query) {
        size_t length = strcspn(query, "&");
        if (str_starts(query, "ssl") || str_starts(query, "channel_binding=") ||
            str_starts(query, "target_session_attrs=")) {
            if (memchr(query, '=', length) && !str_starts(query, "sslpassword")) {
                buf_addc(out, separator);
                buf_add(out, query, length);
                separator = '&';
            }
        }
        query += length + (query[length] == '&');
    }
}

static void add_host(const char *host, size_t length, struct buf *out)
{
    if (host[0] == '/')
        str_add_percent(out, host, length);
    else if (memchr(host, ':', length))
        buf_addf(out, "[%.*s]", (int)length, host);
    else
        buf_add(out, host, length);
}

/* Each of the list with its port, or with the one that is all of theirs. */
static void add_hosts(const char *host, const char *port, struct buf *out)
{
    for (bool more = true; more;) {
        size_t length = strcspn(host, ","), digits = strcspn(port, ",");
        add_host(host, length, out);
        buf_addf(out, ":%.*s", (int)digits, port);
        more = host[length] != '\0';
        if (more)
            buf_addc(out, ',');
        host += length + more;
        port += port[digits] ? digits + 1 : 0;
    }
}

/* A URL without its password, which goes by the environment. */
static void psql_url(const struct db_target *target, struct buf *out)
{
    buf_adds(out, "postgresql://");
    str_add_percent(out, target->user, strlen(target->user));
    buf_addc(out, '@');
    add_hosts(target->host, target->port, out);
    buf_addc(out, '/');
    str_add_percent(out, target->database, strlen(target->database));
    add_query(target->query, out);
}

static int psql_environment(const struct db_target *target, struct environment *out,
                            struct err *err)
{
    static const char *const nothing[] = {NULL};
    static const char *const names[] = {"PATH", "HOME", "LANG"};

    if (environment_index(out, nothing, err) != 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *text = getenv(names[i]);
        struct secret value = secret_borrow(text ? text : "", text ? strlen(text) : 0);
        if (text && environment_set(out, names[i], &value, err) != 0)
            return -1;
    }
    return secret_is_set(&target->password)
               ? environment_set(out, "PGPASSWORD", &target->password, err)
               : 0;
}

static void say_psql(struct doctor *d, const struct proc_result *result, const struct buf *said)
{
    AUTO_BUF how = BUF_INIT(PSQL_OUTPUT_BYTES);
    size_t length = strcspn(buf_text(said), "\n");

    proc_describe(result, &how);
    if (result->exit_code == 0)
        doctor_say(d, DOCTOR_OK, "psql", NULL, "`psql -X -w -c 'select 1'` works");
    else if (length > 0)
        doctor_say(d, DOCTOR_WARNING, "psql",
                   "agent does not need psql; a script that calls it has the same trouble.",
                   "`psql -X -w -c 'select 1'` %s, and said: %.*s", buf_text(&how), (int)length,
                   buf_text(said));
    else
        doctor_say(d, DOCTOR_WARNING, "psql",
                   "What agent said of the database above is the reason; psql keeps it to itself.",
                   "`psql -X -w -c 'select 1'` %s, and said nothing at all", buf_text(&how));
}

static void look_at_psql(struct doctor *d, const struct db_target *target)
{
    AUTO_BUF url = BUF_INIT(URL_BYTES), output = BUF_INIT(PSQL_OUTPUT_BYTES),
             said = BUF_INIT(PSQL_OUTPUT_BYTES);
    CLEANUP(environment_release) struct environment environment = ENVIRONMENT_INIT;
    struct proc_result result = {0};
    struct err err = ERR_INIT;

    if (psql_environment(target, &environment, &err) != 0) {
        d->no_memory = true;
        return;
    }
    AUTO_FREE const char **list = environment_list(&environment, &err);
    psql_url(target, &url);
    if (!list || buf_check(&url, ERR_CONTRACT, "the URL for psql", &err) != 0) {
        doctor_say_err(d, DOCTOR_WARNING, "psql", &err);
        return;
    }
    const char *const argv[] = {"psql", "-X", "-w", "-c", "select 1", buf_text(&url), NULL};
    const struct proc_request request = {
        .argv = argv,
        .environment = list,
        .output = &output,
        .error_output = &said,
        .deadline_ms = clock_earlier(d->bounded.deadline_ms, clock_in_ms(PSQL_MS)),
        .what = "psql",
    };
    if (proc_run(&request, ERR_DB_COMMAND, &result, &err) == 0)
        say_psql(d, &result, &said);
    else if (err.sys_errno == ENOENT)
        doctor_say(d, DOCTOR_OK, "psql", NULL, "there is none here, and agent needs none");
    else
        doctor_say_err(d, DOCTOR_WARNING, "psql", &err);
}

void doctor_look_at_database(struct doctor *d)
{
    struct db_target target = {0};
    struct err err = ERR_INIT;

    if (!d->loaded || !d->job.contract->database.present || !d->job.contract->database.url)
        return;
    const struct secret *url = url_of(d);
    if (!url)
        return;
    if (db_target_parse(url, d->job.contract->database.url, &target, &err) != 0) {
        doctor_say_err(d, DOCTOR_ERROR, "database", &err);
        return;
    }
    if (connect_and_look(d, &target))
        look_at_state(d, url);
    look_at_psql(d, &target);
    db_target_release(&target);
}
