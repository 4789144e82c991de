/* flight.c: calls on their way: sent, redirected, tried again, until each has its last word.
 *
 * A standby's redirect is followed once, by us. Where the server says how far it is (X-Vault-Index),
 * later requests carry that along, so that a node that is behind says so instead of answering with
 * what was there before. */
#include "vault/internal.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/url.h"

enum {
    BACKOFF_BASE_MS = 200,
    BACKOFF_CAP_MS = 5000,
    STATUS_OK = 200,
    STATUS_REDIRECT = 300,
    STATUS_TEMPORARY_REDIRECT = 307,
    STATUS_PERMANENT_REDIRECT = 308,
    URL_MAX_BYTES = VAULT_ADDRESS_MAX_BYTES + VAULT_PATH_MAX_BYTES + 16,
    MS_PER_S = 1000,
    SLOW_MS = 1000, /* an answer that takes longer than that is spoken of */
};

/* ---- one call ------------------------------------------------------------------------------- */

static int set_home_url(struct vault *v, struct call *call, struct err *err)
{
    const struct vault_node *node = &v->config.nodes[v->node];
    AUTO_BUF url = BUF_INIT(URL_MAX_BYTES);

    buf_addf(&url, "%s/v1/%s", node->base_url, call->path);
    if (buf_check(&url, ERR_CONTRACT, "the URL of a request", err) != 0)
        return -1;
    char *text = buf_take(&url);
    if (!text)
        return err_nomem(err);
    free(call->url);
    call->url = text;
    call->redirected = false;
    call->node = v->node;
    call->exchange.node = node;
    return 0;
}

static int send_call(struct flight *flight, struct call *call, struct err *err)
{
    struct vault *v = flight->vault;
    struct http_exchange *exchange = &call->exchange;

    exchange->method = call->method;
    exchange->url = call->url;
    exchange->token = call->anonymous || !secret_is_set(&v->token) ? NULL : &v->token;
    if (call->as)
        exchange->token = call->as;
    exchange->body = call->body;
    exchange->is_patch = call->is_patch;
    exchange->patient = call->patient;
    exchange->once = call->once;
    exchange->index = v->index;
    exchange->from_leader = call->behind > 0;
    call->index_age = v->index_age;
    exchange->deadline_ms = flight->deadline_ms;
    call->sent_ms = clock_now_ms();
    if (http_start(v->http, exchange, err) != 0)
        return -1;
    call->state = CALL_IN_FLIGHT;
    return 0;
}

/* How far the server was when it answered. Indexes can't be compared, so that of a read counts only
 * when no other was taken since it was sent: it is not older than what it was asked with. */
static void take_index(struct vault *v, struct call *call)
{
    int status = call->exchange.status;
    bool is_read = str_eq(call->method, "GET") || str_eq(call->method, "LIST");

    if (!call->exchange.index_now || status < STATUS_OK || status >= STATUS_REDIRECT ||
        (is_read && call->index_age != v->index_age))
        return;
    free(v->index);
    v->index = call->exchange.index_now;
    call->exchange.index_now = NULL;
    v->index_age++;
}

static void end_call(struct flight *flight, struct call *call)
{
    take_index(flight->vault, call);
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

/* Whether the hop is allowed. *node: whose origin it is, or NULL where it is one of redirect_hosts. */
static bool may_follow(const struct vault_config *config, const struct call *call,
                       const struct vault_node **node)
{
    const struct vault_node *from = &config->nodes[call->node];
    const char *location = call->exchange.location;

    if (config->no_redirects || !location || has_user(location))
        return false;
    if (from->tls ? !str_starts(location, "https://")
                  : !str_starts(location, "http://") && !str_starts(location, "https://"))
        return false;
    for (size_t i = 0; i < config->node_count; i++) {
        const struct vault_node *other = &config->nodes[(call->node + i) % config->node_count];
        if (!vault_same_origin(location, other->address) &&
            !vault_same_origin(location, other->base_url))
            continue;
        *node = other;
        return true;
    }
    *node = NULL;
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
    const struct vault_node *node;

    if (call->redirected || !may_follow(config, call, &node))
        return 0;
    AUTO_BUF url = BUF_INIT(URL_MAX_BYTES);
    if (node) /* by the name that TLS asks for, which need not be the address's */
        buf_add(&url, node->base_url, (size_t)(path_of(node->base_url) - node->base_url));
    buf_adds(&url, node ? path_of(location) : location);
    if (buf_check(&url, ERR_SOURCE_DATA, "the place that a redirect names", err) != 0)
        return -1;
    char *text = buf_take(&url);
    if (!text)
        return err_nomem(err);
    free(call->url);
    call->url = text;
    call->redirected = true;
    call->exchange.node = node;
    if (node) /* it leads: what follows may go there at once */
        call->node = flight->vault->node = (size_t)(node - config->nodes);
    return send_call(flight, call, err) == 0 ? 1 : -1;
}

static int take_answer(struct flight *flight, struct call *call, struct err *err)
{
    if (is_redirect(call->exchange.status)) {
        int followed = follow(flight, call, err);
        if (followed != 0)
            return followed < 0 ? -1 : 0;
    }
    if (flight_try_again(flight, call))
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
        if (ahead_take(flight->vault, call)) {
            end_call(flight, call);
            continue;
        }
        int64_t wait = rate_wait_ms(flight->vault);
        if (wait > 0) {
            *next_ms = clock_earlier(*next_ms, clock_in_ms(wait));
            return 0;
        }
        call->attempts++;
        if (call->node != flight->vault->node && set_home_url(flight->vault, call, err) != 0)
            return -1; /* the others have moved on meanwhile */
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

/* A server that takes connections and answers none would be waited for in silence until the request's
 * time is over. Gives when to look at it again; CLOCK_NEVER: no request is open. */
static int64_t say_open(struct flight *flight)
{
    int64_t due_ms = CLOCK_NEVER;

    for (const struct call *call = flight->first; call; call = call->next) {
        if (call->optional || call->state != CALL_IN_FLIGHT)
            continue;
        int64_t slow_ms = call->sent_ms + SLOW_MS;
        if (clock_passed(slow_ms)) {
            log_progress(&flight->progress, "waiting for Vault at %s: no answer yet (attempt %u)",
                         flight->vault->config.nodes[call->node].address, call->attempts);
            return log_progress_due_ms(&flight->progress);
        }
        due_ms = clock_earlier(due_ms, slow_ms);
    }
    return due_ms;
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
        next_ms = clock_earlier(next_ms, say_open(flight));
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
        if (call->state == CALL_IN_FLIGHT) { /* nobody needs it any more */
            call->lost = call->exchange.sent;
            http_exchange_release(v->http, &call->exchange);
        }
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
