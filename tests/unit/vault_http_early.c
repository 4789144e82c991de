/* tests/unit/vault_http_early.c: a connection that begins before libcurl is opened. */
#include "tests/lib/unit.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vault/http_curl.h"

enum { URL_BYTES = 64 };

/* A listening socket of the loopback, and a configuration with its address. */
struct place {
    int fd;
    union {
        struct sockaddr any;
        struct sockaddr_in four;
    } at;
    char url[URL_BYTES];
    struct vault_config config;
};

static void open_place(struct place *p)
{
    socklen_t length = sizeof p->at.four;

    *p = (struct place){.at.four = {.sin_family = AF_INET}};
    p->at.four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(p->fd >= 0 && bind(p->fd, &p->at.any, length) == 0 && listen(p->fd, 1) == 0);
    assert_int_equal(getsockname(p->fd, &p->at.any, &length), 0);
    (void)snprintf(p->url, sizeof p->url, "https://127.0.0.1:%d/prefix",
                   ntohs(p->at.four.sin_port));
    p->config.node_count = 1;
    p->config.nodes[0] = (struct vault_node){.base_url = p->url, .tls = true, .loopback = true};
}

static void it_is_there_without_a_library_and_taken_once(void **state)
{
    (void)state;
    struct http_early early;
    struct place p;
    open_place(&p);
    http_early_begin(&early, &p.config);
    int theirs = accept(p.fd, NULL, NULL); /* nothing else connects */
    assert_false(http_curl.ready);
    int ours = http_early_take(&early, &p.at.any);
    assert_true(theirs >= 0 && ours >= 0 && early.taken == ours);
    assert_int_equal(send(ours, "x", 1, 0), 1);
    assert_int_equal(http_early_take(&early, &p.at.any), -1);
    (void)close(ours);
    (void)close(theirs);
    (void)close(p.fd);
}

static void it_is_for_that_address_alone(void **state)
{
    (void)state;
    struct http_early early;
    struct place p;
    open_place(&p);
    http_early_begin(&early, &p.config);
    struct place other = p;
    other.at.four.sin_port ^= 1;
    assert_int_equal(http_early_take(&early, &other.at.any), -1);
    other = p;
    other.at.four.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
    assert_int_equal(http_early_take(&early, &other.at.any), -1);
    union {
        struct sockaddr any;
        struct sockaddr_in6 six;
    } six = {.six = {.sin6_family = AF_INET6, .sin6_port = p.at.four.sin_port}};
    assert_int_equal(http_early_take(&early, &six.any), -1);
    assert_true(early.fd >= 0);
    http_early_end(&early);
    assert_int_equal(early.fd, -1);
    (void)close(p.fd);
}

static void what_is_refused_is_left_to_the_library(void **state)
{
    (void)state;
    struct http_early early;
    struct place p;
    open_place(&p);
    (void)close(p.fd);
    http_early_begin(&early, &p.config);
    assert_int_equal(http_early_take(&early, &p.at.any), -1);
    assert_int_equal(early.fd, -1);
}

static bool begins(const struct vault_config *config)
{
    struct http_early early;
    http_early_begin(&early, config);
    bool result = early.fd >= 0;
    http_early_end(&early);
    return result;
}

static void only_a_number_with_nothing_between_is_connected_to(void **state)
{
    (void)state;
    static const char *const others[] = {"https://localhost:1", "https://vault.example:8200",
                                         "https://127.0.0.1:x", "https://127.0.0.1:70000",
                                         "https://[::1",        "https://",
                                         "127.0.0.1:1"};
    struct place p;
    open_place(&p);
    assert_true(begins(&p.config));
    struct vault_config config = p.config;
    config.nodes[0].socket_path = "/run/vault.sock";
    assert_false(begins(&config));
    config = p.config;
    config.nodes[0].connect_to = "vault:8200:127.0.0.1:8200";
    assert_false(begins(&config));
    config = p.config;
    config.nodes[1] = config.nodes[0];
    config.node_count = 2;
    assert_false(begins(&config));
    config = p.config;
    config.proxy = secret_borrow("http://proxy:3128", 17);
    assert_false(begins(&config));
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        config = p.config;
        config.nodes[0].base_url = others[i];
        assert_false(begins(&config));
    }
    (void)close(p.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_there_without_a_library_and_taken_once),
        cmocka_unit_test(it_is_for_that_address_alone),
        cmocka_unit_test(what_is_refused_is_left_to_the_library),
        cmocka_unit_test(only_a_number_with_nothing_between_is_connected_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
