/* envcontract/docs_value.c: values that only have the right shape, and how a value is written. */
#include <string.h>

#include "base/str.h"
#include "envcontract/docs.h"

enum { SAMPLE_MAX_BYTES = 4096 };

bool docs_value_fits(struct docs_look *look, const struct contract_variable *variable,
                     const char *text)
{
    AUTO_FINDINGS findings = FINDINGS_INIT;
    struct contract_rules rules = *variable->rules;
    const struct validation validation = {.variable = variable,
                                          .position = &variable->position,
                                          .subject = "",
                                          .findings = &findings};

    rules.path = NULL; /* what exists here says nothing about there, and the text must not change */
    types_validate(&validation, &rules, text, strlen(text));
    if (findings.no_memory)
        look->d->no_memory = true;
    return findings.count == 0 && !placeholder_unresolved(text, strlen(text));
}

/* A text that a glob matches: what may be anything is "example". */
static void add_of_glob(struct buf *out, const char *glob)
{
    for (; *glob; glob++) {
        if (*glob == '*')
            buf_adds(out, "example");
        else if (*glob == '?')
            buf_addc(out, 'x');
        else if (*glob != '\\')
            buf_addc(out, *glob);
    }
}

static void add_query(struct buf *out, const struct contract_url_rules *rules)
{
    size_t count = 0;

    for (size_t i = 0; i < rules->query_count; i++) {
        if (rules->query[i].demand != DEMAND_PRESENT)
            continue;
        buf_addf(out, "%c%s=", count++ > 0 ? '&' : '?', rules->query[i].name);
        if (rules->query[i].values && rules->query[i].values[0])
            add_of_glob(out, rules->query[i].values[0]);
        else
            buf_adds(out, "example");
    }
}

static void add_url(struct buf *out, const struct contract_url_rules *rules, const char *scheme,
                    const char *host, const char *behind)
{
    static const struct contract_url_rules none = {0};

    if (!rules)
        rules = &none;
    buf_addf(out, "%s://", rules->scheme && rules->scheme[0] ? rules->scheme[0] : scheme);
    if (rules->user == DEMAND_PRESENT || rules->password == DEMAND_PRESENT) {
        if (rules->user_patterns && rules->user_patterns[0])
            add_of_glob(out, rules->user_patterns[0]);
        else
            buf_adds(out, "user");
        buf_adds(out, rules->password == DEMAND_PRESENT ? ":password@" : "@");
    }
    if (rules->host && rules->host[0])
        add_of_glob(out, rules->host[0]);
    else
        buf_adds(out, host);
    if (rules->port_count > 0)
        buf_addf(out, ":%u", (unsigned)rules->ports[0]);
    buf_adds(out, behind);
    add_query(out, rules);
}

static void add_repeated(struct buf *out, const char *piece, size_t times)
{
    for (size_t i = 0; i < times && i < SAMPLE_MAX_BYTES; i++)
        buf_adds(out, piece);
}

/* Types whose samples are always the same. */
static const struct {
    const char *type, *sample;
} samples[] = {
    {"bool", "true"},
    {"int", "1"},
    {"number", "1"},
    {"port", "8080"},
    {"duration", "30s"},
    {"bytes", "10MB"},
    {"host", "example.internal"},
    {"ip", "192.0.2.1"},
    {"cidr", "192.0.2.0/24"},
    {"email", "someone@example.com"},
    {"uuid", "00000000-0000-4000-8000-000000000000"},
    {"semver", "1.0.0"},
    {"date", "2026-01-31"},
    {"json", "{}"},
    {"path", "/tmp"},
};

static bool add_sample(struct buf *out, const struct contract_rules *rules, const char *type)
{
    if (str_eq(type, "url")) {
        add_url(out, rules->url, "https", "example.com", "/");
    } else if (str_eq(type, "postgres-url")) {
        add_url(out, rules->url, "postgresql", "localhost", "/app");
    } else if (str_eq(type, "redis-url")) {
        add_url(out, rules->url, "redis", "localhost", "/0");
    } else if (str_eq(type, "base64")) {
        add_repeated(out, "AAAA", rules->min_bytes / 3 + 1);
    } else if (str_eq(type, "hex")) {
        add_repeated(out, "00", rules->min_bytes > 0 ? rules->min_bytes : 1);
    } else if (str_eq(type, "string")) {
        buf_adds(out, rules->prefix ? rules->prefix : "");
        buf_adds(out, "example");
        while (rules->has_length && out->len < rules->length_min && out->len < SAMPLE_MAX_BYTES)
            buf_addc(out, 'x');
        if (rules->has_length && out->len > rules->length_max)
            out->len = rules->length_max;
    } else {
        for (size_t i = 0; i < ARRAY_LEN(samples); i++)
            if (str_eq(samples[i].type, type))
                buf_adds(out, samples[i].sample);
    }
    return out->len > 0;
}

static const char *kept_if_it_fits(struct docs_look *look, const struct contract_variable *variable,
                                   const char *text)
{
    if (!text || !*text || !docs_value_fits(look, variable, text))
        return NULL;
    const char *kept = arena_dup(&look->arena, text);
    if (!kept)
        look->d->no_memory = true;
    return kept;
}

/* A list of one item; its constraints are those that the whole is checked against. */
static void add_list_sample(struct buf *out, const struct node *item)
{
    static const struct contract_rules plain = {.length_max = SIZE_MAX};
    const struct node *values = node_member(item, "values");
    const struct node *scheme = node_member(node_member(item, "url"), "scheme");
    const char *type = node_text(node_member(item, "type"));
    const char *first = NULL;

    if (values && values->kind == NODE_ARRAY && values->first)
        first = node_scalar(values->first);
    if (!first && node_member(item, "min"))
        first = node_scalar(node_member(item, "min"));
    if (first) {
        buf_adds(out, first);
        return;
    }
    if (str_eq(type, "url") && scheme) {
        const char *name = node_text(scheme->kind == NODE_ARRAY ? scheme->first : scheme);
        buf_addf(out, "%s://example.com", name ? name : "https");
        return;
    }
    buf_adds(out,
             node_text(node_member(item, "prefix")) ? node_text(node_member(item, "prefix")) : "");
    (void)add_sample(out, &plain, type ? type : "string"); /* nothing: the check below says so */
}

const char *docs_made_up(struct docs_look *look, const struct contract_variable *variable,
                         const struct layers *layers)
{
    const struct contract_rules *rules = variable->rules;
    const char *type = node_text(layers->at[VARIABLE_TYPE]);
    AUTO_BUF sample = BUF_INIT(SAMPLE_MAX_BYTES);
    const char *found = NULL;

    for (const char *const *value = rules->values; value && *value && !found; value++)
        found = kept_if_it_fits(look, variable, *value);
    if (!found && str_eq(type, "list"))
        add_list_sample(&sample, layers->at[VARIABLE_ITEM]);
    else if (!found)
        (void)add_sample(&sample, rules, type ? type : "string"); /* none: it does not fit */
    if (sample.no_memory)
        look->d->no_memory = true;
    if (!found)
        found = kept_if_it_fits(look, variable, buf_text(&sample));
    if (!found)
        found = kept_if_it_fits(look, variable, rules->min.text);
    return found ? found : kept_if_it_fits(look, variable, rules->max.text);
}

/* ---- writing ---------------------------------------------------------------------------------- */

/* Letters, digits and marks that mean nothing to any reader of env files. */
static bool is_plain(const char *text)
{
    for (; *text; text++)
        if (!(*text >= 'a' && *text <= 'z') && !(*text >= 'A' && *text <= 'Z') &&
            !(*text >= '0' && *text <= '9') && !strchr("@%+=:,./_-", *text))
            return false;
    return true;
}

static bool needs_escapes(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f || *text == '\'' || *text == '\\')
            return true;
    return false;
}

/* A backslash at the end of quotes is taken for that of a quote by python-dotenv: where the value can
 * do without quotes, it stands as it is. */
static bool ends_quotes_badly(const char *text)
{
    size_t length = strlen(text);

    for (size_t i = 0; i < length; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return length > 0 && text[length - 1] == '\\' && text[0] != '\'' && text[0] != '"';
}

/* One line always, so that it can stand behind a '#'. */
void docs_add_assignment(struct buf *out, const char *name, const char *value)
{
    static const char letters[] = "abfnrtv", bytes[] = "\a\b\f\n\r\t\v";

    buf_addf(out, "%s=", name);
    if (is_plain(value) || ends_quotes_badly(value)) {
        buf_adds(out, value);
    } else if (!needs_escapes(value)) {
        buf_addf(out, "'%s'", value);
    } else {
        buf_addc(out, '"');
        for (; *value; value++) {
            const char *place = strchr(bytes, *value);
            if (*value == '\\' || *value == '"')
                buf_addc(out, '\\');
            if (place)
                buf_addf(out, "\\%c", letters[place - bytes]);
            else
                buf_addc(out, *value);
        }
        buf_addc(out, '"');
    }
    buf_addc(out, '\n');
}
