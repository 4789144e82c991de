/* base/url.c: a URL taken apart, in place. */
#include "base/url.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

enum {
    PORT_MAX = 65535,
    PORT_DIGITS_MAX = 5,
    HOST_TEXT_BYTES = 256, /* a DNS name has 253 at most, an address fewer */
};

/* The text while it is taken apart. */
struct parse {
    const char *text, *end;
    enum err_kind kind;
    struct err *err;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static struct url_span span_of(const char *start, const char *end)
{
    return (struct url_span){.start = start, .length = (size_t)(end - start)};
}

/* The first C, or END. */
static const char *find_byte(const char *start, const char *end, char c)
{
    const char *found = start < end ? memchr(start, c, (size_t)(end - start)) : NULL;
    return found ? found : end;
}

static int fail_at(const struct parse *p, const char *where, const char *what)
{
    return err_set(p->err, p->kind, "%s at byte %zu", what, (size_t)(where - p->text) + 1);
}

/* White space, control bytes and escapes are the same matter in every part. NUL is found here, so
 * that strchr() over a set is safe afterwards. */
static int check_bytes(const struct parse *p)
{
    for (const char *c = p->text; c < p->end; c++) {
        if (*c == ' ' || (*c >= '\t' && *c <= '\r'))
            return fail_at(p, c, "white space");
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return fail_at(p, c, "a control byte");
        if (*c != '%')
            continue;
        if (p->end - c < 3 || str_hex_digit(c[1]) < 0 || str_hex_digit(c[2]) < 0) {
            (void)fail_at(p, c, "a '%' without two hexadecimal digits behind it");
            return err_hint(p->err, "A '%%' that is meant as such is written %%25.");
        }
    }
    return 0;
}

static int take_scheme(const struct parse *p, struct url *url, const char **rest)
{
    const char *c = p->text;
    while (c < p->end && (is_letter(*c) || is_digit(*c) || *c == '+' || *c == '-' || *c == '.'))
        c++;
    if (c == p->text || !is_letter(*p->text) || p->end - c < 3 || memcmp(c, "://", 3) != 0) {
        (void)err_set(p->err, p->kind, "no scheme: a URL begins with a name and \"://\"");
        return -1;
    }
    url->scheme = span_of(p->text, c);
    *rest = c + 3;
    return 0;
}

/* RFC 3986: unreserved / pct-encoded / sub-delims. What else programs read differently (a backslash
 * above all) is how one host passes for another. */
static bool is_host_byte(char c)
{
    return is_letter(c) || is_digit(c) || strchr("-._~%!$&'()*+;=", c);
}

/* HOST, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT, cut without a look at their bytes. Returns NULL, or
 * where something stands that is no part of these. */
static const char *cut_host(const char *start, const char *end, struct url_span *host,
                            struct url_span *port)
{
    const char *behind;
    if (start < end && *start == '[') {
        const char *close = find_byte(start, end, ']');
        if (close == end)
            return start;
        *host = span_of(start + 1, close);
        behind = close + 1;
    } else {
        behind = find_byte(start, end, ':');
        *host = span_of(start, behind);
    }
    *port = (struct url_span){0};
    if (behind < end && *behind != ':')
        return behind;
    if (behind < end)
        *port = span_of(behind + 1, end);
    return NULL;
}

static bool is_ipv6(const struct url_span *host)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    const char *zone = find_byte(host->start, host->start + host->length, '%');
    size_t length = (size_t)(zone - host->start);
    if (length >= sizeof text)
        return false;
    memcpy(text, host->start, length);
    text[length] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

static bool is_port(const struct url_span *port)
{
    int64_t number;
    for (size_t i = 0; i < port->length; i++)
        if (!is_digit(port->start[i]))
            return false;
    return str_to_int64(port->start, port->length, &number) == 0 && number >= 1 &&
           number <= PORT_MAX;
}

static int take_host(const struct parse *p, const char *start, const char *end,
                     struct url_span *host, struct url_span *port)
{
    const char *stray = cut_host(start, end, host, port);
    if (stray)
        return fail_at(p, stray,
                       *stray == '[' ? "a '[' that is not closed"
                                     : "neither a port nor a path behind the ']'");
    if (start < end && *start == '[') {
        if (!is_ipv6(host))
            return fail_at(p, start, "brackets without an IPv6 address in them");
    } else {
        for (size_t i = 0; i < host->length; i++)
            if (!is_host_byte(host->start[i]))
                return fail_at(p, host->start + i, "a byte that no host name has");
    }
    if (port->length > 0 && !is_port(port)) /* "host:" is a host, says RFC 3986 */
        return fail_at(p, port->start, "a port that is not a number from 1 to 65535");
    return 0;
}

bool url_next_host(const struct url *url, size_t *position, struct url_span *host,
                   struct url_span *port)
{
    if (!url->host.start || *position > url->host.length)
        return false;
    if (!url->has_host_list) {
        *host = url->host;
        *port = url->port;
        *position = url->host.length + 1;
        return true;
    }
    const char *start = url->host.start + *position;
    const char *list_end = url->host.start + url->host.length;
    const char *end = find_byte(start, list_end, ',');
    *position = (size_t)(end - url->host.start) + 1;
    return !cut_host(start, end, host, port);
}

static int take_hosts(const struct parse *p, const char *start, const char *end, struct url *url)
{
    bool list = find_byte(start, end, ',') != end;
    if (!list)
        return take_host(p, start, end, &url->host, &url->port);

    for (const char *c = start; c <= end;) {
        const char *comma = find_byte(c, end, ',');
        struct url_span host, port;
        if (take_host(p, c, comma, &host, &port) != 0)
            return -1;
        c = comma + 1;
    }
    url->host = span_of(start, end);
    url->has_host_list = true;
    return 0;
}

static int hint_at_at(struct err *err)
{
    return err_hint(err, "An '@' in a user's name or a password is written %%40.");
}

static int take_authority(const struct parse *p, const char *start, const char *end,
                          struct url *url)
{
    const char *at = find_byte(start, end, '@');
    if (at == end)
        return take_hosts(p, start, end, url);

    const char *second = find_byte(at + 1, end, '@');
    if (second != end) {
        (void)fail_at(p, second, "a second '@'");
        return hint_at_at(p->err);
    }
    const char *colon = find_byte(start, at, ':');
    url->user = span_of(start, colon);
    if (colon < at)
        url->password = span_of(colon + 1, at);
    return take_hosts(p, at + 1, end, url);
}

static int hint_at_password(struct err *err)
{
    return err_hint(err, "A '/', '?' or '#' in a password is written %%2F, %%3F, %%23.");
}

/* What libpq and SQLAlchemy read in another way than RFC 3986 has it: a fragment is the end of the
 * database's name, and where no '/' comes before it, an '@' in the query ends a user's name, so that
 * what is behind it is the host. */
static int check_postgres(const struct parse *p, const struct url *url)
{
    const char *stray = url->fragment.start ? url->fragment.start - 1 : p->end;
    if (!url->user.start && url->path.length == 0 && url->query.start)
        stray = find_byte(url->query.start, stray, '@');
    if (stray == p->end)
        return 0;
    (void)fail_at(p, stray,
                  *stray == '#'
                      ? "a '#', which not all drivers read in the same way"
                      : "an '@' in the query, which not all drivers read in the same way");
    if (*stray == '@')
        (void)hint_at_at(p->err);
    return hint_at_password(p->err);
}

int url_parse(const char *text, size_t length, struct url *out, enum err_kind kind, struct err *err)
{
    struct parse p = {.text = text, .end = text + length, .kind = kind, .err = err};
    struct url url = {0};
    const char *rest;
    if (check_bytes(&p) != 0 || take_scheme(&p, &url, &rest) != 0)
        return -1;

    const char *query_end = find_byte(rest, p.end, '#');
    const char *path_end = find_byte(rest, query_end, '?');
    const char *authority_end = find_byte(rest, path_end, '/');
    if (take_authority(&p, rest, authority_end, &url) != 0) {
        /* The usual cause is a password that was put in as it is. */
        if (!url.user.start && find_byte(authority_end, p.end, '@') != p.end)
            (void)hint_at_password(err);
        return -1;
    }

    url.path = span_of(authority_end, path_end);
    if (path_end < query_end)
        url.query = span_of(path_end + 1, query_end);
    if (query_end < p.end)
        url.fragment = span_of(query_end + 1, p.end);
    if (url_is_postgres(&url) && check_postgres(&p, &url) != 0)
        return -1;
    *out = url;
    return 0;
}

/* The byte that the text at C stands for, and how many bytes it takes; -1: NUL or a bad escape. */
static int decode_step(const char *c, const char *end, size_t *taken)
{
    *taken = 1;
    if (*c != '%')
        return *c == '\0' ? -1 : (unsigned char)*c;
    if (end - c < 3)
        return -1;
    int high = str_hex_digit(c[1]), low = str_hex_digit(c[2]);
    if (high < 0 || low < 0 || (high == 0 && low == 0))
        return -1;
    *taken = 3;
    return high * 16 + low;
}

int url_decode(const struct url_span *span, struct buf *out)
{
    const char *end = span->start + span->length;
    size_t taken;
    for (const char *c = span->start; c < end; c += taken)
        if (decode_step(c, end, &taken) < 0)
            return -1;
    for (const char *c = span->start; c < end; c += taken)
        buf_addc(out, (char)decode_step(c, end, &taken));
    return 0;
}

bool url_span_is(const struct url_span *span, const char *text)
{
    if (!span->start)
        return false;
    const char *end = span->start + span->length;
    size_t taken;
    for (const char *c = span->start; c < end; c += taken, text++)
        if (*text == '\0' || decode_step(c, end, &taken) != (unsigned char)*text)
            return false;
    return *text == '\0';
}

bool url_next_query(const struct url *url, size_t *position, struct url_span *name,
                    struct url_span *value)
{
    if (!url->query.start || *position >= url->query.length)
        return false;
    const char *start = url->query.start + *position;
    const char *query_end = url->query.start + url->query.length;
    const char *end = find_byte(start, query_end, '&');
    const char *equals = find_byte(start, end, '=');
    *name = span_of(start, equals);
    *value = equals < end ? span_of(equals + 1, end) : (struct url_span){0};
    *position = (size_t)(end - url->query.start) + 1;
    return true;
}

struct url_span url_query(const struct url *url, const char *name)
{
    struct url_span found = {0}, key, value;
    for (size_t at = 0; url_next_query(url, &at, &key, &value);)
        if (url_span_is(&key, name))
            found = value.start ? value : span_of(key.start + key.length, key.start + key.length);
    return found;
}

size_t url_named_host_length(const char *host, size_t length)
{
    const char *end = host + length, *colon = find_byte(host, end, ':');

    if (length == 0 || *host == '/' || colon == end)
        return length;
    for (const char *c = colon + 1; c < end; c++)
        if (!is_digit(*c))
            return length;
    return (size_t)(colon - host);
}

bool url_scheme_is(const struct url *url, const char *scheme)
{
    return strlen(scheme) == url->scheme.length &&
           strncasecmp(scheme, url->scheme.start, url->scheme.length) == 0;
}

bool url_is_postgres(const struct url *url)
{
    static const char with_driver[] = "postgresql+";
    size_t length = sizeof with_driver - 1;
    if (url_scheme_is(url, "postgres") || url_scheme_is(url, "postgresql"))
        return true;
    return url->scheme.length > length && strncasecmp(url->scheme.start, with_driver, length) == 0;
}

static bool is_loopback_text(const char *host)
{
    struct in_addr four;
    struct in6_addr six;
    if (host[0] == '/' || host[0] == '@') /* a socket's folder; '@': the abstract namespace */
        return true;
    if (strcasecmp(host, "localhost") == 0 || strcasecmp(host, "localhost.") == 0)
        return true;
    if (inet_pton(AF_INET, host, &four) == 1)
        return ntohl(four.s_addr) >> 24 == IN_LOOPBACKNET;
    return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

/* EMPTY: what a host that is there and empty means. */
static bool is_loopback_span(const struct url_span *host, bool empty)
{
    char plain[HOST_TEXT_BYTES + 1];
    if (host->length == 0)
        return empty;
    if (host->length < sizeof plain && !memchr(host->start, '%', host->length)) {
        memcpy(plain, host->start, host->length); /* needs no memory, which could be missing */
        plain[host->length] = '\0';
        return is_loopback_text(plain);
    }
    AUTO_BUF text = BUF_INIT(HOST_TEXT_BYTES);
    if (url_decode(host, &text) != 0 || text.too_long || text.no_memory)
        return false;
    return text.len == 0 ? empty : is_loopback_text(buf_text(&text));
}

/* ?host= and ?hostaddr= of PostgreSQL: lists with commas that take the place of the authority. */
static bool is_loopback_list(const struct url_span *list)
{
    AUTO_BUF text = BUF_INIT(list->length);
    if (url_decode(list, &text) != 0 || text.no_memory)
        return false;
    const char *end = buf_text(&text) + text.len;
    for (const char *c = buf_text(&text); c <= end;) {
        const char *comma = find_byte(c, end, ',');
        AUTO_BUF host = BUF_INIT(HOST_TEXT_BYTES);
        buf_add(&host, c, (size_t)(comma - c));
        if (host.too_long || host.no_memory)
            return false;
        if (host.len > 0 && !is_loopback_text(buf_text(&host)))
            return false;
        c = comma + 1;
    }
    return true;
}

bool url_host_is_loopback(const struct url *url)
{
    bool postgres = url_is_postgres(url);
    if (postgres) {
        struct url_span named = url_query(url, "host"), address = url_query(url, "hostaddr");
        if (address.length > 0) /* what is connected to, whatever the host is called */
            return is_loopback_list(&address);
        if (named.length > 0)
            return is_loopback_list(&named);
    }
    bool empty = postgres || url_scheme_is(url, "unix");
    struct url_span host, port;
    bool any = false;
    for (size_t at = 0; url_next_host(url, &at, &host, &port); any = true)
        if (!is_loopback_span(&host, empty))
            return false;
    return any;
}
