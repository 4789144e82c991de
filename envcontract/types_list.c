/* envcontract/types_list.c: the items of a list, each against the rules of its kind.
 *
 * An item is what stands between two separators, white space included: programs disagree on
 * trimming, so an item that needs it is wrong. The list's own values, length, prefix and pattern are
 * about the whole text. */
#include <stdio.h>

#include "envcontract/types.h"

enum {
    BAD_ITEMS = 8, /* described; what follows is not looked at */
    SUBJECT_BYTES = 192,
    ITEM_STEPS = 40, /* of finding one and of its subject; its rules take their own */
};

static const char comma[] = ",";

bool types_next_item(const struct contract_rules *rules, const char *bytes, size_t length,
                     size_t *at, const char **item, size_t *item_length)
{
    const char *separator = rules->separator ? rules->separator : comma;
    size_t separator_length = strlen(separator);
    if (*at > length)
        return false;
    *item = bytes + *at;
    const char *end = memmem(*item, length - *at, separator, separator_length);
    *item_length = end ? (size_t)(end - *item) : length - *at;
    *at = end ? *at + *item_length + separator_length : length + 1;
    return true;
}

/* What stands in for a value does so inside of a list, too. */
static bool is_stand_in(const struct validation *v, const struct contract_rules *rules,
                        const char *item, size_t length)
{
    const char *unresolved = placeholder_unresolved(item, length);
    if (unresolved) {
        validation_add(v, "unresolved", NULL, "still %s and no value", unresolved);
        return true;
    }
    if (!v->variable->secret || rules->placeholder_ok || !placeholder_is(item, length))
        return false;
    validation_add(v, "placeholder", NULL, "a placeholder");
    return true;
}

/* ITEM has a NUL behind it. */
static void check_item(const struct validation *v, const struct contract_rules *rules,
                       const char *item, size_t length)
{
    if (length == 0)
        validation_add(v, "empty", "An empty list is an empty value.", "nothing in it");
    else if (!is_stand_in(v, rules, item, length) && rules->item)
        types_validate(v, rules->item, item, length);
}

void types_validate_list(const struct validation *v, const struct contract_rules *rules,
                         const char *bytes, size_t length)
{
    AUTO_PATTERN_CACHE own = {.steps_left = v->steps_left};
    AUTO_BUF room = BUF_INIT(length + 1);
    char *copy = buf_reserve(&room, length + 1); /* once: wiping it for each item is quadratic */
    char subject[SUBJECT_BYTES];
    struct validation inner = *v;
    const char *item;
    size_t item_length, at = 0, bad = 0;

    if (!copy) {
        v->findings->no_memory = true;
        return;
    }
    inner.subject = subject;
    inner.patterns = v->patterns ? v->patterns : &own; /* compiled once for all items */
    uint32_t steps = inner.patterns->match_limit;
    inner.patterns->match_limit = PATTERN_ITEM_MATCH_LIMIT;
    for (size_t index = 1; types_next_item(rules, bytes, length, &at, &item, &item_length);
         index++) {
        size_t before = v->findings->count;
        if (!steps_take(v->steps_left, ITEM_STEPS))
            break;
        memcpy(copy, item, item_length);
        copy[item_length] = '\0';
        (void)snprintf(subject, sizeof subject, "%sitem %zu: ", v->subject, index);
        check_item(&inner, rules, copy, item_length);
        if (v->findings->count == before || ++bad < BAD_ITEMS || at > length)
            continue;
        validation_add(v, "type", NULL,
                       "%d items are wrong, and what is behind item %zu was not looked at",
                       BAD_ITEMS, index);
        break;
    }
    inner.patterns->match_limit = steps;
}
