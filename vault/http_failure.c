/* http_failure.c: why a transfer ended without an answer, for people, and whether to try again. */
#include <string.h>

#include "vault/http_curl.h"

enum { HTTP_REFUSALS = 400, HTTP_PROXY_WANTS_LOGIN = 407, HTTP_FAULTS = 500 };

#define CLIENT_CERTIFICATE \
    "The server refused the handshake: does it want VAULT_CLIENT_CERT and VAULT_CLIENT_KEY?"

/* What is not in here is a failure on the way, worth trying again. */
static const struct {
    CURLcode code;
    enum err_kind kind;
    const char *hint;
} meanings[] = {
    {CURLE_COULDNT_RESOLVE_HOST, ERR_SOURCE_DOWN, "Does that host's name exist, seen from here?"},
    {CURLE_COULDNT_CONNECT, ERR_SOURCE_DOWN,
     "Is Vault running there, and may this machine reach it?"},
    {CURLE_PEER_FAILED_VERIFICATION, ERR_SOURCE_DENIED,
     "Name the authority of its certificate with VAULT_CACERT or vault.ca_cert, or the name in it "
     "with VAULT_TLS_SERVER_NAME or vault.tls_server_name."},
    {CURLE_SSL_CACERT_BADFILE, ERR_FILE, "VAULT_CACERT or vault.ca_cert has to be PEM."},
    {CURLE_SSL_CERTPROBLEM, ERR_FILE, "Look at VAULT_CLIENT_CERT and VAULT_CLIENT_KEY."},
    {CURLE_UNSUPPORTED_PROTOCOL, ERR_SOURCE_DATA, "Something that is not Vault listens there."},
    {CURLE_WEIRD_SERVER_REPLY, ERR_SOURCE_DATA, "Something that is not Vault listens there."},
    {CURLE_URL_MALFORMAT, ERR_USAGE, "Look at Vault's address."},
    /* libcurl gives a header line that is longer than it takes (100 kB) the same code. */
    {CURLE_OUT_OF_MEMORY, ERR_RESOURCE,
     "This machine has no memory left, or the answer has a header without end."},
    {CURLE_FAILED_INIT, ERR_RESOURCE, ""},
    {CURLE_NOT_BUILT_IN, ERR_RESOURCE, ""},
    {CURLE_UNKNOWN_OPTION, ERR_RESOURCE, ""},
};

/* A TLS failure that another try won't mend has no code of its own: OpenSSL and GnuTLS say it in
 * words. Unknown words mean one more try, so that a change of them costs time only. */
static int tls_failure(const char *text, struct err *err)
{
    static const struct {
        const char *words, *hint;
    } lasting[] = {
        {"wrong version number", "A server without TLS listens there: is the address http://?"},
        {"packet length", "A server without TLS listens there: is the address http://?"},
        {"unsupported protocol", "TLS 1.2 is the least that is spoken."},
        {"alert protocol version", "TLS 1.2 is the least that is spoken."},
        {"certificate required", CLIENT_CERTIFICATE},
        {"alert bad certificate", CLIENT_CERTIFICATE},
        {"alert unknown ca", CLIENT_CERTIFICATE},
        {"alert handshake failure", CLIENT_CERTIFICATE},
    };

    for (size_t i = 0; i < ARRAY_LEN(lasting); i++) {
        if (!strstr(text, lasting[i].words))
            continue;
        (void)err_set(err, ERR_SOURCE_DENIED, "TLS: %s", text);
        return err_hint(err, "%s", lasting[i].hint);
    }
    return err_set(err, ERR_SOURCE_DOWN, "%s", text);
}

/* Whether it was the proxy between that failed, which is then said. One that refuses will go on doing
 * so: that is no server that is away. */
static bool proxy_failure(const struct http_transfer *transfer, CURLcode code, const char *text,
                          struct err *err)
{
    long status = 0;

    if (!transfer->through_proxy)
        return false;
    (void)http_curl.easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &status);
    if (status == HTTP_PROXY_WANTS_LOGIN) {
        (void)err_set(err, ERR_SOURCE_DENIED, "the proxy answered %ld to CONNECT", status);
        (void)err_hint(err, "It wants a user name and a password, in its URL: "
                            "http://USER:PASSWORD@HOST:PORT.");
        return true;
    }
    if (status >= HTTP_REFUSALS && status < HTTP_FAULTS) {
        (void)err_set(err, ERR_SOURCE_DENIED, "the proxy answered %ld to CONNECT", status);
        (void)err_hint(err,
                       "It does not let this machine reach Vault. no_proxy names the hosts that "
                       "https_proxy is not for.");
        return true;
    }
    if (status < HTTP_FAULTS && code != CURLE_COULDNT_RESOLVE_PROXY &&
        code != CURLE_COULDNT_CONNECT && !strstr(text, "CONNECT"))
        return false;
    (void)err_set(err, ERR_SOURCE_DOWN, "through the proxy: %s", text);
    (void)err_hint(err, "Is the proxy that the environment names running, and can it reach Vault?");
    return true;
}

void http_failure_describe(const struct http_transfer *transfer, CURLcode code, struct err *err)
{
    const struct buf *answer = &transfer->exchange->answer;
    const char *text = transfer->error_text[0] ? transfer->error_text
                                               : http_curl.easy_strerror(code);
    long reason = 0;

    if (answer->too_long) {
        (void)err_set(err, ERR_SOURCE_DATA, "the answer is longer than %d bytes",
                      VAULT_BODY_MAX_BYTES);
        return;
    }
    if (transfer->too_many_headers) {
        (void)err_set(err, ERR_SOURCE_DATA, "the answer's headers are longer than %d bytes",
                      VAULT_HEADER_MAX_BYTES);
        return;
    }
    if (answer->no_memory) {
        (void)err_nomem(err);
        return;
    }
    if (code == CURLE_ABORTED_BY_CALLBACK) { /* it was to be sent for a second time */
        (void)err_set(err, ERR_SOURCE_DOWN, "the connection ended before there was an answer");
        return;
    }
    if (code == CURLE_SSL_CONNECT_ERROR || (code == CURLE_RECV_ERROR && strstr(text, "SSL"))) {
        (void)tls_failure(text, err);
        return;
    }
    if (proxy_failure(transfer, code, text, err))
        return;
    (void)http_curl.easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &reason);
    (void)err_set(err, ERR_SOURCE_DOWN, "%s%s%s", text, reason ? ": " : "",
                  reason ? strerrordesc_np((int)reason) : "");
    err->sys_errno = (int)reason;
    for (size_t i = 0; i < ARRAY_LEN(meanings); i++) {
        if (meanings[i].code != code)
            continue;
        err->kind = meanings[i].kind;
        (void)err_hint(err, "%s", meanings[i].hint);
    }
}
