/* bootstrap/scratch_url.c: the URL of a scratch database, and the environment of a command that is to work
 * there; see scratch.h. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/url.h"
#include "bootstrap/scratch.h"

enum { URL_BYTES = 64 * 1024 };

static int add_url(const struct scratch *scratch, const char *name, struct buf *out,
                   struct err *err)
{
    const char *text = secret_reveal(&scratch->url);
    struct url url;
    if (url_parse(text, secret_length(&scratch->url), &url, ERR_CONTRACT, err) != 0)
        return err_wrap(err, "%s", scratch->variable);
    if (url_query(&url, "dbname").start) {
        err_set(err, ERR_CONTRACT, "%s: its query names a database (dbname)", scratch->variable);
        return err_hint(err, "Write it as the path: postgresql://host:5432/postgres");
    }
    /* "://", then the authority up to the next slash, question mark or number sign */
    const char *authority = url.scheme.start + url.scheme.length + strlen("://");
    size_t length = strcspn(authority, "/?#");
    buf_add(out, text, (size_t)(authority - text) + length);
    buf_addf(out, "/%s", name);
    if (url.query.start && url.query.length > 0) {
        buf_addc(out, '?');
        buf_add(out, url.query.start, url.query.length);
    }
    return buf_check(out, ERR_CONTRACT, "the server's URL", err);
}

static bool is_folder(const char *host)
{
    return host[0] == '/' || host[0] == '@';
}

/* What is in the query stays there, but for where to go; a folder of sockets has its place there. */
static void add_query(const struct url *url, const char *host, const char *port, struct buf *out)
{
    struct url_span name, value;
    const char *before = "?";
    for (size_t position = 0; url_next_query(url, &position, &name, &value);) {
        if (url_span_is(&name, "host") || url_span_is(&name, "port"))
            continue;
        buf_adds(out, before);
        buf_add(out, name.start, name.length);
        if (value.start) {
            buf_addc(out, '=');
            buf_add(out, value.start, value.length);
        }
        before = "&";
    }
    if (!is_folder(host))
        return;
    buf_addf(out, "%shost=", before);
    str_add_percent(out, host, strlen(host));
    buf_addf(out, "&port=%s", port);
}

int scratch_url_at(const struct secret *from, const char *host, const char *port,
                   struct secret *out, struct err *err)
{
    const char *text = secret_reveal(from);
    AUTO_BUF made = BUF_INIT(URL_BYTES);
    struct url url;
    if (url_parse(text, secret_length(from), &url, ERR_CONTRACT, err) != 0)
        return -1;
    const struct url_span *login = url.password.start ? &url.password : &url.user;
    const char *kept = login->start ? login->start + login->length + strlen("@")
                                    : url.scheme.start + url.scheme.length + strlen("://");
    buf_add(&made, text, (size_t)(kept - text));
    if (!is_folder(host))
        buf_addf(&made, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
    buf_add(&made, url.path.start ? url.path.start : "", url.path.length);
    add_query(&url, host, port, &made);
    if (buf_check(&made, ERR_CONTRACT, "the server's URL", err) != 0)
        return -1;
    return secret_set(out, buf_text(&made), made.len, err);
}

int scratch_url(const struct scratch *scratch, const char *name, struct secret *out,
                struct err *err)
{
    AUTO_BUF text = BUF_INIT(URL_BYTES);
    if (add_url(scratch, name, &text, err) != 0)
        return -1;
    return secret_set(out, buf_text(&text), text.len, err);
}

void scratch_environment_release(struct scratch_environment *environment)
{
    free(environment->list);
    for (size_t i = 0; i < ARRAY_LEN(environment->entries); i++)
        secret_release(&environment->entries[i]);
    secret_release(&environment->url);
    *environment = (struct scratch_environment){0};
}

static int add_entry(struct scratch_environment *e, size_t index, const char *variable,
                     struct err *err)
{
    AUTO_BUF text = BUF_INIT(URL_BYTES);
    buf_addf(&text, "%s=", variable);
    buf_add(&text, secret_reveal(&e->url), secret_length(&e->url));
    if (buf_check(&text, ERR_CONTRACT, "the server's URL", err) != 0)
        return -1;
    return secret_set(&e->entries[index], buf_text(&text), text.len, err);
}

int scratch_environment(const struct scratch *scratch, const char *name, const char *variable,
                        const char *const *base, struct scratch_environment *out, struct err *err)
{
    struct scratch_environment e = {0};
    const char *const names[] = {"DATABASE_URL", variable};
    size_t count = 0, added = str_eq(variable, names[0]) ? 1 : 2;
    int result = scratch_url(scratch, name, &e.url, err);
    while (base && base[count])
        count++;
    e.list = mem_new(count + added + 1, sizeof(*e.list));
    if (!e.list) {
        scratch_environment_release(&e);
        return err_nomem(err);
    }
    for (size_t i = 0; i < count; i++)
        e.list[i] = base[i];
    for (size_t i = 0; result == 0 && i < added; i++) {
        result = add_entry(&e, i, names[i], err);
        e.list[count + i] = secret_reveal(&e.entries[i]);
    }
    if (result == 0)
        *out = e;
    else
        scratch_environment_release(&e);
    return result;
}
