/* envcontract/types_jwt.c: signed JSON Web Tokens (RFC 7519 in the compact form of RFC 7515).
 *
 * Three parts that are not empty: an unsigned token (`alg` none) is not one that a service should
 * be given. The signature is not checked, there is no key to check it with. Of the claims only
 * `exp` is looked at: it is the one that makes a right token wrong by itself. */
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "envcontract/types.h"

enum {
    PARTS = 3,
    HEADER = 0,
    CLAIMS = 1,
    NUMBER_BYTES = 64, /* of `exp` as written */
    SECONDS_PER_DAY = 24 * 60 * 60,
    DAYS_COUNTED = 10000,
};

struct part {
    size_t begin, length;
};

/* What was found in a header or in claims. */
struct found {
    bool has_algorithm;
    bool has_expiry;
    bool bad_expiry; /* no number, or said twice: readers disagree on which one counts */
    double expiry;   /* seconds since 1970 */
};

static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (is_digit(c))
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* RFC 7515, 2: base64url without padding. */
static bool check_part(const char *bytes, const struct part *part, struct trouble *trouble)
{
    if (part->length == 0)
        return trouble_at(trouble, part->begin, "an empty part");
    for (size_t i = 0; i < part->length; i++)
        if (digit_of(bytes[part->begin + i]) < 0)
            return trouble_at(trouble, part->begin + i, NULL);
    if (part->length % 4 == 1)
        return trouble_at(trouble, part->begin, "a part that is cut short");
    return true;
}

static bool cut(const char *bytes, size_t length, struct part parts[static PARTS],
                struct trouble *trouble)
{
    size_t count = 0, begin = 0;
    for (size_t i = 0; i <= length; i++) {
        if (i < length && bytes[i] != '.')
            continue;
        if (count == PARTS)
            return trouble_at(trouble, begin - 1, "more than three parts");
        parts[count++] = (struct part){.begin = begin, .length = i - begin};
        begin = i + 1;
    }
    if (count < PARTS)
        return trouble_at(trouble, NO_PLACE, "fewer than three parts");
    for (size_t i = 0; i < PARTS; i++)
        if (!check_part(bytes, &parts[i], trouble))
            return false;
    return true;
}

/* PART, which check_part found good. */
static void decode(const char *bytes, const struct part *part, struct buf *out)
{
    unsigned bits = 0, held = 0;
    for (size_t i = 0; i < part->length; i++) {
        held = held << 6 | (unsigned)digit_of(bytes[part->begin + i]);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            buf_addc(out, (char)(held >> bits & 0xFF));
        }
    }
}

static bool is_key(const char *key, size_t length, const char *name)
{
    return length == strlen(name) && memcmp(key, name, length) == 0;
}

static void visit_header(void *context, const char *key, size_t key_length, const char *value,
                         size_t value_length)
{
    struct found *found = context;
    if (is_key(key, key_length, "alg"))
        found->has_algorithm = value[0] == '"' && value_length > strlen("\"\"");
}

static void visit_claims(void *context, const char *key, size_t key_length, const char *value,
                         size_t value_length)
{
    struct found *found = context;
    char number[NUMBER_BYTES];
    if (!is_key(key, key_length, "exp"))
        return;
    found->bad_expiry = found->has_expiry || (value[0] != '-' && !is_digit(value[0])) ||
                        value_length >= sizeof number;
    found->has_expiry = true;
    if (found->bad_expiry)
        return;
    memcpy(number, value, value_length);
    number[value_length] = '\0';
    found->expiry = strtod(number, NULL); /* JSON's grammar is known to hold */
}

/* Whether PART is a JSON object; VISIT has seen its members. */
static bool read_object(const char *bytes, const struct part *part, types_json_member *visit,
                        struct found *found, struct trouble *trouble)
{
    AUTO_BUF text = BUF_INIT(part->length);
    struct trouble inner = TROUBLE_INIT; /* a place in what nobody sees */
    decode(bytes, part, &text);
    if (text.no_memory) {
        trouble->no_memory = true;
        return false;
    }
    if (!types_scan_json(buf_text(&text), text.len, visit, found, &inner))
        return false;
    const char *begin = buf_text(&text);
    return begin[strspn(begin, " \t\r\n")] == '{';
}

static bool read_token(const char *bytes, size_t length, struct found *out, struct trouble *trouble)
{
    struct part parts[PARTS];
    struct found found = {0};
    if (!cut(bytes, length, parts, trouble))
        return false;
    if (!read_object(bytes, &parts[HEADER], visit_header, &found, trouble))
        return trouble_at(trouble, parts[HEADER].begin, "a header that is no JSON object");
    if (!found.has_algorithm)
        return trouble_at(trouble, parts[HEADER].begin, "a header without `alg`");
    if (!read_object(bytes, &parts[CLAIMS], visit_claims, &found, trouble))
        return trouble_at(trouble, parts[CLAIMS].begin, "claims that are no JSON object");
    if (found.bad_expiry)
        return trouble_at(trouble, parts[CLAIMS].begin, "an `exp` that is not one number");
    *out = found;
    return true;
}

bool types_is_jwt(const char *bytes, size_t length, struct trouble *trouble)
{
    struct found found;
    return read_token(bytes, length, &found, trouble);
}

void types_check_expiry(const struct validation *v, const char *bytes, size_t length)
{
    struct found found = {0};
    struct trouble trouble = TROUBLE_INIT;
    if (!read_token(bytes, length, &found, &trouble)) {
        v->findings->no_memory = v->findings->no_memory || trouble.no_memory;
        return;
    }
    double over = (double)clock_unix_seconds() - found.expiry;
    if (!found.has_expiry || over < 0) /* RFC 7519, 4.1.4: not on it, and not after it */
        return;
    double days = floor(over / SECONDS_PER_DAY);
    if (days < 1)
        validation_add(v, "expired", NULL, "its `exp` was less than a day ago");
    else if (days > DAYS_COUNTED)
        validation_add(v, "expired", NULL, "its `exp` was more than %d days ago", DAYS_COUNTED);
    else
        validation_add(v, "expired", NULL, "its `exp` was %.0f day%s ago", days,
                       days < 2 ? "" : "s");
}
