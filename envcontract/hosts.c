/* envcontract/hosts.c: the parts of a URL, as a connection would use them. */
#include <string.h>

#include "base/str.h"
#include "base/url.h"
#include "envcontract/check.h"

static void add_lower(struct buf *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        buf_addc(out, text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + ('a' - 'A')) : text[i]);
}

/* Every host that is named, however often. */
struct walk {
    host_visit visit;
    void *context;
    bool stopped, no_memory;
};

/* A last dot makes a name absolute and not another one. */
static void visit_host(struct walk *w, const char *host, size_t length)
{
    AUTO_BUF folded = BUF_INIT(length);

    if (w->stopped || w->no_memory)
        return;
    if (length > 1 && host[length - 1] == '.')
        length--;
    add_lower(&folded, host, length);
    w->no_memory = folded.no_memory;
    w->stopped = !w->no_memory && !w->visit(buf_text(&folded), folded.len, w->context);
}

/* LIST is encoded; SEVERAL: commas part hosts, as in ?host=. */
static void visit_encoded(struct walk *w, const struct url_span *list, bool several)
{
    AUTO_BUF text = BUF_INIT(list->length);

    if (url_decode(list, &text) != 0 || text.no_memory) {
        w->no_memory = w->no_memory || text.no_memory;
        return;
    }
    const char *end = buf_text(&text) + text.len;
    for (const char *at = buf_text(&text); at <= end;) {
        const char *comma = several ? memchr(at, ',', (size_t)(end - at)) : NULL;
        const char *stop = comma ? comma : end;
        size_t length = (size_t)(stop - at);
        visit_host(w, at, several ? url_named_host_length(at, length) : length);
        at = stop + 1;
    }
}

/* Every ?NAME= of the query: libpq takes the last of several, SQLAlchemy all of them. */
static void visit_parameter(struct walk *w, const struct url *url, const char *name)
{
    struct url_span key, list;

    for (size_t at = 0; url_next_query(url, &at, &key, &list);)
        if (list.length > 0 && url_span_is(&key, name))
            visit_encoded(w, &list, true);
}

static void visit_authority(struct walk *w, const struct url *url, bool postgres)
{
    struct url_span host, port;
    bool any = false;

    for (size_t at = 0; url_next_host(url, &at, &host, &port);) {
        if (host.length == 0)
            continue;
        visit_encoded(w, &host, false);
        any = true;
    }
    if (!any && postgres)
        visit_host(w, "/", 1);
}

static void visit_url(struct walk *w, const char *bytes, size_t length)
{
    struct err unused = ERR_INIT; /* what is no URL is types_validate's to report */
    struct url url;

    if (url_parse(bytes, length, &url, ERR_VIOLATION, &unused) != 0)
        return;
    bool postgres = url_is_postgres(&url);
    struct url_span none = {0};
    struct url_span named = postgres ? url_query(&url, "host") : none;
    struct url_span address = postgres ? url_query(&url, "hostaddr") : none;
    if (postgres) {
        visit_parameter(w, &url, "host");
        visit_parameter(w, &url, "hostaddr");
    }
    if (named.length == 0 && !(address.length > 0 && url.host.length == 0))
        visit_authority(w, &url, postgres);
}

bool hosts_each(enum contract_type type, const char *bytes, size_t length, host_visit visit,
                void *context)
{
    struct walk w = {.visit = visit, .context = context};

    if (contract_type_constraints(type) & HAS_URL)
        visit_url(&w, bytes, length);
    else if (type == TYPE_HOST)
        visit_host(&w, bytes, length);
    return !w.no_memory;
}

/* ---- parts ---------------------------------------------------------------------------------- */

static bool add_span(const struct url_span *span, struct buf *out)
{
    return span->start && url_decode(span, out) == 0;
}

static bool add_one_host(const char *host, size_t length, void *context)
{
    struct buf *out = context;

    if (out->len > 0)
        buf_addc(out, ',');
    buf_add(out, host, length);
    return true;
}

static bool add_host(const char *bytes, size_t length, struct buf *out)
{
    if (!hosts_each(TYPE_URL, bytes, length, add_one_host, out))
        out->no_memory = true;
    return out->len > 0;
}

/* The first port: of several hosts each should have its own rule. */
static bool add_port(const struct url *url, struct buf *out)
{
    struct url_span named = url_is_postgres(url) ? url_query(url, "port") : (struct url_span){0};
    struct url_span host, port = {0};
    size_t at = 0;

    (void)url_next_host(url, &at, &host, &port); /* there is one, if an empty one */
    const struct url_span *written = named.length > 0 ? &named : &port;
    if (written->length > 0)
        return add_span(written, out);
    int64_t number = types_default_port(url);
    if (number > 0)
        buf_addf(out, "%lld", (long long)number);
    return number > 0;
}

static bool add_database(const struct url *url, struct buf *out)
{
    struct url_span named = url_is_postgres(url) ? url_query(url, "dbname") : (struct url_span){0};
    struct url_span path = url->path;

    if (named.length > 0)
        return add_span(&named, out);
    if (path.length < 2) /* nothing behind the slash */
        return false;
    path.start++;
    path.length--;
    return add_span(&path, out);
}

static bool add_user(const struct url *url, struct buf *out)
{
    struct url_span named = url_is_postgres(url) ? url_query(url, "user") : (struct url_span){0};

    return add_span(named.start ? &named : &url->user, out);
}

bool url_part_add(const char *bytes, size_t length, const struct contract_reference *part,
                  struct buf *out)
{
    struct err unused = ERR_INIT; /* what is no URL is types_validate's to report */
    struct url url;

    if (url_parse(bytes, length, &url, ERR_VIOLATION, &unused) != 0)
        return false;
    switch (part->part) {
    case PART_SCHEME:
        add_lower(out, url.scheme.start, url.scheme.length);
        return true;
    case PART_USER:
        return add_user(&url, out);
    case PART_HOST:
        return add_host(bytes, length, out);
    case PART_PORT:
        return add_port(&url, out);
    case PART_DATABASE:
        return add_database(&url, out);
    case PART_QUERY: {
        struct url_span value = url_query(&url, part->parameter);
        return add_span(&value, out);
    }
    case PART_WHOLE:
        break;
    }
    buf_add(out, bytes, length);
    return true;
}
