/* envcontract/types_plain.c: numbers, sizes, durations, dates and encodings of bytes. */
#include <math.h>
#include <stdlib.h>
#include <strings.h>

#include "base/str.h"
#include "envcontract/types.h"

enum {
    PORT_MAX = 65535,
    UUID_BYTES = 36,
    DATE_BYTES = 10, /* 2027-01-31 */
};

bool types_is_bool(const char *bytes, size_t length, struct trouble *trouble)
{
    static const char *const words[] = {"true", "false", "yes", "no", "on", "off", "1", "0"};
    (void)trouble;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strlen(words[i]) == length && strncasecmp(words[i], bytes, length) == 0)
            return true;
    return false;
}

/* ---- numbers -------------------------------------------------------------------------------- */

bool types_is_int(const char *bytes, size_t length, struct trouble *trouble)
{
    int64_t number;
    size_t sign = length > 0 && bytes[0] == '-', end = skip_digits(bytes, length, sign);
    if (end < length || end == sign)
        trouble->at = end; /* else there are only digits: out of range */
    return str_to_int64(bytes, length, &number) == 0;
}

/* As in JSON (RFC 8259, 6), within what a double can hold. */
bool types_is_number(const char *bytes, size_t length, struct trouble *trouble)
{
    size_t at = length > 0 && bytes[0] == '-';
    size_t whole = at;
    at = skip_digits(bytes, length, at);
    if (at == whole)
        return trouble_at(trouble, at, NULL);
    if (bytes[whole] == '0' && at > whole + 1)
        return trouble_at(trouble, whole, "a leading zero");
    if (at < length && bytes[at] == '.') {
        size_t fraction = at + 1;
        at = skip_digits(bytes, length, fraction);
        if (at == fraction)
            return trouble_at(trouble, at, NULL);
    }
    if (at < length && (bytes[at] == 'e' || bytes[at] == 'E')) {
        size_t exponent = at + 1;
        if (exponent < length && (bytes[exponent] == '+' || bytes[exponent] == '-'))
            exponent++;
        at = skip_digits(bytes, length, exponent);
        if (at == exponent)
            return trouble_at(trouble, at, NULL);
    }
    if (at < length)
        return trouble_at(trouble, at, NULL);
    return isfinite(strtod(bytes, NULL)); /* the process's locale is C: the point is '.' */
}

bool types_is_port(const char *bytes, size_t length, struct trouble *trouble)
{
    int64_t number;
    size_t end = skip_digits(bytes, length, 0);
    if (end < length || length == 0)
        trouble->at = end;
    return end == length && str_to_int64(bytes, length, &number) == 0 && number >= 1 &&
           number <= PORT_MAX;
}

bool types_is_duration(const char *bytes, size_t length, struct trouble *trouble)
{
    int64_t ms;
    (void)trouble;
    return str_to_duration(bytes, length, &ms) == 0;
}

/* ---- sizes ---------------------------------------------------------------------------------- */

/* Powers of 1000 and of 1024 as IEC 80000-13 writes them, and KB, which everybody writes. "10M" and
 * "10mb" are either to different programs: they are none here. */
static const struct {
    const char *name;
    int64_t bytes;
} size_units[] = {
    {"", 1},
    {"B", 1},
    {"kB", 1000},
    {"KB", 1000},
    {"MB", 1000LL * 1000},
    {"GB", 1000LL * 1000 * 1000},
    {"TB", 1000LL * 1000 * 1000 * 1000},
    {"PB", 1000LL * 1000 * 1000 * 1000 * 1000},
    {"EB", 1000LL * 1000 * 1000 * 1000 * 1000 * 1000},
    {"KiB", 1LL << 10},
    {"MiB", 1LL << 20},
    {"GiB", 1LL << 30},
    {"TiB", 1LL << 40},
    {"PiB", 1LL << 50},
    {"EiB", 1LL << 60},
};

static int64_t size_unit(const char *name, size_t length)
{
    for (size_t i = 0; i < ARRAY_LEN(size_units); i++)
        if (strlen(size_units[i].name) == length && memcmp(size_units[i].name, name, length) == 0)
            return size_units[i].bytes;
    return 0;
}

bool types_read_bytes(const char *bytes, size_t length, int64_t *out, struct trouble *trouble)
{
    int64_t number, size;
    size_t end = skip_digits(bytes, length, 0);
    if (end == 0)
        return trouble_at(trouble, 0, NULL);
    int64_t unit = size_unit(bytes + end, length - end);
    if (unit == 0)
        return trouble_at(trouble, end, "no unit of bytes");
    if (str_to_int64(bytes, end, &number) != 0 || __builtin_mul_overflow(number, unit, &size))
        return trouble_at(trouble, NO_PLACE, "more than 64 bits hold");
    *out = size;
    return true;
}

bool types_is_bytes(const char *bytes, size_t length, struct trouble *trouble)
{
    int64_t size;
    return types_read_bytes(bytes, length, &size, trouble);
}

/* ---- dates ---------------------------------------------------------------------------------- */

/* RFC 3339's full-date, from the year 1 on. */
bool types_read_date(const char *bytes, size_t length, int64_t *out, struct trouble *trouble)
{
    for (size_t i = 0; i < length && i < DATE_BYTES; i++)
        if (i == 4 || i == 7 ? bytes[i] != '-' : !is_digit(bytes[i]))
            return trouble_at(trouble, i, NULL);
    if (length != DATE_BYTES)
        return trouble_at(trouble, length > DATE_BYTES ? DATE_BYTES : NO_PLACE, NULL);
    return date_parse(bytes, length, out) ||
           trouble_at(trouble, NO_PLACE, "a day that the calendar does not have");
}

bool types_is_date(const char *bytes, size_t length, struct trouble *trouble)
{
    int64_t day;
    return types_read_date(bytes, length, &day, trouble);
}

/* ---- bytes as text -------------------------------------------------------------------------- */

bool types_is_uuid(const char *bytes, size_t length, struct trouble *trouble)
{
    size_t i = 0;
    for (; i < length && i < UUID_BYTES; i++) {
        bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
        if (hyphen ? bytes[i] != '-' : !is_hex_digit(bytes[i]))
            break;
    }
    if (i < length)
        trouble->at = i;
    return i == UUID_BYTES && length == UUID_BYTES;
}

bool types_is_hex(const char *bytes, size_t length, struct trouble *trouble)
{
    for (size_t i = 0; i < length; i++)
        if (!is_hex_digit(bytes[i]))
            return trouble_at(trouble, i, NULL);
    if (length % 2 != 0)
        return trouble_at(trouble, NO_PLACE, "an odd number of digits");
    return length > 0;
}

bool types_is_base64(const char *bytes, size_t length, struct trouble *trouble)
{
    size_t decoded, i = 0;
    while (i < length && (is_alphanumeric(bytes[i]) || strchr("+/-_", bytes[i])))
        i++;
    while (i < length && bytes[i] == '=')
        i++;
    if (i < length)
        trouble->at = i; /* else it is the padding, or both alphabets in one */
    return str_base64_length(bytes, length, &decoded) == 0;
}
