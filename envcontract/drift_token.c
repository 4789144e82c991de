/* envcontract/drift_token.c: Python as tokens: what is code, and what is text or a comment.
 *
 * Not a parser: it knows strings, comments, brackets and logical lines, which is what tells a name
 * that is read from one that is written about. The expressions in an f-string are code, so their
 * tokens are in the list too. Whatever the bytes are, each is looked at a fixed number of times. */
#include "envcontract/drift_read.h"

#include <string.h>

#include "base/mem.h"
#include "envcontract/drift_lex.h"

bool token_push(struct drift *d, enum drift_kind kind, char sign, size_t start, size_t length)
{
    if (mem_grow(&d->tokens, d->token_count, &d->token_capacity, sizeof(*d->tokens)) != 0) {
        d->no_memory = true;
        return false;
    }
    d->tokens[d->token_count++] = (struct drift_token){
        .kind = (unsigned char)kind,
        .sign = sign,
        .start = (unsigned)start,
        .length = (unsigned)length,
    };
    return true;
}

bool token_is(const struct drift *d, size_t i, char sign)
{
    return i < d->token_count && d->tokens[i].kind == TOKEN_SIGN && d->tokens[i].sign == sign;
}

bool token_has(const struct drift *d, size_t i, const char *text, size_t length)
{
    return i < d->token_count && d->tokens[i].length == length &&
           memcmp(d->text + d->tokens[i].start, text, length) == 0;
}

bool token_is_name(const struct drift *d, size_t i, const char *name)
{
    return i < d->token_count && d->tokens[i].kind == TOKEN_NAME &&
           token_has(d, i, name, strlen(name));
}

size_t token_closing(const struct drift *d, size_t i, size_t most)
{
    size_t depth = 0;

    for (size_t end = i + most; i + 1 < d->token_count && i < end; i++) {
        char sign = d->tokens[i].sign;
        if (sign == '(' || sign == '[' || sign == '{')
            depth++;
        else if ((sign == ')' || sign == ']' || sign == '}') && --depth == 0)
            return i;
    }
    return d->token_count - 1;
}

bool lex_is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

size_t lex_name_end(const struct drift *d, size_t at)
{
    while (at < d->length && lex_is_name_byte(d->text[at]))
        at++;
    return at;
}

size_t lex_line_end(const struct drift *d, size_t at)
{
    const char *end = memchr(d->text + at, '\n', d->length - at);

    return end ? (size_t)(end - d->text) : d->length;
}

/* ---- Python --------------------------------------------------------------------------------- */

/* An f-string that is open. */
struct fstring {
    char quote;
    bool triple;
    bool in_text;      /* else in the code of a field */
    unsigned brackets; /* open within the field */
};

struct python {
    struct drift *d;
    size_t at;
    unsigned brackets;
    bool line_begins;
    struct fstring open[LEX_MAX_NESTED];
    size_t depth; /* of them that are in use */
};

static bool closes(const struct python *p, size_t at, char quote, bool triple)
{
    const struct drift *d = p->d;

    if (at >= d->length || d->text[at] != quote)
        return false;
    return !triple || (d->length - at >= 3 && d->text[at + 1] == quote && d->text[at + 2] == quote);
}

/* The bytes of a string from p->at on; p->at is behind its end. */
static void python_string(struct python *p, enum drift_kind kind, char quote, bool triple)
{
    const struct drift *d = p->d;
    size_t start = p->at;

    while (p->at < d->length && !closes(p, p->at, quote, triple)) {
        if (!triple && d->text[p->at] == '\n')
            break; /* never closed: a mistake, and over with the line */
        p->at += d->text[p->at] == '\\' ? 2 : 1;
    }
    if (p->at > d->length)
        p->at = d->length;
    (void)token_push(p->d, kind, 0, start, p->at - start); /* no memory: seen at the end */
    if (closes(p, p->at, quote, triple))
        p->at += triple ? 3 : 1;
}

/* p->at is at a quote. */
static void python_quote(struct python *p, bool is_fstring)
{
    char quote = p->d->text[p->at];
    bool triple = p->at + 2 < p->d->length && p->d->text[p->at + 1] == quote &&
                  p->d->text[p->at + 2] == quote;

    p->at += triple ? 3 : 1;
    if (!is_fstring || p->depth == LEX_MAX_NESTED) {
        python_string(p, is_fstring ? TOKEN_COMPUTED : TOKEN_STRING, quote, triple);
        return;
    }
    (void)token_push(p->d, TOKEN_COMPUTED, 0, p->at, 0);
    p->open[p->depth++] = (struct fstring){.quote = quote, .triple = triple, .in_text = true};
}

/* Letters before a quote: r, b, u, f and t in any case, two or three of them. */
static bool is_prefix(const char *text, size_t length, bool *is_fstring)
{
    *is_fstring = false;
    for (size_t i = 0; i < length; i++) {
        char c = (char)(text[i] | 0x20);
        if (!strchr("rbuft", c) || c == '\0')
            return false;
        *is_fstring = *is_fstring || c == 'f' || c == 't';
    }
    return length <= 3;
}

static void python_name(struct python *p)
{
    struct drift *d = p->d;
    size_t start = p->at;
    bool is_fstring;

    p->at = lex_name_end(d, p->at);
    bool before_quote = p->at < d->length && (d->text[p->at] == '"' || d->text[p->at] == '\'');
    if (before_quote && is_prefix(d->text + start, p->at - start, &is_fstring))
        python_quote(p, is_fstring);
    else
        (void)token_push(d,
                         d->text[start] >= '0' && d->text[start] <= '9' ? TOKEN_NUMBER : TOKEN_NAME,
                         0, start, p->at - start);
}

/* Text of an f-string, up to the next field or its end. */
static void fstring_text(struct python *p)
{
    const struct drift *d = p->d;
    struct fstring *f = &p->open[p->depth - 1];

    for (; p->at < d->length; p->at++) {
        char c = d->text[p->at];
        if (closes(p, p->at, f->quote, f->triple)) {
            p->at += f->triple ? 3 : 1;
            p->depth--;
            return;
        }
        if (c == '\n' && !f->triple) {
            p->depth--;
            return;
        }
        if (c == '\\' || (c == '{' && p->at + 1 < d->length && d->text[p->at + 1] == '{')) {
            p->at++;
        } else if (c == '{') {
            p->at++;
            f->in_text = false;
            f->brackets = 0;
            return;
        }
    }
}

/* How a field is shown, up to its brace: no code that reads an environment. */
static void fstring_format(struct python *p)
{
    const struct drift *d = p->d;
    struct fstring *f = &p->open[p->depth - 1];
    unsigned braces = 0;

    f->in_text = true;
    for (; p->at < d->length; p->at++) {
        char c = d->text[p->at];
        if (closes(p, p->at, f->quote, f->triple) || (c == '\n' && !f->triple))
            return; /* never closed */
        if (c == '{')
            braces++;
        else if (c == '}' && braces-- == 0) {
            p->at++;
            return;
        }
    }
}

/* A byte of an f-string's field that ends it, or its code. */
static bool fstring_field_ends(struct python *p, char c)
{
    struct fstring *f = &p->open[p->depth - 1];

    if (c == '\n' && !f->triple) {
        p->depth--;
        return true;
    }
    if (f->brackets > 0)
        return false;
    if (c == '}') {
        f->in_text = true;
        p->at++;
        return true;
    }
    if (c == ':') {
        fstring_format(p);
        return true;
    }
    return false;
}

static void python_sign(struct python *p, char c)
{
    unsigned *brackets = p->depth > 0 ? &p->open[p->depth - 1].brackets : &p->brackets;

    if (c == '(' || c == '[' || c == '{')
        ++*brackets;
    else if ((c == ')' || c == ']' || c == '}') && *brackets > 0)
        --*brackets;
    (void)token_push(p->d, TOKEN_SIGN, c, p->at, 1);
    p->at++;
}

/* White space, comments and the ends of lines. False: C is none of them. */
static bool python_blank(struct python *p, char c)
{
    const struct drift *d = p->d;

    if (c == '#' && p->depth == 0)
        p->at = lex_line_end(d, p->at);
    else if (c == '\\' && p->at + 1 < d->length && d->text[p->at + 1] == '\n')
        p->at += 2;
    else if (c == '\n' || c == ' ' || c == '\t' || c == '\r' || c == '\f')
        p->at++;
    else
        return false;
    p->line_begins = p->line_begins || (c == '\n' && p->brackets == 0 && p->depth == 0);
    return true;
}

static void python_line(struct python *p)
{
    const char *before = memrchr(p->d->text, '\n', p->at);
    size_t start = before ? (size_t)(before - p->d->text) + 1 : 0;

    p->line_begins = false;
    (void)token_push(p->d, TOKEN_LINE, 0, p->at, p->at - start);
}

bool drift_tokenise_python(struct drift *d)
{
    struct python p = {.d = d, .line_begins = true};

    d->token_count = 0;
    while (p.at < d->length && !d->no_memory) {
        char c = d->text[p.at];
        if (p.depth > 0 && p.open[p.depth - 1].in_text) {
            fstring_text(&p);
            continue;
        }
        if ((p.depth > 0 && fstring_field_ends(&p, c)) || python_blank(&p, c))
            continue;
        if (p.line_begins)
            python_line(&p);
        if (lex_is_name_byte(c))
            python_name(&p);
        else if (c == '"' || c == '\'')
            python_quote(&p, false);
        else
            python_sign(&p, c);
    }
    return token_push(d, TOKEN_END, 0, d->length, 0);
}
