/* http.c: one exchange over libcurl, many in flight on few connections. With http_failure.c the
 * only curl code.
 *
 * libcurl is opened when the first request is made (it brings two dozen libraries along). It never
 * follows a redirect (it would send X-Vault-Token to another host), never folds a path, never asks
 * for a compressed answer (a few bytes could unfold into gigabytes), and takes no proxy that the
 * configuration does not name. What it holds is wiped when it frees it. */
#include <string.h>
#include <strings.h>

#include "base/library.h"
#include "base/mem.h"
#include "base/str.h"
#include "vault/http_curl.h"

LIBRARY_DLOPEN_NOTE(curl_note,
                    "[{\"feature\":\"vault\",\"description\":\"Secrets from Vault or OpenBao\","
                    "\"priority\":\"recommended\",\"soname\":[\"libcurl.so.4\"]}]");

struct http_curl_functions http_curl;

enum {
    OLDEST_CURL = 0x075500, /* 7.85: CURLOPT_PROTOCOLS_STR */
    SLOW_BYTES_PER_S = 64,  /* an answer that trickles is given up, */
    SLOW_S = 30,            /* after this long, where a request may last longer at all */
    CONNECT_MS = 3000,      /* to a node, when there is another one */
    POLL_MS = 1000,
    MS_PER_S = 1000,
    HEADER_LINE_BYTES = VAULT_HEADER_VALUE_MAX_BYTES + 64,
};

#define INDEX_HEADER "X-Vault-Index:"
#define USER_AGENT   "agent/" AGENT_VERSION

struct http {
    const struct vault_config *config;
    CURLM *multi;
    struct curl_slist *connect_to[VAULT_NODES_MAX]; /* one line each, with a tls_server_name */
    struct http_exchange *first_ended, **last_ended;
};

/* ---- the library ---------------------------------------------------------------------------- */

static int load(bool with_tls, struct err *err)
{
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4", NULL};
    static const struct library_symbol symbols[] = {
#define X(name) {"curl_" #name, (void **)&http_curl.name},
        CURL_FUNCTIONS(X)
#undef X
    };

    if (http_curl.ready)
        return 0;
    if (library_open(names, "libcurl4", symbols, ARRAY_LEN(symbols), err) != 0)
        return err_wrap(err, "talk to Vault");
    const curl_version_info_data *version = http_curl.version_info(CURLVERSION_NOW);
    if (version->version_num < OLDEST_CURL) {
        (void)err_set(err, ERR_RESOURCE, "talk to Vault: libcurl %s is too old", version->version);
        return err_hint(err, "Install libcurl 7.85 or a later one.");
    }
    /* Without TLS its start costs milliseconds for nothing. */
    CURLcode code = http_curl.global_init_mem(with_tls ? CURL_GLOBAL_SSL : CURL_GLOBAL_NOTHING,
                                              mem_wipe_malloc, mem_wipe_free, mem_wipe_realloc,
                                              mem_wipe_strdup, mem_wipe_calloc);
    if (code != CURLE_OK)
        return err_set(err, ERR_RESOURCE, "start libcurl: %s", http_curl.easy_strerror(code));
    http_curl.ready = true;
    return 0;
}

static bool may_need_tls(const struct vault_config *config)
{
    bool needed = config->tls;

    for (const char *const *host = config->redirect_hosts; host && *host; host++)
        needed = needed || str_starts(*host, "https://");
    return needed;
}

int http_open(const struct vault_config *config, struct http **out, struct err *err)
{
    if (load(may_need_tls(config), err) != 0)
        return -1;
    struct http *http = mem_new(1, sizeof(*http));
    if (!http)
        return err_nomem(err);
    http->config = config;
    http->last_ended = &http->first_ended;
    http->multi = http_curl.multi_init();
    if (!http->multi ||
        http_curl.multi_setopt(http->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX) !=
            CURLM_OK ||
        http_curl.multi_setopt(http->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                               (long)VAULT_PLAIN_CONNECTIONS) != CURLM_OK) {
        http_free(http);
        return err_set(err, ERR_RESOURCE, "start libcurl: it has no memory");
    }
    *out = http;
    return 0;
}

void http_free(struct http *http)
{
    if (!http)
        return;
    if (http->multi)
        (void)http_curl.multi_cleanup(http->multi); /* only says that the handle was no handle */
    for (size_t i = 0; http_curl.ready && i < VAULT_NODES_MAX; i++)
        http_curl.slist_free_all(http->connect_to[i]);
    free(http);
}

/* ---- what comes in -------------------------------------------------------------------------- */

static size_t take_body(char *bytes, size_t size, size_t count, void *transfer_pointer)
{
    struct http_transfer *transfer = transfer_pointer;
    struct buf *answer = &transfer->exchange->answer;
    size_t length = size * count; /* size is 1, says curl's manual */

    buf_add(answer, bytes, length);
    return answer->too_long || answer->no_memory ? 0 : length;
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

static void set_route(struct options *o, const struct http_exchange *exchange,
                      const struct vault_config *config, struct curl_slist *connect_to)
{
    if (str_starts(exchange->url, "https://"))
        set_tls(o, config);
    else
        set_long(o, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    const struct vault_node *node = exchange->node;
    bool near = node && node->loopback && !node->connect_to;
    bool through = secret_is_set(&config->proxy) && !(near && config->proxy_is_usual);
    /* An empty one is none; without it curl would read http_proxy. */
    set_text(o, CURLOPT_PROXY, through ? secret_reveal(&config->proxy) : "");
    set_text(o, CURLOPT_NOPROXY, config->no_proxy ? config->no_proxy : "");
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
    set_pointer(o, CURLOPT_PRIVATE, transfer);
    set_pointer(o, CURLOPT_ERRORBUFFER, transfer->error_text);
    set_pointer(o, CURLOPT_WRITEDATA, transfer);
    set_pointer(o, CURLOPT_HEADERDATA, transfer);
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
    if (exchange->body && add_line(list, "Content-Type: ", "application/json") != 0)
        return -1;
    if (exchange->node && exchange->node->host_header)
        return add_line(list, "Host: ", exchange->node->host_header);
    return 0;
}

static void transfer_free(struct http_transfer *transfer)
{
    if (!transfer)
        return;
    if (transfer->easy)
        http_curl.easy_cleanup(transfer->easy);
    http_curl.slist_free_all(transfer->headers);
    free(transfer);
}

/* Where curl is to connect to, when that is not what the URL says; kept for the node's next request. */
static int prepare_route(struct http *http, const struct http_exchange *exchange,
                         struct curl_slist **out)
{
    const struct vault_node *node = exchange->node;

    if (!node || !node->connect_to)
        return 0;
    struct curl_slist **list = &http->connect_to[node - http->config->nodes];
    if (!*list && add_line(list, "", node->connect_to) != 0)
        return -1;
    *out = *list;
    return 0;
}

static int begin(struct http *http, struct http_transfer *transfer, struct err *err)
{
    struct http_exchange *exchange = transfer->exchange;
    struct options options = {.easy = transfer->easy};
    const struct vault_config *config = http->config;
    struct curl_slist *connect_to = NULL;

    if (!transfer->easy || add_headers(transfer, config) != 0)
        return err_nomem(err);
    if (prepare_route(http, exchange, &connect_to) != 0)
        return err_nomem(err);
    set_request(&options, transfer);
    set_route(&options, exchange, config, connect_to);
    set_limits(&options, exchange, config);
    if (options.failed != CURLE_OK)
        return err_set(err, ERR_RESOURCE, "prepare a request: libcurl says: %s",
                       http_curl.easy_strerror(options.failed));
    CURLMcode code = http_curl.multi_add_handle(http->multi, transfer->easy);
    if (code != CURLM_OK)
        return err_set(err, ERR_RESOURCE, "start a request: libcurl says: %s",
                       http_curl.multi_strerror(code));
    return 0;
}

int http_start(struct http *http, struct http_exchange *exchange, struct err *err)
{
    struct http_transfer *transfer = mem_new(1, sizeof(*transfer));

    if (!transfer)
        return err_nomem(err);
    transfer->exchange = exchange;
    transfer->easy = http_curl.easy_init();
    http_exchange_release(http, exchange);
    exchange->answer = BUF_INIT(VAULT_BODY_MAX_BYTES);
    if (begin(http, transfer, err) != 0) {
        transfer_free(transfer);
        return -1;
    }
    exchange->transfer = transfer;
    return 0;
}

/* ---- how it ended --------------------------------------------------------------------------- */

static void take_answer(const struct http_transfer *transfer, struct http_exchange *exchange)
{
    long status = 0;
    curl_off_t retry_after_s = 0;
    const char *location = NULL;

    (void)http_curl.easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)http_curl.easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    (void)http_curl.easy_getinfo(transfer->easy, CURLINFO_REDIRECT_URL, &location);
    exchange->status = (int)status;
    if (retry_after_s > 0)
        exchange->retry_after_ms = retry_after_s < INT64_MAX / MS_PER_S ? retry_after_s * MS_PER_S
                                                                        : INT64_MAX;
    if (location) {
        exchange->location = mem_dup(location);
        if (!exchange->location) {
            exchange->status = 0;
            (void)err_nomem(&exchange->err);
        }
    }
    if (exchange->status == 0 && exchange->err.kind == ERR_NONE)
        (void)err_set(&exchange->err, ERR_SOURCE_DATA, "the answer has no status");
}

static void finish(struct http *http, struct http_transfer *transfer, CURLcode code)
{
    struct http_exchange *exchange = transfer->exchange;

    if (code == CURLE_OK)
        take_answer(transfer, exchange);
    else
        http_failure_describe(transfer, code, &exchange->err);
    (void)http_curl.multi_remove_handle(http->multi, transfer->easy); /* it is one of ours */
    transfer_free(transfer);
    exchange->transfer = NULL;
    exchange->next_ended = NULL;
    *http->last_ended = exchange;
    http->last_ended = &exchange->next_ended;
}

static int step(struct http *http, struct err *err)
{
    int running, left;
    CURLMcode code = http_curl.multi_perform(http->multi, &running);

    if (code != CURLM_OK)
        return err_set(err, ERR_RESOURCE, "go on with requests: libcurl says: %s",
                       http_curl.multi_strerror(code));
    for (CURLMsg *message; (message = http_curl.multi_info_read(http->multi, &left));) {
        struct http_transfer *transfer = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode result = message->data.result; /* the message ends with its handle */
        (void)http_curl.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        finish(http, transfer, result);
    }
    return 0;
}

int http_wait(struct http *http, int64_t until_ms, struct err *err)
{
    for (;;) {
        if (step(http, err) != 0)
            return -1;
        int64_t left = clock_left_ms(until_ms);
        if (http->first_ended || left == 0)
            return 0;
        CURLMcode code = http_curl.multi_poll(http->multi, NULL, 0,
                                              left < POLL_MS ? (int)left : POLL_MS, NULL);
        if (code != CURLM_OK)
            return err_set(err, ERR_RESOURCE, "wait for an answer: libcurl says: %s",
                           http_curl.multi_strerror(code));
    }
}

/* An exchange that ended and was not collected (the flight failed) leaves the list. */
static void unlink_ended(struct http *http, const struct http_exchange *exchange)
{
    struct http_exchange **link = &http->first_ended;

    while (*link && *link != exchange)
        link = &(*link)->next_ended;
    if (*link)
        *link = exchange->next_ended;
    while (*link)
        link = &(*link)->next_ended;
    http->last_ended = link;
}

struct http_exchange *http_next_ended(struct http *http)
{
    struct http_exchange *exchange = http->first_ended;

    if (exchange)
        unlink_ended(http, exchange);
    return exchange;
}

void http_exchange_release(struct http *http, struct http_exchange *exchange)
{
    if (http)
        unlink_ended(http, exchange);
    if (http && exchange->transfer) {
        (void)http_curl.multi_remove_handle(http->multi, exchange->transfer->easy);
        transfer_free(exchange->transfer);
        exchange->transfer = NULL;
    }
    buf_release(&exchange->answer);
    free(exchange->location);
    free(exchange->index_now);
    exchange->location = exchange->index_now = NULL;
    exchange->status = 0;
    exchange->retry_after_ms = 0;
    err_clear(&exchange->err);
}
