/* bootstrap/db_target.c: a postgres-url taken apart into where to go and as whom. No call of libpq. */
#include <arpa/inet.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/url.h"
#include "bootstrap/db_internal.h"

enum { URL_PART_BYTES = 64 * 1024 };

static const char default_port[] = "5432";

bool db_host_is_local(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (host[0] == '/' || host[0] == '@' || str_eq(host, "localhost"))
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool db_list_item(const char *list, size_t index, struct buf *out)
{
    for (; index > 0; index--) {
        list = strchr(list, ',');
        if (!list)
            return false;
        list++;
    }
    buf_clear(out);
    buf_add(out, list, strcspn(list, ","));
    return true;
}

void db_describe(const char *host, const char *port, const char *database, const char *user,
                 struct buf *out)
{
    AUTO_BUF one_host = BUF_INIT(URL_PART_BYTES);
    AUTO_BUF one_port = BUF_INIT(URL_PART_BYTES);
    bool several_ports = strchr(port, ',') != NULL;
    for (size_t i = 0; db_list_item(host, i, &one_host); i++) {
        if (!db_list_item(port, several_ports ? i : 0, &one_port))
            buf_adds(&one_port, default_port);
        const char *name = one_host.len > 0 ? buf_text(&one_host) : "(default socket)";
        bool bare_ipv6 = strchr(name, ':') && name[0] != '/';
        buf_addf(out, bare_ipv6 ? "%s[%s]:%s" : "%s%s:%s", i ? "," : "", name, buf_text(&one_port));
    }
    if (database && *database)
        buf_addf(out, " database '%s'", database);
    if (user && *user)
        buf_addf(out, " user '%s'", user);
}

void db_target_describe(const struct db_target *target, struct buf *out)
{
    db_describe(target->host, target->port, target->database, target->user, out);
}

void db_target_release(struct db_target *target)
{
    if (!target)
        return;
    free(target->host);
    free(target->port);
    free(target->user);
    free(target->database);
    if (target->query) /* libpq's URLs may have password= and sslpassword= there */
        mem_wipe(target->query, strlen(target->query));
    free(target->query);
    free(target->application_name);
    secret_release(&target->password);
    *target = (struct db_target){0};
}

/* A URL and the name of its variable while it is read. */
struct reading {
    struct url url;
    const char *variable;
    struct err *err;
};

static int decoded(const struct reading *r, const struct url_span *span, const char *part,
                   char **out)
{
    AUTO_BUF text = BUF_INIT(URL_PART_BYTES);
    if (url_decode(span, &text) != 0)
        return err_set(r->err, ERR_CONTRACT, "%s: its %s has a bad escape or a NUL byte",
                       r->variable, part);
    char *taken = buf_take(&text);
    if (!taken)
        return err_nomem(r->err);
    free(*out);
    *out = taken;
    return 0;
}

/* What the query names wins over the authority, as in libpq. NULL: neither is there. */
static int decoded_part(const struct reading *r, const char *name, const struct url_span *span,
                        const char *part, char **out)
{
    struct url_span value = url_query(&r->url, name);
    if (!value.start)
        value = *span;
    return value.start ? decoded(r, &value, part, out) : 0;
}

static int read_hosts(const struct reading *r, struct db_target *target)
{
    AUTO_BUF hosts = BUF_INIT(URL_PART_BYTES);
    AUTO_BUF ports = BUF_INIT(URL_PART_BYTES);
    struct url_span host, port;
    size_t position = 0, count = 0;
    while (url_next_host(&r->url, &position, &host, &port)) {
        if (count++ > 0) {
            buf_addc(&hosts, ',');
            buf_addc(&ports, ',');
        }
        if (url_decode(&host, &hosts) != 0)
            return err_set(r->err, ERR_CONTRACT, "%s: its host has a bad escape or a NUL byte",
                           r->variable);
        if (port.length > 0)
            buf_add(&ports, port.start, port.length);
        else
            buf_adds(&ports, default_port);
    }
    if (count > DB_MAX_HOSTS)
        return err_set(r->err, ERR_CONTRACT, "%s: it names %zu hosts, %d are the most", r->variable,
                       count, DB_MAX_HOSTS);
    target->host = buf_take(&hosts);
    target->port = buf_take(&ports);
    return target->host && target->port ? 0 : err_nomem(r->err);
}

/* `?host=/run/postgresql&port=5433` is how SQLAlchemy and libpq write sockets. Where nothing is
 * named, libpq goes to the distribution's socket folder; so do we. */
static int read_query_hosts(const struct reading *r, struct db_target *target)
{
    static const struct url_span none = {0};
    if (decoded_part(r, "host", &none, "host", &target->host) != 0)
        return -1;
    if (url_query(&r->url, "port").start &&
        decoded_part(r, "port", &none, "port", &target->port) != 0)
        return -1;
    if (!target->port || !target->port[0]) {
        free(target->port);
        target->port = mem_dup(default_port);
    }
    return target->port ? 0 : err_nomem(r->err);
}

static int read_password(const struct reading *r, struct db_target *target)
{
    AUTO_BUF text = BUF_INIT(URL_PART_BYTES);
    struct url_span span = url_query(&r->url, "password");
    if (!span.start)
        span = r->url.password;
    if (!span.start)
        return 0;
    if (url_decode(&span, &text) != 0)
        return err_set(r->err, ERR_CONTRACT, "%s: its password has a bad escape or a NUL byte",
                       r->variable);
    if (buf_check(&text, ERR_CONTRACT, "its password", r->err) != 0)
        return err_wrap(r->err, "%s", r->variable);
    return secret_set(&target->password, buf_text(&text), text.len, r->err);
}

static int read_parts(const struct reading *r, struct db_target *target)
{
    struct url_span path = r->url.path;
    if (path.length > 0) { /* "/app": the slash is not the name's */
        path.start++;
        path.length--;
    }
    if (read_hosts(r, target) != 0 || read_query_hosts(r, target) != 0 ||
        decoded_part(r, "user", &r->url.user, "user", &target->user) != 0 ||
        decoded_part(r, "dbname", &path, "database", &target->database) != 0 ||
        read_password(r, target) != 0)
        return -1;
    const struct url_span *query = &r->url.query;
    target->query = mem_dup_n(query->start ? query->start : "", query->length);
    if (!target->user)
        target->user = mem_dup("");
    if (!target->database)
        target->database = mem_dup("");
    target->application_name = mem_dup("agent");
    if (!target->query || !target->user || !target->database || !target->application_name)
        return err_nomem(r->err);
    return 0;
}

int db_target_parse(const struct secret *url, const char *variable, struct db_target *out,
                    struct err *err)
{
    struct reading r = {.variable = variable, .err = err};
    if (!secret_is_set(url))
        return err_set(err, ERR_CONTRACT, "%s: it has no value", variable);
    if (url_parse(secret_reveal(url), secret_length(url), &r.url, ERR_CONTRACT, err) != 0)
        return err_wrap(err, "%s", variable);
    if (!url_is_postgres(&r.url)) {
        err_set(err, ERR_CONTRACT, "%s: it is no PostgreSQL URL", variable);
        return err_hint(err, "postgresql://user:password@host:5432/database");
    }
    struct db_target target = {0};
    if (read_parts(&r, &target) != 0) {
        db_target_release(&target);
        return -1;
    }
    *out = target;
    return 0;
}
