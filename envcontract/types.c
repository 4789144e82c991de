/* envcontract/types.c: the table of types, and the constraints that are held against a value.
 *
 * Nothing here shows a value: a message gives its length, what was expected and where the trouble
 * begins. */
#include "envcontract/types.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/str.h"

enum {
    VALUES_SHOWN = 8, /* of `values`; more are counted */
    /* What a value costs, in steps. */
    VALUE_STEPS = 10,  /* each, and one for so many bytes of it: */
    BYTES_OF_STEP = 4, /* of a walk over them */
    WORD_OF_STEP = 16, /* of a comparison */
    PATH_STEPS = 800,  /* two system calls */
};

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

bool steps_take(uint64_t *left, uint64_t steps)
{
    if (!left)
        return true;
    bool enough = *left > steps;
    *left = enough ? *left - steps : 0;
    return enough;
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
    type_validator *is;
    const char *expected;
} validators[CONTRACT_TYPE_COUNT] = {
    [TYPE_BOOL] = {types_is_bool, "true, false, yes, no, on, off, 1 or 0"},
    [TYPE_INT] = {types_is_int, "a whole number of 64 bits"},
    [TYPE_NUMBER] = {types_is_number, "a number as JSON writes it"},
    [TYPE_PORT] = {types_is_port, "a port from 1 to 65535"},
    [TYPE_DURATION] = {types_is_duration, "a duration such as 500ms, 30s, 5m, 2h or 30d"},
    [TYPE_BYTES] = {types_is_bytes, "a number of bytes such as 4096, 512KiB or 10MB"},
    [TYPE_HOST] = {types_is_host, "a host name or an address"},
    [TYPE_IP] = {types_is_ip, "an IPv4 or IPv6 address"},
    [TYPE_CIDR] = {types_is_cidr, "a network such as 10.1.0.0/16 or fd00::/8"},
    [TYPE_EMAIL] = {types_is_email, "one e-mail address"},
    [TYPE_UUID] = {types_is_uuid, "a UUID (8-4-4-4-12 hexadecimal digits)"},
    [TYPE_SEMVER] = {types_is_semver, "a version such as 1.4.0 or 2.0.0-rc.1"},
    [TYPE_DATE] = {types_is_date, "a day such as 2027-01-31"},
    [TYPE_HEX] = {types_is_hex, "pairs of hexadecimal digits"},
    [TYPE_BASE64] = {types_is_base64, "base64 (one of its two alphabets, padded or not)"},
    [TYPE_JSON] = {types_is_json, "one JSON value"},
    [TYPE_PEM] = {types_is_pem, "PEM blocks"},
    [TYPE_JWT] = {types_is_jwt, "a signed JWT (header.claims.signature, each in base64url)"},
};

const char *contract_type_name(enum contract_type type)
{
    return types[type].name;
}

unsigned contract_type_constraints(enum contract_type type)
{
    return types[type].constraints;
}

const char *contract_type_expects(enum contract_type type)
{
    return validators[type].expected;
}

void contract_types_with(enum contract_constraint constraint, struct message *out)
{
    size_t count = 0, left;

    for (int type = 0; type < CONTRACT_TYPE_COUNT; type++)
        count += (types[type].constraints & constraint) != 0;
    left = count;
    message_addf(out, "It is for ");
    for (int type = 0; type < CONTRACT_TYPE_COUNT; type++) {
        if (!(types[type].constraints & constraint))
            continue;
        message_addf(out, "%s%s",
                     left == count ? ""
                     : left == 1   ? " and "
                                   : ", ",
                     types[type].name);
        left--;
    }
    message_addf(out, ".");
}

/* Their values have line breaks and white space by right. */
static bool has_lines(enum contract_type type)
{
    return type == TYPE_JSON || type == TYPE_PEM;
}

/* "character 5", or of a type with lines "line 3, character 5". */
static void add_place(struct message *out, enum contract_type type, const char *bytes, size_t place)
{
    size_t line = 1, begin = 0;
    for (size_t i = 0; has_lines(type) && i < place; i++) {
        if (bytes[i] == '\n') {
            line++;
            begin = i + 1;
        }
    }
    if (has_lines(type))
        message_addf(out, "line %zu, ", line);
    message_addf(out, "character %zu", shape_characters(bytes + begin, place - begin) + 1);
}

static bool check_type(const struct validation *v, enum contract_type type, const char *bytes,
                       size_t length)
{
    struct trouble trouble = TROUBLE_INIT;
    if (!validators[type].is || validators[type].is(bytes, length, &trouble))
        return true;
    if (trouble.no_memory) {
        v->findings->no_memory = true;
        return false;
    }
    struct message what = {0};
    bool has_place = trouble.at < length; /* behind the end there is nothing to look at */
    message_addf(&what, "%s", validators[type].expected);
    if (trouble.what || has_place)
        message_addf(&what, ", %s", trouble.what ? trouble.what : "trouble");
    if (has_place) {
        message_addf(&what, " at ");
        add_place(&what, type, bytes, trouble.at);
    }
    if (has_lines(type)) {
        struct message shape = {0};
        shape_add_length(&shape, bytes, length);
        validation_add(v, "type", trouble.hint, "%s, expected %s", shape.text, what.text);
    } else {
        add_expected(v, "type", trouble.hint, bytes, length, what.text);
    }
    return false;
}

/* ---- constraints ---------------------------------------------------------------------------- */

int types_parse_bound(enum contract_type type, const char *text, struct contract_bound *out)
{
    struct contract_bound bound = {.text = text};
    struct trouble unused = TROUBLE_INIT;
    size_t length = strlen(text);
    if (!(types[type].constraints & HAS_MIN_MAX) || !validators[type].is(text, length, &unused))
        return -1;
    bool read = true;
    if (type == TYPE_NUMBER)
        bound.number = strtod(text, NULL);
    else if (type == TYPE_DURATION)
        read = str_to_duration(text, length, &bound.integer) == 0;
    else if (type == TYPE_BYTES)
        read = types_read_bytes(text, length, &bound.integer, &unused);
    else if (type == TYPE_DATE)
        read = types_read_date(text, length, &bound.integer, &unused);
    else if (type != TYPE_SEMVER) /* it is compared as text */
        read = str_to_int64(text, length, &bound.integer) == 0;
    if (!read)
        return -1;
    *out = bound;
    return 0;
}

int types_compare_bounds(enum contract_type type, const struct contract_bound *a,
                         const struct contract_bound *b)
{
    if (type == TYPE_NUMBER)
        return (a->number > b->number) - (a->number < b->number);
    if (type == TYPE_SEMVER)
        return types_compare_semver(a->text, b->text);
    return (a->integer > b->integer) - (a->integer < b->integer);
}

static void check_bounds(const struct validation *v, const struct contract_rules *rules,
                         const char *bytes)
{
    struct contract_bound value;
    if ((!rules->min.text && !rules->max.text) ||
        types_parse_bound(rules->type, bytes, &value) != 0)
        return;
    if (rules->min.text && types_compare_bounds(rules->type, &value, &rules->min) < 0)
        validation_add(v, "min", NULL, "below the minimum of %s", rules->min.text);
    if (rules->max.text && types_compare_bounds(rules->type, &value, &rules->max) > 0)
        validation_add(v, "max", NULL, "above the maximum of %s", rules->max.text);
}

static void check_values(const struct validation *v, const struct contract_rules *rules,
                         const char *bytes, size_t length)
{
    size_t count = 0;
    for (const char *const *value = rules->values; *value; value++, count++) {
        if (!steps_take(v->steps_left, 1 + length / WORD_OF_STEP) ||
            (strncmp(*value, bytes, length) == 0 && (*value)[length] == '\0'))
            return;
    }

    struct message what = {0}, hint = {0};
    if (v->variable->secret) {
        message_addf(&what, "one of the %zu values in the contract", count);
    } else {
        message_addf(&what, "%s", count == 1 ? "" : "one of ");
        for (size_t i = 0; i < count && i < VALUES_SHOWN; i++)
            message_addf(&what, "%s`%s`", i ? ", " : "", rules->values[i]);
        if (count > VALUES_SHOWN)
            message_addf(&what, " and %zu more", count - VALUES_SHOWN);
        size_t width = length < STR_NEAREST_BYTES ? length : STR_NEAREST_BYTES;
        bool may_look = steps_take(v->steps_left, count * width * width); /* it is a table */
        const char *nearest = may_look ? str_nearest(bytes, rules->values) : NULL;
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
    struct trouble unused = TROUBLE_INIT;
    size_t decoded = length / 2;
    if (rules->type == TYPE_HEX ? !types_is_hex(bytes, length, &unused)
                                : str_base64_length(bytes, length, &decoded) != 0)
        return; /* said: it is not of the type */
    if (decoded < rules->min_bytes)
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
    AUTO_PATTERN_CACHE own = {.steps_left = v->steps_left};
    struct message what = {0};
    struct err err = ERR_INIT;
    switch (pattern_match(v->patterns ? v->patterns : &own, pattern, bytes, length, &err)) {
    case PATTERN_MATCHES:
    case PATTERN_UNTRIED:
        return;
    case PATTERN_DIFFERS:
        message_addf(&what, "to match `%s`", pattern);
        add_expected(v, "pattern", NULL, bytes, length, what.text);
        return;
    case PATTERN_GAVE_UP:
        validation_add(v, "pattern", "Write the pattern without repetitions inside of repetitions.",
                       "matching `%s` was given up %s", pattern, err.text);
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
    if (!steps_take(v->steps_left, PATH_STEPS))
        return;
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
    if (!steps_take(v->steps_left, VALUE_STEPS + length / BYTES_OF_STEP))
        return;
    if (check_type(v, rules->type, bytes, length))
        check_bounds(v, rules, bytes);
    if (rules->type == TYPE_JWT)
        types_check_expiry(v, bytes, length);
    if (types[rules->type].constraints & HAS_URL)
        types_validate_url(v, rules, bytes, length);
    if (types[rules->type].constraints & HAS_ITEM)
        types_validate_list(v, rules, bytes, length);
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
