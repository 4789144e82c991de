/* envcontract/types_semver.c: versions, and which is the newer one. Source: Semantic Versioning
 * 2.0.0. */
#include "envcontract/types.h"

/* One version taken apart; the build behind a '+' says nothing about the order. */
struct version {
    const char *text;
    size_t release_end; /* of MAJOR.MINOR.PATCH */
    size_t end;         /* of the identifiers behind the '-'; release_end where there are none */
};

/* One identifier from AT to END. */
struct identifier {
    const char *text;
    size_t length;
    bool numeric;
};

static bool is_identifier_byte(char c)
{
    return is_alphanumeric(c) || c == '-';
}

/* Identifiers with dots between them from *AT on, to where they end. Numbers among them have no
 * leading zeros, except in a build. */
static bool read_identifiers(const char *bytes, size_t length, size_t *at, bool build,
                             struct trouble *trouble)
{
    for (;; (*at)++) {
        size_t begin = *at, digits = skip_digits(bytes, length, begin);
        while (*at < length && is_identifier_byte(bytes[*at]))
            (*at)++;
        if (*at == begin)
            return trouble_at(trouble, begin, "an empty identifier");
        if (!build && digits == *at && bytes[begin] == '0' && digits > begin + 1)
            return trouble_at(trouble, begin, "a leading zero");
        if (*at >= length || bytes[*at] != '.')
            return true;
    }
}

/* MAJOR.MINOR.PATCH. */
static bool read_release(const char *bytes, size_t length, size_t *at, struct trouble *trouble)
{
    for (int part = 0; part < 3; part++) {
        if (part > 0 && (*at >= length || bytes[*at] != '.'))
            return trouble_at(trouble, *at, NULL);
        size_t begin = part > 0 ? *at + 1 : *at;
        *at = skip_digits(bytes, length, begin);
        if (*at == begin)
            return trouble_at(trouble, begin, NULL);
        if (bytes[begin] == '0' && *at > begin + 1)
            return trouble_at(trouble, begin, "a leading zero");
    }
    return true;
}

static bool read_version(const char *bytes, size_t length, struct version *out,
                         struct trouble *trouble)
{
    size_t at = 0;
    if (!read_release(bytes, length, &at, trouble))
        return false;
    *out = (struct version){.text = bytes, .release_end = at};
    if (at < length && bytes[at] == '-') {
        at++;
        if (!read_identifiers(bytes, length, &at, false, trouble))
            return false;
    }
    out->end = at;
    if (at < length && bytes[at] == '+') {
        at++;
        if (!read_identifiers(bytes, length, &at, true, trouble))
            return false;
    }
    return at == length || trouble_at(trouble, at, NULL);
}

bool types_is_semver(const char *bytes, size_t length, struct trouble *trouble)
{
    struct version version;
    return read_version(bytes, length, &version, trouble);
}

/* The identifier at *AT of VERSION, which ends at END; *at then is behind its dot. */
static struct identifier next_identifier(const char *text, size_t *at, size_t end)
{
    size_t begin = *at;
    while (*at < end && text[*at] != '.')
        (*at)++;
    struct identifier identifier = {.text = text + begin, .length = *at - begin};
    identifier.numeric = skip_digits(text, *at, begin) == *at;
    (*at)++;
    return identifier;
}

static int compare_sizes(size_t a, size_t b)
{
    return (a > b) - (a < b);
}

/* Numbers by size (of any length, without leading zeros), texts by byte, numbers below texts. */
static int compare_identifiers(const struct identifier *a, const struct identifier *b)
{
    if (a->numeric != b->numeric)
        return a->numeric ? -1 : 1;
    if (a->numeric && a->length != b->length)
        return compare_sizes(a->length, b->length);
    size_t common = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->text, b->text, common);
    return order != 0 ? order : compare_sizes(a->length, b->length);
}

/* What stands in both from A_AT and B_AT on; of two that begin alike the longer one is above. */
static int compare_lists(const struct version *a, size_t a_at, size_t a_end,
                         const struct version *b, size_t b_at, size_t b_end)
{
    while (a_at < a_end && b_at < b_end) {
        struct identifier left = next_identifier(a->text, &a_at, a_end);
        struct identifier right = next_identifier(b->text, &b_at, b_end);
        int order = compare_identifiers(&left, &right);
        if (order != 0)
            return order;
    }
    return (a_at < a_end) - (b_at < b_end);
}

int types_compare_semver(const char *a, const char *b)
{
    struct version left = {0}, right = {0};
    struct trouble none = TROUBLE_INIT;
    if (!read_version(a, strlen(a), &left, &none) || !read_version(b, strlen(b), &right, &none))
        return 0; /* the caller's mistake; there is no order among what is no version */
    int order = compare_lists(&left, 0, left.release_end, &right, 0, right.release_end);
    bool left_pre = left.end > left.release_end, right_pre = right.end > right.release_end;
    if (order != 0 || (!left_pre && !right_pre))
        return order;
    if (left_pre != right_pre) /* what is not released yet comes before the release */
        return left_pre ? -1 : 1;
    return compare_lists(&left, left.release_end + 1, left.end, &right, right.release_end + 1,
                         right.end);
}
