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
