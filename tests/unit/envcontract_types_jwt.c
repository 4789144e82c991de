/* Tokens: their shape, and the one claim that makes a right one wrong. */
#include "tests/unit/envcontract_types.h"

#include <limits.h>

#include "base/clock.h"
#include "base/str.h"

enum { TOKEN_MAX_BYTES = 4096, DAY = 24 * 60 * 60 };

#define HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"

static void add_base64url(struct buf *out, const char *text)
{
    AUTO_BUF standard = BUF_INIT(TOKEN_MAX_BYTES);
    str_add_base64(&standard, text, strlen(text));
    for (const char *c = buf_text(&standard); *c && *c != '='; c++)
        buf_addc(out, *c == '+' ? '-' : *c == '/' ? '_' : *c);
}

/* HEADER_TEXT and CLAIMS in base64url, and a signature of no meaning. */
static const char *token(const char *header_text, const char *claims)
{
    static char text[TOKEN_MAX_BYTES];
    AUTO_BUF made = BUF_INIT(TOKEN_MAX_BYTES - 1);
    add_base64url(&made, header_text);
    buf_addc(&made, '.');
    add_base64url(&made, claims);
    buf_adds(&made, ".c2ln");
    assert_false(made.too_long || made.no_memory);
    memcpy(text, buf_text(&made), made.len + 1);
    return text;
}

static const struct contract_rules jwt = {.type = TYPE_JWT};

static void a_token_has_a_header_claims_and_a_signature(void **state)
{
    (void)state;
    assert_good(&jwt, token(HEADER, "{}"));
    assert_good(&jwt, token(HEADER, "{\"sub\":\"x\",\"nested\":{\"exp\":1},\"exp\":99999999999}"));
    assert_good(&jwt, token(" {\"kid\": 1, \"alg\": \"RS256\"} ", " {} "));
    assert_good(&jwt, token("{\"alg\":\"\xc3\xa4\"}", "{\"name\":\"\xf0\x9f\x98\x80~?>\"}"));
    assert_bad(&jwt, "", "type", "fewer than three parts");
    assert_bad(&jwt, "abc", "type", "expected a signed JWT");
    assert_bad(&jwt, "abc.def", "type", "fewer than three parts");
    assert_bad(&jwt, "abc.def.ghi.jkl", "type", "more than three parts at character 12");
    assert_bad(&jwt, "abc.def.", "type", "an empty part");
    assert_bad(&jwt, ".def.ghi", "type", "an empty part at character 1");
    assert_bad(&jwt, "abc..ghi", "type", "an empty part at character 5");
    assert_bad(&jwt, "Bearer abc.def.ghi", "type", "trouble at character 7");
    assert_bad(&jwt, "abc=.def.ghi", "type", "trouble at character 4");
    assert_bad(&jwt, "ab/c.def.ghi", "type", "trouble at character 3");
    assert_bad(&jwt, "abc.d\xc3\xa4.ghi", "type", "trouble at character 6");
    assert_bad(&jwt, "abc.def.ghijk", "type", "a part that is cut short at character 9");
    assert_bad(&jwt, "abc.def.ghi\n", "type", "a line break at the end");
}

static void header_and_claims_are_objects(void **state)
{
    (void)state;
    assert_bad(&jwt, token("[1]", "{}"), "type", "a header that is no JSON object at character 1");
    assert_bad(&jwt, token("{\"alg\":", "{}"), "type", "a header that is no JSON object");
    assert_bad(&jwt, token("\"{\"", "{}"), "type", "a header that is no JSON object");
    assert_bad(&jwt, token("{\"typ\":\"JWT\"}", "{}"), "type", "a header without `alg`");
    assert_bad(&jwt, token("{\"alg\":\"\"}", "{}"), "type", "a header without `alg`");
    assert_bad(&jwt, token("{\"alg\":256}", "{}"), "type", "a header without `alg`");
    assert_bad(&jwt, token("{\"x\":{\"alg\":\"HS256\"}}", "{}"), "type", "a header without `alg`");
    assert_bad(&jwt, token(HEADER, "[]"), "type", "claims that are no JSON object at character 38");
    assert_bad(&jwt, token(HEADER, "\x01"), "type", "claims that are no JSON object");
    assert_bad(&jwt, token(HEADER, "\xff\xfe"), "type", "claims that are no JSON object");
    assert_bad(&jwt, token(HEADER, "{\"exp\":\"99999999999\"}"), "type", "`exp` that is not one");
    assert_bad(&jwt, token(HEADER, "{\"exp\":null}"), "type", "an `exp` that is not one number");
    assert_bad(&jwt, token(HEADER, "{\"exp\":1,\"exp\":99999999999}"), "type", "`exp` that is not");
    assert_bad(&jwt,
               token(HEADER, "{\"exp\":1000000000000000000000000000000000000000000000000000000000"
                             "0000000}"),
               "type", "`exp` that is not one number");
}

/* A token whose `exp` is FROM_NOW seconds away. */
static const char *token_of(int64_t from_now)
{
    char claims[64];
    (void)snprintf(claims, sizeof claims, "{\"exp\":%lld}",
                   (long long)(clock_unix_seconds() + from_now));
    return token(HEADER, claims);
}

static void a_token_that_is_over_is_expired(void **state)
{
    (void)state;
    assert_good(&jwt, token_of(3600));
    assert_good(&jwt, token(HEADER, "{\"exp\":1e300}"));
    assert_bad(&jwt, token_of(0), "expired", "its `exp` was less than a day ago");
    assert_bad(&jwt, token_of(-60), "expired", "less than a day ago");
    assert_bad(&jwt, token_of(-DAY - 60), "expired", "its `exp` was 1 day ago");
    assert_bad(&jwt, token_of(-12 * DAY - 60), "expired", "its `exp` was 12 days ago");
    assert_bad(&jwt, token(HEADER, "{\"exp\":0}"), "expired", "more than 10000 days ago");
    assert_bad(&jwt, token(HEADER, "{\"exp\":-1e300}"), "expired", "more than 10000 days ago");
    assert_bad(&jwt, token(HEADER, "{\"exp\":1.5e9}"), "expired", "days ago");
    assert_bad(&jwt, token(HEADER, "{\"exp\":1500000000.25}"), "expired", "days ago");
}

static void no_piece_of_a_token_is_shown(void **state)
{
    static const char *const claims[] = {
        "{\"sub\":\"QzKcAnArY\",\"exp\":1234567890}",
        "{\"sub\":\"QzKcAnArY\",\"exp\":\"QzKcAnArY\"}",
        "{\"sub\":\"QzKcAnArY\"",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
        AUTO_FINDINGS findings = FINDINGS_INIT;
        const char *text = token(HEADER, claims[i]);
        validate(&jwt, true, text, strlen(text), &findings);
        assert_int_equal(findings.count, 1);
        const char *message = findings.list[0].message;
        for (size_t at = 0; at + 4 <= strlen(text); at++) {
            char piece[5] = {0};
            memcpy(piece, text + at, 4);
            assert_text_lacks(message, piece);
        }
        for (const char *word = "QzKcAnArY"; strlen(word) >= 4; word++) {
            char piece[5] = {0};
            memcpy(piece, word, 4);
            assert_text_lacks(message, piece);
        }
        assert_text_lacks(message, "1234");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_has_a_header_claims_and_a_signature),
        cmocka_unit_test(header_and_claims_are_objects),
        cmocka_unit_test(a_token_that_is_over_is_expired),
        cmocka_unit_test(no_piece_of_a_token_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
