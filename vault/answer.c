/* answer.c: what a call ended with, as an error for people: never blank, with what to do next. */
#include "vault/internal.h"

#include <string.h>

#include "base/mem.h"
#include "base/redact.h"
#include "base/str.h"

enum {
    SERVER_TEXT_BYTES = 1024, /* of errors[] */
    FOREIGN_TEXT_BYTES = 160, /* of a body that is not Vault's */
    WARNINGS_MAX = 64,
    SCRUBBED_BYTES = VAULT_BODY_MAX_BYTES,
};

/* What a status usually means, for when the server adds no word. */
static const char *usual_meaning(int status)
{
    switch (status) {
    case 400:
        return "it could not use the request";
    case 401:
    case 403:
        return "permission denied";
    case 404:
        return "there is nothing at that path";
    case 405:
        return "that path can not be read";
    case 412:
        return "a node that is behind";
    case 413:
        return "the request is too large";
    case 429:
        return "too many requests";
    case 500:
        return "an error inside of Vault";
    case 501:
        return "Vault is not initialised";
    case 502:
        return "something that Vault needs failed, or a proxy did not reach it";
    case 503:
        return "Vault is sealed or in maintenance";
    case 504:
        return "a proxy waited too long for Vault";
    default:
        return "it gave no reason";
    }
}

static enum err_kind kind_of(int status)
{
    if (status == 404)
        return ERR_SOURCE_MISSING;
    if (status >= 500 || flight_is_transient(status))
        return ERR_SOURCE_DOWN;
    return status >= 400 ? ERR_SOURCE_DENIED : ERR_SOURCE_DATA;
}

/* TEXT with SECRET replaced, should the server have repeated what it was sent. */
static void scrub(struct buf *text, const struct secret *secret)
{
    if (!secret || secret_length(secret) < REDACT_MIN_BYTES)
        return;
    AUTO_BUF clean = BUF_INIT(SCRUBBED_BYTES);
    const char *from = buf_text(text), *end = from + text->len;
    const char *needle = secret_reveal(secret);
    size_t length = secret_length(secret);

    for (const char *hit; (hit = memmem(from, (size_t)(end - from), needle, length));
         from = hit + length) {
        buf_add(&clean, from, (size_t)(hit - from));
        buf_adds(&clean, "***");
    }
    buf_add(&clean, from, (size_t)(end - from));
    buf_move(text, &clean);
}

static bool has_words(const struct http_exchange *exchange, const char *words)
{
    return memmem(buf_text(&exchange->answer), exchange->answer.len, words, strlen(words)) != NULL;
}

bool answer_says_no_effect(const struct call *call)
{
    const struct http_exchange *exchange = &call->exchange;

    switch (exchange->status) {
    case 0:
        return !exchange->sent;
    case 500: /* a node that found nobody to hand it on to */
        return has_words(exchange, "active cluster node not found") ||
               has_words(exchange, "node not active");
    case 501: /* it has no data yet */
    case 530: /* it was removed from its cluster */
        return true;
    case 503: /* a proxy's, or one about something behind Vault, says nothing of the kind */
        return has_words(exchange, "Vault is sealed");
    default:
        return exchange->status < 500;
    }
}

/* The first line of a body that is not Vault's JSON, for a proxy's or another server's words. */
static void add_foreign(const struct buf *answer, struct buf *out)
{
    const char *text = buf_text(answer);
    size_t length = strcspn(text, "\r\n");

    str_trim(&text, &length);
    buf_add(out, text, length < FOREIGN_TEXT_BYTES ? length : FOREIGN_TEXT_BYTES);
}

/* The server's words about CALL. True: they are Vault's. */
static bool server_text(const struct vault *v, struct call *call, struct buf *out)
{
    AUTO_BUF all = BUF_INIT(SCRUBBED_BYTES);
    struct buf *answer = &call->exchange.answer;
    bool is_vault = answer->len == 0 || vault_json_errors(answer, &all);

    if (!is_vault)
        add_foreign(answer, &all);
    scrub(&all, &v->token);
    scrub(&all, call->sent);
    buf_add(out, buf_text(&all), all.len < out->max ? all.len : out->max);
    return is_vault;
}

static void redirect_error(const struct vault *v, const struct call *call, struct err *err)
{
    const char *location = call->exchange.location;
    int origin = 0;

    if (location) { /* without what it might carry behind the host */
        const char *authority = strstr(location, "://");
        authority = authority ? authority + strlen("://") : location;
        const char *end = strpbrk(authority, "/?#");
        const char *user = memrchr(authority, '@',
                                   end ? (size_t)(end - authority) : strlen(authority));
        if (user)
            location = NULL; /* a name and a password may stand before the host */
        else
            origin = end ? (int)(end - location) : (int)strlen(location);
    }
    (void)err_set(err, ERR_SOURCE_DATA, "answered %d, a redirect to %.*s, which is not followed%s",
                  call->status, location ? origin : (int)strlen("nowhere usable"),
                  location ? location : "nowhere usable",
                  call->redirected ? " after another one" : "");
    if (location && !v->config.no_redirects)
        (void)err_hint(err,
                       "If that is a node of the same Vault, list it in vault.redirect_hosts.");
}

static void add_hints(const struct vault *v, const struct call *call, bool is_vault,
                      const char *text, struct err *err)
{
    if (!is_vault && call->status == 400 && !v->config.nodes[call->node].tls)
        (void)err_hint(err, "The server may want TLS: is the address https://?");
    else if (!is_vault)
        (void)err_hint(err, "These are not Vault's words: does something else listen there?");
    if (call->status == 503 && (strstr(text, "sealed") || !*text))
        (void)err_hint(err, "Unseal it (`bao operator unseal`, `vault operator unseal`), then try "
                            "again.");
    if (call->status == 429)
        (void)err_hint(err, "Vault limits how often it is asked; later it will answer.");
    if (call->status == 404 && v->config.name_space)
        (void)err_hint(err, "It was asked in the namespace '%s'.", v->config.name_space);
}

static void status_error(const struct vault *v, struct call *call, struct err *err)
{
    AUTO_BUF text = BUF_INIT(SERVER_TEXT_BYTES);
    bool is_vault = server_text(v, call, &text);
    enum err_kind kind = kind_of(call->status);
    bool sealed = call->status == 503 && is_vault && strstr(buf_text(&text), "sealed");

    if (call->status == 304 || (call->status >= 300 && call->status < 400)) {
        redirect_error(v, call, err);
        return;
    }
    (void)err_set(err, kind, "answered %d: %s%s", call->status,
                  text.len ? buf_text(&text) : usual_meaning(call->status),
                  sealed && !strstr(buf_text(&text), "is sealed") ? " (Vault is sealed)" : "");
    add_hints(v, call, is_vault, buf_text(&text), err);
    int64_t wait = call->exchange.retry_after_ms;
    if (wait > 0) {
        AUTO_BUF duration = BUF_INIT(FOREIGN_TEXT_BYTES);
        str_add_duration(&duration, wait);
        (void)err_hint(err, "It asks to be left alone for %s.", buf_text(&duration));
    }
}

int answer_error(struct vault *v, struct call *call, const char *tried, struct err *err)
{
    AUTO_BUF tries = BUF_INIT(FOREIGN_TEXT_BYTES);
    struct err cause = ERR_INIT;

    if (call->status != 0)
        status_error(v, call, &cause);
    else
        cause = call->exchange.err;
    if (call->attempts > 1)
        buf_addf(&tries, " (%u attempts)", call->attempts);
    *err = cause;
    err->http_status = call->status;
    (void)err_wrap(err, "%s '%s' at '%s'%s", tried, call->path, v->config.nodes[call->node].address,
                   buf_text(&tries));
    if (call->status == 0 && v->config.address_is_default)
        (void)err_hint(err, "No address was named, this is the usual one: set VAULT_ADDR or the "
                            "contract's vault.address.");
    return -1;
}

/* ---- warnings ------------------------------------------------------------------------------- */

static bool is_new(struct vault *v, const char *text)
{
    for (size_t i = 0; i < v->warning_count; i++)
        if (str_eq(v->warnings[i], text))
            return false;
    if (v->warning_count >= WARNINGS_MAX ||
        mem_grow(&v->warnings, v->warning_count, &v->warning_capacity, sizeof(*v->warnings)) != 0)
        return true; /* better said twice than not at all */
    v->warnings[v->warning_count] = mem_dup(text);
    v->warning_count += v->warnings[v->warning_count] != NULL;
    return true;
}

void answer_warnings(struct vault *v, const char *path, const json_t *json)
{
    json_t *warnings = json_object_get(json, "warnings"), *text;
    size_t i;

    json_array_foreach(warnings, i, text)
    {
        if (json_is_string(text) && json_string_length(text) > 0 &&
            is_new(v, json_string_value(text)))
            log_line(LOG_WARN, "Vault warns", "path", path, "text", json_string_value(text), NULL);
    }
}
