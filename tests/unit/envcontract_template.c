/* tests/unit/envcontract_template.c: `compose`, defaults, and who wins. */
#include "tests/lib/unit.h"

#include <string.h>

#include "envcontract/internal.h"

/* ---- parsing -------------------------------------------------------------------------------- */

static struct template parsed(struct arena *arena, const char *text)
{
    struct template template;
    struct err err = ERR_INIT;
    if (template_parse(arena, text, &template, &err) != 0)
        fail_msg("'%s': %s", text, err.text);
    return template;
}

static void a_template_is_text_and_names_with_filters(void **state)
{
    (void)state;
    AUTO_ARENA arena = ARENA_INIT;
    struct template t = parsed(&arena, "x://{user|trim|url}:{{}}@{host}");
    assert_int_equal(t.count, 2);
    assert_int_equal(t.pieces[0].text_length, 4);
    assert_memory_equal(t.pieces[0].text, "x://", 4);
    assert_string_equal(t.pieces[0].name, "user");
    assert_int_equal(t.pieces[0].filter_count, 2);
    assert_int_equal(t.pieces[0].filters[0], FILTER_TRIM);
    assert_int_equal(t.pieces[0].filters[1], FILTER_URL);
    assert_int_equal(t.pieces[1].text_length, 4);
    assert_memory_equal(t.pieces[1].text, ":{}@", 4);
    assert_string_equal(t.pieces[1].name, "host");

    t = parsed(&arena, "");
    assert_int_equal(t.count, 0);
    t = parsed(&arena, "only text");
    assert_int_equal(t.count, 1);
    assert_null(t.pieces[0].name);
}

static void a_wrong_template_is_named_with_its_byte(void **state)
{
    (void)state;
    static const struct {
        const char *text, *problem, *hint;
    } bad[] = {
        {"a{b", "a '{' that is not closed at byte 2", ""},
        {"a}b", "a '}' without its '{' at byte 2", "doubled"},
        {"{}", "no name between the braces at byte 2", ""},
        {"{|url}", "no name between the braces at byte 2", ""},
        {"{a|ulr}", "no such filter at byte 4", "Did you mean `url`?"},
        {"{a|upper}", "no such filter at byte 4", "url, base64, json, trim, shell and pgpass"},
        {"{a|}", "no such filter at byte 4", ""},
        {"{a|url|url|url|url|url}", "more filters than are allowed at byte 20", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO_ARENA arena = ARENA_INIT;
        struct template unused;
        struct err err = ERR_INIT;
        if (template_parse(&arena, bad[i].text, &unused, &err) == 0)
            fail_msg("'%s' passes", bad[i].text);
        assert_int_equal(err.kind, ERR_CONTRACT);
        assert_text_has(err.text, bad[i].problem);
        assert_text_has(err.hint, bad[i].hint);
    }
}

/* ---- assembling ----------------------------------------------------------------------------- */

enum { PARTS = 3 };

/* One variable whose parts are called user, password and host. */
struct setting {
    struct contract contract;
    struct contract_variable variable;
    struct contract_rules rules;
    struct contract_part parts[PARTS];
    struct secret secrets[PARTS];
    const struct secret *given[PARTS];
    struct contract_input input;
    struct template compose;
    struct arena arena;
    struct findings findings;
    struct contract_value value;
    struct err err;
};

static void setting_init(struct setting *s, size_t part_count)
{
    static const char *const names[PARTS] = {"user", "password", "host"};
    *s = (struct setting){.variable = {.name = "NAME", .part_count = part_count}};
    for (size_t i = 0; i < PARTS; i++)
        s->parts[i] = (struct contract_part){
            .name = part_count > 1 ? names[i] : NULL,
            .ref = {.kind = REF_VAULT, .path = "secret/acme", .field = names[i]}};
    s->variable.rules = &s->rules;
    s->variable.parts = s->parts;
    s->input.parts = s->given;
}

static void setting_release(struct setting *s)
{
    secret_release(&s->value.bytes);
    findings_release(&s->findings);
    arena_release(&s->arena);
}

#define AUTO_SETTING CLEANUP(setting_release) struct setting

static void give(struct setting *s, size_t part, const char *text)
{
    s->secrets[part] = secret_borrow(text, strlen(text));
    s->given[part] = &s->secrets[part];
}

static void compose_as(struct setting *s, const char *text)
{
    s->compose = parsed(&s->arena, text);
    s->rules.compose = &s->compose;
}

static void assemble(struct setting *s)
{
    secret_release(&s->value.bytes);
    if (contract_assemble(&s->contract, &s->variable, &s->input, &s->value, &s->findings,
                          &s->err) != 0)
        fail_msg("%s", s->err.text);
    assert_true(s->value.resolved);
}

static void assert_value(struct setting *s, enum value_origin origin, const char *text)
{
    assemble(s);
    assert_int_equal(s->value.origin, origin);
    if (!text) {
        assert_false(secret_is_set(&s->value.bytes));
        return;
    }
    assert_true(secret_is_set(&s->value.bytes));
    assert_string_equal(secret_reveal(&s->value.bytes), text);
    assert_int_equal(secret_length(&s->value.bytes), strlen(text));
}

static void a_plain_source_is_taken_as_it_is(void **state)
{
    (void)state;
    AUTO_SETTING s;
    setting_init(&s, 1);
    give(&s, 0, " as it is\n");
    assert_value(&s, VALUE_SOURCE, " as it is\n");
    assert_int_equal(s.findings.count, 0);
}

static void a_value_is_composed_through_filters(void **state)
{
    (void)state;
    AUTO_SETTING s;
    setting_init(&s, 3);
    give(&s, 0, "app");
    give(&s, 1, " p@ss/w\xc3\xb6rd% \n");
    give(&s, 2, "db.acme.io");
    compose_as(&s, "postgresql://{user|url}:{password|trim|url}@{host}:5432/app");
    assert_value(&s, VALUE_SOURCE, "postgresql://app:p%40ss%2Fw%C3%B6rd%25@db.acme.io:5432/app");
    compose_as(&s, "{{\"p\": {password|json}}}");
    assert_value(&s, VALUE_SOURCE, "{\"p\": \" p@ss/w\xc3\xb6rd% \\n\"}");
    compose_as(&s, "{user|base64}|{user|base64|base64}");
    assert_value(&s, VALUE_SOURCE, "YXBw|WVhCdw==");
}

static void what_json_cannot_carry_is_an_error_that_shows_nothing(void **state)
{
    (void)state;
    AUTO_SETTING s;
    setting_init(&s, 3);
    give(&s, 0, "CANARY\xff");
    compose_as(&s, "{user|json}");
    assert_int_equal(
        contract_assemble(&s.contract, &s.variable, &s.input, &s.value, &s.findings, &s.err), -1);
    assert_int_equal(s.err.kind, ERR_SOURCE_DATA);
    assert_text_has(s.err.text, "'NAME': part `user`: is not UTF-8");
    assert_text_lacks(s.err.text, "CANARY");
}

static void a_missing_part_makes_the_whole_missing(void **state)
{
    (void)state;
    AUTO_SETTING s;
    setting_init(&s, 3);
    give(&s, 0, "app");
    give(&s, 2, "h");
    compose_as(&s, "{user}:{password}@{host}");
    assert_value(&s, VALUE_NONE, NULL);
    assert_text_has(s.value.absent_because, "its part `password` has no value");
    give(&s, 1, ""); /* an empty one is as good as none */
    assert_value(&s, VALUE_NONE, NULL);
    s.input.absent_because = "no field `password` in secret/acme";
    assert_value(&s, VALUE_NONE, NULL);
    assert_text_has(s.value.absent_because, "no field `password`");
    s.rules.empty_ok = true;
    assert_value(&s, VALUE_SOURCE, "app:@h");
}

/* Encoded into the whole, nobody would see it any more. */
static void a_part_that_is_still_a_reference_is_remembered(void **state)
{
    (void)state;
    AUTO_SETTING s;
    setting_init(&s, 3);
    give(&s, 0, "app");
    give(&s, 1, "s3cr3t");
    give(&s, 2, "h");
    compose_as(&s, "postgresql://{user|url}:{password|url}@{host}/app");
    assemble(&s);
    assert_null(s.value.unresolved_part);
    give(&s, 1, "vault:secret/acme");
    assert_value(&s, VALUE_SOURCE, "postgresql://app:vault%3Asecret%2Facme@h/app");
    assert_string_equal(s.value.unresolved_part, "password");
    s.given[2] = NULL;
    s.rules.default_value = "a default";
    assert_value(&s, VALUE_DEFAULT, "a default");
    assert_null(s.value.unresolved_part);
    s.input.environment = "another";
    s.variable.overridable = true; /* what wins has no parts */
    assert_value(&s, VALUE_ENVIRONMENT, "another");
    assert_null(s.value.unresolved_part);
}

static void a_default_stands_in_for_nothing_and_for_empty(void **state)
{
    (void)state;
    AUTO_SETTING s;
    setting_init(&s, 1);
    s.rules.default_value = "30s";
    assert_value(&s, VALUE_DEFAULT, "30s");
    give(&s, 0, "");
    assert_value(&s, VALUE_DEFAULT, "30s");
    s.rules.empty_ok = true;
    assert_value(&s, VALUE_SOURCE, "");
    give(&s, 0, "5s");
    assert_value(&s, VALUE_SOURCE, "5s");
}

static void an_empty_value_without_default_stays_empty(void **state)
{
    (void)state;
    AUTO_SETTING s;
    setting_init(&s, 1);
    give(&s, 0, "");
    assert_value(&s, VALUE_SOURCE, "");
}

static void the_environment_as_source_is_the_origin_and_shadows_nothing(void **state)
{
    (void)state;
    AUTO_SETTING s;
    setting_init(&s, 1);
    s.parts[0].ref = (struct ref){.kind = REF_ENV, .path = "NAME"};
    give(&s, 0, "resolved");
    s.input.environment = "sealed:NAME"; /* an inline reference, resolved by the source */
    assert_value(&s, VALUE_ENVIRONMENT, "resolved");
    assert_int_equal(s.findings.count, 0);
    s.parts[0].ref.path = "OTHER";
    s.input.environment = "mine";
    assert_value(&s, VALUE_ENVIRONMENT, "resolved");
    assert_int_equal(s.findings.count, 1);
}

static void another_value_in_the_environment_is_shadowed(void **state)
{
    (void)state;
    AUTO_SETTING s;
    setting_init(&s, 1);
    give(&s, 0, "CANARY-of-vault");
    s.input.environment = "CANARY-of-the-environment";
    assert_value(&s, VALUE_SOURCE, "CANARY-of-vault");
    assert_int_equal(s.findings.count, 1);
    const struct finding *finding = &s.findings.list[0];
    assert_string_equal(finding->rule, "shadowed");
    assert_int_equal(finding->severity, FINDING_WARNING);
    assert_text_has(finding->message, "vault:secret/acme#user");
    assert_text_has(finding->hint, "\"override\": true");
    assert_text_lacks(finding->message, "CANARY");
    s.contract.profile_is_strict = true;
    assemble(&s);
    assert_text_lacks(s.findings.list[1].hint, "override");
}

static void the_same_or_no_value_in_the_environment_is_not_shadowed(void **state)
{
    (void)state;
    AUTO_SETTING s;
    setting_init(&s, 1);
    give(&s, 0, "same");
    s.input.environment = "same";
    assert_value(&s, VALUE_SOURCE, "same");
    s.input.environment = "";
    assert_value(&s, VALUE_SOURCE, "same");
    assert_int_equal(s.findings.count, 0);
}

static void a_value_in_the_environment_does_not_fill_in_for_the_source(void **state)
{
    (void)state;
    AUTO_SETTING s;
    setting_init(&s, 1);
    s.input.environment = "x";
    assert_value(&s, VALUE_NONE, NULL);
    assert_int_equal(s.findings.count, 1);
    s.rules.default_value = "y";
    assert_value(&s, VALUE_DEFAULT, "y");
    assert_text_has(s.findings.list[1].message, "the default is used");
}

static void the_environment_wins_where_it_may(void **state)
{
    (void)state;
    AUTO_SETTING s;
    setting_init(&s, 1);
    s.variable.overridable = true;
    give(&s, 0, "source");
    s.input.environment = "environment";
    assert_value(&s, VALUE_ENVIRONMENT, "environment");
    s.input.environment = "";
    assert_value(&s, VALUE_SOURCE, "source");
    s.rules.empty_ok = true;
    assert_value(&s, VALUE_ENVIRONMENT, "");
    assert_int_equal(s.findings.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_template_is_text_and_names_with_filters),
        cmocka_unit_test(a_wrong_template_is_named_with_its_byte),
        cmocka_unit_test(a_plain_source_is_taken_as_it_is),
        cmocka_unit_test(a_value_is_composed_through_filters),
        cmocka_unit_test(what_json_cannot_carry_is_an_error_that_shows_nothing),
        cmocka_unit_test(a_missing_part_makes_the_whole_missing),
        cmocka_unit_test(a_part_that_is_still_a_reference_is_remembered),
        cmocka_unit_test(a_default_stands_in_for_nothing_and_for_empty),
        cmocka_unit_test(an_empty_value_without_default_stays_empty),
        cmocka_unit_test(the_environment_as_source_is_the_origin_and_shadows_nothing),
        cmocka_unit_test(another_value_in_the_environment_is_shadowed),
        cmocka_unit_test(the_same_or_no_value_in_the_environment_is_not_shadowed),
        cmocka_unit_test(a_value_in_the_environment_does_not_fill_in_for_the_source),
        cmocka_unit_test(the_environment_wins_where_it_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
