/* migrations/auditpy.c: what a revision file says besides its links: the header's date and author,
 * whether downgrade() does anything, and what in it asks the database as it runs.
 *
 * Nothing is executed. A downgrade() counts as real when a statement is in it that is neither a
 * docstring, `pass`, `...` nor a bare `return`; one that begins with `raise` refuses. */
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/str.h"
#include "migrations/auditparts.h"
#include "migrations/internal.h"

/* ---- header ---------------------------------------------------------------------------------- */

/* The text behind "NAME:" at the start of a line, whatever its case; "" where there is none. */
static const char *header_line(struct arena *a, const char *text, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = text; *line;) {
        const char *p = line + strspn(line, " \t"), *end = line + strcspn(line, "\n");
        line = *end ? end + 1 : end;
        if (strncasecmp(p, name, length) != 0 || p[length] != ':')
            continue;
        const char *value = p + length + 1;
        size_t value_length = (size_t)(end - value);
        str_trim(&value, &value_length);
        return arena_dup_n(a, value, value_length);
    }
    return "";
}

static int read_header(struct arena *a, const char *text, struct audit_source *out, struct err *err)
{
    static const char *const author_lines[] = {"Author", "Authors", "Written by", "Created by"};
    out->date = header_line(a, text, "Create Date");
    out->author = "";
    for (size_t i = 0; i < ARRAY_LEN(author_lines) && out->author && *out->author == '\0'; i++)
        out->author = header_line(a, text, author_lines[i]);
    return out->date && out->author ? 0 : err_nomem(err);
}

/* The module's docstring, or "". What can't be decoded is no reason to fail. */
static int read_docstring(struct arena *a, const char *text, size_t length, const char **out,
                          struct err *err)
{
    struct py_scanner s;
    struct py_token token;
    unsigned column;
    const char *why = NULL;
    *out = "";
    py_scanner_init(&s, text, length);
    if (!py_line_begin(&s, &column))
        return 0;
    py_next(&s, &token);
    if (token.kind != PY_STRING || !py_string_is_plain(&token))
        return 0;
    if (py_decode(a, token.text, token.text + token.length, py_encoding_of(text, length), out,
                  &why) == 0)
        return 0;
    *out = "";
    return why ? 0 : err_nomem(err);
}

/* ---- downgrade() ----------------------------------------------------------------------------- */

/* Up to the end of a statement, from its first TOKEN: whether it does something. */
static bool does_something(struct py_scanner *s, struct py_token token)
{
    struct py_token first = token;
    size_t count = 0;
    bool none = false;
    while (token.kind != PY_NEWLINE && token.kind != PY_END &&
           !(py_is(&token, ";") && s->depth == 0)) {
        count++;
        none = py_is(&token, "None");
        py_next(s, &token);
    }
    if (count == 1)
        return !py_is(&first, "pass") && !py_is(&first, "...") && !py_is(&first, "return") &&
               first.kind != PY_STRING;
    return !(count == 2 && py_is(&first, "return") && none) && count > 0;
}

/* Behind the `:` of the header: the statements of the body. */
static enum audit_downgrade judge_body(struct py_scanner *s, unsigned header)
{
    struct py_token token;
    unsigned column;
    py_next(s, &token);
    if (token.kind != PY_NEWLINE) { /* def downgrade(): pass */
        bool raises = py_is(&token, "raise");
        bool real = does_something(s, token);
        return raises ? DOWNGRADE_RAISES : real ? DOWNGRADE_REAL : DOWNGRADE_EMPTY;
    }
    while (py_line_begin(s, &column) && column > header) {
        py_next(s, &token);
        bool raises = py_is(&token, "raise");
        if (does_something(s, token))
            return raises ? DOWNGRADE_RAISES : DOWNGRADE_REAL;
    }
    return DOWNGRADE_EMPTY;
}

/* Over the brackets and the annotation of a `def`, to behind its `:`. */
static bool pass_signature(struct py_scanner *s)
{
    struct py_token token;
    do {
        py_next(s, &token);
        if (py_is(&token, ":") && s->depth == 0)
            return true;
    } while (token.kind != PY_NEWLINE && token.kind != PY_END);
    return false;
}

/* `downgrade = ...` at module level, and two definitions of it, are the last one's business. */
static void read_downgrade(const char *text, size_t length, struct audit_source *out)
{
    struct py_scanner s;
    struct py_token token, name;
    unsigned column;
    py_scanner_init(&s, text, length);
    while (py_line_begin(&s, &column)) {
        struct py_scanner line = s;
        py_next(&line, &token);
        if (column == 0 && py_is(&token, "async"))
            py_next(&line, &token);
        name = token;
        bool definition = py_is(&token, "def");
        if (definition)
            py_next(&line, &name);
        if (column == 0 && py_is(&name, "downgrade")) {
            out->downgrade_line = name.line;
            out->downgrade = DOWNGRADE_REAL; /* bound to a function that is made elsewhere */
            if (definition && pass_signature(&line))
                out->downgrade = judge_body(&line, column);
        }
        py_line_skip(&s);
    }
}

/* ---- what it asks ---------------------------------------------------------------------------- */

static const struct {
    const char *name;   /* of a function that is called */
    const char *object; /* that it is called on; NULL: on anything, or on nothing */
    const char *said;
} questions[] = {
    {"get_bind", NULL, "op.get_bind()"},
    {"inspect", "sa", "sa.inspect()"},
    {"inspect", NULL, "inspect()"},
    {"scalar", NULL, ".scalar()"},
    {"scalars", NULL, ".scalars()"},
    {"fetchall", NULL, ".fetchall()"},
    {"fetchone", NULL, ".fetchone()"},
    {"Session", NULL, "Session()"},
    {"sessionmaker", NULL, "sessionmaker()"},
    {"execute", "session", "session.execute()"},
    {"execute", "connection", "connection.execute()"},
    {"execute", "conn", "conn.execute()"},
    {"execute", "bind", "bind.execute()"},
};

static const char *question_of(const struct py_token *object, const struct py_token *name)
{
    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        if (py_is(name, questions[i].name) &&
            (!questions[i].object || py_is(object, questions[i].object)))
            return questions[i].said;
    }
    return NULL;
}

/* Every call of the file: helpers of upgrade() ask for it. What only downgrade() asks is no matter,
 * so its lines are left out. */
static void read_questions(const char *text, size_t length, struct audit_source *out)
{
    struct py_scanner s;
    struct py_token object = {0}, name = {0}, token;
    unsigned column;
    bool in_downgrade = false;
    py_scanner_init(&s, text, length);
    while (py_line_begin(&s, &column)) {
        in_downgrade = in_downgrade && column > 0;
        for (py_next(&s, &token); token.kind != PY_NEWLINE && token.kind != PY_END;
             py_next(&s, &token)) {
            if (py_is(&name, "def") && py_is(&token, "downgrade"))
                in_downgrade = true;
            if (py_is(&token, "(") && !in_downgrade && name.kind == PY_NAME) {
                const char *asks = out->asks ? NULL : question_of(&object, &name);
                out->asks_line = asks ? name.line : out->asks_line;
                out->asks = asks ? asks : out->asks;
                out->tells_offline |= py_is(&name, "is_offline_mode");
                out->autocommit_block |= py_is(&name, "autocommit_block");
            }
            if (!py_is(&token, ".")) {
                object = name;
                name = token;
            }
        }
        object = name = (struct py_token){0};
        if (token.kind == PY_END)
            break;
    }
}

int audit_read_source(struct arena *a, const char *file, struct audit_source *out, struct err *err)
{
    AUTO_BUF text = BUF_INIT(GRAPH_FILE_MAX_BYTES);
    const char *docstring;
    struct audit_source source = {0};
    if (file_read_all(file, &text, err) != 0)
        return -1;
    if (read_docstring(a, buf_text(&text), text.len, &docstring, err) != 0 ||
        read_header(a, docstring, &source, err) != 0)
        return -1;
    read_downgrade(buf_text(&text), text.len, &source);
    read_questions(buf_text(&text), text.len, &source);
    *out = source;
    return 0;
}
