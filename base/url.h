/* base/url.h: a URL taken apart, in place, value-free in its errors.
 *
 * Shared by the contract (types url, postgres-url, redis-url), by vault/ (addresses) and by
 * bootstrap/ (the connection): one reading of what a host is. Source: RFC 3986; PostgreSQL's
 * connection URIs (manual, 34.1.1.2) may name several hosts, a socket folder percent-encoded as the
 * host, and leave parts out. */
#ifndef BASE_URL_H
#define BASE_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct url_span {
    const char *start; /* NULL: the part is not there; "" (length 0): there and empty */
    size_t length;
};

/* All parts are still encoded. One host: host and port are its own, an IPv6 address without its
 * brackets. Several: host is the list as written, ports included, and port is not there; walk it
 * with url_next_host. */
struct url {
    struct url_span scheme, user, password, host, port, path, query, fragment;
    bool has_host_list;
};

/* Take TEXT apart; spans point into it. Errors (KIND): what is wrong and at which byte (from 1),
 * never a piece of the text: no scheme, white space or control bytes, a bad escape, a second '@', a
 * byte that no host has, a bad port, and in a PostgreSQL URL what its drivers read differently. Without an error each host has a good port or none, and "://"
 * stands behind the scheme. *out is untouched on failure. */
MUST_USE int url_parse(const char *text, size_t length, struct url *out, enum err_kind kind,
                       struct err *err);

/* The span percent-decoded, appended to OUT. -1 on NUL or a bad escape, and nothing is added. */
MUST_USE int url_decode(const struct url_span *span, struct buf *out);

/* One host of the authority after another (*position starts at 0): false behind the last. HOST is
 * without brackets; PORT's start is NULL where none is written. An empty host is one, too. */
bool url_next_host(const struct url *url, size_t *position, struct url_span *host,
                   struct url_span *port);

/* One NAME=VALUE of the query after another (*position starts at 0), still encoded: false behind
 * the last. VALUE's start is NULL where there is no '='. */
bool url_next_query(const struct url *url, size_t *position, struct url_span *name,
                    struct url_span *value);

/* The value of NAME in the query, still encoded (NAME itself is compared decoded, as libpq does);
 * of several the last, which is what libpq uses. start is NULL when it is not there. */
struct url_span url_query(const struct url *url, const char *name);

/* How much of one (decoded) HOST of PostgreSQL's ?host= is the host: SQLAlchemy takes HOST:PORT there.
 * A socket's folder, an IPv6 address and what has no port are whole. */
size_t url_named_host_length(const char *host, size_t length);

/* Whether the span, percent-decoded, is TEXT. */
bool url_span_is(const struct url_span *span, const char *text);

bool url_scheme_is(const struct url *url, const char *scheme); /* without case */
bool url_is_postgres(const struct url *url); /* postgres, postgresql, postgresql+DRIVER */

/* Whether the connection stays on this machine: every host is localhost, 127/8, ::1 or a socket
 * folder, also where PostgreSQL's ?host= or ?hostaddr= names it. PostgreSQL without a host, and
 * unix:///path, are sockets. */
bool url_host_is_loopback(const struct url *url);

#endif
