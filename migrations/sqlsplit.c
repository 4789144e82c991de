/* migrations/sqlsplit.c: SQL text cut into statements by PostgreSQL's lexical rules.
 *
 * The rules are those of the server's scanner, with psql's about where a statement ends: a
 * semicolon outside of quotes, comments, parentheses (CREATE RULE ... DO (a; b)) and BEGIN ATOMIC
 * bodies. standard_conforming_strings is on. Source: PostgreSQL's manual, "Lexical Structure", and
 * psql's reference page. Hot loops use memchr: data of many megabytes is mostly inside quotes. */
#include "migrations/sqlparts.h"

#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

struct sql_cutter sql_cutter_of(const char *name, const char *text, size_t length,
                                const char *version_table)
{
    static const char bom[] = "\xEF\xBB\xBF";
    size_t start = length >= 3 && memcmp(text, bom, 3) == 0 ? 3 : 0;
    return (struct sql_cutter){.name = name,
                               .text = text,
                               .length = length,
                               .version_table = version_table,
                               .at = start,
                               .line = 1};
}

int sql_error_at(const struct sql_cutter *c, struct err *err, size_t offset, const char *format,
                 ...)
{
    AUTO_BUF text = BUF_INIT(ERR_TEXT_BYTES);
    va_list args;
    va_start(args, format);
    buf_addv(&text, format, args);
    va_end(args);
    unsigned line, column;
    sql_position(&(struct sql_script){.text = c->text, .length = c->length}, offset, &line,
                 &column);
    err_set(err, ERR_FILE, "%s:%u:%u: %s", c->name, line, column, buf_text(&text));
    return err_at(err, c->name, line, column);
}

/* ---- characters ------------------------------------------------------------------------------ */

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r'); /* \v is white space since PostgreSQL 16 */
}

static bool is_word_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word_part(char c)
{
    return is_word_start(c) || is_digit(c) || c == '$';
}

static char at(const struct sql_cutter *c, size_t i)
{
    return i < c->length ? c->text[i] : '\0';
}

/* ---- comments and quotes --------------------------------------------------------------------- */

static size_t behind_line(const char *text, size_t i, size_t length)
{
    const char *newline = memchr(text + i, '\n', length - i);
    return newline ? (size_t)(newline - text) + 1 : length;
}

/* At the `--` of a comment. To the server a carriage return alone ends it, too: what stands behind that
 * would be run, unseen. */
static size_t behind_dashes(const char *text, size_t i, size_t length)
{
    size_t end = behind_line(text, i, length);
    const char *carriage_return = memchr(text + i, '\r', end - i);
    return carriage_return ? (size_t)(carriage_return - text) + 1 : end;
}

/* The place behind the nested comment that opens at I; LENGTH + 1 when it is not closed. */
static size_t behind_comment(const char *text, size_t i, size_t length)
{
    unsigned depth = 1;
    for (i += 2; i + 1 < length; i++) {
        if (text[i] == '/' && text[i + 1] == '*')
            depth++, i++;
        else if (text[i] == '*' && text[i + 1] == '/') {
            i++;
            if (--depth == 0)
                return i + 1;
        }
    }
    return length + 1;
}

size_t sql_skip_blank(const char *text, size_t i, size_t length)
{
    while (i < length) {
        if (is_blank(text[i]))
            i++;
        else if (text[i] == '-' && i + 1 < length && text[i + 1] == '-')
            i = behind_dashes(text, i, length);
        else if (text[i] == '/' && i + 1 < length && text[i + 1] == '*') {
            size_t end = behind_comment(text, i, length);
            if (end > length)
                return i;
            i = end;
        } else
            break;
    }
    return i;
}

/* Whether the closing quote before I is continued on a later line, and where the next quote opens:
 * 'a'<newline>'b' is one literal. Comments between the two may be of the `--` kind only. */
static bool string_continues(const struct sql_cutter *c, size_t i, size_t *next)
{
    bool newline = false;
    while (i < c->length) {
        if (is_blank(c->text[i])) {
            newline = newline || c->text[i] == '\n' || c->text[i] == '\r';
            i++;
        } else if (c->text[i] == '-' && at(c, i + 1) == '-') {
            i = behind_dashes(c->text, i, c->length);
            newline = true;
        } else
            break;
    }
    *next = i;
    return newline && at(c, i) == '\'';
}

/* The place behind the string or name that QUOTE opens at I. A doubled quote stands for itself; so
 * does \' where ESCAPES. -1 when it is not closed. */
static int skip_quoted(const struct sql_cutter *c, size_t *i, char quote, bool escapes)
{
    size_t p = *i + 1;
    for (;;) {
        const char *close = memchr(c->text + p, quote, c->length - p);
        if (!close)
            return -1;
        const char *back = escapes ? memchr(c->text + p, '\\', (size_t)(close - c->text) - p)
                                   : NULL;
        if (back) {
            p = (size_t)(back - c->text) + 2;
            if (p > c->length)
                return -1;
            continue;
        }
        p = (size_t)(close - c->text) + 1;
        if (at(c, p) == quote) {
            p++;
            continue;
        }
        size_t next;
        if (!escapes || !string_continues(c, p, &next))
            break; /* without escapes the continuation is cut as a literal of its own */
        p = next + 1;
    }
    *i = p;
    return 0;
}

/* The length of the $tag$ at I, 0 when there is none. */
static size_t dollar_tag(const struct sql_cutter *c, size_t i)
{
    size_t p = i + 1;
    if (is_word_start(at(c, p))) {
        while (is_word_part(at(c, p)) && at(c, p) != '$')
            p++;
    }
    return at(c, p) == '$' ? p + 1 - i : 0;
}

static int skip_dollar_quoted(const struct sql_cutter *c, size_t *i, size_t tag)
{
    const char *start = c->text + *i;
    const char *close = memmem(start + tag, c->length - *i - tag, start, tag);
    if (!close)
        return -1;
    *i = (size_t)(close - c->text) + tag;
    return 0;
}

/* ---- words ----------------------------------------------------------------------------------- */

static enum sql_word word_of(const struct sql_cutter *c, const char *text, size_t length)
{
    static const struct {
        const char *text;
        size_t length;
        enum sql_word word;
    } words[] = {
#define X(word) {#word, sizeof(#word) - 1, WORD_##word},
        SQL_WORDS(X)
#undef X
    };
    char upper = (char)(*text & ~0x20);
    if (upper >= 'A' && upper <= 'V') {
        for (size_t k = 0; k < ARRAY_LEN(words); k++) {
            if (words[k].text[0] == upper && words[k].length == length &&
                strncasecmp(words[k].text, text, length) == 0)
                return words[k].word;
        }
    }
    if (c->version_table && strlen(c->version_table) == length &&
        strncasecmp(c->version_table, text, length) == 0)
        return WORD_VERSION_TABLE;
    return WORD_OTHER;
}

/* ---- one statement --------------------------------------------------------------------------- */

struct cut_state {
    struct sql_piece piece;
    size_t i, end; /* behind the last token */
    unsigned paren_depth, body_depth;
    size_t paren_opened;
    enum sql_word previous; /* word; WORD_NONE after any other token */
    bool begun;
};

static void token_starts(struct cut_state *s)
{
    if (s->begun)
        return;
    s->begun = true;
    s->piece.offset = s->i;
    s->piece.first = WORD_NONE;
}

/* BEGIN ATOMIC ... END holds statements with their semicolons; CASE ... END may lie in them. */
static void track_body(struct cut_state *s, enum sql_word word)
{
    uint64_t routine = WORD_BIT(WORD_FUNCTION) | WORD_BIT(WORD_PROCEDURE);
    if (s->paren_depth > 0 || s->piece.first != WORD_CREATE || !(s->piece.words & routine))
        return;
    if (s->body_depth == 0) {
        if (word == WORD_ATOMIC && s->previous == WORD_BEGIN)
            s->body_depth = 1;
    } else if (word == WORD_CASE)
        s->body_depth++;
    else if (word == WORD_END)
        s->body_depth--;
}

static void see_word(struct cut_state *s, enum sql_word word, bool was_begun)
{
    if (!was_begun)
        s->piece.first = word;
    s->piece.words |= WORD_BIT(word);
    track_body(s, word);
    if (word == WORD_STDIN && s->previous == WORD_FROM && s->paren_depth == 0 &&
        s->piece.first == WORD_COPY)
        s->piece.copy_from_stdin = true;
    s->previous = word;
}

/* A quoted name is no keyword, but may be the version table's name. */
static int take_name(const struct sql_cutter *c, struct cut_state *s, struct err *err)
{
    size_t open = s->i;
    if (skip_quoted(c, &s->i, '"', false) != 0)
        return sql_error_at(c, err, open, "a quoted name that opens here is not closed");
    size_t length = s->i - open - 2;
    if (c->version_table && length == strlen(c->version_table) &&
        memcmp(c->text + open + 1, c->version_table, length) == 0)
        s->piece.words |= WORD_BIT(WORD_VERSION_TABLE);
    s->previous = WORD_NONE;
    return 0;
}

static int take_string(const struct sql_cutter *c, struct cut_state *s, bool escapes,
                       struct err *err)
{
    size_t open = s->i;
    if (skip_quoted(c, &s->i, '\'', escapes) != 0)
        return sql_error_at(c, err, open, "a string that opens here is not closed");
    s->previous = WORD_NONE;
    return 0;
}

/* A word, or the prefix of a string or name: E'' (escapes), B'', X'', N'', U&'', U&"". */
static int take_word(const struct sql_cutter *c, struct cut_state *s, bool was_begun,
                     struct err *err)
{
    size_t start = s->i;
    char letter = (char)(c->text[start] | 0x20);
    if (at(c, start + 1) == '\'' &&
        (letter == 'e' || letter == 'b' || letter == 'x' || letter == 'n')) {
        s->i++;
        return take_string(c, s, letter == 'e', err);
    }
    if (letter == 'u' && at(c, start + 1) == '&' &&
        (at(c, start + 2) == '\'' || at(c, start + 2) == '"')) {
        s->i += 2;
        return at(c, s->i) == '"' ? take_name(c, s, err) : take_string(c, s, false, err);
    }
    while (is_word_part(at(c, s->i)))
        s->i++;
    see_word(s, word_of(c, c->text + start, s->i - start), was_begun);
    return 0;
}

static int take_dollar(const struct sql_cutter *c, struct cut_state *s, struct err *err)
{
    size_t tag = dollar_tag(c, s->i);
    s->previous = WORD_NONE;
    if (tag == 0) { /* a parameter, or an error that the server names */
        s->i++;
        return 0;
    }
    size_t open = s->i;
    if (skip_dollar_quoted(c, &s->i, tag) != 0)
        return sql_error_at(c, err, open, "the quote %.*s that opens here is not closed",
                            (int)(tag < 64 ? tag : 64), c->text + open);
    return 0;
}

/* A number swallows letters behind it (1e5, 0x1F), so that no string prefix is seen in them. */
static void take_other(const struct sql_cutter *c, struct cut_state *s)
{
    char ch = c->text[s->i];
    s->previous = WORD_NONE;
    if (is_digit(ch)) {
        while (is_word_part(at(c, s->i)) && at(c, s->i) != '$')
            s->i++;
        return;
    }
    if (ch == '(') {
        if (s->paren_depth++ == 0)
            s->paren_opened = s->i;
    } else if (ch == ')' && s->paren_depth > 0)
        s->paren_depth--;
    s->i++;
}

static int take_token(const struct sql_cutter *c, struct cut_state *s, struct err *err)
{
    bool was_begun = s->begun;
    char ch = c->text[s->i];
    token_starts(s);
    int rc = 0;
    if (ch == '\'')
        rc = take_string(c, s, false, err);
    else if (ch == '"')
        rc = take_name(c, s, err);
    else if (ch == '$')
        rc = take_dollar(c, s, err);
    else if (is_word_start(ch))
        rc = take_word(c, s, was_begun, err);
    else
        take_other(c, s);
    s->end = s->i;
    return rc;
}

/* ---- psql's backslash ------------------------------------------------------------------------ */

/* pg_dump's \restrict and \unrestrict lines are passed over; any other command of psql's is
 * refused. */
static int take_meta(const struct sql_cutter *c, struct cut_state *s, struct err *err)
{
    size_t start = s->i + 1, end = start;
    while (end < c->length && !is_blank(c->text[end]) && end - start < 32)
        end++;
    const char *word = c->text + start;
    size_t length = end - start;
    if (!s->begun && ((length == 8 && memcmp(word, "restrict", 8) == 0) ||
                      (length == 10 && memcmp(word, "unrestrict", 10) == 0))) {
        s->i = behind_line(c->text, s->i, c->length);
        s->piece.after_meta = true;
        return 0;
    }
    if (length == 1 && *word == '.')
        sql_error_at(c, err, s->i, "`\\.` where no COPY ... FROM stdin is open");
    else
        sql_error_at(c, err, s->i, "`\\%.*s` is a command of psql, not SQL", (int)length, word);
    return err_hint(err,
                    "Only \\restrict, \\unrestrict and the `\\.` of COPY ... FROM stdin are read "
                    "here: take other psql commands out of the file.");
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void count_lines_to(struct sql_cutter *c, size_t offset)
{
    while (c->counted_to < offset) {
        const char *newline = memchr(c->text + c->counted_to, '\n', offset - c->counted_to);
        if (!newline)
            break;
        c->line++;
        c->counted_to = (size_t)(newline - c->text) + 1;
    }
    c->counted_to = offset;
}

static int finish(struct sql_cutter *c, struct cut_state *s, struct sql_piece *out, bool *found,
                  struct err *err)
{
    if (s->begun && s->i >= c->length && s->paren_depth > 0)
        return sql_error_at(c, err, s->paren_opened, "a parenthesis that opens here is not closed");
    if (s->begun && s->i >= c->length && s->body_depth > 0)
        return sql_error_at(c, err, s->piece.offset,
                            "the BEGIN ATOMIC body of this statement has no END");
    c->at = s->i;
    *found = s->begun;
    if (!s->begun)
        return 0;
    s->piece.length = s->end - s->piece.offset;
    count_lines_to(c, s->piece.offset);
    s->piece.line = c->line;
    *out = s->piece;
    return 0;
}

int sql_cut(struct sql_cutter *c, struct sql_piece *out, bool *found, struct err *err)
{
    struct cut_state s = {.i = c->at, .previous = WORD_NONE};
    while (s.i < c->length) {
        s.i = sql_skip_blank(c->text, s.i, c->length);
        if (s.i >= c->length)
            break;
        char ch = c->text[s.i];
        if (ch == '/' && at(c, s.i + 1) == '*')
            return sql_error_at(c, err, s.i, "a comment that opens here is not closed");
        if (ch == ';' && s.paren_depth == 0 && s.body_depth == 0) {
            s.i++;
            if (s.begun)
                break;
            continue; /* an empty statement */
        }
        if (ch == '\\' ? take_meta(c, &s, err) != 0 : take_token(c, &s, err) != 0)
            return -1;
    }
    return finish(c, &s, out, found, err);
}

/* ---- COPY's data ----------------------------------------------------------------------------- */

static bool is_end_of_data(const char *line, size_t length)
{
    while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
        length--;
    return length == 2 && line[0] == '\\' && line[1] == '.';
}

int sql_cut_copy_data(struct sql_cutter *c, const struct sql_piece *copy, size_t *offset,
                      size_t *length, struct err *err)
{
    size_t start = c->at;
    while (start < c->length && c->text[start] != '\n' && is_blank(c->text[start]))
        start++;
    if (at(c, start) == '-' && at(c, start + 1) == '-')
        start = behind_line(c->text, start, c->length);
    else if (at(c, start) == '\n')
        start++;
    else if (start < c->length)
        return sql_error_at(
            c, err, start,
            "the data of COPY ... FROM stdin starts on the line behind its semicolon");
    for (size_t i = start; i < c->length;) {
        size_t next = behind_line(c->text, i, c->length);
        if (is_end_of_data(c->text + i, next - i)) {
            *offset = start;
            *length = i - start;
            c->at = next;
            return 0;
        }
        i = next;
    }
    return sql_error_at(c, err, copy->offset,
                        "the data of this COPY ... FROM stdin is not ended by a line `\\.`");
}
