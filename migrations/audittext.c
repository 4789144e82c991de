/* migrations/audittext.c: names and types from a parse tree, and clauses of a statement, as text.
 * */
#include <stdarg.h>
#include <string.h>

#include "base/str.h"
#include "migrations/auditparts.h"
#include "migrations/sqlparts.h"

const char *audit_printf(struct audit_work *w, const char *format, ...)
{
    AUTO_BUF text = BUF_INIT(AUDIT_FILE_MAX_BYTES);
    va_list args;
    va_start(args, format);
    buf_addv(&text, format, args);
    va_end(args);
    const char *kept = text.no_memory ? NULL : arena_dup(w->arena, buf_text(&text));
    w->no_memory |= !kept;
    return kept ? kept : "";
}

const char *audit_word(struct audit_work *w, const char *value)
{
    if (!value || *value != '"')
        return "";
    const char *text = sql_tree_text(w->arena, value);
    w->no_memory |= !text;
    return text ? text : "";
}

void audit_relation(struct audit_work *w, const char *range, const char **schema, const char **name)
{
    *schema = audit_word(w, sql_tree_member(range, "schemaname"));
    *name = audit_word(w, sql_tree_member(range, "relname"));
}

void audit_names(struct audit_work *w, const char *list, const char **schema, const char **name)
{
    *schema = *name = "";
    for (const char *e = sql_tree_first(list); e; e = sql_tree_next(e)) {
        *schema = *name;
        *name = audit_word(w, sql_tree_path(e, "String.sval"));
    }
}

const char *audit_list_text(struct audit_work *w, const char *list)
{
    const char *text = "";
    for (const char *e = sql_tree_first(list); e; e = sql_tree_next(e))
        text = audit_printf(w, "%s%s%s", text, *text ? ", " : "",
                            audit_word(w, sql_tree_path(e, "String.sval")));
    return text;
}

/* The names that people write for what the parser calls pg_catalog's. */
static const char *plain_type(const char *name)
{
    static const struct {
        const char *internal, *plain;
    } names[] = {
        {"int2", "smallint"},
        {"int4", "integer"},
        {"int8", "bigint"},
        {"float4", "real"},
        {"float8", "double precision"},
        {"bool", "boolean"},
        {"bpchar", "character"},
        {"varchar", "character varying"},
        {"varbit", "bit varying"},
        {"timestamptz", "timestamp with time zone"},
        {"timetz", "time with time zone"},
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_eq(names[i].internal, name))
            return names[i].plain;
    }
    return name;
}

const char *audit_type_text(struct audit_work *w, const char *type)
{
    const char *schema, *name, *numbers = "";
    audit_names(w, sql_tree_member(type, "names"), &schema, &name);
    name = plain_type(name);
    if (*schema && !str_eq(schema, "pg_catalog"))
        name = audit_printf(w, "%s.%s", schema, name);
    const char *list = sql_tree_member(type, "typmods");
    for (const char *e = sql_tree_first(list); e; e = sql_tree_next(e))
        numbers = audit_printf(w, "%s%s%zu", numbers, *numbers ? "," : "",
                               sql_tree_number(sql_tree_path(e, "A_Const.ival.ival")));
    if (*numbers)
        name = audit_printf(w, "%s(%s)", name, numbers);
    if (sql_tree_member(type, "arrayBounds"))
        name = audit_printf(w, "%s[]", name);
    return name;
}

/* The place behind the quoted or dollar-quoted text at I, or I + 1. */
static size_t behind_quote(const char *text, size_t i)
{
    char quote = text[i];
    if (quote == '$') {
        size_t tag = 1 + strcspn(text + i + 1, "$ \t\n\r,();'\"");
        if (text[i + tag] != '$')
            return i + 1;
        const char *close = memmem(text + i + tag + 1, strlen(text + i + tag + 1), text + i,
                                   tag + 1);
        return close ? (size_t)(close - text) + tag + 1 : strlen(text);
    }
    for (i++; text[i] && text[i] != quote; i++)
        ;
    return text[i] ? i + 1 : i;
}

/* Where a clause that begins at FROM ends: at a comma or a closing bracket of those around it. */
static size_t clause_end(const char *text, size_t from)
{
    size_t i = from, depth = 0;
    while (text[i]) {
        char c = text[i];
        if (depth == 0 && (c == ',' || c == ')' || c == ';'))
            break;
        depth += c == '(' || c == '[';
        depth -= (c == ')' || c == ']') && depth > 0;
        i = c == '\'' || c == '"' || c == '$' ? behind_quote(text, i) : i + 1;
    }
    return i;
}

static const char *folded(struct audit_work *w, size_t from, size_t end)
{
    AUTO_BUF out = BUF_INIT(AUDIT_FILE_MAX_BYTES);
    const char *text = w->text;
    size_t i = sql_skip_blank(text, from, end);
    while (i < end && out.len < AUDIT_DETAIL_BYTES) {
        size_t next = strchr("'\"$", text[i]) ? behind_quote(text, i) : i + 1;
        next = next < end ? next : end;
        buf_add(&out, text + i, next - i);
        i = sql_skip_blank(text, next, end);
        if (i > next && i < end)
            buf_addc(&out, ' ');
    }
    w->no_memory |= out.no_memory;
    size_t length = out.len;
    bool cut = length > AUDIT_DETAIL_BYTES || i < end;
    for (length = cut && length > AUDIT_DETAIL_BYTES ? AUDIT_DETAIL_BYTES : length;
         cut && length > 0 && length < out.len && ((unsigned char)out.data[length] & 0xC0) == 0x80;)
        length--; /* not through a character */
    return audit_printf(w, "%.*s%s", (int)length, buf_text(&out), cut ? "..." : "");
}

const char *audit_clause(struct audit_work *w, const char *location)
{
    size_t from = sql_tree_number(location), length = strlen(w->text);
    return from < length ? folded(w, from, clause_end(w->text, from)) : "";
}
