/* envcontract/scan.c: JSON text with comments → a tree with the place of each key and value.
 *
 * Not jansson's tree: it keeps no positions, tells nothing of the first of two equal keys, needs
 * some 200 bytes for `{}` (four megabytes of them would be a gigabyte), and when memory runs out it
 * drops characters of a string that it decodes. Here are ceilings on bytes, depth and values, and
 * strings stay where they are: what is decoded is never longer than how it was written, so the text
 * itself becomes the storage. In the tests jansson is the judge of what JSON is. Lines and columns
 * count from 1, columns in characters, a tab is one. Source: RFC 8259. */
#include "envcontract/document.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

struct scanner {
    struct contract_document *document;
    struct document_file *file;
    char *at, *end;
    const char *line_start;
    unsigned line;
    unsigned wide; /* bytes since line_start that continue a character: no columns of their own */
    unsigned depth;
};

static int scan_value(struct scanner *s, struct node *node);

static unsigned column_of(const struct scanner *s, const char *at)
{
    return (unsigned)(at - s->line_start) - s->wide + 1;
}

/* A text that is no JSON has one problem, at AT: nothing behind it can be trusted. */
PRINTF(4, 5)
static int syntax(struct scanner *s, const char *at, const char *hint, const char *format, ...)
{
    struct contract_position position = {
        .file = s->file->path, .line = s->line, .column = column_of(s, at)};
    va_list args;

    va_start(args, format);
    findings_addv(s->document->findings, FINDING_ERROR, NULL, "contract", &position, hint, format,
                  args);
    va_end(args);
    return -1;
}

static int no_memory(struct scanner *s)
{
    s->document->no_memory = true;
    return -1;
}

static void new_line(struct scanner *s)
{
    s->line++;
    s->line_start = s->at;
    s->wide = 0;
}

/* Step over one byte of a comment or a string. */
static void step(struct scanner *s)
{
    unsigned char c = (unsigned char)*s->at++;

    if (c == '\n')
        new_line(s);
    else if ((c & 0xC0) == 0x80)
        s->wide++;
}

/* At a "/" that begins a comment: step behind it. */
static int skip_comment(struct scanner *s)
{
    const char *begin = s->at;
    struct scanner start = *s;

    if (s->at[1] == '/') {
        while (s->at < s->end && *s->at != '\n')
            step(s);
        return 0;
    }
    s->at += 2;
    while (s->at + 1 < s->end && !(s->at[0] == '*' && s->at[1] == '/'))
        step(s);
    if (s->at + 1 >= s->end)
        return syntax(&start, begin, "Close it with */.", "a comment that is not closed");
    s->at += 2;
    return 0;
}

static int skip_blanks(struct scanner *s)
{
    while (s->at < s->end) {
        char c = *s->at;
        if (c == '\n') {
            step(s);
        } else if (c == ' ' || c == '\t' || c == '\r') {
            s->at++;
        } else if (c == '/' && s->at + 1 < s->end && (s->at[1] == '/' || s->at[1] == '*')) {
            if (skip_comment(s) != 0)
                return -1;
        } else {
            break;
        }
    }
    return 0;
}

/* What stands at the scanner, for "…, not X". */
static int unexpected(struct scanner *s, const char *wanted)
{
    static const char quotes[] = "JSON strings have double quotes.";
    unsigned char c = s->at < s->end ? (unsigned char)*s->at : 0;

    if (s->at >= s->end)
        return syntax(s, s->at, "Is the file whole? A bracket or a quote may be missing.",
                      "the file ends where %s should be", wanted);
    if (c == '\'')
        return syntax(s, s->at, quotes, "%s should be here, not a single quote", wanted);
    if (c > 0x20 && c < 0x7F)
        return syntax(s, s->at, NULL, "%s should be here, not '%c'", wanted, c);
    return syntax(s, s->at, NULL, "%s should be here, not the byte 0x%02X", wanted, c);
}

/* At a backslash: step behind the escape. */
static int skip_escape(struct scanner *s)
{
    const char *begin = s->at;
    size_t digits = 0;

    if (s->at + 1 >= s->end || !strchr("\"\\/bfnrtu", s->at[1]) || s->at[1] == '\0')
        return syntax(s, begin, "A backslash itself is written \\\\.",
                      "an escape that JSON does not have");
    if (s->at[1] != 'u') {
        s->at += 2;
        return 0;
    }
    while (digits < 4 && s->at + 2 + digits < s->end && str_hex_digit(s->at[2 + digits]) >= 0)
        digits++;
    if (digits < 4)
        return syntax(s, begin, NULL, "\\u without four hexadecimal digits");
    s->at += 6;
    return 0;
}

/* At an opening quote: step behind the closing one. */
static int skip_string(struct scanner *s, bool *escapes)
{
    struct scanner start = *s;

    *escapes = false;
    s->at++;
    while (s->at < s->end && *s->at != '"') {
        unsigned char c = (unsigned char)*s->at;
        size_t length = 1;
        if (c == '\\') {
            *escapes = true;
            if (skip_escape(s) != 0)
                return -1;
            continue;
        }
        if (c == '\n' || c == '\r')
            return syntax(&start, start.at,
                          "Is its closing quote missing? A line break inside is "
                          "written \\n.",
                          "a string that does not end on its line");
        if (c < 0x20)
            return syntax(s, s->at, "Write it as an escape, a tab as \\t.",
                          "the control byte 0x%02X in a string", c);
        if (c >= 0x80 && (length = str_utf8(s->at, (size_t)(s->end - s->at))) == 0)
            return syntax(s, s->at, "Save the file as UTF-8.", "a byte that is not UTF-8: 0x%02X",
                          c);
        s->wide += (unsigned)length - 1;
        s->at += length;
    }
    if (s->at >= s->end)
        return syntax(&start, start.at, "Is its closing quote missing?",
                      "a string that is not closed");
    s->at++;
    return 0;
}

static int scan_string(struct scanner *s, const char **text, unsigned *text_length)
{
    char *begin = s->at;
    bool escapes;

    if (skip_string(s, &escapes) != 0)
        return -1;
    size_t length = (size_t)(s->at - begin) - 2;
    if (escapes && text_decode(begin + 1, &length) != 0)
        return syntax(s, begin, NULL,
                      "an escape in this string stands for NUL or for half a character");
    begin[1 + length] = '\0'; /* at the latest where the closing quote was */
    *text = begin + 1;
    *text_length = (unsigned)length;
    return 0;
}

static bool is_digit(const struct scanner *s, const char *at)
{
    return at < s->end && *at >= '0' && *at <= '9';
}

static int scan_number(struct scanner *s, struct node *node)
{
    const char *begin = s->at, *at = begin;

    if (*at == '-')
        at++;
    if (!is_digit(s, at))
        return syntax(s, begin, NULL, "a minus sign without digits");
    if (*at == '0' && is_digit(s, at + 1))
        return syntax(s, begin, "JSON numbers have no leading zeros; a mode is a string.",
                      "a number that begins with 0");
    node->kind = NODE_INTEGER;
    while (is_digit(s, at))
        at++;
    if (at < s->end && *at == '.') {
        node->kind = NODE_NUMBER;
        if (!is_digit(s, ++at))
            return syntax(s, begin, NULL, "a number without digits behind its point");
        while (is_digit(s, at))
            at++;
    }
    if (at < s->end && (*at == 'e' || *at == 'E')) {
        node->kind = NODE_NUMBER;
        at++;
        if (at < s->end && (*at == '+' || *at == '-'))
            at++;
        if (!is_digit(s, at))
            return syntax(s, begin, NULL, "a number without digits in its exponent");
        while (is_digit(s, at))
            at++;
    }
    size_t length = (size_t)(at - begin);
    if (length > CONTRACT_MAX_NUMBER_BYTES)
        return syntax(s, begin, NULL, "a number of more than %d characters",
                      CONTRACT_MAX_NUMBER_BYTES);
    node->text = arena_dup_n(&s->document->arena, begin, length);
    if (!node->text)
        return no_memory(s);
    node->count = (unsigned)length;
    s->at += length;
    return 0;
}

static int scan_word(struct scanner *s, struct node *node)
{
    static const struct {
        const char *word;
        enum node_kind kind;
        bool truth;
    } words[] = {
        {"null", NODE_NULL, false}, {"true", NODE_BOOL, true}, {"false", NODE_BOOL, false}};
    size_t length = 0;

    while (s->at + length < s->end && length < SHOWN_BYTES &&
           ((s->at[length] | 0x20) >= 'a' && (s->at[length] | 0x20) <= 'z'))
        length++;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (length == strlen(words[i].word) && memcmp(s->at, words[i].word, length) == 0) {
            node->kind = (unsigned char)words[i].kind;
            if (words[i].kind == NODE_BOOL)
                node->truth = words[i].truth;
            s->at += length;
            return 0;
        }
    }
    if (length == 0)
        return unexpected(s, "a value");
    return syntax(s, s->at, "Strings need double quotes; the words are true, false and null.",
                  "a bare word is no value: %.*s", (int)length, s->at);
}

/* Get a node for what begins at the scanner. */
static struct node *new_node(struct scanner *s, struct node *parent)
{
    struct contract_document *d = s->document;

    if (d->values_left == 0) {
        (void)syntax(s, s->at, NULL, "more than %d values in the contract", CONTRACT_MAX_VALUES);
        return NULL;
    }
    struct node *node = arena_new(&d->arena, 1, sizeof *node);
    if (!node) {
        d->no_memory = true;
        return NULL;
    }
    d->values_left--;
    node->file = (unsigned short)(s->file - d->files);
    node->parent = parent;
    return node;
}

static int scan_key(struct scanner *s, struct node *node)
{
    unsigned length;

    if (s->at >= s->end || *s->at != '"')
        return unexpected(s, "a key in double quotes");
    node->key_line = s->line;
    node->key_column = column_of(s, s->at);
    struct scanner start = *s;
    if (scan_string(s, &node->key, &length) != 0)
        return -1;
    if (length > CONTRACT_MAX_KEY_BYTES)
        return syntax(&start, start.at, NULL, "a key of more than %d bytes",
                      CONTRACT_MAX_KEY_BYTES);
    if (skip_blanks(s) != 0)
        return -1;
    if (s->at >= s->end || *s->at != ':')
        return unexpected(s, "a colon behind the key");
    s->at++;
    return skip_blanks(s);
}

/* Behind one of a list: 1 another one follows, 0 it is closed, -1 an error. */
static int scan_separator(struct scanner *s, char close)
{
    if (skip_blanks(s) != 0)
        return -1;
    if (s->at < s->end && *s->at == close) {
        s->at++;
        return 0;
    }
    if (s->at >= s->end || *s->at != ',')
        return unexpected(s, close == '}' ? "a comma or '}'" : "a comma or ']'");
    struct scanner comma = *s;
    s->at++;
    if (skip_blanks(s) != 0)
        return -1;
    if (s->at < s->end && *s->at == close)
        return syntax(&comma, comma.at, "Take the comma away.", "a comma behind the last one");
    return 1;
}

static int scan_members(struct scanner *s, struct node *parent)
{
    bool object = parent->kind == NODE_OBJECT;
    char close = object ? '}' : ']';
    struct node **link = &parent->first;
    int more = 1;

    s->at++;
    if (skip_blanks(s) != 0)
        return -1;
    if (s->at < s->end && *s->at == close) {
        s->at++;
        return 0;
    }
    while (more == 1) {
        struct node *node = new_node(s, parent);
        if (!node || (object && scan_key(s, node) != 0) || scan_value(s, node) != 0)
            return -1;
        if (!object)
            node->index = parent->count;
        parent->count++;
        *link = node;
        link = &node->next;
        more = scan_separator(s, close);
    }
    if (more != 0)
        return -1;
    return object && parent->count > 1 ? document_drop_duplicates(s->document, parent) : 0;
}

static int scan_value(struct scanner *s, struct node *node)
{
    node->line = s->line;
    node->column = column_of(s, s->at);
    if (s->at >= s->end)
        return unexpected(s, "a value");

    char c = *s->at;
    if (c == '"') {
        node->kind = NODE_STRING;
        return scan_string(s, &node->text, &node->count);
    }
    if (c == '-' || (c >= '0' && c <= '9'))
        return scan_number(s, node);
    if (c != '{' && c != '[')
        return scan_word(s, node);

    node->kind = c == '{' ? NODE_OBJECT : NODE_ARRAY;
    if (++s->depth > CONTRACT_MAX_DEPTH)
        return syntax(s, s->at, NULL, "more than %d levels of brackets", CONTRACT_MAX_DEPTH);
    int result = scan_members(s, node);
    s->depth--;
    return result;
}

static struct node *scan_text(struct scanner *s)
{
    if (s->end - s->at >= 3 && memcmp(s->at, "\xEF\xBB\xBF", 3) == 0) {
        s->at += 3; /* a byte order mark is no column */
        s->line_start = s->at;
    }
    if (skip_blanks(s) != 0)
        return NULL;
    if (s->at >= s->end) {
        (void)syntax(s, s->at, "A contract begins with {\"contract\": 1, \"vars\": {",
                     "the file is empty");
        return NULL;
    }
    struct node *root = new_node(s, NULL);
    if (!root || scan_value(s, root) != 0 || skip_blanks(s) != 0)
        return NULL;
    if (s->at < s->end) {
        (void)unexpected(s, "the end of the file");
        return NULL;
    }
    return root;
}

const struct node *document_scan(struct contract_document *d, const char *path, char *text,
                                 size_t length)
{
    struct document_file *file = &d->files[d->file_count++];

    *file = (struct document_file){.path = path, .length = length};
    struct scanner scanner = {
        .document = d,
        .file = file,
        .at = text,
        .end = text + length,
        .line_start = text,
        .line = 1,
    };
    file->root = scan_text(&scanner);
    return file->root;
}

int document_read(struct contract_document *d, const char *path, int64_t deadline_ms,
                  struct err *err)
{
    AUTO_BUF text = BUF_INIT(d->bytes_left);
    bool named_by_call = d->file_count == 0; /* what it includes are files */

    if (named_by_call ? file_read_input(path, deadline_ms, &text, err) != 0
                      : file_read_all(path, &text, err) != 0)
        return -1;
    size_t length = text.len;
    char *bytes = buf_take(&text);
    if (!bytes)
        return err_nomem(err);
    d->bytes_left -= length;
    size_t index = d->file_count;
    (void)document_scan(d, path, bytes, length);
    d->files[index].text = bytes;
    return d->no_memory ? err_nomem(err) : 0;
}
