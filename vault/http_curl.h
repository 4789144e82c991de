/* vault/http_curl.h: libcurl's functions and one transfer, shared by http.c, http_early.c,
 * http_request.c and http_failure.c. */
#ifndef VAULT_HTTP_CURL_H
#define VAULT_HTTP_CURL_H

/* The type check of curl.h is a macro around the name of the function, which here is a pointer. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <sys/socket.h>

#include "vault/internal.h"

#define CURL_FUNCTIONS(X)  \
    X(global_init_mem)     \
    X(version_info)        \
    X(easy_init)           \
    X(easy_setopt)         \
    X(easy_getinfo)        \
    X(easy_strerror)       \
    X(easy_cleanup)        \
    X(multi_init)          \
    X(multi_setopt)        \
    X(multi_add_handle)    \
    X(multi_remove_handle) \
    X(multi_perform)       \
    X(multi_poll)          \
    X(multi_info_read)     \
    X(multi_strerror)      \
    X(multi_cleanup)       \
    X(slist_append)        \
    X(slist_free_all)

/* Filled when the library is opened; also where tests of faults put their own functions. */
struct http_curl_functions {
#define X(name) __typeof__(curl_##name) *name;
    CURL_FUNCTIONS(X)
#undef X
    bool ready;
};
extern struct http_curl_functions http_curl;

struct http_transfer {
    CURL *easy;
    struct curl_slist *headers;
    struct http_exchange *exchange;
    size_t header_bytes;
    bool too_many_headers;
    bool through_proxy;
    char error_text[CURL_ERROR_SIZE];
};

/* A connection that is begun before libcurl is opened: http_early.c. */
struct http_early {
    int fd; /* -1: there is none, or it was taken */
    struct sockaddr_storage to;
    int taken; /* the descriptor that libcurl has just got */
};
#define HTTP_EARLY_INIT ((struct http_early){.fd = -1, .taken = -1})

/* Where CONFIG allows it: one node that is a number, with nothing between. It never fails: then there is
 * none. */
void http_early_begin(struct http_early *early, const struct vault_config *config);
/* The connected socket, the caller's then, where it is for ADDRESS; else -1. Once. */
int http_early_take(struct http_early *early, const struct sockaddr *address);
/* Have EASY take it; EARLY outlives it. -1: no memory. */
MUST_USE int http_early_offer(struct http_early *early, CURL *easy);
void http_early_end(struct http_early *early);

/* Have the transfer's handle, which is new, ask what its exchange asks. CONNECT_TO has a list for each
 * node of CONFIG, which is filled when it is needed and outlives the transfer. */
MUST_USE int http_request_set_up(struct http_transfer *transfer, const struct vault_config *config,
                                 struct curl_slist **connect_to, struct err *err);

/* What CODE of an ended transfer means, as its exchange's error. */
void http_failure_describe(const struct http_transfer *transfer, CURLcode code, struct err *err);

#endif
