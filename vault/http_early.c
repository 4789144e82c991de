/* http_early.c: a TCP connection that begins before libcurl is opened.
 *
 * Opening libcurl relocates three dozen libraries, some 7 ms of a processor's time, in which a handshake
 * with a server that is a round trip away can be made by the kernel. Where the only node's address is a
 * number, and nothing stands between, it is begun before, and handed to libcurl when that wants a socket
 * for just that address. A name would have to be looked up first, which libcurl does better: without
 * blocking, within its deadline. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/stop.h"
#include "base/str.h"
#include "vault/http_curl.h"

enum {
    /* It is waited for that long when libcurl is ready for it: a round trip to the other side of the
     * earth. After that libcurl makes its own, and says what is wrong. */
    WAIT_MS = 300,
    PORT_HTTP = 80,
    PORT_HTTPS = 443,
    PORT_MAX = 65535,
    DECIMAL = 10,
};

/* ---- beginning it --------------------------------------------------------------------------- */

/* The host of URL when it is a number, as it stands there, without brackets. */
static bool copy_host(const char **url, char host[static INET6_ADDRSTRLEN])
{
    const char *from = strstr(*url, "://");

    if (!from)
        return false;
    from += strlen("://");
    bool in_brackets = *from == '[';
    from += in_brackets;
    size_t length = strcspn(from, in_brackets ? "]" : ":/");
    if (length == 0 || length >= INET6_ADDRSTRLEN || (in_brackets && from[length] != ']'))
        return false;
    memcpy(host, from, length);
    host[length] = '\0';
    *url = from + length + in_brackets;
    return true;
}

static bool read_port(const char *text, bool tls, in_port_t *out)
{
    long port = tls ? PORT_HTTPS : PORT_HTTP;
    char *end;

    if (*text == ':') {
        port = strtol(text + 1, &end, DECIMAL);
        if (end == text + 1 || (*end && *end != '/') || port < 1 || port > PORT_MAX)
            return false;
    }
    *out = htons((in_port_t)port);
    return true;
}

static bool read_address(const struct vault_node *node, struct http_early *out)
{
    struct sockaddr_in *four = (struct sockaddr_in *)&out->to;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&out->to;
    char host[INET6_ADDRSTRLEN];
    const char *rest = node->base_url;
    in_port_t port;

    if (!copy_host(&rest, host) || !read_port(rest, node->tls, &port))
        return false;
    if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = port;
        return true;
    }
    if (inet_pton(AF_INET6, host, &six->sin6_addr) != 1)
        return false;
    six->sin6_family = AF_INET6;
    six->sin6_port = port;
    return true;
}

static socklen_t length_of(const struct http_early *early)
{
    return early->to.ss_family == AF_INET ? sizeof(struct sockaddr_in)
                                          : sizeof(struct sockaddr_in6);
}

void http_early_begin(struct http_early *early, const struct vault_config *config)
{
    const struct vault_node *node = &config->nodes[0];
    bool is_between = secret_is_set(&config->proxy) || node->socket_path || node->connect_to;

    *early = HTTP_EARLY_INIT;
    if (config->node_count != 1 || is_between || !read_address(node, early))
        return;
    early->fd = socket(early->to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (early->fd < 0)
        return;
    if (connect(early->fd, (const struct sockaddr *)&early->to, length_of(early)) != 0 &&
        errno != EINPROGRESS)
        http_early_end(early); /* libcurl meets the same, and says it */
}

void http_early_end(struct http_early *early)
{
    if (early->fd >= 0)
        (void)close(early->fd); /* nothing was sent on it */
    early->fd = -1;
}

/* ---- handing it over ------------------------------------------------------------------------ */

static bool is_for(const struct http_early *early, const struct sockaddr *address)
{
    const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)address;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)address;
    const struct sockaddr_in *our_four = (const struct sockaddr_in *)&early->to;
    const struct sockaddr_in6 *our_six = (const struct sockaddr_in6 *)&early->to;

    if (address->sa_family != early->to.ss_family)
        return false;
    if (address->sa_family == AF_INET)
        return four->sin_port == our_four->sin_port &&
               four->sin_addr.s_addr == our_four->sin_addr.s_addr;
    return six->sin6_port == our_six->sin6_port &&
           memcmp(&six->sin6_addr, &our_six->sin6_addr, sizeof six->sin6_addr) == 0;
}

static bool is_there(int fd)
{
    struct pollfd waits[] = {{.fd = fd, .events = POLLOUT},
                             {.fd = stop_hurried_fd(), .events = POLLIN}};
    int reason = 0;
    socklen_t length = sizeof reason;

    return poll(waits, ARRAY_LEN(waits), WAIT_MS) > 0 && (waits[0].revents & POLLOUT) &&
           getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &length) == 0 && reason == 0;
}

int http_early_take(struct http_early *early, const struct sockaddr *address)
{
    if (early->fd < 0 || !is_for(early, address))
        return -1;
    if (!is_there(early->fd)) {
        http_early_end(early);
        return -1;
    }
    early->taken = early->fd;
    early->fd = -1;
    return early->taken;
}

static curl_socket_t open_socket(void *owner, curlsocktype purpose, struct curl_sockaddr *address)
{
    int fd = purpose == CURLSOCKTYPE_IPCXN ? http_early_take(owner, &address->addr) : -1;

    return fd >= 0 ? fd
                   : socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* libcurl 7.88 connects it once more all the same, which the kernel answers with success, the first time. */
static int set_up_socket(void *owner, curl_socket_t fd, curlsocktype purpose)
{
    struct http_early *early = owner;
    bool is_ours = fd == early->taken;

    (void)purpose;
    early->taken = -1; /* that number may be another's later */
    return is_ours ? CURL_SOCKOPT_ALREADY_CONNECTED : CURL_SOCKOPT_OK;
}

int http_early_offer(struct http_early *early, CURL *easy)
{
    if (early->fd < 0)
        return 0;
    return http_curl.easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
                   http_curl.easy_setopt(easy, CURLOPT_OPENSOCKETDATA, early) == CURLE_OK &&
                   http_curl.easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, set_up_socket) ==
                       CURLE_OK &&
                   http_curl.easy_setopt(easy, CURLOPT_SOCKOPTDATA, early) == CURLE_OK
               ? 0
               : -1;
}
