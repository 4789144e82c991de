/* envcontract/groups.c: groups and rules held against values.
 *
 * What hangs on a variable that nobody resolved is unknown and not false: it is passed over. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "envcontract/check.h"

/* Of finding the hosts of a URL, for each byte of it. */
enum { HOST_BYTE_STEPS = 8 };

static const struct contract_variable *variable_of(const struct check *c, unsigned index)
{
    return &c->contract->variables[index];
}

/* ---- groups --------------------------------------------------------------------------------- */

struct count {
    size_t there, absent, unknown;
};

static struct count count_members(const struct check *c, const struct contract_group *group)
{
    struct count count = {0};

    for (size_t i = 0; i < group->count; i++) {
        unsigned member = group->members[i];
        switch (value_is_there(variable_of(c, member), &c->values[member])) {
        case TRUTH_YES:
            count.there++;
            break;
        case TRUTH_NO:
            count.absent++;
            break;
        case TRUTH_UNKNOWN:
            count.unknown++;
            break;
        }
    }
    return count;
}

/* Whether the group is broken whatever the unknown ones are. */
static bool is_broken(enum contract_group_form form, const struct count *count)
{
    bool none = count->there == 0 && count->unknown == 0;

    switch (form) {
    case EXACTLY_ONE:
        return count->there > 1 || none;
    case AT_LEAST_ONE:
        return none;
    case AT_MOST_ONE:
        return count->there > 1;
    case ALL_OR_NONE:
        return count->there > 0 && count->absent > 0;
    case GROUP_FORMS:
        break;
    }
    return false;
}

/* "A, B and C": those members that are (THERE) or are not set, or all of them. */
static void add_names(const struct check *c, const struct contract_group *group,
                      const enum truth *there, struct message *out)
{
    size_t shown = 0, more = 0;

    for (size_t i = 0; i < group->count; i++) {
        unsigned member = group->members[i];
        if (there && value_is_there(variable_of(c, member), &c->values[member]) != *there)
            continue;
        if (shown < CHECK_NAMES_SHOWN)
            message_addf(out, "%s%s", shown++ ? ", " : "", variable_of(c, member)->name);
        else
            more++;
    }
    if (more > 0)
        message_addf(out, " and %zu more", more);
}

static void add_group(struct check *c, const struct contract_group *group,
                      const struct count *count)
{
    static const char *const words[GROUP_FORMS] = {
        [EXACTLY_ONE] = "exactly one of ",
        [AT_LEAST_ONE] = "at least one of ",
        [AT_MOST_ONE] = "at most one of ",
        [ALL_OR_NONE] = "all or none of ",
    };
    static const enum truth yes = TRUTH_YES, no = TRUTH_NO;
    struct message message = {0};

    message_addf(&message, "%s", words[group->form]);
    add_names(c, group, NULL, &message);
    if (count->there == 0) {
        message_addf(&message, ": none is set");
    } else if (group->form == ALL_OR_NONE) {
        message_addf(&message, ": not set ");
        message_addf(&message, "%s ", count->absent == 1 ? "is" : "are");
        add_names(c, group, &no, &message);
    } else {
        message_addf(&message, ": set are ");
        add_names(c, group, &yes, &message);
    }
    check_add_because(c, group->when.condition, &message);
    if (group->doc && group->doc[0])
        message_addf(&message, " (%s)", group->doc);
    check_add_at(c, FINDING_ERROR, NULL, "group", group->node, message.text);
}

void check_groups(struct check *c)
{
    const struct contract_relations *r = c->contract->relations;

    for (size_t i = 0; i < r->group_count; i++) {
        const struct contract_group *group = &r->groups[i];
        struct count count = count_members(c, group);
        if (is_broken(group->form, &count) &&
            when_holds(&group->when, c->contract, c->values) == TRUTH_YES)
            add_group(c, group, &count);
    }
}

/* ---- rules ---------------------------------------------------------------------------------- */

/* What a reference stands for. */
struct operand {
    enum truth there; /* unknown: nobody resolved the variable */
    struct buf text;  /* a part of it; the whole stays where it is */
    const char *bytes;
    size_t length;
};

static void operand_release(struct operand *operand)
{
    buf_release(&operand->text);
}

/* A part that a URL has not is as absent as a variable that is not set. */
static void operand_read(struct check *c, const struct contract_reference *reference,
                         struct operand *out)
{
    const struct contract_value *value = &c->values[reference->variable];

    *out = (struct operand){
        .there = value_is_there(variable_of(c, reference->variable), value),
        .bytes = secret_reveal(&value->bytes),
        .length = secret_length(&value->bytes),
    };
    if (out->there != TRUTH_YES)
        return;
    if (!check_spend(c, reference->part == PART_HOST ? HOST_BYTE_STEPS * (out->length + 1)
                                                     : out->length + 1)) {
        out->there = TRUTH_UNKNOWN;
        return;
    }
    if (reference->part == PART_WHOLE)
        return;
    out->text = BUF_INIT(SECRET_MAX_BYTES);
    if (!url_part_add(out->bytes, out->length, reference, &out->text))
        out->there = TRUTH_NO;
    if (out->text.no_memory)
        c->findings->no_memory = true;
    out->bytes = buf_text(&out->text);
    out->length = out->text.len;
}

static void add_rule(struct check *c, const struct contract_rule *rule,
                     const struct contract_reference *first, const char *what)
{
    struct message message = {0};

    if (rule->say)
        message_addf(&message, "%s: ", rule->say);
    message_addf(&message, "%s", what);
    check_add_because(c, rule->when.condition, &message);
    message_addf(&message, " (rule '%s')", rule->id ? rule->id : "");
    check_add_at(c, rule->severity, variable_of(c, first->variable)->name, "rule", rule->node,
                 message.text);
}

static void check_match(struct check *c, const struct contract_rule *rule, size_t index)
{
    const struct contract_reference *reference = &rule->match.list[index];
    CLEANUP(operand_release) struct operand operand = {0};
    struct message what = {0};
    struct err err = ERR_INIT;

    operand_read(c, reference, &operand);
    if (operand.there != TRUTH_YES) {
        if (operand.there == TRUTH_UNKNOWN || reference->part == PART_WHOLE ||
            value_is_there(variable_of(c, reference->variable), &c->values[reference->variable]) !=
                TRUTH_YES)
            return; /* whether it has to be there is for `required` to say */
        message_addf(&what, "%s is not there, expected to match `%s`", reference->text,
                     rule->patterns[index]);
        add_rule(c, rule, reference, what.text);
        return;
    }
    switch (
        pattern_match(&c->patterns, rule->patterns[index], operand.bytes, operand.length, &err)) {
    case PATTERN_MATCHES:
    case PATTERN_UNTRIED:
        return;
    case PATTERN_DIFFERS:
        message_addf(&what, "%s does not match `%s`", reference->text, rule->patterns[index]);
        break;
    case PATTERN_GAVE_UP:
        message_addf(&what, "matching %s with `%s` was given up after %d steps", reference->text,
                     rule->patterns[index], PATTERN_MATCH_LIMIT);
        break;
    case PATTERN_BROKEN:
        c->findings->no_memory = c->findings->no_memory || err.kind == ERR_RESOURCE;
        message_addf(&what, "%s: %s", reference->text, err.text);
        break;
    }
    add_rule(c, rule, reference, what.text);
}

static bool is_same(const struct operand *a, const struct operand *b)
{
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

/* Each against the first that is there: one that differs is enough. */
static void check_equal(struct check *c, const struct contract_rule *rule)
{
    const struct contract_references *refs = &rule->equal;
    CLEANUP(operand_release) struct operand first = {0};
    size_t at = 0;

    for (; at < refs->count; at++) {
        operand_release(&first);
        operand_read(c, &refs->list[at], &first);
        if (first.there == TRUTH_YES)
            break;
    }
    for (size_t i = at + 1; i < refs->count; i++) {
        CLEANUP(operand_release) struct operand other = {0};
        operand_read(c, &refs->list[i], &other);
        if (other.there != TRUTH_YES || is_same(&first, &other))
            continue;
        struct message what = {0};
        message_addf(&what, "%s differs from %s", refs->list[i].text, refs->list[at].text);
        add_rule(c, rule, &refs->list[i], what.text);
    }
}

struct compared {
    const struct contract_reference *reference;
    struct operand operand;
};

static int compare_operands(const void *left, const void *right)
{
    const struct compared *a = left, *b = right;
    size_t shorter = a->operand.length < b->operand.length ? a->operand.length : b->operand.length;
    int order = (a->operand.length > b->operand.length) - (a->operand.length < b->operand.length);

    if (order == 0)
        order = memcmp(a->operand.bytes, b->operand.bytes, shorter);
    return order != 0 ? order : (a->reference > b->reference) - (a->reference < b->reference);
}

/* All that are there differ from one another: sorted, equal ones stand together. */
static void check_differ(struct check *c, const struct contract_rule *rule)
{
    const struct contract_references *refs = &rule->differ;
    AUTO_FREE struct compared *list = mem_new(refs->count + 1, sizeof *list);
    size_t count = 0;

    if (!list) {
        c->findings->no_memory = true;
        return;
    }
    for (size_t i = 0; i < refs->count; i++) {
        list[count].reference = &refs->list[i];
        operand_read(c, &refs->list[i], &list[count].operand);
        if (list[count].operand.there == TRUTH_YES)
            count++;
        else
            operand_release(&list[count].operand);
    }
    qsort(list, count, sizeof *list, compare_operands);
    for (size_t i = 1; i < count; i++) {
        if (!is_same(&list[i - 1].operand, &list[i].operand))
            continue;
        struct message what = {0};
        message_addf(&what, "%s is the same as %s", list[i].reference->text,
                     list[i - 1].reference->text);
        add_rule(c, rule, list[i].reference, what.text);
    }
    for (size_t i = 0; i < count; i++)
        operand_release(&list[i].operand);
}

void check_rules(struct check *c)
{
    const struct contract_relations *r = c->contract->relations;

    for (size_t i = 0; i < r->rule_count; i++) {
        const struct contract_rule *rule = &r->rules[i];
        if (when_holds(&rule->when, c->contract, c->values) != TRUTH_YES)
            continue;
        for (size_t k = 0; k < rule->match.count; k++)
            check_match(c, rule, k);
        if (rule->equal.count > 1)
            check_equal(c, rule);
        if (rule->differ.count > 1)
            check_differ(c, rule);
    }
}
