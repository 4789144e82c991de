/* base/json.c: one JSON document written into a buffer. */
#include "base/json.h"

#include <inttypes.h>
#include <string.h>

#include "base/str.h"

/* The comma before a member, and its key. */
static void begin_member(struct json *j, const char *key)
{
    if (j->has_member[j->depth])
        buf_addc(j->out, ',');
    j->has_member[j->depth] = true;
    if (key) {
        str_add_json(j->out, key, strlen(key));
        buf_addc(j->out, ':');
    }
}

/* A defect of the caller must not pass for a document: the buffer fails. */
static void spoil(struct json *j)
{
    j->out->too_long = true;
}

static void open_container(struct json *j, const char *key, char bracket)
{
    begin_member(j, key);
    buf_addc(j->out, bracket);
    if (j->depth + 1 >= JSON_MAX_DEPTH) {
        spoil(j);
        return;
    }
    j->depth++;
    j->has_member[j->depth] = false;
}

static void close_container(struct json *j, char bracket)
{
    if (j->depth == 0) {
        spoil(j);
        return;
    }
    j->depth--;
    buf_addc(j->out, bracket);
}

void json_begin_object(struct json *j, const char *key)
{
    open_container(j, key, '{');
}

void json_begin_array(struct json *j, const char *key)
{
    open_container(j, key, '[');
}

void json_end_object(struct json *j)
{
    close_container(j, '}');
}

void json_end_array(struct json *j)
{
    close_container(j, ']');
}

void json_add_string(struct json *j, const char *key, const char *text)
{
    if (text) {
        json_add_string_n(j, key, text, strlen(text));
    } else {
        begin_member(j, key);
        buf_adds(j->out, "null");
    }
}

void json_add_string_n(struct json *j, const char *key, const char *bytes, size_t length)
{
    begin_member(j, key);
    str_add_json(j->out, bytes, length);
}

void json_add_int(struct json *j, const char *key, int64_t number)
{
    begin_member(j, key);
    buf_addf(j->out, "%" PRId64, number);
}

void json_add_bool(struct json *j, const char *key, bool value)
{
    begin_member(j, key);
    buf_adds(j->out, value ? "true" : "false");
}

void json_add_strings(struct json *j, const char *key, const char *const *list, size_t count)
{
    json_begin_array(j, key);
    for (size_t i = 0; i < count; i++)
        json_add_string(j, NULL, list[i]);
    json_end_array(j);
}

void json_add_error(struct json *j, const struct err *err, int exit_code)
{
    json_begin_object(j, "error");
    json_add_int(j, "code", exit_code);
    json_add_string(j, "kind", err_word(err->kind));
    json_add_string(j, "message", err->text);
    json_add_string(j, "hint", err->hint);
    if (err->step)
        json_add_string(j, "step", err->step);
    if (err->sqlstate[0])
        json_add_string(j, "sqlstate", err->sqlstate);
    if (err->file[0])
        json_add_string(j, "file", err->file);
    if (err->line > 0)
        json_add_int(j, "line", err->line);
    if (err->column > 0)
        json_add_int(j, "column", err->column);
    json_end_object(j);
}
