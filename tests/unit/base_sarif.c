/* tests/unit/base_sarif.c: a SARIF log, byte for byte. tests/integration/test_guard_report.py holds what
 * is made with it against the JSON Schema. */
#include "tests/lib/unit.h"

#include <string.h>

#include "base/sarif.h"

enum { OUTPUT_BYTES = 256 * 1024 };

static const struct sarif_rule rules[] = {
    {"missing", "A variable is missing.", "Set it.", SARIF_ERROR},
    {"unused", "A variable is not used.", NULL, SARIF_NOTE},
};
static const struct sarif_run run = {
    .command = "check", .rules = rules, .rule_count = ARRAY_LEN(rules)};

#define BEGINNING                                                                              \
    "{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\",\"version\":\"2.1.0\","    \
    "\"runs\":[{\"tool\":{\"driver\":{\"name\":\"agent\",\"semanticVersion\":\"" AGENT_VERSION \
    "\",\"rules\":[{\"id\":\"missing\",\"shortDescription\":{\"text\":\"A variable is "        \
    "missing.\"},\"help\":{\"text\":\"Set it.\"},\"defaultConfiguration\":{\"level\":"         \
    "\"error\"}},{\"id\":\"unused\",\"shortDescription\":{\"text\":\"A variable is not "       \
    "used.\"},\"defaultConfiguration\":{\"level\":\"note\"}}]}},\"columnKind\":"               \
    "\"unicodeCodePoints\",\"automationDetails\":{"                                            \
    "\"id\":\"agent check/\"},\"results\":["
#define END(succeeded) "],\"invocations\":[{\"executionSuccessful\":" succeeded "}]}]}\n"

static void write_one(const struct sarif_finding *finding, struct buf *out)
{
    struct sarif sarif;
    sarif_begin(&sarif, out, &run);
    sarif_add(&sarif, finding);
    sarif_end(&sarif, true);
}

static void assert_finding(const struct sarif_finding *finding, const char *expected)
{
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    write_one(finding, &out);
    const char *text = buf_text(&out);
    assert_int_equal(strncmp(text, BEGINNING, strlen(BEGINNING)), 0);
    assert_int_equal(strncmp(text + strlen(BEGINNING), expected, strlen(expected)), 0);
    assert_string_equal(text + strlen(BEGINNING) + strlen(expected), END("true"));
}

static void a_log_without_findings_is_whole(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
    struct sarif sarif;
    sarif_begin(&sarif, &out, &run);
    sarif_end(&sarif, false);
    assert_string_equal(buf_text(&out), BEGINNING END("false"));
}

static void a_finding_has_its_rule_level_text_and_place(void **state)
{
    (void)state;
    assert_finding(&(struct sarif_finding){.rule = 1,
                                           .level = SARIF_WARNING,
                                           .message = "PORT\nis \"not\" used",
                                           .file = "a b/contract.json",
                                           .line = 3,
                                           .column = 7},
                   "{\"ruleId\":\"unused\",\"ruleIndex\":1,\"level\":\"warning\",\"message\":{"
                   "\"text\":\"PORT\\nis \\\"not\\\" used\"},\"locations\":[{"
                   "\"physicalLocation\":{\"artifactLocation\":{\"uri\":\"a%20b/contract.json\"},"
                   "\"region\":{\"startLine\":3,\"startColumn\":7}}}]}");
}

static void what_is_not_known_is_left_out(void **state)
{
    (void)state;
    assert_finding(&(struct sarif_finding){.level = SARIF_ERROR, .message = "x", .line = 3},
                   "{\"ruleId\":\"missing\",\"ruleIndex\":0,\"level\":\"error\",\"message\":{"
                   "\"text\":\"x\"}}");
    assert_finding(
        &(struct sarif_finding){.level = SARIF_ERROR, .message = "x", .file = "a", .column = 3},
        "{\"ruleId\":\"missing\",\"ruleIndex\":0,\"level\":\"error\",\"message\":{\"text\":\"x\"},"
        "\"locations\":[{\"physicalLocation\":{\"artifactLocation\":{\"uri\":\"a\"}}}]}");
}

static void a_thing_has_a_fingerprint_and_may_be_suppressed(void **state)
{
    (void)state;
    assert_finding(&(struct sarif_finding){.level = SARIF_ERROR,
                                           .message = "x",
                                           .kind = "table",
                                           .thing = "public.t",
                                           .suppressed = "known"},
                   "{\"ruleId\":\"missing\",\"ruleIndex\":0,\"level\":\"error\",\"message\":{"
                   "\"text\":\"x\"},\"locations\":[{\"logicalLocations\":[{"
                   "\"fullyQualifiedName\":\"public.t\",\"kind\":\"table\"}]}],"
                   "\"partialFingerprints\":{\"thing/v1\":\"table public.t\"},"
                   "\"suppressions\":[{\"kind\":\"external\",\"justification\":\"known\"}]}");
}

static void paths_become_uris(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"/w/a#b.py", "\"uri\":\"file:///w/a%23b.py\""},
        {"c:d.py", "\"uri\":\"c%3Ad.py\""},
        {"../gr\u00fcn?.py", "\"uri\":\"../gr%C3%BCn%3F.py\""},
        {"a//b", "\"uri\":\"a//b\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        AUTO_BUF out = BUF_INIT(OUTPUT_BYTES);
        write_one(&(struct sarif_finding){.message = "x", .file = pairs[i][0]}, &out);
        assert_text_has(buf_text(&out), pairs[i][1]);
    }
}

static void foreign_bytes_are_shown_and_long_messages_cut(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(OUTPUT_BYTES), message = BUF_INIT(OUTPUT_BYTES);
    write_one(&(struct sarif_finding){.message = "\033\u202e\xff"}, &out);
    assert_text_has(buf_text(&out), "\"text\":\"\\\\x1b\\\\xe2\\\\x80\\\\xae\\\\xff\"");
    buf_clear(&out);
    for (int i = 0; i <= SARIF_MESSAGE_BYTES; i++)
        buf_addc(&message, 'x');
    write_one(&(struct sarif_finding){.message = buf_text(&message)}, &out);
    assert_text_has(buf_text(&out), "xxx...\"}");
}

static void a_full_buffer_is_not_a_shorter_log(void **state)
{
    (void)state;
    AUTO_BUF whole = BUF_INIT(OUTPUT_BYTES);
    const struct sarif_finding finding = {.message = "x", .file = "a", .thing = "t"};
    write_one(&finding, &whole);
    for (size_t max = 0; max < whole.len; max++) {
        AUTO_BUF out = BUF_INIT(max);
        struct err err = ERR_INIT;
        write_one(&finding, &out);
        assert_int_equal(buf_check(&out, ERR_DEFECT, "output", &err), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_without_findings_is_whole),
        cmocka_unit_test(a_finding_has_its_rule_level_text_and_place),
        cmocka_unit_test(what_is_not_known_is_left_out),
        cmocka_unit_test(a_thing_has_a_fingerprint_and_may_be_suppressed),
        cmocka_unit_test(paths_become_uris),
        cmocka_unit_test(foreign_bytes_are_shown_and_long_messages_cut),
        cmocka_unit_test(a_full_buffer_is_not_a_shorter_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
