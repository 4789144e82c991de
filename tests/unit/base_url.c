/* tests/unit/base_url.c: a URL taken apart. */
#include "tests/lib/unit.h"

#include <string.h>

#include "base/url.h"

static struct url parsed(const char *text)
{
    struct url url;
    struct err err = ERR_INIT;
    if (url_parse(text, strlen(text), &url, ERR_USAGE, &err) != 0)
        fail_msg("'%s': %s", text, err.text);
    return url;
}

static void assert_span(const struct url_span *span, const char *expected)
{
    if (!expected) {
        assert_null(span->start);
        return;
    }
    assert_non_null(span->start);
    if (span->length != strlen(expected) || memcmp(span->start, expected, span->length) != 0)
        fail_msg("'%.*s' is not '%s'", (int)span->length, span->start, expected);
}

static void every_part_is_found(void **state)
{
    (void)state;
    struct url url = parsed(
        "postgresql+asyncpg://app:p%40ss@db.acme.io:5433/app?sslmode=require&a");
    assert_span(&url.scheme, "postgresql+asyncpg");
    assert_span(&url.user, "app");
    assert_span(&url.password, "p%40ss");
    assert_span(&url.host, "db.acme.io");
    assert_span(&url.port, "5433");
    assert_span(&url.path, "/app");
    assert_span(&url.query, "sslmode=require&a");
    assert_span(&url.fragment, NULL);
    assert_false(url.has_host_list);
}

static void missing_parts_are_not_empty_parts(void **state)
{
    (void)state;
    struct url url = parsed("https://vault");
    assert_span(&url.user, NULL);
    assert_span(&url.password, NULL);
    assert_span(&url.port, NULL);
    assert_span(&url.path, "");
    assert_span(&url.query, NULL);
    assert_span(&url.fragment, NULL);

    url = parsed("redis://:@cache:/?#");
    assert_span(&url.user, "");
    assert_span(&url.password, "");
    assert_span(&url.host, "cache");
    assert_span(&url.port, "");
    assert_span(&url.query, "");
    assert_span(&url.fragment, "");
}

static void an_ipv6_host_loses_its_brackets(void **state)
{
    (void)state;
    struct url url = parsed("http://u@[2001:db8::1]:8200/x");
    assert_span(&url.host, "2001:db8::1");
    assert_span(&url.port, "8200");
    url = parsed("http://[fe80::1%25eth0]");
    assert_span(&url.host, "fe80::1%25eth0");
    assert_span(&url.port, NULL);
}

static void a_list_of_hosts_is_walked(void **state)
{
    (void)state;
    struct url url = parsed("postgresql://u:p@a:1,[::1]:2,c/app");
    assert_true(url.has_host_list);
    assert_span(&url.host, "a:1,[::1]:2,c");
    assert_span(&url.port, NULL);

    static const char *const expected[][2] = {{"a", "1"}, {"::1", "2"}, {"c", NULL}};
    struct url_span host, port;
    size_t at = 0, count = 0;
    for (; url_next_host(&url, &at, &host, &port); count++) {
        assert_true(count < 3);
        assert_span(&host, expected[count][0]);
        assert_span(&port, expected[count][1]);
    }
    assert_int_equal(count, 3);
}

static void one_host_is_walked_once(void **state)
{
    (void)state;
    struct url_span host, port;
    struct url url = parsed("postgresql:///app");
    size_t at = 0;
    assert_true(url_next_host(&url, &at, &host, &port));
    assert_span(&host, "");
    assert_false(url_next_host(&url, &at, &host, &port));

    url = parsed("https://h:1");
    at = 0;
    assert_true(url_next_host(&url, &at, &host, &port));
    assert_span(&host, "h");
    assert_span(&port, "1");
    assert_false(url_next_host(&url, &at, &host, &port));
}

static const struct {
    const char *text, *problem;
} bad[] = {
    {"", "no scheme"},
    {"localhost:5432/app", "no scheme"},
    {"//host/x", "no scheme"},
    {"1http://h", "no scheme"},
    {"http:/h", "no scheme"},
    {"http://h /x", "white space at byte 9"},
    {"http://h/x\n", "white space at byte 11"},
    {" http://h", "white space at byte 1"},
    {"http://h/\x01", "a control byte at byte 10"},
    {"http://h/\x7f", "a control byte at byte 10"},
    {"http://h/%", "hexadecimal digits behind it at byte 10"},
    {"http://h/%4", "at byte 10"},
    {"http://h/%zz", "at byte 10"},
    {"http://u:p@x@h/", "a second '@' at byte 13"},
    {"http://h:port/", "not a number from 1 to 65535 at byte 10"},
    {"http://h:0/", "not a number from 1 to 65535"},
    {"http://h:65536/", "not a number from 1 to 65535"},
    {"http://h:99999999999999999999/", "not a number from 1 to 65535"},
    {"http://h:+1/", "not a number from 1 to 65535"},
    {"http://::1/", "not a number from 1 to 65535"},
    {"http://[::1/", "'[' that is not closed at byte 8"},
    {"http://[host]/", "without an IPv6 address"},
    {"http://[]/", "without an IPv6 address"},
    {"http://[::1]x/", "behind the ']' at byte 13"},
    {"http://ho\\st/", "a byte that no host name has at byte 10"},
    {"http://h\xc3\xb6st/", "a byte that no host name has at byte 9"},
    {"http://<host>/", "a byte that no host name has at byte 8"},
    {"http://a,b:x/", "not a number from 1 to 65535 at byte 12"},
};

static void what_is_wrong_is_said_with_its_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = ERR_INIT;
        struct url url;
        memset(&url, 0x5a, sizeof url);
        struct url before = url;
        if (url_parse(bad[i].text, strlen(bad[i].text), &url, ERR_CONTRACT, &err) == 0)
            fail_msg("'%s' passes", bad[i].text);
        assert_int_equal(err.kind, ERR_CONTRACT);
        assert_text_has(err.text, bad[i].problem);
        assert_memory_equal(&url, &before, sizeof url);
    }
}

static void a_nul_is_a_control_byte(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct url url;
    assert_int_equal(url_parse("http://h/\0x", 11, &url, ERR_USAGE, &err), -1);
    assert_text_has(err.text, "a control byte at byte 10");
}

static void an_unencoded_password_gets_a_hint_and_is_not_shown(void **state)
{
    (void)state;
    static const char *const texts[] = {"postgresql://app:CANARY/9@h/db",
                                        "postgresql://app:CANARY#9@h/db",
                                        "postgresql://app:CANARY?9@h/db"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct err err = ERR_INIT;
        struct url url;
        assert_int_equal(url_parse(texts[i], strlen(texts[i]), &url, ERR_USAGE, &err), -1);
        assert_text_has(err.hint, "%2F");
        assert_text_lacks(err.text, "CANARY");
        assert_text_lacks(err.hint, "CANARY");
    }
    struct err err = ERR_INIT;
    struct url url;
    const char *text = "postgresql://app:CAN@RY@h/db";
    assert_int_equal(url_parse(text, strlen(text), &url, ERR_USAGE, &err), -1);
    assert_text_has(err.hint, "%40");
}

/* libpq would go to the database `app#1`, another driver to `app`; and to `evil` as `h?x=`. */
static void what_drivers_read_differently_is_no_postgres_url(void **state)
{
    (void)state;
    static const struct {
        const char *text, *what, *hint;
    } rows[] = {
        {"postgresql://u:p@h/app#1", "a '#'", "%23"},
        {"postgres://u:p@h/app?a=b#", "a '#'", "%23"},
        {"postgresql+psycopg://u:p@h#x", "a '#'", "%23"},
        {"postgresql://h?x=@evil", "an '@' in the query", "%40"},
        {"postgresql://u:12?34@h/d", "an '@' in the query", "%3F"},
        {"postgresql://h?user=app@acme#", "an '@' in the query", "%40"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = ERR_INIT;
        struct url url;
        assert_int_equal(url_parse(rows[i].text, strlen(rows[i].text), &url, ERR_USAGE, &err), -1);
        assert_text_has(err.text, rows[i].what);
        assert_text_has(err.hint, rows[i].hint);
    }
    struct url url = parsed("https://h/app#1");
    assert_span(&url.fragment, "1");
    url = parsed("postgresql:///app?user=app@acme");
    assert_span(&url.query, "user=app@acme");
    url = parsed("postgresql://u@h?user=app@acme");
    assert_span(&url.query, "user=app@acme");
}

static void decoding_refuses_nul_and_adds_nothing_then(void **state)
{
    (void)state;
    AUTO_BUF out = BUF_INIT(64);
    struct url url = parsed("x://h/a%20b+c%C3%B6");
    assert_int_equal(url_decode(&url.path, &out), 0);
    assert_string_equal(buf_text(&out), "/a b+c\xc3\xb6");
    url = parsed("x://h/a%00b");
    assert_int_equal(url_decode(&url.path, &out), -1);
    assert_string_equal(buf_text(&out), "/a b+c\xc3\xb6");
    struct url_span cut = {"a%4", 3};
    assert_int_equal(url_decode(&cut, &out), -1);
}

static void the_last_of_several_query_values_counts(void **state)
{
    (void)state;
    struct url url = parsed("postgresql://h/d?sslmode=require&x=1&ssl%6Dode=disable&flag&&=v");
    struct url_span value = url_query(&url, "sslmode");
    assert_span(&value, "disable");
    value = url_query(&url, "flag");
    assert_span(&value, "");
    value = url_query(&url, "sslmod");
    assert_span(&value, NULL);
    value = url_query(&url, "");
    assert_span(&value, "v");

    url = parsed("postgresql://h/d");
    value = url_query(&url, "x");
    assert_span(&value, NULL);
}

static void a_span_is_compared_decoded(void **state)
{
    (void)state;
    struct url_span span = {"a%2Fb", 5};
    assert_true(url_span_is(&span, "a/b"));
    assert_false(url_span_is(&span, "a/bc"));
    assert_false(url_span_is(&span, "a/"));
    assert_false(url_span_is(&span, "a%2Fb"));
    struct url_span none = {0};
    assert_false(url_span_is(&none, ""));
}

static void schemes_are_compared_without_case(void **state)
{
    (void)state;
    struct url url = parsed("HTTPS://h");
    assert_true(url_scheme_is(&url, "https"));
    assert_false(url_scheme_is(&url, "http"));
    static const char *const yes[] = {"postgres://h", "postgresql://h", "PostgreSQL+psycopg://h"};
    static const char *const no[] = {"postgresql+://h", "postgres+x://h", "postgresqlx://h",
                                     "mysql://h"};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        url = parsed(yes[i]);
        assert_true(url_is_postgres(&url));
    }
    for (size_t i = 0; i < ARRAY_LEN(no); i++) {
        url = parsed(no[i]);
        assert_false(url_is_postgres(&url));
    }
}

static void only_this_machine_is_loopback(void **state)
{
    (void)state;
    static const char *const here[] = {
        "http://localhost:8200",
        "http://LOCALHOST/",
        "http://127.0.0.1",
        "http://127.9.9.9:1/",
        "http://[::1]:8200/",
        "http://%6Cocalhost/",
        "postgresql://%2Fvar%2Frun%2Fpostgresql/app",
        "postgresql://%40abstract/app",
        "postgresql:///app",
        "postgresql:///app?host=/var/run/postgresql",
        "postgresql://localhost,127.0.0.1:5433/app",
        "postgresql://db.acme.io/app?hostaddr=127.0.0.1",
        "unix:///run/vault.sock",
    };
    static const char *const elsewhere[] = {
        "http://localhost.evil.io/",
        "http://127.0.0.1.evil.io/",
        "http://127.1/",
        "http://10.0.0.1/",
        "http://[::2]/",
        "http:///x",
        "file:///x",
        "http://localhost@evil.io/",
        "postgresql://localhost,db.acme.io/app",
        "postgresql://localhost/app?host=db.acme.io",
        "postgresql://localhost/app?ho%73t=db.acme.io",
        "postgresql:///app?host=/run,db.acme.io",
        "postgresql://localhost/app?hostaddr=10.0.0.1",
        "postgresql://localhost%00/app",
    };
    for (size_t i = 0; i < ARRAY_LEN(here); i++) {
        struct url url = parsed(here[i]);
        if (!url_host_is_loopback(&url))
            fail_msg("'%s' is here", here[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(elsewhere); i++) {
        struct url url = parsed(elsewhere[i]);
        if (url_host_is_loopback(&url))
            fail_msg("'%s' is elsewhere", elsewhere[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_is_found),
        cmocka_unit_test(missing_parts_are_not_empty_parts),
        cmocka_unit_test(an_ipv6_host_loses_its_brackets),
        cmocka_unit_test(a_list_of_hosts_is_walked),
        cmocka_unit_test(one_host_is_walked_once),
        cmocka_unit_test(what_is_wrong_is_said_with_its_byte),
        cmocka_unit_test(a_nul_is_a_control_byte),
        cmocka_unit_test(an_unencoded_password_gets_a_hint_and_is_not_shown),
        cmocka_unit_test(what_drivers_read_differently_is_no_postgres_url),
        cmocka_unit_test(decoding_refuses_nul_and_adds_nothing_then),
        cmocka_unit_test(the_last_of_several_query_values_counts),
        cmocka_unit_test(a_span_is_compared_decoded),
        cmocka_unit_test(schemes_are_compared_without_case),
        cmocka_unit_test(only_this_machine_is_loopback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
