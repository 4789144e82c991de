/* flight.c: calls on their way: tried again where that may help, until each has its last word.
 *
 * What is worth another try (measured on the reference client): 412, 429, 500, 502, 503, 504 and
 * whatever failed on the way. 500 is also what Vault says to some lasting mistakes, so it is asked a
 * few times only. Retry-After is waited for; when that would pass the deadline, the call ends at
 * once with what came back. A standby's redirect is followed once, by us.
 *
 * With several nodes, what one of them can't do (away, sealed, without a leader, behind) is asked of
 * the next one at once; only when each has been asked is there a delay. All calls move together: the
 * node that answered the last time is asked first. Where the server says how far it is (X-Vault-Index),
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
    LAST_TRIES_MS = 500, /* with less left there is no use in another one */
    ATTEMPTS_ON_500 = 3,
    ATTEMPTS_WHEN_BEHIND = 6,
    SPREAD_PARTS = 4, /* a fleet that was told to wait for 1 s comes back within this part of it, */
    SPREAD_MAX_MS = 1000, /* at most */
    STATUS_OK = 200,
    STATUS_REDIRECT = 300,
    STATUS_TEMPORARY_REDIRECT = 307,
    STATUS_PERMANENT_REDIRECT = 308,
    STATUS_BEHIND = 412,
    STATUS_TOO_MANY = 429,
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
    exchange->body = call->body;
    exchange->patient = call->patient;
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

/* ---- trying again --------------------------------------------------------------------------- */

/* Vault's own words for a cluster between two leaders, which it says with the status of a fault.
 * Source: vault/request_forwarding.go and http/handler.go of OpenBao. */
static bool has_no_leader(const struct http_exchange *exchange)
{
    static const char *const words[] = {"active cluster node not found", "node not active",
                                        "error during forwarding", "no active leader"};

    if (exchange->status != STATUS_SERVER_ERROR)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (memmem(exchange->answer.data, exchange->answer.len, words[i], strlen(words[i])))
            return true;
    return false;
}

/* A standby that is behind what the request carried: 412, or in OpenBao 429 with an empty list of
 * errors; a quota has its reason in there. */
static bool is_behind(const struct http_exchange *exchange)
{
    static const char empty[] = "\"errors\":[]";

    return exchange->status == STATUS_BEHIND ||
           (exchange->status == STATUS_TOO_MANY && exchange->index &&
            memmem(exchange->answer.data, exchange->answer.len, empty, sizeof empty - 1));
}

/* What is no answer of Vault's but of one node: another may do better. */
static bool is_of_node(const struct http_exchange *exchange)
{
    switch (exchange->status) {
    case 0:
        return exchange->err.kind == ERR_SOURCE_DOWN;
    case 472: /* a disaster recovery secondary, */
    case 473: /* a standby for reads, */
    case 474: /* one without a leader, */
    case 501: /* one without data, */
    case 502:
    case 503: /* a sealed one, */
    case 504:
    case 530: /* one that was removed */
        return true;
    default:
        return is_behind(exchange) || has_no_leader(exchange);
    }
}

static bool is_worth_it(const struct call *call, bool several_nodes)
{
    const struct http_exchange *exchange = &call->exchange;

    if (exchange->status == 0)
        return exchange->err.kind == ERR_SOURCE_DOWN;
    if (call->faults >= ATTEMPTS_ON_500 || call->behind >= ATTEMPTS_WHEN_BEHIND)
        return false;
    return flight_is_transient(exchange->status) || (several_nodes && is_of_node(exchange));
}

static void say_moved(struct vault *v, const struct call *call)
{
    const struct vault_node *nodes = v->config.nodes;
    char why[ERR_TEXT_BYTES];

    if (v->node_was_left[call->node])
        return;
    v->node_was_left[call->node] = true;
    if (call->exchange.status)
        (void)snprintf(why, sizeof why, "it answered %d", call->exchange.status);
    else
        (void)snprintf(why, sizeof why, "%s", call->exchange.err.text);
    log_line(LOG_WARN, "a node of Vault's does not serve: going on with another", "node",
             nodes[call->node].address, "why", why, "next", nodes[v->node].address, NULL);
}

/* Go on with another node, all calls together. False: this call has asked each of them. */
static bool move_on(struct vault *v, struct call *call)
{
    size_t count = v->config.node_count;

    if (count < 2 || !is_of_node(&call->exchange))
        return false;
    if (v->node == call->node)
        v->node = (call->node + 1) % count;
    call->nodes_asked++;
    say_moved(v, call);
    if (call->nodes_asked < count)
        return true;
    call->nodes_asked = 0;
    return false;
}

static void say_waiting(struct flight *flight, const struct call *call)
{
    const char *address = flight->vault->config.nodes[call->node].address;

    if (call->exchange.status)
        log_progress(&flight->progress, "waiting for Vault at %s: it answered %d (attempt %u)",
                     address, call->exchange.status, call->attempts);
    else
        log_progress(&flight->progress, "waiting for Vault at %s: %s (attempt %u)", address,
                     call->exchange.err.text, call->attempts);
}

/* How long until the next attempt; -1: it would come too late. What the server asked for is never
 * cut short, and a fleet that was asked for the same does not come back in the same moment. */
static int64_t delay_of(const struct flight *flight, struct call *call)
{
    int64_t asked = call->exchange.retry_after_ms, left = clock_left_ms(flight->deadline_ms);
    int64_t delay = backoff_next_ms(&call->backoff);

    if (delay < asked) {
        int64_t spread = asked / SPREAD_PARTS < SPREAD_MAX_MS ? asked / SPREAD_PARTS
                                                              : SPREAD_MAX_MS;
        delay = asked + clock_random((uint32_t)spread + 1);
        if (left <= delay)
            delay = asked;
    }
    if (left <= delay && left > LAST_TRIES_MS && asked < left)
        delay = left / 2 > asked ? left / 2 : asked; /* the end of the time is used, too */
    return left <= delay ? -1 : delay;
}

static bool try_again(struct flight *flight, struct call *call)
{
    const struct http_exchange *exchange = &call->exchange;
    struct vault *v = flight->vault;
    int64_t delay = 0;

    if (exchange->status == STATUS_SERVER_ERROR && !has_no_leader(exchange))
        call->faults++;
    if (is_behind(exchange))
        call->behind++;
    if (!is_worth_it(call, v->config.node_count > 1))
        return false;
    if (!move_on(v, call)) {
        if (v->config.retries >= 0 && call->rounds >= (unsigned)v->config.retries)
            return false;
        call->rounds++;
        delay = delay_of(flight, call);
        if (delay >= 0)
            say_waiting(flight, call);
    }
    if (delay < 0 || clock_passed(flight->deadline_ms))
        return false;
    call->due_ms = clock_in_ms(delay);
    call->state = CALL_WAITING;
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
