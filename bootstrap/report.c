/* bootstrap/report.c: what is known of a database, kept, and written as text and JSON. */
#include <stdarg.h>
#include <string.h>

#include "base/str.h"
#include "bootstrap/internal.h"

enum { REPORT_FIELD_BYTES = 64 * 1024, LABEL_COLUMNS = 12 };

void database_report_release(struct database_report *report)
{
    char *texts[] = {report->why,  report->hint,     report->server_version, report->host,
                     report->port, report->database, report->user,           report->tls_version};
    char **lists[] = {report->missing, report->heads, report->stamped, report->next,
                      report->rights};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        names_free_list(lists[i]);
    *report = REPORT_INIT;
}

int report_set(char **field, struct err *err, const char *format, ...)
{
    AUTO_BUF text = BUF_INIT(REPORT_FIELD_BYTES);
    va_list args;
    va_start(args, format);
    buf_addv(&text, format, args);
    va_end(args);
    char *taken = buf_take(&text);
    if (!taken)
        return err_nomem(err);
    free(*field);
    *field = taken;
    return 0;
}

int report_set_connection(struct database_report *report, const struct db *db, struct err *err)
{
    struct db_info info;
    db_info(db, &info);
    if (report_set(&report->host, err, "%s", info.host) != 0 ||
        report_set(&report->port, err, "%s", info.port) != 0 ||
        report_set(&report->database, err, "%s", info.database ? info.database : "") != 0 ||
        report_set(&report->user, err, "%s", info.user ? info.user : "") != 0)
        return -1;
    report->tls = info.tls;
    if (info.tls_version)
        return report_set(&report->tls_version, err, "%s", info.tls_version);
    free(report->tls_version);
    report->tls_version = NULL;
    return 0;
}

/* ---- text ------------------------------------------------------------------------------------------ */

static void add_line(struct buf *out, const char *label, const char *text)
{
    if (!text || !*text)
        return;
    buf_addf(out, "%-*s", LABEL_COLUMNS, label);
    str_add_sanitised(out, text, strlen(text));
    buf_addc(out, '\n');
}

static void add_list_line(struct buf *out, const char *label, char *const *list, const char *none)
{
    AUTO_BUF text = BUF_INIT(REPORT_FIELD_BYTES);
    for (size_t i = 0; list && list[i]; i++)
        buf_addf(&text, i ? ", %s" : "%s", list[i]);
    add_line(out, label, text.len > 0 ? buf_text(&text) : none);
}

static void add_server(const struct database_report *r, struct buf *out)
{
    AUTO_BUF text = BUF_INIT(REPORT_FIELD_BYTES);
    buf_addf(&text, "PostgreSQL %s", r->server_version ? r->server_version : "(version unknown)");
    if (r->host && *r->host)
        buf_addf(&text, strchr(r->host, ':') && r->host[0] != '/' ? " at [%s]:%s" : " at %s:%s",
                 r->host, r->port ? r->port : "");
    add_line(out, "server", buf_text(&text));
}

void verify_write_text(const struct database_report *r, struct buf *out)
{
    AUTO_BUF tables = BUF_INIT(REPORT_FIELD_BYTES);
    add_server(r, out);
    add_line(out, "database", r->database);
    add_line(out, "role", r->user);
    for (size_t i = 0; r->rights && r->rights[i]; i++)
        add_line(out, i ? "" : "rights", r->rights[i]);
    add_line(out, "tls", !r->tls ? "off" : r->tls_version ? r->tls_version : "on");
    if (r->read_only)
        add_line(out, "session", "read-only (a standby, or default_transaction_read_only)");
    add_line(out, "state", r->state_known ? state_word(r->state) : "not known");
    add_line(out, "why", r->why);
    add_list_line(out, "heads", r->heads, "none");
    add_list_line(out, "stamped", r->stamped, "none");
    buf_addf(&tables, "%zu", r->table_count);
    add_line(out, "tables", buf_text(&tables));
    add_list_line(out, "missing", r->missing, "none");
    add_line(out, "hint", r->hint);
}

void bootstrap_write_text(const struct database_report *r, struct buf *out)
{
    AUTO_BUF text = BUF_INIT(REPORT_FIELD_BYTES);
    if (r->created)
        buf_addf(&text, "made it: %zu statement%s, one transaction, in ", r->statements,
                 r->statements == 1 ? "" : "s");
    else if (r->state_known && r->state == STATE_CURRENT && r->state_before != STATE_CURRENT)
        buf_adds(&text, "current now, in ");
    else
        buf_adds(&text, "nothing to do, in ");
    str_add_duration(&text, r->duration_ms);
    if (r->waited_ms > 0) {
        buf_adds(&text, ", of which waited ");
        str_add_duration(&text, r->waited_ms);
    }
    if (r->verified)
        buf_adds(&text, "; read back from a new connection");
    add_line(out, "bootstrap", buf_text(&text));
    verify_write_text(r, out);
}

/* ---- JSON ------------------------------------------------------------------------------------------ */

static void add_strings(struct json *json, const char *key, char *const *list)
{
    json_begin_array(json, key);
    for (size_t i = 0; list && list[i]; i++)
        json_add_string(json, NULL, list[i]);
    json_end_array(json);
}

static void add_port(struct json *json, const char *port)
{
    int64_t number;
    if (port && str_to_int64(port, strlen(port), &number) == 0)
        json_add_int(json, "port", number);
    else
        json_add_string(json, "port", port);
}

void verify_write_json(const struct database_report *r, struct json *json)
{
    json_add_string(json, "state", r->state_known ? state_word(r->state) : NULL);
    json_add_string(json, "why", r->why);
    json_add_string(json, "hint", r->hint);
    json_add_string(json, "server_version", r->server_version);
    json_add_string(json, "host", r->host);
    add_port(json, r->port);
    json_add_string(json, "database", r->database);
    json_add_string(json, "user", r->user);
    json_add_bool(json, "tls", r->tls);
    json_add_bool(json, "read_only", r->read_only);
    json_add_int(json, "tables", (int64_t)r->table_count);
    add_strings(json, "missing", r->missing);
    add_strings(json, "heads", r->heads);
    add_strings(json, "stamped", r->stamped);
    json_add_int(json, "behind", (int64_t)r->behind);
    add_strings(json, "next", r->next);
}

void bootstrap_write_json(const struct database_report *r, struct json *json)
{
    verify_write_json(r, json);
    json_add_bool(json, "created", r->created);
    json_add_string(json, "state_before", state_word(r->state_before));
    json_add_int(json, "statements", (int64_t)r->statements);
    json_add_int(json, "waited_ms", r->waited_ms);
    json_add_int(json, "duration_ms", r->duration_ms);
    json_add_bool(json, "verified", r->verified);
}
