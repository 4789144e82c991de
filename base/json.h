/* base/json.h: one JSON document written into a buffer.
 *
 * Every result of --json is made with it, so that folders without jansson can say theirs. The
 * writer keeps track of commas; the buffer keeps track of failure (buf_check).
 *
 * No name here is one of jansson's (json_object, json_string, ...): the program's symbols go before a
 * library's, so jansson itself would call ours. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum { JSON_MAX_DEPTH = 32 };

struct json {
    struct buf *out;
    unsigned depth;
    bool has_member[JSON_MAX_DEPTH];
};

#define JSON_INIT(buffer) ((struct json){.out = (buffer)})

/* KEY is NULL inside arrays and at the top. */
void json_begin_object(struct json *j, const char *key);
void json_begin_array(struct json *j, const char *key);
void json_end_object(struct json *j);
void json_end_array(struct json *j);
void json_add_string(struct json *j, const char *key, const char *text); /* NULL: null */
void json_add_string_n(struct json *j, const char *key, const char *bytes, size_t length);
void json_add_int(struct json *j, const char *key, int64_t number);
void json_add_bool(struct json *j, const char *key, bool value);
void json_add_strings(struct json *j, const char *key, const char *const *list, size_t count);

/* The "error" member of a failed command's document. */
void json_add_error(struct json *j, const struct err *err, int exit_code);

#endif
