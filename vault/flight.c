/* flight.c: calls on their way: tried again where that may help, until each has its last word.
 *
 * What is worth another try (measured on the reference client): 412, 429, 500, 502, 503, 504 and
 * whatever failed on the way. 500 is also what Vault says to some lasting mistakes, so it is asked a
 * few times only. Retry-After is waited for; when that would pass the deadline, the call ends at
 * once with what came back. A standby's redirect is followed once, by us. */
#include "vault/internal.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/url.h"

enum {
    BACKOFF_BASE_MS = 200,
    BACKOFF_CAP_MS = 5000,
    LAST_TRIES_MS = 500, /* with less left there is no use in another one */
    ATTEMPTS_ON_500 = 3,
    STATUS_TEMPORARY_REDIRECT = 307,
    STATUS_PERMANENT_REDIRECT = 308,
    STATUS_SERVER_ERROR = 500,
    URL_MAX_BYTES = VAULT_ADDRESS_MAX_BYTES + VAULT_PATH_MAX_BYTES + 16,
    MS_PER_S = 1000,
};

bool flight_is_transient(int status)
{
    switch (status) {
    case 412:
    case 429:
    case STATUS_SERVER_ERROR:
    case 502:
    case 503:
    case 504:
        return true;
    default:
        return false;
    }
}

/* ---- one call ------------------------------------------------------------------------------- */

static int set_home_url(struct vault *v, struct call *call, struct err *err)
{
    AUTO_BUF url = BUF_INIT(URL_MAX_BYTES);

    buf_addf(&url, "%s/v1/%s", v->config.base_url, call->path);
    if (buf_check(&url, ERR_CONTRACT, "the URL of a request", err) != 0)
        return -1;
    char *text = buf_take(&url);
    if (!text)
        return err_nomem(err);
    free(call->url);
    call->url = text;
    call->redirected = false;
    call->exchange.elsewhere = false;
    return 0;
}

static int send_call(struct flight *flight, struct call *call, struct err *err)
{
    struct vault *v = flight->vault;
    struct http_exchange *exchange = &call->exchange;

    exchange->method = call->method;
    exchange->url = call->url;
    exchange->token = call->anonymous || !secret_is_set(&v->token) ? NULL : &v->token;
    exchange->body = call->body;
    exchange->patient = call->patient;
    exchange->deadline_ms = flight->deadline_ms;
    call->sent_ms = clock_now_ms();
    if (http_start(v->http, exchange, err) != 0)
        return -1;
    call->state = CALL_IN_FLIGHT;
    return 0;
}

static void end_call(struct flight *flight, struct call *call)
{
    call->status = call->exchange.status;
    call->state = CALL_DONE;
    if (call->done)
        call->done(flight, call);
}

/* ---- redirects ------------------------------------------------------------------------------ */

static bool is_redirect(int status)
{
    return status == STATUS_TEMPORARY_REDIRECT || status == STATUS_PERMANENT_REDIRECT;
}

static bool has_user(const char *url)
{
    struct err ignored;
    struct url parts;

    return url_parse(url, strlen(url), &parts, ERR_SOURCE_DATA, &ignored) != 0 ||
           parts.user.start || parts.password.start;
}

static const char *path_of(const char *url)
{
    const char *authority = strstr(url, "://");

    return authority ? strchrnul(authority + strlen("://"), '/') : url + strlen(url);
}

/* Whether the hop is allowed; *elsewhere: to another origin than the configured one. */
static bool may_follow(const struct vault_config *config, const char *location, bool *elsewhere)
{
    bool was_tls = config->tls;

    if (config->no_redirects || !location || has_user(location))
        return false;
    if (was_tls ? !str_starts(location, "https://")
                : !str_starts(location, "http://") && !str_starts(location, "https://"))
        return false;
    *elsewhere = !vault_same_origin(location, config->address) &&
                 !vault_same_origin(location, config->base_url);
    if (!*elsewhere)
        return true;
    for (const char *const *host = config->redirect_hosts; host && *host; host++)
        if (vault_same_origin(location, *host))
            return true;
    return false;
}

/* 1: followed; 0: not to be followed; -1: failed. */
static int follow(struct flight *flight, struct call *call, struct err *err)
{
    const struct vault_config *config = &flight->vault->config;
    const char *location = call->exchange.location;
    bool elsewhere;

    if (call->redirected || !may_follow(config, location, &elsewhere))
        return 0;
    AUTO_BUF url = BUF_INIT(URL_MAX_BYTES);
    if (!elsewhere) /* by the name that TLS asks for, which need not be the address's */
        buf_add(&url, config->base_url, (size_t)(path_of(config->base_url) - config->base_url));
    buf_adds(&url, elsewhere ? location : path_of(location));
    if (buf_check(&url, ERR_SOURCE_DATA, "the place that a redirect names", err) != 0)
        return -1;
    char *text = buf_take(&url);
    if (!text)
        return err_nomem(err);
    free(call->url);
    call->url = text;
    call->redirected = true;
    call->exchange.elsewhere = elsewhere;
    return send_call(flight, call, err) == 0 ? 1 : -1;
}

/* ---- trying again --------------------------------------------------------------------------- */

static void say_waiting(struct flight *flight, const struct call *call)
{
    const char *address = flight->vault->config.address;

    if (call->exchange.status)
        log_progress(&flight->progress, "waiting for Vault at %s: it answered %d (attempt %u)",
                     address, call->exchange.status, call->attempts);
    else
        log_progress(&flight->progress, "waiting for Vault at %s: %s (attempt %u)", address,
                     call->exchange.err.text, call->attempts);
}

static bool try_again(struct flight *flight, struct call *call)
{
    const struct http_exchange *exchange = &call->exchange;
    int retries = flight->vault->config.retries;

    if (exchange->status ? !flight_is_transient(exchange->status)
                         : exchange->err.kind != ERR_SOURCE_DOWN)
        return false;
    if (retries >= 0 && call->attempts > (unsigned)retries)
        return false;
    if (exchange->status == STATUS_SERVER_ERROR && call->attempts >= ATTEMPTS_ON_500)
        return false;
    int64_t delay = backoff_next_ms(&call->backoff);
    if (delay < exchange->retry_after_ms)
        delay = exchange->retry_after_ms;
    int64_t left = clock_left_ms(flight->deadline_ms);
    if (left <= delay && left > LAST_TRIES_MS && exchange->retry_after_ms < left)
        delay = left / 2; /* the end of the time is used, too */
    if (left <= delay)
        return false;
    call->due_ms = clock_in_ms(delay);
    call->state = CALL_WAITING;
    say_waiting(flight, call);
    return true;
}

static int take_answer(struct flight *flight, struct call *call, struct err *err)
{
    if (is_redirect(call->exchange.status)) {
        int followed = follow(flight, call, err);
        if (followed != 0)
            return followed < 0 ? -1 : 0;
    }
    if (try_again(flight, call))
        return set_home_url(flight->vault, call, err); /* another node may lead by then */
    end_call(flight, call);
    return 0;
}

/* ---- the flight ----------------------------------------------------------------------------- */

/* VAULT_RATE_LIMIT as a bucket of tokens: ms until the next request may go, 0 when one may now. */
static int64_t rate_wait_ms(struct vault *v)
{
    const struct vault_config *config = &v->config;
    int64_t now = clock_now_ms();

    if (config->rate <= 0)
        return 0;
    if (v->rate_filled_ms == 0)
        v->rate_tokens = config->burst;
    else
        v->rate_tokens += (double)(now - v->rate_filled_ms) * config->rate / MS_PER_S;
    if (v->rate_tokens > config->burst)
        v->rate_tokens = config->burst;
    v->rate_filled_ms = now;
    if (v->rate_tokens >= 1) {
        v->rate_tokens -= 1;
        return 0;
    }
    double wait = (1 - v->rate_tokens) * MS_PER_S / config->rate;
    return wait < INT32_MAX ? (int64_t)wait + 1 : INT32_MAX;
}

/* Send what is due. *next_ms: when there will be something to send, at the latest. */
static int send_due(struct flight *flight, int64_t *next_ms, struct err *err)
{
    for (struct call *call = flight->first; call; call = call->next) {
        if (call->state != CALL_WAITING)
            continue;
        if (!clock_passed(call->due_ms)) {
            *next_ms = clock_earlier(*next_ms, call->due_ms);
            continue;
        }
        if (call->attempts == 0 && clock_passed(flight->deadline_ms)) {
            (void)err_set(&call->exchange.err, ERR_SOURCE_DOWN,
                          "not sent: the time for it was over before its turn");
            end_call(flight, call);
            continue;
        }
        int64_t wait = rate_wait_ms(flight->vault);
        if (wait > 0) {
            *next_ms = clock_earlier(*next_ms, clock_in_ms(wait));
            return 0;
        }
        call->attempts++;
        if (send_call(flight, call, err) != 0)
            return -1;
    }
    return 0;
}

static bool is_needed(const struct flight *flight)
{
    for (const struct call *call = flight->first; call; call = call->next)
        if (!call->optional && call->state != CALL_DONE)
            return true;
    return false;
}

static struct call *call_of(const struct flight *flight, const struct http_exchange *exchange)
{
    struct call *call = flight->first;

    while (call && &call->exchange != exchange)
        call = call->next;
    return call;
}

void flight_add(struct flight *flight, struct call *call)
{
    struct call **end = &flight->first;

    while (*end)
        end = &(*end)->next;
    *end = call;
    call->next = NULL;
    call->backoff = (struct backoff){.base_ms = BACKOFF_BASE_MS, .cap_ms = BACKOFF_CAP_MS};
    call->due_ms = 0;
    call->state = CALL_WAITING;
    if (flight->failure.kind == ERR_NONE)
        (void)set_home_url(flight->vault, call, &flight->failure);
}

static int fly(struct flight *flight, struct err *err)
{
    struct http *http = flight->vault->http;

    while (flight->failure.kind == ERR_NONE && is_needed(flight)) {
        int64_t next_ms = CLOCK_NEVER;
        if (send_due(flight, &next_ms, err) != 0)
            return -1;
        if (!is_needed(flight)) /* their time was over: there is nothing to wait for */
            break;
        if (http_wait(http, next_ms, err) != 0)
            return -1;
        for (struct http_exchange *ended; (ended = http_next_ended(http));) {
            struct call *call = call_of(flight, ended);
            if (call && take_answer(flight, call, err) != 0)
                return -1;
        }
    }
    if (flight->failure.kind == ERR_NONE)
        return 0;
    *err = flight->failure;
    return -1;
}

int flight_run(struct flight *flight, struct err *err)
{
    struct vault *v = flight->vault;

    if (!v->http && http_open(&v->config, &v->http, err) != 0)
        return -1;
    int result = fly(flight, err);
    log_progress_end(&flight->progress);
    for (struct call *call = flight->first; call; call = call->next)
        if (call->state == CALL_IN_FLIGHT) /* nobody needs it any more */
            http_exchange_release(v->http, &call->exchange);
    return result;
}

void call_release(struct vault *v, struct call *call)
{
    http_exchange_release(v->http, &call->exchange);
    free(call->path);
    free(call->url);
    *call = (struct call){0};
}

int flight_perform(struct vault *v, struct call *call, int64_t deadline_ms, struct err *err)
{
    struct flight flight = {.vault = v, .deadline_ms = deadline_ms};

    flight_add(&flight, call);
    return flight_run(&flight, err);
}
