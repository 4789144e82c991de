/* tests/unit/rotate_surgery.c: user and password of a URL replaced, every other byte as it was. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/str.h"
#include "base/url.h"
#include "bootstrap/db.h"
#include "rotate/internal.h"

enum { RANDOM_URLS = 3000, RANDOM_SEED = 20261126, URL_BYTES = 4096 };

/* The caller frees. NULL: it failed, and *err says why. */
static char *operated(const char *url, const char *user, const char *password, struct err *err)
{
    struct secret from = secret_borrow(url, strlen(url));
    struct secret new_password = secret_borrow(password, strlen(password));
    AUTO_SECRET to = SECRET_INIT;
    if (surgery_replace_login(&from, user, &new_password, &to, err) != 0)
        return NULL;
    return strndup(secret_reveal(&to), secret_length(&to));
}

static void assert_operated(const char *url, const char *user, const char *password,
                            const char *expected)
{
    struct err err = ERR_INIT;
    AUTO_FREE char *changed = operated(url, user, password, &err);
    if (!changed)
        fail_msg("%s: %s", url, err.text);
    assert_string_equal(changed, expected);
}

static void only_the_password_changes_where_no_user_is_given(void **state)
{
    static const char *const pairs[][2] = {
        {"postgresql://app:old@db:5432/app", "postgresql://app:new@db:5432/app"},
        {"postgres://app:old@db/app", "postgres://app:new@db/app"},
        {"postgresql+asyncpg://app:old@db/app?ssl=require",
         "postgresql+asyncpg://app:new@db/app?ssl=require"},
        {"PostgreSQL://app:old@DB.example/App", "PostgreSQL://app:new@DB.example/App"},
        {"postgresql://app:o%6Cd@db/app", "postgresql://app:new@db/app"},
        {"postgresql://a%70p:old@db/%61pp", "postgresql://a%70p:new@db/%61pp"},
        {"postgresql://app:@db/app", "postgresql://app:new@db/app"},
        {"postgresql://app@db/app", "postgresql://app:new@db/app"},
        {"postgresql://:old@db/app", "postgresql://:new@db/app"},
        {"postgresql://@db/app", "postgresql://:new@db/app"},
        {"postgresql://db/app", "postgresql://:new@db/app"},
        {"postgresql://app:old@db", "postgresql://app:new@db"},
        {"postgresql://app:old@db/", "postgresql://app:new@db/"},
        {"postgresql://app:old@db?sslmode=require", "postgresql://app:new@db?sslmode=require"},
        {"postgresql://app:old@", "postgresql://app:new@"},
        {"postgresql://app:old@/app", "postgresql://app:new@/app"},
        {"postgresql://app:old@db:/app", "postgresql://app:new@db:/app"},
        {"postgresql://app:old@[::1]:5433/app", "postgresql://app:new@[::1]:5433/app"},
        {"postgresql://app:old@[fe80::1%25eth0]/app", "postgresql://app:new@[fe80::1%25eth0]/app"},
        {"postgresql://app:old@a:1,b:2,[::1]:3/app", "postgresql://app:new@a:1,b:2,[::1]:3/app"},
        {"postgresql://app:old@%2Frun%2Fpg/app", "postgresql://app:new@%2Frun%2Fpg/app"},
        {"postgresql://app:old@/app?host=/run/pg", "postgresql://app:new@/app?host=/run/pg"},
        {"postgresql:///app?host=/run/pg", "postgresql://:new@/app?host=/run/pg"},
        {"postgresql://app:o:l:d@db/app", "postgresql://app:new@db/app"},
        {"postgresql://app:old@db/app?a=old&b=app", "postgresql://app:new@db/app?a=old&b=app"},
        {"postgresql://app:old@db/app?options=-c%20x%3Dold",
         "postgresql://app:new@db/app?options=-c%20x%3Dold"},
        {"redis://old:old@old/0?old=old#old", "redis://old:new@old/0?old=old#old"},
        {"redis://:old@cache:6379/0", "redis://:new@cache:6379/0"},
        {"rediss://default:old@cache/0?password=mine",
         "rediss://default:new@cache/0?password=mine"},
        {"amqp://app:old@mq/%2Fhost", "amqp://app:new@mq/%2Fhost"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
        assert_operated(pairs[i][0], NULL, "new", pairs[i][1]);
}

static void user_and_password_change_together(void **state)
{
    static const char *const pairs[][2] = {
        {"postgresql://app_a:old@db:5432/app", "postgresql://app_b:new@db:5432/app"},
        {"postgresql://app_a@db/app", "postgresql://app_b:new@db/app"},
        {"postgresql://:old@db/app", "postgresql://app_b:new@db/app"},
        {"postgresql://@db/app", "postgresql://app_b:new@db/app"},
        {"postgresql://db/app", "postgresql://app_b:new@db/app"},
        {"postgresql:///app", "postgresql://app_b:new@/app"},
        {"postgresql://", "postgresql://app_b:new@"},
        {"postgresql://[::1]/app", "postgresql://app_b:new@[::1]/app"},
        {"postgresql://a,b/app", "postgresql://app_b:new@a,b/app"},
        {"redis://cache", "redis://app_b:new@cache"},
        {"redis://:old@cache", "redis://app_b:new@cache"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
        assert_operated(pairs[i][0], "app_b", "new", pairs[i][1]);
}

static void what_the_query_names_is_replaced_there(void **state)
{
    static const struct {
        const char *url, *user, *expected;
    } cases[] = {
        {"postgresql://db/app?user=app_a&password=old", "app_b",
         "postgresql://db/app?user=app_b&password=new"},
        {"postgresql://db/app?user=app_a&password=old", NULL,
         "postgresql://db/app?user=app_a&password=new"},
        {"postgresql:///app?host=/run/pg&user=app_a&password=old&sslmode=disable", "app_b",
         "postgresql:///app?host=/run/pg&user=app_b&password=new&sslmode=disable"},
        {"postgresql:///app?user=app_a&host=/run/pg", "app_b",
         "postgresql:///app?user=app_b&password=new&host=/run/pg"},
        {"postgresql:///app?user=app_a&host=/run/pg", NULL,
         "postgresql:///app?user=app_a&password=new&host=/run/pg"},
        {"postgresql://app_a@db/app?password=old", "app_b",
         "postgresql://app_b@db/app?password=new"},
        {"postgresql://db/app?password=old", "app_b", "postgresql://app_b@db/app?password=new"},
        {"postgresql://db/app?password", NULL, "postgresql://db/app?password=new"},
        {"postgresql://db/app?password=", NULL, "postgresql://db/app?password=new"},
        {"postgresql://db/app?user&x=1", "app_b",
         "postgresql://db/app?user=app_b&password=new&x=1"},
        {"postgresql://db/app?pass%77ord=old&%75ser=app_a", "app_b",
         "postgresql://db/app?pass%77ord=new&%75ser=app_b"},
        {"postgresql://db/app?password=one&password=two", NULL,
         "postgresql://db/app?password=new&password=new"},
        {"postgresql://app_a:old@db/app?user=app_a&password=old", "app_b",
         "postgresql://app_b:new@db/app?user=app_b&password=new"},
        {"postgresql://:old@db/app?user=app_a", "app_b", "postgresql://:new@db/app?user=app_b"},
        {"postgresql://db/app?sslpassword=old&user=app_a", NULL,
         "postgresql://db/app?sslpassword=old&user=app_a&password=new"},
        {"postgresql://db/app?USER=app_a", "app_b", "postgresql://app_b:new@db/app?USER=app_a"},
        {"https://host/?user=x&password=y", "app_b", "https://app_b:new@host/?user=x&password=y"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_operated(cases[i].url, cases[i].user, "new", cases[i].expected);
}

static void every_byte_that_a_url_reserves_is_encoded(void **state)
{
    (void)state;
    assert_operated("postgresql://a:b@db/app", "us/er@:?#", "p@ss:w/o?r#d %&=+\xc3\xa4'\"\\",
                    "postgresql://us%2Fer%40%3A%3F%23:p%40ss%3Aw%2Fo%3Fr%23d%20%25%26%3D%2B%C3%A4"
                    "%27%22%5C@db/app");
    assert_operated("postgresql:///app?user=a&password=b", "u&v", "p&q=r#s",
                    "postgresql:///app?user=u%26v&password=p%26q%3Dr%23s");
}

static void what_is_no_url_is_refused_without_its_bytes(void **state)
{
    static const char *const urls[] = {"canary-not-a-url", "postgresql://a:canary@x@y/z", "",
                                       "postgresql://a:canary /x@db/app"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct err err = ERR_INIT;
        assert_null(operated(urls[i], "u", "canary-new", &err));
        assert_int_equal(err.kind, ERR_CONTRACT);
        assert_true(strlen(err.text) > 10);
        assert_text_lacks(err.text, "canary");
        assert_text_lacks(err.hint, "canary");
    }
    struct err err = ERR_INIT;
    assert_null(operated("postgresql://a:b@db/app", "u", "", &err));
    assert_null(operated("postgresql://a:b@db/app", "", "new", &err));
}

/* ---- random URLs ----------------------------------------------------------------------------------- */

static unsigned draw(unsigned bound)
{
    static unsigned long long seed = RANDOM_SEED;
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(seed >> 33) % bound;
}

static const char *one_of(const char *const *list, size_t count)
{
    return list[draw((unsigned)count)];
}

static void add_random_text(struct buf *out)
{
    unsigned length = 1 + draw(12);
    for (unsigned i = 0; i < length; i++)
        buf_addc(out, (char)(1 + draw(255)));
}

struct sample {
    struct buf url;
    char user[URL_BYTES], password[URL_BYTES];
};

/* A URL with both in the authority (or in the query), encoded as we encode. */
static void make_sample(struct sample *s, bool in_query)
{
    static const char *const schemes[] = {"postgresql", "postgres", "postgresql+psycopg"};
    static const char *const hosts[] = {
        "db", "db:5432",  "[::1]:5433", "[fe80::1]",       "a:1,b:2",      "%2Frun%2Fpg",
        "",   "10.0.0.1", "db.x.io:",   "a,[::1]:5,c.d:6", "x-y_z.test:1", "localhost"};
    static const char *const paths[] = {"", "/", "/app", "/%61pp", "/app%20two"};
    static const char *const queries[] = {"", "sslmode=disable", "a=b&c", "host=/run/x&port=5",
                                          "application_name=p%40q"};
    AUTO_BUF user = BUF_INIT(URL_BYTES), password = BUF_INIT(URL_BYTES);
    add_random_text(&user);
    add_random_text(&password);
    (void)snprintf(s->user, sizeof(s->user), "%s", buf_text(&user));
    (void)snprintf(s->password, sizeof(s->password), "%s", buf_text(&password));
    buf_addf(&s->url, "%s://", one_of(schemes, ARRAY_LEN(schemes)));
    if (!in_query) {
        str_add_percent(&s->url, s->user, strlen(s->user));
        buf_addc(&s->url, ':');
        str_add_percent(&s->url, s->password, strlen(s->password));
        buf_addc(&s->url, '@');
    }
    buf_addf(&s->url, "%s%s", one_of(hosts, ARRAY_LEN(hosts)), one_of(paths, ARRAY_LEN(paths)));
    const char *query = one_of(queries, ARRAY_LEN(queries));
    buf_addf(&s->url, "?%s", query);
    if (in_query) {
        buf_addf(&s->url, "%suser=", *query ? "&" : "");
        str_add_percent(&s->url, s->user, strlen(s->user));
        buf_adds(&s->url, "&password=");
        str_add_percent(&s->url, s->password, strlen(s->password));
    }
}

static void assert_login(const char *url, const char *user, const char *password)
{
    struct err err = ERR_INIT;
    struct db_target target = {0};
    struct secret secret = secret_borrow(url, strlen(url));
    struct secret expected = secret_borrow(password, strlen(password));
    if (db_target_parse(&secret, "X", &target, &err) != 0)
        fail_msg("%s: %s", url, err.text);
    assert_string_equal(target.user, user);
    assert_true(secret_equal(&target.password, &expected));
    db_target_release(&target);
}

/* A new login is what the next reader finds, and the first one put back gives the same bytes. */
static void there_and_back_is_the_same_url(void **state)
{
    (void)state;
    for (int i = 0; i < RANDOM_URLS; i++) {
        struct sample s = {.url = BUF_INIT(URL_BYTES)}, other = {.url = BUF_INIT(URL_BYTES)};
        struct err err = ERR_INIT;
        make_sample(&s, i % 3 == 0);
        make_sample(&other, false); /* for its login */
        AUTO_FREE char *there = operated(buf_text(&s.url), other.user, other.password, &err);
        if (!there)
            fail_msg("%s: %s", buf_text(&s.url), err.text);
        assert_login(there, other.user, other.password);
        AUTO_FREE char *back = operated(there, s.user, s.password, &err);
        assert_non_null(back);
        assert_string_equal(back, buf_text(&s.url));
        AUTO_FREE char *only_password = operated(there, NULL, s.password, &err);
        assert_non_null(only_password);
        assert_login(only_password, other.user, s.password);
        buf_release(&s.url);
        buf_release(&other.url);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_password_changes_where_no_user_is_given),
        cmocka_unit_test(user_and_password_change_together),
        cmocka_unit_test(what_the_query_names_is_replaced_there),
        cmocka_unit_test(every_byte_that_a_url_reserves_is_encoded),
        cmocka_unit_test(what_is_no_url_is_refused_without_its_bytes),
        cmocka_unit_test(there_and_back_is_the_same_url),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
