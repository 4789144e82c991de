/* base/url.h: a URL taken apart, in place, value-free in its errors.
 *
 * Shared by the contract (types url, postgres-url, redis-url), by vault/ (addresses) and by
 * bootstrap/ (the connection): one reading of what a host is. Source: RFC 3986; PostgreSQL's
 * connection URIs may name several hosts, a socket folder percent-encoded as the host, and leave
 * parts out; `host` is then the list as written. */
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

struct url {
    struct url_span scheme, user, password, host, port, path, query, fragment; /* still encoded */
};

/* Take TEXT apart; spans point into it. Errors (KIND): what is wrong and at which byte, never a
 * piece of the text: no scheme, white space or control bytes, a bad escape, a bad port. */
MUST_USE int url_parse(const char *text, size_t length, struct url *out, enum err_kind kind,
                       struct err *err);

/* The span percent-decoded, appended to OUT. -1 on NUL or a bad escape. */
MUST_USE int url_decode(const struct url_span *span, struct buf *out);

/* The value of NAME in the query, still encoded; start is NULL when it is not there. */
struct url_span url_query(const struct url *url, const char *name);

bool url_scheme_is(const struct url *url, const char *scheme); /* without case */
bool url_host_is_loopback(const struct url *url); /* localhost, 127/8, ::1, or a socket folder */

#endif
