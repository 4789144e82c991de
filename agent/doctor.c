/* doctor.c: the findings of `agent doctor`, and the time that each part has. */
#include "agent/doctor.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/redact.h"
#include "base/str.h"

enum { CLEAN_BYTES = 4 * DOCTOR_TEXT_BYTES }; /* each byte of it may become \xHH */

void doctor_release(struct doctor *d)
{
    job_release(&d->job);
    arena_release(&d->arena);
    free(d->list);
}

void doctor_part(struct doctor *d, int64_t ms)
{
    int64_t half = clock_left_ms(d->deadline_ms) / 2;

    d->bounded.deadline_ms = clock_in_ms(ms < half ? ms : half);
}

/* Line by line: a hint has several, and each stays one. */
static void add_clean(const char *text, struct buf *out)
{
    AUTO_BUF hidden = BUF_INIT(CLEAN_BYTES);

    redact_add(&hidden, text, strlen(text));
    const char *line = buf_text(&hidden);
    for (;;) {
        size_t length = strcspn(line, "\n");
        str_add_sanitised(out, line, length);
        if (!line[length] || !line[length + 1])
            return;
        buf_addc(out, '\n');
        line += length + 1;
    }
}

/* TEXT for people, in the arena. NULL: no memory, or it is too long, which is the same to who reads it. */
static const char *keep(struct doctor *d, const char *text)
{
    AUTO_BUF clean = BUF_INIT(CLEAN_BYTES);

    add_clean(text, &clean);
    const char *kept = clean.no_memory || clean.too_long ? NULL
                                                         : arena_dup(&d->arena, buf_text(&clean));
    d->no_memory = d->no_memory || !kept;
    return kept;
}

/* Two parts may come upon the same thing. */
static bool was_said(const struct doctor *d, const struct doctor_finding *finding)
{
    for (size_t i = 0; i < d->count; i++)
        if (d->list[i].severity == finding->severity &&
            str_eq(d->list[i].subject, finding->subject) &&
            str_eq(d->list[i].message, finding->message))
            return true;
    return false;
}

static void add(struct doctor *d, enum doctor_severity severity, const char *subject,
                const char *message, const char *hint)
{
    struct doctor_finding finding = {
        .severity = severity,
        .subject = keep(d, subject),
        .message = keep(d, message),
        .hint = hint && *hint ? keep(d, hint) : NULL,
    };

    if (!finding.subject || !finding.message ||
        mem_grow(&d->list, d->count, &d->capacity, sizeof(*d->list)) != 0) {
        d->no_memory = true;
        return;
    }
    if (was_said(d, &finding))
        return;
    d->list[d->count++] = finding;
    d->errors += severity == DOCTOR_ERROR;
    d->warnings += severity == DOCTOR_WARNING;
}

void doctor_say(struct doctor *d, enum doctor_severity severity, const char *subject,
                const char *hint, const char *format, ...)
{
    AUTO_BUF message = BUF_INIT(DOCTOR_TEXT_BYTES);
    va_list args;

    va_start(args, format);
    buf_addv(&message, format, args);
    va_end(args);
    d->no_memory = d->no_memory || message.no_memory;
    add(d, severity, subject, buf_text(&message), hint);
}

void doctor_say_err(struct doctor *d, enum doctor_severity severity, const char *subject,
                    const struct err *err)
{
    add(d, severity, subject, err->text, err->hint);
}

/* A check sorts the job's list, so there is no place in it from which on they are new. */
bool doctor_take_findings(struct doctor *d)
{
    const struct findings *from = &d->job.findings;
    bool has_more = from->errors > d->taken_errors;

    for (size_t i = 0; i < from->count; i++) {
        const struct finding *finding = &from->list[i];
        AUTO_BUF hint = BUF_INIT(DOCTOR_TEXT_BYTES);
        buf_adds(&hint, finding->hint ? finding->hint : "");
        if (finding->file && finding->line > 0)
            buf_addf(&hint, "%s%s:%u:%u", hint.len > 0 ? "\n" : "", finding->file, finding->line,
                     finding->column);
        doctor_say(d, finding->severity == FINDING_ERROR ? DOCTOR_ERROR : DOCTOR_WARNING,
                   finding->variable ? finding->variable : "contract", buf_text(&hint), "%s",
                   finding->message);
    }
    d->taken_errors = from->errors;
    d->no_memory = d->no_memory || from->no_memory;
    return has_more;
}

bool doctor_uses(const struct doctor *d, enum ref_kind kind)
{
    for (size_t i = 0; d->loaded && i < d->job.contract->variable_count; i++)
        for (size_t k = 0; k < d->job.contract->variables[i].part_count; k++)
            if (d->job.contract->variables[i].parts[k].ref.kind == kind)
                return true;
    return false;
}

/* ---- written ---------------------------------------------------------------------------------------- */

static const struct {
    const char *line, *json, *color;
} words[] = {
    [DOCTOR_OK] = {"ok   ", "ok", "\033[32m"},
    [DOCTOR_WARNING] = {"warn ", "warning", "\033[33m"},
    [DOCTOR_ERROR] = {"error", "error", "\033[31m"},
};

static void add_hint(const char *hint, struct buf *out)
{
    while (hint && *hint) {
        size_t length = strcspn(hint, "\n");
        buf_adds(out, "        ");
        buf_add(out, hint, length);
        buf_addc(out, '\n');
        hint += length + (hint[length] != '\0');
    }
}

void doctor_write_text(const struct doctor *d, bool color, struct buf *out)
{
    for (size_t i = 0; i < d->count; i++) {
        const struct doctor_finding *finding = &d->list[i];
        buf_addf(out, "%s%s%s %s: %s\n", color ? words[finding->severity].color : "",
                 words[finding->severity].line, color ? "\033[0m" : "", finding->subject,
                 finding->message);
        add_hint(finding->hint, out);
    }
    buf_addf(out, "%zu error%s, %zu warning%s\n", d->errors, d->errors == 1 ? "" : "s", d->warnings,
             d->warnings == 1 ? "" : "s");
}

void doctor_write_json(const struct doctor *d, struct json *json)
{
    json_begin_array(json, "findings");
    for (size_t i = 0; i < d->count; i++) {
        json_begin_object(json, NULL);
        json_add_string(json, "subject", d->list[i].subject);
        json_add_string(json, "severity", words[d->list[i].severity].json);
        json_add_string(json, "message", d->list[i].message);
        json_add_string(json, "hint", d->list[i].hint);
        json_end_object(json);
    }
    json_end_array(json);
}
