/* envcontract/guard.c: the guard's section, read off the tree. */
#include <string.h>

#include "base/str.h"
#include "base/url.h"
#include "envcontract/keys.h"

enum {
    DEFAULT_TIMEOUT_MS = 30 * 60 * 1000,
    DEFAULT_JOBS = 2,
    MOST_JOBS = 2,
};

static const char *const no_names[] = {NULL};
static const char *const default_refuse[] = {"prod", "production", NULL};

/* What is ignored without a reason and an end is ignored for good. */
static void check_ignore(struct contract_document *d, const struct node *item)
{
    static const char *const names[GUARD_IGNORE_KEY_COUNT] = {"kind", "object", "until", "why"};
    const struct node *at[GUARD_IGNORE_KEY_COUNT] = {NULL};
    if (item->kind != NODE_OBJECT)
        return;
    keys_merge(item, at, GUARD_IGNORE_KEY_COUNT);
    for (size_t i = 0; i < GUARD_IGNORE_KEY_COUNT; i++)
        if (!at[i])
            problem(d, item, AT_VALUE, NULL, "an entry of 'ignore' without '%s'", names[i]);
}

void guard_check(struct contract_document *d, const struct node *section)
{
    const struct node *at[GUARD_KEY_COUNT] = {NULL};
    if (!section || section->kind != NODE_OBJECT)
        return;
    keys_merge(section, at, GUARD_KEY_COUNT);
    sections_check_url_variable(d, at[GUARD_SERVER]);
    if (at[GUARD_SERVER] && node_truth(at[GUARD_EPHEMERAL], false))
        problem(d, at[GUARD_EPHEMERAL], AT_KEY,
                "Say one of them; the options --server and "
                "--ephemeral win over both.",
                "'guard' has 'server' and 'ephemeral'");
    int64_t jobs = node_integer(at[GUARD_JOBS], DEFAULT_JOBS);
    if (jobs < 1 || jobs > MOST_JOBS)
        problem(d, at[GUARD_JOBS], AT_VALUE, NULL, "'jobs' is 1 or %d", MOST_JOBS);
    const struct node *ignore = at[GUARD_IGNORE];
    if (!ignore || ignore->kind != NODE_ARRAY)
        return;
    for (const struct node *item = ignore->first; item; item = item->next)
        check_ignore(d, item);
}

static void select_ignore(struct contract_document *d, const struct node *list,
                          struct contract_guard *out)
{
    if (!list || list->kind != NODE_ARRAY || list->count == 0)
        return;
    struct contract_ignore *entries = arena_new(&d->selected, list->count, sizeof *entries);
    if (!entries) {
        d->no_memory = true;
        return;
    }
    for (const struct node *item = list->first; item; item = item->next) {
        const struct node *at[GUARD_IGNORE_KEY_COUNT] = {NULL};
        keys_merge(item, at, GUARD_IGNORE_KEY_COUNT);
        entries[out->ignore_count++] = (struct contract_ignore){
            .kind = node_text(at[GUARD_IGNORE_KIND]),
            .object = node_text(at[GUARD_IGNORE_OBJECT]),
            .until = node_text(at[GUARD_IGNORE_UNTIL]),
            .why = node_text(at[GUARD_IGNORE_WHY]),
        };
    }
    out->ignore = entries;
}

void guard_select(struct contract_document *d, const struct node *section,
                  struct contract_guard *out)
{
    const struct node *at[GUARD_KEY_COUNT] = {NULL};
    keys_merge(section, at, GUARD_KEY_COUNT);
    *out = (struct contract_guard){
        .server = node_text(at[GUARD_SERVER]),
        .stamp = node_list(at[GUARD_STAMP]),
        .env = at[GUARD_ENV] ? node_list(at[GUARD_ENV]) : no_names,
        .refuse_profiles = at[GUARD_REFUSE_PROFILES] ? node_list(at[GUARD_REFUSE_PROFILES])
                                                     : default_refuse,
        .ephemeral = node_truth(at[GUARD_EPHEMERAL], false),
        .strict = node_truth(at[GUARD_STRICT], false),
        .strict_order = node_truth(at[GUARD_STRICT_ORDER], false),
        .jobs = (int)node_integer(at[GUARD_JOBS], DEFAULT_JOBS),
        .timeout_ms = node_duration_ms(at[GUARD_TIMEOUT], DEFAULT_TIMEOUT_MS),
    };
    select_ignore(d, at[GUARD_IGNORE], out);
}

/* The text in front of compose's first value. */
static const char *composed_scheme(struct contract_document *d, const struct template *compose)
{
    if (!compose || compose->count == 0)
        return NULL;
    const struct template_piece *first = &compose->pieces[0];
    const char *end = memmem(first->text, first->text_length, "://", strlen("://"));
    if (!end || end == first->text)
        return NULL;
    const char *scheme = arena_dup_n(&d->selected, first->text, (size_t)(end - first->text));
    if (!scheme)
        d->no_memory = true;
    return scheme;
}

const char *contract_url_scheme(struct contract *contract, const struct contract_variable *variable)
{
    const struct contract_rules *rules = variable->rules;
    const char *scheme = composed_scheme(contract->document, rules->compose);
    if (scheme)
        return scheme;
    bool one = rules->url && rules->url->scheme && rules->url->scheme[0] && !rules->url->scheme[1];
    return one ? rules->url->scheme[0] : NULL;
}
