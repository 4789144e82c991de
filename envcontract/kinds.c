/* envcontract/kinds.c: whether a value is of the kind that its key takes. */
#include "envcontract/keys.h"

#include <string.h>

#include "base/str.h"

/* What a key takes, for "'x' takes …, not …". */
static const char *const kind_words[KIND_COUNT_OF_KINDS] = {
    [KIND_ANY] = "anything",
    [KIND_TEXT] = "a string",
    [KIND_FREE_TEXT] = "a string",
    [KIND_BOOL] = "true or false",
    [KIND_COUNT] = "a whole number from 0",
    [KIND_DURATION] = "a duration such as \"30s\"",
    [KIND_WORD] = "a word",
    [KIND_TEXTS] = "a list of strings",
    [KIND_ARGV] = "a list of strings",
    [KIND_WORDS] = "a list of words",
    [KIND_TEXT_OR_TEXTS] = "a string or a list of strings",
    [KIND_SCALAR] = "a string, a number, true or false",
    [KIND_SCALARS] = "a list of strings or numbers",
    [KIND_SECTION] = "an object",
    [KIND_SECTION_MAP] = "an object",
    [KIND_SECTION_LIST] = "a list of objects",
    [KIND_REFERENCE] = "a reference such as \"env:NAME\" or \"file:PATH\"",
    [KIND_SOURCE] = "a reference, {\"command\": […]} or an object of several",
    [KIND_CONDITION] = "true, false or a condition",
    [KIND_BOUND] = "a number or a string",
    [KIND_LENGTH] = "[min, max] in characters",
    [KIND_PATTERN] = "a string",
    [KIND_TEMPLATE] = "a string",
    [KIND_DEMAND] = "\"required\" or \"forbidden\"",
    [KIND_DEMAND_OR_TEXTS] = "\"required\", \"forbidden\" or a list of globs",
    [KIND_PORTS] = "a port or a list of ports",
    [KIND_QUERY] = "an object of parameters",
    [KIND_MOUNTS] = "an object of mounts, each 1 or 2",
    [KIND_URL_RULES] = "an object",
    [KIND_ITEM_RULES] = "an object",
    [KIND_PATH_RULES] = "an object",
    [KIND_TYPE] = "a type's name",
    [KIND_ITEM_TYPE] = "a type's name",
    [KIND_VERSION] = "the number 1",
    [KIND_DATE] = "a date such as \"2027-01-31\"",
    [KIND_TEXTS_MAP] = "an object of lists of strings",
    [KIND_MATCH] = "an object of patterns",
    [KIND_SIGNAL] = "a signal",
    [KIND_SIGNALS] = "an object of signals",
    [KIND_EXIT_CODES] = "an object of exit codes",
    [KIND_ON_CHANGE] = "a string or a command's list",
    [KIND_MODE] = "permissions such as \"0400\"",
    [KIND_LISTEN] = "an address such as \"unix:/run/agent.sock\"",
    [KIND_PERIOD] = "a duration such as \"5m\", or \"off\"",
};

#define TYPE_NAME(type, name, constraints) name,
static const char *const type_names[] = {CONTRACT_TYPES(TYPE_NAME) NULL};
#undef TYPE_NAME

static void wrong_kind(struct contract_document *d, const struct key *key, const struct node *value)
{
    problem(d, value, AT_VALUE, NULL, "'%s' takes %s, not %s", key->name, kind_words[key->kind],
            node_kind_words(value));
}

static bool is_kind(struct contract_document *d, const struct key *key, const struct node *value,
                    enum node_kind kind)
{
    if (value->kind == kind)
        return true;
    wrong_kind(d, key, value);
    return false;
}

static bool list_has(const char *const *list, const char *word)
{
    for (; list && *list; list++) {
        if (str_eq(*list, word))
            return true;
    }
    return false;
}

static size_t list_length(const char *const *list)
{
    size_t count = 0;

    while (list[count])
        count++;
    return count;
}

static void check_text(struct contract_document *d, const struct key *key, struct node *value)
{
    if (is_kind(d, key, value, NODE_STRING) && value->count == 0)
        problem(d, value, AT_VALUE, NULL, "'%s' is empty", key->name);
}

/* The words of a list for a hint: "One of a, b, c." */
static void add_words(struct buf *out, const char *const *words)
{
    for (size_t i = 0; words[i]; i++)
        buf_addf(out, "%s%s", i == 0 ? "One of " : ", ", words[i]);
    buf_addc(out, '.');
}

static void check_word(struct contract_document *d, const char *what, const struct node *value,
                       const char *const *words)
{
    char nearest[NEAREST_HINT_BYTES];
    AUTO_BUF hint = BUF_INIT(1024);

    if (list_has(words, value->text) || problems_full(d))
        return;
    (void)nearest_hint(d, value->text, words, list_length(words), nearest);
    if (nearest[0])
        buf_adds(&hint, nearest);
    else
        add_words(&hint, words);
    problem(d, value, AT_VALUE, buf_text(&hint), "'%.*s' is not known as %s", SHOWN(value->text),
            what);
}

static void check_duration(struct contract_document *d, const struct key *key, struct node *value)
{
    int64_t ms;

    if (!is_kind(d, key, value, NODE_STRING))
        return;
    if (str_to_duration(value->text, value->count, &ms) != 0 || ms < 0)
        problem(d, value, AT_VALUE, "Durations are 500ms, 30s, 5m, 2h, 30d.",
                "'%s' is not a duration", key->name);
    else if (ms == 0 && key->no_zero)
        problem(d, value, AT_VALUE, key->no_zero, "'%s' has to be longer than zero", key->name);
}

static void check_count(struct contract_document *d, const struct key *key, struct node *value)
{
    if (value->kind != NODE_INTEGER)
        wrong_kind(d, key, value);
    else if (node_integer(value, -1) < 0 || node_integer(value, -1) > INT32_MAX)
        problem(d, value, AT_VALUE, NULL, "'%s' is not a number from 0 to %d", key->name,
                INT32_MAX);
}

void kind_build_list(struct contract_document *d, const struct key *key, struct node *value,
                     bool scalars)
{
    const char **list = arena_new(&d->arena, (size_t)value->count + 1, sizeof *list);
    size_t count = 0;

    if (!list) {
        d->no_memory = true;
        return;
    }
    for (const struct node *item = value->first; item; item = item->next) {
        const char *text = scalars ? node_scalar(item) : node_text(item);
        if (!text)
            problem(d, item, AT_VALUE, NULL, "'%s' takes %s, and this one is %s", key->name,
                    kind_words[key->kind], node_kind_words(item));
        else if (item->kind == NODE_STRING && item->count == 0 && !scalars)
            problem(d, item, AT_VALUE, NULL, "an empty string in '%s'", key->name);
        else
            list[count++] = text;
    }
    value->built = list;
}

static void check_list(struct contract_document *d, const struct key *key, struct node *value)
{
    static const char *const none[] = {NULL};
    bool or_text = key->kind == KIND_TEXT_OR_TEXTS || key->kind == KIND_DEMAND_OR_TEXTS;

    if (or_text && value->kind == NODE_STRING) {
        const char **one = arena_new(&d->arena, 2, sizeof *one);
        if (!one) {
            d->no_memory = true;
            return;
        }
        one[0] = value->text;
        value->built = one;
        check_text(d, key, value);
        return;
    }
    if (!is_kind(d, key, value, NODE_ARRAY))
        return;
    if (value->count > CONTRACT_MAX_LIST) {
        problem(d, value, AT_VALUE, NULL, "'%s' has more than %d entries", key->name,
                CONTRACT_MAX_LIST);
        value->built = none;
        return;
    }
    kind_build_list(d, key, value, key->kind == KIND_SCALARS);
    if (value->count == 0 && key->kind != KIND_TEXTS && key->kind != KIND_WORDS)
        problem(d, value, AT_VALUE, NULL, "'%s' is an empty list", key->name);
    for (const struct node *item = value->first; key->kind == KIND_WORDS && item;
         item = item->next) {
        if (item->kind == NODE_STRING)
            check_word(d, key->name, item, key->words);
    }
}

static void check_demand(struct contract_document *d, const struct key *key, struct node *value)
{
    static const char *const words[] = {"required", "forbidden", NULL};

    if (value->kind == NODE_STRING)
        check_word(d, key->name, value, words);
    else if (key->kind == KIND_DEMAND_OR_TEXTS)
        check_list(d, key, value);
    else
        wrong_kind(d, key, value);
}

static void check_port(struct contract_document *d, const struct key *key, const struct node *value)
{
    int64_t port = node_integer(value, 0);

    if (value->kind != NODE_INTEGER)
        wrong_kind(d, key, value);
    else if (port < 1 || port > KEY_PORT_MAX)
        problem(d, value, AT_VALUE, NULL, "a port is a number from 1 to %d", KEY_PORT_MAX);
}

static void check_ports(struct contract_document *d, const struct key *key, struct node *value)
{
    if (value->kind != NODE_ARRAY) {
        check_port(d, key, value);
        return;
    }
    if (value->count == 0 || value->count > CONTRACT_MAX_LIST)
        problem(d, value, AT_VALUE, NULL, "'%s' takes from 1 to %d ports", key->name,
                CONTRACT_MAX_LIST);
    for (const struct node *item = value->first; item; item = item->next)
        check_port(d, key, item);
}

static void check_query(struct contract_document *d, const struct key *key, struct node *value)
{
    static const struct key parameter = {.name = "query", .kind = KIND_TEXT_OR_TEXTS};

    if (!is_kind(d, key, value, NODE_OBJECT))
        return;
    if (value->count > CONTRACT_MAX_LIST)
        problem(d, value, AT_VALUE, NULL, "'%s' has more than %d parameters", key->name,
                CONTRACT_MAX_LIST);
    for (struct node *member = value->first; member; member = member->next) {
        if (member->kind == NODE_STRING || member->kind == NODE_ARRAY)
            check_list(d, &parameter, member);
        else if (member->kind != NODE_BOOL)
            problem(d, member, AT_VALUE, NULL,
                    "a parameter takes true (there), false (not there), a string or a list "
                    "of strings, not %s",
                    node_kind_words(member));
    }
}

static void check_mounts(struct contract_document *d, const struct key *key, struct node *value)
{
    if (!is_kind(d, key, value, NODE_OBJECT))
        return;
    if (value->count > CONTRACT_MAX_LIST)
        problem(d, value, AT_VALUE, NULL, "'%s' has more than %d entries", key->name,
                CONTRACT_MAX_LIST);
    for (const struct node *member = value->first; member; member = member->next) {
        int64_t version = node_integer(member, 0);
        if (member->key[strspn(member->key, "/")] == '\0')
            problem(d, member, AT_KEY, NULL, "a mount without a name");
        if (version != 1 && version != 2)
            problem(d, member, AT_VALUE, NULL, "the KV version of a mount is 1 or 2");
    }
}

static void check_length(struct contract_document *d, const struct key *key, struct node *value)
{
    const struct node *min = value->kind == NODE_ARRAY ? value->first : NULL;
    const struct node *max = min ? min->next : NULL;

    if (!max || max->next || node_integer(min, -1) < 0 ||
        (max->kind != NODE_NULL && node_integer(max, -1) < 0)) {
        problem(d, value, AT_VALUE, "For example [8, 64], or [8, null].", "'%s' takes %s",
                key->name, kind_words[key->kind]);
        return;
    }
    if (max->kind != NODE_NULL && node_integer(max, 0) < node_integer(min, 0))
        problem(d, value, AT_VALUE, NULL, "'%s' ends below its begin", key->name);
}

static void check_pattern(struct contract_document *d, const struct key *key, struct node *value)
{
    struct err err = ERR_INIT;

    check_text(d, key, value);
    if (!node_text(value) || value->count == 0 || problems_full(d))
        return;
    if (d->patterns_left == 0)
        return; /* said */
    if (--d->patterns_left == 0)
        problem(d, value, AT_VALUE, NULL, "a contract has at most %d patterns",
                CONTRACT_MAX_PATTERNS - 1);
    else if (types_check_pattern(value->text, &err) != 0)
        problem_from(d, value, &err);
}

static void check_template(struct contract_document *d, const struct key *key, struct node *value)
{
    struct template *parsed;
    struct err err = ERR_INIT;

    check_text(d, key, value);
    if (!node_text(value) || value->count == 0 || d->pieces_left == 0)
        return;
    parsed = arena_new(&d->arena, 1, sizeof *parsed);
    if (!parsed) {
        d->no_memory = true;
    } else if (template_parse(&d->arena, value->text, parsed, &err) != 0) {
        (void)err_wrap(&err, "%s", key->name);
        problem_from(d, value, &err);
    } else if (parsed->count > CONTRACT_MAX_PIECES) {
        problem(d, value, AT_VALUE, NULL, "'%s' has more than %d pieces", key->name,
                CONTRACT_MAX_PIECES);
    } else if (parsed->count >= d->pieces_left) {
        problem(d, value, AT_VALUE, "Split the contract.",
                "a contract has at most %d pieces of 'compose' and 'template'",
                CONTRACT_MAX_ALL_PIECES - 1);
        d->pieces_left = 0;
    } else {
        d->pieces_left -= parsed->count;
        value->built = parsed;
    }
}

static void check_sections(struct contract_document *d, const struct key *key, struct node *value)
{
    enum node_kind kind = key->kind == KIND_SECTION_LIST ? NODE_ARRAY : NODE_OBJECT;

    if (!is_kind(d, key, value, kind))
        return;
    if (key->kind == KIND_SECTION) {
        keys_check(d, key->section, value);
        return;
    }
    for (struct node *member = value->first; member; member = member->next) {
        if (member->kind == NODE_OBJECT)
            keys_check(d, key->section, member);
        else
            problem(d, member, AT_VALUE, NULL, "%s%s is an object, not %s",
                    kind == NODE_ARRAY ? "an entry of " : "", key->section->title,
                    node_kind_words(member));
    }
}

static void check_rules(struct contract_document *d, const struct key *key, struct node *value)
{
    if (!is_kind(d, key, value, NODE_OBJECT))
        return;
    keys_check(d, key->section, value);
    if (key->kind == KIND_URL_RULES)
        rules_build_url(d, value);
    else if (key->kind == KIND_PATH_RULES)
        rules_build_path(d, value);
    else
        item_build(d, value);
}

static void check_version(struct contract_document *d, const struct key *key, struct node *value)
{
    if (value->kind != NODE_INTEGER)
        problem(d, value, AT_VALUE, "Write it as 1.", "'%s' takes %s, not %s", key->name,
                kind_words[key->kind],
                value->kind == NODE_NUMBER ? "one with a point or an exponent"
                                           : node_kind_words(value));
    else if (node_integer(value, 0) != KEY_VERSION)
        problem(d, value, AT_VALUE, "A newer agent may read it.",
                "this version reads contracts of version %d", KEY_VERSION);
}

static void check_type(struct contract_document *d, const struct key *key, struct node *value)
{
    if (!is_kind(d, key, value, NODE_STRING))
        return;
    check_word(d, "a type", value, type_names);
    if (key->kind == KIND_ITEM_TYPE && str_eq(value->text, contract_type_name(TYPE_LIST)))
        problem(d, value, AT_VALUE, NULL, "an item is no list itself");
}

/* Strings, numbers and words. */
static void check_scalar(struct contract_document *d, const struct key *key, struct node *value)
{
    if (key->kind == KIND_SCALAR || key->kind == KIND_BOUND) {
        if (!node_scalar(value) || (key->kind == KIND_BOUND && value->kind == NODE_BOOL))
            wrong_kind(d, key, value);
    } else if (key->kind == KIND_BOOL || key->kind == KIND_FREE_TEXT) {
        (void)is_kind(d, key, value, key->kind == KIND_BOOL ? NODE_BOOL : NODE_STRING);
    } else if (key->kind == KIND_TYPE || key->kind == KIND_ITEM_TYPE) {
        check_type(d, key, value);
    } else if (is_kind(d, key, value, NODE_STRING)) {
        check_word(d, key->name, value, key->words);
    }
}

static void check_source(struct contract_document *d, const struct key *key, struct node *value)
{
    (void)key;
    source_check(d, value);
}

static void check_condition(struct contract_document *d, const struct key *key, struct node *value)
{
    (void)key;
    condition_build(d, value);
}

static void check_date(struct contract_document *d, const struct key *key, struct node *value)
{
    check_text(d, key, value);
    if (node_text(value) && value->count > 0 && !date_parse(value->text, value->count, NULL))
        problem(d, value, AT_VALUE, "Write it as 2027-01-31.", "'%.*s' is no date",
                SHOWN(value->text));
}

/* An object whose keys are somebody else's to know, with values of one kind. */
static void check_members(struct contract_document *d, const struct key *key, struct node *value)
{
    const struct key member = {.name = key->name,
                               .kind = key->kind == KIND_MATCH ? KIND_PATTERN : KIND_TEXTS};

    if (!is_kind(d, key, value, NODE_OBJECT))
        return;
    for (struct node *at = value->first; at; at = at->next)
        kind_check(d, &member, at);
}

static void check_anything(struct contract_document *d, const struct key *key, struct node *value)
{
    (void)d, (void)key, (void)value;
}

typedef void (*kind_checker)(struct contract_document *, const struct key *, struct node *);

static const kind_checker checkers[KIND_COUNT_OF_KINDS] = {
    [KIND_ANY] = check_anything,
    [KIND_TEXT] = check_text,
    [KIND_FREE_TEXT] = check_scalar,
    [KIND_BOOL] = check_scalar,
    [KIND_COUNT] = check_count,
    [KIND_DURATION] = check_duration,
    [KIND_WORD] = check_scalar,
    [KIND_TEXTS] = check_list,
    [KIND_ARGV] = check_list,
    [KIND_WORDS] = check_list,
    [KIND_TEXT_OR_TEXTS] = check_list,
    [KIND_SCALAR] = check_scalar,
    [KIND_SCALARS] = check_list,
    [KIND_SECTION] = check_sections,
    [KIND_SECTION_MAP] = check_sections,
    [KIND_SECTION_LIST] = check_sections,
    [KIND_REFERENCE] = source_check_reference,
    [KIND_SOURCE] = check_source,
    [KIND_CONDITION] = check_condition,
    [KIND_BOUND] = check_scalar,
    [KIND_LENGTH] = check_length,
    [KIND_PATTERN] = check_pattern,
    [KIND_TEMPLATE] = check_template,
    [KIND_DEMAND] = check_demand,
    [KIND_DEMAND_OR_TEXTS] = check_demand,
    [KIND_PORTS] = check_ports,
    [KIND_QUERY] = check_query,
    [KIND_MOUNTS] = check_mounts,
    [KIND_URL_RULES] = check_rules,
    [KIND_ITEM_RULES] = check_rules,
    [KIND_PATH_RULES] = check_rules,
    [KIND_TYPE] = check_scalar,
    [KIND_ITEM_TYPE] = check_scalar,
    [KIND_VERSION] = check_version,
    [KIND_DATE] = check_date,
    [KIND_TEXTS_MAP] = check_members,
    [KIND_MATCH] = check_members,
    [KIND_SIGNAL] = signal_check,
    [KIND_SIGNALS] = signals_check,
    [KIND_EXIT_CODES] = codes_check,
    [KIND_ON_CHANGE] = change_check,
    [KIND_MODE] = mode_check,
    [KIND_LISTEN] = listen_check,
    [KIND_PERIOD] = period_check,
};

void kind_check(struct contract_document *d, const struct key *key, struct node *value)
{
    checkers[key->kind](d, key, value);
}
