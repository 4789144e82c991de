/* bootstrap/db_connect.c: a connection, made step by step under one deadline.
 *
 * libpq's own connect_timeout counts per address and is ignored by PQconnectPoll, so the loop and its
 * deadline are ours. Every keyword that says where we go or as whom is given, and the process's PG*
 * variables are out of sight while libpq looks for them: PGHOSTADDR would send a URL's password to
 * another host. See db_internal.h for why libpq is called by five files. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/library.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/url.h"
#include "bootstrap/db_internal.h"
#include "bootstrap/db_params.h"

struct pq_library pq;

LIBRARY_DLOPEN_NOTE(libpq_note,
                    "[{\"feature\":\"postgresql\",\"description\":\"bootstrap, verify, guard\","
                    "\"priority\":\"recommended\",\"soname\":[\"libpq.so.5\"]}]");

int db_library_open(struct err *err)
{
    static bool is_open;
    static const char *const sonames[] = {"libpq.so.5", NULL};
    const struct library_symbol symbols[] = {
#define X(function) {#function, (void **)&pq.function},
        PQ_FUNCTIONS(X)
#undef X
    };
    if (is_open)
        return 0;
    if (library_open(sonames, "libpq5", symbols, ARRAY_LEN(symbols), err) != 0)
        return -1;
    if (pq.PQlibVersion() < DB_LIBPQ_LEAST) {
        err_set(err, ERR_RESOURCE, "libpq %d.%d is too old: %d is the least",
                pq.PQlibVersion() / 10000, pq.PQlibVersion() % 10000, DB_LIBPQ_LEAST / 10000);
        return err_hint(err, "Install a newer libpq5.");
    }
    if (library_start_openssl(err) != 0)
        return -1;
    is_open = true;
    return 0;
}

int db_library_version(struct buf *out, struct err *err)
{
    if (db_library_open(err) != 0)
        return -1;
    buf_addf(out, "libpq %d.%d, the oldest that will do is %d", pq.PQlibVersion() / 10000,
             pq.PQlibVersion() % 10000, DB_LIBPQ_LEAST / 10000);
    return buf_check(out, ERR_RESOURCE, "libpq's version", err);
}

/* ---- one attempt at one address ------------------------------------------------------------------ */

struct attempt {
    const char *place; /* "db:5432 (10.0.0.1) database 'app' user 'app_rw'" */
    const struct secret *password;
    int64_t started_ms, deadline_ms;
    const char *step; /* where it was when it ended */
};

static const struct {
    const char *step, *phase, *hint;
} steps[] = {
    {"connect", "TCP connect",
     "Is the server started, does it listen there, and does a firewall let this host through?"},
    {"tls", "TLS",
     "Does the server speak TLS, and is its certificate signed by what sslrootcert names?"},
    {"auth", "authentication",
     "Are user and password right, and does pg_hba.conf let this user in from here?"},
    {"database", "opening the database",
     "A setting is refused: of options in the URL, or of ALTER ROLE or DATABASE ... SET."},
    {"privilege", "privileges", "GRANT CONNECT ON DATABASE lets a role in."},
};

static size_t step_index(const char *step)
{
    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        if (str_eq(steps[i].step, step))
            return i;
    return 0;
}

static const char *step_of_status(ConnStatusType status, const char *now)
{
    if (status == CONNECTION_STARTED || status == CONNECTION_NEEDED)
        return "connect";
    if (status == CONNECTION_SSL_STARTUP)
        return "tls";
    if (status == CONNECTION_MADE || status == CONNECTION_AWAITING_RESPONSE)
        return "auth";
    return status == CONNECTION_BAD ? now : "database";
}

/* A SQLSTATE says more than how far the dialogue was: 57P03 and 53300 come before authentication. Behind
 * it a session gets its settings (`options`, ALTER ROLE or DATABASE ... SET), which may be refused. */
static const char *step_of_sqlstate(const char *sqlstate, const char *now)
{
    static const struct {
        const char *start, *step;
    } known[] = {{"28", "auth"},       {"3D000", "database"}, {"42501", "privilege"},
                 {"53300", "connect"}, {"57P0", "connect"},   {"08", "connect"},
                 {"55", "database"},   {"22", "database"},    {"42", "database"},
                 {"58P01", "database"}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_starts(sqlstate, known[i].start))
            return known[i].step;
    return now;
}

/* Without a SQLSTATE: what broke is worth another try, what refused is not. */
static enum err_kind kind_without_sqlstate(const struct db_said *said, const char *step)
{
    bool broke = db_said_errno(said) != 0 || !said->primary[0];
    if (db_said_of_parameter(said))
        return ERR_CONTRACT;
    return broke || str_eq(step, "connect") ? ERR_DB_DOWN : ERR_DB_REFUSED;
}

static void hint_for(struct err *err, const struct db_said *said)
{
    if (err->sys_errno == EPROTO)
        err_hint(err, "What answers there does not speak PostgreSQL's protocol: a wrong port, or "
                      "a proxy for something else?");
    else if (err->sys_errno == ECONNRESET || !said->primary[0])
        err_hint(err, "It closed without a word: a proxy without its server, a wrong port, or a "
                      "server that died (its log says why).");
    else if (db_said_hint(said))
        err_hint(err, "%s", db_said_hint(said));
    else
        err_hint(err, "%s", steps[step_index(err->step)].hint);
}

/* The log-in went well, and it is not the server that was asked for: the next of the list may be, or
 * this one when it is promoted. */
static int another_session(const struct attempt *a, const struct db_said *said, const char *hint,
                           struct err *err)
{
    db_error(err, ERR_DB_DOWN, a->place, steps[step_index("database")].phase, said);
    err->step = "database";
    err->sys_errno = EAGAIN;
    return err_hint(err, "%s", hint);
}

static int attempt_failed(const struct attempt *a, const char *text, struct err *err)
{
    struct db_said said;
    db_said_from_text(&said, text);
    db_said_hide(&said, a->password);
    const char *wanted = db_said_of_session(&said);
    if (wanted)
        return another_session(a, &said, wanted, err);
    bool by_pooler = db_said_of_pooler(&said);
    /* with TLS 1.3 the server refuses a certificate behind the handshake */
    bool of_tls = !said.sqlstate[0] && str_starts(said.primary, "SSL error");
    const char *step = by_pooler ? "auth"
                       : of_tls  ? "tls"
                                 : step_of_sqlstate(said.sqlstate, a->step);
    enum err_kind kind = by_pooler          ? ERR_DB_REFUSED
                         : said.sqlstate[0] ? db_kind(said.sqlstate)
                                            : kind_without_sqlstate(&said, step);
    if (kind == ERR_DB_SQL) /* nothing was asked yet: it is the connection that was refused */
        kind = ERR_DB_REFUSED;
    db_error(err, kind, a->place,
             kind == ERR_CONTRACT ? "connection parameters" : steps[step_index(step)].phase, &said);
    err->step = step;
    err->sys_errno = said.sqlstate[0] ? 0 : db_said_errno(&said);
    if (!said.primary[0] && !said.sqlstate[0])
        err->sys_errno = EPROTO;
    hint_for(err, &said);
    return -1;
}

static int attempt_timed_out(const struct attempt *a, struct err *err)
{
    static const char *const waiting_for[] = {
        "nobody answered", "the server did not answer the request for TLS",
        "the server said nothing", "the server did not open it", "the server did not answer"};
    size_t index = step_index(a->step);
    err_set(err, ERR_DB_DOWN, "%s: %s: %s within %lld ms", a->place, steps[index].phase,
            waiting_for[index], (long long)(clock_now_ms() - a->started_ms));
    err->step = a->step;
    err->sys_errno = ETIMEDOUT;
    return err_hint(err, "%s",
                    index == 0 ? steps[0].hint
                               : "The port is open, but what listens there is stuck, or "
                                 "is no PostgreSQL.");
}

int db_start(struct db *db, const struct db_params *params, struct err *err)
{
    struct hidden_environment hidden = {0};
    if (db_environment_hide(&hidden, err) != 0)
        return -1;
    db->conn = pq.PQconnectStartParams(params->keywords, params->values, 0);
    db_environment_show(&hidden);
    /* Since libpq 16 PQfinish follows the list of hosts also where there was no memory for one. Each target
     * names a host: where none is known, what little there is of a connection is left as it is. */
    if (db->conn && pq.PQstatus(db->conn) == CONNECTION_BAD && !*pq.PQhost(db->conn) &&
        strstr(pq.PQerrorMessage(db->conn), "out of memory"))
        db->conn = NULL;
    if (!db->conn)
        return err_nomem(err);
    /* Only the verbose form has the SQLSTATE of a connection that fails. */
    (void)pq.PQsetErrorVerbosity(db->conn, PQERRORS_VERBOSE);
    (void)pq.PQsetNoticeReceiver(db->conn, db_notice, db);
    return 0;
}

/* PGTZ and its like are looked for when the session is asked for, not before. */
int db_poll(struct db *db, PostgresPollingStatusType *wanted, struct err *err)
{
    struct hidden_environment hidden = {0};
    if (db_environment_hide(&hidden, err) != 0)
        return -1;
    *wanted = pq.PQconnectPoll(db->conn);
    db_environment_show(&hidden);
    return 0;
}

/* 0 when connected. */
static int poll_to_the_end(struct db *db, struct attempt *a, struct err *err)
{
    PGconn *conn = db->conn;
    PostgresPollingStatusType wanted = PGRES_POLLING_WRITING;
    while (wanted != PGRES_POLLING_OK) {
        if (pq.PQstatus(conn) == CONNECTION_BAD || wanted == PGRES_POLLING_FAILED)
            return attempt_failed(a, pq.PQerrorMessage(conn), err);
        a->step = step_of_status(pq.PQstatus(conn), a->step);
        int ready = db_wait(pq.PQsocket(conn), wanted == PGRES_POLLING_WRITING, a->deadline_ms);
        if (ready < 0)
            return err_errno(err, ERR_RESOURCE, "%s: poll", a->place);
        if (ready == 0)
            return attempt_timed_out(a, err);
        if (db_poll(db, &wanted, err) != 0)
            return -1;
        a->step = step_of_status(pq.PQstatus(conn), a->step);
    }
    return 0;
}

static int attempt_run(struct db *db, const struct db_params *params, struct attempt *a,
                       struct err *err)
{
    a->step = "connect";
    if (db_start(db, params, err) != 0)
        return -1;
    int result = poll_to_the_end(db, a, err);
    if (result != 0) {
        pq.PQfinish(db->conn);
        db->conn = NULL;
    }
    return result;
}

/* ---- all addresses of all hosts ------------------------------------------------------------------ */

struct search {
    const struct db_target *target;
    struct db *db;
    int64_t deadline_ms;
    const char *attrs; /* target_session_attrs in place of the URL's; NULL: the URL's */
    size_t failures;
    struct buf story; /* "10.0.0.1: Connection refused", joined */
    struct err last;  /* of the attempt that came farthest */
};

static bool is_final(const struct err *err)
{
    /* As libpq: a server that refuses us is an answer; one that is down is a reason to go on. */
    return err->kind == ERR_DB_REFUSED || err->kind == ERR_RESOURCE || err->kind == ERR_CONTRACT;
}

static void remember(struct search *s, const struct err *err)
{
    bool farther = s->failures == 0 || !s->last.step ||
                   (err->step && step_index(err->step) >= step_index(s->last.step));
    if (s->failures++ > 0)
        buf_adds(&s->story, "; ");
    buf_adds(&s->story, err->text);
    if (farther)
        s->last = *err;
}

/* What the connection said of itself must be what this program's texts are made of. */
static int check_session(struct db *db, const char *place, struct err *err)
{
    const char *encoding = pq.PQparameterStatus(db->conn, "client_encoding");
    if (encoding && !str_eq(encoding, "UTF8")) {
        err_set(err, ERR_DB_REFUSED,
                "%s: opening the database: client_encoding is %s, UTF8 was asked for", place,
                encoding);
        err->step = "database";
        return err_hint(err, "A pooler in between does not pass it on.");
    }
    if (pq.PQsetnonblocking(db->conn, 1) != 0)
        return err_set(err, ERR_RESOURCE, "%s: the connection can't be made non-blocking", place);
    return 0;
}

int db_connected(struct db *db, const char *host, const char *port, const char *address,
                 struct err *err)
{
    AUTO_BUF place = BUF_INIT(ERR_TEXT_BYTES);
    db_describe(host, port, pq.PQdb(db->conn), pq.PQuser(db->conn), &place);
    db->host = mem_dup(host);
    db->port = mem_dup(port);
    db->place = buf_take(&place);
    db->address = mem_dup(address);
    if (!db->host || !db->port || !db->place || !db->address)
        return err_nomem(err);
    return check_session(db, db->place, err);
}

/* 0 connected; 1 go on with the next; -1 stop. */
static int try_address(struct search *s, const char *host, const char *port, const char *address,
                       int64_t deadline_ms, struct err *err)
{
    AUTO_BUF place = BUF_INIT(ERR_TEXT_BYTES);
    AUTO_BUF shown = BUF_INIT(ERR_TEXT_BYTES);
    AUTO_DB_PARAMS params = DB_PARAMS_INIT;
    buf_adds(&shown, host);
    if (*address && !str_eq(address, host))
        buf_addf(&shown, "(%s)", address);
    db_describe(buf_text(&shown), port, s->target->database, s->target->user, &place);
    if (db_params_build(s->target, host, port, address, &params, err) != 0)
        return err_wrap(err, "%s", buf_text(&place));
    if (s->attrs)
        db_params_replace(&params, "target_session_attrs", s->attrs);
    struct attempt attempt = {.place = buf_text(&place),
                              .password = &s->target->password,
                              .started_ms = clock_now_ms(),
                              .deadline_ms = deadline_ms};
    if (attempt_run(s->db, &params, &attempt, err) == 0)
        return db_connected(s->db, host, port, address, err);
    remember(s, err);
    return is_final(err) ? -1 : 1;
}

/* A dead address must not take the time of those behind it. */
static int64_t share_of_time(const struct search *s, size_t addresses_left)
{
    if (s->deadline_ms == CLOCK_NEVER)
        return CLOCK_NEVER;
    int64_t share = clock_left_ms(s->deadline_ms) / (int64_t)(addresses_left ? addresses_left : 1);
    int64_t until = clock_in_ms(share > DB_LEAST_ATTEMPT_MS ? share : DB_LEAST_ATTEMPT_MS);
    return clock_earlier(until, s->deadline_ms);
}

static int try_host(struct search *s, const char *host, const char *port, size_t hosts_left,
                    struct err *err)
{
    AUTO_BUF place = BUF_INIT(ERR_TEXT_BYTES);
    struct db_addresses addresses;
    db_describe(host, port, s->target->database, s->target->user, &place);
    if (db_resolve(host, buf_text(&place), share_of_time(s, hosts_left), &addresses, err) != 0) {
        remember(s, err);
        return is_final(err) ? -1 : 1;
    }
    if (addresses.count == 0)
        return try_address(s, host, port, "", share_of_time(s, hosts_left), err);
    for (size_t i = 0; i < addresses.count; i++) {
        int64_t until = share_of_time(s, addresses.count - i + hosts_left - 1);
        int result = try_address(s, host, port, addresses.list[i], until, err);
        if (result <= 0)
            return result;
    }
    return 1;
}

/* Every host of the list in turn; LATER: how many attempts are left for others behind them. */
static int try_list(struct search *s, size_t later, struct err *err)
{
    AUTO_BUF host = BUF_INIT(ERR_TEXT_BYTES);
    AUTO_BUF port = BUF_INIT(ERR_TEXT_BYTES);
    const struct db_target *target = s->target;
    bool several_ports = strchr(target->port, ',') != NULL;
    size_t hosts = 0;
    while (db_list_item(target->host, hosts, &host))
        hosts++;
    for (size_t i = 0; i < hosts; i++) {
        (void)db_list_item(target->host, i, &host); /* it was there when they were counted */
        if (!db_list_item(target->port, several_ports ? i : 0, &port))
            return err_set(err, ERR_CONTRACT, "the URL names %zu hosts and fewer ports", hosts);
        if (buf_check(&host, ERR_CONTRACT, "a host's name", err) != 0 ||
            buf_check(&port, ERR_CONTRACT, "a port", err) != 0)
            return -1; /* for want of memory it would be another host */
        int result = try_host(s, buf_text(&host), buf_text(&port), hosts - i + later, err);
        if (result <= 0)
            return result;
    }
    return 1;
}

/* libpq sees one host of the list at a time: that the others are looked at first is ours to do. */
static bool prefers_standby(const struct db_target *target)
{
    struct url url = {.query = {.start = target->query, .length = strlen(target->query)}};
    struct url_span attrs = url_query(&url, "target_session_attrs");
    return strchr(target->host, ',') && url_span_is(&attrs, "prefer-standby");
}

static int try_all(struct search *s, struct err *err)
{
    int result = 1;
    if (prefers_standby(s->target)) {
        s->attrs = "standby";
        result = try_list(s, DB_MAX_HOSTS, err);
        s->attrs = "any";
        s->failures = 0; /* each is asked again, and says it again */
        buf_clear(&s->story);
    }
    if (result > 0)
        result = try_list(s, 0, err);
    if (result <= 0)
        return result;
    *err = s->last;
    if (s->failures > 1) {
        const char *step = s->last.step;
        int system_errno = s->last.sys_errno;
        err_set(err, s->last.kind, "%zu attempts failed: %s", s->failures, buf_text(&s->story));
        err_sqlstate(err, s->last.sqlstate);
        err->step = step;
        err->sys_errno = system_errno;
        err_hint(err, "%s", s->last.hint);
    }
    return -1;
}

int db_new(const struct db_target *target, struct db **out, struct err *err)
{
    AUTO_DB db = mem_new(1, sizeof(*db));
    if (!db)
        return err_nomem(err);
    if (secret_is_set(&target->password) &&
        secret_set(&db->password, secret_reveal(&target->password),
                   secret_length(&target->password), err) != 0)
        return -1;
    *out = TAKE_POINTER(db);
    return 0;
}

int db_connect(const struct db_target *target, int64_t deadline_ms, struct db **out,
               struct err *err)
{
    AUTO_DB db = NULL;
    if (db_library_open(err) != 0 || db_new(target, &db, err) != 0)
        return -1;
    struct search search = {
        .target = target, .db = db, .deadline_ms = deadline_ms, .story = BUF_INIT(ERR_TEXT_BYTES)};
    int result = try_all(&search, err);
    buf_release(&search.story);
    if (result != 0)
        return -1;
    *out = TAKE_POINTER(db);
    return 0;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    db_beside_end(db);
    if (db->conn)
        pq.PQfinish(db->conn);
    secret_release(&db->password);
    db_hide_release(db);
    free(db->address);
    free(db->host);
    free(db->port);
    free(db->place);
    free(db);
}

void auto_db_close(struct db **db)
{
    db_close(*db);
}

void db_info(const struct db *db, struct db_info *out)
{
    *out = (struct db_info){
        .server_version = pq.PQserverVersion(db->conn),
        .server_version_text = pq.PQparameterStatus(db->conn, "server_version"),
        .host = db->host,
        .port = db->port,
        .database = pq.PQdb(db->conn),
        .user = pq.PQuser(db->conn),
        .tls = pq.PQsslInUse(db->conn) != 0,
        .tls_version = pq.PQsslInUse(db->conn) ? pq.PQsslAttribute(db->conn, "protocol") : NULL,
        .pooled = db->server_pid != 0 && db->server_pid != pq.PQbackendPID(db->conn),
        .backend_pid = pq.PQbackendPID(db->conn),
    };
}
