/* tests/unit/base_endpoint.c: where a server listens, as it is written. */
#include "tests/lib/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "base/endpoint.h"

static struct endpoint parse(const char *text, const char *folder)
{
    struct endpoint e;
    struct err err = ERR_INIT;
    if (endpoint_parse(text, folder, &e, &err) != 0)
        fail_msg("'%s': %s", text, err.text);
    return e;
}

static void numbers_and_ports_are_taken(void **state)
{
    (void)state;
    struct endpoint e = parse("127.0.0.1:9100", NULL);
    const struct sockaddr_in *four = (const void *)&e.address;
    assert_int_equal(four->sin_family, AF_INET);
    assert_int_equal(ntohs(four->sin_port), 9100);
    assert_int_equal(ntohl(four->sin_addr.s_addr), INADDR_LOOPBACK);
    assert_string_equal(endpoint_path(&e), "");
    e = parse("[::1]:65535", NULL);
    const struct sockaddr_in6 *six = (const void *)&e.address;
    assert_int_equal(six->sin6_family, AF_INET6);
    assert_int_equal(ntohs(six->sin6_port), 65535);
}

static void a_socket_starts_from_the_folder(void **state)
{
    (void)state;
    struct endpoint e = parse("unix:/run/agent.sock", "/etc/app");
    assert_true(e.is_unix);
    assert_string_equal(endpoint_path(&e), "/run/agent.sock");
    e = parse("unix:agent.sock", "/etc/app");
    assert_string_equal(endpoint_path(&e), "/etc/app/agent.sock");
    e = parse("unix:agent.sock", NULL);
    assert_string_equal(endpoint_path(&e), "agent.sock");
}

static void what_is_no_place_is_refused_with_its_text(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        ":9100",
        "9100",
        "localhost:9100",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "::1:9100",
        "[::1]",
        "[]:80",
        "[127.0.0.1]:80",
        "unix:",
        "unix:folder/",
        "127.0.0.1:80 ",
        "0x7f.1:80",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct endpoint e = {.length = 77};
        struct err err = ERR_INIT;
        if (endpoint_parse(bad[i], NULL, &e, &err) == 0)
            fail_msg("'%s' passes", bad[i]);
        assert_int_equal(err.kind, ERR_USAGE);
        assert_text_has(err.text, bad[i]);
        assert_int_equal(e.length, 77);
    }
}

static void a_path_that_no_socket_can_have_is_refused(void **state)
{
    (void)state;
    char text[256] = "unix:/";
    memset(text + 6, 'x', 120);
    struct endpoint e;
    struct err err = ERR_INIT;
    assert_int_equal(endpoint_parse(text, NULL, &e, &err), -1);
    assert_text_has(err.text, "more than 107 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_ports_are_taken),
        cmocka_unit_test(a_socket_starts_from_the_folder),
        cmocka_unit_test(what_is_no_place_is_refused_with_its_text),
        cmocka_unit_test(a_path_that_no_socket_can_have_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
