/* envcontract/schema.c: the contract's JSON Schema, for editors and other validators.
 *
 * Source: "JSON Schema: A Media Type for Describing JSON Documents" and "JSON Schema Validation",
 * draft 2020-12. A definition says nothing about the JSON type: where it is referred to says that,
 * since in some places null is allowed too. */
#include "envcontract/schema.h"

#include <string.h>

#include "base/str.h"

enum {
    SCHEMA_MAX_BYTES = 4 * 1024 * 1024,
    SCHEMA_MAX_SECTIONS = 128,
    LINE_COLUMNS = 100, /* what fits stays in one line */
    INDENT_COLUMNS = 2,
};

/* Sections in the order in which they are met. */
struct sections {
    const struct section *list[SCHEMA_MAX_SECTIONS];
    size_t count;
    bool too_many;
};

void schema_add_members(struct json *json, const char *members)
{
    if (json->has_member[json->depth])
        buf_addc(json->out, ',');
    json->has_member[json->depth] = true;
    for (const char *c = members; *c; c++)
        buf_addc(json->out, *c == '\'' ? '"' : *c);
}

bool schema_is_section(const struct section *section, const char *name)
{
    size_t length = strlen(name);

    return strncmp(section->name, name, length) == 0 &&
           (section->name[length] == '\0' ||
            (section->in_profile && str_eq(section->name + length, "_profile")));
}

bool schema_has_key(const struct section *section, const struct key *key)
{
    return !(section->in_profile && key->kind == KIND_SECTION_MAP);
}

/* ---- sections ------------------------------------------------------------------------------- */

static bool is_known(const struct sections *known, const struct section *section)
{
    for (size_t i = 0; i < known->count; i++) {
        if (known->list[i] == section)
            return true;
    }
    return false;
}

static void collect(struct sections *known, const struct section *section)
{
    if (is_known(known, section))
        return;
    if (known->count == SCHEMA_MAX_SECTIONS) {
        known->too_many = true;
        return;
    }
    known->list[known->count++] = section;
    for (size_t i = 0; i < section->count; i++) {
        if (section->keys[i].section && schema_has_key(section, &section->keys[i]))
            collect(known, section->keys[i].section);
    }
}

static void add_key(struct json *json, const struct section *section, const struct key *key)
{
    const char *text = schema_text(section, key);

    json_begin_object(json, key->name);
    if (text)
        json_add_string(json, "description", text);
    schema_add_kind(json, key, section->nullable);
    schema_add_key_demands(json, section, key);
    json_end_object(json);
}

static void add_section(struct json *json, const struct section *section)
{
    json_begin_object(json, "properties");
    for (size_t i = 0; i < section->count; i++) {
        if (schema_has_key(section, &section->keys[i]))
            add_key(json, section, &section->keys[i]);
    }
    json_end_object(json);
    json_add_bool(json, "additionalProperties", false);
    schema_add_demands(json, section);
}

static void add_document(struct json *json, const struct sections *known)
{
    json_begin_object(json, NULL);
    json_add_string(json, "$schema", "https://json-schema.org/draft/2020-12/schema");
    json_add_string(json, "title", "agent contract");
    json_add_string(json, "description",
                    "Which variables an application gets, where each comes from, and what a right "
                    "value is. Made by `agent docs --schema`. Files that are included have "
                    "#/$defs/included.");
    json_add_string(json, "type", "object");
    add_section(json, &section_top);
    json_begin_object(json, "$defs");
    for (size_t i = 0; i < known->count; i++) {
        if (known->list[i] == &section_top)
            continue;
        json_begin_object(json, known->list[i]->name);
        if (known->list[i] == &section_included)
            json_add_string(json, "type", "object");
        add_section(json, known->list[i]);
        json_end_object(json);
    }
    schema_add_kind_definitions(json);
    schema_add_demand_definitions(json);
    json_end_object(json);
    json_end_object(json);
}

/* ---- layout --------------------------------------------------------------------------------- */

/* Behind the string that begins at TEXT, with its quotes. */
static const char *string_end(const char *text)
{
    for (text++; *text != '"'; text++) {
        if (*text == '\\')
            text++;
    }
    return text + 1;
}

/* Behind the container that begins at TEXT, where all of it stays below COLUMNS; else NULL. */
static const char *short_end(const char *text, size_t columns)
{
    size_t width = 0, depth = 0;

    for (const char *c = text; width < columns;) {
        const char *next = *c == '"' ? string_end(c) : c + 1;
        width += (size_t)(next - c) + (*c == ',' || *c == ':'); /* a blank behind it */
        if (*c == '{' || *c == '[')
            depth++;
        else if ((*c == '}' || *c == ']') && --depth == 0)
            return next;
        c = next;
    }
    return NULL;
}

static void new_line(struct buf *out, size_t depth)
{
    buf_addc(out, '\n');
    for (size_t i = 0; i < depth * INDENT_COLUMNS; i++)
        buf_addc(out, ' ');
}

/* One token or short container at TEXT, in the line; returns what is behind it. */
static const char *add_token(struct buf *out, const char *text)
{
    if (*text == '"') {
        const char *end = string_end(text);
        buf_add(out, text, (size_t)(end - text));
        return end;
    }
    if (*text == ' ')
        return text + 1; /* the layout has its own */
    buf_addc(out, *text);
    if (*text == ',' || *text == ':')
        buf_addc(out, ' ');
    return text + 1;
}

static size_t columns_left(const struct buf *out)
{
    const char *text = buf_text(out);
    const char *line = memrchr(text, '\n', out->len);
    size_t column = out->len - (line ? (size_t)(line + 1 - text) : 0);

    return column < LINE_COLUMNS ? LINE_COLUMNS - column : 0;
}

/* The JSON document TEXT, which is well formed, with an indentation for people and for diffs. */
static void lay_out(const char *text, struct buf *out)
{
    size_t depth = 0;

    while (*text) {
        bool opens = *text == '{' || *text == '[', closes = *text == '}' || *text == ']';
        const char *end = opens ? short_end(text, columns_left(out)) : NULL;
        if (end) {
            while (text < end)
                text = add_token(out, text);
        } else if (opens) {
            buf_addc(out, *text++);
            new_line(out, ++depth);
        } else if (closes) {
            new_line(out, --depth);
            buf_addc(out, *text++);
        } else if (*text == ',') {
            buf_addc(out, *text++);
            new_line(out, depth);
        } else {
            text = add_token(out, text);
        }
    }
    buf_addc(out, '\n');
}

int contract_schema_write(struct buf *out, struct err *err)
{
    struct sections known = {0};
    AUTO_BUF compact = BUF_INIT(SCHEMA_MAX_BYTES);
    struct json json = JSON_INIT(&compact);

    collect(&known, &section_top);
    collect(&known, &section_included);
    if (known.too_many)
        return err_set(err, ERR_DEFECT, "write the JSON Schema: more than %d sections",
                       SCHEMA_MAX_SECTIONS);
    add_document(&json, &known);
    if (buf_check(&compact, ERR_DEFECT, "the JSON Schema", err) != 0)
        return -1;
    lay_out(buf_text(&compact), out);
    return buf_check(out, ERR_DEFECT, "the JSON Schema", err);
}
