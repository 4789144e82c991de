/* tests/unit/envcontract_check.c: an environment held against a model. */
#include "tests/lib/unit.h"

#include <string.h>

#include "base/json.h"
#include "envcontract/internal.h"

/* A model of up to four variables, built by hand: check.c is tested apart from the parser. */
enum { VARIABLES = 4 };

struct model {
    struct contract contract;
    struct contract_variable variables[VARIABLES];
    struct contract_rules rules[VARIABLES];
    struct contract_part parts[VARIABLES];
    struct contract_value values[VARIABLES];
};

static void model_init(struct model *m, size_t count)
{
    static const char *const names[VARIABLES] = {"FIRST", "SECOND", "THIRD", "FOURTH"};
    *m = (struct model){0};
    for (size_t i = 0; i < count; i++) {
        m->parts[i].ref = (struct ref){.kind = REF_VAULT, .path = "secret/acme", .field = names[i]};
        m->rules[i].required = true;
        m->values[i].resolved = true;
        m->variables[i] = (struct contract_variable){
            .name = names[i],
            .position = {.file = "contract.json", .line = (unsigned)(10 * (i + 1)), .column = 5},
            .rules = &m->rules[i],
            .parts = &m->parts[i],
            .part_count = 1,
        };
    }
    m->contract.variables = m->variables;
    m->contract.variable_count = count;
}

static void set(struct model *m, size_t index, const char *value)
{
    m->values[index].bytes = secret_borrow(value, strlen(value));
    m->values[index].origin = VALUE_SOURCE;
}

static void check(struct model *m, struct findings *findings)
{
    struct err err = ERR_INIT;
    if (contract_check(&m->contract, m->values, findings, &err) != 0)
        fail_msg("%s", err.text);
}

static void what_is_right_has_no_findings(void **state)
{
    (void)state;
    struct model m;
    model_init(&m, 2);
    set(&m, 0, "anything");
    m.rules[1].required = false;
    AUTO_FINDINGS findings = FINDINGS_INIT;
    check(&m, &findings);
    assert_int_equal(findings.count, 0);
}

static void a_missing_variable_says_where_it_comes_from_and_why_it_is_not_there(void **state)
{
    (void)state;
    struct model m;
    model_init(&m, 1);
    m.values[0].absent_because = "vault has no field `FIRST` there";
    m.values[0].absent_hint = "It has `SECOND`.";
    AUTO_FINDINGS findings = FINDINGS_INIT;
    check(&m, &findings);
    assert_int_equal(findings.count, 1);
    assert_string_equal(findings.list[0].rule, "required");
    assert_string_equal(findings.list[0].variable, "FIRST");
    assert_int_equal(findings.list[0].line, 10);
    assert_string_equal(findings.list[0].message, "not set: vault has no field `FIRST` there");
    assert_string_equal(findings.list[0].hint, "It has `SECOND`.");
    m.values[0].absent_because = m.values[0].absent_hint = NULL;
    check(&m, &findings);
    assert_string_equal(findings.list[1].message, "not set in vault:secret/acme#FIRST");
}

static void a_missing_variable_of_the_environment_is_to_be_set_there(void **state)
{
    (void)state;
    struct model m;
    model_init(&m, 3);
    m.parts[0].ref = (struct ref){.kind = REF_ENV, .path = "OTHER"};
    m.parts[1].ref = (struct ref){.kind = REF_NONE};
    m.parts[2].ref = (struct ref){.kind = REF_ENV, .path = "THIRD"};
    AUTO_FINDINGS findings = FINDINGS_INIT;
    check(&m, &findings);
    assert_int_equal(findings.count, 3);
    assert_string_equal(findings.list[0].message, "not set in the environment (as OTHER)");
    assert_text_has(findings.list[1].message, "neither a source nor a default");
    assert_string_equal(findings.list[2].message, "not set in the environment");
}

static void an_empty_value_counts_as_missing_unless_it_is_ok(void **state)
{
    (void)state;
    struct model m;
    model_init(&m, 3);
    set(&m, 0, "");
    set(&m, 1, "");
    m.rules[1].required = false;
    set(&m, 2, "");
    m.rules[2].empty_ok = true;
    m.rules[2].type = TYPE_URL;
    AUTO_FINDINGS findings = FINDINGS_INIT;
    check(&m, &findings);
    assert_int_equal(findings.count, 1);
    assert_string_equal(findings.list[0].rule, "empty");
    assert_string_equal(findings.list[0].variable, "FIRST");
}

static void what_nobody_resolved_is_not_checked(void **state)
{
    (void)state;
    struct model m;
    model_init(&m, 1);
    m.values[0].resolved = false;
    AUTO_FINDINGS findings = FINDINGS_INIT;
    check(&m, &findings);
    assert_int_equal(findings.count, 0);
}

static void all_problems_of_all_variables_come_in_the_order_of_the_file(void **state)
{
    (void)state;
    struct model m;
    model_init(&m, 4);
    set(&m, 0, "x");
    m.rules[0].type = TYPE_INT;
    m.rules[0].prefix = "re_";
    set(&m, 2, "vault:secret/x#y");
    set(&m, 3, "70000");
    m.rules[3].type = TYPE_PORT;
    AUTO_FINDINGS findings = FINDINGS_INIT;
    /* What was said before, of a later line, moves behind. */
    findings_addf(&findings, FINDING_WARNING, "THIRD", "shadowed", &m.variables[2].position, NULL,
                  "the environment has another value");
    check(&m, &findings);
    static const char *const expected[][2] = {
        {"FIRST", "type"},     {"FIRST", "prefix"},     {"SECOND", "required"},
        {"THIRD", "shadowed"}, {"THIRD", "unresolved"}, {"FOURTH", "type"},
    };
    assert_int_equal(findings.count, ARRAY_LEN(expected));
    for (size_t i = 0; i < findings.count; i++) {
        assert_string_equal(findings.list[i].variable, expected[i][0]);
        assert_string_equal(findings.list[i].rule, expected[i][1]);
    }
    assert_int_equal(findings.errors, 5);
}

/* ---- placeholders and references ------------------------------------------------------------ */

static const char *const placeholders[] = {
    "changeme",
    "CHANGE_ME",
    "change-me",
    "ChangeMe!",
    "changeme123",
    "your-api-key-here",
    "your_secret",
    "YOUR-KEY",
    "<your key>",
    "<token>",
    "xxx",
    "XXXXXXXX",
    "sk_live_xxxxxx",
    "TO"
    "DO",
    "todo: ask Ann",
    "TBD",
    "FIX"
    "ME",
    "-",
    "--",
    "...",
    "****",
    "example",
    "EXAMPLE-KEY",
    "example_token",
    "placeholder",
    "replace-me",
    "REPLACE_WITH_KEY",
    "insert-key-here",
    "n/a",
    "null",
    "undefined",
    "paste-it-here",
    "{{ secret }}",
    "sk_test_...",
    " changeme\n",
    "dummy",
};

static const char *const no_placeholders[] = {
    "postgres",
    "secret",
    "password",
    "hunter2",
    "x",
    "xx",
    "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "correct horse battery staple",
    "a-replace-otter-b",
    "examples are good",
    "<3",
    "exam",
    "come over here",
    "todos",
    "6b86b273ff34fce19d6b804eff5a3f57",
    "-----BEGIN KEY-----",
};

static void placeholders_are_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(placeholders); i++)
        if (!placeholder_is(placeholders[i], strlen(placeholders[i])))
            fail_msg("'%s' is a placeholder", placeholders[i]);
    for (size_t i = 0; i < ARRAY_LEN(no_placeholders); i++)
        if (placeholder_is(no_placeholders[i], strlen(no_placeholders[i])))
            fail_msg("'%s' is no placeholder", no_placeholders[i]);
}

static void a_placeholder_is_refused_for_secrets_only(void **state)
{
    (void)state;
    struct model m;
    model_init(&m, 3);
    for (size_t i = 0; i < 3; i++)
        set(&m, i, "changeme");
    m.variables[0].secret = true;
    m.rules[0].prefix = "re_"; /* not reported beside it */
    m.variables[1].secret = true;
    m.rules[1].placeholder_ok = true;
    AUTO_FINDINGS findings = FINDINGS_INIT;
    check(&m, &findings);
    assert_int_equal(findings.count, 1);
    assert_string_equal(findings.list[0].variable, "FIRST");
    assert_string_equal(findings.list[0].rule, "placeholder");
    assert_text_has(findings.list[0].message, "8 characters, a placeholder");
}

static void a_placeholder_hides_in_a_password(void **state)
{
    (void)state;
    struct model m;
    model_init(&m, 2);
    for (size_t i = 0; i < 2; i++) {
        m.variables[i].secret = true;
        m.rules[i].type = TYPE_POSTGRES_URL;
    }
    set(&m, 0, "postgresql://app:change%2Dme@h/d");
    set(&m, 1, "postgresql://app:s3cr3t@h/d");
    AUTO_FINDINGS findings = FINDINGS_INIT;
    check(&m, &findings);
    assert_int_equal(findings.count, 1);
    assert_string_equal(findings.list[0].rule, "placeholder");
    assert_text_has(findings.list[0].message, "as the password");
}

static void what_is_still_a_reference_is_unresolved(void **state)
{
    (void)state;
    static const char *const unresolved[] = {
        "vault:secret/acme#x",    " vault:x", "sealed:NAME",
        "ENC[AES256_GCM,data:x]", "${NAME}",  "postgres://${USER}@h/d",
        "a${NAME:-b}c",           "${A:?}",   "$ANSIBLE_VAULT;1.1;AES256",
        "vault:v1:abc",           "a$(NAME)", "-----BEGIN AGE ENCRYPTED FILE-----\nx",
        "age-encryption.org/v1",  "op://a/b", "-----BEGIN PGP MESSAGE-----\nx",
    };
    static const char *const fine[] = {"vaults", "env",    "$NAME",     "${",       "${}",
                                       "${a b}", "a}${b",  "file:///x", "${{ x }}", "pa$$word",
                                       "${A:-b", "${a:b}", "${A:",      "$(",       "$()",
                                       "$(id)",  "$(a b)", "$(A",       "(A)",      "op:/"};
    for (size_t i = 0; i < ARRAY_LEN(unresolved); i++)
        if (!placeholder_unresolved(unresolved[i], strlen(unresolved[i])))
            fail_msg("'%s' is unresolved", unresolved[i]);
    for (size_t i = 0; i < ARRAY_LEN(fine); i++)
        if (placeholder_unresolved(fine[i], strlen(fine[i])))
            fail_msg("'%s' is fine", fine[i]);
}

static void what_is_unresolved_says_why_where_it_can(void **state)
{
    (void)state;
    struct model m;
    model_init(&m, 4);
    set(&m, 0, "vault:secret/CANARY");
    set(&m, 1, "vault:secret/CANARY#field");
    set(&m, 2, "postgresql://u:vault%3ACANARY@h/d");
    m.values[2].unresolved_part = "password";
    set(&m, 3, "${CANARY}");
    AUTO_FINDINGS findings = FINDINGS_INIT;
    check(&m, &findings);
    assert_int_equal(findings.count, 4);
    for (size_t i = 0; i < findings.count; i++) {
        assert_string_equal(findings.list[i].rule, "unresolved");
        assert_text_lacks(findings.list[i].message, "CANARY");
    }
    assert_text_has(findings.list[0].message, "reference to Vault and no value: the 'vault:' "
                                              "reference has no '#' and field");
    assert_text_lacks(findings.list[1].message, "'vault:'");
    assert_text_has(findings.list[2].message, "its part `password` is still a reference");
    assert_text_lacks(findings.list[3].message, "none of the forms");
}

/* ---- canaries ------------------------------------------------------------------------------- */

enum { PIECE_BYTES = 6 };

/* That TEXT has no PIECE_BYTES bytes in a row of CANARY. Pieces in lower case are words that the
 * contract or a message has by itself (a scheme, `sslmode`): canaries are in mixed case. */
static void assert_no_piece(const char *text, const char *canary)
{
    for (size_t i = 0; i + PIECE_BYTES <= strlen(canary); i++) {
        char piece[PIECE_BYTES + 1] = {0};
        bool marked = false;
        memcpy(piece, canary + i, PIECE_BYTES);
        for (size_t k = 0; k < PIECE_BYTES; k++)
            marked = marked || (piece[k] >= 'A' && piece[k] <= 'Z') || piece[k] < 0;
        if (marked && strstr(text, piece))
            fail_msg("'%s' shows '%s'", text, piece);
    }
}

static const char *const some_values[] = {"alpha", "beta", NULL};
static const char *const some_globs[] = {"*.acme.io", NULL};

/* Rules that the canary breaks in as many ways as there are. */
static void make_strict(struct contract_rules *rules, enum contract_type type)
{
    static const struct contract_query_rule query[] = {
        {.name = "sslmode", .demand = DEMAND_PRESENT, .values = some_values},
        {.name = "token", .demand = DEMAND_ABSENT},
    };
    static const uint16_t ports[] = {1};
    static const struct contract_url_rules url = {
        .scheme = some_values,
        .host = some_globs,
        .ports = ports,
        .port_count = 1,
        .user = DEMAND_PRESENT,
        .user_patterns = some_values,
        .password = DEMAND_ABSENT,
        .query = query,
        .query_count = ARRAY_LEN(query),
    };
    static const struct contract_path_rules path = {.must_exist = true, .readable = true};
    *rules = (struct contract_rules){
        .type = type,
        .required = true,
        .values = some_values,
        .has_length = true,
        .length_min = 1000,
        .length_max = 2000,
        .min_bytes = 1000,
        .pattern = "alpha|beta",
        .prefix = "re_",
        .url = contract_type_constraints(type) & HAS_URL ? &url : NULL,
        .path = contract_type_constraints(type) & HAS_PATH ? &path : NULL,
    };
}

static void no_finding_shows_a_piece_of_a_value(void **state)
{
    (void)state;
    static const char *const canaries[] = {
        "QzKcAnArY7f3Wp9",
        " QzKcAnArY7f3Wp9\n",
        "\"QzKcAnArY7f3Wp9\"",
        "postgresql://QzKuser:Wp9cAnArY@TgHhost.example:5432/YnDname?token=JmRquery&sslmode=LkV7f3",
        "redis://:QzKcAn/ArY7f3@TgHhost:6379/0",
        "https://QzKcAnArY7f3:Wp9@@TgHhost/",
        "http://TgHhost:QzKcAnArY/",
        "vault:QzKcAnArY7f3/Wp9#TgHhost",
        "${QzKcAnArY7f3Wp9}",
        "xxxxxxQzKcAnArYxxxxxx",
        "/QzKcAnArY/7f3Wp9",
        "QzKcAnArY@7f3..Wp9",
        "\xffQzKcAnArY7f3Wp9\xc3",
        "alphaQzKcAnArY",
    };
    for (unsigned type = 0; type < CONTRACT_TYPE_COUNT; type++) {
        for (size_t i = 0; i < 2 * ARRAY_LEN(canaries); i++) {
            const char *canary = canaries[i / 2];
            struct model m;
            model_init(&m, 1);
            make_strict(&m.rules[0], (enum contract_type)type);
            m.variables[0].secret = i % 2 == 0;
            set(&m, 0, canary);
            AUTO_FINDINGS findings = FINDINGS_INIT;
            check(&m, &findings);
            assert_true(findings.count > 0);
            AUTO_BUF text = BUF_INIT(SIZE_MAX / 2);
            struct json json = JSON_INIT(&text);
            findings_write_text(&findings, true, &text);
            json_begin_object(&json, NULL);
            findings_write_json(&findings, NULL, 1, &json);
            json_end_object(&json);
            assert_no_piece(buf_text(&text), canary);
        }
    }
}

static void a_hundred_thousand_variables_are_checked(void **state)
{
    (void)state;
    enum { MANY = 100000, EACH = 50 };
    struct contract_variable *variables = calloc(MANY, sizeof *variables);
    struct contract_value *values = calloc(MANY, sizeof *values);
    struct contract_rules rules = {.type = TYPE_INT, .required = true, .pattern = "[0-9]+"};
    assert_non_null(variables);
    assert_non_null(values);
    for (unsigned i = 0; i < MANY; i++) {
        variables[i] = (struct contract_variable){
            .name = "N", .position = {.file = "contract.json", .line = i + 1}, .rules = &rules};
        values[i] = (struct contract_value){.bytes = secret_borrow(i % EACH ? "1" : "x", 1),
                                            .resolved = true};
    }
    struct contract contract = {.variables = variables, .variable_count = MANY};
    AUTO_FINDINGS findings = FINDINGS_INIT;
    struct err err = ERR_INIT;
    assert_int_equal(contract_check(&contract, values, &findings, &err), 0);
    assert_int_equal(findings.errors, 2 * MANY / EACH); /* type and pattern */
    free(values);
    free(variables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_right_has_no_findings),
        cmocka_unit_test(a_missing_variable_says_where_it_comes_from_and_why_it_is_not_there),
        cmocka_unit_test(a_missing_variable_of_the_environment_is_to_be_set_there),
        cmocka_unit_test(an_empty_value_counts_as_missing_unless_it_is_ok),
        cmocka_unit_test(what_nobody_resolved_is_not_checked),
        cmocka_unit_test(all_problems_of_all_variables_come_in_the_order_of_the_file),
        cmocka_unit_test(placeholders_are_known),
        cmocka_unit_test(a_placeholder_is_refused_for_secrets_only),
        cmocka_unit_test(a_placeholder_hides_in_a_password),
        cmocka_unit_test(what_is_still_a_reference_is_unresolved),
        cmocka_unit_test(what_is_unresolved_says_why_where_it_can),
        cmocka_unit_test(no_finding_shows_a_piece_of_a_value),
        cmocka_unit_test(a_hundred_thousand_variables_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
