/* http_request.c: what one exchange asks of libcurl, and how its bytes come in.
 *
 * libcurl never follows a redirect (it would send X-Vault-Token to another host), never folds a path,
 * never asks for a compressed answer (a few bytes could unfold into gigabytes), and takes no proxy
 * that the configuration does not name. */
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "vault/http_curl.h"

enum {
    SLOW_BYTES_PER_S = 64, /* an answer that trickles is given up, */
    SLOW_S = 30,           /* after this long, where a request may last longer at all */
    CONNECT_MS = 3000,     /* to a node, when there is another one */
    HEADER_LINE_BYTES = VAULT_HEADER_VALUE_MAX_BYTES + 64,
};

#define INDEX_HEADER "X-Vault-Index:"
#define USER_AGENT   "agent/" AGENT_VERSION

/* ---- what comes in -------------------------------------------------------------------------- */

static size_t take_body(char *bytes, size_t size, size_t count, void *transfer_pointer)
{
    struct http_transfer *transfer = transfer_pointer;
    struct buf *answer = &transfer->exchange->answer;
    size_t length = size * count; /* size is 1, says curl's manual */

    buf_add(answer, bytes, length);
    return answer->too_long || answer->no_memory ? 0 : length;
}

/* libcurl sends a request again by itself when a kept connection ends without an answer. Whether the
 * server had acted on it by then, nobody knows. */
static int before_sending(void *transfer_pointer, char *their_ip, char *our_ip, int their_port,
                          int our_port)
{
    struct http_transfer *transfer = transfer_pointer;
    struct http_exchange *exchange = transfer->exchange;

    (void)their_ip;
    (void)our_ip;
    (void)their_port;
    (void)our_port;
    if (exchange->once && exchange->sent)
        return CURL_PREREQFUNC_ABORT;
    exchange->sent = true;
    return CURL_PREREQFUNC_OK;
}

/* How far the server is. A line that is too long to be sent back is no use. */
static void take_index(struct http_exchange *exchange, const char *line, size_t length)
{
    size_t name = strlen(INDEX_HEADER);

    if (length <= name || strncasecmp(line, INDEX_HEADER, name) != 0)
        return;
    const char *value = line + name;
    length -= name;
    str_trim(&value, &length);
    if (length == 0 || length > VAULT_HEADER_VALUE_MAX_BYTES || exchange->index_now)
        return;
    exchange->index_now = mem_dup_n(value, length); /* without memory: as if it had not said it */
}

static size_t take_header(char *bytes, size_t size, size_t count, void *transfer_pointer)
{
    struct http_transfer *transfer = transfer_pointer;
    size_t length = size * count;

    take_index(transfer->exchange, bytes, length);
    transfer->header_bytes += length; /* of all 1xx answers together, too */
    transfer->too_many_headers = transfer->header_bytes > VAULT_HEADER_MAX_BYTES;
    return transfer->too_many_headers ? 0 : length;
}

/* ---- setting up ----------------------------------------------------------------------------- */

/* Options of one handle; the first failure sticks. */
struct options {
    CURL *easy;
    CURLcode failed;
};

static void set_long(struct options *o, CURLoption option, long value)
{
    if (o->failed == CURLE_OK)
        o->failed = http_curl.easy_setopt(o->easy, option, value);
}

static void set_text(struct options *o, CURLoption option, const char *value)
{
    if (o->failed == CURLE_OK)
        o->failed = http_curl.easy_setopt(o->easy, option, value);
}

static void set_pointer(struct options *o, CURLoption option, void *value)
{
    if (o->failed == CURLE_OK)
        o->failed = http_curl.easy_setopt(o->easy, option, value);
}

static void set_blob(struct options *o, CURLoption option, const char *bytes, size_t length)
{
    struct curl_blob blob = {.len = length, .flags = CURL_BLOB_COPY};
    union {
        const char *in;
        void *out;
    } unconst = {.in = bytes}; /* copied, not written to */

    blob.data = unconst.out;
    if (o->failed == CURLE_OK)
        o->failed = http_curl.easy_setopt(o->easy, option, &blob);
}

static void set_tls(struct options *o, const struct vault_config *config)
{
    set_long(o, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    set_long(o, CURLOPT_SSL_VERIFYPEER, config->skip_verify ? 0L : 1L);
    set_long(o, CURLOPT_SSL_VERIFYHOST, config->skip_verify ? 0L : 2L);
    if (config->ca_cert || config->ca_bytes || config->ca_path) {
        /* That authority and no other: what the system trusts besides is left out. */
        set_text(o, CURLOPT_CAINFO, config->ca_cert);
        set_text(o, CURLOPT_CAPATH, config->ca_path);
        if (config->ca_bytes)
            set_blob(o, CURLOPT_CAINFO_BLOB, config->ca_bytes, strlen(config->ca_bytes));
    }
    if (config->client_cert)
        set_text(o, CURLOPT_SSLCERT, config->client_cert);
    else if (secret_is_set(&config->client_cert_bytes))
        set_blob(o, CURLOPT_SSLCERT_BLOB, secret_reveal(&config->client_cert_bytes),
                 secret_length(&config->client_cert_bytes));
    if (config->client_key)
        set_text(o, CURLOPT_SSLKEY, config->client_key);
    else if (secret_is_set(&config->client_key_bytes))
        set_blob(o, CURLOPT_SSLKEY_BLOB, secret_reveal(&config->client_key_bytes),
                 secret_length(&config->client_key_bytes));
    /* Requests wait for the one connection to say whether it carries many at once. */
    set_long(o, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    set_long(o, CURLOPT_PIPEWAIT, 1L);
}

static bool is_excepted(const struct vault_config *config, const char *address)
{
    struct err unused = ERR_INIT; /* an address that was made of one that was checked */
    struct url url;

    return config->no_proxy && url_parse(address, strlen(address), &url, ERR_USAGE, &unused) == 0 &&
           no_proxy_has(config->no_proxy, &url.host);
}

/* The one that everybody uses is not for what runs on this machine. */
static bool goes_through_proxy(const struct http_exchange *exchange,
                               const struct vault_config *config)
{
    const struct vault_node *node = exchange->node;
    bool near = node && node->loopback && !node->connect_to;

    return secret_is_set(&config->proxy) && !(near && config->proxy_is_usual) &&
           !is_excepted(config, exchange->url);
}

static void set_route(struct options *o, const struct http_transfer *transfer,
                      const struct vault_config *config, struct curl_slist *connect_to)
{
    const struct http_exchange *exchange = transfer->exchange;
    if (str_starts(exchange->url, "https://"))
        set_tls(o, config);
    else
        set_long(o, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    const struct vault_node *node = exchange->node;
    /* An empty one is none; without them curl would read http_proxy and no_proxy. */
    set_text(o, CURLOPT_PROXY, transfer->through_proxy ? secret_reveal(&config->proxy) : "");
    set_text(o, CURLOPT_NOPROXY, "");
    if (!node)
        return;
    if (node->socket_path)
        set_text(o, CURLOPT_UNIX_SOCKET_PATH, node->socket_path);
    if (connect_to)
        set_pointer(o, CURLOPT_CONNECT_TO, connect_to);
}

static void set_limits(struct options *o, const struct http_exchange *exchange,
                       const struct vault_config *config)
{
    int64_t left = clock_left_ms(exchange->deadline_ms);

    if (left > config->timeout_ms)
        left = config->timeout_ms;
    set_long(o, CURLOPT_TIMEOUT_MS, left > 0 ? (long)left : 1L); /* 0 is no limit */
    if (config->node_count > 1)
        set_long(o, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    if (!exchange->patient) {
        set_long(o, CURLOPT_LOW_SPEED_LIMIT, (long)SLOW_BYTES_PER_S);
        set_long(o, CURLOPT_LOW_SPEED_TIME, (long)SLOW_S);
    }
}

static void set_request(struct options *o, struct http_transfer *transfer)
{
    const struct http_exchange *exchange = transfer->exchange;

    set_text(o, CURLOPT_URL, exchange->url);
    set_text(o, CURLOPT_PROTOCOLS_STR, "http,https");
    set_long(o, CURLOPT_PATH_AS_IS, 1L);
    set_long(o, CURLOPT_FOLLOWLOCATION, 0L);
    set_long(o, CURLOPT_NOSIGNAL, 1L); /* proc_harden ignores SIGPIPE, once for all */
    set_text(o, CURLOPT_USERAGENT, USER_AGENT);
    set_pointer(o, CURLOPT_HTTPHEADER, transfer->headers);
    if (exchange->body) {
        set_long(o, CURLOPT_POSTFIELDSIZE, (long)secret_length(exchange->body));
        set_text(o, CURLOPT_POSTFIELDS, secret_reveal(exchange->body));
    } else if (str_eq(exchange->method, "POST")) {
        set_long(o, CURLOPT_POSTFIELDSIZE, 0L);
        set_text(o, CURLOPT_POSTFIELDS, "");
    }
    if (!str_eq(exchange->method, "GET") && !str_eq(exchange->method, "POST"))
        set_text(o, CURLOPT_CUSTOMREQUEST, exchange->method);
    set_pointer(o, CURLOPT_PRIVATE, transfer);
    set_pointer(o, CURLOPT_ERRORBUFFER, transfer->error_text);
    set_pointer(o, CURLOPT_WRITEDATA, transfer);
    set_pointer(o, CURLOPT_HEADERDATA, transfer);
    set_pointer(o, CURLOPT_PREREQDATA, transfer);
    if (o->failed == CURLE_OK)
        o->failed = http_curl.easy_setopt(o->easy, CURLOPT_PREREQFUNCTION, before_sending);
    if (o->failed == CURLE_OK)
        o->failed = http_curl.easy_setopt(o->easy, CURLOPT_WRITEFUNCTION, take_body);
    if (o->failed == CURLE_OK)
        o->failed = http_curl.easy_setopt(o->easy, CURLOPT_HEADERFUNCTION, take_header);
}

static int add_line(struct curl_slist **list, const char *name, const char *value)
{
    AUTO_BUF line = BUF_INIT(HEADER_LINE_BYTES);

    buf_adds(&line, name);
    buf_adds(&line, value);
    if (line.too_long || line.no_memory)
        return -1;
    struct curl_slist *longer = http_curl.slist_append(*list, buf_text(&line));
    if (!longer)
        return -1;
    *list = longer;
    return 0;
}

static int add_headers(struct http_transfer *transfer, const struct vault_config *config)
{
    const struct http_exchange *exchange = transfer->exchange;
    struct curl_slist **list = &transfer->headers;

    if (add_line(list, "X-Vault-Request: ", "true") != 0)
        return -1;
    if (exchange->token && add_line(list, "X-Vault-Token: ", secret_reveal(exchange->token)) != 0)
        return -1;
    if (exchange->index && add_line(list, INDEX_HEADER " ", exchange->index) != 0)
        return -1;
    if (exchange->from_leader &&
        add_line(list, "X-Vault-Inconsistent: ", "forward-active-node") != 0)
        return -1;
    if (config->name_space && add_line(list, "X-Vault-Namespace: ", config->name_space) != 0)
        return -1;
    if (exchange->body &&
        add_line(list, "Content-Type: ",
                 exchange->is_patch ? "application/merge-patch+json" : "application/json") != 0)
        return -1;
    if (exchange->node && exchange->node->host_header)
        return add_line(list, "Host: ", exchange->node->host_header);
    return 0;
}

/* Where curl is to connect to, when that is not what the URL says; kept for the node's next request. */
static int prepare_route(const struct http_exchange *exchange, const struct vault_config *config,
                         struct curl_slist **lists, struct curl_slist **out)
{
    const struct vault_node *node = exchange->node;

    if (!node || !node->connect_to)
        return 0;
    struct curl_slist **list = &lists[node - config->nodes];
    if (!*list && add_line(list, "", node->connect_to) != 0)
        return -1;
    *out = *list;
    return 0;
}

int http_request_set_up(struct http_transfer *transfer, const struct vault_config *config,
                        struct curl_slist **connect_to, struct err *err)
{
    const struct http_exchange *exchange = transfer->exchange;
    struct options options = {.easy = transfer->easy};
    struct curl_slist *route = NULL;

    if (add_headers(transfer, config) != 0 ||
        prepare_route(exchange, config, connect_to, &route) != 0)
        return err_nomem(err);
    set_request(&options, transfer);
    transfer->through_proxy = goes_through_proxy(exchange, config);
    set_route(&options, transfer, config, route);
    set_limits(&options, exchange, config);
    if (options.failed != CURLE_OK)
        return err_set(err, ERR_RESOURCE, "prepare a request: libcurl says: %s",
                       http_curl.easy_strerror(options.failed));
    return 0;
}
