/* agent/status_text.c: what run.status answers. */
#include <string.h>

#include "agent/status.h"
#include "base/clock.h"
#include "base/str.h"

enum { BODY_BYTES = STATUS_ANSWER_BYTES - 1024, MS_PER_S = 1000 };

#define PLAIN   "text/plain; charset=utf-8"
#define METRICS "text/plain; version=0.0.4; charset=utf-8"

/* ---- metrics ------------------------------------------------------------------------------------ */

static void head(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_addf(b, "# HELP agent_%s %s\n# TYPE agent_%s %s\n", name, help, name, type);
}

static void number(struct buf *b, const char *name, const char *type, const char *help,
                   int64_t value)
{
    head(b, name, type, help);
    buf_addf(b, "agent_%s %lld\n", name, (long long)value);
}

/* A label's value: its backslashes, quotes and line breaks escaped, and no byte that is not UTF-8. */
static void add_label(struct buf *b, const char *text)
{
    for (size_t left = strlen(text), step; left > 0; text += step, left -= step) {
        step = str_utf8(text, left);
        if (step == 0) {
            buf_adds(b, "\xef\xbf\xbd");
            step = 1;
        } else if (*text == '\n') {
            buf_adds(b, "\\n");
        } else {
            if (*text == '\\' || *text == '"')
                buf_addc(b, '\\');
            buf_add(b, text, step);
        }
    }
}

static void sample(struct buf *b, const char *name, const char *label, const char *text,
                   int64_t value)
{
    buf_addf(b, "agent_%s{%s=\"", name, label);
    add_label(b, text);
    buf_addf(b, "\"} %lld\n", (long long)value);
}

static void add_metrics(const struct status_facts *facts, const struct status_view *view,
                        struct buf *b)
{
    int64_t now = clock_now_ms();

    head(b, "info", "gauge", "The version of agent.");
    sample(b, "info", "version", AGENT_VERSION, 1);
    number(b, "application_running", "gauge", "Whether the application runs.", view->runs);
    number(b, "application_restarts_total", "counter", "Restarts by agent.", view->restarts);
    number(b, "application_start_time_seconds", "gauge", "When it was started last (Unix time).",
           facts->started_s);
    head(b, "lease_seconds_left", "gauge", "Until a lease ends, below 0 when it has ended.");
    for (size_t i = 0; i < facts->lease_count; i++)
        sample(b, "lease_seconds_left", "path", facts->leases[i].path,
               (facts->leases[i].expires_ms - now) / MS_PER_S);
    if (facts->token_expires_ms != CLOCK_NEVER)
        number(b, "token_seconds_left", "gauge", "Until the token of the log-in ends.",
               (facts->token_expires_ms - now) / MS_PER_S);
    number(b, "last_success_timestamp_seconds", "gauge",
           "When all sources answered last (Unix time), 0: never.", facts->last_success_s);
    head(b, "stale_age_seconds", "gauge",
         "Age of a last known value that is used for want of its source.");
    for (size_t i = 0; i < facts->stale_count; i++)
        sample(b, "stale_age_seconds", "variable", facts->stale[i].variable,
               (now - facts->stale[i].since_ms) / MS_PER_S);
    number(b, "renewals_total", "counter", "Renewals of leases and of the token.",
           (int64_t)facts->renewals);
    number(b, "renewal_failures_total", "counter", "Renewals that failed.",
           (int64_t)facts->renewal_failures);
    number(b, "refreshes_total", "counter", "Times that sources were asked again.",
           (int64_t)facts->refreshes);
    number(b, "refresh_failures_total", "counter", "Those of them that failed.",
           (int64_t)facts->refresh_failures);
    number(b, "changes_total", "counter", "Changes of values that reached the application.",
           (int64_t)facts->changes);
    number(b, "change_failures_total", "counter",
           "Changes that did not, as they broke the contract.", (int64_t)facts->change_failures);
    number(b, "log_lines_dropped_total", "counter",
           "Lines of agent's log that stderr did not take.", (int64_t)view->log_dropped);
}

/* ---- ready -------------------------------------------------------------------------------------- */

/* False: TEXT has why. */
static bool is_ready(const struct status_facts *facts, const struct status_view *view,
                     struct buf *text)
{
    int64_t now = clock_now_ms();
    bool ready = view->runs;

    if (!view->runs)
        buf_addf(text, "the application is %s\n", view->state);
    for (size_t i = 0; i < facts->lease_count; i++) {
        if (facts->leases[i].expires_ms > now)
            continue;
        ready = false;
        buf_adds(text, "the lease of '");
        str_add_sanitised(text, facts->leases[i].path, strlen(facts->leases[i].path));
        buf_adds(text, "' has ended\n");
    }
    if (ready)
        buf_adds(text, "ready\n");
    return ready;
}

/* ---- HTTP --------------------------------------------------------------------------------------- */

struct answer {
    int code;
    const char *reason, *type;
};

/* Whether TARGET, up to its query, is PATH. */
static bool is_path(const char *target, size_t length, const char *path)
{
    const char *query = memchr(target, '?', length);

    if (query)
        length = (size_t)(query - target);
    return length == strlen(path) && memcmp(target, path, length) == 0;
}

static struct answer route(const char *target, size_t length, const struct status_facts *facts,
                           const struct status_view *view, struct buf *body)
{
    if (is_path(target, length, "/live")) {
        buf_adds(body, "live\n");
        return (struct answer){200, "OK", PLAIN};
    }
    if (is_path(target, length, "/ready"))
        return is_ready(facts, view, body) ? (struct answer){200, "OK", PLAIN}
                                           : (struct answer){503, "Service Unavailable", PLAIN};
    if (is_path(target, length, "/metrics")) {
        add_metrics(facts, view, body);
        return (struct answer){200, "OK", METRICS};
    }
    buf_adds(body, "there are /ready, /live and /metrics\n");
    return (struct answer){404, "Not Found", PLAIN};
}

/* METHOD SP TARGET SP HTTP/1.x CRLF; *head: it wants no body. */
static struct answer read_request(const char *request, size_t length,
                                  const struct status_facts *facts, const struct status_view *view,
                                  struct buf *body, bool *bare)
{
    const char *end = memmem(request, length, "\r\n", 2);
    const char *target = end ? memchr(request, ' ', (size_t)(end - request)) : NULL;
    const char *version = target ? memchr(target + 1, ' ', (size_t)(end - target - 1)) : NULL;

    *bare = false;
    if (!version || end - version != (ptrdiff_t)strlen(" HTTP/1.1") ||
        memcmp(version, " HTTP/1.", strlen(" HTTP/1.")) != 0) {
        buf_adds(body, "this is no request of HTTP/1\n");
        return (struct answer){400, "Bad Request", PLAIN};
    }
    size_t method = (size_t)(target - request);
    *bare = method == 4 && memcmp(request, "HEAD", method) == 0;
    if (!*bare && (method != 3 || memcmp(request, "GET", method) != 0)) {
        buf_adds(body, "there are GET and HEAD\n");
        return (struct answer){405, "Method Not Allowed", PLAIN};
    }
    return route(target + 1, (size_t)(version - target - 1), facts, view, body);
}

void status_answer(const char *request, size_t length, const struct status_facts *facts,
                   const struct status_view *view, struct buf *out)
{
    AUTO_BUF body = BUF_INIT(BODY_BYTES);
    bool bare;
    struct answer answer = read_request(request, length, facts, view, &body, &bare);

    if (body.no_memory || body.too_long) {
        answer = (struct answer){500, "Internal Server Error", PLAIN};
        buf_clear(&body);
    }
    buf_addf(out,
             "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
             "Cache-Control: no-store\r\nConnection: close\r\n%s\r\n",
             answer.code, answer.reason, answer.type, body.len,
             answer.code == 405 ? "Allow: GET, HEAD\r\n" : "");
    if (!bare)
        buf_add(out, buf_text(&body), body.len);
}
