/* envcontract/findings.c: the list of what is wrong, in an arena of its own. */
#include "envcontract/internal.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum { MESSAGE_BYTES = 1024 }; /* beyond it a message is cut */

static const char *keep(struct findings *f, const char *text)
{
    if (!text)
        return NULL;
    const char *copy = arena_dup(&f->arena, text);
    if (!copy)
        f->no_memory = true;
    f->text_bytes += strlen(text) + 1;
    return copy;
}

/* Of a text that each finding has: without memory another one, so that showing it needs no look. */
static const char *keep_always(struct findings *f, const char *text)
{
    const char *copy = keep(f, text);
    return copy ? copy : "no memory is left to say what";
}

/* Most findings are of the same file as the one before: its name is kept once. */
static const char *keep_file(struct findings *f, const char *file)
{
    if (file && f->count > 0 && str_eq(f->list[f->count - 1].file, file))
        return f->list[f->count - 1].file;
    return keep(f, file);
}

static void append(struct findings *f, const struct finding *finding)
{
    if (mem_grow(&f->list, f->count, &f->capacity, sizeof *f->list) != 0) {
        f->no_memory = true;
        return;
    }
    f->list[f->count] = (struct finding){
        .severity = finding->severity,
        .variable = keep(f, finding->variable),
        .rule = keep_always(f, finding->rule),
        .message = keep_always(f, finding->message),
        .hint = keep(f, finding->hint),
        .file = keep_file(f, finding->file),
        .pointer = keep(f, finding->pointer),
        .line = finding->line,
        .column = finding->column,
    };
    f->count++;
}

static bool is_beyond(const struct findings *f, size_t count)
{
    return count > FINDINGS_SHOWN || f->text_bytes > FINDINGS_TEXT_BYTES;
}

bool findings_are_full(const struct findings *f)
{
    return is_beyond(f, f->errors);
}

void findings_add(struct findings *f, const struct finding *finding)
{
    bool error = finding->severity == FINDING_ERROR;
    size_t *count = error ? &f->errors : &f->warnings;

    ++*count; /* also when there is no memory to say which: it must not pass for none */
    if (!is_beyond(f, *count)) {
        append(f, finding);
        return;
    }
    bool *said = error ? &f->errors_ended : &f->warnings_ended;
    if (*said)
        return;
    *said = true;
    append(f,
           &(struct finding){
               .severity = finding->severity,
               .rule = "contract",
               .message = error ? "there are too many errors: what is beyond these is not shown"
                                : "there are too many warnings: what is beyond these is not shown",
               .hint = "Mend these first.",
               .file = finding->file,
           });
}

void findings_addv(struct findings *findings, enum finding_severity severity, const char *variable,
                   const char *rule, const struct contract_position *position, const char *hint,
                   const char *format, va_list args)
{
    char message[MESSAGE_BYTES];
    struct finding finding = {
        .severity = severity,
        .variable = variable,
        .rule = rule,
        .message = message,
        .hint = hint && hint[0] ? hint : NULL,
    };

    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): each caller has begun it */
    int length = vsnprintf(message, sizeof message, format, args);
    if (length < 0)
        finding.message = format; /* no memory for it: better than nothing */
    else if ((size_t)length >= sizeof message)
        memcpy(message + sizeof message - sizeof "...", "...", sizeof "...");
    if (position) {
        finding.file = position->file;
        finding.pointer = position->pointer;
        finding.line = position->line;
        finding.column = position->column;
    }
    findings_add(findings, &finding);
}

void findings_addf(struct findings *findings, enum finding_severity severity, const char *variable,
                   const char *rule, const struct contract_position *position, const char *hint,
                   const char *format, ...)
{
    va_list args;

    va_start(args, format);
    findings_addv(findings, severity, variable, rule, position, hint, format, args);
    va_end(args);
}

/* A finding with what it is sorted by. */
struct ranked {
    struct finding finding;
    size_t file; /* where its file was first named; files are few */
    size_t added;
};

static int compare_number(size_t a, size_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_ranked(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    bool a_placed = a->finding.line > 0, b_placed = b->finding.line > 0;

    if (a_placed != b_placed)
        return a_placed ? -1 : 1;
    int order = a_placed ? compare_number(a->file, b->file) : 0;
    if (order == 0)
        order = compare_number(a->finding.line, b->finding.line);
    if (order == 0)
        order = compare_number(a->finding.column, b->finding.column);
    return order != 0 ? order : compare_number(a->added, b->added);
}

/* The rank of FILE among the first SEEN entries of RANKED, else a new one. keep_file() shares names
 * in a row, so looking back by pointer first makes this linear in practice. */
static size_t file_rank(const struct ranked *ranked, size_t seen, const char *file, size_t *files)
{
    if (seen > 0 && ranked[seen - 1].finding.file == file)
        return ranked[seen - 1].file;
    for (size_t i = 0; i < seen; i++) {
        if (str_eq(ranked[i].finding.file, file))
            return ranked[i].file;
    }
    return (*files)++;
}

void findings_sort(struct findings *findings)
{
    if (findings->count < 2)
        return;
    AUTO_FREE struct ranked *ranked = mem_new(findings->count, sizeof *ranked);
    if (!ranked)
        return; /* unsorted, but whole: order is a courtesy */

    size_t files = 0;
    for (size_t i = 0; i < findings->count; i++) {
        ranked[i].finding = findings->list[i];
        ranked[i].added = i;
        ranked[i].file = file_rank(ranked, i, findings->list[i].file, &files);
    }
    qsort(ranked, findings->count, sizeof *ranked, compare_ranked);
    for (size_t i = 0; i < findings->count; i++)
        findings->list[i] = ranked[i].finding;
}

int findings_check(const struct findings *findings, struct err *err)
{
    return findings->no_memory ? err_nomem(err) : 0;
}

void findings_release(struct findings *f)
{
    arena_release(&f->arena);
    free(f->list);
    *f = FINDINGS_INIT;
}
