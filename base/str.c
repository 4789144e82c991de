/* base/str.c: numbers, durations, globs, nearest name. */
#include "base/str.h"

#include <string.h>
#include <strings.h>

bool str_eq(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool str_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *text, const char *suffix)
{
    size_t text_length = strlen(text), suffix_length = strlen(suffix);
    return suffix_length <= text_length &&
           memcmp(text + text_length - suffix_length, suffix, suffix_length) == 0;
}

bool str_has_word(const char *text, size_t length, const char *word)
{
    size_t word_length = strlen(word);

    for (size_t i = 0; i + word_length <= length; i++)
        if (strncasecmp(text + i, word, word_length) == 0)
            return true;
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The digits at *AT: true when there is at least one and the number fits. Moves *at behind them. */
static bool read_digits(const char *text, size_t length, size_t *at, uint64_t *out)
{
    size_t begin = *at;
    uint64_t number = 0;

    for (; *at < length && is_digit(text[*at]); (*at)++) {
        if (__builtin_mul_overflow(number, (uint64_t)10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(text[*at] - '0'), &number))
            return false;
    }
    *out = number;
    return *at > begin;
}

int str_to_int64(const char *text, size_t length, int64_t *out)
{
    bool negative = length > 0 && text[0] == '-';
    size_t at = negative;
    uint64_t number;

    if (!read_digits(text, length, &at, &number) || at != length)
        return -1;
    if (number > (uint64_t)INT64_MAX + negative)
        return -1;
    *out = negative ? (int64_t)(0 - number) : (int64_t)number;
    return 0;
}

/* The longest unit first where one starts with another. */
struct unit {
    const char *name;
    uint64_t value;
};

static const struct unit *read_unit(const struct unit *units, const char *text, size_t length,
                                    size_t *at)
{
    for (; units->name; units++) {
        size_t unit_length = strlen(units->name);
        if (unit_length <= length - *at && memcmp(text + *at, units->name, unit_length) == 0) {
            *at += unit_length;
            return units;
        }
    }
    return NULL;
}

#define MS_PER_SECOND UINT64_C(1000)
#define MS_PER_MINUTE (60 * MS_PER_SECOND)
#define MS_PER_HOUR   (60 * MS_PER_MINUTE)
#define MS_PER_DAY    (24 * MS_PER_HOUR)
#define MS_PER_WEEK   (7 * MS_PER_DAY)
#define NS_PER_MS     UINT64_C(1000000)

int str_to_duration(const char *text, size_t length, int64_t *out_ms)
{
    static const struct unit units[] = {
        {"ms", 1},
        {"s", MS_PER_SECOND},
        {"m", MS_PER_MINUTE},
        {"h", MS_PER_HOUR},
        {"d", MS_PER_DAY},
        {"w", MS_PER_WEEK},
        {0},
    };
    uint64_t total = 0;
    size_t at = 0;

    do {
        uint64_t number, part;
        if (!read_digits(text, length, &at, &number))
            return -1;
        const struct unit *unit = read_unit(units, text, length, &at);
        if (!unit || __builtin_mul_overflow(number, unit->value, &part) ||
            __builtin_add_overflow(total, part, &total) || total > INT64_MAX)
            return -1;
    } while (at < length);
    *out_ms = (int64_t)total;
    return 0;
}

void str_add_duration(struct buf *b, int64_t ms)
{
    static const struct unit units[] = {
        {"d", MS_PER_DAY},    {"h", MS_PER_HOUR}, {"m", MS_PER_MINUTE},
        {"s", MS_PER_SECOND}, {"ms", 1},
    };
    uint64_t left = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;

    if (ms == 0)
        buf_adds(b, "0s");
    if (ms < 0)
        buf_addc(b, '-');
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        uint64_t number = left / units[i].value;
        if (number > 0)
            buf_addf(b, "%llu%s", (unsigned long long)number, units[i].name);
        left %= units[i].value;
    }
}

/* ".25" behind a whole number, in UNIT_NS. Below a nanosecond nothing counts. */
static uint64_t read_fraction_ns(const char *text, size_t length, size_t *at, uint64_t unit_ns)
{
    uint64_t ns = 0;
    for (; *at < length && is_digit(text[*at]); (*at)++) {
        unit_ns /= 10;
        ns += (uint64_t)(text[*at] - '0') * unit_ns;
    }
    return ns;
}

/* One "1.5h" of a Go duration. The unit is behind the fraction but is needed to read it. */
static bool read_go_part(const char *text, size_t length, size_t *at, uint64_t *ns)
{
    static const struct unit units[] = {
        {"ns", 1},
        {"us", 1000},
        {"\xC2\xB5s", 1000}, /* MICRO SIGN, and the Greek letter: Go takes both */
        {"\xCE\xBCs", 1000},
        {"ms", NS_PER_MS},
        {"s", MS_PER_SECOND * NS_PER_MS},
        {"m", MS_PER_MINUTE * NS_PER_MS},
        {"h", MS_PER_HOUR * NS_PER_MS},
        {"d", MS_PER_DAY * NS_PER_MS},
        {0},
    };
    uint64_t whole = 0;
    size_t fraction_at = length;
    bool has_digits = false;

    if (*at < length && is_digit(text[*at])) {
        if (!read_digits(text, length, at, &whole))
            return false;
        has_digits = true;
    }
    if (*at < length && text[*at] == '.') {
        fraction_at = ++*at;
        while (*at < length && is_digit(text[*at]))
            (*at)++;
        has_digits = has_digits || *at > fraction_at;
    }
    const struct unit *unit = has_digits ? read_unit(units, text, length, at) : NULL;
    if (!unit || __builtin_mul_overflow(whole, unit->value, ns))
        return false;
    uint64_t fraction_ns = read_fraction_ns(text, length, &fraction_at, unit->value);
    return !__builtin_add_overflow(*ns, fraction_ns, ns);
}

int str_to_go_duration(const char *text, size_t length, int64_t *out_ms)
{
    uint64_t total_ns = 0, seconds;
    size_t at = length > 0 && text[0] == '+';
    size_t digits_at = at;

    if (read_digits(text, length, &digits_at, &seconds) && digits_at == length) {
        if (__builtin_mul_overflow(seconds, MS_PER_SECOND * NS_PER_MS, &total_ns))
            return -1;
    } else {
        do {
            uint64_t ns;
            if (!read_go_part(text, length, &at, &ns) ||
                __builtin_add_overflow(total_ns, ns, &total_ns))
                return -1;
        } while (at < length);
    }
    if (total_ns > INT64_MAX) /* Go counts nanoseconds in an int64 */
        return -1;
    *out_ms = (int64_t)(total_ns / NS_PER_MS + (total_ns % NS_PER_MS != 0));
    return 0;
}

int str_to_go_bool(const char *text, bool *out)
{
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
    static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};

    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (str_eq(text, yes[i]) || str_eq(text, no[i])) {
            *out = str_eq(text, yes[i]);
            return 0;
        }
    }
    return -1;
}

/* `[...]` at PATTERN against C. Returns what is behind it, or NULL when it is not closed. */
static const char *match_set(const char *pattern, unsigned char c, bool *matches)
{
    const char *at = pattern + 1;
    bool negated = *at == '!' || *at == '^', found = false;

    at += negated;
    for (bool first = true; *at && (first || *at != ']'); first = false) {
        if (*at == '\\' && at[1])
            at++;
        unsigned char low = (unsigned char)*at++, high = low;
        if (at[0] == '-' && at[1] && at[1] != ']') {
            at++;
            if (*at == '\\' && at[1])
                at++;
            high = (unsigned char)*at++;
        }
        found = found || (low <= c && c <= high);
    }
    *matches = found != negated;
    return *at == ']' ? at + 1 : NULL;
}

/* Any one element but `*` against C. Returns what is behind the element, or NULL: no match. */
static const char *match_one(const char *pattern, unsigned char c)
{
    bool matches;

    switch (*pattern) {
    case '\0':
        return NULL;
    case '?':
        return pattern + 1;
    case '[': {
        const char *behind = match_set(pattern, c, &matches);
        if (behind)
            return matches ? behind : NULL;
        break;
    }
    case '\\':
        if (pattern[1])
            pattern++;
        break;
    default:
        break;
    }
    return (unsigned char)*pattern == c ? pattern + 1 : NULL;
}

bool str_glob(const char *pattern, const char *text, size_t length)
{
    uint64_t enough = UINT64_MAX;

    return str_glob_within(pattern, text, length, &enough);
}

bool str_glob_within(const char *pattern, const char *text, size_t length, uint64_t *steps_left)
{
    const char *behind_star = NULL;
    size_t at = 0, star_ends = 0; /* where in the text the last `*` ends, for now */

    while (at < length) {
        if (*steps_left == 0 || --*steps_left == 0)
            return false;
        if (*pattern == '*') {
            behind_star = ++pattern;
            star_ends = at;
            continue;
        }
        const char *next = match_one(pattern, (unsigned char)text[at]);
        if (next) {
            pattern = next;
            at++;
        } else if (behind_star) {
            pattern = behind_star;
            at = ++star_ends;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Letters to insert, drop, replace or swap with their neighbour. Both at most STR_NEAREST_BYTES. */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t space[3][STR_NEAREST_BYTES + 1];
    size_t *before = space[0], *above = space[1], *row = space[2];

    for (size_t j = 0; j <= b_length; j++) {
        above[j] = j;
        before[j] = 0;
    }
    for (size_t i = 1; i <= a_length; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            char from = lower(a[i - 1]), to = lower(b[j - 1]);
            row[j] = least(above[j - 1] + (from != to), least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && from == lower(b[j - 2]) && lower(a[i - 2]) == to)
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[b_length];
}

const char *str_nearest(const char *name, const char *const *names)
{
    const char *nearest = NULL;
    size_t length = strlen(name), best = length / 3;

    if (length > STR_NEAREST_BYTES)
        return NULL;
    for (; *names; names++) {
        size_t other_length = strlen(*names);
        if (other_length > STR_NEAREST_BYTES)
            continue;
        size_t changes = distance(name, length, *names, other_length);
        if (changes < best || (changes == best && !nearest)) {
            best = changes;
            nearest = *names;
        }
    }
    return nearest;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

void str_trim(const char **start, size_t *length)
{
    while (*length > 0 && is_space((*start)[0])) {
        (*start)++;
        (*length)--;
    }
    while (*length > 0 && is_space((*start)[*length - 1]))
        (*length)--;
}
