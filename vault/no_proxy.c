/* vault/no_proxy.c: which hosts no_proxy excepts from https_proxy, as libcurl and wget read it. It is
 * decided here and not by libcurl, which does not say (before 8.7) whether the one that it could not
 * reach was the proxy or Vault. */
#include <arpa/inet.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "vault/internal.h"

#define SEPARATORS ", \t"

struct address {
    int family;
    size_t bits;
    unsigned char bytes[sizeof(struct in6_addr)];
};

static bool read_address(const char *start, size_t length, struct address *out)
{
    char text[INET6_ADDRSTRLEN];

    if (length > 2 && start[0] == '[' && start[length - 1] == ']') {
        start++;
        length -= 2;
    }
    if (length == 0 || length >= sizeof text)
        return false;
    memcpy(text, start, length);
    text[length] = '\0';
    out->family = memchr(start, ':', length) ? AF_INET6 : AF_INET;
    out->bits = CHAR_BIT *
                (out->family == AF_INET6 ? sizeof(struct in6_addr) : sizeof(struct in_addr));
    return inet_pton(out->family, text, out->bytes) == 1;
}

/* ENTRY is that address, or a network of it: 10.0.0.0/8. */
static bool has_address(const char *entry, size_t length, const struct address *host)
{
    const char *slash = memchr(entry, '/', length);
    size_t address_length = slash ? (size_t)(slash - entry) : length;
    struct address net = {0};
    int64_t bits;

    if (!read_address(entry, address_length, &net) || net.family != host->family)
        return false;
    if (!slash)
        bits = (int64_t)net.bits;
    else if (str_to_int64(slash + 1, length - address_length - 1, &bits) != 0 || bits < 0 ||
             bits > (int64_t)net.bits)
        return false;
    size_t whole = (size_t)bits / CHAR_BIT, rest = (size_t)bits % CHAR_BIT;
    if (memcmp(net.bytes, host->bytes, whole) != 0)
        return false;
    unsigned mask = (unsigned)UCHAR_MAX << (CHAR_BIT - rest) & (unsigned)UCHAR_MAX;
    return rest == 0 || ((unsigned)(net.bytes[whole] ^ host->bytes[whole]) & mask) == 0;
}

static size_t without_last_dot(const char *name, size_t length)
{
    return length > 0 && name[length - 1] == '.' ? length - 1 : length;
}

/* acme.io and .acme.io are acme.io and all that is under it. */
static bool has_name(const char *entry, size_t length, const struct url_span *host)
{
    size_t host_length = without_last_dot(host->start, host->length);

    if (length > 0 && entry[0] == '.') {
        entry++;
        length--;
    }
    length = without_last_dot(entry, length);
    if (length == 0 || length > host_length)
        return false;
    const char *tail = host->start + host_length - length;
    return strncasecmp(tail, entry, length) == 0 && (length == host_length || tail[-1] == '.');
}

bool no_proxy_has(const char *list, const struct url_span *host)
{
    struct address address = {0};
    bool is_address = read_address(host->start, host->length, &address);

    for (const char *at = list + strspn(list, SEPARATORS); *at; at += strspn(at, SEPARATORS)) {
        size_t length = strcspn(at, SEPARATORS);
        if ((length == 1 && *at == '*') ||
            (is_address ? has_address(at, length, &address) : has_name(at, length, host)))
            return true;
        at += length;
    }
    return false;
}
