/* envcontract/types.h: the validators, one for each type that is not any text; types.c has them in
 * its table, and says what they found.
 *
 * A validator looks at LENGTH bytes without a NUL among them and with one behind them. Where they
 * are not of the type it says what is wrong and where, and never a piece of them. */
#ifndef ENVCONTRACT_TYPES_H
#define ENVCONTRACT_TYPES_H

#include <string.h>

#include "envcontract/internal.h"

#define NO_PLACE SIZE_MAX /* the trouble is with the whole, not at a byte */

/* What is wrong. Zero but for AT, which is NO_PLACE, before a validator gets it. */
struct trouble {
    size_t at;        /* the byte where it begins */
    const char *what; /* a clause, static: "an empty part"; NULL: the place alone says it */
    const char *hint; /* a sentence, static, or NULL */
    bool no_memory;   /* nothing is known */
};

#define TROUBLE_INIT ((struct trouble){.at = NO_PLACE})

typedef bool type_validator(const char *bytes, size_t length, struct trouble *trouble);

/* Note it, and return false: for `return trouble_at(…)`. */
static inline bool trouble_at(struct trouble *trouble, size_t at, const char *what)
{
    trouble->at = at;
    trouble->what = what;
    return false;
}

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool is_alphanumeric(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool is_hex_digit(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Where the digits from AT on end. */
static inline size_t skip_digits(const char *bytes, size_t length, size_t at)
{
    while (at < length && is_digit(bytes[at]))
        at++;
    return at;
}

/* ---- numbers, dates, encodings (types_plain.c) ---------------------------------------------- */

type_validator types_is_bool, types_is_int, types_is_number, types_is_port, types_is_duration;
type_validator types_is_bytes, types_is_date, types_is_uuid, types_is_hex, types_is_base64;

/* "10MB", "512KiB", "4096" → bytes. False: not of the type, or more than 64 bits hold. */
bool types_read_bytes(const char *bytes, size_t length, int64_t *out, struct trouble *trouble);

/* "2027-01-31" → days, as date_parse counts them. False: no such day. */
bool types_read_date(const char *bytes, size_t length, int64_t *out, struct trouble *trouble);

/* ---- versions (types_semver.c) -------------------------------------------------------------- */

type_validator types_is_semver;

/* By precedence (Semantic Versioning 2.0.0, 11): below, at or above 0. Both are versions. */
int types_compare_semver(const char *a, const char *b);

/* ---- names and addresses (types_net.c) ------------------------------------------------------ */

type_validator types_is_email, types_is_host, types_is_ip, types_is_cidr;

/* ---- JSON (types_json.c) -------------------------------------------------------------------- */

type_validator types_is_json;

/* One member of the outermost object: its key between the quotes, as it was written, and its
 * value. */
typedef void types_json_member(void *context, const char *key, size_t key_length, const char *value,
                               size_t value_length);

/* Whether BYTES (there need not be a NUL behind them) are one JSON value (RFC 8259); VISIT (may be
 * NULL) sees the members of an outermost object, in order, also where the text breaks off later. */
bool types_scan_json(const char *bytes, size_t length, types_json_member *visit, void *context,
                     struct trouble *trouble);

/* ---- keys, certificates, tokens (types_pem.c, types_jwt.c) ---------------------------------- */

type_validator types_is_pem, types_is_jwt;

/* BYTES are a JWT: whether its `exp` is over (rule expired). Its signature is not looked at. */
void types_check_expiry(const struct validation *v, const char *bytes, size_t length);

/* ---- lists (types_list.c) ------------------------------------------------------------------- */

/* Each item against RULES->item, up to a few bad ones. Items are split, never trimmed; an empty
 * one is wrong (rule empty). */
void types_validate_list(const struct validation *v, const struct contract_rules *rules,
                         const char *bytes, size_t length);

/* One item after another (*at starts at 0): false behind the last. */
bool types_next_item(const struct contract_rules *rules, const char *bytes, size_t length,
                     size_t *at, const char **item, size_t *item_length);

#endif
