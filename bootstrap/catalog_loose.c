/* bootstrap/catalog_loose.c: a definition without what only a column's history has put into it.
 *
 * PostgreSQL keeps an expression as it was understood when it was made. A CHECK on a column that
 * was varchar(10) from the start is deparsed as
 *     ((status)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))
 * and one on a column that became it later as
 *     ((status)::text = ANY (ARRAY['a'::text, 'b'::text]))
 * which means the same. What is taken out is only what can't matter: casts to text and varchar
 * (without a length: they have their operators in common) of text constants, of arrays of these and
 * of columns that are text or varchar; in expressions without arithmetic and calls also casts of
 * numbers and of columns that are numbers to a type that has the very same number (an integer as
 * bigint or numeric; not a numeric as integer, which rounds it); and parentheses around a single
 * thing. All other casts stay, so that `a::text < b::text` and `a < b` of two integers never look
 * alike.
 *
 * Of functions, the ends of lines (blanks, CR) are taken out; of extensions, the version. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "bootstrap/catalog_internal.h"

enum {
    COLUMN_NAME_BYTES = 1024,
    REAL_DIGITS = 7,    /* decimal ones that every whole number may have and be exact in a real, */
    DOUBLE_DIGITS = 15, /* and in a double precision */
};

enum token_kind { TOKEN_STRING, TOKEN_WORD, TOKEN_NUMBER, TOKEN_CAST, TOKEN_OTHER };

struct token {
    const char *text;
    size_t length;
    enum token_kind kind;
    bool glued;     /* nothing stands between it and the one before */
    size_t partner; /* of a bracket: the other one's index; else its own */
};

struct tokens {
    struct token *list;
    size_t count, capacity;
    bool no_memory;
};

struct loosening {
    const struct catalog *catalog;
    const struct catalog_object *object;
    bool plain_numbers; /* no arithmetic, no calls: the type of a number can't matter */
};

/* ---- text → tokens --------------------------------------------------------------------------- */

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

/* From the opening quote to behind the closing one, which doubled stands for itself. */
static size_t quoted_length(const char *at, const char *end, char quote, bool backslashes)
{
    const char *p = at + 1;
    while (p < end) {
        bool pair = p + 1 < end && (*p == quote ? p[1] == quote : backslashes && *p == '\\');
        if (pair)
            p += 2;
        else if (*p++ == quote)
            break;
    }
    return (size_t)(p - at);
}

static struct token next_token(const char *at, const char *end)
{
    struct token t = {.text = at, .length = 1, .kind = TOKEN_OTHER};
    if (*at == '\'' || (*at == 'E' && at + 1 < end && at[1] == '\'')) {
        size_t prefix = *at == 'E';
        t.kind = TOKEN_STRING;
        t.length = prefix + quoted_length(at + prefix, end, '\'', prefix > 0);
    } else if (*at == '"') {
        t.kind = TOKEN_WORD;
        t.length = quoted_length(at, end, '"', false);
    } else if (is_word_byte(*at)) {
        bool digit = *at >= '0' && *at <= '9';
        t.kind = digit ? TOKEN_NUMBER : TOKEN_WORD;
        while (at + t.length < end &&
               (is_word_byte(at[t.length]) || (digit && at[t.length] == '.')))
            t.length++;
    } else if (*at == ':' && at + 1 < end && at[1] == ':') {
        t.kind = TOKEN_CAST;
        t.length = 2;
    }
    return t;
}

static void push(struct tokens *tokens, struct token token)
{
    if (tokens->no_memory ||
        mem_grow(&tokens->list, tokens->count, &tokens->capacity, sizeof(token)) != 0)
        tokens->no_memory = true;
    else
        tokens->list[tokens->count++] = token;
}

static void cut(const char *at, const char *end, struct tokens *out)
{
    bool glued = false;
    while (at < end && !out->no_memory) {
        if (*at == ' ' || *at == '\n' || *at == '\t') {
            glued = false;
            at++;
            continue;
        }
        struct token t = next_token(at, end);
        t.glued = glued;
        push(out, t);
        at += t.length;
        glued = true;
    }
}

static bool is(const struct token *t, const char *text)
{
    return t->length == strlen(text) && memcmp(t->text, text, t->length) == 0;
}

static bool is_call(const struct tokens *tokens, size_t open)
{
    return open > 0 && tokens->list[open].glued && tokens->list[open - 1].kind == TOKEN_WORD;
}

/* ---- casts ----------------------------------------------------------------------------------- */

/* TYPE_TEXT is varchar, too: they have their operators in common. */
enum type {
    TYPE_OTHER,
    TYPE_TEXT,
    TYPE_SMALLINT,
    TYPE_INTEGER,
    TYPE_BIGINT,
    TYPE_NUMERIC,
    TYPE_REAL,
    TYPE_DOUBLE
};

static const struct {
    const char *first, *second;
    enum type type;
} type_names[] = {
    {"text", NULL, TYPE_TEXT},         {"character", "varying", TYPE_TEXT},
    {"smallint", NULL, TYPE_SMALLINT}, {"integer", NULL, TYPE_INTEGER},
    {"bigint", NULL, TYPE_BIGINT},     {"numeric", NULL, TYPE_NUMERIC},
    {"real", NULL, TYPE_REAL},         {"double", "precision", TYPE_DOUBLE},
};

/* Whether each value of a column of type FROM is the same in type TO. A real's is not: shown or
 * cast again as a double it has more digits. */
static bool holds_each(enum type to, enum type from)
{
    if (to == from)
        return from != TYPE_OTHER;
    switch (from) {
    case TYPE_SMALLINT:
        return to > TYPE_SMALLINT;
    case TYPE_INTEGER:
        return to == TYPE_BIGINT || to == TYPE_NUMERIC || to == TYPE_DOUBLE;
    case TYPE_BIGINT:
        return to == TYPE_NUMERIC;
    case TYPE_OTHER:
    case TYPE_TEXT:
    case TYPE_NUMERIC:
    case TYPE_REAL:
    case TYPE_DOUBLE:
        break;
    }
    return false;
}

struct cast {
    enum type type;
    bool array;
    size_t length; /* tokens, with the `::` */
};

/* What the cast at AT casts to; TYPE_OTHER where there is a length or it is another type. */
static struct cast read_cast(const struct tokens *in, size_t at)
{
    struct cast cast = {.length = 1};
    const struct token *list = in->list;
    for (size_t i = 0; i < ARRAY_LEN(type_names); i++) {
        size_t n = type_names[i].second ? 2 : 1;
        if (at + n >= in->count || !is(&list[at + 1], type_names[i].first) ||
            (n == 2 && !is(&list[at + 2], type_names[i].second)))
            continue;
        cast.length = 1 + n;
        bool has_length = at + cast.length < in->count && is(&list[at + cast.length], "(") &&
                          list[at + cast.length].glued;
        cast.type = has_length ? TYPE_OTHER : type_names[i].type;
        cast.array = at + cast.length + 1 < in->count && is(&list[at + cast.length], "[") &&
                     is(&list[at + cast.length + 1], "]");
        cast.length += cast.array ? 2 : 0;
        break;
    }
    return cast;
}

/* The type at the start of a definition, whatever its length. */
static enum type type_of(const char *definition)
{
    for (size_t i = 0; i < ARRAY_LEN(type_names); i++) {
        char name[sizeof("character varying")];
        int length = snprintf(name, sizeof(name), "%s%s%s", type_names[i].first,
                              type_names[i].second ? " " : "",
                              type_names[i].second ? type_names[i].second : "");
        const char *behind = definition + length;
        if (str_starts(definition, name) &&
            (*behind == '\0' || *behind == ' ' || *behind == ',' ||
             (*behind == '(' && !str_starts(behind + strcspn(behind, ")"), ")["))))
            return type_names[i].type;
    }
    return TYPE_OTHER;
}

/* A column of the object's table, or VALUE in a domain. */
static enum type type_of_word(const struct loosening *l, const struct token *word)
{
    static const char domain_over[] = "domain over ";
    char name[COLUMN_NAME_BYTES];
    const struct catalog_object *o = NULL;
    if (str_eq(l->object->parent_kind, "type")) {
        o = is(word, "VALUE") ? catalog_find(l->catalog, "type", l->object->parent) : NULL;
        return o && str_starts(o->definition, domain_over)
                   ? type_of(o->definition + strlen(domain_over))
                   : TYPE_OTHER;
    }
    int length = snprintf(name, sizeof(name), "%s.%.*s", l->object->parent, (int)word->length,
                          word->text);
    if (length > 0 && (size_t)length < sizeof(name))
        o = catalog_find(l->catalog, "column", name);
    return o ? type_of(o->definition) : TYPE_OTHER;
}

/* Whether a number that is written as these digits is the same in type TO. One with a fraction is
 * not in a binary type (0.1 has another value as real than as double), and rounded in a whole one. */
static bool holds_number(enum type to, const char *text, size_t length)
{
    size_t digits = 0, sign = length > 0 && text[0] == '-';
    bool fraction = false;
    for (size_t i = sign; i < length; i++) {
        if (text[i] >= '0' && text[i] <= '9')
            digits++;
        else if (text[i] == '.')
            fraction = true;
        else
            return false;
    }
    if (digits == 0 || to < TYPE_SMALLINT)
        return false;
    if (to == TYPE_NUMERIC)
        return true;
    return !fraction && (to != TYPE_REAL || digits <= REAL_DIGITS) &&
           (to != TYPE_DOUBLE || digits <= DOUBLE_DIGITS);
}

/* The bracket that the one at the end of OUT closes, or OUT's count. */
static size_t opening(const struct tokens *out)
{
    size_t depth = 0;
    for (size_t i = out->count; i-- > 0;) {
        const struct token *t = &out->list[i];
        if (is(t, ")") || is(t, "]"))
            depth++;
        else if ((is(t, "(") || is(t, "[")) && --depth == 0)
            return i;
    }
    return out->count;
}

/* ARRAY['...' from START on, up to LAST, the closing bracket. */
static bool is_text_array(const struct tokens *out, size_t start, size_t last)
{
    return last >= start + 3 && is(&out->list[start], "ARRAY") && is(&out->list[start + 1], "[") &&
           out->list[start + 2].kind == TOKEN_STRING && is(&out->list[last], "]");
}

static bool single_can_lose(const struct loosening *l, struct token *t, struct cast cast)
{
    bool number = cast.type != TYPE_TEXT;
    if (cast.array || (number && !l->plain_numbers))
        return false;
    switch (t->kind) {
    case TOKEN_STRING:
        if (!number)
            return true;
        if (!holds_number(cast.type, t->text + 1, t->length - 2))
            return false;
        /* '-1'::integer is how -1 is written */
        *t = (struct token){t->text + 1, t->length - 2, TOKEN_NUMBER, t->glued, t->partner};
        return true;
    case TOKEN_NUMBER:
        return holds_number(cast.type, t->text, t->length);
    case TOKEN_WORD:
        return is(t, "NULL") || holds_each(cast.type, type_of_word(l, t));
    case TOKEN_CAST:
    case TOKEN_OTHER:
        break;
    }
    return false;
}

/* Whether what stands at the end of OUT means the same without the cast. */
static bool can_lose(const struct loosening *l, struct tokens *out, struct cast cast)
{
    if (out->count == 0 || cast.type == TYPE_OTHER)
        return false;
    size_t last = out->count - 1;
    if (is(&out->list[last], "]")) {
        size_t open = opening(out);
        return cast.array && cast.type == TYPE_TEXT && open > 0 && open < last &&
               is_text_array(out, open - 1, last);
    }
    if (!is(&out->list[last], ")"))
        return single_can_lose(l, &out->list[last], cast);
    size_t open = opening(out);
    if (open >= last || is_call(out, open))
        return false;
    if (open + 2 == last)
        return single_can_lose(l, &out->list[open + 1], cast);
    return cast.array && cast.type == TYPE_TEXT && is_text_array(out, open + 1, last - 1);
}

static void take_casts_out(const struct loosening *l, const struct tokens *in, struct tokens *out)
{
    for (size_t i = 0; i < in->count; i++) {
        if (in->list[i].kind == TOKEN_CAST) {
            struct cast cast = read_cast(in, i);
            if (can_lose(l, out, cast)) {
                i += cast.length - 1;
                continue;
            }
        }
        push(out, in->list[i]);
    }
}

static bool has_plain_numbers(const struct tokens *in)
{
    for (size_t i = 0; i < in->count; i++)
        if ((is(&in->list[i], "(") && is_call(in, i)) ||
            (in->list[i].kind == TOKEN_OTHER && strchr("+-*/%^|&#~!@", in->list[i].text[0])))
            return false;
    return true;
}

/* ---- parentheses ----------------------------------------------------------------------------- */

/* False where brackets don't match: then nothing is taken out. */
static bool find_partners(struct tokens *tokens)
{
    size_t open = SIZE_MAX; /* a stack: an open bracket's partner is the one that was open before */
    for (size_t i = 0; i < tokens->count; i++) {
        struct token *t = &tokens->list[i];
        bool opens = is(t, "(") || is(t, "["), closes = is(t, ")") || is(t, "]");
        t->partner = i;
        if (opens) {
            t->partner = open;
            open = i;
        } else if (closes) {
            if (open == SIZE_MAX)
                return false;
            size_t outer = tokens->list[open].partner;
            tokens->list[open].partner = i;
            t->partner = open;
            open = outer;
        }
    }
    return open == SIZE_MAX;
}

/* What is between the parentheses that open at AT is one thing: a word, a constant, an ARRAY[...],
 * or something in parentheses itself. */
static bool is_single(const struct tokens *tokens, size_t at)
{
    const struct token *list = tokens->list;
    size_t first = at + 1, last = list[at].partner - 1;
    if (first == last)
        return list[first].partner == first;
    if (is(&list[first], "("))
        return list[first].partner == last;
    return last > first + 1 && is(&list[first], "ARRAY") && list[first + 1].partner == last;
}

/* Those around one thing, but for a call's; IN is OUT afterwards. True when there was one. */
static bool take_parentheses_out(struct tokens *tokens)
{
    size_t kept = 0, count = tokens->count;
    if (!find_partners(tokens))
        return false;
    AUTO_FREE bool *goes = mem_new(count + 1, sizeof(*goes));
    if (!goes) {
        tokens->no_memory = true;
        return false;
    }
    for (size_t i = 0; i < count; i++)
        if (is(&tokens->list[i], "(") && tokens->list[i].partner > i + 1 && !is_call(tokens, i) &&
            is_single(tokens, i))
            goes[i] = goes[tokens->list[i].partner] = true;
    for (size_t i = 0; i < count; i++)
        if (!goes[i])
            tokens->list[kept++] = tokens->list[i];
    tokens->count = kept;
    return kept < count;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void add_expression(struct loosening *l, const char *begin, const char *end, struct buf *out)
{
    struct tokens in = {0}, kept = {0};
    cut(begin, end, &in);
    l->plain_numbers = has_plain_numbers(&in);
    take_casts_out(l, &in, &kept);
    while (take_parentheses_out(&kept))
        ;
    out->no_memory |= in.no_memory | kept.no_memory;
    for (size_t i = 0; i < kept.count; i++) {
        if (i > 0)
            buf_addc(out, ' ');
        buf_add(out, kept.list[i].text, kept.list[i].length);
    }
    free(in.list);
    free(kept.list);
}

static void add_without_line_ends(const char *text, struct buf *out)
{
    for (;;) {
        size_t length = strcspn(text, "\n"), shown = length;
        while (shown > 0 && strchr(" \t\r", text[shown - 1]))
            shown--;
        buf_add(out, text, shown);
        if (!text[length])
            return;
        buf_addc(out, '\n');
        text += length + 1;
    }
}

void catalog_add_loose(const struct catalog *catalog, const struct catalog_object *object,
                       const char *raw, struct buf *out)
{
    struct loosening l = {.catalog = catalog, .object = object};
    const char *begin = strchr(raw, ZONE_BEGIN);
    const char *end = begin ? strrchr(begin, ZONE_END) : NULL;
    if (str_eq(object->kind, "function") || str_eq(object->kind, "procedure")) {
        add_without_line_ends(raw, out);
        return;
    }
    if (!end) {
        buf_adds(out, raw);
        return;
    }
    buf_add(out, raw, (size_t)(begin - raw));
    if (!str_eq(object->kind, "extension"))
        add_expression(&l, begin + 1, end, out);
    buf_adds(out, end + 1);
}
