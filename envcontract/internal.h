/* envcontract/internal.h: what the files of this folder share; it never leaves it.
 *
 * parse.c and select.c build the rules of one variable; types.c and check.c hold a value against
 * them; template.c puts a composed value together. All strings live as long as the contract. */
#ifndef ENVCONTRACT_INTERNAL_H
#define ENVCONTRACT_INTERNAL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "envcontract/contract.h"
#include "envcontract/relations.h"

enum {
    CONTRACT_MAX_PATTERN_BYTES = 4096, /* of one `pattern` */
    TEMPLATE_MAX_FILTERS = 4,          /* behind one name in `compose` */
};

/* ---- types ---------------------------------------------------------------------------------- */

/* Constraints that not every type has; values, length, pattern and prefix are for all. */
enum contract_constraint {
    HAS_NOTHING_MORE = 0,
    HAS_MIN_MAX = 1 << 0,
    HAS_MIN_BYTES = 1 << 1,
    HAS_URL = 1 << 2,
    HAS_PATH = 1 << 3,
    NEEDS_VALUES = 1 << 4,
    HAS_ITEM = 1 << 5, /* `item` and `separator` */
};

/* enumerator, name in the contract, constraints */
#define CONTRACT_TYPES(X)                         \
    X(TYPE_STRING, "string", HAS_NOTHING_MORE)    \
    X(TYPE_ENUM, "enum", NEEDS_VALUES)            \
    X(TYPE_BOOL, "bool", HAS_NOTHING_MORE)        \
    X(TYPE_INT, "int", HAS_MIN_MAX)               \
    X(TYPE_NUMBER, "number", HAS_MIN_MAX)         \
    X(TYPE_PORT, "port", HAS_MIN_MAX)             \
    X(TYPE_DURATION, "duration", HAS_MIN_MAX)     \
    X(TYPE_BYTES, "bytes", HAS_MIN_MAX)           \
    X(TYPE_URL, "url", HAS_URL)                   \
    X(TYPE_POSTGRES_URL, "postgres-url", HAS_URL) \
    X(TYPE_REDIS_URL, "redis-url", HAS_URL)       \
    X(TYPE_HOST, "host", HAS_NOTHING_MORE)        \
    X(TYPE_IP, "ip", HAS_NOTHING_MORE)            \
    X(TYPE_CIDR, "cidr", HAS_NOTHING_MORE)        \
    X(TYPE_EMAIL, "email", HAS_NOTHING_MORE)      \
    X(TYPE_UUID, "uuid", HAS_NOTHING_MORE)        \
    X(TYPE_SEMVER, "semver", HAS_MIN_MAX)         \
    X(TYPE_DATE, "date", HAS_MIN_MAX)             \
    X(TYPE_HEX, "hex", HAS_MIN_BYTES)             \
    X(TYPE_BASE64, "base64", HAS_MIN_BYTES)       \
    X(TYPE_JSON, "json", HAS_NOTHING_MORE)        \
    X(TYPE_PEM, "pem", HAS_NOTHING_MORE)          \
    X(TYPE_PATH, "path", HAS_PATH)                \
    X(TYPE_JWT, "jwt", HAS_NOTHING_MORE)          \
    X(TYPE_LIST, "list", HAS_ITEM)

enum contract_type {
#define X(type, name, constraints) type,
    CONTRACT_TYPES(X)
#undef X
        CONTRACT_TYPE_COUNT
};

/* ---- the constraints of one variable -------------------------------------------------------- */

/* `min` or `max`. For int, port, bytes, duration (in ms) and date (in days) INTEGER counts, for
 * number NUMBER, for semver the text. */
struct contract_bound {
    const char *text; /* as the contract has it, for messages; NULL: not said */
    union {
        int64_t integer;
        double number;
    };
};

enum contract_demand { DEMAND_NOTHING, DEMAND_PRESENT, DEMAND_ABSENT };

struct contract_query_rule {
    const char *name;
    enum contract_demand demand;
    const char *const *values; /* globs, any of them, decoded; NULL: any value */
};

/* Each list is NULL-terminated, or NULL where the contract says nothing. */
struct contract_url_rules {
    const char *const *scheme;    /* names */
    const char *const *host;      /* globs, any of them */
    const char *const *deny_host; /* globs, none of them */
    const uint16_t *ports;
    size_t port_count;                /* 0: any port */
    enum contract_demand user;        /* "required", "forbidden" */
    const char *const *user_patterns; /* globs, any of them; DEMAND_PRESENT is set with it */
    enum contract_demand password;
    const struct contract_query_rule *query;
    size_t query_count;
};

enum contract_path_kind { PATH_OF_ANY_KIND, PATH_OF_FOLDER, PATH_OF_NO_FOLDER };

struct contract_path_rules {
    bool must_exist, readable;
    enum contract_path_kind kind; /* "dir": true, false */
};

struct contract_condition;

struct contract_rules {
    enum contract_type type;
    bool placeholder_ok : 1;
    bool empty_ok : 1;   /* "empty": "ok"; else an empty value counts as missing */
    bool required : 1;   /* false: optional; true with a condition: only where that holds */
    bool has_length : 1; /* in characters (code points), both ends included */
    bool forbidden : 1;  /* as required; where it holds, it wins */
    bool distinct : 1;   /* no other variable has the same value */
    const struct contract_condition *required_when;  /* NULL: always */
    const struct contract_condition *forbidden_when; /* NULL: always */
    const char *const *values;                       /* NULL-terminated; NULL: any value */
    struct contract_bound min, max;
    size_t length_min, length_max; /* length_max is SIZE_MAX where there is no upper end */
    size_t min_bytes;              /* after decoding; 0: not said */
    const char *pattern;           /* PCRE2, on the whole value; compiles (checked at select) */
    const char *prefix;
    const struct contract_url_rules *url;   /* NULL: none */
    const struct contract_path_rules *path; /* NULL: none */
    const struct contract_rules *item;      /* of a list: what each one is; NULL: any text */
    const char *separator;                  /* of a list; NULL: a comma */
    const char *default_value;              /* NULL: none */
    const struct template *compose;         /* NULL: the value is the one part's */
};

const char *contract_type_name(enum contract_type type);
unsigned contract_type_constraints(enum contract_type type); /* contract_constraint, or-ed */
const char *contract_type_expects(enum contract_type type);  /* "a port from 1 to 65535"; or NULL */

/* "It is for hex and base64.": the types that have that CONSTRAINT. */
struct message;
void contract_types_with(enum contract_constraint constraint, struct message *out);

/* ---- conditions (cond.c) -------------------------------------------------------------------- */

enum truth { TRUTH_NO, TRUTH_YES, TRUTH_UNKNOWN };

/* Steps of conditions held against values in one pass (contract_check), a quarter of a second of
 * them: honest ones take some fifty for each condition. What is beyond them is unknown, and an error. */
#define CONDITION_MAX_STEPS (50ULL * 1000 * 1000)

/* VALUES are parallel to contract->variables. Unknown where it hangs on a variable that was not
 * resolved. The profile is contract->profile. */
enum truth condition_holds(const struct contract_condition *condition,
                           const struct contract *contract, const struct contract_value *values);

enum truth when_holds(const struct contract_when *when, const struct contract *contract,
                      const struct contract_value *values);

/* Whether there is a value: an empty one counts as missing unless `empty` is `ok`. */
enum truth value_is_there(const struct contract_variable *variable,
                          const struct contract_value *value);

/* The condition in words: `EMAIL_MODE is 'resend'`. It shows the contract's text, no values. */
void condition_describe(const struct contract_condition *condition, struct buf *out);

/* ---- compose (template.c) ------------------------------------------------------------------- */

enum template_filter {
    FILTER_URL,
    FILTER_BASE64,
    FILTER_JSON,
    FILTER_TRIM,
    FILTER_SHELL,
    FILTER_PGPASS, /* a field of a password file (libpq, "The Password File") */
};

/* TEXT, and behind it the value of NAME through the filters, from left to right. */
struct template_piece {
    const char *text; /* "{{" and "}}" are already "{" and "}" */
    size_t text_length;
    const char *name; /* NULL: only text */
    enum template_filter filters[TEMPLATE_MAX_FILTERS];
    size_t filter_count;
};

struct template
{
    const struct template_piece *pieces;
    size_t count;
};

/* Parse `{name|filter|…}`. Errors: ERR_CONTRACT, what is wrong and at which byte (from 1), with the
 * nearest filter. Whether the names are known is the caller's question. */
MUST_USE int template_parse(struct arena *a, const char *text, struct template *out,
                            struct err *err);

/* Append VALUE through PIECE's filters. Errors: ERR_SOURCE_DATA, a filter can't carry it. */
MUST_USE int template_fill(const struct template_piece *piece, const struct secret *value,
                           struct buf *out, struct err *err);

/* ---- texts of findings (shape.c) ------------------------------------------------------------- */

/* A finding's text while it is put together: in place, so that no want of memory makes it blank.
 * What is too long is cut, with "...". Start zeroed. */
enum { FINDING_MESSAGE_BYTES = 1024 };
struct message {
    char text[FINDING_MESSAGE_BYTES];
    size_t length;
};
void message_addf(struct message *m, const char *format, ...) PRINTF(2, 3);
void message_addv(struct message *m, const char *format, va_list args) PRINTF(2, 0);

/* "41 characters", and what is odd about the value: ", white space at the end". Neither shows a
 * piece of it. Characters are code points; a byte that is not UTF-8 counts as one. */
void shape_add_length(struct message *out, const char *bytes, size_t length);
void shape_add_oddities(struct message *out, const char *bytes, size_t length);
size_t shape_characters(const char *bytes, size_t length);

/* ---- steps ----------------------------------------------------------------------------------- */

/* What a pass over values may cost is counted in steps of some five nanoseconds, so that a contract
 * of any content comes to an end, and to the same one on every machine. Take STEPS off *LEFT (NULL:
 * there is no end). False: there are not so many, and from here on none. */
bool steps_take(uint64_t *left, uint64_t steps);

/* ---- validators (types.c) ------------------------------------------------------------------- */

struct validation {
    const struct contract_variable *variable;
    const struct contract_position *position; /* where the findings point */
    const char *subject; /* "the default: " before each message, or "" for the value */
    struct findings *findings;
    struct pattern_cache *patterns; /* NULL: a pattern is compiled for this call alone */
    uint64_t *steps_left;           /* NULL: as many as it takes */
};

/* Hold BYTES (NUL behind them) against the type and the constraints: each violation is a finding
 * with its rule's name. Value-free. Not here: required, empty, placeholder, unresolved. Where the
 * steps run out (there are 0 then) nothing more is looked at or said: the caller says that. */
void types_validate(const struct validation *v, const struct contract_rules *rules,
                    const char *bytes, size_t length);

/* Whether PATTERN compiles. Errors: ERR_CONTRACT with PCRE2's words and the byte (from 1). */
MUST_USE int types_check_pattern(const char *pattern, struct err *err);

/* The bound's TEXT in the type's own grammar. -1: it isn't one. Types with HAS_MIN_MAX only. */
MUST_USE int types_parse_bound(enum contract_type type, const char *text,
                               struct contract_bound *out);

/* Below, at or above 0. Both are of TYPE. */
int types_compare_bounds(enum contract_type type, const struct contract_bound *a,
                         const struct contract_bound *b);

/* types.c's way to say a violation, also for the other files. HINT may be NULL. */
void validation_add(const struct validation *v, const char *rule, const char *hint,
                    const char *format, ...) PRINTF(4, 5);

/* types_url.c: url, postgres-url, redis-url with their constraints. */
void types_validate_url(const struct validation *v, const struct contract_rules *rules,
                        const char *bytes, size_t length);

struct url;                                        /* base/url.h */
int64_t types_default_port(const struct url *url); /* the scheme's own; 0: not known */

/* ---- what stands in for a value (placeholder.c) --------------------------------------------- */

/* Whether the whole value is a text that waits to be replaced: changeme, your-key-here, <key>,
 * xxxxxx, todo, -, example and their like. No password that somebody chose is one of them. */
bool placeholder_is(const char *bytes, size_t length);

/* What the value still is, as words for a message (a static text), or NULL: a reference that nobody
 * resolved (vault:, sealed:, ${NAME}) or ciphertext (ENC[, $ANSIBLE_VAULT;). */
const char *placeholder_unresolved(const char *bytes, size_t length);

/* ---- patterns (pattern.c) ------------------------------------------------------------------- */

enum {
    PATTERN_CACHE_SLOTS = 64,         /* a power of two; patterns beyond them are compiled again */
    PATTERN_MATCH_LIMIT = 1000000,    /* steps; an honest pattern needs a few for each byte */
    PATTERN_ITEM_MATCH_LIMIT = 50000, /* of one item: a list has many */
    PATTERN_DEPTH_LIMIT = 10000,      /* nested backtracking points */
    PATTERN_HEAP_LIMIT_KIB = 16384,   /* PCRE2's memory for them */
};

/* Compiled patterns, each in the one place that its hash names. Start zeroed. */
struct pattern_cache {
    struct {
        const char *text; /* the contract's */
        void *code;       /* pcre2_code */
    } slots[PATTERN_CACHE_SLOTS];
    void *context, *match; /* pcre2_match_context, pcre2_match_data */
    uint32_t match_limit;  /* 0: PATTERN_MATCH_LIMIT */
    uint64_t *steps_left;  /* what compiling and matching are taken off; NULL: there is no end */
};

#define AUTO_PATTERN_CACHE CLEANUP(pattern_cache_release) struct pattern_cache
void pattern_cache_release(struct pattern_cache *cache);

enum pattern_verdict {
    PATTERN_MATCHES,
    PATTERN_DIFFERS,
    PATTERN_GAVE_UP, /* a limit was reached; err has "after 1000000 steps" or the like */
    PATTERN_BROKEN,  /* it does not compile, or memory is gone: see err */
    PATTERN_UNTRIED, /* steps_left has run out */
};

/* Whether PATTERN (UTF-8, which outlives the cache) matches the whole of BYTES. What is not UTF-8
 * matches nothing. */
enum pattern_verdict pattern_match(struct pattern_cache *cache, const char *pattern,
                                   const char *bytes, size_t length, struct err *err);

/* ---- for documents (life.c) ------------------------------------------------------------------ */

/* What the contract tells people of a variable, in the selected profile; each may be NULL. Groups,
 * rules, fences: contract->relations; aliases, deprecation, expiry: variable->life. */
struct contract_about {
    const char *owner, *link, *example;
};
struct contract_about contract_about(const struct contract *contract,
                                     const struct contract_variable *variable);

/* ---- days (date.c) --------------------------------------------------------------------------- */

/* Whether TEXT is a day that there is, as 2027-01-31; *DAYS (may be NULL) counts from 1970-01-01. */
bool date_parse(const char *text, size_t length, int64_t *days);
int64_t date_today(void); /* in UTC, so that all machines agree */

/* ---- findings (findings.c) ------------------------------------------------------------------ */

/* Add one. VARIABLE, POSITION and HINT may be NULL; strings are copied, and what came from outside
 * is sanitised by the writers. HINT is a whole text, not a format. */
void findings_addf(struct findings *findings, enum finding_severity severity, const char *variable,
                   const char *rule, const struct contract_position *position, const char *hint,
                   const char *format, ...) PRINTF(7, 8);
void findings_addv(struct findings *findings, enum finding_severity severity, const char *variable,
                   const char *rule, const struct contract_position *position, const char *hint,
                   const char *format, va_list args) PRINTF(7, 0);

/* Whether no more errors are shown: looking for them is work. */
bool findings_are_full(const struct findings *findings);

/* In the order of the file: by file (the contract first), line, column; what has no line comes
 * last; equal ones keep the order in which they were added. */
void findings_sort(struct findings *findings);

/* 0, or -1 with ERR_RESOURCE when memory ran out while findings were added. */
MUST_USE int findings_check(const struct findings *findings, struct err *err);

#endif
