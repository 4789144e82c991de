/* json.c: Vault's JSON → fields, leases, texts.
 *
 * The body is looked at once before jansson sees it: how deep it is and how many members it has is
 * bounded there, and a number that is longer than what is accepted as a value anyway becomes a real,
 * since jansson gives up the whole document for one integer that it can't hold, and the secret that
 * was asked for may be the field beside it. */
#include "vault/internal.h"

#include <inttypes.h>
#include <stdalign.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"

enum {
    MEMBERS_MAX = 64 * 1024,      /* of a whole answer */
    BODY_MAX_BYTES = 1024 * 1024, /* of a request */
    NUMBER_BYTES = 24,
    EXACT_DIGITS = 16, /* of 2^53 */
    MS_PER_S = 1000,
    RESERVE_LEAST_BYTES = 64 * 1024,
    TOKEN_GROWTH = 4, /* doublings of a buffer add up to at most this times what it holds */
};

#define SECONDS_MAX (INT64_C(100) * 365 * 24 * 3600)

#define NS_PER_S INT64_C(1000000000)

#define EXACT_MAX (INT64_C(1) << 53)

void vault_json_auto(json_t **json)
{
    json_decref(*json);
}

/* ---- memory ------------------------------------------------------------------------------------
 * jansson does not look whether the buffer of the token that it reads could grow: without memory it
 * goes on with a shorter one, and gives another value than the text has, or ends the process with an
 * assertion. So a parse in which one allocation failed does not count, and up to its end what such a
 * buffer asks for, powers of two, comes out of a reserve that was had before. */
static struct {
    char *bytes; /* NULL: nothing is parsed */
    size_t size, used;
    bool starved; /* an allocation has failed since the reserve was had */
} reserve;

static void *json_malloc(size_t size)
{
    void *block = reserve.starved ? NULL : mem_wipe_malloc(size);

    if (block || !reserve.bytes)
        return block;
    reserve.starved = true;
    bool may_be_tokens = size >= alignof(max_align_t) && (size & (size - 1)) == 0;
    if (!may_be_tokens || size > reserve.size - reserve.used)
        return NULL;
    block = reserve.bytes + reserve.used;
    reserve.used += size;
    return block;
}

static void json_free(void *block)
{
    uintptr_t at = (uintptr_t)block, first = (uintptr_t)reserve.bytes;

    if (!reserve.bytes || at < first || at >= first + reserve.size)
        mem_wipe_free(block);
}

void vault_json_use_memory(void)
{
    json_set_alloc_funcs(json_malloc, json_free);
}

/* As json_loadb; NULL with *starved when memory ran out, whatever came of it. */
static json_t *load(const struct buf *body, json_error_t *error, bool *starved)
{
    /* A token is no longer than the body. What is not used of it is never touched. */
    reserve.size = RESERVE_LEAST_BYTES + TOKEN_GROWTH * body->len;
    reserve.bytes = malloc(reserve.size);
    *starved = !reserve.bytes;
    if (!reserve.bytes)
        return NULL;
    json_t *json = json_loadb(body->data, body->len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
                              error);
    *starved = reserve.starved;
    if (reserve.starved) {
        json_decref(json); /* what it holds lies in the reserve in part */
        json = NULL;
    }
    mem_wipe(reserve.bytes, reserve.used);
    free(reserve.bytes);
    memset(&reserve, 0, sizeof reserve);
    return json;
}

/* ---- before parsing ------------------------------------------------------------------------- */

static char *skip_string(char *c, const char *end)
{
    for (c++; c < end && *c != '"'; c++)
        c += *c == '\\';
    return c < end ? c + 1 : c;
}

/* Behind the number at C, which is made a real when it is an integer with too many digits. */
static char *skip_number(char *c, const char *end)
{
    char *digits = c + (*c == '-');
    char *stop = digits;

    while (stop < end && *stop >= '0' && *stop <= '9')
        stop++;
    bool is_integer = stop == end || !strchr(".eE", *stop);
    if (is_integer && stop - digits > EXACT_DIGITS)
        digits[1] = '.';
    while (stop < end && strchr("0123456789+-.eE", *stop))
        stop++;
    return stop;
}

static int prepare(struct buf *body, const char *what, struct err *err)
{
    size_t depth = 0, members = 0;
    const char *end = body->data + body->len;

    for (char *c = body->data; c < end;) {
        if (*c == '"') {
            c = skip_string(c, end);
            continue;
        }
        if (*c == '-' || (*c >= '0' && *c <= '9')) {
            c = skip_number(c, end);
            continue;
        }
        depth += *c == '{' || *c == '[';
        depth -= depth > 0 && (*c == '}' || *c == ']');
        members += *c == ',';
        if (depth > VAULT_JSON_MAX_DEPTH)
            return err_set(err, ERR_SOURCE_DATA, "%s is nested deeper than %d levels", what,
                           VAULT_JSON_MAX_DEPTH);
        if (members > MEMBERS_MAX)
            return err_set(err, ERR_SOURCE_DATA, "%s has more than %d members", what, MEMBERS_MAX);
        c++;
    }
    return 0;
}

int vault_json_parse(struct buf *body, const char *what, json_t **out, struct err *err)
{
    json_error_t error;
    bool starved;

    if (body->len == 0)
        return err_set(err, ERR_SOURCE_DATA, "%s is empty, not JSON", what);
    if (prepare(body, what, err) != 0)
        return -1;
    /* jansson's own text quotes what it read, which may be a secret: only the place is told. NUL is
     * let through here and refused with the field that has it. */
    json_t *json = load(body, &error, &starved);
    if (starved)
        return err_nomem(err);
    if (!json && json_error_code(&error) == json_error_duplicate_key)
        return err_set(err, ERR_SOURCE_DATA, "%s has a name twice in one object, before byte %d",
                       what, error.position);
    if (!json)
        return err_set(err, ERR_SOURCE_DATA, "%s is not JSON from byte %d on (it has %zu bytes)",
                       what, error.position, body->len);
    if (!json_is_object(json)) {
        json_decref(json);
        return err_set(err, ERR_SOURCE_DATA, "%s is JSON, but not an object", what);
    }
    *out = json;
    return 0;
}

bool vault_json_errors(struct buf *body, struct buf *out)
{
    struct err ignored;
    AUTO_JSON json = NULL;
    size_t i;
    json_t *text;

    if (vault_json_parse(body, "the answer", &json, &ignored) != 0)
        return false;
    json_t *errors = json_object_get(json, "errors");
    json_array_foreach(errors, i, text)
    {
        if (!json_is_string(text) || json_string_length(text) == 0)
            continue;
        if (out->len > 0)
            buf_adds(out, "; ");
        buf_add(out, json_string_value(text), json_string_length(text));
    }
    return true;
}

/* ---- fields --------------------------------------------------------------------------------- */

static int set_integer(json_int_t number, struct vault_field *field, struct err *err)
{
    char text[NUMBER_BYTES];

    if (number > EXACT_MAX || number < -EXACT_MAX) {
        field->type = VAULT_OTHER;
        field->type_name = "number beyond 2^53";
        return 0;
    }
    int length = snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, number);
    field->type = VAULT_INTEGER;
    field->type_name = "number";
    int result = secret_set(&field->value, text, (size_t)length, err);
    mem_wipe(text, sizeof text);
    return result;
}

static int set_string(const json_t *value, struct vault_field *field, struct err *err)
{
    const char *text = json_string_value(value);
    size_t length = json_string_length(value);

    if (memchr(text, '\0', length)) {
        field->type = VAULT_OTHER;
        field->type_name = "string with a NUL byte";
        return 0;
    }
    field->type = VAULT_STRING;
    field->type_name = "string";
    return secret_set(&field->value, text, length, err);
}

static int set_field(const json_t *value, struct vault_field *field, struct err *err)
{
    const char *word = json_is_true(value) ? "true" : "false";

    switch (json_typeof(value)) {
    case JSON_STRING:
        return set_string(value, field, err);
    case JSON_INTEGER:
        return set_integer(json_integer_value(value), field, err);
    case JSON_TRUE:
    case JSON_FALSE:
        field->type = VAULT_BOOL;
        field->type_name = "boolean";
        return secret_set(&field->value, word, strlen(word), err);
    case JSON_NULL:
        field->type = VAULT_NULL;
        field->type_name = "null";
        return 0;
    case JSON_REAL:
        field->type_name = "number that is not a whole one up to 2^53";
        break;
    case JSON_ARRAY:
        field->type_name = "array";
        break;
    case JSON_OBJECT:
        field->type_name = "object";
        break;
    }
    field->type = VAULT_OTHER;
    return 0;
}

void vault_fields_free(struct vault_field *fields, size_t count)
{
    for (size_t i = 0; fields && i < count; i++) {
        free(fields[i].name);
        secret_release(&fields[i].value);
    }
    free(fields);
}

int vault_json_fields(const json_t *object, const char *what, struct vault_field **fields,
                      size_t *count, struct err *err)
{
    /* json_object_iter wants no const, and changes nothing. */
    union {
        const json_t *in;
        json_t *out;
    } unconst = {.in = object};
    const char *name;
    json_t *value;
    size_t made = 0;

    if (!json_is_object(object))
        return err_set(err, ERR_SOURCE_DATA, "%s has no data", what);
    size_t total = json_object_size(object);
    struct vault_field *list = mem_new(total + 1, sizeof(*list));
    if (!list)
        return err_nomem(err);
    json_object_foreach(unconst.out, name, value)
    {
        struct vault_field *field = &list[made++];
        field->name = mem_dup(name);
        if (!field->name)
            (void)err_nomem(err);
        if (!field->name || set_field(value, field, err) != 0) {
            vault_fields_free(list, total);
            return -1;
        }
    }
    *fields = list;
    *count = made;
    return 0;
}

/* The digits of TEXT as a part of a second, in nanoseconds; *END is behind them. */
static int64_t fraction_ns(const char *text, const char **end)
{
    int64_t ns = 0, unit = NS_PER_S / 10;

    for (; *text >= '0' && *text <= '9'; text++, unit /= 10)
        ns += (*text - '0') * unit;
    *end = text;
    return ns;
}

int64_t vault_json_time_ns(const json_t *text)
{
    struct tm tm = {0};
    const char *string = json_string_value(text);
    const char *end = string ? strptime(string, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
    int64_t ns = 0, offset_s = 0, hours = 0, minutes = 0;

    if (end && *end == '.')
        ns = fraction_ns(end + 1, &end);
    if (end && (*end == '+' || *end == '-')) {
        if (strlen(end) != strlen("+00:00") || str_to_int64(end + 1, 2, &hours) != 0 ||
            str_to_int64(end + 4, 2, &minutes) != 0)
            return 0;
        offset_s = (hours * 60 + minutes) * 60 * (*end == '-' ? -1 : 1);
    } else if (!end || !str_eq(end, "Z")) {
        return 0;
    }
    int64_t seconds = timegm(&tm) - offset_s;
    return seconds > 0 && seconds < INT64_MAX / NS_PER_S ? seconds * NS_PER_S + ns : 0;
}

int64_t vault_json_time(const json_t *text)
{
    return vault_json_time_ns(text) / NS_PER_S;
}

int64_t vault_json_seconds(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    json_int_t seconds = json_is_integer(value) ? json_integer_value(value) : 0;

    if (seconds <= 0)
        return 0;
    return (seconds < SECONDS_MAX ? seconds : SECONDS_MAX) * MS_PER_S;
}

int vault_json_body(const struct vault_member *members, size_t count, struct secret *out,
                    struct err *err)
{
    AUTO_BUF body = BUF_INIT(BODY_MAX_BYTES);
    const char *separator = "";

    buf_addc(&body, '{');
    for (size_t i = 0; i < count; i++) {
        const struct secret *value = members[i].value;
        if (!secret_is_set(value))
            continue;
        buf_adds(&body, separator);
        str_add_json(&body, members[i].name, strlen(members[i].name));
        buf_addc(&body, ':');
        str_add_json(&body, secret_reveal(value), secret_length(value));
        separator = ",";
    }
    buf_addc(&body, '}');
    if (buf_check(&body, ERR_USAGE, "what is sent to log in", err) != 0)
        return -1;
    return secret_set(out, body.data, body.len, err);
}
