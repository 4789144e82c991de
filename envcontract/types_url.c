/* envcontract/types_url.c: url, postgres-url and redis-url, and what the contract asks of their
 * parts.
 *
 * PostgreSQL's ?host=, ?hostaddr=, ?user=, ?password= and ?port= take the place of what stands
 * before the path: a rule that looked at the authority alone could be walked around. Of several
 * ?host= libpq takes the last, SQLAlchemy all, and a port behind each: every one is looked at. */
#include <string.h>

#include "base/str.h"
#include "base/url.h"
#include "envcontract/internal.h"

enum {
    HOST_BYTES = 256, /* a DNS name has 253 at most, an address fewer */
    /* What the parts cost, in steps. */
    HOST_STEPS = 20,      /* each, beside the globs */
    GLOB_STEPS = 4,       /* each, beside its bytes and a match's own steps */
    PORTS_OF_STEP = 4,    /* compared */
    PARAMETER_STEPS = 10, /* each rule, and one for each byte of the query */
};

/* One value on its way through the rules. */
struct subject {
    const struct validation *v;
    struct url url;
    bool postgres; /* its query names hosts, users and passwords, too */
};

/* `a`, `b` or `c` */
static void add_list(struct message *out, const char *const *list)
{
    for (size_t i = 0; list[i]; i++)
        message_addf(out, "%s`%s`", i == 0 ? "" : list[i + 1] ? ", " : " or ", list[i]);
}

static void add_unlisted(const struct validation *v, const char *rule, const char *what,
                         const char *const *list)
{
    struct message text = {0};
    add_list(&text, list);
    validation_add(v, rule, NULL, "%s, expected %s", what, text.text);
}

/* Whether GLOB matches TEXT, where there are steps for it. */
static bool glob_matches(const struct validation *v, const char *glob, const char *text,
                         size_t length)
{
    return steps_take(v->steps_left, GLOB_STEPS + strlen(glob)) &&
           (v->steps_left ? str_glob_within(glob, text, length, v->steps_left)
                          : str_glob(glob, text, length));
}

/* Whether there is nothing left to look with: then nothing is known, and nothing is said. */
static bool is_exhausted(const struct validation *v)
{
    return v->steps_left && *v->steps_left == 0;
}

static bool matches_any(const struct validation *v, const char *const *globs, const char *text,
                        size_t length)
{
    for (; *globs && !is_exhausted(v); globs++)
        if (glob_matches(v, *globs, text, length))
            return true;
    return is_exhausted(v);
}

/* ---- the scheme ----------------------------------------------------------------------------- */

static bool has_own_scheme(const struct url *url, enum contract_type type)
{
    if (type == TYPE_POSTGRES_URL)
        return url_is_postgres(url);
    if (type == TYPE_REDIS_URL)
        return url_scheme_is(url, "redis") || url_scheme_is(url, "rediss") ||
               url_scheme_is(url, "unix");
    return true;
}

static void check_scheme(const struct subject *s, enum contract_type type,
                         const char *const *allowed)
{
    if (!has_own_scheme(&s->url, type)) {
        validation_add(s->v, "scheme", NULL, "another scheme, expected %s",
                       type == TYPE_POSTGRES_URL ? "`postgres`, `postgresql` or `postgresql+DRIVER`"
                                                 : "`redis`, `rediss` or `unix`");
        return;
    }
    if (!allowed)
        return;
    for (const char *const *scheme = allowed; *scheme; scheme++)
        if (url_scheme_is(&s->url, *scheme))
            return;
    add_unlisted(s->v, "scheme", "another scheme", allowed);
}

/* ---- hosts ---------------------------------------------------------------------------------- */

/* In lower case into OUT, which has HOST_BYTES: hosts have no case. False: too long. */
static bool fold(char *out, const char *text, size_t length)
{
    if (length >= HOST_BYTES)
        return false;
    for (size_t i = 0; i < length; i++)
        out[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + ('a' - 'A') : text[i]);
    out[length] = '\0';
    return true;
}

/* HOST is folded. A last dot makes a name absolute and not another one. A glob that is longer than
 * any host is IN_DOUBT's. */
static bool host_matches(const struct validation *v, const char *const *globs, const char *host,
                         size_t length, bool in_doubt)
{
    if (length > 1 && host[length - 1] == '.')
        length--;
    for (; *globs && !is_exhausted(v); globs++) {
        char glob[HOST_BYTES];
        bool folded = fold(glob, *globs, strlen(*globs));
        if (folded ? glob_matches(v, glob, host, length) : in_doubt)
            return true;
    }
    return false;
}

/* One host against both lists; true: go on with the next one. */
static bool check_one_host(const struct subject *s, const struct contract_url_rules *rules,
                           const char *bytes, size_t length)
{
    char host[HOST_BYTES];
    if (!steps_take(s->v->steps_left, HOST_STEPS))
        return false;
    if (!fold(host, bytes, length)) {
        validation_add(s->v, "host", NULL, "the host has %d bytes or more", HOST_BYTES);
        return false;
    }
    bool listed = !rules->host || host_matches(s->v, rules->host, host, length, false);
    bool denied = rules->deny_host && host_matches(s->v, rules->deny_host, host, length, true);
    if (is_exhausted(s->v))
        return false;
    if (!listed) {
        add_unlisted(s->v, "host", length > 0 ? "another host" : "no host", rules->host);
        return false;
    }
    if (denied) {
        struct message text = {0};
        add_list(&text, rules->deny_host);
        validation_add(s->v, "host", NULL, "a host that is denied: %s", text.text);
        return false;
    }
    return true;
}

/* ?host=a,b and ?hostaddr=a,b. */
static bool check_named_hosts(const struct subject *s, const struct contract_url_rules *rules,
                              const struct url_span *list)
{
    AUTO_BUF text = BUF_INIT(list->length);
    if (url_decode(list, &text) != 0 || text.no_memory) {
        validation_add(s->v, "host", NULL, "a host in the query that cannot be decoded");
        return false;
    }
    const char *end = buf_text(&text) + text.len;
    for (const char *at = buf_text(&text); at <= end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma ? comma : end;
        if (!check_one_host(s, rules, at, url_named_host_length(at, (size_t)(stop - at))))
            return false;
        at = stop + 1;
    }
    return true;
}

/* Every ?NAME= of the query. */
static bool check_parameter(const struct subject *s, const struct contract_url_rules *rules,
                            const char *name)
{
    struct url_span key, list;
    for (size_t at = 0; url_next_query(&s->url, &at, &key, &list);)
        if (list.length > 0 && url_span_is(&key, name) && !check_named_hosts(s, rules, &list))
            return false;
    return true;
}

/* The first host that is wrong is reported, not each of a list. */
static void check_hosts(const struct subject *s, const struct contract_url_rules *rules)
{
    if (s->postgres) {
        if (!check_parameter(s, rules, "host") || !check_parameter(s, rules, "hostaddr"))
            return;
        if (url_query(&s->url, "host").length > 0)
            return;
    }
    struct url_span host, port;
    for (size_t at = 0; url_next_host(&s->url, &at, &host, &port);) {
        AUTO_BUF text = BUF_INIT(host.length);
        if (url_decode(&host, &text) != 0 || text.no_memory) {
            validation_add(s->v, "host", NULL, "a host that cannot be decoded");
            return;
        }
        if (!check_one_host(s, rules, buf_text(&text), text.len))
            return;
    }
}

/* ---- ports ---------------------------------------------------------------------------------- */

static const struct {
    const char *scheme;
    int64_t port;
} default_ports[] = {
    {"http", 80}, {"https", 443}, {"ws", 80}, {"wss", 443}, {"redis", 6379}, {"rediss", 6379},
};

int64_t types_default_port(const struct url *url)
{
    if (url_is_postgres(url))
        return 5432;
    for (size_t i = 0; i < ARRAY_LEN(default_ports); i++)
        if (url_scheme_is(url, default_ports[i].scheme))
            return default_ports[i].port;
    return 0;
}

static bool is_listed_port(const struct contract_url_rules *rules, int64_t port)
{
    for (size_t i = 0; i < rules->port_count; i++)
        if (rules->ports[i] == port)
            return true;
    return false;
}

static void add_port_violation(const struct subject *s, const struct contract_url_rules *rules)
{
    struct message text = {0};
    for (size_t i = 0; i < rules->port_count; i++)
        message_addf(&text, "%s%u",
                     i == 0                      ? ""
                     : i + 1 < rules->port_count ? ", "
                                                 : " or ",
                     (unsigned)rules->ports[i]);
    validation_add(s->v, "port", NULL, "another port, expected %s", text.text);
}

static void check_ports(const struct subject *s, const struct contract_url_rules *rules)
{
    struct url_span host, port;
    struct url_span named = s->postgres ? url_query(&s->url, "port") : (struct url_span){0};
    for (size_t at = 0; url_next_host(&s->url, &at, &host, &port);) {
        int64_t number = types_default_port(&s->url);
        if (!steps_take(s->v->steps_left, HOST_STEPS + rules->port_count / PORTS_OF_STEP))
            return;
        const struct url_span *written = named.length > 0 ? &named : &port;
        if (written->length > 0 && str_to_int64(written->start, written->length, &number) != 0)
            number = -1; /* a list, or no number: none of those that are expected */
        if (!is_listed_port(rules, number)) {
            add_port_violation(s, rules);
            return;
        }
    }
}

/* ---- user, password, query ------------------------------------------------------------------ */

/* The part before the '@', or for PostgreSQL what the query says in its place. */
static struct url_span credential(const struct subject *s, const struct url_span *before_at,
                                  const char *name)
{
    struct url_span named = s->postgres ? url_query(&s->url, name) : (struct url_span){0};
    return named.start ? named : *before_at;
}

static bool check_demand(const struct subject *s, enum contract_demand demand, const char *rule,
                         const struct url_span *part)
{
    if (demand == DEMAND_PRESENT && part->length == 0) {
        validation_add(s->v, rule, NULL, "no %s, expected one", rule);
        return false;
    }
    if (demand == DEMAND_ABSENT && part->length > 0) {
        validation_add(s->v, rule, NULL, "a %s, expected none", rule);
        return false;
    }
    return true;
}

/* Whether the span, decoded, matches one of the globs; true also where that is not known. */
static bool span_matches(const struct subject *s, const struct url_span *span,
                         const char *const *globs)
{
    AUTO_BUF text = BUF_INIT(span->length);
    return url_decode(span, &text) == 0 && !text.no_memory &&
           matches_any(s->v, globs, buf_text(&text), text.len);
}

static void check_user(const struct subject *s, const struct contract_url_rules *rules)
{
    struct url_span user = credential(s, &s->url.user, "user");
    if (check_demand(s, rules->user, "user", &user) && rules->user_patterns && user.length > 0 &&
        !span_matches(s, &user, rules->user_patterns))
        add_unlisted(s->v, "user", "another user", rules->user_patterns);
}

static size_t count_query(const struct url *url, const char *name)
{
    struct url_span key, value;
    size_t count = 0;
    for (size_t at = 0; url_next_query(url, &at, &key, &value);)
        count += url_span_is(&key, name);
    return count;
}

static void check_query(const struct subject *s, const struct contract_query_rule *rule)
{
    if (!steps_take(s->v->steps_left, PARAMETER_STEPS + s->url.query.length))
        return;
    struct url_span value = url_query(&s->url, rule->name);
    if (!value.start) {
        if (rule->demand != DEMAND_PRESENT)
            return;
        struct message text = {0};
        if (rule->values)
            add_list(&text, rule->values);
        validation_add(s->v, "query", NULL, "no `%s` in the query, expected %s", rule->name,
                       rule->values ? text.text : "one");
        return;
    }
    if (rule->demand == DEMAND_ABSENT)
        validation_add(s->v, "query", NULL, "`%s` in the query, expected none", rule->name);
    else if (count_query(&s->url, rule->name) >
             1) /* one reader takes the first, another the last */
        validation_add(s->v, "query", NULL, "`%s` more than once in the query", rule->name);
    else if (rule->values && !span_matches(s, &value, rule->values)) {
        struct message what = {0};
        message_addf(&what, "another `%s` in the query", rule->name);
        add_unlisted(s->v, "query", what.text, rule->values);
    }
}

/* ---- the whole ------------------------------------------------------------------------------ */

static bool is_digits(const struct url_span *span, size_t from)
{
    for (size_t i = from; i < span->length; i++)
        if (span->start[i] < '0' || span->start[i] > '9')
            return false;
    return true;
}

static bool has_byte(const struct url_span *span, char c)
{
    return span->length > 0 && memchr(span->start, c, span->length);
}

/* user:12/rest@host reads as the host `user` with a port: the password's tail would be used, and
 * shown, as a database. */
static bool is_cut_in_password(const struct url *url)
{
    if (url->user.start)
        return false;
    return has_byte(&url->path, '@') || has_byte(&url->fragment, '@') ||
           (has_byte(&url->query, '@') && !has_byte(&url->query, '='));
}

/* What the URL must have to be usable at all; true: go on with the contract's rules. */
static bool check_structure(const struct subject *s, enum contract_type type)
{
    const struct url *url = &s->url;
    bool by_socket = url_scheme_is(url, "unix");
    bool needs_host = type == TYPE_REDIS_URL ? !by_socket
                                             : types_default_port(&s->url) != 0 && !s->postgres;
    if (needs_host && url->host.length == 0) {
        validation_add(s->v, "host", NULL, "no host");
        return false;
    }
    if (type != TYPE_URL && is_cut_in_password(url)) {
        validation_add(s->v, "type", "A '/', '?' or '#' in a password is written %2F, %3F, %23.",
                       "an '@' behind the host, and no user before it");
        return false;
    }
    if (type == TYPE_REDIS_URL && !by_socket && !is_digits(&url->path, 1)) {
        validation_add(s->v, "type", NULL, "expected nothing or a database's number as the path");
        return false;
    }
    return true;
}

void types_validate_url(const struct validation *v, const struct contract_rules *rules,
                        const char *bytes, size_t length)
{
    static const char *const names[] = {[TYPE_URL] = "a URL",
                                        [TYPE_POSTGRES_URL] = "a PostgreSQL URL",
                                        [TYPE_REDIS_URL] = "a Redis URL"};
    struct subject s = {.v = v};
    struct err err = ERR_INIT;
    if (url_parse(bytes, length, &s.url, ERR_VIOLATION, &err) != 0) {
        struct message shape = {0};
        shape_add_length(&shape, bytes, length);
        message_addf(&shape, ", expected %s: %s", names[rules->type], err.text);
        shape_add_oddities(&shape, bytes, length);
        validation_add(v, "type", err.hint[0] ? err.hint : NULL, "%s", shape.text);
        return;
    }
    s.postgres = url_is_postgres(&s.url);

    const struct contract_url_rules *url = rules->url;
    check_scheme(&s, rules->type, url ? url->scheme : NULL);
    if (!check_structure(&s, rules->type) || !url)
        return;
    if (url->host || url->deny_host)
        check_hosts(&s, url);
    if (url->port_count > 0)
        check_ports(&s, url);
    check_user(&s, url);
    struct url_span password = credential(&s, &s.url.password, "password");
    (void)check_demand(&s, url->password, "password", &password); /* it has no more to say */
    for (size_t i = 0; i < url->query_count; i++)
        check_query(&s, &url->query[i]);
}
