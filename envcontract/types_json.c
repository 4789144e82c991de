/* envcontract/types_json.c: whether a text is one JSON value, without making anything of it.
 *
 * scan.c reads contracts: it allows comments, keeps what it reads in memory that nobody wipes, and
 * quotes what is wrong. This one is strict (RFC 8259), keeps nothing and quotes nothing. Two equal
 * keys are JSON, says the RFC, and pass. */
#include "base/str.h"
#include "envcontract/types.h"

struct scan {
    const char *bytes;
    size_t length, at;
    struct trouble *trouble;
    types_json_member *visit; /* may be NULL */
    void *context;
    unsigned depth;
};

static bool scan_value(struct scan *s);

static char peek(const struct scan *s)
{
    return s->at < s->length ? s->bytes[s->at] : '\0';
}

static bool fail(struct scan *s, const char *what)
{
    return trouble_at(s->trouble, s->at, what);
}

/* WANTED is not there; ENDED says the same of a text that is over. */
static bool missing(struct scan *s, const char *wanted, const char *ended)
{
    return fail(s, s->at < s->length ? wanted : ended);
}

static void skip_blanks(struct scan *s)
{
    while (s->at < s->length && (s->bytes[s->at] == ' ' || s->bytes[s->at] == '\t' ||
                                 s->bytes[s->at] == '\n' || s->bytes[s->at] == '\r'))
        s->at++;
}

/* At a backslash. */
static bool skip_escape(struct scan *s)
{
    static const char letters[] = "\"\\/bfnrtu";
    char letter = s->at + 1 < s->length ? s->bytes[s->at + 1] : '\0';
    if (!memchr(letters, letter, sizeof letters - 1))
        return fail(s, "an escape that JSON does not have");
    if (letter != 'u') {
        s->at += 2;
        return true;
    }
    for (size_t i = 2; i < 6; i++)
        if (s->at + i >= s->length || !is_hex_digit(s->bytes[s->at + i]))
            return fail(s, "an escape without four hexadecimal digits");
    s->at += 6;
    return true;
}

/* At an opening quote: step behind the closing one. */
static bool skip_string(struct scan *s)
{
    size_t begin = s->at++;
    while (s->at < s->length && s->bytes[s->at] != '"') {
        unsigned char c = (unsigned char)s->bytes[s->at];
        size_t step = 1;
        if (c == '\\') {
            if (!skip_escape(s))
                return false;
            continue;
        }
        if (c < 0x20)
            return fail(s, "a control byte in a string");
        if (c >= 0x80 && (step = str_utf8(s->bytes + s->at, s->length - s->at)) == 0)
            return fail(s, "a byte that is not UTF-8");
        s->at += step;
    }
    if (s->at >= s->length)
        return trouble_at(s->trouble, begin, "a string that is not closed");
    s->at++;
    return true;
}

/* Digits, at least one. */
static bool skip_number_part(struct scan *s)
{
    size_t begin = s->at;
    s->at = skip_digits(s->bytes, s->length, s->at);
    return s->at > begin || fail(s, "a number without digits");
}

static bool skip_number(struct scan *s)
{
    if (peek(s) == '-')
        s->at++;
    size_t begin = s->at;
    if (!skip_number_part(s))
        return false;
    if (s->bytes[begin] == '0' && s->at > begin + 1)
        return trouble_at(s->trouble, begin, "a number with a leading zero");
    if (peek(s) == '.') {
        s->at++;
        if (!skip_number_part(s))
            return false;
    }
    if (peek(s) == 'e' || peek(s) == 'E') {
        s->at++;
        if (peek(s) == '+' || peek(s) == '-')
            s->at++;
        return skip_number_part(s);
    }
    return true;
}

static bool skip_word(struct scan *s)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t length = strlen(words[i]);
        if (s->length - s->at >= length && memcmp(s->bytes + s->at, words[i], length) == 0) {
            s->at += length;
            return true;
        }
    }
    return missing(s, "no JSON value begins", "the end of the text where a value should be");
}

/* A key and its colon; the span of the key without its quotes. */
static bool scan_key(struct scan *s, const char **key, size_t *key_length)
{
    size_t begin = s->at + 1;
    if (peek(s) != '"')
        return missing(s, "no key in double quotes", "the end of the text where a key should be");
    if (!skip_string(s))
        return false;
    *key = s->bytes + begin;
    *key_length = s->at - begin - 1;
    skip_blanks(s);
    if (peek(s) != ':')
        return missing(s, "no colon behind a key", "the end of the text where a colon should be");
    s->at++;
    skip_blanks(s);
    return true;
}

static bool scan_member(struct scan *s, bool object)
{
    const char *key = NULL;
    size_t key_length = 0;
    if (object && !scan_key(s, &key, &key_length))
        return false;
    size_t begin = s->at;
    if (!scan_value(s))
        return false;
    if (object && s->depth == 1 && s->visit)
        s->visit(s->context, key, key_length, s->bytes + begin, s->at - begin);
    return true;
}

/* At an opening bracket: step behind the closing one. */
static bool scan_members(struct scan *s)
{
    bool object = peek(s) == '{';
    char close = object ? '}' : ']';
    if (s->depth == CONTRACT_MAX_DEPTH)
        return fail(s, "more than 64 levels of brackets");
    s->depth++;
    s->at++;
    skip_blanks(s);
    for (bool first = true; first || peek(s) != close; first = false) {
        if (first && peek(s) == close)
            break;
        if (!first && peek(s) != ',')
            return missing(s, "no comma and no closing bracket",
                           "the end of the text where a bracket should be closed");
        if (!first) {
            s->at++;
            skip_blanks(s);
        }
        if (!scan_member(s, object))
            return false;
        skip_blanks(s);
    }
    s->depth--;
    s->at++;
    return true;
}
_Static_assert(CONTRACT_MAX_DEPTH == 64, "a message names the number");

static bool scan_value(struct scan *s)
{
    char c = peek(s);
    if (c == '"')
        return skip_string(s);
    if (c == '{' || c == '[')
        return scan_members(s);
    if (c == '-' || is_digit(c))
        return skip_number(s);
    return skip_word(s);
}

bool types_scan_json(const char *bytes, size_t length, types_json_member *visit, void *context,
                     struct trouble *trouble)
{
    struct scan s = {
        .bytes = bytes, .length = length, .trouble = trouble, .visit = visit, .context = context};
    skip_blanks(&s);
    if (!scan_value(&s))
        return false;
    skip_blanks(&s);
    return s.at == s.length || fail(&s, "more text behind the value");
}

bool types_is_json(const char *bytes, size_t length, struct trouble *trouble)
{
    return types_scan_json(bytes, length, NULL, NULL, trouble);
}
