/* endpoint.c: see base/endpoint.h. */
#include "base/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include "base/file.h"
#include "base/str.h"

enum { PORT_MAX = 65535, TEXT_BYTES_MAX = 4096 };

#define UNIX_PREFIX "unix:"

static int parse_unix(const char *path, const char *folder, struct endpoint *out, struct err *err)
{
    struct sockaddr_un *address = (void *)&out->address;
    AUTO_FREE char *whole = file_join(folder ? folder : ".", path);

    if (!whole)
        return err_nomem(err);
    size_t length = strlen(whole);
    if (!*path || str_ends(path, "/"))
        return err_set(err, ERR_USAGE, "'" UNIX_PREFIX "%s' names no socket", path);
    if (length >= sizeof address->sun_path)
        return err_set(err, ERR_USAGE, "the path of the socket '%s' has more than %zu bytes", whole,
                       sizeof address->sun_path - 1);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, whole, length + 1);
    out->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
    out->is_unix = true;
    return 0;
}

/* HOST, a number, in either family; a bracketed one is IPv6. */
static bool parse_host(const char *host, bool brackets, uint16_t port, struct endpoint *out)
{
    struct sockaddr_in *four = (void *)&out->address;
    struct sockaddr_in6 *six = (void *)&out->address;

    if (brackets) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(port);
        out->length = sizeof *six;
        return inet_pton(AF_INET6, host, &six->sin6_addr) == 1;
    }
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    out->length = sizeof *four;
    return inet_pton(AF_INET, host, &four->sin_addr) == 1;
}

static int parse_inet(const char *text, struct endpoint *out, struct err *err)
{
    const char *colon = strrchr(text, ':');
    char host[INET6_ADDRSTRLEN] = "";
    int64_t port;

    bool brackets = colon && colon - text >= 2 && text[0] == '[' && colon[-1] == ']';
    size_t length = !colon ? 0 : brackets ? (size_t)(colon - text) - 2 : (size_t)(colon - text);
    if (colon && length < sizeof host)
        memcpy(host, text + brackets, length);
    if (colon && length > 0 && length < sizeof host &&
        str_to_int64(colon + 1, strlen(colon + 1), &port) == 0 && port > 0 && port <= PORT_MAX &&
        parse_host(host, brackets, (uint16_t)port, out))
        return 0;
    (void)err_set(err, ERR_USAGE, "'%s' is no address to listen on", text);
    return err_hint(err, "It is unix:PATH, 127.0.0.1:PORT or [::1]:PORT; names are not looked up.");
}

int endpoint_parse(const char *text, const char *folder, struct endpoint *out, struct err *err)
{
    struct endpoint endpoint = {0};
    int result;

    if (strlen(text) > TEXT_BYTES_MAX)
        return err_set(err, ERR_USAGE, "an address to listen on of more than %d bytes",
                       TEXT_BYTES_MAX);
    result = str_starts(text, UNIX_PREFIX)
                 ? parse_unix(text + strlen(UNIX_PREFIX), folder, &endpoint, err)
                 : parse_inet(text, &endpoint, err);
    if (result == 0)
        *out = endpoint;
    return result;
}

const char *endpoint_path(const struct endpoint *e)
{
    const struct sockaddr_un *address = (const void *)&e->address;

    return e->is_unix ? address->sun_path : "";
}
