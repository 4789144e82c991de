/* envcontract/report.c: findings as text for people and as JSON for machines. */
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "envcontract/internal.h"

enum {
    NAME_COLUMN_MAX = 32, /* a longer name gets a line of its own width */
    GAP = 2,              /* blanks between columns */
};

#define COLOR_ERROR   "\033[31m"
#define COLOR_WARNING "\033[33m"
#define COLOR_NAME    "\033[1m"
#define COLOR_FAINT   "\033[2m"
#define COLOR_END     "\033[0m"

struct report {
    const struct findings *findings;
    bool color;
    size_t name_width, rule_width;
    struct buf *out;
};

static const char *severity_word(enum finding_severity severity)
{
    return severity == FINDING_ERROR ? "error" : "warning";
}

/* contract.json:31:5 */
static void add_place(struct buf *out, const struct finding *finding)
{
    if (!finding->file)
        return;
    str_add_sanitised(out, finding->file, strlen(finding->file));
    if (finding->line > 0)
        buf_addf(out, ":%u", finding->line);
    if (finding->line > 0 && finding->column > 0)
        buf_addf(out, ":%u", finding->column);
}

static void add_color(struct report *r, const char *sequence)
{
    if (r->color)
        buf_adds(r->out, sequence);
}

/* TEXT in a column of WIDTH characters, a gap behind it. */
static void add_cell(struct report *r, const char *sequence, const char *text, size_t width)
{
    add_color(r, sequence);
    size_t from = r->out->len;
    str_add_sanitised(r->out, text, strlen(text));
    size_t used = shape_characters(buf_text(r->out) + from, r->out->len - from);
    add_color(r, sequence[0] ? COLOR_END : "");
    for (size_t i = used < width ? used : width; i < width + GAP; i++)
        buf_addc(r->out, ' ');
}

static void measure(struct report *r)
{
    for (size_t i = 0; i < r->findings->count; i++) {
        const struct finding *finding = &r->findings->list[i];
        size_t name = finding->variable ? strlen(finding->variable) : 0;
        size_t rule = strlen(finding->rule);
        if (name <= NAME_COLUMN_MAX && name > r->name_width)
            r->name_width = name;
        if (rule > r->rule_width)
            r->rule_width = rule;
    }
}

/* Whether it belongs under the name that the line before has shown. */
static bool is_same_group(const struct finding *a, const struct finding *b)
{
    return a->variable && b->variable && strcmp(a->variable, b->variable) == 0;
}

static bool is_same_place(const struct finding *a, const struct finding *b)
{
    return str_eq(a->file, b->file) && a->line == b->line && a->column == b->column;
}

/* BEFORE: the finding above it, or NULL. */
static void add_finding(struct report *r, const struct finding *finding,
                        const struct finding *before)
{
    bool same_group = before && is_same_group(before, finding);
    size_t severity_width = sizeof "warning" - 1;
    const char *nobody = r->name_width > 0 ? "-" : ""; /* an empty cell is the name above */
    add_cell(r, same_group || !finding->variable ? "" : COLOR_NAME,
             same_group          ? ""
             : finding->variable ? finding->variable
                                 : nobody,
             r->name_width);
    add_cell(r, finding->severity == FINDING_ERROR ? COLOR_ERROR : COLOR_WARNING,
             severity_word(finding->severity), severity_width);
    add_cell(r, "", finding->rule, r->rule_width);
    str_add_sanitised(r->out, finding->message, strlen(finding->message));
    if (finding->file && !(same_group && is_same_place(before, finding))) {
        add_color(r, COLOR_FAINT);
        buf_adds(r->out, "  (");
        add_place(r->out, finding);
        buf_adds(r->out, ")");
        add_color(r, COLOR_END);
    }
    buf_addc(r->out, '\n');
    if (!finding->hint)
        return;
    size_t indent = r->name_width + severity_width + r->rule_width + (size_t)(3 * GAP);
    for (size_t i = 0; i < indent; i++)
        buf_addc(r->out, ' ');
    add_color(r, COLOR_FAINT);
    str_add_sanitised(r->out, finding->hint, strlen(finding->hint));
    add_color(r, COLOR_END);
    buf_addc(r->out, '\n');
}

static void add_count(struct buf *out, size_t count, const char *what)
{
    buf_addf(out, "%zu %s%s", count, what, count == 1 ? "" : "s");
}

/* Those of a severity, in their order: what has to be mended is not to be looked for. */
static void add_findings(struct report *r, enum finding_severity severity)
{
    const struct finding *before = NULL;

    for (size_t i = 0; i < r->findings->count; i++) {
        const struct finding *finding = &r->findings->list[i];
        if (finding->severity != severity)
            continue;
        add_finding(r, finding, before);
        before = finding;
    }
}

void findings_write_text(const struct findings *f, bool color, struct buf *out)
{
    struct report r = {.findings = f, .color = color, .out = out};
    measure(&r);
    add_findings(&r, FINDING_ERROR);
    add_findings(&r, FINDING_WARNING);

    if (f->count == 0) {
        buf_adds(out, "no problems\n");
        return;
    }
    add_count(out, f->errors, "error");
    buf_adds(out, ", ");
    add_count(out, f->warnings, "warning");
    buf_addc(out, '\n');
}

void findings_write_json(const struct findings *f, const char *profile, size_t checked,
                         struct json *json)
{
    json_add_string(json, "profile", profile);
    json_add_int(json, "checked", (int64_t)checked);
    json_begin_array(json, "problems");
    for (size_t i = 0; i < f->count; i++) {
        const struct finding *finding = &f->list[i];
        json_begin_object(json, NULL);
        json_add_string(json, "variable", finding->variable);
        json_add_string(json, "rule", finding->rule);
        json_add_string(json, "severity", severity_word(finding->severity));
        json_add_string(json, "message", finding->message);
        json_add_string(json, "hint", finding->hint);
        json_add_string(json, "file", finding->file);
        if (finding->line > 0)
            json_add_int(json, "line", finding->line);
        else
            json_add_string(json, "line", NULL);
        json_add_string(json, "pointer", finding->pointer);
        json_end_object(json);
    }
    json_end_array(json);
}
