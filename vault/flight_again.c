/* flight_again.c: what is worth another try, where, and when.
 *
 * Worth it (measured on the reference client) are 412, 429, 500, 502, 503, 504 and whatever failed on
 * the way. 500 is also what Vault says to some lasting mistakes, so it is asked a few times only.
 * Retry-After is waited for; when that would pass the deadline, the call ends at once with what came
 * back.
 *
 * With several nodes, what one of them can't do (away, sealed, without a leader, behind) is asked of
 * the next one at once; only when each has been asked is there a delay. All calls move together: the
 * node that answered the last time is asked first. */
#include "vault/internal.h"

#include <string.h>

#include "base/str.h"

enum {
    LAST_TRIES_MS = 500, /* with less left there is no use in another one */
    ATTEMPTS_ON_500 = 3,
    ATTEMPTS_WHEN_BEHIND = 6,
    ATTEMPTS_ON_REDIRECT = 12,
    SPREAD_PARTS = 4, /* a fleet that was told to wait comes back within this part of the time, */
    SPREAD_MAX_MS = 1000, /* at most */
    STATUS_REDIRECT = 307,
    STATUS_BAD_REQUEST = 400,
    STATUS_BEHIND = 412,
    STATUS_TOO_MANY = 429,
    STATUS_SERVER_ERROR = 500,
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

static bool has_words(const struct http_exchange *exchange, const char *words)
{
    const struct buf *answer = &exchange->answer;

    return answer->len > 0 && memmem(answer->data, answer->len, words, strlen(words));
}

/* Vault's own words for a cluster between two leaders, which it says with the status of a fault.
 * Source: vault/request_forwarding.go and http/handler.go of OpenBao. */
static bool has_no_leader(const struct http_exchange *exchange)
{
    static const char *const words[] = {"active cluster node not found", "node not active",
                                        "error during forwarding", "no active leader"};

    if (exchange->status != STATUS_SERVER_ERROR)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (has_words(exchange, words[i]))
            return true;
    return false;
}

/* A mount of KV v2 that was just made, or whose new leader just came, says so with the status of a
 * lasting mistake (measured on a standby: for a second). */
static bool is_upgrading(const struct http_exchange *exchange)
{
    return exchange->status == STATUS_BAD_REQUEST &&
           has_words(exchange, "unavailable for a brief period");
}

/* A standby that is behind what the request carried: 412, or in OpenBao 429 with an empty list of
 * errors; a quota has its reason in there. */
static bool is_behind(const struct http_exchange *exchange)
{
    return exchange->status == STATUS_BEHIND ||
           (exchange->status == STATUS_TOO_MANY && exchange->index &&
            has_words(exchange, "\"errors\":[]"));
}

/* What is no answer of Vault's but of one node: another may do better. */
static bool is_of_node(const struct http_exchange *exchange)
{
    switch (exchange->status) {
    case 0:
        return exchange->err.kind == ERR_SOURCE_DOWN;
    case STATUS_REDIRECT: /* one that can't reach its leader, and names it by an address that is none
                           * of ours: measured for some seconds around an election */
    case 472:             /* a disaster recovery secondary, */
    case 473:             /* a standby for reads, */
    case 474:             /* one without a leader, */
    case 501:             /* one without data, */
    case 502:
    case 503: /* a sealed one, */
    case 504:
    case 530: /* one that was removed */
        return true;
    default:
        return is_behind(exchange) || has_no_leader(exchange) || is_upgrading(exchange);
    }
}

static bool is_worth_it(const struct call *call, bool several_nodes)
{
    const struct http_exchange *exchange = &call->exchange;

    if (exchange->status == 0)
        return exchange->err.kind == ERR_SOURCE_DOWN;
    if (call->faults >= ATTEMPTS_ON_500 || call->behind >= ATTEMPTS_WHEN_BEHIND ||
        call->strays >= ATTEMPTS_ON_REDIRECT)
        return false;
    return flight_is_transient(exchange->status) || is_upgrading(exchange) ||
           (several_nodes && is_of_node(exchange));
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

bool flight_try_again(struct flight *flight, struct call *call)
{
    const struct http_exchange *exchange = &call->exchange;
    struct vault *v = flight->vault;
    int64_t delay = 0;

    if (exchange->status == STATUS_SERVER_ERROR && !has_no_leader(exchange))
        call->faults++;
    if (is_behind(exchange))
        call->behind++;
    if (exchange->status == STATUS_REDIRECT)
        call->strays++;
    if (!is_worth_it(call, v->config.node_count > 1) ||
        (call->once && !answer_says_no_effect(call)))
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
