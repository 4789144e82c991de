/* redact_parts.c: see base/redact_parts.h. */
#include "base/redact_parts.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/secret.h"
#include "base/str.h"
#include "base/url.h"

struct parts {
    redact_form_sink sink;
    void *owner;
    size_t left; /* of REDACT_PARTS_MAX */
};

static int put(struct parts *p, const char *bytes, size_t length, struct err *err)
{
    if (length == 0 || p->left == 0)
        return 0;
    p->left--;
    return p->sink(p->owner, bytes, length, err);
}

/* ---- names ------------------------------------------------------------------------------------ */

static bool ends_with(const char *name, size_t length, const char *word)
{
    size_t word_length = strlen(word);

    return length >= word_length &&
           strncasecmp(name + length - word_length, word, word_length) == 0;
}

static bool names_a_secret(const char *name, size_t length)
{
    static const char *const words[] = {"password", "passwd", "passphrase", "secret",
                                        "token",    "key",    "credential", "private"};
    static const char *const whole[] = {"pass", "pwd", "pw", "pin", "auth", "sig", "signature"};
    static const char *const not_that[] = {"url",     "uri",       "id",        "type", "name",
                                           "expires", "expiry",    "_in",       "at",   "algorithm",
                                           "version", "publickey", "public_key"};
    bool found = false;

    for (size_t i = 0; i < ARRAY_LEN(not_that); i++)
        if (ends_with(name, length, not_that[i]))
            return false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        found = found || str_has_word(name, length, words[i]);
    for (size_t i = 0; i < ARRAY_LEN(whole); i++)
        found = found || (length == strlen(whole[i]) && ends_with(name, length, whole[i]));
    return found;
}

/* ---- URLs ------------------------------------------------------------------------------------- */

/* As it is written, and as it is meant. */
static int put_span(struct parts *p, const struct url_span *span, struct err *err)
{
    AUTO_BUF decoded = BUF_INIT(SECRET_MAX_BYTES);

    if (!span->start || span->length == 0)
        return 0;
    if (put(p, span->start, span->length, err) != 0)
        return -1;
    if (url_decode(span, &decoded) != 0 ||
        (decoded.len == span->length && memcmp(decoded.data, span->start, decoded.len) == 0))
        return 0;
    return put(p, decoded.data, decoded.len, err);
}

static int put_url(struct parts *p, const char *text, size_t length, struct err *err)
{
    struct err no_url = ERR_INIT;
    struct url_span name, value;
    size_t position = 0;
    struct url url;

    if (!memmem(text, length, "://", strlen("://")) ||
        url_parse(text, length, &url, ERR_VIOLATION, &no_url) != 0)
        return 0;
    if (put_span(p, &url.password, err) != 0)
        return -1;
    while (url_next_query(&url, &position, &name, &value))
        if (names_a_secret(name.start, name.length) && put_span(p, &value, err) != 0)
            return -1;
    return 0;
}

/* ---- JSON ------------------------------------------------------------------------------------- */

enum { HEX_DIGITS = 4, BITS_OF_DIGIT = 4 };

struct walk {
    const char *at, *end;
    bool is_secret
        [REDACT_PARTS_MAX_DEPTH]; /* what lies in the object or array: it has the name of one */
    size_t depth;
    bool next; /* the same of the value that comes next */
};

static bool take_hex(struct walk *w, uint32_t *out)
{
    uint32_t number = 0;

    if (w->end - w->at < HEX_DIGITS)
        return false;
    for (int i = 0; i < HEX_DIGITS; i++) {
        int digit = str_hex_digit(w->at[i]);
        if (digit < 0)
            return false;
        number = number << BITS_OF_DIGIT | (uint32_t)digit;
    }
    w->at += HEX_DIGITS;
    *out = number;
    return true;
}

/* Behind "\u". */
static void take_point(struct walk *w, struct buf *out)
{
    enum { HIGH = 0xd800, LOW = 0xdc00, BEYOND = 0xe000, ASTRAL = 0x10000, HALF = 10 };
    uint32_t point, low;

    if (!take_hex(w, &point))
        return;
    if (point >= HIGH && point < LOW && w->end - w->at > 2 && w->at[0] == '\\' && w->at[1] == 'u') {
        w->at += 2;
        if (!take_hex(w, &low) || low < LOW || low >= BEYOND)
            return;
        point = ASTRAL + ((point - HIGH) << HALF) + (low - LOW);
    }
    char bytes[4];
    buf_add(out, bytes, str_put_utf8(point, bytes));
}

static void take_escape(struct walk *w, struct buf *out)
{
    static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
    char c = *w->at++;
    const char *letter = c ? strchr(letters, c) : NULL;

    if (c == 'u')
        take_point(w, out);
    else
        buf_addc(out, letter ? meant[letter - letters] : c);
}

/* The string whose quote is behind us, up to behind its other one. */
static void take_string(struct walk *w, struct buf *out)
{
    while (w->at < w->end && *w->at != '"') {
        char c = *w->at++;
        if (c != '\\')
            buf_addc(out, c);
        else if (w->at < w->end)
            take_escape(w, out);
    }
    if (w->at < w->end)
        w->at++;
}

static bool is_name(const struct walk *w)
{
    const char *at = w->at;

    while (at < w->end && strchr(" \t\r\n", *at))
        at++;
    return at < w->end && *at == ':';
}

static int put_string(struct parts *p, struct walk *w, struct err *err)
{
    AUTO_BUF text = BUF_INIT(SECRET_MAX_BYTES);
    bool beneath = w->is_secret[w->depth];

    take_string(w, &text);
    if (text.no_memory)
        return err_nomem(err);
    if (text.len == 0 || text.too_long)
        return 0;
    if (is_name(w)) {
        w->next = beneath || names_a_secret(text.data, text.len);
        return 0;
    }
    if (w->next && put(p, text.data, text.len, err) != 0)
        return -1;
    return put_url(p, text.data, text.len, err);
}

/* Whether to go on. */
static bool go_into(struct walk *w)
{
    if (w->depth + 1 >= REDACT_PARTS_MAX_DEPTH)
        return false;
    w->is_secret[++w->depth] = w->next;
    return true;
}

static int put_json(struct parts *p, const char *text, size_t length, struct err *err)
{
    struct walk w = {.at = text, .end = text + length};

    while (w.at < w.end && p->left > 0) {
        switch (*w.at++) {
        case '{':
        case '[':
            if (!go_into(&w))
                return 0;
            break;
        case '}':
        case ']':
            w.depth -= w.depth > 0;
            break;
        case ',':
            w.next = w.is_secret[w.depth];
            break;
        case '"':
            if (put_string(p, &w, err) != 0)
                return -1;
            break;
        default:
            break; /* numbers and words are no secrets */
        }
    }
    return 0;
}

/* ---- both ------------------------------------------------------------------------------------- */

int redact_each_part(const char *value, size_t length, redact_form_sink sink, void *owner,
                     struct err *err)
{
    struct parts p = {.sink = sink, .owner = owner, .left = REDACT_PARTS_MAX};
    const char *start = value;
    size_t rest = length;

    str_trim(&start, &rest);
    if (rest > 0 && (*start == '{' || *start == '['))
        return put_json(&p, start, rest, err);
    return put_url(&p, value, length, err);
}
