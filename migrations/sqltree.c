/* migrations/sqltree.c: a look into the parse tree that libpg_query writes as JSON.
 *
 * A statement's class needs a handful of members near the root, so the text is walked in place: no
 * tree is built. (The protobuf form has other field numbers in each major version of the library,
 * the JSON form has names.) */
#include "migrations/sqlparts.h"

#include <string.h>

#include "base/str.h"

/* The place behind the string whose opening quote is at P. */
static const char *behind_string(const char *p)
{
    for (p++; *p && *p != '"'; p++) {
        if (*p == '\\' && p[1])
            p++;
    }
    return *p ? p + 1 : p;
}

/* The place behind the value at P. */
static const char *behind_value(const char *p)
{
    unsigned depth = 0;
    do {
        if (*p == '"') {
            p = behind_string(p);
            continue;
        }
        if (*p == '{' || *p == '[')
            depth++;
        else if (*p == '}' || *p == ']')
            depth--;
        else if (depth == 0) { /* a number or a word */
            while (*p && !strchr(",}]", *p))
                p++;
            return p;
        }
        p++;
    } while (*p && depth > 0);
    return p;
}

const char *sql_tree_behind(const char *value)
{
    return behind_value(value);
}

static const char *member_n(const char *object, const char *name, size_t length)
{
    if (!object || *object != '{')
        return NULL;
    const char *p = object + 1;
    while (*p == '"') {
        const char *key = p + 1;
        p = behind_string(p);
        bool found = (size_t)(p - 1 - key) == length && memcmp(key, name, length) == 0;
        if (*p != ':')
            return NULL;
        if (found)
            return p + 1;
        p = behind_value(p + 1);
        if (*p == ',')
            p++;
    }
    return NULL;
}

const char *sql_tree_member(const char *object, const char *name)
{
    return member_n(object, name, strlen(name));
}

const char *sql_tree_path(const char *object, const char *path)
{
    while (object && *path) {
        size_t length = strcspn(path, ".");
        object = member_n(object, path, length);
        path += length + (path[length] == '.');
    }
    return object;
}

const char *sql_tree_first(const char *array)
{
    if (!array || *array != '[' || array[1] == ']')
        return NULL;
    return array + 1;
}

const char *sql_tree_next(const char *element)
{
    if (!element)
        return NULL;
    const char *p = behind_value(element);
    return *p == ',' ? p + 1 : NULL;
}

const char *sql_tree_last(const char *array)
{
    const char *last = NULL;
    for (const char *e = sql_tree_first(array); e; e = sql_tree_next(e))
        last = e;
    return last;
}

bool sql_tree_is(const char *value, const char *text)
{
    size_t length = strlen(text);
    return value && *value == '"' && strncmp(value + 1, text, length) == 0 &&
           value[1 + length] == '"';
}

bool sql_tree_true(const char *value)
{
    return value && strncmp(value, "true", 4) == 0;
}

size_t sql_tree_number(const char *value)
{
    size_t number = 0;
    for (const char *p = value; p && *p >= '0' && *p <= '9'; p++)
        number = number * 10 + (size_t)(*p - '0');
    return number;
}

/* One escape behind its backslash at P; what libpg_query escapes is below 0x80. */
static const char *decode_escape(const char *p, char *out)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const char *known = *p ? strchr(from, *p) : NULL;
    if (known) {
        *out = to[known - from];
        return p + 1;
    }
    if (*p == 'u' && strlen(p) >= 5) {
        *out = (char)(str_hex_digit(p[3]) * 16 + str_hex_digit(p[4]));
        return p + 5;
    }
    *out = *p;
    return p + 1;
}

char *sql_tree_text(struct arena *memory, const char *value)
{
    if (!value || *value != '"')
        return NULL;
    const char *end = behind_string(value) - 1;
    char *text = arena_dup_n(memory, value + 1, (size_t)(end - value - 1));
    if (!text)
        return NULL;
    char *out = text;
    for (const char *p = value + 1; p < end;) {
        if (*p == '\\')
            p = decode_escape(p + 1, out++);
        else
            *out++ = *p++;
    }
    *out = '\0';
    return text;
}
