/* bootstrap/report.c: what is known of a database, kept, and written as text and JSON. */
#include <stdarg.h>
#include <string.h>

#include "base/str.h"
#include "bootstrap/internal.h"

enum { REPORT_FIELD_BYTES = 64 * 1024, LABEL_COLUMNS = 12 };

void database_report_release(struct database_report *report)
{
    char *texts[] = {report->why,   report->hint,      report->server_version, report->host,
                     report->port,  report->database,  report->user,           report->tls_version,
                     report->lacks, report->lacks_hint};
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

/* Everything goes straight into OUT: it remembers a failure, and no line says "none" for want of
 * memory. */
static void add_label(struct buf *out, const char *label)
{
    buf_addf(out, "%-*s", LABEL_COLUMNS, label);
}

static void add_foreign(struct buf *out, const char *text)
{
    str_add_sanitised(out, text, strlen(text));
}

static void add_line(struct buf *out, const char *label, const char *text)
{
    if (!text || !*text)
        return;
    add_label(out, label);
    add_foreign(out, text);
    buf_addc(out, '\n');
}

static void add_list_line(struct buf *out, const char *label, char *const *list)
{
    add_label(out, label);
    if (!list || !list[0])
        buf_adds(out, "none");
    for (size_t i = 0; list && list[i]; i++) {
        if (i > 0)
            buf_adds(out, ", ");
        add_foreign(out, list[i]);
    }
    buf_addc(out, '\n');
}

static void add_server(const struct database_report *r, struct buf *out)
{
    add_label(out, "server");
    buf_adds(out, "PostgreSQL ");
    add_foreign(out, r->server_version ? r->server_version : "(version unknown)");
    if (r->host && *r->host) {
        bool brackets = strchr(r->host, ':') && r->host[0] != '/';
        buf_adds(out, brackets ? " at [" : " at ");
        add_foreign(out, r->host);
        buf_adds(out, brackets ? "]:" : ":");
        add_foreign(out, r->port ? r->port : "");
    }
    buf_addc(out, '\n');
}

static const char *tls_word(const struct database_report *r)
{
    if (!r->tls)
        return "off";
    return r->tls_version ? r->tls_version : "on";
}

/* Rights are looked at before something is made, and may be others behind it. */
static void add_rights(const struct database_report *r, struct buf *out)
{
    for (size_t i = 0; !r->created && r->rights && r->rights[i]; i++)
        add_line(out, i ? "" : "rights", r->rights[i]);
}

void verify_write_text(const struct database_report *r, struct buf *out)
{
    add_server(r, out);
    add_line(out, "database", r->database);
    add_line(out, "role", r->user);
    add_rights(r, out);
    add_line(out, "tls", tls_word(r));
    if (r->read_only)
        add_line(out, "session",
                 r->in_recovery ? "read-only: the server is a standby"
                                : "read-only (default_transaction_read_only)");
    add_line(out, "state", r->state_known ? state_word(r->state) : "not known");
    add_line(out, "why", r->why);
    add_list_line(out, "heads", r->heads);
    add_list_line(out, "stamped", r->stamped);
    add_label(out, "tables");
    buf_addf(out, "%zu\n", r->table_count);
    add_list_line(out, "missing", r->missing);
    add_line(out, "hint", r->hint);
}

void bootstrap_write_text(const struct database_report *r, struct buf *out)
{
    add_label(out, "bootstrap");
    if (r->created && r->by_command)
        buf_adds(out, "made it: create.command, and the stamp behind it in a transaction, in ");
    else if (r->created)
        buf_addf(out, "made it: %zu statement%s, one transaction, in ", r->statements,
                 r->statements == 1 ? "" : "s");
    else if (r->state_known && r->state == STATE_CURRENT && r->state_before != STATE_CURRENT)
        buf_adds(out, "current now, in ");
    else
        buf_adds(out, "nothing to do, in ");
    str_add_duration(out, r->duration_ms);
    if (r->waited_ms > 0) {
        buf_adds(out, ", of which waited ");
        str_add_duration(out, r->waited_ms);
    }
    buf_adds(out, r->verified ? "; read back from a new connection\n" : "\n");
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
