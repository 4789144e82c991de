/* rotate/surgery.c: user and password of a URL replaced, every other byte as it was.
 *
 * Where the new ones go, so that every reader of the URL finds the same:
 *   - whatever the authority has (user@, user:password@) is replaced there;
 *   - a PostgreSQL URL may name them in its query (?user=app&password=...), where libpq lets the last
 *     one win: each of them is replaced there, too;
 *   - what is in neither is put beside what is: a password behind the user's parameter where that is
 *     in the query alone, else both into the authority. */
#include <string.h>

#include "base/str.h"
#include "base/url.h"
#include "rotate/internal.h"

/* A URL on its way: FROM is copied up to the next place that changes. */
struct surgery {
    const char *from, *end;
    const char *user; /* NULL: as it is */
    const char *password;
    size_t password_length;
    struct url url;
    bool query_user, query_password; /* the query names them */
    struct buf *out;
};

static void copy_until(struct surgery *s, const char *until)
{
    buf_add(s->out, s->from, (size_t)(until - s->from));
    s->from = until;
}

static void add_user(struct surgery *s)
{
    str_add_percent(s->out, s->user, strlen(s->user));
}

static void add_password(struct surgery *s)
{
    str_add_percent(s->out, s->password, s->password_length);
}

/* The authority has user information, if an empty one. */
static void replace_in_authority(struct surgery *s)
{
    const struct url_span *user = &s->url.user, *password = &s->url.password;
    copy_until(s, user->start);
    /* "?user=app" with an empty user before the '@': libpq takes the query's. */
    bool only_in_query = s->query_user && user->length == 0;
    if (s->user && !only_in_query) {
        add_user(s);
        s->from = user->start + user->length;
    }
    copy_until(s, user->start + user->length);
    if (password->start) {
        copy_until(s, password->start);
        add_password(s);
        s->from = password->start + password->length;
    } else if (!s->query_password) {
        buf_addc(s->out, ':');
        add_password(s);
    }
}

static void insert_into_authority(struct surgery *s, const char *authority)
{
    bool wants_user = s->user && !s->query_user;
    bool wants_password = !s->query_password && !s->query_user;
    copy_until(s, authority);
    if (!wants_user && !wants_password)
        return;
    if (wants_user)
        add_user(s);
    if (wants_password) {
        buf_addc(s->out, ':');
        add_password(s);
    }
    buf_addc(s->out, '@');
}

/* NAME's parameter, whose value stands at VALUE (start NULL: there is no '='). */
static void replace_value(struct surgery *s, const struct url_span *name,
                          const struct url_span *value, void (*add)(struct surgery *))
{
    const char *name_end = name->start + name->length;
    copy_until(s, value->start ? value->start : name_end);
    if (!value->start)
        buf_addc(s->out, '=');
    add(s);
    if (value->start)
        s->from = value->start + value->length;
}

static void replace_in_query(struct surgery *s)
{
    struct url_span name, value;
    /* A password that is nowhere yet goes behind the user, once. */
    bool wants_password = !s->query_password && !s->url.user.start;
    for (size_t at = 0; url_next_query(&s->url, &at, &name, &value);) {
        if (url_span_is(&name, "password")) {
            replace_value(s, &name, &value, add_password);
        } else if (url_span_is(&name, "user")) {
            if (s->user)
                replace_value(s, &name, &value, add_user);
            copy_until(s, value.start ? value.start + value.length : name.start + name.length);
            if (wants_password) {
                buf_adds(s->out, "&password=");
                add_password(s);
                wants_password = false;
            }
        }
    }
}

static int check_input(const struct secret *url, const char *user, const struct secret *password,
                       struct err *err)
{
    if (!secret_is_set(url) || secret_length(url) == 0)
        return err_set(err, ERR_CONTRACT, "there is no URL to put the new password into");
    if (!secret_is_set(password) || secret_length(password) == 0)
        return err_set(err, ERR_CONTRACT, "there is no password to put into the URL");
    if (strlen(secret_reveal(password)) != secret_length(password))
        return err_set(err, ERR_CONTRACT, "the password has a NUL byte, which no URL can hold");
    if (user && !*user)
        return err_set(err, ERR_CONTRACT, "there is no user to put into the URL");
    return 0;
}

static int operate(struct surgery *s, const struct secret *url, struct err *err)
{
    const char *text = secret_reveal(url);
    size_t length = secret_length(url);
    if (url_parse(text, length, &s->url, ERR_CONTRACT, err) != 0)
        return err_wrap(err, "the URL that the new password goes into");
    s->from = text;
    s->end = text + length;
    bool postgres = url_is_postgres(&s->url); /* elsewhere the query is the application's */
    s->query_user = postgres && url_query(&s->url, "user").start;
    s->query_password = postgres && url_query(&s->url, "password").start;
    if (s->url.user.start)
        replace_in_authority(s);
    else
        insert_into_authority(s, s->url.scheme.start + s->url.scheme.length + strlen("://"));
    if (postgres)
        replace_in_query(s);
    copy_until(s, s->end);
    return buf_check(s->out, ERR_CONTRACT, "the URL with the new password", err);
}

int surgery_replace_login(const struct secret *url, const char *user, const struct secret *password,
                          struct secret *out, struct err *err)
{
    AUTO_BUF text = BUF_INIT(SECRET_MAX_BYTES);
    if (check_input(url, user, password, err) != 0)
        return -1;
    struct surgery s = {.user = user,
                        .password = secret_reveal(password),
                        .password_length = secret_length(password),
                        .out = &text};
    if (operate(&s, url, err) != 0)
        return -1;
    struct secret changed = SECRET_INIT;
    if (secret_set(&changed, buf_text(&text), text.len, err) != 0)
        return -1;
    *out = changed;
    return 0;
}
