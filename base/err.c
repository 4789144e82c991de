/* base/err.c: error values, put together on the stack: nothing here allocates. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* What a format may make before sanitising; beyond it a text is cut unread. */
enum { RAW_BYTES = 2 * ERR_TEXT_BYTES };

#define NO_TEXT "the origin gave no text"
#define DOTS    "..."

enum { DOTS_BYTES = sizeof DOTS - 1 };

/* A line of text that is being written into an array of room + 1 bytes. */
struct line {
    char *out;
    size_t room, length;
    size_t keep; /* the longest prefix of whole characters that leaves room for the dots */
    bool cut;
};

static const struct {
    const char *word;
    int exit_code;
    bool try_again;
    const char *meaning;
} kinds[ERR_KIND_COUNT] = {
#define X(kind, word, code, again, meaning) [kind] = {word, code, again, meaning},
    ERR_KINDS(X)
#undef X
};

static void line_put(struct line *line, const char *piece, size_t length)
{
    if (line->cut || length > line->room - line->length) {
        line->cut = true;
        return;
    }
    memcpy(line->out + line->length, piece, length);
    line->length += length;
    if (line->length + DOTS_BYTES <= line->room)
        line->keep = line->length;
}

static void line_end(struct line *line)
{
    if (line->cut) {
        memcpy(line->out + line->keep, DOTS, DOTS_BYTES);
        line->length = line->keep + DOTS_BYTES;
    }
    line->out[line->length] = '\0';
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void line_sanitised(struct line *line, const char *bytes, size_t length)
{
    for (size_t at = 0; at < length && !line->cut;) {
        char piece[STR_PIECE_BYTES];
        size_t piece_length;
        at += str_sanitise_step(bytes + at, length - at, piece, &piece_length);
        line_put(line, piece, piece_length);
    }
}

/* White space with a line break in it, between two texts. Servers write "2 errors:\n\t* this\n\t*
 * that": a colon already separates. */
static void line_break(struct line *line)
{
    if (line->length == 0)
        return;
    char before = line->out[line->length - 1];
    bool separated = before == ':' || before == ';' || before == ',';
    line_put(line, separated ? " " : "; ", separated ? 1 : 2);
}

/* Several lines become one; white space at both ends is dropped. */
static void line_text(struct line *line, const char *bytes, size_t length)
{
    size_t begin = line->length;

    for (size_t at = 0; at < length && !line->cut;) {
        size_t end = at;
        bool breaks = false;
        while (end < length && is_space(bytes[end])) {
            breaks = breaks || bytes[end] == '\n' || bytes[end] == '\r';
            end++;
        }
        if (end == length)
            return;
        if (breaks && line->length > begin)
            line_break(line);
        else if (!breaks && line->length > begin)
            line_sanitised(line, bytes + at, end - at);
        at = end;
        while (end < length && !is_space(bytes[end]))
            end++;
        line_sanitised(line, bytes + at, end - at);
        at = end;
    }
}

/* LENGTH without a sequence that a fixed array has cut in two. */
static size_t whole_characters(const char *bytes, size_t length)
{
    size_t begin = length;
    while (begin > 0 && length - begin < 3 && (bytes[begin - 1] & 0xC0) == 0x80)
        begin--;
    if (begin > 0 && (bytes[begin - 1] & 0xC0) == 0xC0 &&
        str_utf8(bytes + begin - 1, length - begin + 1) == 0)
        return begin - 1;
    return length;
}

/* What was formatted does not stay on the stack: redact.c makes of a secret what an error would show. */
PRINTF(2, 0) static void line_format(struct line *line, const char *format, va_list args)
{
    char raw[RAW_BYTES];
    int length = vsnprintf(raw, sizeof raw, format, args);

    if (length < 0) { /* no memory for a wide number, a bad wide character: better than nothing */
        line_text(line, format, strlen(format));
    } else if ((size_t)length < sizeof raw) {
        line_text(line, raw, (size_t)length);
    } else {
        line_text(line, raw, whole_characters(raw, sizeof raw - 1));
        line->cut = true;
    }
    mem_wipe(raw, length > 0 && (size_t)length < sizeof raw ? (size_t)length : sizeof raw);
}

/* The error's text becomes "<formatted>: <cause>". Where both are too long for it the first is cut
 * to half, so that the cause, which is behind all wraps, stays. */
PRINTF(3, 0)
static void put_before(struct err *err, const char *cause, const char *format, va_list args)
{
    char text[ERR_TEXT_BYTES] = "";
    struct line line = {.out = text, .room = sizeof text / 2};

    line_format(&line, format, args);
    line_end(&line);
    line = (struct line){
        .out = text, .room = sizeof text - 1, .length = line.length, .keep = line.length};
    if (line.length > 0)
        line_put(&line, ": ", 2);
    size_t begin = line.length;
    line_text(&line, cause, strlen(cause));
    if (line.length == begin && !line.cut)
        line_put(&line, NO_TEXT, sizeof NO_TEXT - 1);
    line_end(&line);
    memcpy(err->text, text, line.length + 1);
}

/* An error of no kind would become the exit code 0. */
static enum err_kind some_kind(enum err_kind kind)
{
    return kind > ERR_NONE && kind < ERR_KIND_COUNT ? kind : ERR_DEFECT;
}

int err_set(struct err *err, enum err_kind kind, const char *format, ...)
{
    char text[ERR_TEXT_BYTES] = ""; /* the arguments may point into *err */
    struct line line = {.out = text, .room = sizeof text - 1};
    va_list args;

    va_start(args, format);
    line_format(&line, format, args);
    va_end(args);
    if (line.length == 0)
        line_put(&line, NO_TEXT, sizeof NO_TEXT - 1);
    line_end(&line);
    err_clear(err);
    err->kind = some_kind(kind);
    memcpy(err->text, text, line.length + 1);
    mem_wipe(text, line.length);
    return -1;
}

int err_errno(struct err *err, enum err_kind kind, const char *format, ...)
{
    int number = errno;
    char space[128];
    const char *cause = number ? strerror_r(number, space, sizeof space) : "no reason was given";
    struct err made = ERR_INIT;
    va_list args;

    made.kind = some_kind(kind);
    made.sys_errno = number;
    va_start(args, format);
    put_before(&made, cause, format, args);
    va_end(args);
    *err = made;
    return -1;
}

int err_nomem(struct err *err)
{
    static const char text[] = "out of memory";
    static const char hint[] =
        "Free memory, or raise the limit of this process or container, then run it again.";

    err_clear(err);
    err->kind = ERR_RESOURCE;
    err->sys_errno = ENOMEM;
    memcpy(err->text, text, sizeof text);
    memcpy(err->hint, hint, sizeof hint);
    return -1;
}

int err_wrap(struct err *err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put_before(err, err->text, format, args);
    va_end(args);
    err->kind = some_kind(err->kind);
    return -1;
}

int err_hint(struct err *err, const char *format, ...)
{
    char hint[ERR_HINT_BYTES] = "";
    struct line line = {.out = hint, .room = sizeof hint - 1};
    va_list args;

    line_text(&line, err->hint, strlen(err->hint));
    size_t old = line.length;
    if (old > 0)
        line_put(&line, " ", 1);
    size_t begin = line.length;
    va_start(args, format);
    line_format(&line, format, args);
    va_end(args);
    if (line.length == begin && !line.cut)
        line.length = old; /* a blank hint adds nothing */
    line_end(&line);
    memcpy(err->hint, hint, line.length + 1);
    return -1;
}

int err_at(struct err *err, const char *file, unsigned line, unsigned column)
{
    char name[ERR_FILE_BYTES] = "";
    struct line shown = {.out = name, .room = sizeof name - 1};

    line_sanitised(&shown, file, strlen(file)); /* not line_text: blanks belong to a name */
    line_end(&shown);
    memcpy(err->file, name, shown.length + 1);
    err->line = line;
    err->column = column;
    return -1;
}

int err_sqlstate(struct err *err, const char *sqlstate)
{
    char code[sizeof err->sqlstate] = "";

    for (size_t i = 0; sqlstate && i + 1 < sizeof code; i++) {
        char c = sqlstate[i];
        bool is_code = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!is_code)
            break;
        code[i] = c;
    }
    memcpy(err->sqlstate, code, sizeof code);
    return -1;
}

void err_clear(struct err *err)
{
    *err = ERR_INIT;
}

static enum err_kind known(enum err_kind kind)
{
    return (unsigned)kind < ERR_KIND_COUNT ? kind : ERR_DEFECT;
}

const char *err_word(enum err_kind kind)
{
    return kinds[known(kind)].word;
}

int err_exit_code(enum err_kind kind)
{
    return kinds[known(kind)].exit_code;
}

bool err_try_again(enum err_kind kind)
{
    return kinds[known(kind)].try_again;
}

const char *err_meaning(enum err_kind kind)
{
    return kinds[known(kind)].meaning;
}
