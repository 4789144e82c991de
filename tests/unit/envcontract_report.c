/* tests/unit/envcontract_report.c: findings as text and as JSON. */
#include "tests/lib/unit.h"

#include <string.h>

#include "base/json.h"
#include "envcontract/internal.h"

static const struct contract_position first = {
    .file = "contract.json", .pointer = "/vars/A", .line = 7, .column = 3};

static void text_of(const struct findings *findings, bool color, struct buf *out)
{
    struct err err = ERR_INIT;
    findings_write_text(findings, color, out);
    assert_int_equal(buf_check(out, ERR_VIOLATION, "the report", &err), 0);
}

static void the_text_is_aligned_and_errors_come_first(void **state)
{
    (void)state;
    struct contract_position second = {.file = "contract.json", .line = 9, .column = 3};
    AUTO_FINDINGS f = FINDINGS_INIT;
    findings_addf(&f, FINDING_ERROR, "API_KEY", "prefix", &first, NULL,
                  "41 characters, expected the prefix `re_`");
    findings_addf(&f, FINDING_WARNING, "API_KEY", "shadowed", &first, "Unset it.", "another value");
    findings_addf(&f, FINDING_ERROR, "MODE", "values", &second, "Did you mean `log`?",
                  "3 characters");
    AUTO_BUF out = BUF_INIT(65536);
    text_of(&f, false, &out);
    assert_string_equal(buf_text(&out),
                        "API_KEY  error    prefix    41 characters, expected the prefix `re_`  "
                        "(contract.json:7:3)\n"
                        "MODE     error    values    3 characters  (contract.json:9:3)\n"
                        "                            Did you mean `log`?\n"
                        "API_KEY  warning  shadowed  another value  (contract.json:7:3)\n"
                        "                            Unset it.\n"
                        "2 errors, 1 warning\n");
}

static void the_name_of_a_group_is_shown_once(void **state)
{
    (void)state;
    AUTO_FINDINGS f = FINDINGS_INIT;
    findings_addf(&f, FINDING_ERROR, "KEY", "prefix", &first, NULL, "one");
    findings_addf(&f, FINDING_ERROR, "KEY", "length", &first, NULL, "two");
    AUTO_BUF out = BUF_INIT(65536);
    text_of(&f, false, &out);
    assert_string_equal(buf_text(&out), "KEY  error    prefix  one  (contract.json:7:3)\n"
                                        "     error    length  two\n"
                                        "2 errors, 0 warnings\n");
}

static void findings_of_one_variable_at_several_places_show_each(void **state)
{
    (void)state;
    struct contract_position second = {.file = "contract.json", .line = 8, .column = 5};
    AUTO_FINDINGS f = FINDINGS_INIT;
    findings_addf(&f, FINDING_ERROR, "A", "contract", &first, NULL, "one");
    findings_addf(&f, FINDING_ERROR, "A", "contract", &second, NULL, "two");
    AUTO_BUF out = BUF_INIT(65536);
    text_of(&f, false, &out);
    assert_text_has(buf_text(&out), "one  (contract.json:7:3)\n");
    assert_text_has(buf_text(&out), "two  (contract.json:8:5)\n");
}

static void a_finding_without_variable_stands_in_its_own_line(void **state)
{
    (void)state;
    AUTO_FINDINGS f = FINDINGS_INIT;
    findings_addf(&f, FINDING_ERROR, NULL, "contract", &first, NULL, "unknown key `vras`");
    AUTO_BUF out = BUF_INIT(65536);
    text_of(&f, false, &out);
    assert_text_has(buf_text(&out), "error    contract  unknown key `vras`  (contract.json:7:3)\n");
    assert_text_has(buf_text(&out), "1 error, 0 warnings\n");
}

static void no_findings_are_said(void **state)
{
    (void)state;
    AUTO_FINDINGS f = FINDINGS_INIT;
    AUTO_BUF out = BUF_INIT(65536);
    text_of(&f, true, &out);
    assert_string_equal(buf_text(&out), "no problems\n");
}

static void twenty_variables_fit_on_a_screen(void **state)
{
    (void)state;
    AUTO_FINDINGS f = FINDINGS_INIT;
    for (unsigned i = 0; i < 20; i++) {
        char name[16];
        struct contract_position at = {.file = "contract.json", .line = i + 1, .column = 1};
        (void)snprintf(name, sizeof name, "NAME_%u", i);
        findings_addf(&f, FINDING_ERROR, name, "type", &at, NULL, "1 character, expected a UUID");
    }
    AUTO_BUF out = BUF_INIT(65536);
    text_of(&f, false, &out);
    size_t lines = 0;
    for (const char *c = buf_text(&out); *c; c++)
        lines += *c == '\n';
    assert_int_equal(lines, 21);
}

static void colour_comes_when_asked_for_and_moves_nothing(void **state)
{
    (void)state;
    AUTO_FINDINGS f = FINDINGS_INIT;
    findings_addf(&f, FINDING_ERROR, "NAME", "type", &first, "A hint.", "wrong");
    AUTO_BUF plain = BUF_INIT(65536), colored = BUF_INIT(65536), stripped = BUF_INIT(65536);
    text_of(&f, false, &plain);
    text_of(&f, true, &colored);
    assert_text_lacks(buf_text(&plain), "\033");
    assert_text_has(buf_text(&colored), "\033[31merror\033[0m");
    for (const char *c = buf_text(&colored); *c; c++) {
        if (*c != '\033')
            buf_addc(&stripped, *c);
        else
            c = strchr(c, 'm');
    }
    assert_string_equal(buf_text(&stripped), buf_text(&plain));
}

static void foreign_control_bytes_do_not_reach_the_terminal(void **state)
{
    (void)state;
    AUTO_FINDINGS f = FINDINGS_INIT;
    findings_addf(&f, FINDING_ERROR, "A\033[2J", "type", &first, "\x07", "x\r\ny");
    AUTO_BUF out = BUF_INIT(65536);
    text_of(&f, false, &out);
    assert_text_lacks(buf_text(&out), "\033");
    assert_text_lacks(buf_text(&out), "\r");
    assert_text_lacks(buf_text(&out), "\x07");
    assert_text_has(buf_text(&out), "\\x1b");
}

static void a_long_name_does_not_push_the_others_away(void **state)
{
    (void)state;
    AUTO_FINDINGS f = FINDINGS_INIT;
    char name[101] = {0};
    memset(name, 'N', 100);
    findings_addf(&f, FINDING_ERROR, name, "type", NULL, NULL, "wrong");
    findings_addf(&f, FINDING_ERROR, "A", "type", NULL, NULL, "wrong");
    AUTO_BUF out = BUF_INIT(65536);
    text_of(&f, false, &out);
    assert_text_has(buf_text(&out), "N  error    type  wrong\n");
    assert_text_has(buf_text(&out), "\nA  error    type  wrong\n");
}

static void the_json_is_what_the_command_line_promises(void **state)
{
    (void)state;
    AUTO_FINDINGS f = FINDINGS_INIT;
    findings_addf(&f, FINDING_ERROR, "A", "type", &first, "A hint.", "a \"quoted\" \x01 text");
    findings_addf(&f, FINDING_WARNING, NULL, "contract", NULL, NULL, "b");
    AUTO_BUF out = BUF_INIT(65536);
    struct json json = JSON_INIT(&out);
    json_begin_object(&json, NULL);
    findings_write_json(&f, "prod", 17, &json);
    json_end_object(&json);

    assert_string_equal(
        buf_text(&out),
        "{\"profile\":\"prod\",\"checked\":17,\"problems\":["
        "{\"variable\":\"A\",\"rule\":\"type\",\"severity\":\"error\","
        "\"message\":\"a \\\"quoted\\\" \\u0001 text\",\"hint\":\"A hint.\","
        "\"file\":\"contract.json\",\"line\":7,\"pointer\":\"/vars/A\"},"
        "{\"variable\":null,\"rule\":\"contract\",\"severity\":\"warning\",\"message\":\"b\","
        "\"hint\":null,\"file\":null,\"line\":null,\"pointer\":null}]}");
}

static void without_a_profile_the_json_says_null(void **state)
{
    (void)state;
    AUTO_FINDINGS f = FINDINGS_INIT;
    AUTO_BUF out = BUF_INIT(65536);
    struct json json = JSON_INIT(&out);
    json_begin_object(&json, NULL);
    findings_write_json(&f, NULL, 0, &json);
    json_end_object(&json);
    assert_string_equal(buf_text(&out), "{\"profile\":null,\"checked\":0,\"problems\":[]}");
}

static void an_empty_cell_is_the_name_above_and_of_no_variable_is_a_dash(void **state)
{
    (void)state;
    AUTO_FINDINGS f = FINDINGS_INIT;
    findings_addf(&f, FINDING_ERROR, "KEY", "type", NULL, NULL, "one");
    findings_addf(&f, FINDING_ERROR, NULL, "group", NULL, NULL, "two");
    AUTO_BUF out = BUF_INIT(65536);
    text_of(&f, false, &out);
    assert_string_equal(buf_text(&out), "KEY  error    type   one\n"
                                        "-    error    group  two\n"
                                        "2 errors, 0 warnings\n");
}

/* ---- for CI ----------------------------------------------------------------------------------- */

static void an_annotation_stands_at_its_line_with_its_hint(void **state)
{
    (void)state;
    AUTO_FINDINGS f = FINDINGS_INIT;
    findings_addf(&f, FINDING_ERROR, "A", "type", &first, "A hint.", "a\n::stop-commands::b");
    findings_addf(&f, FINDING_WARNING, NULL, "contract", NULL, NULL, "c");
    AUTO_BUF out = BUF_INIT(65536);
    findings_write_github(&f, &out);
    assert_string_equal(buf_text(&out),
                        "::error file=contract.json,line=7,col=3,title=agent check%3A type::"
                        "A: a%0A::stop-commands::b%0AA hint.\n"
                        "::warning title=agent check%3A contract::c\n");
}

static void a_sarif_log_names_each_rule_once(void **state)
{
    (void)state;
    AUTO_FINDINGS f = FINDINGS_INIT;
    findings_addf(&f, FINDING_ERROR, "A", "type", &first, NULL, "one");
    findings_addf(&f, FINDING_ERROR, "B", "type", &first, NULL, "two");
    findings_addf(&f, FINDING_ERROR, NULL, "file", NULL, NULL, "three");
    findings_addf(&f, FINDING_WARNING, "A", "of-no-table", NULL, NULL, "four");
    AUTO_BUF out = BUF_INIT(65536);
    findings_write_sarif(&f, true, &out);
    assert_text_has(buf_text(&out), "\"rules\":[{\"id\":\"type\",\"shortDescription\":{\"text\":"
                                    "\"A value is not of its variable's type.\"}");
    assert_text_has(buf_text(&out),
                    "{\"id\":\"file\",\"shortDescription\":{\"text\":\"a file that");
    assert_text_has(buf_text(&out),
                    "\"ruleId\":\"of-no-table\",\"ruleIndex\":2,\"level\":\"warning\"");
    assert_text_has(buf_text(&out), "\"text\":\"B: two\"");
    assert_text_has(buf_text(&out), "\"executionSuccessful\":true");
    assert_null(strstr(strstr(buf_text(&out), "\"id\":\"type\"") + 1, "\"id\":\"type\""));
}

static void a_sarif_log_of_nothing_is_whole(void **state)
{
    (void)state;
    AUTO_FINDINGS f = FINDINGS_INIT;
    AUTO_BUF out = BUF_INIT(65536);
    findings_write_sarif(&f, false, &out);
    assert_text_has(buf_text(&out), "\"results\":[]");
    assert_text_has(buf_text(&out), "\"executionSuccessful\":false");
}

/* ---- an env file's lines ---------------------------------------------------------------------- */

static void what_a_file_sets_is_said_at_its_line(void **state)
{
    (void)state;
    static const char *const entries[] = {"B=1", "AB=2", "A=3", NULL};
    static const unsigned lines[] = {2, 5, 9};
    struct envfile_lines places = {".env", entries, lines, 3};
    struct err err = ERR_INIT;
    AUTO_FINDINGS f = FINDINGS_INIT;
    findings_addf(&f, FINDING_ERROR, "A", "type", &first, NULL, "in the file");
    findings_addf(&f, FINDING_ERROR, "C", "required", &first, NULL, "not in the file");
    findings_addf(&f, FINDING_ERROR, "B", "contract", &first, NULL, "of the contract");
    findings_addf(&f, FINDING_ERROR, "B", "type", &first, NULL, "first in the file");
    findings_addf(&f, FINDING_ERROR, NULL, "group", &first, NULL, "of no variable");
    assert_int_equal(envfile_place(&places, &f, &err), 0);
    AUTO_BUF out = BUF_INIT(65536);
    text_of(&f, false, &out);
    assert_text_has(buf_text(&out), "in the file  (.env:9:1)\n");
    assert_text_has(buf_text(&out), "first in the file  (.env:2:1)\n");
    assert_text_has(buf_text(&out), "not in the file  (contract.json:7:3)\n");
    assert_text_has(buf_text(&out), "of the contract  (contract.json:7:3)\n");
    assert_text_has(buf_text(&out), "of no variable  (contract.json:7:3)\n");
    assert_true(strstr(buf_text(&out), "first in") <
                strstr(buf_text(&out), "in the file  (.env:9"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_is_aligned_and_errors_come_first),
        cmocka_unit_test(the_name_of_a_group_is_shown_once),
        cmocka_unit_test(findings_of_one_variable_at_several_places_show_each),
        cmocka_unit_test(a_finding_without_variable_stands_in_its_own_line),
        cmocka_unit_test(no_findings_are_said),
        cmocka_unit_test(twenty_variables_fit_on_a_screen),
        cmocka_unit_test(colour_comes_when_asked_for_and_moves_nothing),
        cmocka_unit_test(foreign_control_bytes_do_not_reach_the_terminal),
        cmocka_unit_test(a_long_name_does_not_push_the_others_away),
        cmocka_unit_test(the_json_is_what_the_command_line_promises),
        cmocka_unit_test(without_a_profile_the_json_says_null),
        cmocka_unit_test(an_empty_cell_is_the_name_above_and_of_no_variable_is_a_dash),
        cmocka_unit_test(an_annotation_stands_at_its_line_with_its_hint),
        cmocka_unit_test(a_sarif_log_names_each_rule_once),
        cmocka_unit_test(a_sarif_log_of_nothing_is_whole),
        cmocka_unit_test(what_a_file_sets_is_said_at_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
