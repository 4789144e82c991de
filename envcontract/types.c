/* envcontract/types.c: one validator for each type in a table, and the constraints of all types.
 *
 * Nothing here shows a value: a message gives its length, what was expected and where the trouble
 * begins. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/str.h"
#include "envcontract/internal.h"

enum {
    VALUES_SHOWN = 8, /* of `values`; more are counted */
    PORT_MAX = 65535,
    UUID_BYTES = 36,
    EMAIL_MAX_BYTES = 254, /* RFC 5321, 4.5.3.1.3, without the brackets */
    EMAIL_USER_BYTES = 64,
    DNS_LABEL_BYTES = 63,
};

#define NO_PLACE SIZE_MAX /* the trouble is with the whole, not at a byte */

/* Whether BYTES are of the type. If not, *place is where the trouble begins, or NO_PLACE. */
typedef bool validator(const char *bytes, size_t length, size_t *place);

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alphanumeric(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

void validation_add(const struct validation *v, const char *rule, const char *hint,
                    const char *format, ...)
{
    struct message message = {0};
    va_list args;
    message_addf(&message, "%s", v->subject);
    va_start(args, format);
    message_addv(&message, format, args);
    va_end(args);
    findings_addf(v->findings, FINDING_ERROR, v->variable->name, rule, v->position, hint, "%s",
                  message.text);
}

/* "41 characters, expected WHAT, white space at the end". */
static void add_expected(const struct validation *v, const char *rule, const char *hint,
                         const char *bytes, size_t length, const char *what)
{
    struct message message = {0};
    shape_add_length(&message, bytes, length);
    message_addf(&message, ", expected %s", what);
    shape_add_oddities(&message, bytes, length);
    validation_add(v, rule, hint, "%s", message.text);
}

/* ---- the types ------------------------------------------------------------------------------ */

static bool is_bool(const char *bytes, size_t length, size_t *place)
{
    static const char *const words[] = {"true", "false", "yes", "no", "on", "off", "1", "0"};
    *place = NO_PLACE;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strlen(words[i]) == length && strncasecmp(words[i], bytes, length) == 0)
            return true;
    return false;
}

/* Digits from AT on; where they end. */
static size_t skip_digits(const char *bytes, size_t length, size_t at)
{
    while (at < length && is_digit(bytes[at]))
        at++;
    return at;
}

static bool is_int(const char *bytes, size_t length, size_t *place)
{
    int64_t number;
    size_t sign = length > 0 && bytes[0] == '-', end = skip_digits(bytes, length, sign);
    *place = end < length || end == sign ? end : NO_PLACE; /* only digits: out of range */
    return str_to_int64(bytes, length, &number) == 0;
}

/* As in JSON (RFC 8259, 6), within what a double can hold. */
static bool is_number(const char *bytes, size_t length, size_t *place)
{
    size_t at = length > 0 && bytes[0] == '-';
    size_t whole = at;
    at = skip_digits(bytes, length, at);
    *place = at;
    if (at == whole)
        return false;
    if (bytes[whole] == '0' && at > whole + 1) {
        *place = whole;
        return false;
    }
    if (at < length && bytes[at] == '.') {
        size_t fraction = at + 1;
        *place = at = skip_digits(bytes, length, fraction);
        if (at == fraction)
            return false;
    }
    if (at < length && (bytes[at] == 'e' || bytes[at] == 'E')) {
        size_t exponent = at + 1;
        if (exponent < length && (bytes[exponent] == '+' || bytes[exponent] == '-'))
            exponent++;
        *place = at = skip_digits(bytes, length, exponent);
        if (at == exponent)
            return false;
    }
    if (at < length)
        return false;
    *place = NO_PLACE;
    return isfinite(strtod(bytes, NULL)); /* the process's locale is C: the point is '.' */
}

static bool is_port(const char *bytes, size_t length, size_t *place)
{
    int64_t number;
    size_t end = skip_digits(bytes, length, 0);
    *place = end < length || length == 0 ? end : NO_PLACE;
    return end == length && str_to_int64(bytes, length, &number) == 0 && number >= 1 &&
           number <= PORT_MAX;
}

static bool is_duration(const char *bytes, size_t length, size_t *place)
{
    int64_t ms;
    *place = NO_PLACE;
    return str_to_duration(bytes, length, &ms) == 0;
}

static bool is_email_user(const char *bytes, size_t length, size_t *place)
{
    for (size_t i = 0; i < length; i++) {
        bool dot = bytes[i] == '.';
        bool stray_dot = dot && (i == 0 || i + 1 == length || bytes[i - 1] == '.');
        *place = i;
        if (stray_dot ||
            (!dot && !is_alphanumeric(bytes[i]) && !strchr("!#$%&'*+/=?^_`{|}~-", bytes[i])))
            return false;
    }
    *place = length ? NO_PLACE : 0;
    return length >= 1 && length <= EMAIL_USER_BYTES;
}

static bool is_dns_name(const char *bytes, size_t length, size_t *place)
{
    size_t label = 0; /* bytes of it so far */
    for (size_t i = 0; i < length; i++) {
        *place = i;
        if (bytes[i] == '.' ? label == 0 || bytes[i - 1] == '-'
                            : !is_alphanumeric(bytes[i]) && (bytes[i] != '-' || label == 0))
            return false;
        label = bytes[i] == '.' ? 0 : label + 1;
        if (label > DNS_LABEL_BYTES)
            return false;
    }
    *place = length ? length - 1 : 0;
    return label > 0 && bytes[length - 1] != '-';
}

/* One address and nothing else: what mail servers exchange (RFC 5321), without quoted strings. */
static bool is_email(const char *bytes, size_t length, size_t *place)
{
    const char *at = memchr(bytes, '@', length);
    *place = NO_PLACE;
    if (!at || length > EMAIL_MAX_BYTES)
        return false;
    size_t user = (size_t)(at - bytes);
    if (!is_email_user(bytes, user, place))
        return false;
    if (is_dns_name(at + 1, length - user - 1, place))
        return true;
    *place += user + 1;
    return false;
}

static bool is_uuid(const char *bytes, size_t length, size_t *place)
{
    size_t i = 0;
    for (; i < length && i < UUID_BYTES; i++) {
        bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
        if (hyphen ? bytes[i] != '-' : !is_hex(bytes[i]))
            break;
    }
    *place = i < length ? i : NO_PLACE;
    return i == UUID_BYTES && length == UUID_BYTES;
}

static bool is_base64(const char *bytes, size_t length, size_t *place)
{
    size_t decoded, i = 0;
    while (i < length && (is_alphanumeric(bytes[i]) || strchr("+/-_", bytes[i])))
        i++;
    while (i < length && bytes[i] == '=')
        i++;
    *place = i < length ? i : NO_PLACE; /* else the padding, or both alphabets in one */
    return str_base64_length(bytes, length, &decoded) == 0;
}

static const struct {
    const char *name;
    unsigned constraints;
} types[CONTRACT_TYPE_COUNT] = {
#define X(type, name, constraints) [type] = {name, constraints},
    CONTRACT_TYPES(X)
#undef X
};

/* A type without a validator here takes every text, or has more to say than one sentence. */
static const struct {
    validator *is;
    const char *expected;
} validators[CONTRACT_TYPE_COUNT] = {
    [TYPE_BOOL] = {is_bool, "true, false, yes, no, on, off, 1 or 0"},
    [TYPE_INT] = {is_int, "a whole number of 64 bits"},
    [TYPE_NUMBER] = {is_number, "a number as JSON writes it"},
    [TYPE_PORT] = {is_port, "a port from 1 to 65535"},
    [TYPE_DURATION] = {is_duration, "a duration such as 500ms, 30s, 5m, 2h or 30d"},
    [TYPE_EMAIL] = {is_email, "one e-mail address"},
    [TYPE_UUID] = {is_uuid, "a UUID (8-4-4-4-12 hexadecimal digits)"},
    [TYPE_BASE64] = {is_base64, "base64 (one of its two alphabets, padded or not)"},
};

const char *contract_type_name(enum contract_type type)
{
    return types[type].name;
}

unsigned contract_type_constraints(enum contract_type type)
{
    return types[type].constraints;
}

static bool check_type(const struct validation *v, enum contract_type type, const char *bytes,
                       size_t length)
{
    size_t place;
    if (!validators[type].is || validators[type].is(bytes, length, &place))
        return true;

    struct message what = {0};
    message_addf(&what, "%s", validators[type].expected);
    if (place != NO_PLACE && place < length)
        message_addf(&what, ", trouble at character %zu", shape_characters(bytes, place) + 1);
    add_expected(v, "type", NULL, bytes, length, what.text);
    return false;
}

/* ---- constraints ---------------------------------------------------------------------------- */

int types_parse_bound(enum contract_type type, const char *text, struct contract_bound *out)
{
    struct contract_bound bound = {.text = text};
    size_t length = strlen(text), place;
    if (!(types[type].constraints & HAS_MIN_MAX) || !validators[type].is(text, length, &place))
        return -1;
    if (type == TYPE_NUMBER)
        bound.number = strtod(text, NULL);
    else if (type == TYPE_DURATION ? str_to_duration(text, length, &bound.integer) != 0
                                   : str_to_int64(text, length, &bound.integer) != 0)
        return -1;
    *out = bound;
    return 0;
}

static int compare(enum contract_type type, const struct contract_bound *a,
                   const struct contract_bound *b)
{
    if (type == TYPE_NUMBER)
        return (a->number > b->number) - (a->number < b->number);
    return (a->integer > b->integer) - (a->integer < b->integer);
}

static void check_bounds(const struct validation *v, const struct contract_rules *rules,
                         const char *bytes)
{
    struct contract_bound value;
    if ((!rules->min.text && !rules->max.text) ||
        types_parse_bound(rules->type, bytes, &value) != 0)
        return;
    if (rules->min.text && compare(rules->type, &value, &rules->min) < 0)
        validation_add(v, "min", NULL, "below the minimum of %s", rules->min.text);
    if (rules->max.text && compare(rules->type, &value, &rules->max) > 0)
        validation_add(v, "max", NULL, "above the maximum of %s", rules->max.text);
}

static void check_values(const struct validation *v, const struct contract_rules *rules,
                         const char *bytes, size_t length)
{
    size_t count = 0;
    for (const char *const *value = rules->values; *value; value++, count++)
        if (strlen(*value) == length && memcmp(*value, bytes, length) == 0)
            return;

    struct message what = {0}, hint = {0};
    if (v->variable->secret) {
        message_addf(&what, "one of the %zu values in the contract", count);
    } else {
        message_addf(&what, "%s", count == 1 ? "" : "one of ");
        for (size_t i = 0; i < count && i < VALUES_SHOWN; i++)
            message_addf(&what, "%s`%s`", i ? ", " : "", rules->values[i]);
        if (count > VALUES_SHOWN)
            message_addf(&what, " and %zu more", count - VALUES_SHOWN);
        const char *nearest = str_nearest(bytes, rules->values);
        if (nearest)
            message_addf(&hint, "Did you mean `%s`?", nearest);
    }
    add_expected(v, "values", hint.length ? hint.text : NULL, bytes, length, what.text);
}

static void check_length(const struct validation *v, const struct contract_rules *rules,
                         const char *bytes, size_t length)
{
    size_t count = shape_characters(bytes, length);
    if (count >= rules->length_min && count <= rules->length_max)
        return;
    struct message what = {0};
    if (rules->length_max == SIZE_MAX)
        message_addf(&what, "at least %zu", rules->length_min);
    else if (rules->length_min == rules->length_max)
        message_addf(&what, "exactly %zu", rules->length_min);
    else
        message_addf(&what, "%zu to %zu", rules->length_min, rules->length_max);
    add_expected(v, "length", NULL, bytes, length, what.text);
}

static void check_min_bytes(const struct validation *v, const struct contract_rules *rules,
                            const char *bytes, size_t length)
{
    size_t decoded;
    if (rules->type == TYPE_BASE64 && str_base64_length(bytes, length, &decoded) == 0 &&
        decoded < rules->min_bytes)
        validation_add(v, "length", NULL, "%zu byte%s after decoding, expected at least %zu",
                       decoded, decoded == 1 ? "" : "s", rules->min_bytes);
}

static void check_prefix(const struct validation *v, const char *prefix, const char *bytes,
                         size_t length)
{
    size_t prefix_length = strlen(prefix);
    if (length >= prefix_length && memcmp(bytes, prefix, prefix_length) == 0)
        return;
    struct message what = {0};
    message_addf(&what, "the prefix `%s`", prefix);
    add_expected(v, "prefix", NULL, bytes, length, what.text);
}

static void check_pattern(const struct validation *v, const char *pattern, const char *bytes,
                          size_t length)
{
    AUTO_PATTERN_CACHE own = {0};
    struct message what = {0};
    struct err err = ERR_INIT;
    switch (pattern_match(v->patterns ? v->patterns : &own, pattern, bytes, length, &err)) {
    case PATTERN_MATCHES:
        return;
    case PATTERN_DIFFERS:
        message_addf(&what, "to match `%s`", pattern);
        add_expected(v, "pattern", NULL, bytes, length, what.text);
        return;
    case PATTERN_GAVE_UP:
        validation_add(v, "pattern", "Write the pattern without repetitions inside of repetitions.",
                       "matching `%s` was given up after %d steps", pattern, PATTERN_MATCH_LIMIT);
        return;
    case PATTERN_BROKEN:
        if (err.kind == ERR_RESOURCE)
            v->findings->no_memory = true;
        else
            validation_add(v, "pattern", NULL, "%s", err.text);
        return;
    }
}

/* The path itself is not shown: it is the value. */
static void check_path(const struct validation *v, const struct contract_path_rules *path,
                       const char *bytes)
{
    struct stat status;
    if (stat(bytes, &status) != 0) {
        int cause = errno;
        if (path->must_exist || path->readable || cause != ENOENT)
            validation_add(v, "path", NULL, "expected a %s that can be looked at: %s",
                           path->kind == PATH_OF_FOLDER ? "folder" : "file", strerror(cause));
        return;
    }
    if (path->kind == PATH_OF_FOLDER && !S_ISDIR(status.st_mode))
        validation_add(v, "path", NULL, "expected a folder, and it is none");
    if (path->kind == PATH_OF_NO_FOLDER && S_ISDIR(status.st_mode))
        validation_add(v, "path", NULL, "expected a file, and it is a folder");
    if (path->readable && faccessat(AT_FDCWD, bytes, R_OK, AT_EACCESS) != 0)
        validation_add(v, "path", NULL, "expected to be readable: %s", strerror(errno));
}

void types_validate(const struct validation *v, const struct contract_rules *rules,
                    const char *bytes, size_t length)
{
    const char *nul = memchr(bytes, '\0', length);
    if (nul) { /* no environment carries it, and what follows takes the bytes for a text */
        validation_add(v, "type", NULL, "a NUL byte at byte %zu", (size_t)(nul - bytes) + 1);
        return;
    }
    if (check_type(v, rules->type, bytes, length))
        check_bounds(v, rules, bytes);
    if (types[rules->type].constraints & HAS_URL)
        types_validate_url(v, rules, bytes, length);
    if (rules->values)
        check_values(v, rules, bytes, length);
    if (rules->has_length)
        check_length(v, rules, bytes, length);
    if (rules->min_bytes > 0)
        check_min_bytes(v, rules, bytes, length);
    if (rules->prefix)
        check_prefix(v, rules->prefix, bytes, length);
    if (rules->pattern)
        check_pattern(v, rules->pattern, bytes, length);
    if (rules->path)
        check_path(v, rules->path, bytes);
}
