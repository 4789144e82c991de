/* migrations/toml.c: the keys of [tool.alembic] in a pyproject.toml.
 *
 * The whole document is read, so that a key is found however it is written: under a table, as a
 * dotted key, in an inline table. Values of no interest are checked only as far as their end has to
 * be found. Source: TOML 1.0.0, and what 1.1 adds to it (newlines in inline tables, `\e`). */
#include "migrations/internal.h"

#include <stdint.h>
#include <string.h>

#include "base/str.h"

enum { TOML_MAX_KEYS = 32 }; /* parts of a dotted key, and of the table that it stands in */

static const char *const wanted_table[] = {"tool", "alembic"};

/* Where we are: the names from the root. */
struct path {
    const char *names[TOML_MAX_KEYS];
    size_t count;
    bool in_array; /* below [[x]] or a list: not [tool.alembic] */
};

struct reader {
    struct arena *arena;
    const char *file, *at, *end;
    unsigned line;
    struct toml_wanted *wanted;
    size_t wanted_count;
    struct err *err;
};

static int wrong(const struct reader *r, const char *what)
{
    (void)err_set(r->err, ERR_FILE, "%s:%u: %s", r->file, r->line, what);
    return err_at(r->err, r->file, r->line, 0);
}

static bool looking_at(const struct reader *r, const char *text)
{
    size_t length = strlen(text);
    return (size_t)(r->end - r->at) >= length && memcmp(r->at, text, length) == 0;
}

static char peek(const struct reader *r)
{
    return r->at < r->end ? *r->at : '\0';
}

static bool at_newline(const struct reader *r)
{
    return peek(r) == '\n' || looking_at(r, "\r\n");
}

static void pass_newline(struct reader *r)
{
    r->at += *r->at == '\r' ? 2 : 1;
    r->line++;
}

static void pass_blanks(struct reader *r)
{
    while (peek(r) == ' ' || peek(r) == '\t')
        r->at++;
}

/* Blanks, comments and newlines. */
static void pass_space(struct reader *r)
{
    for (;;) {
        pass_blanks(r);
        if (peek(r) == '#') {
            while (r->at < r->end && !at_newline(r))
                r->at++;
        }
        if (!at_newline(r))
            return;
        pass_newline(r);
    }
}

/* ---- strings ------------------------------------------------------------------------------------------ */

static int read_unicode(struct reader *r, int digits, struct buf *out)
{
    uint32_t c = 0;
    for (; digits > 0; digits--, r->at++) {
        int digit = str_hex_digit(peek(r));
        if (digit < 0)
            return wrong(r, "an escape with too few hexadecimal digits");
        c = c << 4 | (uint32_t)digit;
    }
    if (c == 0 || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        return wrong(r, "an escape that is no character of a text");
    char bytes[4];
    buf_add(out, bytes, str_put_utf8(c, bytes));
    return 0;
}

/* A backslash at a line's end takes the white space and newlines behind it away. */
static bool pass_line_end(struct reader *r)
{
    const struct reader before = *r;
    pass_blanks(r);
    if (!at_newline(r)) {
        *r = before;
        return false;
    }
    while (at_newline(r) || peek(r) == ' ' || peek(r) == '\t') {
        if (at_newline(r))
            pass_newline(r);
        else
            r->at++;
    }
    return true;
}

static int read_escape(struct reader *r, bool multi, struct buf *out)
{
    static const char letters[] = "btnfre\"\\", meanings[] = "\b\t\n\f\r\033\"\\";
    r->at++;
    if (multi && pass_line_end(r))
        return 0;
    char c = peek(r);
    const char *letter = c ? strchr(letters, c) : NULL;
    r->at++;
    if (letter) {
        buf_addc(out, meanings[letter - letters]);
        return 0;
    }
    if (c == 'u' || c == 'U')
        return read_unicode(r, c == 'u' ? 4 : 8, out);
    r->at--;
    return wrong(r, "an escape that TOML does not know");
}

/* At a quote: the string, and behind it. */
static int read_string(struct reader *r, struct buf *out)
{
    char quote = *r->at;
    bool multi = looking_at(r, quote == '"' ? "\"\"\"" : "'''");
    r->at += multi ? 3 : 1;
    if (multi && at_newline(r))
        pass_newline(r);
    while (r->at < r->end) {
        char c = *r->at;
        if (c == quote && !multi) {
            r->at++;
            return 0;
        }
        if (c == quote && looking_at(r, quote == '"' ? "\"\"\"" : "'''")) {
            /* One or two quotes may stand right before the closing three. */
            for (int more = 0; more < 2 && r->end - r->at > 3 && r->at[3] == quote; more++) {
                buf_addc(out, quote);
                r->at++;
            }
            r->at += 3;
            return 0;
        }
        if (c == '\\' && quote == '"') {
            if (read_escape(r, multi, out) < 0)
                return -1;
        } else if (at_newline(r)) {
            if (!multi)
                break;
            buf_addc(out, '\n');
            pass_newline(r);
        } else if (((unsigned char)c < 0x20 && c != '\t') || c == 0x7F) {
            return wrong(r, "a control character in a string");
        } else {
            buf_addc(out, c);
            r->at++;
        }
    }
    return wrong(r, "a string is not closed");
}

static int take_string(struct reader *r, const char **out)
{
    AUTO_BUF text = BUF_INIT(CONFIG_MAX_BYTES);
    if (read_string(r, &text) < 0 || buf_check(&text, ERR_FILE, "a string", r->err) < 0)
        return -1;
    *out = arena_dup_n(r->arena, buf_text(&text), text.len);
    return *out ? 0 : err_nomem(r->err);
}

/* ---- keys -------------------------------------------------------------------------------------------- */

static bool is_bare(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

/* A dotted key, added to PATH. */
static int read_key(struct reader *r, struct path *path)
{
    for (;;) {
        const char *name = NULL;
        pass_blanks(r);
        if (path->count == TOML_MAX_KEYS)
            return wrong(r, "a key with too many parts");
        if (peek(r) == '"' || peek(r) == '\'') {
            if (looking_at(r, "\"\"\"") || looking_at(r, "'''"))
                return wrong(r, "a key that is a string over several lines");
            if (take_string(r, &name) < 0)
                return -1;
        } else {
            const char *start = r->at;
            while (r->at < r->end && is_bare(*r->at))
                r->at++;
            if (r->at == start)
                return wrong(r, "a key was expected");
            name = arena_dup_n(r->arena, start, (size_t)(r->at - start));
            if (!name)
                return err_nomem(r->err);
        }
        path->names[path->count++] = name;
        pass_blanks(r);
        if (peek(r) != '.')
            return 0;
        r->at++;
    }
}

static struct toml_value *slot_of(const struct reader *r, const struct path *path)
{
    if (path->in_array || path->count != ARRAY_LEN(wanted_table) + 1)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(wanted_table); i++) {
        if (!str_eq(path->names[i], wanted_table[i]))
            return NULL;
    }
    for (size_t i = 0; i < r->wanted_count; i++) {
        if (str_eq(r->wanted[i].name, path->names[path->count - 1]))
            return &r->wanted[i].value;
    }
    return NULL;
}

/* ---- values -------------------------------------------------------------------------------------------- */

static int read_value(struct reader *r, struct path *path, unsigned depth, struct toml_value *out);

struct text_list {
    const char *text;
    struct text_list *next;
};

/* The texts of an array, newest first, as an array in their order. */
static int take_texts(struct reader *r, const struct text_list *newest, size_t count,
                      struct toml_value *out)
{
    const char **texts = arena_new(r->arena, count + 1, sizeof *texts);
    if (!texts)
        return err_nomem(r->err);
    out->kind = TOML_TEXTS;
    out->texts = texts;
    out->count = count;
    for (; newest; newest = newest->next)
        texts[--count] = newest->text;
    return 0;
}

static int read_array(struct reader *r, struct path *path, unsigned depth, struct toml_value *out)
{
    struct text_list *newest = NULL;
    size_t count = 0;
    bool texts_only = true;
    struct path inside = *path;
    inside.in_array = true;
    r->at++;
    for (;;) {
        pass_space(r);
        if (peek(r) == ']') {
            r->at++;
            break;
        }
        struct toml_value element = {.kind = TOML_OTHER};
        if (read_value(r, &inside, depth + 1, &element) < 0)
            return -1;
        struct text_list *link = arena_new(r->arena, 1, sizeof *link);
        if (!link)
            return err_nomem(r->err);
        *link = (struct text_list){.text = element.text, .next = newest};
        newest = link;
        count++;
        texts_only &= element.kind == TOML_TEXT;
        pass_space(r);
        if (peek(r) == ',')
            r->at++;
        else if (peek(r) != ']')
            return wrong(r, "`,` or `]` was expected in an array");
    }
    out->kind = TOML_OTHER;
    return texts_only ? take_texts(r, newest, count, out) : 0;
}

static int read_pair(struct reader *r, const struct path *table, unsigned depth);

static int read_inline_table(struct reader *r, const struct path *path, unsigned depth)
{
    r->at++;
    pass_space(r);
    if (peek(r) == '}') {
        r->at++;
        return 0;
    }
    for (;;) {
        if (read_pair(r, path, depth + 1) < 0)
            return -1;
        pass_space(r);
        char c = peek(r);
        if (c != ',' && c != '}')
            return wrong(r, "`,` or `}` was expected in an inline table");
        r->at++;
        if (c == '}')
            return 0; /* and the line's end is for the line to find */
        pass_space(r);
        if (peek(r) == '}') {
            r->at++;
            return 0;
        }
    }
}

/* true, false, numbers, dates: a run of the bytes that they are made of. */
static int read_scalar(struct reader *r, struct toml_value *out)
{
    const char *start = r->at;
    while (r->at < r->end && (is_bare(*r->at) || strchr("+.:", *r->at)))
        r->at++;
    size_t length = (size_t)(r->at - start);
    /* A date and a time may be apart by a blank. */
    if (length == 10 && start[4] == '-' && peek(r) == ' ' && r->end - r->at > 1 &&
        str_hex_digit(r->at[1]) >= 0 && str_hex_digit(r->at[1]) < 10) {
        r->at++;
        while (r->at < r->end && (is_bare(*r->at) || strchr("+.:", *r->at)))
            r->at++;
    }
    if (length == 0)
        return wrong(r, "a value was expected");
    bool is_true = length == 4 && memcmp(start, "true", 4) == 0;
    bool is_false = length == 5 && memcmp(start, "false", 5) == 0;
    bool number = (*start >= '0' && *start <= '9') || *start == '+' || *start == '-';
    bool named = length == 3 && (memcmp(start, "inf", 3) == 0 || memcmp(start, "nan", 3) == 0);
    if (!is_true && !is_false && !number && !named)
        return wrong(r, "a value that is not TOML (a string needs quotes)");
    out->kind = is_true || is_false ? TOML_BOOLEAN : TOML_OTHER;
    out->boolean = is_true;
    return 0;
}

static int read_value(struct reader *r, struct path *path, unsigned depth, struct toml_value *out)
{
    if (depth > CONFIG_MAX_DEPTH)
        return wrong(r, "values are nested too deeply");
    out->line = r->line;
    switch (peek(r)) {
    case '"':
    case '\'':
        out->kind = TOML_TEXT;
        return take_string(r, &out->text);
    case '[':
        return read_array(r, path, depth, out);
    case '{':
        out->kind = TOML_OTHER;
        return read_inline_table(r, path, depth);
    default:
        return read_scalar(r, out);
    }
}

/* KEY = VALUE in TABLE. */
static int read_pair(struct reader *r, const struct path *table, unsigned depth)
{
    struct path path = *table;
    if (read_key(r, &path) < 0)
        return -1;
    if (peek(r) != '=')
        return wrong(r, "`=` was expected behind a key");
    r->at++;
    pass_blanks(r);
    struct toml_value value = {.kind = TOML_OTHER};
    if (read_value(r, &path, depth, &value) < 0)
        return -1;
    struct toml_value *slot = slot_of(r, &path);
    if (slot && slot->kind != TOML_ABSENT)
        return wrong(r, "this key is there twice");
    if (slot)
        *slot = value;
    return 0;
}

/* At `[`: the table that the next keys stand in. */
static int read_header(struct reader *r, struct path *table)
{
    bool array = looking_at(r, "[[");
    *table = (struct path){.in_array = array};
    r->at += array ? 2 : 1;
    if (read_key(r, table) < 0)
        return -1;
    if (!looking_at(r, array ? "]]" : "]"))
        return wrong(r, "the name of a table is not closed with `]`");
    r->at += array ? 2 : 1;
    return 0;
}

int toml_read(struct arena *a, const char *name, const char *text, size_t length,
              struct toml_wanted *wanted, size_t count, struct err *err)
{
    struct reader r = {.arena = a,
                       .file = name,
                       .at = text,
                       .end = text + length,
                       .line = 1,
                       .wanted = wanted,
                       .wanted_count = count,
                       .err = err};
    struct path table = {0};
    for (pass_space(&r); r.at < r.end; pass_space(&r)) {
        int rc = *r.at == '[' ? read_header(&r, &table) : read_pair(&r, &table, 0);
        if (rc < 0)
            return -1;
        pass_blanks(&r);
        if (r.at < r.end && peek(&r) != '#' && !at_newline(&r))
            return wrong(&r, "something behind the end of a line's value");
    }
    return 0;
}
