/* Values: the first byte picks the type (and of a list the item's), the rest is the value. Whatever
 * it is, there is a verdict; findings are whole, few and printable; a bound of a type is read from
 * each value that is of it; what jansson takes for JSON is JSON. */
#include <jansson.h>
#include <string.h>

#include "envcontract/internal.h"
#include "tests/fuzz/fuzz.h"

enum { FINDINGS_MAX = 64, NAMED_RULES = 6 };

static bool has_rule(const struct findings *findings, const char *rule)
{
    for (size_t i = 0; i < findings->count; i++)
        if (strcmp(findings->list[i].rule, rule) == 0)
            return true;
    return false;
}

static void check_findings(const struct findings *findings)
{
    static const char *const rules[NAMED_RULES] = {"type",       "expired",     "empty",
                                                   "unresolved", "placeholder", "host"};
    PROMISE(findings->count <= FINDINGS_MAX && findings->errors == findings->count);
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *f = &findings->list[i];
        bool known = strcmp(f->rule, "scheme") == 0;
        for (size_t k = 0; k < NAMED_RULES; k++)
            known = known || strcmp(f->rule, rules[k]) == 0;
        PROMISE(known && f->message[0]);
        for (const char *c = f->message; *c; c++)
            PROMISE((unsigned char)*c >= 0x20 && (unsigned char)*c < 0x7f);
    }
}

static void check_json(const struct findings *findings, const char *value, size_t length)
{
    json_t *read = json_loadb(value, length, JSON_DECODE_ANY, NULL);
    bool deep = findings->count > 0 && strstr(findings->list[0].message, "levels of brackets");
    PROMISE(!read || deep || findings->count == 0);
    json_decref(read);
}

static void validate(const struct contract_rules *rules, const char *value, size_t length)
{
    AUTO_FINDINGS findings = FINDINGS_INIT;
    struct contract_variable variable = {.name = "NAME", .secret = length % 2 == 0};
    struct contract_position nowhere = {.file = "contract.json", .line = 1};
    struct validation v = {
        .variable = &variable, .position = &nowhere, .subject = "", .findings = &findings};
    types_validate(&v, rules, value, length);
    if (findings.no_memory)
        return;
    check_findings(&findings);
    uint64_t few = 100;
    v.steps_left = &few;
    types_validate(&v, rules, value, length); /* runs out of them somewhere */

    struct contract_bound bound;
    bool whole = strlen(value) == length;
    bool bounded = contract_type_constraints(rules->type) & HAS_MIN_MAX;
    PROMISE(!whole || !bounded ||
            (types_parse_bound(rules->type, value, &bound) == 0) == !has_rule(&findings, "type"));
    if (bounded && whole && findings.count == 0)
        PROMISE(types_compare_bounds(rules->type, &bound, &bound) == 0);
    if (rules->type == TYPE_JSON && whole) /* jansson ends at a NUL */
        check_json(&findings, value, length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct contract_rules item = {.type = data[0] / CONTRACT_TYPE_COUNT % TYPE_LIST};
    struct contract_rules rules = {.type = data[0] % CONTRACT_TYPE_COUNT};
    if (rules.type == TYPE_LIST)
        rules.item = &item;
    char *value = malloc(size); /* the first byte's place is the NUL's */
    PROMISE(value);
    memcpy(value, data + 1, size - 1);
    value[size - 1] = '\0';
    validate(&rules, value, size - 1);
    free(value);
    return 0;
}
