/* envcontract/docs_type.c: a variable's type and constraints in words, its demand and default. */
#include <string.h>

#include "base/str.h"
#include "envcontract/docs.h"

/* What the words are made of: a variable's keys, or those of a list's `item`. */
struct shape {
    const struct node *type, *values, *min, *max, *length, *min_bytes, *pattern, *prefix, *url,
        *path, *item, *separator;
};

static const struct {
    const char *type, *words, *many; /* many: of a list's items; NULL: words does */
} type_words[] = {
    {"string", "text", "texts"},
    {"enum", "a word", "words"},
    {"bool", "true or false", "true or false"},
    {"int", "a whole number", "whole numbers"},
    {"number", "a number", "numbers"},
    {"port", "a port", "ports"},
    {"duration", "a duration such as 30s", "durations such as 30s"},
    {"bytes", "a size such as 10MB", "sizes such as 10MB"},
    {"url", "a URL", "URLs"},
    {"postgres-url", "a PostgreSQL URL", "PostgreSQL URLs"},
    {"redis-url", "a Redis URL", "Redis URLs"},
    {"host", "a host", "hosts"},
    {"ip", "an IP address", "IP addresses"},
    {"cidr", "a network such as 10.0.0.0/8", "networks such as 10.0.0.0/8"},
    {"email", "an e-mail address", "e-mail addresses"},
    {"uuid", "a UUID", "UUIDs"},
    {"semver", "a version such as 1.2.3", "versions such as 1.2.3"},
    {"date", "a date such as 2026-01-31", "dates such as 2026-01-31"},
    {"hex", "hexadecimal digits", NULL},
    {"base64", "base64", NULL},
    {"json", "JSON", NULL},
    {"pem", "PEM", NULL},
    {"path", "a path", "paths"},
    {"jwt", "a JWT", "JWTs"},
};

static void add_type(struct docs_words *w, const struct node *type, bool many)
{
    const char *name = node_text(type) ? node_text(type) : "string";

    for (size_t i = 0; i < ARRAY_LEN(type_words); i++) {
        if (str_eq(type_words[i].type, name)) {
            docs_say(w, many && type_words[i].many ? type_words[i].many : type_words[i].words);
            return;
        }
    }
    docs_text(w, name);
}

/* `a`, `b` or `c`, of a list or of the one text or number that stands for it. */
static void add_choice(struct docs_words *w, const struct node *value)
{
    bool list = value->kind == NODE_ARRAY;

    for (const struct node *item = list ? value->first : value; item;
         item = list ? item->next : NULL) {
        if (list && item != value->first)
            docs_say(w, item->next ? ", " : " or ");
        docs_code(w, node_scalar(item) ? node_scalar(item) : "");
    }
}

static void add_range(struct docs_words *w, const char *min, const char *max, const char *unit)
{
    if (!min && !max)
        return;
    docs_say(w, ", ");
    if (min && max) {
        docs_say(w, "from ");
        docs_text(w, min);
        docs_say(w, " to ");
        docs_text(w, max);
    } else {
        docs_say(w, min ? "at least " : "at most ");
        docs_text(w, min ? min : max);
    }
    docs_say(w, unit);
}

static void add_demand(struct docs_words *w, const struct node *value, const char *what)
{
    if (!value)
        return;
    if (str_eq(node_text(value), "required") || str_eq(node_text(value), "forbidden")) {
        docs_say(w, str_eq(node_text(value), "required") ? ", with a " : ", without a ");
        docs_say(w, what);
    } else {
        docs_say(w, ", ");
        docs_say(w, what);
        docs_say(w, " ");
        add_choice(w, value);
    }
}

static void add_query(struct docs_words *w, const struct node *query)
{
    for (const struct node *m = query && query->kind == NODE_OBJECT ? query->first : NULL; m;
         m = m->next) {
        bool forbidden = m->kind == NODE_BOOL && !m->truth;
        docs_say(w, forbidden ? ", without the parameter " : ", with the parameter ");
        docs_code(w, m->key);
        if (m->kind != NODE_BOOL) {
            docs_say(w, " ");
            add_choice(w, m);
        }
    }
}

static void add_url(struct docs_words *w, const struct node *url)
{
    static const struct {
        const char *key, *before;
    } parts[] = {{"scheme", ", scheme "},
                 {"host", ", host "},
                 {"deny_host", ", never the host "},
                 {"port", ", port "}};

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const struct node *value = node_member(url, parts[i].key);
        if (!value || value->kind == NODE_NULL)
            continue;
        docs_say(w, parts[i].before);
        add_choice(w, value);
    }
    add_demand(w, node_member(url, "user"), "user");
    add_demand(w, node_member(url, "password"), "password");
    add_query(w, node_member(url, "query"));
}

static void add_path(struct docs_words *w, const struct node *path)
{
    const struct node *dir = node_member(path, "dir");

    if (dir && dir->kind == NODE_BOOL)
        docs_say(w, dir->truth ? ", a folder" : ", no folder");
    if (node_truth(node_member(path, "must_exist"), false))
        docs_say(w, ", which exists");
    if (node_truth(node_member(path, "readable"), false))
        docs_say(w, ", readable");
}

static void add_constraints(struct docs_words *w, const struct shape *s)
{
    add_range(w, node_scalar(s->min), node_scalar(s->max), "");
    if (s->length && s->length->kind == NODE_ARRAY && s->length->count == 2)
        add_range(w,
                  str_eq(node_scalar(s->length->first), "0") ? NULL : node_scalar(s->length->first),
                  node_scalar(s->length->first->next), " characters");
    if (node_integer(s->min_bytes, 0) > 0)
        add_range(w, node_scalar(s->min_bytes), NULL, " bytes when decoded");
    if (node_text(s->prefix)) {
        docs_say(w, ", beginning with ");
        docs_code(w, node_text(s->prefix));
    }
    if (node_text(s->pattern)) {
        docs_say(w, ", matching ");
        docs_code(w, node_text(s->pattern));
    }
    add_url(w, s->url);
    add_path(w, s->path);
}

static void add_values(struct docs_words *w, const struct shape *s, bool many)
{
    bool one = s->values->count == 1;

    docs_say(w, one ? "only " : many ? "each one of " : "one of ");
    add_choice(w, s->values);
}

static void add_shape(struct docs_words *w, const struct shape *s, bool many);

static void add_list(struct docs_words *w, const struct shape *s)
{
    const struct node *item = s->item && s->item->kind == NODE_OBJECT ? s->item : NULL;
    const struct shape of = {
        .type = node_member(item, "type"),
        .values = node_member(item, "values"),
        .min = node_member(item, "min"),
        .max = node_member(item, "max"),
        .length = node_member(item, "length"),
        .min_bytes = node_member(item, "min_bytes"),
        .pattern = node_member(item, "pattern"),
        .prefix = node_member(item, "prefix"),
        .url = node_member(item, "url"),
        .path = node_member(item, "path"),
    };

    docs_say(w, "a list, separated by ");
    docs_code(w, node_text(s->separator) ? node_text(s->separator) : ",");
    docs_say(w, ", of ");
    add_shape(w, &of, true);
    add_constraints(w, &(struct shape){.min = s->min,
                                       .max = s->max,
                                       .length = s->length,
                                       .pattern = s->pattern,
                                       .prefix = s->prefix});
}

static void add_shape(struct docs_words *w, const struct shape *s, bool many)
{
    bool values = s->values && s->values->kind == NODE_ARRAY && s->values->count > 0;

    if (str_eq(node_text(s->type), "list") && !many) {
        add_list(w, s);
        return;
    }
    if (values && (!s->type || str_eq(node_text(s->type), "enum"))) {
        add_values(w, s, many);
    } else {
        add_type(w, s->type, many);
        if (values) {
            docs_say(w, ", ");
            add_values(w, s, many);
        }
    }
    add_constraints(w, s);
}

void docs_type(struct docs_look *look, const struct docs_view *view, struct docs_words *w)
{
    const struct node *const *at = view->layers.at;
    unsigned constraints = contract_type_constraints(view->variable.rules->type);
    const struct shape shape = {
        .type = at[VARIABLE_TYPE],
        .values = at[VARIABLE_VALUES],
        .min = at[VARIABLE_MIN],
        .max = at[VARIABLE_MAX],
        .length = at[VARIABLE_LENGTH],
        .min_bytes = at[VARIABLE_MIN_BYTES],
        .pattern = at[VARIABLE_PATTERN],
        .prefix = at[VARIABLE_PREFIX],
        .url = constraints & HAS_URL ? at[VARIABLE_URL] : NULL, /* base may say it for others */
        .path = constraints & HAS_PATH ? at[VARIABLE_PATH] : NULL,
        .item = at[VARIABLE_ITEM],
        .separator = at[VARIABLE_SEPARATOR],
    };

    (void)look;
    add_shape(w, &shape, false);
    if (node_truth(at[VARIABLE_DISTINCT], false))
        docs_say(w, ", the same as no other secret");
    if (str_eq(node_text(at[VARIABLE_EMPTY]), "ok"))
        docs_say(w, ", may be empty");
}

void docs_required(struct docs_look *look, const struct docs_view *view, struct docs_words *w)
{
    const struct node *const *at = view->layers.at;
    const struct contract_rules *rules = view->variable.rules;
    const struct node *forbidden = at[VARIABLE_FORBIDDEN];

    (void)look;
    if (!rules->required) {
        docs_say(w, "no");
    } else if (rules->required_when) {
        docs_say(w, "when ");
        docs_condition(w, at[VARIABLE_REQUIRED]);
    } else {
        docs_say(w, "yes");
    }
    if (!forbidden || (forbidden->kind == NODE_BOOL && !forbidden->truth))
        return;
    docs_say(w, "; forbidden ");
    if (forbidden->kind == NODE_OBJECT)
        docs_say(w, "when ");
    docs_condition(w, forbidden);
}

void docs_default(struct docs_look *look, const struct docs_view *view, struct docs_words *w)
{
    (void)look;
    if (view->variable.rules->default_value)
        docs_code(w, view->variable.rules->default_value);
}
