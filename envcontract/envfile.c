/* envcontract/envfile.c: an env file, read as docker, systemd and dotenv agree, and with a word
 * where they don't about where a value ends. (Nothing is said of quotes and blanks around it, which
 * docker keeps, nor of a backslash without quotes, which systemd drops: whoever has them knows who
 * is to read them.)
 *
 * Quotes are python-dotenv's, so that what `fetch --format dotenv` writes is read back: \\ and \'
 * are escapes within '...', and within "..." also \" \n \r \t \a \b \f \v; a line that ends in CR LF
 * ends in LF, there too. References (${NAME}) stay as they are: the check reports them as
 * unresolved. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "envcontract/internal.h"

#define RULE "env-file"

enum {
    ENTRIES_MAX = 200 * 1000, /* lines that set a name; no process is given so many */
    NAME_SHOWN_BYTES = 256,   /* a longer one is told by its line alone */
};

struct entry {
    const char *text; /* NAME=value */
    size_t name_length;
    unsigned line;
    size_t order;
    bool again; /* a later line sets the same name */
};

struct reader {
    const char *path;
    const char *line_start, *at, *end;
    unsigned line;
    struct arena *arena;
    struct findings *findings;
    struct entry *entries;
    size_t count, capacity;
};

static void reader_release(struct reader *r)
{
    free(r->entries);
}

/* What is found at WHERE in the current line. Value-free: the line is not shown. */
static void report(struct reader *r, enum finding_severity severity, const char *where,
                   const char *hint, const char *message)
{
    struct contract_position position = {
        .file = r->path, .line = r->line, .column = (unsigned)(where - r->line_start) + 1};
    findings_addf(r->findings, severity, NULL, RULE, &position, hint, "%s", message);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static bool is_name_byte(char c, bool first)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (!first && c >= '0' && c <= '9');
}

static void skip_blanks(struct reader *r)
{
    while (r->at < r->end && is_blank(*r->at))
        r->at++;
}

/* To the start of the next line. */
static void skip_line(struct reader *r)
{
    const char *feed = memchr(r->at, '\n', (size_t)(r->end - r->at));
    r->at = r->line_start = feed ? feed + 1 : r->end;
    r->line++;
}

static bool at_line_end(const struct reader *r)
{
    return r->at == r->end || *r->at == '\n';
}

/* `export` is a word only with a blank behind it: EXPORT=1 and export=1 are names. */
static void skip_export(struct reader *r)
{
    static const char word[] = "export";
    size_t length = sizeof word - 1;
    if ((size_t)(r->end - r->at) <= length || memcmp(r->at, word, length) != 0 ||
        !is_blank(r->at[length]))
        return;
    const char *back = r->at;
    r->at += length;
    skip_blanks(r);
    if (r->at < r->end && *r->at == '=')
        r->at = back;
}

/* NAME and its '='. NULL: reported. */
static const char *take_name(struct reader *r, size_t *length)
{
    const char *name = r->at;
    while (r->at < r->end && is_name_byte(*r->at, r->at == name))
        r->at++;
    *length = (size_t)(r->at - name);
    if (*length == 0) {
        report(r, FINDING_ERROR, name, NULL, "expected NAME=value: no name begins here");
        return NULL;
    }
    if (r->at < r->end && *r->at == '=') {
        r->at++;
        return name;
    }
    const char *stop = r->at;
    skip_blanks(r);
    if (r->at < r->end && *r->at == '=')
        report(r, FINDING_ERROR, stop, "docker refuses it.", "white space before the '='");
    else if (at_line_end(r))
        report(r, FINDING_ERROR, stop, NULL, "a name without '=' and a value");
    else
        report(r, FINDING_ERROR, stop, NULL, "a byte that no name has");
    return NULL;
}

static char unescape(char c, char quote)
{
    static const char letters[] = "abfnrtv", bytes[] = "\a\b\f\n\r\t\v";
    if (c == '\\' || c == '\'' || (quote == '"' && c == '"'))
        return c;
    const char *letter = quote == '"' ? strchr(letters, c) : NULL;
    return letter && c ? bytes[letter - letters] : '\0';
}

/* What python-dotenv alone ends a line at: a carriage return, from START on. What ends this line, a
 * line feed with or without one, does not count. */
static void report_return(struct reader *r, const char *start)
{
    const char *stop = memchr(start, '\n', (size_t)(r->end - start));

    for (stop = stop ? stop : r->end; stop > start && is_blank(stop[-1]);)
        stop--;
    const char *found = memchr(start, '\r', (size_t)(stop - start));
    if (found)
        report(r, FINDING_WARNING, found,
               "End lines in a line feed; between \"...\" it is written \\r.",
               "a carriage return within a line: the line's end to dotenv, not to docker and "
               "systemd; taken for a part of the line");
}

/* From behind the opening quote to behind the closing one. False: reported. */
static bool take_quoted(struct reader *r, char quote, struct buf *value)
{
    const char *open = r->at - 1;
    for (; r->at < r->end && *r->at != quote; r->at++) {
        char escaped = '\0';
        if (*r->at == '\\' && r->end - r->at > 1)
            escaped = unescape(r->at[1], quote);
        if (escaped)
            r->at++;
        if (!escaped && *r->at == '\r') { /* python-dotenv reads the file as text */
            escaped = '\n';
            r->at += r->end - r->at > 1 && r->at[1] == '\n';
        }
        buf_addc(value, escaped ? escaped : *r->at);
    }
    if (r->at == r->end) {
        report(r, FINDING_ERROR, open, NULL, "a quote that is not closed");
        r->at = open;
        return false;
    }
    for (const char *c = open; c < r->at; c++) {
        if (*c == '\n') {
            r->line++;
            r->line_start = c + 1;
        }
    }
    report_return(r, ++r->at);
    skip_blanks(r);
    if (at_line_end(r) || *r->at == '#')
        return true;
    report(r, FINDING_ERROR, r->at, NULL, "text behind the closing quote");
    return false;
}

static void take_plain(struct reader *r, struct buf *value)
{
    const char *start = r->at, *stop = r->at;
    for (; !at_line_end(r); r->at++) {
        if (*r->at == '#' && is_blank(r->at[-1])) { /* a '=' stands before it at least */
            report(r, FINDING_WARNING, r->at, "Quote the value, or give the comment its own line.",
                   "a '#' within a line: a comment to dotenv, part of the value to docker and "
                   "systemd; taken for a comment");
            break;
        }
        if (!is_blank(*r->at))
            stop = r->at + 1;
    }
    buf_add(value, start, (size_t)(stop - start));
}

static int keep(struct reader *r, const char *name, size_t name_length, unsigned line,
                const struct buf *value, struct err *err)
{
    if (r->count == ENTRIES_MAX) {
        (void)err_set(err, ERR_FILE, "more than %d lines set a name", ENTRIES_MAX);
        return err_hint(err, "No process can be given so many: is it the right file?");
    }
    if (mem_grow(&r->entries, r->count, &r->capacity, sizeof *r->entries) != 0)
        return err_nomem(err);
    char *text = arena_new(r->arena, name_length + 1 + value->len + 1, 1);
    if (!text)
        return err_nomem(err);
    memcpy(text, name, name_length);
    text[name_length] = '=';
    if (value->len > 0)
        memcpy(text + name_length + 1, value->data, value->len);
    r->entries[r->count] = (struct entry){
        .text = text, .name_length = name_length, .line = line, .order = r->count};
    r->count++;
    return 0;
}

/* One line, or several where a quoted value has them. */
static int take_line(struct reader *r, struct err *err)
{
    skip_blanks(r);
    if (at_line_end(r))
        return 0;
    if (*r->at == '#') {
        report_return(r, r->at);
        return 0;
    }
    skip_export(r);
    size_t name_length;
    unsigned line = r->line;
    const char *name = take_name(r, &name_length);
    if (!name)
        return 0;

    AUTO_BUF value = BUF_INIT(CONTRACT_ENV_FILE_MAX_BYTES);
    const char *behind = r->at;
    skip_blanks(r);
    if (r->at < r->end && (*r->at == '"' || *r->at == '\'')) {
        char quote = *r->at++;
        if (!take_quoted(r, quote, &value))
            return 0;
    } else {
        report_return(r, behind);
        take_plain(r, &value);
    }
    if (buf_check(&value, ERR_FILE, "a value", err) != 0)
        return -1;
    if (value.len > 0 && memchr(value.data, '\0', value.len)) {
        report(r, FINDING_ERROR, r->line_start, NULL, "a value with a NUL byte");
        return 0;
    }
    return keep(r, name, name_length, line, &value, err);
}

/* ---- names that are set twice --------------------------------------------------------------- */

static int compare_names(const struct entry *a, const struct entry *b)
{
    size_t shorter = a->name_length < b->name_length ? a->name_length : b->name_length;
    int order = memcmp(a->text, b->text, shorter);
    if (order != 0)
        return order;
    return (a->name_length > b->name_length) - (a->name_length < b->name_length);
}

static int by_name(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    int order = compare_names(a, b);
    return order != 0 ? order : (a->order > b->order) - (a->order < b->order);
}

static int by_order(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    return (a->order > b->order) - (a->order < b->order);
}

static void report_repeated(struct reader *r, const struct entry *entry, unsigned again)
{
    struct contract_position position = {.file = r->path, .line = again, .column = 1};
    char name[NAME_SHOWN_BYTES];

    (void)snprintf(name, sizeof name, "%.*s", (int)entry->name_length, entry->text);
    findings_addf(r->findings, FINDING_WARNING, entry->name_length < sizeof name ? name : NULL,
                  RULE, &position, NULL, "set again; line %u does not count", entry->line);
}

/* The last one counts, as it does for docker, systemd and dotenv. */
static void drop_repeated(struct reader *r)
{
    if (r->count < 2)
        return;
    qsort(r->entries, r->count, sizeof *r->entries, by_name);
    for (size_t i = 0; i + 1 < r->count; i++)
        r->entries[i].again = compare_names(&r->entries[i], &r->entries[i + 1]) == 0;
    for (size_t i = 0; i + 1 < r->count; i++)
        if (r->entries[i].again)
            report_repeated(r, &r->entries[i], r->entries[i + 1].line);
    qsort(r->entries, r->count, sizeof *r->entries, by_order);
}

/* What is left, in the order of the file. */
static int give_entries(const struct reader *r, const char *const **out,
                        struct envfile_lines *lines, struct err *err)
{
    const char **list = arena_new(r->arena, r->count + 1, sizeof *list);
    unsigned *line_of = arena_new(r->arena, r->count + 1, sizeof *line_of);
    size_t count = 0;

    if (!list || !line_of)
        return err_nomem(err);
    for (size_t i = 0; i < r->count; i++) {
        if (r->entries[i].again)
            continue;
        line_of[count] = r->entries[i].line;
        list[count++] = r->entries[i].text;
    }
    *lines = (struct envfile_lines){r->path, list, line_of, count};
    *out = list;
    return 0;
}

int envfile_read_lines(const char *path, int64_t deadline_ms, struct arena *arena,
                       const char *const **out, struct envfile_lines *lines,
                       struct findings *findings, struct err *err)
{
    static const char mark[] = "\xef\xbb\xbf"; /* some editors put it there */
    AUTO_BUF text = BUF_INIT(CONTRACT_ENV_FILE_MAX_BYTES);
    if (file_read_input(path, deadline_ms, &text, err) != 0)
        return -1;

    CLEANUP(reader_release)
    struct reader r = {.path = path, .line = 1, .arena = arena, .findings = findings};
    r.at = r.line_start = buf_text(&text);
    r.end = r.at + text.len;
    if (text.len >= sizeof mark - 1 && memcmp(r.at, mark, sizeof mark - 1) == 0)
        r.at = r.line_start = r.at + sizeof mark - 1;
    for (; r.at < r.end; skip_line(&r))
        if (take_line(&r, err) != 0)
            return err_wrap(err, "read '%s', line %u", path, r.line);
    drop_repeated(&r);

    if (findings_check(findings, err) != 0)
        return -1;
    return give_entries(&r, out, lines, err);
}

int envfile_read(const char *path, struct arena *arena, const char *const **out,
                 struct findings *findings, struct err *err)
{
    struct envfile_lines lines;

    return envfile_read_lines(path, CLOCK_NEVER, arena, out, &lines, findings, err);
}
