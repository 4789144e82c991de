/* migrations/pytoken.c: Python's lexical rules, as far as they decide where a statement ends.
 *
 * Source: the Python Language Reference, "Lexical analysis"; f-strings as of PEP 701, which reads
 * every f-string that older versions accept in the same way. */
#include "migrations/internal.h"

#include <stdint.h>
#include <string.h>

enum { PY_TAB_COLUMNS = 8, PY_PREFIX_BYTES = 3 };

/* What a byte is while a logical line is skipped. Up to SKIP_HASH it is plain in a string. */
enum skip_class {
    SKIP_PLAIN,
    SKIP_OPEN,
    SKIP_CLOSE,
    SKIP_HASH,
    SKIP_NEWLINE,
    SKIP_QUOTE,
    SKIP_BACK
};

static const uint8_t skip_classes[256] = {
    ['\n'] = SKIP_NEWLINE, ['\r'] = SKIP_NEWLINE, ['\''] = SKIP_QUOTE, ['"'] = SKIP_QUOTE,
    ['('] = SKIP_OPEN,     ['['] = SKIP_OPEN,     ['{'] = SKIP_OPEN,   [')'] = SKIP_CLOSE,
    [']'] = SKIP_CLOSE,    ['}'] = SKIP_CLOSE,    ['#'] = SKIP_HASH,   ['\\'] = SKIP_BACK,
};

static bool is_name_start(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name(unsigned char c)
{
    return is_name_start(c) || is_digit(c);
}

void py_scanner_init(struct py_scanner *s, const char *text, size_t length)
{
    *s = (struct py_scanner){.at = text, .end = text + length, .line = 1};
    if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        s->at += 3;
}

static void stop(struct py_scanner *s, unsigned line, const char *trouble)
{
    if (!s->trouble) {
        s->trouble = trouble;
        s->trouble_line = line;
    }
    s->at = s->end;
    s->depth = 0;
}

/* At a newline: behind it. CR, LF and CRLF are one each. */
static void pass_newline(struct py_scanner *s)
{
    if (*s->at == '\r' && s->end - s->at > 1 && s->at[1] == '\n')
        s->at++;
    s->at++;
    s->line++;
}

static void pass_comment(struct py_scanner *s)
{
    while (s->at < s->end && *s->at != '\n' && *s->at != '\r')
        s->at++;
}

/* At a backslash inside a literal: behind it and what it quotes. */
static void pass_escape(struct py_scanner *s)
{
    s->at++;
    if (s->at == s->end)
        return;
    if (*s->at == '\n' || *s->at == '\r')
        pass_newline(s);
    else
        s->at++;
}

/* Over bytes that mean nothing: in a string those are brackets and '#', too. */
static const char *behind_plain(const char *at, const char *end, bool in_string)
{
    enum skip_class most = in_string ? SKIP_HASH : SKIP_PLAIN;
    while (at < end && skip_classes[(unsigned char)*at] <= most)
        at++;
    return at;
}

static bool closes(const struct py_scanner *s, char quote, bool triple)
{
    if (*s->at != quote)
        return false;
    return !triple || (s->end - s->at >= 3 && s->at[1] == quote && s->at[2] == quote);
}

static void pass_string(struct py_scanner *s, bool formatted, bool raw, unsigned level);

/* Whether a quote at AT starts an f-string or a raw one: looks back at the letters before it. */
static void look_back(const char *text, const char *at, bool *formatted, bool *raw)
{
    const char *p = at;
    while (p > text && at - p < PY_PREFIX_BYTES && is_name((unsigned char)p[-1]))
        p--;
    *formatted = *raw = false;
    if (at - p >= PY_PREFIX_BYTES || (p > text && is_name((unsigned char)p[-1])))
        return; /* a longer name than any prefix */
    if (strspn(p, "rRbBuUfFtT") < (size_t)(at - p))
        return; /* a keyword right before a quote: `if'x'` */
    for (; p < at; p++) {
        *raw |= *p == 'r' || *p == 'R';
        *formatted |= *p == 'f' || *p == 'F' || *p == 't' || *p == 'T';
    }
}

static void pass_literal_part(struct py_scanner *s, char quote, bool triple, bool raw, bool spec,
                              unsigned level);

/* Behind the `{` of a replacement field: up to behind its `}`. */
static void pass_field(struct py_scanner *s, char quote, bool triple, bool raw, unsigned level)
{
    unsigned line = s->line, depth = 0;
    const char *start = s->at;
    while (s->at < s->end) {
        char c = *s->at;
        bool inner_formatted, inner_raw;
        if (c == '\'' || c == '"') {
            look_back(start, s->at, &inner_formatted, &inner_raw);
            pass_string(s, inner_formatted, inner_raw, level + 1);
        } else if (c == '\n' || c == '\r') {
            pass_newline(s);
        } else if (c == '#') {
            pass_comment(s);
        } else if (depth == 0 && c == '}') {
            s->at++;
            return;
        } else if (depth == 0 && c == ':') {
            s->at++;
            pass_literal_part(s, quote, triple, raw, true, level);
            return;
        } else {
            depth += c == '(' || c == '[' || c == '{';
            depth -= depth > 0 && (c == ')' || c == ']' || c == '}');
            s->at++;
        }
    }
    stop(s, line, "a field of an f-string is not closed");
}

/* The text of an f-string up to behind its quote; with SPEC a format specification, up to behind
 * the `}` of its field. */
static void pass_literal_part(struct py_scanner *s, char quote, bool triple, bool raw, bool spec,
                              unsigned level)
{
    unsigned line = s->line;
    while (s->at < s->end) {
        char c = *s->at;
        bool more = s->end - s->at > 1;
        if (!spec && closes(s, quote, triple)) {
            s->at += triple ? 3 : 1;
            return;
        }
        if (c == '\\' && !raw && s->end - s->at > 2 && s->at[1] == 'N' && s->at[2] == '{') {
            s->at += 3; /* \N{NAME}: its brace opens no field, its closing one is plain text */
        } else if (c == '\\' && more && s->at[1] != '{') {
            pass_escape(s);
        } else if (c == '\n' || c == '\r') {
            if (!triple)
                break;
            pass_newline(s);
        } else if (c == '{' && !spec && more && s->at[1] == '{') {
            s->at += 2;
        } else if (c == '{') {
            s->at++;
            if (level >= PY_MAX_BRACKETS)
                break;
            pass_field(s, quote, triple, raw, level + 1);
        } else {
            s->at++;
            if (c == '}' && spec)
                return;
        }
    }
    stop(s, line, "an f-string is not closed");
}

/* At the opening quote: behind the closing one. */
static void pass_string(struct py_scanner *s, bool formatted, bool raw, unsigned level)
{
    unsigned line = s->line;
    char quote = *s->at;
    bool triple = s->end - s->at >= 3 && s->at[1] == quote && s->at[2] == quote;
    s->at += triple ? 3 : 1;
    if (formatted) {
        if (level < PY_MAX_BRACKETS)
            pass_literal_part(s, quote, triple, raw, false, level);
        else
            stop(s, line, "f-strings are nested too deeply");
        return;
    }
    while (s->at < s->end) {
        if (closes(s, quote, triple)) {
            s->at += triple ? 3 : 1;
            return;
        }
        if (*s->at == '\\') {
            pass_escape(s);
        } else if (*s->at == '\n' || *s->at == '\r') {
            if (!triple)
                break;
            pass_newline(s);
        } else {
            s->at = behind_plain(s->at + 1, s->end, true);
        }
    }
    stop(s, line, "a string is not closed");
}

static void open_bracket(struct py_scanner *s, char c)
{
    if (s->depth == PY_MAX_BRACKETS) {
        stop(s, s->line, "brackets are nested too deeply");
        return;
    }
    s->open[s->depth++] = c;
    s->at++;
}

static void close_bracket(struct py_scanner *s, char c)
{
    char wanted = c == ')' ? '(' : c == ']' ? '[' : '{';
    if (s->depth == 0 || s->open[s->depth - 1] != wanted) {
        stop(s, s->line, "a closing bracket has no opening one");
        return;
    }
    s->depth--;
    s->at++;
}

void py_line_skip(struct py_scanner *s)
{
    const char *start = s->at;
    unsigned first = s->line;
    bool formatted, raw;
    while (s->at < s->end) {
        s->at = behind_plain(s->at, s->end, false);
        if (s->at == s->end)
            break;
        switch ((enum skip_class)skip_classes[(unsigned char)*s->at]) {
        case SKIP_NEWLINE:
            pass_newline(s);
            if (s->depth == 0)
                return;
            break;
        case SKIP_QUOTE:
            look_back(start, s->at, &formatted, &raw);
            pass_string(s, formatted, raw, 0);
            break;
        case SKIP_OPEN:
            open_bracket(s, *s->at);
            break;
        case SKIP_CLOSE:
            close_bracket(s, *s->at);
            break;
        case SKIP_HASH:
            pass_comment(s);
            break;
        case SKIP_BACK:
            pass_escape(s);
            break;
        case SKIP_PLAIN:
            break;
        }
    }
    if (s->depth > 0)
        stop(s, first, "a bracket is not closed");
}

bool py_line_begin(struct py_scanner *s, unsigned *column)
{
    unsigned width = 0;
    for (; s->at < s->end; s->at++) {
        char c = *s->at;
        if (c == ' ') {
            width++;
        } else if (c == '\t') {
            width += PY_TAB_COLUMNS - width % PY_TAB_COLUMNS;
        } else if (c == '\f') {
            width = 0;
        } else if (c == '#' || c == '\n' || c == '\r') {
            pass_comment(s);
            if (s->at == s->end)
                return false;
            pass_newline(s);
            s->at--; /* the loop goes on behind it */
            width = 0;
        } else {
            *column = width;
            return true;
        }
    }
    return false;
}

static void take_name(struct py_scanner *s, struct py_token *token)
{
    while (s->at < s->end && is_name((unsigned char)*s->at))
        s->at++;
    size_t length = (size_t)(s->at - token->text);
    token->kind = PY_NAME;
    if (s->at == s->end || (*s->at != '\'' && *s->at != '"') || length >= PY_PREFIX_BYTES)
        return;
    if (strspn(token->text, "rRbBuUfFtT") < length)
        return; /* a keyword */
    bool formatted, raw;
    look_back(token->text, s->at, &formatted, &raw);
    token->kind = PY_STRING;
    pass_string(s, formatted, raw, 0);
}

static void take_operator(struct py_scanner *s, const struct py_token *token)
{
    static const char *const longer[] = {"**=", "//=", ">>=", "<<=", "...", "**", "//", ">>",
                                         "<<",  "->",  "+=",  "-=",  "*=",  "/=", "%=", "@=",
                                         "&=",  "|=",  "^=",  "==",  "!=",  "<=", ">=", ":="};
    char c = *s->at;
    if (c == '(' || c == '[' || c == '{') {
        open_bracket(s, c);
        return;
    }
    if (c == ')' || c == ']' || c == '}') {
        close_bracket(s, c);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(longer); i++) {
        if (longer[i][0] != c)
            continue;
        size_t length = strlen(longer[i]);
        if ((size_t)(s->end - s->at) >= length && memcmp(token->text, longer[i], length) == 0) {
            s->at += length;
            return;
        }
    }
    s->at++;
}

/* Blanks, continued lines, comments, and newlines inside brackets. */
static void pass_space(struct py_scanner *s)
{
    while (s->at < s->end) {
        char c = *s->at;
        if (c == ' ' || c == '\t' || c == '\f')
            s->at++;
        else if (c == '#')
            pass_comment(s);
        else if ((c == '\n' || c == '\r') && s->depth > 0)
            pass_newline(s);
        else if (c == '\\' && s->end - s->at > 1 && (s->at[1] == '\n' || s->at[1] == '\r'))
            pass_escape(s);
        else
            return;
    }
}

void py_next(struct py_scanner *s, struct py_token *token)
{
    pass_space(s);
    *token = (struct py_token){.kind = PY_END, .text = s->at, .line = s->line};
    if (s->at == s->end) {
        if (s->depth > 0)
            stop(s, s->line, "a bracket is not closed");
        return;
    }
    unsigned char c = (unsigned char)*s->at;
    if (c == '\n' || c == '\r') {
        token->kind = PY_NEWLINE;
        pass_newline(s);
    } else if (is_name_start(c)) {
        take_name(s, token);
    } else if (c == '\'' || c == '"') {
        token->kind = PY_STRING;
        pass_string(s, false, false, 0);
    } else if (is_digit(c) ||
               (c == '.' && s->end - s->at > 1 && is_digit((unsigned char)s->at[1]))) {
        token->kind = PY_NUMBER;
        while (s->at < s->end && (is_name((unsigned char)*s->at) || *s->at == '.'))
            s->at++;
    } else {
        token->kind = PY_OPERATOR;
        take_operator(s, token);
    }
    if (s->trouble)
        token->kind = PY_END;
    token->length = (size_t)(s->at - token->text);
}

bool py_is_text(const struct py_token *token, const char *text)
{
    return strncmp(token->text, text, token->length) == 0 && text[token->length] == '\0';
}
