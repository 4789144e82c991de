/* span.c: parts of a JSON text as they were written. */
#include "vault/span.h"

#include <string.h>

#include "base/str.h"

static const char *skip_blanks(const char *c, const char *end)
{
    while (c < end && strchr(" \t\r\n", *c) && *c)
        c++;
    return c;
}

/* Behind the string at C. */
static const char *skip_string(const char *c, const char *end)
{
    for (c++; c < end && *c != '"'; c++)
        c += *c == '\\' && c + 1 < end;
    return c < end ? c + 1 : end;
}

/* Behind the value at C. */
static const char *skip_value(const char *c, const char *end)
{
    size_t depth = 0;

    while (c < end) {
        if (*c == '"') {
            c = skip_string(c, end);
        } else if (*c == '{' || *c == '[') {
            depth++;
            c++;
        } else if (*c == '}' || *c == ']') {
            if (depth == 0)
                return c; /* of what it lies in */
            depth--;
            c++;
        } else if (depth == 0 && strchr(", \t\r\n", *c)) {
            return c;
        } else {
            c++;
            continue;
        }
        if (depth == 0)
            return c;
    }
    return end;
}

bool span_next(struct span object, size_t *at, struct span_member *out)
{
    const char *end = object.start + object.length;
    const char *c = skip_blanks(object.start + *at, end);

    if (c < end && (*c == '{' || *c == ','))
        c = skip_blanks(c + 1, end);
    if (c >= end || *c != '"')
        return false;
    const char *behind = skip_string(c, end);
    out->name = (struct span){c, (size_t)(behind - c)};
    c = skip_blanks(behind, end);
    c = skip_blanks(c + (c < end && *c == ':'), end);
    behind = skip_value(c, end);
    out->value = (struct span){c, (size_t)(behind - c)};
    *at = (size_t)(behind - object.start);
    return true;
}

int span_name(struct span name, struct buf *out, struct err *err)
{
    AUTO_BUF text = BUF_INIT(VAULT_BODY_MAX_BYTES);
    AUTO_JSON json = NULL;

    buf_addc(&text, '{');
    buf_add(&text, name.start, name.length);
    buf_adds(&text, ":0}");
    if (buf_check(&text, ERR_SOURCE_DATA, "a name", err) != 0 ||
        vault_json_parse(&text, "a name", &json, err) != 0)
        return -1;
    buf_adds(out, json_object_iter_key(json_object_iter(json)));
    return buf_check(out, ERR_SOURCE_DATA, "a name", err);
}

bool span_find(struct span object, const char *name, struct span *out)
{
    struct span_member member;
    size_t length = strlen(name);

    for (size_t at = 0; span_next(object, &at, &member);) {
        if (member.name.length != length + strlen("\"\"") ||
            memcmp(member.name.start + 1, name, length) != 0)
            continue;
        *out = member.value;
        return true;
    }
    return false;
}
