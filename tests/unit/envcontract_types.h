/* tests/unit/envcontract_types.h: one value held against rules. */
#ifndef TESTS_UNIT_ENVCONTRACT_TYPES_H
#define TESTS_UNIT_ENVCONTRACT_TYPES_H

#include "tests/lib/unit.h"

#include <string.h>

#include "envcontract/internal.h"

static const struct contract_position nowhere = {.file = "contract.json", .line = 3};

/* The findings of BYTES against RULES. */
static inline void validate(const struct contract_rules *rules, bool secret, const char *bytes,
                            size_t length, struct findings *findings)
{
    struct contract_variable variable = {.name = "NAME", .position = nowhere, .secret = secret};
    struct validation v = {
        .variable = &variable, .position = &nowhere, .subject = "", .findings = findings};
    types_validate(&v, rules, bytes, length);
}

static inline void assert_good(const struct contract_rules *rules, const char *value)
{
    AUTO_FINDINGS findings = FINDINGS_INIT;
    validate(rules, false, value, strlen(value), &findings);
    if (findings.count > 0)
        fail_msg("%s '%s': %s: %s", contract_type_name(rules->type), value, findings.list[0].rule,
                 findings.list[0].message);
}

/* One finding, of that rule, with PART in its message. */
static inline void assert_bad(const struct contract_rules *rules, const char *value,
                              const char *rule, const char *part)
{
    AUTO_FINDINGS findings = FINDINGS_INIT;
    validate(rules, false, value, strlen(value), &findings);
    if (findings.count != 1)
        fail_msg("%s '%s': %zu findings", contract_type_name(rules->type), value, findings.count);
    assert_string_equal(findings.list[0].rule, rule);
    assert_string_equal(findings.list[0].variable, "NAME");
    assert_int_equal(findings.list[0].severity, FINDING_ERROR);
    assert_int_equal(findings.list[0].line, 3);
    assert_text_has(findings.list[0].message, part);
}

struct good_value {
    enum contract_type type;
    const char *value;
};

struct bad_value {
    enum contract_type type;
    const char *value, *rule, *part;
};

static inline void assert_all_good(const struct good_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct contract_rules rules = {.type = values[i].type};
        assert_good(&rules, values[i].value);
    }
}

static inline void assert_all_bad(const struct bad_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct contract_rules rules = {.type = values[i].type};
        assert_bad(&rules, values[i].value, values[i].rule, values[i].part);
    }
}

static inline struct contract_bound bound(enum contract_type type, const char *text)
{
    struct contract_bound result = {0};
    if (types_parse_bound(type, text, &result) != 0)
        fail_msg("'%s' is no bound", text);
    return result;
}

#endif
