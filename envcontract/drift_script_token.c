/* envcontract/drift_script_token.c: JavaScript and TypeScript as tokens.
 *
 * Strings, templates, comments and regular expressions are told from code; what stands in a
 * template's ${} is code. A slash is a division or begins a regular expression by what is before
 * it; in JSX, whose text is none of these, a quote that the line does not close is a letter. */
#include "envcontract/drift_lex.h"

#include <string.h>

#include "base/str.h"

struct script {
    struct drift *d;
    size_t at;
    unsigned braces[LEX_MAX_NESTED]; /* open in the code of each template */
    size_t depth;
    size_t unclosed_until[3]; /* ', " and /: no such string is closed before that place */
};

static enum drift_kind kind_before(const struct drift *d)
{
    return d->token_count > 0 ? (enum drift_kind)d->tokens[d->token_count - 1].kind : TOKEN_END;
}

/* Whether a regular expression may begin here. */
static bool may_be_regex(const struct script *s)
{
    static const char *const words[] = {"return", "typeof", "case",  "in",        "of",
                                        "delete", "void",   "throw", "new",       "else",
                                        "do",     "yield",  "await", "instanceof"};
    const struct drift *d = s->d;
    size_t last = d->token_count - 1;

    switch (kind_before(d)) {
    case TOKEN_END:
        return true;
    case TOKEN_SIGN:
        /* behind '<' it closes a tag */
        return !strchr(")]}<", d->tokens[last].sign) && d->text[s->at + 1] != '>';
    case TOKEN_NAME:
        for (size_t i = 0; i < ARRAY_LEN(words); i++)
            if (token_is_name(d, last, words[i]))
                return true;
        return false;
    case TOKEN_NUMBER:
    case TOKEN_STRING:
    case TOKEN_COMPUTED:
    case TOKEN_LINE:
    default:
        return false;
    }
}

/* The end of what QUOTE (', " or /) opens at AT - 1, on this line; 0: it is not closed there. */
static size_t closing_quote(struct script *s, size_t at, char quote, size_t *unclosed_until)
{
    const struct drift *d = s->d;
    bool in_class = false; /* of a regular expression: a slash is nothing special there */

    if (at <= *unclosed_until)
        return 0;
    for (; at < d->length && (d->text[at] != '\n' || d->text[at - 1] == '\\'); at++) {
        char c = d->text[at];
        if (c == '\\' && at + 1 < d->length && d->text[at + 1] != '\n')
            at++;
        else if (quote == '/' && (c == '[' || c == ']'))
            in_class = c == '[';
        else if (c == quote && !in_class)
            return at;
    }
    *unclosed_until = at;
    return 0;
}

static void push_sign(struct script *s, char c)
{
    (void)token_push(s->d, TOKEN_SIGN, c, s->at, 1); /* no memory: seen at the end */
    s->at++;
}

static void script_quote(struct script *s, char quote)
{
    size_t *unclosed = &s->unclosed_until[quote == '\'' ? 0 : quote == '"' ? 1 : 2];
    size_t end = closing_quote(s, s->at + 1, quote, unclosed);

    if (end == 0) {
        push_sign(s, quote);
        return;
    }
    /* A regular expression is a value that names nothing. */
    (void)token_push(s->d, quote == '/' ? TOKEN_NUMBER : TOKEN_STRING, 0, s->at + 1,
                     end - s->at - 1);
    s->at = end + 1;
}

/* Text of a template from s->at on: its end, or the code of the next ${}. CONTINUED: there was code
 * before. */
static void script_template(struct script *s, bool continued)
{
    const struct drift *d = s->d;
    size_t start = s->at;

    for (; s->at < d->length && d->text[s->at] != '`'; s->at++) {
        if (d->text[s->at] == '\\') {
            s->at++;
        } else if (d->text[s->at] == '$' && s->at + 1 < d->length && d->text[s->at + 1] == '{' &&
                   s->depth < LEX_MAX_NESTED) {
            if (!continued)
                (void)token_push(s->d, TOKEN_COMPUTED, 0, start, s->at - start);
            s->at += 2;
            s->braces[s->depth++] = 0;
            return;
        }
    }
    if (s->at > d->length)
        s->at = d->length;
    if (!continued)
        (void)token_push(s->d, TOKEN_STRING, 0, start, s->at - start);
    s->at += s->at < d->length;
}

static void script_sign(struct script *s, char c)
{
    if (s->depth > 0 && c == '{')
        s->braces[s->depth - 1]++;
    if (s->depth > 0 && c == '}' && s->braces[s->depth - 1]-- == 0) {
        s->depth--;
        s->at++;
        script_template(s, true);
        return;
    }
    push_sign(s, c);
}

/* A comment, or false. */
static bool script_comment(struct script *s)
{
    const struct drift *d = s->d;
    char next = s->at + 1 < d->length ? d->text[s->at + 1] : '\0';

    if (next == '/' || (s->at == 0 && next == '!')) {
        s->at = lex_line_end(d, s->at);
        return true;
    }
    if (next != '*')
        return false;
    const char *end = memmem(d->text + s->at + 2, d->length - s->at - 2, "*/", 2);
    s->at = end ? (size_t)(end - d->text) + 2 : d->length;
    return true;
}

static void script_name(struct script *s, char c)
{
    struct drift *d = s->d;
    size_t start = s->at;

    while (s->at < d->length && (lex_is_name_byte(d->text[s->at]) || d->text[s->at] == '$'))
        s->at++;
    (void)token_push(d, c >= '0' && c <= '9' ? TOKEN_NUMBER : TOKEN_NAME, 0, start, s->at - start);
}

bool drift_tokenise_script(struct drift *d)
{
    struct script s = {.d = d};

    d->token_count = 0;
    while (s.at < d->length && !d->no_memory) {
        char c = d->text[s.at];
        if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
            s.at++;
        } else if (lex_is_name_byte(c) || c == '$') {
            script_name(&s, c);
        } else if (c == '"' || c == '\'') {
            script_quote(&s, c);
        } else if (c == '`') {
            s.at++;
            script_template(&s, false);
        } else if ((c == '/' || (c == '#' && s.at == 0)) && script_comment(&s)) {
            continue;
        } else if (c == '/' && may_be_regex(&s)) {
            script_quote(&s, c);
        } else {
            script_sign(&s, c);
        }
    }
    return token_push(d, TOKEN_END, 0, d->length, 0);
}
