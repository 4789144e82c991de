/* envcontract/distinct.c: no secret is used in two variables. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "envcontract/check.h"

/* A value that may not be, or may not be used, twice. */
struct candidate {
    const char *bytes;
    size_t length, variable;
};

/* By length first: most are told apart without a look at a byte. */
static int compare(const void *left, const void *right)
{
    const struct candidate *a = left, *b = right;
    int order = (a->length > b->length) - (a->length < b->length);

    if (order == 0)
        order = memcmp(a->bytes, b->bytes, a->length);
    return order != 0 ? order : (a->variable > b->variable) - (a->variable < b->variable);
}

/* Every secret, and what else is to be distinct. Returns how many. */
static size_t collect(const struct check *c, struct candidate *list, bool *any_distinct)
{
    size_t count = 0;

    for (size_t i = 0; i < c->contract->variable_count; i++) {
        const struct contract_variable *variable = &c->contract->variables[i];
        const struct contract_value *value = &c->values[i];
        if ((!variable->secret && !variable->rules->distinct) || !value->resolved ||
            secret_length(&value->bytes) == 0)
            continue;
        *any_distinct = *any_distinct || variable->rules->distinct;
        if (list)
            list[count] = (struct candidate){.bytes = secret_reveal(&value->bytes),
                                             .length = secret_length(&value->bytes),
                                             .variable = i};
        count++;
    }
    return count;
}

/* COUNT variables with one value: those beside the first that is distinct are named. */
static void report(struct check *c, const struct candidate *same, size_t count)
{
    const struct contract_variable *variables = c->contract->variables;
    size_t anchor = 0;

    while (anchor < count && !variables[same[anchor].variable].rules->distinct)
        anchor++;
    for (size_t i = 0; anchor < count && i < count; i++) {
        const struct contract_variable *variable = &variables[same[i].variable];
        if (i != anchor && check_may_show(c, FINDING_ERROR))
            findings_addf(c->findings, FINDING_ERROR, variable->name, "distinct",
                          &variable->position, "Give each its own.",
                          "the same value as %s, which is to be distinct",
                          variables[same[anchor].variable].name);
    }
}

void check_distinct(struct check *c)
{
    bool any_distinct = false;
    size_t count = collect(c, NULL, &any_distinct);

    if (!any_distinct)
        return;
    AUTO_FREE struct candidate *list = mem_new(count + 1, sizeof *list);
    if (!list) {
        c->findings->no_memory = true;
        return;
    }
    (void)collect(c, list, &any_distinct); /* as many as before */
    qsort(list, count, sizeof *list, compare);
    for (size_t first = 0, next; first < count; first = next) {
        for (next = first + 1; next < count; next++)
            if (list[next].length != list[first].length ||
                memcmp(list[next].bytes, list[first].bytes, list[first].length) != 0)
                break;
        report(c, &list[first], next - first);
    }
}
