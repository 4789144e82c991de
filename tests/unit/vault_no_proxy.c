/* tests/unit/vault_no_proxy.c: which hosts are excepted from the proxy that everybody uses. */
#include "tests/lib/unit.h"

#include <string.h>

#include "vault/internal.h"

static bool has(const char *list, const char *host)
{
    const struct url_span span = {host, strlen(host)};
    return no_proxy_has(list, &span);
}

static void no_proxy_has_names_addresses_and_networks(void **state)
{
    static const struct {
        const char *list, *host;
    } cases[] = {
        {"vault.acme.io", "vault.acme.io"},
        {"acme.io", "vault.acme.io"},
        {".acme.io", "vault.acme.io"},
        {".acme.io", "acme.io"},
        {"ACME.io.", "Vault.acme.IO."},
        {"localhost, acme.io", "vault.acme.io"},
        {"x,,\tacme.io ,y", "acme.io"},
        {"x *", "vault.acme.io"},
        {"*", "10.1.2.3"},
        {"10.1.2.3", "10.1.2.3"},
        {"10.0.0.0/8", "10.255.2.3"},
        {"192.168.128.0/17", "192.168.255.1"},
        {"0.0.0.0/0", "1.2.3.4"},
        {"10.1.2.3/32", "10.1.2.3"},
        {"::1", "::1"},
        {"[fd00::1]", "fd00:0::1"},
        {"fd00::/9", "fd7f::1"},
        {"[fd00::]/8", "fdff::1"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (!has(cases[i].list, cases[i].host))
            fail_msg("'%s' lacks '%s'", cases[i].list, cases[i].host);
}

static void no_proxy_has_nothing_beside_them(void **state)
{
    static const struct {
        const char *list, *host;
    } cases[] = {
        {"", "vault.acme.io"},
        {" , ", "vault.acme.io"},
        {".", "vault.acme.io"},
        {"acme.io", "acme.iox"},
        {"acme.io", "xacme.io"},
        {"vault.acme.io", "acme.io"},
        {"*.acme.io", "vault.acme.io"},
        {"acme", "acme.io"},
        {"2.3", "10.1.2.3"},
        {"10.1.2.3", "10.1.2.30"},
        {"10.1.2.3", "x10.1.2.3"},
        {"192.168.128.0/17", "192.168.127.1"},
        {"10.0.0.0/33", "10.0.0.0"},
        {"10.0.0.0/", "10.0.0.0"},
        {"10.0.0.0/-1", "10.0.0.0"},
        {"10.0.0.0/8x", "10.0.0.0"},
        {"::/0", "10.0.0.0"},
        {"0.0.0.0/0", "::1"},
        {"fd00::/9", "fd80::1"},
        {"[]", "::1"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (has(cases[i].list, cases[i].host))
            fail_msg("'%s' has '%s'", cases[i].list, cases[i].host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_proxy_has_names_addresses_and_networks),
        cmocka_unit_test(no_proxy_has_nothing_beside_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
