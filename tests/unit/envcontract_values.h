/* tests/unit/envcontract_values.h: a contract that was loaded, and values for it by name. */
#ifndef TESTS_UNIT_ENVCONTRACT_VALUES_H
#define TESTS_UNIT_ENVCONTRACT_VALUES_H

#include "tests/unit/envcontract_load.h"

#include "envcontract/check.h"

enum { MOST_VALUES = 16 };

struct held {
    struct loaded l;
    struct contract_value *values;
};

/* TEXT, which must be sound, in PROFILE (may be NULL); nothing has a value, all is resolved. */
static inline struct held hold(const char *text, const char *profile)
{
    struct held h = {.l = load_text(text)};

    assert_clean(&h.l);
    select_profile(&h.l, profile);
    assert_clean(&h.l);
    h.values = calloc(h.l.contract->variable_count + 1, sizeof *h.values);
    assert_non_null(h.values);
    for (size_t i = 0; i < h.l.contract->variable_count; i++)
        h.values[i].resolved = true;
    return h;
}

static inline struct contract_value *value_of(struct held *h, const char *name)
{
    const struct contract_variable *variable = contract_find(h->l.contract, name);

    assert_non_null(variable);
    return &h->values[variable - h->l.contract->variables];
}

/* NULL: not set. */
static inline void give(struct held *h, const char *name, const char *text)
{
    struct contract_value *value = value_of(h, name);

    value->resolved = true;
    value->origin = text ? VALUE_ENVIRONMENT : VALUE_NONE;
    value->bytes = text ? secret_borrow(text, strlen(text)) : SECRET_INIT;
}

static inline void check_held(struct held *h)
{
    findings_release(&h->l.findings);
    if (contract_check(h->l.contract, h->values, &h->l.findings, &h->l.err) != 0)
        fail_msg("contract_check: %s", h->l.err.text);
}

static inline void let_go(struct held *h)
{
    free(h->values);
    unload(&h->l);
}

/* One finding and no other. */
static inline const struct finding *assert_one(struct held *h, const char *rule,
                                               const char *variable, const char *message)
{
    if (h->l.findings.count != 1) {
        print_findings(&h->l);
        fail_msg("%zu findings, expected one of '%s'", h->l.findings.count, rule);
    }
    const struct finding *f = &h->l.findings.list[0];
    assert_string_equal(f->rule, rule);
    if (variable)
        assert_string_equal(f->variable, variable);
    else
        assert_null(f->variable);
    assert_string_equal(f->message, message);
    return f;
}

#endif
