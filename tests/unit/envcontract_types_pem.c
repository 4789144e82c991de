/* PEM: blocks that are whole, and the line of what is not. */
#include "tests/unit/envcontract_types.h"

#define BEGIN(label) "-----BEGIN " label "-----\n"
#define END(label)   "-----END " label "-----\n"
#define BODY         "TUlJQ1dRSUJBQUtC\nZ1FEVA==\n"
#define CERTIFICATE  BEGIN("CERTIFICATE") BODY END("CERTIFICATE")
#define KEY          BEGIN("PRIVATE KEY") "TUlJQ1dR\n" END("PRIVATE KEY")

static void blocks_that_are_whole_pass(void **state)
{
    static const struct good_value good[] = {
        {TYPE_PEM, CERTIFICATE},
        {TYPE_PEM, CERTIFICATE CERTIFICATE KEY},
        {TYPE_PEM, "-----BEGIN A-----\nTUlJ\n-----END A-----"},
        {TYPE_PEM, "-----BEGIN A-----\r\nTUlJ\r\nTUk=\r\n-----END A-----\r\n"},
        {TYPE_PEM, "Bag Attributes\n  friendlyName: x\n" CERTIFICATE "\n\nsubject=x\n" KEY "\n"},
        {TYPE_PEM, BEGIN("RSA PRIVATE KEY") "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n"
                                            "\n" BODY END("RSA PRIVATE KEY")},
        {TYPE_PEM, BEGIN("A") "TUlJ  \t\n" END("A")},
        {TYPE_PEM, BEGIN("A") "ab+/\n" END("A")},
    };
    (void)state;
    assert_all_good(good, ARRAY_LEN(good));
}

static void what_is_wrong_in_a_block_has_its_line(void **state)
{
    static const struct bad_value bad[] = {
        {TYPE_PEM, "", "type", "0 characters, expected PEM blocks, no BEGIN on a line of its own"},
        {TYPE_PEM, BODY, "type", "no BEGIN on a line of its own"},
        {TYPE_PEM, "-----BEGIN -----\nTUlJ\n-----END -----\n", "type", "no BEGIN on a line"},
        {TYPE_PEM, "----BEGIN A----\nTUlJ\n----END A----\n", "type", "no BEGIN on a line"},
        {TYPE_PEM, BEGIN("A") BODY, "type", "a BEGIN without its END at line 1, character 1"},
        {TYPE_PEM, BEGIN("A"), "type", "a BEGIN without its END at line 1, character 1"},
        {TYPE_PEM, "x\n" BODY END("A"), "type", "an END without its BEGIN at line 4, character 1"},
        {TYPE_PEM, CERTIFICATE END("A"), "type", "an END without its BEGIN at line 5"},
        {TYPE_PEM, BEGIN("A") BODY END("B"), "type", "an END that is not its BEGIN's at line 4"},
        {TYPE_PEM, BEGIN("A") BODY END("AB"), "type", "an END that is not its BEGIN's at line 4"},
        {TYPE_PEM, BEGIN("A") BODY BEGIN("A") BODY END("A"), "type",
         "a BEGIN inside of a block at line 4"},
        {TYPE_PEM, BEGIN("A") END("A"), "type", "an END with nothing before it at line 2"},
        {TYPE_PEM, BEGIN("A") "TUlJQ\n" END("A"), "type", "base64 that is cut short"},
        {TYPE_PEM, BEGIN("A") "TUlJ\nTU!J\n" END("A"), "type", "no base64 at line 3, character 3"},
        {TYPE_PEM, BEGIN("A") "TUl-\n" END("A"), "type", "no base64 at line 2, character 4"},
        {TYPE_PEM, BEGIN("A") "TU==\nTUlJ\n" END("A"), "type", "no base64 at line 3, character 1"},
        {TYPE_PEM, BEGIN("A") "T===\n" END("A"), "type", "no base64 at line 2, character 4"},
        {TYPE_PEM, BEGIN("A") "TU=J\n" END("A"), "type", "no base64 at line 2, character 4"},
        {TYPE_PEM, BEGIN("A") " TUlJ\n" END("A"), "type", "no base64 at line 2, character 1"},
        {TYPE_PEM, BEGIN("A") "TUlJ\n\nTUlJ\n" END("A"), "type", "an empty line inside of a block"},
        {TYPE_PEM, BEGIN("A") "\nTUlJ\n" END("A"), "type", "an empty line inside of a block"},
        {TYPE_PEM, BEGIN("A") "TUlJ\nX: y\n" END("A"), "type", "no base64 at line 3, character 2"},
        {TYPE_PEM, BEGIN("A") "X: y\n\nTUlJ\n\n" END("A"), "type", "an empty line inside"},
        {TYPE_PEM, BEGIN("A") "T\xc3\xa4lJ\n" END("A"), "type", "no base64 at line 2, character 2"},
        {TYPE_PEM, BEGIN("A") "TUlJ\n-----END A-----x\n", "type",
         "no base64 at line 3, character 1"},
    };
    (void)state;
    assert_all_bad(bad, ARRAY_LEN(bad));
}

static void lost_line_breaks_are_recognised(void **state)
{
    static const struct bad_value bad[] = {
        {TYPE_PEM, "-----BEGIN A-----\\nTUlJ\\n-----END A-----\\n", "type",
         "its line breaks are there as a backslash and an n"},
        {TYPE_PEM, "-----BEGIN A----- TUlJ -----END A-----", "type", "its line breaks are gone"},
    };
    (void)state;
    assert_all_bad(bad, ARRAY_LEN(bad));
    AUTO_FINDINGS findings = FINDINGS_INIT;
    struct contract_rules rules = {.type = TYPE_PEM};
    validate(&rules, true, bad[0].value, strlen(bad[0].value), &findings);
    assert_int_equal(findings.count, 1);
    assert_text_has(findings.list[0].hint, "keeps the line breaks");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_that_are_whole_pass),
        cmocka_unit_test(what_is_wrong_in_a_block_has_its_line),
        cmocka_unit_test(lost_line_breaks_are_recognised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
