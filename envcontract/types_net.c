/* envcontract/types_net.c: host names, addresses, networks, mail addresses. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/str.h"
#include "envcontract/types.h"

enum {
    EMAIL_MAX_BYTES = 254, /* RFC 5321, 4.5.3.1.3, without the brackets */
    EMAIL_USER_BYTES = 64,
    DNS_LABEL_BYTES = 63,
    DNS_NAME_BYTES = 253,
    BYTE_BITS = 8,
};

/* RFC 1123, 2.1. */
static bool is_dns_name(const char *bytes, size_t length, size_t *place)
{
    size_t label = 0; /* bytes of it so far */
    for (size_t i = 0; i < length; i++) {
        *place = i;
        if (bytes[i] == '.' ? label == 0 || bytes[i - 1] == '-'
                            : !is_alphanumeric(bytes[i]) && (bytes[i] != '-' || label == 0))
            return false;
        label = bytes[i] == '.' ? 0 : label + 1;
        if (label > DNS_LABEL_BYTES)
            return false;
    }
    *place = length ? length - 1 : 0;
    return label > 0 && bytes[length - 1] != '-';
}

/* ---- mail ----------------------------------------------------------------------------------- */

static bool is_email_user(const char *bytes, size_t length, size_t *place)
{
    for (size_t i = 0; i < length; i++) {
        bool dot = bytes[i] == '.';
        bool stray_dot = dot && (i == 0 || i + 1 == length || bytes[i - 1] == '.');
        *place = i;
        if (stray_dot ||
            (!dot && !is_alphanumeric(bytes[i]) && !strchr("!#$%&'*+/=?^_`{|}~-", bytes[i])))
            return false;
    }
    *place = length ? NO_PLACE : 0;
    return length >= 1 && length <= EMAIL_USER_BYTES;
}

/* One address and nothing else: what mail servers exchange (RFC 5321), without quoted strings. */
bool types_is_email(const char *bytes, size_t length, struct trouble *trouble)
{
    const char *at = memchr(bytes, '@', length);
    if (!at || length > EMAIL_MAX_BYTES)
        return false;
    size_t user = (size_t)(at - bytes), place;
    if (!is_email_user(bytes, user, &place))
        return trouble_at(trouble, place, NULL);
    if (!is_dns_name(at + 1, length - user - 1, &place))
        return trouble_at(trouble, place + user + 1, NULL);
    return true;
}

/* ---- addresses ------------------------------------------------------------------------------ */

/* An address, in the order of the network. */
struct address {
    unsigned char bytes[sizeof(struct in6_addr)];
    size_t length; /* 4 or 16 */
};

/* The LENGTH bytes as inet_pton reads them: four whole decimal numbers, or RFC 4291 without a zone
 * (a zone is a name of this machine's). */
static bool read_address(const char *bytes, size_t length, struct address *out)
{
    char text[INET6_ADDRSTRLEN];
    if (length >= sizeof text)
        return false;
    memcpy(text, bytes, length);
    text[length] = '\0';
    bool six = memchr(bytes, ':', length) != NULL;
    out->length = six ? sizeof(struct in6_addr) : sizeof(struct in_addr);
    return inet_pton(six ? AF_INET6 : AF_INET, text, out->bytes) == 1;
}

/* The first byte that no address has, or NO_PLACE. */
static size_t odd_byte(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!is_hex_digit(bytes[i]) && bytes[i] != ':' && bytes[i] != '.')
            return i;
    return NO_PLACE;
}

bool types_is_ip(const char *bytes, size_t length, struct trouble *trouble)
{
    struct address address;
    return read_address(bytes, length, &address) ||
           trouble_at(trouble, odd_byte(bytes, length), NULL);
}

/* Whether a bit behind the first PREFIX ones is set. */
static bool has_host_bits(const struct address *address, size_t prefix)
{
    for (size_t bit = prefix; bit < address->length * BYTE_BITS; bit++)
        if (address->bytes[bit / BYTE_BITS] & (0x80U >> bit % BYTE_BITS))
            return true;
    return false;
}

/* A network (RFC 4632, RFC 4291 2.3). An address inside of one with its prefix behind it is what
 * some programs cut to the network and others refuse: it is none here. */
bool types_is_cidr(const char *bytes, size_t length, struct trouble *trouble)
{
    const char *slash = memchr(bytes, '/', length);
    struct address address;
    int64_t prefix;
    if (!slash)
        return trouble_at(trouble, odd_byte(bytes, length), "no '/' and prefix length");
    size_t cut = (size_t)(slash - bytes), begin = cut + 1;
    if (!read_address(bytes, cut, &address))
        return trouble_at(trouble, odd_byte(bytes, cut), "no address before the '/'");
    size_t digits = skip_digits(bytes, length, begin);
    if (digits < length || digits == begin || (bytes[begin] == '0' && digits > begin + 1))
        return trouble_at(trouble, digits < length ? digits : begin, "no prefix length");
    if (str_to_int64(slash + 1, length - begin, &prefix) != 0 ||
        prefix > (int64_t)(address.length * BYTE_BITS))
        return trouble_at(trouble, begin, "a prefix that is longer than the address");
    if (has_host_bits(&address, (size_t)prefix)) {
        trouble->hint = "A network is written with zeros behind its prefix, as 10.1.0.0/16.";
        return trouble_at(trouble, NO_PLACE, "bits behind the prefix that are not zero");
    }
    return true;
}

/* ---- hosts ---------------------------------------------------------------------------------- */

/* Whether the last label has digits only: resolvers take such a name for an IPv4 address. */
static bool ends_in_number(const char *bytes, size_t length)
{
    while (length > 0 && is_digit(bytes[length - 1]))
        length--;
    return length == 0 || bytes[length - 1] == '.';
}

/* A name, which may have the dot of an absolute one at its end, or an address without brackets. */
bool types_is_host(const char *bytes, size_t length, struct trouble *trouble)
{
    struct address address;
    size_t place, name = length > 1 && bytes[length - 1] == '.' ? length - 1 : length;
    if (memchr(bytes, ':', length))
        return read_address(bytes, length, &address) ||
               trouble_at(trouble, odd_byte(bytes, length), "no IPv6 address");
    if (!is_dns_name(bytes, name, &place))
        return trouble_at(trouble, place, NULL);
    if (name > DNS_NAME_BYTES)
        return trouble_at(trouble, NO_PLACE, "a name of more than 253 characters");
    if (ends_in_number(bytes, name) && !read_address(bytes, length, &address))
        return trouble_at(trouble, NO_PLACE, "digits at the end, and no IPv4 address");
    return true;
}
