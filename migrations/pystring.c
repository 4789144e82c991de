/* migrations/pystring.c: what Python's string literals say, and in which encoding.
 *
 * Source: the Python Language Reference, "String and Bytes literals"; PEP 263. */
#include "migrations/internal.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { PY_COOKIE_LINES = 2, PY_COOKIE_BYTES = 32 };

static size_t prefix_length(const struct py_token *token)
{
    size_t n = 0;
    while (n < token->length && token->text[n] != '\'' && token->text[n] != '"')
        n++;
    return n;
}

bool py_string_is_plain(const struct py_token *token)
{
    for (size_t i = 0, n = prefix_length(token); i < n; i++) {
        if (!strchr("rRuU", token->text[i]))
            return false;
    }
    return true;
}

struct decoder {
    enum py_encoding encoding;
    char *out;
    const char *why;
};

static void put_code_point(struct decoder *d, uint32_t c)
{
    if (c == 0) {
        d->why = "it holds a NUL character";
    } else if ((c >= 0xD800 && c <= 0xDFFF) || c > 0x10FFFF) {
        d->why = "it holds an escape that is no character";
    } else {
        d->out += str_put_utf8(c, d->out);
    }
}

/* A byte of the file that is no escape. UTF-8 is checked when the whole text is there. */
static void put_byte(struct decoder *d, unsigned char c)
{
    if (c < 0x80 || d->encoding == PY_UTF8) {
        if (c == 0)
            d->why = "it holds a NUL character";
        else
            *d->out++ = (char)c;
    } else if (d->encoding == PY_LATIN1) {
        put_code_point(d, c);
    } else {
        d->why = d->encoding == PY_ASCII
                     ? "it holds a byte that is not ASCII, and the file says that it is"
                     : "it is not ASCII, and the file's encoding is neither UTF-8 nor latin-1";
    }
}

/* COUNT hexadecimal digits at P: behind them. */
static const char *put_hexadecimal(struct decoder *d, const char *p, const char *end, int count)
{
    uint32_t c = 0;
    for (; count > 0; count--, p++) {
        int digit = p < end ? str_hex_digit(*p) : -1;
        if (digit < 0) {
            d->why = "it holds an escape with too few digits";
            return end;
        }
        c = c << 4 | (uint32_t)digit;
    }
    put_code_point(d, c);
    return p;
}

static const char *put_octal(struct decoder *d, const char *p, const char *end)
{
    uint32_t c = 0;
    for (int i = 0; i < 3 && p < end && *p >= '0' && *p <= '7'; i++, p++)
        c = c << 3 | (uint32_t)(*p - '0');
    put_code_point(d, c);
    return p;
}

/* Behind a backslash, which has something behind it: behind the escape. */
static const char *put_escape(struct decoder *d, const char *p, const char *end)
{
    static const char letters[] = "\\'\"abfnrtv", meanings[] = "\\'\"\a\b\f\n\r\t\v";
    char c = *p;
    const char *letter = c ? strchr(letters, c) : NULL;
    if (letter) {
        *d->out++ = meanings[letter - letters];
        return p + 1;
    }
    if (c >= '0' && c <= '7')
        return put_octal(d, p, end);
    if (c == 'x')
        return put_hexadecimal(d, p + 1, end, 2);
    if (c == 'u')
        return put_hexadecimal(d, p + 1, end, 4);
    if (c == 'U')
        return put_hexadecimal(d, p + 1, end, 8);
    if (c == '\r')
        return p + (end - p > 1 && p[1] == '\n' ? 2 : 1);
    if (c == '\n')
        return p + 1;
    if (c == 'N')
        d->why = "it names a character with \\N{...}, which is not looked up here";
    *d->out++ = '\\'; /* no escape: both characters stay; the next turn takes the second */
    return p;
}

static void put_literal(struct decoder *d, const struct py_token *token)
{
    const char *p = token->text, *end = token->text + token->length;
    bool raw = false;
    for (; *p != '\'' && *p != '"'; p++)
        raw |= *p == 'r' || *p == 'R';
    size_t quotes = end - p >= 6 && p[1] == *p && p[2] == *p ? 3 : 1;
    p += quotes;
    end -= quotes;
    while (p < end && !d->why) {
        if (*p == '\\' && !raw && end - p > 1) {
            p = put_escape(d, p + 1, end);
        } else if (*p == '\r') { /* universal newlines come before the tokenizer */
            *d->out++ = '\n';
            p += end - p > 1 && p[1] == '\n' ? 2 : 1;
        } else {
            put_byte(d, (unsigned char)*p++);
        }
    }
}

static bool valid_utf8(const char *text)
{
    for (size_t left = strlen(text); left > 0;) {
        size_t n = str_utf8(text, left);
        if (n == 0)
            return false;
        text += n;
        left -= n;
    }
    return true;
}

int py_decode(struct arena *a, const char *start, const char *end, enum py_encoding encoding,
              const char **out, const char **why)
{
    *why = NULL;
    /* No literal says more than twice its bytes: latin-1 doubles, every escape shrinks. */
    char *text = arena_new(a, 2 * (size_t)(end - start) + 1, 1);
    if (!text)
        return -1;
    struct decoder d = {.encoding = encoding, .out = text};
    struct py_scanner s = {.at = start, .end = end, .line = 1};
    struct py_token token;
    for (py_next(&s, &token); token.kind != PY_END && !d.why; py_next(&s, &token)) {
        if (token.kind == PY_STRING)
            put_literal(&d, &token);
    }
    *d.out = '\0';
    if (!d.why && !valid_utf8(text))
        d.why = "it is not valid UTF-8, and the file names no other encoding";
    *why = d.why;
    if (d.why)
        return -1;
    *out = text;
    return 0;
}

/* ---- PEP 263 ------------------------------------------------------------------------------------- */

static enum py_encoding encoding_named(const char *name, size_t length)
{
    static const struct {
        const char *name;
        enum py_encoding encoding;
    } known[] = {
        {"utf-8", PY_UTF8},        {"utf8", PY_UTF8},        {"utf-8-sig", PY_UTF8},
        {"u8", PY_UTF8},           {"latin-1", PY_LATIN1},   {"latin1", PY_LATIN1},
        {"iso-8859-1", PY_LATIN1}, {"iso8859-1", PY_LATIN1}, {"iso-latin-1", PY_LATIN1},
        {"l1", PY_LATIN1},         {"8859", PY_LATIN1},      {"ascii", PY_ASCII},
        {"us-ascii", PY_ASCII},
    };
    char plain[PY_COOKIE_BYTES];
    if (length >= sizeof plain)
        return PY_ENCODING_OTHER;
    for (size_t i = 0; i < length; i++)
        plain[i] = name[i] == '_' ? '-' : name[i];
    plain[length] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcasecmp(plain, known[i].name) == 0)
            return known[i].encoding;
    }
    return PY_ENCODING_OTHER;
}

static bool is_cookie_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

/* `coding:` or `coding=` in a comment, and the name behind it. */
static bool find_cookie(const char *line, const char *end, enum py_encoding *out)
{
    static const char word[] = "coding";
    for (const char *p = line; end - p > (ptrdiff_t)sizeof word - 1; p++) {
        if (memcmp(p, word, sizeof word - 1) != 0)
            continue;
        const char *name = p + sizeof word - 1;
        if (*name != ':' && *name != '=')
            continue;
        for (name++; name < end && (*name == ' ' || *name == '\t'); name++)
            ;
        const char *stop = name;
        while (stop < end && is_cookie_byte(*stop))
            stop++;
        if (stop > name) {
            *out = encoding_named(name, (size_t)(stop - name));
            return true;
        }
    }
    return false;
}

enum py_encoding py_encoding_of(const char *text, size_t length)
{
    const char *p = text, *end = text + length;
    if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        p += 3;
    for (int line = 0; line < PY_COOKIE_LINES && p < end; line++) {
        const char *stop = p;
        while (stop < end && *stop != '\n' && *stop != '\r')
            stop++;
        while (p < stop && (*p == ' ' || *p == '\t' || *p == '\f'))
            p++;
        enum py_encoding encoding;
        if (p < stop && *p != '#')
            return PY_UTF8; /* code: no cookie behind it */
        if (find_cookie(p, stop, &encoding))
            return encoding;
        p = stop;
        if (p < end)
            p += end - p > 1 && p[0] == '\r' && p[1] == '\n' ? 2 : 1;
    }
    return PY_UTF8;
}
