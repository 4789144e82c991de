/* agent/status.h: how the application and what it was given are doing, over HTTP: run.status.
 *
 *   /live     200: this process answers
 *   /ready    200: the application runs, and no lease that it holds is over; else 503, and why
 *   /metrics  the same in numbers, Prometheus's text format 0.0.4
 *
 * The server lives in the supervisor's loop and never waits for a client: a request has STATUS_REQUEST_BYTES
 * and STATUS_CLIENT_MS, there are STATUS_CLIENTS at a time, and the one that came first makes room for
 * one more. It tells no secret. */
#ifndef AGENT_STATUS_H
#define AGENT_STATUS_H

#include "agent/supervise.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/endpoint.h"

enum {
    STATUS_CLIENTS = 16,
    STATUS_REQUEST_BYTES = 2048,
    STATUS_CLIENT_MS = 5000,
    STATUS_ANSWER_BYTES = 256 * 1024,
    STATUS_LEASES = 64,
    STATUS_STALE = 64,
};

/* What there is to tell; its owner keeps it up to date, and it outlives the server. Strings are borrowed.
 * Times are base/clock.h's. */
struct status_facts {
    struct {
        const char *path;
        int64_t expires_ms;
    } leases[STATUS_LEASES];
    size_t lease_count;
    struct {
        const char *variable;
        int64_t since_ms; /* when its value was current */
    } stale[STATUS_STALE];
    size_t stale_count;
    int64_t token_expires_ms; /* CLOCK_NEVER: there is none, or it does not end */
    int64_t last_success_s;   /* Unix time at which all sources answered last; 0: never */
    int64_t started_s;        /* Unix time of the application's last start; 0: none */
    uint64_t renewals, renewal_failures, refreshes, refresh_failures, changes, change_failures;
};
#define STATUS_FACTS_INIT ((struct status_facts){.token_expires_ms = CLOCK_NEVER})

/* What of the supervisor is told with them. */
struct status_view {
    bool runs;
    const char *state; /* supervise_state_word */
    unsigned restarts;
    uint64_t log_dropped;
};

struct status;

/* Listen at WHERE (TEXT is how it was written). Errors: ERR_FILE with the reason: the port or the socket is
 * taken, it is not ours to have; ERR_RESOURCE. */
MUST_USE int status_open(struct supervisor *s, const struct endpoint *where, const char *text,
                         const struct status_facts *facts, struct status **out, struct err *err);
void status_close(struct status *s); /* its socket goes; NULL is fine */

/* ---- the answers (status_text.c) ---------------------------------------------------------------- */

/* Append the whole answer to the request line in REQUEST (its LENGTH bytes, an HTTP/1 head). */
void status_answer(const char *request, size_t length, const struct status_facts *facts,
                   const struct status_view *view, struct buf *out);

/* ---- asking (status_probe.c) -------------------------------------------------------------------- */

/* Ask WHERE for PATH and append the body to OUT: the HTTP status, or -1: ERR_FILE, nobody answers as it
 * should until the deadline. */
MUST_USE int status_probe(const struct endpoint *where, const char *path, int64_t deadline_ms,
                          struct buf *out, struct err *err);

#endif
