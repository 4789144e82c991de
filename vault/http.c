/* http.c: one exchange over libcurl, many in flight on few connections. With http_early.c,
 * http_request.c and http_failure.c the only curl code.
 *
 * libcurl is opened when the first request is made (it brings two dozen libraries along). What it
 * holds is wiped when it frees it. */
#include <string.h>

#include "base/library.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "vault/http_curl.h"

LIBRARY_DLOPEN_NOTE(curl_note,
                    "[{\"feature\":\"vault\",\"description\":\"Secrets from Vault or OpenBao\","
                    "\"priority\":\"recommended\",\"soname\":[\"libcurl.so.4\"]}]");

struct http_curl_functions http_curl;

enum {
    OLDEST_CURL = 0x075500, /* 7.85: CURLOPT_PROTOCOLS_STR */
    POLL_MS = 1000,
    MS_PER_S = 1000,
};

struct http {
    const struct vault_config *config;
    CURLM *multi;
    struct curl_slist *connect_to[VAULT_NODES_MAX]; /* one line each, with a tls_server_name */
    struct http_exchange *first_ended, **last_ended;
    struct http_early early;
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
    if (library_start_openssl(err) != 0)
        return err_wrap(err, "talk to Vault");
    /* Without TLS its start costs milliseconds for nothing. */
    CURLcode code = http_curl.global_init_mem(with_tls ? CURL_GLOBAL_SSL : CURL_GLOBAL_NOTHING,
                                              mem_wipe_malloc, mem_wipe_free, mem_wipe_realloc,
                                              mem_wipe_strdup, mem_wipe_calloc);
    if (code != CURLE_OK)
        return err_set(err, ERR_RESOURCE, "start libcurl: %s", http_curl.easy_strerror(code));
    http_curl.ready = true;
    return 0;
}

int vault_library_version(struct buf *out, struct err *err)
{
    if (load(true, err) != 0)
        return -1;
    const curl_version_info_data *version = http_curl.version_info(CURLVERSION_NOW);
    buf_addf(out, "libcurl %s (%s), the oldest that will do is 7.85", version->version,
             version->ssl_version ? version->ssl_version : "without TLS");
    return buf_check(out, ERR_RESOURCE, "libcurl's version", err);
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
    struct http *http = mem_new(1, sizeof(*http));
    if (!http)
        return err_nomem(err);
    http->early = HTTP_EARLY_INIT;
    if (!http_curl.ready)
        http_early_begin(&http->early, config);
    if (load(may_need_tls(config), err) != 0) {
        http_free(http);
        return -1;
    }
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
    http_early_end(&http->early);
    free(http);
}

/* ---- starting ------------------------------------------------------------------------------- */

static void transfer_free(struct http_transfer *transfer)
{
    if (!transfer)
        return;
    if (transfer->easy)
        http_curl.easy_cleanup(transfer->easy);
    http_curl.slist_free_all(transfer->headers);
    free(transfer);
}

static int begin(struct http *http, struct http_transfer *transfer, struct err *err)
{
    if (!transfer->easy || http_early_offer(&http->early, transfer->easy) != 0)
        return err_nomem(err);
    if (http_request_set_up(transfer, http->config, http->connect_to, err) != 0)
        return -1;
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
        if (stop_hurried())
            return stop_error(err);
        struct curl_waitfd stop = {.fd = stop_hurried_fd(), .events = CURL_WAIT_POLLIN};
        CURLMcode code = http_curl.multi_poll(http->multi, &stop, stop.fd >= 0,
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
    exchange->sent = false;
    exchange->retry_after_ms = 0;
    err_clear(&exchange->err);
}
