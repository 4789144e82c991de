/* rotate_show.c: receipts, status, history, plans as text and JSON. No value is in any of them. */
#include "agent/rotate.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
#include "base/str.h"

enum { MS = 1000 };

static const char *const ending_words[] = {
    [ROTATE_ENDED_DONE] = "done",
    [ROTATE_ENDED_SOAKING] = "soaking",
    [ROTATE_ENDED_NOTHING] = "nothing",
    [ROTATE_ENDED_UNDONE] = "undone",
    [ROTATE_ENDED_WITH_WARNINGS] = "warnings",
    [ROTATE_ENDED_OPEN] = "open",
};

static int code_of(const struct err *err)
{
    return err->kind == ERR_STOPPED ? STOP_EXIT_BASE + stop_signal() : err_exit_code(err->kind);
}

/* A time where it is known, else null. */
static void add_time(struct json *json, const char *key, int64_t unix_seconds)
{
    char text[CLOCK_RFC3339_BYTES];

    clock_rfc3339(unix_seconds, text);
    json_add_string(json, key, unix_seconds > 0 ? text : NULL);
}

static void add_text(struct json *json, const char *key, const char *text)
{
    json_add_string(json, key, *text ? text : NULL);
}

static void add_error(struct json *json, const struct err *err)
{
    if (err->kind == ERR_NONE)
        json_add_string(json, "error", NULL);
    else
        json_add_error(json, err, code_of(err));
}

/* ---- what was done ---------------------------------------------------------------------------------- */

static void add_warnings(struct json *json, const struct buf *warnings)
{
    const char *line = buf_text(warnings);

    json_begin_array(json, "warnings");
    for (const char *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
        json_add_string_n(json, NULL, line, (size_t)(end - line));
    json_end_array(json);
}

/* BY: who we are; where somebody else holds it, that is said instead. */
static void add_result(struct json *json, const struct rotate_result *result, const char *by)
{
    json_begin_object(json, NULL);
    json_add_string(json, "name", result->variable);
    json_add_bool(json, "ok", result->err.kind == ERR_NONE);
    json_add_string(json, "ending", ending_words[result->ending]);
    json_add_string(json, "step", rotate_step_word(result->step));
    json_add_int(json, "duration_ms", result->duration_ms);
    add_text(json, "id", result->id);
    add_text(json, "by", *result->by ? result->by : by);
    add_text(json, "started", result->started);
    add_time(json, "soak_until", result->soak_until);
    if (result->gap_ms >= 0)
        json_add_int(json, "gap_ms", result->gap_ms);
    json_add_int(json, "sessions", result->sessions);
    add_warnings(json, &result->warnings);
    add_error(json, &result->err);
    json_end_object(json);
}

static const char *what_became(const struct rotate_result *result)
{
    switch (result->ending) {
    case ROTATE_ENDED_DONE: /* of --init, where a value is there already */
        return *result->id ? "rotated" : "all that it needs is there";
    case ROTATE_ENDED_SOAKING:
        return "rotated, and both work until grace is over";
    case ROTATE_ENDED_NOTHING:
        return "nothing was open";
    case ROTATE_ENDED_UNDONE:
        return result->err.kind == ERR_NONE ? "as it was before" : "not rotated";
    case ROTATE_ENDED_WITH_WARNINGS:
        return "rotated, and something is left";
    case ROTATE_ENDED_OPEN:
        return "open";
    }
    return "?";
}

static void add_warning_lines(struct buf *out, const struct buf *warnings)
{
    const char *line = buf_text(warnings);

    for (const char *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
        buf_addf(out, "  warning: %.*s\n", (int)(end - line), line);
}

static void add_receipt(struct buf *out, const struct rotate_result *result)
{
    char until[CLOCK_RFC3339_BYTES];

    buf_addf(out, "%s: %s", result->variable, what_became(result));
    if (result->ending == ROTATE_ENDED_OPEN)
        buf_addf(out, " at the step '%s'", rotate_step_word(result->step));
    buf_adds(out, ", in ");
    str_add_duration(out, result->duration_ms);
    if (*result->id)
        buf_addf(out, ", id %s", result->id);
    buf_addc(out, '\n');
    if (result->soak_until > 0) {
        clock_rfc3339(result->soak_until, until);
        buf_addf(out, "  grace ends %s; the next run goes on from there\n", until);
    }
    if (result->gap_ms >= 0)
        buf_addf(out,
                 "  new connections with the former failed for %lld ms before the next was "
                 "current\n",
                 (long long)result->gap_ms);
    add_warning_lines(out, &result->warnings);
    if (result->sessions > 0)
        buf_addf(out, "  %u session%s outlived the login\n", result->sessions,
                 result->sessions == 1 ? "" : "s");
}

/* A failure is said on stderr, each by itself. */
static void say_failures(const struct rotate_result *results, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (results[i].err.kind != ERR_NONE)
            log_err(&results[i].err, code_of(&results[i].err));
}

int rotate_show_results(const struct rotate_job *r, const struct rotate_result *results,
                        size_t count, const struct err *first, int exit_code)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);

    say_failures(results, count);
    if (!r->job->call->common.json) {
        for (size_t i = 0; i < count; i++)
            add_receipt(&out, &results[i]);
        if (count == 0)
            buf_addf(&out, "nothing is %s\n", r->options->resume ? "open" : "due");
        return text_print(&out, exit_code);
    }
    struct json json = JSON_INIT(&out);
    document_begin(&json, "rotate", exit_code == 0);
    json_begin_array(&json, "rotated");
    for (size_t i = 0; i < count; i++)
        add_result(&json, &results[i], r->by);
    json_end_array(&json);
    if (exit_code != 0)
        json_add_error(&json, first, exit_code);
    return document_print(&json, exit_code);
}

/* ---- status ----------------------------------------------------------------------------------------- */

static int64_t age_of(const struct rotate_status *status)
{
    int64_t age = clock_unix_seconds() - status->last_rotated;

    return status->last_rotated > 0 && age > 0 ? age : 0;
}

static const char *since_of(const struct rotate_status *status)
{
    return status->last_rotated == 0 ? NULL : status->since_created ? "created_time" : "rotation";
}

static void add_status(struct json *json, const struct rotate_spec *spec,
                       const struct rotate_status *status)
{
    json_begin_object(json, NULL);
    json_add_string(json, "name", spec->variable);
    json_add_string(json, "strategy", rotate_strategy_word(spec->strategy));
    json_add_string(json, "state", rotate_state_word(status->state));
    json_add_string(json, "step",
                    status->step == ROTATE_IDLE ? NULL : rotate_step_word(status->step));
    add_time(json, "last_rotated", status->last_rotated);
    json_add_string(json, "since", since_of(status));
    if (status->last_rotated > 0)
        json_add_int(json, "age_s", age_of(status));
    else
        json_add_string(json, "age_s", NULL);
    if (spec->every_ms > 0)
        json_add_int(json, "every_s", spec->every_ms / MS);
    else
        json_add_string(json, "every_s", NULL);
    add_time(json, "due", status->due);
    add_time(json, "soak_until", status->soak_until);
    add_text(json, "by", status->by);
    add_text(json, "started", status->started);
    add_text(json, "id", status->id);
    add_error(json, &status->err);
    json_end_object(json);
}

static void add_strays(struct json *json, const struct rotate_strays *strays)
{
    json_begin_array(json, "strays");
    for (size_t i = 0; i < strays->count; i++) {
        const struct rotate_stray *stray = &strays->list[i];
        json_begin_object(json, NULL);
        json_add_string(json, "name", stray->variable);
        json_add_string(json, "record", stray->place);
        json_add_string(json, "step",
                        stray->status.step == ROTATE_IDLE ? NULL
                                                          : rotate_step_word(stray->status.step));
        add_text(json, "by", stray->status.by);
        add_text(json, "started", stray->status.started);
        add_error(json, &stray->status.err);
        json_end_object(json);
    }
    json_end_array(json);
}

/* A row's texts, so that the columns can be as wide as they have to be. */
enum column { NAME, STATE, STEP, LAST, AGE, EVERY, DUE, STRATEGY, COLUMN_COUNT };
static const char *const titles[COLUMN_COUNT] = {"secret", "state", "step", "last rotated",
                                                 "age",    "every", "due",  "strategy"};
enum { CELL_BYTES = 256 };

static void put_time(char *out, int64_t unix_seconds)
{
    if (unix_seconds > 0)
        clock_rfc3339(unix_seconds, out);
}

/* In days where there are some: an age of months in seconds says nothing. */
static void put_age(char *out, int64_t seconds, const char *mark)
{
    AUTO_BUF text = BUF_INIT(CELL_BYTES);
    int64_t day = 86400, hour = 3600;

    if (seconds >= 2 * day)
        seconds -= seconds % day;
    else if (seconds >= 2 * hour)
        seconds -= seconds % hour;
    str_add_duration(&text, seconds * MS);
    (void)snprintf(out, CELL_BYTES, "%s%s", buf_text(&text), mark);
}

static void put_cells(const struct rotate_spec *spec, const struct rotate_status *status,
                      char cells[static COLUMN_COUNT][CELL_BYTES])
{
    AUTO_BUF every = BUF_INIT(CELL_BYTES);

    for (size_t i = 0; i < COLUMN_COUNT; i++)
        (void)snprintf(cells[i], CELL_BYTES, "-");
    (void)snprintf(cells[NAME], CELL_BYTES, "%s", spec->variable);
    (void)snprintf(cells[STATE], CELL_BYTES, "%s", rotate_state_word(status->state));
    (void)snprintf(cells[STRATEGY], CELL_BYTES, "%s", rotate_strategy_word(spec->strategy));
    if (status->step != ROTATE_IDLE)
        (void)snprintf(cells[STEP], CELL_BYTES, "%s", rotate_step_word(status->step));
    put_time(cells[LAST], status->last_rotated);
    put_time(cells[DUE], status->due);
    if (status->last_rotated > 0)
        put_age(cells[AGE], age_of(status), status->since_created ? " *" : "");
    str_add_duration(&every, spec->every_ms);
    if (spec->every_ms > 0)
        (void)snprintf(cells[EVERY], CELL_BYTES, "%s", buf_text(&every));
}

static void add_row(struct buf *out, const char *const *cells, const size_t *widths)
{
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        buf_addf(out, "%s%-*s", i > 0 ? "  " : "", i + 1 < COLUMN_COUNT ? (int)widths[i] : 0,
                 cells[i]);
    buf_addc(out, '\n');
}

static void write_table(const struct rotate_job *r, const struct rotate_status *status,
                        struct buf *out)
{
    char cells[COLUMN_COUNT][CELL_BYTES];
    const char *row[COLUMN_COUNT];
    size_t widths[COLUMN_COUNT];
    bool created = false;

    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        widths[i] = strlen(titles[i]);
        row[i] = cells[i];
    }
    for (size_t i = 0; i < r->count; i++) {
        put_cells(&r->specs[i], &status[i], cells);
        for (size_t k = 0; k < COLUMN_COUNT; k++)
            widths[k] = strlen(cells[k]) > widths[k] ? strlen(cells[k]) : widths[k];
        created = created || status[i].since_created;
    }
    add_row(out, titles, widths);
    for (size_t i = 0; i < r->count; i++) {
        put_cells(&r->specs[i], &status[i], cells);
        add_row(out, row, widths);
    }
    if (created)
        buf_adds(out, "* agent never rotated it: the age is that of the value in Vault\n");
}

int rotate_show_status(const struct rotate_job *r, const struct rotate_status *status,
                       const struct err *first, int exit_code)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);

    for (size_t i = 0; i < r->count; i++)
        if (status[i].err.kind != ERR_NONE)
            log_line(LOG_WARN, status[i].err.text, "variable", r->specs[i].variable, "hint",
                     *status[i].err.hint ? status[i].err.hint : NULL, NULL);
    if (!r->job->call->common.json) {
        write_table(r, status, &out);
        return text_print(&out, exit_code);
    }
    struct json json = JSON_INIT(&out);
    document_begin(&json, "rotate", exit_code == 0);
    json_begin_array(&json, "secrets");
    for (size_t i = 0; i < r->count; i++)
        add_status(&json, &r->specs[i], &status[i]);
    json_end_array(&json);
    add_strays(&json, &r->strays);
    if (exit_code != 0)
        json_add_error(&json, first, exit_code);
    return document_print(&json, exit_code);
}

/* ---- history ---------------------------------------------------------------------------------------- */

static void add_history(struct json *json, const struct rotate_receipt *receipt)
{
    json_begin_object(json, NULL);
    json_add_string(json, "id", receipt->id);
    json_add_string(json, "at", receipt->at);
    json_add_string(json, "by", receipt->by);
    json_add_string(json, "strategy", receipt->strategy);
    json_add_string(json, "result", receipt->result);
    json_add_string(json, "reason", receipt->reason);
    json_add_int(json, "duration_ms", receipt->duration_ms);
    json_end_object(json);
}

int rotate_show_history(const struct rotate_job *r, const struct rotate_receipt *receipts,
                        size_t count)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);

    if (r->job->call->common.json) {
        struct json json = JSON_INIT(&out);
        document_begin(&json, "rotate", true);
        json_add_string(&json, "name", r->specs[0].variable);
        json_begin_array(&json, "history");
        for (size_t i = 0; i < count; i++)
            add_history(&json, &receipts[i]);
        json_end_array(&json);
        return document_print(&json, 0);
    }
    for (size_t i = 0; i < count; i++) {
        const struct rotate_receipt *receipt = &receipts[i];
        buf_addf(&out, "%s  %-11s  %s  in ", receipt->at, receipt->result, receipt->strategy);
        str_add_duration(&out, receipt->duration_ms);
        buf_adds(&out, "  by ");
        str_add_sanitised(&out, receipt->by, strlen(receipt->by));
        if (*receipt->reason) {
            buf_adds(&out, "  because: ");
            str_add_sanitised(&out, receipt->reason, strlen(receipt->reason));
        }
        buf_addf(&out, "  id %s\n", receipt->id);
    }
    if (count == 0)
        buf_addf(&out, "%s was never rotated by agent\n", r->specs[0].variable);
    return text_print(&out, 0);
}

/* ---- plans ------------------------------------------------------------------------------------------ */

int rotate_show_plan(const struct rotate_job *r, const struct buf *text, bool ready)
{
    int code = ready ? 0 : err_exit_code(ERR_VIOLATION);
    struct err err = ERR_INIT;

    if (!ready)
        (void)err_set(&err, ERR_VIOLATION, "something stands in the way: see the plan");
    if (!r->job->call->common.json) {
        int printed = text_print(text, code);
        if (!ready)
            command_say_error(&err);
        return printed;
    }
    AUTO_BUF out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct json json = JSON_INIT(&out);
    document_begin(&json, "rotate", ready);
    json_add_string(&json, "plan", buf_text(text));
    if (!ready)
        json_add_error(&json, &err, code);
    return document_print(&json, code);
}
