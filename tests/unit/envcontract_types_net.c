/* Host names, addresses and networks. */
#include "tests/unit/envcontract_types.h"

#define LABEL_63 "a23456789012345678901234567890123456789012345678901234567890123"
#define NAME_253                       \
    LABEL_63 "." LABEL_63 "." LABEL_63 \
             ".a234567890123456789012345678901234567890123456789012345678901"

static void a_host_is_a_name_or_an_address(void **state)
{
    static const struct good_value good[] = {
        {TYPE_HOST, "localhost"},   {TYPE_HOST, "db-1.prod.acme.io"},
        {TYPE_HOST, "acme.io."},    {TYPE_HOST, "3com.com"},
        {TYPE_HOST, "1.2.3.a"},     {TYPE_HOST, "xn--mnchen-3ya.de"},
        {TYPE_HOST, "10.0.0.1"},    {TYPE_HOST, "::1"},
        {TYPE_HOST, "2001:db8::1"}, {TYPE_HOST, "::ffff:10.0.0.1"},
        {TYPE_HOST, "a"},           {TYPE_HOST, LABEL_63 ".io"},
        {TYPE_HOST, NAME_253},      {TYPE_HOST, NAME_253 "."},
    };
    static const struct bad_value bad[] = {
        {TYPE_HOST, "", "type", "0 characters, expected a host name or an address"},
        {TYPE_HOST, ".", "type", "trouble at character 1"},
        {TYPE_HOST, "acme..io", "type", "trouble at character 6"},
        {TYPE_HOST, "acme.io..", "type", "trouble at character 8"},
        {TYPE_HOST, "-acme.io", "type", "trouble at character 1"},
        {TYPE_HOST, "acme-.io", "type", "trouble at character 6"},
        {TYPE_HOST, "acme-", "type", "trouble at character 5"},
        {TYPE_HOST, "my_db", "type", "trouble at character 3"},
        {TYPE_HOST, "acme.io/x", "type", "trouble at character 8"},
        {TYPE_HOST, "a@acme.io", "type", "trouble at character 2"},
        {TYPE_HOST, "m\xc3\xbcnchen.de", "type", "trouble at character 2"},
        {TYPE_HOST, "acme.io\n", "type", "a line break at the end"},
        {TYPE_HOST, "acme.io:443", "type", "no IPv6 address at character 3"},
        {TYPE_HOST, "[::1]", "type", "no IPv6 address at character 1"},
        {TYPE_HOST, "fe80::1%eth0", "type", "no IPv6 address at character 8"},
        {TYPE_HOST, "1::2::3", "type", "no IPv6 address"},
        {TYPE_HOST, "300.1.2.3", "type", "digits at the end, and no IPv4 address"},
        {TYPE_HOST, "10.0.1", "type", "digits at the end, and no IPv4 address"},
        {TYPE_HOST, "10.0.0.1.", "type", "digits at the end, and no IPv4 address"},
        {TYPE_HOST, "3232235777", "type", "digits at the end, and no IPv4 address"},
        {TYPE_HOST, "a" LABEL_63 ".io", "type", "trouble at character 64"},
        {TYPE_HOST, "a." NAME_253, "type", "a name of more than 253 characters"},
    };
    (void)state;
    assert_all_good(good, ARRAY_LEN(good));
    assert_all_bad(bad, ARRAY_LEN(bad));
}

static void an_address_is_whole_and_bare(void **state)
{
    static const struct good_value good[] = {
        {TYPE_IP, "0.0.0.0"},     {TYPE_IP, "255.255.255.255"}, {TYPE_IP, "::"},
        {TYPE_IP, "2001:DB8::1"}, {TYPE_IP, "1:2:3:4:5:6:7:8"}, {TYPE_IP, "::ffff:192.0.2.1"},
    };
    static const struct bad_value bad[] = {
        {TYPE_IP, "", "type", "0 characters, expected an IPv4 or IPv6 address"},
        {TYPE_IP, "localhost", "type", "trouble at character 1"},
        {TYPE_IP, "10.0.0", "type", "6 characters, expected an IPv4"},
        {TYPE_IP, "10.0.0.256", "type", "expected an IPv4"},
        {TYPE_IP, "10.0.0.01", "type", "expected an IPv4"},
        {TYPE_IP, "10.0.0.1/8", "type", "trouble at character 9"},
        {TYPE_IP, "10.0.0.1 ", "type", "white space at the end"},
        {TYPE_IP, "0x0a000001", "type", "trouble at character 2"},
        {TYPE_IP, "::1%lo", "type", "trouble at character 4"},
        {TYPE_IP, "[::1]", "type", "trouble at character 1"},
        {TYPE_IP, "1:2:3:4:5:6:7", "type", "expected an IPv4 or IPv6"},
        {TYPE_IP, "12345::", "type", "expected an IPv4 or IPv6"},
        {TYPE_IP, "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", "type", "expected an IPv4"},
        {TYPE_IP, "1\xd9\xa1.0.0.1", "type", "trouble at character 2"},
    };
    (void)state;
    assert_all_good(good, ARRAY_LEN(good));
    assert_all_bad(bad, ARRAY_LEN(bad));
}

static void a_network_has_zeros_behind_its_prefix(void **state)
{
    static const struct good_value good[] = {
        {TYPE_CIDR, "10.0.0.0/8"},      {TYPE_CIDR, "10.1.2.3/32"}, {TYPE_CIDR, "0.0.0.0/0"},
        {TYPE_CIDR, "192.0.2.128/25"},  {TYPE_CIDR, "fd00::/8"},    {TYPE_CIDR, "::/0"},
        {TYPE_CIDR, "2001:db8::1/128"},
    };
    static const struct bad_value bad[] = {
        {TYPE_CIDR, "", "type", "expected a network such as 10.1.0.0/16"},
        {TYPE_CIDR, "10.0.0.0", "type", "no '/' and prefix length"},
        {TYPE_CIDR, "10.0.0.0/", "type", "no prefix length"},
        {TYPE_CIDR, "10.0.0.0/a", "type", "no prefix length at character 10"},
        {TYPE_CIDR, "10.0.0.0/8x", "type", "no prefix length at character 11"},
        {TYPE_CIDR, "10.0.0.0/08", "type", "no prefix length at character 10"},
        {TYPE_CIDR, "10.0.0.0/-1", "type", "no prefix length at character 10"},
        {TYPE_CIDR, "10.0.0.0/33", "type", "longer than the address at character 10"},
        {TYPE_CIDR, "::/129", "type", "longer than the address at character 4"},
        {TYPE_CIDR, "10.0.0.0/99999999999999999999", "type", "longer than the address"},
        {TYPE_CIDR, "10.0/16", "type", "no address before the '/'"},
        {TYPE_CIDR, "/8", "type", "no address before the '/'"},
        {TYPE_CIDR, "acme.io/8", "type", "no address before the '/' at character 3"},
        {TYPE_CIDR, "10.0.0.0/255.0.0.0", "type", "no prefix length at character 13"},
        {TYPE_CIDR, "10.0.0.1/8", "type", "bits behind the prefix that are not zero"},
        {TYPE_CIDR, "192.0.2.129/25", "type", "bits behind the prefix that are not zero"},
        {TYPE_CIDR, "2001:db8::1/64", "type", "bits behind the prefix that are not zero"},
        {TYPE_CIDR, "128.0.0.0/0", "type", "bits behind the prefix that are not zero"},
    };
    (void)state;
    assert_all_good(good, ARRAY_LEN(good));
    assert_all_bad(bad, ARRAY_LEN(bad));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_is_a_name_or_an_address),
        cmocka_unit_test(an_address_is_whole_and_bare),
        cmocka_unit_test(a_network_has_zeros_behind_its_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
