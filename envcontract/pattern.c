/* envcontract/pattern.c: the contract's patterns, compiled once and matched within limits.
 *
 * No JIT: it needs pages that are writable and executable, and a start matches each pattern
 * once. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <string.h>

#include "envcontract/internal.h"

enum {
    MESSAGE_BYTES = 256,
    MATCH_STEPS = 4,     /* of ours for one of PCRE2's */
    COMPILE_STEPS = 200, /* and for each byte of the pattern: */
    COMPILE_BYTE_STEPS = 10,
};

/* A whole match is asked for here and not by wrapping the text in ^(?:...)$: positions in errors
 * stay the contract's, and a '$' in it never matches before a last line break. MATCH_INVALID_UTF
 * lets any bytes be held against a pattern. */
static const uint32_t options = PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY |
                                PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;

static pcre2_code *compile(const char *pattern, struct err *err)
{
    int code;
    PCRE2_SIZE at;
    pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &code,
                                         &at, NULL);
    if (compiled)
        return compiled;

    if (code == PCRE2_ERROR_HEAP_FAILED) {
        (void)err_nomem(err); /* not the pattern's fault */
        return NULL;
    }
    char message[MESSAGE_BYTES] = "no message";
    (void)pcre2_get_error_message(code, (PCRE2_UCHAR *)message, sizeof message); /* cut is fine */
    (void)err_set(err, ERR_CONTRACT, "the pattern does not compile: %s at byte %zu", message,
                  at + 1);
    return NULL;
}

int types_check_pattern(const char *pattern, struct err *err)
{
    size_t length = strlen(pattern);
    if (length > CONTRACT_MAX_PATTERN_BYTES)
        return err_set(err, ERR_CONTRACT, "the pattern has %zu bytes, more than %d", length,
                       CONTRACT_MAX_PATTERN_BYTES);
    pcre2_code *compiled = compile(pattern, err);
    if (!compiled)
        return -1;
    pcre2_code_free(compiled);
    return 0;
}

void pattern_cache_release(struct pattern_cache *cache)
{
    for (size_t i = 0; i < PATTERN_CACHE_SLOTS; i++)
        pcre2_code_free(cache->slots[i].code);
    pcre2_match_data_free(cache->match);
    pcre2_match_context_free(cache->context);
    *cache = (struct pattern_cache){0};
}

static int prepare(struct pattern_cache *cache, struct err *err)
{
    if (cache->context)
        return 0;
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    pcre2_match_data *match = pcre2_match_data_create(1, NULL); /* where it matched, no groups */
    if (!context || !match) {
        pcre2_match_context_free(context);
        pcre2_match_data_free(match);
        return err_nomem(err);
    }
    (void)pcre2_set_depth_limit(context, PATTERN_DEPTH_LIMIT); /* these cannot fail */
    (void)pcre2_set_heap_limit(context, PATTERN_HEAP_LIMIT_KIB);
    cache->context = context;
    cache->match = match;
    return 0;
}

/* FNV-1a: the patterns are the contract's own, nobody gains from collisions. */
static uint32_t hash(const char *text)
{
    uint32_t sum = 2166136261U;
    for (; *text; text++)
        sum = (sum ^ (unsigned char)*text) * 16777619U;
    return sum;
}

/* NULL: see ERR, or there are no steps left for it. */
static const pcre2_code *find(struct pattern_cache *cache, const char *pattern, struct err *err)
{
    size_t slot = hash(pattern) & (PATTERN_CACHE_SLOTS - 1);
    const char *text = cache->slots[slot].text;
    if (text && strcmp(text, pattern) == 0)
        return cache->slots[slot].code;
    if (!steps_take(cache->steps_left, COMPILE_STEPS + COMPILE_BYTE_STEPS * strlen(pattern)))
        return NULL;

    pcre2_code *compiled = compile(pattern, err);
    if (!compiled)
        return NULL;
    pcre2_code_free(cache->slots[slot].code);
    cache->slots[slot].text = pattern;
    cache->slots[slot].code = compiled;
    return compiled;
}

/* PCRE2 tells how many steps were too many, and not how many there were. So it is tried with few,
 * and again with more where they were not enough: what is taken off is near to what it cost. */
static int match_within(struct pattern_cache *cache, const pcre2_code *code, const char *bytes,
                        size_t length, uint32_t most)
{
    static const uint32_t tries[] = {64, 2048, 65536, UINT32_MAX};
    int result = PCRE2_ERROR_MATCHLIMIT;

    for (size_t i = 0; result == PCRE2_ERROR_MATCHLIMIT && i < ARRAY_LEN(tries); i++) {
        uint32_t limit = tries[i] < most ? tries[i] : most;
        if (i > 0 && tries[i - 1] >= most)
            break; /* it was tried with all that it may have */
        if (!steps_take(cache->steps_left, (uint64_t)limit * MATCH_STEPS))
            return PCRE2_ERROR_CALLOUT; /* no callout is set: nothing else answers it */
        (void)pcre2_set_match_limit(cache->context, limit); /* cannot fail */
        result = pcre2_match(code, (PCRE2_SPTR)bytes, length, 0, 0, cache->match, cache->context);
    }
    return result;
}

enum pattern_verdict pattern_match(struct pattern_cache *cache, const char *pattern,
                                   const char *bytes, size_t length, struct err *err)
{
    if (prepare(cache, err) != 0)
        return PATTERN_BROKEN;
    const pcre2_code *code = find(cache, pattern, err);
    if (!code)
        return err->kind == ERR_NONE ? PATTERN_UNTRIED : PATTERN_BROKEN;

    uint32_t most = cache->match_limit ? cache->match_limit : PATTERN_MATCH_LIMIT;
    int count = match_within(cache, code, bytes, length, most);
    if (count >= 0)
        return PATTERN_MATCHES;
    switch (count) {
    case PCRE2_ERROR_NOMATCH:
        return PATTERN_DIFFERS;
    case PCRE2_ERROR_CALLOUT:
        return PATTERN_UNTRIED;
    case PCRE2_ERROR_MATCHLIMIT:
        (void)err_set(err, ERR_VIOLATION, "after %u steps", (unsigned)most);
        return PATTERN_GAVE_UP;
    case PCRE2_ERROR_DEPTHLIMIT:
        (void)err_set(err, ERR_VIOLATION, "at %d choices inside of one another",
                      PATTERN_DEPTH_LIMIT);
        return PATTERN_GAVE_UP;
    case PCRE2_ERROR_HEAPLIMIT:
        (void)err_set(err, ERR_VIOLATION, "with %d KiB of choices to come back to",
                      PATTERN_HEAP_LIMIT_KIB);
        return PATTERN_GAVE_UP;
    case PCRE2_ERROR_NOMEMORY:
        (void)err_nomem(err);
        return PATTERN_BROKEN;
    default:
        (void)err_set(err, ERR_DEFECT, "PCRE2 answered %d to a pattern that compiles", count);
        return PATTERN_BROKEN;
    }
}
